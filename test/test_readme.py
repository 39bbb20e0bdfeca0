# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""What the README names exists."""

from pathlib import Path
import re

import pytest

from vla_control.cli import COMMANDS
from vla_control.runtime.options import launch_arguments

ROOT = Path(__file__).parents[1]
README = (ROOT / 'README.md').read_text()


def test_every_command_of_ours_exists():
    named = set(re.findall(r'vla-control (\w+)', README))
    assert named
    assert named <= set(COMMANDS)


def test_every_make_target_exists():
    targets = set(re.findall(r'^(\w+):', (ROOT / 'Makefile').read_text(), re.MULTILINE))
    assert set(re.findall(r'make (\w+)(?=[ `\n])', README)) & targets >= {'demo', 'test', 'setup'}


def test_every_launch_argument_exists():
    given = set(re.findall(r'(\w+):=', README))
    assert given <= {a.name for a in launch_arguments()}


@pytest.mark.parametrize('path', re.findall(r'\]\(([\w/.-]+)\)', README))
def test_every_link_leads_somewhere(path):
    assert (ROOT / path).exists()
