# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""The safety bench: nothing breaks under ten thousand bad chunks, and what is broken is seen."""

import io
import json
import logging
from pathlib import Path

from benches import hung
import numpy as np
import pytest
from rich.console import Console

from vla_control import cli
from vla_control.actions.executor import Verdict
from vla_control.buses.damiao import bus_ranges, decode_mit, decode_pos_force
from vla_control.buses.lock import BusLock
from vla_control.buses.unitree import (
    ARM_COMMAND,
    ARM_WEIGHT_SLOT,
    encode_hand_cmd,
    encode_low_cmd,
    hand_cmd,
    hand_command,
    low_cmd,
)
from vla_control.core.config import available
from vla_control.core.errors import ConfigError
from vla_control.core.messages import JointCommand, Reference
from vla_control.core.spec import load_robot
from vla_control.runtime.bench import safety, safety_probes
from vla_control.runtime.bench.safety import bench_safety, print_safety, SafetyBench
from vla_control.runtime.bench.safety_attack import Siege
from vla_control.runtime.bench.safety_bench import Bench
from vla_control.runtime.bench.safety_chunks import BREAK_NAMES, MOVE_NAMES
from vla_control.runtime.bench.safety_ledger import INVARIANTS, Ledger, MEASURES, merged, PROOFS
from vla_control.runtime.bench.safety_process import (
    _flooded,
    emulated_motors,
    FLOOD_TICKS,
    process_probes,
)
from vla_control.runtime.bench.safety_rig import Rig
from vla_control.runtime.bench.safety_unitree import UnitreeWire
from vla_control.safety.supervisor import Event

ROOT = Path(__file__).parents[3]
SMALL = {'chunks': 150, 'trials': 3}


@pytest.fixture(scope='module')
def spec():
    return load_robot('openarm')


@pytest.fixture(scope='module')
def report():
    return bench_safety(SafetyBench(chunks=10_000, trials=100))


@pytest.mark.slow
def test_ten_thousand_bad_chunks_break_no_invariant(report):
    assert report['chunks'] == 10_000
    assert report['complete']
    assert report['ticks'] >= 20_000
    assert [row['id'] for row in report['invariants'] if not row['holds']] == []
    assert report['holds'] and report['broken'] == []


@pytest.mark.slow
def test_every_kind_of_chunk_came_and_what_may_move_the_robot_did(report):
    families = report['families']
    assert {'permuted', 'from_rest', 'degrees', 'leap', *MOVE_NAMES} <= set(families)
    assert all(families[name]['accepted'] > 20 for name in MOVE_NAMES)
    assert report['gate_ticks']['passed'] > 1000
    assert report['gate_ticks']['limited'] > 1000
    assert len(report['troubles']) >= 10
    assert set(report['mode_ticks']) == {'HOLD', 'READY', 'RUN', 'STOPPING', 'FAULT'}


@pytest.mark.slow
def test_what_the_adversary_did_was_really_at_the_limits(report):
    """A run that never came near a limit would prove nothing."""
    by_id = {row['id']: row for row in report['invariants']}
    for i in (2, 3, 4):
        assert by_id[i]['worst'] > 0.99
    for i in INVARIANTS:
        assert by_id[i]['samples'] > 0, INVARIANTS[i]


@pytest.mark.slow
def test_the_report_is_plain_json_and_can_be_shown(report):
    again = json.loads(json.dumps(report, allow_nan=False))
    assert [row['id'] for row in again['invariants']] == list(range(1, 28))
    text = io.StringIO()
    print_safety(again, Console(file=text, width=200))
    assert 'proven by test/invariants/test_21_single_writer.py' in text.getvalue()


@pytest.mark.parametrize('robot', sorted(available('robots')))
def test_a_few_chunks_on_every_robot(robot):
    out = Siege(hung(load_robot(robot)), 1, 0).run(60)
    assert out.ledger.broken() == []
    for key in ('position', 'jerk_frames', 'codec_q', 'kp', 'torque'):
        assert out.ledger.worst[key][1] > 100


def test_the_result_does_not_depend_on_the_number_of_processes():
    one, two = (bench_safety(SafetyBench(**SMALL, processes=k)) for k in (1, 2))
    assert one['digest'] == two['digest']
    assert one['invariants'] == two['invariants']


