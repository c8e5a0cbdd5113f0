"""The anatomy of made chests against their truth, and the same anatomy however a chest is stored."""

import dataclasses

import numpy as np
import pytest
import SimpleITK as sitk
from scipy import ndimage

from cop_imaging.anatomy import AnatomyConfig, segment
from cop_imaging.core import AIR_HU, LEFT, RIGHT, CTVolume, Geometry, StoredOrder
from cop_imaging.core.grid import dilated
from cop_imaging.errors import SeriesError
from cop_imaging.provenance import array_digest

SIDES = pytest.mark.parametrize("side", [RIGHT, LEFT], ids=["right", "left"])
MASKS = ("lungs", "airways", "body", "vessels", "uncertain")


def dice(a, b):
    return 2.0 * (a & b).sum() / (a.sum() + b.sum())


def codes(anatomy):
    return {issue.code for issue in anatomy.issues}


@pytest.fixture(scope="module")
def usual(healthy):
    """The anatomy with the usual settings."""
    return segment(healthy.volume, AnatomyConfig(method="classical"))


@SIDES
def test_each_lung_is_found_on_its_own_side(usual, healthy, side):
    found, truth = usual.lungs == side, healthy.truth["lungs"] == side
    assert dice(found, truth) >= 0.98
    assert found.sum() == pytest.approx(truth.sum(), rel=0.03)
    assert (found & (healthy.truth["lungs"] == 3 - side)).sum() < 0.005 * truth.sum()


def test_a_healthy_chest_raises_no_doubt_and_gains_no_chest_wall(usual, healthy):
    assert usual.issues == ()
    assert usual.doubt.trust == pytest.approx(1.0, abs=0.01)
    assert usual.doubt.recovered_ml < 5.0
    assert usual.doubt.uncertain_ml < 1.0
    assert not any((usual.doubt.touches_top, usual.doubt.touches_bottom, usual.doubt.given))
    truth = healthy.truth["lungs"]
    assert usual.doubt.right_to_left == pytest.approx((truth == RIGHT).sum() / (truth == LEFT).sum(), rel=0.02)
    outside = (usual.lungs > 0) & ~dilated(truth > 0, healthy.volume.geometry, 3.0)
    assert outside.sum() < 0.005 * (truth > 0).sum()


def test_the_trachea_is_followed_to_the_neck_and_is_no_lung(usual, healthy):
    g = healthy.volume.geometry
    airways = healthy.truth["airways"]
    x_mm = g.origin_mm[0] + np.arange(g.shape[2]) * g.spacing_mm[2]
    z_mm = g.origin_mm[2] + np.arange(g.shape[0]) * g.spacing_mm[0]
    levels = (z_mm > 10.0) & (z_mm < 100.0)
    trachea = airways & (np.abs(x_mm) < 13.0)[None, None] & levels[:, None, None]
    found = (usual.airways & trachea).sum(axis=(1, 2))[levels]
    # Half of the lumen at each level: the voxels at its wall are half wall.
    assert (found >= 0.5 * trachea.sum(axis=(1, 2))[levels]).all()
    assert not (trachea & (usual.lungs > 0)).any()
    assert (usual.airways & airways).sum() >= 0.98 * usual.airways.sum()


def test_vessels_fill_a_few_per_cent_of_the_lungs_and_lie_where_vessels_are(usual, healthy):
    g, truth = healthy.volume.geometry, healthy.truth["vessels"]
    assert not (usual.vessels & (usual.lungs == 0)).any()
    assert 0.02 < usual.vessels.sum() / (usual.lungs > 0).sum() < 0.06
    assert (usual.vessels & truth).sum() > 0.7 * truth.sum()
    assert (usual.vessels & dilated(truth, g, 2.6)).sum() > 0.7 * usual.vessels.sum()


