"""Consolidation: dense lung that is thicker than a vessel at its depth."""

import dataclasses

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cop_imaging.core import Acquisition, Presence
from cop_imaging.signs.consolidation import ConsolidationConfig, consolidated, vessel_radius_mm, view_of, without_nets
from cop_imaging.signs.density.beside_fluid import beside_fluid

CONFIG = ConsolidationConfig()
HALF_MM = 45.0
"""From the middle of the block to its pleura."""


def ball_ml(radius_mm):
    return 4 / 3 * np.pi * radius_mm**3 / 1000


@pytest.fixture(scope="module")
def kept():
    return {}


@pytest.fixture
def balled(kept, block):
    """A dense ball of 12 mm, a graded ball beside it and a tube, seen by several tests."""
    if not kept:
        b = block()
        b.ball((0.0, 0.0, -30.0), 12.0, 20.0)
        b.ball((20.0, 0.0, 25.0), 10.0, -270.0)
        b.tube(1, (-30.0, 0.0, 20.0), 3.0, 40.0)
        kept["scene"] = b.scene()
    return kept["scene"]


def test_a_dense_ball_is_found_with_its_volume(block, look, value):
    b = block()
    truth = b.ball((0.0, 0.0, -27.0), 12.0, 20.0)
    scene = b.scene()
    found = look(scene, "consolidation")
    assert value(found, "volume_ml") == pytest.approx(ball_ml(12.0), rel=0.1)
    assert (found.mask & truth[scene.box]).sum() > 0.9 * truth.sum()
    assert value(found, "patch_count") == 1.0
    assert value(found, "right_share") == 1.0
    # Partial volume of the border lowers the mean of a ball of 20 HU.
    assert -120.0 < value(found, "mean_hu") < 20.0


@pytest.mark.parametrize("seen_as_tube", [False, True])
def test_a_vessel_near_the_hilum_is_not_consolidation(block, look, value, seen_as_tube):
    b = block()
    off = np.hypot(b.at[..., 1], b.at[..., 2]) - 4.0
    short = np.maximum(off, np.abs(b.at[..., 0]) - 9.0)
    tube = b.paint(short, 40.0)
    if seen_as_tube:
        b.vessels |= tube
    found = look(b.scene(), "consolidation")
    assert found.presence is Presence.ABSENT
    assert value(found, "volume_ml") == 0.0


def test_what_is_a_vessel_in_the_depth_is_consolidation_at_the_pleura(block, look, value):
    volumes = []
    for depth_mm in (8.0, 42.0):
        b = block()
        b.ball((0.0, HALF_MM - depth_mm, 0.0), 4.5, 20.0)
        volumes.append(value(look(b.scene(), "consolidation"), "volume_ml"))
    assert volumes[0] == pytest.approx(ball_ml(4.5), rel=0.25)
    assert volumes[1] == 0.0


@given(st.lists(st.floats(0.0, 150.0, width=32), min_size=2, max_size=8))
def test_vessels_grow_with_depth_up_to_a_limit_and_more_where_a_tube_is_seen(depths):
    depth = np.sort(np.array(depths, np.float32))
    plain = vessel_radius_mm(depth, np.zeros(depth.shape, bool), CONFIG)
    tubes = vessel_radius_mm(depth, np.ones(depth.shape, bool), CONFIG)
    assert (np.diff(plain) >= 0).all()
    assert (tubes >= plain).all()
    assert plain.min() >= CONFIG.vessel_radius_at_pleura_mm - 1e-6
    assert tubes.max() <= CONFIG.vessel_radius_most_mm + 1e-6


def test_what_lies_in_a_net_of_lines_is_kept_only_where_it_is_dense():
    patch, density = np.zeros((4, 12, 24), bool), np.full((4, 12, 24), -800.0, np.float32)
    loose, tight = np.s_[1:3, 2:10, 2:10], np.s_[1:3, 2:10, 14:22]
    patch[loose], patch[tight] = True, True
    density[loose], density[tight] = -200.0, -60.0
    everywhere, nowhere = np.ones_like(patch), np.zeros_like(patch)
    kept = without_nets(patch, density, everywhere, CONFIG)
    assert kept[tight].all()
    assert not kept[loose].any()
    assert (without_nets(patch, density, nowhere, CONFIG) == patch).all()


@settings(deadline=None, max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.tuples(st.floats(-400.0, -100.0), st.floats(-400.0, -100.0)))
def test_raising_the_limit_never_grows_the_mask(balled, limits):
    low, high = sorted(limits)
    view = view_of(balled, CONFIG)
    wide, narrow = (consolidated(balled, view, limit, CONFIG) for limit in (low, high))
    assert not (narrow & ~wide).any()


def test_the_interval_holds_the_value_and_opens_where_density_is_borderline(balled, look):
    found = look(balled, "consolidation")
    for m in found.measures:
        assert m.value is None or m.low <= m.value <= m.high, m.name
    volume = found.measure("consolidation.volume_ml")
    # The ball of -270 HU is in at the limit of -300 HU and out at -200 HU.
    assert volume.value > ball_ml(12.0) + 0.5 * ball_ml(10.0)
    assert volume.low < volume.value - 0.8 * ball_ml(10.0)


