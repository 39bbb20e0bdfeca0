# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
# mypy: disable-error-code="no-untyped-call"
"""Takes the place of the policy where a person leads: the pose of a leader arm, as chunks."""

from contextlib import ExitStack
from dataclasses import replace
import sys
from typing import Any

from sensor_msgs.msg import JointState
from std_msgs.msg import String
from trajectory_msgs.msg import JointTrajectory

from vla_control.actions.teleop import Coupling, Phase
from vla_control.core.clock import SteadyClock
from vla_control.core.errors import RobotError
from vla_control.core.messages import Floats
from vla_control.core.realtime import hurry_process
from vla_control.core.sessions import session_name
from vla_control.core.spec import load_robot
from vla_control.nodes import convert, qos
from vla_control.nodes.diagnostics import Level, Report
from vla_control.nodes.lifecycle import ManagedNode, run
from vla_control.robots.dk1_leader import Leader, load_leader
from vla_control.sim.dynamixel_leader import EmulatedLeader, on_pty, serving, swaying

PERIOD = 0.02  # [s] between readings
PATIENT = 0.05  # [s] for an answer of the emulated leader, which shares a busy machine
FOLLOWING = ('READY', 'RUN')  # driver modes in which a chunk is of use


class LeaderNode(ManagedNode):
    """
    One leader arm and the follower it leads.

    Interpolator, limits and gate stay in the path. Coupling begins anew with every resume of the
    driver, from the pose that was really commanded last; while the leader is silent the follower
    is held, and only where this process ends does the interpolator miss chunks.
    """

    def __init__(self, **options: Any) -> None:
        """Declare the parameters."""
        super().__init__('leader_node', **options)
        self.clock = SteadyClock()
        self.leader: Leader | None = None
        self.coupling: Coupling | None = None
        self.device: EmulatedLeader | None = None
        self._entities = ExitStack()
        self._turns = ExitStack()
        self._pose: Floats | None = None
        self._driver = ''
        self._coupled = False  # whether the coupling goes on from its own last reference
        self._chunks = 0
        self._reason = ''

    def configure(self) -> None:
        """Open the leader: its joints are free then, and its trigger springs open."""
        values = self.values
        self.spec = load_robot(values['robot'])
        config = load_leader(values['teleop'])
        simulated = values['hardware'] != 'real'
        if simulated:
            config = config.in_session(session_name(self.get_namespace()))
            config = replace(config, timeout=max(config.timeout, PATIENT))
        self.leader = Leader(config, self.spec, 'sim' if simulated else 'real')
        if simulated:
            self.device = on_pty(config)
            self._entities.enter_context(serving(self.device))
            self.device.script = swaying(config, self.spec)
        self._entities.callback(self.leader.close)
        self.leader.open()
        self.coupling = Coupling(self.spec, config.coupling)
        self._publisher = self.create_publisher(
            JointTrajectory, 'action_chunk', qos.writer('action_chunk')
        )
        self._entities.callback(self.destroy_publisher, self._publisher)
        for kind, topic, take in (
            (JointState, 'commanded_joint_states', self._on_commanded),
            (String, 'driver_state', self._on_driver),
        ):
            subscription = self.create_subscription(kind, topic, take, qos.reader(topic))
            self._entities.callback(self.destroy_subscription, subscription)
        self.get_logger().info(f'{config.title} leads {self.spec.title}')

    def activate(self) -> None:
        """Begin to read the leader."""
        self._coupled = False
        timer = self.create_timer(PERIOD, self._turn)
        self._turns.callback(self.destroy_timer, timer)
        hurry_process(self.values['realtime_priority'])

    def deactivate(self) -> None:
        """Stop reading; the interpolator then comes to rest, and holds."""
        self._turns.close()
        self._coupled = False

    def cleanup(self) -> None:
        """Give up the leader."""
        self._entities.close()
        self.leader, self.coupling, self.device = None, None, None
        self._pose, self._driver = None, ''

    def reports(self) -> list[Report]:
        """Report whether the follower follows, and why not."""
        if self.leader is None or self.coupling is None:
            return []
        phase = self.coupling.phase if self._coupled else Phase.HOLD
        reason = self.leader.reason or self._reason
        level = Level.OK if phase is Phase.COUPLED else Level.WARN
        return [
            Report(
                name=self.values['teleop'],
                level=Level.ERROR if self.leader.reason else level,
                message=reason or phase.value,
                values={
                    'phase': phase.value,
                    'chunks': self._chunks,
                    'lost packets': self.leader.lost,
                },
            )
        ]

    def on_clock_jump(self, step: float) -> None:
        """Couple anew: stamps from before mean nothing now."""
        self._coupled = False

    def _turn(self) -> None:
        """Read the leader and say where the follower is to be."""
        leader, coupling = self.leader, self.coupling
        if leader is None or coupling is None or not self.active:
            return
        now = self.clock.now()
        reading = leader.read(now)
        if self._driver not in FOLLOWING or self._pose is None:
            self._coupled = False
            self._reason = f'the driver is in {self._driver or "no known state"}, not following'
            return
        if not self._coupled:
            coupling.reset(now, self._pose)
            self._coupled = True
        else:
            coupling.step(now, reading)
        if coupling.reason != self._reason:
            self._reason = coupling.reason
            self.get_logger().info(self._reason or coupling.phase.value)
        self._publisher.publish(convert.chunk_to_msg(coupling.chunk(), self.stamps.msg))
        self._chunks += 1

    def _on_commanded(self, msg: JointState) -> None:
        if self.coupling is None:
            return
        try:
            state = convert.joint_state_from_msg(msg, self.spec.names, self.stamps.steady)
        except RobotError as error:
            self.complain(f'commanded_joint_states: {error}')
            return
        self._pose = state.positions

    def _on_driver(self, msg: String) -> None:
        before, self._driver = self._driver, msg.data.split(':')[0]
        if self._driver == 'READY' and before != 'READY':
            self._coupled = False


def main(args: list[str] | None = None) -> int:
    """Run the node; the console script leader_node."""
    return run(LeaderNode, args)


if __name__ == '__main__':
    sys.exit(main())
