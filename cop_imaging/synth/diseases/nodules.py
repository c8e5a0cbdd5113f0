"""Nodules, masses and cavities of a case."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np

from cop_imaging.synth.case import CaseSpec
from cop_imaging.synth.diseases.distribution import Distribution
from cop_imaging.synth.lesions.cavity import draw_cavity
from cop_imaging.synth.lesions.centrilobular import draw_centrilobular
from cop_imaging.synth.lesions.lesion import Lesion
from cop_imaging.synth.lesions.mass import draw_mass
from cop_imaging.synth.lesions.nodule import draw_nodule
from cop_imaging.synth.lesions.tree_in_bud import draw_tree_in_bud
from cop_imaging.synth.terrain import Terrain, Where

__all__ = ["nodular_lesions"]

ANY_DEPTH_MM = (0.0, 1000.0)
PERILYMPHATIC = {"SARC": (60, 160)}
"""Numbers of nodules that follow pleura, fissures and bundles; 8-30 at random elsewhere."""
HAZY_SHARE = {"HP_NF": (0.35, 0.8), "HP_F": (0.15, 0.4)}
"""Shares of lobules with a hazy nodule (Raghu 2020: profuse); 0.05-0.2 elsewhere."""
INFECTED = ("CAP", "VIRAL")
"""Centrilobular nodules are solid, with trees in bud."""
MASSES = {"VASC": (2, 7), "LYMPHOMA": (1, 4), "SARC": (1, 4)}
"""Least and one above the most masses; one or two elsewhere."""


def nodular_lesions(
    case: CaseSpec, terrain: Terrain, spread: Distribution, rng: np.random.Generator
) -> tuple[Lesion, ...]:
    """Small and centrilobular nodules, masses, and cavities in them or alone."""
    out: tuple[Lesion, ...] = ()
    disease = "" if case.op else case.disease
    wide = replace(spread, where=replace(spread.where, depth_mm=ANY_DEPTH_MM))
    if case.has("small_nodules"):
        pattern: Literal["random", "perilymphatic"] = "perilymphatic" if disease in PERILYMPHATIC else "random"
        number = int(rng.integers(*PERILYMPHATIC.get(disease, (8, 30))))
        out += wide.scattered(
            lambda where, n: draw_nodule(terrain, rng, where=where, number=int(n), pattern=pattern), number
        )
    if case.has("centrilobular_nodules"):
        share = float(rng.uniform(*HAZY_SHARE.get(disease, (0.05, 0.2))))
        kind: Literal["hazy", "solid"] = "solid" if disease in INFECTED else "hazy"
        where = wide.where if case.has("bilateral") else wide.one_side
        out += draw_centrilobular(terrain, rng, where=where, share=share, kind=kind)
        if disease in INFECTED:
            out += draw_tree_in_bud(terrain, rng, where=wide.one_side, number=int(rng.integers(8, 25)))
    return out + masses(case, terrain, wide, rng)


def masses(case: CaseSpec, terrain: Terrain, spread: Distribution, rng: np.random.Generator) -> tuple[Lesion, ...]:
    """Masses, of which some hold gas where a case has cavities; a cavity alone where it has no mass."""
    where: Where = spread.where if case.has("bilateral") else spread.one_side
    if not case.has("large_nodule_or_mass"):
        number = int(rng.integers(1, 3))
        return draw_cavity(terrain, rng, where=where, number=number) if case.has("cavity") else ()
    number = int(rng.integers(*MASSES.get("" if case.op else case.disease, (1, 3))))
    hollow = int(rng.integers(1, number + 1)) if case.has("cavity") else 0
    return (
        *draw_mass(terrain, rng, where=where, number=hollow, cavitary=1.0),
        *draw_mass(terrain, rng, where=where, number=number - hollow, cavitary=0.0),
    )
