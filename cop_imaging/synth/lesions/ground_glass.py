"""Ground glass: a hazy rise in density through which vessels stay visible."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cop_imaging.core.arrays import Float32Array
from cop_imaging.synth.lesions.consolidation import in_patch, patch_level, patch_reach_mm
from cop_imaging.synth.lesions.drawing import around, draw_seed, lobe_at, millilitres, spread, spread_to
from cop_imaging.synth.lesions.lesion import Layer, Place, Point, smoothstep
from cop_imaging.synth.lesions.margins import in_lobe, ragged, smooth_noise
from cop_imaging.synth.terrain import Terrain, Where

__all__ = ["GroundGlass", "GroundGlassNodule", "draw_ground_glass", "draw_ground_glass_nodules"]


@dataclass(frozen=True, slots=True)
class GroundGlass:
    """A patch whose tissue fraction is that of half-filled lung, uneven from lobule to lobule.

    Its truth is where the parenchyma lies between -700 and -300 HU.
    """

    centre_mm: Point
    radius_mm: float
    depth_mm: float
    seed: int
    lobule_mm: float = 16.0
    fraction: float = 0.34
    edge_mm: float = 11.0
    tissue_hu: float = 35.0
    spared_mm: float = 0.0
    """Depth of a rim below the pleura that stays free."""
    lobe: int = 0
    """The only lobe that it fills; 0 ignores fissures."""

    @property
    def reach_mm(self) -> float:
        """The patch's half width along z with its lobules."""
        return patch_reach_mm(self.radius_mm, self.lobule_mm, 0.5 * self.edge_mm + 3.3)

    def layers(self, place: Place) -> tuple[Layer, ...]:
        """One hazy layer, denser where the patch is deeper inside itself and mottled at the size of acini."""
        level = patch_level(
            place,
            self.centre_mm,
            radius_mm=self.radius_mm,
            depth_mm=self.depth_mm,
            lobule_mm=self.lobule_mm,
            seed=self.seed,
            spared_mm=self.spared_mm,
        )
        grain = ragged(place.slab, self.centre_mm, reach_mm=self.reach_mm, seed=self.seed)
        uneven = np.clip(0.85 + 0.02 * level, 0.85, 1.15) * (1.0 + np.float32(0.1) * grain)
        part = np.float32(self.fraction) * uneven * smoothstep(level + 1.5 * grain, self.edge_mm)
        return (Layer(part * in_lobe(place, self.lobe), self.tissue_hu, "ground_glass"),)

    def shapes(self, place: Place) -> dict[str, Float32Array]:
        """None: the sign is a density."""
        del place
        return {}


@dataclass(frozen=True, slots=True)
class GroundGlassNodule:
    """A roundish hazy spot with a faded, ragged edge."""

    centre_mm: Point
    diameter_mm: float
    seed: int
    fraction: float = 0.34
    tissue_hu: float = 35.0

    @property
    def reach_mm(self) -> float:
        """Radius with its raggedness and fading edge."""
        return 0.85 * self.diameter_mm + 5.0

    def layers(self, place: Place) -> tuple[Layer, ...]:
        """One hazy layer."""
        s, d = place.slab, self.diameter_mm
        away = np.sqrt(sum((c - np.float32(o)) ** 2 for c, o in zip((s.x, s.y, s.z), self.centre_mm, strict=True)))
        bumps = smooth_noise(s, self.centre_mm, reach_mm=self.reach_mm, seed=self.seed, size_mm=0.7 * d)
        grain = ragged(s, self.centre_mm, reach_mm=self.reach_mm, seed=self.seed, size_mm=4.0)
        level = (0.5 * d - away + 0.13 * d * bumps + 0.05 * d * grain).astype(np.float32)
        part = smoothstep(level, max(0.25 * d, 2.0)) * (1.0 + np.float32(0.1) * grain)
        return (Layer(np.float32(self.fraction) * part, self.tissue_hu, "ground_glass"),)

    def shapes(self, place: Place) -> dict[str, Float32Array]:
        """None: the sign is a density."""
        del place
        return {}


def draw_ground_glass(
    terrain: Terrain, rng: np.random.Generator, *, where: Where, target_ml: float
) -> tuple[GroundGlass, ...]:
    """Patches of radius 16-42 mm, 0.6-1.1 as deep, of -640 to -480 HU.

    Source: patchy ground glass in about four of five patients, at random as often as below the pleura (Lee KS et al.,
    AJR 1994;162:543; Kim SJ et al., AJR 2003;180:1251); sizes are an estimate.
    """
    share = float(rng.uniform(0.6, 1.1))

    def volume_ml(point: Point, radius: float) -> float:
        inside = in_patch(around(terrain, point), terrain.depth_mm, radius_mm=radius, deep_mm=share * radius)
        return millilitres(terrain, inside)

    sites = spread_to(terrain, where, rng, target_ml=target_ml, size_mm=(16.0, 42.0), volume_ml=volume_ml, apart=0.7)
    return tuple(
        GroundGlass(
            point,
            radius,
            round(share * radius, 2),
            draw_seed(rng),
            fraction=round(float(rng.uniform(0.28, 0.42)), 3),
            edge_mm=round(float(rng.uniform(5.0, 12.0)), 2),
            lobe=lobe_at(terrain, point) if rng.random() < 0.5 else 0,
        )
        for point, radius in sites
    )


def draw_ground_glass_nodules(
    terrain: Terrain,
    rng: np.random.Generator,
    *,
    where: Where,
    number: int,
    diameter_mm: tuple[float, float] = (6.0, 22.0),
) -> tuple[GroundGlassNodule, ...]:
    """Hazy nodules of 6-22 mm.

    Source: Fleischner glossary (Hansell DM et al., Radiology 2008;246:697), "nodule".
    """
    return tuple(
        GroundGlassNodule(point, d, draw_seed(rng), fraction=round(float(rng.uniform(0.26, 0.42)), 3))
        for point, d in spread(terrain, where, rng, number=number, size_mm=diameter_mm, apart=0.8)
    )
