# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Two arms are one robot: they start together, stop together, and never move alone."""

from dataclasses import replace

import numpy as np
from pair_rigs import PairRig
import pytest

from vla_control.buses.can import CanBus, CanConfig
from vla_control.core.errors import BusError, CodecError, ConfigError, RobotError
from vla_control.core.messages import MotorStatus, Reference
from vla_control.core.spec import load_robot
from vla_control.robots.factory import make_driver
from vla_control.runtime.control import RobotController
from vla_control.safety.checker import worst_ratios
from vla_control.safety.supervisor import Event, Mode

SPEED = 0.3  # [rad/s] both arms move at in the tests of stopping
PAST_RAMPS = 2.2  # [s] after a resume: full gains and full authority

both_pairs = pytest.mark.parametrize('rig', ['openarm_bimanual', 'dk1_bimanual'], indirect=True)


@pytest.fixture
def rig(request):
    return PairRig(getattr(request, 'param', 'openarm_bimanual'))


def fourth(spec, side):
    """Return the index of joint 4 of one arm."""
    return next(i for i, name in enumerate(spec.names) if name.endswith(f'{side}_joint4'))


class Moving:
    """Both arms moving at a steady speed under the controller, everything sent kept."""

    def __init__(self, rig):
        self.rig, self.spec = rig, rig.spec
        self.controller = RobotController(rig.spec, rig.driver)
        self.controller.configure(rig.now())
        self.controller.activate(rig.now())
        rig.stand = False
        self.controller.request(Event.RESUME)
        self.home = rig.pose
        self.began = rig.now()
        self.times, self.sent, self.modes = [], [], []

    def velocity(self):
        v = np.zeros(len(self.spec.joints))
        v[[fourth(self.spec, side) for side in self.rig.sides]] = -SPEED
        return v

    def run(self, seconds, until=None):
        end = self.rig.now() + seconds
        while self.rig.now() < end - 1e-9 and (until is None or self.mode is not until):
            now = self.rig.now()
            v, t = self.velocity(), max(0.0, now - self.began - PAST_RAMPS)
            wanted = Reference(stamp=now, q=self.home + v * t, v=v * (t > 0), a=0 * v)
            self.controller.put(wanted)
            self.controller.tick(now)
            if self.mode not in self.modes[-1:]:
                self.modes.append(self.mode)
            self.times.append(now)
            self.sent.append(self.controller.snapshot.commanded.q)
            self.rig.sleep_until(now + self.spec.dt)

    @property
    def mode(self):
        return self.controller.mode

    def worst(self):
        return worst_ratios(np.array(self.times), np.array(self.sent), self.spec)


@pytest.fixture
def moving(rig):
    both = Moving(rig)
    both.run(PAST_RAMPS + 1.0)
    assert both.mode is Mode.RUN, both.controller.snapshot.reason
    return both


def stiff(rig, side):
    """Whether an arm was asked to move or hold a pose since the last call."""
    return [s for s in rig.sides[side].commands() if s.kp > 0.0]


@both_pairs
@pytest.mark.parametrize('side', ['left', 'right'])
def test_a_cable_pulled_on_one_side_stops_both_arms(moving, side):
    rig, controller = moving.rig, moving.controller
    rig.sides[side].pull_cable()
    moving.run(2.0, until=Mode.FAULT)
    assert moving.mode is Mode.FAULT
    # Silent motors are waited for within a stop; an adapter that is gone is a fault at once.
    assert (Mode.STOPPING in moving.modes) is (rig.spec.name == 'openarm_bimanual')
    assert side in controller.snapshot.reason
    for name, arm in rig.sides.items():
        last = [s for s in arm.commands() if s.mit][-6:]
        if name != side:
            assert [(s.kp, s.kd > 0.0) for s in last] == [(0.0, True)] * 6, 'in that very tick'
    moving.run(0.3)
    for event in (Event.RESUME, Event.RESET):
        controller.request(event)
        moving.run(0.1)
        assert moving.mode is Mode.FAULT
        assert side in controller.snapshot.reason
    for name, arm in rig.sides.items():
        assert not stiff(rig, name), f'{name} is still told where to go'
        if name != side:
            assert np.abs(arm.v[~arm.spec.gripper]).max() < 0.05


def test_the_stop_after_a_pulled_cable_is_within_the_limits_of_every_joint(moving):
    moving.rig.sides['left'].pull_cable()
    moving.run(1.0, until=Mode.FAULT)
    worst = moving.worst()
    assert max(worst.velocity, worst.acceleration, worst.jerk) <= 1.01


