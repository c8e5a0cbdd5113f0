"""How often each finding is present: in organizing pneumonia, and in what else a disease may look like."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cop_imaging.core.arrays import Float64Array
from cop_imaging.synth.diseases.knowledge import Knowledge

__all__ = ["EXCLUSIVE", "Rates", "mean_table", "rates_from", "redrawn_table"]

EXCLUSIVE = (
    ("lower_zone_predominant", "upper_zone_predominant"),
    ("normal_lung_volume", "reduced_lung_volume"),
    ("bilateral", "unilateral_single_focus"),
)
"""Pairs of findings that no case has together."""

RESIDUE = 0.25
"""Cases of a disease that are not organizing pneumonia keep at least this share of the table's rate (and of its
complement): where organizing pneumonia alone would explain more than the table states, the table is not exact, and
a rate of zero would make the finding prove the pattern."""


@dataclass(frozen=True, eq=False)
class Rates:
    """P(finding present): ``op`` (S, F) by form of organizing pneumonia, ``other`` (D, F) by disease without it."""

    op: Float64Array
    other: Float64Array


def mean_table(knowledge: Knowledge) -> Float64Array:
    """(D, F) means of the Beta table."""
    mean: Float64Array = knowledge.alpha / (knowledge.alpha + knowledge.beta)
    return mean


def redrawn_table(knowledge: Knowledge, rng: np.random.Generator) -> Float64Array:
    """(D, F) rates, each drawn from its Beta distribution: one world that the evidence does not rule out."""
    return np.clip(rng.beta(knowledge.alpha, knowledge.beta), 1e-3, 1 - 1e-3)


def rates_from(table: Float64Array, knowledge: Knowledge) -> Rates:
    """Split each disease's rates so that its cases with and without organizing pneumonia together give the table.

    A case of any disease that is an organizing-pneumonia pattern follows the row of COP, in which the forms together
    give the row. The others follow r with ``table = q * COP + (1 - q) * r``, kept inside the bounds that ``RESIDUE``
    sets.
    """
    table = _exclusive(table, knowledge)
    cop = table[knowledge.disease("COP")]
    share = knowledge.subtype_share[:, None]
    decided = (share * knowledge.forced).sum(axis=0)
    decided_present = (share * knowledge.forced_value).sum(axis=0)
    free = np.clip((cop - decided_present) / np.maximum(1 - decided, 1e-9), 0.0, 1.0)
    op = np.where(knowledge.forced, knowledge.forced_value, free)
    q = np.minimum(knowledge.op_fraction, 1 - 1e-9)[:, None]
    other = np.clip((table - q * cop) / (1 - q), RESIDUE * table, 1 - RESIDUE * (1 - table))
    return Rates(_exclusive(op, knowledge), _exclusive(other, knowledge))


def _exclusive(table: Float64Array, knowledge: Knowledge) -> Float64Array:
    """Shrink exclusive pairs whose rates add up to more than 1."""
    table = table.copy()
    for pair in EXCLUSIVE:
        columns = [knowledge.finding(name) for name in pair]
        table[:, columns] /= np.maximum(table[:, columns].sum(axis=1, keepdims=True), 1.0)
    return table
