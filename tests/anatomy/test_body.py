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