@both_pairs
@pytest.mark.parametrize('side', ['left', 'right'])
def test_a_motor_fault_on_one_side_faults_both(moving, side):
    rig, joint = moving.rig, moving.spec.names[fourth(moving.spec, side)]
    rig.break_motor(joint)
    moving.run(0.1, until=Mode.FAULT)
    assert moving.mode is Mode.FAULT
    assert joint in moving.controller.snapshot.reason
    for name in rig.sides:
        stiff(rig, name)
    moving.run(0.1)
    for name in rig.sides:
        assert not stiff(rig, name)


def test_a_reset_after_a_fault_on_one_side_holds_both_where_they_are(moving):
    rig = moving.rig
    rig.break_motor(moving.spec.names[fourth(moving.spec, 'right')])
    moving.run(0.5)
    moving.controller.request(Event.RESET)
    moving.run(0.1)
    assert moving.mode is Mode.HOLD, moving.controller.snapshot.reason
    state = moving.controller.snapshot.measured
    assert set(state.status) == {MotorStatus.ENABLED}


@both_pairs
@pytest.mark.parametrize('side', ['left', 'right'])
def test_a_bus_that_takes_no_frames_damps_the_other_arm_in_the_same_tick(rig, side):
    rig.started()
    rig.tick(rig.command())
    rig.commands()
    other = {'left': 'right', 'right': 'left'}[side]
    rig.sides[side].bus.close()
    with pytest.raises(BusError):
        rig.driver.write(rig.command(), rig.now())
    arm = rig.sides[other]
    count = int((~arm.spec.gripper).sum())
    last = [s for s in arm.commands() if s.mit][-count:]
    assert len(last) == count
    assert all(s.kp == 0.0 and s.kd > 0.0 for s in last)


def test_a_command_wrong_for_one_arm_is_sent_to_neither(rig):
    rig.started()
    before = rig.sent_count()
    q = rig.pose
    q[-1] = np.nan
    with pytest.raises(CodecError, match='openarm_right_finger_joint1'):
        rig.driver.write(rig.command(q=q), rig.now())
    assert rig.sent_count() == before


def test_an_arm_that_does_not_enable_leaves_the_other_off(rig):
    joint = rig.spec.names[fourth(rig.spec, 'right')]
    rig.driver.connect(rig.now())
    rig.silence(joint)
    with pytest.raises(RobotError, match=joint):
        rig.driver.enable(rig.now())
    assert MotorStatus.ENABLED not in rig.driver.read(rig.now()).status
    assert not any(m.enabled for m in rig.sides['left'].motors.motors)


def test_an_arm_that_does_not_connect_lets_the_other_bus_go(rig):
    joint = rig.spec.names[fourth(rig.spec, 'right')]
    rig.silence(joint)
    with pytest.raises(RobotError, match=joint):
        rig.driver.connect(rig.now())
    rig.sides['left'].bus.open()


def test_the_other_arm_is_carried_while_one_arm_waits_for_a_silent_motor(rig):
    rig.started()
    rig.stand = False
    rig.tick(rig.command())
    rig.break_motor(rig.spec.names[fourth(rig.spec, 'left')])
    for _ in range(5):
        rig.tick()
    rig.silence(rig.spec.names[fourth(rig.spec, 'left')])
    before = rig.sides['right'].pose
    start = rig.now()
    with pytest.raises(RobotError, match='keeps its fault'):
        rig.driver.clear_faults(rig.now())
    assert rig.now() - start > rig.spec.safety.motor_watchdog
    assert all(m.enabled for m in rig.sides['right'].motors.motors)
    np.testing.assert_allclose(rig.sides['right'].pose, before, atol=0.02)


def test_closing_lets_both_arms_sink_damped_and_ends_with_every_motor_off(rig):
    rig.started()
    rig.stand = False
    rig.tick(rig.command())
    start = rig.now()
    rig.driver.close(rig.now())
    assert rig.now() - start < 3.0
    for name, arm in rig.sides.items():
        assert not any(m.enabled for m in arm.motors.motors)
        # A fall without damping from here is several rad/s.
        assert rig.fastest[name] < 1.5


