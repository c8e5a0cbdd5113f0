"""Scanners are drawn as clinics use them, the same for the same seed, and show all of the lungs."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cop_imaging.ingest.kernels import kernel_class
from cop_imaging.synth.scan_draw import VENDORS, draw_blood_hu, draw_grid, draw_scanner, expected_noise_hu
from cop_imaging.synth.scanner import ScannerSpec

LUNGS = ((-135.0, -105.0, -190.0), (138.0, 100.0, 95.0))


@pytest.fixture(scope="module")
def drawn():
    rng = np.random.default_rng(0)
    return [draw_scanner(rng) for _ in range(2000)]


def test_the_same_seed_draws_the_same_scanner():
    assert draw_scanner(np.random.default_rng(3)) == draw_scanner(np.random.default_rng(3))
    assert draw_scanner(np.random.default_rng(3)) != draw_scanner(np.random.default_rng(4))


def test_every_drawn_scanner_is_within_the_permitted_ranges(drawn):
    for spec in drawn[:200]:
        assert ScannerSpec.model_validate(spec.model_dump()) == spec


def test_every_kernel_has_a_name_of_its_class():
    for vendor in VENDORS:
        for kernel, names in vendor.kernels.items():
            assert {kernel_class(name) for name in names} == {kernel}


def test_vendors_kernels_and_protocols_vary(drawn):
    assert len({spec.manufacturer for spec in drawn}) == 4
    classes = Counter(spec.kernel for spec in drawn)
    assert 0.4 < classes["soft"] / len(drawn) < 0.65
    assert 0.25 < classes["sharp"] / len(drawn) < 0.5
    assert min(spec.thickness_mm for spec in drawn) <= 0.6
    assert max(spec.thickness_mm for spec in drawn) == 5.0
    assert all(0.5 * spec.thickness_mm <= spec.step_mm <= spec.thickness_mm for spec in drawn)
    assert 0.05 < np.mean([spec.breathing_mm > 0.0 for spec in drawn]) < 0.2


def test_noise_at_usual_dose_is_what_is_seen_on_patients():
    soft = ScannerSpec(kernel="soft", thickness_mm=1.25)
    assert 15.0 < expected_noise_hu(soft) < 28.0
    assert 7.0 < expected_noise_hu(soft.model_copy(update={"thickness_mm": 5.0})) < 12.0
    assert 55.0 < expected_noise_hu(ScannerSpec(kernel="sharp", thickness_mm=1.25)) < 110.0
    assert 30.0 < expected_noise_hu(soft.model_copy(update={"mas": 25.0})) < 55.0


@given(
    mas=st.floats(10.0, 300.0),
    thickness_mm=st.floats(0.6, 3.0),
    iterative=st.floats(0.0, 1.0),
    kvp=st.floats(80.0, 140.0),
)
def test_four_times_the_dose_or_the_thickness_halves_the_noise(mas, thickness_mm, iterative, kvp):
    spec = ScannerSpec(mas=mas, thickness_mm=thickness_mm, iterative=iterative, kvp=kvp)
    for update in ({"mas": 4.0 * mas}, {"thickness_mm": 4.0 * thickness_mm}):
        assert expected_noise_hu(spec.model_copy(update=update)) == pytest.approx(0.5 * expected_noise_hu(spec))


def test_a_grid_shows_all_of_the_lungs_in_its_round_field(drawn):
    rng = np.random.default_rng(1)
    turn = np.linspace(0.0, 2.0 * np.pi, 60)
    middle, half = 0.5 * np.add(*LUNGS)[:2], 0.5 * np.subtract(LUNGS[1], LUNGS[0])[:2]
    oval = middle + half * np.stack([np.cos(turn), np.sin(turn)], axis=1)
    for spec in drawn[:300]:
        grid = draw_grid(rng, spec, *LUNGS)
        first, last = (grid.to_patient(np.array(i)) for i in ((0, 0, 0), np.array(grid.shape) - 1.0))
        assert first[2] < LUNGS[0][2]
        assert last[2] > LUNGS[1][2]
        centre = 0.5 * (first + last)[:2]
        radius = 0.5 * grid.shape[1] * grid.spacing_mm[1]
        assert np.linalg.norm(oval - centre, axis=1).max() < radius
        assert 0.5 < grid.spacing_mm[1] < 0.95
        assert grid.spacing_mm[0] == spec.step_mm


def test_blood_is_bright_only_with_contrast_medium(drawn):
    rng = np.random.default_rng(2)
    for spec in drawn[:300]:
        assert (draw_blood_hu(rng, spec) > 80.0) == (spec.contrast_phase != "none")


def test_the_padding_is_the_vendors(drawn):
    padding = {vendor.name: vendor.padding_hu for vendor in VENDORS}
    assert all(spec.padding_hu in padding[spec.manufacturer] for spec in drawn)
