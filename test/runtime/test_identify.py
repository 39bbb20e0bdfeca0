# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""`vla-control check --identify` on two emulated DK1 adapters, one arm moved while it looks."""

from contextlib import contextmanager
import json
import threading
import time

import numpy as np
import pytest
import yaml

from vla_control import cli
from vla_control.core.spec import load_robot
from vla_control.sim.devices import open_device


@pytest.fixture
def robot(tmp_path):
    parts = {
        side: {
            'extends': 'dk1',
            'name': f'dk1_{side}',
            'prefix': f'{side}_',
            'bus': {'channel': {'sim': str(tmp_path / side)}},
        }
        for side in ('left', 'right')
    }
    data = {'name': 'two', 'title': 'two', 'urdf': 'dk1.urdf.xacro', 'parts': parts}
    path = tmp_path / 'two.yaml'
    path.write_text(yaml.safe_dump(data))
    return str(path)


@contextmanager
def hand_on(robot, side):
    """Serve both adapters in a thread that keeps turning a joint of one arm there and back."""
    spec = load_robot(robot)
    device, stop = open_device(spec), threading.Event()
    joint, home = spec.names.index(f'{side}_joint1'), np.array(spec.home)

    def serve():
        began = time.monotonic()
        while not stop.is_set():
            now = time.monotonic()
            q = home.copy()
            q[joint] += 0.4 * np.sin(2.0 * (now - began))
            device.measure(now, q, 0.0 * q)
            if not device.serve(now, 1e-3):
                stop.wait(1e-3)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        device.close()


def check(robot, *arguments):
    return cli.main(['check', '--robot', robot, '--identify', '--hardware', 'sim', *arguments])


def test_the_arm_that_is_moved_is_named_with_its_path(robot, tmp_path, capsys):
    with hand_on(robot, 'left'):
        assert check(robot) == 0
    out = capsys.readouterr()
    assert 'turn a joint of the LEFT arm' in out.err
    assert f'the left arm is behind {tmp_path / "left"}: it matches' in out.err
    assert out.out == 'left\n'


def test_another_arm_than_was_asked_for_is_a_mismatch(robot, tmp_path, capsys):
    with hand_on(robot, 'left'):
        assert check(robot, '--side', 'right', '--json') == 1
    out = capsys.readouterr()
    report = json.loads(out.out)
    assert (report['asked'], report['moved'], report['matches']) == ('right', 'left', False)
    assert report['paths'] == {side: str(tmp_path / side) for side in ('left', 'right')}
    assert 'does not match. Swap the paths' in out.err


def test_a_robot_without_sides_has_none_to_identify(capsys):
    assert check('dk1') == 2
    assert "dk1 has no side '' to identify" in capsys.readouterr().err
    assert check('dk1_bimanual', '--side', 'lft') == 2
    assert "has no side 'lft' to identify; it has ['left', 'right']" in capsys.readouterr().err
