# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""The seams of the system: what a policy, camera, robot and bus must do, and no more."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from vla_control.core.messages import (
    ActionChunk,
    Floats,
    Image,
    JointCommand,
    Observation,
    RobotState,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyDescription:
    """What a policy needs and gives."""

    cameras: dict[str, tuple[int, int]]  # name -> (rows, columns) it sees
    joints: tuple[str, ...]  # (n,) joints it reads and commands
    dt: float  # [s] between chunk steps
    horizon: int  # H, steps in a chunk
    instruction: bool  # whether it reads the instruction


class Policy(Protocol):
    """Turns an observation into a chunk. Lives in a process of its own."""

    def describe(self) -> PolicyDescription:
        """Return what it needs and gives, without running it."""

    def infer(self, observation: Observation, prefix: ActionChunk | None) -> ActionChunk:
        """
        Return the motion from this observation on.

        :param prefix: what is already committed to be executed, or None; may be ignored.
        :raises PolicyError: when the observation lacks what describe() asks for.
        """

    def reset(self) -> None:
        """Forget the past; called between episodes and on a new instruction."""


class Camera(Protocol):
    """A source of images. It never makes one up."""

    def open(self) -> None:
        """
        Open the device.

        :raises CameraError: naming the device and what would be right.
        """

    def read(self, timeout: float) -> Image | None:
        """
        Return the newest frame not yet returned, or None if none came in time.

        :param timeout: [s] longest wait.
        :raises CameraError: when the device is lost; open() may be tried again.
        """

    def close(self) -> None:
        """Release the device; safe to call twice."""


class RobotDriver(Protocol):
    """
    One robot on its bus. Called by one thread only.

    Order of life: connect, enable, (read, write | safe_action)*, close.
    """

    def connect(self, now: float) -> None:
        """
        Open and lock the bus, identify every motor, set its watchdog; nothing is enabled.

        :raises RobotError: naming the motor, what was found and what was expected.
        :raises BusError: when the bus cannot be opened or is held by another process.
        """

    def enable(self, now: float) -> RobotState:
        """
        Enable the motors with zero gains and return fresh measurements of all of them.

        :raises RobotError: when a motor is silent, faulted or outside its limits.
        """

    def read(self, now: float) -> RobotState:
        """Collect the answers that have arrived; never blocks, never raises for silence."""

    def write(self, command: JointCommand, now: float) -> None:
        """
        Send one command to every motor; must follow enable().

        :raises CodecError: when the command is not finite; nothing is sent then.
        """

    def safe_action(self, now: float) -> None:
        """Send one tick of the robot's own safe action; called every tick in FAULT."""

    def clear_faults(self, now: float) -> None:
        """Clear latched motor faults on the user's request; moves nothing."""

    def close(self, now: float) -> None:
        """Bring the motors to their documented end state and release the bus."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HomingReport:
    """How a gripper's search for its zero stands."""

    needed: bool  # not homed since power-up: held where it is, its commands are ignored
    running: bool
    reason: str  # in words


@runtime_checkable
class HomingDriver(Protocol):
    """What a RobotDriver adds where a gripper does not know its zero after power-up."""

    @property
    def homing(self) -> HomingReport:
        """How it stands; any thread may ask."""

    def home_gripper(self, now: float) -> None:
        """
        Begin; the ticks that follow do it, and safe_action() ends it. Does nothing once homed.

        :raises RobotError: before enable().
        """


@runtime_checkable
class BlendedDriver(Protocol):
    """What a RobotDriver adds where the robot takes over our command by and by."""

    @property
    def weight(self) -> float:
        """The share of our command in what the robot does, 0..1."""


class Dynamics(Protocol):
    """Rigid-body terms of a robot, in RobotSpec order."""

    def inverse(self, q: Floats, v: Floats, a: Floats) -> Floats:
        """Return the torques (n,) [N·m, grippers N] of a motion, gravity included."""

    def gravity(self, q: Floats) -> Floats:
        """Return the torques (n,) that hold a pose still."""


class Clock(Protocol):
    """A monotonic clock that can also be waited on."""

    def now(self) -> float:
        """Return the time in s."""

    def sleep_until(self, deadline: float) -> None:
        """Return at the deadline [s], or at once if it has passed."""
