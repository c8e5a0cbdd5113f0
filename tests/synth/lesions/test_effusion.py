"""Pleural fluid has the volume asked for, and the lungs of a made chest exclude it."""

import numpy as np
import pytest

from cop_imaging.synth import coarse_grid
from cop_imaging.synth.lesions.effusion import draw_effusion
from cop_imaging.synth.render import draw


@pytest.mark.parametrize("target_ml", [100.0, 500.0])
def test_fluid_has_the_volume_asked_for_and_is_no_lung(target_ml, chest, terrain):
    lesions = draw_effusion(terrain, np.random.default_rng(3), target_ml=target_ml, side="right")
    grid = coarse_grid()
    drawn = draw(chest, grid, lesions)
    fluid = drawn.masks["effusion"]
    assert fluid.sum() * grid.voxel_ml == pytest.approx(target_ml, rel=0.1)
    assert not (fluid & (drawn.lungs > 0)).any()
