"""Slices are as thick as asked, and share noise as far as they overlap."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cop_imaging.synth.slice_profile import noise_weights, profile_weights


@given(ratio=st.floats(1.0, 6.0))
def test_overlapping_slices_are_as_thick_as_asked(ratio):
    weights = profile_weights(ratio, 1.0)
    assert weights.sum() == pytest.approx(1.0)
    assert np.allclose(weights, weights[::-1])
    # Area over height.
    assert 1.0 / weights.max() == pytest.approx(ratio)


@given(ratio=st.floats(0.05, 1.0))
def test_slices_that_do_not_overlap_stay_apart(ratio):
    assert profile_weights(ratio, 1.0) == pytest.approx([1.0])
    assert noise_weights(ratio, 1.0) == pytest.approx([1.0])


@pytest.mark.parametrize(
    ("ratio", "shared"), [(2.0, [1.0, 0.5, 0.0]), (4.0, [1.0, 0.75, 0.5]), (1.25, [1.0, 0.2, 0.0])]
)
def test_noise_of_overlapping_slices_is_correlated_like_their_overlap(ratio, shared):
    weights = noise_weights(ratio, 1.0)
    correlation = np.correlate(weights, weights, mode="full")[len(weights) - 1 :]
    assert correlation[:3] == pytest.approx(shared, abs=0.03)
