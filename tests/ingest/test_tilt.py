import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cop_imaging.core.geometry import Geometry
from cop_imaging.core.volume import AIR_HU
from cop_imaging.errors import SeriesError
from cop_imaging.ingest.geometry_config import GeometryConfig
from cop_imaging.ingest.planes import Placed
from cop_imaging.ingest.records import Plane
from cop_imaging.ingest.tilt import lean_of, shear_of, straight_grid, unsheared

AXES = {
    "head first supine": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0)),
    "feet first supine": ((-1.0, 0.0, 0.0), (0.0, 1.0, 0.0)),
    "head first prone": ((-1.0, 0.0, 0.0), (0.0, -1.0, 0.0)),
    "decubitus": ((0.0, 1.0, 0.0), (-1.0, 0.0, 0.0)),
    "leaning": ((1.0, 0.0, 0.0), (0.0, np.cos(0.3), -np.sin(0.3))),
}
CENTRE = np.array([20.0, -10.0, 300.0])


def body_hu(points):
    """A density that is linear in the patient point, so that interpolation does not change it."""
    return (points - CENTRE) @ np.array([3.1, -2.3, 1.7])


def leaning(shear_mm, axes="head first supine", shape=(12, 30, 26), spacing=(2.5, 0.8, 0.6), hole=False):
    """HU, valid and geometry of a leaning stack, every pixel made at its own patient point; and these points."""
    row, column = map(np.array, AXES[axes])
    normal = np.cross(row, column)
    n, r, c = np.meshgrid(*map(np.arange, shape), indexing="ij")
    sideways = (r * spacing[1] + n * shear_mm[0])[..., None] * column + (c * spacing[2] + n * shear_mm[1])[
        ..., None
    ] * row
    origin = CENTRE - [9.0, 11.0, 14.0]
    points = origin + n[..., None] * spacing[0] * normal + sideways
    hu = np.rint(body_hu(points)).astype(np.int16)
    valid = np.ones(shape, np.bool_)
    if hole:
        valid &= np.hypot(r - shape[1] / 2, c - shape[2] / 2) < 10
        valid[:, 12:14, 9] = False
        hu[~valid] = -3024
    geometry = Geometry(shape, spacing, tuple(map(float, origin)), tuple(map(tuple, (normal, column, row))))
    return hu, valid, geometry


def agrees(hu, valid, geometry):
    index = np.argwhere(valid)
    off = np.abs(hu[valid] - body_hu(geometry.to_patient(index)))
    # Half a unit from rounding what is stored, another half from rounding what is made of it.
    return len(index) > 0 and off.max() <= 1.01


SHEARS = st.tuples(st.floats(-1.4, 1.4), st.floats(-1.4, 1.4))


@settings(max_examples=60, deadline=None)
@given(shear_mm=SHEARS, axes=st.sampled_from(sorted(AXES)), hole=st.booleans())
def test_after_straightening_every_valid_voxel_is_what_lies_at_its_patient_point(shear_mm, axes, hole):
    hu, valid, geometry = leaning(shear_mm, axes, hole=hole)
    out, inside, grid = unsheared(hu, valid, geometry, shear_mm)
    assert agrees(out, inside, grid)
    assert (out[~inside] == AIR_HU).all()
    assert grid.spacing_mm == geometry.spacing_mm
    assert grid.direction == geometry.direction
    assert out.shape == inside.shape == grid.shape


@pytest.mark.parametrize("shear_mm", [(0.43, 0.0), (-0.43, 0.0), (0.0, 0.29), (0.0, -0.29), (0.7, -0.5)])
def test_the_wrong_sign_or_no_straightening_would_be_seen(shear_mm):
    hu, valid, geometry = leaning(shear_mm)
    assert agrees(*unsheared(hu, valid, geometry, shear_mm))
    assert not agrees(*unsheared(hu, valid, geometry, (-shear_mm[0], -shear_mm[1])))
    assert not agrees(hu, valid, geometry)


@settings(max_examples=40, deadline=None)
@given(pixels=st.tuples(st.integers(-3, 3), st.integers(-3, 3)), noise=st.floats(-1e-5, 1e-5))
def test_whole_pixels_are_moved_and_not_changed(pixels, noise):
    rng = np.random.default_rng(1)
    hu = rng.integers(-1000, 2000, (7, 11, 9)).astype(np.int16)
    valid = rng.random(hu.shape) < 0.8
    geometry = Geometry(hu.shape, (1.0, 0.8, 0.6))
    out, inside, grid = unsheared(hu, valid, geometry, (pixels[0] * 0.8 + noise, pixels[1] * 0.6))
    assert grid.shape == (7, 11 + 6 * abs(pixels[0]), 9 + 6 * abs(pixels[1]))
    assert inside.sum() == valid.sum()
    for n in range(7):
        moved = [n * p if p >= 0 else (n - 6) * p for p in pixels]
        place = (n, slice(moved[0], moved[0] + 11), slice(moved[1], moved[1] + 9))
        assert (inside[place] == valid[n]).all()
        assert (out[place][valid[n]] == hu[n][valid[n]]).all()


