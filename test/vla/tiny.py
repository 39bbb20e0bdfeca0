# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""A model and data small enough to train in seconds."""

import numpy as np
import torch

from vla_control.vla.config import ModelConfig, Normalisation
from vla_control.vla.dataset import DatasetWriter, Episode, LayoutsWriter
from vla_control.vla.model import Vla

JOINTS = ('shoulder', 'elbow', 'finger')
SIZES = {
    'horizon': 4,
    'channels': (8, 8, 8),
    'keypoints': 4,
    'pooled': 2,
    'text_tokens': 1,
    'width': 32,
    'layers': 1,
    'heads': 2,
    'head_width': 32,
    'head_layers': 1,
    'head_heads': 2,
}


def tiny_config(**changes):
    fields = {'cameras': ('front', 'wrist'), 'joints': JOINTS, 'absolute': (False, False, True)}
    return ModelConfig(**{**fields, **SIZES, **changes})


def unit_normalisation(config):
    def fill(value, size):
        return (value,) * size

    n, h = config.n, config.horizon
    return Normalisation(
        state_mean=fill(0.0, n),
        state_std=fill(1.0, n),
        action_mean=fill(fill(0.0, n), h),
        action_std=fill(fill(1.0, n), h),
        landmark_mean=fill(0.0, 9),
        landmark_std=fill(1.0, 9),
        text_mean=fill(0.0, 384),
        text_std=fill(0.05, 384),
    )


def tiny_model(seed=0, **changes):
    torch.manual_seed(seed)
    config = tiny_config(**changes)
    return Vla(config, unit_normalisation(config))


def pictures(seed=0, size=96):
    rng = np.random.default_rng(seed)
    return {c: rng.integers(0, 256, (size, size, 3), dtype=np.uint8) for c in ('front', 'wrist')}


def make_episode(seed=0, steps=5, task='touch', target='red'):
    rng = np.random.default_rng(seed)
    return Episode(
        instruction=f'{task} the {target} cube',
        task=task,
        target=target,
        seed=seed,
        images={
            c: rng.integers(0, 256, (steps, 96, 96, 3), dtype=np.uint8) for c in ('front', 'wrist')
        },
        states=rng.normal(size=(steps, 3)).astype(np.float32),
        commands=rng.normal(size=(steps, 3)).astype(np.float32),
        landmarks=rng.normal(size=(steps, 3, 3)).astype(np.float32),
    )


def write_data(folder, episodes=6, scenes=20):
    with DatasetWriter(folder / 'demos', {'recipe': 'tiny'}, shard=2) as writer:
        for seed in range(episodes):
            writer.add(make_episode(seed, task=('touch', 'pick')[seed % 2]))
    rng = np.random.default_rng(0)
    with LayoutsWriter(folder / 'layouts', {'recipe': 'tiny'}, shard=8) as writer:
        for seed in range(scenes):
            writer.add(pictures(seed), rng.normal(size=3), rng.normal(size=(3, 3)), np.zeros(3))
