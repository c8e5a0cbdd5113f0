"""Cases as a careful reader would describe them: disease, pattern, findings and extents, with their dependence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

from cop_imaging.core.arrays import BoolArray, Float64Array, Int32Array
from cop_imaging.synth.diseases.knowledge import Knowledge
from cop_imaging.synth.diseases.rates import EXCLUSIVE, Rates

__all__ = ["BLOCKS", "Findings", "draw_findings", "from_quantiles"]

BLOCKS: dict[str, dict[str, int]] = {
    "density": {"consolidation": 1, "ground_glass": 1, "air_bronchogram": 1, "crazy_paving": 1},
    "shape": {"reversed_halo": 1, "perilobular": 1, "bands": 1},
    "nodules": {"small_nodules": 1, "centrilobular_nodules": 1, "large_nodule_or_mass": 1, "cavity": 1},
    "distribution": {
        "bilateral": 1,
        "peripheral": 1,
        "lower_zone_predominant": 1,
        "patchy": 1,
        "diffuse": -1,
        "subpleural_sparing": -1,
        "peribronchovascular": -1,
    },
    "fibrosis": {"reticulation": 1, "honeycombing": 1, "traction_bronchiectasis": 1, "normal_lung_volume": -1},
    "airway": {"bronchial_wall_thickening": 1, "bronchial_dilation": 1, "mosaic_attenuation": 1, "emphysema": 1},
    "pleura": {"pleural_effusion": 1, "lymphadenopathy": 1},
}
"""Findings that share one latent severity, with the direction in which it moves them."""

NORMAL_P90 = 1.2815515655446004
"""The 90th percentile of the standard normal distribution."""


@dataclass(frozen=True, eq=False)
class Findings:
    """n cases: what they are and what a reader would report."""

    disease: Int32Array
    """(n,) row of the disease table."""
    op: BoolArray
    """(n,): the CT is an organizing-pneumonia pattern."""
    subtype: Int32Array
    """(n,) form of organizing pneumonia, -1 without it."""
    present: BoolArray
    """(n, F)"""
    extent: Float64Array
    """(n, E) percent of lung (effusion: ml); 0 where the finding is absent."""


def draw_findings(
    n: int,
    rng: np.random.Generator,
    knowledge: Knowledge,
    rates: Rates,
    *,
    prevalence: Float64Array,
    correlation: float,
) -> Findings:
    """Draw n cases.

    A finding is present where a latent normal variable exceeds its rate's quantile; the variables of a block share a
    severity, so that any two correlate by ``correlation`` (Gaussian copula). How far the variable lies beyond the
    quantile decides the extent: the extents keep their table and share the severity.
    """
    disease = rng.choice(len(knowledge.diseases), size=n, p=prevalence).astype(np.int32)
    op = rng.random(n) < knowledge.op_fraction[disease]
    form = rng.choice(len(knowledge.subtypes), size=n, p=knowledge.subtype_share)
    subtype = np.where(op, form, -1).astype(np.int32)
    rate = np.where(op[:, None], rates.op[form], rates.other[disease])
    latent = ndtr(_latent(n, rng, knowledge, correlation))
    present = latent > 1 - rate
    for first, second in EXCLUSIVE:
        # The other end of the same variable: a case is never both.
        one, other = knowledge.finding(first), knowledge.finding(second)
        present[:, other] = latent[:, one] < rate[:, other]
    columns = [knowledge.finding(name) for name in knowledge.extents]
    beyond = (latent[:, columns] - 1 + rate[:, columns]) / np.maximum(rate[:, columns], 1e-12)
    row = np.where(op, knowledge.disease("COP"), disease)
    extent = from_quantiles(knowledge.extent_quantiles[row], np.clip(beyond, 1e-6, 1 - 1e-6))
    return Findings(disease, op, subtype, present, np.where(present[:, columns], extent, 0.0))


def _latent(n: int, rng: np.random.Generator, knowledge: Knowledge, correlation: float) -> Float64Array:
    """(n, F) standard normal variables with the dependence of the blocks."""
    latent: Float64Array = rng.standard_normal((n, len(knowledge.findings)))
    for members in BLOCKS.values():
        severity = rng.standard_normal(n)
        for name, direction in members.items():
            column = knowledge.finding(name)
            own = latent[:, column]
            latent[:, column] = direction * np.sqrt(correlation) * severity + np.sqrt(1 - correlation) * own
    return latent


def from_quantiles(quantiles: Float64Array, u: Float64Array) -> Float64Array:
    """Values at probability u of the log-normal with two widths that has the quantiles (…, 3) p10, p50, p90."""
    z = ndtri(u)
    low, median, high = (np.log(np.maximum(quantiles[..., i], 1e-6)) for i in range(3))
    value: Float64Array = np.exp(median + z / NORMAL_P90 * np.where(z > 0, high - median, median - low))
    return value
