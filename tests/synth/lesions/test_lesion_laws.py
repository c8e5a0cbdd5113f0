"""What holds for every lesion: it lies fixed in the patient, within its reach, and is the same on every grid."""

import dataclasses
import json

import numpy as np
import pytest

from cop_imaging.synth.lesions.band import Band, SubpleuralBand
from cop_imaging.synth.lesions.bulla_ring import BullaRing
from cop_imaging.synth.lesions.cavity import Cavity
from cop_imaging.synth.lesions.consolidation import Consolidation
from cop_imaging.synth.lesions.crazy_paving import CrazyPaving
from cop_imaging.synth.lesions.focal_consolidation import FocalConsolidation
from cop_imaging.synth.lesions.fungal_ring import FungalRing
from cop_imaging.synth.lesions.geographic import GeographicGroundGlass
from cop_imaging.synth.lesions.ground_glass import GroundGlass, GroundGlassNodule
from cop_imaging.synth.lesions.halo_nodule import HaloNodule
from cop_imaging.synth.lesions.infarct import Infarct
from cop_imaging.synth.lesions.lesion import Place, box_of
from cop_imaging.synth.lesions.lobar_consolidation import LobarConsolidation
from cop_imaging.synth.lesions.peribronchovascular import PeribronchovascularConsolidation
from cop_imaging.synth.lesions.perilobular import Perilobular
from cop_imaging.synth.lesions.reversed_halo import ReversedHalo

MIDDLE, NEAR_PLEURA = (1.0, -2.0, 0.5), (0.0, 36.0, 1.0)
LESIONS = [
    Consolidation(NEAR_PLEURA, radius_mm=16.0, depth_mm=13.0, seed=1),
    PeribronchovascularConsolidation(
        ((-14.0, 0.0, 0.0, 2.0, 3.0, 1.0, 7.0, 6.0), (2.0, 3.0, 1.0, 14.0, 8.0, 6.0, 6.0, 4.0)), seed=2
    ),
    FocalConsolidation(MIDDLE, diameter_mm=26.0, seed=3),
    LobarConsolidation(MIDDLE, lobe=3, spread_mm=16.0, seed=4, lobule_mm=12.0, haze_mm=8.0),
    GroundGlass(NEAR_PLEURA, radius_mm=16.0, depth_mm=15.0, seed=5, lobule_mm=12.0, edge_mm=6.0),
    GroundGlassNodule(MIDDLE, diameter_mm=14.0, seed=6),
    GeographicGroundGlass(MIDDLE, radius_mm=18.0, seed=7, lobule_mm=12.0),
    CrazyPaving(MIDDLE, radius_mm=18.0, seed=8),
    ReversedHalo(MIDDLE, outer_mm=30.0, rim_mm=5.0, seed=9),
    ReversedHalo(MIDDLE, outer_mm=30.0, rim_mm=5.0, seed=10, coverage_deg=280.0, gap_deg=40.0),
    Perilobular(NEAR_PLEURA, radius_mm=26.0, depth_mm=22.0, seed=11, lobule_mm=15.0),
    Cavity(MIDDLE, outer_mm=28.0, wall_mm=6.0, seed=12, fluid_level=0.5),
    BullaRing(MIDDLE, diameter_mm=24.0, seed=13),
    HaloNodule(MIDDLE, core_mm=12.0, halo_mm=7.0, seed=14),
    FungalRing(MIDDLE, outer_mm=42.0, rim_mm=12.0, seed=15),
    Infarct((0.0, 42.0, 0.0), base_mm=32.0, height_mm=22.0, seed=16),
    Band(MIDDLE, (0.6, 0.8, 0.0), (0.0, 0.0, 1.0), 34.0, 16.0, 3.0, seed=17),
    SubpleuralBand(NEAR_PLEURA, depth_mm=7.0, length_mm=36.0, height_mm=26.0, thickness_mm=3.0, seed=18),
]
NAMES = [f"{type(lesion).__name__}-{lesion.seed}" for lesion in LESIONS]
every_lesion = pytest.mark.parametrize("lesion", LESIONS, ids=NAMES)


