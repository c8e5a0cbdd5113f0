"""Write the lung network as a whole folder or not at all."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save

from cop_imaging.anatomy.lung_network.weights import DIGESTS, WEIGHTS
from cop_imaging.core.arrays import Float32Array
from cop_imaging.errors import OutputError
from cop_imaging.provenance import file_digest
from cop_imaging.training.lungs.card import card

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
    if out.exists() and (not out.is_dir() or (any(out.iterdir()) and not (out / DIGESTS).is_file())):
        raise OutputError(f"{out} holds something that is not a network; name a new folder")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        new = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
        try:
            _write(weights, curve, figures, new)
            # mkdtemp makes a folder that only its owner may read.
            new.chmod(0o755)
            if out.exists():
                shutil.rmtree(out)
            os.replace(new, out)
        except BaseException:
            shutil.rmtree(new, ignore_errors=True)
            raise
    except OSError as error:
        raise OutputError(f"the network cannot be written to {out}: {error.strerror or error}") from error
    return out


def _write(
    weights: Mapping[str, Float32Array], curve: list[dict[str, float]], figures: Mapping[str, Any], folder: Path
) -> None:
    halves = {name: np.ascontiguousarray(array, dtype=np.float16) for name, array in sorted(weights.items())}
    (folder / WEIGHTS).write_bytes(save(halves))
    rounded = [{name: round(value, 4) for name, value in row.items()} for row in curve]
    _text(folder / CURVE, json.dumps(rounded, indent=0) + "\n")
    _text(folder / EVALUATION, json.dumps(figures, indent=1) + "\n")
    _text(folder / CARD, card(figures, parameters=sum(array.size for array in weights.values()), curve=rounded))
    names = sorted((WEIGHTS, CURVE, EVALUATION, CARD))
    _text(folder / DIGESTS, "".join(f"{file_digest(folder / name)}  {name}\n" for name in names))


def _text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")
