import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cop_imaging.ingest.density_config import DensityConfig
from cop_imaging.ingest.padding import canvas, declared
from cop_imaging.ingest.pixels import StoredSlice

CONFIG = DensityConfig()
SIDE = 40
Y, X = np.indices((SIDE, SIDE))
OUTSIDE = (X - 19.5) ** 2 + (Y - 19.5) ** 2 > 19.9**2


def field(outside, inside=-1000):
    """A slice whose round field holds noisy air, and another value around it."""
    noise = np.random.default_rng(0).integers(-20, 21, OUTSIDE.shape)
    return np.where(OUTSIDE, outside, inside + noise).astype(np.int16)


def stored(values, padding):
    return StoredSlice(values=values, slope=1.0, intercept=0.0, padding=padding)


@given(value=st.integers(-899, 3000))
def test_any_value_that_is_no_air_and_fills_the_corners_is_canvas(value):
    np.testing.assert_array_equal(canvas(field(value), CONFIG), OUTSIDE)


@pytest.mark.parametrize("value", [-1024, -1000, -950])
def test_air_around_the_field_is_no_canvas(value):
    assert canvas(field(value), CONFIG) is None


def test_three_corners_are_enough_and_two_are_not():
    hu = field(0)
    hu[0, 0] = -1000
    found = canvas(hu, CONFIG)
    assert found is not None
    assert found.sum() == OUTSIDE.sum() - 1
    hu[0, -1] = -990
    assert canvas(hu, CONFIG) is None


def test_the_same_value_inside_the_body_stays_scanned():
    hu = field(0)
    hu[18:22, 18:22] = 0
    found = canvas(hu, CONFIG)
    assert found is not None
    assert not found[18:22, 18:22].any()


def test_equal_corners_of_a_few_pixels_are_no_canvas():
    hu = field(-1000)
    hu[[0, 0, -1, -1], [0, -1, 0, -1]] = 40
    assert canvas(hu, CONFIG) is None


def test_declared_padding_that_no_tissue_has_counts_wherever_it_lies():
    values = field(-2000)
    values[20, 20] = -2000
    np.testing.assert_array_equal(declared(stored(values, (-2000, -2000)), 1.0, 0.0, CONFIG), values == -2000)


def test_declared_padding_with_a_density_of_tissue_counts_only_at_the_edge():
    values = field(0)
    values[20, 20] = 0
    np.testing.assert_array_equal(declared(stored(values, (0, 0)), 1.0, 0.0, CONFIG), OUTSIDE)


def test_a_range_of_padding_counts_with_both_ends():
    values = field(-2000)
    values[0, 0], values[0, -1] = -3000, -1999
    found = declared(stored(values, (-3000, -2000)), 1.0, 0.0, CONFIG)
    assert found is not None
    assert (bool(found[0, 0]), bool(found[0, -1])) == (True, False)


@pytest.mark.parametrize("padding", [None, (-5000, -5000)])
def test_without_its_value_nothing_is_declared_padding(padding):
    assert declared(stored(field(-2000), padding), 1.0, 0.0, CONFIG) is None
