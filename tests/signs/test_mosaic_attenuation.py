"""Mosaic attenuation: dark lobules in even lung, and what looks like them."""

import numpy as np
import pytest

from cop_imaging.core import Acquisition, Presence
from cop_imaging.core.finding import Finding
from cop_imaging.signs.mosaic_attenuation import MosaicAttenuation
from cop_imaging.signs.observe import look_for

SIDE_MM = 66.0
EVEN_HU, DARK_HU = -860.0, -930.0
LOBULES = [(z, y, x) for z in (-16.0, 14.0) for y in (-16.0, 14.0) for x in (-18.0, 18.0)]


@pytest.fixture
def lungs(block):
    return lambda **kwargs: block(side_mm=(SIDE_MM,) * 3, **kwargs)


def seen(b, opaque=None) -> Finding:
    """The finding, with ground glass as given and no consolidation."""
    scene = b.scene()
    none = np.zeros(scene.lungs.shape, bool)
    haze = none if opaque is None else opaque[scene.box]
    stub = {name: _Mask(mask) for name, mask in (("consolidation", none), ("ground_glass", haze))}
    return look_for(MosaicAttenuation(), scene, stub)


class _Mask:
    def __init__(self, mask):
        self.mask = mask


def lobules(b, hu=DARK_HU, half_mm=7.5, chosen=LOBULES):
    truth = np.zeros(b.lungs.shape, bool)
    for centre in chosen:
        truth |= b.box(centre, (half_mm,) * 3, hu)
    return truth


def test_dark_lobules_in_even_lung_are_a_mosaic(lungs, value):
    b = lungs()
    truth = lobules(b)
    found = seen(b)
    assert found.presence is Presence.PRESENT
    assert value(found, "volume_ml") == pytest.approx(truth.sum() * b.geometry.voxel_ml, rel=0.3)
    assert (found.mask & truth[b.scene().box]).sum() > 0.8 * found.mask.sum()
    assert value(found, "patch_count") == len(LOBULES)
    assert 50.0 < value(found, "gap_hu") < 80.0
    assert value(found, "bilateral_index") == pytest.approx(1.0, abs=0.1)
    for m in found.measures:
        assert m.value is None or m.low is None or m.low <= m.value <= m.high, m.name


def test_aerated_lung_that_faint_haze_spares_is_no_mosaic(lungs):
    """Most of the lung is faint haze, which no sign counts: the spared lung is as dense as aerated lung always is."""
    b = lungs(aerated_hu=-755.0)
    lobules(b, hu=-870.0, half_mm=11.5)
    assert b.scene().aerated_mode_hu == pytest.approx(-870.0, abs=10.0)
    assert seen(b).presence is Presence.ABSENT


def test_more_dark_lobules_are_more_of_it(lungs, value):
    extents = []
    for n in (0, 2, 5, 8):
        b = lungs()
        lobules(b, chosen=LOBULES[:n])
        extents.append(value(seen(b), "extent_percent"))
    assert extents[0] == 0.0
    assert extents == sorted(extents)
    assert extents[3] == pytest.approx(4 * extents[1], rel=0.2)


def test_gravity_makes_no_mosaic(lungs, value):
    b = lungs()
    b.hu += np.where(b.lungs > 0, 1.5 * b.at[..., 1], 0.0)
    assert value(seen(b), "extent_percent") == 0.0
    lobules(b, hu=DARK_HU)
    assert value(seen(b), "patch_count") >= 6


def test_a_patch_of_ground_glass_alone_is_no_mosaic(lungs, value):
    b = lungs()
    haze = b.ball((0.0, 0.0, 15.0), 15.0, -600.0)
    found = seen(b, haze)
    assert found.presence is Presence.ABSENT
    assert value(found, "extent_percent") == 0.0


def test_small_holes_are_emphysema_and_no_mosaic(lungs, value):
    b = lungs()
    rng = np.random.default_rng(3)
    for centre in rng.uniform(-26.0, 26.0, (60, 3)):
        b.ball(tuple(centre), 2.5, -980.0)
    assert value(seen(b), "extent_percent") == 0.0


def test_a_cyst_is_no_dark_lobule(lungs, value):
    b = lungs()
    b.ball((0.0, 0.0, 15.0), 9.0, -1000.0)
    assert value(seen(b), "extent_percent") < 1.0
    assert seen(b).presence is not Presence.PRESENT


def test_fewer_vessels_in_dark_lobules_are_measured(lungs, value):
    b = lungs()
    lobules(b, half_mm=9.0)
    for centre in LOBULES:  # between the lobules alone
        b.vessels |= b.tube(0, (0.0, centre[1] + 12.0, centre[2]), 1.5, 40.0)
    assert value(seen(b), "vessel_ratio") < 0.5


def test_it_needs_aerated_lung_to_compare_with(lungs):
    b = lungs(aerated_hu=-400.0)
    found = seen(b)
    assert found.presence is Presence.NOT_ASSESSABLE
    assert "aerated lung" in found.reason


def test_thick_slices_cannot_show_it(lungs):
    found = seen(lungs(acquisition=Acquisition(slice_thickness_mm=8.0)))
    assert found.presence is Presence.NOT_ASSESSABLE
