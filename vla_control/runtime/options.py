# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""What a user chooses about a graph, as launch arguments or on the command line."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from vla_control.core.errors import ConfigError
from vla_control.runtime.parameters import check_names, PARAMETERS, Value

HARDWARE = ('real', 'sim', 'mock')
REQUIRE_ENABLE = ('auto', 'true', 'false')
LOG_LEVELS = ('debug', 'info', 'warn', 'error', 'fatal')
_DESCRIPTIONS = {
    'robot': 'name in config/robots, or a YAML file; several with commas between',
    'hardware': 'real motors, simulated motors on the same bus, or an ideal mirror',
    'policy': 'name in config/policies, or a YAML file',
    'teleop': 'name in config/teleop: a leader arm moved by hand instead of the policy',
    'instruction': 'what to do, until the instruction topic says otherwise',
    'cameras': 'names in config/cameras with commas between; empty takes those of the robot',
    'namespace': 'of every node; two with a comma between start two robots',
    'launch_rviz': 'show the robot in rviz2',
    'rviz_config': 'file for rviz2; empty takes config/vla_control.rviz',
    'use_sim_time': 'follow /clock, as when playing a recording; refused on real hardware',
    'autostart': 'configure and activate every node',
    'resume': 'follow chunks without waiting for driver_node/resume; refused on real hardware',
    'require_enable': 'move only while the topic enable says true; auto: on real hardware',
    'shadow': 'only compare what the policy asks for with what the arm does; nothing moves',
    'log_level': 'least severity of the messages that are shown',
    'params_file': 'YAML with parameters that override all others',
}
_PER_ROBOT = ('robot', 'policy', 'teleop')
_RENAMED = {'launch_rviz': 'rviz'}
_CHOICES = {
    'hardware': HARDWARE,
    'require_enable': REQUIRE_ENABLE,
    'log_level': LOG_LEVELS,
    **dict.fromkeys(
        ('launch_rviz', 'use_sim_time', 'autostart', 'resume', 'shadow'), ('true', 'false')
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphOptions:
    """What a user chooses."""

    robot: str = 'openarm'
    hardware: str = 'sim'  # one of HARDWARE
    policy: str = 'hold'
    teleop: str = ''  # in config/teleop, leads instead of the policy; empty: none
    instruction: str = ''
    cameras: tuple[str, ...] = ()  # empty: those of the robot
    namespace: str = ''
    autostart: bool = True
    resume: bool = False  # follow chunks at once; simulation and mock only
    require_enable: str = 'auto'  # one of REQUIRE_ENABLE
    shadow: bool = False  # chunks are only compared; nothing moves
    use_sim_time: bool = False
    rviz: bool = False
    rviz_config: str = ''
    log_level: str = 'info'  # one of LOG_LEVELS
    params_file: str = ''
    robot_state_publisher: bool = True  # False where ROS is not installed system-wide
    overrides: Mapping[str, Mapping[str, Value]] = field(default_factory=dict)  # by executable

    @classmethod
    def from_text(cls, given: Mapping[str, str]) -> Self:
        """
        Read launch arguments.

        :raises ConfigError: naming the argument that is unknown or no true or false.
        """
        values: dict[str, Any] = {}
        for name, text in given.items():
            field_name = _RENAMED.get(name, name)
            default = cls.__dataclass_fields__.get(field_name)
            if default is None:
                raise ConfigError(f'no option {name!r}; there are {list(_DESCRIPTIONS)}')
            if name == 'cameras':
                values[field_name] = tuple(c.strip() for c in text.split(',') if c.strip())
            elif isinstance(default.default, bool):
                if text.lower() not in ('true', 'false'):
                    raise ConfigError(f'{name}:={text}; must be true or false')
                values[field_name] = text.lower() == 'true'
            else:
                values[field_name] = text
        return cls(**values)

    def check(self) -> None:
        """
        Refuse choices that are unknown or exclude each other.

        :raises ConfigError: saying what would be right.
        """
        for name, given, choices in (
            ('hardware', self.hardware, HARDWARE),
            ('require_enable', self.require_enable, REQUIRE_ENABLE),
            ('log_level', self.log_level, LOG_LEVELS),
        ):
            if given not in choices:
                raise ConfigError(f'{name} {given!r}; choose one of {list(choices)}')
        if self.hardware == 'real' and self.resume:
            raise ConfigError(
                'real hardware never starts to move by itself; leave `resume` off and call the '
                'service driver_node/resume when the robot is clear'
            )
        if self.shadow and self.resume:
            raise ConfigError('shadow mode moves nothing; leave `resume` off, or `shadow`')
        if self.shadow and self.teleop:
            raise ConfigError('shadow mode compares a policy; leave `teleop` off, or `shadow`')
        if self.hardware == 'real' and self.use_sim_time:
            raise ConfigError(
                'use_sim_time cannot drive real motors; leave it off with hardware real'
            )
        if self.params_file and not Path(self.params_file).is_file():
            raise ConfigError(f'params_file {self.params_file} is not a file')
        for executable, values in self.overrides.items():
            if executable not in PARAMETERS:
                raise ConfigError(
                    f'no node {executable!r}; overrides may name {sorted(PARAMETERS)}'
                )
            check_names(executable, list(values))


def fleet(given: Mapping[str, str]) -> tuple[GraphOptions, ...]:
    """
    Read launch arguments for one robot, or for several in namespaces of their own.

    ``robot``, ``policy`` and ``namespace`` may hold several values with commas between; there
    are as many robots as namespaces, and a single robot or policy is that of all of them.

    :raises ConfigError: naming the argument whose values do not match the namespaces.
    """
    spaces = _values(given.get('namespace', ''))
    if len(spaces) < 2:
        _refuse_lists(given)
        return (GraphOptions.from_text(given),)
    if '' in spaces or len(set(spaces)) < len(spaces):
        raise ConfigError(f'namespace:={given["namespace"]}; every robot needs one of its own')
    found = []
    for index, space in enumerate(spaces):
        own = {**given, 'namespace': space}
        for name in _PER_ROBOT:
            values = _values(given[name]) if name in given else ()
            if len(values) not in (0, 1, len(spaces)):
                raise ConfigError(
                    f'{name}:={given[name]} has {len(values)} values for the {len(spaces)} '
                    f'namespaces {list(spaces)}; give one for all, or one for each'
                )
            if len(values) > 1:
                own[name] = values[index]
        found.append(GraphOptions.from_text(own))
    return tuple(found)


def _values(text: str) -> tuple[str, ...]:
    return tuple(value.strip() for value in text.split(','))


def _refuse_lists(given: Mapping[str, str]) -> None:
    for name in _PER_ROBOT:
        if ',' in given.get(name, ''):
            raise ConfigError(
                f'{name}:={given[name]} are several; give each robot its own namespace, such as '
                'namespace:=left_cell,right_cell'
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Argument:
    """One launch argument; all values are text."""

    name: str
    default: str
    description: str
    choices: tuple[str, ...] | None = None


def launch_arguments() -> tuple[Argument, ...]:
    """Return the arguments of bringup.launch.py."""
    found = []
    for name, description in _DESCRIPTIONS.items():
        default = getattr(GraphOptions(), _RENAMED.get(name, name))
        text = str(default).lower() if isinstance(default, bool) else default or ''
        found.append(
            Argument(name=name, default=text, description=description, choices=_CHOICES.get(name))
        )
    return tuple(found)
