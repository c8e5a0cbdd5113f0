"""What is measured of a scan follows what is done to it."""

import re
from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from cop_imaging.core import AIR_HU, CTVolume, Geometry, Severity
from cop_imaging.ingest.quality import QualityConfig, assess
from cop_imaging.ingest.quality.coarse import coarse_view
from cop_imaging.ingest.quality.noise import measure_noise
from cop_imaging.synth import ScannerSpec, coarse_grid, healthy_chest

CONFIG = QualityConfig()
FINE = Geometry((4, 240, 240), (1.25, 0.7, 0.7))


@pytest.fixture(scope="module")
def chest():
    return healthy_chest(3, geometry=coarse_grid()).volume


def changed(volume, hu, valid=None):
    """The same scan with other densities (and field)."""
    valid = volume.valid if valid is None else valid
    geometry = replace(volume.geometry, shape=hu.shape)
    return CTVolume(np.ascontiguousarray(hu), geometry, None if valid is None else np.ascontiguousarray(valid))


def codes(volume):
    return {issue.code for issue in assess(volume, CONFIG)[1]}


def textured(sd_hu, blur):
    """Water with noise of that SD, correlated over ``blur`` pixels, in a box of air."""
    noise = np.random.default_rng(5).standard_normal(FINE.shape)
    if blur:
        noise = ndimage.gaussian_filter(noise, (0, blur, blur))
    hu = np.full(FINE.shape, -1000.0)
    hu[:, 20:-20, 20:-20] = 40.0
    hu += sd_hu * noise / noise.std()
    return CTVolume(np.clip(np.rint(hu), AIR_HU, 3071).astype(np.int16), FINE)


def test_a_healthy_chest_raises_no_warning(chest):
    quality, issues = assess(chest, CONFIG)
    assert [issue for issue in issues if issue.severity is not Severity.INFO] == []
    assert quality.air_hu == pytest.approx(-1000.0, abs=8.0)
    assert (quality.apex_cut, quality.base_cut, quality.side_cut) == (False, False, False)


def test_the_same_scan_gives_the_same_record(chest):
    assert assess(chest, CONFIG) == assess(chest, CONFIG)


@pytest.mark.parametrize("axes", [(0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2)])
def test_every_axis_that_is_turned_round_is_noticed(chest, axes):
    turned = changed(chest, np.flip(chest.hu, axes), np.flip(chest.valid, axes))
    found = [issue for issue in assess(turned, CONFIG)[1] if issue.code == "geometry.mirrored"]
    assert len(found) == len(axes)
    assert all(issue.severity is Severity.ERROR for issue in found if "right and left" not in issue.message)


@pytest.mark.parametrize(("keep", "name"), [(slice(0, 75), "apex_cut"), (slice(50, None), "base_cut")])
def test_a_cut_end_is_named(chest, keep, name):
    quality, issues = assess(changed(chest, chest.hu[keep], chest.valid[keep]), CONFIG)
    assert {end for end in ("apex_cut", "base_cut") if getattr(quality, end)} == {name}
    assert "coverage.partial" in {issue.code for issue in issues}


def test_a_cut_side_is_named(chest):
    quality, _ = assess(changed(chest, chest.hu[:, :, 40:], chest.valid[:, :, 40:]), CONFIG)
    assert quality.side_cut


@pytest.mark.parametrize("fill_hu", [AIR_HU, -1000, 40])
def test_a_scan_without_lungs_is_an_error(chest, fill_hu):
    found = assess(changed(chest, np.full(chest.hu.shape, fill_hu, dtype=np.int16)), CONFIG)[1]
    assert [issue.code for issue in found if issue.severity is Severity.ERROR] == ["coverage.no_lungs"]


def test_a_shift_of_all_densities_moves_air_by_as_much_and_is_flagged(chest):
    shifted = changed(chest, np.where(chest.valid, chest.hu + np.int16(60), chest.hu).astype(np.int16))
    before, after = assess(chest, CONFIG)[0], assess(shifted, CONFIG)[0]
    assert after.air_hu - before.air_hu == pytest.approx(60.0, abs=8.0)
    assert "hu.offset" in codes(shifted)


def test_bedding_that_fills_more_of_the_field_than_air_is_not_taken_for_air(chest):
    hu = chest.hu.copy()
    back = slice(108, None)
    hu[:, back][chest.valid[:, back] & (hu[:, back] < -900)] = -940
    assert assess(changed(chest, hu), CONFIG)[0].air_hu == pytest.approx(-1000.0, abs=8.0)


def beside(chest, shape_of):
    """The chest in a wider field, with something beside it along the lungs."""
    hu = np.pad(chest.hu, ((0, 0), (0, 0), (40, 40)), constant_values=-1000)
    y, x = np.mgrid[: hu.shape[1], : hu.shape[2]]
    shape_of(hu, np.hypot(y - 63, x - 20))
    return CTVolume(hu, replace(chest.geometry, shape=hu.shape))


