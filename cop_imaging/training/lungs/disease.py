"""Disease that lung masks fail on, placed into a made or scanned chest without regard to any diagnosis."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from cop_imaging.synth.lesions.band import draw_band
from cop_imaging.synth.lesions.consolidation import draw_band_like_consolidation, draw_consolidation
from cop_imaging.synth.lesions.crazy_paving import draw_crazy_paving
from cop_imaging.synth.lesions.diffuse_ground_glass import draw_diffuse_ground_glass
from cop_imaging.synth.lesions.effusion import draw_effusion
from cop_imaging.synth.lesions.focal_consolidation import draw_focal_consolidation
from cop_imaging.synth.lesions.ground_glass import draw_ground_glass
from cop_imaging.synth.lesions.lesion import Lesion
from cop_imaging.synth.lesions.lobar_consolidation import draw_lobar_consolidation
from cop_imaging.synth.lesions.mass import draw_mass
from cop_imaging.synth.lesions.peribronchovascular import draw_peribronchovascular
from cop_imaging.synth.terrain import Terrain, Where

__all__ = ["FAMILIES", "Family", "draw_disease"]

Family = Callable[[Terrain, np.random.Generator], tuple[Lesion, ...]]

LOBES = {"right": (1, 2, 3), "left": (4, 5)}


def side_of(rng: np.random.Generator) -> str:
    """Either side."""
    return ("right", "left")[int(rng.integers(2))]


def patchy(terrain: Terrain, rng: np.random.Generator) -> tuple[Lesion, ...]:
    """Consolidation in patches on the pleura, more often at the back and below."""
    where = Where(
        height=(1.0, 1.0, float(rng.uniform(0.5, 4.0))),
        depth_mm=(0.0, float(rng.uniform(8.0, 40.0))),
        dorsal=float(rng.uniform(0.5, 4.0)),
    )
    return draw_consolidation(terrain, rng, where=where, target_ml=float(np.exp(rng.uniform(np.log(20), np.log(500)))))


def rind(terrain: Terrain, rng: np.random.Generator) -> tuple[Lesion, ...]:
    """Consolidation along the pleura."""
    return draw_band_like_consolidation(terrain, rng, where=Where(), target_ml=float(rng.uniform(20.0, 300.0)))


def cuffs(terrain: Terrain, rng: np.random.Generator) -> tuple[Lesion, ...]:
    """Consolidation around bronchi."""
    return draw_peribronchovascular(terrain, rng, where=Where(), target_ml=float(rng.uniform(20.0, 250.0)))


def lobar(terrain: Terrain, rng: np.random.Generator) -> tuple[Lesion, ...]:
    """One or two lobes filled in part or whole."""
    lesions: list[Lesion] = []
    for lobe in rng.permutation(np.arange(1, 6))[: 1 + int(rng.random() < 0.25)]:
        where = Where(lobe=int(lobe), height=(1.0, 1.0, float(rng.uniform(0.5, 4.0))))
        target = float(np.exp(rng.uniform(np.log(80.0), np.log(900.0))))
        lesions.extend(draw_lobar_consolidation(terrain, rng, where=where, target_ml=target))
    return tuple(lesions)


def white_out(terrain: Terrain, rng: np.random.Generator) -> tuple[Lesion, ...]:
    """A whole lung without air."""
    lesions: list[Lesion] = []
    for lobe in LOBES[side_of(rng)]:
        lesions.extend(draw_lobar_consolidation(terrain, rng, where=Where(lobe=lobe), target_ml=3000.0))
    return tuple(lesions)


def fluid(terrain: Terrain, rng: np.random.Generator) -> tuple[Lesion, ...]:
    """Pleural effusion on one or both sides with the collapse before it."""
    side = ("right", "left", "both")[int(rng.integers(3))]
    target = float(np.exp(rng.uniform(np.log(60.0), np.log(1500.0))))
    contrast = bool(rng.random() < 0.5)
    drawn = draw_effusion(terrain, rng, target_ml=target, side=side, contrast=contrast)  # type: ignore[arg-type]
    airless_hu = float(rng.uniform(75.0, 105.0) if contrast else rng.uniform(36.0, 58.0))
    return tuple(replace(lesion, collapsed_hu=round(airless_hu, 1)) for lesion in drawn)


def tumour(terrain: Terrain, rng: np.random.Generator) -> tuple[Lesion, ...]:
    """Masses."""
    return draw_mass(terrain, rng, where=Where(), number=1 + int(rng.integers(2)), diameter_mm=(20.0, 80.0))


def foci(terrain: Terrain, rng: np.random.Generator) -> tuple[Lesion, ...]:
    """Round foci."""
    return draw_focal_consolidation(terrain, rng, where=Where(), number=1 + int(rng.integers(4)))


def haze(terrain: Terrain, rng: np.random.Generator) -> tuple[Lesion, ...]:
    """Ground glass, patchy, diffuse, or with septa."""
    draw = (draw_ground_glass, draw_diffuse_ground_glass, draw_crazy_paving)[int(rng.integers(3))]
    return draw(terrain, rng, where=Where(), target_ml=float(rng.uniform(50.0, 900.0)))


def bands(terrain: Terrain, rng: np.random.Generator) -> tuple[Lesion, ...]:
    """Bands towards the pleura."""
    return draw_band(terrain, rng, where=Where(), number=1 + int(rng.integers(5)))


FAMILIES: dict[str, tuple[Family, float]] = {
    "patchy": (patchy, 3.0),
    "rind": (rind, 1.0),
    "cuffs": (cuffs, 1.5),
    "lobar": (lobar, 3.0),
    "white_out": (white_out, 0.5),
    "fluid": (fluid, 3.0),
    "tumour": (tumour, 0.7),
    "foci": (foci, 0.7),
    "haze": (haze, 1.0),
    "bands": (bands, 0.5),
}
"""How a family is drawn, and how often."""


def draw_disease(
    terrain: Terrain, rng: np.random.Generator, *, without: tuple[str, ...] = ()
) -> tuple[tuple[str, ...], tuple[Lesion, ...]]:
    """One to three families and their lesions; ``without`` names families that are kept for validation."""
    names = [name for name in FAMILIES if name not in without]
    share = np.array([FAMILIES[name][1] for name in names])
    number = 1 + int(rng.choice(3, p=(0.5, 0.35, 0.15)))
    chosen = [names[i] for i in rng.choice(len(names), number, replace=False, p=share / share.sum())]
    lesions: list[Lesion] = []
    for name in chosen:
        lesions.extend(FAMILIES[name][0](terrain, rng))
    return tuple(chosen), tuple(lesions)
