"""From stored values to one block of Hounsfield units, and whether they are Hounsfield units at all."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from scipy import ndimage

from cop_imaging.core.arrays import BoolArray, Float32Array, Int16Array, Int32Array
from cop_imaging.core.volume import AIR_HU
from cop_imaging.errors import SeriesError
from cop_imaging.ingest.config import IngestConfig
from cop_imaging.ingest.pixels import StoredSlice, decode

__all__ = ["check_densities", "fill", "slice_hu"]

HIGHEST_HU = np.iinfo(np.int16).max
BIN_HU = 20
"""Width of the bins in which the commonest density is looked for: finer ones follow noise."""
SPARSE = 4
"""The check looks at one voxel in so many along each axis."""
SPLIT_HU = -500
"""Midway between air and water: what is below is air or lung."""
BONE_HU = 1500
"""What is above is metal, teeth or not in Hounsfield units."""


def fill(files: Sequence[Path], hu: Int16Array, valid: BoolArray, config: IngestConfig, threads: int) -> None:
    """Decode ``files`` into ``hu`` and ``valid``, slice by slice and in place.

    Parameters
    ----------
    hu : int16 [slice, row, column]
        A view in stored order; gets Hounsfield units, -1024 where nothing was scanned.
    valid : bool [slice, row, column]
        Becomes True inside the scanned field.
    threads : int
        Slices that are decoded side by side; the result does not depend on it.

    Raises
    ------
    SeriesError
        As ``slice_hu`` does, for the first slice that fails.
    """

    def one(n: int) -> None:
        hu[n], valid[n] = slice_hu(files[n], config)

    with ThreadPoolExecutor(max_workers=max(1, threads)) as pool:
        for _ in pool.map(one, range(len(files))):
            pass


def slice_hu(path: Path, config: IngestConfig) -> tuple[Int16Array, BoolArray]:
    """Hounsfield units [row, column] of one slice, and where it was scanned.

    Raises
    ------
    SeriesError
        ``hu.rescale_missing`` if slope or intercept are missing or the slope is zero; as ``decode`` does.
    """
    stored = decode(path)
    slope, intercept = stored.slope, stored.intercept
    if slope is None or intercept is None or slope == 0.0:
        raise SeriesError(
            f"{path.name} does not say how its values become Hounsfield units (Rescale Slope and Intercept); "
            "the original CT images are needed",
            code="hu.rescale_missing",
        )
    if slope == 1.0 and intercept.is_integer():
        density: Int32Array | Float32Array = stored.values + np.int32(intercept)
    else:
        density = np.rint(stored.values.astype(np.float32) * np.float32(slope) + np.float32(intercept))
    scanned = density >= config.padding_below_hu
    if stored.padding is not None:
        scanned &= ~_padded(stored, slope, intercept, config)
    hu = np.clip(density, AIR_HU, HIGHEST_HU).astype(np.int16)
    hu[~scanned] = AIR_HU
    return hu, scanned


def check_densities(hu: Int16Array, valid: BoolArray | None, config: IngestConfig) -> None:
    """Refuse a volume without air near -1000 HU and soft tissue near 40 HU.

    The commonest density below -500 HU must be that of air or lung, the commonest above it that of fat, water or
    muscle: an offset or a scale that was lost moves at least one of the two.

    Parameters
    ----------
    hu : int16 [z, y, x]
    valid : bool [z, y, x] or None

    Raises
    ------
    SeriesError
        ``hu.offset``, with the densities that were found.
    """
    sample = (slice(None, None, SPARSE),) * 3
    values = hu[sample] if valid is None else hu[sample][valid[sample]]
    air, air_percent = _commonest(values[values < SPLIT_HU], values.size)
    tissue, tissue_percent = _commonest(values[(values >= SPLIT_HU) & (values < BONE_HU)], values.size)
    least = config.smallest_share_percent
    if air_percent < least or tissue_percent < least:
        lacks = "air" if air_percent < least else "soft tissue"
        middle = float(np.median(values)) if values.size else float("nan")
        found = f"{lacks} is missing (median density {middle:.0f} HU)"
    elif air > config.air_high_hu:
        found = f"the commonest density of air and lung is {air:.0f} HU instead of at most {config.air_high_hu:g}"
    elif not config.tissue_low_hu <= tissue <= config.tissue_high_hu:
        found = (
            f"the commonest density of soft tissue is {tissue:.0f} HU instead of "
            f"{config.tissue_low_hu:g} to {config.tissue_high_hu:g}"
        )
    else:
        return
    raise SeriesError(
        f"the values are no Hounsfield units of a body: {found}; the original CT images are needed", code="hu.offset"
    )


def _padded(stored: StoredSlice, slope: float, intercept: float, config: IngestConfig) -> BoolArray:
    """Where the slice holds its declared padding value."""
    low, high = stored.padding or (0, 0)
    padded: BoolArray = (stored.values >= low) & (stored.values <= high)
    if max(low * slope, high * slope) + intercept < config.padding_below_hu or not padded.any():
        return padded
    # The value is also a density of tissue or air: only what is joined to the slice's edge is padding.
    labels, _ = ndimage.label(padded)
    edge = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    joined: BoolArray = np.isin(labels, edge[edge > 0])
    return joined


def _commonest(values: Int16Array, total: int) -> tuple[float, float]:
    """Centre of the fullest bin in HU, and the share of ``values`` in ``total`` in percent."""
    if not values.size:
        return (float("nan"), 0.0)
    low = int(values.min()) // BIN_HU * BIN_HU
    counts = np.bincount((values.astype(np.int32) - low) // BIN_HU)
    return (low + BIN_HU * (float(counts.argmax()) + 0.5), 100.0 * values.size / total)
