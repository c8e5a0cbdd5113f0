"""The density of aerated lung tells how deep the breath was."""

import numpy as np
import pytest

from cop_imaging.scene.density import aerated_mode_hu


@pytest.mark.parametrize("aerated_hu", [-905.0, -850.0, -760.0, -640.0])
def test_the_density_of_aerated_lung_is_found_beside_disease_and_vessels(aerated_hu):
    rng = np.random.default_rng(3)
    hu = rng.normal(aerated_hu, 35.0, (20, 40, 40))
    hu[:, :12] = rng.normal(20.0, 30.0, hu[:, :12].shape)
    lungs = np.ones(hu.shape, dtype=np.uint8)
    lungs[:, :, 30:] = 2
    assert aerated_mode_hu(np.rint(hu).astype(np.int16), lungs) == pytest.approx(aerated_hu, abs=8.0)


def test_air_outside_the_lungs_does_not_count():
    hu = np.full((10, 20, 20), -950, dtype=np.int16)
    lungs = np.zeros(hu.shape, dtype=np.uint8)
    lungs[:, :5] = 1
    hu[:, :5] = np.random.default_rng(4).normal(-800.0, 20.0, (10, 5, 20))
    assert aerated_mode_hu(hu, lungs) == pytest.approx(-800.0, abs=8.0)


def test_lungs_without_air_are_given_the_usual_density():
    hu = np.full((5, 5, 5), 30, dtype=np.int16)
    assert aerated_mode_hu(hu, np.ones(hu.shape, dtype=np.uint8)) == -850.0
