"""Lungs and fluid from probabilities and the image."""

from __future__ import annotations

import numpy as np
import pytest

from cop_imaging.anatomy.fluid_config import FluidConfig
from cop_imaging.anatomy.lung_network import CLASSES, LungLogits
from cop_imaging.anatomy.seen_config import SeenConfig
from cop_imaging.anatomy.seen_lungs import seen_lungs
from cop_imaging.anatomy.strays_config import StraysConfig
from cop_imaging.core.anatomy import LEFT, RIGHT
from cop_imaging.core.geometry import Geometry

WORK = Geometry((40, 60, 80), (2.0, 2.0, 2.0), (0.0, 0.0, 0.0))
SEEN = WORK.resampled((4.0, 4.0, 4.0))
X = np.arange(SEEN.shape[2])
RIGHT_BOX, LEFT_BOX = np.s_[3:17, 5:25, 4:16], np.s_[3:17, 5:25, 22:36]
WORK_RIGHT, WORK_LEFT = np.s_[6:34, 10:50, 8:32], np.s_[6:34, 10:50, 44:72]


def scene(strength=4.0):
    """Two lungs full of air in muscle, seen as they are."""
    logits = np.zeros((len(CLASSES), *SEEN.shape), dtype=np.float32)
    logits[0] = strength
    logits[0][RIGHT_BOX] = logits[0][LEFT_BOX] = 0.0
    logits[1][RIGHT_BOX] = logits[2][LEFT_BOX] = strength
    hu = np.full(WORK.shape, 50.0, dtype=np.float32)
    hu[WORK_RIGHT] = hu[WORK_LEFT] = -850.0
    return logits, hu


def found(logits, hu, excluded=None, bowel=None):
    """The lungs of a scene; gas in ``bowel`` is known not to be the lungs' air."""
    nothing = np.zeros(WORK.shape, dtype=bool)
    aerated = hu < -400.0
    if bowel is not None:
        aerated[bowel] = False
    return seen_lungs(
        LungLogits(logits, SEEN), hu, ~nothing, aerated, nothing if excluded is None else excluded, WORK,
        lung_hu=-400.0, smallest_ml=1.0, config=SeenConfig(), fluid_config=FluidConfig(), strays=StraysConfig(),
    )  # fmt: skip


def test_each_lung_has_its_own_label_and_nothing_is_fluid():
    lungs = found(*scene())
    assert (lungs.lungs[WORK_RIGHT] == RIGHT).mean() > 0.99
    assert (lungs.lungs[WORK_LEFT] == LEFT).mean() > 0.99
    assert lungs.effusion is not None
    assert not lungs.effusion.any()
    assert lungs.unseen < 0.01


def test_airless_tissue_that_the_network_holds_for_lung_is_kept_and_muscle_is_not():
    logits, hu = scene()
    hu[6:20, 10:50, 8:20] = 45.0
    lungs = found(logits, hu)
    assert (lungs.lungs[8:18, 12:48, 10:20] == RIGHT).all()
    assert lungs.recovered[8:18, 12:48, 10:19].all()
    assert not lungs.lungs[:, :, 36:40].any()


def bitten(core):
    """A patch on the pleura, 24 x 24 x 16 mm; the network is sure of its ``core`` only and doubts the rest."""
    logits, hu = scene()
    hu[12:24, 18:30, 8:20] = 45.0
    at = np.s_[6:12, 9:15, 4:10]
    logits[0][at], logits[1][at] = 1.2, 0.0
    if core:
        sure = np.s_[7:11, 10:14, 6:10]
        logits[0][sure], logits[1][sure] = 0.0, 4.0
    return found(logits, hu).lungs[14:22, 20:28, 10:18] == RIGHT


def test_a_patch_in_a_hollow_of_the_lung_is_whole_when_the_network_sees_its_core():
    assert bitten(core=True).mean() > 0.95


def test_a_hollow_without_airless_lung_in_it_stays_outside():
    assert bitten(core=False).mean() < 0.05


def test_fluid_beside_the_lung_is_effusion_and_no_lung():
    logits, hu = scene()
    logits[3][3:17, 19:25, 4:16], logits[1][3:17, 19:25, 4:16] = 6.0, 0.0
    hu[6:34, 38:50, 8:32] = 8.0
    lungs = found(logits, hu)
    assert lungs.effusion[8:32, 41:48, 10:30].all()
    assert not (lungs.effusion & (lungs.lungs > 0)).any()


def test_what_may_be_lung_or_fluid_is_uncertain_and_neither():
    logits, hu = scene()
    at = np.s_[3:17, 19:25, 4:16]
    logits[0][at], logits[1][at], logits[3][at] = 1.0, 2.0, 2.0
    hu[6:34, 38:50, 8:32] = 23.0  # as dense as either
    lungs = found(logits, hu)
    assert lungs.uncertain[10:30, 42:48, 12:28].mean() > 0.9
    assert not (lungs.uncertain & ((lungs.lungs > 0) | lungs.effusion)).any()


def test_aerated_lung_that_the_network_does_not_see_is_counted():
    logits, hu = scene()
    logits[:, :, :, 20:] = 0.0
    logits[0][:, :, 20:] = 4.0
    assert found(logits, hu).unseen == pytest.approx(28 / 52, abs=0.02)


def test_windpipe_and_main_bronchi_stay_out():
    logits, hu = scene()
    excluded = np.zeros(WORK.shape, dtype=bool)
    excluded[10:20, 20:30, 20:26] = True
    assert not found(logits, hu, excluded).lungs[excluded].any()


def under_the_dome(fat_share):
    """A large piece below the left lung that the network holds for lung, part of it fat, with gas inside."""
    logits, hu = scene()
    logits[2][3:17, 5:25, 22:36] = 6.0
    piece = np.s_[20:34, 10:50, 44:72]
    hu[piece] = 40.0
    hu[20:34, 10 : 10 + int(40 * fat_share), 44:72] = -100.0
    gas = np.s_[26:30, 30:42, 52:64]
    hu[gas] = -900.0
    return found(logits, hu, bowel=gas)


def test_a_piece_that_is_mostly_fat_in_it_and_its_gas_are_stomach_and_spleen_not_lung():
    assert under_the_dome(0.0).lungs[22:32, 12:48, 46:70].any()
    assert not under_the_dome(0.6).lungs[24:32, 14:48, 48:68].any()


def test_lung_beside_such_a_piece_stays():
    assert (under_the_dome(0.6).lungs[8:18, 12:48, 46:70] == LEFT).mean() > 0.95
