"""The prior: shares of diseases before looking, and what they mean for the classes that the model tells apart."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from cop_imaging.classifier.diseases import OP
from cop_imaging.classifier.schema import ModelSchema
from cop_imaging.core.arrays import Float64Array
from cop_imaging.errors import ConfigError

__all__ = ["checked_prior", "class_prior"]


def checked_prior(schema: ModelSchema, prior: Mapping[str, float] | None) -> dict[str, float]:
    """The prior in force, one share per disease, sum 1; None is the model's default.

    Raises
    ------
    ConfigError
        If a disease is missing or unknown, a share is negative or not a number, or the prior leaves no room for
        organizing pneumonia or for anything else.
    """
    if prior is None:
        return dict(schema.prior)
    odd = sorted(set(prior) ^ set(schema.prior))
    if odd:
        raise ConfigError(f"the prior must name exactly {', '.join(schema.prior)}; check {', '.join(odd)}")
    total = float(sum(prior.values()))
    if not np.isfinite(total) or total <= 0 or min(prior.values()) < 0:
        raise ConfigError(
            f"the shares of the prior must be numbers of at least 0 with a positive sum, not {dict(prior)}"
        )
    shares = {disease: prior[disease] / total for disease in schema.prior}
    if not 0 < class_prior(schema, shares)[0] < 1:
        raise ConfigError("the prior must leave room for organizing pneumonia and for something else")
    return shares


def class_prior(schema: ModelSchema, prior: Mapping[str, float]) -> Float64Array:
    """(classes,) share of organizing pneumonia of any cause, then of each disease without it."""
    shares = [
        sum(prior[d] * schema.op_fraction[d] for d in prior) if c == OP else prior[c] * (1 - schema.op_fraction[c])
        for c in schema.classes
    ]
    return np.array(shares)
