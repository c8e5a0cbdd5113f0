"""One result as one row of a table of many, and what its columns are."""

from __future__ import annotations

import math

from cop_imaging.core import Likelihood
from cop_imaging.core.finding import Feature
from cop_imaging.core.vector import FeatureSchema, FeatureVector

__all__ = ["row_columns", "row_of"]

LIKELIHOOD = (
    Feature("p_op", "1", "probability of organizing pneumonia of any cause, under the assumed prior", 0.0, 1.0),
    Feature("p_op_low", "1", "lower end of its band", 0.0, 1.0),
    Feature("p_op_high", "1", "upper end of its band", 0.0, 1.0),
)


def row_columns(schema: FeatureSchema) -> tuple[Feature, ...]:
    """Name, unit and meaning of every column, in order."""
    of_signs = [
        column
        for sign in schema.signs
        for column in (
            Feature(f"{sign}.score", "1", f"presence score of {sign.replace('_', ' ')}", 0.0, 1.0),
            Feature(f"{sign}.assessable", "1", f"whether {sign.replace('_', ' ')} could be looked for", 0.0, 1.0),
        )
    ]
    return (*schema.features, *of_signs, *LIKELIHOOD)


def row_of(vector: FeatureVector, likelihood: Likelihood | None) -> dict[str, float | None]:
    """The values by the name of their column; None where there is none."""
    row: dict[str, float | None] = vector.as_dict()
    for sign in vector.schema.signs:
        score = vector.scores.get(sign)
        row[f"{sign}.score"] = None if score is None or math.isnan(score) else float(score)
        row[f"{sign}.assessable"] = float(vector.assessable[sign])
    if likelihood is None:
        return row | {column.name: None for column in LIKELIHOOD}
    op = likelihood.op
    return row | {"p_op": op.p, "p_op_low": op.low, "p_op_high": op.high}
