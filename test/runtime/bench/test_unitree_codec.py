# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""The bench of the codec compares the same work."""

import pytest

pytest.importorskip('cyclonedds')

from vla_control.buses.unitree import (
    encode_low_cmd,
    encode_low_state,
    low_cmd,
    low_state,
)
from vla_control.buses.unitree_stock import (
    stock_decode_low_state,
    stock_encode,
    stock_low_cmd,
)
from vla_control.runtime.bench.unitree_codec import stock_serializer_cpu


def test_both_codecs_mean_the_same_message():
    command = low_cmd()
    command['motor_cmd']['q'][3] = 0.25
    payload = encode_low_cmd(command)
    assert stock_encode(stock_low_cmd(command)) == payload
    state = low_state()
    state['motor_state']['q'][7] = -0.5
    assert stock_decode_low_state(encode_low_state(state)).motor_state[7].q == -0.5


def test_the_figures_follow_the_rate():
    figures = stock_serializer_cpu(500.0, cycles=3)
    assert set(figures) == {
        'codec_cpu_percent',
        'stock_serializer_cpu_percent',
        'stock_serializer_ratio',
    }
    ratio = figures['stock_serializer_cpu_percent'] / figures['codec_cpu_percent']
    assert figures['stock_serializer_ratio'] == pytest.approx(ratio)
    assert figures['codec_cpu_percent'] > 0.0
