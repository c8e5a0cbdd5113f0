"""Ground glass: haze between vessels, apart from shells, dependent haze and consolidation."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cop_imaging.core import Acquisition, Presence
from cop_imaging.core.grid import distance_to
from cop_imaging.signs.ground_glass import GroundGlassConfig, lower_limit_hu
from cop_imaging.signs.observe import look_for

CONFIG = GroundGlassConfig()
SMALL = (66.0, 66.0, 66.0)
HALF_MM = 33.0
HAZE_HU = -550.0


def ball_ml(radius_mm):
    return 4 / 3 * np.pi * radius_mm**3 / 1000


def test_a_ball_of_haze_is_found_where_it_is(block, look, value):
    b = block(side_mm=SMALL)
    truth = b.ball((0.0, 0.0, 15.0), 13.0, HAZE_HU)
    scene = b.scene()
    found = look(scene, "ground_glass")
    assert found.presence is Presence.PRESENT
    assert value(found, "volume_ml") == pytest.approx(ball_ml(13.0), rel=0.2)
    assert (found.mask & truth[scene.box]).sum() > 0.9 * found.mask.sum()
    assert value(found, "right_share") == 0.0
    for m in found.measures:
        assert m.value is None or m.low <= m.value <= m.high, m.name


@pytest.mark.parametrize("hu", [-800.0, -150.0])
def test_density_outside_the_limits_is_no_ground_glass(block, look, value, hu):
    b = block()
    b.ball((0.0, 0.0, 0.0), 16.0, hu)
    found = look(b.scene(), "ground_glass")
    assert found.presence is Presence.ABSENT
    assert value(found, "volume_ml") < 0.1 * ball_ml(16.0)


@given(st.floats(-1000.0, -500.0), st.floats(-1000.0, -500.0))
def test_the_lower_limit_moves_with_the_breath_inside_its_range(mode, other):
    low, high = sorted((mode, other))
    assert CONFIG.lower_hu_range[0] <= lower_limit_hu(low, None, CONFIG) <= lower_limit_hu(high, None, CONFIG)
    assert lower_limit_hu(high, None, CONFIG) <= CONFIG.lower_hu_range[1]
    assert lower_limit_hu(-800.0, -640.0, CONFIG) == -720.0
    middle = lower_limit_hu(-880.0, None, CONFIG)
    assert middle == -880.0 + CONFIG.above_aerated_hu


@pytest.mark.parametrize(("aerated_hu", "limit_hu"), [(-950.0, -750.0), (-880.0, -690.0), (-700.0, -600.0)])
def test_the_limit_in_force_is_reported(block, look, value, aerated_hu, limit_hu):
    found = look(block(side_mm=SMALL, aerated_hu=aerated_hu).scene(), "ground_glass")
    assert value(found, "lower_limit_hu") == pytest.approx(limit_hu, abs=5.0)


def test_shallow_breath_is_no_ground_glass(block, look, value):
    found = look(block(side_mm=SMALL, aerated_hu=-690.0).scene(), "ground_glass")
    assert value(found, "volume_ml") == 0.0


def test_vessels_airways_and_pleura_make_no_haze(block, look, value):
    b = block()
    for x, radius in ((-20.0, 1.5), (5.0, 3.0), (25.0, 4.5)):
        b.vessels |= b.tube(0, (0.0, 0.0, x), radius, 40.0)
    wall = b.tube(1, (20.0, 0.0, -30.0), 4.0, 20.0)
    lumen = b.tube(1, (20.0, 0.0, -30.0), 2.5, -990.0)
    b.airways |= lumen | wall
    found = look(b.scene(), "ground_glass")
    assert found.presence is Presence.ABSENT
    assert value(found, "volume_ml") == 0.0


def test_the_edge_of_consolidation_is_no_ground_glass(block, look, value):
    b = block()
    truth = b.ball((0.0, 30.0, 0.0), 14.0, 20.0)
    scene = b.scene()
    found = look(scene, "ground_glass")
    assert look(scene, "consolidation").mask.sum() > 0.9 * truth.sum()
    assert value(found, "volume_ml") == 0.0


def test_haze_around_consolidation_is_ground_glass_and_the_two_never_overlap(block, look, value):
    b = block()
    b.ball((0.0, 22.0, 0.0), 20.0, HAZE_HU)
    b.ball((0.0, 22.0, 0.0), 9.0, 20.0)
    scene = b.scene()
    haze, dense = (look(scene, name) for name in ("ground_glass", "consolidation"))
    assert value(haze, "volume_ml") == pytest.approx(ball_ml(20.0) - ball_ml(9.0), rel=0.25)
    assert value(dense, "volume_ml") > 0
    assert not (haze.mask & dense.mask).any()
    assert not (haze.mask & (scene.vessels | scene.airways | (scene.lungs == 0))).any()


def test_the_interval_takes_in_what_may_be_consolidation_or_haze(block, look):
    b = block(side_mm=SMALL)
    b.ball((0.0, 0.0, 0.0), 13.0, -250.0)
    scene = b.scene()
    dense, haze = (look(scene, name).measure(f"{name}.volume_ml") for name in ("consolidation", "ground_glass"))
    # Above -300 HU it is consolidation, and with the limit at -200 HU it would be ground glass.
    assert dense.value > 0.8 * ball_ml(13.0)
    assert dense.low == 0.0
    assert haze.value == 0.0
    assert haze.high > 0.5 * ball_ml(13.0)


def test_a_net_of_lines_is_no_ground_glass_and_haze_between_the_lines_is(block, look, value):
    volumes = {}
    for between_hu in (-860.0, HAZE_HU):
        b = block(side_mm=SMALL)
        b.box((0.0, 0.0, 0.0), (22.0, 22.0, 22.0), between_hu)
        for at in np.arange(-18.0, 19.0, 9.0):
            b.box((at, 0.0, 0.0), (0.8, 22.0, 22.0), 0.0)
            b.box((0.0, at, 0.0), (22.0, 0.8, 22.0), 0.0)
        volumes[between_hu] = value(look(b.scene(), "ground_glass"), "volume_ml")
    assert volumes[-860.0] < 0.05 * 44.0**3 / 1000
    assert volumes[HAZE_HU] > 0.2 * 44.0**3 / 1000


def test_a_lung_mask_that_is_too_wide_makes_neither_haze_nor_consolidation(block, look, value):
    b = block(side_mm=SMALL)
    wide = np.pad(b.lungs[4:-4, 4:-4, 4:-4], 4, mode="edge")
    one_more = np.zeros_like(wide)
    one_more[3:-3, 3:-3, 3:-3] = wide[3:-3, 3:-3, 3:-3]
    b.lungs = one_more
    scene = b.scene()
    for name in ("consolidation", "ground_glass"):
        assert value(look(scene, name), "volume_ml") == 0.0, name


def strip(b, sides):
    """Haze along the back of the lungs, 9 mm high."""
    for side in sides:
        b.box((0.0, HALF_MM - 4.5, 17.0 * side), (26.0, 4.5, 13.0), HAZE_HU)


def test_a_strip_along_the_back_of_both_lungs_is_dependent_haze(block, look, value):
    b = block(side_mm=SMALL)
    strip(b, (-1, 1))
    found = look(b.scene(), "ground_glass")
    assert value(found, "volume_ml") == 0.0
    assert found.presence is Presence.ABSENT
    assert value(found, "dependent_haze_ml") == pytest.approx(2 * 52 * 9 * 26 / 1000, rel=0.35)


def test_the_same_strip_on_one_side_is_ground_glass(block, look, value):
    b = block(side_mm=SMALL)
    strip(b, (1,))
    found = look(b.scene(), "ground_glass")
    assert value(found, "dependent_haze_ml") == 0.0
    assert value(found, "volume_ml") == pytest.approx(52 * 9 * 26 / 1000, rel=0.35)
    assert found.presence is Presence.PRESENT


def test_a_strip_at_the_back_of_a_prone_patient_is_ground_glass(block, look, value):
    b = block(side_mm=SMALL, acquisition=Acquisition(patient_position="HFP"))
    strip(b, (-1, 1))
    found = look(b.scene(), "ground_glass")
    assert value(found, "dependent_haze_ml") == 0.0
    assert value(found, "volume_ml") > 10.0


def test_the_border_of_the_mask_stays_at_the_border_of_the_haze(block, look):
    b = block(side_mm=SMALL)
    truth = b.ball((0.0, 0.0, 0.0), 15.0, HAZE_HU)
    scene = b.scene()
    found = look(scene, "ground_glass").mask
    truth = truth[scene.box]
    assert distance_to(truth, scene.geometry)[found].max() <= 3.0
    assert distance_to(found, scene.geometry)[truth].max() <= 3.0


def test_slices_of_eight_millimetres_cannot_show_it(block, look):
    scene = dataclasses.replace(block(side_mm=SMALL).scene(), acquisition=Acquisition(slice_thickness_mm=8.0))
    found = look(scene, "ground_glass")
    assert found.presence is Presence.NOT_ASSESSABLE
    assert found.score is None
    assert all(m.value is None and m.low is None and m.high is None for m in found.measures)


def test_it_cannot_be_told_where_consolidation_could_not(block):
    from cop_imaging.core import not_assessable
    from cop_imaging.signs.consolidation import Consolidation
    from cop_imaging.signs.ground_glass import GroundGlass

    scene = block(side_mm=SMALL).scene()
    found = look_for(GroundGlass(), scene, {"consolidation": not_assessable(Consolidation(), "too thick")})
    assert found.presence is Presence.NOT_ASSESSABLE
    assert "consolidation" in found.reason
