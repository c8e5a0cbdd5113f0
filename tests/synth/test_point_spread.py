"""The plane of a slice is blurred as the kernel's modulation transfer says."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cop_imaging.synth.point_spread import PointSpread, modulation_transfer

PIXEL = (0.6, 0.6)
SHAPE = (64, 64)


def spread(mtf50_per_mm: float, enhancement: float = 0.0) -> PointSpread:
    return PointSpread(
        SHAPE, PIXEL, PIXEL, partial(modulation_transfer, mtf50_per_mm=mtf50_per_mm, enhancement=enhancement)
    )


@given(mtf50=st.floats(0.2, 1.2), enhancement=st.floats(0.0, 0.8))
def test_half_of_the_contrast_is_left_at_the_frequency_asked_for(mtf50, enhancement):
    f = np.linspace(0.0, 3.0, 3001)
    transfer = modulation_transfer(f, mtf50, enhancement)
    assert transfer[0] == pytest.approx(1.0)
    assert modulation_transfer(np.array([mtf50]), mtf50, enhancement)[0] == pytest.approx(0.5)
    assert transfer.max() == pytest.approx(1.0 + enhancement, abs=1e-3)


def test_a_kernel_without_enhancement_is_a_gaussian():
    # MTF10 / MTF50 of a Gaussian is the root of ln 10 / ln 2.
    assert modulation_transfer(np.array([0.35 * np.sqrt(np.log(10) / np.log(2))]), 0.35, 0.0) == pytest.approx(0.1)


def test_even_tissue_stays_as_it_is():
    even = np.full(SHAPE, 40.0, dtype=np.float32)
    assert spread(0.7, 0.3)(even) == pytest.approx(even, abs=1e-3)


def test_an_edge_overshoots_only_when_the_kernel_enhances():
    edge = np.full(SHAPE, -850.0, dtype=np.float32)
    edge[:, 32:] = 50.0
    soft, sharp = spread(0.35)(edge), spread(0.7, 0.3)(edge)
    assert soft.max() < 55.0
    assert sharp.max() > 110.0
    assert sharp.min() < -910.0


def test_a_line_keeps_its_mass_and_what_lies_at_one_side_does_not_appear_at_the_other():
    line = np.zeros(SHAPE, dtype=np.float32)
    line[:, 3] = 1000.0
    out = spread(0.35)(line)
    assert out[32].sum() == pytest.approx(1000.0, rel=0.01)
    assert np.abs(out[:, 40:]).max() < 1.0


def test_the_slice_that_is_given_is_not_changed():
    plane = np.random.default_rng(0).normal(size=SHAPE).astype(np.float32)
    before = plane.copy()
    spread(0.35)(plane)
    assert np.array_equal(plane, before)
