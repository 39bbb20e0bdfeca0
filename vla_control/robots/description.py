# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
The URDF text of a robot.

Apart from dynamics.py, for `ros2 launch` runs in the system's Python: it needs this and has xacro,
but not what physics and policies need.
"""

from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree

import xacro

from vla_control.core.config import share_path
from vla_control.core.errors import ConfigError
from vla_control.core.spec import RobotSpec


def load_urdf(path: Path, args: Mapping[str, str]) -> str:
    """
    Expand a xacro file.

    :param path: the ``.urdf.xacro`` file.
    :param args: its arguments.
    :returns: the URDF text.
    :raises ConfigError: when the file cannot be expanded.
    """
    try:
        return str(xacro.process_file(str(path), mappings=dict(args)).toxml())
    except (xacro.XacroException, OSError) as error:
        raise ConfigError(f'cannot expand {path} with {dict(args)}: {error}') from error


def robot_urdf(spec: RobotSpec) -> str:
    """Return the URDF text of a robot."""
    return load_urdf(share_path('urdf', spec.urdf), spec.urdf_args)


def root_link(urdf: str) -> str:
    """
    Return the link of a URDF that is nobody's child.

    :raises ConfigError: when there is not exactly one.
    """
    robot = ElementTree.fromstring(urdf)  # noqa: S314  our own file, expanded by us
    links = {link.attrib['name'] for link in robot.findall('link')}
    children = {c.attrib['link'] for c in robot.findall('joint/child')}
    roots = sorted(links - children)
    if len(roots) != 1:
        raise ConfigError(f'a robot has one root link, this URDF has {roots}')
    return roots[0]
