"""Measured numbers as the network reads them: standardised values, and bits for the two kinds of missing."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from cop_imaging.classifier.schema import Input, ModelSchema
from cop_imaging.core.arrays import BoolArray, Float64Array

__all__ = ["encode", "encoded_size", "known_groups", "standardised", "transformed"]


def transformed(inputs: tuple[Input, ...], values: Float64Array) -> Float64Array:
    """(…, k) values on the scale on which the network works; NaN stays NaN."""
    out = np.empty_like(values)
    for i, one in enumerate(inputs):
        column = values[..., i]
        if one.transform == "log1p":
            out[..., i] = np.log1p(np.maximum(column, 0.0) / one.scale)
        elif one.transform == "log_ratio":
            out[..., i] = np.log(np.clip(column, one.scale, 1 / one.scale))
        else:
            out[..., i] = column / one.scale
    return out


def known_groups(schema: ModelSchema, values: Float64Array, assessable: Mapping[str, BoolArray]) -> BoolArray:
    """(…, g): the group's sign could be looked for, and every number of it that is always defined is there."""
    missing = np.isnan(values)
    known = []
    for group in schema.groups:
        must = [i for i, one in enumerate(schema.inputs) if one.group == group.name and not one.optional]
        known.append(np.asarray(assessable[group.sign]) & ~missing[..., must].any(axis=-1))
    return np.stack(known, axis=-1)


def standardised(schema: ModelSchema, values: Float64Array, known: BoolArray) -> Float64Array:
    """(…, k) transformed values in units of the training spread; NaN where unknown or undefined."""
    mean = np.array([i.mean for i in schema.inputs])
    sd = np.array([i.sd for i in schema.inputs])
    z = (transformed(schema.inputs, values) - mean) / sd
    return np.where(known[..., _group_of(schema)], z, np.nan)


def encode(schema: ModelSchema, values: Float64Array, known: BoolArray) -> Float64Array:
    """The network's inputs, (…, k + optional + g).

    A value that is missing puts nothing into its own slot; what kind of missing it is stands in the bits: undefined
    (looked, nothing there) for each optional number, unknown (could not look) for each group.
    """
    z = standardised(schema, values, known)
    optional = [i for i, one in enumerate(schema.inputs) if one.optional]
    undefined = np.isnan(values[..., optional]) & known[..., _group_of(schema)[optional]]
    return np.concatenate([np.nan_to_num(z, nan=0.0), undefined.astype(np.float64), (~known).astype(np.float64)], -1)


def encoded_size(schema: ModelSchema) -> int:
    """Number of network inputs."""
    return len(schema.inputs) + sum(i.optional for i in schema.inputs) + len(schema.groups)


def _group_of(schema: ModelSchema) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """(k,) index of each input's group."""
    names = [g.name for g in schema.groups]
    return np.array([names.index(i.group) for i in schema.inputs], dtype=np.intp)
