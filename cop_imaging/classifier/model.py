"""The stored model: read, checked against its digests, and run with numpy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load_file
from scipy.special import log_softmax

from cop_imaging.classifier.encode import encode, encoded_size
from cop_imaging.classifier.schema import ModelSchema
from cop_imaging.config import asset_path
from cop_imaging.core.arrays import Float64Array
from cop_imaging.errors import ModelError
from cop_imaging.provenance import check_digests, file_digest

__all__ = ["DIGESTS", "SCHEMA", "WEIGHTS", "Model", "class_logs", "evidence", "load_model"]

WEIGHTS, SCHEMA, DIGESTS = "weights.safetensors", "schema.json", "SHA256SUMS"
LAYERS = ("w1", "b1", "w2", "b2", "w3", "b3")


@dataclass(frozen=True, eq=False)
class Model:
    """An ensemble of small networks with its declaration.

    Parameters
    ----------
    weights : {name: array}
        ``w1`` (m, inputs, hidden), ``b1`` (m, 1, hidden), and so on, for m members.
    precision : (k, k)
        Inverse covariance of the standardised training values.
    digest : str
        SHA-256 of the file of digests: names this model.
    """

    schema: ModelSchema
    weights: Mapping[str, Float64Array] = field(repr=False)
    precision: Float64Array = field(repr=False)
    digest: str = ""


def load_model(path: Path | None = None) -> Model:
    """Read the model in folder ``path`` (default: the one that travels with the package).

    Raises
    ------
    ModelError
        If a file is missing, differs from its digest, or does not fit its schema.
    """
    folder = asset_path("models", "op_likelihood") if path is None else path
    check_digests(folder, {WEIGHTS, SCHEMA}, DIGESTS)
    try:
        schema = ModelSchema.model_validate_json((folder / SCHEMA).read_bytes())
        stored = load_file(folder / WEIGHTS)
    except (OSError, ValidationError, SafetensorError) as error:
        raise ModelError(f"the model in {folder} cannot be read: {str(error).splitlines()[0]}") from error
    weights = {name: array.astype(np.float64) for name, array in stored.items()}
    absent = {*LAYERS, "precision"} - set(weights)
    if absent or weights["w1"].shape[1] != encoded_size(schema) or weights["w3"].shape[2] != len(schema.classes):
        raise ModelError(f"the weights in {folder} do not fit {SCHEMA}; train the model again")
    return Model(schema, weights, weights.pop("precision"), file_digest(folder / DIGESTS))


def evidence(model: Model, encoded: Float64Array) -> Float64Array:
    """(m, n, classes) log-likelihood ratios of n encoded cases, up to a constant per case and member.

    Zero for a case of which nothing is known, so that there the prior stands.
    """
    nothing = encode(
        model.schema, np.full((1, len(model.schema.inputs)), np.nan), np.zeros((1, len(model.schema.groups)), bool)
    )
    out = _forward(model.weights, encoded) - _forward(model.weights, nothing)
    return out / model.schema.temperature


def class_logs(found: Float64Array, class_prior: Float64Array, weight: float = 1.0) -> Float64Array:
    """(m, n, classes) log-probabilities by Bayes' rule from evidence and the classes' prior."""
    with np.errstate(divide="ignore"):
        prior = np.log(class_prior)
    logs: Float64Array = log_softmax(weight * found + prior, axis=-1)
    return logs


def _forward(weights: Mapping[str, Float64Array], x: Float64Array) -> Float64Array:
    hidden = np.tanh(x @ weights["w1"] + weights["b1"])
    hidden = np.tanh(hidden @ weights["w2"] + weights["b2"])
    out: Float64Array = hidden @ weights["w3"] + weights["b3"]
    return out
