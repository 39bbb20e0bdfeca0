# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
# mypy: disable-error-code="no-untyped-call"
"""The robot that is not there: motors on the emulated bus, physics, pictures, and a judge."""

from contextlib import ExitStack
from pathlib import Path
import sys
from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus, KeyValue
import numpy as np
from std_msgs.msg import String
from std_srvs.srv import Trigger
from visualization_msgs.msg import MarkerArray

from vla_control.cameras.config import load_camera
from vla_control.core.clock import SteadyClock
from vla_control.core.realtime import prepare_process
from vla_control.core.sessions import in_session, session_name
from vla_control.core.spec import load_robot
from vla_control.nodes import qos
from vla_control.nodes.diagnostics import Level, loop_report, Report
from vla_control.nodes.lifecycle import ManagedNode, run
from vla_control.nodes.markers import scene_markers
from vla_control.robots.description import robot_urdf, root_link
from vla_control.runtime.loop import ControlLoop
from vla_control.runtime.simulation import BusClock, goals_by_words, Simulation
from vla_control.sim.camera import RenderJob, start_renderer, StateWriter, stop_renderer, View
from vla_control.sim.devices import open_device
from vla_control.sim.kinematics import hand_solvers
from vla_control.sim.layout import COLOURS
from vla_control.sim.starts import sample_start, Start
from vla_control.sim.tasks import Goal, load_tasks, Task, Verdict
from vla_control.sim.world import World

BELOW = 30  # priority of the executor and the middleware under that of the loop
RENDERER_BELOW = 40
ANSWER = 1.0  # [s] longest wait for a restart
SILENCE = 0.3  # [s] on the bus after which no driver is there any more
LONGEST_LINGER = 4.0  # [s]
POLL = 0.002  # [s] between looks meanwhile
LIMP = ('FAULT', 'UNCONFIGURED', '')  # driver modes in which the arm may be carried elsewhere


