"""Fluid or airless lung, by density."""

from __future__ import annotations

import numpy as np
import pytest

from cop_imaging.anatomy.fluid import fluid_odds, too_thick
from cop_imaging.core.geometry import Geometry

GRID = Geometry((24, 30, 30), (2.0, 2.0, 2.0), (0.0, 0.0, 0.0))
PIECE, MUSCLE = np.s_[4:20, 5:25, 3:15], np.s_[:, :, 17:]


def odds(hu, *, noise_hu=4.0, structure_hu=0.0, air=False):
    """In a piece of that density, with muscle and, or not, air 2 to 4 mm away."""
    rng = np.random.default_rng(7)
    image = (50.0 + rng.normal(0.0, noise_hu, GRID.shape)).astype(np.float32)
    image[PIECE] += hu - 50.0
    image[PIECE] += structure_hu * np.sign(np.sin(np.arange(20)))[:, None]
    pleural = np.zeros(GRID.shape, dtype=bool)
    pleural[PIECE] = True
    if air:
        image[PIECE][..., 8:] = -850.0
        pleural &= image > -300.0
    found = fluid_odds(image, pleural, np.ones(GRID.shape, dtype=bool), GRID)
    assert not found[~pleural].any()
    return float(found[10:14, 10:12, 9:11].mean())


@pytest.mark.parametrize("hu", [-5.0, 8.0, 18.0])
def test_homogeneous_tissue_as_dense_as_water_speaks_for_fluid(hu):
    assert odds(hu) > 0.4


@pytest.mark.parametrize("hu", [32.0, 50.0, 90.0])
def test_tissue_denser_than_fluid_speaks_for_lung(hu):
    assert odds(hu) < -1.0


def test_the_denser_the_less_is_it_fluid():
    values = [odds(hu) for hu in range(5, 45, 5)]
    assert values == sorted(values, reverse=True)


def test_consolidation_with_structure_in_it_is_not_held_for_fluid():
    assert odds(8.0, structure_hu=40.0) <= 0.0


def test_a_low_mean_beside_air_says_nothing_for_fluid():
    assert odds(8.0, air=True) <= 0.0


def test_noise_of_the_scan_alone_is_not_structure():
    assert odds(8.0, noise_hu=15.0) > 0.4


def test_without_pleural_tissue_nothing_is_said():
    nothing = np.zeros(GRID.shape, dtype=bool)
    assert not fluid_odds(np.full(GRID.shape, 40.0, dtype=np.float32), nothing, ~nothing, GRID).any()


SPACE = Geometry((40, 50, 50), (3.0, 3.0, 3.0), (0.0, 0.0, 0.0))


def test_a_lobe_is_too_thick_for_fluid_and_a_layer_of_the_same_volume_is_not():
    lobe, layer = np.zeros((2, *SPACE.shape), dtype=bool)
    lobe[8:30, 10:32, 10:32] = True
    layer[2:38, 36:46, 5:35] = True
    assert abs(lobe.sum() - layer.sum()) < 0.03 * lobe.sum()
    assert too_thick(lobe, SPACE)[lobe].all()
    assert not too_thick(layer, SPACE).any()
    both = lobe | layer
    assert np.array_equal(too_thick(both, SPACE), lobe)


def test_a_small_pocket_may_be_round():
    pocket = np.zeros(SPACE.shape, dtype=bool)
    pocket[10:23, 10:23, 10:23] = True
    assert pocket.sum() * SPACE.voxel_ml < 80.0
    assert not too_thick(pocket, SPACE).any()