@settings(max_examples=60, deadline=None)
@given(shear_mm=SHEARS)
def test_no_slice_loses_more_than_the_pixel_that_lies_between_two(shear_mm):
    hu, valid, geometry = leaning(shear_mm)
    _, inside, _ = unsheared(hu, valid, geometry, shear_mm)
    rows, columns = inside.any(axis=2).sum(axis=1), inside.any(axis=1).sum(axis=1)
    assert rows.min() >= hu.shape[1] - 1
    assert columns.min() >= hu.shape[2] - 1
    assert rows[0] == hu.shape[1]
    assert columns[0] == hu.shape[2]
    # No row or column of the grid stays empty: it is no larger than it must be.
    assert inside.any(axis=(0, 1)).all()
    assert inside.any(axis=(0, 2)).all()


def test_the_size_is_known_before_anything_is_made():
    hu, valid, geometry = leaning((0.7, -0.5))
    assert straight_grid(geometry, (0.7, -0.5)) == unsheared(hu, valid, geometry, (0.7, -0.5))[2]


def test_straightening_needs_the_result_and_little_more():
    hu, valid, geometry = leaning((0.43, 0.0), shape=(40, 128, 128))
    tracemalloc.start()
    out, inside, _ = unsheared(hu, valid, geometry, (0.43, 0.0))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < out.nbytes + inside.nbytes + 24 * hu[0].size


def test_what_goes_in_stays_as_it_was():
    hu, valid, geometry = leaning((0.43, 0.1), hole=True)
    before = hu.copy(), valid.copy()
    unsheared(hu, valid, geometry, (0.43, 0.1))
    assert (hu == before[0]).all()
    assert (valid == before[1]).all()


def placed(axes, slope, count=60, step=2.5, spacing=(0.8, 0.6)):
    """Slices that go ``slope`` mm along the row axis and the column axis for each mm along the normal."""
    row, column = map(np.array, AXES[axes])
    advance = np.cross(row, column) + slope[0] * column + slope[1] * row
    plane = Plane((0.0, 0.0, 0.0), *AXES[axes], (30, 26), spacing)
    return Placed((), plane, CENTRE + np.arange(count)[:, None] * step * advance)


@given(axes=st.sampled_from(sorted(AXES)), slope=st.tuples(st.floats(-0.4, 0.4), st.floats(-0.4, 0.4)))
def test_the_lean_is_measured_from_positions_whatever_the_axes(axes, slope):
    lean = lean_of(placed(axes, slope), GeometryConfig())
    assert lean.shear_mm == pytest.approx(slope, abs=1e-9)
    assert np.tan(np.radians(lean.tilt_deg)) == pytest.approx(np.hypot(*slope), abs=1e-9)


def test_a_table_that_moves_along_the_body_while_the_slices_lean_is_a_tilt():
    plane = Plane((0.0, 0.0, 0.0), (1.0, 0.0, 0.0), (0.0, 0.9483237, -0.3173047), (512, 512), (0.488, 0.488))
    z = 5.836 + 4.22 * np.arange(30)
    lean = lean_of(Placed((), plane, np.stack([0 * z - 125.0, 0 * z - 123.54, z], 1)), GeometryConfig())
    assert lean.tilt_deg == pytest.approx(18.5, abs=0.01)
    # Head-first slices whose backs look down: towards the head each lies nearer to the front of the one before.
    assert lean.shear_mm[0] == pytest.approx(-np.tan(np.radians(18.5)), abs=1e-4)


@pytest.mark.parametrize(("degrees", "refused"), [(29.9, False), (30.1, True)])
def test_more_tilt_than_gantries_have_is_refused_with_its_angle(degrees, refused):
    slices = placed("head first supine", (np.tan(np.radians(degrees)), 0.0))
    if not refused:
        assert lean_of(slices, GeometryConfig()).tilt_deg == pytest.approx(degrees)
        return
    with pytest.raises(SeriesError, match=r"30\.1 degrees") as caught:
        lean_of(slices, GeometryConfig())
    assert caught.value.code == "geometry.tilt"


@pytest.mark.parametrize("at", [0, 20, 59])
def test_a_slice_beside_the_others_is_refused_with_its_distance(at):
    slices = placed("head first supine", (0.1, 0.0))
    slices.positions_mm[at, 0] += 15.0
    with pytest.raises(SeriesError, match=r"15\.0 mm beside") as caught:
        lean_of(slices, GeometryConfig())
    assert caught.value.code == "geometry.inconsistent"
    assert f"z = {slices.positions_mm[at, 2]:.1f} mm" in str(caught.value)


def test_a_lean_that_is_rounding_is_none_and_an_axis_without_drift_is_left_alone():
    config = GeometryConfig()
    geometry = Geometry((60, 30, 26), (2.5, 0.8, 0.6))
    assert shear_of(lean_of(placed("head first supine", (0.005, 0.0)), config), geometry, config) is None
    shear = shear_of(lean_of(placed("head first supine", (0.2, 0.003)), config), geometry, config)
    assert shear is not None
    assert shear == (pytest.approx(0.5), 0.0)
