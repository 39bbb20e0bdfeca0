# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Training runs end to end, in one process or two, and the same seed gives the same weights."""

import json

import pytest
from tiny import JOINTS, make_episode, SIZES, tiny_model, write_data
import torch

from vla_control.core.errors import PolicyError
from vla_control.vla.batches import split
from vla_control.vla.checkpoint import load_model, save_model
from vla_control.vla.train import StageConfig, train, TrainConfig
from vla_control.vla.transfer import start_model


def configure(folder, out, **changes):
    stage = {'minutes': 1.0, 'demos': 2, 'layouts': 2, 'rate': 1e-3, 'samples': 16}
    fields = {
        'data': str(folder / 'demos'),
        'layouts': str(folder / 'layouts'),
        'out': str(folder / out),
        'joints': JOINTS,
        'absolute': (False, False, True),
        'grounding': StageConfig(**stage),
        'cloning': StageConfig(**stage),
        'processes': 1,
        'model': SIZES,
    }
    return TrainConfig(**{**fields, **changes})


def test_the_same_seed_gives_the_same_weights(tmp_path):
    write_data(tmp_path)
    models = [load_model(train(configure(tmp_path, out)))[0] for out in ('a', 'b')]
    for name, value in models[0].state_dict().items():
        assert torch.equal(value, models[1].state_dict()[name])


def test_a_run_leaves_weights_with_their_record_and_a_log(tmp_path):
    write_data(tmp_path)
    _, record = load_model(train(configure(tmp_path, 'run')))
    assert record['episodes'] == 5
    assert record['totals']['demos'] == 16
    assert record['data'][0]['recipe'] == 'tiny'
    lines = [json.loads(s) for s in (tmp_path / 'run' / 'log.jsonl').read_text().splitlines()]
    assert {line['stage'] for line in lines} == {1, 2}
    assert 'validation' in lines[-1]


def test_a_model_with_a_diffusion_head_is_trained_alike(tmp_path):
    write_data(tmp_path)
    config = configure(tmp_path, 'run', model={**SIZES, 'head': 'diffusion'})
    model, _ = load_model(train(config))
    assert model.config.head == 'diffusion'


def test_a_finished_run_is_not_trained_again(tmp_path):
    write_data(tmp_path)
    path = train(configure(tmp_path, 'run'))
    before = path.read_bytes()
    train(configure(tmp_path, 'run'))
    assert path.read_bytes() == before


def test_two_processes_average_their_gradients(tmp_path):
    write_data(tmp_path)
    _, record = load_model(train(configure(tmp_path, 'run', processes=2)))
    assert record['totals']['demos'] == 16


def test_data_of_another_robot_is_refused(tmp_path):
    write_data(tmp_path)
    config = configure(tmp_path, 'run', joints=(*JOINTS, 'fourth'), absolute=(False,) * 4)
    with pytest.raises(PolicyError, match='3 joints'):
        train(config)


def test_data_without_a_camera_is_refused(tmp_path):
    write_data(tmp_path)
    with pytest.raises(PolicyError, match="not 'overhead'"):
        train(configure(tmp_path, 'run', cameras=('overhead',)))


def test_a_run_from_weights_keeps_their_normalisation(tmp_path):
    write_data(tmp_path)
    start = tiny_model()
    save_model(tmp_path / 'start.safetensors', start, {})
    weights = str(tmp_path / 'start.safetensors')
    model, _ = load_model(train(configure(tmp_path, 'run', weights=weights)))
    assert model.normalisation == start.normalisation
    assert not torch.equal(model.landmarks.weight, start.landmarks.weight)


def test_a_run_takes_from_weights_of_another_robot_what_fits(tmp_path):
    write_data(tmp_path)
    other = tiny_model(joints=(*JOINTS, 'fourth'), absolute=(False, False, True, True))
    save_model(tmp_path / 'start.safetensors', other, {})
    weights = str(tmp_path / 'start.safetensors')
    model, record = load_model(train(configure(tmp_path, 'run', weights=weights)))
    fresh = record['started_from']['fresh']
    assert 'state.0.weight' in fresh
    assert not any(name.startswith(('cameras.', 'backbone.', 'text.')) for name in fresh)
    assert record['started_from']['taken'] + len(fresh) == len(model.state_dict())


def test_what_fits_is_taken_unchanged_and_a_camera_of_one_side_begins_as_the_only_one(tmp_path):
    theirs = tiny_model(joints=('one',), absolute=(False,))
    save_model(tmp_path / 'start.safetensors', theirs, {})
    mine = tiny_model(seed=1, cameras=('front', 'wrist_left', 'wrist_right'))
    model, _ = start_model(
        str(tmp_path / 'start.safetensors'), mine.config, lambda: mine.normalisation
    )
    given, taken = theirs.state_dict(), model.state_dict()
    assert torch.equal(taken['landmarks.weight'], given['landmarks.weight'])
    for name, value in given.items():
        if name.startswith('cameras.wrist.'):
            for side in ('left', 'right'):
                copied = taken[name.replace('.wrist.', f'.wrist_{side}.')]
                assert torch.equal(copied, value)


def test_episodes_that_validate_are_spread_over_the_seeds_and_not_trained_on():
    train_on, held = split([make_episode(seed, steps=1) for seed in range(9)], 0.34, most=48)
    assert [e.seed for e in held] == [0, 4, 8]
    assert [e.seed for e in train_on] == [1, 2, 3, 5, 6, 7]
