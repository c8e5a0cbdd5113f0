"""Views keep the truth true, whatever is done to them."""

import numpy as np
import pytest
import torch

from cop_imaging.training.lungs.chance import CROP, Chance
from cop_imaging.training.lungs.paint import with_airless, with_fluid
from cop_imaging.training.lungs.views import Stored, placed, view_of

CPU = torch.device("cpu")
SHAPE = (80, 80, 100)


@pytest.fixture(scope="module")
def sample():
    """A body with two lungs, a higher left one, and an unknown patch; Stored."""
    hu, label = np.full(SHAPE, -1000, dtype=np.int16), np.zeros(SHAPE, dtype=np.uint8)
    hu[:, 12:70, 10:92] = 40
    label[14:66, 22:60, 18:46], label[20:66, 22:60, 56:84] = 1, 2
    hu[label > 0] = -850
    label[30:34, 30:34, 18:20] = 255
    return Stored(torch.tensor(hu), torch.tensor(label), torch.zeros(SHAPE, dtype=torch.bool))


@pytest.fixture(scope="module")
def views(sample):
    return [view_of(sample, np.random.default_rng(seed)) for seed in range(5)]


def test_a_view_is_the_same_for_the_same_numbers(sample, views):
    again = view_of(sample, np.random.default_rng(0))
    assert all(torch.equal(a, b) for a, b in zip(views[0], again, strict=True))
    assert not torch.equal(views[0].hu, views[1].hu)


def test_the_right_lung_lies_on_the_right_also_when_the_view_is_mirrored(views):
    x = torch.arange(CROP[2], dtype=torch.float32)
    for view in views:
        middle = [(x * (view.label == side).sum(dim=(0, 1))).sum() / (view.label == side).sum() for side in (1, 2)]
        assert middle[0] < middle[1]


def test_about_half_of_the_views_are_mirrored(sample):
    lower_is_right = []
    for seed in range(8):
        _, label, _ = placed(sample, Chance(np.random.default_rng(seed), CPU))
        lower_is_right.append((label == 1).sum() > (label == 2).sum())
    assert 1 <= sum(map(bool, lower_is_right)) <= 7


def test_unknown_voxels_stay_unknown_and_no_other_label_appears(views):
    assert set(torch.unique(torch.stack([view.label for view in views])).tolist()) <= {0, 1, 2, 3, 255}
    assert any((view.label == 255).any() for view in views)


def test_what_was_not_scanned_has_no_label(views):
    for view in views:
        assert not view.label[view.hu == -1024.0].any()


def chest():
    """HU, label and airless of a chest as large as a view."""
    hu, label = torch.full(CROP, 40.0), torch.zeros(CROP, dtype=torch.uint8)
    label[20:80, 30:70, 25:58], label[20:80, 30:70, 70:103] = 1, 2
    hu[label > 0] = -850.0
    return hu, label, torch.zeros(CROP, dtype=torch.bool)


def test_paint_makes_lung_airless_right_up_to_the_chest_wall():
    hu, label, dense = chest()
    painted, airless = with_airless(hu, label, dense, Chance(np.random.default_rng(3), CPU), whole=True)
    side = 1 if airless[label == 1].any() else 2
    assert airless[label == side].float().mean() > 0.6
    assert not airless[label != side].any()
    deep, rim = painted[40:60, 45:55, 30:50], painted[40:60, 45:55, 25]
    if side == 2:
        deep, rim = painted[40:60, 45:55, 75:98], painted[40:60, 45:55, 102]
    assert deep.median() > -100.0
    assert abs(rim.median() - deep.median()) < 60.0
    outside = torch.ones(CROP, dtype=torch.bool)
    outside[18:82, 28:72, 23:105] = False
    assert torch.equal(painted[outside], hu[outside])


def test_paint_never_darkens_a_vessel_or_a_rib():
    hu, label, dense = chest()
    hu[50, 50, 30:50] = 300.0
    painted, _ = with_airless(hu, label, dense, Chance(np.random.default_rng(3), CPU), whole=True)
    assert torch.all(painted[50, 50, 30:50] >= 300.0)


@pytest.mark.parametrize("seed", range(4))
def test_painted_fluid_is_fluid_in_the_label_and_has_no_air(seed):
    hu, label, dense = chest()
    hu, wet, airless = with_fluid(hu, label, dense, Chance(np.random.default_rng(seed), CPU))
    fluid = wet == 3
    assert fluid.any()
    assert torch.all((label[fluid] == 1) | (label[fluid] == 2))
    assert not (airless & fluid).any()
    assert -15.0 < hu[fluid].median() < 35.0
    assert (hu[fluid] < -300.0).float().mean() < 0.05
    assert torch.equal(wet[~fluid], label[~fluid])
