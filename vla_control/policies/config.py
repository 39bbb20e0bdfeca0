# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""What a policy is and how it is run; one YAML per policy."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vla_control.actions.blend import BlendConfig
from vla_control.core.config import find_config, load_yaml, parse, share_path
from vla_control.core.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyConfig:
    """One policy by the name users know it by."""

    name: str
    kind: str  # builtin, hold, replay or wave
    title: str = ''  # for people
    rate: float = 5.0  # [Hz] most requests
    deadline: float = 1.0  # [s] for one answer
    tasks: tuple[str, ...] = ()  # of config/tasks.yaml it was trained on
    blend: BlendConfig = field(default_factory=BlendConfig)
    options: dict[str, Any] = field(default_factory=dict)  # checked by the kind


def policy_of(robot: str) -> str:
    """Return the name of a robot's own trained policy."""
    return f'{Path(robot).stem}_vla'


def load_policy_config(name: str) -> PolicyConfig:
    """
    Load a policy's configuration by name, or from a user's own YAML file.

    :raises ConfigError: naming the key path, or the policies there are.
    """
    path = find_config('policies', name)
    config = parse(PolicyConfig, load_yaml(path), path.name)
    for key, value in (('rate', config.rate), ('deadline', config.deadline)):
        if value <= 0.0:
            raise ConfigError(f'{path.name}.{key} is {value}, must be > 0')
    return config


def locate(policy: str, file: str) -> Path:
    """
    Return where a file named in a policy's options is.

    An absolute path is taken as it is; else beside the YAML file of the policy, else among the
    files of the package. The path returned may not exist; its reader says so best.

    :param policy: name or YAML file of the policy.
    """
    path = Path(file).expanduser()
    if path.is_absolute():
        return path
    beside = find_config('policies', policy).parent / path
    if beside.exists():
        return beside
    return share_path('config').parent / path
