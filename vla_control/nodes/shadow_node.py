# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
# mypy: disable-error-code="no-untyped-call"
"""Takes the place of the interpolator where chunks are only to be compared: it moves nothing."""

from contextlib import ExitStack
import sys
from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus
from sensor_msgs.msg import JointState
from trajectory_msgs.msg import JointTrajectory

from vla_control.core.clock import SteadyClock
from vla_control.core.errors import ChunkRejected, RobotError
from vla_control.core.spec import load_robot
from vla_control.nodes import convert, qos
from vla_control.nodes.diagnostics import Level, path_of, Report, to_status
from vla_control.nodes.lifecycle import ManagedNode, run
from vla_control.policies.config import load_policy_config
from vla_control.runtime.shadow import describe, Shadow

SHOWN = 0.5  # [s] between messages on ~/quality


class ShadowNode(ManagedNode):
    """
    Rehearses every chunk and compares it with where the arm goes meanwhile.

    It publishes no joint commands, whatever the driver's state is.
    """

    def __init__(self, **options: Any) -> None:
        """Declare the parameters."""
        super().__init__('shadow_node', **options)
        self.clock = SteadyClock()
        self.core: Shadow | None = None
        self._reason = ''
        self._entities = ExitStack()

    def configure(self) -> None:
        """Build the executor and the gate that no motor hears."""
        self.spec = load_robot(self.values['robot'])
        self.core = Shadow(self.spec, load_policy_config(self.values['policy']).blend)
        self._quality = self.create_publisher(
            DiagnosticStatus, '~/quality', qos.writer('shadow_node/quality')
        )
        self._entities.callback(self.destroy_publisher, self._quality)
        for kind, topic, take in (
            (JointState, 'joint_states', self._on_joints),
            (JointTrajectory, 'action_chunk', self._on_chunk),
        ):
            subscription = self.create_subscription(kind, topic, take, qos.reader(topic))
            self._entities.callback(self.destroy_subscription, subscription)
        self._entities.callback(self.destroy_timer, self.create_timer(SHOWN, self._show))

    def cleanup(self) -> None:
        """Forget what was compared."""
        self._entities.close()
        self.core = None

    def reports(self) -> list[Report]:
        """Report what the chunks would have done."""
        return [self._report(self.core)] if self.core is not None else []

    def _report(self, core: Shadow) -> Report:
        now = self.clock.now()
        quality, report = core.quality(now), core.report(now)
        problems = describe(report, quality)
        text = self._reason or (
            f'shadow mode, nothing moves: {report.rehearsed} chunks in 10 s would have moved a '
            f'joint by {report.travel_max:.3f} rad at most; they are {report.error_p50:.3f} rad '
            f'rms from where the arm went'
        )
        values = {name: getattr(report, name) for name in type(report).__slots__}
        return Report(
            name='quality',
            level=Level.WARN if problems else Level.OK,
            message='; '.join((*problems, text)),
            values=values | {name: getattr(quality, name) for name in type(quality).__slots__},
        )

    def _show(self) -> None:
        if self.core is not None and self.active:
            self._quality.publish(to_status(self._report(self.core), path_of(self)))

    def _on_joints(self, msg: JointState) -> None:
        if self.core is None:
            return
        try:
            state = convert.joint_state_from_msg(msg, self.spec.names, self.stamps.steady)
        except RobotError as error:
            self._reason = str(error)
            self.complain(self._reason)
            return
        self.core.measure(state)

    def _on_chunk(self, msg: JointTrajectory) -> None:
        core, now = self.core, self.clock.now()
        if core is None or not self.active:
            return
        try:
            reason = core.offer(convert.chunk_from_msg(msg, self.stamps.steady), now)
        except ChunkRejected as error:
            reason = str(error)
            core.reject(reason, now)
        self._reason = f'chunk rejected: {reason}' if reason else ''
        if reason:
            self.complain(self._reason)


def main(args: list[str] | None = None) -> int:
    """Run the node; the console script shadow_node."""
    return run(ShadowNode, args)


if __name__ == '__main__':
    sys.exit(main())
