# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""A robot with two wrist cameras begins with what one arm's wrist camera has learnt."""

from tiny import tiny_config, tiny_model, unit_normalisation
import torch

from vla_control.vla.checkpoint import save_model
from vla_control.vla.transfer import start_model


def test_cameras_of_a_side_begin_as_the_only_one_there_was(tmp_path):
    one = tiny_model(seed=1)
    path = tmp_path / 'one.safetensors'
    save_model(path, one, {})
    sides = ('front', 'wrist_left', 'wrist_right')
    shape = tiny_config(cameras=sides)
    both, record = start_model(str(path), shape, lambda: unit_normalisation(shape))
    assert not [name for name in record['fresh'] if name.startswith(('cameras', 'points'))]
    given, found = one.state_dict(), both.state_dict()
    names = [n for n in given if n.startswith('cameras.wrist.')]
    assert names
    for name in names:
        for side in sides[1:]:
            assert torch.equal(found[name.replace('wrist', side)], given[name])
    for name in (n for n in given if n.startswith('cameras.front.')):
        assert torch.equal(found[name], given[name])
