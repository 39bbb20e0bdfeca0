# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""AdamW with averaged gradients between processes, a cosine over progress, a moving average."""

from collections.abc import Mapping
import json
import math
from pathlib import Path
from typing import Any, Self

import torch
from torch import distributed, Tensor

from vla_control.core.errors import PolicyError
from vla_control.vla.checkpoint import read_tensors, write_tensors
from vla_control.vla.model import Vla

WARM_UP = 200  # steps to the full learning rate
LAST_RATE = 0.01  # share of the learning rate at the end
CLIP = 1.0  # largest norm of the gradient
DECAY = 1e-4  # of the weights
BETAS = (0.9, 0.95)
MEMORY = 0.999  # of the moving average, once it is warm
STILL = ('backbone.', 'head.', 'located.')  # what grounding leaves alone


class Optimiser:
    """One stage of optimisation, in step with the other processes."""

    def __init__(self, model: Vla, rate: float, processes: int, *, clone: bool) -> None:
        """
        Prepare a stage.

        :param rate: largest learning rate.
        :param processes: whose gradients are averaged.
        :param clone: whether backbone and head are trained too.
        """
        self._model, self._rate, self._processes = model, rate, processes
        named: dict[str, torch.nn.Parameter] = dict(model.named_parameters())
        self._trained = [p for n, p in named.items() if clone or not n.startswith(STILL)]
        self._adam = torch.optim.AdamW(self._trained, rate, BETAS, weight_decay=DECAY, fused=True)
        self.average = {n: p.detach().clone() for n, p in named.items()}
        self.iteration = 0
        self.minutes = 0.0  # [min] of wall time in this stage
        self.progress = 0.0  # 0..1

    def step(self, lap: float, minutes: float, iterations: int) -> float:
        """
        Average the gradients, update, and advance; return the averaged lap.

        :param lap: [min] wall time since the last call.
        :param minutes: [min] length of the stage.
        :param iterations: length of the stage where it is not 0, which makes it deterministic.
        """
        lap = self._average_gradients(lap)
        torch.nn.utils.clip_grad_norm_(self._trained, CLIP)
        warm = min(1.0, (self.iteration + 1) / WARM_UP)
        cosine = 0.5 * (1.0 + math.cos(math.pi * min(1.0, self.progress)))
        self._adam.param_groups[0]['lr'] = self._rate * warm * max(LAST_RATE, cosine)
        self._adam.step()
        self._adam.zero_grad(set_to_none=True)
        self.iteration += 1
        self.minutes += lap
        self.progress = self.iteration / iterations if iterations else self.minutes / minutes
        keep = min(MEMORY, (1.0 + self.iteration) / (10.0 + self.iteration))
        torch._foreach_lerp_(
            list(self.average.values()),
            [p.detach() for p in self._model.parameters()],
            1.0 - keep,
        )
        return lap

    def adopt_average(self) -> None:
        """Make the moving average the weights of the model."""
        self._model.load_state_dict(self.average)

    def save(self, path: Path, metadata: Mapping[str, Any]) -> None:
        """Write weights, moving average and moments."""
        tensors: dict[str, Tensor] = {f'model.{n}': p for n, p in self._model.named_parameters()}
        tensors |= {f'average.{n}': t for n, t in self.average.items()}
        for i, p in enumerate(self._trained):
            for key, value in self._adam.state[p].items():
                tensors[f'adam.{i}.{key}'] = value
        own = {
            'iteration': self.iteration,
            'minutes': self.minutes,
            'progress': self.progress,
        }
        write_tensors(path, tensors, {'state': json.dumps({**metadata, 'optimiser': own})})

    def load(self, path: Path) -> Self:
        """
        Go on from what `save` wrote.

        :raises PolicyError: when it belongs to another model or stage.
        """
        tensors, metadata = read_tensors(path)
        own = json.loads(metadata['state'])['optimiser']
        try:
            self._model.load_state_dict(_named(tensors, 'model.'))
            for i, p in enumerate(self._trained):
                self._adam.state[p] = _named(tensors, f'adam.{i}.')
        except RuntimeError as error:
            raise PolicyError(f'{path} is of another model; use another folder') from error
        average = _named(tensors, 'average.')
        self.average = {n: average[n] for n in self.average}  # the file has an order of its own
        self.iteration, self.minutes = own['iteration'], own['minutes']
        self.progress = own['progress']
        return self

    def _average_gradients(self, lap: float) -> float:
        if self._processes == 1:
            return lap
        gradients = [p.grad if p.grad is not None else torch.zeros_like(p) for p in self._trained]
        flat = torch.cat([g.flatten() for g in gradients] + [torch.tensor([lap])])
        distributed.all_reduce(flat)
        flat /= self._processes
        end = 0
        for p in self._trained:
            p.grad = flat[end : end + p.numel()].view_as(p)
            end += p.numel()
        return float(flat[-1])


def read_state(path: Path) -> dict[str, Any]:
    """Return the metadata `Optimiser.save` was given."""
    content: dict[str, Any] = json.loads(read_tensors(path)[1]['state'])
    return content


def _named(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}
