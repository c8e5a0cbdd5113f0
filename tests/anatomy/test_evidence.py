"""What probabilities and density let expect of a lung mask."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from cop_imaging.anatomy.evidence import weigh_mask
from cop_imaging.anatomy.evidence_config import EvidenceConfig
from cop_imaging.anatomy.fluid_config import FluidConfig
from cop_imaging.anatomy.lung_network import CLASSES, LungLogits
from cop_imaging.core import Geometry

WORK = Geometry((40, 60, 80), (2.0, 2.0, 2.0), (0.0, 0.0, 0.0))
GRID = WORK.resampled((4.0, 4.0, 4.0))
LUNG, SEEN = np.s_[6:34, 10:50, 8:40], np.s_[3:17, 5:25, 4:20]
HALF = np.s_[6:34, 10:50, 8:24]
BACK, BACK_SEEN = np.s_[6:34, 34:50, 8:40], np.s_[3:17, 17:25, 4:20]
AIR, AIRLESS, WATER, TISSUE = -800.0, 48.0, 8.0, 40.0


def weighed(logits, mask, *, effusion=None, body=None, hu=None):
    """The evidence about a mask in a body of tissue around a lung full of air."""
    if hu is None:
        hu = chest()
    body = np.ones(WORK.shape, dtype=bool) if body is None else body
    return weigh_mask(LungLogits(logits, GRID), mask, effusion, body, hu, WORK, EvidenceConfig(), FluidConfig())


def chest(back=AIR):
    """Density of a lung whose back part is airless, or fluid."""
    hu = np.full(WORK.shape, TISSUE, dtype=np.float32)
    hu[LUNG] = AIR
    hu[BACK] = back
    return hu


def whole():
    """A mask of all of the lung."""
    mask = np.zeros(WORK.shape, dtype=bool)
    mask[LUNG] = True
    return mask


def seen(back=(0.0, 6.0, 0.0), strength=6.0):
    """Logits of a lung; those of its back part for outside, lung, fluid."""
    logits = np.zeros((len(CLASSES), *GRID.shape), dtype=np.float32)
    logits[0] = strength
    logits[0][SEEN], logits[1][SEEN] = 0.0, strength
    logits[0][BACK_SEEN], logits[1][BACK_SEEN], logits[3][BACK_SEEN] = back
    return logits


def evidence(strength=6.0, mask=None):
    """A lung that the network sees with some strength, and a mask of it, whole when left out."""
    logits = np.zeros((len(CLASSES), *GRID.shape), dtype=np.float32)
    logits[0] = strength
    logits[0][SEEN], logits[1][SEEN] = 0.0, strength
    if mask is None:
        mask = np.zeros(WORK.shape, dtype=bool)
        mask[LUNG] = True
    return weighed(logits, mask)


def half():
    """A mask that leaves out half of the lung."""
    mask = np.zeros(WORK.shape, dtype=bool)
    mask[LUNG] = True
    mask[HALF] = False
    return mask


def test_a_mask_that_is_what_a_sure_network_sees_is_expected_to_be_right():
    found = evidence(strength=9.0)
    assert found.expected_dice > 0.98
    assert found.unclear < 0.01


def test_a_mask_that_leaves_out_half_of_what_a_sure_network_sees_is_expected_to():
    assert evidence(strength=9.0, mask=half()).expected_dice == pytest.approx(2.0 * 0.5 / 1.5, abs=0.03)


def test_the_less_sure_the_network_the_more_is_unclear_and_the_less_is_expected():
    found = [evidence(strength=s) for s in (6.0, 4.0, 3.0, 2.0)]
    unclear, expected = [f.unclear for f in found], [f.expected_dice for f in found]
    assert unclear == sorted(unclear)
    assert expected == sorted(expected, reverse=True)


def test_what_lies_outside_the_body_makes_nothing_unclear():
    logits = np.zeros((len(CLASSES), *GRID.shape), dtype=np.float32)
    nothing = np.zeros(WORK.shape, dtype=bool)
    found = weighed(logits, half(), body=nothing)
    assert found.unclear == 0.0


def test_of_airless_lung_of_which_the_network_is_sure_nothing_is_disputed():
    found = weighed(seen(), whole(), hu=chest(AIRLESS))
    assert found.disputed < 0.03
    assert found.watery < 0.03


def test_airless_lung_that_was_left_out_is_disputed_the_more_the_likelier_it_is():
    mask = whole()
    mask[BACK] = False
    mask[6:34, 34:38, 8:40] = True  # a layer of the airless lung is kept
    shares = [weighed(seen((6.0, lung, 0.0)), mask, hu=chest(AIRLESS)).disputed for lung in (0.0, 4.5, 6.0)]
    assert shares == sorted(shares)
    assert shares[0] < 0.05
    assert shares[2] > 0.2


@pytest.mark.parametrize(("columns", "counts"), [(slice(21, 27), True), (slice(31, 39), False)])
def test_tissue_far_from_the_mask_is_no_lung_that_was_left_out(columns, counts):
    logits = seen()
    logits[1, 6:14, 8:18, columns] = 8.0  # skin under a cover, that the network takes for lung
    assert (weighed(logits, whole()).disputed > 0.2) == counts


def test_tissue_that_may_as_well_be_fluid_is_disputed():
    assert weighed(seen((0.0, 6.0, 6.0)), whole(), hu=chest((AIRLESS + WATER) / 2)).disputed > 0.2


def test_density_of_water_makes_a_mask_watery_where_the_network_is_not_quite_sure():
    unsure = seen((0.0, 6.0, 3.0))
    assert weighed(unsure, whole(), hu=chest(WATER)).watery > 3.0 * weighed(unsure, whole(), hu=chest(AIRLESS)).watery


def test_beside_fluid_that_was_found_no_mask_is_watery():
    unsure, hu = seen((0.0, 6.0, 3.0)), chest(WATER)
    fluid = np.zeros(WORK.shape, dtype=bool)
    fluid[6:34, 50:56, 8:40] = True
    assert weighed(unsure, whole(), hu=hu, effusion=fluid).watery < 0.8 * weighed(unsure, whole(), hu=hu).watery


def test_a_scan_without_airless_lung_is_neither_disputed_nor_watery():
    found = weighed(seen(), whole())
    assert found.watery < 0.01
    assert found.disputed < 0.1


@pytest.mark.parametrize(("side", "counts"), [(5, True), (3, False)])
def test_small_pieces_left_out_are_what_every_scan_has(side, counts):
    mask = whole()
    mask[12 : 12 + 2 * side, 36 : 36 + 2 * side, 20 : 20 + 2 * side] = False
    more = weighed(seen(), mask, hu=chest(AIRLESS)).disputed - weighed(seen(), whole(), hu=chest(AIRLESS)).disputed
    assert (more > 0.01) is counts


BIG = Geometry((60, 70, 80), (2.0, 2.0, 2.0), (0.0, 0.0, 0.0))


def silence(*bronchi, airless_z=60):
    """How silent an airless block of 80 x 100 x 120 mm, or less of it in z, is with bronchi at these (y, x)."""
    grid = BIG.resampled((4.0, 4.0, 4.0))
    mask, hu = np.zeros(BIG.shape, dtype=bool), np.full(BIG.shape, TISSUE, dtype=np.float32)
    mask[10:50, 10:60, 10:70] = True
    hu[mask] = AIR
    hu[10:airless_z, 10:60, 10:70] = AIRLESS
    for y, x in bronchi:
        hu[10:50, y, x] = -400.0
    logits = np.zeros((len(CLASSES), *grid.shape), dtype=np.float32)
    body = np.ones(BIG.shape, dtype=bool)
    return weigh_mask(LungLogits(logits, grid), mask, None, body, hu, BIG, EvidenceConfig(), FluidConfig()).silent


def test_airless_lung_without_any_air_inside_is_silent_and_the_less_the_more_bronchi_run_through_it():
    shares = [silence(), silence((35, 40)), silence(*product((22, 48), (20, 40, 60)))]
    assert shares[0] == pytest.approx(40 * 50 * 60 * 0.008 / 1000.0, abs=0.06)  # 0.96 L, held against one litre
    assert shares == sorted(shares, reverse=True)
    assert shares[2] < 0.1


def test_a_layer_of_airless_lung_on_aerated_lung_is_not_silent():
    assert silence(airless_z=22) == 0.0
