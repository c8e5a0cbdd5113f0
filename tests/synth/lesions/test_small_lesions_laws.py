"""What holds for nodules, fluid, cysts, nets and bronchi: fixed in the patient, within reach, alike on every grid."""

import dataclasses
import json

import numpy as np
import pytest

from cop_imaging.synth.lesions.airway_walls import AirwayWalls
from cop_imaging.synth.lesions.centrilobular import CentrilobularNodules
from cop_imaging.synth.lesions.effusion import Effusion
from cop_imaging.synth.lesions.honeycombing import Honeycombing
from cop_imaging.synth.lesions.lesion import Place, box_of
from cop_imaging.synth.lesions.mass import Mass
from cop_imaging.synth.lesions.mosaic import Mosaic
from cop_imaging.synth.lesions.nodule import Nodule
from cop_imaging.synth.lesions.reticulation import Reticulation
from cop_imaging.synth.lesions.traction_bronchiectasis import TractionBronchiectasis
from cop_imaging.synth.lesions.tree_in_bud import TreeInBud

MIDDLE, NEAR_PLEURA = (1.0, -2.0, 0.5), (0.0, 36.0, 1.0)
CELLS = tuple((x, y, z, 3.2) for x in (-10.0, -4.8, 0.4, 5.6) for y in (30.0, 35.1) for z in (-5.0, 0.2, 5.4))
LESIONS = [
    Nodule(MIDDLE, 8.0, seed=1),
    Mass(MIDDLE, 30.0, seed=2, spicules=20, cavity_mm=12.0),
    CentrilobularNodules(tuple((x, 0.0, z, 4.0) for x in (-12.0, 0.0, 11.0) for z in (-9.0, 3.0)), 3, 0.4),
    TreeInBud(MIDDLE, (0.6, 0.8, 0.0), seed=4),
    Mosaic(MIDDLE, 26.0, seed=5, share=0.5, lobule_mm=14.0),
    Honeycombing(CELLS, seed=6),
    Reticulation(NEAR_PLEURA, 22.0, 14.0, seed=7),
    AirwayWalls(((-10.0, 0.0, 0.0, 10.0, 4.0, 3.0, 2.5, 2.0),), wall_mm=1.6, dilation=1.4),
    TractionBronchiectasis(MIDDLE, (0.6, 0.8, 0.0), 22.0, 2.0, seed=9),
    Effusion((0.0, 0.0, 0.0), 48.0, True, 18.0, 50.0, seed=10),
]
every_lesion = pytest.mark.parametrize("lesion", LESIONS, ids=[type(k).__name__ for k in LESIONS])


def fields_of(lesion, place):
    layers = [np.broadcast_to(layer.fraction, place.slab.shape) for layer in lesion.layers(place)]
    return [*layers, *lesion.shapes(place).values()]


def part(place, box):
    return Place(place.slab.crop(box), place.depth_mm[box], place.lobe[box])


@every_lesion
def test_values_do_not_depend_on_the_box_and_parts_are_fractions(lesion, cube_of_lung):
    place = cube_of_lung(1.5)
    box = (slice(17, 41), slice(22, 60), slice(11, 39))
    for a, b in zip(fields_of(lesion, part(place, box)), fields_of(lesion, place), strict=True):
        assert np.array_equal(a, b[box])
        assert b.dtype == np.float32
        assert b.min() >= 0.0
        assert b.max() <= 1.0


@every_lesion
def test_nothing_lies_beyond_its_reach(lesion, cube_of_lung):
    place = cube_of_lung(1.5)
    outside = np.ones(place.slab.shape, dtype=bool)
    outside[box_of(lesion, place.slab)] = False
    for values in fields_of(lesion, place):
        assert values.max() > 0.05
        assert values[outside].max(initial=0.0) < 0.01


@every_lesion
def test_volumes_are_the_same_on_fine_and_coarse_grids(lesion, cube_of_lung):
    sums = []
    for voxel_mm in (1.0, 1.6):
        place = cube_of_lung(voxel_mm)
        place = part(place, box_of(lesion, place.slab))
        sums.append([k.fraction.sum(dtype=np.float64) * voxel_mm**3 for k in lesion.layers(place)])
    assert sums[0] == pytest.approx(sums[1], rel=0.05)


@every_lesion
def test_its_fields_are_plain_numbers_and_remake_it_with_the_same_bytes(lesion, cube_of_lung):
    assert json.loads(json.dumps(dataclasses.asdict(lesion)))
    place = cube_of_lung(3.0)
    again = fields_of(dataclasses.replace(lesion), place)
    assert all(np.array_equal(a, b) for a, b in zip(fields_of(lesion, place), again, strict=True))


@pytest.mark.parametrize("voxel_mm", [0.6, 1.0, 1.5])
def test_a_round_nodule_has_the_volume_of_a_ball(voxel_mm, cube_of_lung):
    nodule = Nodule(MIDDLE, 8.0, seed=1, roughness=0.0, fraction=1.0)
    place = cube_of_lung(voxel_mm)
    volume = nodule.layers(part(place, box_of(nodule, place.slab)))[0].fraction.sum(dtype=np.float64) * voxel_mm**3
    assert volume == pytest.approx(np.pi / 6.0 * 8.0**3, rel=0.01)


def test_fluid_is_no_lung_lies_at_the_back_and_has_the_density_of_water(paint):
    hu, truth = paint(LESIONS[-1])
    fluid = truth["effusion"]
    assert fluid.any()
    assert np.nonzero(fluid)[1].mean() > 0.7 * fluid.shape[1]
    assert np.median(hu[fluid]) == pytest.approx(8.0, abs=2.0)
    assert not (truth["consolidation"] | (truth["atelectasis"] & fluid)).any()
