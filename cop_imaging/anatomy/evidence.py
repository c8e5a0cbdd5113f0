"""What the network's probabilities, and the density of the tissue, let expect of a lung mask."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cop_imaging.anatomy.evidence_config import EvidenceConfig
from cop_imaging.anatomy.fluid import fluid_odds
from cop_imaging.anatomy.fluid_config import FluidConfig
from cop_imaging.anatomy.lung_network import LungLogits
from cop_imaging.core.arrays import BoolArray, Float32Array
from cop_imaging.core.geometry import Geometry
from cop_imaging.core.grid import components, dilated, distance_to, opened, resample, share_of

__all__ = ["Evidence", "weigh_mask"]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is to be expected of a mask, were the network's probabilities true."""

    expected_dice: float
    """Dice's coefficient of the mask and the lungs."""
    unclear: float
    """Volume inside the body that the likeliest class is wrong about, over the volume of the mask."""
    disputed: float
    """Airless lung near the mask that may have been left out, or that may as well be fluid, over all airless lung."""
    watery: float
    """Fluid that network and density expect in the mask, away from fluid that was found, over its airless lung."""
    silent: float
    """Airless lung that is farther from any air than bronchi lie apart, over all airless lung, or over a litre where
    there is less: fluid has no bronchi."""


def weigh_mask(
    logits: LungLogits,
    mask: BoolArray,
    effusion: BoolArray | None,
    body: BoolArray,
    smooth: Float32Array,
    work: Geometry,
    config: EvidenceConfig,
    fluid_config: FluidConfig,
) -> Evidence:
    """Hold a lung mask against the network's probabilities and the density, on the network's grid.

    Parameters
    ----------
    logits : LungLogits
    mask, effusion, body : bool [z, y, x]
        Both lungs, pleural fluid, and everything inside the skin, on the work grid.
    smooth : float32 [z, y, x]
        Density on the work grid, lightly blurred, in HU.
    """
    grid = logits.geometry
    shares = np.exp(logits.logits - logits.logits.max(axis=0))
    shares /= shares.sum(axis=0)
    lung = shares[1] + shares[2]
    fluid_found = np.zeros_like(mask) if effusion is None else effusion
    inside, wet, within = (
        resample(m.astype(np.float32), work, grid, outside=0.0) > 0.5 for m in (mask, fluid_found, body)
    )
    voxels = max(float(inside.sum()), 1.0)
    density = resample(smooth, work, grid, antialias=True)
    disputed, watery = airless_evidence(lung, shares[3], inside, wet, within, density, grid, config, fluid_config)
    return Evidence(
        expected_dice=float(2.0 * lung[inside].sum() / (float(lung.sum()) + voxels)),
        unclear=float((1.0 - shares.max(axis=0))[within].sum()) / voxels,
        disputed=disputed,
        watery=watery,
        silent=silent_share(
            inside & within & (density > config.airless_hu), body & (smooth < config.air_hu), work, grid, config
        ),
    )


def silent_share(airless: BoolArray, air: BoolArray, work: Geometry, grid: Geometry, config: EvidenceConfig) -> float:
    """``silent`` from airless lung in the mask on the network's grid, and the body's air on the work grid."""
    much = config.much_ml / grid.voxel_ml
    if not airless.any():
        return 0.0
    # The lumen of a small bronchus fills little of a cube of the network's.
    away_mm = distance_to(share_of(air, work, grid) > config.least_air, grid)
    return float((airless & (away_mm > config.silent_mm)).sum()) / max(float(airless.sum()), much)


def airless_evidence(
    lung: Float32Array,
    fluid: Float32Array,
    inside: BoolArray,
    wet: BoolArray,
    within: BoolArray,
    density: Float32Array,
    grid: Geometry,
    config: EvidenceConfig,
    fluid_config: FluidConfig,
) -> tuple[float, float]:
    """``disputed`` and ``watery`` from the probabilities of lung and fluid, the mask, fluid, body and density."""
    airless = within & (density > config.airless_hu)
    left_out = airless & ~inside & ~wet & (lung > config.possible) & dilated(inside, grid, config.reach_mm)
    left_out = opened(left_out, grid, config.layer_mm)
    one_of_both = airless & (lung + fluid > config.likely)
    odds = np.exp(fluid_odds(density, one_of_both, within, grid, fluid_config))
    lung, fluid = np.maximum(lung, config.surest), np.maximum(fluid, config.surest)
    is_fluid = fluid * odds / (lung + fluid * odds)
    pieces, n = components(left_out)
    expected = np.bincount(pieces.ravel(), lung.ravel(), n + 1)[1:]
    least = config.least_ml / grid.voxel_ml
    unnamed = float(expected[expected >= least].sum())
    either = float(np.minimum(is_fluid, 1.0 - is_fluid)[one_of_both].sum())
    kept = inside & airless
    apart = kept & ~dilated(wet, grid, config.beside_fluid_mm)
    watery = float(is_fluid[apart].sum()) / max(float(apart.sum()), config.much_ml / grid.voxel_ml)
    return (unnamed + either) / max(float(kept.sum()) + unnamed, least), watery
