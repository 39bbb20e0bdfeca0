# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
Begin with the weights of another model, also of another robot.

Encoders and backbone know nothing of joints, so they serve any robot with the same cameras; what
reads and writes joints starts fresh where their number differs.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from vla_control.core.errors import PolicyError
from vla_control.vla.checkpoint import load_model
from vla_control.vla.config import ModelConfig, Normalisation
from vla_control.vla.model import Vla


def start_model(
    weights: str, shape: ModelConfig, measure: Callable[[], Normalisation]
) -> tuple[Vla, dict[str, Any]]:
    """
    Build a model to train.

    Weights of the same config are taken whole, with their normalisation. Of others every tensor
    whose name and shape agree is taken; the rest and the normalisation are new. A camera of one
    side, such as wrist_left, begins as the only one there was, wrist.

    :param weights: a weights file, or nothing to start fresh.
    :param measure: gives the normalisation of the training data.
    :returns: the model, and what was taken: JSON values for the training record.
    :raises PolicyError: when nothing of the weights fits.
    """
    if not weights:
        return Vla(shape, measure()), {}
    theirs, _ = load_model(weights)
    if theirs.config == shape:
        return theirs, {'weights': Path(weights).name, 'taken': 'all', 'fresh': []}
    model = Vla(shape, measure())
    mine = model.state_dict()
    given = theirs.state_dict()
    taken = {
        name: given[source]
        for name, value in mine.items()
        if (source := _source(name, given)) in given and given[source].shape == value.shape
    }
    if not taken:
        raise PolicyError(
            f'{weights}: no tensor has the name and shape of one of {shape}; start without weights'
        )
    model.load_state_dict({**mine, **taken})
    fresh = sorted(mine.keys() - taken.keys())
    return model, {'weights': Path(weights).name, 'taken': len(taken), 'fresh': fresh}


def _source(name: str, given: Mapping[str, Any]) -> str:
    """Return the name of the tensor that one may begin with."""
    kind, *path = name.split('.')
    if name in given or kind not in ('cameras', 'points') or not path:
        return name
    return '.'.join([kind, path[0].rpartition('_')[0], *path[1:]])
