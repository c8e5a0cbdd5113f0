"""Blur and resampling by axes do what a filter over the whole image and an interpolation at each point do."""

import numpy as np
import pytest
from scipy import ndimage

from cop_imaging.core.geometry import Geometry
from cop_imaging.core.separable import blurred, each_slab, nearest, outside_of

SHAPES = [(40, 70, 50), (1, 5, 90), (17, 33, 2)]


def resampled(array, source, target):
    out = np.full(target.shape, np.nan, dtype=np.float32)

    def store(levels, values):
        assert np.isnan(out[levels]).all()
        out[levels] = values

    each_slab(array, source, target, store)
    return out


def where(source, target):
    points = np.moveaxis(source.to_index(target.to_patient(np.argwhere(np.ones(target.shape)).astype(float))), -1, 0)
    return points.reshape(3, *target.shape)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("spacing_mm", [(0.4, 0.5, 0.6), (3.0, 2.0, 2.5), (0.9, 2.2, 1.0)])
def test_each_point_is_interpolated_between_its_eight_neighbours(shape, spacing_mm):
    values = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    source = Geometry(shape, (1.0, 1.1, 0.9), (3.0, 4.0, 5.0))
    target = source.resampled(spacing_mm)
    expected = ndimage.map_coordinates(values, where(source, target), order=1, mode="nearest")
    np.testing.assert_allclose(resampled(values, source, target), expected, atol=2e-6)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_nearest_voxel_is_taken_at_each_point(shape):
    values = np.random.default_rng(1).integers(0, 200, shape).astype(np.uint8)
    source = Geometry(shape, (1.0, 1.1, 0.9))
    for spacing_mm in ((0.4, 0.5, 0.6), (3.0, 2.0, 2.5)):
        target = source.resampled(spacing_mm)
        index = np.floor(where(source, target).round(9) + 0.5).astype(int)
        index = np.clip(index, 0, np.array(shape)[:, None, None, None] - 1)
        assert np.array_equal(nearest(values, source, target), values[tuple(index)])


def test_what_lies_beyond_the_faces_of_the_source_is_outside():
    source = Geometry((4, 4, 4), (2.0, 2.0, 2.0))
    target = Geometry((3, 3, 8), (2.0, 2.0, 2.0), (-2.0, 0.0, 0.0))
    z, y, x = outside_of(source, target)
    assert not z.any()
    assert not y.any()
    assert np.array_equal(np.flatnonzero(x), [0, 5, 6, 7])


@pytest.mark.parametrize("sigma", [(0.8, 0.6, 1.4), (0.0, 0.9, 0.9), (2.0, 0.0, 0.0), (0.0, 0.0, 0.0)])
def test_a_blur_is_the_gaussian_filter(sigma):
    values = np.random.default_rng(2).normal(-500.0, 300.0, (37, 45, 70)).astype(np.float32)
    expected = ndimage.gaussian_filter(values, sigma, truncate=3.0, mode="nearest")
    np.testing.assert_allclose(blurred(values, sigma), expected, atol=1e-3)


def test_a_blur_of_whole_numbers_is_cut_after_each_axis_and_keeps_what_is_even():
    hu = np.random.default_rng(3).integers(-1024, 400, (37, 45, 70)).astype(np.int16)
    expected = ndimage.gaussian_filter(hu, (0.8, 0.6, 1.4), truncate=2.5, mode="nearest")
    found = blurred(hu, (0.8, 0.6, 1.4), cut_off=2.5)
    assert found.dtype == np.int16
    # A sum within single precision of a whole number may be cut to either side.
    assert (found != expected).mean() < 0.01
    assert np.abs(found - expected).max() <= 1
    for value in (-1024, -1, 0, 37, 3000):
        assert (blurred(np.full((20, 20, 40), value, dtype=np.int16), (0.8, 0.6, 1.4)) == value).all()


def test_one_survives_any_shares():
    source = Geometry((9, 40, 41), (1.0, 0.7, 0.8))
    target = source.resampled((0.37, 0.53, 1.1))
    assert (resampled(np.ones(source.shape, dtype=np.float32), source, target) == 1.0).all()


def test_the_values_do_not_depend_on_the_slab_they_were_made_in():
    values = np.random.default_rng(4).normal(size=(60, 30, 40)).astype(np.float32)
    source = Geometry(values.shape, (1.0, 1.0, 1.0))
    target = source.resampled((0.5, 0.7, 0.7))
    part = target.crop((slice(5, 77), slice(3, 40), slice(11, 50)))
    whole = resampled(values, source, target)[5:77, 3:40, 11:50]
    np.testing.assert_allclose(resampled(values, source, part), whole, atol=2e-6)


@pytest.mark.parametrize("sigma", [(0.8, 0.6, 1.4), (0.0, 0.9, 0.0)])
def test_a_blur_may_go_before_the_interpolation(sigma):
    values = np.random.default_rng(5).normal(size=(33, 40, 47)).astype(np.float32)
    source = Geometry(values.shape, (1.0, 1.1, 0.9))
    target = source.resampled((2.1, 1.9, 1.7))
    found = np.empty(target.shape, dtype=np.float32)
    each_slab(values, source, target, found.__setitem__, sigma=sigma)
    smooth = ndimage.gaussian_filter(values, sigma, truncate=3.0, mode="nearest")
    np.testing.assert_allclose(found, resampled(smooth, source, target), atol=2e-6)
