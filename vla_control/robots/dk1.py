# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""The driver of the TRLC-DK1 follower: seven Damiao motors behind a USB-CAN adapter."""

from collections.abc import Callable, Collection
from dataclasses import replace
import logging

import numpy as np

from vla_control.buses.frames import FrameBus
from vla_control.core.errors import ConfigError, RobotError
from vla_control.core.messages import Floats, JointCommand, MotorStatus, RobotState
from vla_control.core.protocols import Clock, Dynamics, HomingReport
from vla_control.core.spec import RobotSpec
from vla_control.robots.damiao_arm import DamiaoArm
from vla_control.robots.damiao_homing import GripperHoming, Phase
from vla_control.robots.damiao_identify import homed_counts
from vla_control.robots.damiao_motors import Payload
from vla_control.robots.guards import command_gain

CAUGHT = 0.003  # [m] a gripper command this near takes over after homing

_log = logging.getLogger(__name__)


class Dk1(DamiaoArm):
    """
    One DK1 arm with its gripper.

    The gripper's motor turns further than its encoder knows without power, so its zero is lost
    with the power, and is found by home_gripper() only: connecting never moves anything. Until
    then the gripper is held where it is, whatever is commanded, ``gripper_unhomed`` counts 1 in
    RobotState.bus, and its position is the reading, kept within the joint's limits. After homing
    it is held at its stop until a command comes near, so that nothing jumps.
    """

    def __init__(
        self,
        spec: RobotSpec,
        bus: FrameBus,
        dynamics: Dynamics,
        clock: Clock,
        descent: float = 1.0,
    ) -> None:
        """
        Check the configuration; nothing is opened.

        :raises ConfigError: when the motor or bus section is wrong, or homing is missing.
        """
        super().__init__(spec, bus, dynamics, clock, descent)
        found = [i for i, motor in enumerate(self._motors) if motor.homing is not None]
        if len(found) != 1:
            raise ConfigError(
                f'{spec.name}: {len(found)} joints have motor.homing; the gripper needs it, and '
                'nothing else'
            )
        self._gripper = found[0]
        self._homed = False
        self._follows = True  # whether the gripper obeys its commands
        self._homing: GripperHoming | None = None
        self._word = 'not homed since power-up; call ~/home in HOLD'

    @property
    def homing(self) -> HomingReport:
        """How the search for the gripper's zero stands."""
        running = self._homing is not None and self._homing.running
        return HomingReport(needed=not self._homed, running=running, reason=self._word)

    def home_gripper(self, now: float) -> None:
        """
        Begin to open the gripper gently until it meets its stop, which becomes its zero.

        :raises RobotError: before enable().
        """
        if not self._armed:
            raise RobotError(f'{self._spec.name}: homing before enable()')
        if self._homed:
            self._word = 'homed already; nothing moved'
            return
        if self._homing is not None and self._homing.running:
            return
        index = self._gripper
        counts = homed_counts(self._spec.safety.motor_watchdog)
        joint, motor = self._spec.joints[index], self._motors[index]
        self._homing = GripperHoming(
            joint, motor, index, counts=counts, start=self._link.q[index], now=now
        )
        self._word = self._homing.phase.value

    def enable(self, now: float) -> RobotState:
        """
        Enable every motor with zero gains; only gravity is carried, at the measured pose.

        :raises RobotError: when a motor is silent, faulted or outside its limits.
        :raises BusError: when the bus does not take frames.
        """
        state = super().enable(now)
        if not self._homed:
            _log.warning('%s: the gripper is %s', self._spec.name, self._word)
        return state

    def read(self, now: float) -> RobotState:
        """
        Collect the answers that have arrived; never blocks, a silent motor only grows old.

        :raises RobotError: before connect().
        """
        self._require_open()
        self._link.drain(now)
        self._advance(now)
        return self._state(now)

    def write(self, command: JointCommand, now: float) -> None:
        """
        Send one command to every motor in one write.

        :raises CodecError: when it is not finite or has the wrong shape; nothing is sent then.
        :raises RobotError: before enable().
        :raises BusError: when frames could not be sent.
        """
        command_gain(self._spec, command)
        if self._armed and not self._obeys(command):
            q, index = command.q.copy(), self._gripper
            motor = self._motors[index]
            q[index] = (self._held[index] - motor.offset) / motor.scale
            command = replace(command, q=q)
        super().write(command, now)

    def safe_action(self, now: float) -> None:
        """Damp every joint, carry the weight, keep the grip; a homing ends where it is."""
        self._abort('the safe action took over')
        super().safe_action(now)

    def close(self, now: float) -> None:
        """Let the arm sink under damping, switch the motors off and release the bus."""
        self._abort('the driver was closed')
        super().close(now)

    def _obeys(self, command: JointCommand) -> bool:
        if not self._homed:
            return False
        if not self._follows:
            index = self._gripper
            there = float(self._link.positions()[index])
            self._follows = abs(float(command.q[index]) - there) <= CAUGHT
        return self._follows

    def _advance(self, now: float) -> None:
        homing = self._homing
        if homing is None or not homing.running:
            return
        homing.look(self._link, now)
        self._word = homing.phase.value
        if homing.phase is Phase.DONE:
            self._homed, self._follows = True, False
            self._note_homed()
            self._held[self._gripper] = self._link.q[self._gripper]
            _log.info('%s: gripper homed', self._spec.name)
        elif homing.phase is Phase.FAILED:
            self._give_up(homing.reason)

    def _abort(self, why: str) -> None:
        if self._homing is not None and self._homing.running:
            self._homing.fail(why)
            self._give_up(why)

    def _give_up(self, why: str) -> None:
        self._held[self._gripper] = self._link.q[self._gripper]
        self._word = f'homing failed: {why}'
        _log.error('%s: gripper: %s', self._spec.name, self._word)

    def _note_homed(self) -> None:
        self._link.counters['gripper_unhomed'] = int(not self._homed)

    def _set_registers(
        self, indices: Collection[int], meanwhile: Callable[[], None] | None = None
    ) -> frozenset[int]:
        homed = super()._set_registers(indices, meanwhile)
        if self._gripper in indices:
            self._homed = self._follows = self._gripper in homed
            self._word = (
                'homed' if self._homed else 'not homed since power-up; call ~/home in HOLD'
            )
            self._note_homed()
        return homed

    def _measured(self) -> Floats:
        q = self._link.positions()
        if not self._homed:
            joint = self._spec.joints[self._gripper]
            q[self._gripper] = np.clip(q[self._gripper], joint.lower, joint.upper)
        return q

    def _status(self, index: int, now: float) -> MotorStatus:
        status = super()._status(index, now)
        homing = self._homing
        if index == self._gripper and status is MotorStatus.DISABLED and homing is not None:
            # Homing has switched it off for a few ticks; nothing is wrong with it.
            return MotorStatus.ENABLED if homing.dark else status
        return status

    def _frames(
        self, q: Floats, v: Floats, kp: Floats, kd: Floats, tau: Floats, grip: float
    ) -> list[Payload]:
        frames = super()._frames(q, v, kp, kd, tau, grip)
        if self._homing is not None and self._homing.running:
            frames[self._gripper] = self._homing.frame()
        return frames