def test_air_bronchograms_belong_to_the_consolidation_around_them(block, look, value):
    volumes = []
    for hole in (False, True):
        b = block()
        b.box((0.0, HALF_MM - 18.0, 0.0), (16.0, 18.0, 16.0), 20.0)
        if hole:
            inside = np.maximum(
                np.hypot(b.at[..., 0], b.at[..., 2]) - 1.3, np.abs(b.at[..., 1] - HALF_MM + 18.0) - 12.0
            )
            tube = b.paint(inside, -990.0)
        scene = b.scene()
        found = look(scene, "consolidation")
        volumes.append(value(found, "volume_ml"))
    assert tube.sum() > 10
    assert found.mask[tube[scene.box]].all()
    assert volumes[1] == pytest.approx(volumes[0], rel=0.02)


@pytest.mark.parametrize(("radius_mm", "seen"), [(3.0, False), (5.5, True)])
def test_a_patch_below_the_smallest_volume_is_nothing(block, look, value, radius_mm, seen):
    b = block()
    b.ball((0.0, HALF_MM - 8.0, 0.0), radius_mm, 20.0)
    found = look(b.scene(), "consolidation")
    assert bool(value(found, "volume_ml")) is seen
    assert bool(found.lesions) is seen


def test_clear_lung_has_an_extent_of_zero_and_no_ratios(block, look):
    found = look(block().scene(), "consolidation")
    assert found.presence is Presence.ABSENT
    assert found.score == 0.0
    assert found.mask is not None
    values = {m.name.split(".")[1]: m.value for m in found.measures}
    ratios = {"lower_to_upper", "peripheral_to_central", "subpleural_sparing", "depth_median_mm", "right_share"}
    ratios |= {"peribronchovascular_ratio", "bilateral_index", "dorsal_to_ventral", "largest_share", "patchiness"}
    ratios |= {"mean_hu", "centroid_left_mm", "centroid_back_mm", "centroid_head_mm"}
    assert {name for name, v in values.items() if v is None} == ratios
    assert all(v == 0.0 for name, v in values.items() if name not in ratios)
    assert found.best_z is None
    assert found.lesions == ()


@pytest.mark.parametrize(("thickness", "presence_known"), [(5.0, True), (8.0, True), (12.0, False)])
def test_thick_slices_limit_it_and_very_thick_ones_forbid_it(block, look, thickness, presence_known):
    scene = dataclasses.replace(
        block(side_mm=(60.0, 60.0, 60.0)).scene(), acquisition=Acquisition(slice_step_mm=thickness)
    )
    found = look(scene, "consolidation")
    assert (found.presence is not Presence.NOT_ASSESSABLE) is presence_known
    assert bool(found.reason) is (thickness > 5.0)
    if not presence_known:
        assert all(m.value is None for m in found.measures)


def test_looking_does_not_change_what_is_looked_at(balled, look):
    before = {
        name: getattr(balled, name).copy() for name in ("hu", "lungs", "vessels", "smooth_hu", "depth_mm", "zone")
    }
    look(balled, "consolidation")
    look(balled, "ground_glass")
    look(balled, "reversed_halo")
    for name, array in before.items():
        assert np.array_equal(getattr(balled, name), array), name


def test_lung_that_fluid_may_have_collapsed_is_only_in_the_interval(block, look):
    b = block(side_mm=(66.0, 66.0, 66.0))
    b.box((0.0, 24.0, 0.0), (20.0, 9.0, 25.0), 40.0)
    far = b.ball((0.0, -18.0, -17.0), 9.0, 20.0)
    scene = b.scene()
    fluid = np.zeros(scene.lungs.shape, bool)
    fluid[1:-1, -7:, 1:-1] = True
    assert fluid.sum() * scene.geometry.voxel_ml > 25.0
    lungs = np.where(fluid, 0, scene.lungs).astype(np.uint8)
    volumes = {}
    for name, effusion in (("dry", np.zeros_like(fluid)), ("wet", fluid)):
        wet = dataclasses.replace(scene, lungs=lungs, effusion=effusion, _maps={"smooth_hu": scene.smooth_hu})
        found = look(wet, "consolidation")
        volumes[name] = found.measure("consolidation.volume_ml")
    assert found.mask[far[scene.box]].mean() > 0.85
    assert volumes["dry"].value > 2.0 * volumes["wet"].value
    assert volumes["wet"].value == pytest.approx(ball_ml(9.0), rel=0.25)
    assert volumes["wet"].high == pytest.approx(volumes["dry"].value, rel=0.05)


def test_little_fluid_collapses_no_lung(block):
    scene = block(side_mm=(48.0, 48.0, 48.0)).scene()
    film = np.zeros(scene.lungs.shape, bool)
    film[:, -5:-2, :] = True
    wet = dataclasses.replace(scene, effusion=film)
    assert not beside_fluid(wet, least_mm=14.0, per_thickness=0.7).any()
    pocket = np.zeros(scene.lungs.shape, bool)
    pocket[8:-8, -10:-2, 8:-8] = True
    assert pocket.sum() * scene.geometry.voxel_ml < 25.0
    assert not beside_fluid(dataclasses.replace(scene, effusion=pocket), least_mm=14.0, per_thickness=0.7).any()
    assert beside_fluid(dataclasses.replace(scene, effusion=None), least_mm=14.0, per_thickness=0.7) is None