class SimNode(ManagedNode):
    """
    One simulated robot.

    Physics and motors run in a thread of their own, pictures are drawn by another process.
    """

    def __init__(self, **options: Any) -> None:
        """Declare the parameters."""
        super().__init__('sim_node', **options)
        self.simulation: Simulation | None = None
        self.loop: ControlLoop | None = None
        self._entities = ExitStack()
        self._driver = ''
        self._steady = SteadyClock()
        self._seed = 0

    def configure(self) -> None:
        """Build the world and put its motors on the bus."""
        values = self.values
        session = session_name(self.get_namespace())
        self.spec = in_session(load_robot(values['robot']), session)
        self._seed = values['seed']
        self._goals = goals_by_words(
            load_tasks(), tuple(Goal(task=t, target=c) for t in Task for c in COLOURS)
        )
        self.world = World(self.spec)
        self._entities.callback(self.world.close)
        self._solvers = hand_solvers(self.spec, self.world.scene)
        start = self._start()
        self.world.reset(start.layout, start.q)
        device = open_device(self.spec)
        self._entities.callback(device.close)
        self._pacer = BusClock(device)
        states = StateWriter(session, len(self.world.snapshot()))
        self._entities.callback(states.close)
        self.simulation = Simulation(
            self.spec,
            self.world,
            self._pacer,
            show=lambda now, snapshot: states.write(self.stamps.ros(now), snapshot),
            trace_period=1.0 / values['trace_rate'] if values['trace'] else 0.0,
        )
        self._start_renderer(session)
        self._create_entities()
        self._ask(values['instruction'])

    def activate(self) -> None:
        """Let time pass."""
        if self.simulation is None:
            return
        priority = self.values['realtime_priority']
        note = prepare_process(priority - BELOW) if priority > BELOW else ''
        self.loop = ControlLoop(
            self.simulation.tick,
            self.world.timestep,
            self._pacer,
            name='physics',
            priority=priority,
            note=note,
        )
        self.loop.start()

    def deactivate(self) -> None:
        """Let time stand still."""
        if self.loop is not None:
            self.loop.stop()
            self.loop = None

    def linger(self) -> None:
        """Stay while a driver talks to the motors, so that it can switch them off."""
        simulation, end = self.simulation, self._steady.now() + LONGEST_LINGER
        if simulation is None or self.loop is None:
            return
        while self._steady.now() < min(simulation.heard + SILENCE, end):
            self._steady.sleep_until(self._steady.now() + POLL)

    def cleanup(self) -> None:
        """Write the trace, end the renderer, and take the motors off the bus."""
        if self.simulation is not None and self.values['trace']:
            self.simulation.save_trace(Path(self.values['trace']))
        self.simulation = None
        self._entities.close()

    def reports(self) -> list[Report]:
        """Report physics and the renderer."""
        if self.simulation is None or self.loop is None:
            return []
        if self.loop.failure is not None:
            self.fail(f'physics raised {self.loop.failure!r}')
        drawing = self._renderer is None or self._renderer.is_alive()
        lost = self.simulation.lost
        statistics = self.loop.statistics()
        return [
            loop_report(statistics, self.world.timestep, self.loop.failure is not None),
            Report(
                name='physics',
                level=Level.OK if drawing else Level.ERROR,
                message='running' if drawing else 'the renderer has ended; no pictures',
                values={'never made up [s]': lost, 'restarts': self.simulation.restarts},
            ),
        ]

    def _create_entities(self) -> None:
        self._root = root_link(robot_urdf(self.spec))
        self._episodes = self.create_publisher(
            DiagnosticStatus, '~/episode', qos.writer('sim_node/episode')
        )
        self._markers = self.create_publisher(MarkerArray, 'markers', qos.writer('markers'))
        for publisher in (self._episodes, self._markers):
            self._entities.callback(self.destroy_publisher, publisher)
        for topic, callback in (
            ('instruction', self._on_instruction),
            ('driver_state', self._on_driver),
        ):
            subscription = self.create_subscription(String, topic, callback, qos.reader(topic))
            self._entities.callback(self.destroy_subscription, subscription)
        service = self.create_service(Trigger, '~/reset', self._on_reset)
        self._entities.callback(self.destroy_service, service)
        for period, tick in ((0.05, self._publish_episode), (0.1, self._publish_markers)):
            self._entities.callback(self.destroy_timer, self.create_timer(period, tick))
        self._shown = ('', 0, -1)

    def _start_renderer(self, session: str) -> None:
        views = []
        for name in self.values['cameras'] or self.spec.camera_configs:
            camera = load_camera(name)
            source = camera.source('sim')
            views.append(
                View(name=camera.name, width=source.width, height=source.height, rate=source.rate)
            )
        self._renderer = None
        if views:
            job = RenderJob(
                robot=self.values['robot'],
                session=session,
                views=tuple(views),
                priority=max(0, self.values['realtime_priority'] - RENDERER_BELOW),
            )
            self._renderer = start_renderer(job)
            self._entities.callback(stop_renderer, self._renderer)

    def _start(self) -> Start:
        rng = np.random.default_rng(self._seed)
        return sample_start(self.spec, self.world.scene, self._solvers, rng)

    def _ask(self, words: str) -> None:
        if self.simulation is None:
            return
        goal = self._goals.get(' '.join(words.lower().split()))
        if words and goal is None:
            self.get_logger().info(f'no judge for {words!r}: it is not in config/tasks.yaml')
        self.simulation.ask(words, goal)

    def _on_instruction(self, msg: String) -> None:
        if self.simulation is not None and msg.data != self.simulation.episode.instruction:
            self._ask(msg.data)

    def _on_driver(self, msg: String) -> None:
        self._driver = msg.data.split(':')[0]

    def _on_reset(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        simulation = self.simulation
        if simulation is None or self.loop is None:
            response.success, response.message = False, 'the simulation is not active'
            return response
        self._seed += 1
        arm = self._driver in LIMP
        before = simulation.restarts
        simulation.restart(self._start(), move_arm=arm)
        end = self._steady.now() + ANSWER
        while simulation.restarts == before and self._steady.now() < end:
            self._steady.sleep_until(self._steady.now() + POLL)
        response.success = simulation.restarts > before
        response.message = f'seed {self._seed}; ' + (
            'the arm was put to its start as well'
            if arm
            else f'the arm stays where it is while the driver is in {self._driver}'
        )
        self.get_logger().info(f'reset: {response.message}')
        return response

    def _publish_episode(self) -> None:
        if self.simulation is None:
            return
        episode = self.simulation.episode
        tenths = int(episode.seconds * 10.0)
        key = (episode.verdict.value, episode.number, tenths)
        if key == self._shown:
            return
        self._shown = key
        goal = episode.goal
        verdict = episode.verdict.value if goal is not None else 'not judged'
        values = {
            'instruction': episode.instruction,
            'task': goal.task.value if goal is not None else '',
            'target': goal.target if goal is not None else '',
            'seed': self._seed,
            'episode': episode.number,
            'time [s]': f'{episode.seconds:.3f}',
        }
        level = Level.WARN if episode.verdict is Verdict.WRONG_OBJECT else Level.OK
        self._episodes.publish(
            DiagnosticStatus(
                level=bytes([level]),
                name='episode',
                message=verdict,
                hardware_id=self.spec.name,
                values=[KeyValue(key=k, value=str(v)) for k, v in values.items()],
            )
        )

    def _publish_markers(self) -> None:
        if self.simulation is None:
            return
        stamp = self.get_clock().now().to_msg()
        scene = self.simulation.scene
        self._markers.publish(scene_markers(self.world.scene, scene, self._root, stamp))


def main(args: list[str] | None = None) -> int:
    """Run the node; the console script sim_node."""
    return run(SimNode, args)


if __name__ == '__main__':
    sys.exit(main())
