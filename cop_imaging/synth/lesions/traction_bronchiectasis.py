"""Traction bronchiectasis: bronchi pulled open by fibrosis, varicose, and as wide at the periphery as before."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cop_imaging.core.arrays import Float32Array
from cop_imaging.synth.lesions.drawing import draw_seed, hilum
from cop_imaging.synth.lesions.lesion import Layer, Place, Point
from cop_imaging.synth.shapes import Tubes, draw_tubes
from cop_imaging.synth.terrain import Terrain, Where

__all__ = ["TractionBronchiectasis", "draw_traction_bronchiectasis"]


@dataclass(frozen=True, slots=True)
class TractionBronchiectasis:
    """One varicose bronchus with its wall; both replace what was there."""

    centre_mm: Point
    outwards: Point
    """Direction towards the periphery, a unit vector."""
    length_mm: float
    radius_mm: float
    """Mean radius of the lumen, from end to end."""
    seed: int
    wall_mm: float = 0.9
    tissue_hu: float = 35.0

    @property
    def reach_mm(self) -> float:
        """Half of its length, its bends, and its wall."""
        return 0.62 * self.length_mm + 1.8 * self.radius_mm + self.wall_mm + 3.0

    def lumen(self) -> Tubes:
        """A winding path of nodes 3 mm apart, wide and narrow in turn."""
        rng = np.random.default_rng(self.seed)
        n = max(4, round(self.length_mm / 3.0))
        along = np.linspace(-0.5, 0.5, n + 1)
        walk = np.cumsum(rng.normal(0.0, 0.55, (n + 1, 3)), axis=0)
        walk -= walk.mean(axis=0)
        walk = np.clip(walk, -0.1 * self.length_mm, 0.1 * self.length_mm)
        nodes = np.array(self.centre_mm) + self.length_mm * along[:, None] * np.array(self.outwards) + walk
        radius = self.radius_mm * np.clip(1.0 + rng.normal(0.0, 0.24, n + 1), 0.6, 1.6)
        return Tubes(nodes[:-1], nodes[1:], radius[:-1], radius[1:])

    def parts(self, place: Place) -> tuple[Float32Array, Float32Array]:
        """Parts of each voxel in the bronchus with its wall, and in its lumen."""
        lumen = self.lumen()
        return draw_tubes(place.slab, lumen.widened(self.wall_mm, self.wall_mm)), draw_tubes(place.slab, lumen)

    def layers(self, place: Place) -> tuple[Layer, ...]:
        """Wall, then lumen."""
        outer, lumen = self.parts(place)
        return Layer(outer, self.tissue_hu, over=True), Layer(lumen, -1000.0, "airways", over=True)

    def shapes(self, place: Place) -> dict[str, Float32Array]:
        """Lumen and wall."""
        return {"traction_bronchiectasis": self.parts(place)[0]}


def draw_traction_bronchiectasis(
    terrain: Terrain, rng: np.random.Generator, *, where: Where, number: int
) -> tuple[TractionBronchiectasis, ...]:
    """Bronchi 14-32 mm long with lumens 2.4-5.6 mm wide that run outwards from the hilum within fibrosis.

    Source: irregular dilated bronchi in fibrosis that do not taper (Fleischner glossary, Radiology 2008;246:697,
    "traction bronchiectasis"); sizes are an estimate.
    """
    out: list[TractionBronchiectasis] = []
    for _ in range(number):
        point = terrain.draw(where, rng, clear_of=[(t.centre_mm, 8.0) for t in out])
        if point is None:
            break
        way = np.array(point) - np.array(hilum(terrain, point)) + rng.normal(0.0, 10.0, 3)
        u, v, w = (way / max(float(np.linalg.norm(way)), 1e-6)).round(4)
        out.append(
            TractionBronchiectasis(
                point,
                (float(u), float(v), float(w)),
                round(float(rng.uniform(14.0, 32.0)), 1),
                round(float(rng.uniform(1.2, 2.8)), 2),
                draw_seed(rng),
                wall_mm=round(float(rng.uniform(0.7, 1.2)), 2),
            )
        )
    return tuple(out)
