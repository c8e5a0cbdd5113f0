"""Depth, zones, height along gravity and distance to bundles on made lungs, in millimetres."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cop_imaging.core import LEFT, RIGHT, Geometry, WorkGrid
from cop_imaging.scene.frames import bundle_mm, costal_depth_mm, dependent_mm, gravity_of, zones

GRID = Geometry((20, 40, 70), (2.0, 2.0, 2.0))
HALF_MM = 45.0


def two_boxes():
    """Two lungs with 28 mm of mediastinum between them, away from the sides of the array."""
    lungs = np.zeros(GRID.shape, dtype=np.uint8)
    lungs[4:16, 8:32, 6:28] = RIGHT
    lungs[4:16, 8:32, 42:64] = LEFT
    return lungs


def scaled(geometry, k):
    return Geometry(geometry.shape, tuple(k * s for s in geometry.spacing_mm))


def depth_of(lungs, geometry=GRID, half_mm=HALF_MM):
    return costal_depth_mm(lungs, geometry, geometry, half_mm)


def test_depth_is_0_outside_and_grows_by_the_spacing_from_the_chest_wall_inwards():
    lungs = two_boxes()
    depth = depth_of(lungs)
    assert depth.dtype == np.float32
    assert not depth[lungs == 0].any()
    assert depth[10, 20, 6:12] == pytest.approx(2.0 * np.arange(1, 7))
    assert depth[10, 20, 63:57:-1] == pytest.approx(2.0 * np.arange(1, 7))


def test_depth_is_the_distance_to_the_nearest_voxel_that_is_neither_lung_nor_mediastinum():
    lungs = two_boxes()
    wall = lungs == 0
    wall[4:16, 8:32, 28:42] = False
    walls = np.argwhere(wall) * 2.0
    depth = depth_of(lungs)
    for index in ((10, 20, 27), (4, 8, 6), (10, 9, 50), (15, 20, 15), (8, 31, 44)):
        expected = np.linalg.norm(walls - np.array(index) * 2.0, axis=1).min()
        assert depth[index] == pytest.approx(expected), index


def test_depth_is_not_measured_from_the_mediastinum():
    depth = depth_of(two_boxes())
    # In the middle of the height, beside the heart: 12 mm from top and bottom, not 2 mm from the heart.
    assert depth[10, 20, 27] == pytest.approx(12.0)
    assert depth[10, 20, 42] == pytest.approx(12.0)


def test_the_diaphragm_counts_as_costal_surface_away_from_the_midline():
    geometry = Geometry((40, 40, 140), (2.0, 2.0, 2.0))
    lungs = np.zeros(geometry.shape, dtype=np.uint8)
    lungs[4:36, 8:32, 6:60] = RIGHT
    lungs[4:36, 8:32, 80:134] = LEFT
    # A dome under the right lung, with lung all around it in its rows.
    lungs[4:14, 14:26, 14:30] = 0
    depth = costal_depth_mm(lungs, geometry, geometry, HALF_MM)
    assert depth[14, 20, 20] == pytest.approx(2.0)
    assert depth[16, 20, 20] == pytest.approx(6.0)
    # The same hollow beside the midline is mediastinum.
    beside = np.zeros_like(lungs)
    beside[4:36, 8:32, 6:60] = RIGHT
    beside[4:36, 8:32, 80:134] = LEFT
    beside[4:14, 14:26, 52:60] = 0
    assert costal_depth_mm(beside, geometry, geometry, HALF_MM)[14, 20, 56] > 10.0


@pytest.mark.parametrize("k", [0.5, 1.7])
def test_a_chest_k_times_as_large_is_k_times_as_deep(k):
    lungs = two_boxes()
    np.testing.assert_allclose(depth_of(lungs, scaled(GRID, k), k * HALF_MM), k * depth_of(lungs), rtol=1e-5, atol=1e-5)


def test_depth_on_a_coarser_work_grid_differs_by_less_than_a_work_voxel():
    lungs = two_boxes()
    coarse = costal_depth_mm(lungs, GRID, GRID.resampled((3.0, 3.0, 3.0)), HALF_MM)
    assert np.abs(coarse - depth_of(lungs))[lungs > 0].max() < 3.0


@pytest.mark.parametrize("work_mm", [2.0, 3.0, 3.1])
def test_depth_is_not_measured_from_the_end_of_the_scan(work_mm):
    lungs = two_boxes()
    lungs[:] = lungs[10]
    depth = costal_depth_mm(lungs, GRID, GRID.resampled((work_mm, 2.0, 2.0)), HALF_MM)
    assert depth[[0, 10, 19], 20, 15] == pytest.approx(20.0)


def test_lungs_that_fill_the_scan_have_no_depth_to_measure():
    lungs = np.full(GRID.shape, RIGHT, dtype=np.uint8)
    assert not depth_of(lungs).any()


def test_one_lung_alone_has_a_depth():
    lungs = two_boxes()
    lungs[lungs == LEFT] = 0
    depth = depth_of(lungs)
    assert depth[10, 20, 6] == pytest.approx(2.0)
    assert np.isfinite(depth).all()


@given(hnp.arrays(np.uint8, st.tuples(st.integers(1, 30), st.just(4), st.just(6)), elements=st.integers(0, 2)))
def test_zones_partition_the_lungs_into_thirds_of_equal_volume_from_apex_to_base(lungs):
    zone = zones(lungs)
    assert np.array_equal(zone > 0, lungs > 0)
    for side, first in ((RIGHT, 1), (LEFT, 4)):
        mine = lungs == side
        assert set(np.unique(zone[mine])) <= {first, first + 1, first + 2}
        per_slice = mine.sum(axis=(1, 2))
        sizes = [(zone == first + k).sum() for k in range(3)]
        assert all(abs(size - mine.sum() / 3) <= per_slice.max() for size in sizes)
        levels = [int(zone[z][mine[z]][0]) for z in np.flatnonzero(per_slice)]
        assert levels == sorted(levels, reverse=True)
        assert all(np.unique(zone[z][mine[z]]).size == 1 for z in np.flatnonzero(per_slice))


@pytest.mark.parametrize(
    ("position", "floor"),
    [
        ("HFS", (0, 1, 0)),
        ("FFS", (0, 1, 0)),
        ("HFP", (0, -1, 0)),
        ("FFP", (0, -1, 0)),
        ("HFDL", (0, 0, 1)),
        ("FFDR", (0, 0, -1)),
        ("hfp", (0, -1, 0)),
        (None, (0, 1, 0)),
        ("", (0, 1, 0)),
    ],
)
def test_gravity_points_to_what_the_patient_lies_on(position, floor):
    assert gravity_of(position) == floor


@pytest.mark.parametrize(
    ("position", "lowest", "highest"),
    [
        ("HFS", (10, 31, 15), (10, 8, 15)),
        ("HFP", (10, 8, 15), (10, 31, 15)),
        ("HFDL", (10, 20, 27), (10, 20, 6)),
        ("HFDR", (10, 20, 6), (10, 20, 27)),
    ],
)
def test_height_is_0_on_the_dependent_side_and_grows_upwards(position, lowest, highest):
    lungs = two_boxes()
    height = dependent_mm(lungs, GRID, gravity_of(position))
    axis = int(np.argmax(np.abs(gravity_of(position))))
    assert height[lowest] == 0.0
    assert height[highest] == 2.0 * abs(highest[axis] - lowest[axis])
    assert not height[lungs == 0].any()


def test_height_starts_again_in_each_lung_and_at_the_lowest_lung_of_each_column():
    lungs = two_boxes()
    lungs[:, 26:, 10] = 0
    height = dependent_mm(lungs, GRID, gravity_of("HFS"))
    assert height[10, 25, 10] == 0.0
    assert height[10, 25, 11] == 12.0
    assert dependent_mm(lungs, GRID, gravity_of("HFDL"))[10, 20, 63] == 0.0
    assert dependent_mm(lungs, GRID, gravity_of("HFDL"))[10, 20, 27] == 0.0


def work_grid(answer, radius_mm):
    """Vessel maps with one vessel along z at y = 20, x = 15."""
    vesselness, radius = np.zeros((2, *GRID.shape), dtype=np.float32)
    vesselness[:, 20, 15], radius[:, 20, 15] = answer, radius_mm
    return WorkGrid(GRID, vesselness, radius)


def bundles(vessels, airways=None):
    nothing = np.zeros(GRID.shape, dtype=bool)
    return bundle_mm(two_boxes(), nothing if airways is None else airways, vessels, GRID, answer=0.5, radius_mm=1.5)


def test_bundles_are_as_far_as_the_nearest_wide_vessel():
    found = bundles(work_grid(0.8, 2.0))
    assert found[10, 20, 15] == 0.0
    assert found[10, 23, 19] == pytest.approx(10.0)
    assert found[10, 20, 27] == pytest.approx(24.0)
    assert not found[two_boxes() == 0].any()


@pytest.mark.parametrize(("answer", "radius_mm"), [(0.4, 2.0), (0.8, 1.2)], ids=["faint", "thin"])
def test_a_faint_or_thin_vessel_makes_no_bundle(answer, radius_mm):
    found = bundles(work_grid(answer, radius_mm))[two_boxes() > 0]
    assert (found > 60_000).all()
    assert np.isfinite(found).all()


def test_a_bronchus_makes_a_bundle():
    airways = np.zeros(GRID.shape, dtype=bool)
    airways[10, 20, 50] = True
    assert bundles(work_grid(0.0, 0.0), airways)[10, 20, 53] == pytest.approx(6.0)
