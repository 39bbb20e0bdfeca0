# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""From a node's description to the command line that starts it."""

import os
from pathlib import Path
import sys
from typing import Any

import yaml

from vla_control.runtime.wiring import NodeSpec


def node_command(spec: NodeSpec, folder: Path) -> list[str]:
    """
    Return the command line of a node, its parameters in a file.

    :param folder: where the file is written.
    """
    values = {k: (list(v) or ['']) if isinstance(v, tuple) else v for k, v in _parameters(spec)}
    file = folder / f'{file_name(spec)}.yaml'
    content: dict[str, Any] = {'/**': {'ros__parameters': values}}
    file.write_text(yaml.safe_dump(content, width=10**6))
    if spec.package == 'vla_control':
        command = [sys.executable, '-m', f'vla_control.nodes.{spec.executable}']
    else:
        command = [installed(spec.package, spec.executable)]
    command += [*spec.arguments, '--ros-args', '-r', f'__node:={spec.name}']
    if spec.namespace:
        command += ['-r', f'__ns:=/{spec.namespace.strip("/")}']
    for old, new in spec.remappings:
        command += ['-r', f'{old}:={new}']
    command += ['--params-file', str(file)]
    if spec.params_file:
        command += ['--params-file', spec.params_file]
    return [*command, '--log-level', spec.log_level]


def installed(package: str, executable: str) -> str:
    """Return the path of a ROS executable, empty where it is not installed."""
    for prefix in os.environ.get('AMENT_PREFIX_PATH', '').split(os.pathsep):
        path = Path(prefix) / 'lib' / package / executable
        if prefix and path.is_file():
            return str(path)
    return ''


def file_name(spec: NodeSpec) -> str:
    """Return what files of a node are called."""
    return spec.path.replace('/', '.')


def _parameters(spec: NodeSpec) -> list[tuple[str, Any]]:
    own = {'autostart': True} if spec.lifecycle else {}
    return list({**spec.parameters, **own}.items())
