"""The reversed halo against shells of known size, and against what only looks like one."""

import dataclasses

import numpy as np
import pytest

from cop_imaging.core import Acquisition, Presence
from cop_imaging.signs import SIGNS
from cop_imaging.signs.halo.limits import ReversedHaloConfig
from cop_imaging.signs.halo.ring import measure_ring
from cop_imaging.signs.halo.verdict import LOOK_ALIKES, verdict_of
from cop_imaging.signs.observe import look_for

SMALL = (66.0, 66.0, 66.0)


def halo(look, scene):
    return look(scene, "reversed_halo")


def look_alikes(finding, value):
    return {name for name in LOOK_ALIKES if value(finding, f"{name}_count")}


@pytest.fixture(scope="module")
def kept():
    """One scene and finding that several tests read."""
    return {}


@pytest.fixture
def ringed(kept, block, look):
    if not kept:
        b = block()
        kept["truth"] = b.ring(outer_mm=30.0, rim_mm=5.0)
        kept["block"], kept["scene"] = b, b.scene()
        kept["finding"] = halo(look, kept["scene"])
    return kept


def test_a_ring_with_a_ground_glass_core_is_a_reversed_halo_of_its_size(ringed, value):
    found = ringed["finding"]
    assert found.presence is Presence.PRESENT
    assert value(found, "count") == 1.0
    assert value(found, "possible_count") == 0.0
    assert value(found, "best_outer_diameter_mm") == pytest.approx(30.0, abs=1.5)
    assert value(found, "best_core_diameter_mm") == pytest.approx(20.0, abs=1.5)
    assert value(found, "best_rim_mm") == pytest.approx(5.0, abs=1.5)
    assert value(found, "best_coverage_deg") == 360.0
    assert value(found, "best_sphere_share") == 1.0
    assert value(found, "best_contrast_hu") == pytest.approx(620.0, abs=60.0)


def test_volume_and_extent_span_what_the_ring_is_under_other_limits_of_its_rim(ringed):
    signs = {sign.name: sign for sign in SIGNS}
    consolidation = look_for(signs["consolidation"], ringed["scene"], {})
    plain = signs["reversed_halo"].observe(ringed["scene"], {"consolidation": consolidation})
    for name in ("volume_ml", "extent_percent"):
        m = plain.measure(f"reversed_halo.{name}")
        assert m.low < m.value < m.high, name


def test_every_number_of_the_ring_lies_in_its_interval(ringed):
    spread = []
    for m in ringed["finding"].measures:
        if m.value is not None:
            assert m.low <= m.value <= m.high, m.name
            spread.append(m.high - m.low)
    assert max(spread) > 0


def test_the_mask_covers_rim_and_core_and_the_lesion_lies_at_the_ring(ringed):
    scene, found = ringed["scene"], ringed["finding"]
    truth = ringed["truth"][scene.box]
    both = (found.mask & truth).sum()
    assert 2 * both / (found.mask.sum() + truth.sum()) > 0.93
    (lesion,) = found.lesions
    middle = scene.geometry.to_patient((np.array(scene.geometry.shape) - 1) / 2)
    assert np.linalg.norm(np.array(lesion.centre_mm) - middle) < 3.0
    assert lesion.details["kind"] == "reversed halo"
    assert lesion.details["rim_p10_mm"] <= lesion.details["rim_mm"] <= lesion.details["rim_p90_mm"]
    assert lesion.volume_ml == pytest.approx(4 / 3 * np.pi * 15**3 / 1000, rel=0.1)


def test_a_thicker_rim_is_measured_thicker(block, look, value):
    rims = []
    for rim_mm in (3.0, 5.0, 8.0):
        b = block(side_mm=SMALL)
        b.ring(outer_mm=34.0, rim_mm=rim_mm)
        rims.append(value(halo(look, b.scene()), "best_rim_mm"))
    assert rims == pytest.approx([3.0, 5.0, 8.0], abs=1.0)
    assert rims[0] < rims[1] < rims[2]


