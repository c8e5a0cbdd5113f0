"""Fit the ensemble: every member on cases of its own redraw of the evidence tables, one temperature for all."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.optimize import minimize_scalar

from cop_imaging.classifier.encode import encode, known_groups
from cop_imaging.classifier.model import Model, class_logs, evidence
from cop_imaging.classifier.prior import class_prior
from cop_imaging.classifier.schema import ModelSchema
from cop_imaging.config import Section, quantity
from cop_imaging.core.arrays import BoolArray, Float64Array, Int32Array
from cop_imaging.progress import Progress
from cop_imaging.synth.diseases.knowledge import Knowledge
from cop_imaging.training.cohort import Cohort, draw_cohort
from cop_imaging.training.declaration import declare, fitted
from cop_imaging.training.network import Network, exported, train_network

__all__ = ["FitConfig", "ensemble_logs", "fit_model", "read_cohort", "worlds"]


class FitConfig(Section):
    """Size of the training."""

    members: int = quantity(8, means="networks in the ensemble", unit="1", low=1, high=50, source="estimate")
    cases: int = quantity(
        80_000, means="cases drawn for each member", unit="1", low=2000, high=2_000_000, source="estimate"
    )
    epochs: int = quantity(24, means="passes over a member's cases", unit="1", low=1, high=500, source="estimate")
    held_out_worlds: int = quantity(
        40, means="redraws of the tables for calibration", unit="1", low=2, high=500, source="estimate"
    )
    cases_per_world: int = quantity(
        1000, means="cases drawn from each of them", unit="1", low=100, high=100_000, source="estimate"
    )


def fit_model(
    knowledge: Knowledge, seed: int, config: FitConfig | None = None, progress: Progress | None = None
) -> tuple[Model, list[Network]]:
    """Train and calibrate; the networks are the torch twins of the model's members."""
    config, progress = config or FitConfig(), progress or Progress()
    roots = np.random.SeedSequence(seed).spawn(config.members + 2)
    # Half the default mixture, half all diseases alike: rare diseases are learned well enough for other priors.
    shares = 0.5 * knowledge.prevalence + 0.5 / len(knowledge.diseases)
    first = draw_cohort(config.cases, np.random.default_rng(roots[-1]), knowledge, redraw=True, prevalence=shares)
    schema, precision = fitted(declare(knowledge, seed), first)
    mixture = class_prior(schema, dict(zip(knowledge.diseases, shares, strict=True)))
    networks = []
    for number, root in enumerate(roots[: config.members]):
        with progress.stage("fit", f"member {number + 1} of {config.members}"):
            rng = np.random.default_rng(root)
            cohort = draw_cohort(config.cases, rng, knowledge, redraw=True, prevalence=shares)
            values, known, labels = read_cohort(schema, cohort, knowledge)
            networks.append(train_network(schema, values, known, labels, mixture, rng=rng, epochs=config.epochs))
    weights = {name: array.astype(np.float64) for name, array in exported(networks).items()}
    model = Model(schema, weights, precision)
    held_out = worlds(config.held_out_worlds, config.cases_per_world, np.random.default_rng(roots[-2]), knowledge)
    temperature = _temperature(model, held_out, knowledge)
    return replace(model, schema=schema.model_copy(update={"temperature": temperature})), networks


def worlds(number: int, cases: int, rng: np.random.Generator, knowledge: Knowledge) -> list[Cohort]:
    """Cohorts at the default mixture, each from its own redraw of the tables."""
    return [draw_cohort(cases, rng, knowledge, redraw=True) for _ in range(number)]


def read_cohort(
    schema: ModelSchema, cohort: Cohort, knowledge: Knowledge
) -> tuple[Float64Array, BoolArray, Int32Array]:
    """Values (n, k), known groups (n, g) and labels (n,) of a cohort."""
    values = cohort.values(schema.names)
    return values, known_groups(schema, values, cohort.assessable), cohort.labels(knowledge, schema.classes)


def ensemble_logs(model: Model, values: Float64Array, known: BoolArray) -> Float64Array:
    """(n, classes) log of the members' mean probability under the default prior."""
    logs = class_logs(evidence(model, encode(model.schema, values, known)), _default(model))
    mean: Float64Array = np.logaddexp.reduce(logs, axis=0) - np.log(len(logs))
    return mean


def _default(model: Model) -> Float64Array:
    return class_prior(model.schema, model.schema.prior)


def _temperature(model: Model, held_out: list[Cohort], knowledge: Knowledge) -> float:
    """The divisor of the evidence under which held-out cases of unseen worlds are likeliest."""
    read = [read_cohort(model.schema, cohort, knowledge) for cohort in held_out]
    values, known, labels = (np.concatenate(parts) for parts in zip(*read, strict=True))
    found = evidence(model, encode(model.schema, values, known))

    def loss(log_temperature: float) -> float:
        logs = class_logs(found, _default(model), float(np.exp(-log_temperature)))
        mean = np.logaddexp.reduce(logs[:, np.arange(len(labels)), labels], axis=0) - np.log(len(logs))
        return -float(mean.mean())

    best = minimize_scalar(loss, bounds=(np.log(0.5), np.log(3.0)), method="bounded", options={"xatol": 1e-3})
    return float(np.exp(best.x))
