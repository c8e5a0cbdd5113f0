"""A cavity: air inside a wall, a look-alike of the reversed halo that is none."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cop_imaging.core.arrays import Float32Array
from cop_imaging.synth.lesions.lesion import Layer, Place, Point, lobular, smoothstep

__all__ = ["Cavity"]


@dataclass(frozen=True, slots=True)
class Cavity:
    """A thick-walled cavity; its wall has the density of consolidation and carries the truth of no sign."""

    centre_mm: Point
    outer_mm: float
    wall_mm: float
    seed: int
    tissue_hu: float = 42.0

    @property
    def reach_mm(self) -> float:
        """Outer radius with its irregularity and soft edge."""
        return 0.65 * self.outer_mm + 4.0

    def inside_mm(self, place: Place) -> Float32Array:
        """Distance inside the outer edge."""
        s = place.slab
        away = np.sqrt((s.x - self.centre_mm[0]) ** 2 + (s.y - self.centre_mm[1]) ** 2 + (s.z - self.centre_mm[2]) ** 2)
        rough, _ = lobular(
            s,
            self.centre_mm,
            reach_mm=self.reach_mm,
            seed=self.seed,
            lobule_mm=0.5 * self.outer_mm,
            rough_mm=0.035 * self.outer_mm,
        )
        out: Float32Array = 0.5 * self.outer_mm - away + rough
        return out

    def layers(self, place: Place) -> tuple[Layer, ...]:
        """A ball of tissue, then its air; no vessel crosses it."""
        inside = self.inside_mm(place)
        return (
            Layer(0.98 * smoothstep(inside, 2.0), self.tissue_hu, over=True),
            Layer(smoothstep(inside - self.wall_mm, 1.5), -1000.0, over=True),
        )

    def shapes(self, place: Place) -> dict[str, Float32Array]:
        """Wall and air."""
        return {"cavity": smoothstep(self.inside_mm(place), 2.0)}
