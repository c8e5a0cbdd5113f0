"""Lesions in a scan, where the scan is itself a phantom, so that everything about it is known."""

from __future__ import annotations

import importlib
from dataclasses import dataclass

import numpy as np
import pytest
from scipy import ndimage

from cop_imaging.core.geometry import Geometry
from cop_imaging.core.volume import CTVolume
from cop_imaging.synth.insertion import insert, model_scan, terrain_of_scan
from cop_imaging.synth.lesions.cavity import Cavity
from cop_imaging.synth.lesions.consolidation import Consolidation
from cop_imaging.synth.lesions.effusion import Effusion
from cop_imaging.synth.lesions.lesion import Layer
from cop_imaging.synth.shapes import Slab
from cop_imaging.synth.terrain import Where

SHAPE, SPACING = (44, 200, 250), (2.0, 1.0, 1.0)
BLOOD_HU, MUSCLE_HU = 45.0, 50.0
SITE = (-100.0, 0.0, 0.0)


def made_scan(seed=0):
    """A water-like body with two round lungs, a vessel and a bronchus on either side, blur and correlated noise."""
    geometry = Geometry(SHAPE, SPACING, (-124.5, -99.5, -43.0))
    s = Slab.of(geometry)
    body = np.hypot(s.x / 122.0, s.y / 96.0) + 0.0 * s.z < 1.0
    lungs = np.zeros(SHAPE, dtype=np.uint8)
    hu = np.where(body, MUSCLE_HU, -1000.0).astype(np.float32)
    for label, middle in ((1, -60.0), (2, 60.0)):
        inside = np.hypot((s.x - middle) / 46.0, s.y / 70.0) + 0.0 * s.z < 1.0
        lungs[inside] = label
        hu[inside] = -850.0
    vessels = (np.hypot(s.y - 10.0, s.z) < 4.0) & (lungs > 0) & (np.abs(s.x) > 70.0)
    wall = (np.hypot(s.y + 14.0, s.z) < 5.0) & (lungs > 0) & (np.abs(s.x) > 60.0)
    lumen = (np.hypot(s.y + 14.0, s.z) < 3.5) & (lungs > 0) & (np.abs(s.x) > 60.0)
    hu[wall], hu[lumen], hu[vessels] = 20.0, -1000.0, BLOOD_HU
    hu = ndimage.gaussian_filter(hu, (0.3, 0.7, 0.7))
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).standard_normal(SHAPE), (0.4, 0.8, 0.8))
    hu += (16.0 / noise.std() * noise).astype(np.float32)
    lungs[lumen] = 0
    volume = CTVolume(np.rint(np.clip(hu, -1024, 3071)).astype(np.int16), geometry)
    return volume, lungs, lumen, vessels


@pytest.fixture(scope="module")
def scan():
    return made_scan()


PATCH = Consolidation(SITE, 30.0, 24.0, 5)


@pytest.fixture(scope="module")
def inserted(scan):
    volume, lungs, lumen, _ = scan
    return insert(volume, lungs, [PATCH], seed=3, airways=lumen)


def away_from(lesion, geometry):
    s = Slab.of(geometry)
    far = np.zeros(geometry.shape, dtype=bool)
    for c, o in zip((s.x, s.y, s.z), lesion.centre_mm, strict=True):
        far |= np.abs(c - o) > lesion.reach_mm
    return far


def test_voxels_that_no_lesion_reaches_keep_their_bytes(scan, inserted):
    far = away_from(PATCH, scan[0].geometry)
    assert np.array_equal(inserted.volume.hu[far], scan[0].hu[far])
    assert not np.array_equal(inserted.volume.hu, scan[0].hu)
    assert inserted.volume.digest != scan[0].digest


def test_truth_lies_in_the_lungs_and_the_lungs_stay(scan, inserted):
    lungs = scan[1]
    assert inserted.truth["consolidation"].sum() > 3000
    assert not inserted.truth["consolidation"][lungs == 0].any()
    assert np.array_equal(inserted.truth["lungs"], lungs)


def test_inserted_consolidation_has_the_density_of_airless_lung(scan, inserted):
    dense = inserted.truth["consolidation"] & ~scan[3] & ~near(scan[2]) & near(inserted.truth["consolidation"], -2)
    expected = PATCH.fraction * inserted.parameters["tissue_hu"] + (1.0 - PATCH.fraction) * -850.0
    assert np.median(inserted.volume.hu[dense]) == pytest.approx(expected, abs=10.0)


