"""Lesions are spread over the lungs with room between them, until their volumes add up."""

import numpy as np
import pytest

from cop_imaging.synth.lesions.cavity import draw_cavity
from cop_imaging.synth.lesions.consolidation import draw_consolidation
from cop_imaging.synth.lesions.drawing import hilum, millilitres, occupied, spread, spread_to
from cop_imaging.synth.lesions.reversed_halo import draw_reversed_halo
from cop_imaging.synth.terrain import Where

ANYWHERE = Where()


def test_the_whole_terrain_stands_for_the_whole_lungs(terrain):
    assert millilitres(terrain, np.ones(len(terrain.lobe), bool)) == pytest.approx(terrain.lung_ml)
    assert millilitres(terrain, terrain.right) + millilitres(terrain, ~terrain.right) == pytest.approx(terrain.lung_ml)


def test_hila_lie_deep_on_their_own_side(terrain):
    for x in (-100.0, 100.0):
        place = hilum(terrain, (x, 20.0, -60.0))
        assert 15.0 < place[0] * np.sign(x) < 75.0
        assert np.linalg.norm(np.array(place) - [0.0, 20.0, -40.0]) < 90.0


def test_signs_that_must_be_seen_for_themselves_keep_clear_of_other_lesions(terrain):
    rng = np.random.default_rng(1)
    patches = draw_consolidation(terrain, rng, where=Where(depth_mm=(0.0, 10.0)), target_ml=300.0)
    taken = occupied(patches)
    halos = draw_reversed_halo(terrain, rng, where=ANYWHERE, number=3, clear_of=taken)
    cavities = draw_cavity(terrain, rng, where=ANYWHERE, number=2, clear_of=[*taken, *occupied(halos)])
    assert len(halos) == 3
    for one in (*halos, *cavities):
        for point, radius in taken:
            assert np.linalg.norm(np.array(one.centre_mm) - np.array(point)) >= radius + 0.5 * one.outer_mm
    for one in halos:
        for other in cavities:
            away = np.linalg.norm(np.array(one.centre_mm) - np.array(other.centre_mm))
            assert away >= 0.5 * (one.outer_mm + other.outer_mm)


def test_where_no_place_is_left_fewer_lesions_are_drawn(terrain):
    nowhere = Where(depth_mm=(500.0, 600.0))
    rng = np.random.default_rng(1)
    assert spread(terrain, nowhere, rng, number=3, size_mm=(10.0, 20.0)) == []
    wanted = {"target_ml": 10.0, "size_mm": (10.0, 20.0), "volume_ml": lambda _point, size: size}
    assert spread_to(terrain, nowhere, rng, **wanted) == []
    full = [((float(x), float(y), float(z)), 400.0) for x, y, z in terrain.points_mm[:1]]
    assert draw_reversed_halo(terrain, rng, where=ANYWHERE, number=2, clear_of=full) == ()


def test_volumes_add_up_and_none_is_drawn_for_no_volume(terrain):
    sites = spread_to(
        terrain,
        ANYWHERE,
        np.random.default_rng(3),
        target_ml=100.0,
        size_mm=(10.0, 20.0),
        volume_ml=lambda _point, size: size**3 / 1000.0,
    )
    assert sum(size**3 / 1000.0 for _, size in sites) == pytest.approx(100.0, rel=0.06)
    assert draw_consolidation(terrain, np.random.default_rng(1), where=ANYWHERE, target_ml=0.0) == ()
