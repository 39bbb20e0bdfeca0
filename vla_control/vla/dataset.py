# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Training data: demonstrations and still layouts, written to and read from shards."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vla_control.core.errors import PolicyError
from vla_control.vla.shards import Arrays, camera_arrays, open_shards, Writer

PIXELS = 96  # [px] rows and columns of every stored image
LANDMARKS = 3  # named cube, TCP, plate


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """One successful demonstration at the period of the chunks."""

    instruction: str
    task: str
    target: str  # colour of the named cube
    seed: int
    images: dict[str, NDArray[np.uint8]]  # camera -> (T, 96, 96, 3) RGB
    states: NDArray[np.float32]  # (T, n) [rad], grippers [m], measured
    commands: NDArray[np.float32]  # (T, n) [rad], grippers [m], clean expert target due at t + dt
    landmarks: NDArray[np.float32]  # (T, 3, 3) [m] xyz of named cube, TCP, plate


@dataclass(frozen=True, slots=True, kw_only=True)
class Layouts:
    """Still scenes, each usable with every colour."""

    images: dict[str, list[NDArray[np.uint8]]]  # camera -> per shard (k, 96, 96, 3) RGB
    states: NDArray[np.float32]  # (N, n) [rad], grippers [m]
    cubes: NDArray[np.float32]  # (N, 3, 3) [m] xyz of the red, green and blue cube
    plates: NDArray[np.float32]  # (N, 3) [m] xyz

    def __len__(self) -> int:
        """Count the scenes."""
        return len(self.states)


class DatasetWriter(Writer[Episode]):
    """Append demonstrations to a folder; those of a shard not finished are lost in a crash."""

    def __init__(self, path: Path | str, meta: Mapping[str, Any], shard: int = 16) -> None:
        """
        Open a folder, keeping the shards it has.

        :param meta: how the data was made (recipe, seeds, joints, cameras, dt), JSON values.
        :param shard: demonstrations in a shard.
        """
        super().__init__(path, 'episodes', meta, shard)

    def add(self, episode: Episode) -> None:
        """
        Append one demonstration.

        :raises PolicyError: when shapes, types or values cannot be trained on.
        """
        check_episode(episode)
        self._keep(episode)

    def _pack(self, episodes: list[Episode]) -> tuple[Arrays, list[dict[str, Any]]]:
        arrays: Arrays = {
            f'images.{camera}': np.concatenate([e.images[camera] for e in episodes])
            for camera in episodes[0].images
        }
        for name in ('states', 'commands', 'landmarks'):
            arrays[name] = np.concatenate(
                [getattr(e, name) for e in episodes], dtype=np.float32, casting='same_kind'
            )
        index = [
            {
                'instruction': e.instruction,
                'task': e.task,
                'target': e.target,
                'seed': int(e.seed),
                'length': len(e.states),
            }
            for e in episodes
        ]
        return arrays, index


class LayoutsWriter(Writer[Arrays]):
    """Append still layouts to a folder; those of a shard not finished are lost in a crash."""

    def __init__(self, path: Path | str, meta: Mapping[str, Any], shard: int = 250) -> None:
        """
        Open a folder, keeping the shards it has.

        :param meta: how the data was made, JSON values.
        :param shard: scenes in a shard.
        """
        super().__init__(path, 'layouts', meta, shard)

    def add(
        self,
        images: Mapping[str, NDArray[np.uint8]],
        state: NDArray[Any],
        cubes: NDArray[Any],
        plate: NDArray[Any],
    ) -> None:
        """
        Append one scene.

        :param images: camera -> (96, 96, 3) RGB.
        :param state: (n,) [rad], grippers [m].
        :param cubes: (3, 3) [m] xyz of the red, green and blue cube.
        :param plate: (3,) [m] xyz.
        :raises PolicyError: when shapes, types or values cannot be trained on.
        """
        for camera, pixels in images.items():
            _check_pixels(camera, pixels, (PIXELS, PIXELS, 3))
        _check_floats('state', state, np.shape(state))
        _check_floats('cubes', cubes, (3, 3))
        _check_floats('plate', plate, (3,))
        row: Arrays = {f'images.{camera}': np.array(p) for camera, p in images.items()}
        for name, values in (('states', state), ('cubes', cubes), ('plates', plate)):
            row[name] = np.array(values, np.float32)
        self._keep(row)

    def _pack(self, rows: list[Arrays]) -> tuple[Arrays, list[dict[str, Any]]]:
        arrays = {name: np.stack([r[name] for r in rows]) for name in rows[0]}
        return arrays, [{'count': len(rows)}]


def load_meta(path: Path | str) -> list[dict[str, Any]]:
    """Return the meta data of every writer of a data set, in order of their folders."""
    return [json.loads(p.read_text()) for p in sorted(Path(path).rglob('meta.json'))]


def load_episodes(path: Path | str) -> list[Episode]:
    """
    Open every demonstration of a folder and its sub-folders; pixels stay on disk until used.

    :raises PolicyError: when the folder holds no finished shard of demonstrations.
    """
    episodes: list[Episode] = []
    for items, arrays in open_shards(Path(path), 'episodes'):
        end = 0
        for item in items:
            span = slice(end, end + item['length'])
            end = span.stop
            episodes.append(
                Episode(
                    instruction=item['instruction'],
                    task=item['task'],
                    target=item['target'],
                    seed=item['seed'],
                    images={c: v[span] for c, v in camera_arrays(arrays).items()},
                    states=arrays['states'][span],
                    commands=arrays['commands'][span],
                    landmarks=arrays['landmarks'][span],
                )
            )
    return episodes


def load_layouts(path: Path | str) -> Layouts:
    """
    Open every layout of a folder and its sub-folders; pixels stay on disk until used.

    :raises PolicyError: when the folder holds no finished shard of layouts.
    """
    shards = [arrays for _, arrays in open_shards(Path(path), 'layouts')]
    cameras = sorted(camera_arrays(shards[0]))
    return Layouts(
        images={c: [s[f'images.{c}'] for s in shards] for c in cameras},
        states=np.concatenate([s['states'] for s in shards]),
        cubes=np.concatenate([s['cubes'] for s in shards]),
        plates=np.concatenate([s['plates'] for s in shards]),
    )


def check_episode(episode: Episode) -> None:
    """
    Check that a demonstration can be trained on.

    :raises PolicyError: naming the array and what it should be.
    """
    steps = len(episode.states)
    if steps == 0:
        raise PolicyError('an episode needs at least one step, got 0')
    if not episode.instruction.strip():
        raise PolicyError('an episode needs an instruction, got an empty one')
    for camera, pixels in episode.images.items():
        _check_pixels(camera, pixels, (steps, PIXELS, PIXELS, 3))
    _check_floats('states', episode.states, (steps, *np.shape(episode.states)[1:]))
    _check_floats('commands', episode.commands, np.shape(episode.states))
    _check_floats('landmarks', episode.landmarks, (steps, LANDMARKS, 3))


def _check_pixels(camera: str, pixels: NDArray[Any], shape: Sequence[int]) -> None:
    if pixels.dtype != np.uint8 or pixels.shape != tuple(shape):
        raise PolicyError(
            f'images of {camera!r} are {pixels.dtype} {pixels.shape}, not uint8 {tuple(shape)}'
        )


def _check_floats(name: str, values: NDArray[Any], shape: Sequence[int]) -> None:
    if np.shape(values) != tuple(shape):
        raise PolicyError(f'{name} has shape {np.shape(values)}, not {tuple(shape)}')
    if not np.isfinite(values).all():
        raise PolicyError(f'{name} holds values that are not finite')
