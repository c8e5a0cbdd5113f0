"""Tubes of air: how closed in a voxel is, and how long and wide tubes are."""

import numpy as np
import pytest

from cop_imaging.core import Geometry
from cop_imaging.signs.air.tubes import AXES, closed_axes, tubes_of


def grid(spacing=(1.0, 1.0, 1.0), size_mm=48.0):
    geometry = Geometry(tuple(round(size_mm / s) for s in spacing), spacing)
    axes = [(np.arange(n) - (n - 1) / 2) * s for n, s in zip(geometry.shape, spacing, strict=True)]
    return geometry, np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)


def air_in(mask):
    return np.where(mask, -1000, 0)


def rod(at, radius, start, end):
    way = np.array(end) - np.array(start)
    t = np.clip(((at - start) @ way) / (way @ way), 0.0, 1.0)
    return np.linalg.norm(at - start - t[..., None] * way, axis=-1) < radius


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (1.25, 0.8, 0.8)])
def test_a_tube_is_as_long_and_wide_as_it_was_drawn(spacing):
    geometry, at = grid(spacing)
    mask = rod(at, 2.0, (-14.0, 0.0, 0.0), (14.0, 6.0, 3.0))
    tubes = tubes_of(mask, air_in(mask), geometry, 10.0, 0.0)
    assert len(tubes.length_mm) == 1
    assert tubes.length_mm[0] == pytest.approx(np.linalg.norm([28.0, 6.0, 3.0]) + 4.0, rel=0.15)
    assert np.median(tubes.piece_mm) == pytest.approx(4.0, rel=0.15)


def test_branches_count_with_their_stem():
    geometry, at = grid()
    stem = rod(at, 1.6, (-16.0, 0.0, 0.0), (0.0, 0.0, 0.0))
    fork = stem | rod(at, 1.6, (0.0, 0.0, 0.0), (13.0, 11.0, 0.0)) | rod(at, 1.6, (0.0, 0.0, 0.0), (13.0, -11.0, 0.0))
    alone = tubes_of(stem, air_in(stem), geometry, 5.0, 0.0).length_mm.sum()
    assert tubes_of(fork, air_in(fork), geometry, 5.0, 0.0).length_mm.sum() > alone + 25.0


def test_short_tubes_are_left_out_and_the_longest_comes_first():
    geometry, at = grid()
    mask = rod(at, 1.5, (-15.0, -10.0, 0.0), (-2.0, -10.0, 0.0)) | rod(at, 1.5, (-15.0, 10.0, 0.0), (15.0, 10.0, 0.0))
    mask |= rod(at, 1.5, (14.0, -14.0, 0.0), (17.0, -14.0, 0.0))
    tubes = tubes_of(mask, air_in(mask), geometry, 8.0, 0.0)
    assert len(tubes.length_mm) == 2
    assert tubes.length_mm[0] > tubes.length_mm[1]
    assert tubes.tube[tubes.voxel == np.ravel_multi_index((24, 34, 24), mask.shape)] == 0
    only = tubes.only(np.array([False, True]))
    assert only.length_mm.tolist() == [tubes.length_mm[1]]
    assert np.array_equal(only.voxel, tubes.voxel[tubes.tube == 1])
    assert np.array_equal(np.flatnonzero(only.mask), only.voxel)


def test_tubes_of_a_part_lie_at_the_same_place_in_the_whole():
    geometry, at = grid()
    mask = rod(at, 1.5, (-15.0, -10.0, 0.0), (12.0, -10.0, 3.0)) | rod(at, 1.5, (-15.0, 10.0, 0.0), (15.0, 10.0, 0.0))
    box = np.s_[3:45, 5:44, 10:40]
    part = tubes_of(mask[box], air_in(mask[box]), geometry.crop(box), 8.0, 0.0).within(box, mask.shape)
    whole = tubes_of(mask, air_in(mask), geometry, 8.0, 0.0)
    assert np.array_equal(part.voxel, whole.voxel)
    assert np.array_equal(part.tube, whole.tube)
    np.testing.assert_allclose(part.piece_centre, whole.piece_centre)
    assert np.array_equal(part.mask, mask)


def test_nothing_has_no_tubes():
    geometry, at = grid()
    none = np.zeros(at.shape[:3], dtype=bool)
    assert tubes_of(none, air_in(none), geometry, 1.0, 0.0).length_mm.size == 0


def test_a_voxel_in_a_tube_is_closed_in_but_along_it():
    geometry, at = grid()
    air = rod(at, 2.0, (-30.0, 0.0, 0.0), (30.0, 0.0, 0.0))
    middle = np.zeros_like(air)
    middle[24, 24, 24] = True
    assert closed_axes(middle, ~air, geometry, 8.0, at_least=0)[0] >= 9
    assert closed_axes(middle, ~air, geometry, 8.0, at_least=0)[0] < AXES
    assert closed_axes(middle, ~air, geometry, 2.0, at_least=0)[0] == 0


def test_a_voxel_beside_a_wall_is_not_closed_in():
    geometry, at = grid()
    wall = at[..., 1] > 2.0
    middle = np.zeros_like(wall)
    middle[24, 24, 24] = True
    assert closed_axes(middle, wall, geometry, 10.0, at_least=0)[0] == 0


def test_axes_are_counted_in_full_where_they_become_enough_and_are_too_few_elsewhere():
    rng = np.random.default_rng(1)
    geometry = Geometry((20, 24, 22), (1.25, 0.8, 0.9))
    tissue = rng.random(geometry.shape) < 0.35
    axes = closed_axes(~tissue, tissue, geometry, 4.0, at_least=0)
    for least in (4, 7, 10):
        found = closed_axes(~tissue, tissue, geometry, 4.0, at_least=least)
        assert (axes >= least).any()
        assert np.array_equal(found >= least, axes >= least)
        assert np.array_equal(found[found >= least], axes[axes >= least])