def test_an_arm_beside_the_chest_is_seen_and_the_rim_of_a_table_is_no_arm(chest):
    def arm(hu, away):
        hu[:, away < 16] = 40
        hu[:, away < 5] = 700

    def rim(hu, away):
        hu[:, away < 2] = 700

    assert assess(beside(chest, arm), CONFIG)[0].arms_down is True
    assert assess(beside(chest, rim), CONFIG)[0].arms_down is False


def test_slices_that_jump_to_and_fro_are_motion_and_a_quiet_scan_is_not(chest):
    hu = chest.hu.copy()
    hu[::2] = np.roll(hu[::2], 2, axis=1)
    quiet, jumpy = assess(chest, CONFIG)[0], assess(changed(chest, hu), CONFIG)[0]
    assert quiet.motion_percent < 5.0
    assert jumpy.motion_percent > 80.0
    assert "quality.motion" in codes(changed(chest, hu))


def test_dense_lung_reads_as_expiration(chest):
    lung = (chest.hu < -600) & (chest.hu > -960)
    assert "quality.expiration" in codes(changed(chest, np.where(lung, chest.hu + 150, chest.hu).astype(np.int16)))


def test_contrast_is_seen_and_a_header_that_denies_it_is_named(chest):
    bright = changed(chest, np.where((chest.hu > 0) & (chest.hu < 90), chest.hu + 120, chest.hu).astype(np.int16))
    bright = replace(bright, acquisition=bright.acquisition.model_copy(update={"contrast": False}))
    quality, issues = assess(bright, CONFIG)
    assert (quality.contrast, assess(chest, CONFIG)[0].contrast) == (True, False)
    assert any("although the header says without" in i.message for i in issues if i.code == "quality.contrast")


def test_metal_is_measured_in_millilitres(chest):
    hu = chest.hu.copy()
    hu[60:64, 96:100, 70:74] = 3071
    away = assess(changed(chest, hu), CONFIG)
    assert away[0].metal_ml == pytest.approx(64 * chest.geometry.voxel_ml, rel=0.51)
    assert "quality.metal" in {issue.code for issue in away[1]}


def test_every_remark_is_a_sentence(chest):
    lung, soft = (chest.hu < -600) & (chest.hu > -960), (chest.hu > 0) & (chest.hu < 90)
    hu = chest.hu + np.int16(150) * lung.astype(np.int16) + np.int16(140) * soft.astype(np.int16)
    hu[::2] = np.roll(hu[::2], 2, axis=1)
    hu[60:64, 96:100, 70:74] = 3071
    hu = np.flip(hu, 2)[:75]
    scans = (
        changed(chest, hu, np.flip(chest.valid, 2)[:75]),
        textured(70.0, 2.0),
        changed(chest, chest.hu + np.int16(60)),
    )
    found = [issue for scan in scans for issue in assess(scan, CONFIG)[1] if issue.code != "coverage.no_lungs"]
    assert len({issue.code for issue in found}) >= 7
    assert [i.message for i in found if not re.fullmatch(r"[A-Z0-9].*[^.]\.", i.message)] == []


@pytest.mark.parametrize("sd_hu", [5.0, 20.0, 60.0])
def test_the_measured_noise_is_the_noise_that_was_added(sd_hu):
    volume = textured(sd_hu, 0.0)
    assert measure_noise(volume, coarse_view(volume, CONFIG), CONFIG).sd_hu == pytest.approx(sd_hu, rel=0.1)


def test_noise_that_outlasts_smoothing_is_flagged_and_noise_that_does_not_is_not():
    soft, white = textured(70.0, 2.0), textured(70.0, 0.0)
    assert "quality.noise" in codes(soft)
    assert "quality.noise" not in codes(white)


def test_coarser_texture_means_a_softer_kernel():
    found = [measure_noise(v, coarse_view(v, CONFIG), CONFIG) for v in (textured(20.0, b) for b in (1.2, 0.0))]
    assert [noise.kernel_class for noise in found] == ["soft", "sharp"]
    assert found[0].correlation > 0.4
    assert abs(found[1].correlation) < 0.1


def test_noise_is_not_measured_on_coarse_pixels(chest):
    assert assess(chest, CONFIG)[0].noise_hu is None


def test_more_scanner_noise_is_more_measured_noise():
    grid = Geometry((8, 360, 360), (2.5, 1.0, 1.0), (-179.5, -163.5, -195.0))
    found = []
    for noise_hu in (10.0, 30.0):
        volume = healthy_chest(3, geometry=grid, scanner=ScannerSpec(noise_hu=noise_hu)).volume
        found.append(measure_noise(volume, coarse_view(volume, CONFIG), CONFIG).sd_hu)
    assert found[1] > 1.8 * found[0]
