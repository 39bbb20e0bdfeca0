# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""The synthetic task of the chunk bench: a smooth motion, and an arm nothing of it can clip."""

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from vla_control.core.errors import ConfigError
from vla_control.core.messages import Floats
from vla_control.core.spec import JointKind, JointSpec, load_robot, RobotSpec

TONES = 3  # sines a joint's motion is the sum of
STOP = 3.0  # [rad] where the bench arm's stops are, beyond all the motion


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One task; with the defaults the true motion reaches about 1 rad/s."""

    robot: str = 'openarm'  # whose limits of velocity, acceleration and jerk the arm has
    seconds: float = 30.0  # [s] judged
    warm_up: float = 2.0  # [s] before that, in which every method gets going
    policy_rate: float = 30.0  # [Hz]
    control_rate: float = 240.0  # [Hz], a multiple of the policy rate
    horizon: int = 50  # steps in a chunk
    replan: int = 12  # policy steps between requests
    bias: float = 0.030  # [rad] standard deviation of each chunk's own error
    noise: float = 0.002  # [rad] standard deviation of each point's own error
    slowest: float = 0.05  # [Hz] of the motion
    fastest: float = 0.35  # [Hz]
    amplitude: float = 0.21  # [rad] of each tone

    def __post_init__(self) -> None:
        """Check what no type can."""
        if self.control_rate % self.policy_rate:
            raise ConfigError(
                f'control_rate {self.control_rate} Hz must be a multiple of policy_rate '
                f'{self.policy_rate} Hz, so that both share their instants'
            )
        if not 1 <= self.replan <= self.horizon:
            raise ConfigError(f'replan is {self.replan} steps, must be 1 to {self.horizon}')
        if not self.seconds > 2.0 or not self.warm_up >= 0.0:
            raise ConfigError(
                f'seconds {self.seconds} must be > 2 and warm_up {self.warm_up} >= 0'
            )

    @property
    def dt(self) -> float:
        """Policy step [s]."""
        return 1.0 / self.policy_rate

    @property
    def substeps(self) -> int:
        """Control ticks in a policy step."""
        return round(self.control_rate / self.policy_rate)

    @property
    def steps(self) -> int:
        """Policy steps of a run, warm-up included."""
        return round((self.warm_up + self.seconds) * self.policy_rate) + 1

    @property
    def policy_times(self) -> Floats:
        """Instants of the policy steps, (K,) [s]."""
        return np.arange(self.steps) / self.policy_rate

    @property
    def control_times(self) -> Floats:
        """Instants of the control ticks, the first and last a policy step's, (T,) [s]."""
        return np.arange((self.steps - 1) * self.substeps + 1) / self.control_rate


def bench_spec(setting: Setting) -> RobotSpec:
    """
    Return the arm joints of a robot with its limits of motion, and stops far away.

    Stops would clip what the peers, which know none, are compared on.
    """
    robot = load_robot(setting.robot)
    arms = tuple(_free(j) for j in robot.joints if j.kind is JointKind.ARM)
    return replace(
        robot,
        name='bench',
        title=f'free joints with the limits of motion of {robot.title}',
        control_rate=setting.control_rate,
        joints=arms,
        home=(0.0,) * len(arms),
    )


def _free(joint: JointSpec) -> JointSpec:
    return replace(joint, lower=-STOP, upper=STOP)


class Motion(Protocol):
    """What a perfect policy would have the arm do."""

    def at(self, times: Floats) -> Floats:
        """Return the poses at instants (T,) [s], (T, n) [rad]."""

    def foreseen(self, captured: float, times: Floats) -> Floats:
        """Return the poses (T, n) that an image captured at an instant [s] makes one expect."""


@dataclass(frozen=True, slots=True)
class Sines:
    """A smooth motion that can be foreseen."""

    omega: Floats  # (TONES, n) [rad/s]
    phase: Floats  # (TONES, n) [rad]
    amplitude: float  # [rad]

    def at(self, times: Floats) -> Floats:
        """Return the poses at instants (T,) [s], (T, n) [rad]."""
        angle = times[:, None, None] * self.omega + self.phase
        return np.asarray(self.amplitude * np.sin(angle).sum(axis=1))

    def foreseen(self, captured: float, times: Floats) -> Floats:
        """Return the poses themselves."""
        return self.at(times)


@dataclass(frozen=True, slots=True)
class Step:
    """A goal that changes once, which no image from before shows."""

    time: float  # [s]
    size: float  # [rad] of all joints
    joints: int

    def at(self, times: Floats) -> Floats:
        """Return the poses at instants (T,) [s], (T, n) [rad]."""
        return np.repeat(np.where(times >= self.time, self.size, 0.0)[:, None], self.joints, 1)

    def foreseen(self, captured: float, times: Floats) -> Floats:
        """Return what is there when the image is captured, for ever."""
        return self.at(np.full(len(times), captured))


def sines(setting: Setting, joints: int, seed: int) -> Sines:
    """Draw a motion; equal seeds give equal motions."""
    rng = np.random.default_rng([seed, 0])
    shape = (TONES, joints)
    return Sines(
        omega=2.0 * np.pi * rng.uniform(setting.slowest, setting.fastest, shape),
        phase=rng.uniform(0.0, 2.0 * np.pi, shape),
        amplitude=setting.amplitude,
    )