def test_an_interrupt_ends_it_with_the_report_of_what_is_done(monkeypatch):
    monkeypatch.setattr(safety, 'PART', 50)

    def interrupt(done, of):
        if done == 3:
            raise KeyboardInterrupt

    report = bench_safety(SafetyBench(**SMALL, processes=1), interrupt)
    assert report['chunks'] == 100
    assert report['complete'] is False
    text = io.StringIO()
    print_safety(report, Console(file=text, width=200))
    assert '100 adversarial chunks until it was interrupted' in text.getvalue()


def test_another_seed_is_another_attack(spec):
    assert Siege(spec, 0, 0).run(30).digest != Siege(spec, 1, 0).run(30).digest


class Careless:
    """A gate that lets everything through and believes it is fine."""

    def __init__(self, gate):
        self.passed = self.limited = 0
        self.velocity_scale = 1.0
        self.at_rest = True
        self.state = gate.state

    def reset(self, q, stamp=0.0):
        zero = np.zeros(len(q))
        self.state = Reference(stamp=stamp, q=np.array(q), v=zero, a=zero)

    def step(self, reference):
        if reference is not None:
            self.state = reference
        return self.state


def test_without_a_gate_the_bench_sees_every_limit_broken(spec):
    siege = Siege(spec, 0, 0)
    siege.rig.controller.gate = Careless(siege.rig.controller.gate)
    broken = set(siege.run(300).ledger.broken())
    assert broken >= {
        'position',
        'velocity',
        'acceleration',
        'jerk',
        'velocity_frames',
        'acceleration_frames',
        'jerk_frames',
        'authority',
    }


class Gullible:
    """An executor that takes every chunk, and stands still."""

    held, starved, at_rest = '', True, True

    def __init__(self, pose):
        self.pose = pose

    def align(self, now, q):
        self.pose = np.array(q)

    def offer(self, chunk, now):
        return Verdict(accepted=True, reason='')

    def tick(self, now):
        zero = np.zeros(len(self.pose))
        return Reference(stamp=now, q=self.pose, v=zero, a=zero)


def test_an_executor_that_takes_everything_is_found_out(spec):
    siege = Siege(spec, 0, 0)
    siege.rig.follower.executor = Gullible(siege.rig.pose)
    ledger = siege.run(300).ledger
    for key in ('non_finite', 'names', 'implausible', 'time', 'jump'):
        assert key in ledger.broken(), MEASURES[key].what


def test_frames_are_read_as_the_motors_read_them(spec):
    rig = Rig(spec)
    ranges = bus_ranges(spec.bus, 'bus')
    rng = np.random.default_rng(0)
    for _ in range(20):
        q = rng.uniform(spec.lower, spec.upper)
        v = rng.uniform(-1.0, 1.0, len(q)) * spec.velocity
        rig.tap.write(JointCommand(q=q, v=v, a=0.0 * v, gain=0.7), rig.now)
        frames = list(rig.wire.bus.heard)
        assert rig.wire.end_tick()
        sent = rig.wire.decode()
        for i, (joint, (_, data)) in enumerate(zip(spec.joints, frames, strict=True)):
            if spec.gripper[i]:
                angle, _, _ = decode_pos_force(data)
                assert sent.q[0, i] == pytest.approx(angle / joint.motor['rad_per_metre'])
                assert np.isnan(sent.kp[0, i])
                assert sent.tau[0, i] <= joint.effort * (1 + 1e-6)
                continue
            told = decode_mit(ranges[joint.motor['model']], data)
            assert (sent.q[0, i], sent.v[0, i]) == pytest.approx((told.q, told.v), abs=1e-12)
            assert (sent.kp[0, i], sent.kd[0, i]) == pytest.approx((told.kp, told.kd))
            assert sent.tau[0, i] == pytest.approx(abs(told.tau))


class Nowhere:
    """A Unitree bus nobody reads."""

    def publish(self, topic, payload):
        pass


