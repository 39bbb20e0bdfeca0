# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Steps between what robots give and what policies see; values with an inverse where one is."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vla_control.core.errors import PolicyError
from vla_control.core.messages import Floats, Pixels


@dataclass(frozen=True, slots=True, kw_only=True)
class JointMap:
    """Takes joints by name from one order into another; never invents one."""

    source: tuple[str, ...]  # names in the order given
    target: tuple[str, ...]  # names in the order wanted

    def __post_init__(self) -> None:
        """Check the names."""
        missing = [name for name in self.target if name not in self.source]
        if missing:
            raise PolicyError(
                f'joints {missing} are wanted and not given; wanted {list(self.target)}, '
                f'given {list(self.source)}'
            )
        for names in (self.source, self.target):
            if len(set(names)) != len(names):
                raise PolicyError(f'joints are named twice in {list(names)}')

    def apply(self, values: NDArray[Any]) -> NDArray[Any]:
        """
        Return values (..., target) from values (..., source).

        :raises PolicyError: when the last axis is not one value a joint.
        """
        if values.shape[-1] != len(self.source):
            raise PolicyError(f'{values.shape[-1]} values for {len(self.source)} joints')
        return np.asarray(values[..., [self.source.index(name) for name in self.target]])

    def inverse(self) -> 'JointMap':
        """
        Return the map back.

        :raises PolicyError: when this map drops joints, which nothing can bring back.
        """
        return JointMap(source=self.target, target=self.source)


@dataclass(frozen=True, slots=True, kw_only=True)
class AreaResize:
    """The middle of a picture in the wanted proportion, averaged down to the wanted size."""

    rows: int  # [px]
    columns: int  # [px]

    def apply(self, pixels: Pixels) -> Pixels:
        """
        Return (rows, columns, 3) uint8 RGB.

        :raises PolicyError: when the picture would have to be enlarged.
        """
        height, width = pixels.shape[:2]
        if (height, width) == (self.rows, self.columns):
            return pixels
        if height < self.rows or width < self.columns:
            raise PolicyError(
                f'a {width}x{height} picture is smaller than the {self.columns}x{self.rows} the '
                'policy sees; raise width and height in the YAML file of the camera'
            )
        crop = min(width / self.columns, height / self.rows)
        h, w = round(self.rows * crop), round(self.columns * crop)
        top, left = (height - h) // 2, (width - w) // 2
        middle = pixels[top : top + h, left : left + w]
        small = cv2.resize(middle, (self.columns, self.rows), interpolation=cv2.INTER_AREA)
        return np.asarray(small, np.uint8)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Normalise:
    """Shift and scale each column to mean 0 and deviation 1."""

    mean: Floats  # (n,)
    deviation: Floats  # (n,) > 0

    def __post_init__(self) -> None:
        """Check that it can be undone."""
        if self.mean.shape != self.deviation.shape or not (self.deviation > 0.0).all():
            raise PolicyError(
                f'normalisation needs one mean and one deviation > 0 a column, got shapes '
                f'{self.mean.shape} and {self.deviation.shape}, least deviation '
                f'{self.deviation.min() if self.deviation.size else None}'
            )

    def apply(self, values: Floats) -> Floats:
        """Return (..., n) without unit."""
        return np.asarray((values - self.mean) / self.deviation)

    def invert(self, values: Floats) -> Floats:
        """Return (..., n) in the unit of the mean."""
        return np.asarray(values * self.deviation + self.mean)
