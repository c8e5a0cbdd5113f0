"""The bite is measured where it happens: a lost lesion shows though Dice hides it."""

import numpy as np
import pytest

from cop_imaging.core.geometry import Geometry
from cop_imaging.training.lungs.evaluate import evaluate_lungs, scores
from cop_imaging.training.lungs.fluid import without_air_in_fluid
from cop_imaging.training.lungs.samples import Sample
from cop_imaging.training.lungs.store import load, save

SHAPE = (40, 50, 70)
GRID = Geometry(SHAPE, (3.5, 3.5, 3.5))


def sample(unknown=False):
    hu, label = np.full(SHAPE, 40, dtype=np.int16), np.zeros(SHAPE, dtype=np.uint8)
    label[5:35, 8:42, 8:32], label[5:35, 8:42, 38:62] = 1, 2
    hu[label > 0] = -850
    dense = np.zeros(SHAPE, dtype=bool)
    dense[10:20, 36:42, 10:22] = True
    hu[dense] = 45
    label[20:35, 36:42, 40:60] = 3
    hu[label == 3] = 8
    if unknown:
        label[10:20, 36:42, 10:22] = 255
    return Sample(hu, label, dense, ("test",))


def test_a_perfect_mask_has_full_marks():
    s = sample()
    found = scores(s, s.label, GRID)
    assert found["recall"] == [1.0]
    assert found["precision"] == [1.0]
    assert found["lung_dice"] == found["fluid_dice"] == 1.0
    assert found["fluid_error"] == found["sides_wrong_ml"] == 0.0


def test_a_bitten_mask_loses_all_recall_but_little_dice():
    s = sample()
    bitten = np.where(s.dense, 0, s.label).astype(np.uint8)
    found = scores(s, bitten, GRID)
    assert found["recall"] == [0.0]
    assert found["lung_dice"] > 0.97


def test_muscle_that_comes_in_beside_a_lesion_costs_precision_and_not_recall():
    s = sample()
    greedy = s.label.copy()
    greedy[10:20, 42:46, 10:22] = 1
    found = scores(s, greedy, GRID)
    assert found["recall"] == [1.0]
    assert found["precision"][0] < 0.75


def test_a_lung_called_by_the_other_name_is_counted():
    s = sample()
    swapped = np.array([0, 2, 1, 3], dtype=np.uint8)[s.label]
    assert scores(s, swapped, GRID)["sides_wrong_ml"] == pytest.approx((s.label % 3 > 0).sum() * GRID.voxel_ml)


def test_unknown_voxels_are_no_lung_to_be_lost():
    s = sample(unknown=True)
    assert scores(s, np.where(s.label == 255, 0, s.label).astype(np.uint8), GRID)["recall"] == []


def test_figures_are_means_over_stored_samples(tmp_path):
    for number in range(2):
        save(sample(), tmp_path / f"made-{number}.npz")
    paths = sorted(tmp_path.glob("*.npz"))
    assert np.array_equal(load(paths[0]).dense, sample().dense)
    figures = evaluate_lungs(paths, lambda s, _: np.where(s.dense, 0, s.label).astype(np.uint8))
    assert figures["samples"] == figures["pieces"] == 2
    assert figures["bite_recall"] == figures["bite_recall_p10"] == 0.0
    assert figures["fluid_dice"] == 1.0
    assert "false_fluid_ml" not in figures


def test_a_bronchus_that_fluid_was_drawn_around_is_filled():
    s = sample()
    hu, label = s.hu.copy(), s.label.copy()
    hu[31, 39, 45:55], label[31, 39, 45:55] = -900, 4
    filled, relabelled = without_air_in_fluid(hu, label)
    assert (relabelled[31, 39, 45:55] == 3).all()
    assert filled[31, 39, 45:55].min() > -50
    changed = filled != hu
    assert changed.sum() == 10
    airy = (s.label > 0) & (s.label < 3) & ~s.dense
    assert (filled[airy] == hu[airy]).all()


def test_without_fluid_nothing_is_changed():
    s = sample()
    label = np.where(s.label == 3, 0, s.label).astype(np.uint8)
    filled, relabelled = without_air_in_fluid(s.hu, label)
    assert filled is s.hu
    assert relabelled is label