def test_unitree_commands_are_read_as_the_layout_says():
    spec = load_robot('g1')
    wire = UnitreeWire(spec, Nowhere())
    rng = np.random.default_rng(0)
    body, hand = low_cmd(), hand_cmd()
    for message in (body, hand):
        for field in ('q', 'dq', 'tau', 'kp', 'kd'):
            values = message['motor_cmd'][field]
            values[:] = rng.uniform(0.0, 1.0, len(values))
    body['motor_cmd']['q'][ARM_WEIGHT_SLOT] = 0.5
    wire.bus.publish(ARM_COMMAND, encode_low_cmd(body))
    wire.bus.publish(hand_command('right'), encode_hand_cmd(hand))
    assert wire.end_tick()
    sent = wire.decode()
    for i, joint in enumerate(spec.joints):
        if joint.motor.get('hand') == 'left':
            assert np.isnan(sent.q[0, i]), 'the left hand was not told anything'
            continue
        arm = 'slot' in joint.motor
        motor = (body if arm else hand)['motor_cmd'][joint.motor['slot' if arm else 'index']]
        weight = 0.5 if arm else 1.0
        assert (sent.q[0, i], sent.v[0, i]) == (motor['q'], motor['dq'])
        for name in ('tau', 'kp', 'kd'):
            assert getattr(sent, name)[0, i] == pytest.approx(weight * motor[name])


def test_what_a_hand_was_told_before_the_last_command_of_its_tick_is_not_taken_for_it():
    spec = load_robot('g1')
    wire = UnitreeWire(spec, Nowhere())
    for angle, hands in ((0.1, ['left', 'right']), (0.2, ['right'])):
        body, hand = low_cmd(), hand_cmd()
        body['motor_cmd']['q'][:] = hand['motor_cmd']['q'][:] = angle
        wire.bus.publish(ARM_COMMAND, encode_low_cmd(body))
        for side in hands:
            wire.bus.publish(hand_command(side), encode_hand_cmd(hand))
    assert wire.end_tick()
    for joint, q in zip(spec.joints, wire.decode().q[0], strict=True):
        if joint.motor.get('hand') == 'left':
            assert np.isnan(q)
        else:
            assert q == np.float32(0.2)


def test_a_ledger_adds_up_worst_values_and_counts():
    first, second = Ledger(), Ledger()
    first.note('jerk', 0.5, 10)
    second.note('jerk', 1.5, 5)
    for ledger in (first, second):
        ledger.count('names', True)
        ledger.count('names', False)
    whole = merged((first, second))
    assert whole.worst == {'jerk': (1.5, 15), 'names': (2.0, 4)}
    assert whole.broken() == ['jerk', 'names']


def test_what_is_no_number_or_was_never_measured_does_not_hold():
    ledger = Ledger()
    ledger.note('velocity', np.nan)
    rows = {row['id']: row for row in ledger.rows()}
    assert rows[2]['holds'] is False
    for i in (3, *PROOFS):
        assert rows[i]['holds'] is False and rows[i]['samples'] == 0
    json.dumps(list(rows.values()), allow_nan=False)


def test_what_does_not_apply_says_why_and_is_no_breach():
    ledger = Ledger()
    ledger.leave_out(22, 'it has no motors')
    rows = {row['id']: row for row in merged((Ledger(), ledger)).rows()}
    assert (rows[22]['holds'], rows[22]['not_applicable']) == (None, 'it has no motors')
    ledger.note('watchdog', 2.0)
    assert ledger.rows()[21]['holds'] is False, 'what was measured counts'


def test_an_invariant_without_a_sample_fails_the_whole_report(monkeypatch):
    monkeypatch.setattr(safety_probes, 'process_probes', lambda bench, trials: None)
    report = bench_safety(SafetyBench(chunks=20, trials=1, processes=1))
    assert not report['holds']
    assert {21, 22, 23} <= {row['id'] for row in report['invariants'] if not row['holds']}


@pytest.fixture
def bench(request):
    robot = getattr(request, 'param', 'openarm')
    return Bench(load_robot(robot), np.random.default_rng(0), Ledger())


@pytest.mark.parametrize('bench', ['openarm', 'dk1', 'dk1_bimanual'], indirect=True)
def test_a_second_writer_a_dead_process_and_a_flood_are_measured(bench):
    process_probes(bench, 2)
    assert bench.ledger.broken() == []
    parts = max(len(bench.spec.parts), 1)
    assert bench.ledger.worst['second_writer'] == (0.0, 4 * parts)
    assert bench.ledger.worst['watchdog'][1] == 2
    assert bench.ledger.worst['lost_ticks'] == (0.0, FLOOD_TICKS)


