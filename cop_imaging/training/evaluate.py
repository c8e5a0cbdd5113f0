"""How well the model does on cases and tables it has not seen, and whether its skill could be fake."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from cop_imaging.classifier.model import Model
from cop_imaging.config import Section, quantity
from cop_imaging.core.arrays import BoolArray, Float64Array, Int32Array
from cop_imaging.synth.diseases.knowledge import Knowledge
from cop_imaging.training.cohort import Cohort, draw_cohort
from cop_imaging.training.config import CohortConfig
from cop_imaging.training.fit import ensemble_logs, read_cohort, worlds
from cop_imaging.training.metrics import auroc, brier, calibration_line, expected_calibration_error, with_interval
from cop_imaging.training.network import Network, exported, train_network

__all__ = ["FIBROTIC", "MIMICS", "EvaluationConfig", "evaluate"]

MIMICS = ("CAP", "CEP", "ADENO", "LYMPHOMA", "VASC", "AIP_DAD", "DRUG", "VIRAL")
"""Diseases that consolidate: telling organizing pneumonia from these is the task."""
FIBROTIC = ("UIP", "NSIP", "HP_F", "SRD")

Read = tuple[Float64Array, BoolArray, Int32Array]

SHUFFLES = 20
"""Networks on shuffled labels. Each learns a smooth noise, whose AUROC scatters widely about one half (standard
deviation near 0.1): only the mean over several tells whether anything leaks."""

LEAK = 0.95
"""One feature alone that reaches this AUROC gives the answer away."""


class EvaluationConfig(Section):
    """Size of the evaluation."""

    worlds: int = quantity(60, means="redraws of the tables", unit="1", low=2, high=1000, source="estimate")
    cases_per_world: int = quantity(
        1000, means="cases drawn from each", unit="1", low=100, high=100_000, source="estimate"
    )
    repeats: int = quantity(200, means="bootstrap repeats", unit="1", low=10, high=10_000, source="estimate")


def evaluate(model: Model, knowledge: Knowledge, seed: int, config: EvaluationConfig | None = None) -> dict[str, Any]:
    """All figures as one JSON-ready mapping.

    Parameters
    ----------
    seed : int
        Of the evaluation's own draws; must differ from the seed of the training.
    """
    config = config or EvaluationConfig()
    roots = np.random.SeedSequence(seed).spawn(4)
    cohorts = worlds(config.worlds, config.cases_per_world, np.random.default_rng(roots[0]), knowledge)
    p, op, codes = _answers(model, cohorts, knowledge)
    rng = np.random.default_rng(roots[1])
    against: dict[str, tuple[str, ...]] = {
        "all_others": model.schema.classes[1:],
        "consolidating_mimics": MIMICS,
        "fibrotic": FIBROTIC,
        "normal": ("NORMAL",),
    }
    discrimination = {}
    for name, group in against.items():
        kept = [o | np.isin(c, group) for o, c in zip(op, codes, strict=True)]
        chosen = [a[k] for a, k in zip(p, kept, strict=True)]
        discrimination[name] = with_interval(
            auroc, chosen, [o[k] for o, k in zip(op, kept, strict=True)], rng, config.repeats
        )
    figures = {
        "brier": brier,
        "expected_calibration_error": expected_calibration_error,
        "calibration_slope": lambda a, b: calibration_line(a, b)[0],
        "calibration_intercept": lambda a, b: calibration_line(a, b)[1],
    }
    everything, truth, code = np.concatenate(p), np.concatenate(op), np.concatenate(codes)
    return {
        "seed": seed,
        "cases": len(everything),
        "worlds": config.worlds,
        "share_of_op": float(truth.mean()),
        "auroc_op_against": discrimination,
        "auroc_op_against_each": {
            c: auroc(everything[truth | (code == c)], truth[truth | (code == c)]) for c in model.schema.classes[1:]
        },
        "calibration": {name: with_interval(f, p, op, rng, config.repeats) for name, f in figures.items()},
        "leakage": _leakage(model, cohorts, knowledge, np.random.default_rng(roots[2])),
        "shifted_cohorts": _shifted(model, knowledge, config, np.random.default_rng(roots[3])),
    }


def _answers(
    model: Model, cohorts: list[Cohort], knowledge: Knowledge
) -> tuple[list[Float64Array], list[BoolArray], list[np.ndarray[Any, np.dtype[np.str_]]]]:
    """Per world: p(OP), truth, and the class codes."""
    classes = np.array(model.schema.classes)
    p, op, codes = [], [], []
    for cohort in cohorts:
        values, known, labels = read_cohort(model.schema, cohort, knowledge)
        p.append(np.exp(ensemble_logs(model, values, known)[:, 0]))
        op.append(labels == 0)
        codes.append(classes[labels])
    return p, op, codes


def _leakage(model: Model, cohorts: list[Cohort], knowledge: Knowledge, rng: np.random.Generator) -> dict[str, Any]:
    """What should not tell the diagnosis, or not alone."""
    read = [read_cohort(model.schema, cohort, knowledge) for cohort in cohorts]
    values, known, labels = (np.concatenate(parts) for parts in zip(*read, strict=True))
    truth = labels == 0
    alone = {}
    for i, name in enumerate(model.schema.names):
        there = np.isfinite(values[:, i])
        area = auroc(values[there, i], truth[there])
        alone[name] = max(area, 1 - area)
    fresh = read_cohort(model.schema, draw_cohort(len(labels), rng, knowledge, redraw=True), knowledge)
    body = {
        "height_cm": np.concatenate([c.body.height_cm for c in cohorts]),
        "inspiration": np.concatenate([c.body.inspiration for c in cohorts]),
        "signs_not_assessable": np.concatenate([sum(~a for a in c.assessable.values()) for c in cohorts]).astype(float),
    }
    return {
        "one_feature_alone": alone,
        "highest_alone": max(alone.values()),
        "leak": max(alone.values()) > LEAK,
        "shuffled_labels": [_shuffled(model, (values, known, labels), fresh, rng) for _ in range(SHUFFLES)],
        "nuisance_alone": {name: auroc(column, truth) for name, column in body.items()},
    }


def _shuffled(model: Model, seen: Read, fresh: Read, rng: np.random.Generator) -> float:
    """AUROC on fresh cases of a network that was trained on shuffled labels."""
    values, known, labels = seen
    # The shares of the very cases seen: a difference from the default would be learned as a signal.
    prior = np.maximum(np.bincount(labels, minlength=len(model.schema.classes)), 1) / len(labels)
    blind = train_network(model.schema, values, known, rng.permutation(labels), prior, rng=rng, epochs=2)
    return auroc(ensemble_logs(_as_model(model, blind), fresh[0], fresh[1])[:, 0], fresh[2] == 0)


def _as_model(model: Model, network: Network) -> Model:
    return replace(model, weights={name: array.astype(np.float64) for name, array in exported([network]).items()})


def _shifted(
    model: Model, knowledge: Knowledge, config: EvaluationConfig, rng: np.random.Generator
) -> dict[str, dict[str, float]]:
    """AUROC against the mimics and calibration slope on cohorts drawn under other assumptions than the training's."""
    assumptions = {
        "as_trained": CohortConfig(),
        "independent_findings": CohortConfig(correlation=0.0),
        "strongly_dependent_findings": CohortConfig(correlation=0.7),
        "half_again_the_spread": CohortConfig(spread_scale=1.5, volume_noise=0.5),
        "haze_follows_consolidation": CohortConfig(haze_adherence=1.0),
        "a_fifth_of_signs_missing": CohortConfig(not_assessable=0.2),
    }
    out = {}
    for name, assumed in assumptions.items():
        cohorts = [
            draw_cohort(config.cases_per_world, rng, knowledge, redraw=True, config=assumed)
            for _ in range(config.worlds // 2)
        ]
        p, op, codes = (np.concatenate(parts) for parts in _answers(model, cohorts, knowledge))
        kept = op | np.isin(codes, MIMICS)
        out[name] = {
            "auroc_against_mimics": auroc(p[kept], op[kept]),
            "calibration_slope": calibration_line(p, op)[0],
        }
    return out
