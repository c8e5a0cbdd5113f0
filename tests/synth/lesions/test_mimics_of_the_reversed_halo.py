"""Each look-alike of the reversed halo differs from it in the one way that tells it apart."""

import dataclasses

import numpy as np
import pytest
from scipy import ndimage

from cop_imaging.synth.lesions.bulla_ring import BullaRing, draw_bulla_ring
from cop_imaging.synth.lesions.cavity import Cavity, draw_cavity
from cop_imaging.synth.lesions.fungal_ring import FungalRing, draw_fungal_ring
from cop_imaging.synth.lesions.halo_nodule import HaloNodule, draw_halo_nodule
from cop_imaging.synth.lesions.infarct import Infarct, draw_infarct
from cop_imaging.synth.terrain import Where

MIDDLE = (0.31, -0.17, 0.23)
BALL_30_MM = np.pi / 6.0 * 30.0**3
spacings = pytest.mark.parametrize("voxel_mm", [0.75, 1.0, 1.5])


def volume(part, voxel_mm):
    return (part >= 0.5).sum() * voxel_mm**3


@spacings
def test_an_exact_cavity_has_its_volume(voxel_mm, cube_of_lung):
    place = cube_of_lung(voxel_mm)
    lesion = Cavity(MIDDLE, outer_mm=30.0, wall_mm=6.0, seed=1, roughness=0.0)
    assert volume(lesion.shapes(place)["cavity"], voxel_mm) == pytest.approx(BALL_30_MM, rel=0.01)
    air = lesion.layers(place)[1].fraction.sum(dtype=float) * voxel_mm**3
    assert air == pytest.approx(np.pi / 6.0 * 18.0**3, rel=0.02)


@spacings
def test_an_exact_bulla_has_its_volume_and_its_thin_wall_keeps_its_own(voxel_mm, cube_of_lung):
    place = cube_of_lung(voxel_mm)
    lesion = BullaRing(MIDDLE, diameter_mm=30.0, seed=1, wall_mm=0.8, roughness=0.0)
    assert volume(lesion.shapes(place)["bulla"], voxel_mm) == pytest.approx(BALL_30_MM, rel=0.01)
    wall = lesion.layers(place)[1].fraction.sum(dtype=float) / lesion.wall_fraction * voxel_mm**3
    assert wall == pytest.approx(4.0 * np.pi * 15.0**2 * 0.8, rel=0.03)


@spacings
def test_an_exact_halo_nodule_and_an_exact_fungal_ring_have_their_volumes(voxel_mm, cube_of_lung):
    place = cube_of_lung(voxel_mm)
    nodule = HaloNodule(MIDDLE, core_mm=18.0, halo_mm=6.0, seed=1, roughness=0.0)
    assert volume(nodule.shapes(place)["halo_nodule"], voxel_mm) == pytest.approx(BALL_30_MM, rel=0.01)
    ring = FungalRing(MIDDLE, outer_mm=44.0, rim_mm=12.0, seed=1, roughness=0.0)
    assert volume(ring.shapes(place)["fungal_ring"], voxel_mm) == pytest.approx(np.pi / 6.0 * 44.0**3, rel=0.01)


def test_a_cavity_has_air_for_a_core_and_no_sign_but_its_own(paint):
    hu, truth = paint(Cavity(MIDDLE, outer_mm=34.0, wall_mm=6.0, seed=2))
    assert hu[48, 48, 48] < -990.0
    assert not any(mask.any() for name, mask in truth.items() if name != "cavity")
    wall = truth["cavity"] & (hu > -300.0)
    thick = 2.0 * ndimage.distance_transform_edt(wall)[wall & ndimage.binary_erosion(wall, iterations=2)]
    assert 4.0 < np.median(thick) < 10.0


def test_fluid_in_a_cavity_lies_at_the_back_with_a_level(paint):
    hu, _ = paint(Cavity(MIDDLE, outer_mm=40.0, wall_mm=5.0, seed=2, roughness=0.0, fluid_level=0.3))
    assert hu[48, 48 - 8, 48] < -990.0
    assert hu[48, 48 + 12, 48] == pytest.approx(15.0, abs=1.0)
    assert np.ptp([np.flatnonzero(hu[48, 30:66, x] > -400.0)[0] for x in range(44, 53)]) == 0


