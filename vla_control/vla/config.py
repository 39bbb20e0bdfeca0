# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""What a VLA is made of and how its numbers are scaled; kept in the weights file as JSON."""

from dataclasses import asdict, dataclass
from typing import Any

from vla_control.core.errors import PolicyError


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelConfig:
    """Shapes of a model; the numbers are those the recipe was measured with."""

    cameras: tuple[str, ...]
    joints: tuple[str, ...]  # (n,) names
    absolute: tuple[bool, ...]  # (n,) commanded as positions, not relative to the measured joint
    dt: float = 0.1  # [s] between chunk steps
    horizon: int = 16  # steps in a chunk
    pixels: int = 96  # [px] rows and columns
    channels: tuple[int, int, int] = (24, 48, 64)  # of the convolutions
    keypoints: int = 32  # per camera
    pooled: int = 8  # tokens per camera
    text_width: int = 384  # of the sentence embedding
    text_tokens: int = 2
    width: int = 192  # of the backbone
    layers: int = 3  # of the backbone
    heads: int = 6  # of attention in the backbone
    head: str = 'flow'  # name of the action head
    head_width: int = 128
    head_layers: int = 2
    head_heads: int = 4
    head_steps: int = 5  # denoising steps
    head_draws: int = 2  # (time, noise) pairs per sample in training

    @property
    def n(self) -> int:
        """Joints."""
        return len(self.joints)


@dataclass(frozen=True, slots=True, kw_only=True)
class Normalisation:
    """Means and deviations the network's numbers are scaled by, from the training set."""

    state_mean: tuple[float, ...]  # (n,) [rad], grippers [m]
    state_std: tuple[float, ...]  # (n,)
    action_mean: tuple[tuple[float, ...], ...]  # (H, n) relative, or absolute where configured
    action_std: tuple[tuple[float, ...], ...]  # (H, n)
    landmark_mean: tuple[float, ...]  # (9,) [m] named cube, TCP, plate
    landmark_std: tuple[float, ...]  # (9,) [m]
    text_mean: tuple[float, ...]  # (384,)
    text_std: tuple[float, ...]  # (384,)


def to_json(value: ModelConfig | Normalisation) -> dict[str, Any]:
    """Return the fields as JSON values."""
    return asdict(value)


def from_json(kind: type[Any], content: dict[str, Any]) -> Any:
    """
    Rebuild a dataclass of this file from JSON values.

    :raises PolicyError: when the fields are not those of this version of the code.
    """
    try:
        return kind(**{k: _tuples(v) for k, v in content.items()})
    except TypeError as error:
        raise PolicyError(
            f'{kind.__name__} in the weights does not fit this version: {error}'
        ) from error


def _tuples(value: Any) -> Any:
    return tuple(_tuples(v) for v in value) if isinstance(value, list | tuple) else value
