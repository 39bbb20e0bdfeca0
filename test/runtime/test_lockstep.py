# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""The closed loop in virtual time: driver, emulated motors, physics and the trained policy."""

import json

import numpy as np
import pytest

from vla_control import cli
from vla_control.core.errors import VlaControlError
from vla_control.runtime.evaluate import Evaluation, Evaluator, summarise
from vla_control.runtime.lockstep import LockstepLoop
from vla_control.safety.supervisor import Mode

SEEDS = range(600_000, 600_006)  # neither training nor evaluation


@pytest.fixture(scope='module')
def evaluator():
    made = Evaluator(Evaluation(task='pick', episodes=1, processes=1))
    yield made
    made.world.close()


@pytest.mark.slow
def test_the_shipped_policy_picks_the_named_cube(evaluator):
    results = [evaluator.run(seed) for seed in SEEDS]
    verdicts = [r.verdict for r in results]
    assert verdicts.count('success') >= 5, results
    for result in results:
        assert result.worst['position'] <= 1e-9
        assert max(result.worst[k] for k in ('velocity', 'acceleration', 'jerk')) <= 1 + 1e-6


def test_an_episode_is_the_same_twice(evaluator):
    assert evaluator.run(600_000) == evaluator.run(600_000)


def test_a_policy_that_falls_silent_ends_in_the_hold_the_graph_ends_in():
    class Silent(LockstepLoop):
        def wants(self, now):
            return super().wants(now) and now < 0.3

    config = Evaluation(policy='hold', episodes=1, processes=1, time_limit=5.0)
    evaluator = Evaluator(config)
    evaluator.loop = Silent
    result = evaluator.run(600_000)
    evaluator.world.close()
    assert result.verdict == 'timeout'
    assert evaluator.played.controller.mode is Mode.HOLD
    assert 'no action chunk' in evaluator.played.executor.held


def test_summary_counts_rates_with_their_interval(evaluator):
    result = evaluator.run(600_000)
    wrong = type(result)(**{**result_fields(result), 'verdict': 'wrong_object'})
    report = summarise(evaluator.config, [result, wrong])
    assert report['success_rate'] == 0.5
    assert report['wrong_object_rate'] == 0.5
    low, high = report['interval']
    assert 0.0 < low < 0.5 < high < 1.0
    json.dumps(report, allow_nan=False)


def result_fields(result):
    return {name: getattr(result, name) for name in type(result).__dataclass_fields__}


def test_worst_ratios_of_a_short_episode_are_finite(evaluator):
    assert np.isfinite(list(evaluator.run(600_001).worst.values())).all()


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'task': 'juggle'}, "unknown task 'juggle'"),
        ({'phrasing': 'rude'}, "'seen' or 'unseen'"),
        ({'episodes': 0}, 'episodes must be >= 1'),
    ],
)
def test_an_evaluation_that_makes_no_sense_is_refused(change, message):
    with pytest.raises(VlaControlError, match=message):
        Evaluation(**change)


def test_eval_prints_one_json_object_alone_on_stdout(capsys):
    status = cli.main(
        [
            'eval',
            '--task',
            'touch',
            '--episodes',
            '1',
            '--seed',
            '600000',
            '--processes',
            '1',
            '--json',
        ]
    )
    report = json.loads(capsys.readouterr().out)
    assert status == 0
    assert report['episodes'] == 1
    assert report['seed'] == 600_000
    assert set(report) >= {'success_rate', 'wrong_object_rate', 'interval'}


def test_a_wrong_robot_is_one_clear_line_and_exit_status_2(capsys):
    status = cli.main(['eval', '--robot', 'openram', '--episodes', '1', '--processes', '1'])
    captured = capsys.readouterr()
    assert status == 2
    assert captured.out == ''
    assert "unknown robots config 'openram'" in captured.err


def test_check_lists_what_there_is(capsys):
    assert cli.main(['check', '--json']) == 0
    report = json.loads(capsys.readouterr().out)
    assert 'openarm' in report['robots']
    assert 'openarm_vla' in report['policies']
