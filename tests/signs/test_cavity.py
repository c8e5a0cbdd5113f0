"""Cavity: gas with a wall on all sides, no airway, no spared lung, no bulla."""

import numpy as np
import pytest

from cop_imaging.core import Acquisition, Presence

MIDDLE = (0.0, 0.0, -22.0)
GAS_HU = -995.0


@pytest.mark.parametrize("rim_mm", [5.0, 8.0])
def test_gas_in_a_thick_wall_is_a_cavity_of_its_size(block, look, value, rim_mm):
    b = block()
    b.ring(MIDDLE, outer_mm=34.0, rim_mm=rim_mm, core_hu=GAS_HU)
    scene = b.scene()
    found = look(scene, "cavity")
    assert found.presence is Presence.PRESENT
    assert value(found, "count") == 1.0
    assert value(found, "largest_wall_mm") == pytest.approx(rim_mm, abs=1.0)
    assert value(found, "largest_inner_mm") == pytest.approx(34.0 - 2.0 * rim_mm, abs=2.5)
    assert value(found, "largest_outer_mm") == pytest.approx(34.0, abs=2.0)
    assert scene.smooth_hu[found.mask].mean() < -800.0
    for m in found.measures:
        assert m.value is None or m.low <= m.value <= m.high, m.name


def test_a_thicker_wall_scores_higher(block, look):
    scores = []
    for rim_mm in (2.0, 4.5, 8.0):
        b = block()
        b.ring(MIDDLE, outer_mm=34.0, rim_mm=rim_mm, core_hu=GAS_HU)
        scores.append(look(b.scene(), "cavity").score)
    assert scores == sorted(scores)
    assert scores[0] == 0.0


def test_a_bulla_has_too_thin_a_wall(block, look, value):
    b = block()
    b.ring(MIDDLE, outer_mm=34.0, rim_mm=2.0, core_hu=GAS_HU)
    found = look(b.scene(), "cavity")
    assert found.presence is Presence.ABSENT
    assert value(found, "count") == 0.0


def test_lung_spared_inside_consolidation_is_no_cavity(block, look, value):
    b = block()
    b.ring(MIDDLE, outer_mm=34.0, rim_mm=8.0, core_hu=-860.0)
    assert value(look(b.scene(), "cavity"), "count") == 0.0


def test_a_bronchus_in_consolidation_is_no_cavity(block, look, value):
    b = block()
    b.box((0.0, 20.0, -22.0), (20.0, 20.0, 18.0), 40.0)
    inside = np.maximum(np.hypot(b.at[..., 0], b.at[..., 2] + 22.0) - 3.0, np.abs(b.at[..., 1] - 20.0) - 15.0)
    b.paint(inside, GAS_HU)
    assert value(look(b.scene(), "cavity"), "count") == 0.0


def test_a_wide_airway_in_consolidation_is_no_cavity(block, look, value):
    b = block()
    b.box((0.0, 20.0, -22.0), (20.0, 20.0, 18.0), 40.0)
    b.airways |= b.ball((0.0, 20.0, -22.0), 6.0, GAS_HU)
    assert value(look(b.scene(), "cavity"), "count") == 0.0


def test_what_is_wide_open_to_the_lung_is_no_cavity(block, look, value):
    b = block()
    b.ring(MIDDLE, outer_mm=34.0, rim_mm=6.0, core_hu=GAS_HU, gap=lambda offset: offset[..., 1] > 8.0)
    assert value(look(b.scene(), "cavity"), "count") == 0.0


def test_empty_lungs_have_none(block, look, value):
    found = look(block().scene(), "cavity")
    assert found.presence is Presence.ABSENT
    assert value(found, "count") == 0.0
    assert value(found, "largest_inner_mm") is None


def test_very_thick_slices_do_not_show_it(block, look):
    scene = block(acquisition=Acquisition(slice_thickness_mm=8.0)).scene()
    assert look(scene, "cavity").presence is Presence.NOT_ASSESSABLE