def test_closing_one_dead_bus_still_closes_the_other(rig):
    rig.started()
    rig.tick(rig.command())
    rig.sides['left'].bus.close()
    rig.driver.close(rig.now())
    assert not any(m.enabled for m in rig.sides['right'].motors.motors)
    rig.sides['right'].bus.open()


def test_a_second_driver_on_one_of_the_buses_is_refused_by_name(rig, tmp_path):
    config = CanConfig(interface='udp_multicast', channel='239.74.163.9', port=43977)
    left, right = rig.sides['left'].bus, CanBus(config, lock_folder=tmp_path)
    driver = make_driver(rig.spec, 'sim', rig, [left, right])
    with (
        CanBus(config, lock_folder=tmp_path),
        pytest.raises(BusError, match='held by process'),
    ):
        driver.connect(rig.now())
    left.open()  # what was taken before is given back


def test_the_left_arm_is_the_mirror_image_of_the_right():
    left, right = load_robot('openarm_left'), load_robot('openarm')
    mirrored = ('joint1', 'joint2')  # the joints whose stops are not symmetric
    for a, b in zip(left.joints, right.joints, strict=True):
        flip = a.name.removeprefix('openarm_left_') in mirrored
        stops = (-b.upper, -b.lower) if flip else (b.lower, b.upper)
        assert (a.lower, a.upper) == stops
        assert a.name == b.name.replace('right', 'left')
        for key in ('kind', 'velocity', 'acceleration', 'jerk', 'effort', 'kp', 'kd', 'motor'):
            assert getattr(a, key) == getattr(b, key)
    signs = np.array([-1, -1, -1, 1, -1, -1, -1, 1])
    np.testing.assert_array_equal(left.home, signs * right.home)
    assert left.safety == right.safety


def test_the_pair_is_its_parts_in_order():
    spec = load_robot('openarm_bimanual')
    left, right = load_robot('openarm_left'), load_robot('openarm')
    assert spec.names == left.names + right.names
    assert spec.home == left.home + right.home
    assert [s.start for s in spec.shares] == [0, 8]
    ports = [part.bus['port'] for part in spec.parts.values()]
    channels = [part.bus['channel']['real'] for part in spec.parts.values()]
    assert len(set(ports)) == len(set(channels)) == 2


def test_two_arms_of_one_kind_get_names_and_buses_of_their_own():
    one, two = load_robot('dk1'), load_robot('dk1_bimanual')
    assert two.names == tuple(f'{s}_{n}' for s in ('left', 'right') for n in one.names)
    channels = [part.bus['channel'] for part in two.parts.values()]
    assert len({c['real'] for c in channels}) == len({c['sim'] for c in channels}) == 2
    for part in two.parts.values():
        for mine, single in zip(part.joints, one.joints, strict=True):
            assert replace(mine, name=single.name) == single


def test_parts_with_other_safety_numbers_are_refused(tmp_path):
    (tmp_path / 'slow.yaml').write_text('extends: openarm_left\nsafety: {command_timeout: 0.2}\n')
    pair = tmp_path / 'pair.yaml'
    pair.write_text(
        f'name: pair\ntitle: pair\nurdf: openarm.urdf.xacro\n'
        f'parts: {{left: {tmp_path}/slow.yaml, right: openarm}}\n'
    )
    with pytest.raises(ConfigError, match='right: safety differs'):
        load_robot(str(pair))


def test_a_file_that_extends_itself_is_refused(tmp_path):
    path = tmp_path / 'loop.yaml'
    path.write_text(f'extends: {path}\n')
    with pytest.raises(ConfigError, match='extends'):
        load_robot(str(path))


def test_both_grippers_are_homed_at_once_and_each_says_how_it_stands():
    rig = PairRig('dk1_bimanual')
    for side in rig.sides:
        rig.motor(f'{side}_gripper_left').power_cycle()
    controller = RobotController(rig.spec, rig.driver)
    controller.configure(rig.now())
    controller.activate(rig.now())
    assert rig.driver.homing.needed
    assert 'left: not homed' in rig.driver.homing.reason
    controller.request(Event.HOME)
    for _ in range(2000):
        controller.tick(rig.now())
        rig.sleep_until(rig.now() + rig.spec.dt)
        if not rig.driver.homing.needed:
            break
    assert not rig.driver.homing.running, rig.driver.homing.reason
    for part in rig.spec.parts.values():
        assert f'{part.name.removeprefix("dk1_")}: homed' in rig.driver.homing.reason
    assert controller.mode is Mode.HOLD
