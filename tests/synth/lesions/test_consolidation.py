"""Consolidation lies where it is asked for, reaches its volume, ends at lobules and fissures, keeps bronchi open."""

import dataclasses

import numpy as np
import pytest

from cop_imaging.core import Geometry
from cop_imaging.synth.lesions.consolidation import Consolidation, draw_band_like_consolidation, draw_consolidation
from cop_imaging.synth.lesions.focal_consolidation import FocalConsolidation, draw_focal_consolidation
from cop_imaging.synth.lesions.lesion import lobular
from cop_imaging.synth.lesions.lobar_consolidation import LobarConsolidation, draw_lobar_consolidation
from cop_imaging.synth.lesions.peribronchovascular import (
    PeribronchovascularConsolidation,
    draw_peribronchovascular,
)
from cop_imaging.synth.render import draw
from cop_imaging.synth.terrain import Where

LOW = Where(height=(0.0, 1.0, 2.0), depth_mm=(0.0, 10.0), dorsal=2.0)


@pytest.mark.parametrize(
    ("draw_lesions", "target_ml"),
    [
        (draw_consolidation, 150.0),
        (draw_consolidation, 500.0),
        (draw_band_like_consolidation, 200.0),
        (draw_peribronchovascular, 80.0),
        (draw_lobar_consolidation, 300.0),
    ],
)
def test_drawn_consolidation_reaches_its_volume(draw_lesions, target_ml, ground):
    where = Where(depth_mm=(15.0, 60.0)) if draw_lesions is draw_peribronchovascular else LOW
    ratios = []
    for seed in (1, 2, 3):
        lesions = draw_lesions(ground.terrain, np.random.default_rng(seed), where=where, target_ml=target_ml)
        ratios.append(ground.measure(lesions)["consolidation"] / target_ml)
    assert np.mean(ratios) == pytest.approx(1.0, abs=0.2), ratios


def test_patches_lie_near_the_pleura_and_keep_to_their_lobes(terrain):
    lesions = draw_consolidation(terrain, np.random.default_rng(3), where=LOW, target_ml=250.0)
    assert 3 <= len(lesions) <= 40
    for lesion in lesions:
        nearest = np.argmin(np.linalg.norm(terrain.points_mm - np.array(lesion.centre_mm), axis=1))
        assert terrain.depth_mm[nearest] <= 10.0
        assert terrain.lobe[nearest] == lesion.lobe
    assert len({lesion.centre_mm[0] < 0.0 for lesion in lesions}) == 2


def test_lesions_are_drawn_again_by_the_same_generator(terrain):
    one, two = (draw_consolidation(terrain, np.random.default_rng(5), where=LOW, target_ml=100.0) for _ in range(2))
    assert one == two


def test_a_patch_stops_at_the_fissure(cube_of_lung):
    place = cube_of_lung(2.0)
    place.lobe[:, :, 24:] = 2
    lesion = Consolidation((0.0, 36.0, 0.0), radius_mm=18.0, depth_mm=15.0, seed=1, lobe=3)
    part = lesion.layers(place)[1].fraction
    assert part[:, :, :24].max() > 0.9
    assert not part[:, :, 24:].any()
    place.lobe[:, :, 24:] = 3


def test_the_edge_of_a_patch_follows_lobules(cube_of_lung):
    """Voxels at the same distance from the patch's bowl are filled or free lobule by lobule."""
    place = cube_of_lung(1.5)
    lesion = Consolidation((0.0, 38.0, 0.0), radius_mm=22.0, depth_mm=18.0, seed=6, acinar_mm=0.0)
    filled = lesion.layers(place)[1].fraction > 0.5
    away = np.sqrt(place.slab.x**2 + (place.slab.y - 38.0) ** 2 + (0.75 * place.slab.z) ** 2)
    floor = 18.0 * np.sqrt(np.clip(1.25 - away / 22.0, 0.0, 1.0)) - place.depth_mm
    shell = (np.abs(np.minimum(22.0 - away, floor)) < 1.5) & (place.depth_mm > 0.0)
    value = lobular(
        place.slab, lesion.centre_mm, reach_mm=1.75 * 22.0, seed=6, lobule_mm=lesion.lobule_mm, rough_mm=1.0
    )[1]
    assert np.corrcoef(filled[shell], value[shell])[0, 1] > 0.6


