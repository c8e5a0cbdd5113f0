"""Lung is told from other air of the body, and the right lung from the left, on plain shapes."""

import numpy as np
import pytest

from cop_imaging.anatomy.aerated import aerated_lung, right_and_left
from cop_imaging.core import LEFT, RIGHT, Geometry
from cop_imaging.core.grid import smoothed

GRID = Geometry((60, 60, 90), (3.0, 3.0, 3.0))
NOTHING = np.zeros(GRID.shape, dtype=bool)


def trunk():
    """Muscle with two lungs, 24 mm of mediastinum between them."""
    hu = np.full(GRID.shape, 40.0, dtype=np.float32)
    hu[20:56, 10:50, 8:40] = -850.0
    hu[20:56, 10:50, 48:80] = -850.0
    return hu


def ball(centre, radius_mm):
    return np.linalg.norm((np.moveaxis(np.indices(GRID.shape), 0, -1) - centre) * 3.0, axis=-1) < radius_mm


def lung_of(hu):
    smooth = smoothed(hu, GRID, 1.0)
    return aerated_lung(smooth, ~NOTHING, NOTHING, GRID, lung_hu=-400.0, gas_hu=-955.0, smallest_ml=15.0), smooth


def test_gas_of_the_stomach_that_touches_lung_is_no_lung():
    hu = trunk()
    gas = ball((12, 30, 64), 27.0)
    hu[gas] = -1000.0
    lung, smooth = lung_of(hu)
    # No wall of tissue is left between them: a threshold alone takes both.
    assert (smooth[12:30, 30, 64] < -400.0).all()
    assert not lung[gas & (np.arange(60) < 19)[:, None, None]].any()
    assert lung[25:50, 12:48, 50:78].mean() > 0.99


def test_gas_of_the_bowel_apart_from_the_lungs_is_no_lung():
    hu = trunk()
    gas = ball((8, 30, 30), 18.0)
    hu[gas] = -1000.0
    assert not lung_of(hu)[0][gas].any()


def test_a_bulla_inside_the_lung_is_lung():
    hu = trunk()
    bulla = ball((38, 30, 24), 24.0)
    hu[bulla] = -1000.0
    assert lung_of(hu)[0][bulla].all()


def test_emphysema_is_lung():
    hu = trunk()
    hu[hu < -400.0] = -945.0
    assert lung_of(hu)[0][22:54, 12:48, 10:38].all()


def test_excluded_airways_and_air_outside_the_body_are_no_lung():
    smooth = smoothed(trunk(), GRID, 1.0)
    body, excluded = ~NOTHING, NOTHING.copy()
    excluded[30:40, 20:30, 20:30] = True
    body[:, :, 60:] = False
    lung = aerated_lung(smooth, body, excluded, GRID, lung_hu=-400.0, gas_hu=-955.0, smallest_ml=15.0)
    assert not (lung & (excluded | ~body)).any()
    assert lung[22:54, 12:18, 10:38].all()


@pytest.mark.parametrize("bridge_mm", [0, 6], ids=["apart", "joined in front"])
def test_right_and_left_meet_at_the_junction(bridge_mm):
    hu = trunk()
    if bridge_mm:
        # A junction line of 6 mm, denser than lung and less than tissue.
        hu[30:50, 10 : 10 + bridge_mm // 3, 40:48] = -850.0
        hu[30:50, 10 : 10 + bridge_mm // 3, 43:45] = -500.0
    lung, smooth = lung_of(hu)
    sides = right_and_left(lung, smooth, 44.0, GRID)
    assert np.array_equal(sides > 0, lung)
    assert (sides[:, 13:, :40][lung[:, 13:, :40]] == RIGHT).all()
    assert (sides[:, 13:, 48:][lung[:, 13:, 48:]] == LEFT).all()
    assert (sides[:, :13, :42][lung[:, :13, :42]] == RIGHT).all()
    assert (sides[:, :13, 46:][lung[:, :13, 46:]] == LEFT).all()


def test_one_lung_alone_keeps_its_side():
    hu = trunk()
    hu[:, :, 44:] = 40.0
    lung, smooth = lung_of(hu)
    assert set(np.unique(right_and_left(lung, smooth, 44.0, GRID))) == {0, RIGHT}


def test_lung_that_is_only_small_islands_is_split_at_the_midline():
    geometry = Geometry((40, 40, 80), (1.5, 1.5, 1.5))
    lung = np.zeros(geometry.shape, dtype=bool)
    for z in range(2, 38, 8):
        for x in range(4, 76, 8):
            lung[z : z + 4, 18:22, x : x + 4] = True
    smooth = np.where(lung, -850.0, 20.0).astype(np.float32)
    labels = right_and_left(lung, smooth, 40.0, geometry)
    assert set(np.unique(labels[lung])) == {1, 2}
    assert (labels[:, :, :36][lung[:, :, :36]] == 1).all()
