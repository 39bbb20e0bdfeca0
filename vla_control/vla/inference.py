# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""A trained model at work: pictures, joints and words in, joint positions out."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import cv2
import numpy as np
from numpy.typing import NDArray
import torch

from vla_control.core.errors import PolicyError
from vla_control.core.messages import Floats, Pixels
from vla_control.core.rtc import Continued
from vla_control.vla.batches import to_pixels
from vla_control.vla.checkpoint import load_model
from vla_control.vla.config import ModelConfig
from vla_control.vla.heads import Guide
from vla_control.vla.model import Vla
from vla_control.vla.text import TextEncoder

NOISE_SEED = 0  # where no generator is given, the same observation gives the same chunk


class VlaModel:
    """A model on one CPU thread; more threads cost latency on a machine that does other work."""

    def __init__(
        self, model: Vla, record: Mapping[str, Any], text: TextEncoder | None = None
    ) -> None:
        """
        Take a model into service.

        :param record: how it was trained.
        :param text: embeds instructions; the shipped cache and, if installed, the encoder if None.
        """
        torch.set_num_threads(1)
        self._model = model.eval()
        self._text = text or TextEncoder()
        self.record = dict(record)

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """
        Load weights written by training.

        :raises PolicyError: when the file is missing, damaged, or of another kind.
        """
        return cls(*load_model(path))

    @property
    def config(self) -> ModelConfig:
        """What it needs and gives: cameras, joints, dt, horizon."""
        return self._model.config

    @torch.no_grad()  # not inference mode: what it makes can take no part in guidance
    def plan(
        self,
        images: Mapping[str, Pixels],
        state: Floats,
        instruction: str,
        *,
        rng: np.random.Generator | None = None,
        noise: NDArray[np.floating] | None = None,
        continued: Continued | None = None,
    ) -> Floats:
        """
        Return absolute joint positions (H, n) float64 [rad], grippers [m].

        :param images: camera -> (h, w, 3) uint8 RGB of any size, averaged down.
        :param state: (n,) measured joints [rad], grippers [m].
        :param rng: draws the initial noise; a fixed draw if None.
        :param noise: (H, n) initial noise, in place of a draw.
        :param continued: the motion going on, for real-time chunking.
        :raises PolicyError: when a camera, joint or word is missing or cannot be used.
        """
        config, model = self.config, self._model
        pixels = {
            c: to_pixels(shrink(c, images, config.pixels)[np.newaxis]) for c in config.cameras
        }
        joints = torch.from_numpy(_check_state(state, config).astype(np.float32))[None]
        text = torch.from_numpy(self._text.encode(instruction))[None]
        start = _noise(config, rng) if noise is None else _check_noise(noise, config)
        seen = model.see(pixels, model.normalise_state(joints), text)
        guide = None if continued is None else self._guide(continued, joints)
        actions = model.sample(seen, torch.from_numpy(start.astype(np.float32))[None], guide)
        positions = model.to_positions(actions, joints)[0].double().numpy()
        if not np.isfinite(positions).all():
            raise PolicyError('the model returned positions that are not finite')
        return np.asarray(positions, np.float64)

    def _guide(self, continued: Continued, joints: torch.Tensor) -> Guide:
        """Return the motion going on as the head sees it: relative to the joints now, scaled."""
        config = self.config
        given = continued.positions
        if given.ndim != 2 or given.shape[1] != config.n or not np.isfinite(given).all():
            raise PolicyError(
                f'the motion to continue has shape {given.shape} or is not finite; give '
                f'(steps, {config.n})'
            )
        steps = min(len(given), config.horizon)
        positions = np.zeros((config.horizon, config.n), np.float32)
        positions[:steps] = given[:steps]
        weights = np.zeros((config.horizon, 1), np.float32)  # nothing is made up past its end
        weights[:steps, 0] = continued.weights[:steps]
        return Guide(
            target=self._model.to_actions(torch.from_numpy(positions)[None], joints),
            weights=torch.from_numpy(weights),
            beta=continued.config.beta,
            variant=continued.config.variant,
        )

    @torch.inference_mode()
    def locate(
        self, images: Mapping[str, Pixels], state: Floats, instruction: str
    ) -> NDArray[np.float64]:
        """
        Return where the model sees the named cube, the TCP and the plate, (3, 3) [m].

        :raises PolicyError: as `plan`.
        """
        config, model = self.config, self._model
        pixels = {
            c: to_pixels(shrink(c, images, config.pixels)[np.newaxis]) for c in config.cameras
        }
        joints = torch.from_numpy(_check_state(state, config).astype(np.float32))[None]
        text = torch.from_numpy(self._text.encode(instruction))[None]
        seen = model.see(pixels, model.normalise_state(joints), text)
        marks = model.metric_landmarks(seen.landmarks)[0].double().numpy()
        return np.asarray(marks.reshape(3, 3), np.float64)


def shrink(camera: str, images: Mapping[str, Pixels], side: int) -> Pixels:
    """
    Return a camera's image averaged down to (side, side, 3).

    :raises PolicyError: when it is missing, not uint8 RGB, or smaller than `side`.
    """
    if camera not in images:
        raise PolicyError(f'no image of camera {camera!r}; got {sorted(images)}')
    image = np.asarray(images[camera])
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise PolicyError(
            f'image of camera {camera!r} is {image.dtype} {image.shape}, not uint8 (h, w, 3) RGB'
        )
    if min(image.shape[:2]) < side:
        raise PolicyError(
            f'image of camera {camera!r} is {image.shape[1]}x{image.shape[0]} px; '
            f'the model needs at least {side}x{side}'
        )
    if image.shape[:2] == (side, side):
        return image
    small = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8)


def _check_state(state: Floats, config: ModelConfig) -> Floats:
    values = np.asarray(state, np.float64)
    if values.shape != (config.n,):
        raise PolicyError(
            f'state has shape {values.shape}; the model needs ({config.n},): {config.joints}'
        )
    if not np.isfinite(values).all():
        names = [j for j, v in zip(config.joints, values, strict=True) if not np.isfinite(v)]
        raise PolicyError(f'state is not finite at joints {names}')
    return values


def _noise(config: ModelConfig, rng: np.random.Generator | None) -> NDArray[np.floating]:
    rng = rng or np.random.default_rng(NOISE_SEED)
    return rng.standard_normal((config.horizon, config.n))


def _check_noise(noise: NDArray[np.floating], config: ModelConfig) -> NDArray[np.floating]:
    if np.shape(noise) != (config.horizon, config.n) or not np.isfinite(noise).all():
        raise PolicyError(
            f'noise has shape {np.shape(noise)} or is not finite; '
            f'give ({config.horizon}, {config.n})'
        )
    return np.asarray(noise)
