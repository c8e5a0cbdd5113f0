"""Where nothing was scanned: declared padding, densities that no tissue has, and a canvas around the field."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from cop_imaging.core.arrays import AnyArray, BoolArray
from cop_imaging.ingest.density_config import DensityConfig
from cop_imaging.ingest.pixels import StoredSlice

__all__ = ["canvas", "declared"]

CORNERS = ((0, 0), (0, -1), (-1, 0), (-1, -1))


def declared(stored: StoredSlice, slope: float, intercept: float, config: DensityConfig) -> BoolArray | None:
    """Where the slice holds its declared padding value (PS3.3 C.7.5.1.1.2); None where it never does."""
    if stored.padding is None:
        return None
    low, high = stored.padding
    padded: BoolArray = stored.values == low if low == high else (stored.values >= low) & (stored.values <= high)
    if not padded.any():
        return None
    if max(low * slope, high * slope) + intercept < config.padding_below_hu:
        return padded
    # The value is also a density of tissue or air: only what is joined to the slice's edge is padding.
    return _joined_to_the_edge(padded)


def canvas(density: AnyArray, config: DensityConfig) -> BoolArray | None:
    """Where one value that is no air fills the corners around a round field without being declared; None if nowhere."""
    corners = [float(density[at]) for at in CORNERS]
    value = max(set(corners), key=corners.count)
    if corners.count(value) < 3 or value <= config.canvas_above_hu:
        return None
    filled = _joined_to_the_edge(density == value)
    return filled if 100.0 * filled.mean() >= config.canvas_percent else None


def _joined_to_the_edge(mask: BoolArray) -> BoolArray:
    labels, _ = ndimage.label(mask)
    edge = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    joined: BoolArray = np.isin(labels, edge[edge > 0])
    return joined