def test_gas_of_the_stomach_is_no_lung(usual, healthy):
    g, hu = healthy.volume.geometry, healthy.volume.hu
    # The gas under the left dome: air far from both lungs and inside the body.
    far = ~dilated(healthy.truth["lungs"] > 0, g, 4.0)
    gas = (hu < -900) & usual.body & far & ~dilated(healthy.truth["airways"], g, 8.0)
    gas[g.shape[0] // 2 :] = False
    assert gas.sum() * g.voxel_ml > 20.0
    assert not (gas & (usual.lungs > 0)).any()


def test_the_body_holds_the_lungs_and_not_the_air_around_it(usual, healthy):
    g = healthy.volume.geometry
    assert not ((usual.lungs > 0) & ~usual.body).any()
    assert 12_000 < usual.body.sum() * g.voxel_ml < 25_000
    assert not (usual.body & ~healthy.volume.valid).any()


def test_the_volume_stays_as_it_was_and_the_anatomy_is_locked(usual, healthy):
    assert array_digest(healthy.volume.hu, healthy.volume.geometry) == healthy.volume.digest
    for name in MASKS:
        with pytest.raises(ValueError, match="read-only"):
            getattr(usual, name)[0, 0, 0] = 1


def test_a_mirrored_patient_has_mirrored_lungs(healthy, healthy_anatomy, quick):
    g = healthy.volume.geometry
    last_x = g.origin_mm[0] + (g.shape[2] - 1) * g.spacing_mm[2]
    mirrored = dataclasses.replace(g, origin_mm=(-last_x, *g.origin_mm[1:]))
    found = segment(CTVolume(np.ascontiguousarray(healthy.volume.hu[:, :, ::-1]), mirrored), quick)
    back = found.lungs[:, :, ::-1]
    assert dice(back == LEFT, healthy_anatomy.lungs == RIGHT) > 0.995
    assert dice(back == RIGHT, healthy_anatomy.lungs == LEFT) > 0.995


def test_neither_threads_nor_the_order_on_disk_change_a_voxel(healthy, healthy_anatomy, quick):
    stored = StoredOrder((1, 2, 0), (True, False, True))
    volume = dataclasses.replace(
        healthy.volume, stored=stored, hu=stored.to_canonical(np.ascontiguousarray(stored.to_stored(healthy.volume.hu)))
    )
    assert not volume.hu.flags.c_contiguous
    before = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1 if before > 1 else 2)
    try:
        found = segment(volume, quick)
    finally:
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(before)
    for name in MASKS:
        assert np.array_equal(getattr(found, name), getattr(healthy_anatomy, name)), name
    assert np.array_equal(found.work.vesselness, healthy_anatomy.work.vesselness)
    assert np.array_equal(found.work.vessel_radius_mm, healthy_anatomy.work.vessel_radius_mm)
    assert found.doubt == healthy_anatomy.doubt


def test_padding_around_the_round_field_changes_nothing_inside(healthy, healthy_anatomy, quick):
    g, pad = healthy.volume.geometry, 6
    around = ((0, 0), (pad, pad), (pad, pad))
    origin = (g.origin_mm[0] - pad * g.spacing_mm[2], g.origin_mm[1] - pad * g.spacing_mm[1], g.origin_mm[2])
    wide = Geometry((g.shape[0], g.shape[1] + 2 * pad, g.shape[2] + 2 * pad), g.spacing_mm, origin)
    hu = np.pad(healthy.volume.hu, around, constant_values=AIR_HU)
    found = segment(CTVolume(hu, wide, np.pad(healthy.volume.valid, around)), quick)
    for name in MASKS:
        padded = getattr(found, name)
        assert np.array_equal(padded[:, pad:-pad, pad:-pad], getattr(healthy_anatomy, name)), name
        assert padded.sum() == padded[:, pad:-pad, pad:-pad].sum(), name


@pytest.mark.parametrize("last", [79, 84, 85], ids=["shorter work grid", "work grid as long", "longer work grid"])
def test_lungs_that_are_cut_off_at_both_ends_are_reported_and_kept_to_the_last_slice(
    last, healthy, healthy_anatomy, quick
):
    slab = (slice(40, last), slice(None), slice(None))
    found = segment(CTVolume(healthy.volume.hu[slab].copy(), healthy.volume.geometry.crop(slab)), quick)
    for z in (0, -1):
        assert dice(found.lungs[z] > 0, healthy.truth["lungs"][slab][z] > 0) > 0.97
        assert found.body[z].any()
    assert found.doubt.touches_top
    assert found.doubt.touches_bottom
    assert "coverage.partial" not in codes(healthy_anatomy)
    issue = next(i for i in found.issues if i.code == "coverage.partial")
    assert "apex and base cut off" in issue.message
    assert "lungs" in issue.affects


def test_lungs_that_the_image_cuts_at_a_side_are_reported(healthy, healthy_anatomy, quick):
    middle = int(np.argwhere(healthy.truth["lungs"] == LEFT)[:, 2].mean())
    part = (slice(None), slice(None), slice(None, middle))
    found = segment(CTVolume(healthy.volume.hu[part].copy(), healthy.volume.geometry.crop(part)), quick)
    assert found.doubt.touches_sides
    assert not healthy_anatomy.doubt.touches_sides
    assert "side cut off" in next(i.message for i in found.issues if i.code == "coverage.partial")


