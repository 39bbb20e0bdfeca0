# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Instructions, and verdicts that come from physics."""

import numpy as np
import pytest

from vla_control.core.errors import SimulationError
from vla_control.sim.experts import CONTROL_DT, Expert
from vla_control.sim.layout import COLOURS
from vla_control.sim.tasks import Goal, Judge, load_tasks, Task, Verdict


def act_for(expert, world, servo, ticks, judges):
    """Let the expert act and return the verdicts after each tick."""
    history = []
    reference = world.positions
    for _ in range(ticks):
        target = expert.act()
        steps = round(CONTROL_DT / world.timestep)
        for i in range(steps):
            servo.step(
                reference + (i + 1) / steps * (target - reference),
                (target - reference) / CONTROL_DT,
            )
        reference = target
        history.append([judge.update() for judge in judges])
    return history


@pytest.mark.parametrize('task', list(Task))
def test_there_are_enough_ways_to_ask_and_none_is_shared(task):
    book = load_tasks()
    train, unseen = book.phrasings(task), book.phrasings(task, unseen=True)
    assert len(set(train)) >= 12
    assert len(set(unseen)) >= 5
    assert not set(train) & set(unseen)
    assert all(text.count('{colour}') == 1 for text in train + unseen)


def test_no_two_tasks_are_asked_for_in_the_same_words():
    book = load_tasks()
    texts = [t for task in Task for unseen in (False, True) for t in book.phrasings(task, unseen)]
    assert len(set(texts)) == len(texts)


def test_an_instruction_names_its_cube():
    text = load_tasks().instruction(Goal(task=Task.PICK, target='green'), np.random.default_rng(0))
    assert 'green' in text
    assert '{' not in text


def test_a_colour_that_is_not_there_is_refused():
    with pytest.raises(SimulationError, match='purple'):
        Goal(task=Task.TOUCH, target='purple')


@pytest.mark.parametrize('task', list(Task))
def test_an_arm_that_does_nothing_is_still_running(begin, servo, task):
    world, start = begin(11)
    judge = Judge(world, Goal(task=task, target='red'))
    for _ in range(250):
        servo.step(start.q, np.zeros(8))
    assert judge.update() is Verdict.RUNNING


@pytest.mark.parametrize('colour', COLOURS)
def test_touching_a_cube_is_success_for_it_and_wrong_for_the_others(begin, servo, solver, colour):
    world, _ = begin(21)
    judges = [Judge(world, Goal(task=Task.TOUCH, target=c)) for c in COLOURS]
    expert = Expert(world, solver, Goal(task=Task.TOUCH, target=colour))
    last = act_for(expert, world, servo, 40, judges)[-1]
    for judged, verdict in zip(COLOURS, last, strict=True):
        right = judged == colour
        assert verdict is (Verdict.SUCCESS if right else Verdict.WRONG_OBJECT)


def test_picking_a_cube_is_success_for_it_and_wrong_for_the_others(begin, servo, solver):
    world, _ = begin(22)
    judges = [Judge(world, Goal(task=Task.PICK, target=c)) for c in COLOURS]
    expert = Expert(world, solver, Goal(task=Task.PICK, target='blue'))
    last = act_for(expert, world, servo, 60, judges)[-1]
    assert last == [Verdict.WRONG_OBJECT, Verdict.WRONG_OBJECT, Verdict.SUCCESS]


def test_a_pick_must_be_held_for_its_time(begin, servo, solver):
    world, _ = begin(22)
    goal = Goal(task=Task.PICK, target='blue')
    judge, expert = Judge(world, goal), Expert(world, solver, goal)
    up = None
    for _ in range(60):
        act_for(expert, world, servo, 1, [judge])
        if up is None and world.cube_poses[2, 2] - world.scene.table_top - 0.02 > 0.06:
            up = world.time
        if judge.verdict is Verdict.SUCCESS:
            break
    assert judge.verdict is Verdict.SUCCESS
    assert world.time - up >= 0.3 - 1e-9


def test_a_cube_tossed_up_and_falling_is_not_picked(begin, servo):
    world, start = begin(12)
    judge = Judge(world, Goal(task=Task.PICK, target='green'))
    world.data.joint('green_cube').qvel[2] = 1.6
    highest = 0.0
    for i in range(400):
        servo.step(start.q, np.zeros(8))
        highest = max(highest, world.cube_poses[1, 2] - world.scene.table_top - 0.02)
        if i % 50 == 49:
            judge.update()
    assert highest > 0.1
    assert judge.verdict is Verdict.RUNNING


def test_putting_a_cube_on_the_plate_is_success_only_once_it_is_let_go(begin, servo, solver):
    world, _ = begin(23)
    goal = Goal(task=Task.PLACE, target='green')
    judge = Judge(world, goal)
    act_for(Expert(world, solver, goal), world, servo, 90, [judge])
    assert judge.verdict is Verdict.SUCCESS
    assert 'green' not in world.finger_contacts()


def test_the_first_verdict_stands(begin, servo, solver):
    world, start = begin(21)
    goal = Goal(task=Task.TOUCH, target='red')
    judge = Judge(world, goal)
    act_for(Expert(world, solver, goal), world, servo, 40, [judge])
    world.reset(start.layout, start.q)
    assert judge.update() is Verdict.SUCCESS
