# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Which arguments a URDF takes; xacro itself accepts any, and leaves a misspelt one unused."""

from collections.abc import Iterable
from pathlib import Path
from xml.etree import ElementTree

from vla_control.core.config import closest, share_path
from vla_control.core.errors import ConfigError

_XACRO = '{http://www.ros.org/wiki/xacro}'


def check_urdf_args(urdf: str, args: Iterable[str], where: str) -> None:
    """
    Refuse arguments that a URDF does not declare.

    :param urdf: file in urdf/, or a path.
    :param args: names of the arguments it is to be expanded with.
    :param where: the robot's file, for messages.
    :raises ConfigError: naming the argument, the closest one and those there are.
    """
    given = list(args)
    if not given:
        return
    declared = declared_args(share_path('urdf', urdf))
    if declared is None:
        return
    for name in given:
        if name not in declared:
            raise ConfigError(
                f'{where}.urdf_args: {urdf} has no argument {name!r}{closest(name, declared)}; '
                f'its xacro:arg names are {declared}'
            )


def declared_args(path: Path) -> list[str] | None:
    """
    Return the ``xacro:arg`` names of a file and of what it includes.

    :returns: None where an included file is only known once the file is expanded.
    :raises ConfigError: when a file cannot be read.
    """
    try:
        root = ElementTree.parse(path).getroot()  # noqa: S314  a file of the robot, as trusted as its limits
    except (OSError, ElementTree.ParseError) as error:
        raise ConfigError(f'cannot read {path}: {error}') from error
    found = {arg.get('name', '') for arg in root.iter(f'{_XACRO}arg')}
    for include in root.iter(f'{_XACRO}include'):
        file = path.parent / include.get('filename', '')
        more = declared_args(file) if file.is_file() else None
        if more is None:
            return None
        found |= set(more)
    return sorted(found)
