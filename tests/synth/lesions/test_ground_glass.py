"""Ground glass of every form keeps to its density, lets vessels show and reaches its volume."""

import dataclasses

import numpy as np
import pytest
from scipy import ndimage

from cop_imaging.core import Geometry
from cop_imaging.synth.lesions.diffuse_ground_glass import (
    DiffuseGroundGlass,
    draw_central_ground_glass,
    draw_diffuse_ground_glass,
)
from cop_imaging.synth.lesions.geographic import GeographicGroundGlass, draw_geographic_ground_glass, region_of
from cop_imaging.synth.lesions.ground_glass import (
    GroundGlass,
    GroundGlassNodule,
    draw_ground_glass,
    draw_ground_glass_nodules,
)
from cop_imaging.synth.render import draw
from cop_imaging.synth.terrain import Where

FORMS = [
    GroundGlass((0.0, 30.0, 0.0), radius_mm=18.0, depth_mm=18.0, seed=1),
    GroundGlassNodule((0.0, 0.0, 0.0), diameter_mm=16.0, seed=2),
    GeographicGroundGlass((0.0, 0.0, 0.0), radius_mm=20.0, seed=3),
    DiffuseGroundGlass((0.0, 0.0, 0.0), reach_mm=60.0, seed=4),
]


@pytest.mark.parametrize("lesion", FORMS, ids=lambda k: type(k).__name__)
def test_every_form_has_the_density_of_ground_glass(lesion, paint):
    hu, truth = paint(lesion, voxel_mm=1.5)
    mask = truth["ground_glass"]
    assert mask.sum() > 200
    assert not truth["consolidation"].any()
    inner = ndimage.binary_erosion(mask)
    assert -680.0 < np.median(hu[inner]) < -450.0
    assert np.quantile(hu[inner], 0.99) < -330.0


@pytest.mark.parametrize("lesion", FORMS, ids=lambda k: type(k).__name__)
def test_vessels_and_bronchi_show_through_it(lesion, chest):
    grid = Geometry((36, 40, 40), (1.6, 1.6, 1.6), (-100.0, 10.0, -95.0))
    x, y, z = (float(v) for v in grid.to_patient(np.array([[18.0, 20.0, 20.0]]))[0])
    lesion = dataclasses.replace(lesion, centre_mm=(x, y, z))
    if isinstance(lesion, GroundGlass):
        lesion = dataclasses.replace(lesion, depth_mm=90.0)
    sick, healthy = draw(chest, grid, [lesion]), draw(chest, grid)
    changed = sick.hu - healthy.hu > 100.0
    vessels = ndimage.binary_dilation(changed, iterations=2) & healthy.masks["vessels"] & (healthy.hu > 0.0)
    assert vessels.sum() > 5
    assert np.abs(sick.hu - healthy.hu)[vessels].max() < 60.0
    lumen = healthy.masks["airways"] & (healthy.hu < -980.0)
    assert np.abs(sick.hu - healthy.hu)[lumen].max(initial=0.0) < 20.0


def test_geographic_ground_glass_has_sharp_borders_and_a_patch_fades(paint):
    def slope(lesion):
        hu, truth = paint(lesion)
        edge = ndimage.binary_dilation(truth["ground_glass"]) ^ truth["ground_glass"]
        return np.median(np.linalg.norm(np.gradient(hu), axis=0)[edge])

    assert slope(FORMS[2]) > 1.5 * slope(GroundGlass((0.0, 30.0, 0.0), 18.0, 18.0, seed=1, edge_mm=11.0))


def test_geographic_ground_glass_takes_whole_lobules(cube_of_lung):
    lesion = FORMS[2]
    region = region_of(
        cube_of_lung(1.5),
        lesion.centre_mm,
        radius_mm=lesion.radius_mm,
        reach_mm=lesion.reach_mm,
        seed=lesion.seed,
        lobule_mm=lesion.lobule_mm,
    )
    deep = region.wall_mm > 1.0
    known = deep & (region.value != 0.0)
    assert set(np.unique(np.round(region.inside[known], 3))) == {0.0, 1.0}
    for value in np.unique(region.value[known]):
        assert len(np.unique(region.inside[known & (region.value == value)])) == 1


@pytest.mark.parametrize("draw_lesions", [draw_ground_glass, draw_geographic_ground_glass])
def test_drawn_patches_reach_their_volume(draw_lesions, ground):
    lesions = draw_lesions(ground.terrain, np.random.default_rng(1), where=Where(), target_ml=400.0)
    assert ground.measure(lesions)["ground_glass"] == pytest.approx(400.0, rel=0.25)


@pytest.mark.parametrize(
    ("draw_haze", "target_ml"), [(draw_diffuse_ground_glass, 2500.0), (draw_central_ground_glass, 900.0)]
)
def test_haze_covers_its_share_of_the_lungs(draw_haze, target_ml, ground):
    volumes = []
    for seed in (1, 2, 3):
        lesions = draw_haze(ground.terrain, np.random.default_rng(seed), where=Where(), target_ml=target_ml)
        volumes.append(ground.measure(lesions)["ground_glass"])
    assert np.mean(volumes) == pytest.approx(target_ml, rel=0.2)


def test_central_haze_spares_the_lung_below_the_pleura(cube_of_lung):
    place = cube_of_lung(2.0)
    part = DiffuseGroundGlass((0.0, 0.0, 0.0), 60.0, 4, threshold=-1.5, spared_mm=18.0).layers(place)[0].fraction
    rim, deep = (place.depth_mm > 0.0) & (place.depth_mm < 6.0), place.depth_mm > 40.0
    assert part[rim].mean() < 0.1 * part[deep].mean()


def test_nodules_keep_apart(terrain):
    nodules = draw_ground_glass_nodules(terrain, np.random.default_rng(1), where=Where(), number=12)
    points = np.array([k.centre_mm for k in nodules])
    gaps = np.linalg.norm(points[:, None] - points[None], axis=2) + 1e3 * np.eye(len(points))
    assert len(nodules) == 12
    assert gaps.min() > 9.0
