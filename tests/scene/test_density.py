"""The density of aerated lung tells how deep the breath was."""

import numpy as np
import pytest

from cop_imaging.scene.density import density_modes_hu


@pytest.mark.parametrize("aerated_hu", [-905.0, -850.0, -760.0, -640.0])
def test_the_density_of_aerated_lung_is_found_beside_disease_and_vessels(aerated_hu):
    rng = np.random.default_rng(3)
    hu = rng.normal(aerated_hu, 35.0, (20, 40, 40))
    hu[:, :12] = rng.normal(20.0, 30.0, hu[:, :12].shape)
    lungs = np.ones(hu.shape, dtype=np.uint8)
    lungs[:, :, 30:] = 2
    assert density_modes_hu(np.rint(hu).astype(np.int16), lungs)[0] == pytest.approx(aerated_hu, abs=8.0)


def test_air_outside_the_lungs_does_not_count():
    hu = np.full((10, 20, 20), -950, dtype=np.int16)
    lungs = np.zeros(hu.shape, dtype=np.uint8)
    lungs[:, :5] = 1
    hu[:, :5] = np.random.default_rng(4).normal(-800.0, 20.0, (10, 5, 20))
    assert density_modes_hu(hu, lungs)[0] == pytest.approx(-800.0, abs=8.0)


def test_lungs_without_air_are_given_the_usual_density():
    hu = np.full((5, 5, 5), 30, dtype=np.int16)
    assert density_modes_hu(hu, np.ones(hu.shape, dtype=np.uint8)) == (-850.0, None)


@pytest.mark.parametrize(("aerated_share", "mode_hu"), [(0.3, -880.0), (0.02, -640.0)])
def test_where_haze_fills_most_of_the_lungs_the_aerated_rest_gives_the_density(aerated_share, mode_hu):
    rng = np.random.default_rng(5)
    n = 40_000
    aerated = rng.random(n) < aerated_share
    hu = np.where(aerated, rng.normal(-880.0, 25.0, n), rng.normal(-640.0, 30.0, n)).reshape(10, 50, 80)
    found, haze_hu = density_modes_hu(np.rint(hu).astype(np.int16), np.ones(hu.shape, dtype=np.uint8))
    assert found == pytest.approx(mode_hu, abs=10.0)
    assert haze_hu is None if mode_hu > -700.0 else haze_hu == pytest.approx(-640.0, abs=10.0)


def test_expired_lung_keeps_its_own_density_beside_a_little_that_is_darker():
    rng = np.random.default_rng(6)
    hu = np.concatenate([rng.normal(-740.0, 25.0, 30_000), rng.normal(-900.0, 25.0, 5_000)]).reshape(7, 50, 100)
    found = density_modes_hu(np.rint(hu).astype(np.int16), np.ones(hu.shape, dtype=np.uint8))
    assert found == (pytest.approx(-740.0, abs=10.0), None)


@pytest.mark.parametrize("haze_hu", [-590.0, -530.0])
def test_lungs_denser_than_any_breath_leaves_them_are_haze_and_not_aerated(haze_hu):
    hu = np.random.default_rng(7).normal(haze_hu, 25.0, (7, 50, 100))
    found = density_modes_hu(np.rint(hu).astype(np.int16), np.ones(hu.shape, dtype=np.uint8))
    assert found == (-850.0, pytest.approx(haze_hu, abs=10.0))
