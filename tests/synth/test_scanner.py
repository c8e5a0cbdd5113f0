"""A scan keeps what it is given, holds what a scanner stores, and is as sharp, noisy and thick as was asked for."""

import numpy as np
import pytest

from cop_imaging.core import Acquisition, Geometry
from cop_imaging.ingest.kernels import kernel_class
from cop_imaging.synth import ScannerSpec
from cop_imaging.synth.physics import (
    measured_modulation,
    measured_mtf50_per_cm,
    measured_noise,
    measured_profile_mm,
    spread_of_edge,
)
from cop_imaging.synth.scanner import KERNELS, acquisition_of, scan
from cop_imaging.synth.shapes import cover

GRID = Geometry((12, 96, 96), (1.25, 0.8, 0.8))
CLASSES = ("soft", "medium", "sharp")


def flat(value: float) -> np.ndarray:
    return np.full(GRID.shape, value, dtype=np.float32)


def scanned(hu: np.ndarray, seed: int = 0, **fields) -> np.ndarray:
    return scan(hu, GRID, np.random.default_rng(seed), ScannerSpec(**fields))[0]


@pytest.mark.parametrize("kernel", CLASSES)
@pytest.mark.parametrize("pixel_mm", [0.55, 0.7])
def test_an_edge_is_as_sharp_as_the_kernel_says(kernel, pixel_mm):
    spec = ScannerSpec(kernel=kernel)
    assert measured_mtf50_per_cm(spec, pixel_mm) == pytest.approx(KERNELS[kernel][1], rel=0.03)


def test_only_sharp_kernels_raise_middle_frequencies():
    peaks = {k: measured_modulation(ScannerSpec(kernel=k), 0.6)[1].max() for k in CLASSES}
    assert peaks["soft"] == pytest.approx(1.0, abs=0.01)
    assert peaks["medium"] == pytest.approx(1.0, abs=0.01)
    assert peaks["sharp"] == pytest.approx(1.2, abs=0.03)


def test_an_edge_drawn_softer_than_a_pixel_is_as_sharp_as_asked_when_the_scan_is_told():
    y, x = np.meshgrid(np.arange(96) * 0.8 - 38.0, np.arange(96) * 0.8 - 38.0, indexing="ij")
    away = (x + 0.1 * y) / np.hypot(1.0, 0.1)
    edge = np.repeat((400.0 * cover(-away, 1.1)).astype(np.float32)[None], 12, axis=0)
    halves = []
    for drawn_mm in ((1.25, 1.1, 1.1), None):
        hu, _ = scan(
            edge, GRID, np.random.default_rng(0), ScannerSpec(noise_hu=0.0, round_field=False), drawn_mm=drawn_mm
        )
        f, transfer = spread_of_edge(away[10:-10].ravel(), hu[6, 10:-10].ravel(), 0.1, 30.0)
        halves.append(10.0 * f[np.flatnonzero(transfer < 0.5)[0]])
    assert halves[0] == pytest.approx(3.5, rel=0.03)
    assert halves[1] < 3.35


@pytest.mark.parametrize("kernel", CLASSES)
def test_noise_in_the_axis_has_the_sd_and_the_spectrum_asked_for(kernel):
    noise = measured_noise(ScannerSpec(kernel=kernel, noise_hu=20.0), 0.7, 1.25)
    assert noise.sd_hu == pytest.approx(20.0, rel=0.03)
    assert noise.peak_per_mm == pytest.approx(noise.expected_peak_per_mm, rel=0.08)
    assert noise.bands == pytest.approx([1.0] * 7, abs=0.08)


def test_iterative_reconstruction_makes_noise_coarser_and_leaves_its_sd():
    plain, iterative = (measured_noise(ScannerSpec(noise_hu=20.0, iterative=i), 0.7, 1.25) for i in (0.0, 1.0))
    assert iterative.sd_hu == pytest.approx(plain.sd_hu, rel=0.03)
    assert iterative.peak_per_mm < 0.92 * plain.peak_per_mm


