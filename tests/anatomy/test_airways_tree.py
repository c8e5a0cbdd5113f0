"""The tree of an airway mask: where it forks, how wide and how long its branches are."""

import dataclasses

import numpy as np
import pytest
from scipy import ndimage

from cop_imaging.anatomy.airway_tree import airway_tree
from cop_imaging.core import Geometry

GRID = Geometry((110, 70, 90), (1.0, 1.0, 1.0), (-45.0, -35.0, -60.0))
TRACHEA = ((104.0, 35.0, 45.0), (60.0, 35.0, 45.0), 7.0)
RIGHT_MAIN = ((60.0, 35.0, 45.0), (36.0, 35.0, 18.0), 5.0)
LEFT_MAIN = ((60.0, 35.0, 45.0), (36.0, 35.0, 72.0), 5.0)
UPPER = ((36.0, 35.0, 72.0), (42.0, 18.0, 84.0), 2.5)
LOWER = ((36.0, 35.0, 72.0), (6.0, 42.0, 78.0), 3.0)
Y = (TRACHEA, RIGHT_MAIN, LEFT_MAIN)
WHOLE = (*Y, UPPER, LOWER)


def drawn(*tubes, geometry=GRID):
    """Voxels (z, y, x) inside tubes given in indices of ``GRID``."""
    points = np.moveaxis(np.indices(geometry.shape), 0, -1) * np.array(geometry.spacing_mm)
    out = np.zeros(geometry.shape, dtype=bool)
    for start, end, radius in tubes:
        way = np.array(end) - np.array(start)
        along = np.clip((points - np.array(start)) @ way / (way @ way), 0.0, 1.0)
        out |= np.linalg.norm(points - np.array(start) - along[..., None] * way, axis=-1) < radius
    return out


def tree_of(airways, geometry):
    """The tree of lumen in soft tissue without blur."""
    return airway_tree(airways, np.where(airways, -1000, 30).astype(np.int16), geometry)


def test_forks_are_counted_from_the_trachea():
    tree = tree_of(drawn(*WHOLE), GRID)
    assert sorted(tree.generation.tolist()) == [0, 1, 1, 2, 2]
    assert tree.parent[0] == -1
    assert all(tree.generation[p] == g - 1 for p, g in zip(tree.parent[1:], tree.generation[1:], strict=True))
    # Both daughters of generation 2 hang on the left main bronchus.
    left = [b for b in np.flatnonzero(tree.generation == 1) if tree.points_mm[tree.branch == b][:, 0].mean() > 0]
    assert set(tree.parent[tree.generation == 2]) == set(left)


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (1.25, 0.75, 0.75), (2.0, 1.0, 1.0)])
def test_diameters_and_lengths_are_those_of_the_tubes(spacing):
    shape = tuple(round(n / s) for n, s in zip(GRID.shape, spacing, strict=True))
    grid = Geometry(shape, spacing)
    tree = tree_of(drawn(*Y, geometry=grid), grid)
    wide = tree.branch_diameter_mm
    assert wide[0] == pytest.approx(14.0, rel=0.08)
    assert wide[1:] == pytest.approx([10.0, 10.0], rel=0.1)
    # The drawn tubes end in half balls.
    ways = tree.length_mm[0] + tree.length_mm[1:]
    assert ways == pytest.approx([7.0 + 44.0 + 36.1 + 5.0] * 2, rel=0.06)


@pytest.mark.parametrize(("around", "radius_mm"), [(30.0, 1.0), (30.0, 1.6), (30.0, 2.4), (-860.0, 1.6), (-860.0, 2.4)])
def test_a_bronchus_of_a_few_voxels_is_measured_by_its_share_of_air(radius_mm, around):
    z, y, x = np.indices((60, 25, 25)) - 12.3
    away = np.hypot(y - 0.12 * z, x)  # askew, so that it meets the voxels everywhere
    air, wall = (np.clip(0.5 - (away - r), 0.0, 1.0) for r in (radius_mm, radius_mm + 0.2 + 0.25 * radius_mm))
    hu = around + wall * (20.0 - around)
    hu = ndimage.gaussian_filter(hu + air * (-1000.0 - hu), 0.5)
    lumen = hu < -1000.0 + 0.5 * (hu.max(axis=(1, 2), keepdims=True) + 1000.0)
    lumen &= away < radius_mm + 0.3
    tree = airway_tree(lumen, np.rint(hu).astype(np.int16), Geometry(hu.shape, (1.0, 1.0, 1.0)))
    assert tree.branch_diameter_mm[0] == pytest.approx(2.0 * radius_mm, rel=0.25)


