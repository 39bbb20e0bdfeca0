# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
# mypy: disable-error-code="no-untyped-call"
"""Chunks in at policy rate, joint references out at control rate."""

from contextlib import ExitStack
from dataclasses import dataclass
import sys
from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus
from sensor_msgs.msg import JointState
from std_msgs.msg import String
from trajectory_msgs.msg import JointTrajectory

from vla_control.actions.blend import BlendConfig, BlendMethod
from vla_control.actions.executor import ChunkExecutor
from vla_control.actions.quality import complaints
from vla_control.core.clock import SteadyClock
from vla_control.core.errors import ChunkRejected, RobotError
from vla_control.core.messages import Floats
from vla_control.core.realtime import prepare_process
from vla_control.core.spec import load_robot
from vla_control.nodes import convert, qos
from vla_control.nodes.diagnostics import Level, loop_report, path_of, Report, to_status
from vla_control.nodes.lifecycle import ManagedNode, run
from vla_control.policies.config import load_policy_config
from vla_control.runtime.loop import ControlLoop

BELOW = 30  # priority of the executor and the middleware under that of the loop
FOLLOWING = ('READY', 'RUN')  # driver modes in which references are of use
SHOWN = 0.5  # [s] between messages on ~/quality
SILENCE = 0.5  # [s] without commanded_joint_states after which there is no driver
LOOK = 0.1  # [s] between looks for that


@dataclass(frozen=True, slots=True)
class Turn:
    """From one resume of the driver to its next stop; replaced whole, read by the loop."""

    since: float  # [s] chunks captured earlier do not count
    fed: float = -1.0  # [s] a chunk was accepted last, < 0 before the first


