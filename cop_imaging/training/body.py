"""What has nothing to do with the disease: sex, height, inspiration; and the lung volume that they make."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cop_imaging.core.arrays import BoolArray, Float64Array
from cop_imaging.synth.diseases.findings import Findings
from cop_imaging.synth.diseases.knowledge import Knowledge

__all__ = ["Body", "draw_body", "lung_volume_ml"]


@dataclass(frozen=True, eq=False)
class Body:
    """Nuisance of n cases, drawn without a look at the disease."""

    male: BoolArray
    height_cm: Float64Array
    inspiration: Float64Array
    """Factor on the volume at full inspiration, about 1."""
    right_fraction: Float64Array
    """The right lung's part of both."""


def draw_body(n: int, rng: np.random.Generator) -> Body:
    """Draw n bodies: adults, half of them men."""
    male = rng.random(n) < 0.5
    height = np.where(male, 176.0, 163.0) + 7.0 * rng.standard_normal(n)
    inspiration = np.exp(0.12 * rng.standard_normal(n))
    return Body(male, height, inspiration, np.clip(rng.normal(0.54, 0.02, n), 0.4, 0.65))


def lung_volume_ml(body: Body, findings: Findings, knowledge: Knowledge, rng: np.random.Generator) -> Float64Array:
    """(n,) volume of both lungs on CT, supine.

    0.85 of the predicted total lung capacity (Quanjer 1993), times what the case's findings say: normal, reduced or
    between; emphysema adds, effusion takes away.
    """
    metres = body.height_cm / 100
    capacity = np.where(body.male, 7.99 * metres - 7.08, 6.60 * metres - 5.79)
    normal = findings.present[:, knowledge.finding("normal_lung_volume")]
    reduced = findings.present[:, knowledge.finding("reduced_lung_volume")]
    factor = np.where(normal, 0.97, np.where(reduced, 0.68, 0.83)) * np.exp(0.1 * rng.standard_normal(len(metres)))
    emphysema = findings.extent[:, knowledge.extents.index("emphysema")]
    effusion = findings.extent[:, knowledge.extents.index("pleural_effusion")]
    volume = 850.0 * np.maximum(capacity, 2.0) * body.inspiration * factor * (1 + emphysema / 100)
    lungs: Float64Array = np.maximum(volume - 0.7 * effusion, 900.0)
    return lungs
