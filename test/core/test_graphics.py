# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""The renderer is chosen where the user has not chosen one."""

import os

import pytest

from vla_control.core.graphics import select_renderer


@pytest.fixture
def environment():
    before = dict(os.environ)
    yield os.environ
    os.environ.clear()
    os.environ.update(before)


def test_a_renderer_the_user_chose_is_kept(environment):
    environment['MUJOCO_GL'] = 'glfw'
    environment['LP_NUM_THREADS'] = '3'
    select_renderer()
    assert environment['MUJOCO_GL'] == 'glfw'
    assert environment['LP_NUM_THREADS'] == '3'


def test_without_a_choice_rendering_is_off_screen_and_single_threaded(environment):
    environment.pop('MUJOCO_GL', None)
    environment.pop('LP_NUM_THREADS', None)
    select_renderer()
    assert environment['MUJOCO_GL'] in ('egl', 'osmesa')
    assert environment['LP_NUM_THREADS'] == '0'