def near(mask, steps=3):
    return (
        ndimage.binary_dilation(mask, iterations=steps)
        if steps > 0
        else ndimage.binary_erosion(mask, iterations=-steps)
    )


def test_a_lesion_on_the_pleura_leaves_no_dark_line(inserted, scan):
    """Along rays through the pleura the mean density never falls below that of tissue on both sides."""
    centre = int(np.argmin(np.abs(Slab.of(scan[0].geometry).y.ravel() - SITE[1])))
    profile = inserted.volume.hu[14:31, centre - 4 : centre + 5, 12:36].mean(axis=(0, 1))
    assert scan[0].hu[14:31, centre - 4 : centre + 5, 12:36].mean(axis=(0, 1)).min() < -800.0
    assert profile.min() > min(MUSCLE_HU, inserted.parameters["tissue_hu"]) - 40.0
    assert profile.max() < max(MUSCLE_HU, inserted.parameters["tissue_hu"]) + 30.0


def test_bronchi_stay_open_in_consolidation(scan, inserted):
    lumen = near(scan[2], -1) & near(inserted.truth["consolidation"], 6)
    assert lumen.sum() > 50
    assert np.median(inserted.volume.hu[lumen]) < -850.0


def test_vessels_keep_their_density(scan, inserted):
    vessel = near(scan[3], -1) & near(inserted.truth["consolidation"], 4)
    change = inserted.volume.hu[vessel].astype(float) - scan[0].hu[vessel]
    assert vessel.sum() > 50
    assert abs(change.mean()) < 6.0


def without_slope(tile):
    """Tiles (..., n, n) without their mean and slopes."""
    ramp = np.arange(tile.shape[-1]) - 0.5 * (tile.shape[-1] - 1)
    ramp = ramp / np.sqrt((ramp**2).mean())
    out = tile - tile.mean(axis=(-1, -2), keepdims=True)
    for slope in (ramp[:, None], ramp[None, :]):
        out = out - (out * slope).mean(axis=(-1, -2), keepdims=True) * slope
    return out


def texture(hu, boxes):
    """SD and correlation of neighbours along x, y and z."""
    sd, lags = [], []
    for k, j, i in boxes:
        tile = without_slope(hu[k : k + 6, j : j + 10, i : i + 10].astype(float))
        v = tile.var()
        sd.append(v)
        pairs = ((tile[:, :, 1:], tile[:, :, :-1]), (tile[:, 1:], tile[:, :-1]), (tile[1:], tile[:-1]))
        lags.append([(a * b).mean() / v for a, b in pairs])
    return np.sqrt(np.mean(sd)), np.mean(lags, axis=0)


def test_noise_in_inserted_tissue_is_that_of_the_scans_soft_tissue(scan):
    volume, lungs, _, vessels = scan
    # Wide, deep and even, so that there is room to measure away from edges.
    wide = [Consolidation((x, -20.0, 0.0), 70.0, 60.0, 5, fraction=1.0) for x in (-100.0, 100.0)]
    made = insert(volume, lungs, wide, seed=4)
    dense = near(made.truth["consolidation"], -3) & ~near(vessels, 4) & (Slab.of(volume.geometry).y < -24.0)
    body = near(lungs == 0, -5) & near(volume.hu > -100, -5)
    sets = []
    for mask in (dense, body):
        boxes = [
            (k, j, i)
            for k in range(12, 30, 6)
            for j in range(0, 190, 5)
            for i in range(0, 240, 5)
            if mask[k : k + 6, j : j + 10, i : i + 10].all()
        ]
        assert len(boxes) >= 6
        sets.append(boxes)
    sd, lags = texture(made.volume.hu, sets[0])
    native_sd, native_lags = texture(volume.hu, sets[1])
    assert sd == pytest.approx(native_sd, rel=0.15)
    assert lags == pytest.approx(native_lags, rel=0.15, abs=0.08)


def test_the_same_arguments_give_the_same_bytes_with_and_without_a_model(scan, inserted):
    volume, lungs, lumen, _ = scan
    again = insert(volume, lungs, [PATCH], seed=3, airways=lumen, model=model_scan(volume, lungs))
    other = insert(volume, lungs, [PATCH], seed=4, airways=lumen)
    assert np.array_equal(again.volume.hu, inserted.volume.hu)
    assert not np.array_equal(other.volume.hu, inserted.volume.hu)