def test_a_white_lung_leaves_the_other_and_raises_doubt(healthy, healthy_anatomy, quick):
    g, truth = healthy.volume.geometry, healthy.truth["lungs"]
    white = dilated(truth == LEFT, g, 3.0) & (healthy.volume.hu < -150) & ~dilated(truth == RIGHT, g, 4.0)
    hu = np.where(white, np.int16(40), healthy.volume.hu)
    found = segment(CTVolume(hu, g), quick)
    assert "lungs.asymmetric" in codes(found)
    assert found.doubt.trust <= 0.5
    assert dice(found.lungs == RIGHT, healthy_anatomy.lungs == RIGHT) > 0.99
    assert (found.lungs == LEFT).sum() < 0.05 * (truth == LEFT).sum()


@pytest.mark.parametrize("body_hu", [None, 40.0, -80.0], ids=["air", "muscle", "fat"])
def test_a_scan_without_lungs_is_refused(body_hu, quick):
    hu = np.full((40, 60, 60), -1000, dtype=np.int16)
    if body_hu is not None:
        hu[2:-2, 8:-8, 8:-8] = body_hu
        # Sinuses of a head or gas of a bowel are too little to be lungs.
        hu[15:20, 25:31, 25:31] = -980
    with pytest.raises(SeriesError, match="no lungs in view") as caught:
        segment(CTVolume(hu, Geometry(hu.shape, (5.0, 5.0, 5.0))), quick)
    assert caught.value.code == "coverage.no_lungs"


def test_a_mask_that_is_handed_in_is_taken_as_it_is(healthy, quick):
    # One lung with a hole in it: nothing that the program itself would find.
    mask = np.where(healthy.truth["lungs"] == RIGHT, 1, 0).astype(np.uint8)
    mask[50:60, 60:70, 40:50] = 0
    before = mask.copy()
    found = segment(healthy.volume, quick, lungs=mask)
    assert np.array_equal(found.lungs, before)
    assert np.array_equal(mask, before)
    assert mask.flags.writeable
    assert found.doubt.given
    assert found.doubt.trust == 1.0
    assert "lungs.asymmetric" in codes(found)  # one label alone may be both lungs under one name: said, not refused
    assert not (found.vessels & (before == 0)).any()
    assert found.vessels.any()


def test_an_empty_mask_that_is_handed_in_is_refused(healthy, quick):
    slab = (slice(60, 80), slice(None), slice(None))
    volume = CTVolume(healthy.volume.hu[slab].copy(), healthy.volume.geometry.crop(slab))
    with pytest.raises(SeriesError, match="lung mask is empty") as caught:
        segment(volume, quick, lungs=np.zeros(volume.hu.shape, dtype=np.uint8))
    assert caught.value.code == "coverage.no_lungs"


def with_lens(hu, phantom, centre_mm, radius_mm, density_hu, rng):
    """The chest with lung against the chest wall replaced by a smooth lens of one density, and that lens."""
    g = phantom.volume.geometry
    points = g.to_patient(np.moveaxis(np.indices(g.shape), 0, -1))
    lens = (phantom.truth["lungs"] > 0) & (np.linalg.norm(points - np.array(centre_mm), axis=-1) < radius_mm)
    part = ndimage.gaussian_filter(lens.astype(np.float32), 0.5)
    part[phantom.truth["lungs"] == 0] = 0.0
    filled = density_hu + rng.normal(0.0, 12.0, g.shape)
    return np.rint(hu * (1 - part) + filled * part).astype(np.int16), lens


def test_dense_tissue_against_the_ribs_is_lung_and_fluid_there_is_left_out_as_uncertain(healthy, quick):
    rng = np.random.default_rng(5)
    hu, dense = with_lens(healthy.volume.hu, healthy, (-85.0, 70.0, -60.0), 35.0, 45.0, rng)
    hu, fluid = with_lens(hu, healthy, (100.0, 30.0, -60.0), 30.0, 5.0, rng)
    found = segment(CTVolume(hu, healthy.volume.geometry), quick)
    assert ((found.lungs == RIGHT) & dense).sum() > 0.6 * dense.sum()
    assert not (found.uncertain & dense).any()
    assert ((found.lungs > 0) & fluid).sum() < 0.05 * fluid.sum()
    assert (found.uncertain & fluid).sum() > 0.35 * fluid.sum()
    assert not (found.uncertain & (found.lungs > 0)).any()
    assert "lungs.uncertain" in codes(found)
    assert found.doubt.recovered_ml > 50.0
    assert found.doubt.uncertain_ml > 40.0
    assert found.doubt.trust < 1.0
