"""Fibrosis, airways and fluid of a case: lines, cysts, bronchi, patchwork and effusion."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from cop_imaging.synth.case import CaseSpec
from cop_imaging.synth.diseases.distribution import Distribution
from cop_imaging.synth.diseases.fitting import asked_ml, fitted
from cop_imaging.synth.ground import Ground
from cop_imaging.synth.lesions.airway_walls import draw_airway_walls
from cop_imaging.synth.lesions.drawing import occupied
from cop_imaging.synth.lesions.effusion import draw_effusion
from cop_imaging.synth.lesions.honeycombing import draw_honeycombing
from cop_imaging.synth.lesions.lesion import Lesion
from cop_imaging.synth.lesions.mosaic import draw_mosaic
from cop_imaging.synth.lesions.reticulation import draw_reticulation
from cop_imaging.synth.lesions.traction_bronchiectasis import draw_traction_bronchiectasis
from cop_imaging.synth.terrain import Terrain

__all__ = ["airway_lesions", "fibrotic_lesions", "fluid"]

ANY_DEPTH_MM, PLEURAL_MM = (0.0, 1000.0), (0.0, 16.0)
MOST_FLUID_SHARE = 0.35
"""Largest effusion as a share of the lungs: the tail of an extent can be larger than a chest."""
FIBROSIS: dict[str, Callable[..., Sequence[Lesion]]] = {
    "honeycombing": draw_honeycombing,
    "reticulation": draw_reticulation,
}


def fibrotic_lesions(
    case: CaseSpec, ground: Ground, spread: Distribution, rng: np.random.Generator
) -> tuple[Lesion, ...]:
    """Reticulation and honeycombing of the extents that were asked, and bronchi widened by traction."""
    terrain = ground.terrain
    pleural = replace(spread, where=replace(spread.where, depth_mm=PLEURAL_MM, near_bundles=1.0))
    out: tuple[Lesion, ...] = ()
    for finding, draw in FIBROSIS.items():
        seed = int(rng.integers(2**31))
        if case.has(finding):
            drawn = partial(spread_on, pleural, draw, terrain, seed)
            out = (*fitted(ground, finding, asked_ml(case, finding, terrain.lung_ml), drawn), *out)
    if case.has("traction_bronchiectasis"):
        wide = replace(spread, where=replace(spread.where, depth_mm=ANY_DEPTH_MM))
        # Nets and cysts thin out towards the end of their reach.
        sites = [(centre, 0.7 * reach) for centre, reach in occupied(out)]
        out += wide.scattered(
            lambda where, n: draw_traction_bronchiectasis(terrain, rng, where=where, number=int(n), fibrosis=sites),
            int(rng.integers(6, 20)),
        )
    return out


def spread_on(
    spread: Distribution, draw: Callable[..., Sequence[Lesion]], terrain: Terrain, seed: int, wanted_ml: float
) -> tuple[Lesion, ...]:
    """Lesions of a wanted volume on every diseased side, with the same random numbers each time."""
    rng = np.random.default_rng(seed)
    return spread.spread(lambda where, ml: draw(terrain, rng, where=where, target_ml=ml), wanted_ml)


def airway_lesions(
    case: CaseSpec, terrain: Terrain, spread: Distribution, rng: np.random.Generator
) -> tuple[Lesion, ...]:
    """Thick or wide bronchi on the side of the disease, and a patchwork of dark lobules."""
    out: tuple[Lesion, ...] = ()
    where = replace(spread.where if case.has("bilateral") else spread.one_side, depth_mm=ANY_DEPTH_MM)
    share, dark = float(rng.uniform(0.3, 0.8)), float(rng.uniform(0.25, 0.6))
    if case.has("mosaic_attenuation"):
        out += draw_mosaic(terrain, rng, where=where, share=dark)
    if case.has("bronchial_wall_thickening", "bronchial_dilation"):
        out += draw_airway_walls(terrain, rng, where=where, share=share, dilated=case.has("bronchial_dilation"))
    return out


def fluid(case: CaseSpec, ground: Ground, spread: Distribution, rng: np.random.Generator) -> tuple[Lesion, ...]:
    """Pleural effusion, on the side of disease that is on one side."""
    if not case.has("pleural_effusion"):
        return ()
    asked = min(case.extents["pleural_effusion"], MOST_FLUID_SHARE * ground.terrain.lung_ml)
    both = len(spread.shares) == 2 and rng.random() < (0.7 if case.has("bilateral") else 0.3)
    side = "both" if both else spread.one_side.side
    seed, contrast = int(rng.integers(2**31)), case.scanner.contrast_phase != "none"

    def drawn(wanted_ml: float) -> tuple[Lesion, ...]:
        return draw_effusion(
            ground.terrain, np.random.default_rng(seed), target_ml=wanted_ml, side=side, contrast=contrast
        )

    return fitted(ground, "effusion", asked, drawn)
