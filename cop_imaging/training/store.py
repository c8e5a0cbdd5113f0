"""Write a model as a whole folder or not at all."""

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

from cop_imaging.classifier.model import DIGESTS, SCHEMA, WEIGHTS, Model
from cop_imaging.errors import OutputError
from cop_imaging.provenance import file_digest
from cop_imaging.training.card import card

__all__ = ["CARD", "EVALUATION", "store_model"]

CARD, EVALUATION = "card.md", "evaluation.json"


def store_model(model: Model, figures: Mapping[str, Any], out: Path) -> Path:
    """Write weights, schema, evaluation, card and digests into folder ``out``, replacing what is there.

    Raises
    ------
    OutputError
        If the folder cannot be written, or holds something that is not a model.
    """
    if out.exists() and (not out.is_dir() or (any(out.iterdir()) and not (out / DIGESTS).is_file())):
        raise OutputError(f"{out} holds something that is not a model; name a new folder")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        new = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
        try:
            _write(model, figures, new)
            # mkdtemp makes a folder that only its owner may read.
            new.chmod(0o755)
            if out.exists():
                shutil.rmtree(out)
            os.replace(new, out)
        except BaseException:
            shutil.rmtree(new, ignore_errors=True)
            raise
    except OSError as error:
        raise OutputError(f"the model cannot be written to {out}: {error.strerror or error}") from error
    return out


def _write(model: Model, figures: Mapping[str, Any], folder: Path) -> None:
    arrays = {**model.weights, "precision": model.precision}
    stored = {name: np.ascontiguousarray(array, dtype=np.float32) for name, array in sorted(arrays.items())}
    (folder / WEIGHTS).write_bytes(save(stored))
    _text(folder / SCHEMA, model.schema.model_dump_json(indent=1) + "\n")
    _text(folder / EVALUATION, json.dumps(figures, indent=1) + "\n")
    members, _, hidden = model.weights["w1"].shape
    _text(folder / CARD, card(model.schema, figures, members=members, hidden=hidden))
    names = sorted((WEIGHTS, SCHEMA, EVALUATION, CARD))
    _text(folder / DIGESTS, "".join(f"{file_digest(folder / name)}  {name}\n" for name in names))


def _text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")
