"""Lungs and effusion from the network's probabilities and the image: aerated borders follow the image, dense ones the
network and the shape of a lung."""

from __future__ import annotations

import numpy as np

from cop_imaging.anatomy.fluid import fluid_odds, no_fluid
from cop_imaging.anatomy.lung_network import LungLogits
from cop_imaging.anatomy.lungs import WholeLungs
from cop_imaging.anatomy.strays import CORE_MM, bowel_gas, stray_tissue
from cop_imaging.anatomy.strays_config import StraysConfig
from cop_imaging.core.anatomy import LEFT, RIGHT
from cop_imaging.core.arrays import BoolArray, Float32Array
from cop_imaging.core.geometry import Geometry
from cop_imaging.core.grid import closed, dilated, eroded, keep_large, resample

__all__ = ["seen_lungs"]

LIKELY, POSSIBLE = 0.5, 0.25
"""Probability of lung from which dense tissue is lung, and from which what is as dark as lung is."""
LIKELY_NEAR, HOLLOW_ODDS, HOLLOW_MM, DRY = 0.3, 20.0, 30.0, 0.3
"""Near airless lung that the network sees by itself, dense tissue is lung from ``LIKELY_NEAR``; in hollows of the
lung's surface, into which a ball of ``HOLLOW_MM`` does not reach, the odds of lung are taken ``HOLLOW_ODDS`` times
higher unless fluid is likelier than ``DRY``. Consolidation on the pleura leaves such hollows, and the network errs by
a voxel or two of its grid, which is much of a small patch. Chosen on lesions put into three scans it never saw."""
SMALLEST_CORE_ML, REACH_MM = 0.1, 15.0
"""How large the core of such airless lung is, and what near means. Without it
nothing is taken in: hollows beside heart, spine and great vessels are there in health too."""
CERTAIN, CERTAIN_MM = 0.98, 2.0
"""Airless lung is doubted where no core lies within reach of which the network is as sure as this."""
FLUID_HU = (-60.0, 90.0)
SMALLEST_FLUID_ML, SMALLEST_UNSURE_ML = 5.0, 1.0
SMALLEST_SHARE = 1e-6
SURE_OF_BOTH = 0.9
"""Probability of lung or fluid from which density decides between the two: muscle and vessels are as dense as lung."""
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
    strays: StraysConfig,
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
    soft = smooth > lung_hu
    free = body & ~excluded
    lungness, both = right + left, right + left + fluid
    odds = np.exp(fluid_odds(smooth, free & soft & (both > SURE_OF_BOTH), body, work))
    lung_share = both / np.maximum(lungness + fluid * odds, SMALLEST_SHARE)
    right, left, fluid = right * lung_share, left * lung_share, fluid * odds * lung_share
    lungness = right + left
    airy = free & ~soft & (lungness > POSSIBLE)
    airy &= ~bowel_gas(airy, free & ~soft & ~aerated, work, strays)
    enclosed = closed(airy, work, ENCLOSED_MM)
    lobe = no_fluid(free & soft & (fluid > LIKELY), airy, smooth, work)
    dense = free & soft & ((lungness > LIKELY) | lobe)
    core = keep_large(eroded(dense | airy, work, CORE_MM) & dense & ~enclosed, work, SMALLEST_CORE_ML)
    if core.any():
        near = free & soft & dilated(core, work, REACH_MM)
        raised = resample(in_hollows(shares, logits.geometry), logits.geometry, work, outside=0.0)
        dense |= near & ((lungness > LIKELY_NEAR) | (raised > LIKELY))
    # A thin layer between aerated lung and its surroundings is what the coarse grid does not resolve.
    thick = eroded(dense | enclosed, work, THIN_MM) & ~enclosed
    found = airy | (dense & (enclosed | dilated(thick, work, THIN_MM + work.spacing_mm[0])))
    sure = keep_large(
        eroded(dense | airy, work, CERTAIN_MM) & dense & ~enclosed & (lungness > CERTAIN), work, SMALLEST_CORE_ML
    )
    doubted = dense & ~enclosed & ~dilated(sure, work, REACH_MM)
    watery = free & soft & (fluid > LIKELY) & ~lobe
    found &= ~stray_tissue(dense & ~enclosed, airy, aerated, enclosed, watery, right >= left, smooth, work, strays)
    del airy, enclosed, dense, thick, sure
    side = np.where(right >= left, RIGHT, LEFT).astype(np.uint8)
    lungs = np.zeros(found.shape, dtype=np.uint8)
    for label in (RIGHT, LEFT):
        mine = keep_large(found & (side == label), work, smallest_ml, connectivity=6)
        lungs[mine] = label
    del found
    inside = lungs > 0
    # Vessels and walls that the coarse grid does not show are part of the lung around them.
    gaps = closed(inside, work, GAP_MM) & ~inside & (lungness > POSSIBLE) & ~excluded
    lungs[gaps] = side[gaps]
    inside |= gaps
    watery = soft & (smooth > FLUID_HU[0]) & (smooth < FLUID_HU[1]) & ~inside & ~excluded
    effusion = keep_large(watery & (fluid > LIKELY) & ~lobe, work, SMALLEST_FLUID_ML, connectivity=6)
    unsure = watery & ~effusion & (lungness + fluid > LIKELY) & (lungness > POSSIBLE)
    unseen = float((aerated & ~inside).sum()) / max(int(aerated.sum()), 1)
    return WholeLungs(
        lungs, inside & soft, keep_large(unsure, work, SMALLEST_UNSURE_ML), effusion, doubted & inside, unseen
    )


def in_hollows(shares: Float32Array, geometry: Geometry) -> Float32Array:
    """Probability of lung [z, y, x], raised in hollows of the lungs' surface, from the classes' [class, z, y, x]."""
    both: Float32Array = shares[1] + shares[2]
    hollow = np.zeros(both.shape, dtype=bool)
    for own, other in ((1, 2), (2, 1)):
        hollow |= closed((both > LIKELY) & (shares[own] > shares[other]), geometry, HOLLOW_MM)
    raised = HOLLOW_ODDS * both
    return np.where(hollow & (shares[3] < DRY), raised / (raised + 1.0 - both), both)
