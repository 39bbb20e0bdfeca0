# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Weights come back bit for bit, and files that are no weights are refused."""

import pytest
from safetensors.torch import save_file
from tiny import pictures, tiny_model
import torch

from vla_control.core.errors import PolicyError
from vla_control.vla.checkpoint import count_parameters, load_model, read_record, save_model
from vla_control.vla.inference import VlaModel
from vla_control.vla.optimise import Optimiser


def test_a_model_comes_back_bit_for_bit(tmp_path):
    model = tiny_model()
    save_model(tmp_path / 'a.safetensors', model, {'seeds': [1, 2]})
    loaded, record = load_model(tmp_path / 'a.safetensors')
    assert record == {'seeds': [1, 2]}
    assert loaded.config == model.config
    assert loaded.normalisation == model.normalisation
    for name, value in model.state_dict().items():
        assert torch.equal(value, loaded.state_dict()[name])
    plans = [
        VlaModel(m, {}).plan(pictures(), [0.1, 0.2, 0.03], 'touch the red cube')
        for m in (model, loaded)
    ]
    assert (plans[0] == plans[1]).all()


def test_the_record_can_be_read_without_building_the_model(tmp_path):
    save_model(tmp_path / 'a.safetensors', tiny_model(), {'minutes': 3})
    content = read_record(tmp_path / 'a.safetensors')
    assert content['record'] == {'minutes': 3}
    assert content['config']['joints'] == ['shoulder', 'elbow', 'finger']


def test_saving_leaves_no_partial_file(tmp_path):
    save_model(tmp_path / 'a.safetensors', tiny_model(), {})
    assert [p.name for p in tmp_path.iterdir()] == ['a.safetensors']


def test_missing_damaged_and_foreign_files_are_refused(tmp_path):
    with pytest.raises(PolicyError, match='no weights at'):
        load_model(tmp_path / 'none.safetensors')
    damaged = tmp_path / 'damaged.safetensors'
    damaged.write_bytes(b'not a tensor in sight')
    with pytest.raises(PolicyError, match='not a safetensors file'):
        load_model(damaged)
    foreign = tmp_path / 'foreign.safetensors'
    save_file({'w': torch.zeros(2)}, foreign)
    with pytest.raises(PolicyError, match='not a model of this package'):
        load_model(foreign)


def test_a_resumed_optimiser_goes_on_as_the_unbroken_one(tmp_path):
    def push(model, optimiser, number):
        torch.manual_seed(number)
        seen = torch.randn(4, model.backbone.position.shape[1], model.config.width)
        model.action_loss(seen, torch.randn(4, 4, 3)).mean().backward()
        optimiser.step(0.0, 1.0, iterations=10)

    whole = tiny_model()
    steady = Optimiser(whole, 1e-2, 1, clone=True)
    for number in range(6):
        push(whole, steady, number)
        if number == 2:
            steady.save(tmp_path / 'c.safetensors', {})
    broken = tiny_model(seed=5)
    resumed = Optimiser(broken, 1e-2, 1, clone=True).load(tmp_path / 'c.safetensors')
    for number in range(3, 6):
        push(broken, resumed, number)
    assert resumed.progress == steady.progress
    for name, value in whole.state_dict().items():
        assert torch.equal(value, broken.state_dict()[name])
        assert torch.equal(steady.average[name], resumed.average[name])


def test_the_shipped_size_is_within_the_budget():
    from tiny import unit_normalisation

    from vla_control.vla.config import ModelConfig
    from vla_control.vla.model import Vla

    config = ModelConfig(
        cameras=('front', 'wrist'),
        joints=tuple(f'joint{i}' for i in range(8)),
        absolute=(False,) * 7 + (True,),
    )
    count = count_parameters(Vla(config, unit_normalisation(config)))
    assert 2e6 < count < 5e6
