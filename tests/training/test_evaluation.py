"""The figures mean what they are called, and the shipped model's skill is neither fake nor too good."""

import json

import numpy as np
import pytest
from scipy.special import expit, logit

from cop_imaging.config import asset_path
from cop_imaging.core.finding import Feature
from cop_imaging.core.vector import FeatureSchema, FeatureVector
from cop_imaging.training.false_volumes import false_volume_table
from cop_imaging.training.metrics import auroc, brier, calibration_line, expected_calibration_error, with_interval


@pytest.fixture(scope="module")
def figures():
    return json.loads((asset_path("models", "op_likelihood") / "evaluation.json").read_text())


@pytest.fixture
def honest():
    """Probabilities and truths drawn from them."""
    rng = np.random.default_rng(0)
    p = expit(1.5 * rng.standard_normal(40_000) - 1)
    return p, rng.random(len(p)) < p


def test_probabilities_that_come_true_are_calibrated(honest):
    p, truth = honest
    slope, intercept = calibration_line(p, truth)
    assert slope == pytest.approx(1, abs=0.05)
    assert intercept == pytest.approx(0, abs=0.05)
    assert expected_calibration_error(p, truth) < 0.01
    assert brier(p, truth) == pytest.approx(np.mean(p * (1 - p)), abs=0.005)


def test_doubled_confidence_shows_as_a_slope_of_one_half(honest):
    p, truth = honest
    assert calibration_line(expit(2 * logit(p)), truth)[0] == pytest.approx(0.5, abs=0.03)


def test_auroc_counts_pairs():
    score, truth = np.array([0.1, 0.4, 0.4, 0.9]), np.array([False, False, True, True])
    assert auroc(score, truth) == pytest.approx(3.5 / 4)
    assert auroc(-score, truth) == pytest.approx(0.5 / 4)
    assert np.isnan(auroc(score, np.ones(4, dtype=bool)))


def test_an_interval_holds_the_figure(honest):
    p, truth = np.array_split(honest[0], 20), np.array_split(honest[1], 20)
    found = with_interval(auroc, p, truth, np.random.default_rng(1), 30)
    assert found["low"] < found["value"] < found["high"]


def test_skill_against_mimics_is_real_and_not_too_good(figures):
    against = figures["auroc_op_against"]
    assert 0.7 < against["consolidating_mimics"]["low"] < against["consolidating_mimics"]["high"] < 0.95
    assert against["consolidating_mimics"]["value"] < against["fibrotic"]["value"]


def test_the_shipped_model_is_calibrated_on_unseen_worlds(figures):
    calibration = figures["calibration"]
    assert calibration["calibration_slope"]["value"] == pytest.approx(1, abs=0.15)
    assert calibration["expected_calibration_error"]["value"] < 0.03


def test_no_single_feature_gives_the_answer_away(figures):
    assert max(figures["leakage"]["one_feature_alone"].values()) < 0.95


def test_shuffled_labels_and_nuisance_teach_nothing(figures):
    leakage = figures["leakage"]
    assert np.mean(leakage["shuffled_labels"]) == pytest.approx(0.5, abs=0.1)
    assert list(leakage["nuisance_alone"].values()) == pytest.approx([0.5] * 3, abs=0.015)


def test_false_volumes_are_the_quantiles_of_healthy_chests_at_least_as_wide_as_those_of_people():
    names = ("consolidation.volume_ml", "ground_glass.volume_ml", "reversed_halo.count")
    schema = FeatureSchema("test", tuple(Feature(n, "ml", "made for a test") for n in names), ())
    values = [np.array([i / 10, i, 0.0]) for i in range(11)]
    vectors = [FeatureVector(schema, v, v, v, {}, {}) for v in values]
    rows = [line.split(",") for line in false_volume_table(vectors, "phantoms").splitlines()]
    assert rows[2][:5] == ["ground_glass", "ml", "1", "5", "30"]
    with pytest.raises(ValueError, match="at least 10"):
        false_volume_table(vectors[:5], "phantoms")
