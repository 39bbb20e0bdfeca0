# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Figures watched in training: where the named cube is seen, and how far chunks are off."""

import numpy as np
import torch
from torch import Tensor

from vla_control.vla.batches import Batch, Sampler
from vla_control.vla.model import Vla

BATCH = 64


def batch_losses(
    model: Vla, batch: Batch, state_noise: float = 0.0, *, clone: bool = True
) -> tuple[Tensor, Tensor]:
    """
    Return the mean action loss and the mean landmark loss of a batch.

    :param state_noise: in standard deviations of the joints, on what the network sees.
    :param clone: False for the landmark loss alone, without running the backbone.
    """
    states = model.normalise_state(batch.states)
    if state_noise > 0.0:
        states = states + state_noise * torch.randn_like(states)
    seen = model.see(batch.pixels, states, batch.text)
    labelled = ~batch.landmarks.isnan()
    error = seen.landmarks - model.normalise_landmarks(batch.landmarks)
    landmark = torch.where(labelled, error, 0.0).square().sum() / labelled.sum()
    demos = len(batch.positions)
    if not demos or not clone:
        return landmark.new_zeros(()), landmark
    actions = model.to_actions(batch.positions, batch.states[:demos])
    return model.action_loss(seen.tokens[:demos], actions).mean(), landmark


@torch.inference_mode()
def grounding(model: Vla, sampler: Sampler, scenes: int) -> dict[str, float]:
    """
    Measure on the first still layouts how well the named cube is found.

    :returns: ``right`` share where the named cube is nearest to the prediction, ``cube_mm``
        median error in the plane.
    """
    rng = np.random.default_rng(0)
    errors, right = [], []
    for start in range(0, scenes, BATCH):
        rows = np.arange(start, min(start + BATCH, scenes))
        batch = sampler.draw(rng, [], rows, vary=False)
        seen = model.see(batch.pixels, model.normalise_state(batch.states), batch.text)
        found = model.metric_landmarks(seen.landmarks)[:, :2]
        named = batch.landmarks[:, :2]
        cubes = torch.from_numpy(sampler.layouts.cubes[rows][:, :, :2])
        distances = (cubes - found[:, None]).norm(dim=2)
        own = (found - named).norm(dim=1)
        errors.append(own)
        right.append(own <= distances.min(dim=1).values + 1e-6)
    return {
        'right': round(float(torch.cat(right).float().mean()), 4),
        'cube_mm': round(float(torch.cat(errors).median()) * 1e3, 2),
    }


@torch.inference_mode()
def imitation(model: Vla, sampler: Sampler, frames: int) -> dict[str, float]:
    """
    Measure on frames of held-out demonstrations how far sampled chunks are from the expert.

    :returns: ``flow`` and ``landmark`` losses, ``arm_mrad`` mean absolute error of the first
        four steps and ``finger_mm`` of the gripper.
    """
    rng = np.random.default_rng(0)
    picked = np.linspace(0, len(sampler.demos) - 1, frames).astype(np.int64)
    generator = torch.Generator().manual_seed(0)
    absolute = torch.tensor(model.config.absolute)
    sums = np.zeros(4)
    for rows in np.array_split(picked, max(1, frames // BATCH)):
        batch = sampler.draw(rng, rows, [], vary=False)
        with torch.random.fork_rng():
            torch.manual_seed(0)
            flow, landmark = batch_losses(model, batch)
        seen = model.see(batch.pixels, model.normalise_state(batch.states), batch.text)
        noise = torch.randn(batch.positions.shape, generator=generator)
        error = model.to_positions(model.sample(seen, noise), batch.states) - batch.positions
        error = error[:, :4].abs()
        arm = float(error[:, :, ~absolute].mean()) * 1e3
        finger = float(error[:, :, absolute].mean()) * 1e3 if absolute.any() else 0.0
        sums += np.array([float(flow), float(landmark), arm, finger]) * len(rows) / frames
    names = ('flow', 'landmark', 'arm_mrad', 'finger_mm')
    return {name: round(float(value), 4) for name, value in zip(names, sums, strict=True)}
