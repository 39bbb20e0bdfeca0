# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
# mypy: disable-error-code="no-untyped-call"
"""The node that owns the bus: joint commands in, measured joints out, safety in between."""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
import sys
from typing import Any

from sensor_msgs.msg import JointState
from std_msgs.msg import Bool, String
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from vla_control.core.clock import SteadyClock
from vla_control.core.errors import ChunkRejected, ConfigError, RobotError
from vla_control.core.protocols import HomingDriver, RobotDriver
from vla_control.core.realtime import prepare_process
from vla_control.core.sessions import in_session, session_name
from vla_control.core.spec import load_robot, RobotSpec
from vla_control.nodes import commanders, convert, qos
from vla_control.nodes.diagnostics import Report
from vla_control.nodes.driver_reports import DriverReports, where
from vla_control.nodes.emergency_stop import EmergencyStop
from vla_control.nodes.lifecycle import ManagedNode, run
from vla_control.robots.description import robot_urdf
from vla_control.robots.factory import make_driver
from vla_control.runtime.control import RobotController
from vla_control.runtime.loop import ControlLoop
from vla_control.runtime.tick_log import TickLog
from vla_control.safety.supervisor import Event, Mode

REST = 1.5  # [s] longest wait for the verified stop before the motors are let go
ANSWER = 0.25  # [s] longest wait for the tick that serves a request
BELOW = 30  # priority of the executor and the middleware under that of the loop
LOOK = 0.5  # [s] between looks for a second commander
SHADOW = 'shadow mode only compares chunks; start without shadow:=true to let them move the robot'
POLL = 0.002  # [s] between looks at the snapshot meanwhile
DriverMaker = Callable[[RobotSpec, str, SteadyClock], RobotDriver]


