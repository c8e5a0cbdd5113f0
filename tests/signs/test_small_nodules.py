"""Small nodules: round, solid, and no part of a vessel."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cop_imaging.core import Acquisition, Presence

PLACES = (
    (-25.0, -20.0, -24.0),
    (0.0, 15.0, -30.0),
    (22.0, -12.0, -18.0),
    (24.0, 20.0, 26.0),
    (-20.0, 18.0, 20.0),
    (0.0, -24.0, 28.0),
)


@pytest.mark.parametrize("diameter_mm", [5.0, 8.0])
def test_a_ball_is_a_nodule_of_its_size_at_its_place(block, look, value, diameter_mm):
    b = block()
    truth = b.ball(PLACES[0], diameter_mm / 2, 40.0)
    scene = b.scene()
    found = look(scene, "small_nodules")
    assert value(found, "count") == 1.0
    assert value(found, "diameter_median_mm") == pytest.approx(diameter_mm, abs=1.2)
    assert value(found, "right_share") == 1.0
    assert found.mask[truth[scene.box]].mean() > 0.8
    at = scene.geometry.to_index(found.lesions[0].centre_mm)
    assert np.linalg.norm((at - np.argwhere(truth[scene.box]).mean(axis=0)) * 1.5) < 2.0
    assert found.lesions[0].details["diameter_mm"] == pytest.approx(diameter_mm, abs=1.2)


def test_nodules_add_up(block, look, value):
    b = block()
    scores = []
    for k, place in enumerate(PLACES, start=1):
        b.ball(place, 3.0, 40.0)
        found = look(b.scene(), "small_nodules")
        assert value(found, "count") == float(k)
        scores.append(found.score)
    assert scores == sorted(scores)
    assert found.presence is Presence.PRESENT


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_vessel_and_a_branching_are_no_nodules(block, look, value, axis):
    b = block()
    b.tube(axis, (0.0, 0.0, 0.0), 2.5, 40.0)
    other = (axis + 1) % 3
    along = b.at[..., other]
    off = np.delete(b.at, other, axis=-1)
    b.paint(np.maximum(np.linalg.norm(off, axis=-1) - 2.0, -along), 40.0)
    found = look(b.scene(), "small_nodules")
    assert value(found, "count") == 0.0
    assert found.presence is Presence.ABSENT


def test_a_fissure_is_no_nodule(block, look, value):
    b = block()
    b.box((0.0, 0.0, -20.0), (40.0, 40.0, 1.0), -200.0)
    assert value(look(b.scene(), "small_nodules"), "count") == 0.0


def test_a_nodule_on_a_thin_vessel_is_still_one(block, look, value):
    b = block()
    b.tube(0, (0.0, 0.0, -20.0), 1.2, 40.0)
    b.ball((0.0, 0.0, -20.0), 4.0, 40.0)
    assert value(look(b.scene(), "small_nodules"), "count") == 1.0


def test_haze_and_masses_are_no_small_nodules(block, look, value):
    b = block()
    b.ball(PLACES[0], 3.0, -600.0)
    b.ball(PLACES[3], 9.0, 40.0)
    assert value(look(b.scene(), "small_nodules"), "count") == 0.0


def test_empty_lungs_have_none_and_what_is_undefined_is_missing(block, look, value):
    found = look(block().scene(), "small_nodules")
    assert found.presence is Presence.ABSENT
    assert found.score == 0.0
    assert value(found, "count") == 0.0
    assert value(found, "diameter_median_mm") is None
    assert value(found, "right_share") is None
    assert not found.mask.any()


def test_sides_swap_in_the_mirror(block, look, value):
    b = block()
    for place in PLACES[:4]:
        b.ball(place, 3.0, 40.0)
    right = value(look(b.scene(), "small_nodules"), "right_share")
    b.hu = b.hu[:, :, ::-1].copy()
    assert value(look(b.scene(), "small_nodules"), "right_share") == pytest.approx(1.0 - right)


@settings(deadline=None, max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.tuples(*[st.floats(-0.75, 0.75, width=32)] * 3))
def test_where_the_voxels_lie_does_not_matter(block, look, value, shift):
    b = block(side_mm=(45.0, 45.0, 60.0))
    b.ball(tuple(np.add((0.0, 0.0, -15.0), shift)), 3.0, 40.0)
    found = look(b.scene(), "small_nodules")
    assert value(found, "count") == 1.0
    assert value(found, "diameter_median_mm") == pytest.approx(6.0, abs=1.2)


def test_the_interval_holds_the_value(block, look):
    b = block()
    for place in PLACES:
        b.ball(place, 3.5, 40.0)
    b.tube(0, (0.0, 15.0, -30.0), 2.2, 40.0)
    found = look(b.scene(), "small_nodules")
    for m in found.measures:
        assert m.value is None or m.low <= m.value <= m.high, m.name


def test_thick_slices_do_not_show_them(block, look):
    found = look(block(acquisition=Acquisition(slice_thickness_mm=5.0)).scene(), "small_nodules")
    assert found.presence is Presence.NOT_ASSESSABLE
    assert "5 mm" in found.reason
    assert all(m.value is None for m in found.measures)
