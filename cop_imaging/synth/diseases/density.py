"""Consolidation and ground glass of a case: the shapes that its disease or form of organizing pneumonia gives them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from cop_imaging.synth.case import CaseSpec
from cop_imaging.synth.diseases.distribution import Distribution
from cop_imaging.synth.lesions.consolidation import Consolidation, draw_band_like_consolidation, draw_consolidation
from cop_imaging.synth.lesions.crazy_paving import draw_crazy_paving
from cop_imaging.synth.lesions.diffuse_ground_glass import draw_central_ground_glass, draw_diffuse_ground_glass
from cop_imaging.synth.lesions.focal_consolidation import FocalConsolidation, draw_focal_consolidation
from cop_imaging.synth.lesions.geographic import draw_geographic_ground_glass
from cop_imaging.synth.lesions.ground_glass import (
    GroundGlass,
    GroundGlassNodule,
    draw_ground_glass,
    draw_ground_glass_nodules,
)
from cop_imaging.synth.lesions.lesion import Lesion
from cop_imaging.synth.lesions.lobar_consolidation import draw_lobar_consolidation
from cop_imaging.synth.lesions.peribronchovascular import draw_peribronchovascular
from cop_imaging.synth.terrain import Terrain, Where

__all__ = ["consolidation", "ground_glass", "halo", "rims"]

DENSE: dict[str, Callable[..., Sequence[Lesion]]] = {
    "patches": draw_consolidation,
    "rind": draw_band_like_consolidation,
    "bundles": draw_peribronchovascular,
    "lobe": draw_lobar_consolidation,
}
OP_DENSE = {
    "multifocal_consolidation": {"patches": 0.8, "rind": 0.2},
    "focal": {"focus": 1.0},
    "reversed_halo_dominant": {"patches": 1.0},
    "band_like": {"rind": 0.7, "patches": 0.3},
    "perilobular_dominant": {"patches": 1.0},
    "peribronchovascular": {"bundles": 1.0},
    "fibrosing": {"patches": 0.6, "bundles": 0.4},
}
"""Chances of each shape by form of organizing pneumonia (an estimate)."""
OTHER_DENSE = {
    "CEP": {"rind": 0.7, "patches": 0.3},
    "CAP": {"lobe": 0.6, "patches": 0.4},
    "ADENO": {"lobe": 0.4, "patches": 0.4, "bundles": 0.2},
    "LYMPHOMA": {"bundles": 0.7, "patches": 0.3},
    "SARC": {"bundles": 0.8, "patches": 0.2},
    "VASC": {"patches": 0.5, "bundles": 0.5},
}
"""The same by disease; patches elsewhere. Source: CT series (rind of eosinophilic pneumonia, lobe of bacterial
pneumonia, mass-like consolidation along bundles of lymphoma); the chances are an estimate."""
MOST_ALONG_BUNDLES_ML = 90.0
"""What fits around the bundles of one side; more is confluent and fills a part of a lobe."""
HAZY_NODULES = {"VIRAL": 0.3, "ADENO": 0.2}
"""Share of ground glass that is rounded."""
GEOGRAPHIC = {"HP_NF": 0.5, "HP_F": 0.5, "DRUG": 0.4, "AIP_DAD": 0.4}
"""Chance that ground glass ends at lobules; 0.25 elsewhere."""
LARGE_PERCENT = {"consolidation": 12.0, "ground_glass": 18.0}
"""Extents above which disease is confluent: parts of lobes, diffuse haze. Source: estimate."""
PAVED_ML = 400.0
"""Most crazy paving of a case."""
PLEURAL_MM = (0.0, 16.0)
"""Depth of the middle of what sits on the pleura."""
FOCUS_ML = 115.0
"""A single focus above this, a ball of 60 mm, fills a part of one lobe instead of being a mass."""
RIM_MM = 13.0


def consolidation(
    case: CaseSpec, terrain: Terrain, spread: Distribution, rng: np.random.Generator
) -> Callable[[float], tuple[Lesion, ...]]:
    """How this case draws consolidation of a wanted volume in mL."""
    kinds = OP_DENSE[case.subtype or ""] if case.op else OTHER_DENSE.get(case.disease, {"patches": 1.0})
    kind = str(rng.choice(list(kinds), p=list(kinds.values())))
    seed = int(rng.integers(2**31))
    hazy = case.has("ground_glass")
    if kind == "focus" or (case.has("unilateral_single_focus") and kind != "lobe"):
        return lambda ml: focus(
            terrain, np.random.default_rng(seed), spread.one_side, ml, hazy=hazy, focal=kind == "focus"
        )
    if kind == "lobe":
        where = replace(spread.one_side, depth_mm=(0.0, 1000.0))
        return lambda ml: part_of_lobe(terrain, np.random.default_rng(seed), where, ml, hazy=hazy)
    shares = shares_by_depth(kind, case)

    def draw(ml: float) -> tuple[Lesion, ...]:
        own = np.random.default_rng(seed)

        def side(where: Where, part: float) -> tuple[Lesion, ...]:
            out: tuple[Lesion, ...] = ()
            for name, share in shares.items():
                left = share * part
                if name == "bundles":
                    some = min(left, MOST_ALONG_BUNDLES_ML)
                    out += tuple(DENSE[name](terrain, own, where=where, target_ml=some))
                    # What is confluent reaches the pleura.
                    left = left - some
                    if left > 0.0:
                        out += part_of_lobe(terrain, own, replace(where, depth_mm=(0.0, 1000.0)), left, hazy=hazy)
                elif left > 0.0:
                    out += tuple(DENSE[name](terrain, own, where=replace(where, depth_mm=PLEURAL_MM), target_ml=left))
            return out

        return spread.spread(side, ml)

    return draw


def shares_by_depth(kind: str, case: CaseSpec) -> dict[str, float]:
    """Shares of the volume on the pleura and along bundles, as the reported distribution wants it."""
    if kind == "bundles" or case.has("peripheral") or case.subtype == "band_like":
        shares = {kind: 1.0}
    elif case.has("subpleural_sparing"):
        shares = {"bundles": 1.0}
    elif case.has("peribronchovascular"):
        shares = {"bundles": 0.8, kind: 0.2}
    else:
        shares = {"bundles": 0.4, kind: 0.6}
    if case.extents["consolidation"] > LARGE_PERCENT["consolidation"] and kind == "patches":
        shares = {name: 0.5 * share for name, share in shares.items()} | {"lobe": 0.5}
    return shares


def part_of_lobe(
    terrain: Terrain, rng: np.random.Generator, where: Where, target_ml: float, *, hazy: bool
) -> tuple[Lesion, ...]:
    """A lobe filled as far as the volume goes; its front is sharp where a case has no ground glass."""
    drawn = draw_lobar_consolidation(terrain, rng, where=where, target_ml=target_ml)
    return drawn if hazy else tuple(replace(lesion, haze_mm=0.5) for lesion in drawn)


def focus(
    terrain: Terrain, rng: np.random.Generator, where: Where, target_ml: float, *, hazy: bool, focal: bool
) -> tuple[Lesion, ...]:
    """One focus: a nodule or mass of that volume, or a larger part of one lobe where the form is not focal."""
    if focal:
        target_ml = min(target_ml, FOCUS_ML)
    if target_ml > FOCUS_ML:
        return part_of_lobe(terrain, rng, where, target_ml, hazy=hazy)
    diameter = float(np.cbrt(6000.0 * target_ml / np.pi))
    drawn = draw_focal_consolidation(terrain, rng, where=where, diameter_mm=(diameter, diameter))
    return drawn if hazy else tuple(replace(lesion, haze_fraction=0.0) for lesion in drawn)


def rims(dense: Sequence[Lesion], case: CaseSpec, rng: np.random.Generator) -> tuple[Lesion, ...]:
    """Ground glass around about half of the patches of consolidation, where a case has both."""
    if not case.has("ground_glass"):
        return ()
    return tuple(
        GroundGlass(p.centre_mm, p.radius_mm + RIM_MM, p.depth_mm + 10.0, int(rng.integers(2**31)), lobe=p.lobe)
        for p in dense
        if isinstance(p, Consolidation) and rng.random() < 0.5
    )


def halo(dense: Sequence[Lesion], rng: np.random.Generator) -> Callable[[float], tuple[Lesion, ...]]:
    """How ground glass of a wanted volume in mL lies around a single focus."""
    seed = int(rng.integers(2**31))

    def draw(ml: float) -> tuple[Lesion, ...]:
        return tuple(
            GroundGlassNodule(p.centre_mm, round(float(np.cbrt(p.diameter_mm**3 + 6000.0 * ml / np.pi)), 2), seed)
            for p in dense
            if isinstance(p, FocalConsolidation)
        )

    return draw


def ground_glass(
    case: CaseSpec, terrain: Terrain, spread: Distribution, rng: np.random.Generator
) -> Callable[[float], tuple[Lesion, ...]]:
    """How this case draws ground glass of a wanted volume in mL."""
    seed = int(rng.integers(2**31))
    rounded = HAZY_NODULES.get(case.disease, 0.0) if not case.op else 0.0
    paved = float(rng.uniform(0.3, 0.9)) if case.has("crazy_paving") else 0.0
    plain: Callable[..., Sequence[Lesion]] = draw_ground_glass
    confluent = case.extents["ground_glass"] > LARGE_PERCENT["ground_glass"]
    if case.has("subpleural_sparing") and not case.has("peripheral") and not confluent:
        plain = draw_central_ground_glass
    elif case.has("diffuse") or confluent:
        plain = draw_diffuse_ground_glass
    elif rng.random() < (GEOGRAPHIC.get(case.disease, 0.25) if not case.op else 0.25):
        plain = draw_geographic_ground_glass

    def draw(ml: float) -> tuple[Lesion, ...]:
        own = np.random.default_rng(seed)
        paved_ml, nodular_ml = min(ml * paved, PAVED_ML), ml * rounded * (1.0 - paved)
        out = spread.spread(
            lambda where, part: plain(terrain, own, where=where, target_ml=part),
            ml - paved_ml - nodular_ml,
            haze=True,
        )
        if paved > 0.0:
            out += spread.spread(
                lambda where, part: draw_crazy_paving(terrain, own, where=where, target_ml=part), paved_ml, haze=True
            )
        if rounded > 0.0:
            # A hazy nodule of 14 mm has about 1.4 mL.
            number = int(np.clip(nodular_ml / 1.4, 1, 40))
            out += spread.scattered(
                lambda where, n: draw_ground_glass_nodules(terrain, own, where=where, number=int(n)), number
            )
        return out

    return draw
