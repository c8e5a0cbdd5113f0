"""A cavity: air inside a thick, irregular wall, a look-alike of the reversed halo that is none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cop_imaging.core.arrays import Float32Array
from cop_imaging.synth.lesions.drawing import draw_seed, spread
from cop_imaging.synth.lesions.lesion import Layer, Place, Point, lobular, smoothstep
from cop_imaging.synth.lesions.margins import ragged
from cop_imaging.synth.terrain import Terrain, Where

__all__ = ["Cavity", "draw_cavity"]


@dataclass(frozen=True, slots=True)
class Cavity:
    """A thick-walled cavity; its wall has the density of consolidation and carries the truth of no sign."""

    centre_mm: Point
    outer_mm: float
    wall_mm: float
    seed: int
    tissue_hu: float = 42.0
    roughness: float = 1.0
    """1 as in patients, 0 an exact ball with an exact wall."""
    fluid_level: float = 0.0
    """Height of fluid in it, as a share of the inner diameter from the back (supine)."""

    @property
    def reach_mm(self) -> float:
        """Outer radius with its irregularity and soft edge."""
        return 0.65 * self.outer_mm + 4.0

    def inside_mm(self, place: Place) -> Float32Array:
        """Distance inside the outer edge."""
        s = place.slab
        away = np.sqrt((s.x - self.centre_mm[0]) ** 2 + (s.y - self.centre_mm[1]) ** 2 + (s.z - self.centre_mm[2]) ** 2)
        inside: Float32Array = np.float32(0.5 * self.outer_mm) - away
        if self.roughness > 0.0:
            rough, lobule = lobular(
                s,
                self.centre_mm,
                reach_mm=self.reach_mm,
                seed=self.seed,
                lobule_mm=0.5 * self.outer_mm,
                rough_mm=0.035 * self.outer_mm,
                within=inside > -0.12 * self.outer_mm - 2.5,
            )
            bulge = np.clip(rough, -0.07 * self.outer_mm, 0.07 * self.outer_mm)
            bulge += np.float32(0.02 * self.outer_mm) * np.clip(lobule, -1.5, 1.5)
            inside = inside + np.float32(self.roughness) * bulge
        return inside

    def air_mm(self, place: Place, inside: Float32Array) -> Float32Array:
        """Distance inside the inner edge, which is shaggy in its own way."""
        air = inside - np.float32(self.wall_mm)
        if self.roughness > 0.0:
            grain = ragged(place.slab, self.centre_mm, reach_mm=self.reach_mm, seed=self.seed + 1, size_mm=8.0)
            air = air + np.float32(0.22 * self.roughness * self.wall_mm) * grain
        out: Float32Array = np.minimum(air, inside - np.float32(1.0))
        return out

    def layers(self, place: Place) -> tuple[Layer, ...]:
        """A ball of tissue, then its air and fluid; no vessel crosses it."""
        inside = self.inside_mm(place)
        air = self.air_mm(place, inside)
        out = (
            Layer(0.98 * smoothstep(inside, 2.0), self.tissue_hu, over=True),
            Layer(smoothstep(air, 1.5), -1000.0, over=True),
        )
        if self.fluid_level <= 0.0:
            return out
        inner = 0.5 * self.outer_mm - self.wall_mm
        level = place.slab.y - np.float32(self.centre_mm[1] + inner * (1.0 - 2.0 * self.fluid_level))
        return (*out, Layer(smoothstep(air, 1.5) * smoothstep(level, max(1.0, place.slab.voxel_mm)), 15.0, over=True))

    def shapes(self, place: Place) -> dict[str, Float32Array]:
        """Wall and air."""
        return {"cavity": smoothstep(self.inside_mm(place), 2.0)}


def draw_cavity(
    terrain: Terrain,
    rng: np.random.Generator,
    *,
    where: Where,
    number: int = 1,
    outer_mm: tuple[float, float] = (15.0, 60.0),
    clear_of: Sequence[tuple[Point, float]] = (),
) -> tuple[Cavity, ...]:
    """Cavities of 15-60 mm with walls of 4-12 mm, one in six with a level of fluid.

    They keep clear of ``clear_of``, pairs of a point and a radius in mm.

    Source: gas in a wall of more than 4 mm (Fleischner glossary, Radiology 2008;246:697, "cavity").
    """
    out = []
    for point, outer in spread(terrain, where, rng, number=number, size_mm=outer_mm, apart=0.65, clear_of=clear_of):
        wall = min(float(rng.uniform(4.0, 12.0)), 0.3 * outer)
        level = float(rng.uniform(0.1, 0.4)) if rng.random() < 1.0 / 6.0 else 0.0
        out.append(Cavity(point, outer, round(wall, 2), draw_seed(rng), fluid_level=round(level, 3)))
    return tuple(out)