def test_points_lie_on_the_axes_in_patient_coordinates():
    tree = tree_of(drawn(*Y), GRID)
    trachea = tree.points_mm[(tree.branch == 0)][3:-6]
    assert np.abs(trachea[:, 0] - GRID.to_patient((0, 35, 45))[0]).max() < 0.7
    assert np.abs(trachea[:, 1] - GRID.to_patient((0, 35, 45))[1]).max() < 0.7
    assert (np.diff(trachea[:, 2]) < 0).all()


def test_a_mirrored_chest_has_the_mirrored_tree():
    tree = tree_of(drawn(*WHOLE), GRID)
    flipped = dataclasses.replace(GRID, direction=((0.0, 0.0, 1.0), (0.0, 1.0, 0.0), (-1.0, 0.0, 0.0)))
    mirrored = tree_of(drawn(*WHOLE), flipped)
    assert np.array_equal(mirrored.generation, tree.generation)
    assert np.allclose(mirrored.points_mm[:, 1:], tree.points_mm[:, 1:])
    assert np.allclose(mirrored.length_mm, tree.length_mm)


def test_a_bump_on_the_wall_is_no_branch():
    bump = ((48.0, 35.0, 31.5), (48.0, 29.0, 31.5), 2.0)
    tree = tree_of(drawn(*Y, bump), GRID)
    assert sorted(tree.generation.tolist()) == [0, 1, 1]


def test_a_recess_of_the_throat_is_no_bronchus():
    recess = ((96.0, 35.0, 45.0), (84.0, 35.0, 60.0), 2.5)
    tree = tree_of(drawn(*WHOLE, recess), GRID)
    assert sorted(tree.generation.tolist()) == [0, 1, 1, 2, 2]


def test_loops_are_cut_and_every_point_is_reached_from_the_top():
    bridge = ((36.0, 35.0, 18.0), (36.0, 35.0, 72.0), 3.0)
    tree = tree_of(drawn(*WHOLE, bridge), GRID)
    assert (tree.before[1:] >= 0).all()
    at = np.arange(len(tree.before))
    for _ in range(len(tree.before)):
        at = np.maximum(tree.before[at], 0)
    assert not at.any()


def test_steps_and_branches_add_up_and_nothing_can_be_changed():
    tree = tree_of(drawn(*WHOLE), GRID)
    assert tree.length_mm.sum() == pytest.approx(tree.step_mm.sum())
    assert (np.diff(tree.branch) >= 0).all()
    with pytest.raises(ValueError, match="read-only"):
        tree.points_mm[0] = 0.0


@pytest.mark.parametrize("voxels", [0, 1])
def test_a_dot_has_no_tree(voxels):
    mask = np.zeros(GRID.shape, dtype=bool)
    mask.reshape(-1)[:voxels] = True
    assert tree_of(mask, GRID) is None


def test_the_tree_of_a_made_chest_has_a_trachea_and_a_main_bronchus_on_each_side(healthy_anatomy):
    tree = healthy_anatomy.airway_tree
    assert tree.generation[0] == 0
    assert tree.branch_diameter_mm[0] == pytest.approx(15.0, rel=0.25)
    assert 80.0 < tree.length_mm[0] < 140.0
    main = np.flatnonzero(tree.generation == 1)
    sides = [tree.points_mm[tree.branch == b][-1, 0] for b in main]
    assert len(main) == 2
    assert min(sides) < -10.0
    assert max(sides) > 10.0
    assert tree.generation.max() >= 3
