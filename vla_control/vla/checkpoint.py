# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
Weights on disk: safetensors, with all that is needed to use them in the metadata.

Nothing here reads or writes pickle, so a weights file cannot run code.
"""

from collections.abc import Mapping
import json
import os
from pathlib import Path
from typing import Any

from safetensors import safe_open, SafetensorError
from safetensors.torch import load, load_file, save
import torch
from torch import Tensor

from vla_control.core.errors import PolicyError
from vla_control.vla.config import from_json, ModelConfig, Normalisation, to_json
from vla_control.vla.model import Vla

FORMAT = '1'  # version of the metadata
KEY = 'vla_control'  # metadata entry with the JSON


def save_model(
    path: Path | str,
    model: Vla,
    record: Mapping[str, Any],
    weights: Mapping[str, Tensor] | None = None,
) -> None:
    """
    Write a model so that the file is the old or the new one, never half of it.

    :param record: how it was trained, JSON values.
    :param weights: by parameter name, in place of the model's own.
    """
    content = {
        'format': FORMAT,
        'config': to_json(model.config),
        'normalisation': to_json(model.normalisation),
        'record': dict(record),
    }
    tensors = dict(weights) if weights is not None else dict(model.state_dict())
    write_tensors(path, tensors, {KEY: json.dumps(content)})


def load_model(path: Path | str) -> tuple[Vla, dict[str, Any]]:
    """
    Rebuild a model and return it with its training record.

    :raises PolicyError: when the file is missing, damaged, or of another kind or version.
    """
    content, data = _read(Path(path))
    config = from_json(ModelConfig, content['config'])
    model = Vla(config, from_json(Normalisation, content['normalisation']))
    try:
        model.load_state_dict(load(data))
    except RuntimeError as error:
        raise PolicyError(f'{path} does not hold the weights its config names: {error}') from error
    return model.eval(), content['record']


def read_record(path: Path | str) -> dict[str, Any]:
    """
    Return config, normalisation and training record without building the model.

    :raises PolicyError: as `load_model`.
    """
    return _read(Path(path))[0]


def write_tensors(
    path: Path | str, tensors: Mapping[str, Tensor], metadata: dict[str, str]
) -> None:
    """Write tensors to a safetensors file, replacing it at once."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    data = save({k: v.detach().contiguous() for k, v in tensors.items()}, metadata)
    partial = path.with_name(f'.{path.name}.{os.getpid()}.partial')
    with partial.open('wb') as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
    partial.replace(path)


def read_tensors(path: Path | str) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return the tensors and the metadata of a safetensors file."""
    with safe_open(path, 'pt') as file:
        metadata = file.metadata() or {}
    return load_file(path), metadata


def count_parameters(model: torch.nn.Module) -> int:
    """Count the numbers that are trained."""
    return sum(p.numel() for p in model.parameters())


def _read(path: Path) -> tuple[dict[str, Any], bytes]:
    if not path.is_file():
        raise PolicyError(f'no weights at {path}; train them with `vla-control train`')
    try:
        with safe_open(path, 'pt') as file:
            metadata = file.metadata() or {}
    except SafetensorError as error:
        raise PolicyError(f'{path} is not a safetensors file: {error}') from error
    if KEY not in metadata:
        raise PolicyError(f'{path} has no {KEY!r} metadata; it is not a model of this package')
    content = json.loads(metadata[KEY])
    if content.get('format') != FORMAT:
        raise PolicyError(
            f'{path} has format {content.get("format")!r}, this code reads {FORMAT!r}'
        )
    return content, path.read_bytes()