class DriverNode(ManagedNode):
    """
    One robot.

    The control tick runs in a thread of its own and alone touches the driver. The executor
    only rebinds values: a joint command in, the newest snapshot out.
    """

    def __init__(self, drivers: DriverMaker = make_driver, **options: Any) -> None:
        """
        Declare the parameters; the bus is opened by configure().

        :param drivers: makes the driver from the spec, the hardware and the clock.
        :param options: of rclpy's Node.
        """
        super().__init__('driver_node', **options)
        self._drivers = drivers
        self.clock = SteadyClock()
        self.controller: RobotController | None = None
        self.loop: ControlLoop | None = None
        self._log: TickLog | None = None
        self._text = ''
        self._published_at = -1.0
        self._refused = 0
        self._rivals = ''  # why nobody knows whose commands count, empty where one commands
        self._entities = ExitStack()

    def configure(self) -> None:
        """Open and lock the bus, and identify every motor; nothing is enabled."""
        hardware = self.values['hardware']
        if hardware == 'real' and self.simulated_time:
            raise ConfigError('use_sim_time cannot drive real motors; set it to false')
        if hardware == 'real' and self.values['resume_on_activate']:
            raise ConfigError(
                'resume_on_activate is refused on real hardware; call ~/resume when the robot '
                'is clear'
            )
        robot, session = load_robot(self.values['robot']), session_name(self.get_namespace())
        self.spec = in_session(robot, session)
        self._names = list(self.spec.names)
        if self.values['log']:
            self._log = TickLog(self.spec.names, self.spec.dt)
        driver = self._drivers(self.spec, hardware, self.clock)
        self.controller = RobotController(
            self.spec, driver, self._log, require_enable=self._needs_enable()
        )
        self._reports = DriverReports(self.spec, driver, hardware)
        self.controller.configure(self.clock.now())
        if sides := where(self.spec, hardware):
            self.get_logger().info(sides)
        self._create_entities()

    def activate(self) -> None:
        """
        Enable the motors and hold the measured pose.

        :raises RobotError: when more than one node commands the robot.
        """
        controller = self._controller()
        self._rivals = commanders.too_many(self, 'joint_command')
        if self._rivals:
            raise RobotError(self._rivals)
        if self.loop is None:
            priority = self.values['realtime_priority']
            note = prepare_process(priority - BELOW) if priority > BELOW else ''
            self.loop = ControlLoop(
                controller.tick,
                self.spec.dt,
                self.clock,
                name='driver',
                phase=0.0,
                priority=priority,
                note=note,
                on_failure=controller.shutdown,
            )
            controller.activate(self.clock.now())
            self.loop.start()
        if self.values['resume_on_activate'] and not self.values['shadow']:
            controller.request(Event.RESUME)
        self.get_logger().info(
            f'{self.spec.title}: holding its pose, {self.values["hardware"]} hardware; '
            'call ~/resume to follow joint commands'
        )

    def deactivate(self) -> None:
        """Come to rest by the verified stop and hold there; the motors stay enabled."""
        controller = self._controller()
        if self.loop is None or not self.loop.running:
            return
        controller.request(Event.HOLD)
        self._wait(lambda: controller.snapshot.mode in (Mode.HOLD, Mode.FAULT), REST)

    def cleanup(self) -> None:
        """Bring the motors to their documented end state and let go of the bus."""
        self._entities.close()
        if self.loop is not None:
            self.loop.stop()
            self.loop = None
        if self.controller is not None:
            self.controller.shutdown(self.clock.now())
            self.controller = None
        if self._log is not None:
            self._log.save(Path(self.values['log']))
            self._log = None

    def reports(self) -> list[Report]:
        """Report every motor, the bus, the loop and the mode."""
        if self.controller is None:
            return []
        return [
            *self._reports.of(
                self.controller.snapshot, self.loop, self.clock.now(), self._refused
            ),
            commanders.report(self, 'joint_command', self._rivals),
        ]

    def on_clock_jump(self, step: float) -> None:
        """Stop following: for up to a second stamps of other processes mean something else."""
        if self.controller is not None:
            self.controller.request(Event.HOLD)
            self.controller.stream.clear()

    def ask(self, event: Event, wanted: tuple[Mode, ...]) -> tuple[bool, str]:
        """
        Put a request to the next tick and tell what came of it.

        :param wanted: the modes in which the request counts as done.
        """
        controller, loop = self.controller, self.loop
        if controller is None or loop is None or not loop.running:
            if event is Event.E_STOP and controller is not None:
                controller.request(event)  # latches: the first tick after activation obeys
            return event is Event.E_STOP, 'no motor is enabled; activate the node first'
        if event is Event.RESUME and not self.active:
            return False, 'refused: the node is inactive'
        refusal = SHADOW if self.values['shadow'] else self._rivals
        if event is Event.RESUME and refusal:
            return False, f'resume refused: {refusal}'
        ticket = controller.request(event)
        if not self._wait(lambda: controller.snapshot.served >= ticket, ANSWER):
            return False, f'{event.value} was not served within {ANSWER} s; see /diagnostics'
        snapshot = controller.snapshot
        return snapshot.mode in wanted, f'{snapshot.mode.name}: {snapshot.reason}'

    def _create_entities(self) -> None:
        self._states = self._publisher(JointState, 'joint_states')
        self._commanded = self._publisher(JointState, 'commanded_joint_states')
        self._mode = self._publisher(String, 'driver_state')
        keep = self._entities.callback
        for kind, topic, take in (
            (JointTrajectory, 'joint_command', self._on_command),
            (Bool, 'enable', self._on_enable),
        ):
            reader = qos.reader(topic)
            keep(self.destroy_subscription, self.create_subscription(kind, topic, take, reader))
        period = 1.0 / self.values['state_rate']
        keep(self.destroy_timer, self.create_timer(period, self._publish))
        keep(self.destroy_timer, self.create_timer(LOOK, self._look_for_rivals))
        homing = isinstance(self._controller().driver, HomingDriver)
        for event, wanted in (
            *([(Event.HOME, (Mode.HOLD,))] if homing else []),
            (Event.RESET, (Mode.HOLD,)),
            (Event.HOLD, (Mode.HOLD, Mode.STOPPING)),
            (Event.RESUME, (Mode.READY, Mode.RUN)),
        ):
            answer = self._answer(event, wanted)
            keep(self.destroy_service, self.create_service(Trigger, f'~/{event.value}', answer))
        if self.values['publish_description']:
            description = self._publisher(String, 'robot_description')
            description.publish(String(data=robot_urdf(self.spec)))
        self._text = ''

    def _publisher(self, kind: Any, topic: str) -> Any:
        publisher = self.create_publisher(kind, topic, qos.writer(topic))
        self._entities.callback(self.destroy_publisher, publisher)
        return publisher

    def _answer(
        self, event: Event, wanted: tuple[Mode, ...]
    ) -> Callable[[Trigger.Request, Trigger.Response], Trigger.Response]:
        def answer(_: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
            response.success, response.message = self.ask(event, wanted)
            self.get_logger().info(f'{event.value}: {response.message}')
            return response

        return answer

    def _on_command(self, msg: JointTrajectory) -> None:
        if self.controller is None or self.values['shadow']:
            return
        try:
            reference = convert.command_from_msg(msg, self.spec.names, self.stamps.steady)
        except ChunkRejected as error:
            self._refused += 1
            self.complain(f'refused: {error}')
            return
        self.controller.put(reference)

    def _needs_enable(self) -> bool:
        hardware, given = self.values['hardware'], self.values['require_enable']
        if hardware == 'real' and given == 'false':
            self.get_logger().warning('real motors will move without an enabling device')
        return bool(hardware == 'real' if given == 'auto' else given == 'true')

    def _on_enable(self, msg: Bool) -> None:
        if self.controller is not None:
            self.controller.enable(msg.data, self.clock.now())

    def _look_for_rivals(self) -> None:
        before, self._rivals = self._rivals, commanders.too_many(self, 'joint_command')
        if self._rivals and not before:
            self._controller().request(Event.HOLD, self._rivals)

    def _publish(self) -> None:
        controller, loop = self._controller(), self.loop
        if loop is not None and loop.failure is not None:
            self.fail(f'the control loop raised {loop.failure!r}')
        snapshot = controller.snapshot
        text = (
            f'{snapshot.mode.name}: {snapshot.reason}' if snapshot.reason else snapshot.mode.name
        )
        if text != self._text:
            self._text = text
            self._mode.publish(String(data=text))
            self.get_logger().info(text)
        measured, commanded = snapshot.measured, snapshot.commanded
        if measured is None or snapshot.time == self._published_at:
            return
        self._published_at = snapshot.time
        self._states.publish(
            convert.joint_state_to_msg(
                self._names,
                self.stamps.msg(measured.stamp),
                measured.q,
                measured.v,
                measured.effort,
            )
        )
        if commanded is not None:
            self._commanded.publish(
                convert.joint_state_to_msg(
                    self._names, self.stamps.msg(commanded.stamp), commanded.q, commanded.v
                )
            )

    def _controller(self) -> RobotController:
        if self.controller is None:
            raise ConfigError('the driver is not configured')
        return self.controller

    def _wait(self, done: Callable[[], bool], timeout: float) -> bool:
        end = self.clock.now() + timeout
        while not done():
            if self.clock.now() >= end:
                return False
            self.clock.sleep_until(self.clock.now() + POLL)
        return True


def make(**options: Any) -> DriverNode:
    """Make the node and its emergency stop."""
    node = DriverNode(**options)
    stop = EmergencyStop(node, lambda: node.ask(Event.E_STOP, (Mode.FAULT,)))
    node.companions.callback(stop.close)
    return node


def main(args: list[str] | None = None) -> int:
    """Run the node; the console script driver_node."""
    return run(make, args)


if __name__ == '__main__':
    sys.exit(main())
