"""All findings of one scan as one vector with a declared schema."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cop_imaging.core.arrays import Float64Array
from cop_imaging.core.finding import Feature

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["FeatureSchema", "FeatureVector"]


@dataclass(frozen=True)
class FeatureSchema:
    """The columns of a feature vector, in order."""

    version: str
    features: tuple[Feature, ...]
    signs: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Dotted column names."""
        return tuple(f.name for f in self.features)

    @property
    def digest(self) -> str:
        """SHA-256 over version, names and units: changes when the meaning of a column may have changed."""
        text = "\n".join([self.version, *(f"{f.name}\t{f.unit}" for f in self.features), *self.signs])
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, eq=False)
class FeatureVector:
    """Values by the schema: NaN is "not assessable" or "undefined because the mask is empty", never zero."""

    schema: FeatureSchema
    values: Float64Array
    """float64 (n,), in the order of the schema."""
    low: Float64Array
    """Lower end of each value's interval (NaN where there is none)."""
    high: Float64Array
    scores: Mapping[str, float | None]
    """Presence score of each sign."""
    assessable: Mapping[str, bool]
    """Whether each sign could be looked for: tells the two kinds of missing apart."""

    def __post_init__(self) -> None:
        n = len(self.schema.features)
        if not (self.values.shape == self.low.shape == self.high.shape == (n,)):
            raise ValueError(f"the schema has {n} features, the vector {self.values.shape}")

    def __getitem__(self, name: str) -> float:
        return float(self.values[self.schema.names.index(name)])

    def as_dict(self) -> dict[str, float | None]:
        """``{name: value or None}`` in schema order."""
        return {n: (float(v) if np.isfinite(v) else None) for n, v in zip(self.schema.names, self.values, strict=True)}

    def as_series(self) -> pd.Series[float]:
        """The values as a pandas Series indexed by name."""
        import pandas as pd

        return pd.Series(self.values, index=list(self.schema.names), name="value")

    def as_row(self) -> pd.DataFrame:
        """The vector as a table of one row, scores and assessable bits beside the values."""
        import pandas as pd

        row: dict[str, float | bool | None] = dict(zip(self.schema.names, map(float, self.values), strict=True))
        for sign in self.schema.signs:
            score = self.scores.get(sign)
            row[f"{sign}.score"] = float("nan") if score is None else score
            row[f"{sign}.assessable"] = self.assessable[sign]
        return pd.DataFrame([row])
