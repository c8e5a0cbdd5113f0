"""Cohorts drawn at feature level: seeded, vectorised, without a voxel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cop_imaging.core.arrays import BoolArray, Float64Array, Int32Array
from cop_imaging.synth.diseases.findings import Findings, draw_findings
from cop_imaging.synth.diseases.knowledge import Knowledge
from cop_imaging.synth.diseases.rates import mean_table, rates_from, redrawn_table
from cop_imaging.training.body import Body, draw_body, lung_volume_ml
from cop_imaging.training.config import CohortConfig
from cop_imaging.training.haloes import halo_columns
from cop_imaging.training.measured import density_columns

__all__ = ["SIGNS", "Cohort", "draw_cohort"]

SIGNS = ("lungs", "consolidation", "ground_glass", "reversed_halo")
"""The signs whose measures a case has."""


@dataclass(frozen=True, eq=False)
class Cohort:
    """n drawn cases with their truth, what a reader would report, and what the program would measure."""

    findings: Findings
    columns: dict[str, Float64Array]
    """{dotted feature name: (n,)}; NaN is not assessable, or undefined because the mask is empty."""
    assessable: dict[str, BoolArray]
    """{sign: (n,)} tells the two apart."""
    body: Body

    def __len__(self) -> int:
        return len(self.findings.disease)

    def labels(self, knowledge: Knowledge, classes: tuple[str, ...]) -> Int32Array:
        """(n,) index into ``classes``: ``OP`` whatever the cause, else the disease."""
        index = np.array([classes.index(d) if d in classes else -1 for d in knowledge.diseases])
        return np.where(self.findings.op, classes.index("OP"), index[self.findings.disease]).astype(np.int32)

    def values(self, names: tuple[str, ...]) -> Float64Array:
        """(n, k) the named columns."""
        return np.stack([self.columns[name] for name in names], axis=1)


def draw_cohort(
    n: int,
    rng: np.random.Generator,
    knowledge: Knowledge,
    *,
    redraw: bool = False,
    prevalence: Float64Array | None = None,
    config: CohortConfig | None = None,
) -> Cohort:
    """Draw n cases.

    Parameters
    ----------
    rng : numpy.random.Generator
        The same state gives the same cohort.
    redraw : bool
        Draw the rates from their Beta distributions first, instead of using their means.
    prevalence : (D,), optional
        Shares of the diseases instead of the table's.
    """
    config = config or CohortConfig()
    table = redrawn_table(knowledge, rng) if redraw else mean_table(knowledge)
    shares = knowledge.prevalence if prevalence is None else prevalence
    rates = rates_from(table, knowledge)
    findings = draw_findings(n, rng, knowledge, rates, prevalence=shares, correlation=config.correlation)
    body = draw_body(n, rng)
    lung_ml = lung_volume_ml(body, findings, knowledge, rng)
    columns = density_columns(findings, body, lung_ml, knowledge, rng=rng, config=config)
    consolidated = columns["consolidation.volume_ml"] >= config.rim_ml
    columns |= halo_columns(findings, consolidated, knowledge, rng)
    columns["lungs.volume_ml"] = lung_ml
    assessable = {sign: rng.random(n) >= config.not_assessable for sign in SIGNS}
    for name, values in columns.items():
        columns[name] = np.where(assessable[name.partition(".")[0]], values, np.nan)
    return Cohort(findings, columns, assessable, body)
