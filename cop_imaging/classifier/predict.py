"""From a feature vector to a likelihood with its band, differential and contributions."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.special import logsumexp

from cop_imaging.classifier.config import ClassifierConfig
from cop_imaging.classifier.diseases import TITLES
from cop_imaging.classifier.encode import encode
from cop_imaging.classifier.explain import shapley
from cop_imaging.classifier.measures import Measures, is_unlike_training, measurement_draws, read_measures
from cop_imaging.classifier.model import Model, class_logs, evidence
from cop_imaging.classifier.prior import checked_prior, class_prior
from cop_imaging.core.arrays import BoolArray, Float64Array
from cop_imaging.core.likelihood import Contribution, DiseaseProbability, Likelihood, Probability
from cop_imaging.core.vector import FeatureVector

__all__ = ["predict"]

DENSITY = ("consolidation", "ground_glass")


def predict(
    vector: FeatureVector,
    model: Model,
    config: ClassifierConfig | None = None,
    *,
    prior: Mapping[str, float] | None = None,
    limited: bool = False,
) -> Likelihood | None:
    """How likely an organizing-pneumonia pattern is, given the measures.

    Parameters
    ----------
    prior : {disease: share}, optional
        Instead of the model's default; every disease must be named, the shares are brought to sum 1.
    limited : bool
        The scan's quality restricts what may be said.

    Returns
    -------
    Likelihood or None
        None where too little could be assessed to say anything.

    Raises
    ------
    ModelError
        If the vector lacks a feature that the model needs.
    ConfigError
        If the prior cannot be used.
    """
    config = config or ClassifierConfig()
    measures = read_measures(vector, model.schema)
    blind = _blind(model, measures)
    if len(set(DENSITY) - set(blind)) < config.least_density_signs:
        return None
    shares = checked_prior(model.schema, prior)
    classes = class_prior(model.schema, shares)
    mean = _mean_logs(model, measures, measures.known[None], classes, config)[0]
    p_op = float(np.exp(mean[0]))
    reasons = ["the quality of the scan restricts what can be measured"] if limited else []
    reasons += [f"{sign.replace('_', ' ')} could not be assessed" for sign in blind]
    return Likelihood(
        status="limited" if reasons else "ok",
        op=Probability(p=p_op, **_band(model, measures, classes, config, p_op)),
        prior=shares,
        differential=_differential(model, mean),
        contributions=_contributions(model, measures, classes, config),
        out_of_distribution=is_unlike_training(model, measures),
        reason="; ".join(reasons),
    )


def _blind(model: Model, measures: Measures) -> list[str]:
    """Signs of which nothing is known."""
    pairs = list(zip(measures.known, model.schema.groups, strict=True))
    seen = {group.sign for known, group in pairs if known}
    return [sign for sign in dict.fromkeys(group.sign for _, group in pairs) if sign not in seen]


def _mean_logs(
    model: Model, measures: Measures, known: BoolArray, classes: Float64Array, config: ClassifierConfig
) -> Float64Array:
    """(s, classes) log of the members' mean probability, with only the groups in ``known`` (s, g) looked at."""
    values = np.broadcast_to(measures.values, (len(known), len(measures.values)))
    found = evidence(model, encode(model.schema, values, known))
    logs = class_logs(found, classes, config.evidence_weight)
    mean: Float64Array = logsumexp(logs, axis=0) - np.log(len(logs))
    return mean


def _band(
    model: Model, measures: Measures, classes: Float64Array, config: ClassifierConfig, p_op: float
) -> dict[str, float]:
    """Weighted quantiles of p(OP) over members (each trained on its own redraw of the tables) and interval ends."""
    draws, weights = measurement_draws(measures, model.schema)
    known = np.broadcast_to(measures.known, (len(draws), len(measures.known)))
    logs = class_logs(evidence(model, encode(model.schema, draws, known)), classes, config.evidence_weight)
    p = np.exp(logs[..., 0])
    flat, weight = p.ravel(), np.broadcast_to(weights / len(p), p.shape).ravel()
    order = np.argsort(flat, kind="stable")
    reached = np.cumsum(weight[order]) - weight[order] / 2
    tail = (1 - config.band_level) / 2
    low, high = np.interp([tail, 1 - tail], reached, flat[order])
    return {"low": min(float(low), p_op), "high": max(float(high), p_op)}


def _differential(model: Model, mean: Float64Array) -> tuple[DiseaseProbability, ...]:
    """Every class, the likeliest first."""
    p = np.exp(mean - logsumexp(mean))
    order = np.argsort(-p, kind="stable")
    codes = model.schema.classes
    return tuple(DiseaseProbability(disease=codes[i], title=TITLES[codes[i]], p=float(p[i])) for i in order)


def _contributions(
    model: Model, measures: Measures, classes: Float64Array, config: ClassifierConfig
) -> tuple[Contribution, ...]:
    """The prior's log-odds and the Shapley value of each known group; they sum to the log-odds of p(OP).

    A group that has not joined yet counts as not assessable, which the model has met in training.
    """
    present = np.flatnonzero(measures.known)

    def log_odds(members: BoolArray) -> Float64Array:
        known = np.zeros((len(members), len(measures.known)), dtype=bool)
        known[:, present] = members
        logs = _mean_logs(model, measures, known, classes, config)
        odds: Float64Array = logs[:, 0] - logsumexp(logs[:, 1:], axis=-1)
        return odds

    start = float(log_odds(np.zeros((1, len(present)), dtype=bool))[0])
    gains = shapley(log_odds, len(present))
    out = [Contribution(name="prior", title="Prior", log_odds=start)]
    for index, gain in zip(present, gains, strict=True):
        group = model.schema.groups[index]
        shown = {
            one.name: (float(v) if np.isfinite(v) else None)
            for one, v in zip(model.schema.inputs, measures.values, strict=True)
            if one.group == group.name
        }
        out.append(Contribution(name=group.name, title=group.title, log_odds=float(gain), features=shown))
    return tuple(out)
