# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""The soak: some minutes with a fault every few seconds, and what it would notice."""

import io
import json

import numpy as np
import pytest
from rich.console import Console

from vla_control import cli
from vla_control.core.errors import ConfigError
from vla_control.core.spec import load_robot
from vla_control.runtime.bench.soak import bench_soak, growth, print_soak, SoakBench
from vla_control.runtime.bench.soak_run import FAULTS, Soak
from vla_control.safety.supervisor import Event


@pytest.fixture(scope='module')
def report():
    return bench_soak(SoakBench(hours=0.05, per_minute=20.0))


def test_minutes_of_faults_break_nothing_and_every_stop_says_why(report):
    assert report['hours'] == pytest.approx(0.05, abs=1e-3)
    assert report['faults'] >= 15
    assert report['latches'] >= 10
    assert report['breaches'] == 0, report
    assert report['holds']
    assert '' not in report['by_reason']


def test_it_moved_between_the_faults(report):
    assert report['moving'] > 0.3
    assert report['chunks'] > 200


def test_the_report_is_plain_json_and_can_be_shown(report):
    again = json.loads(json.dumps(report, allow_nan=False))
    text = io.StringIO()
    print_soak(again, Console(file=text, width=200))
    assert '0 breaches' in text.getvalue()


@pytest.mark.parametrize('name', [n for n, (_, _, stops) in FAULTS.items() if stops])
def test_every_fault_that_must_stop_the_robot_does_and_it_comes_back(name):
    soak = Soak(load_robot('openarm'), 0, 0, 1e-9)
    soak._names = (name,)
    soak.run(1.0, 1e9, lambda _: None)
    soak._break()
    out = soak.run(11.0, 1e9, lambda _: None)
    assert sum(out.latches.values()) in (1, 2)  # a hold on the way to a fault counts as well
    assert (out.unreasoned, out.stuck, dict(out.unanswered)) == (0, 0, {})
    assert soak.rig.mode.value == 'RUN'
    assert out.ledger.broken() == []


class Deaf:
    """Passes everything on but a request to stop."""

    def __init__(self, controller):
        self._controller = controller

    def request(self, event, reason=''):
        if event is not Event.E_STOP:
            self._controller.request(event, reason)

    def __getattr__(self, name):
        return getattr(self._controller, name)


def test_a_fault_that_should_stop_it_and_does_not_is_a_breach():
    soak = Soak(load_robot('openarm'), 0, 0, 1e-9)
    soak.rig.controller = Deaf(soak.rig.controller)
    soak._names = ('e-stop',)
    soak.run(1.0, 1e9, lambda _: None)
    soak._break()
    out = soak.run(5.0, 1e9, lambda _: None)
    assert sum(out.unanswered.values()) == 1


def test_growth_is_counted_from_the_end_of_the_warm_up():
    times = np.arange(0.0, 3601.0, 60.0)
    flat = np.where(times < 600.0, 50.0 + times / 10.0, 110.0)
    assert growth(list(zip(times, flat, strict=True))) == pytest.approx((0.0, 0.0), abs=1e-9)
    leak = list(zip(times, 100.0 + times / 60.0, strict=True))
    assert growth(leak) == pytest.approx((48.0, 60.0))


@pytest.mark.parametrize('bad', [{'hours': 0.0}, {'per_minute': -1.0}, {'seed': -1}])
def test_numbers_out_of_range_are_refused(bad):
    with pytest.raises(ConfigError, match=next(iter(bad))):
        SoakBench(**bad)


def test_the_command_prints_one_json_object(capsys):
    status = cli.main(['bench', 'soak', '--hours', '0.002', '--processes', '1', '--json'])
    report = json.loads(capsys.readouterr().out)
    assert status == (0 if report['holds'] else 1)
    assert {'hours', 'faults', 'latches', 'breaches', 'rss_growth_mb', 'holds'} <= set(report)
