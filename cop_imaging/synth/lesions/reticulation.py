"""Reticulation: a net of fine lines within lobules, under the pleura and at the base."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from cop_imaging.core.arrays import Float32Array, Float64Array
from cop_imaging.synth.lesions.drawing import draw_seed
from cop_imaging.synth.lesions.lesion import Layer, Place, Point, smoothstep
from cop_imaging.synth.lesions.margins import sheet, smooth_noise
from cop_imaging.synth.terrain import Terrain, Where

__all__ = ["Reticulation", "draw_reticulation"]


@dataclass(frozen=True, slots=True)
class Reticulation:
    """The walls of small irregular cells in a patch along the pleura, some of them missing."""

    centre_mm: Point
    radius_mm: float
    depth_mm: float
    """How far below the pleura the net reaches in the patch's middle."""
    seed: int
    mesh_mm: float = 4.5
    line_mm: float = 0.5
    haze: float = 0.1
    """Tissue between the lines."""
    tissue_hu: float = 42.0

    @property
    def reach_mm(self) -> float:
        """Radius with its edge."""
        return 1.35 * self.radius_mm + 3.0

    def region(self, place: Place) -> Float32Array:
        """Where the net is, 0-1."""
        s = place.slab
        dx, dy, dz = (c - np.float32(o) for c, o in zip((s.x, s.y, s.z), self.centre_mm, strict=True))
        away = np.sqrt(dx * dx + dy * dy + dz * dz) / np.float32(self.radius_mm)
        waves = smooth_noise(s, self.centre_mm, reach_mm=self.reach_mm, seed=self.seed, size_mm=16.0)
        across = np.float32(self.radius_mm) * (1.0 - away) + np.float32(3.0) * waves
        deep = np.float32(self.depth_mm) * np.clip(1.15 - 0.5 * away * away, 0.0, 1.0) * (1.0 + np.float32(0.3) * waves)
        level = np.minimum(across, deep - place.depth_mm).astype(np.float32)
        return np.where(away < 1.3, smoothstep(level, 7.0), np.float32(0.0)).astype(np.float32)

    @lru_cache(maxsize=128)  # noqa: B019 - a lesion never changes, and slabs come one after the other
    def seeds(self) -> Float64Array:
        """Middles of the cells, (n, 3)."""
        rng = np.random.default_rng([self.seed, 5])
        half = self.reach_mm + 3.0 * self.mesh_mm
        steps = np.arange(0.0, 2.0 * np.sqrt(3.0) * half, self.mesh_mm) - np.sqrt(3.0) * half
        seeds = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(-1, 3)
        seeds = seeds @ Rotation.random(random_state=rng).as_matrix()
        seeds = seeds[(np.abs(seeds) < half).all(axis=1)]
        out: Float64Array = seeds + np.array(self.centre_mm) + rng.uniform(-0.5, 0.5, seeds.shape) * self.mesh_mm
        return out

    def lines(self, place: Place, region: Float32Array) -> Float32Array:
        """Part of each voxel in a line, 0-1."""
        s, chosen = place.slab, place.used(region > 0.01)
        out = np.zeros(s.shape, dtype=np.float32)
        if not chosen.any():
            return out
        points = np.stack([np.broadcast_to(c, s.shape)[chosen] for c in (s.x, s.y, s.z)], axis=1)
        seeds = self.seeds()
        found = cKDTree(seeds).query(points, k=3, workers=1)
        gap, row = np.asarray(found[0]), np.asarray(found[1])
        total = np.zeros(len(points), dtype=np.float32)
        for n in (1, 2):
            apart = np.linalg.norm(seeds[row[:, 0]] - seeds[row[:, n]], axis=1)
            distance = ((gap[:, n] ** 2 - gap[:, 0] ** 2) / (2.0 * apart)).astype(np.float32)
            # Every wall has its own thickness, and one in four is not there.
            first, second = np.minimum(row[:, 0], row[:, n]), np.maximum(row[:, 0], row[:, n])
            pair = (first * 7919 + second * 104729) % 1009 / 1009.0
            thick = np.where(pair < 0.25, 0.0, self.line_mm * (0.4 + 1.1 * pair)).astype(np.float32)
            total += sheet(distance, thick, s, 0.5)
        out[chosen] = np.minimum(total, 1.0)
        return out

    def layers(self, place: Place) -> tuple[Layer, ...]:
        """A little haze, then the lines."""
        region = place.once(self, lambda: self.region(place))
        return (
            Layer(np.float32(self.haze) * region, self.tissue_hu),
            Layer(np.float32(0.8) * region * self.lines(place, region), self.tissue_hu),
        )

    def shapes(self, place: Place) -> dict[str, Float32Array]:
        """The region that the net covers."""
        return {"reticulation": place.once(self, lambda: self.region(place))}


def draw_reticulation(
    terrain: Terrain, rng: np.random.Generator, *, where: Where, target_ml: float, most: int = 60
) -> tuple[Reticulation, ...]:
    """Patches of 22-40 mm along the pleura, 8-25 mm deep, with lines of 0.3-1 mm every 3-7 mm.

    A fifth of the net is tissue.

    Source: intralobular lines (Fleischner glossary, Radiology 2008;246:697, "reticulation"); sizes are an estimate.
    """
    out: list[Reticulation] = []
    taken, left = np.zeros(len(terrain.points_mm), dtype=bool), target_ml
    place_ml = terrain.lung_ml / max(len(taken), 1)
    mesh, line = round(float(rng.uniform(3.6, 6.4)), 2), round(float(rng.uniform(0.38, 0.7)), 2)
    for _ in range(most):
        point = terrain.draw(where, rng)
        if point is None or left <= 0.0:
            break
        radius, deep = float(rng.uniform(22.0, 40.0)), float(rng.uniform(8.0, 25.0))
        radius = min(radius, max(10.0, (3.0 * left * 1000.0 / (np.pi * deep)) ** 0.5))
        away = np.linalg.norm(terrain.points_mm - np.array(point), axis=1) / radius
        inside = (away < 1.0) & (terrain.depth_mm < deep * np.clip(1.15 - 0.5 * away * away, 0.0, 1.0))
        fresh = inside & ~taken
        if fresh.sum() < 0.4 * inside.sum() or not inside.any():
            continue
        taken |= inside
        left -= float(fresh.sum()) * place_ml
        out.append(Reticulation(point, round(radius, 2), round(deep, 2), draw_seed(rng), mesh_mm=mesh, line_mm=line))
    return tuple(out)
