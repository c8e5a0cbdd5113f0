"""Emphysema: holes below -950 HU, whatever the noise."""

import numpy as np
import pytest

from cop_imaging.core import Acquisition, Geometry, Presence
from cop_imaging.signs.emphysema import Emphysema, EmphysemaConfig, averaging_mm
from cop_imaging.signs.observe import look_for

SIDE_MM = 60.0
HOLE_HU = -990.0
CENTRES = [(z, y, x) for z in (-18.0, 0.0, 18.0) for y in (-18.0, 0.0, 18.0) for x in (-18.0, 18.0)]


class _Mask:
    def __init__(self, mask):
        self.mask = mask


@pytest.fixture
def lungs(block):
    return lambda **kwargs: block(side_mm=(SIDE_MM,) * 3, **kwargs)


def seen(b, honeycombing=None, mosaic=None):
    scene = b.scene()
    none = np.zeros(scene.lungs.shape, bool)
    masks = {"honeycombing": honeycombing, "mosaic_attenuation": mosaic}
    return look_for(Emphysema(), scene, {k: _Mask(none if m is None else m[scene.box]) for k, m in masks.items()})


def holes(b, radius_mm=5.0, chosen=CENTRES):
    truth = np.zeros(b.lungs.shape, bool)
    for centre in chosen:
        truth |= b.ball(centre, radius_mm, HOLE_HU)
    return truth


def test_holes_are_measured_with_their_size(lungs, value):
    b = lungs()
    truth = holes(b)
    found = seen(b)
    assert found.presence is Presence.PRESENT
    assert value(found, "volume_ml") == pytest.approx(truth.sum() * b.geometry.voxel_ml, rel=0.35)
    assert value(found, "patch_count") == len(CENTRES)
    assert value(found, "hole_median_ml") == pytest.approx(4 / 3 * np.pi * 5.0**3 / 1000, rel=0.35)
    assert value(found, "large_holes_percent") == 0.0
    for m in found.measures:
        assert m.value is None or m.low is None or m.low <= m.value <= m.high, m.name


def test_a_bulla_is_a_large_hole(lungs, value):
    b = lungs()
    b.ball((0.0, 0.0, 15.0), 8.0, HOLE_HU)
    found = seen(b)
    assert value(found, "large_holes_percent") == pytest.approx(value(found, "extent_percent"), rel=0.05)


def test_more_holes_are_more_emphysema(lungs, value):
    extents = []
    for n in (0, 4, 9, 18):
        b = lungs()
        holes(b, chosen=CENTRES[:n])
        extents.append(value(seen(b), "extent_percent"))
    assert extents[0] == 0.0
    assert extents == sorted(extents)


@pytest.mark.parametrize("noise_hu", [25.0, 80.0])
def test_noise_makes_no_emphysema(lungs, value, noise_hu):
    b = lungs(aerated_hu=-870.0)
    b.hu += np.random.default_rng(1).normal(0.0, noise_hu, b.hu.shape).astype(np.float32)
    found = seen(b)
    assert found.presence is Presence.ABSENT
    assert value(found, "extent_percent") < 0.2


def test_honeycombing_and_bronchi_hold_air_that_is_no_emphysema(lungs, value):
    b = lungs()
    combs = holes(b, chosen=CENTRES[:2])
    b.airways |= b.tube(0, (0.0, 0.0, 0.0), 3.0, -1000.0)
    assert value(seen(b, combs), "extent_percent") == 0.0


def test_an_evenly_dark_lobule_is_none_but_a_hole_in_it_is(lungs, value):
    b = lungs(aerated_hu=-890.0)
    lobule = b.box((0.0, 0.0, 15.0), (12.0, 12.0, 12.0), -958.0)
    assert value(seen(b), "extent_percent") > 2.0
    assert value(seen(b, mosaic=lobule), "extent_percent") < 0.1
    hole = b.ball((0.0, 0.0, 15.0), 4.0, -1000.0)
    found = value(seen(b, mosaic=lobule), "volume_ml")
    assert found == pytest.approx(hole.sum() * b.geometry.voxel_ml, rel=0.4)


def test_averaging_grows_with_noise_and_stops():
    config = EmphysemaConfig()
    grid = Geometry((10, 10, 10), (1.25, 0.8, 0.8))
    widths = [averaging_mm(noise, grid, config) for noise in (5.0, 20.0, 50.0, 100.0, 1000.0)]
    assert widths[0] == 0.0
    assert widths == sorted(widths)
    assert widths[-1] == config.widest_mm


def test_thick_slices_cannot_show_it(lungs):
    assert seen(lungs(acquisition=Acquisition(slice_thickness_mm=4.0))).presence is Presence.NOT_ASSESSABLE
