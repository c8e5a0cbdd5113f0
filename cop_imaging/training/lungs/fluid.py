"""Corrects what fluid is drawn around but would have pressed away."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from cop_imaging.core.arrays import Int16Array, UInt8Array

__all__ = ["AIRWAY", "EFFUSION", "IGNORED", "without_air_in_fluid"]

EFFUSION, AIRWAY, IGNORED = 3, 4, 255
AIR_HU_BELOW = 35.0
"""How much darker than fluid a voxel is that a bronchus runs through."""
AERATED_HU = -300.0


def without_air_in_fluid(hu: Int16Array, label: UInt8Array) -> tuple[Int16Array, UInt8Array]:
    """Bronchi that fluid was drawn around hold fluid too; HU and label, [z, y, x], of the network's samples."""
    fluid = label == EFFUSION
    deep = ndimage.binary_erosion(fluid)
    if not deep.any():
        return hu, label
    label = label.copy()
    label[ndimage.binary_closing(fluid, iterations=2) & np.isin(label, (AIRWAY, IGNORED))] = EFFUSION
    usual = float(np.median(hu[deep]))
    spread = float(np.median(np.abs(hu[deep] - usual)))
    aerated = ndimage.binary_dilation(np.isin(label, (1, 2)) & (hu < AERATED_HU))
    holes = (label == EFFUSION) & (hu < usual - AIR_HU_BELOW) & ~aerated
    hu = hu.copy()
    # Other voxels' noise stands for that of the filled ones.
    noise = np.resize(hu[deep], int(holes.sum()))
    hu[holes] = np.clip(noise, usual - 3.0 * spread, usual + 3.0 * spread)
    return hu, label
