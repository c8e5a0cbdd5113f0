"""A pulmonary infarct: a wedge with its base on the pleura and a lucent middle."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from cop_imaging.core.arrays import BoolArray, Float32Array
from cop_imaging.synth.lesions.drawing import depth_at, draw_seed, spread
from cop_imaging.synth.lesions.lesion import Layer, Place, Point, lobular, smoothstep
from cop_imaging.synth.lesions.margins import ragged
from cop_imaging.synth.terrain import Terrain, Where

__all__ = ["Infarct", "draw_infarct"]


@dataclass(frozen=True, slots=True)
class Infarct:
    """A cone on the pleura with bulging sides and a blunt tip towards the hilum.

    Its outer part is consolidated; the middle, away from the edges, has the density of ground glass.
    """

    centre_mm: Point
    """LPS point near the pleura, below the middle of the base."""
    base_mm: float
    """Width of the base along the pleura, 20-55 mm."""
    height_mm: float
    """Depth of the tip below the pleura, 15-45 mm."""
    seed: int
    centre_depth_mm: float = 0.0
    """Depth of that point below the pleura."""
    rim_mm: float = 5.0
    """Thickness of the consolidated shell."""
    lucency: float = 0.32
    """Tissue fraction of the middle."""
    fraction: float = 0.95
    tissue_hu: float = 42.0
    roughness: float = 1.0
    """1 as in patients, 0 an exact cone."""

    @property
    def reach_mm(self) -> float:
        """The farther of tip and base's edge with the roughness."""
        return float(np.hypot(0.5 * self.base_mm, 0.25 * self.height_mm) + 0.55 * self.height_mm + 6.0)

    def level(self, place: Place) -> Float32Array:
        """Distance inside the wedge in mm; the pleura is no edge of it."""
        s = place.slab
        square = sum((c - np.float32(o)) ** 2 for c, o in zip((s.x, s.y, s.z), self.centre_mm, strict=True))
        across = np.sqrt(np.maximum(square - (place.depth_mm - np.float32(self.centre_depth_mm)) ** 2, 0.0))
        # Convex sides, as a hump: the width falls with the root of what is left of the height.
        left = np.clip(1.0 - place.depth_mm / np.float32(self.height_mm), 0.0, 1.0)
        side = np.float32(0.5 * self.base_mm) * left ** np.float32(0.65) - across
        level: Float32Array = np.minimum(0.8 * side, np.float32(self.height_mm) - place.depth_mm)
        if self.roughness > 0.0:
            rough, lobule = lobular(
                s,
                self.centre_mm,
                reach_mm=self.reach_mm,
                seed=self.seed,
                lobule_mm=11.0,
                rough_mm=0.9,
                within=np.abs(level) < 14.0,
            )
            grain = ragged(s, self.centre_mm, reach_mm=self.reach_mm, seed=self.seed, size_mm=5.0)
            bumps = np.clip(rough, -2.0, 2.0) + np.float32(0.9) * np.clip(lobule, -2.0, 2.0) + np.float32(0.6) * grain
            level = level + np.float32(self.roughness) * bumps
        return level

    def layers(self, place: Place) -> tuple[Layer, ...]:
        """One layer whose middle is half empty."""
        level = self.level(place)
        within = np.minimum(level, place.depth_mm + np.float32(0.4 * self.rim_mm))
        hollow = smoothstep(within - np.float32(self.rim_mm), 3.0)
        dense = np.float32(self.fraction) * smoothstep(level, 2.4) * (1.0 - hollow)
        return (
            Layer(np.float32(self.lucency) * hollow, self.tissue_hu, "ground_glass"),
            Layer(dense, self.tissue_hu, "consolidation"),
        )

    def shapes(self, place: Place) -> dict[str, Float32Array]:
        """The whole wedge."""
        return {"infarct": smoothstep(self.level(place), 2.4)}


def draw_infarct(
    terrain: Terrain,
    rng: np.random.Generator,
    *,
    where: Where,
    number: int = 1,
    base_mm: tuple[float, float] = (22.0, 52.0),
) -> tuple[Infarct, ...]:
    """Wedges 22-52 mm wide and 0.55-0.95 as deep, on the pleura whatever depth ``where`` asks for.

    Source: reversed haloes of infarction are single, basal, wedge-shaped and lucent in their middle; sizes are an
    estimate.
    """
    on: BoolArray = (terrain.depth_mm <= 6.0) & (terrain.depth_mm > 0.0)
    near = replace(where, depth_mm=(0.0, 6.0 if on.any() else 1000.0))
    out = []
    for point, base in spread(terrain, near, rng, number=number, size_mm=base_mm, apart=0.7):
        height = base * float(rng.uniform(0.55, 0.95))
        rim = float(rng.uniform(0.1, 0.16)) * base + 1.5
        depth = round(depth_at(terrain, point), 2)
        out.append(Infarct(point, base, round(height, 2), draw_seed(rng), depth, round(rim, 2)))
    return tuple(out)
