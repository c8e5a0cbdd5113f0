"""A solitary focus of consolidation: lobulated, spiculated, and not to be told from a tumour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cop_imaging.core.arrays import Float32Array
from cop_imaging.synth.lesions.drawing import draw_seed, spread
from cop_imaging.synth.lesions.lesion import Layer, Place, Point, lobular, smoothstep
from cop_imaging.synth.lesions.margins import ragged, smooth_noise
from cop_imaging.synth.shapes import Slab, Tubes, draw_tubes
from cop_imaging.synth.terrain import Terrain, Where

__all__ = ["FocalConsolidation", "draw_focal_consolidation"]


@dataclass(frozen=True, slots=True)
class FocalConsolidation:
    """A roundish focus with lobulated, polygonal edges, strands that radiate from it, and a thin hazy rim."""

    centre_mm: Point
    diameter_mm: float
    seed: int
    spicules: int = 10
    """Number of strands, each 4-14 mm long."""
    haze_fraction: float = 0.25
    """Tissue fraction of the ground glass around it, 0 for none."""
    fraction: float = 0.96
    tissue_hu: float = 42.0

    @property
    def reach_mm(self) -> float:
        """Radius with lobules and strands."""
        return 0.68 * self.diameter_mm + 24.0

    def level(self, slab: Slab) -> Float32Array:
        """How far inside the focus a voxel lies, in mm, [z, y, x]."""
        rng = np.random.default_rng([self.seed, 7])
        radius = 0.5 * self.diameter_mm
        offset = [c - np.float32(o) for c, o in zip((slab.x, slab.y, slab.z), self.centre_mm, strict=True)]
        stretch = np.exp(rng.uniform(-0.14, 0.14, 3))
        stretch /= np.cbrt(stretch.prod())
        level = radius - np.sqrt(sum((o * np.float32(k)) ** 2 for o, k in zip(offset, stretch, strict=True)))
        # Flat and inward-bent sides: planes cut off caps of the ball.
        for way in rng.standard_normal((5, 3)):
            u, v, w = way / np.linalg.norm(way)
            cut = np.float32(radius * rng.uniform(0.72, 0.95))
            level = np.minimum(level, 0.9 * (cut - (offset[0] * u + offset[1] * v + offset[2] * w)).astype(np.float32))
        rough, lobule = lobular(
            slab,
            self.centre_mm,
            reach_mm=self.reach_mm,
            seed=self.seed,
            lobule_mm=max(0.45 * self.diameter_mm, 7.0),
            rough_mm=0.05 * self.diameter_mm,
            within=np.abs(level) < 0.4 * self.diameter_mm + 4.0,
        )
        out: Float32Array = level + rough + np.float32(0.045 * self.diameter_mm) * np.clip(lobule, -2.0, 2.0)
        out += np.float32(0.8) * ragged(slab, self.centre_mm, reach_mm=self.reach_mm, seed=self.seed, size_mm=5.0)
        return out

    def strands(self, slab: Slab) -> Float32Array:
        """Cover by the strands, [z, y, x]."""
        rng = np.random.default_rng([self.seed, 8])
        ways = rng.standard_normal((self.spicules, 3))
        ways /= np.linalg.norm(ways, axis=1, keepdims=True)
        bend = np.clip(rng.normal(0.0, 0.25, ways.shape), -0.6, 0.6)
        long = rng.uniform(4.0, 14.0, (self.spicules, 1))
        centre = np.array(self.centre_mm)
        start = centre + 0.36 * self.diameter_mm * ways
        end = centre + (0.54 * self.diameter_mm + long) * ways + long * bend
        thick = rng.uniform(1.4, 2.6, self.spicules)
        return draw_tubes(slab, Tubes(start, end, thick, np.full(self.spicules, 0.45)))

    def layers(self, place: Place) -> tuple[Layer, ...]:
        """A hazy rim, strands, then the focus."""
        level = self.level(place.slab)
        clouds = smooth_noise(place.slab, self.centre_mm, reach_mm=self.reach_mm, seed=self.seed + 5, size_mm=11.0)
        haze = np.float32(self.haze_fraction) * smoothstep(level + 2.5 + 2.5 * clouds, 6.0)
        return (
            Layer(haze, self.tissue_hu, "ground_glass"),
            Layer(np.float32(0.85) * self.strands(place.slab), self.tissue_hu),
            Layer(np.float32(self.fraction) * smoothstep(level, 2.5), self.tissue_hu, "consolidation"),
        )

    def shapes(self, place: Place) -> dict[str, Float32Array]:
        """None: the sign is a density."""
        del place
        return {}


def draw_focal_consolidation(
    terrain: Terrain,
    rng: np.random.Generator,
    *,
    where: Where,
    number: int = 1,
    diameter_mm: tuple[float, float] = (14.0, 55.0),
    clear_of: Sequence[tuple[Point, float]] = (),
) -> tuple[FocalConsolidation, ...]:
    """Solitary or few foci of 14-55 mm with 4-14 strands, half of them with a hazy rim.

    They keep clear of ``clear_of``, pairs of a point and a radius in mm.

    Source: focal organizing pneumonia is peripheral in nearly nine of ten, polygonal above 3 cm, irregular at its edge
    (Zhao F et al., 2014; Kohno N et al., 1993), with ground glass in half (Yang PS et al., 2001).
    """
    sites = spread(terrain, where, rng, number=number, size_mm=diameter_mm, apart=0.7, clear_of=clear_of)
    return tuple(
        FocalConsolidation(
            point,
            diameter,
            draw_seed(rng),
            spicules=int(rng.integers(4, 15)),
            haze_fraction=round(float(rng.uniform(0.15, 0.32)), 3) if rng.random() < 0.5 else 0.0,
        )
        for point, diameter in sites
    )