@pytest.mark.parametrize("kernel", CLASSES)
@pytest.mark.parametrize("thickness_mm", [0.6, 1.25, 2.5, 5.0])
def test_a_plate_is_as_thick_as_a_contiguous_slice(kernel, thickness_mm):
    half, _ = measured_profile_mm(ScannerSpec(kernel=kernel, thickness_mm=thickness_mm), 0.7, thickness_mm)
    assert half == pytest.approx(thickness_mm, rel=0.05)


def test_slices_with_gaps_stay_thin_and_overlapping_ones_have_their_area():
    assert measured_profile_mm(ScannerSpec(thickness_mm=1.25), 0.7, 10.0)[0] == pytest.approx(1.25, rel=0.05)
    assert measured_profile_mm(ScannerSpec(thickness_mm=2.5), 0.7, 1.0)[1] == pytest.approx(2.5, rel=0.05)


def test_overlapping_slices_share_noise_and_contiguous_ones_do_not():
    for step_mm, shared in ((1.25, 0.5), (2.5, 0.0)):
        grid = Geometry((30, 96, 96), (step_mm, 0.8, 0.8))
        hu, _ = scan(
            np.zeros(grid.shape, np.float32),
            grid,
            np.random.default_rng(0),
            ScannerSpec(noise_hu=20.0, thickness_mm=2.5),
        )
        middle = hu[:, 32:64, 32:64].astype(float)
        assert (middle[1:] * middle[:-1]).mean() / middle.var() == pytest.approx(shared, abs=0.05)


def test_a_thick_slice_blurs_its_neighbours_together_only_when_it_overlaps_them():
    disc = flat(-1000.0)
    disc[6] = 0.0
    alone = scanned(disc, noise_hu=0.0, round_field=False)[:, 48, 48]
    overlapping = scanned(disc, noise_hu=0.0, round_field=False, thickness_mm=2.5)[:, 48, 48]
    assert list(alone[5:8]) == [-1000, 0, -1000]
    assert list(overlapping[4:9]) == [-1000, -750, -500, -750, -1000]


def test_the_same_generator_gives_the_same_scan_and_another_one_does_not():
    a, b, c = (scanned(flat(40.0), seed, cardiac_mm=3.0, breathing_mm=4.0) for seed in (0, 0, 1))
    assert np.array_equal(a, b)
    assert not np.array_equal(a, c)


def test_the_chest_that_is_scanned_is_not_changed():
    hu = flat(40.0)
    scanned(hu, cardiac_mm=3.0, breathing_mm=4.0, thickness_mm=2.5)
    assert np.array_equal(hu, flat(40.0))


def test_values_stay_within_what_a_scanner_stores_and_the_field_is_round():
    hu, valid = scan(flat(5000.0), GRID, np.random.default_rng(0), ScannerSpec())
    assert hu.max() == 3071
    assert scanned(flat(-1000.0), noise_hu=100.0).min() == -1024
    assert valid is not None
    assert valid.mean() == pytest.approx(np.pi / 4, abs=0.01)
    assert (hu[~valid] == -1024).all()


def test_a_square_field_has_no_padding():
    hu, valid = scan(flat(40.0), GRID, np.random.default_rng(0), ScannerSpec(round_field=False))
    assert valid is None
    assert hu[0, 0, 0] > -100


def test_headers_say_how_was_scanned_and_keep_who():
    spec = ScannerSpec(kernel="sharp", thickness_mm=1.0, contrast_phase="venous", mas=60.0)
    found = acquisition_of(spec, GRID, Acquisition(sex="F", age_years=61.0))
    assert (found.sex, found.age_years) == ("F", 61.0)
    assert (found.slice_thickness_mm, found.slice_step_mm, found.contiguous) == (1.0, 1.25, False)
    assert kernel_class(found.kernel) == found.kernel_class == "sharp"
    assert found.contrast is True
    assert found.exposure_mas == 60.0


@pytest.mark.parametrize("kernel", CLASSES)
def test_the_usual_kernels_have_names_of_their_class(kernel):
    assert kernel_class(KERNELS[kernel][0]) == kernel