@pytest.mark.parametrize("turn", [(1, 2, 0), (2, 1, 0)])
@pytest.mark.parametrize("flip", [(), (0, 2)])
def test_turning_the_scene_leaves_the_numbers(block, look, value, turn, flip):
    found = []
    for turned in (False, True):
        b = block(side_mm=(66.0, 66.0, 66.0))
        b.ring((3.0, -3.0, 1.5), 30.0, 5.0)
        if turned:
            b.hu = np.ascontiguousarray(np.flip(b.hu.transpose(turn), flip))
        found.append(halo(look, b.scene()))
    for name in ("outer_diameter_mm", "core_diameter_mm", "rim_mm"):
        here, there = (value(f, f"best_{name}") for f in found)
        assert there == pytest.approx(here, abs=0.75), name
    assert [value(f, "count") for f in found] == [1.0, 1.0]


def wedge(kept_deg):
    """A gap in the rim: what lies farther from the left than half of ``kept_deg`` in the axial plane."""
    return lambda o: np.degrees(np.abs(np.arctan2(o[..., 1], o[..., 2]))) > kept_deg / 2


@pytest.mark.parametrize("kept_deg", [90.0, 180.0])
def test_a_broken_ring_is_not_a_reversed_halo(block, look, value, kept_deg):
    b = block(side_mm=SMALL)
    b.ring(gap=wedge(kept_deg))
    found = halo(look, b.scene())
    assert found.presence is Presence.ABSENT
    assert value(found, "count") == value(found, "possible_count") == 0.0


def test_a_crescent_that_covers_little_more_than_half_of_the_sphere_is_at_most_possible(block, look, value):
    b = block(side_mm=SMALL)
    b.ring(gap=wedge(200.0))
    found = halo(look, b.scene())
    assert value(found, "count") == 0.0
    assert found.presence is not Presence.PRESENT
    assert value(found, "possible_count") or look_alikes(found, value)


def test_a_ring_with_a_small_gap_is_still_one(block, look, value):
    b = block(side_mm=SMALL)
    b.ring(gap=wedge(320.0))
    assert value(halo(look, b.scene()), "count") == 1.0


@pytest.mark.parametrize(
    ("name", "ring"),
    [
        ("cavity", {"core_hu": -990.0}),
        ("spared_lung", {"core_hu": -860.0}),
        ("bulla_ring", {"core_hu": -995.0, "rim_mm": 1.5, "rim_hu": -100.0}),
        ("honeycomb_cell", {"core_hu": -995.0, "outer_mm": 11.0, "rim_mm": 2.5}),
        ("cleared_consolidation", {"outer_mm": 52.0, "rim_mm": 13.0}),
    ],
)
def test_a_ring_that_fails_one_test_is_counted_under_its_name(block, look, value, name, ring):
    b = block(side_mm=SMALL)
    b.ring(**ring)
    found = halo(look, b.scene())
    assert found.presence is Presence.ABSENT
    assert value(found, "count") == 0.0
    assert name in look_alikes(found, value)
    assert not found.mask.any()


def test_lines_in_the_core_of_a_thick_ring_make_it_fungal_like(block):
    b = block(side_mm=SMALL)
    b.ring(outer_mm=52.0, rim_mm=13.0)
    scene, config = b.scene(), ReversedHaloConfig()
    ring = measure_ring(scene, (np.array(scene.geometry.shape) - 1) / 2, config, rim_hu=config.rim_hu)
    names = [
        verdict_of(dataclasses.replace(ring, core_lines=share), scene.aerated_mode_hu, config).name
        for share in (0.0, 0.3)
    ]
    assert names == ["cleared_consolidation", "fungal_like"]


