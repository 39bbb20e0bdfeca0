# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Training data in memory: how chunks, words and images are drawn, scaled and varied."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
import torch
from torch import Tensor

from vla_control.vla.config import ModelConfig, Normalisation
from vla_control.vla.dataset import Episode, Layouts
from vla_control.vla.text import Phrasings, TextEncoder

Rng = np.random.Generator
Array = NDArray[np.float32]

ABSENT = np.nan  # a landmark without a label

# Light differences on top of those the simulator renders.
BRIGHTNESS = 0.12  # share
TINT = 0.04  # share, per channel
OFFSET = 0.04  # of the range of values
SHIFT_CHANCE = 0.2  # of moving a picture by one pixel
BLEND_CHANCE = 0.3  # of a sentence between two that mean the same
SIGMA_FLOORS = (0.01, 0.001)  # [rad, m] smallest deviation of arm and gripper actions


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Samples; the first len(positions) are demonstrations, the others still layouts."""

    pixels: dict[str, Tensor]  # camera -> (B, 3, 96, 96) in -1..1
    states: Tensor  # (B, n) [rad | m]
    text: Tensor  # (B, 384) unit length
    landmarks: Tensor  # (B, 9) [m], NaN where there is no label
    positions: Tensor  # (D, H, n) [rad | m]


class Words:
    """Sentence embeddings by task and colour."""

    def __init__(self, phrasings: Phrasings, encoder: TextEncoder, *, unseen: bool) -> None:
        """Embed the phrasings once."""
        tasks = phrasings.unseen if unseen else phrasings.train
        self.colours = phrasings.colours
        self.tasks = tuple(tasks)
        self._vectors = {
            (task, colour): np.stack(
                [encoder.encode(s) for s in phrasings.sentences(task, colour, unseen=unseen)]
            )
            for task in tasks
            for colour in phrasings.colours
        }

    def draw(self, rng: Rng, task: str, colour: str, *, blend: bool) -> Array:
        """Return one embedding, (384,), sometimes between two that mean the same."""
        vectors = self._vectors[task, colour]
        first, second = vectors[rng.integers(len(vectors), size=2)]
        if not blend or rng.random() > BLEND_CHANCE:
            return np.asarray(first)
        share = rng.random()
        return np.asarray(share * first + (1.0 - share) * second, np.float32)

    def all_vectors(self) -> Array:
        """Return every embedding, (N, 384)."""
        return np.concatenate(list(self._vectors.values()))


class Demonstrations:
    """Random access to the frames of episodes."""

    def __init__(self, episodes: Sequence[Episode], horizon: int) -> None:
        """Index every frame."""
        self.episodes = episodes
        self._horizon = horizon
        self._ends = np.cumsum([len(e.states) for e in episodes])

    def __len__(self) -> int:
        """Count the frames."""
        return int(self._ends[-1])

    def find(self, frame: int) -> tuple[Episode, int]:
        """Return the episode a frame belongs to, and its step."""
        number = int(np.searchsorted(self._ends, frame, side='right'))
        episode = self.episodes[number]
        return episode, frame - int(self._ends[number]) + len(episode.states)

    def chunk(self, episode: Episode, step: int) -> Array:
        """Return the commands from a step on, (H, n); the last one holds after the end."""
        steps = np.arange(step, step + self._horizon).clip(max=len(episode.commands) - 1)
        return np.asarray(episode.commands[steps])


class Sampler:
    """Draws batches of demonstrations and layouts."""

    def __init__(
        self, config: ModelConfig, demos: Demonstrations, layouts: Layouts, words: Words
    ) -> None:
        self._config = config
        self.demos = demos
        self.layouts = layouts
        self._words = words
        sizes = [len(shard) for shard in next(iter(layouts.images.values()))]
        self._shard_ends = np.cumsum(sizes)

    def draw(
        self,
        rng: Rng,
        frames: Sequence[int] | NDArray[np.int64],
        scenes: Sequence[int] | NDArray[np.int64],
        *,
        vary: bool,
    ) -> Batch:
        """
        Assemble a batch.

        :param rng: decides words, colours of the layouts and the variations.
        :param frames: indices into the demonstrations.
        :param scenes: indices into the layouts.
        :param vary: whether to vary light, position and sentences as training does.
        """
        cameras = self._config.cameras
        pixels: dict[str, list[NDArray[np.uint8]]] = {c: [] for c in cameras}
        states, text, marks, chunks = [], [], [], []
        for frame in frames:
            episode, step = self.demos.find(int(frame))
            for c in cameras:
                pixels[c].append(episode.images[c][step])
            states.append(episode.states[step])
            marks.append(episode.landmarks[step].reshape(-1))
            chunks.append(self.demos.chunk(episode, step))
            text.append(self._words.draw(rng, episode.task, episode.target, blend=vary))
        for scene in scenes:
            shard = int(np.searchsorted(self._shard_ends, scene, side='right'))
            row = int(scene) - int(self._shard_ends[shard])
            for c in cameras:
                pixels[c].append(self.layouts.images[c][shard][row])
            colour = int(rng.integers(len(self._words.colours)))
            task = self._words.tasks[rng.integers(len(self._words.tasks))]
            states.append(self.layouts.states[scene])
            marks.append(
                np.concatenate(
                    [
                        self.layouts.cubes[scene, colour],
                        np.full(3, ABSENT, np.float32),
                        self.layouts.plates[scene],
                    ]
                )
            )
            text.append(self._words.draw(rng, task, self._words.colours[colour], blend=vary))
        horizon, n = self._config.horizon, self._config.n
        return Batch(
            pixels={c: to_pixels(np.stack(p), rng if vary else None) for c, p in pixels.items()},
            states=torch.from_numpy(np.stack(states).astype(np.float32)),
            text=torch.from_numpy(np.stack(text).astype(np.float32)),
            landmarks=torch.from_numpy(np.stack(marks).astype(np.float32)),
            positions=torch.from_numpy(np.stack(chunks) if chunks else np.zeros((0, horizon, n))),
        )


def to_pixels(images: NDArray[np.uint8], rng: Rng | None = None) -> Tensor:
    """
    Scale images (B, h, w, 3) to (B, 3, h, w) in -1..1, varied where a generator is given.

    The memory stays in the order of the pixels (channels last), which convolves faster.
    """
    if rng is None:
        return torch.from_numpy(images).permute(0, 3, 1, 2).float() / 127.5 - 1.0
    size = len(images)
    images = _shift(images, rng)
    gain = rng.uniform(1.0 - BRIGHTNESS, 1.0 + BRIGHTNESS, (size, 1, 1, 1))
    gain = gain * rng.uniform(1.0 - TINT, 1.0 + TINT, (size, 1, 1, 3))
    offset = rng.uniform(-OFFSET, OFFSET, (size, 1, 1, 1)) - 1.0
    scaled = torch.from_numpy(images).float()
    scaled.mul_(torch.from_numpy((gain / 127.5).astype(np.float32)))
    scaled.add_(torch.from_numpy(offset.astype(np.float32))).clamp_(-1.0, 1.0)
    return scaled.permute(0, 3, 1, 2)


def _shift(images: NDArray[np.uint8], rng: Rng) -> NDArray[np.uint8]:
    out = images.copy()
    last = images.shape[1] - 1
    for i in np.flatnonzero(rng.random(len(images)) < SHIFT_CHANCE):
        rows, columns = (
            (np.arange(last + 1) + rng.integers(-1, 2)).clip(0, last) for _ in range(2)
        )
        out[i] = images[i][rows][:, columns]
    return out


def make_normalisation(config: ModelConfig, demos: Demonstrations, words: Words) -> Normalisation:
    """Measure means and deviations of the training set."""
    states = np.concatenate([e.states for e in demos.episodes])
    marks = np.concatenate([e.landmarks.reshape(-1, 9) for e in demos.episodes])
    chunks, bases = [], []
    for episode in demos.episodes:
        for step in range(0, len(episode.states), 2):
            chunks.append(demos.chunk(episode, step))
            bases.append(episode.states[step])
    absolute = np.array(config.absolute)
    relative = np.stack(chunks) - np.where(absolute, 0.0, np.stack(bases))[:, None]
    gripper_floor = np.where(absolute, SIGMA_FLOORS[1], SIGMA_FLOORS[0])
    action_std = relative.std(axis=0)
    # The first steps hardly differ from the measured joints; scaled by their own deviation alone
    # they would dominate, scaled by that of the whole chunk they would drown in noise.
    action_std = np.maximum(action_std, 0.25 * relative.std(axis=(0, 1)))
    vectors = words.all_vectors()
    mark_std = np.maximum(marks.std(axis=0), 0.02)
    return Normalisation(
        state_mean=_floats(states.mean(axis=0)),
        state_std=_floats(np.maximum(states.std(axis=0), gripper_floor)),
        action_mean=tuple(_floats(row) for row in relative.mean(axis=0)),
        action_std=tuple(_floats(row) for row in np.maximum(action_std, gripper_floor)),
        landmark_mean=_floats(marks.mean(axis=0)),
        landmark_std=_floats(mark_std),
        text_mean=_floats(vectors.mean(axis=0)),
        text_std=_floats(np.maximum(vectors.std(axis=0), 1e-3)),
    )


def _floats(values: NDArray[np.floating]) -> tuple[float, ...]:
    return tuple(float(np.float32(v)) for v in values)


def split(
    episodes: Sequence[Episode], share: float, most: int
) -> tuple[list[Episode], list[Episode]]:
    """Return episodes to train on and to validate with, the latter spread over the seeds."""
    ordered = sorted(episodes, key=lambda e: e.seed)
    count = max(1, min(most, round(share * len(ordered))))
    held = set(np.linspace(0, len(ordered) - 1, count).round().astype(int).tolist())
    train = [e for i, e in enumerate(ordered) if i not in held]
    return train, [ordered[i] for i in sorted(held)]
