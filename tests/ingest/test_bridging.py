import numpy as np

from cop_imaging.core.geometry import StoredOrder
from cop_imaging.core.volume import AIR_HU
from cop_imaging.ingest.bridging import bridge


def made():
    rng = np.random.default_rng(3)
    hu = rng.integers(-1000, 3000, (5, 6, 7)).astype(np.int16)
    return hu, rng.random((5, 6, 7)) < 0.7


def test_a_bridged_slice_is_the_mean_of_its_neighbours_where_both_were_scanned():
    hu, valid = made()
    before = hu.copy(), valid.copy()
    bridge(hu, valid, 2)
    both = before[1][1] & before[1][3]
    assert (valid[2] == both).all()
    mean = (before[0][1].astype(float) + before[0][3]) / 2
    assert np.abs(hu[2] - mean)[both].max() <= 0.5
    assert (hu[2][~both] == AIR_HU).all()
    for n in (0, 1, 3, 4):
        assert (hu[n] == before[0][n]).all()
        assert (valid[n] == before[1][n]).all()


def test_the_densest_neighbours_do_not_overflow():
    hu, valid = np.full((3, 2, 2), 32767, np.int16), np.ones((3, 2, 2), np.bool_)
    hu[1] = 0
    bridge(hu, valid, 1)
    assert (hu == 32767).all()


def test_a_flipped_view_is_filled_in_place():
    hu, valid = made()
    order = StoredOrder((0, 2, 1), (True, False, True))
    expected = order.to_stored(hu).copy(), order.to_stored(valid).copy()
    bridge(*expected, 2)
    bridge(order.to_stored(hu), order.to_stored(valid), 2)
    assert (order.to_stored(hu) == expected[0]).all()
    assert (order.to_stored(valid) == expected[1]).all()
