"""What the model reads and answers, before anything is learned."""

from __future__ import annotations

import numpy as np

from cop_imaging.classifier.diseases import OP
from cop_imaging.classifier.encode import known_groups, standardised, transformed
from cop_imaging.classifier.schema import Group, Input, ModelSchema
from cop_imaging.core.arrays import Float64Array
from cop_imaging.synth.diseases.knowledge import Knowledge
from cop_imaging.training.cohort import Cohort

__all__ = ["GROUPS", "INPUTS", "declare", "fitted"]

GROUPS = (
    Group(name="consolidation", title="Consolidation: how much", sign="consolidation"),
    Group(name="consolidation_pattern", title="Consolidation: where and in how many patches", sign="consolidation"),
    Group(name="ground_glass", title="Ground glass: how much", sign="ground_glass"),
    Group(name="ground_glass_pattern", title="Ground glass: where and in how many patches", sign="ground_glass"),
    Group(name="reversed_halo", title="Reversed halo", sign="reversed_halo"),
    Group(name="lung_volume", title="Lung volume", sign="lungs"),
)

RATIO_LIMIT = 0.05
"""Ratios are held between it and its inverse: beyond, they say only "almost all on one side"."""


def _density(sign: str) -> tuple[Input, ...]:
    pattern = f"{sign}_pattern"
    ratios = ("peripheral_to_central", "lower_to_upper", "peribronchovascular_ratio", "subpleural_sparing")
    return (
        Input(name=f"{sign}.extent_percent", group=sign, transform="log1p", scale=0.2),
        *(
            Input(name=f"{sign}.{r}", group=pattern, transform="log_ratio", scale=RATIO_LIMIT, optional=True)
            for r in ratios
        ),
        Input(name=f"{sign}.bilateral_index", group=pattern, transform="linear", optional=True),
        Input(name=f"{sign}.patch_count", group=pattern, transform="log1p", optional=True),
        Input(name=f"{sign}.largest_share", group=pattern, transform="linear", optional=True),
        Input(name=f"{sign}.zones_hit", group=pattern, transform="linear", optional=True),
    )


INPUTS = (
    *_density("consolidation"),
    *_density("ground_glass"),
    Input(name="reversed_halo.count", group="reversed_halo", transform="log1p", scale=0.5),
    Input(name="reversed_halo.possible_count", group="reversed_halo", transform="log1p", scale=0.5),
    Input(name="reversed_halo.best_outer_diameter_mm", group="reversed_halo", transform="log1p", optional=True),
    Input(name="reversed_halo.best_rim_mm", group="reversed_halo", transform="log1p", optional=True),
    Input(name="lungs.volume_ml", group="lung_volume", transform="log1p"),
)

MARGIN = 0.1
"""The range that the model knows reaches this share of the observed range beyond it, at both ends."""

FALSE_ALARMS = 0.002
"""Share of training cases that lie beyond the limit of distance."""


RIDGE = 0.01
"""Added to the covariance's diagonal: counts and shares of the same mask are nearly collinear."""


def declare(knowledge: Knowledge, seed: int) -> ModelSchema:
    """The declaration of a model that has learned nothing."""
    others = [d for d in knowledge.diseases if d != "COP"]
    return ModelSchema(
        version="1",
        seed=seed,
        inputs=INPUTS,
        groups=GROUPS,
        classes=(OP, *others),
        prior=dict(zip(knowledge.diseases, map(float, knowledge.prevalence), strict=True)),
        op_fraction=dict(zip(knowledge.diseases, map(float, knowledge.op_fraction), strict=True)),
        temperature=1.0,
        distance_limit=float("inf"),
    )


def fitted(schema: ModelSchema, cohort: Cohort) -> tuple[ModelSchema, Float64Array]:
    """Standardisation, known ranges and the limit of distance from a cohort; and the inverse covariance (k, k)."""
    values = cohort.values(schema.names)
    scaled = transformed(schema.inputs, values)
    inputs = []
    for i, one in enumerate(schema.inputs):
        column = scaled[np.isfinite(scaled[:, i]), i]
        low, high = np.quantile(column, [0.0005, 0.9995])
        reach = MARGIN * (high - low)
        inputs.append(
            one.model_copy(
                update={
                    "mean": float(column.mean()),
                    "sd": float(max(column.std(), 1e-3)),
                    "low": float(low - reach),
                    "high": float(high + reach),
                }
            )
        )
    schema = schema.model_copy(update={"inputs": tuple(inputs)})
    z = np.nan_to_num(standardised(schema, values, known_groups(schema, values, cohort.assessable)), nan=0.0)
    covariance: Float64Array = np.cov(z, rowvar=False) + RIDGE * np.eye(z.shape[1])
    precision = np.asarray(np.linalg.inv(covariance), dtype=np.float64)
    distance = np.sqrt(np.einsum("ni,ij,nj->n", z, precision, z))
    return schema.model_copy(update={"distance_limit": float(np.quantile(distance, 1 - FALSE_ALARMS))}), precision
