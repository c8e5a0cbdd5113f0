"""Small solid nodules, scattered at random or along the lymphatics."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from cop_imaging.core.arrays import Float32Array
from cop_imaging.synth.lesions.drawing import draw_seed
from cop_imaging.synth.lesions.lesion import Layer, Place, Point, smoothstep
from cop_imaging.synth.lesions.margins import ragged, smooth_noise
from cop_imaging.synth.terrain import Terrain, Where

__all__ = ["Nodule", "draw_nodule"]

SOFT_MM = 0.9
"""Width of a solid nodule's own edge."""


@dataclass(frozen=True, slots=True)
class Nodule:
    """A solid nodule with a slightly irregular edge; it carries the truth of no density sign."""

    centre_mm: Point
    diameter_mm: float
    seed: int
    fraction: float = 0.96
    tissue_hu: float = 42.0
    roughness: float = 1.0
    """1 as in patients, 0 an exact ball."""

    @property
    def reach_mm(self) -> float:
        """Radius with its irregularity and a soft edge on coarse grids."""
        return 0.5 * self.diameter_mm * (1.0 + 0.35 * self.roughness) + 3.0

    def level_mm(self, place: Place) -> Float32Array:
        """Distance inside the edge."""
        s, k = place.slab, self.roughness
        dx, dy, dz = (c - np.float32(o) for c, o in zip((s.x, s.y, s.z), self.centre_mm, strict=True))
        away = np.sqrt(dx * dx + dy * dy + dz * dz)
        level: Float32Array = np.float32(0.5 * self.diameter_mm) - away
        if k > 0.0:
            wide = smooth_noise(
                s, self.centre_mm, reach_mm=self.reach_mm, seed=self.seed, size_mm=max(1.1 * self.diameter_mm, 4.0)
            )
            fine = ragged(s, self.centre_mm, reach_mm=self.reach_mm, seed=self.seed + 1, size_mm=4.0)
            level = level + np.float32(k * 0.085 * self.diameter_mm) * wide + np.float32(0.18 * k) * fine
        return level

    def layers(self, place: Place) -> tuple[Layer, ...]:
        """One layer of tissue."""
        width = place.slab.edge_mm(self.centre_mm, SOFT_MM)
        radius = 0.5 * self.diameter_mm
        # A ball whose edge is soft over w holds 3 r w^2 / 20 / r^3 more than a sharp one: it is drawn smaller.
        smaller = np.minimum(width**2 / np.float32(20.0 * radius), np.float32(0.3 * radius))
        part = smoothstep(self.level_mm(place) - smaller, width)
        return (Layer(np.float32(self.fraction) * part, self.tissue_hu),)

    def shapes(self, place: Place) -> dict[str, Float32Array]:
        """The nodule."""
        return {"nodule": smoothstep(self.level_mm(place), max(SOFT_MM, 1.1 * place.slab.voxel_mm))}


def perilymphatic(where: Where, rng: np.random.Generator) -> Where:
    """Where a nodule lies that follows lymphatics: half beside bundles, half under the pleura."""
    low, high = where.depth_mm
    if rng.random() < 0.5:
        return replace(where, near_bundles=max(where.near_bundles, 1.0) * 12.0)
    return replace(where, depth_mm=(low, min(high, low + 6.0)))


def draw_nodule(
    terrain: Terrain,
    rng: np.random.Generator,
    *,
    where: Where,
    number: int,
    diameter_mm: tuple[float, float] = (4.0, 10.0),
    pattern: Literal["random", "perilymphatic"] = "random",
) -> tuple[Nodule, ...]:
    """Solid nodules of 4-10 mm, the small ones the more frequent.

    Source: nodules of 3-10 mm and their three patterns (Fleischner glossary, Radiology 2008;246:697, "nodule",
    "perilymphatic"); that numbers fall with size is an estimate.
    """
    out: list[Nodule] = []
    low, high = diameter_mm
    for _ in range(number):
        size = low + (high - low) * float(rng.beta(1.2, 2.2))
        near = perilymphatic(where, rng) if pattern == "perilymphatic" else where
        point = terrain.draw(near, rng, clear_of=[(n.centre_mm, 0.9 * (n.diameter_mm + size)) for n in out[-60:]])
        if point is None:
            continue
        x, y, z = (round(float(v + d), 2) for v, d in zip(point, rng.uniform(-2.4, 2.4, 3), strict=True))
        out.append(Nodule((x, y, z), round(size, 2), draw_seed(rng)))
    return tuple(out)
