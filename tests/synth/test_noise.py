"""Noise has the strength and the spectrum of the kernel, and is strongest where rays cross most tissue."""

from functools import partial

import numpy as np
import pytest

from cop_imaging.core import Geometry
from cop_imaging.synth.noise import NoiseTexture, folded_power, relative_noise
from cop_imaging.synth.noise_level import NoiseLevel
from cop_imaging.synth.point_spread import modulation_transfer

SOFT = partial(modulation_transfer, mtf50_per_mm=0.35, enhancement=0.0)
SHARP = partial(modulation_transfer, mtf50_per_mm=0.7, enhancement=0.2)
PIXEL = (0.7, 0.7)
SHAPE = (96, 97)
GRID = Geometry((5, 60, 100), (10.0, 5.0, 5.0), (-247.5, -147.5, -20.0))


def drawn(transfer, count=30, shape=SHAPE, pixel=PIXEL):
    texture, rng = NoiseTexture(shape, pixel, transfer), np.random.default_rng(0)
    return np.array([texture.draw(rng) for _ in range(count)])


@pytest.mark.parametrize("transfer", [SOFT, SHARP])
@pytest.mark.parametrize("shape", [(96, 96), (63, 97)])
def test_noise_has_a_standard_deviation_of_one_and_no_mean(transfer, shape):
    whole = drawn(transfer, shape=shape)[:, 0]
    assert whole.std() == pytest.approx(1.0, abs=0.01)
    assert np.abs(whole.mean(axis=(1, 2))).max() < 1e-3


@pytest.mark.parametrize("transfer", [SOFT, SHARP])
def test_the_noise_power_is_the_ramp_times_the_kernels_window(transfer):
    whole = drawn(transfer, count=200)[:, 0]
    power = (np.abs(np.fft.fft2(whole)) ** 2).mean(axis=0)
    fy, fx = (np.fft.fftfreq(n, p) for n, p in zip(SHAPE, PIXEL, strict=True))
    expected = folded_power(fy[:, None], fx[None], PIXEL, transfer)
    expected *= power.sum() / expected.sum()
    frequency = np.hypot(fy[:, None], fx[None])
    for low in np.arange(0.05, 0.6, 0.1):
        band = (frequency >= low) & (frequency < low + 0.1)
        assert power[band].sum() == pytest.approx(expected[band].sum(), rel=0.04)


def test_sharper_kernels_are_noisier_at_equal_dose():
    # A textbook law: twice the resolution, three to five times the noise.
    assert 2.8 < relative_noise(SHARP) / relative_noise(SOFT) < 5.0


def test_the_part_that_runs_along_y_has_its_frequencies_along_x():
    part = drawn(SOFT)[:, 1]
    along_y = (part[:, 1:] * part[:, :-1]).mean() / part.var()
    along_x = (part[:, :, 1:] * part[:, :, :-1]).mean() / part.var()
    assert along_y > along_x + 0.1


def ellipse(half_width_mm: float, half_depth_mm: float, lungs: bool = False) -> np.ndarray:
    y, x = (np.arange(n) * 5.0 - 2.5 * (n - 1) for n in GRID.shape[1:])
    hu = np.where((x[None] / half_width_mm) ** 2 + (y[:, None] / half_depth_mm) ** 2 < 1.0, 40.0, -1000.0)
    if lungs:
        hu[((np.abs(x[None]) - 75.0) / 50.0) ** 2 + (y[:, None] / 75.0) ** 2 < 1.0] = -850.0
    return hu.astype(np.float32)


def sd(level: NoiseLevel, z: int) -> np.ndarray:
    lateral, more = level.at(z)
    frontal = lateral + more
    return np.sqrt(0.375 * (frontal**2 + lateral**2) + 0.25 * frontal * lateral)


def test_noise_is_one_in_the_axis_and_less_at_the_skin():
    level = sd(NoiseLevel.of(np.array([ellipse(150.0, 150.0)] * 5), GRID), 2)
    assert level.shape == GRID.shape[1:]
    assert level[30, 50] == pytest.approx(1.0, abs=0.03)
    assert 0.4 < level[30, 76] < 0.85


def test_shoulders_are_noisier_than_the_chest_and_streaky_along_x():
    chest, shoulders = ellipse(165.0, 115.0, lungs=True), ellipse(235.0, 90.0)
    level = NoiseLevel.of(np.array([chest, chest, chest, shoulders, shoulders]), GRID)
    assert sd(level, 0)[30, 50] == pytest.approx(1.0, abs=0.05)
    assert sd(level, 4)[30, 50] > 1.5
    lateral, more = level.at(4)
    assert (lateral + more)[30, 50] < 0.7 * lateral[30, 50]


def test_an_empty_scan_has_even_noise_in_the_axis():
    lateral, more = NoiseLevel.of(np.full(GRID.shape, -1000.0, dtype=np.float32), GRID).at(2)
    assert np.isfinite(lateral).all()
    assert abs(more[30, 50]) < 0.05 * lateral[30, 50]