def test_tiles_leave_no_trace(scan, inserted, monkeypatch):
    tiles = importlib.import_module("cop_imaging.synth.insertion.tiles")
    monkeypatch.setattr(tiles, "FEWEST_PIXELS", 19)
    monkeypatch.setattr(tiles, "TILE_MM", 19.0)
    monkeypatch.setattr(tiles, "TALL_MM", 22.0)
    volume, lungs, lumen, _ = scan
    again = insert(volume, lungs, [PATCH], seed=3, airways=lumen)
    assert np.abs(again.volume.hu.astype(int) - inserted.volume.hu).max() <= 1
    assert np.array_equal(again.truth["consolidation"], inserted.truth["consolidation"])


def test_a_cavity_replaces_vessels_and_its_air_is_air(scan):
    volume, lungs, lumen, _ = scan
    cavity = Cavity((-80.0, 12.0, 0.0), 36.0, 5.0, 2)
    made = insert(volume, lungs, [cavity], seed=1, airways=lumen)
    s = Slab.of(volume.geometry)
    middle = np.sqrt((s.x + 80.0) ** 2 + (s.y - 12.0) ** 2 + s.z**2) < 8.0
    assert np.median(made.volume.hu[middle]) == pytest.approx(-1000.0, abs=30.0)
    assert made.truth["cavity"].any()


@dataclass(frozen=True)
class Fluid:
    """Fluid in the back of the right chest."""

    centre_mm = (-60.0, 60.0, 0.0)
    reach_mm = 46.0

    def layers(self, place):
        part = np.clip((place.slab.y - 40.0) / 2.0, 0.0, 1.0) + np.zeros(place.slab.shape, dtype=np.float32)
        return (Layer(part.astype(np.float32), 10.0, "effusion", over=True),)

    def shapes(self, place):
        return {}


def test_fluid_is_no_lung(scan):
    volume, lungs, lumen, _ = scan
    made = insert(volume, lungs, [Fluid()], seed=1, airways=lumen)
    fluid = made.truth["effusion"]
    assert fluid.sum() > 5000
    assert not made.truth["lungs"][fluid].any()
    assert np.median(made.volume.hu[near(fluid, -2)]) == pytest.approx(10.0, abs=5.0)


def test_places_of_a_scan_lie_in_their_lung_and_know_their_depth(scan):
    volume, lungs, lumen, _ = scan
    terrain = terrain_of_scan(lungs, volume.geometry, lumen)
    assert np.array_equal(terrain.right, terrain.points_mm[:, 0] < 0.0)
    outer = terrain.points_mm[:, 0] < -95.0
    assert terrain.depth_mm[outer].mean() < terrain.depth_mm[~outer & terrain.right].mean()
    # The side towards the other lung is no costal pleura.
    medial = terrain.right & (terrain.points_mm[:, 0] > -25.0) & (np.abs(terrain.points_mm[:, 1]) < 10.0)
    medial &= (terrain.points_mm[:, 2] > 0.0) & (terrain.points_mm[:, 2] < 12.0)
    assert terrain.depth_mm[medial].min() > 30.0
    assert terrain.draw(Where(side="left"), np.random.default_rng(1))[0] > 0.0


def test_a_mask_that_fits_no_scan_is_refused(scan):
    volume, lungs, _, _ = scan
    with pytest.raises(ValueError, match="empty"):
        insert(volume, np.zeros_like(lungs), [PATCH], seed=1)
    with pytest.raises(ValueError, match="shape"):
        insert(volume, lungs[1:], [PATCH], seed=1)


def test_fluid_leaves_no_bronchus_open(scan):
    volume, lungs, lumen, _ = scan
    effusion = Effusion((-60.0, 0.0, 0.0), 70.0, True, -200.0, 900.0, seed=4)
    result = insert(volume, lungs, [effusion], seed=3, airways=lumen)
    drowned = near(lumen & (Slab.of(volume.geometry).x < 0.0), -1)
    assert drowned.sum() > 50
    assert np.median(volume.hu[drowned]) < -850.0
    assert np.median(result.volume.hu[drowned]) > -60.0
    assert not (result.truth["airways"] & drowned).any()
