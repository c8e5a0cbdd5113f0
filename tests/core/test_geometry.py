"""Laws of the grid: they hold for every spacing, origin and orientation."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cop_imaging.core.geometry import Geometry, StoredOrder

SIGNED_PERMUTATIONS = [
    StoredOrder(axes, flips)
    for axes in itertools.permutations((0, 1, 2))
    for flips in itertools.product((False, True), repeat=3)
]

lengths_mm = st.floats(0.3, 12.0)
positions_mm = st.floats(-900.0, 900.0)
sizes = st.integers(1, 40)


@st.composite
def rotations(draw):
    """Three unit vectors at right angles, in any orientation and handedness."""
    quaternion = np.array(draw(st.tuples(*[st.floats(-1, 1)] * 4)))
    if np.linalg.norm(quaternion) < 0.1:
        quaternion = np.array([1.0, 0.0, 0.0, 0.0])
    w, x, y, z = quaternion / np.linalg.norm(quaternion)
    rows = [
        (1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)),
        (2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)),
        (2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)),
    ]
    sign = draw(st.sampled_from((1.0, -1.0)))
    return tuple(tuple(sign * c for c in row) for row in rows)


@st.composite
def geometries(draw):
    """Any grid that a scanner could have written."""
    return Geometry(
        shape=draw(st.tuples(sizes, sizes, sizes)),
        spacing_mm=draw(st.tuples(lengths_mm, lengths_mm, lengths_mm)),
        origin_mm=draw(st.tuples(positions_mm, positions_mm, positions_mm)),
        direction=draw(rotations()),
    )


@given(geometries(), st.tuples(*[st.floats(-50, 550)] * 3))
def test_an_index_comes_back_from_the_patient(geometry, index):
    assert geometry.to_index(geometry.to_patient(index)) == pytest.approx(index, abs=1e-6)


@given(geometries())
def test_one_step_along_an_axis_is_as_long_as_its_spacing(geometry):
    steps = geometry.to_patient(np.eye(3)) - geometry.to_patient((0.0, 0.0, 0.0))
    assert np.linalg.norm(steps, axis=1) == pytest.approx(geometry.spacing_mm)


@given(geometries(), st.data())
def test_a_voxel_keeps_its_place_in_the_patient_when_the_volume_is_cropped(geometry, data):
    starts = [data.draw(st.integers(0, n - 1)) for n in geometry.shape]
    stops = [data.draw(st.integers(a + 1, n)) for a, n in zip(starts, geometry.shape, strict=True)]
    crop = geometry.crop(tuple(slice(a, b) for a, b in zip(starts, stops, strict=True)))
    assert crop.shape == tuple(b - a for a, b in zip(starts, stops, strict=True))
    assert crop.to_patient((0.0, 0.0, 0.0)) == pytest.approx(geometry.to_patient(tuple(map(float, starts))), abs=1e-6)
    assert crop.voxel_ml == geometry.voxel_ml


@given(geometries(), st.tuples(lengths_mm, lengths_mm, lengths_mm))
def test_a_resampled_grid_covers_the_same_extent_to_half_a_voxel(geometry, spacing_mm):
    resampled = geometry.resampled(spacing_mm)
    start = geometry.to_index(resampled.to_patient((-0.5, -0.5, -0.5)))
    assert start == pytest.approx((-0.5, -0.5, -0.5), abs=1e-6)
    before = np.multiply(geometry.shape, geometry.spacing_mm)
    after = np.multiply(resampled.shape, resampled.spacing_mm)
    # One voxel is the least a grid can have, so a very thin volume grows to it.
    assert np.all(
        np.abs(after - before) <= np.maximum(0.5 * np.array(spacing_mm), np.array(spacing_mm) - before) + 1e-9
    )


def test_the_canonical_grid_runs_to_the_head_to_the_back_and_to_the_left():
    geometry = Geometry(shape=(3, 4, 5), spacing_mm=(2.0, 0.7, 0.5), origin_mm=(10.0, 20.0, 30.0))
    assert geometry.to_patient((1.0, 0.0, 0.0)) == pytest.approx((10.0, 20.0, 32.0))
    assert geometry.to_patient((0.0, 1.0, 0.0)) == pytest.approx((10.0, 20.7, 30.0))
    assert geometry.to_patient((0.0, 0.0, 1.0)) == pytest.approx((10.5, 20.0, 30.0))


@given(geometries(), st.tuples(*[st.floats(0, 40)] * 3))
def test_the_nifti_world_is_the_dicom_world_with_left_and_back_turned(geometry, index):
    x, y, z = geometry.to_patient(index)
    right, anterior, superior, one = geometry.affine_ras @ np.array([*index, 1.0])
    assert (right, anterior, superior, one) == pytest.approx((-x, -y, z, 1.0), abs=1e-6)


def test_a_voxel_of_one_centimetre_is_one_millilitre():
    assert Geometry(shape=(1, 1, 1), spacing_mm=(10.0, 10.0, 10.0)).voxel_ml == pytest.approx(1.0)


@pytest.mark.parametrize("order", SIGNED_PERMUTATIONS)
def test_an_array_comes_back_from_the_order_on_disk(order):
    array = np.arange(2 * 3 * 4).reshape(2, 3, 4)
    assert np.array_equal(order.to_canonical(order.to_stored(array)), array)


@pytest.mark.parametrize("order", SIGNED_PERMUTATIONS)
def test_a_voxel_keeps_its_place_in_the_patient_in_the_order_on_disk(order):
    canonical = Geometry(shape=(2, 3, 4), spacing_mm=(2.5, 0.8, 0.6), origin_mm=(-100.0, -120.0, -300.0))
    array = np.arange(2 * 3 * 4).reshape(canonical.shape)
    stored, geometry = order.to_stored(array), order.stored_geometry(canonical)
    assert stored.shape == geometry.shape
    for value in range(array.size):
        here = tuple(float(i) for i in np.argwhere(array == value)[0])
        there = tuple(float(i) for i in np.argwhere(stored == value)[0])
        assert geometry.to_patient(there) == pytest.approx(canonical.to_patient(here))


@pytest.mark.parametrize("spacing_mm", [(0.0, 1.0, 1.0), (1.0, -0.7, 1.0), (1.0, 1.0, float("nan"))])
def test_a_spacing_that_no_scanner_can_have_is_refused(spacing_mm):
    with pytest.raises(ValueError, match="spacings must be finite and above zero"):
        Geometry(shape=(2, 2, 2), spacing_mm=spacing_mm)


@pytest.mark.parametrize("shape", [(0, 4, 4), (4, 4)])
def test_a_grid_without_voxels_is_refused(shape):
    with pytest.raises(ValueError, match="three axes"):
        Geometry(shape=shape, spacing_mm=(1.0, 1.0, 1.0))
