"""The scan's noise and blur are those that were asked for."""

import numpy as np
import pytest

from cop_imaging.core import Geometry
from cop_imaging.synth import ScannerSpec
from cop_imaging.synth.scanner import noise_slices, scan

GRID = Geometry((12, 96, 96), (1.25, 0.8, 0.8))


def flat(value: float) -> np.ndarray:
    return np.full(GRID.shape, value, dtype=np.float32)


def test_noise_near_the_axis_has_the_sd_that_was_asked_for():
    hu, _ = scan(flat(40.0), GRID, np.random.default_rng(0), ScannerSpec(noise_hu=20.0))
    assert hu[:, 40:56, 40:56].std() == pytest.approx(20.0, rel=0.15)


def test_noise_of_a_sharp_kernel_is_less_correlated():
    def neighbour(kernel: str) -> float:
        noise = noise_slices(np.random.default_rng(0), GRID, kernel)
        return float((noise[:, :, 1:] * noise[:, :, :-1]).mean())

    assert neighbour("soft") > neighbour("medium") > neighbour("sharp")


def test_a_soft_kernel_blurs_a_line_and_keeps_its_mass():
    line = flat(-1000.0)
    line[:, 48, :] = 1000.0
    hu, _ = scan(line, GRID, np.random.default_rng(0), ScannerSpec(noise_hu=0.0, round_field=False))
    profile = hu[6, :, 48].astype(float) + 1000.0
    assert profile.max() < 1500.0
    assert profile.sum() == pytest.approx(2000.0, rel=0.02)


def test_values_stay_within_what_a_scanner_stores_and_the_field_is_round():
    hu, valid = scan(flat(5000.0), GRID, np.random.default_rng(0), ScannerSpec())
    assert hu.max() == 3071
    assert valid is not None
    assert valid.mean() == pytest.approx(np.pi / 4, abs=0.01)
    assert (hu[~valid] == -1024).all()
