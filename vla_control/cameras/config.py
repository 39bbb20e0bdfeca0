# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""What a camera is, per kind of hardware; one YAML per camera."""

from dataclasses import dataclass, field
from typing import Any

from vla_control.cameras.intrinsics import Intrinsics, intrinsics_from_fov, turned
from vla_control.core.config import available, find_config, load_yaml, parse
from vla_control.core.errors import ConfigError

ROTATIONS = (0, 90, 180, 270)  # [deg]


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceConfig:
    """
    Where frames come from on one kind of hardware, and how large they are.

    Sizes, field of view and intrinsics are the device's own; ``picture`` and ``calibration`` are
    those of the picture it becomes by ``rotate``.
    """

    source: str  # opencv, synthetic or simulated
    width: int  # [px]
    height: int  # [px]
    rate: float  # [Hz]
    device: str = ''  # opencv: index, /dev/v4l/by-path/..., video file or image folder
    fourcc: str = ''  # opencv: pixel format to ask a device for, such as MJPG
    rotate: int = 0  # [deg] opencv: clockwise turn of the picture, of a camera mounted askew
    loop: bool = False  # opencv: start a file or folder over at its end
    patience: float = 10.0  # periods without a frame after which the device counts as lost
    fovy: float | None = None  # [deg] vertical field of view, where there is no calibration
    intrinsics: Intrinsics | None = None  # of a calibrated camera, at this width and height

    @property
    def period(self) -> float:
        """Time between frames [s]."""
        return 1.0 / self.rate

    @property
    def picture(self) -> tuple[int, int]:
        """Width and height [px] of the picture as it is given out."""
        return (self.height, self.width) if self.rotate % 180 else (self.width, self.height)

    @property
    def calibration(self) -> Intrinsics | None:
        """Intrinsics of the picture: as calibrated, else from the field of view, else None."""
        own = self.intrinsics
        if own is None and self.fovy is not None:
            own = intrinsics_from_fov(self.fovy, self.width, self.height)
        return None if own is None else turned(own, self.width, self.height, self.rotate)


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraConfig:
    """One camera by the name policies know it by."""

    name: str
    frame_id: str  # optical frame: x right, y down, z along the view (REP 103)
    sources: dict[str, SourceConfig] = field(default_factory=dict)  # by hardware

    def source(self, hardware: str) -> SourceConfig:
        """
        Return the source on this hardware.

        :param hardware: ``real``, ``sim`` or ``mock``.
        :raises ConfigError: naming the hardware this camera has a source for.
        """
        if hardware not in self.sources:
            raise ConfigError(
                f'camera {self.name!r} has no source for hardware {hardware!r}; it has '
                f'{sorted(self.sources)}. Add `sources: {{{hardware}: ...}}` to '
                f'config/cameras/{self.name}.yaml'
            )
        return self.sources[hardware]


def load_camera(name: str) -> CameraConfig:
    """
    Load a camera by name, or from a user's own YAML file.

    :raises ConfigError: naming the key path, or the cameras there are.
    """
    path = find_config('cameras', name)
    config = parse(CameraConfig, load_yaml(path), path.name)
    if not config.sources:
        raise ConfigError(f'{path.name}: sources is empty; give at least one of real, sim, mock')
    for hardware, source in config.sources.items():
        _check(source, f'{path.name}: sources.{hardware}')
    return config


def cameras_available() -> list[str]:
    """Name the cameras there are configs for."""
    return available('cameras')


def _check(source: SourceConfig, where: str) -> None:
    bounds: dict[str, Any] = {
        'width': source.width,
        'height': source.height,
        'rate': source.rate,
        'patience': source.patience,
    }
    for key, value in bounds.items():
        if value <= 0:
            raise ConfigError(f'{where}.{key} is {value}, must be > 0')
    if source.fourcc and len(source.fourcc) != 4:
        raise ConfigError(f'{where}.fourcc is {source.fourcc!r}, must be four letters like MJPG')
    if source.rotate not in ROTATIONS:
        raise ConfigError(
            f'{where}.rotate is {source.rotate}, must be one of {list(ROTATIONS)}: degrees '
            'clockwise that make the picture upright'
        )
    if source.rotate and source.source != 'opencv':
        raise ConfigError(
            f'{where}.rotate is {source.rotate}, and only opencv sources are rotated; '
            f'{source.source} pictures are upright, so leave it out'
        )
    if source.source == 'opencv' and not source.device:
        raise ConfigError(
            f'{where}.device is missing; give an index, a /dev/v4l/by-path/... link, '
            'a video file or a folder of images'
        )
    if source.fovy is not None and not 0.0 < source.fovy < 180.0:
        raise ConfigError(f'{where}.fovy is {source.fovy}, must be inside 0..180 deg')
