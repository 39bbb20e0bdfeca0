# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""What the limiter aims at."""

import numpy as np
import pytest

from vla_control.core.motion import Motion
from vla_control.core.spec import load_robot
from vla_control.safety.legality import Legality, Limits
from vla_control.safety.limiter import Limiter

SPEC = load_robot('openarm')


@pytest.mark.parametrize(('share', 'followed'), [(1.0, True), (1.0 + 5e-13, True), (1.01, False)])
def test_an_acceleration_at_its_limit_is_followed_though_rounding_lifts_it(share, followed):
    limits = Limits.of(SPEC, SPEC.dt)
    limiter = Limiter(Legality(limits))
    middle, still = 0.5 * (SPEC.lower + SPEC.upper), np.zeros(len(SPEC.joints))
    rest = Motion(middle, still, still)
    asked = Motion(middle, still, share * limits.acceleration)
    goal = limiter.goal(asked, rest, SPEC.velocity, SPEC.lower, SPEC.upper)
    arms = ~SPEC.gripper
    assert goal.followable[arms].tolist() == [followed] * int(arms.sum())
