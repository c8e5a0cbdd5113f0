"""Shapes that are signs by themselves: reversed haloes, perilobular arcades and bands of a case."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cop_imaging.synth.case import CaseSpec
from cop_imaging.synth.diseases.distribution import Distribution
from cop_imaging.synth.lesions.band import draw_band, draw_subpleural_band
from cop_imaging.synth.lesions.lesion import Lesion
from cop_imaging.synth.lesions.perilobular import draw_perilobular
from cop_imaging.synth.lesions.reversed_halo import draw_reversed_halo
from cop_imaging.synth.terrain import Terrain

__all__ = ["organizing_shapes"]

ANY_DEPTH_MM = (0.0, 1000.0)
PERILOBULAR_PERCENT = {"perilobular_dominant": (1.0, 3.0)}
"""Percent of the lungs in bands of perilobular forms; 0.3-1 elsewhere."""


def organizing_shapes(
    case: CaseSpec, terrain: Terrain, spread: Distribution, rng: np.random.Generator
) -> tuple[Lesion, ...]:
    """Reversed haloes, perilobular arcades and bands."""
    out: tuple[Lesion, ...] = ()
    if case.has("perilobular"):
        low, high = PERILOBULAR_PERCENT.get(case.subtype or "", (0.3, 1.0))
        amount_ml = 0.01 * float(rng.uniform(low, high)) * terrain.lung_ml
        out += spread.spread(
            lambda where, ml: draw_perilobular(terrain, rng, where=replace(where, depth_mm=(0.0, 16.0)), target_ml=ml),
            amount_ml,
        )
    if case.has("bands"):
        low, high = (4, 8) if case.subtype == "band_like" else (2, 5)
        radial, parallel = int(rng.integers(low, high)), int(rng.integers(low - 1, high - 1))
        deep = replace(spread, where=replace(spread.where, depth_mm=ANY_DEPTH_MM))
        out += spread.scattered(lambda where, n: draw_band(terrain, rng, where=where, number=int(n)), radial)
        out += deep.scattered(lambda where, n: draw_subpleural_band(terrain, rng, where=where, number=int(n)), parallel)
    if case.has("reversed_halo"):
        low, high = (2, 6) if case.subtype == "reversed_halo_dominant" else (1, 3)
        number = int(rng.integers(low, high))
        # A halo is no wider than the rim below the pleura: its middle lies deeper.
        where = replace(spread.where, depth_mm=(8.0, 60.0) if case.has("peripheral") else spread.where.depth_mm)
        if len(spread.shares) == 1:
            where = replace(where, side=spread.shares[0][0])
        out += draw_reversed_halo(terrain, rng, where=where, number=number)
    return out
