"""A ball that is laid over a mask in rows of bits reaches what a distance map says."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cop_imaging.core.balls import ball_rows, dilated_by_rows
from cop_imaging.core.geometry import Geometry
from cop_imaging.core.grid import MOST_ROWS, dilated, distance_to

# Multiples of these in mm are exact in single precision, so that distances equal to the radius are too.
spacings_mm = st.tuples(*[st.sampled_from((0.5, 0.75, 1.0, 1.5, 2.0, 3.5))] * 3)
radii_mm = st.sampled_from((0.0, 0.5, 1.5, 2.0, 2.5, 3.0, 3.35, 4.5, 5.0, 5.5, 7.5, 10.0))


@given(
    hnp.arrays(np.bool_, st.tuples(st.integers(1, 6), st.integers(1, 6), st.integers(1, 130))), spacings_mm, radii_mm
)
def test_the_ball_reaches_every_voxel_whose_distance_is_at_most_the_radius(mask, spacing_mm, radius_mm):
    geometry = Geometry(mask.shape, spacing_mm)
    found = dilated_by_rows(mask, ball_rows(spacing_mm, radius_mm))
    assert np.array_equal(found, distance_to(mask, geometry) <= radius_mm)


@pytest.mark.parametrize("spacing_mm", [(1.5, 1.5, 1.5), (5.0, 0.75, 0.75), (1.25, 2.0, 0.5)])
def test_sparse_points_grow_to_balls_that_overlap(spacing_mm):
    mask = np.random.default_rng(3).random((30, 40, 70)) < 0.003
    geometry = Geometry(mask.shape, spacing_mm)
    for radius_mm in (1.5, 3.0, 5.5, 12.0):
        assert np.array_equal(dilated(mask, geometry, radius_mm), distance_to(mask, geometry) <= radius_mm)


def test_a_voxel_at_the_radius_belongs_to_the_ball_in_any_spacing():
    for spacing_mm in (0.7, 0.703125, 5.0 / 6.0, 1.1):
        for steps in range(6):
            assert ball_rows((spacing_mm,) * 3, steps * spacing_mm)[0, 0] == steps


def test_a_ball_of_negative_radius_is_empty():
    mask = np.ones((2, 3, 4), dtype=bool)
    assert not dilated_by_rows(mask, ball_rows((1.0, 1.0, 1.0), -0.5)).any()


def test_a_ball_larger_than_those_laid_in_rows_is_the_same():
    geometry = Geometry((70, 40, 40), (0.5, 0.5, 0.5))
    mask = np.zeros(geometry.shape, dtype=bool)
    mask[35, 20, 20] = True
    rows = ball_rows(geometry.spacing_mm, 14.0)
    assert rows.size > MOST_ROWS
    assert np.array_equal(dilated(mask, geometry, 14.0), dilated_by_rows(mask, rows))