class InterpolatorNode(ManagedNode):
    """
    The executor of one robot.

    While the driver does not follow, nothing is published and chunks are refused; on each
    resume the plan starts from the pose that was really commanded last.
    """

    def __init__(self, **options: Any) -> None:
        """Declare the parameters."""
        super().__init__('interpolator_node', **options)
        self.clock = SteadyClock()
        self.core: ChunkExecutor | None = None
        self.loop: ControlLoop | None = None
        self._turn: Turn | None = None
        self._driver = 'unknown'
        self._heard = -1.0  # [s] the driver, < 0 before the first time
        self._pose: Floats | None = None
        self._published = -1.0  # [s] the newest instant a reference was asked for
        self._aligned = -1.0  # [s] Turn.since the plan starts from; written by the loop
        self._reason = ''
        self._gone = ''  # why there is no driver, empty while there is
        self._entities = ExitStack()

    def configure(self) -> None:
        """Build the executor; a bad parameter fails here, not in motion."""
        self.spec = load_robot(self.values['robot'])
        self._names = list(self.spec.names)
        self._lead = self.values['lead'] * self.spec.dt
        self.core = ChunkExecutor(self.spec, self._blend())
        self._commands = self.create_publisher(
            JointTrajectory, 'joint_command', qos.writer('joint_command')
        )
        self._quality = self.create_publisher(
            DiagnosticStatus, '~/quality', qos.writer('interpolator_node/quality')
        )
        for publisher in (self._commands, self._quality):
            self._entities.callback(self.destroy_publisher, publisher)
        for kind, topic, callback in (
            (String, 'driver_state', self._on_driver_state),
            (JointState, 'commanded_joint_states', self._on_commanded),
            (JointTrajectory, 'action_chunk', self._on_chunk),
        ):
            subscription = self.create_subscription(kind, topic, callback, qos.reader(topic))
            self._entities.callback(self.destroy_subscription, subscription)
        for period, look in ((LOOK, self._look_for_driver), (SHOWN, self._show_quality)):
            self._entities.callback(self.destroy_timer, self.create_timer(period, look))

    def activate(self) -> None:
        """Start the loop."""
        priority = self.values['realtime_priority']
        note = prepare_process(priority - BELOW) if priority > BELOW else ''
        self.loop = ControlLoop(
            self.tick,
            self.spec.dt,
            self.clock,
            name='interpolator',
            phase=-self._lead,
            priority=priority,
            note=note,
        )
        self.loop.start()

    def deactivate(self) -> None:
        """Stop publishing; the driver then comes to rest by itself."""
        if self.loop is not None:
            self.loop.stop()
            self.loop = None
        self._turn = None

    def cleanup(self) -> None:
        """Forget the plan."""
        self._entities.close()
        self.core, self._turn, self._pose, self._driver = None, None, None, 'unknown'
        self._heard = -1.0

    def tick(self, now: float) -> None:
        """Publish the reference for an instant one lead from now, while there is one to follow."""
        core, turn, pose = self.core, self._turn, self._pose
        if core is None or turn is None or pose is None:
            return
        if turn.since != self._aligned:
            core.align(now, pose)
            self._aligned = turn.since
        if turn.fed < 0.0:
            return
        # For an instant at which the driver ticks, where both run on one machine.
        instant = round((now + self._lead) / self.spec.dt) * self.spec.dt
        if instant <= self._published:
            return
        self._published = instant
        reference = core.tick(instant)
        if core.held and core.at_rest:
            return  # the driver misses commands, stops, and latches its own hold
        stamp = self.stamps.msg(reference.stamp)
        self._commands.publish(convert.command_to_msg(reference, self._names, stamp))

    def reports(self) -> list[Report]:
        """Report the loop, and the quality of the motion."""
        found = []
        if self.loop is not None:
            failed = self.loop.failure is not None
            found.append(loop_report(self.loop.statistics(), self.spec.dt, failed))
            if failed:
                self.fail(f'the loop raised {self.loop.failure!r}')
        if self.core is not None:
            found.append(self._motion(self.core))
        return found

    def _motion(self, core: ChunkExecutor) -> Report:
        """Report how chunks become motion, and what is missing where they do not."""
        quality = core.quality(self.clock.now())
        held = core.held if self._turn is not None else ''
        if held:
            if not self.count_publishers('action_chunk'):
                held += '; nobody publishes action_chunk: is policy_node running?'
            self.complain(f'joint commands are withheld: {held}')
        problems = [p for p in (held, *complaints(quality)) if p]
        level = Level.WARN if problems else Level.OK
        if self._gone:
            level, problems = Level.ERROR, [self._gone]
        return Report(
            name='quality',
            level=level,
            message='; '.join(problems) or self._reason or f'driver {self._driver}',
            values={name: getattr(quality, name) for name in type(quality).__slots__},
        )

    def _show_quality(self) -> None:
        if self.core is not None and self.active:
            self._quality.publish(to_status(self._motion(self.core), path_of(self)))

    def _look_for_driver(self) -> None:
        """Let go of the plan when the driver is gone: another one starts where the robot is."""
        silent = self.clock.now() - self._heard
        if self._heard < 0.0 or silent <= SILENCE:
            self._gone = ''
            return
        if not self._gone:
            self._turn, self._pose, self._driver = None, None, 'gone'
        self._gone = (
            f'driver_node is gone: no commanded_joint_states for {silent:.1f} s; start it again, '
            'then call driver_node/resume'
        )
        self.complain(self._gone)

    def on_clock_jump(self, step: float) -> None:
        """Stop publishing until the driver is resumed: the plan's stamps mean nothing now."""
        self._turn = None

    def _blend(self) -> BlendConfig:
        if self.values['blend']:
            return BlendConfig(method=BlendMethod(self.values['blend']))
        return load_policy_config(self.values['policy']).blend

    def _on_driver_state(self, msg: String) -> None:
        self._driver = msg.data
        follows = msg.data.split(':')[0] in FOLLOWING
        if not follows:
            self._turn = None
        elif self._turn is None:
            self._begin()

    def _begin(self) -> None:
        if self.core is None or self._pose is None:
            return
        self._turn = Turn(self.clock.now())

    def _on_commanded(self, msg: JointState) -> None:
        try:
            state = convert.joint_state_from_msg(msg, self.spec.names, self.stamps.steady)
        except RobotError as error:
            self._say(f'commanded_joint_states: {error}')
            return
        self._pose, self._heard = state.positions, self.clock.now()
        if self._turn is None and self._driver.split(':')[0] in FOLLOWING:
            self._begin()

    def _on_chunk(self, msg: JointTrajectory) -> None:
        """Hand the chunk to the core; it decides, the node only reports."""
        core, turn = self.core, self._turn
        if core is None or not self.active:
            return
        try:
            chunk = convert.chunk_from_msg(msg, self.stamps.steady)
            if turn is None:
                raise ChunkRejected(f'the driver does not follow ({self._driver})')
            if chunk.stamp < turn.since or turn.since != self._aligned:
                raise ChunkRejected('it was captured before the driver was resumed')
        except ChunkRejected as error:
            self._say(f'chunk rejected: {error}')
            return
        now = self.clock.now()
        verdict = core.offer(chunk, now)
        if verdict.accepted:
            self._reason = ''
            if self._turn is turn:
                self._turn = Turn(turn.since, now)
        else:
            self._say(f'chunk rejected: {verdict.reason}')

    def _say(self, text: str) -> None:
        self._reason = text
        self.complain(text)


def main(args: list[str] | None = None) -> int:
    """Run the node; the console script interpolator_node."""
    return run(InterpolatorNode, args)


if __name__ == '__main__':
    sys.exit(main())
