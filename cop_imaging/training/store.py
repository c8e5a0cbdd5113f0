"""Store the likelihood model: weights, schema, evaluation, card."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save

from cop_imaging.classifier.model import DIGESTS, SCHEMA, WEIGHTS, Model
from cop_imaging.training.card import card
from cop_imaging.training.model_folder import write_model_folder, write_text

__all__ = ["CARD", "EVALUATION", "store_model"]

CARD, EVALUATION = "card.md", "evaluation.json"


def store_model(model: Model, figures: Mapping[str, Any], out: Path) -> Path:
    """Write weights, schema, evaluation, card and digests into folder ``out``, replacing what is there.

    Raises
    ------
    OutputError
        If the folder cannot be written, or holds something that is not a model.
    """
    return write_model_folder(out, lambda folder: _write(model, figures, folder), digests=DIGESTS, what="model")


def _write(model: Model, figures: Mapping[str, Any], folder: Path) -> None:
    arrays = {**model.weights, "precision": model.precision}
    stored = {name: np.ascontiguousarray(array, dtype=np.float32) for name, array in sorted(arrays.items())}
    (folder / WEIGHTS).write_bytes(save(stored))
    write_text(folder / SCHEMA, model.schema.model_dump_json(indent=1) + "\n")
    write_text(folder / EVALUATION, json.dumps(figures, indent=1) + "\n")
    members, _, hidden = model.weights["w1"].shape
    write_text(folder / CARD, card(model.schema, figures, members=members, hidden=hidden))
