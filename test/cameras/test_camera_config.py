# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Camera files are strict, and each kind of hardware gets its own camera."""

from dataclasses import replace

import pytest

from vla_control.cameras.config import CameraConfig, load_camera, SourceConfig
from vla_control.cameras.factory import make_camera
from vla_control.cameras.intrinsics import Intrinsics
from vla_control.cameras.opencv import OpenCvCamera
from vla_control.cameras.simulated import SimulatedCamera
from vla_control.cameras.synthetic import SyntheticCamera
from vla_control.core.config import available
from vla_control.core.errors import CameraError, ConfigError
from vla_control.core.sessions import session_name
from vla_control.core.spec import load_robot

GOOD = """
name: side
frame_id: camera_side_optical_frame
sources:
  real: {source: opencv, device: /dev/v4l/by-path/nothing-here, width: 64, height: 48, rate: 30.0}
"""


@pytest.mark.parametrize('name', ['front', 'wrist'])
@pytest.mark.parametrize(
    ('hardware', 'kind'),
    [('real', OpenCvCamera), ('sim', SimulatedCamera), ('mock', SyntheticCamera)],
)
def test_each_hardware_has_its_own_source(name, hardware, kind):
    assert isinstance(make_camera(load_camera(name), hardware), kind)


@pytest.mark.parametrize('robot', available('robots'))
def test_every_camera_of_a_robot_has_a_file_that_gives_it_its_name(robot):
    spec = load_robot(robot)
    assert tuple(load_camera(file).name for file in spec.camera_configs) == spec.cameras


@pytest.mark.parametrize('side', ['', '_left', '_right'])
def test_the_wrist_camera_of_a_dk1_is_turned_upright_on_hardware_only(side):
    general, own = load_camera(f'wrist{side}'), load_camera(f'dk1_wrist{side}')
    assert own.sources['real'] == replace(general.sources['real'], rotate=180)
    for hardware in ('sim', 'mock'):
        assert own.sources[hardware] == general.sources[hardware]
    assert (own.name, own.frame_id) == (general.name, general.frame_id)
    robot = 'dk1_bimanual' if side else 'dk1'
    assert f'dk1_wrist{side}' in load_robot(robot).camera_configs


def test_a_file_for_a_camera_that_is_not_mounted_is_refused():
    with pytest.raises(ConfigError, match=r"camera_files names \['wirst'\]"):
        replace(load_robot('dk1'), camera_files={'wirst': 'dk1_wrist'})


@pytest.mark.parametrize(
    ('rotate', 'size', 'middle'),
    [
        (0, (64, 48), (30, 20)),
        (90, (48, 64), (27, 30)),
        (180, (64, 48), (33, 27)),
        (270, (48, 64), (20, 33)),
    ],
)
def test_a_turned_picture_has_its_size_and_principal_point_turned(rotate, size, middle):
    source = SourceConfig(
        source='opencv',
        width=64,
        height=48,
        rate=30.0,
        rotate=rotate,
        intrinsics=Intrinsics(fx=50.0, fy=60.0, cx=30.0, cy=20.0),
    )
    assert source.picture == size
    assert (source.calibration.cx, source.calibration.cy) == middle
    assert source.calibration.fx == (60.0 if rotate % 180 else 50.0)
    ideal = replace(source, intrinsics=None, fovy=60.0)
    assert (ideal.calibration.cx, ideal.calibration.cy) == ((size[0] - 1) / 2, (size[1] - 1) / 2)


def test_hardware_without_a_source_is_named():
    config = CameraConfig(name='front', frame_id='f', sources={})
    with pytest.raises(ConfigError, match="no source for hardware 'sim'"):
        make_camera(config, 'sim')


def test_an_unknown_source_lists_those_there_are():
    source = SourceConfig(source='webcam', width=4, height=4, rate=1.0)
    config = CameraConfig(name='front', frame_id='f', sources={'real': source})
    with pytest.raises(ConfigError, match=r'opencv.*simulated.*synthetic'):
        make_camera(config, 'real')


@pytest.mark.parametrize(
    ('wrong', 'right', 'message'),
    [
        ('rate: 30.0', 'rate: 0.0', r'real\.rate is 0\.0, must be > 0'),
        ('width: 64', 'width: -1', r'real\.width is -1'),
        ('rate: 30.0', 'rate: 30.0, fourcc: MJPEG', 'four letters'),
        ('rate: 30.0', 'rate: 30.0, fovy: 180.0', 'fovy is 180.0'),
        ('device: /dev/v4l/by-path/nothing-here, ', '', 'device is missing'),
        ('rate: 30.0', 'rate: 30.0, rotate: 45', r'rotate is 45, must be one of .*90, 180, 270'),
        ('rate: 30.0', 'rate: 30.0, rotate: -90', 'rotate is -90'),
        ('rate: 30.0', 'rate: 30.0, rotate: left', 'rotate: expected int'),
        ('source: opencv', 'rotate: 90, source: simulated', 'only opencv sources are rotated'),
        ('width: 64', 'widht: 640', "did you mean 'width'"),
    ],
)
def test_a_wrong_value_is_named_with_its_place(tmp_path, wrong, right, message):
    path = tmp_path / 'side.yaml'
    path.write_text(GOOD.replace(wrong, right))
    with pytest.raises(ConfigError, match=message):
        load_camera(str(path))


def test_an_unplugged_device_says_where_to_set_another(tmp_path):
    path = tmp_path / 'side.yaml'
    path.write_text(GOOD)
    camera = make_camera(load_camera(str(path)), 'real')
    with pytest.raises(CameraError, match=r"'side'.*nothing-here.*sources\.real\.device"):
        camera.open()


def test_a_device_that_is_neither_file_nor_folder_is_named():
    source = SourceConfig(source='opencv', device='no/such.mp4', width=4, height=4, rate=1.0)
    camera = OpenCvCamera(source, 'front', 'f', lambda: 0.0)
    with pytest.raises(CameraError, match=r'no/such\.mp4'):
        camera.open()


def test_a_folder_without_pictures_is_an_error(tmp_path):
    source = SourceConfig(source='opencv', device=str(tmp_path), width=4, height=4, rate=1.0)
    with pytest.raises(CameraError, match='no pictures'):
        OpenCvCamera(source, 'front', 'f', lambda: 0.0).open()


def test_a_simulated_camera_without_a_simulation_names_the_session():
    source = SourceConfig(source='simulated', width=4, height=4, rate=1.0)
    with pytest.raises(CameraError, match="session 'nobody'"):
        SimulatedCamera(source, 'front', 'f', 'nobody').open()


def test_sessions_differ_by_domain_and_namespace(monkeypatch):
    monkeypatch.setenv('ROS_DOMAIN_ID', '7')
    assert session_name() == '7'
    assert session_name('/left/arm') == '7-left-arm'
    monkeypatch.delenv('ROS_DOMAIN_ID')
    assert session_name() == '0'
