"""Rays through cores and rims, on fields whose radii are known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from cop_imaging.core import Geometry
from cop_imaging.signs.shapes.rings import all_directions, cast, circle_directions, rim_of, sphere_directions, star_mask


@given(st.integers(20, 400))
def test_directions_over_the_sphere_are_unit_and_even(n):
    d = sphere_directions(n)
    assert d.shape == (n, 3)
    np.testing.assert_allclose(np.linalg.norm(d, axis=1), 1.0, atol=1e-12)
    assert np.linalg.norm(d.mean(axis=0)) < 2.0 / n
    # Evenly spread points see second moments of one third along every axis, and keep apart from each other.
    np.testing.assert_allclose(d.T @ d / n, np.eye(3) / 3, atol=0.06)
    cosine = d @ d.T - 2 * np.eye(n)
    nearest = np.arccos(np.clip(cosine.max(axis=1), -1, 1))
    assert nearest.min() > 0.6 * np.sqrt(4 * np.pi / n)


def test_circles_are_even_and_lie_in_the_three_planes():
    for circle, axis in zip(circle_directions(24), (0, 1, 2), strict=True):
        assert not circle[:, axis].any()
        np.testing.assert_allclose(np.linalg.norm(circle, axis=1), 1.0)
        steps = np.einsum("ij,ij->i", circle, np.roll(circle, -1, axis=0))
        np.testing.assert_allclose(steps, np.cos(2 * np.pi / 24))


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (2.0, 0.8, 0.8)])
def test_a_star_of_constant_radius_is_a_ball(spacing):
    radius = 15.0
    shape = tuple(int(2 * radius / s) + 9 for s in spacing)
    geometry = Geometry(shape, spacing)
    centre = np.array([n / 2 for n in shape])
    rays = sphere_directions(200)
    mask = star(np.ones(shape, bool), geometry, centre, rays, np.full(200, radius))
    assert mask.sum() * geometry.voxel_ml == pytest.approx(4 / 3 * np.pi * radius**3 / 1000, rel=0.03)
    index = np.argwhere(mask)
    assert np.linalg.norm((index - centre) * spacing, axis=1).max() <= radius + 1e-3


def test_a_star_at_the_edge_stays_inside_the_array():
    geometry = Geometry((10, 10, 10), (1.0, 1.0, 1.0))
    mask = star(np.ones((10, 10, 10), bool), geometry, np.zeros(3), sphere_directions(50), np.full(50, 6.0))
    assert np.array_equal(mask, np.linalg.norm(np.indices((10, 10, 10)), axis=0) <= 6.0)


def test_a_star_of_uneven_rays_ends_at_the_nearest_ray_and_holds_only_what_is_inside():
    rng = np.random.default_rng(5)
    geometry = Geometry((40, 50, 44), (1.0, 0.8, 0.9))
    centre, rays, radius = np.array([19.3, 24.8, 21.1]), sphere_directions(60), rng.uniform(4.0, 14.0, 60)
    inside = rng.random(geometry.shape) < 0.7
    offset = (np.moveaxis(np.indices(geometry.shape), 0, -1) - centre) * np.array(geometry.spacing_mm)
    nearest = (offset @ rays.T).argmax(axis=-1)
    expected = (np.linalg.norm(offset, axis=-1) <= radius[nearest]) & inside
    assert np.array_equal(star(inside, geometry, centre, rays, radius), expected)


def star(inside, geometry, centre, rays, radius):
    box, mask = star_mask(inside, geometry, centre, rays, radius)
    out = np.zeros(inside.shape, bool)
    out[box] = mask
    return out


def shell(core_mm, outer_mm, spacing=(1.0, 1.0, 1.0), n=61):
    shape = tuple(round((n - 1) / s) + 1 for s in spacing)
    axes = [(np.arange(k) - (k - 1) / 2) * s for k, s in zip(shape, spacing, strict=True)]
    r = np.linalg.norm(np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1), axis=-1)
    hu = np.where(r < core_mm, -600.0, np.where(r < outer_mm, 0.0, -850.0)).astype(np.float32)
    return hu, Geometry(shape, spacing), (np.array(shape) - 1) / 2


def looked(hu, lungs, geometry, centre, **changed):
    none = np.zeros(hu.shape, bool)
    rays = cast(hu, lungs, changed.pop("vessels", none), none, geometry, centre, 28.0)
    limits = {"core_hu": -600.0, "aerated_hu": -850.0, "rim_hu": -430.0, "contrast_hu": 150.0}
    return rim_of(rays, **(limits | {"thickness_mm": (1.5, 15.0)} | changed))


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (2.5, 0.7, 0.7)])
def test_rays_meet_the_rim_where_it_is(spacing):
    hu, geometry, centre = shell(10.0, 16.0, spacing)
    rim = looked(hu, np.ones(hu.shape, np.uint8), geometry, centre)
    assert rim.covered.all()
    assert not rim.at_pleura.any()
    assert np.median(rim.core_mm) == pytest.approx(10.0, abs=0.5)
    assert np.median(rim.outer_mm) == pytest.approx(16.0, abs=0.5)
    assert np.median(rim.peak_hu) == pytest.approx(0.0, abs=1.0)


@pytest.mark.parametrize("blur_mm", [0.6, 1.2])
@pytest.mark.parametrize("rim_mm", [4.0, 6.0])
def test_blur_leaves_the_thickness_of_the_rim(blur_mm, rim_mm):
    hu, geometry, centre = shell(10.0, 10.0 + rim_mm)
    hu = ndimage.gaussian_filter(hu, blur_mm)
    rim = looked(hu, np.ones(hu.shape, np.uint8), geometry, centre)
    assert np.median(rim.outer_mm - rim.core_mm) == pytest.approx(rim_mm, abs=0.6)


def test_rays_that_meet_nothing_are_told_apart_from_a_rim():
    hu = np.full((41, 41, 41), -850.0, np.float32)
    rim = looked(hu, np.ones(hu.shape, np.uint8), Geometry(hu.shape, (1.0,) * 3), np.full(3, 20.0))
    assert not rim.covered.any()
    assert np.isinf(rim.core_mm).all()
    assert np.isinf(rim.outer_mm).all()


def test_a_rim_that_ends_where_the_lung_ends_is_at_the_pleura():
    hu, geometry, centre = shell(10.0, 30.0)
    at = np.indices(hu.shape) - centre[:, None, None, None]
    lungs = (np.linalg.norm(at, axis=0) < 15.0).astype(np.uint8)
    rim = looked(hu, lungs, geometry, centre)
    assert rim.at_pleura.all()
    assert np.median(rim.outer_mm) == pytest.approx(15.0, abs=0.8)


def test_a_ray_that_leaves_the_lung_before_the_rim_is_not_covered():
    hu, geometry, centre = shell(10.0, 16.0)
    lungs = np.ones(hu.shape, np.uint8)
    lungs[:, :, int(centre[2]) + 5 : int(centre[2]) + 8] = 0
    rim = looked(hu, lungs, geometry, centre)
    towards = all_directions()[0][:, 2]
    assert not rim.covered[towards > 0.9].any()
    assert rim.covered[towards < 0].all()


@pytest.mark.parametrize(("core_mm", "outer_mm"), [(12.0, 12.6), (6.0, 24.0)])
def test_a_rim_that_is_too_thin_or_too_thick_is_none(core_mm, outer_mm):
    hu, geometry, centre = shell(core_mm, outer_mm)
    assert not looked(hu, np.ones(hu.shape, np.uint8), geometry, centre).covered.any()


def test_a_vessel_that_crosses_the_core_is_no_rim():
    hu, geometry, centre = shell(14.0, 19.0)
    at = np.indices(hu.shape) - centre[:, None, None, None]
    hu[(np.hypot(at[0] - 4.0, at[1]) < 2.0) & (np.linalg.norm(at, axis=0) < 18.0)] = 40.0
    rim = looked(hu, np.ones(hu.shape, np.uint8), geometry, centre)
    assert rim.covered.mean() > 0.95
    assert np.percentile(rim.core_mm, 10) > 12.0


def test_where_the_core_opens_into_aerated_lung_there_is_no_rim():
    hu, geometry, centre = shell(12.0, 17.0)
    at = np.indices(hu.shape) - centre[:, None, None, None]
    hu[(at[2] > 8.0)] = -850.0
    hu[:, :, int(centre[2]) + 22 : int(centre[2]) + 26] = 20.0
    rim = looked(hu, np.ones(hu.shape, np.uint8), geometry, centre)
    towards = all_directions()[0][:, 2]
    assert not rim.covered[towards > 0.85].any()
    assert rim.covered[towards < 0.3].all()
