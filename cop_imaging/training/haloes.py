"""Reversed haloes as they would be measured, found or falsely reported."""

from __future__ import annotations

import numpy as np

from cop_imaging.core.arrays import BoolArray, Float64Array
from cop_imaging.synth.diseases.findings import Findings
from cop_imaging.synth.diseases.knowledge import Knowledge

__all__ = ["halo_columns"]

LIMITS = {
    "outer_diameter_mm": (10.0, 80.0),
    "rim_mm": (2.0, 15.0),
    "contrast_hu": (150.0, 800.0),
}
"""What the sign accepts."""


def halo_columns(
    findings: Findings, consolidated: BoolArray, knowledge: Knowledge, rng: np.random.Generator
) -> dict[str, Float64Array]:
    """Counts and the best halo's measures, each (n,); the measures are NaN where nothing was found.

    ``consolidated`` says where enough consolidation was measured to look like a rim.
    """
    n = len(findings.disease)
    rates = {name: median for (name, state), (median, _) in knowledge.halo.items() if not state}
    true = findings.present[:, knowledge.finding("reversed_halo")]
    several = findings.subtype == knowledge.subtypes.index("reversed_halo_dominant")
    number = np.where(several, 2 + rng.poisson(1.0, n), 1 + rng.poisson(0.3, n))
    # Holes, cells and gaps between patches make some look-alikes likelier.
    lures = findings.present[:, [knowledge.finding(f) for f in ("cavity", "honeycombing", "patchy")]].sum(axis=1)
    more = (1.0 + lures) * consolidated
    false = ~true & (rng.random(n) < rates["false_ring"] * more)
    rings = np.where(true, rng.binomial(number, rates["detected"]), false.astype(np.int64))
    rest = np.where(
        true, rng.binomial(number - np.where(true, rings, 0), rates["possible"] / (1 - rates["detected"])), 0
    )
    crescents = rest + (rng.random(n) < rates["false_crescent"] * more)
    origin = np.where(true & findings.op, 0, np.where(true, 1, 2))
    columns: dict[str, Float64Array] = {
        "reversed_halo.count": rings.astype(np.float64),
        "reversed_halo.possible_count": crescents.astype(np.float64),
    }
    nothing = rings + crescents == 0
    for name, (low, high) in LIMITS.items():
        pairs = [knowledge.halo[name, s] for s in ("organizing_pneumonia", "other_cause", "false")]
        median, spread = np.array(pairs).T
        value = np.clip(median[origin] * np.exp(spread[origin] * rng.standard_normal(n)), low, high)
        columns[f"reversed_halo.best_{name}"] = np.where(nothing, np.nan, value)
    return columns
