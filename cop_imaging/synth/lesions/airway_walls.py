"""Bronchi with thickened walls or dilated lumens."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cop_imaging.core.arrays import Float32Array
from cop_imaging.synth.lesions.lesion import Layer, Place, Point
from cop_imaging.synth.lesions.segments import Segment, half_span_mm, middle_mm
from cop_imaging.synth.shapes import Tubes, draw_tubes
from cop_imaging.synth.terrain import Terrain, Where

__all__ = ["AirwayWalls", "draw_airway_walls"]


@dataclass(frozen=True, slots=True)
class AirwayWalls:
    """Bronchi whose wall is thicker than normal; dilated ones get a new lumen too."""

    segments: tuple[Segment, ...]
    """Lumens as they are without disease."""
    wall_mm: float
    dilation: float = 1.0
    """Lumen over normal; 1 leaves the lumen as it is."""
    tissue_hu: float = 35.0

    @property
    def centre_mm(self) -> Point:
        """Middle of the box around the axes."""
        return middle_mm(self.segments)

    @property
    def reach_mm(self) -> float:
        """Half of the box's longest side with the walls."""
        widest = max(max(s[6:]) for s in self.segments) * self.dilation
        return float(half_span_mm(self.segments) + widest + self.wall_mm + 3.0)

    def tubes(self) -> tuple[Tubes, Tubes]:
        """Lumens, and their outer surfaces."""
        rows = np.array(self.segments)
        r0, r1 = self.dilation * rows[:, 6], self.dilation * rows[:, 7]
        lumen = Tubes(rows[:, :3], rows[:, 3:6], r0, r1)
        return lumen, lumen.widened(self.wall_mm, self.wall_mm)

    def layers(self, place: Place) -> tuple[Layer, ...]:
        """Wall around the bronchus, and a wider lumen where it is dilated."""
        lumen, outer = self.tubes()
        wall = Layer(draw_tubes(place.slab, outer), self.tissue_hu)
        if self.dilation <= 1.0:
            return (wall,)
        return wall, Layer(draw_tubes(place.slab, lumen), -1000.0, "airways", over=True)

    def shapes(self, place: Place) -> dict[str, Float32Array]:
        """The wall, and the lumen where it is dilated."""
        lumen, outer = self.tubes()
        inner = draw_tubes(place.slab, lumen)
        out = {"wall_thickening": np.maximum(draw_tubes(place.slab, outer) - inner, 0.0)}
        return {**out, "bronchial_dilatation": inner} if self.dilation > 1.0 else out


def draw_airway_walls(
    terrain: Terrain,
    rng: np.random.Generator,
    *,
    where: Where,
    share: float,
    dilated: bool = False,
    lumen_mm: tuple[float, float] = (1.1, 3.5),
) -> tuple[AirwayWalls, ...]:
    """A share of the bronchi of 1.1-3.5 mm radius with walls about twice as thick, at will 1.2-1.9 times as wide.

    Source: wall over outer diameter above 0.2-0.25, lumen over artery above 1 (Fleischner glossary, Radiology
    2008;246:697); shares are an
    estimate. No bronchus known: nothing is drawn.
    """
    tubes = terrain.bundles
    low, high = lumen_mm
    fit = np.flatnonzero((tubes.end_radius_mm >= low) & (tubes.start_radius_mm <= high))
    if not fit.size:
        return ()
    out: list[AirwayWalls] = []
    used: set[int] = set()
    number = max(1, round(share * len(fit) / 6.0))
    for _ in range(number):
        point = terrain.draw(where, rng)
        if point is None:
            break
        middle = 0.5 * (tubes.start[fit] + tubes.end[fit])
        near = fit[np.argsort(np.linalg.norm(middle - np.array(point), axis=1), kind="stable")[:6]]
        rows = [int(r) for r in near if int(r) not in used]
        if not rows:
            continue
        used.update(rows)
        radius = float(np.mean(tubes.end_radius_mm[rows]))
        out.append(
            AirwayWalls(
                tuple(segment(tubes, r) for r in rows),
                round((0.2 + 0.27 * radius) * float(rng.uniform(1.6, 2.6)), 2),
                dilation=round(float(rng.uniform(1.2, 1.9)), 2) if dilated else 1.0,
            )
        )
    return tuple(out)


def segment(tubes: Tubes, row: int) -> Segment:
    """One tube as plain numbers."""
    x0, y0, z0, x1, y1, z1 = (round(float(v), 2) for v in (*tubes.start[row], *tubes.end[row]))
    return (
        x0,
        y0,
        z0,
        x1,
        y1,
        z1,
        round(float(tubes.start_radius_mm[row]), 2),
        round(float(tubes.end_radius_mm[row]), 2),
    )
