# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""From a camera's configuration to the camera."""

from collections.abc import Callable
import time

from vla_control.cameras.config import CameraConfig
from vla_control.cameras.opencv import OpenCvCamera
from vla_control.cameras.simulated import SimulatedCamera
from vla_control.cameras.synthetic import SyntheticCamera
from vla_control.core.errors import ConfigError
from vla_control.core.protocols import Camera
from vla_control.core.sessions import session_name

SOURCES = ('opencv', 'simulated', 'synthetic')


def make_camera(
    config: CameraConfig,
    hardware: str,
    *,
    session: str | None = None,
    now: Callable[[], float] = time.time,
) -> Camera:
    """
    Make the camera of one kind of hardware; it is not opened.

    :param hardware: ``real``, ``sim`` or ``mock``.
    :param session: of the simulation; the ROS domain if not given.
    :param now: the clock of the graph, for stamps.
    :raises ConfigError: naming the sources there are.
    """
    source = config.source(hardware)
    if source.source == 'opencv':
        return OpenCvCamera(source, config.name, config.frame_id, now)
    if source.source == 'synthetic':
        return SyntheticCamera(source, config.frame_id, now)
    if source.source == 'simulated':
        return SimulatedCamera(
            source, config.name, config.frame_id, session_name() if session is None else session
        )
    raise ConfigError(
        f'camera {config.name!r}, sources.{hardware}.source: unknown source {source.source!r}; '
        f'there are {list(SOURCES)}'
    )