@pytest.mark.parametrize("outer_mm", [10.0, 16.0, 60.0])
def test_a_ring_is_found_whatever_its_size(block, look, value, outer_mm):
    b = block()
    b.ring((0.0, 2.0, 3.0), outer_mm, 2.5 if outer_mm < 12 else 4.0)
    found = halo(look, b.scene())
    assert value(found, "count") == 1.0
    assert value(found, "best_outer_diameter_mm") == pytest.approx(outer_mm, abs=1.5)


def test_a_nodule_with_a_halo_is_counted_as_the_opposite(block, look, value):
    b = block(side_mm=SMALL)
    b.ball((0, 0, 0), 14.0, -550.0)
    b.ball((0, 0, 0), 7.0, 20.0)
    found = halo(look, b.scene())
    assert found.presence is Presence.ABSENT
    assert look_alikes(found, value) == {"halo_nodule"}


def test_a_faint_rim_with_vessels_through_the_core_is_found(block, look, value):
    b = block(side_mm=SMALL)
    b.ring(outer_mm=36.0, rim_mm=5.0, rim_hu=-250.0)
    for y in (-5.0, 4.0):
        b.tube(0, (0.0, y, 2.0), 1.8, 40.0)
    assert value(halo(look, b.scene()), "count") == 1.0


def test_a_halo_that_the_pleura_cuts_is_found_and_a_wedge_is_told_apart(block, look, value):
    cut, wedge = block(side_mm=SMALL), block(side_mm=SMALL)
    cut.ring((-20.0, 0.0, 0.0), 34.0, 5.0)
    depth = wedge.at[..., 0] + 33.0
    across = np.linalg.norm(wedge.at[..., 1:], axis=-1)
    side = 17.0 * np.clip(1.0 - depth / 26.0, 0.0, 1.0) ** 0.65 - across
    wedge.paint(-np.minimum(side, 26.0 - depth), 20.0)
    wedge.paint(-np.minimum(np.minimum(side, 26.0 - depth) - 5.0, depth - 3.5), -560.0)
    assert value(halo(look, cut.scene()), "count") == 1.0
    found = halo(look, wedge.scene())
    assert value(found, "count") == 0.0
    assert "infarct_like" in look_alikes(found, value)


@pytest.mark.parametrize(
    ("base_share", "spread", "name"),
    [(0.2, 0.2, "infarct_like"), (0.2, 0.1, "halo"), (0.03, 0.2, "halo")],
)
def test_what_lies_broad_on_the_pleura_and_is_not_round_is_a_wedge(block, base_share, spread, name):
    b = block(side_mm=SMALL)
    b.ring(outer_mm=34.0)
    scene, config = b.scene(), ReversedHaloConfig()
    middle = (np.array(scene.geometry.shape) - 1) / 2
    ring = measure_ring(scene, middle, config, rim_hu=config.rim_hu)
    ring = dataclasses.replace(ring, base_share=base_share, base_width=0.8, spread=spread, pleura_share=0.2)
    assert verdict_of(ring, scene.aerated_mode_hu, config).name == name


@pytest.mark.parametrize(
    ("sphere_share", "spread", "name"),
    [(0.7, 0.3, "broken_ring"), (0.7, 0.12, "halo"), (0.85, 0.3, "halo")],
)
def test_a_ring_that_is_open_in_some_directions_must_be_round(block, sphere_share, spread, name):
    b = block(side_mm=SMALL)
    b.ring(outer_mm=34.0)
    scene, config = b.scene(), ReversedHaloConfig()
    middle = (np.array(scene.geometry.shape) - 1) / 2
    ring = measure_ring(scene, middle, config, rim_hu=config.rim_hu)
    ring = dataclasses.replace(ring, sphere_share=sphere_share, solid_share=sphere_share, spread=spread)
    assert verdict_of(ring, scene.aerated_mode_hu, config).name == name


