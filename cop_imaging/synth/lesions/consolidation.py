"""Patchy consolidation that sits on the pleura and ends at the borders of lobules."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cop_imaging.core.arrays import BoolArray, Float32Array, Float64Array
from cop_imaging.synth.lesions.drawing import around, draw_seed, lobe_at, millilitres, spread_to
from cop_imaging.synth.lesions.lesion import Layer, Place, Point, lobular, smoothstep
from cop_imaging.synth.lesions.margins import in_lobe, ragged
from cop_imaging.synth.terrain import Terrain, Where

__all__ = [
    "Consolidation",
    "draw_band_like_consolidation",
    "draw_consolidation",
    "in_patch",
    "patch_level",
    "patch_reach_mm",
]

STRETCH = 0.75
"""Width over height of a patch on the pleura."""
LOBULE_STEP = 0.28
"""SD of how far one lobule's filling runs ahead of its neighbours', as a share of a lobule."""
FARTHEST_STEP = 0.55
"""The farthest that a lobule stands out of a patch, as a share of a lobule."""

MARGIN_MM, MARGIN_FRACTION = 5.0, 0.16


def patch_reach_mm(radius_mm: float, lobule_mm: float, soft_mm: float) -> float:
    """The farthest that a patch reaches: along z, with its lobules and an edge of half width ``soft_mm``."""
    return (radius_mm + FARTHEST_STEP * lobule_mm + soft_mm) / STRETCH


def patch_level(
    place: Place,
    centre_mm: Point,
    *,
    radius_mm: float,
    depth_mm: float,
    lobule_mm: float,
    seed: int,
    spared_mm: float = 0.0,
) -> Float32Array:
    """How far inside a pleura-based patch a voxel lies, in mm: a flat bowl on the pleura with lobular edges."""
    s = place.slab
    # Stretched along z, as pleural patches are.
    away = np.sqrt((s.x - centre_mm[0]) ** 2 + (s.y - centre_mm[1]) ** 2 + (STRETCH * (s.z - centre_mm[2])) ** 2)
    across = radius_mm - away
    floor = depth_mm * np.sqrt(np.clip(across / radius_mm + 0.25, 0.0, 1.0)) - place.depth_mm
    level = np.minimum(across, floor)
    if spared_mm > 0.0:
        level = np.minimum(level, place.depth_mm - spared_mm)
    rough, lobule = lobular(
        s,
        centre_mm,
        reach_mm=1.75 * radius_mm,
        seed=seed,
        lobule_mm=lobule_mm,
        rough_mm=0.2 * lobule_mm,
        within=np.abs(level) < 1.6 * lobule_mm,
    )
    jump = np.float32(LOBULE_STEP * lobule_mm) * lobule
    out: Float32Array = level + np.clip(rough + jump, -lobule_mm, FARTHEST_STEP * lobule_mm)
    return out


def in_patch(
    offset_mm: Float64Array, depth_mm: Float64Array, *, radius_mm: float, deep_mm: float, spared_mm: float = 0.0
) -> BoolArray:
    """Which places (n, 3) from a patch's centre lie in it, without its lobules."""
    across = radius_mm - np.linalg.norm(offset_mm * [1.0, 1.0, STRETCH], axis=1)
    floor = deep_mm * np.sqrt(np.clip(across / radius_mm + 0.25, 0.0, 1.0)) - depth_mm
    out: BoolArray = (across > 0.0) & (floor > 0.0) & (depth_mm > spared_mm)
    return out


