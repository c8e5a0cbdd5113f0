"""What is drawn for a pair of lungs: the same from the same generator, as much as asked, at its places."""

import numpy as np
import pytest

from cop_imaging.synth.lesions.airway_walls import draw_airway_walls
from cop_imaging.synth.lesions.centrilobular import draw_centrilobular
from cop_imaging.synth.lesions.honeycombing import Honeycombing, draw_honeycombing
from cop_imaging.synth.lesions.mass import draw_mass
from cop_imaging.synth.lesions.mosaic import draw_mosaic
from cop_imaging.synth.lesions.nodule import draw_nodule
from cop_imaging.synth.lesions.reticulation import draw_reticulation
from cop_imaging.synth.lesions.traction_bronchiectasis import draw_traction_bronchiectasis
from cop_imaging.synth.lesions.tree_in_bud import draw_tree_in_bud
from cop_imaging.synth.terrain import Where

SUBPLEURAL = Where(height=(0.0, 0.2, 1.0), depth_mm=(0.0, 8.0))
DRAWS = {
    "nodule": lambda t, r: draw_nodule(t, r, where=Where(), number=12, pattern="perilymphatic"),
    "mass": lambda t, r: draw_mass(t, r, where=Where(depth_mm=(15.0, 60.0)), number=2),
    "centrilobular": lambda t, r: draw_centrilobular(t, r, where=Where(), share=0.1),
    "tree_in_bud": lambda t, r: draw_tree_in_bud(t, r, where=Where(lobe=5), number=12),
    "mosaic": lambda t, r: draw_mosaic(t, r, where=Where(), share=0.4),
    "reticulation": lambda t, r: draw_reticulation(t, r, where=SUBPLEURAL, target_ml=200.0),
    "honeycombing": lambda t, r: draw_honeycombing(t, r, where=SUBPLEURAL, target_ml=80.0),
    "traction": lambda t, r: draw_traction_bronchiectasis(t, r, where=SUBPLEURAL, number=5),
    "airway_walls": lambda t, r: draw_airway_walls(t, r, where=Where(), share=0.4, dilated=True),
}


@pytest.mark.parametrize("name", DRAWS)
def test_the_same_generator_draws_the_same_and_another_does_not(name, terrain):
    first, again, other = (DRAWS[name](terrain, np.random.default_rng(k)) for k in (1, 1, 2))
    assert first
    assert first == again
    assert first != other


def test_centrilobular_nodules_keep_their_distance_from_each_other_and_the_surface(terrain):
    lesions = DRAWS["centrilobular"](terrain, np.random.default_rng(1))
    points = np.array([n[:3] for k in lesions for n in k.nodules])
    gaps = np.linalg.norm(points[:, None] - points[None], axis=2) + 99.0 * np.eye(len(points))
    assert gaps.min() >= 6.9
    outer = terrain.points_mm[terrain.edge_mm < 1.0]
    assert np.linalg.norm(points[:, None] - outer[None], axis=2).min() > 1.5
    assert {n[3] >= 2.0 and n[3] <= 4.0 for k in lesions for n in k.nodules} == {True}


def test_honeycomb_walls_are_dense_and_its_cysts_hold_air(terrain, paint):
    cells = tuple((x, y, z, 4.2) for x in (-9.0, -3.0, 3.0, 9.0) for y in (28.0, 34.0) for z in (-6.0, 0.0, 6.0))
    hu, truth = paint(Honeycombing(cells, seed=1), voxel_mm=0.8)
    inside = hu[truth["honeycombing"]]
    assert np.quantile(inside, 0.2) < -930.0
    assert np.quantile(inside, 0.85) > -400.0
