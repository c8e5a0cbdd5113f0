"""The network's stored weights: read once, checked against their digests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file

from cop_imaging.anatomy.lung_network.forward import CHANNELS, CLASSES
from cop_imaging.config import asset_path
from cop_imaging.core.arrays import Float32Array
from cop_imaging.errors import ModelError
from cop_imaging.provenance import check_digests, file_digest

__all__ = ["DIGESTS", "WEIGHTS", "LungNetwork", "load_lung_network"]

WEIGHTS, DIGESTS = "weights.safetensors", "SHA256SUMS"


@dataclass(frozen=True, slots=True, eq=False)
class LungNetwork:
    """Weights by layer, float32, and what names them.

    Parameters
    ----------
    weights : {name: array}
        ``LAYER.weight`` (out, in, 3, 3, 3) or (out, in), ``LAYER.bias`` (out,).
    digest : str
        SHA-256 of the file of digests.
    """

    weights: Mapping[str, Float32Array] = field(repr=False)
    digest: str = ""


def load_lung_network(folder: Path | None = None) -> LungNetwork:
    """The network in ``folder`` (default: the one that travels with the package), read once in a process.

    Raises
    ------
    ModelError
        If a file is missing, differs from its digest, or holds another network.
    """
    return _loaded((asset_path("models", "lungs_network") if folder is None else folder).resolve())


@lru_cache(maxsize=2)
def _loaded(folder: Path) -> LungNetwork:
    check_digests(folder, {WEIGHTS}, DIGESTS)
    try:
        stored = load_file(folder / WEIGHTS)
    except (OSError, SafetensorError) as error:
        raise ModelError(f"the lung network in {folder} cannot be read: {str(error).splitlines()[0]}") from error
    weights = {name: array.astype(np.float32) for name, array in stored.items()}
    first, last = weights.get("down.0.weight"), weights.get("classes.weight")
    if first is None or last is None or first.shape[1] != 8 * CHANNELS or len(last) != len(CLASSES):
        raise ModelError(f"{WEIGHTS} in {folder} holds another network; restore it or train it again")
    for array in weights.values():
        array.flags.writeable = False
    return LungNetwork(weights, file_digest(folder / DIGESTS))
