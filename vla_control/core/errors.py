# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Every error this package raises on purpose."""


class VlaControlError(Exception):
    """Base of all errors a caller may want to catch."""


class ConfigError(VlaControlError):
    """A file or parameter is wrong; the message names the key and a valid value."""


class CodecError(VlaControlError):
    """A value cannot be put on, or read from, the wire."""


class BusError(VlaControlError):
    """A transport failed, is held by another process, or lost its device."""


class RobotError(VlaControlError):
    """A robot does not answer, or is not the robot its configuration describes."""


class CameraError(VlaControlError):
    """A camera cannot be opened or gives no frames."""


class ChunkRejected(VlaControlError):
    """An action chunk that must not move the robot; the message says why."""


class PolicyError(VlaControlError):
    """A policy cannot be loaded, reached, or given what it needs."""


class SimulationError(VlaControlError):
    """A simulated world or task cannot be built or used as asked."""
