"""What lies beside or below the lungs and is taken for lung."""

from __future__ import annotations

import numpy as np
import pytest

from cop_imaging.anatomy.strays import bowel_gas, stray_tissue
from cop_imaging.anatomy.strays_config import StraysConfig
from cop_imaging.core.geometry import Geometry

WORK = Geometry((50, 60, 60), (2.0, 2.0, 2.0), (0.0, 0.0, 0.0))
LUNG = np.s_[20:48, 8:52, 8:52]
CONFIG = StraysConfig()


def nothing():
    return np.zeros(WORK.shape, dtype=bool)


def scene(piece, *, hu=45.0, lung=LUNG, fluid=None, gas=None, rim=None, config=CONFIG):
    """A lung full of air, a piece of dense tissue that the network takes for lung, and what is dropped."""
    smooth = np.full(WORK.shape, 45.0, dtype=np.float32)
    aerated, dense, wet, airy = nothing(), nothing(), nothing(), nothing()
    if lung is not None:
        aerated[lung] = True
    dense[piece] = True
    aerated &= ~dense
    if fluid is not None:
        wet[fluid] = True
    airy |= aerated
    if gas is not None:
        airy[gas] = True
    smooth[airy] = -850.0
    smooth[piece] = hu
    dropped, _ = stray_tissue(
        dense, airy, aerated, aerated if rim is None else aerated | rim, wet, ~nothing(), smooth, WORK, config
    )
    return dropped, dense


UNDER_A_DOME = np.s_[4:17, 14:34, 14:34]
ON_THE_WALL = np.s_[26:40, 8:28, 8:20]


def test_a_solid_organ_apart_from_the_aerated_lung_is_dropped_whole():
    dropped, dense = scene(UNDER_A_DOME)
    assert np.array_equal(dropped, dense)


def test_consolidation_that_lies_on_aerated_lung_and_chest_wall_stays():
    dropped, _ = scene(ON_THE_WALL)
    assert not dropped.any()


def test_lung_that_collapsed_beside_fluid_stays():
    around = np.s_[2:19, 10:38, 12:36]
    dropped, _ = scene(UNDER_A_DOME, fluid=around)
    assert not dropped.any()


def test_consolidation_with_a_rim_that_aerated_lung_encloses_stays():
    rim, dense = nothing(), nothing()
    rim[1:20, 11:37, 11:37] = True
    dense[UNDER_A_DOME] = True
    dropped, _ = scene(UNDER_A_DOME, rim=rim & ~dense)
    assert not dropped.any()


def test_a_lung_without_air_stays():
    dropped, dense = scene(np.s_[10:40, 10:50, 10:50], lung=None)
    assert dense.any()
    assert not dropped.any()


def test_what_touches_enough_is_a_matter_of_the_limit():
    dropped, dense = scene(ON_THE_WALL, config=CONFIG.model_copy(update={"least_touched": 0.9, "most_of_side": 9.0}))
    assert dropped[dense].mean() > 0.95


def test_ground_glass_is_not_judged_by_what_it_touches():
    dropped, _ = scene(UNDER_A_DOME, hu=-300.0)
    assert not dropped.any()


@pytest.mark.parametrize(("hu", "gone"), [(-100.0, True), (45.0, False)])
def test_fat_that_hardly_lies_on_lung_is_dropped_and_consolidation_of_the_same_shape_is_not(hu, gone):
    dropped, dense = scene(ON_THE_WALL, hu=hu, config=CONFIG.model_copy(update={"surely_touched": 0.9}))
    assert dropped[dense].mean() > 0.95 if gone else not dropped.any()


def test_what_is_as_dense_as_fat_but_lies_broadly_on_lung_is_kept_and_doubted():
    aerated, dense = nothing(), nothing()
    aerated[LUNG] = True
    dense[ON_THE_WALL] = True
    aerated &= ~dense
    smooth = np.where(aerated, -850.0, 45.0).astype(np.float32)
    smooth[dense] = -100.0
    dropped, unsure = stray_tissue(dense, aerated, aerated, aerated, nothing(), ~nothing(), smooth, WORK, CONFIG)
    assert not dropped.any()
    assert unsure[dense].mean() > 0.95


def test_strong_noise_does_not_make_consolidation_fat():
    noise = np.random.default_rng(5).normal(0.0, 150.0, (14, 20, 12)).astype(np.float32)
    values = 20.0 + noise
    assert ((values > -130.0) & (values < -40.0)).mean() > 0.15
    dropped, _ = scene(ON_THE_WALL, hu=values, config=CONFIG.model_copy(update={"most_fat": 0.15}))
    assert not dropped.any()


@pytest.mark.parametrize(("surely", "doubted"), [(0.3, False), (0.9, True)])
def test_a_piece_that_touches_less_than_airless_lung_does_is_kept_and_doubted(surely, doubted):
    aerated, dense = nothing(), nothing()
    aerated[LUNG] = True
    dense[ON_THE_WALL] = True
    aerated &= ~dense
    smooth = np.where(aerated, -850.0, 45.0).astype(np.float32)
    config = CONFIG.model_copy(update={"surely_touched": surely})
    dropped, unsure = stray_tissue(dense, aerated, aerated, aerated, nothing(), ~nothing(), smooth, WORK, config)
    assert not dropped.any()
    assert unsure[dense].mean() > 0.95 if doubted else not unsure.any()
    assert not unsure[~dense].any()


LARGE = np.s_[22:47, 8:42, 8:38]


def test_a_large_piece_of_organs_with_fat_between_them_is_dropped_though_most_of_it_is_no_fat():
    layers = np.full((25, 34, 30), 45.0, dtype=np.float32)
    layers[:, 6:13] = layers[:, 20:27] = -100.0
    assert np.median(layers) > 0.0
    dropped, dense = scene(LARGE, hu=layers, config=CONFIG.model_copy(update={"most_of_side": 0.0}))
    assert dropped[dense].mean() > 0.95


def test_in_a_large_piece_of_consolidation_strong_noise_makes_no_fat():
    values = np.random.default_rng(5).normal(20.0, 150.0, (25, 34, 30)).astype(np.float32)
    config = CONFIG.model_copy(update={"most_of_side": 0.0, "most_fat": 0.15})
    assert not scene(LARGE, hu=values, config=config)[0].any()


def test_small_pieces_as_dense_as_fat_may_be_consolidation_with_some_air_left():
    dropped, _ = scene(np.s_[26:38, 8:20, 8:20], hu=-100.0)
    assert not dropped.any()


def test_gas_that_such_an_organ_touches_goes_with_it_and_aerated_lung_stays():
    bubble = np.s_[8:12, 34:40, 18:30]
    dropped, dense = scene(UNDER_A_DOME, gas=bubble)
    assert dropped[bubble].all()
    assert dropped[dense].all()
    assert not dropped[LUNG].any()


def test_a_pocket_of_gas_that_is_lung_in_its_smaller_part_only_is_bowel():
    gas, airy = nothing(), nothing()
    gas[5:15, 10:40, 10:40] = True
    airy[LUNG] = True
    airy[12:15, 10:40, 10:40] = True
    assert np.array_equal(bowel_gas(airy, gas, WORK, CONFIG), gas)


def test_a_pocket_that_is_lung_for_the_most_part_stays_and_so_does_a_small_one():
    gas, airy = nothing(), nothing()
    gas[5:15, 10:40, 10:40] = True
    airy[7:15, 10:40, 10:40] = True
    gas[30:33, 50:56, 50:56] = True
    assert not bowel_gas(airy, gas, WORK, CONFIG).any()
