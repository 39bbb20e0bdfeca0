# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""The 27 invariants, what the bench measures of each, and the worst it has seen."""

from collections.abc import Iterable
from dataclasses import dataclass
import math
from typing import Any

RATIO = 1.0 + 1e-6  # of a limit, before encoding
EXCESS = 1e-9  # [rad] beyond a soft limit that rounding may leave

INVARIANTS = {
    1: 'position inside the soft limits',
    2: 'velocity',
    3: 'acceleration',
    4: 'jerk',
    5: 'a verified stop always in hand',
    6: 'transparent when legal',
    7: 'seams continuous, jumps made good',
    8: 'non-finite refused whole',
    9: 'names and shape',
    10: 'plausible jump and units',
    11: 'time sane',
    12: 'starvation: decelerate, hold, latch',
    13: 'feedback loss',
    14: 'frozen feedback',
    15: 'tracking error',
    16: 'start and re-engage at measured',
    17: 'hold latches once, gains ramp',
    18: 'temperature and motor fault',
    19: 'e-stop',
    20: 'enabling device',
    21: 'single writer',
    22: 'process death',
    23: 'the loop never blocks',
    24: 'a stale camera starves',
    25: 'torque and gains bounded',
    26: 'encoding honest',
    27: 'deterministic',
}
PROOFS = {  # where processes or real time are needed, tests prove what is not measured here
    21: 'test/invariants/test_21_single_writer.py',
    22: 'test/invariants/test_22_process_death.py',
    23: 'test/invariants/test_23_loop_never_blocks.py',
}


@dataclass(frozen=True, slots=True)
class Measure:
    """One number that must stay at or below its limit."""

    invariant: int
    what: str
    unit: str
    limit: float


def _frames(what: str) -> str:
    return f'{what} of the decoded frames, their rounding allowed'


# Frames of commands that keep their limits differ from them by half a code each, so the k-th
# difference may be off by 2^k half codes over dt^k: that is what "their rounding" means.
MEASURES = {
    'position': Measure(1, 'commands beyond the soft limits', 'rad or m', EXCESS),
    'position_frames': Measure(1, 'frames beyond the soft limits', 'half codes', RATIO),
    'velocity': Measure(2, 'backward difference of commands', 'of limit', RATIO),
    'velocity_frames': Measure(2, _frames('difference'), 'of limit', RATIO),
    'acceleration': Measure(3, 'second difference of commands', 'of limit', RATIO),
    'acceleration_frames': Measure(3, _frames('second difference'), 'of limit', RATIO),
    'jerk': Measure(4, 'third difference of commands', 'of limit', RATIO),
    'jerk_frames': Measure(4, _frames('third difference'), 'of limit', RATIO),
    'stop_ticks': Measure(5, 'time to rest beyond the fastest stop', 'ticks', 1.0),
    'stop_limits': Measure(5, 'velocity, acceleration, jerk until rest', 'of limit', RATIO),
    'stop_position': Measure(5, 'beyond the soft limits until rest', 'rad or m', EXCESS),
    'transparency': Measure(6, 'command - legal reference', 'rad or m', 1e-12),
    'seam_velocity': Measure(7, 'velocity step at a seam', 'of A dt', RATIO),
    'seam_acceleration': Measure(7, 'acceleration step at a seam', 'of J dt', RATIO),
    'rejoin': Measure(7, 'a jump of 0.1 rad made good in', 's', 0.5),
    'non_finite': Measure(8, 'chunks with one accepted', 'chunks', 0.0),
    'non_finite_references': Measure(8, 'references with one accepted', 'references', 0.0),
    'names': Measure(9, 'wrong names or shapes accepted', 'chunks', 0.0),
    'permuted': Measure(9, 'motion changed by the order of names', 'rad or m', 0.0),
    'jump': Measure(10, 'first due point accepted from a plan at rest', 'of chunk_jump', 1.0),
    'implausible': Measure(10, 'degrees and leaps accepted', 'chunks', 0.0),
    'time': Measure(11, 'bad times accepted', 'chunks', 0.0),
    'future_references': Measure(11, 'references of the far future kept', 'references', 0.0),
    'starved_drift': Measure(12, 'drift of a hold after silence', 'rad or m', 0.0),
    'unasked': Measure(12, 'motion without a resume', 'times', 0.0),
    'late_stop': Measure(13, 'stale feedback to braking', 'ticks', 1.0),
    'lost_fault': Measure(13, 'lost feedback to safe action', 'ticks', 1.0),
    'frozen': Measure(14, 'frozen_feedback exceeded by', 'ticks', 2.0),
    'tracking': Measure(15, 'tracking_time exceeded by', 'ticks', 2.0),
    'first_command': Measure(16, 'first command - measured', 'rad or m', 1e-12),
    'first_frame': Measure(16, 'first frame - measured', 'half codes', 2.0),
    'authority': Measure(16, 'speed in the ramp of authority', 'of the cap', RATIO),
    'outward': Measure(16, 'moved outward while outside', 'rad or m', EXCESS),
    'hold_drift': Measure(17, 'drift of any hold', 'rad or m', 0.0),
    'gain_ramp': Measure(17, 'stiffness in the ramp of gains', 'of the ramp', RATIO),
    'status': Measure(18, 'motor fault to safe action', 'ticks', 1.0),
    'heat': Measure(18, 'over temperature to safe action', 'ticks', 1.0),
    'cleared': Measure(18, 'faults cleared without a reset', 'times', 0.0),
    'e_stop': Measure(19, 'call to first frame without motion', 'ticks', 1.0),
    'released': Measure(20, 'enabling device lost to braking, beyond its time', 'ticks', 1.0),
    'second_writer': Measure(21, 'second openings of an open bus or its lock', 'openings', 0.0),
    'watchdog': Measure(22, 'motors on without commands, beyond their watchdog', 'ticks', 1.0),
    'lost_ticks': Measure(
        23, 'lost in virtual time: references, requests pour in, the log hangs', 'ticks', 0.0
    ),
    'camera': Measure(24, 'questions allowed on bad pictures', 'questions', 0.0),
    'kp': Measure(25, 'stiffness of the decoded frames', 'of spec', RATIO),
    'kd': Measure(25, 'damping of the decoded frames', 'of spec', RATIO),
    'torque': Measure(25, 'torque of the decoded frames', 'of effort', RATIO),
    'codec_q': Measure(26, 'decoded - commanded position', 'half codes', RATIO),
    'codec_v': Measure(26, 'decoded - commanded velocity', 'half codes', RATIO),
    'replay': Measure(27, 'replays that differ', 'replays', 0.0),
}


