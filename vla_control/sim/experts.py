# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""A scripted, closed-loop expert: it sees the cubes' true poses and starts over after a drop."""

from enum import Enum

import numpy as np

from vla_control.core.errors import SimulationError
from vla_control.core.messages import Floats
from vla_control.sim.kinematics import HandSolver
from vla_control.sim.tasks import Goal, Task
from vla_control.sim.world import World

CONTROL_DT = 0.1  # [s] between the expert's decisions
_OPEN, _SQUEEZE, _SHUT = 0.034, 0.008, 0.004  # [m] gripper openings
_FINGER_STEP = 0.012  # [m] per tick
_FINGER_TURN = 0.2  # [rad] per tick
_EASE = 0.7  # share of the robot's velocity and acceleration limits used
_FASTEST = 0.045  # [m] per tick
_SPEED_UP = 0.015  # [m] per tick, per tick
_TURN = 0.18  # [rad] the hand turns per tick
_SLANTED = 0.3  # [rad] off the approach the hand may be when it goes down
_GRASP_ABOVE = 0.008  # [m] over the cube's centre, so that slanted tips clear the table
_LIFT = 0.11  # [m]


class Phase(Enum):
    """What the expert is doing."""

    ABOVE = 'above'
    DOWN = 'down'
    CLOSE = 'close'
    LIFT = 'lift'
    CARRY = 'carry'
    LOWER = 'lower'
    OPEN = 'open'
    RETREAT = 'retreat'


