# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Steps before and after a policy lose nothing they need not lose."""

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
import numpy as np
import pytest

from vla_control.core.errors import PolicyError
from vla_control.policies.transforms import AreaResize, JointMap, Normalise

NAMES = ('a', 'b', 'c', 'd')


@given(st.permutations(NAMES), arrays(np.float64, (3, 4), elements=st.floats(-9, 9)))
def test_a_joint_map_and_its_inverse_cancel(order, values):
    there = JointMap(source=NAMES, target=tuple(order))
    np.testing.assert_array_equal(there.inverse().apply(there.apply(values)), values)


def test_joints_are_taken_by_name():
    there = JointMap(source=NAMES, target=('d', 'a'))
    np.testing.assert_array_equal(there.apply(np.array([1.0, 2.0, 3.0, 4.0])), [4.0, 1.0])
    with pytest.raises(PolicyError, match=r"\['b', 'c'\]"):
        there.inverse()


@pytest.mark.parametrize(
    ('source', 'target', 'message'),
    [(NAMES, ('a', 'e'), "'e'"), (('a', 'a'), ('a',), 'twice'), (NAMES, ('a', 'a'), 'twice')],
)
def test_wrong_names_are_refused(source, target, message):
    with pytest.raises(PolicyError, match=message):
        JointMap(source=source, target=target)


def test_values_for_other_joints_are_refused():
    with pytest.raises(PolicyError, match='3 values for 4 joints'):
        JointMap(source=NAMES, target=NAMES).apply(np.zeros(3))


def test_halving_a_picture_averages_its_pixels():
    pixels = np.random.default_rng(0).integers(0, 256, (192, 192, 3), dtype=np.uint8)
    small = AreaResize(rows=96, columns=96).apply(pixels)
    mean = pixels.reshape(96, 2, 96, 2, 3).astype(float).mean(axis=(1, 3))
    assert small.shape == (96, 96, 3)
    assert np.abs(small - mean).max() <= 0.5


def test_a_wide_picture_is_cut_in_the_middle_never_squeezed():
    pixels = np.zeros((480, 640, 3), np.uint8)
    pixels[:, 80:560] = 200
    small = AreaResize(rows=96, columns=96).apply(pixels)
    assert (small == 200).all()


def test_a_picture_of_the_right_size_passes_untouched():
    pixels = np.zeros((96, 96, 3), np.uint8)
    assert AreaResize(rows=96, columns=96).apply(pixels) is pixels


def test_a_picture_is_never_enlarged():
    with pytest.raises(PolicyError, match='100x80 picture is smaller than the 96x96'):
        AreaResize(rows=96, columns=96).apply(np.zeros((80, 100, 3), np.uint8))


@given(arrays(np.float64, (5, 4), elements=st.floats(-9, 9)))
def test_normalising_can_be_undone(values):
    scale = Normalise(mean=np.array([0.0, 1.0, -2.0, 3.0]), deviation=np.array([1.0, 2, 0.1, 5]))
    np.testing.assert_allclose(scale.invert(scale.apply(values)), values, atol=1e-12)


def test_a_deviation_of_zero_is_refused():
    with pytest.raises(PolicyError, match='least deviation 0'):
        Normalise(mean=np.zeros(2), deviation=np.array([1.0, 0.0]))
