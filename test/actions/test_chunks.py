# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Every reason to refuse a chunk, one test each, with the words the user will read."""

from chunk_scenarios import ARMS, chunk_of, DT, HOME, SPEC, steady_chunk
from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
import pytest

from vla_control.actions.chunks import check_chunk
from vla_control.core.errors import ChunkRejected

NAMES = SPEC.names


def check(chunk, now=0.0, start=None, pose=HOME, **limits):
    return check_chunk(
        chunk, SPEC, now, now + DT if start is None else start, lambda t: pose, **limits
    )


def refused(match, chunk, **context):
    with pytest.raises(ChunkRejected, match=match) as caught:
        check(chunk, **context)
    return str(caught.value)


def home_chunk(steps=10):
    return np.tile(HOME, (steps, 1))


def test_a_sound_chunk_passes_unchanged():
    checked = check(steady_chunk(steps=10))
    np.testing.assert_array_equal(checked.positions, home_chunk())
    assert checked.clipped == 0
    assert checked.times[0] == 1 / 30


@given(st.permutations(range(len(NAMES))))
@settings(max_examples=30, deadline=None)
def test_any_order_of_the_joints_is_put_into_the_order_of_the_robot(order):
    columns = home_chunk()[:, order]
    checked = check(chunk_of(columns, joints=tuple(NAMES[i] for i in order)))
    np.testing.assert_array_equal(checked.positions, home_chunk())


@pytest.mark.parametrize('bad', [np.nan, np.inf, -np.inf])
@given(step=st.integers(0, 9), column=st.integers(0, len(NAMES) - 1))
@settings(max_examples=15, deadline=None)
def test_one_cell_that_is_not_finite_refuses_the_whole_chunk(bad, step, column):
    positions = home_chunk()
    positions[step, column] = bad
    refused(
        f'1 of 80 positions are not finite.*step {step} of {NAMES[column]}', chunk_of(positions)
    )


@pytest.mark.parametrize(
    'positions',
    [
        home_chunk().astype(complex),
        home_chunk().astype(object),
        None,
        [[None] * len(NAMES)],
        home_chunk() > 0,
        [[1.0, 2.0], [1.0]],
        'open',
    ],
    ids=['complex', 'object', 'none', 'none cells', 'bool', 'ragged', 'text'],
)
def test_what_is_no_real_number_is_refused(positions):
    from vla_control.core.messages import ActionChunk

    chunk = ActionChunk(stamp=0.0, dt=0.1, joints=NAMES, positions=positions)
    refused('positions are not real numbers', chunk)


@pytest.mark.parametrize('bad', [np.nan, np.inf, None, 'now', True, 1j])
def test_a_stamp_that_is_no_time_is_refused(bad):
    refused('stamp is .* finite number of seconds', chunk_of(home_chunk(), stamp=bad))


@pytest.mark.parametrize('bad', [np.nan, np.inf, None, '0.1', False])
def test_a_step_that_is_no_time_is_refused(bad):
    refused('dt is .* finite number of seconds', chunk_of(home_chunk(), dt=bad))


@pytest.mark.parametrize('bad', [0.0, -0.1, 1e-4, 11.0])
def test_an_absurd_step_is_refused(bad):
    refused(r'must be 0\.001 to 10 s between steps', chunk_of(home_chunk(), dt=bad))


def test_a_missing_joint_is_named():
    refused(
        rf"missing \['{NAMES[2]}'\]", chunk_of(home_chunk()[:, :7], joints=NAMES[:2] + NAMES[3:])
    )


def test_an_unknown_joint_is_named():
    wide = np.zeros((10, 9))
    refused(r"unknown \['elbow'\]", chunk_of(wide, joints=(*NAMES, 'elbow')))


def test_a_repeated_joint_is_named():
    message = refused(
        rf"repeated \['{NAMES[0]}'\]",
        chunk_of(home_chunk(), joints=(NAMES[0], NAMES[0], *NAMES[2:])),
    )
    assert f"missing ['{NAMES[1]}']" in message