def fields_of(lesion, place):
    """Everything that a lesion says of a place, as arrays on it."""
    layers = [np.broadcast_to(layer.fraction, place.slab.shape) for layer in lesion.layers(place)]
    return [*layers, *(np.broadcast_to(part, place.slab.shape) for part in lesion.shapes(place).values())]


def part(place, box):
    return Place(place.slab.crop(box), place.depth_mm[box], place.lobe[box])


@every_lesion
def test_values_do_not_depend_on_the_box_and_parts_are_fractions(lesion, cube_of_lung):
    place = cube_of_lung(1.5)
    whole = fields_of(lesion, place)
    box = (slice(17, 41), slice(22, 60), slice(11, 39))
    for a, b in zip(fields_of(lesion, part(place, box)), whole, strict=True):
        assert np.array_equal(a, b[box])
        assert b.min() >= 0.0
        assert b.max() <= 1.0
    assert all(a.dtype == np.float32 for a in whole)


@every_lesion
def test_nothing_lies_beyond_its_reach(lesion, cube_of_lung):
    place = cube_of_lung(1.5)
    box = box_of(lesion, place.slab)
    outside = np.ones(place.slab.shape, dtype=bool)
    outside[box] = False
    for values in fields_of(lesion, place):
        assert values[box].max() > 0.1
        assert values[outside].max(initial=0.0) < 0.01


@every_lesion
def test_volumes_are_the_same_on_fine_and_coarse_grids(lesion, cube_of_lung):
    sums = []
    for voxel_mm in (1.0, 1.6):
        place = cube_of_lung(voxel_mm)
        place = part(place, box_of(lesion, place.slab))
        parts = fields_of(lesion, place)
        together = 1.0 - np.prod([1.0 - values for values in parts], axis=0)
        sums.append([values.sum(dtype=np.float64) * voxel_mm**3 for values in (together, *parts)])
    whole = sums[0][0]
    assert sums[1][0] == pytest.approx(whole, rel=0.05)
    assert sums[0] == pytest.approx(sums[1], rel=0.05, abs=0.01 * whole)


@every_lesion
def test_its_fields_are_plain_numbers_that_remake_it(lesion):
    fields = json.loads(json.dumps(dataclasses.asdict(lesion)))
    nested = {k: tuple(tuple(u) if isinstance(u, list) else u for u in v) for k, v in fields.items() if type(v) is list}
    assert type(lesion)(**{**fields, **nested}) == lesion


@every_lesion
def test_the_seed_decides_its_shape(lesion, cube_of_lung):
    place = cube_of_lung(3.0)
    first, again, other = (
        fields_of(k, place) for k in (lesion, dataclasses.replace(lesion), dataclasses.replace(lesion, seed=99))
    )
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert any(np.abs(a - b).max() > 0.2 for a, b in zip(first, other, strict=True))


@every_lesion
def test_parenchymal_layers_lie_under_vessels_and_only_holes_replace_them(lesion, cube_of_lung):
    place = cube_of_lung(3.0)
    over = {layer.over for layer in lesion.layers(place)}
    assert over == {isinstance(lesion, Cavity | BullaRing)}


@pytest.mark.parametrize("lesion", [k for k in LESIONS if not isinstance(k, BullaRing | Band | SubpleuralBand)])
def test_no_lesion_is_a_ball(lesion, paint):
    _, truth = paint(lesion)
    mask = truth["consolidation"] | truth["ground_glass"] | truth.get("cavity", False)
    points = np.argwhere(mask).astype(float)
    away = np.linalg.norm(points - points.mean(axis=0), axis=1)
    ball = (3.0 * len(points) / (4.0 * np.pi)) ** (1.0 / 3.0)
    assert np.quantile(away, 0.995) > 1.06 * ball