class Expert:
    """
    Gives the joint target due one tick from now, from what is measured now.

    The arm moves from where it is, not from where it was told to be, so its targets correct
    whatever pushed it off the path. Joints that do not carry its hand go to the robot's home.
    """

    def __init__(self, world: World, solver: HandSolver, goal: Goal) -> None:
        """Take on a goal in a world that was just reset."""
        spec = world.spec
        self._world = world
        self._solver = solver
        self._goal = goal
        self._home = np.array(spec.home)
        self._finger, self._shut = _fingers(world, solver, goal)
        self._finger_step = np.where(spec.jaw, _FINGER_STEP, _FINGER_TURN)
        # The hand at work does not wait for the other one.
        self._paced = [m & ~spec.gripper for m in (solver.joints, ~solver.joints)]
        self.phase = Phase.ABOVE
        self._ticks = 0
        self._step = 0.0
        self._stride = np.zeros(len(spec.joints))
        self._anchor = np.zeros(3)

    def act(self) -> Floats:
        """Return the target (n,) [rad, grippers m] due in CONTROL_DT."""
        world = self._world
        q = world.positions
        here = world.pinch_of(self._solver.which)
        cube = world.cube_poses[self._goal.index, :3]
        self._ticks += 1
        self._advance(here, cube, q)
        point, opening = self._aim(cube)
        target = self._solver.solve(self._towards(here, point), q, turn=_TURN)
        target = q + self._ease(np.where(self._solver.joints, target, self._home) - q)
        openings = self._shut.copy()
        if self._finger is not None:
            openings[self._finger] = opening
        step = np.clip(openings - q, -self._finger_step, self._finger_step)
        target = np.where(world.spec.gripper, q + step, target)
        return np.clip(target, world.spec.lower, world.spec.upper)

    def _go(self, phase: Phase, anchor: Floats) -> None:
        self.phase, self._ticks, self._anchor = phase, 0, anchor.copy()

    def _advance(self, here: Floats, cube: Floats, q: Floats) -> None:
        """Change phase when the measured state says so."""
        if self._goal.task is Task.TOUCH:
            self._advance_touch(here, cube, q)
            return
        finger = float(q[self._finger or 0])
        holding = bool(np.linalg.norm(cube - here) < 0.035)
        near = float(np.linalg.norm(here - self._aim(cube)[0]))
        match self.phase:
            case Phase.ABOVE if near < 0.02 and finger > 0.028 and self._slanted(here, q):
                self._go(Phase.DOWN, here)
            case Phase.DOWN if near < 0.012 or (near < 0.02 and self._ticks > 6):
                self._go(Phase.CLOSE, here)
            case Phase.DOWN if self._ticks > 25:
                self._go(Phase.ABOVE, here)
            case Phase.CLOSE if self._ticks >= 4:
                self._go(Phase.LIFT, here)
            case Phase.LIFT | Phase.CARRY if not holding:
                self._go(Phase.ABOVE, here)
            case Phase.LIFT if near < 0.02 and self._goal.task is Task.PLACE:
                self._go(Phase.CARRY, here)
            case Phase.CARRY if near < 0.02:
                self._go(Phase.LOWER, here)
            case Phase.LOWER if near < 0.008 or self._ticks > 12:
                self._go(Phase.OPEN, here)
            case Phase.OPEN if finger > 0.028:
                self._go(Phase.RETREAT, here)
            case _:
                pass

    def _advance_touch(self, here: Floats, cube: Floats, q: Floats) -> None:
        near = float(np.linalg.norm(here - self._aim(cube)[0]))
        touched = self._world.touched
        match self.phase:
            case Phase.ABOVE if near < 0.02 and self._slanted(here, q):
                self._go(Phase.DOWN, here)
            # It stays in contact: drawing back at once looks like going on, and a policy hovers.
            case Phase.DOWN if self._ticks > 25 and self._goal.target not in touched:
                self._go(Phase.ABOVE, here)
            case _:
                pass

    def _slanted(self, here: Floats, q: Floats) -> bool:
        """Tell whether the hand points the way it should go down."""
        cosine = self._solver.pinch(q)[1][:, 2] @ self._solver.approach(here)[:, 2]
        return bool(cosine > np.cos(_SLANTED))

    def _aim(self, cube: Floats) -> tuple[Floats, float]:
        """Return where the pinch point should go (3,) [m] and the opening [m]."""
        up = np.array([0.0, 0.0, 1.0])
        touch = self._goal.task is Task.TOUCH
        grasp = cube + _GRASP_ABOVE * up
        back = self._solver.approach(grasp)[:, 2]
        world = self._world
        plate = world.plate
        match self.phase:
            case Phase.ABOVE if touch:
                return cube + 0.09 * up, _SHUT
            case Phase.ABOVE:
                return grasp - 0.03 * back + 0.055 * up, _OPEN
            case Phase.DOWN if touch:
                return cube + 0.025 * up, _SHUT
            case Phase.DOWN:
                # Off to the side a finger would land on the cube: stay higher until over it.
                aside = np.linalg.norm((world.pinch_of(self._solver.which) - grasp)[:2])
                return grasp + max(0.0, 3.0 * (float(aside) - 0.014)) * up, _OPEN
            case Phase.CLOSE:
                return self._anchor, _SQUEEZE
            case Phase.LIFT:
                return self._anchor + _LIFT * up, _SQUEEZE
            case Phase.CARRY:
                return np.array([plate[0], plate[1], self._anchor[2]]), _SQUEEZE
            case Phase.LOWER:
                rest = world.scene.cubes.side / 2.0 + world.scene.plate.height / 2.0
                held = world.pinch_of(self._solver.which) - cube
                return plate + (rest + 0.002) * up + held, _SQUEEZE
            case Phase.OPEN:
                return self._anchor, _OPEN
            case _:
                return self._anchor + (0.03 if touch else 0.08) * up, _SHUT if touch else _OPEN

    def _ease(self, stride: Floats) -> Floats:
        """
        Keep a joint step (n,) and its change within what the robot will be allowed.

        All joints of a hand are slowed alike, which keeps it on its path.
        """
        spec = self._world.spec
        change = _EASE * CONTROL_DT**2 * spec.acceleration
        largest = np.minimum(_EASE * CONTROL_DT * spec.velocity, np.abs(self._stride) + change)
        ratio = np.abs(stride) / largest
        self._stride = stride.copy()
        for paced in self._paced:
            self._stride[paced] /= np.max(ratio, initial=1.0, where=paced)
        return self._stride

    def _towards(self, here: Floats, point: Floats) -> Floats:
        """Return the next point on a straight path that speeds up and slows down gently."""
        gap = point - here
        distance = float(np.linalg.norm(gap))
        wanted = min(_FASTEST, self._step + _SPEED_UP, 0.5 * distance + 0.006, distance)
        self._step = wanted
        return here if distance < 1e-6 else here + gap * (wanted / distance)


def _fingers(world: World, solver: HandSolver, goal: Goal) -> tuple[int | None, Floats]:
    """
    Return the gripper's index, and the joints (n,) with all fingers as in a touch.

    :raises SimulationError: when the task needs a gripper the hand does not have.
    """
    spec, hand = world.spec, world.scene.hands[solver.which]
    shut = np.array(spec.home)
    for name, angle in hand.pointing.items():
        shut[spec.names.index(name)] = angle
    if hand.gripper:
        return spec.names.index(hand.gripper), shut
    if goal.task is not Task.TOUCH:
        raise SimulationError(
            f'{spec.name}: the hand {hand.link} has no gripper, so the expert cannot '
            f'{goal.task.value}; it can {Task.TOUCH.value}'
        )
    return None, shut
