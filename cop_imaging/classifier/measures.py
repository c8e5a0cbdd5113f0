"""A feature vector as the model's inputs: by name, with the ends of the measured intervals."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from math import prod, sqrt

import numpy as np

from cop_imaging.classifier.encode import known_groups, standardised, transformed
from cop_imaging.classifier.model import Model
from cop_imaging.classifier.schema import ModelSchema
from cop_imaging.core.arrays import BoolArray, Float64Array
from cop_imaging.core.vector import FeatureVector
from cop_imaging.errors import ModelError

__all__ = ["Measures", "is_unlike_training", "measurement_draws", "read_measures"]

WITHIN = 0.25, 0.5, 0.25
"""Weights of the lower end, the value and the upper end of an interval."""
COUNTS = ("patch_count", "zones_hit")
"""Measures of a pattern that are nought where there is none; the others are undefined."""


@dataclass(frozen=True, eq=False)
class Measures:
    """The model's inputs of one scan: value and ends of the interval (k,), and what is known (g,)."""

    values: Float64Array
    low: Float64Array
    high: Float64Array
    known: BoolArray


def read_measures(vector: FeatureVector, schema: ModelSchema) -> Measures:
    """Pick the model's inputs out of the vector by name.

    Raises
    ------
    ModelError
        If the vector's schema lacks a needed feature or sign.
    """
    position = {name: i for i, name in enumerate(vector.schema.names)}
    lacking = [name for name in schema.names if name not in position]
    lacking += [s for s in dict.fromkeys(g.sign for g in schema.groups) if s not in vector.assessable]
    if lacking:
        raise ModelError(
            f"the model needs {', '.join(lacking)}, which feature schema {vector.schema.version} does not have; "
            "train the model again or use the program version it came with"
        )
    order = [position[name] for name in schema.names]
    values = np.asarray(vector.values, dtype=np.float64)[order]
    assessable = {sign: np.asarray(bit) for sign, bit in vector.assessable.items()}
    return Measures(
        values,
        np.where(np.isnan(vector.low[order]), values, vector.low[order]),
        np.where(np.isnan(vector.high[order]), values, vector.high[order]),
        known_groups(schema, values, assessable),
    )


def measurement_draws(measures: Measures, schema: ModelSchema) -> tuple[Float64Array, Float64Array]:
    """(d, k) values with each sign's measures at the lower end, the value or the upper end, and their weights (d,).

    The measures of one sign move together, since the same limits move most of them; the signs move independently.
    """
    sign_of = {g.name: g.sign for g in schema.groups}
    owner = np.array([sign_of[i.group] for i in schema.inputs])
    signs = list(dict.fromkeys(sign_of.values()))
    ends = np.stack([measures.low, measures.values, measures.high])
    # An undefined value stays undefined at both ends.
    ends[:, np.isnan(measures.values)] = np.nan
    # Where there may be nothing of a sign, that nothing has no pattern, and is counted as none.
    names = [i.name for i in schema.inputs]
    for k, sign in enumerate(owner):
        if names[k] == f"{sign}.extent_percent":
            for j in np.flatnonzero((owner == sign) & [i.optional for i in schema.inputs]):
                nothing = 0.0 if names[j].removeprefix(f"{sign}.") in COUNTS else np.nan
                ends[ends[:, k] == 0.0, j] = nothing
    draws, weights = [], []
    for choice in product(range(3), repeat=len(signs)):
        pick = np.array([choice[signs.index(o)] for o in owner])
        draws.append(ends[pick, np.arange(len(owner))])
        weights.append(prod(WITHIN[c] for c in choice))
    return np.array(draws), np.array(weights)


def is_unlike_training(model: Model, measures: Measures) -> bool:
    """Whether a known value lies outside the training range, or all together lie far from the training cases."""
    schema = model.schema
    z = standardised(schema, measures.values, measures.known)
    there = np.isfinite(z)
    low = np.array([i.low for i in schema.inputs])
    high = np.array([i.high for i in schema.inputs])
    scaled = transformed(schema.inputs, measures.values)
    outside = (scaled < low) | (scaled > high)
    centred = np.where(there, z, 0.0)
    distance = sqrt(max(float(centred @ model.precision @ centred), 0.0))
    return bool((outside & there).any()) or distance > schema.distance_limit
