"""Findings laid out as one vector by the declared schema."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cop_imaging.core.finding import Finding, Presence, Sign
from cop_imaging.core.vector import FeatureSchema, FeatureVector

__all__ = ["SCHEMA_VERSION", "schema_of", "vectorize"]

SCHEMA_VERSION = "1"


def schema_of(signs: Sequence[Sign]) -> FeatureSchema:
    """The columns that these signs declare, in their order."""
    return FeatureSchema(
        version=SCHEMA_VERSION,
        features=tuple(f for sign in signs for f in sign.features),
        signs=tuple(sign.name for sign in signs),
    )


def vectorize(findings: Sequence[Finding]) -> FeatureVector:
    """The findings as one vector; what is missing is NaN, never zero."""
    schema = FeatureSchema(
        version=SCHEMA_VERSION,
        features=tuple(f for finding in findings for f in finding.features),
        signs=tuple(finding.sign for finding in findings),
    )
    measures = [m for finding in findings for m in finding.measures]

    def column(values: Sequence[float | None]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        return np.array([np.nan if v is None else v for v in values], dtype=np.float64)

    return FeatureVector(
        schema=schema,
        values=column([m.value for m in measures]),
        low=column([m.low for m in measures]),
        high=column([m.high for m in measures]),
        scores={f.sign: f.score for f in findings},
        assessable={f.sign: f.presence is not Presence.NOT_ASSESSABLE for f in findings},
    )
