"""Discrimination and calibration of probabilities, with intervals over redrawn worlds."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy.special import expit, logit
from scipy.stats import rankdata

from cop_imaging.core.arrays import BoolArray, Float64Array

__all__ = ["auroc", "brier", "calibration_line", "expected_calibration_error", "with_interval"]

BINS = 15


def auroc(score: Float64Array, truth: BoolArray) -> float:
    """Area under the ROC curve, ties counted half; NaN where a class is empty."""
    positive = int(truth.sum())
    negative = len(truth) - positive
    if not positive or not negative:
        return float("nan")
    ranks = rankdata(score)
    return float((ranks[truth].sum() - positive * (positive + 1) / 2) / (positive * negative))


def brier(p: Float64Array, truth: BoolArray) -> float:
    """Mean squared difference of probability and truth."""
    return float(np.mean((p - truth) ** 2))


def expected_calibration_error(p: Float64Array, truth: BoolArray) -> float:
    """Mean distance of predicted and observed share over bins of equal numbers."""
    order = np.argsort(p, kind="stable")
    parts = [part for part in np.array_split(order, BINS) if len(part)]
    return float(sum(len(i) * abs(p[i].mean() - truth[i].mean()) for i in parts) / len(p))


def calibration_line(p: Float64Array, truth: BoolArray) -> tuple[float, float]:
    """Slope and intercept of the logistic regression of the truth on the log-odds; 1 and 0 when calibrated."""
    x = np.stack([logit(np.clip(p, 1e-9, 1 - 1e-9)), np.ones_like(p)], axis=1)
    line = np.array([1.0, 0.0])
    for _ in range(25):
        fit = expit(x @ line)
        hessian = (x * (fit * (1 - fit))[:, None]).T @ x + 1e-9 * np.eye(2)
        step = np.linalg.solve(hessian, x.T @ (truth - fit))
        line = line + step
        if np.abs(step).max() < 1e-8:
            break
    return float(line[0]), float(line[1])


def with_interval(
    figure: Callable[[Float64Array, BoolArray], float],
    p: Sequence[Float64Array],
    truth: Sequence[BoolArray],
    rng: np.random.Generator,
    repeats: int,
) -> dict[str, float]:
    """The figure over all worlds together, with the 2.5th and 97.5th percentile of a two-stage bootstrap.

    Worlds are drawn with replacement, then cases within each: the interval holds the doubt about the tables as well as
    that of the number of cases.
    """
    value = figure(np.concatenate(p), np.concatenate(truth))
    drawn = []
    for _ in range(repeats):
        picked = [(w, rng.integers(len(p[w]), size=len(p[w]))) for w in rng.integers(len(p), size=len(p))]
        drawn.append(
            figure(np.concatenate([p[w][i] for w, i in picked]), np.concatenate([truth[w][i] for w, i in picked]))
        )
    low, high = np.nanquantile(drawn, [0.025, 0.975])
    return {"value": value, "low": float(low), "high": float(high)}
