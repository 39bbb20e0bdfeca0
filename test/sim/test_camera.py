# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""The renderer shows what physics published, spreads its work, and dies with its parent."""

import os
from pathlib import Path
import select
import signal
import subprocess
import sys

import numpy as np
import pytest

from vla_control.cameras.config import load_camera
from vla_control.cameras.factory import make_camera
from vla_control.core.errors import CameraError, SimulationError
from vla_control.core.graphics import select_renderer
from vla_control.core.shared_record import shared_path
from vla_control.core.spec import load_robot
from vla_control.sim.camera import (
    open_writers,
    RenderJob,
    start_renderer,
    StateReader,
    StateWriter,
    stop_renderer,
    Turns,
    View,
)

VIEWS = tuple(View(name=n, width=192, height=192, rate=30.0) for n in ('front', 'wrist'))
LONG = 30.0  # [s]

PARENT = """
import sys
from vla_control.sim.camera import RenderJob, start_renderer, StateWriter, View
if __name__ == '__main__':
    writer = StateWriter(sys.argv[1], 64)
    views = (View(name='front', width=32, height=32, rate=30.0),)
    job = RenderJob(robot='openarm', session=sys.argv[1], views=views)
    print(start_renderer(job).pid, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def session(request):
    name = f'test-{os.getpid()}-{request.node.name}'
    yield name
    for left in shared_path(name).parent.glob(f'{shared_path(name).name}-*'):
        left.unlink()


def test_the_views_never_fall_due_together_and_missed_turns_are_not_made_up():
    turns = Turns(VIEWS, 0.0)
    shown = []
    for millisecond in range(1000):
        view = turns.due(millisecond / 1000.0)
        if view is not None:
            shown.append((view.name, millisecond))
    assert [name for name, _ in shown[:4]] == ['front', 'wrist', 'front', 'wrist']
    assert len(shown) == 60
    gaps = np.diff([at for _, at in shown])
    assert gaps.min() >= 16
    assert turns.due(10.0) is not None
    assert turns.due(10.0) is not None
    assert turns.due(10.0) is None


def test_a_snapshot_crosses_bit_for_bit(session):
    writer = StateWriter(session, 3)
    reader = StateReader(session)
    writer.write(1.5, np.array([0.1, -2.0, 3e-9]))
    stamp, snapshot = reader.read()
    assert stamp == 1.5
    assert snapshot.tolist() == [0.1, -2.0, 3e-9]
    assert reader.read() is None
    writer.close()
    assert not reader.writer_alive()
    reader.close()


def test_a_camera_the_scene_lacks_is_named(session):
    job = RenderJob(robot='openarm', session=session, views=VIEWS)
    with pytest.raises(SimulationError, match=r"no cameras \['wrist'\].*front"):
        open_writers(job, ('front',))


@pytest.mark.slow
def test_the_camera_shows_the_newest_snapshot_with_its_stamp(session):
    select_renderer()
    from vla_control.sim.world import World

    spec = load_robot('openarm')
    with World(spec) as world:
        first = world.snapshot()
        world.data.qpos[:4] += 0.3
        second = world.snapshot()
        world.restore(second)
        expected = world.render('front', 192, 192).copy()
    writer = StateWriter(session, len(first))
    writer.write(100.0, first)
    process = start_renderer(RenderJob(robot='openarm', session=session, views=VIEWS))
    try:
        camera = opened(make_camera(load_camera('front'), 'sim', session=session), process)
        assert wait_for(camera).stamp == 100.0
        assert camera.read(0.1) is None, 'a paused simulation makes no new frames'
        writer.write(101.0, second)
        image = wait_for(camera)
        assert image.stamp == 101.0
        np.testing.assert_array_equal(image.pixels, expected)
        os.kill(process.pid, signal.SIGKILL)
        process.join(LONG)
        with pytest.raises(CameraError, match='ended'):
            camera.read(0.0)
        process = start_renderer(RenderJob(robot='openarm', session=session, views=VIEWS))
        opened(camera, process)
        writer.write(102.0, first)
        images = [wait_for(camera)]
        while images[-1].stamp != 102.0:
            images.append(wait_for(camera))
    finally:
        stop_renderer(process)
        writer.close()
    assert process.exitcode == 0
    assert not list(shared_path(session).parent.glob(f'*{session}*')), 'nothing is left behind'


@pytest.mark.slow
def test_the_renderer_ends_when_its_parent_is_killed(session):
    parent_file = Path(shared_path(session).parent) / f'{shared_path(session).name}-parent.py'
    parent_file.write_text(PARENT)
    parent = subprocess.Popen(
        [sys.executable, str(parent_file), session],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, 'PYTHONPATH': os.pathsep.join(sys.path)},
    )
    renderer = os.pidfd_open(int(parent.stdout.readline()))
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert select.select([renderer], [], [], LONG)[0], 'the renderer outlived its parent'
    os.close(renderer)


def opened(camera, process):
    """Open a camera as soon as the renderer has made its slot."""
    while True:
        try:
            camera.open()
        except CameraError:
            process.join(0.02)
            assert process.is_alive()
        else:
            return camera


def wait_for(camera):
    image = camera.read(LONG)
    assert image is not None
    return image
