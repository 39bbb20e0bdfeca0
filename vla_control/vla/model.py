# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""The vision-language-action model: encoders, backbone, head and the landmark task beside it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import torch
from torch import nn, Tensor

from vla_control.vla.backbone import Backbone
from vla_control.vla.config import ModelConfig, Normalisation
from vla_control.vla.encoders import CameraEncoder, TextProjection
from vla_control.vla.heads import Guide, Head, make_head

WORDS = 128  # width of the vector that modulates vision
LANDMARKS = 9  # xyz of the named cube, the TCP and the plate


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What the encoders made of an observation."""

    tokens: Tensor  # (B, M, width) input of the backbone
    landmarks: Tensor  # (B, 9) normalised xyz of named cube, TCP, plate


class Vla(nn.Module):
    """Images, joints and a sentence embedding to a chunk of joint positions."""

    def __init__(self, config: ModelConfig, normalisation: Normalisation) -> None:
        super().__init__()
        self.config = config
        self.normalisation = normalisation
        self.text = TextProjection(config, WORDS)
        self.cameras = nn.ModuleDict({c: CameraEncoder(config, WORDS) for c in config.cameras})
        self.points = nn.ModuleDict(
            {c: nn.Linear(3 * config.keypoints, config.width) for c in config.cameras}
        )
        self.state = nn.Sequential(
            nn.Linear(config.n, config.width), nn.SiLU(), nn.Linear(config.width, config.width)
        )
        inputs = 3 * config.keypoints * len(config.cameras) + config.width
        self.locate = nn.Sequential(
            nn.Linear(inputs, config.width),
            nn.SiLU(),
            nn.Linear(config.width, config.width),
            nn.SiLU(),
        )
        self.landmarks = nn.Linear(config.width, LANDMARKS)
        self.located = nn.Linear(config.width + LANDMARKS, config.width)
        tokens = len(config.cameras) * (config.pooled + 1) + 2 + config.text_tokens
        self.backbone = Backbone(config, tokens)
        self.head = cast(nn.Module, make_head(config))
        for name, value in _buffers(normalisation).items():
            self.register_buffer(name, value, persistent=False)
        base = torch.tensor([0.0 if a else 1.0 for a in config.absolute])
        self.register_buffer('base', base, persistent=False)  # 1 where relative to the joint

    def see(self, pixels: Mapping[str, Tensor], state: Tensor, text: Tensor) -> Seen:
        """
        Encode an observation.

        :param pixels: camera -> (B, 3, 96, 96) in -1..1.
        :param state: (B, n) normalised joints.
        :param text: (B, 384) sentence embeddings, unit length.
        """
        standard = (text - self.get_buffer('text_mean')) / self.get_buffer('text_std')
        words, word_tokens = self.text(standard)
        joints = self.state(state)
        tokens, points = [], []
        for camera in self.config.cameras:
            pooled, where = self.cameras[camera](pixels[camera], words)
            tokens += [pooled, self.points[camera](where)[:, None]]
            points.append(where)
        inner = self.locate(torch.cat([*points, joints], dim=1))
        landmarks = self.landmarks(inner)
        located = self.located(torch.cat([inner, landmarks], dim=1))
        tokens += [joints[:, None], located[:, None], word_tokens]
        return Seen(tokens=torch.cat(tokens, dim=1), landmarks=landmarks)

    def action_loss(self, seen: Tensor, actions: Tensor) -> Tensor:
        """Return the loss (B,) of the head for tokens (B, M, width), actions (B, H, n)."""
        return cast(Head, self.head).loss(self.backbone(seen), actions)

    def sample(self, seen: Seen, noise: Tensor, guide: Guide | None = None) -> Tensor:
        """Return normalised actions (B, H, n) from noise (B, H, n)."""
        return cast(Head, self.head).sample(self.backbone(seen.tokens), noise, guide)

    def normalise_state(self, state: Tensor) -> Tensor:
        """Scale joints (B, n) [rad | m]."""
        return (state - self.get_buffer('state_mean')) / self.get_buffer('state_std')

    def normalise_landmarks(self, landmarks: Tensor) -> Tensor:
        """Scale landmarks (B, 9) [m]."""
        return (landmarks - self.get_buffer('landmark_mean')) / self.get_buffer('landmark_std')

    def metric_landmarks(self, landmarks: Tensor) -> Tensor:
        """Return landmarks (B, 9) in m."""
        return landmarks * self.get_buffer('landmark_std') + self.get_buffer('landmark_mean')

    def to_actions(self, positions: Tensor, state: Tensor) -> Tensor:
        """Scale positions (B, H, n), relative to the measured joints (B, n) [rad | m]."""
        relative = positions - (state * self.get_buffer('base'))[:, None]
        return (relative - self.get_buffer('action_mean')) / self.get_buffer('action_std')

    def to_positions(self, actions: Tensor, state: Tensor) -> Tensor:
        """Undo `to_actions`."""
        relative = actions * self.get_buffer('action_std') + self.get_buffer('action_mean')
        return relative + (state * self.get_buffer('base'))[:, None]


def _buffers(normalisation: Normalisation) -> dict[str, Tensor]:
    names = Normalisation.__dataclass_fields__
    return {n: torch.tensor(getattr(normalisation, n), dtype=torch.float32) for n in names}
