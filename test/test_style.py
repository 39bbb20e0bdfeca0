# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""House rules that no linter knows."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / 'vla_control').rglob('*.py'))
ALL = SOURCES + sorted((ROOT / 'launch').glob('*.py')) + sorted((ROOT / 'test').rglob('*.py'))


def name(path):
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize('path', ALL, ids=name)
def test_every_file_names_its_licence(path):
    head = path.read_text().splitlines()[:2]
    assert head == [
        '# Copyright 2026 vla_control contributors',
        '# SPDX-License-Identifier: Apache-2.0',
    ]


@pytest.mark.parametrize('path', SOURCES, ids=name)
def test_files_and_functions_stay_short(path):
    text = path.read_text()
    assert len(text.splitlines()) <= 320, 'a file this long holds two subjects'
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = node.end_lineno - node.lineno + 1
            assert lines <= 65, f'{node.name} has {lines} lines; let it do one thing'


@pytest.mark.parametrize('path', SOURCES, ids=name)
def test_no_assert_and_no_print_outside_the_command_line(path):
    for node in ast.walk(ast.parse(path.read_text())):
        assert not isinstance(node, ast.Assert), (
            f'line {node.lineno}: raise an error that says why'
        )
        if path.name != 'cli.py' and isinstance(node, ast.Call):
            called = node.func
            assert not (isinstance(called, ast.Name) and called.id == 'print'), node.lineno


def test_pickle_is_never_used():
    for path in SOURCES:
        text = path.read_text()
        assert 'import pickle' not in text, path
        assert 'torch.load(' not in text, path
        assert 'allow_pickle=True' not in text, path