def test_a_look_alike_is_a_lesion_with_the_test_that_told_it_apart(block, look):
    b = block(side_mm=SMALL)
    b.ring(core_hu=-990.0)
    (lesion,) = halo(look, b.scene()).lesions
    assert lesion.details["kind"] == "no reversed halo: cavity"
    assert "HU" in lesion.details["told_by"]


def test_a_rim_that_is_pleura_all_around_is_told_by_that(block, look, value):
    b = block()
    b.ring(outer_mm=30.0, rim_mm=5.0)
    distance = np.linalg.norm(b.at, axis=-1)
    wall = (distance > 15.0) & (distance < 21.0)
    b.lungs[wall], b.hu[wall] = 0, 40.0
    found = halo(look, b.scene())
    assert value(found, "count") == 0.0
    assert look_alikes(found, value) == {"broken_ring"}


def loop(b):
    """A vessel of 4 mm radius bent to a ring of 24 mm."""
    along = np.hypot(np.hypot(b.at[..., 1], b.at[..., 2]) - 12.0, b.at[..., 0])
    b.vessels |= b.paint(along - 4.0, 40.0)


def plates(b):
    for z in (-12.0, 12.0):
        b.box((z, 0.0, 0.0), (2.5, 30.0, 30.0), 20.0)


@pytest.mark.parametrize(
    "draw",
    [
        pytest.param(lambda b: None, id="healthy lung"),
        pytest.param(lambda b: b.ball((0, 0, 0), 14.0, 20.0), id="solid ball"),
        pytest.param(lambda b: b.ball((0, 0, 0), 14.0, -550.0), id="ball of haze"),
        pytest.param(lambda b: b.tube(0, (0, 0, 0), 4.0, 40.0), id="tube"),
        pytest.param(loop, id="vessel loop"),
        pytest.param(plates, id="two plates"),
    ],
)
def test_what_has_no_rim_around_haze_is_no_reversed_halo(block, look, value, draw):
    b = block()
    draw(b)
    found = halo(look, b.scene())
    assert found.presence is Presence.ABSENT
    assert value(found, "count") == value(found, "possible_count") == 0.0
    assert value(found, "volume_ml") == 0.0
    assert value(found, "best_rim_mm") is None


def test_two_rings_are_two_lesions_and_neither_is_counted_twice(block, look, value):
    b = block()
    b.ring((-26.0, 0.0, -20.0), 26.0, 5.0)
    b.ring((24.0, 5.0, 22.0), 34.0, 5.0)
    found = halo(look, b.scene())
    assert value(found, "count") == 2.0
    assert {lesion.side for lesion in found.lesions} == {"right", "left"}
    sizes = sorted(lesion.details["outer_diameter_mm"] for lesion in found.lesions)
    assert sizes == pytest.approx([26.0, 34.0], abs=1.5)


def test_a_clear_ring_scores_above_a_faint_one(block, look):
    scores = []
    for rim_hu in (-250.0, -100.0, 20.0):
        b = block(side_mm=SMALL)
        b.ring(core_hu=-480.0, rim_hu=rim_hu, rim_mm=6.0)
        scores.append(halo(look, b.scene()).score)
    assert scores[0] <= scores[1] <= scores[2] <= 1.0
    assert scores[0] < scores[2]


def test_thick_slices_cannot_show_it(block, look):
    scene = block(side_mm=(60.0, 60.0, 60.0)).scene()
    thick = dataclasses.replace(scene, acquisition=Acquisition(slice_thickness_mm=8.0))
    found = halo(look, thick)
    assert found.presence is Presence.NOT_ASSESSABLE
    assert found.mask is None
    assert "8 mm" in found.reason
    assert all(m.value is None for m in found.measures)


def test_a_rim_over_three_quarters_of_the_sphere_is_a_reversed_halo(block, look, value):
    b = block(side_mm=SMALL)
    b.ring(gap=lambda offset: offset[..., 2] > 7.5)  # a cap of a quarter of the sphere is open
    assert value(halo(look, b.scene()), "count") == 1.0
