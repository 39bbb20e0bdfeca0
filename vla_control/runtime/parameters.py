# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Every parameter of every node: its default, meaning and range."""

from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from vla_control.core.errors import ConfigError

Value = bool | int | float | str | tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One parameter; all are read once, when the node is configured."""

    name: str
    default: Value
    description: str
    lower: float | None = None
    upper: float | None = None
    choices: tuple[str, ...] = ()

    def check(self, given: Any, node: str) -> Value:
        """
        Return the value in the type of the default, or refuse it.

        :raises ConfigError: naming the parameter, the value and what would be right.
        """
        kind: Any = type(self.default)
        if kind is tuple and isinstance(given, (list, tuple)):
            return tuple(str(v) for v in given if v != '')
        value: Any = float(given) if kind is float and type(given) is int else given
        if type(given) is bool and str(given).lower() in self.choices:
            value = str(given).lower()  # YAML reads true and false as no text
        if type(value) is not kind:
            raise ConfigError(
                f'{node}: parameter {self.name} must be {kind.__name__}, got {value!r}'
            )
        if self.choices and value not in self.choices:
            raise ConfigError(
                f'{node}: parameter {self.name} is {value!r}; choose one of {list(self.choices)}'
            )
        low, high = self.lower, self.upper
        if low is not None and high is not None and not low <= value <= high:
            raise ConfigError(
                f'{node}: parameter {self.name} is {value!r}, outside [{low}, {high}]'
            )
        checked: Value = value
        return checked


AUTOSTART = Parameter(
    name='autostart',
    default=False,
    description='configure and activate without being told; launch does both itself',
)
ROBOT = Parameter(
    name='robot', default='openarm', description='name in config/robots, or a YAML file'
)
CAMERAS = Parameter(
    name='cameras', default=(), description='camera names; empty takes those of the robot'
)

SHADOW = Parameter(
    name='shadow',
    default=False,
    description='chunks are only compared: the policy is asked while the driver holds, and the '
    'driver never resumes',
)
HURRY = Parameter(
    name='realtime_priority',
    default=25,
    description='SCHED_FIFO priority of the process, 0 to not ask for it; below the loops',
    lower=0,
    upper=49,
)

PARAMETERS: dict[str, tuple[Parameter, ...]] = {
    'camera_node': (
        AUTOSTART,
        ROBOT,
        Parameter(
            name='camera', default='front', description='name in config/cameras, or a YAML file'
        ),
        Parameter(
            name='hardware',
            default='real',
            description='real opens the device, sim the simulated camera, mock draws a pattern',
            choices=('real', 'sim', 'mock'),
        ),
        HURRY,
    ),
    'policy_node': (
        AUTOSTART,
        ROBOT,
        CAMERAS,
        Parameter(
            name='policy', default='hold', description='name in config/policies, or a YAML file'
        ),
        Parameter(
            name='instruction',
            default='',
            description='what to do, until the instruction topic says otherwise',
        ),
        Parameter(
            name='rate',
            default=0.0,
            description='[Hz] most requests to the policy, 0 for its own rate',
            lower=0.0,
            upper=100.0,
        ),
        Parameter(name='running', default=True, description='ask the policy as soon as active'),
        SHADOW,
        Parameter(
            name='restarts',
            default=3,
            description='times a dead policy process is started again before giving up',
            lower=0,
            upper=100,
        ),
        HURRY,
    ),
    'leader_node': (
        AUTOSTART,
        ROBOT,
        Parameter(
            name='teleop',
            default='dk1_leader',
            description='name in config/teleop, or a YAML file',
        ),
        Parameter(
            name='hardware',
            default='sim',
            description='real opens the leader arm, sim and mock one that sways by itself',
            choices=('real', 'sim', 'mock'),
        ),
        HURRY,
    ),
    'interpolator_node': (
        AUTOSTART,
        ROBOT,
        Parameter(
            name='policy',
            default='hold',
            description='whose configuration says how its chunks are blended',
        ),
        Parameter(
            name='blend',
            default='',
            description='blend method instead of that of the policy; empty keeps it',
            choices=('', 'splice', 'ensemble', 'replace'),
        ),
        Parameter(
            name='lead',
            default=0.5,
            description='[control periods] references are published ahead of their instant; more '
            'where the driver runs on another machine',
            lower=0.0,
            upper=10.0,
        ),
        Parameter(
            name='realtime_priority',
            default=70,
            description='SCHED_FIFO priority of the loop, 0 to not ask for it',
            lower=0,
            upper=99,
        ),
    ),
    'shadow_node': (
        AUTOSTART,
        ROBOT,
        Parameter(
            name='policy',
            default='hold',
            description='whose configuration says how its chunks are blended',
        ),
    ),
    'driver_node': (
        AUTOSTART,
        ROBOT,
        SHADOW,
        Parameter(
            name='hardware',
            default='sim',
            description='real motors, simulated motors on the same bus, or an ideal mirror',
            choices=('real', 'sim', 'mock'),
        ),
        Parameter(
            name='resume_on_activate',
            default=False,
            description='follow chunks without waiting for ~/resume; refused on real hardware',
        ),
        Parameter(
            name='require_enable',
            default='auto',
            description='move only while the topic enable says true, 20 times a second or more; '
            'auto asks for it on real hardware',
            choices=('auto', 'true', 'false'),
        ),
        Parameter(
            name='state_rate',
            default=100.0,
            description='[Hz] of joint_states and commanded_joint_states',
            lower=1.0,
            upper=250.0,
        ),
        Parameter(
            name='realtime_priority',
            default=80,
            description='SCHED_FIFO priority of the loop, 0 to not ask for it',
            lower=0,
            upper=99,
        ),
        Parameter(
            name='publish_description',
            default=False,
            description='publish robot_description where no robot_state_publisher does',
        ),
        Parameter(
            name='log', default='', description='.npz file every tick is written to at the end'
        ),
    ),
    'sim_node': (
        AUTOSTART,
        ROBOT,
        CAMERAS,
        Parameter(
            name='instruction', default='', description='task that is judged, until told otherwise'
        ),
        Parameter(
            name='seed',
            default=0,
            description='of the first layout; each reset takes the next',
            lower=0,
            upper=2**31 - 1,
        ),
        Parameter(
            name='trace', default='', description='.npz file the motion is written to at the end'
        ),
        Parameter(
            name='trace_rate',
            default=30.0,
            description='[Hz] of the trace',
            lower=1.0,
            upper=250.0,
        ),
        Parameter(
            name='realtime_priority',
            default=60,
            description='SCHED_FIFO priority of physics, 0 to not ask for it',
            lower=0,
            upper=99,
        ),
    ),
}

# What rclpy declares or reads by itself.
BUILT_IN = ('use_sim_time', 'qos_overrides.', 'start_type_description_service')


def check_names(executable: str, given: 'list[str]') -> None:
    """
    Refuse a name that no node of ours knows.

    A wildcard in a parameter file addresses every node at once, so a name of another node is
    let through.

    :raises ConfigError: naming it and the closest one of this node.
    """
    own = [p.name for p in PARAMETERS[executable]]
    known = {p.name for table in PARAMETERS.values() for p in table}
    for name in given:
        if name in known or name.startswith(BUILT_IN):
            continue
        match = get_close_matches(name, own, n=1, cutoff=0.5) or get_close_matches(
            name, sorted(known), n=1, cutoff=0.5
        )
        hint = f' (did you mean {match[0]!r}?)' if match else ''
        raise ConfigError(f'{executable}: unknown parameter {name!r}{hint}; it has {own}')
