# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""The blend section is strict, and its matrices do what they say."""

import numpy as np
import pytest

from vla_control.actions.blend import (
    BlendConfig,
    BlendMethod,
    ensemble,
    Memory,
    parse_blend,
    smooth,
    smoothing_matrix,
    stiffness,
)
from vla_control.actions.spline import interpolate
from vla_control.core.errors import ConfigError
from vla_control.core.rtc import RtcVariant


def test_an_empty_section_means_the_defaults():
    assert parse_blend(None, 'act.yaml: blend') == BlendConfig()
    assert BlendConfig().method is BlendMethod.SPLICE


def test_every_key_is_read():
    config = parse_blend(
        {'method': 'ensemble', 'temporal_ensemble_coeff': 0.05, 'fade': 0.4, 'fade_min': 0.1}, 'x'
    )
    assert config.method is BlendMethod.ENSEMBLE
    assert (config.temporal_ensemble_coeff, config.fade, config.fade_min) == (0.05, 0.4, 0.1)


def test_both_variants_of_real_time_chunking_have_a_name():
    for variant in RtcVariant:
        section = {'method': 'rtc', 'rtc': {'variant': variant.value, 'overlap': 0.3}}
        config = parse_blend(section, 'x')
        assert (config.method, config.rtc.variant) == (BlendMethod.RTC, variant)


@pytest.mark.parametrize(
    ('section', 'message'),
    [
        ({'metod': 'splice'}, "unknown key 'metod'.*did you mean 'method'"),
        ({'method': 'splise'}, "'splise' is not one of.*did you mean 'splice'"),
        ({'reach': 0.0}, 'blend.reach is 0.0 s, must be > 0'),
        ({'rtc': {'variant': 'exact'}}, "'exact' is not one of.*guided.*constant_velocity"),
        ({'rtc': {'beta': 0.0}}, 'blend.rtc.beta is 0.0, must be > 0'),
        ({'rtc': {'delay': -0.1}}, 'blend.rtc.delay is -0.1 s, must be >= 0'),
        ({'f_cut': 0.0}, 'blend.f_cut is 0.0 Hz, must be > 0'),
        ({'f_cut': 'fast'}, 'f_cut: expected float'),
        ({'average': 1.0}, 'blend.average is 1.0, must be >= 0 and < 1'),
        ({'fade': 0.1}, 'fade_min 0.25 s must be > 0 and <= blend.fade 0.1'),
        ({'fade_min': 0.0}, 'fade_min 0.0 s must be > 0'),
    ],
)
def test_a_wrong_section_says_what_is_wrong(section, message):
    with pytest.raises(ConfigError, match=message):
        parse_blend(section, 'act.yaml: blend')


@pytest.mark.parametrize('count', [1, 3, 4, 16, 50, 1000])
def test_smoothing_keeps_quadratics_exactly(count):
    t = np.linspace(-1, 1, count)
    parabola = np.stack([np.ones(count), t, 0.5 - t * t], axis=1)
    np.testing.assert_allclose(smooth(parabola, 1 / 30, 3.0), parabola, atol=1e-9)


def test_stiffness_is_the_published_one_and_scales_with_seconds():
    assert stiffness(1 / 30, 3.0) == pytest.approx(16.2, rel=0.02)
    assert stiffness(0.1, 3.0) == pytest.approx(stiffness(1 / 30, 3.0) / 3**6, rel=0.02)
    assert stiffness(1 / 30, 3.0) == stiffness(1 / 30 + 1e-9, 3.0), 'jitter shares one matrix'


def test_motion_at_the_cut_off_is_halved_and_slow_motion_kept():
    t = np.arange(300) / 30

    def kept(frequency):
        out = smooth(np.sin(2 * np.pi * frequency * t)[:, None], 1 / 30, 3.0)[100:200, 0]
        return np.ptp(out) / 2

    assert kept(0.5) == pytest.approx(1.0, abs=1e-3)
    assert kept(1.0) == pytest.approx(1.0, abs=0.01)
    assert kept(3.0) == pytest.approx(0.5, abs=0.05)
    assert kept(8.0) < 0.02


def test_smoothing_is_symmetric_so_it_adds_no_lag():
    matrix = smoothing_matrix(50, 16.0)
    np.testing.assert_allclose(matrix, matrix.T, atol=1e-12)
    np.testing.assert_allclose(matrix, matrix[::-1, ::-1], atol=1e-9)


def curve(start, value):
    return interpolate(start, 0.1, np.full((20, 1), value))


def test_the_ensemble_is_the_weighted_mean_with_the_oldest_first():
    memory = Memory().with_curve(curve(0.0, 1.0)).with_curve(curve(0.1, 2.0))
    times = 0.1 + 0.1 * np.arange(20)
    mixed = ensemble(memory, times, 0.5)[:, 0]
    old, new = 1.0, np.exp(-0.5)
    assert mixed[0] == pytest.approx((old * 1.0 + new * 2.0) / (old + new))
    assert mixed[-1] == pytest.approx(2.0), 'past the end of the old chunk only the new speaks'
    assert np.abs(np.diff(mixed)).max() < 0.7 * (2.0 - mixed[0]), 'its end is no step'


def test_the_ensemble_forgets_chunks_that_have_ended():
    memory = Memory().with_curve(curve(0.0, 1.0)).with_curve(curve(5.0, 2.0))
    assert len(memory.curves) == 1
