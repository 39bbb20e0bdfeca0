# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
# mypy: disable-error-code="no-untyped-call"
"""A user of the graph: asks for tasks, watches the judge, sends the arm home, presses stop."""

from collections.abc import Callable, Mapping
import contextlib
from dataclasses import dataclass
from functools import partial
import time
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
import numpy as np
import rclpy
from rclpy.node import Node
from rclpy.utilities import try_shutdown
from sensor_msgs.msg import CameraInfo, JointState
from std_msgs.msg import String
from trajectory_msgs.msg import JointTrajectory

from vla_control.core.errors import VlaControlError
from vla_control.core.messages import ActionChunk, Floats
from vla_control.core.spec import RobotSpec
from vla_control.nodes import convert, qos
from vla_control.nodes.call import call_trigger
from vla_control.nodes.spinner import Spinner
from vla_control.nodes.stamps import StampClock
from vla_control.runtime.demo import ChunkSeen, EpisodeRow
from vla_control.sim.tasks import Verdict

SERVICE = 5.0  # [s] longest wait for an answer
HOME_SPEED = 0.7  # [rad/s] peak on the way home
HOME_STEP = 0.1  # [s] between points on the way home
HOME_STEPS = 16
RESEND = 0.25  # [s] between chunks on the way home
SETTLE = 0.6  # [s] at home before the motion counts as ended


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A straight way in joint space, fastest in the middle."""

    start: Floats  # (n,) [rad, grippers m]
    goal: Floats  # (n,)
    seconds: float  # [s]

    def at(self, t: Floats) -> Floats:
        """Return the poses (m, n) at times (m,) [s] since the start: the minimum jerk curve."""
        u = np.clip(t / self.seconds, 0.0, 1.0)[:, None]
        share = u**3 * (10.0 - 15.0 * u + 6.0 * u * u)
        return np.asarray(self.start + share * (self.goal - self.start))


class DemoUser(Node):
    """Speaks to the graph as any user would: topics and services only."""

    def __init__(self, spec: RobotSpec) -> None:
        """Connect to everything the demo watches."""
        super().__init__('vla_control_demo')
        self.spec = spec
        self.stamps = StampClock(self.get_clock())
        self.verdict = ''
        self.instruction_judged = ''
        self.holds = 0  # resumed after commands fell silent
        self.faults = 0  # protective stops reset by rest()
        self.mode = ''
        self.commanded: Floats | None = None
        self.chunks: list[ChunkSeen] = []
        # By camera: [s] on the steady clock, capture and arrival of each picture.
        self.pictures: dict[str, list[tuple[float, float]]] = {name: [] for name in spec.cameras}
        self.diagnostics: dict[str, dict[str, str]] = {}
        self._listen()
        self._instruction = self.create_publisher(String, 'instruction', qos.writer('instruction'))
        self._chunks = self.create_publisher(
            JointTrajectory, 'action_chunk', qos.writer('action_chunk')
        )
        self._spinner = Spinner(self)

    def close(self) -> None:
        """Leave the graph."""
        self._spinner.close()
        self.destroy_node()

    def spin_until(self, done: Callable[[], bool], timeout: float) -> bool:
        """Listen until something holds; False where it took longer than ``timeout`` [s]."""
        end = time.monotonic() + timeout
        while not done():
            left = end - time.monotonic()
            if left <= 0.0:
                return False
            self._spinner.turn(min(left, 0.02))
        return True

    def call(self, service: str) -> str:
        """
        Call a Trigger service.

        :returns: its message.
        :raises VlaControlError: when it is missing, late, or says no.
        """
        answer = call_trigger(self, self.spin_until, service, SERVICE)
        if not answer.success:
            raise VlaControlError(f'{service}: {answer.message}')
        return str(answer.message)

    def run_episode(self, instruction: str, time_limit: float) -> EpisodeRow:
        """Ask for one task, let the policy work on it, and return how it went."""
        self.call('sim_node/reset')
        self.verdict, self.instruction_judged = '', ''
        self._instruction.publish(String(data=instruction))
        self.spin_until(lambda: self.instruction_judged == instruction, SERVICE)
        began = time.monotonic()
        self.call('driver_node/resume')
        self.call('policy_node/start')
        ended = (Verdict.SUCCESS.value, Verdict.WRONG_OBJECT.value)
        self.spin_until(lambda: self.mode in ('READY', 'RUN'), SERVICE)
        self.spin_until(lambda: self._over(ended), time_limit)
        took = time.monotonic() - began
        verdict = self.verdict if self.verdict in ended else 'timeout'
        if self.mode == 'FAULT':
            verdict = 'fault'
        # At once: a policy that is done goes on pressing on what it touches.
        self.rest()
        self.call('policy_node/stop')
        return EpisodeRow(
            instruction=instruction, verdict=verdict, seconds=took, began=began, ended=began + took
        )

    def _over(self, ended: tuple[str, ...]) -> bool:
        """Tell whether an episode is over; resume, and count it, where commands fell silent."""
        if self.mode == 'HOLD' and self.verdict not in ended:
            self.holds += 1
            self.call('driver_node/resume')
            self.spin_until(lambda: self.mode != 'HOLD', SERVICE)
        return self.verdict in ended or self.mode == 'FAULT'

    def rest(self) -> None:
        """Stop and wait until the arm stands; a protective stop is reset, and counted."""
        if self.mode != 'FAULT':
            with contextlib.suppress(VlaControlError):  # refused where a fault came first
                self.call('driver_node/hold')
        self.spin_until(lambda: self.mode in ('HOLD', 'FAULT'), SERVICE)
        if self.mode == 'FAULT':
            self.faults += 1
            self.call('driver_node/reset')
            self.spin_until(lambda: self.mode == 'HOLD', SERVICE)

    def go(self, goal: Floats, until: float = 1.0) -> None:
        """
        Move to a pose by chunks of our own, as any other policy would.

        :param goal: (n,) [rad, grippers m].
        :param until: share of the way after which to return.
        """
        if self.mode not in ('READY', 'RUN'):
            self.call('driver_node/resume')
        self.spin_until(lambda: self.commanded is not None and self.mode in ('READY', 'RUN'), 1.0)
        start = self.commanded
        if start is None:
            raise VlaControlError('no commanded_joint_states; is the driver active?')
        arm = ~self.spec.gripper
        span = float(np.abs(goal - start)[arm].max())
        way = Way(start=start, goal=goal, seconds=max(1.5, 1.875 * span / HOME_SPEED))
        began = time.monotonic()
        while (since := time.monotonic() - began) < until * (way.seconds + SETTLE):
            self._send(way, began, since)
            self.spin_until(lambda: False, RESEND)

    def _send(self, way: Way, began: float, since: float) -> None:
        times = since + HOME_STEP * np.arange(1.0, HOME_STEPS + 1.0)
        positions = way.at(times)
        chunk = ActionChunk(
            stamp=began + since,
            dt=HOME_STEP,
            joints=self.spec.names,
            positions=np.clip(positions, self.spec.lower, self.spec.upper),
        )
        self._chunks.publish(convert.chunk_to_msg(chunk, self.stamps.msg))

    def _listen(self) -> None:
        subscribe = self.create_subscription
        subscribe(
            DiagnosticStatus,
            'sim_node/episode',
            self._on_episode,
            qos.reader('sim_node/episode'),
        )
        subscribe(String, 'driver_state', self._on_mode, qos.reader('driver_state'))
        subscribe(
            JointState,
            'commanded_joint_states',
            self._on_commanded,
            qos.reader('commanded_joint_states'),
        )
        subscribe(JointTrajectory, 'action_chunk', self._on_chunk, qos.reader('action_chunk'))
        subscribe(DiagnosticArray, '/diagnostics', self._on_diagnostics, 10)
        for name in self.pictures:
            subscribe(
                CameraInfo,
                f'camera/{name}/camera_info',
                partial(self._on_picture, name),
                qos.reader('camera/<name>/camera_info'),
            )

    def _on_episode(self, msg: DiagnosticStatus) -> None:
        values = {v.key: v.value for v in msg.values}
        self.verdict = msg.message
        self.instruction_judged = values.get('instruction', '')

    def _on_mode(self, msg: String) -> None:
        self.mode = msg.data.split(':')[0]

    def _on_commanded(self, msg: JointState) -> None:
        with contextlib.suppress(VlaControlError):
            self.commanded = convert.joint_state_from_msg(
                msg, self.spec.names, self.stamps.steady
            ).positions

    def _on_chunk(self, msg: JointTrajectory) -> None:
        now = time.monotonic()
        inference = convert.note(msg.header.frame_id, convert.INFERENCE)
        captured = self.stamps.steady(msg.header.stamp)
        self.chunks.append(ChunkSeen(captured=captured, arrived=now, inference=inference))

    def _on_picture(self, camera: str, msg: CameraInfo) -> None:
        now = time.monotonic()
        self.pictures[camera].append((self.stamps.steady(msg.header.stamp), now))

    def _on_diagnostics(self, msg: DiagnosticArray) -> None:
        for status in msg.status:
            self.diagnostics[status.name] = {v.key: v.value for v in status.values}


@contextlib.contextmanager
def demo_user(spec: RobotSpec) -> Any:
    """Join the graph for a while."""
    rclpy.init(args=[])
    user = DemoUser(spec)
    try:
        yield user
    finally:
        user.close()
        try_shutdown()


def read_diagnostics(user: DemoUser, name: str, values: Mapping[str, str]) -> dict[str, float]:
    """
    Return figures of one report as numbers, nan where it has not come.

    :param name: of the report, ``<node>: <report>``.
    :param values: our names for its keys.
    """
    report = user.diagnostics.get(name, {})
    return {ours: float(report.get(key, 'nan')) for ours, key in values.items()}
