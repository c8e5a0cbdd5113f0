"""Consolidation that spreads through one lobe and stops at its fissures, as bacterial pneumonia does."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cop_imaging.core.arrays import Float32Array
from cop_imaging.synth.lesions.drawing import around, draw_seed, lobe_at, millilitres
from cop_imaging.synth.lesions.lesion import Layer, Place, Point, lobular, smoothstep
from cop_imaging.synth.lesions.margins import in_lobe, ragged
from cop_imaging.synth.terrain import Terrain, Where

__all__ = ["LobarConsolidation", "draw_lobar_consolidation"]


@dataclass(frozen=True, slots=True)
class LobarConsolidation:
    """Airless lung around a point, out to where it has spread or to the fissures; bronchi stay open in it."""

    centre_mm: Point
    lobe: int
    spread_mm: float
    """Distance from the centre that it has reached; more than a lobe's size fills the lobe."""
    seed: int
    lobule_mm: float = 16.0
    haze_mm: float = 14.0
    """Width of the ground glass at the front of its spread."""
    fraction: float = 0.97
    tissue_hu: float = 42.0

    @property
    def reach_mm(self) -> float:
        """The spread with its lobules and haze."""
        return self.spread_mm + self.lobule_mm + self.haze_mm

    def level(self, place: Place) -> Float32Array:
        """How far behind the front of its spread a voxel lies, in mm, [z, y, x]."""
        s = place.slab
        away = np.sqrt(sum((c - np.float32(o)) ** 2 for c, o in zip((s.x, s.y, s.z), self.centre_mm, strict=True)))
        level: Float32Array = np.float32(self.spread_mm) - away
        rough, lobule = lobular(
            s,
            self.centre_mm,
            reach_mm=self.reach_mm,
            seed=self.seed,
            lobule_mm=self.lobule_mm,
            rough_mm=0.25 * self.lobule_mm,
            within=(np.abs(level) < 2.0 * self.lobule_mm) & (place.lobe == self.lobe),
        )
        level = level + np.clip(rough, -0.6 * self.lobule_mm, 0.6 * self.lobule_mm)
        level = level + np.float32(0.3 * self.lobule_mm) * np.clip(lobule, -2.0, 2.0)
        grain = ragged(s, self.centre_mm, reach_mm=self.reach_mm, seed=self.seed, size_mm=9.0)
        out: Float32Array = level + np.float32(1.5) * grain
        return out

    def layers(self, place: Place) -> tuple[Layer, ...]:
        """Haze at the front, then the consolidation."""
        level, own = self.level(place), in_lobe(place, self.lobe)
        haze = np.float32(0.3) * smoothstep(level + 0.5 * self.haze_mm, self.haze_mm) * own
        return (
            Layer(haze, self.tissue_hu, "ground_glass"),
            Layer(np.float32(self.fraction) * smoothstep(level, 5.0) * own, self.tissue_hu, "consolidation"),
        )

    def shapes(self, place: Place) -> dict[str, Float32Array]:
        """None: the sign is a density."""
        del place
        return {}


def draw_lobar_consolidation(
    terrain: Terrain, rng: np.random.Generator, *, where: Where, target_ml: float
) -> tuple[LobarConsolidation, ...]:
    """One lobe filled from a point at the pleura outwards until a wanted volume is reached, the whole of it if need be.

    Source: lobar pneumonia spreads from acinus to acinus until a fissure stops it (Hansell DM et al., Radiology
    2008;246:697, "consolidation"; Nambu A et al., World J Radiol 2014;6:779).
    """
    point = terrain.draw(where, rng)
    if point is None:
        return ()
    lobe = lobe_at(terrain, point)
    away = np.sort(np.linalg.norm(around(terrain, point), axis=1)[terrain.lobe == lobe])
    each = millilitres(terrain, terrain.lobe == lobe) / len(away)
    last = min(int(target_ml / each), len(away) - 1)
    spread = float(away[last]) if last < len(away) - 1 else float(away[-1]) + 25.0
    return (LobarConsolidation(point, lobe, round(spread, 2), draw_seed(rng)),)
