"""Fluid or airless lung, by density."""

from __future__ import annotations

import numpy as np
import pytest

from cop_imaging.anatomy.fluid import fluid_odds, no_fluid
from cop_imaging.anatomy.fluid_config import FluidConfig
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
    found = fluid_odds(image, pleural, np.ones(GRID.shape, dtype=bool), GRID, FluidConfig())
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
    assert not fluid_odds(np.full(GRID.shape, 40.0, dtype=np.float32), nothing, ~nothing, GRID, FluidConfig()).any()


SPACE = Geometry((40, 50, 50), (3.0, 3.0, 3.0), (0.0, 0.0, 0.0))


def judged(fluid, hu=8.0, airy=None):
    """The pieces that are lung, when all have that density."""
    smooth = np.full(SPACE.shape, hu, dtype=np.float32)
    return no_fluid(fluid, np.zeros_like(fluid) if airy is None else airy, smooth, SPACE, FluidConfig())


def test_a_lobe_is_too_thick_for_fluid_and_a_layer_of_the_same_volume_is_not():
    lobe, layer = np.zeros((2, *SPACE.shape), dtype=bool)
    lobe[8:30, 10:32, 10:32] = True
    layer[2:38, 36:46, 5:35] = True
    assert abs(lobe.sum() - layer.sum()) < 0.03 * lobe.sum()
    assert judged(lobe)[lobe].all()
    assert not judged(layer).any()
    both = lobe | layer
    assert np.array_equal(judged(both), lobe)


def test_a_small_pocket_may_be_round():
    pocket = np.zeros(SPACE.shape, dtype=bool)
    pocket[10:23, 10:23, 10:23] = True
    assert pocket.sum() * SPACE.voxel_ml < 80.0
    assert not judged(pocket).any()


@pytest.mark.parametrize(("hu", "lung"), [(8.0, False), (24.0, False), (40.0, True), (70.0, True)])
def test_a_layer_whose_core_is_too_dense_for_fluid_is_airless_lung(hu, lung):
    layer = np.zeros(SPACE.shape, dtype=bool)
    layer[2:38, 36:46, 5:35] = True
    assert judged(layer, hu)[layer].all() == lung


def test_a_rim_that_is_dense_by_partial_volume_does_not_make_fluid_lung():
    layer = np.zeros(SPACE.shape, dtype=bool)
    layer[2:38, 36:46, 5:35] = True
    smooth = np.full(SPACE.shape, 60.0, dtype=np.float32)
    smooth[4:36, 38:44, 7:33] = 8.0
    assert not no_fluid(layer, np.zeros_like(layer), smooth, SPACE, FluidConfig()).any()


def test_what_aerated_lung_surrounds_is_no_fluid_and_what_it_lies_on_may_be():
    piece, airy = np.zeros((2, *SPACE.shape), dtype=bool)
    piece[15:22, 15:30, 15:30] = True
    airy[10:30, 10:35, 10:35] = True
    airy &= ~piece
    assert judged(piece, airy=airy)[piece].all()
    airy[:, :, :15] = airy[:, 28:] = airy[21:] = False
    airy[:, :17] = False
    assert not judged(piece, airy=airy).any()
