# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
Crash-safe shards of plain ``.npy`` files.

A folder holds ``meta.json`` and finished shards ``shard-00000/``. A shard is written beside them
under another name and renamed when it is complete, so what carries the name of a shard can be
trusted whatever happened to the writer. Writers may share a data set by writing into sub-folders
of one folder; the loaders read them all.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
import json
import os
from pathlib import Path
import shutil
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from vla_control.core.errors import PolicyError

FORMAT = 1  # version of the layout on disk

Arrays = dict[str, NDArray[Any]]
T = TypeVar('T')


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON file so that readers see the old or the new one, never half of it."""
    partial = path.with_name(f'.{path.name}.{os.getpid()}.partial')
    with partial.open('w') as stream:
        json.dump(content, stream, indent=1)
        stream.flush()
        os.fsync(stream.fileno())
    partial.replace(path)


class _Shards:
    """Finished shards of one folder, appended to by one writer."""

    def __init__(self, path: Path | str, kind: str, meta: Mapping[str, Any]) -> None:
        self._path = Path(path)
        self._path.mkdir(parents=True, exist_ok=True)
        for left in self._path.glob('.shard-*.partial'):
            shutil.rmtree(left)
        numbers = [int(p.name.split('-')[1]) for p in self._path.glob('shard-*')]
        self._next = max(numbers, default=-1) + 1
        write_json(self._path / 'meta.json', {**meta, 'format': FORMAT, 'kind': kind})

    def write(self, arrays: Arrays, index: list[dict[str, Any]]) -> None:
        """Add one shard; it exists completely or not at all."""
        final = self._path / f'shard-{self._next:05d}'
        partial = self._path / f'.{final.name}.partial'
        shutil.rmtree(partial, ignore_errors=True)  # of a write that failed and is tried again
        partial.mkdir()
        for name, values in arrays.items():
            with (partial / f'{name}.npy').open('wb') as stream:
                np.save(stream, values, allow_pickle=False)
                stream.flush()
                os.fsync(stream.fileno())
        write_json(partial / 'index.json', {'items': index, 'arrays': sorted(arrays)})
        partial.rename(final)
        self._next += 1


class Writer(ABC, Generic[T]):
    """Collects items into shards; those of a shard not finished are lost in a crash."""

    def __init__(self, path: Path | str, kind: str, meta: Mapping[str, Any], size: int) -> None:
        self._shards = _Shards(path, kind, meta)
        self._size = size
        self._pending: list[T] = []

    @abstractmethod
    def _pack(self, items: list[T]) -> tuple[Arrays, list[dict[str, Any]]]:
        """Return the arrays of a shard and its index."""

    def _keep(self, item: T) -> None:
        self._pending.append(item)
        if len(self._pending) >= self._size:
            self.close()

    def close(self) -> None:
        """Write what is pending; safe to call twice."""
        if self._pending:
            self._shards.write(*self._pack(self._pending))
            self._pending = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def camera_arrays(arrays: Arrays) -> Arrays:
    """Return the pixels among the arrays of a shard, by camera."""
    return {n.removeprefix('images.'): v for n, v in arrays.items() if n.startswith('images.')}


def open_shards(path: Path, kind: str) -> Iterator[tuple[list[dict[str, Any]], Arrays]]:
    """
    Yield the index and the arrays of every finished shard below a folder.

    :raises PolicyError: when there is none.
    """
    found = False
    for meta in sorted(path.rglob('meta.json')):
        if json.loads(meta.read_text()).get('kind') != kind:
            continue
        for shard in sorted(meta.parent.glob('shard-*')):
            found = True
            index = json.loads((shard / 'index.json').read_text())
            # Pixels are mapped: processes that train on the same data share one copy of it.
            yield (
                index['items'],
                {
                    name: np.load(
                        shard / f'{name}.npy',
                        mmap_mode='r' if name.startswith('images.') else None,
                        allow_pickle=False,
                    )
                    for name in index['arrays']
                },
            )
    if not found:
        raise PolicyError(f'no finished shard of {kind} below {path}; generate the data first')