@dataclass(frozen=True, slots=True)
class Consolidation:
    """A patch of airless lung (tissue fraction about 0.95) with a narrow, ragged margin.

    Its truth is where the parenchyma reaches -300 HU, which is a tissue fraction of about 0.62 and more.
    """

    centre_mm: Point
    """LPS point near the pleura (x, y, z)."""
    radius_mm: float
    """Half width along the pleura."""
    depth_mm: float
    """How deep the patch reaches below the pleura at its middle."""
    seed: int
    lobule_mm: float = 14.0
    fraction: float = 0.96
    edge_mm: float = 2.6
    tissue_hu: float = 42.0
    spared_mm: float = 0.0
    """Depth of a rim below the pleura that stays free."""
    acinar_mm: float = 1.7
    """SD of the margin's raggedness at the size of acini."""
    lobe: int = 0
    """The only lobe that it fills, up to its fissures; 0 ignores fissures."""

    @property
    def reach_mm(self) -> float:
        """The patch's half width along z with its lobules."""
        return patch_reach_mm(self.radius_mm, self.lobule_mm, 0.5 * self.edge_mm + 2.2 * self.acinar_mm + MARGIN_MM)

    def layers(self, place: Place) -> tuple[Layer, ...]:
        """A hazy margin, then consolidated lung."""
        level = patch_level(
            place,
            self.centre_mm,
            radius_mm=self.radius_mm,
            depth_mm=self.depth_mm,
            lobule_mm=self.lobule_mm,
            seed=self.seed,
            spared_mm=self.spared_mm,
        )
        level = level + np.float32(self.acinar_mm) * ragged(
            place.slab, self.centre_mm, reach_mm=self.reach_mm, seed=self.seed
        )
        own = in_lobe(place, self.lobe)
        # A little haze about the edge, too thin to be ground glass that is reported.
        margin = np.float32(MARGIN_FRACTION) * smoothstep(level + np.float32(0.5 * MARGIN_MM), MARGIN_MM) * own
        return (
            Layer(margin, self.tissue_hu),
            Layer(np.float32(self.fraction) * smoothstep(level, self.edge_mm) * own, self.tissue_hu, "consolidation"),
        )

    def shapes(self, place: Place) -> dict[str, Float32Array]:
        """None: the sign is a density."""
        del place
        return {}


def draw_patches(
    terrain: Terrain,
    rng: np.random.Generator,
    where: Where,
    target_ml: float,
    radius_mm: tuple[float, float],
    depth_share: tuple[float, float],
    lobule_mm: float,
) -> tuple[Consolidation, ...]:
    """Patches of a wanted total volume; each is ``depth_share`` of its radius deep and keeps to its own lobe."""
    share = float(rng.uniform(*depth_share))

    def volume_ml(point: Point, radius: float) -> float:
        inside = in_patch(around(terrain, point), terrain.depth_mm, radius_mm=radius, deep_mm=share * radius)
        return millilitres(terrain, inside & (terrain.lobe == lobe_at(terrain, point)))

    sites = spread_to(terrain, where, rng, target_ml=target_ml, size_mm=radius_mm, volume_ml=volume_ml)
    return tuple(
        Consolidation(
            point,
            radius,
            round(share * radius, 2),
            draw_seed(rng),
            lobule_mm=round(lobule_mm * float(rng.uniform(0.85, 1.2)), 2),
            lobe=lobe_at(terrain, point),
        )
        for point, radius in sites
    )


def draw_consolidation(
    terrain: Terrain, rng: np.random.Generator, *, where: Where, target_ml: float
) -> tuple[Consolidation, ...]:
    """Patchy consolidation: radius 12-32 mm, 0.5-0.9 as deep.

    Source: patches that favour the periphery and lower zones in about nine of ten patients (Lee KS et al., AJR
    1994;162:543; Ujita M et al., Radiology 2004;232:757); sizes are an estimate.
    """
    return draw_patches(terrain, rng, where, target_ml, (12.0, 32.0), (0.5, 0.9), 14.0)


def draw_band_like_consolidation(
    terrain: Terrain, rng: np.random.Generator, *, where: Where, target_ml: float
) -> tuple[Consolidation, ...]:
    """Band-like consolidation along the pleura: radius 40-65 mm, 0.22-0.35 as deep.

    Source: subpleural rinds of organizing and of chronic eosinophilic pneumonia (Arakawa H et al., AJR 2001;176:1053);
    sizes are an estimate.
    """
    return draw_patches(terrain, rng, where, target_ml, (40.0, 65.0), (0.22, 0.35), 11.0)
