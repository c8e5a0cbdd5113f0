"""Consolidation that cuffs a bronchus with its artery and follows both outwards."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cop_imaging.core.arrays import BoolArray, Float32Array, Float64Array
from cop_imaging.synth.lesions.drawing import draw_seed, hilum
from cop_imaging.synth.lesions.lesion import Layer, Place, Point, lobular, smoothstep
from cop_imaging.synth.lesions.margins import ragged
from cop_imaging.synth.lesions.segments import Segment, half_span_mm, middle_mm
from cop_imaging.synth.shapes import Tubes, capsule
from cop_imaging.synth.terrain import Terrain, Where

__all__ = ["PeribronchovascularConsolidation", "draw_peribronchovascular"]

WIDEST_LUMEN_MM, NARROWEST_LUMEN_MM = 3.4, 1.3
"""Radii of the bronchi whose cuffs are drawn: segmental to subsegmental."""
MOST = 60
"""Most cuffs tried for one volume."""


@dataclass(frozen=True, slots=True)
class PeribronchovascularConsolidation:
    """A lobulated cuff around branching bronchi; their air stays visible inside."""

    segments: tuple[Segment, ...]
    seed: int
    lobule_mm: float = 11.0
    fraction: float = 0.95
    edge_mm: float = 3.0
    tissue_hu: float = 42.0

    @property
    def centre_mm(self) -> Point:
        """Middle of the box around the axes."""
        return middle_mm(self.segments)

    @property
    def reach_mm(self) -> float:
        """Half of the longest side of that box with the cuff and its lobules."""
        widest = max(max(s[6:]) for s in self.segments)
        return float(half_span_mm(self.segments) + widest + 0.7 * self.lobule_mm + 3.0)

    def layers(self, place: Place) -> tuple[Layer, ...]:
        """One layer of consolidated lung."""
        s, centre, reach = place.slab, self.centre_mm, self.reach_mm
        level = np.full(s.shape, -np.inf, dtype=np.float32)
        for x0, y0, z0, x1, y1, z1, r0, r1 in self.segments:
            distance, radius = capsule(s, np.array((x0, y0, z0)), np.array((x1, y1, z1)), r0, r1)
            np.maximum(level, radius - distance, out=level)
        rough, lobule = lobular(
            s, centre, reach_mm=reach, seed=self.seed, lobule_mm=self.lobule_mm, rough_mm=0.13 * self.lobule_mm
        )
        level += np.clip(rough, -0.3 * self.lobule_mm, 0.3 * self.lobule_mm)
        level += np.float32(0.2 * self.lobule_mm) * np.clip(lobule, -2.0, 2.0)
        level += ragged(s, centre, reach_mm=reach, seed=self.seed)
        return (Layer(np.float32(self.fraction) * smoothstep(level, self.edge_mm), self.tissue_hu, "consolidation"),)

    def shapes(self, place: Place) -> dict[str, Float32Array]:
        """None: the sign is a density."""
        del place
        return {}


def branches(tubes: Tubes, first: int, length_mm: float) -> list[int]:
    """Rows of a tube, of its two children and of what follows the wider of them, up to a length."""
    rows, todo, left = [first], first, length_mm
    while True:
        left -= float(np.linalg.norm(tubes.end[todo] - tubes.start[todo]))
        children = np.flatnonzero(np.abs(tubes.start - tubes.end[todo]).max(axis=1) < 1e-6)
        if left <= 0.0 or not children.size:
            return rows
        rows += [int(c) for c in children]
        todo = int(children[np.argmax(tubes.start_radius_mm[children])])


def cuffs(terrain: Terrain, where: Where, rng: np.random.Generator) -> tuple[Segment, ...] | None:
    """Axes of one cuff with its radii, or None if nothing is left."""
    point = terrain.draw(where, rng)
    if point is None:
        return None
    cuff, length = float(rng.uniform(5.0, 10.0)), float(rng.uniform(20.0, 45.0))
    tubes = terrain.bundles
    if len(tubes):
        fit = (tubes.end_radius_mm <= WIDEST_LUMEN_MM) & (tubes.end_radius_mm >= NARROWEST_LUMEN_MM)
        gap = np.linalg.norm(0.5 * (tubes.start + tubes.end) - np.array(point), axis=1)
        rows = branches(tubes, int(np.argmin(np.where(fit, gap, np.inf))), length)
        axes = [(tubes.start[r], tubes.end[r]) for r in rows]
    else:
        # No bronchus is known: they run from the hilum.
        way = np.array(point) - np.array(hilum(terrain, point))
        way = way / max(float(np.linalg.norm(way)), 1.0)
        axes = [(np.array(point) - 0.5 * length * way, np.array(point) + 0.5 * length * way)]
    out: list[Segment] = []
    for start, end in axes:
        x0, y0, z0, x1, y1, z1 = (round(float(v), 2) for v in (*start, *end))
        r0, r1 = (round(cuff * float(rng.uniform(*k)), 2) for k in ((0.8, 1.2), (0.6, 1.1)))
        out.append((x0, y0, z0, x1, y1, z1, r0, r1))
    return tuple(out)


def draw_peribronchovascular(
    terrain: Terrain, rng: np.random.Generator, *, where: Where, target_ml: float
) -> tuple[PeribronchovascularConsolidation, ...]:
    """Cuffs 10-20 mm wide along 20-45 mm of segmental and smaller bronchi.

    Source: peribronchovascular consolidation, alone or with subpleural patches, in about a third to a half of
    patients (Lee KS et al., AJR 1994;162:543; Faria IM et al., J Bras Pneumol 2015;41:231); sizes are an estimate.
    """
    out: list[PeribronchovascularConsolidation] = []
    left, taken = target_ml, np.zeros(len(terrain.points_mm), dtype=bool)
    for _ in range(MOST):
        segments = cuffs(terrain, where, rng)
        if segments is None:
            break
        inside = np.zeros_like(taken)
        for s in segments:
            inside |= near_axis(terrain.points_mm, s)
        fresh = inside & ~taken
        if fresh.sum() < 0.5 * inside.sum():
            continue
        ml = float(fresh.sum() * terrain.lung_ml / len(taken))
        if out and ml > 2.0 * left:
            break
        taken |= inside
        left -= ml
        out.append(PeribronchovascularConsolidation(segments, draw_seed(rng)))
        if left <= 0.0:
            break
    return tuple(out)


def near_axis(points_mm: Float64Array, segment: Segment) -> BoolArray:
    """Which points (n, 3) lie inside a cuff."""
    start, end = np.array(segment[:3]), np.array(segment[3:6])
    way = end - start
    t = np.clip((points_mm - start) @ way / max(float(way @ way), 1e-6), 0.0, 1.0)
    gap = np.linalg.norm(points_mm - start - t[:, None] * way, axis=1)
    out: BoolArray = gap < segment[6] + (segment[7] - segment[6]) * t
    return out
