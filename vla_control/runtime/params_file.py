# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Checks a user's parameter file before anything starts: ROS itself ignores what fits no node."""

from collections.abc import Iterator, Mapping
from pathlib import Path
import re
from typing import Any

from vla_control.core.config import available, closest, load_yaml
from vla_control.core.errors import ConfigError
from vla_control.runtime.parameters import BUILT_IN, Parameter, PARAMETERS
from vla_control.runtime.topics import CAMERA

KEY = 'ros__parameters'
TOOLS = ('robot_state_publisher', 'rviz2')  # whose parameters are their own business


def check_params_file(path: Path, nodes: Mapping[str, str]) -> None:
    """
    Refuse sections that are of no node and parameters that their node does not declare.

    A section that finds its node by wildcards may be of a node that other graphs have, such as
    the simulation's: one file serves simulated and real robots.

    :param nodes: executable by namespace and name, such as ``left/driver_node``, of all nodes
        that are started together.
    :raises ConfigError: naming the file, the section or parameter, and the closest one.
    """
    for section, parameters in _sections(path, load_yaml(path), ''):
        where = f'{path.name}: {section}'
        executables = _addressed(section, nodes)
        if not executables:
            raise ConfigError(_unknown(path, section, nodes))
        if executables <= set(TOOLS):
            continue
        tables = [PARAMETERS[e] for e in sorted(executables) if e in PARAMETERS]
        for name, value in _flat(parameters, ''):
            if not name.startswith(BUILT_IN):
                _check(name, value, [p for table in tables for p in table], where)


def _sections(
    path: Path, content: Mapping[Any, Any], prefix: str
) -> Iterator[tuple[str, Mapping[Any, Any]]]:
    """Yield the full node name of every section, nested namespaces spelt out."""
    for key, value in content.items():
        name = f'{prefix}/{str(key).strip("/")}'
        if not isinstance(value, Mapping):
            raise ConfigError(
                f'{path.name}: {name} is {value!r}; parameters are given as '
                f'`{name}: {{{KEY}: {{<parameter>: <value>}}}}`'
            )
        if KEY not in value:
            yield from _sections(path, value, name)
            continue
        parameters = value[KEY] or {}
        if set(value) != {KEY} or not isinstance(parameters, Mapping):
            raise ConfigError(
                f'{path.name}: {name} must hold {KEY} and nothing beside it, and that a mapping '
                f'of parameters; it holds {dict(value)}'
            )
        yield name, parameters


def _addressed(section: str, nodes: Mapping[str, str]) -> set[str]:
    """Return the executables a section speaks to, those of other graphs after a wildcard."""
    pattern = re.compile(''.join(_expression(token) for token in section.split('/')[1:]))
    found = {e for path, e in nodes.items() if pattern.fullmatch(f'/{path}')}
    space, _, name = section.rpartition('/')
    if '*' in name:  # whoever is there, in this graph or another
        return {*PARAMETERS, *TOOLS} if found or '*' in space or not space else set()
    if not found and '*' in space:
        known = _known()
        return {known[name]} if name in known else set()
    return found


def _expression(token: str) -> str:
    return {'**': r'(/\w+)*', '*': r'/\w+'}.get(token, f'/{re.escape(token)}')


def _known() -> dict[str, str]:
    """Return executable by name of every node that a graph may have."""
    own = {e: e for e in (*PARAMETERS, *TOOLS) if e != CAMERA}
    return own | {f'camera_{name}': CAMERA for name in available('cameras')}


def _unknown(path: Path, section: str, nodes: Mapping[str, str]) -> str:
    name = section.rpartition('/')[2]
    names = sorted({p.rpartition('/')[2] for p in nodes})
    hint = closest(name, names)
    if name in names:
        hint = f'; write /**/{name} to address it in any namespace'
    return f'{path.name}: no node {section!r}{hint}; there are {sorted(nodes)}'


def _flat(parameters: Mapping[Any, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    """Yield names with dots, as ROS sees nested mappings."""
    for key, value in parameters.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f'{prefix}{key}.')
        else:
            yield f'{prefix}{key}', value


def _check(name: str, value: Any, declared: list[Parameter], where: str) -> None:
    """Refuse a name that none of the nodes declares, or a value that none of them takes."""
    same = [p for p in declared if p.name == name]
    if not same:
        names = sorted({p.name for p in declared})
        raise ConfigError(
            f'{where}: unknown parameter {name!r}{closest(name, names)}; there are {names}'
        )
    problems = []
    for parameter in same:
        try:
            parameter.check(value, where)
        except ConfigError as error:
            problems.append(error)
    if len(problems) == len(same):
        raise problems[0]
