# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
The hardware variants of a Unitree G1: what their motors can do, and whose body they have.

From the vendor's URDFs (unitreerobotics/unitree_ros, commit d6f13aad, g1_description). Two robots
of one body have the same joint frames, masses and centres of mass, up to a gram of the pelvis.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from vla_control.core.errors import ConfigError
from vla_control.core.spec import JointSpec, RobotSpec

_LEGS = frozenset(range(12))
_LOCKED = frozenset({13, 14})  # waist roll and pitch
_SMALL = frozenset({13, 14, 20, 21, 27, 28})  # what a robot of 23 joints lacks

Row = tuple[float, ...]  # one number per slot 0..28
# One leg, then the waist, then one arm; hip and wrist are what differs between variants.
_EFFORT = (88.0, 139.0, 88.0, 139.0, 35.0, 35.0), (88.0, 35.0, 35.0), (25.0,) * 5  # [N·m]
_SPEED = (32.0, 20.0, 32.0, 20.0, 30.0, 30.0), (32.0, 30.0, 30.0), (37.0,) * 5  # [rad/s]
_GEAR = {14.3: (88.0, 32.0), 14.5: (88.0, 32.0), 22.5: (139.0, 20.0)}  # hip: [N·m], [rad/s]
_WRIST = {'4010': (5.0, 22.0), '5010': (13.4, 27.0)}  # motor of pitch and yaw: [N·m], [rad/s]

_REFERENCE = 'g1_29dof_rev_1_0'
BODIES = {  # model that names a body -> how it differs from the one of _REFERENCE
    _REFERENCE: '',
    'g1_29dof_mode_13': 'its wrist pitch links weigh 0.684 kg instead of 0.484 kg, and its wrist '
    'yaw joints sit 5 mm further out',
    'g1_29dof': 'its torso weighs 8.562 kg instead of 6.78 kg, and its waist, head and shoulders '
    'sit up to 22 mm elsewhere',
    'g1_23dof': 'its torso is that of g1_29dof, and its forearms end in one link of 0.357 kg',
    'g1_23dof_rev_1_0': 'its waist is one joint, and its forearms end in one link of 0.357 kg',
    'g1_dual_arm': 'it has neither pelvis nor legs, and the torso of g1_29dof',
}
DESCRIBED = {'g1.urdf.xacro': _REFERENCE}  # file in urdf/ -> the body it describes


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """A hardware variant as LowState_.mode_machine names it."""

    model: str  # of the vendor's URDF
    body: str = _REFERENCE  # a key of BODIES
    missing: frozenset[int] = frozenset()  # slots without a motor
    hips: tuple[float, float] = (14.3, 22.5)  # gear ratios of pitch and roll
    wrist: str = '4010'  # motor of wrist pitch and yaw

    @property
    def effort(self) -> Row:
        """Largest torque of each motor [N·m]."""
        return self._row(_EFFORT, 0)

    @property
    def velocity(self) -> Row:
        """Largest speed of each motor without load [rad/s]."""
        return self._row(_SPEED, 1)

    def _row(self, parts: tuple[Row, ...], column: int) -> Row:
        leg, waist, arm = parts
        leg = tuple(_GEAR[gear][column] for gear in self.hips) + leg[2:]
        arm = arm + (_WRIST[self.wrist][column],) * 2
        return leg * 2 + waist + arm * 2


VARIANTS = {
    1: Variant(model='g1_23dof', body='g1_23dof', missing=_SMALL, hips=(14.3, 14.5)),
    2: Variant(model='g1_29dof', body='g1_29dof', hips=(14.3, 14.5)),
    3: Variant(model='g1_29dof_lock_waist', body='g1_29dof', missing=_LOCKED, hips=(14.3, 14.5)),
    4: Variant(model='g1_23dof_rev_1_0', body='g1_23dof_rev_1_0', missing=_SMALL),
    5: Variant(model=_REFERENCE),
    6: Variant(model='g1_29dof_lock_waist_rev_1_0', missing=_LOCKED),
    9: Variant(model='g1_dual_arm', body='g1_dual_arm', missing=_LEGS | {12} | _LOCKED),
    10: Variant(
        model='g1_23dof_mode_10', body='g1_23dof_rev_1_0', missing=_SMALL, hips=(22.5, 22.5)
    ),
    11: Variant(model='g1_29dof_mode_11', hips=(22.5, 22.5)),
    12: Variant(model='g1_29dof_mode_12', missing=_LOCKED, hips=(22.5, 22.5)),
    13: Variant(model='g1_29dof_mode_13', body='g1_29dof_mode_13', wrist='5010'),
    14: Variant(model='g1_29dof_mode_14', body='g1_29dof_mode_13', missing=_LOCKED, wrist='5010'),
    15: Variant(
        model='g1_29dof_mode_15', body='g1_29dof_mode_13', hips=(22.5, 22.5), wrist='5010'
    ),
    16: Variant(
        model='g1_29dof_mode_16',
        body='g1_29dof_mode_13',
        missing=_LOCKED,
        hips=(22.5, 22.5),
        wrist='5010',
    ),
}


def require_variant(
    spec: RobotSpec, slots: Iterable[tuple[JointSpec, int]], mode_machine: int
) -> None:
    """
    Refuse joints and a robot description that are not those of a variant.

    :param slots: each joint in the body with its motor.
    :param mode_machine: a key of VARIANTS.
    :raises ConfigError: naming what differs, and the variants that fit.
    """
    motors = tuple(slots)
    wrong = _misfits(spec.urdf, motors, VARIANTS[mode_machine])
    if not wrong:
        return
    fits = [n for n, variant in VARIANTS.items() if not _misfits(spec.urdf, motors, variant)]
    raise ConfigError(
        f'{spec.name}: bus.mode_machine {mode_machine} is a {VARIANTS[mode_machine].model}: '
        f'{"; ".join(wrong)}. These joints and {spec.urdf} fit mode_machine {fits}; for another '
        'robot change joints and urdf in a file of your own'
    )


def _misfits(urdf: str, motors: tuple[tuple[JointSpec, int], ...], variant: Variant) -> list[str]:
    """Say what a variant has not, or not so, of what is configured."""
    found = []
    missing = sorted(slot for _, slot in motors if slot in variant.missing)
    if missing:
        found.append(f'it has no motor in slots {missing}; leave their joints out')
    for joint, slot in motors:
        for what, asked, able, unit in (
            ('effort', joint.effort, variant.effort[slot], 'N·m'),
            ('velocity', joint.velocity, variant.velocity[slot], 'rad/s'),
        ):
            if asked > able:
                found.append(f'{joint.name} has {what} {asked}, its motor {able} {unit}')
    described = DESCRIBED.get(urdf)
    if described is not None and described != variant.body:
        found.append(f'{urdf} describes another body ({described}): {BODIES[variant.body]}')
    return found
