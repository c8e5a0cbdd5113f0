"""The reversed halo of invasive mould: a rim thicker than 10 mm around a core crossed by lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cop_imaging.core.arrays import Float32Array
from cop_imaging.synth.lesions.drawing import draw_seed, spread
from cop_imaging.synth.lesions.lesion import Layer, Place, Point, septa, smoothstep
from cop_imaging.synth.lesions.margins import ragged, sheet
from cop_imaging.synth.lesions.reversed_halo import ReversedHalo
from cop_imaging.synth.terrain import Terrain, Where

__all__ = ["FungalRing", "draw_fungal_ring"]

MESH_MM = 9.0
"""Size of the meshes of the net in the core."""


@dataclass(frozen=True, slots=True)
class FungalRing:
    """A thick nodular rim, haze around it, and a hazy core with a coarse net."""

    centre_mm: Point
    outer_mm: float
    """Mean outer diameter of the rim, 40-90 mm."""
    rim_mm: float
    """Mean thickness of the rim, 11-28 mm."""
    seed: int
    line_mm: float = 2.0
    core_fraction: float = 0.26
    halo_fraction: float = 0.3
    """Tissue fraction of the ground glass around the rim."""
    tissue_hu: float = 42.0
    roughness: float = 1.0
    """1 as in patients, 0 an exact ball with an exact rim."""

    @property
    def ring(self) -> ReversedHalo:
        """The rim with its core."""
        return ReversedHalo(
            self.centre_mm,
            self.outer_mm,
            self.rim_mm,
            self.seed,
            core_fraction=self.core_fraction,
            roughness=self.roughness,
        )

    @property
    def reach_mm(self) -> float:
        """The rim's reach with the haze around it."""
        return self.ring.reach_mm + 4.0

    def layers(self, place: Place) -> tuple[Layer, ...]:
        """Haze, core, rim, then the net."""
        s = place.slab
        inside, rim = self.ring.distance_inside(place)
        grain = ragged(s, self.centre_mm, reach_mm=self.reach_mm, seed=self.seed + 8)
        haze = np.float32(self.halo_fraction) * smoothstep(inside + 3.0 + 1.2 * grain, 7.0)
        middle = smoothstep(inside - rim + 1.0, 2.0)
        mesh = septa(
            s, self.centre_mm, reach_mm=self.reach_mm, seed=self.seed + 1, lobule_mm=MESH_MM, within=middle > 0.0
        )
        net = np.float32(0.8) * sheet(mesh, self.line_mm, s, 0.8) * middle
        return (
            Layer(haze * (1.0 - middle), self.tissue_hu, "ground_glass"),
            *self.ring.layers_of(place, inside, rim),
            Layer(net, self.tissue_hu),
        )

    def shapes(self, place: Place) -> dict[str, Float32Array]:
        """Rim and core; it looks like a reversed halo and is counted apart."""
        return {"fungal_ring": self.ring.shapes(place)["reversed_halo"]}


def draw_fungal_ring(
    terrain: Terrain,
    rng: np.random.Generator,
    *,
    where: Where,
    number: int = 1,
    outer_mm: tuple[float, float] = (45.0, 85.0),
    clear_of: Sequence[tuple[Point, float]] = (),
) -> tuple[FungalRing, ...]:
    """Rings of 45-85 mm with rims of 20 SD 8.5 mm within 11-28 and lines of 1.6-2.6 mm in their core.

    They keep clear of ``clear_of``, pairs of a point and a radius in mm.

    Source: 15 patients with invasive fungal infection (Marchiori E et al., Chest 2012;142:1469).
    """
    out = []
    for point, outer in spread(terrain, where, rng, number=number, size_mm=outer_mm, apart=0.6, clear_of=clear_of):
        rim = float(np.clip(rng.normal(20.4, 8.5), 11.0, min(28.0, 0.33 * outer)))
        line = round(float(rng.uniform(1.6, 2.6)), 2)
        out.append(FungalRing(point, outer, round(rim, 2), draw_seed(rng), line_mm=line))
    return tuple(out)
