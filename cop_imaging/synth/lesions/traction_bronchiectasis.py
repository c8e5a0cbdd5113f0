"""Traction bronchiectasis: bronchi pulled open by fibrosis, varicose, and as wide at the periphery as before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cop_imaging.core.arrays import Float32Array, Float64Array
from cop_imaging.synth.lesions.drawing import draw_seed, hilum
from cop_imaging.synth.lesions.lesion import Layer, Place, Point
from cop_imaging.synth.shapes import Tubes, draw_tubes
from cop_imaging.synth.terrain import Terrain, Where

__all__ = ["TractionBronchiectasis", "draw_traction_bronchiectasis"]

LENGTHS_MM = (12.0, 28.0)
DEEPEST_MM = 20.0
"""Depth below the pleura beyond which fibrosis pulls no bronchus open; an estimate."""


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
        # Both ends stay where they are: the inner one joins a bronchus.
        walk -= walk[0] + (along[:, None] + 0.5) * (walk[-1] - walk[0])
        walk = np.clip(walk, -0.1 * self.length_mm, 0.1 * self.length_mm)
        nodes = np.array(self.centre_mm) + self.length_mm * along[:, None] * np.array(self.outwards) + walk
        waists = np.convolve(rng.normal(0.0, 0.3, n + 3), (0.3, 0.7, 0.3), mode="valid")
        # It opens where fibrosis begins; nearer to the hilum it is a common bronchus.
        opened = np.clip(0.55 + 1.5 * (along + 0.5), 0.55, 1.0)
        radius = self.radius_mm * np.clip(1.0 + waists, 0.6, 1.6) * opened
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
    terrain: Terrain,
    rng: np.random.Generator,
    *,
    where: Where,
    number: int,
    fibrosis: Sequence[tuple[Point, float]] = (),
) -> tuple[TractionBronchiectasis, ...]:
    """Bronchi 12-28 mm long with lumens 2.4-5 mm wide that go on from a normal bronchus into fibrosis.

    Parameters
    ----------
    fibrosis : sequence of (point, radius in mm)
        Where the lung is fibrotic; without any, ``where`` alone decides.

    Source
    ------
    Irregular dilated bronchi in fibrosis that do not taper (Fleischner glossary, Radiology 2008;246:697, "traction
    bronchiectasis"); sizes are an estimate.
    """
    weight = terrain.weights(where)
    if fibrosis:
        near = [np.linalg.norm(terrain.points_mm - np.array(p), axis=1) < radius for p, radius in fibrosis]
        fibrotic = weight * (np.any(near, axis=0) & (terrain.depth_mm < DEEPEST_MM))
        weight = fibrotic if fibrotic.any() else weight
    out: list[TractionBronchiectasis] = []
    for _ in range(number):
        if not weight.any():
            break
        point = terrain.points_mm[rng.choice(len(weight), p=weight / weight.sum())]
        weight = weight * (np.linalg.norm(terrain.points_mm - point, axis=1) > 8.0)
        start = stem(terrain, point)
        way = point - start
        far = max(float(np.linalg.norm(way)), 1e-6)
        long = float(np.clip(far, *LENGTHS_MM))
        # What is nearer or farther than a drawn bronchus is long ends where the place is.
        x, y, z = (point - 0.5 * long * way / far).round(2)
        u, v, w = (way / far).round(4)
        out.append(
            TractionBronchiectasis(
                (float(x), float(y), float(z)),
                (float(u), float(v), float(w)),
                round(long, 1),
                round(float(rng.uniform(1.2, 2.5)), 2),
                draw_seed(rng),
                wall_mm=round(float(rng.uniform(0.6, 1.0)), 2),
            )
        )
    return tuple(out)


def stem(terrain: Terrain, point: Float64Array) -> Float64Array:
    """End of the nearest bronchus that lies 10 mm or more nearer to the hilum than a place, or the hilum itself."""
    x, y, z = point
    root = np.array(hilum(terrain, (float(x), float(y), float(z))))
    ends = terrain.bundles.end
    inner = ends[np.linalg.norm(ends - root, axis=1) < np.linalg.norm(point - root) - 10.0]
    if not len(inner):
        return root
    out: Float64Array = inner[int(np.argmin(((inner - point) ** 2).sum(axis=1)))]
    return out
