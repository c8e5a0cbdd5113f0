"""Lungs and effusion from the network's probabilities and the image: aerated borders follow the image, dense ones the
network."""

from __future__ import annotations

import numpy as np

from cop_imaging.anatomy.lung_network import LungLogits
from cop_imaging.anatomy.lungs import WholeLungs
from cop_imaging.core.anatomy import LEFT, RIGHT
from cop_imaging.core.arrays import BoolArray, Float32Array
from cop_imaging.core.geometry import Geometry
from cop_imaging.core.grid import closed, dilated, eroded, keep_large, resample

__all__ = ["seen_lungs"]

LIKELY, POSSIBLE = 0.5, 0.25
"""Probability of lung from which dense tissue is lung, and from which what is as dark as lung is."""
FLUID_HU = (-40.0, 70.0)
SMALLEST_FLUID_ML, SMALLEST_UNSURE_ML = 5.0, 1.0
GAP_MM, ENCLOSED_MM, THIN_MM = 3.0, 5.0, 3.0


def seen_lungs(
    logits: LungLogits,
    smooth: Float32Array,
    body: BoolArray,
    aerated: BoolArray,
    excluded: BoolArray,
    work: Geometry,
    *,
    lung_hu: float,
    smallest_ml: float,
) -> WholeLungs:
    """Put probabilities and image together.

    Parameters
    ----------
    smooth : float32 [z, y, x]
        Density on the work grid, lightly blurred, in HU.
    aerated : bool [z, y, x]
        Lung with air in it, as far as density and connection tell.
    excluded : bool [z, y, x]
        Trachea and main bronchi with their walls.
    """
    shares = np.exp(logits.logits - logits.logits.max(axis=0))
    shares /= shares.sum(axis=0)
    right, left, fluid = (resample(shares[n], logits.geometry, work, outside=0.0) for n in (1, 2, 3))
    lungness = right + left
    soft = smooth > lung_hu
    airy = ~soft & (lungness > POSSIBLE) & ~excluded & body
    enclosed = closed(airy, work, ENCLOSED_MM)
    dense = soft & (lungness > LIKELY) & ~excluded & body
    # A thin layer between aerated lung and its surroundings is what the coarse grid does not resolve.
    thick = eroded(dense | enclosed, work, THIN_MM) & ~enclosed
    found = airy | (dense & (enclosed | dilated(thick, work, THIN_MM + work.spacing_mm[0])))
    del airy, enclosed, dense, thick
    side = np.where(right >= left, RIGHT, LEFT).astype(np.uint8)
    lungs = np.zeros(found.shape, dtype=np.uint8)
    for label in (RIGHT, LEFT):
        mine = keep_large(found & (side == label), work, smallest_ml, connectivity=6)
        lungs[mine] = label
    del found
    inside = lungs > 0
    # Vessels and walls that the coarse grid does not show are part of the lung around them.
    gaps = closed(inside, work, GAP_MM) & ~inside & ~excluded & (lungness > POSSIBLE)
    lungs[gaps] = side[gaps]
    inside |= gaps
    watery = soft & (smooth > FLUID_HU[0]) & (smooth < FLUID_HU[1]) & ~inside & ~excluded
    effusion = keep_large(watery & (fluid > LIKELY), work, SMALLEST_FLUID_ML, connectivity=6)
    unsure = watery & ~effusion & (lungness + fluid > LIKELY) & (lungness > POSSIBLE)
    unseen = float((aerated & ~inside).sum()) / max(int(aerated.sum()), 1)
    return WholeLungs(
        lungs,
        inside & soft,
        keep_large(unsure, work, SMALLEST_UNSURE_ML),
        effusion,
        unseen,
    )
