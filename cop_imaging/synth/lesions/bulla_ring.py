"""A bulla: air inside a wall as thin as a hair, a look-alike of the reversed halo that is none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cop_imaging.core.arrays import Float32Array
from cop_imaging.synth.lesions.drawing import draw_seed, spread
from cop_imaging.synth.lesions.lesion import Layer, Place, Point, smoothstep
from cop_imaging.synth.lesions.margins import sheet, smooth_noise
from cop_imaging.synth.terrain import Terrain, Where

__all__ = ["BullaRing", "draw_bulla_ring"]


@dataclass(frozen=True, slots=True)
class BullaRing:
    """A smooth, slightly flattened bubble of air in its wall; no vessel crosses it."""

    centre_mm: Point
    diameter_mm: float
    seed: int
    wall_mm: float = 0.8
    wall_fraction: float = 0.85
    air_hu: float = -990.0
    tissue_hu: float = 35.0
    roughness: float = 1.0
    """1 as in patients, 0 an exact ball."""

    @property
    def reach_mm(self) -> float:
        """Radius with its deformation and wall."""
        return 0.5 * self.diameter_mm * (1.0 + 0.4 * self.roughness) + 3.0

    def inside_mm(self, place: Place) -> Float32Array:
        """Distance inside the middle of the wall."""
        s, k = place.slab, self.roughness
        stretch = np.exp(k * np.random.default_rng([self.seed, 9]).uniform(-0.16, 0.16, 3))
        stretch = (stretch / np.cbrt(stretch.prod())).astype(np.float32)
        offset = [c - np.float32(o) for c, o in zip((s.x, s.y, s.z), self.centre_mm, strict=True)]
        inside: Float32Array = np.float32(0.5 * self.diameter_mm) - np.sqrt(
            sum((n * d) ** 2 for n, d in zip(stretch, offset, strict=True))
        )
        if k > 0.0:
            size = 0.9 * self.diameter_mm
            dents = smooth_noise(s, self.centre_mm, reach_mm=self.reach_mm, seed=self.seed, size_mm=size)
            inside = inside + np.float32(0.05 * k * self.diameter_mm) * dents
        return inside

    def layers(self, place: Place) -> tuple[Layer, ...]:
        """Air, then its wall."""
        inside = self.inside_mm(place)
        wall = sheet(inside, self.wall_mm, place.slab, 0.6)
        return (
            Layer(smoothstep(inside, 1.0), self.air_hu, over=True),
            Layer(np.float32(self.wall_fraction) * wall, self.tissue_hu, over=True),
        )

    def shapes(self, place: Place) -> dict[str, Float32Array]:
        """Air out to the middle of the wall."""
        return {"bulla": smoothstep(self.inside_mm(place), 1.0)}


def draw_bulla_ring(
    terrain: Terrain,
    rng: np.random.Generator,
    *,
    where: Where,
    number: int = 1,
    diameter_mm: tuple[float, float] = (10.0, 45.0),
    clear_of: Sequence[tuple[Point, float]] = (),
) -> tuple[BullaRing, ...]:
    """Bullae of 10-45 mm with walls of 0.5-1 mm.

    They keep clear of ``clear_of``, pairs of a point and a radius in mm.

    Source: an air space of 1 cm or more in a wall of no more than 1 mm (Fleischner glossary, Radiology 2008;246:697).
    """
    return tuple(
        BullaRing(point, d, draw_seed(rng), wall_mm=round(float(rng.uniform(0.5, 1.0)), 2))
        for point, d in spread(terrain, where, rng, number=number, size_mm=diameter_mm, apart=0.55, clear_of=clear_of)
    )
