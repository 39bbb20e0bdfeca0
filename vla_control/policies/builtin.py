# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Our own vision-language-action model as a policy."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from vla_control.core.errors import PolicyError
from vla_control.core.messages import ActionChunk, Floats, frozen_floats, Observation, Pixels
from vla_control.core.protocols import PolicyDescription
from vla_control.core.rtc import Continued, RtcConfig, soft_mask
from vla_control.core.spec import RobotSpec
from vla_control.policies.checks import check_observation, measured_positions
from vla_control.policies.transforms import AreaResize, JointMap

NOISE_SEED = 1  # of what is drawn after each reset, so that a run can be repeated


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltinOptions:
    """Where the model is, and how it is sampled."""

    weights: str  # safetensors, beside the policy's YAML file, in the package, or absolute
    fresh_noise: bool = False  # draw it anew for every chunk; otherwise always the same


class ModelShape(Protocol):
    """What the weights file says of the model."""

    @property
    def cameras(self) -> tuple[str, ...]:
        """Names of the cameras it was trained with."""

    @property
    def joints(self) -> tuple[str, ...]:
        """Names (n,) of the joints it reads and commands."""

    @property
    def dt(self) -> float:
        """Time between chunk steps [s]."""

    @property
    def horizon(self) -> int:
        """Steps in a chunk."""

    @property
    def pixels(self) -> int:
        """Rows and columns it sees [px]."""


class Model(Protocol):
    """The part of the model a policy uses."""

    @property
    def config(self) -> ModelShape:
        """What it needs and gives."""

    def plan(
        self,
        images: Mapping[str, Pixels],
        state: Floats,
        instruction: str,
        *,
        rng: np.random.Generator | None = None,
        continued: Continued | None = None,
    ) -> Floats:
        """Return joint positions (H, n) from pictures, joints (n,), words, a motion going on."""


class BuiltinPolicy:
    """Turns observations into what the model takes, and its numbers into a chunk."""

    def __init__(
        self,
        spec: RobotSpec,
        model: Model,
        rtc: RtcConfig | None = None,
        *,
        fresh_noise: bool = False,
    ) -> None:
        """
        Take a model into service on a robot.

        :param rtc: how it continues a prefix; a prefix is ignored if None.
        :raises PolicyError: when it was trained on other joints.
        """
        shape = model.config
        if set(shape.joints) != set(spec.names):
            raise PolicyError(
                f'the model was trained on the joints {list(shape.joints)}, {spec.name} has '
                f'{list(spec.names)}; choose weights of this robot, or train them'
            )
        self._model = model
        self._rtc = rtc
        self._fresh_noise = fresh_noise
        self.reset()
        self._resize = AreaResize(rows=shape.pixels, columns=shape.pixels)
        self._description = PolicyDescription(
            cameras=dict.fromkeys(shape.cameras, (shape.pixels, shape.pixels)),
            joints=shape.joints,
            dt=shape.dt,
            horizon=shape.horizon,
            instruction=True,
        )

    def describe(self) -> PolicyDescription:
        """Return what it needs and gives."""
        return self._description

    def infer(self, observation: Observation, prefix: ActionChunk | None) -> ActionChunk:
        """Run the model; with real-time chunking it continues the prefix."""
        check_observation(self._description, observation)
        images = {
            name: self._resize.apply(observation.images[name].pixels)
            for name in self._description.cameras
        }
        state = measured_positions(observation, self._description.joints)
        positions = self._model.plan(
            images,
            state,
            observation.instruction,
            rng=self._rng,
            continued=self._continued(prefix),
        )
        return ActionChunk(
            stamp=observation.stamp,
            dt=self._description.dt,
            joints=self._description.joints,
            positions=frozen_floats(positions),
        )

    def reset(self) -> None:
        """
        Begin the noise anew; besides it the model knows only the present.

        One fixed draw keeps successive chunks alike, but where its chunk hovers, late answers
        hover for ever: at 300 ms of delay 0 of 30 cubes were picked, with fresh noise 10 of 12.
        Real-time chunking keeps them alike by itself.
        """
        self._rng = np.random.default_rng(NOISE_SEED) if self._fresh_noise else None

    def _continued(self, prefix: ActionChunk | None) -> Continued | None:
        if self._rtc is None or prefix is None:
            return None
        joints = JointMap(source=prefix.joints, target=self._description.joints)
        overlap = round(self._rtc.overlap / self._description.dt)
        return Continued(
            positions=joints.apply(prefix.positions),
            weights=soft_mask(len(prefix.positions), prefix.committed, overlap),
            config=self._rtc,
        )


def load_model(weights: Path) -> Model:
    """
    Load the model of a weights file.

    :raises PolicyError: when torch or the weights are missing; says what to run.
    """
    try:
        # Only the process that runs this policy pays for torch.
        from vla_control.vla.inference import VlaModel
    except ModuleNotFoundError as error:
        raise PolicyError(
            f'the built-in policy needs {error.name}, which is not installed; run '
            f'`pip install {error.name}`'
        ) from error
    if not weights.is_file():
        raise PolicyError(
            f'no weights at {weights}; run `vla-control train` to make them, or set '
            'options.weights in the YAML file of the policy'
        )
    return VlaModel.load(weights)