def test_bronchi_stay_open_and_vessels_disappear_in_consolidation(chest):
    grid = Geometry((40, 44, 44), (1.5, 1.5, 1.5), (-100.0, 10.0, -95.0))
    centre = tuple(float(v) for v in grid.to_patient(np.array([[20.0, 22.0, 22.0]]))[0])
    x, y, z = centre
    sick = draw(chest, grid, [LobarConsolidation((x, y, z), lobe=3, spread_mm=28.0, seed=3)])
    healthy = draw(chest, grid)
    inside = sick.masks["consolidation"]
    assert inside.sum() > 3000
    lumen = healthy.masks["airways"] & (healthy.hu < -980.0)
    assert lumen.sum() > 200
    assert sick.hu[lumen].max() < -960.0
    near = inside & healthy.masks["vessels"]
    assert near.sum() > 20
    # A vessel is 40 HU in 0 to 40 HU: it cannot be told from the airless lung.
    assert np.abs(np.median(sick.hu[near]) - np.median(sick.hu[inside & ~near & ~lumen])) < 60.0


def test_peribronchovascular_consolidation_hugs_bronchi(terrain):
    lesions = draw_peribronchovascular(
        terrain, np.random.default_rng(1), where=Where(depth_mm=(15.0, 60.0)), target_ml=60.0
    )
    ends = np.concatenate([terrain.bundles.start, terrain.bundles.end])
    for lesion in lesions:
        assert isinstance(lesion, PeribronchovascularConsolidation)
        for segment in lesion.segments:
            assert np.linalg.norm(ends - np.array(segment[:3]), axis=1).min() < 0.1
            assert 2.5 < segment[7] < 12.5


def test_without_known_bronchi_cuffs_point_away_from_the_hilum(terrain):
    none = dataclasses.replace(terrain, bundles=terrain.bundles.where(np.zeros(len(terrain.bundles), dtype=bool)))
    lesions = draw_peribronchovascular(none, np.random.default_rng(1), where=Where(depth_mm=(25, 60)), target_ml=20.0)
    assert lesions
    assert all(len(lesion.segments) == 1 for lesion in lesions)


def test_a_focus_has_its_size_and_strands_that_reach_beyond_it(paint):
    lesion = FocalConsolidation((0.0, 0.0, 0.0), diameter_mm=28.0, seed=2, spicules=12, haze_fraction=0.0)
    hu, truth = paint(lesion)
    ball = np.pi / 6.0 * 28.0**3
    assert 0.5 * ball < truth["consolidation"].sum() < 1.15 * ball
    bare, _ = paint(dataclasses.replace(lesion, spicules=0))
    strands = (hu - bare > 100.0) & ~truth["consolidation"]
    assert 50 < strands.sum() < 0.1 * ball
    away = np.linalg.norm(np.argwhere(strands) - 47.5, axis=1)
    assert away.max() > 17.0


def test_foci_are_few_and_apart(terrain):
    foci = draw_focal_consolidation(terrain, np.random.default_rng(2), where=Where(depth_mm=(5.0, 20.0)), number=3)
    assert len(foci) == 3
    a, b, c = (np.array(f.centre_mm) for f in foci)
    assert min(np.linalg.norm(a - b), np.linalg.norm(b - c), np.linalg.norm(a - c)) > 15.0


def test_lobar_consolidation_fills_a_lobe_up_to_its_fissures_when_asked_for_more_than_it_holds(ground):
    terrain = ground.terrain
    (lesion,) = draw_lobar_consolidation(terrain, np.random.default_rng(1), where=Where(lobe=5), target_ml=5000.0)
    lobe_ml = (terrain.lobe == 5).mean() * terrain.lung_ml
    assert lesion.lobe == 5
    assert ground.measure([lesion])["consolidation"] == pytest.approx(lobe_ml, rel=0.1)
