# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Training data: made once, reused only by the same order, never mixed with what was left."""

import pytest

from vla_control.core.errors import ConfigError
from vla_control.runtime import training
from vla_control.runtime.training import Recipe, run_recipe
from vla_control.sim.demonstrations import Yield


@pytest.fixture
def made(monkeypatch):
    """Stand in for the simulation and the optimiser; return the orders that were carried out."""
    orders = []

    def generate(order):
        order.out.mkdir(parents=True)
        (order.out / 'shard').write_text(str(order.count))
        orders.append(order)
        if order.count == 13:
            raise KeyboardInterrupt
        return Yield(verdicts={'success': order.count}, frames=order.count, cpu_seconds=1.0)

    monkeypatch.setattr(training, 'generate', generate)
    monkeypatch.setattr(training, 'generate_layouts', generate)
    monkeypatch.setattr(training, 'train', lambda config: config.out)
    return orders


def run(out, **changes):
    recipe = Recipe(out=out, **{'demonstrations': 4, 'layouts': 5, **changes})
    return run_recipe(recipe, lambda text: None)


def test_the_same_order_reuses_the_data(tmp_path, made):
    first, second = run(tmp_path), run(tmp_path, processes=1)
    assert len(made) == 2
    assert first['demonstrations'] == second['demonstrations']
    assert (tmp_path / 'demonstrations' / 'shard').read_text() == '4'


def test_another_order_is_refused_and_the_data_stays(tmp_path, made):
    run(tmp_path)
    with pytest.raises(ConfigError, match='another --out'):
        run(tmp_path, tasks=('touch',))
    assert (tmp_path / 'demonstrations' / 'shard').read_text() == '4'
    assert len(made) == 2


def test_what_an_interrupted_run_left_is_not_added_to(tmp_path, made):
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, demonstrations=13)
    assert not (tmp_path / 'demonstrations').exists()
    run(tmp_path)
    assert {p.name for p in (tmp_path / 'demonstrations').iterdir()} == {'shard', 'made.json'}
    assert (tmp_path / 'demonstrations' / 'shard').read_text() == '4'


def test_a_folder_of_unknown_origin_is_refused(tmp_path, made):
    (tmp_path / 'demonstrations').mkdir()
    with pytest.raises(ConfigError, match='unknown order'):
        run(tmp_path)
