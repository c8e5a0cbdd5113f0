"""Sizes and compactness of labelled parts."""

import numpy as np
import pytest

from cop_imaging.core import Geometry
from cop_imaging.core.grid import distance_to
from cop_imaging.signs.shapes.compact import shapes_of

GRID = Geometry((40, 60, 80), (1.5, 1.0, 0.8))


def at():
    axes = [np.arange(n) * s for n, s in zip(GRID.shape, GRID.spacing_mm, strict=True)]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)


def ellipsoid(centre, half):
    return (((at() - centre) / np.array(half)) ** 2).sum(axis=-1) <= 1.0


def test_a_ball_is_compact_and_an_ellipsoid_is_long_and_full():
    labels = np.zeros(GRID.shape, np.int32)
    labels[ellipsoid((28.0, 20.0, 15.0), (12.0,) * 3)] = 1
    labels[ellipsoid((28.0, 40.0, 45.0), (16.0, 8.0, 8.0))] = 2
    s = shapes_of(labels, 2, GRID)
    assert s.diameter_mm == pytest.approx([24.0, 2 * (16 * 8 * 8) ** (1 / 3)], rel=0.02)
    assert s.inscribed_mm == pytest.approx([12.0, 8.0], abs=1.0)
    assert s.compactness[0] == pytest.approx(1.0, abs=0.09)
    assert s.compactness[1] < 0.9
    assert s.elongation == pytest.approx([1.0, 2.0], abs=0.05)
    assert s.fullness == pytest.approx([1.0, 1.0], abs=0.03)
    assert np.abs(s.deepest[0] * GRID.spacing_mm - (28.0, 20.0, 15.0)).max() < 2.0


def test_a_cross_is_not_full_and_half_a_ball_is_less_compact():
    labels = np.zeros(GRID.shape, np.int32)
    ball = ellipsoid((28.0, 20.0, 15.0), (12.0,) * 3)
    labels[ball & (at()[..., 1] <= 20.0)] = 1
    off = np.abs(at() - (28.0, 42.0, 45.0))
    cross = (off.max(axis=-1) <= 14.0) & (np.sort(off, axis=-1)[..., 1] <= 3.0)
    labels[cross] = 2
    s = shapes_of(labels, 2, GRID)
    assert s.compactness[0] == pytest.approx(0.63, abs=0.06)
    assert s.fullness[1] < 0.7
    assert s.compactness[1] < 0.6


def test_radius_and_middle_of_the_inscribed_ball_are_those_of_the_distance_map():
    labels = np.zeros(GRID.shape, np.int32)
    labels[ellipsoid((28.0, 20.0, 15.0), (12.0, 9.0, 7.0))] = 2
    labels[ellipsoid((28.0, 40.0, 45.0), (16.0, 8.0, 8.0))] = 1
    labels[2, 3, 4] = 3
    s = shapes_of(labels, 3, GRID)
    radius = distance_to(labels == 0, GRID) - np.float32(0.5 * min(GRID.spacing_mm))
    for k in range(3):
        mine = np.where(labels == k + 1, radius, -np.inf)
        assert s.inscribed_mm[k] == mine.max()
        assert tuple(s.deepest[k]) == np.unravel_index(mine.argmax(), GRID.shape)


def test_no_parts_give_no_rows():
    s = shapes_of(np.zeros(GRID.shape, np.int32), 0, GRID)
    assert s.volume_ml.shape == s.fullness.shape == (0,)
    assert s.deepest.shape == (0, 3)
