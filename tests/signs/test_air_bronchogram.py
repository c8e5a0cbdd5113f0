"""Air bronchograms: bronchi in consolidation, and what looks like them."""

from dataclasses import replace

import numpy as np
import pytest

from cop_imaging.core import Acquisition, Presence
from cop_imaging.signs import SIGNS
from cop_imaging.signs.observe import look_for

LUMEN_HU = -1000.0


def solid(block):
    """A block with a consolidation of 44 x 50 x 36 mm in the right lung."""
    chest = block()
    chest.box((0.0, 0.0, -25.0), (22.0, 25.0, 18.0), 20.0)
    return chest


def test_a_bronchus_in_consolidation_is_an_air_bronchogram(block, look, value):
    chest = solid(block)
    chest.tube(0, (0.0, 0.0, -25.0), 2.0, LUMEN_HU)
    found = look(chest.scene(), "air_bronchogram")
    assert found.presence is Presence.PRESENT
    assert value(found, "length_mm") == pytest.approx(44.0, rel=0.2)
    assert value(found, "mean_diameter_mm") == pytest.approx(4.0, rel=0.2)
    assert value(found, "count") == 1
    assert value(found, "lesion_share") == 1.0
    index = np.argwhere(found.mask)
    assert np.ptp(index[:, 0]) > np.ptp(index[:, 1])


def test_more_bronchi_are_a_longer_bronchogram(block, look, value):
    lengths = []
    for places in ((), ((8.0, -25.0),), ((8.0, -25.0), (-8.0, -25.0))):
        chest = solid(block)
        for y, x in places:
            chest.tube(0, (0.0, y, x), 1.8, LUMEN_HU)
        lengths.append(value(look(chest.scene(), "air_bronchogram"), "length_mm"))
    assert lengths[0] == 0.0
    assert lengths[1] > 20.0
    assert lengths[2] == pytest.approx(2.0 * lengths[1], rel=0.25)


def test_a_bronchus_in_aerated_lung_is_none(block, look, value):
    chest = block()
    chest.tube(0, (0.0, 0.0, -25.0), 3.5, 20.0)
    chest.tube(0, (0.0, 0.0, -25.0), 2.0, LUMEN_HU)
    found = look(chest.scene(), "air_bronchogram")
    assert found.presence is Presence.ABSENT
    assert value(found, "length_mm") == 0.0
    assert value(found, "length_per_ml") is None


def test_lung_between_two_consolidations_is_none(block, look, value):
    chest = block()
    chest.box((0.0, 14.0, -25.0), (22.0, 11.0, 18.0), 20.0)
    chest.box((0.0, -14.0, -25.0), (22.0, 11.0, 18.0), 20.0)
    found = look(chest.scene(), "air_bronchogram")
    assert value(found, "length_mm") == 0.0


def test_a_tube_inside_honeycombing_is_none(block):
    chest = solid(block)
    chest.tube(0, (0.0, 0.0, -25.0), 2.0, LUMEN_HU)
    scene = chest.scene()
    signs = {sign.name: sign for sign in SIGNS}
    earlier = {name: look_for(signs[name], scene, {}) for name in ("consolidation", "honeycombing")}
    seen = signs["air_bronchogram"].observe(scene, earlier)
    cells = replace(earlier["honeycombing"], mask=np.ones(scene.lungs.shape, dtype=bool))
    spared = signs["air_bronchogram"].observe(scene, earlier | {"honeycombing": cells})
    assert seen.mask.any()
    assert not spared.mask.any()


def test_a_bronchus_in_a_scar_is_no_surer_than_consolidation(block, look, value):
    chest = block()
    chest.box((0.0, 0.0, -25.0), (16.0, 6.0, 6.0), 20.0)
    chest.tube(0, (0.0, 0.0, -25.0), 1.2, LUMEN_HU)
    scene = chest.scene()
    found = look(scene, "air_bronchogram")
    assert value(found, "length_mm") > 20.0
    assert found.score == look(scene, "consolidation").score < 0.5


def test_a_wide_lumen_needs_its_length(block, look, value):
    lengths = []
    for half_mm in (4.0, 12.0):
        chest = solid(block)
        chest.box((0.0, 0.0, -25.0), (half_mm, 1.6, 1.6), LUMEN_HU)
        lengths.append(value(look(chest.scene(), "air_bronchogram"), "length_mm"))
    assert lengths[0] == 0.0
    assert lengths[1] == pytest.approx(24.0, rel=0.25)


def test_a_bubble_is_too_short(block, look, value):
    chest = solid(block)
    chest.ball((0.0, 0.0, -25.0), 2.5, LUMEN_HU)
    assert value(look(chest.scene(), "air_bronchogram"), "length_mm") == 0.0


def test_thick_slices_cannot_be_judged(block, look):
    chest = solid(block)
    chest.acquisition = Acquisition(slice_thickness_mm=5.0)
    found = look(chest.scene(), "air_bronchogram")
    assert found.presence is Presence.NOT_ASSESSABLE
    assert "5 mm" in found.reason


@pytest.mark.parametrize("inside_hu", [-600.0, -860.0])
def test_a_pocket_of_haze_or_spared_lung_in_consolidation_is_none(block, look, value, inside_hu):
    chest = solid(block)
    chest.tube(0, (0.0, 8.0, -25.0), 1.8, LUMEN_HU)
    alone = value(look(chest.scene(), "air_bronchogram"), "length_mm")
    chest.box((0.0, -8.0, -25.0), (16.0, 1.6, 1.6), inside_hu)
    assert value(look(chest.scene(), "air_bronchogram"), "length_mm") == pytest.approx(alone, rel=0.02)


def test_a_narrow_bronchus_that_the_tree_reaches_need_not_be_dark(block, look, value):
    lengths = []
    for reached in (False, True):
        chest = solid(block)
        lumen = chest.tube(0, (0.0, 0.0, -25.0), 0.8, LUMEN_HU)
        if reached:
            chest.airways |= lumen
        lengths.append(value(look(chest.scene(), "air_bronchogram"), "length_mm"))
    assert lengths[0] == 0.0
    assert lengths[1] > 20.0


def test_a_narrow_lumen_counts_where_no_tree_reaches_it_and_in_pieces(block, look, value):
    whole, pieces = solid(block), solid(block)
    whole.tube(0, (0.0, 0.0, -25.0), 1.2, LUMEN_HU)
    pieces.tube(0, (0.0, 0.0, -25.0), 1.2, LUMEN_HU)
    for z in (-12.0, 0.0, 12.0):
        pieces.box((z, 0.0, -25.0), (2.0, 3.0, 3.0), 20.0)
    found = look(pieces.scene(), "air_bronchogram")
    assert value(look(whole.scene(), "air_bronchogram"), "length_mm") == pytest.approx(44.0, rel=0.25)
    assert value(found, "length_mm") == pytest.approx(32.0, rel=0.3)
    assert value(found, "count") == 4
