"""Bronchi are followed as long as walls close them in, in lung and in consolidation, and nowhere else."""

import numpy as np
import pytest

from cop_imaging.anatomy.bronchi import grow_bronchi
from cop_imaging.anatomy.bronchi_config import BronchiConfig
from cop_imaging.core import Geometry

GRID = Geometry((60, 48, 48), (1.0, 1.0, 1.0))
LUNG_HU, WALL_HU, AIR_HU, DENSE_HU = -860.0, 20.0, -1000.0, 30.0
TRUNK = ((58.0, 24.0, 24.0), (38.0, 24.0, 24.0), 3.5)
BRANCH = ((38.0, 24.0, 24.0), (12.0, 30.0, 14.0), 1.6)
EVERYWHERE = np.ones(GRID.shape, dtype=bool)


def away(tube):
    """Distance in mm of every voxel from the surface of a tube, negative inside."""
    start, end, radius = np.array(tube[0]), np.array(tube[1]), tube[2]
    points = np.moveaxis(np.indices(GRID.shape), 0, -1).astype(float)
    way = end - start
    along = np.clip((points - start) @ way / (way @ way), 0.0, 1.0)
    return np.linalg.norm(points - start - along[..., None] * way, axis=-1) - radius


def chest(*tubes, around=LUNG_HU, walls=True, noise_hu=15.0, seed=1):
    """Lung of one density with bronchi, a voxel's edge soft."""
    surface = np.min([away(tube) for tube in tubes], axis=0)
    hu = np.full(GRID.shape, around)
    if walls:
        part = np.clip(0.5 - (surface - 0.8), 0.0, 1.0)
        hu = hu + part * (WALL_HU - hu)
    part = np.clip(0.5 - surface, 0.0, 1.0)
    hu = hu + part * (AIR_HU - hu)
    return np.rint(hu + np.random.default_rng(seed).normal(0.0, noise_hu, GRID.shape)).astype(np.int16)


def trunk_seed():
    """The trunk's core: the rim of a seed is missing."""
    return away(TRUNK) < -1.0


def line(tube, n=60):
    t = np.linspace(0.0, 1.0, n)[:, None]
    return np.rint(np.array(tube[0]) + t * (np.array(tube[1]) - np.array(tube[0]))).astype(int)


def found_in(hu, **changes):
    return grow_bronchi(hu, trunk_seed(), EVERYWHERE, GRID, BronchiConfig(**changes))


@pytest.mark.parametrize("around", [LUNG_HU, -650.0, DENSE_HU], ids=["lung", "ground glass", "consolidation"])
def test_a_bronchus_is_followed_to_its_end_and_what_is_around_is_left(around):
    found = found_in(chest(TRUNK, BRANCH, around=around))
    assert found[tuple(line(BRANCH)[:-2].T)].mean() > 0.95
    assert not found[np.minimum(away(TRUNK), away(BRANCH)) > 1.5].any()


def test_the_rim_that_a_seed_lacks_is_filled():
    lumen = away(TRUNK) < 0.0
    found = found_in(chest(TRUNK, BRANCH))
    middle = slice(42, 54)
    assert trunk_seed()[middle].sum() < 0.65 * lumen[middle].sum()
    assert found[middle].sum() == pytest.approx(lumen[middle].sum(), rel=0.25)


def test_a_dark_streak_without_walls_is_no_bronchus():
    with_walls, without = (found_in(chest(TRUNK, BRANCH, walls=w, around=-945.0)) for w in (True, False))
    tip = line(BRANCH)[20:]
    assert with_walls[tuple(tip.T)].any()
    assert not without[tuple(tip.T)].any()


def test_a_hole_of_emphysema_at_the_end_of_a_bronchus_is_not_filled():
    hole = ((8.0, 31.0, 12.0), (7.9, 31.0, 12.0), 7.0)
    hu = chest(TRUNK, BRANCH)
    inside = away(hole) < 0.0
    hu[inside] = -985
    found = found_in(hu)
    assert found[tuple(line(BRANCH)[:45].T)].mean() > 0.9
    assert (found & (away(hole) < -2.0)).sum() < 0.05 * inside.sum()


def test_a_gap_of_a_voxel_is_passed_and_a_blocked_bronchus_is_not():
    place = line(BRANCH, 27)
    narrow, blocked = chest(TRUNK, BRANCH), chest(TRUNK, BRANCH)
    narrow[tuple(place[12])] = -780
    points = np.moveaxis(np.indices(GRID.shape), 0, -1)
    blocked[np.linalg.norm(points - place[12], axis=-1) < 5.0] = DENSE_HU
    beyond = tuple(place[20:25].T)
    assert found_in(narrow)[beyond].all()
    assert not found_in(blocked)[beyond].any()


def test_growth_that_passes_the_limit_is_repeated_stricter():
    hu = chest(TRUNK, BRANCH)
    free = found_in(hu)
    strict = found_in(hu, most_beyond_seed_ml=5.0, closed_axes=8.0)
    assert free.any()
    assert (strict.sum() - trunk_seed().sum()) / 1000.0 <= 5.0


def test_without_a_seed_there_are_no_airways():
    assert not grow_bronchi(chest(TRUNK), np.zeros(GRID.shape, dtype=bool), EVERYWHERE, GRID).any()


def test_the_same_scan_gives_the_same_airways_and_is_left_as_it_was():
    hu = chest(TRUNK, BRANCH)
    hu.flags.writeable = False
    before = hu.tobytes()
    assert np.array_equal(found_in(hu), found_in(hu))
    assert hu.tobytes() == before


def test_what_lies_beyond_the_rays_changes_nothing():
    hu = chest(TRUNK, BRANCH)
    wide = np.pad(hu, ((0, 0), (12, 12), (12, 12)), constant_values=40)
    geometry = Geometry(wide.shape, GRID.spacing_mm)
    pad = ((0, 0), (12, 12), (12, 12))
    found = grow_bronchi(wide, np.pad(trunk_seed(), pad), np.pad(EVERYWHERE, pad), geometry)
    inner = (slice(None), slice(12, -12), slice(12, -12))
    assert (found[inner] != found_in(hu)).sum() < 0.01 * found.sum()
