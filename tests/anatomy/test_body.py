"""The body is what lies inside the skin."""

import numpy as np

from cop_imaging.anatomy.body import find_body
from cop_imaging.core import Geometry

GRID = Geometry((12, 60, 80), (3.0, 3.0, 3.0))


def trunk():
    _, y, x = np.indices(GRID.shape)
    hu = np.full(GRID.shape, -1000.0, dtype=np.float32)
    body = ((x - 40) / 32) ** 2 + ((y - 25) / 20) ** 2 < 1
    hu[body] = 40.0
    return hu, body


def test_lungs_and_bowel_gas_belong_to_the_body_and_the_table_does_not():
    hu, body = trunk()
    hu[:, 20:30, 20:30] = -850.0
    hu[:, 52:54, 5:75] = 200.0
    found = find_body(hu, GRID, -300.0)
    assert np.array_equal(found, body)


def test_a_table_that_touches_the_skin_is_opened_away():
    hu, body = trunk()
    hu[:, 45:47, 5:75] = 200.0
    found = find_body(hu, GRID, -300.0)
    assert found[body].all()
    # What stays is the wedge between skin and table, not the table's wings.
    assert not found[:, 44:, :20].any()
    assert not found[:, 44:, 60:].any()


def test_air_alone_is_no_body():
    assert not find_body(np.full(GRID.shape, -1000.0, dtype=np.float32), GRID, -300.0).any()


def test_the_scan_is_left_as_it_was():
    hu, _ = trunk()
    hu.flags.writeable = False
    before = hu.tobytes()
    find_body(hu, GRID, -300.0)
    assert hu.tobytes() == before


def test_a_chest_wall_thinner_than_a_table_top_still_closes_in_the_lungs():
    """A lean chest: in front of the lungs lie 5 mm of tissue, and a table below the back."""
    geometry = Geometry((20, 80, 100), (4.0, 3.0, 3.0))
    y, x = np.mgrid[:80, :100] * 3.0
    chest = np.hypot((x - 150.0) / 120.0, (y - 110.0) / 90.0) < 1.0
    lungs = (np.hypot((x - 150.0) / 100.0, (y - 105.0) / 79.0) < 1.0) & (np.abs(x - 150.0) > 9.0)
    plane = np.where(chest, 40, -1000)
    plane[lungs] = -850
    plane[72:74, 5:95] = 100
    hu = np.repeat(plane[None], 20, axis=0).astype(np.int16)
    body = find_body(hu, geometry, -300.0)
    assert body[:, lungs].mean() > 0.99
    assert not body[:, 72:74, 5:15].any()


def test_lung_that_the_field_of_view_cuts_through_belongs_to_the_body():
    hu, body = trunk()
    _, y, x = np.indices(GRID.shape)
    hu[(((x - 40) / 28) ** 2 + ((y - 25) / 16) ** 2 < 1) & (np.abs(x - 40) > 4)] = -850.0
    box = np.s_[:, :, 20:62]
    assert np.array_equal(find_body(hu[box], GRID.crop(box), -300.0), body[box])


def test_air_and_a_mattress_at_the_sides_of_the_field_are_no_body():
    hu, body = trunk()
    rng = np.random.default_rng(1)
    hu[:, 40:][~body[:, 40:]] = -890.0
    hu[~body] += rng.normal(0.0, 60.0, int((~body).sum()))
    box = np.s_[:, :, 14:66]
    assert np.array_equal(find_body(hu[box], GRID.crop(box), -300.0), body[box])
