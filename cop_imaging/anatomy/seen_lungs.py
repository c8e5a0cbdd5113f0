"""Lungs and effusion from the network's probabilities and the image: aerated borders follow the image, dense ones the
network and the shape of a lung."""

from __future__ import annotations

import numpy as np

from cop_imaging.anatomy.fluid import fluid_odds, no_fluid
from cop_imaging.anatomy.fluid_config import FluidConfig
from cop_imaging.anatomy.lung_network import LungLogits
from cop_imaging.anatomy.lungs import WholeLungs
from cop_imaging.anatomy.seen_config import SeenConfig
from cop_imaging.anatomy.strays import bowel_gas, stray_tissue
from cop_imaging.anatomy.strays_config import StraysConfig
from cop_imaging.core.anatomy import LEFT, RIGHT
from cop_imaging.core.arrays import BoolArray, Float32Array
from cop_imaging.core.geometry import Geometry
from cop_imaging.core.grid import closed, dilated, eroded, keep_large, resample

__all__ = ["seen_lungs"]

SMALLEST_SHARE = 1e-6
"""Keeps a quotient of probabilities finite."""


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
    config: SeenConfig,
    fluid_config: FluidConfig,
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
    odds = np.exp(fluid_odds(smooth, free & soft & (both > config.sure_of_both), body, work, fluid_config))
    lung_share = both / np.maximum(lungness + fluid * odds, SMALLEST_SHARE)
    right, left, fluid = right * lung_share, left * lung_share, fluid * odds * lung_share
    lungness = right + left
    airy = free & ~soft & (lungness > config.possible)
    airy &= ~bowel_gas(airy, free & ~soft & ~aerated, work, strays)
    enclosed = closed(airy, work, config.enclosed_mm)
    lobe = no_fluid(free & soft & (fluid > config.likely), airy, smooth, work, fluid_config)
    dense = free & soft & ((lungness > config.likely) | lobe)
    core = keep_large(eroded(dense | airy, work, config.core_mm) & dense & ~enclosed, work, config.smallest_core_ml)
    if core.any():
        near = free & soft & dilated(core, work, config.reach_mm)
        raised = resample(in_hollows(shares, logits.geometry, config), logits.geometry, work, outside=0.0)
        dense |= near & ((lungness > config.likely_near) | (raised > config.likely))
    # A thin layer between aerated lung and its surroundings is what the coarse grid does not resolve.
    thick = eroded(dense | enclosed, work, config.thin_mm) & ~enclosed
    found = airy | (dense & (enclosed | dilated(thick, work, config.thin_mm + work.spacing_mm[0])))
    sure = keep_large(
        eroded(dense | airy, work, config.certain_mm) & dense & ~enclosed & (lungness > config.certain),
        work,
        config.smallest_core_ml,
    )
    doubted = dense & ~enclosed & ~dilated(sure, work, config.reach_mm)
    watery = free & soft & (fluid > config.likely) & ~lobe
    stray, unsure = stray_tissue(
        dense & ~enclosed, airy, aerated, enclosed, watery, right >= left, smooth, work, strays
    )
    found &= ~stray
    doubted |= unsure
    del airy, enclosed, dense, thick, sure, stray, unsure
    side = np.where(right >= left, RIGHT, LEFT).astype(np.uint8)
    lungs = np.zeros(found.shape, dtype=np.uint8)
    for label in (RIGHT, LEFT):
        mine = keep_large(found & (side == label), work, smallest_ml, connectivity=6)
        lungs[mine] = label
    del found
    inside = lungs > 0
    # Vessels and walls that the coarse grid does not show are part of the lung around them.
    gaps = closed(inside, work, config.gap_mm) & ~inside & (lungness > config.possible) & ~excluded
    lungs[gaps] = side[gaps]
    inside |= gaps
    watery = soft & (smooth > config.fluid_hu[0]) & (smooth < config.fluid_hu[1]) & ~inside & ~excluded
    effusion = keep_large(watery & (fluid > config.likely) & ~lobe, work, config.smallest_fluid_ml, connectivity=6)
    unsure = watery & ~effusion & (lungness + fluid > config.likely) & (lungness > config.possible)
    unseen = float((aerated & ~inside).sum()) / max(int(aerated.sum()), 1)
    return WholeLungs(
        lungs, inside & soft, keep_large(unsure, work, config.smallest_unsure_ml), effusion, doubted & inside, unseen
    )


def in_hollows(shares: Float32Array, geometry: Geometry, config: SeenConfig) -> Float32Array:
    """Probability of lung [z, y, x], raised in hollows of the lungs' surface, from the classes' [class, z, y, x]."""
    both: Float32Array = shares[1] + shares[2]
    hollow = np.zeros(both.shape, dtype=bool)
    for own, other in ((1, 2), (2, 1)):
        hollow |= closed((both > config.likely) & (shares[own] > shares[other]), geometry, config.hollow_mm)
    raised = config.hollow_odds * both
    return np.where(hollow & (shares[3] < config.dry), raised / (raised + 1.0 - both), both)
