# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Training data survives being written, crashes included, and comes back as it was."""

from dataclasses import replace
import subprocess
import sys

import numpy as np
import pytest
from tiny import make_episode, pictures, write_data

from vla_control.core.errors import PolicyError
from vla_control.vla import shards
from vla_control.vla.dataset import (
    DatasetWriter,
    LayoutsWriter,
    load_episodes,
    load_layouts,
    load_meta,
)


def assert_same(one, other):
    assert (one.instruction, one.task, one.target, one.seed) == (
        other.instruction,
        other.task,
        other.target,
        other.seed,
    )
    for camera, pixels in one.images.items():
        np.testing.assert_array_equal(pixels, other.images[camera])
    for name in ('states', 'commands', 'landmarks'):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_episodes_come_back_as_they_were_written(tmp_path):
    written = [make_episode(seed, steps=3 + seed) for seed in range(5)]
    with DatasetWriter(tmp_path, {'recipe': 'test'}, shard=2) as writer:
        for episode in written:
            writer.add(episode)
    loaded = load_episodes(tmp_path)
    assert len(loaded) == 5
    for one, other in zip(written, loaded, strict=True):
        assert_same(one, other)


def test_writers_of_sub_folders_make_one_data_set(tmp_path):
    for part in range(3):
        with DatasetWriter(tmp_path / f'part-{part}', {'part': part}) as writer:
            writer.add(make_episode(part))
    assert [e.seed for e in load_episodes(tmp_path)] == [0, 1, 2]
    assert [m['part'] for m in load_meta(tmp_path)] == [0, 1, 2]


def test_a_shard_that_was_not_finished_is_not_counted(tmp_path, monkeypatch):
    writer = DatasetWriter(tmp_path, {}, shard=1)
    writer.add(make_episode(0))

    def break_down(*args, **kwargs):
        raise OSError('disk full')

    with monkeypatch.context() as patch:
        patch.setattr(shards.np, 'save', break_down)
        with pytest.raises(OSError, match='disk full'):
            writer.add(make_episode(1))
    assert [e.seed for e in load_episodes(tmp_path)] == [0]
    writer.close()
    assert [e.seed for e in load_episodes(tmp_path)] == [0, 1]


def test_a_killed_writer_leaves_whole_shards_and_a_new_one_goes_on(tmp_path):
    code = (
        'import os, sys; sys.path.insert(0, sys.argv[1])\n'
        'from tiny import make_episode\n'
        'from vla_control.vla.dataset import DatasetWriter\n'
        'w = DatasetWriter(sys.argv[2], {}, shard=2)\n'
        'for seed in range(5): w.add(make_episode(seed))\n'
        'os._exit(9)\n'
    )
    here = str(__file__).rsplit('/', 1)[0]
    subprocess.run([sys.executable, '-c', code, here, str(tmp_path)], check=False)
    assert [e.seed for e in load_episodes(tmp_path)] == [0, 1, 2, 3]
    with DatasetWriter(tmp_path, {}, shard=2) as writer:
        writer.add(make_episode(7))
    assert [e.seed for e in load_episodes(tmp_path)] == [0, 1, 2, 3, 7]


def test_layouts_come_back_as_they_were_written(tmp_path):
    cubes = np.arange(9.0).reshape(3, 3)
    with LayoutsWriter(tmp_path, {}, shard=2) as writer:
        for seed in range(3):
            writer.add(pictures(seed), np.full(3, seed), cubes + seed, np.full(3, 0.5))
    layouts = load_layouts(tmp_path)
    assert len(layouts) == 3
    np.testing.assert_array_equal(layouts.cubes[2], cubes + 2)
    np.testing.assert_array_equal(layouts.states[:, 0], [0, 1, 2])
    front = np.concatenate(layouts.images['front'])
    np.testing.assert_array_equal(front[2], pictures(2)['front'])


def test_episodes_and_layouts_are_not_mixed_up(tmp_path):
    write_data(tmp_path)
    assert len(load_episodes(tmp_path)) == 6
    assert len(load_layouts(tmp_path)) == 20


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'commands': np.zeros((5, 2), np.float32)}, 'commands has shape'),
        ({'states': np.full((5, 3), np.nan, np.float32)}, 'states holds values'),
        ({'images': {'front': np.zeros((5, 64, 64, 3), np.uint8)}}, "images of 'front'"),
        ({'instruction': '  '}, 'instruction'),
    ],
)
def test_what_cannot_be_trained_on_is_refused(tmp_path, change, message):
    with pytest.raises(PolicyError, match=message):
        DatasetWriter(tmp_path, {}).add(replace(make_episode(), **change))


def test_an_empty_folder_says_what_to_do(tmp_path):
    with pytest.raises(PolicyError, match='generate the data'):
        load_episodes(tmp_path)