def test_a_g1_has_no_motor_watchdog_to_measure():
    bench = Bench(load_robot('g1'), np.random.default_rng(0), Ledger())
    process_probes(bench, 1)
    assert set(bench.ledger.worst) == {'second_writer', 'lost_ticks'}
    assert 'no motor watchdog' in bench.ledger.rows()[21]['not_applicable']
    assert bench.ledger.broken() == []


def test_a_lock_that_admits_everybody_is_found_out(bench, monkeypatch):
    monkeypatch.setattr(BusLock, 'acquire', lambda self: None)
    process_probes(bench, 1)
    assert bench.ledger.broken() == ['second_writer']


def test_motors_without_a_watchdog_are_found_out(bench):
    for motor in emulated_motors(bench.rig.device):
        motor._watch = lambda now: None
    process_probes(bench, 1)
    assert bench.ledger.broken() == ['watchdog']


def test_a_tick_that_logs_is_found_out(bench):
    tick = bench.rig.controller.tick

    def talk(now):
        logging.getLogger('tick').warning('late again')
        tick(now)

    bench.rig.controller.tick = talk
    _flooded(bench)
    assert bench.ledger.broken() == ['lost_ticks']


def test_a_tick_that_waits_is_found_out(bench):
    tick, clock = bench.rig.controller.tick, bench.rig.clock

    def wait(now):
        clock.sleep_until(now + 0.001)
        tick(now)
        clock.sleep_until(now + 1.5 * bench.spec.dt)

    bench.rig.controller.tick = wait
    _flooded(bench)
    assert bench.ledger.worst['lost_ticks'][0] >= FLOOD_TICKS


@pytest.mark.slow
def test_the_whole_body_of_a_g1_in_its_harness_is_attacked_as_well():
    report = bench_safety(SafetyBench(robot='g1_lowlevel', chunks=60, trials=3, processes=1))
    assert report['broken'] == []
    assert {r['id'] for r in report['invariants'] if r['holds'] is None} == {22}


def test_calls_of_services_have_numbers_that_are_not_what_is_said():
    digests = {Siege(load_robot('g1'), 0, 0).run(5).digest for _ in range(2)}
    assert len(digests) == 1


def test_a_hand_is_read_from_what_follows_the_command_of_its_body():
    spec = load_robot('g1')
    wire = UnitreeWire(spec, Nowhere())
    wire.bus.publish(ARM_COMMAND, encode_low_cmd(low_cmd()))
    wire.bus.publish(hand_command('left'), encode_hand_cmd(hand_cmd()))
    wire.bus.publish(ARM_COMMAND, encode_low_cmd(low_cmd()))  # of another command, without hands
    assert wire.end_tick()
    assert np.isnan(wire.decode().q[0][spec.gripper]).all()


def test_stiffness_that_does_not_ramp_up_is_seen(spec):
    siege = Siege(spec, 0, 0)
    controller = siege.rig.controller
    controller._gain_ramp = spec.dt
    siege.rig.request(Event.E_STOP)
    assert 'gain_ramp' in siege.run(60).ledger.broken()


def test_the_tests_that_prove_the_rest_exist():
    for path in PROOFS.values():
        assert (ROOT / path).is_file(), path


def test_every_way_to_break_a_chunk_is_drawn(spec):
    out = Siege(spec, 3, 0).run(200)
    assert {'not finite', 'names and shape', 'degrees', 'leap', 'time'} <= set(out.families)
    assert len(BREAK_NAMES) == 5


@pytest.mark.parametrize('bad', [{'chunks': 0}, {'trials': 0}, {'processes': 0}, {'seed': -1}])
def test_numbers_out_of_range_are_refused(bad):
    with pytest.raises(ConfigError, match=next(iter(bad))):
        SafetyBench(**bad)


def test_the_command_prints_one_json_object(capsys):
    status = cli.main(['bench', 'safety', '--chunks', '60', '--seed', '2', '--json'])
    report = json.loads(capsys.readouterr().out)
    assert status == (0 if report['holds'] else 1)
    assert report['chunks'] == 60 and len(report['invariants']) == 27


def test_a_robot_that_does_not_exist_is_named(capsys):
    assert cli.main(['bench', 'safety', '--robot', 'openram']) == 2
    assert 'openram' in capsys.readouterr().err
