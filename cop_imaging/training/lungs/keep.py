"""Store the lung network: weights, training curve, evaluation, card."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save

from cop_imaging.anatomy.lung_network.weights import DIGESTS, WEIGHTS
from cop_imaging.core.arrays import Float32Array
from cop_imaging.training.lungs.card import card
from cop_imaging.training.model_folder import write_model_folder, write_text

__all__ = ["CARD", "CURVE", "EVALUATION", "store_network"]

CARD, EVALUATION, CURVE = "card.md", "evaluation.json", "curve.json"


def store_network(
    weights: Mapping[str, Float32Array], curve: list[dict[str, float]], figures: Mapping[str, Any], out: Path
) -> Path:
    """Write weights, training curve, evaluation, card and digests into folder ``out``, replacing what is there.

    Weights are stored as float16: half the size, and the labels of fewer than one voxel in 10,000 change.

    Raises
    ------
    OutputError
        If the folder cannot be written, or holds something that is not a network.
    """
    return write_model_folder(
        out, lambda folder: _write(weights, curve, figures, folder), digests=DIGESTS, what="network"
    )


def _write(
    weights: Mapping[str, Float32Array], curve: list[dict[str, float]], figures: Mapping[str, Any], folder: Path
) -> None:
    halves = {name: np.ascontiguousarray(array, dtype=np.float16) for name, array in sorted(weights.items())}
    (folder / WEIGHTS).write_bytes(save(halves))
    rounded = [{name: round(value, 4) for name, value in row.items()} for row in curve]
    write_text(folder / CURVE, json.dumps(rounded, indent=0) + "\n")
    write_text(folder / EVALUATION, json.dumps(figures, indent=1) + "\n")
    write_text(folder / CARD, card(figures, parameters=sum(array.size for array in weights.values()), curve=rounded))