class Ledger:
    """The worst of every measure; ledgers of parts of a run add up to that of the whole."""

    def __init__(self, worst: dict[str, tuple[float, int]] | None = None) -> None:
        """
        Begin, by default with nothing seen.

        :param worst: worst value and number of samples by name of the measure.
        """
        self.worst = dict(worst or {})
        self.left_out: dict[int, str] = {}  # why an invariant does not apply to this robot

    def note(self, key: str, value: float, samples: int = 1) -> None:
        """Take in the worst of some samples; what is not a number counts as infinite."""
        value = float(value)
        if math.isnan(value):
            value = math.inf
        before, count = self.worst.get(key, (-math.inf, 0))
        self.worst[key] = (max(before, value), count + samples)

    def count(self, key: str, happened: bool) -> None:
        """Take in one sample of something that must never happen; the worst is how often."""
        before, count = self.worst.get(key, (0.0, 0))
        self.worst[key] = (before + bool(happened), count + 1)

    def leave_out(self, invariant: int, reason: str) -> None:
        """Say why an invariant does not apply to this robot."""
        self.left_out[invariant] = reason

    def merge(self, other: 'Ledger') -> None:
        """Add what another part of the run has seen."""
        self.left_out |= other.left_out
        for key, (value, samples) in other.worst.items():
            if MEASURES[key].unit in _COUNTED:
                before, count = self.worst.get(key, (0.0, 0))
                self.worst[key] = (before + value, count + samples)
            else:
                self.note(key, value, samples)

    def broken(self) -> list[str]:
        """Return the names of the measures beyond their limits."""
        return [k for k, (value, _) in self.worst.items() if not value <= MEASURES[k].limit]

    def rows(self) -> list[dict[str, Any]]:
        """
        Return every invariant with what was measured of it, ready for JSON.

        :returns: ``holds`` is None where the invariant does not apply, and false where it does
            and nothing was measured; ``proof`` is the test of what cannot be measured here.
        """
        return [self._row(i, name) for i, name in INVARIANTS.items()]

    def _row(self, invariant: int, name: str) -> dict[str, Any]:
        measures = [
            {
                'what': m.what,
                'unit': m.unit,
                'worst': finite(self.worst[key][0]),
                'limit': m.limit,
                'samples': self.worst[key][1],
                'holds': self.worst[key][0] <= m.limit,
            }
            for key, m in MEASURES.items()
            if m.invariant == invariant and key in self.worst
        ]
        row: dict[str, Any] = {'id': invariant, 'name': name}
        if invariant in PROOFS:
            row['proof'] = PROOFS[invariant]
        if not measures:
            row |= {'worst': None, 'limit': None, 'unit': '', 'samples': 0, 'measures': []}
            if invariant in self.left_out:
                return row | {'holds': None, 'not_applicable': self.left_out[invariant]}
            return row | {'holds': False}  # what should have been measured and was not
        shown = next((m for m in measures if not m['holds']), measures[0])
        return {
            **row,
            **{key: shown[key] for key in ('worst', 'limit', 'unit', 'samples')},
            'holds': all(m['holds'] for m in measures),
            'measures': measures,
        }


_COUNTED = ('chunks', 'references', 'times', 'questions', 'replays', 'openings')


def merged(ledgers: Iterable[Ledger]) -> Ledger:
    """Return the ledger of all parts."""
    whole = Ledger()
    for part in ledgers:
        whole.merge(part)
    return whole


def finite(value: float) -> float:
    """Return a number JSON can hold; an infinite one becomes the largest float."""
    return float(min(max(value, -1.7e308), 1.7e308))
