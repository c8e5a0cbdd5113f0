"""Traction bronchiectasis: wide bronchi near the pleura, and what looks like them."""

import numpy as np

from cop_imaging.core import Acquisition, Presence

FIBROTIC_HU = -700.0


def walled(chest, through, radius, *, half_mm=15.0, wall=2.0):
    """A walled tube of air along z that is ``2 * half_mm`` long."""
    y, x = through
    away = np.hypot(chest.at[..., 1] - y, chest.at[..., 2] - x)
    ends = np.abs(chest.at[..., 0]) - half_mm
    chest.paint(np.maximum(away - radius - wall, ends), 30.0)
    chest.paint(np.maximum(away - radius, ends), -1000.0)


def fibrotic(block):
    return block(aerated_hu=FIBROTIC_HU)


def test_a_wide_bronchus_near_the_pleura_is_found(block, look, value):
    chest = fibrotic(block)
    walled(chest, (0.0, -32.0), 1.7)
    found = look(chest.scene(), "traction_bronchiectasis")
    assert found.presence is not Presence.ABSENT
    # Open ends are not closed in: up to a third of a short tube is missed, nothing is added.
    assert 20.0 < value(found, "length_mm") < 32.0
    assert value(found, "count") == 1
    assert value(found, "right_share") == 1.0


def test_it_changes_sides_with_the_chest(block, look, value):
    chest = fibrotic(block)
    walled(chest, (0.0, 32.0), 1.7)
    assert value(look(chest.scene(), "traction_bronchiectasis"), "right_share") == 0.0


def test_more_bronchi_are_more(block, look, value):
    lengths = []
    for places in ((), (-10.0,), (-10.0, 12.0)):
        chest = fibrotic(block)
        for y in places:
            walled(chest, (y, -32.0), 1.7)
        lengths.append(value(look(chest.scene(), "traction_bronchiectasis"), "length_mm"))
    assert lengths[0] == 0.0 < lengths[1] < lengths[2]


def test_a_round_cell_and_a_tube_deep_in_the_lung_are_none(block, look, value):
    chest = block(side_mm=(90.0, 90.0, 110.0), aerated_hu=FIBROTIC_HU)
    chest.ball((0.0, 0.0, -42.0), 5.5, 30.0)
    chest.ball((0.0, 0.0, -42.0), 3.5, -1000.0)
    walled(chest, (0.0, -20.0), 1.7)
    assert value(look(chest.scene(), "traction_bronchiectasis"), "length_mm") == 0.0


def test_a_tube_filled_with_lung_is_a_mesh_of_fibrosis(block, look, value):
    chest = fibrotic(block)
    y, x = 0.0, -32.0
    away = np.hypot(chest.at[..., 1] - y, chest.at[..., 2] - x)
    ends = np.abs(chest.at[..., 0]) - 15.0
    chest.paint(np.maximum(away - 3.7, ends), 30.0)
    chest.paint(np.maximum(away - 1.7, ends), -840.0)
    assert value(look(chest.scene(), "traction_bronchiectasis"), "length_mm") == 0.0


def test_thick_slices_cannot_be_judged(block, look):
    chest = fibrotic(block)
    chest.acquisition = Acquisition(slice_thickness_mm=5.0)
    assert look(chest.scene(), "traction_bronchiectasis").presence is Presence.NOT_ASSESSABLE
