# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""The import arrows between the rooms of the house, and where heavy libraries may live."""

import ast
from pathlib import Path
import subprocess
import sys

import pytest

PACKAGE = Path(__file__).parents[1] / 'vla_control'
FLOOR = {
    'core': 0,
    **dict.fromkeys(('cameras', 'vla', 'actions', 'safety', 'buses', 'data'), 1),
    **dict.fromkeys(('policies', 'robots'), 2),
    'sim': 3,
    'runtime': 4,
    **dict.fromkeys(('nodes', 'cockpit', 'cli'), 5),
}
HOMES = {
    'torch': ('vla/',),
    'tokenizers': ('vla/',),
    'mujoco': ('sim/', 'robots/dynamics.py'),
    'mink': ('sim/',),
    'rclpy': ('nodes/',),
    'can': ('buses/',),
    'serial': ('buses/',),
    'cyclonedds': ('buses/',),
    'dynamixel_sdk': ('buses/',),
}
# `ros2 launch` runs in the system's Python, which has what package.xml asks of rosdep and no more.
ONLY_IN_NODES = ('torch', 'mujoco', 'safetensors', 'tyro', 'rich', 'cyclonedds', 'dynamixel_sdk')
LAUNCH = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] in sys.argv[1:]:
            raise ModuleNotFoundError(f'the launch process imports {name}')

sys.meta_path.insert(0, Absent())
from vla_control.core.config import available
from vla_control.runtime.options import GraphOptions
from vla_control.runtime.wiring import describe

for robot in available('robots'):
    for hardware in ('real', 'sim'):
        describe(GraphOptions(robot=robot, hardware=hardware, rviz=True))
describe(GraphOptions(robot='dk1', hardware='sim', teleop='dk1_leader'))
"""
MODULES = sorted(PACKAGE.rglob('*.py'))


def imported(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f'{path}: relative imports hide the arrow'
            yield node.module


def room(parts):
    return parts[0].removesuffix('.py')


@pytest.mark.parametrize('path', MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_point_down_and_never_sideways(path):
    here = room(path.relative_to(PACKAGE).parts)
    if here == '__init__':
        return
    for name in imported(path):
        parts = name.split('.')
        if parts[0] != 'vla_control' or len(parts) == 1 or parts[1] == here:
            continue
        there = parts[1]
        assert FLOOR[there] < FLOOR[here] or {here, there} <= {'cli', 'nodes', 'cockpit'}, (
            f'{path.relative_to(PACKAGE)} imports {name}: {here} may only use rooms below it'
        )


@pytest.mark.parametrize('path', MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_heavy_libraries_stay_in_their_rooms(path):
    relative = str(path.relative_to(PACKAGE))
    for name in imported(path):
        homes = HOMES.get(name.split('.')[0])
        assert homes is None or relative.startswith(homes), (
            f'{relative} imports {name}, which belongs to {homes}'
        )


def test_a_graph_is_described_with_what_ros_2_installations_have():
    command = [sys.executable, '-c', LAUNCH, *ONLY_IN_NODES]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
