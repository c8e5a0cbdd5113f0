"""A nodule with a halo: dense in the middle and hazy around, the opposite of the reversed halo."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cop_imaging.core.arrays import Float32Array
from cop_imaging.synth.lesions.drawing import draw_seed, spread
from cop_imaging.synth.lesions.lesion import Layer, Place, Point, smoothstep
from cop_imaging.synth.lesions.margins import ragged, smooth_noise
from cop_imaging.synth.terrain import Terrain, Where

__all__ = ["HaloNodule", "draw_halo_nodule"]

WIDEST_HALO_MM = 12.0


@dataclass(frozen=True, slots=True)
class HaloNodule:
    """A solid core inside ground glass that fades outwards."""

    centre_mm: Point
    core_mm: float
    """Diameter of the solid core."""
    halo_mm: float
    """Width of the ground glass around it."""
    seed: int
    halo_fraction: float = 0.34
    fraction: float = 0.97
    tissue_hu: float = 42.0
    roughness: float = 1.0
    """1 as in patients, 0 exact balls."""

    @property
    def reach_mm(self) -> float:
        """Radius of the halo with its raggedness."""
        return (0.5 * self.core_mm + self.halo_mm) * (1.0 + 0.5 * self.roughness) + 4.0

    def levels(self, place: Place) -> tuple[Float32Array, Float32Array]:
        """Distance inside the core and inside the halo's outer edge, in mm."""
        s, k = place.slab, self.roughness
        offset = [c - np.float32(o) for c, o in zip((s.x, s.y, s.z), self.centre_mm, strict=True)]
        core: Float32Array = np.float32(0.5 * self.core_mm) - np.sqrt(sum(d * d for d in offset))
        halo = core + np.float32(self.halo_mm)
        if k > 0.0:
            wide, other = (
                smooth_noise(
                    s, self.centre_mm, reach_mm=self.reach_mm, seed=self.seed + n, size_mm=max(0.8 * size, 4.0)
                )
                for n, size in ((3, self.core_mm), (5, self.core_mm + self.halo_mm))
            )
            grain = ragged(s, self.centre_mm, reach_mm=self.reach_mm, seed=self.seed)
            core = core + np.float32(0.09 * k * self.core_mm) * wide + np.float32(0.3 * k) * grain
            halo = halo + np.float32(0.28 * k * self.halo_mm) * other + np.float32(0.16 * k * self.halo_mm) * grain
        return core, halo

    def layers(self, place: Place) -> tuple[Layer, ...]:
        """The halo, then the core."""
        core, halo = self.levels(place)
        return (
            Layer(
                np.float32(self.halo_fraction) * smoothstep(halo, max(0.7 * self.halo_mm, 2.0)),
                self.tissue_hu,
                "ground_glass",
            ),
            Layer(np.float32(self.fraction) * smoothstep(core, 1.6), self.tissue_hu, "consolidation"),
        )

    def shapes(self, place: Place) -> dict[str, Float32Array]:
        """Core and halo, out to where the haze has half its strength."""
        core, halo = self.levels(place)
        return {"halo_nodule": smoothstep(np.maximum(core, halo), max(0.7 * self.halo_mm, 2.0))}


def draw_halo_nodule(
    terrain: Terrain,
    rng: np.random.Generator,
    *,
    where: Where,
    number: int,
    core_mm: tuple[float, float] = (6.0, 25.0),
    clear_of: Sequence[tuple[Point, float]] = (),
) -> tuple[HaloNodule, ...]:
    """Nodules of 6-25 mm with halos of 4-12 mm.

    They keep clear of ``clear_of``, pairs of a point and a radius in mm.

    Source: Fleischner glossary (Radiology 2008;246:697), "halo sign"; sizes are an estimate.
    """
    wide = [(p, radius + WIDEST_HALO_MM) for p, radius in clear_of]
    return tuple(
        HaloNodule(
            point,
            core,
            round(float(rng.uniform(4.0, WIDEST_HALO_MM)), 2),
            draw_seed(rng),
            halo_fraction=round(float(rng.uniform(0.26, 0.4)), 3),
        )
        for point, core in spread(terrain, where, rng, number=number, size_mm=core_mm, apart=1.0, clear_of=wide)
    )
