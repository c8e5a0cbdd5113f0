"""Honeycombing: clusters of closed air cells under the pleura, and what looks like them."""

import numpy as np
import pytest

from cop_imaging.core import Acquisition, Presence
from cop_imaging.signs.honeycombing import Honeycombing
from cop_imaging.signs.observe import look_for

SIDE_MM = 60.0
HALF_MM = SIDE_MM / 2
AIR_HU, WALL_HU = -980.0, 20.0
STEP_MM = 9.0
"""Distance of the cells' centres; with cells of 7.5 mm their walls are 1.5 mm thick."""


def comb(b, centres, *, air_hu=AIR_HU, radius_mm=3.75):
    """Cubes of tissue that hold one ball of air each."""
    for centre in centres:
        b.box(centre, (STEP_MM / 2,) * 3, WALL_HU)
    for centre in centres:
        b.ball(centre, radius_mm, air_hu)
    return [tuple(c) for c in centres]


def grid(layers=2, rows=3, *, from_pleura_mm=0.0, x=-12.0):
    """Cells in ``layers`` from the back of the right lung."""
    first = HALF_MM - from_pleura_mm - STEP_MM / 2
    across = (np.arange(rows) - (rows - 1) / 2) * STEP_MM
    return [(z, first - k * STEP_MM, x + dx) for k in range(layers) for z in across for dx in across[:2]]


@pytest.fixture
def lungs(block):
    return lambda **kwargs: block(side_mm=(SIDE_MM,) * 3, **kwargs)


def seen(b):
    return look_for(Honeycombing(), b.scene(), {})


def test_two_layers_of_cells_under_the_pleura_are_honeycombing(lungs, value):
    b = lungs()
    centres = comb(b, grid())
    found = seen(b)
    assert found.presence is Presence.PRESENT
    assert value(found, "cell_count") == len(centres)
    assert value(found, "cluster_count") == 1.0
    assert value(found, "cell_diameter_mm") == pytest.approx(7.5, abs=1.2)
    assert value(found, "volume_ml") == pytest.approx(len(centres) * STEP_MM**3 / 1000, rel=0.25)
    assert value(found, "right_share") == pytest.approx(1.0)
    for m in found.measures:
        assert m.value is None or m.low is None or m.low <= m.value <= m.high, m.name


def test_more_cells_are_more_honeycombing(lungs, value):
    volumes = []
    for layers in (1, 2, 3):
        b = lungs()
        comb(b, grid(layers))
        volumes.append(value(seen(b), "volume_ml"))
    assert volumes == sorted(volumes)
    assert volumes[2] > 2 * volumes[0]


def test_the_other_lung_shows_the_mirror_image(lungs, value):
    b = lungs()
    comb(b, [(z, y, -x) for z, y, x in grid()])
    found = seen(b)
    assert value(found, "right_share") == 0.0
    assert value(found, "cell_count") == len(grid())


def test_even_lung_has_none(lungs, value):
    found = seen(lungs())
    assert found.presence is Presence.ABSENT
    assert found.score == 0.0
    assert value(found, "cell_count") == 0.0
    assert value(found, "cell_diameter_mm") is None


def test_reticulation_around_aerated_lung_is_no_honeycombing(lungs, value):
    b = lungs()
    comb(b, grid(), air_hu=-860.0)
    assert value(seen(b), "cell_count") == 0.0


def test_holes_without_walls_are_no_honeycombing(lungs, value):
    b = lungs()
    for centre in grid():
        b.ball(centre, 3.75, AIR_HU)
    assert value(seen(b), "cell_count") == 0.0


def test_bronchi_are_open_at_their_ends(lungs, value):
    b = lungs()
    for _, y, x in grid(rows=2):
        b.tube(0, (0.0, y, x), 3.5, WALL_HU)
        b.tube(0, (0.0, y, x), 2.25, AIR_HU)
    assert value(seen(b), "cell_count") == 0.0


def test_cells_far_from_the_pleura_do_not_count(lungs, value):
    b = lungs()
    comb(b, grid(1, 2, from_pleura_mm=16.0, x=0.0))
    assert value(seen(b), "cell_count") == 0.0


def test_a_few_cells_are_no_cluster(lungs, value):
    b = lungs()
    comb(b, grid()[:3])
    assert value(seen(b), "cell_count") == 0.0


def test_thick_slices_cannot_show_it(lungs):
    b = lungs(acquisition=Acquisition(slice_thickness_mm=5.0))
    found = seen(b)
    assert found.presence is Presence.NOT_ASSESSABLE
    assert "5 mm" in found.reason
    assert found.mask is None


def test_the_definition_states_the_limits_in_force():
    assert "30 HU darker" in Honeycombing().definition
