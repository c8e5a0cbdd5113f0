"""Noise is measured in soft tissue, and every scan is smoothed as much as it needs."""

import numpy as np
import pytest

from cop_imaging.core import Geometry
from cop_imaging.core.grid import FWHM_PER_SIGMA
from cop_imaging.scene.smoothing import added_sigma_mm, noise_hu, smooth

GRID = Geometry((12, 64, 64), (1.0, 0.8, 0.8))


def chest(sd_hu, *, seed=0):
    """A block of muscle with white noise and one lung in it, its lung mask and its body."""
    rng = np.random.default_rng(seed)
    hu = np.full(GRID.shape, 50.0)
    lungs = np.zeros(GRID.shape, dtype=np.uint8)
    lungs[:, 20:44, 20:44] = 1
    hu[lungs > 0] = -850.0
    noisy = np.rint(hu + rng.normal(0.0, sd_hu, GRID.shape)).astype(np.int16)
    return noisy, lungs, np.ones(GRID.shape, dtype=bool)


def added(sd_hu, kernel="soft", **limits):
    hu, lungs, body = chest(sd_hu)
    known = {"common_psf_mm": 1.2, "target_hu": 30.0, "widest_mm": 2.0} | limits
    return added_sigma_mm(hu, lungs, body, GRID, kernel_class=kernel, **known)


@pytest.mark.parametrize("sd_hu", [5.0, 15.0, 40.0])
def test_the_sd_of_white_noise_is_recovered(sd_hu):
    hu, lungs, body = chest(sd_hu)
    assert noise_hu(hu, body & (lungs == 0)) == pytest.approx(sd_hu, rel=0.25)


def test_an_edge_between_organs_is_no_noise():
    hu = np.random.default_rng(1).normal(40.0, 10.0, GRID.shape)
    hu[:, :, :24] -= 140.0  # fat beside muscle
    assert noise_hu(hu, np.ones(GRID.shape, dtype=bool)) == pytest.approx(10.0, rel=0.25)


def test_without_soft_tissue_there_is_no_noise_to_measure():
    hu, _, body = chest(20.0)
    assert noise_hu(hu, body & False) == 0.0


def test_a_noisier_scan_is_smoothed_more_up_to_the_widest():
    sigmas = [added(sd_hu)[0] for sd_hu in (10.0, 40.0, 60.0, 150.0)]
    assert sigmas[0] == 0.0
    assert sigmas == sorted(set(sigmas))
    assert added(150.0, widest_mm=0.5)[0] == 0.5


def test_the_noise_after_smoothing_is_below_the_target():
    hu, lungs, body = chest(80.0)
    sigma_mm, raw = added(80.0)
    assert raw == pytest.approx(80.0, rel=0.25)
    left = smooth(hu, GRID, sigma_mm)
    inner = slice(3, -3)
    assert noise_hu(left[inner], (body & (lungs == 0))[inner]) <= 30.0 * 1.1


def test_the_noise_that_is_reported_is_that_of_the_scan_itself():
    assert added(25.0, "sharp")[1] == pytest.approx(added(25.0, "soft")[1])


def test_a_sharper_kernel_is_brought_to_the_common_point_spread():
    soft, medium, sharp = (added(5.0, kernel)[0] for kernel in ("soft", "medium", "sharp"))
    assert soft == 0.0
    assert 0.0 < medium < sharp
    assert (sharp * FWHM_PER_SIGMA) ** 2 + 0.6**2 == pytest.approx(1.2**2)
    assert added(5.0, None)[0] == medium


def test_smoothing_keeps_the_mean_and_is_as_wide_in_mm_in_the_plane_as_across_it():
    grid = Geometry((21, 31, 31), (2.0, 1.0, 1.0))
    point = np.zeros(grid.shape, dtype=np.int16)
    point[10, 15, 15] = 30_000
    found = smooth(point, grid, 2.0).astype(float)
    assert found[11, 15, 15] == pytest.approx(found[10, 17, 15], rel=0.02)
    assert found.sum() == pytest.approx(30_000, rel=0.03)
    even = np.full(grid.shape, -847, dtype=np.int16)
    # Whole numbers: up to one HU is lost along each axis.
    assert np.abs(smooth(even, grid, 2.0) + 847).max() <= 3


def test_the_scan_is_left_as_it_was():
    hu, lungs, body = chest(50.0)
    for array in (hu, lungs, body):
        array.flags.writeable = False
    before = hu.tobytes()
    added_sigma_mm(hu, lungs, body, GRID, kernel_class="sharp", common_psf_mm=1.2, target_hu=30.0, widest_mm=2.0)
    smooth(hu, GRID, 1.0)
    assert hu.tobytes() == before