def test_joint_names_that_are_no_list_are_refused():
    refused('joints must be a list of names', chunk_of(home_chunk(), joints=None))


def test_swapped_rows_and_columns_are_recognised():
    refused(
        r'shape \(8, 10\), expected \(steps, 8\); rows and columns look swapped',
        chunk_of(home_chunk().T),
    )


def test_a_single_row_without_steps_is_refused():
    refused(r'shape \(8,\), expected \(steps, 8\)', chunk_of(HOME))


@pytest.mark.parametrize('steps', [0, 1001])
def test_too_few_or_too_many_steps_are_refused(steps):
    refused(f'a chunk of {steps} steps; expected 1 to 1000', chunk_of(np.tile(HOME, (steps, 1))))


def test_a_stamp_a_little_ahead_is_accepted_and_one_far_ahead_refused():
    check(steady_chunk(stamp=0.049))
    refused(r'stamped 0\.060 s in the future.*safety\.future_stamp', steady_chunk(stamp=0.06))


def test_a_chunk_that_is_over_before_it_could_start_is_refused():
    refused('entirely past: captured 2.000 s ago', steady_chunk(steps=10), now=2.0)


def test_steps_already_due_are_skipped_by_time():
    checked = check(steady_chunk(steps=10, dt=0.1), now=0.31, start=0.314)
    assert checked.due == 3


def test_a_second_chunk_of_one_capture_is_refused():
    refused('duplicate', steady_chunk(stamp=1.0), now=1.0, newest=1.0)


def test_a_chunk_older_than_the_plans_is_refused():
    refused('out of order: captured 0.500 s before', steady_chunk(stamp=0.5), now=1.0, newest=1.0)


def test_what_was_seen_before_aligning_is_refused():
    refused(
        'captured 0.100 s before the robot was aligned',
        steady_chunk(stamp=0.9),
        now=1.0,
        since=1.0,
    )


def test_a_jump_from_the_plan_is_refused_with_joint_and_distance():
    positions = home_chunk()
    positions[:, 3] -= 0.6
    message = refused(f'{NAMES[3]} would jump 0.600 rad', chunk_of(positions))
    assert 'safety.chunk_jump' in message
    assert 'degrees' not in message


def test_the_jump_is_judged_at_the_first_due_point():
    positions = home_chunk(20)
    positions[:, 3] -= np.linspace(0.0, 1.0, 20)
    check(chunk_of(positions))
    refused('would jump', chunk_of(positions), now=0.5)


def test_degrees_are_recognised():
    positions = home_chunk()
    positions[:, ARMS] = np.degrees(positions[:, ARMS])
    refused('these look like degrees', chunk_of(positions))


def test_degrees_further_along_are_recognised_too():
    positions = home_chunk()
    positions[5:, 3] = 90.0
    refused('outside .*this looks like degrees', chunk_of(positions))


def test_a_gripper_may_open_at_once_but_only_in_metres():
    positions = home_chunk()
    positions[:, -1] = 0.0
    check(chunk_of(positions))
    positions[:, -1] = 1.0
    refused('grippers are metres of finger travel', chunk_of(positions))


def test_a_small_excess_is_clipped_to_the_soft_limits_and_counted():
    positions = home_chunk(40)
    positions[:, 6] = HOME[6] - np.linspace(0.0, 0.4, 40)
    checked = check(chunk_of(positions))
    assert checked.positions[:, 6].min() == SPEC.lower[6]
    assert checked.clipped == np.count_nonzero(positions[:, 6] < SPEC.lower[6]) > 0


def test_a_gross_excess_is_refused():
    positions = home_chunk(40)
    positions[:, 6] = HOME[6] - np.linspace(0.0, 1.0, 40)
    refused(f'sends {NAMES[6]} to .* by more than 0.500', chunk_of(positions))


def test_a_refused_chunk_changes_nothing_it_was_given():
    positions = home_chunk()
    chunk = chunk_of(positions * 100)
    before = chunk.positions.copy()
    refused('jump', chunk)
    np.testing.assert_array_equal(chunk.positions, before)