def test_a_bulla_has_air_in_a_wall_thinner_than_that_of_any_halo(paint):
    hu, truth = paint(BullaRing(MIDDLE, diameter_mm=30.0, seed=2), voxel_mm=0.75)
    assert hu[64, 64, 64] < -985.0
    assert not truth["consolidation"].any()
    dense = hu > -700.0
    assert 0.0 < dense.sum() * 0.75**3 < 0.35 * BALL_30_MM
    assert ndimage.distance_transform_edt(dense, sampling=0.75).max() < 1.6


def test_a_halo_nodule_is_dense_in_the_middle_and_hazy_around(paint):
    hu, truth = paint(HaloNodule(MIDDLE, core_mm=16.0, halo_mm=8.0, seed=2))
    distance = ndimage.distance_transform_edt(~truth["consolidation"])
    assert truth["consolidation"][48, 48, 48]
    haze = truth["ground_glass"]
    assert haze.sum() > truth["consolidation"].sum()
    assert distance[haze].max() < 16.0
    assert -700.0 <= hu[haze].mean() < -500.0
    assert (truth["halo_nodule"] | ~truth["consolidation"]).all()


def test_a_fungal_ring_has_a_rim_of_more_than_a_centimetre_and_lines_in_its_core(paint):
    lesion = FungalRing(MIDDLE, outer_mm=52.0, rim_mm=13.0, seed=2)
    hu, truth = paint(lesion)
    rim = truth["consolidation"]
    assert 2.0 * ndimage.distance_transform_edt(rim).max() > 12.0
    core = truth["fungal_ring"] & ~ndimage.binary_dilation(ndimage.binary_opening(rim, iterations=3), iterations=3)
    assert core.sum() > 1500
    assert np.quantile(hu[core], 0.1) < -550.0
    assert np.quantile(hu[core], 0.9) > -300.0
    assert not truth["reversed_halo"].any()


def test_an_infarct_is_a_wedge_on_the_pleura_with_a_lucent_middle(cube_of_lung, paint):
    lesion = Infarct((0.0, 42.0, 0.0), base_mm=40.0, height_mm=30.0, seed=2)
    _, truth = paint(lesion)
    mask, depth = truth["infarct"], cube_of_lung(1.0).depth_mm
    areas = [(mask & (np.abs(depth - d) < 0.6)).sum() for d in (2.5, 10.5, 18.5, 25.5)]
    assert areas[0] > 1.2 * areas[1] > 1.4 * areas[2] > 1.8 * areas[3] > 0
    assert truth["ground_glass"].sum() > 0.15 * mask.sum()
    assert truth["consolidation"].sum() > 0.25 * mask.sum()
    # Its shell closes around the middle.
    hollow = ndimage.binary_erosion(truth["ground_glass"])
    assert ndimage.distance_transform_edt(mask | (depth <= 0.0))[hollow].min() > 3.0


def test_an_infarct_whose_middle_is_named_below_the_pleura_is_the_same(cube_of_lung):
    place = cube_of_lung(2.0)
    a = Infarct((0.0, 42.0, 0.0), 36.0, 26.0, seed=1, roughness=0.0)
    b = dataclasses.replace(a, centre_mm=(0.0, 37.0, 0.0), centre_depth_mm=5.0)
    lung = place.depth_mm > 0.0
    assert np.allclose(*(k.shapes(place)["infarct"][lung] for k in (a, b)), atol=1e-3)


def test_drawn_mimics_have_their_sizes_and_places(terrain):
    rng, where = np.random.default_rng(1), Where(depth_mm=(10.0, 50.0))
    assert all(4.0 <= k.wall_mm <= 12.0 for k in draw_cavity(terrain, rng, where=where, number=3))
    assert all(k.wall_mm <= 1.0 for k in draw_bulla_ring(terrain, rng, where=where, number=3))
    assert len(draw_halo_nodule(terrain, rng, where=where, number=4)) == 4
    assert all(k.rim_mm > 10.0 for k in draw_fungal_ring(terrain, rng, where=where, number=2))
    for wedge in draw_infarct(terrain, rng, where=Where(), number=3):
        nearest = np.argmin(np.linalg.norm(terrain.points_mm - np.array(wedge.centre_mm), axis=1))
        assert terrain.depth_mm[nearest] <= 6.0
