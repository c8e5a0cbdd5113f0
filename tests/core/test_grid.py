"""Laws of the functions on arrays and their grid: every radius and distance is in millimetres."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cop_imaging.core import grid
from cop_imaging.core.geometry import Geometry

OBLIQUE = ((0.0, 0.0, 1.0), (-0.6, 0.8, 0.0), (0.8, 0.6, 0.0))
"""The grid turned about the body axis."""
shapes = st.tuples(*[st.integers(1, 7)] * 3)
spacings_mm = st.tuples(*[st.sampled_from((0.5, 0.7, 1.0, 1.25, 2.0, 5.0))] * 3)
radii_mm = st.floats(0.0, 6.0)


@st.composite
def masks(draw):
    """A small mask on an anisotropic grid."""
    shape = draw(shapes)
    mask = draw(hnp.arrays(np.bool_, shape, elements=st.booleans(), fill=st.just(draw(st.booleans()))))
    return mask, Geometry(shape, draw(spacings_mm), (11.0, -7.0, 3.0), OBLIQUE)


def brute_distance_mm(mask, geometry):
    here = np.indices(mask.shape).reshape(3, -1).T * geometry.spacing_mm
    there = np.argwhere(mask) * geometry.spacing_mm
    return np.linalg.norm(here[:, None] - there[None], axis=2).min(axis=1).reshape(mask.shape)


@given(masks())
def test_distance_is_that_to_the_nearest_voxel_in_mm(made):
    mask, geometry = made
    found = grid.distance_to(mask, geometry)
    assert found.dtype == np.float32
    if mask.any():
        np.testing.assert_allclose(found, brute_distance_mm(mask, geometry), rtol=1e-5, atol=1e-5)
    else:
        assert np.isposinf(found).all()


@given(masks(), radii_mm)
def test_dilation_is_every_voxel_within_the_radius(made, radius_mm):
    mask, geometry = made
    found = grid.dilated(mask, geometry, radius_mm)
    distance_mm = brute_distance_mm(mask, geometry) if mask.any() else np.full(mask.shape, np.inf)
    # A voxel exactly at the radius may fall to either side in single precision.
    clear = np.abs(distance_mm - radius_mm) > 1e-4
    assert np.array_equal(found[clear], distance_mm[clear] < radius_mm)


@given(masks(), radii_mm)
def test_erosion_is_dilation_of_the_outside_and_the_border_of_the_array_is_no_outside(made, radius_mm):
    mask, geometry = made
    assert np.array_equal(grid.eroded(mask, geometry, radius_mm), ~grid.dilated(~mask, geometry, radius_mm))
    everything = np.ones_like(mask)
    assert grid.eroded(everything, geometry, radius_mm).all()


@given(masks(), radii_mm)
def test_opening_only_removes_and_closing_only_adds_and_a_second_time_changes_nothing(made, radius_mm):
    mask, geometry = made
    opened, closed = grid.opened(mask, geometry, radius_mm), grid.closed(mask, geometry, radius_mm)
    assert not (opened & ~mask).any()
    assert not (mask & ~closed).any()
    assert np.array_equal(grid.opened(opened, geometry, radius_mm), opened)
    assert np.array_equal(grid.closed(closed, geometry, radius_mm), closed)


def test_opening_removes_a_thin_plate_and_keeps_a_thick_block():
    geometry = Geometry((20, 20, 20), (1.0, 1.0, 1.0))
    block, plate = np.zeros((2, *geometry.shape), dtype=bool)
    block[4:14, 4:14, 4:14] = True
    plate[:, :, 17:19] = True
    left = grid.opened(block | plate, geometry, 2.0)
    assert not left[:, :, 16:].any()
    # A ball does not reach into edges and corners; the faces stay where they were.
    for line in (left[9, 9], left[9, :, 9], left[:, 9, 9]):
        assert np.array_equal(np.flatnonzero(line), np.arange(4, 14))
    assert left[5:13, 5:13, 5:13].all()


def test_closing_fills_a_gap_narrower_than_twice_the_radius_and_no_wider_one():
    geometry = Geometry((1, 1, 40), (1.0, 1.0, 1.0))
    mask = np.ones(geometry.shape, dtype=bool)
    mask[0, 0, 10:13] = False
    mask[0, 0, 25:34] = False
    closed = grid.closed(mask, geometry, 3.0)
    assert closed[0, 0, 10:13].all()
    assert not closed[0, 0, 25:34].any()


def test_components_are_largest_first_and_ties_go_by_the_first_voxel():
    mask = np.zeros((3, 6, 8), dtype=bool)
    mask[2, 5, 0:2] = True
    mask[0, 0, 0:2] = True
    mask[1, 3, 1:6] = True
    mask[0, 5, 7] = True
    labels, n = grid.components(mask)
    assert n == 4
    assert labels[1, 3, 1] == 1
    assert (labels[0, 0, 0], labels[2, 5, 0]) == (2, 3)
    assert labels[0, 5, 7] == 4


@given(hnp.arrays(np.bool_, shapes))
def test_components_partition_the_mask_by_falling_size(mask):
    labels, n = grid.components(mask)
    assert np.array_equal(labels > 0, mask)
    sizes = np.bincount(labels.ravel(), minlength=n + 1)[1:]
    assert sizes.size == n
    assert (sizes > 0).all()
    assert (np.diff(sizes) <= 0).all()
    first = [int(np.flatnonzero(labels == k)[0]) for k in range(1, n + 1)]
    assert all(a < b for a, b, x, y in zip(first, first[1:], sizes, sizes[1:], strict=False) if x == y)


def test_voxels_that_share_only_a_corner_are_one_component_of_26_neighbours_and_two_of_6():
    mask = np.zeros((2, 2, 2), dtype=bool)
    mask[0, 0, 0] = mask[1, 1, 1] = True
    assert grid.components(mask)[1] == 1
    assert grid.components(mask, connectivity=6)[1] == 2


def test_the_volume_of_a_label_is_its_voxels_times_that_of_one():
    geometry = Geometry((4, 10, 10), (5.0, 2.0, 1.0))
    labels = np.zeros(geometry.shape, dtype=np.int32)
    labels[0], labels[1, :5] = 1, 2
    assert grid.volume_ml_by_label(labels, 3, geometry) == pytest.approx([1.0, 0.5, 0.0])


def test_components_of_exactly_the_least_volume_are_kept():
    geometry = Geometry((4, 10, 10), (5.0, 2.0, 1.0))
    mask = np.zeros(geometry.shape, dtype=bool)
    mask[0], mask[2, :5], mask[3, 9, 9] = True, True, True
    assert np.array_equal(np.flatnonzero(grid.keep_large(mask, geometry, 0.5).any(axis=(1, 2))), [0, 2])
    assert np.array_equal(np.flatnonzero(grid.keep_large(mask, geometry, 0.51).any(axis=(1, 2))), [0])
    assert not grid.keep_large(mask & False, geometry, 0.0).any()


def test_a_pipe_is_filled_in_axial_slices_and_not_in_space():
    pipe = np.zeros((5, 7, 7), dtype=bool)
    pipe[:, 1:6, 1:6] = True
    pipe[:, 2:5, 2:5] = False
    assert grid.fill_holes(pipe, axial=True)[:, 2:5, 2:5].all()
    assert np.array_equal(grid.fill_holes(pipe), pipe)
    pipe[0, 2:5, 2:5] = pipe[-1, 2:5, 2:5] = True
    assert grid.fill_holes(pipe)[:, 2:5, 2:5].all()


def test_a_hole_that_touches_the_outside_only_by_a_corner_is_filled():
    ring = np.zeros((3, 6, 6), dtype=bool)
    ring[1, 1:4, 1:4] = True
    ring[1, 2, 2] = ring[1, 1, 1] = False
    assert grid.fill_holes(ring, axial=True)[1, 2, 2]
    ring[1, 1, 2] = False
    assert not grid.fill_holes(ring, axial=True)[1, 2, 2]


@given(hnp.arrays(np.bool_, shapes), st.booleans())
def test_filled_masks_hold_the_mask_and_have_no_hole_left(mask, axial):
    filled = grid.fill_holes(mask, axial=axial)
    assert not (mask & ~filled).any()
    assert np.array_equal(grid.fill_holes(filled, axial=axial), filled)


@given(masks(), st.floats(0.0, 12.0))
def test_the_box_of_a_mask_holds_everything_within_the_margin_and_little_more(made, margin_mm):
    mask, geometry = made
    if not mask.any():
        with pytest.raises(ValueError, match="empty mask"):
            grid.bounding_box(mask, geometry, margin_mm)
        return
    box = grid.bounding_box(mask, geometry, margin_mm)
    hits = np.argwhere(mask)
    for axis, span in enumerate(box):
        low = (hits[:, axis].min() - span.start) * geometry.spacing_mm[axis]
        high = (span.stop - 1 - hits[:, axis].max()) * geometry.spacing_mm[axis]
        for reach, at_edge in ((low, span.start == 0), (high, span.stop == mask.shape[axis])):
            assert reach >= margin_mm - 1e-9 or at_edge
            assert 0 <= reach < margin_mm + geometry.spacing_mm[axis] + 1e-9


def ramp(geometry):
    """HU that rise linearly through the patient."""
    x, y, z = np.moveaxis(geometry.to_patient(np.moveaxis(np.indices(geometry.shape), 0, -1)), -1, 0)
    return 2.0 * x - 3.0 * y + 1.5 * z


@pytest.mark.parametrize("antialias", [False, True])
@pytest.mark.parametrize("direction", [Geometry((1, 1, 1), (1.0,) * 3).direction, OBLIQUE])
def test_a_linear_ramp_keeps_its_values_at_the_same_points_of_the_patient(direction, antialias):
    source = Geometry((24, 30, 28), (2.5, 0.8, 1.0), (-30.0, 12.0, 400.0), direction)
    target = source.resampled((1.7, 1.9, 2.1))
    found = grid.resample(ramp(source).astype(np.float32), source, target, antialias=antialias)
    inner = (slice(3, -3),) * 3
    np.testing.assert_allclose(found[inner], ramp(target)[inner], atol=0.02)


def test_resampling_to_another_orientation_finds_the_same_points():
    source = Geometry((20, 24, 28), (1.5, 1.0, 1.2), (5.0, 6.0, 7.0))
    centre = source.to_patient((9.5, 11.5, 13.5))
    target = Geometry((5, 6, 7), (1.0, 1.0, 1.0), tuple(float(c) for c in centre), OBLIQUE)
    found = grid.resample(ramp(source).astype(np.float32), source, target)
    np.testing.assert_allclose(found, ramp(target), atol=0.01)


def test_resampling_keeps_the_kind_of_values_and_fills_what_lies_outside():
    source = Geometry((4, 4, 4), (2.0, 2.0, 2.0))
    target = Geometry((4, 4, 8), (2.0, 2.0, 2.0))
    hu = np.full(source.shape, 40, dtype=np.int16)
    found = grid.resample(hu, source, target, outside=-1024)
    assert found.dtype == np.int16
    assert (found[..., :4] == 40).all()
    assert (found[..., 4:] == -1024).all()


@pytest.mark.parametrize("method", ["linear", "nearest"])
@pytest.mark.parametrize("n", range(3, 20))
def test_a_grid_over_the_same_extent_finds_a_value_at_both_ends(n, method):
    source = Geometry((n, 2, 2), (1.0, 2.0, 2.0))
    work = source.resampled((1.5, 2.0, 2.0))
    ones = np.ones(source.shape, dtype=np.float32)
    there = grid.resample(ones, source, work, method=method)
    assert (there == 1.0).all()
    assert (grid.resample(there, work, source, method=method) == 1.0).all()


def test_a_mask_is_resampled_by_the_nearest_voxel():
    rng = np.random.default_rng(0)
    source = Geometry((6, 7, 8), (3.0, 2.0, 2.0))
    mask = rng.random(source.shape) < 0.4
    fine = source.resampled((1.0, 1.0, 1.0))
    found = grid.resample(mask, source, fine, method="nearest")
    assert found.dtype == np.bool_
    index = np.rint(source.to_index(fine.to_patient(np.argwhere(found | True)))).astype(int)
    at_a_tie = np.isclose(np.abs(np.argwhere(found | True) @ np.diag([1 / 3, 0.5, 0.5]) % 1.0), 0.5).any(axis=1)
    nearest = mask[tuple(np.clip(index, 0, np.array(mask.shape) - 1).T)]
    assert np.array_equal(found.ravel()[~at_a_tie], nearest[~at_a_tie])


def test_antialiasing_keeps_the_noise_of_fine_voxels_out_of_coarse_ones():
    noise = np.random.default_rng(1).normal(0.0, 100.0, (40, 40, 40)).astype(np.float32)
    source = Geometry(noise.shape, (1.0, 1.0, 1.0))
    coarse = source.resampled((4.0, 4.0, 4.0))
    assert grid.resample(noise, source, coarse, antialias=True).std() < 0.3 * 100.0
    # Onto finer voxels there is nothing to blur.
    fine = source.resampled((0.5, 0.5, 0.5))
    plain, asked = (grid.resample(noise, source, fine, antialias=a) for a in (False, True))
    assert np.array_equal(plain, asked)


@pytest.mark.parametrize("spacing_mm", [(0.7, 0.9, 1.3), (2.0, 2.0, 2.0)])
@pytest.mark.parametrize("where", [np.s_[4:9, 6:20, 3:17], np.s_[:3, 20:, :5], np.s_[:, :, :], np.s_[5:5]])
def test_the_share_of_a_mask_is_its_interpolation_and_anti_aliased_that_of_its_blur(spacing_mm, where):
    mask = np.zeros((17, 26, 21), dtype=bool)
    mask[where] = np.random.default_rng(3).random(mask[where].shape) < 0.6
    source = Geometry(mask.shape, (1.25, 1.0, 1.1), (3.0, 4.0, 5.0))
    target = source.resampled(spacing_mm)
    plain, blurred = (
        grid.resample(mask.astype(np.float32), source, target, antialias=antialias) for antialias in (False, True)
    )
    above = grid.share_above(mask, source, target, 0.31, 0.97)
    assert [np.array_equal(found, plain > limit) for found, limit in zip(above, (0.31, 0.97), strict=True)] == [
        True
    ] * 2
    np.testing.assert_allclose(grid.share_of(mask, source, target), blurred, atol=1e-6)


def test_smoothing_is_as_wide_in_mm_along_every_axis():
    geometry = Geometry((31, 41, 61), (2.0, 1.5, 1.0))
    point = np.zeros(geometry.shape, dtype=np.int16)
    point[15, 20, 30] = 10000
    found = grid.smoothed(point, geometry, 3.0)
    assert found.dtype == np.float32
    for axis, spacing_mm in enumerate(geometry.spacing_mm):
        profile = found.sum(axis=tuple(a for a in range(3) if a != axis))
        at_mm = (np.arange(profile.size) - profile.size // 2) * spacing_mm
        assert np.sqrt((profile * at_mm**2).sum() / profile.sum()) == pytest.approx(3.0, rel=0.04)
    per_axis = grid.smoothed(point, geometry, (0.0, 0.0, 3.0))
    assert per_axis[15, 20].sum() == pytest.approx(10000, rel=1e-3)


@settings(max_examples=25)
@given(masks(), st.tuples(*[st.integers(0, 6)] * 3))
def test_an_image_knows_where_its_voxels_lie_in_the_patient(made, index):
    mask, geometry = made
    point = grid.image_of(mask, geometry).TransformIndexToPhysicalPoint([int(i) for i in index[::-1]])
    assert point == pytest.approx(geometry.to_patient(index), abs=1e-9)


def test_locked_arrays_are_taken_and_left_as_they_are():
    rng = np.random.default_rng(2)
    geometry = Geometry((9, 10, 11), (2.0, 1.0, 1.5))
    mask, hu = rng.random(geometry.shape) < 0.5, rng.integers(-1000, 100, geometry.shape).astype(np.int16)
    before = mask.tobytes(), hu.tobytes()
    mask.flags.writeable = hu.flags.writeable = False
    for change in (grid.dilated, grid.eroded, grid.opened, grid.closed):
        assert not np.shares_memory(change(mask, geometry, 2.0), mask)
    grid.distance_to(mask, geometry)
    grid.components(mask)
    grid.keep_large(mask, geometry, 0.01)
    for axial in (False, True):
        assert not np.shares_memory(grid.fill_holes(mask, axial=axial), mask)
    for antialias in (False, True):
        grid.resample(hu, geometry, geometry.resampled((3.0, 3.0, 3.0)), antialias=antialias)
    grid.smoothed(hu, geometry, 1.0)
    assert (mask.tobytes(), hu.tobytes()) == before


@given(hnp.arrays(np.bool_, shapes))
def test_components_in_their_boxes_make_up_the_mask(mask):
    whole = np.zeros(mask.shape, dtype=int)
    for box, mine in grid.each_component(mask):
        assert mine.any(axis=(1, 2))[[0, -1]].all()
        whole[box] += mine
    assert np.array_equal(whole, mask)
