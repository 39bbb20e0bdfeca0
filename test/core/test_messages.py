# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Values handed across threads cannot be changed behind anyone's back."""

import numpy as np
import pytest

from vla_control.core.clock import ManualClock
from vla_control.core.mailbox import Mailbox
from vla_control.core.messages import frozen_floats


def test_frozen_floats_copies_and_locks():
    source = np.array([1.0, 2.0])
    frozen = frozen_floats(source)
    source[0] = 9.0
    assert frozen[0] == 1.0
    with pytest.raises(ValueError, match='read-only'):
        frozen[0] = 3.0


@pytest.mark.parametrize('bad', [[1j], [None], ['1'], np.array([object()])])
def test_frozen_floats_refuses_what_is_no_real_number(bad):
    with pytest.raises(TypeError, match='real numbers'):
        frozen_floats(bad)


def test_mailbox_keeps_only_the_newest_and_gives_it_once():
    box = Mailbox()
    assert box.take() is None
    box.put(1)
    box.put(2)
    assert box.peek() == 2
    assert box.take() == 2
    assert box.take() is None
    assert box.peek() == 2


def test_manual_clock_moves_only_when_told_and_never_back():
    clock = ManualClock(5.0)
    clock.sleep_until(7.0)
    clock.sleep_until(6.0)
    assert clock.now() == 7.0
    assert clock.advance(0.5) == 7.5
