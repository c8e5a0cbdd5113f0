"""A large nodule or mass: lobulated, with spicules, at times with a cavity in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cop_imaging.core.arrays import Float32Array
from cop_imaging.synth.lesions.drawing import draw_seed, spread
from cop_imaging.synth.lesions.lesion import Layer, Place, Point, smoothstep
from cop_imaging.synth.lesions.margins import ragged, smooth_noise
from cop_imaging.synth.shapes import Distance, Slab, Tubes, draw_tubes, smooth_union
from cop_imaging.synth.terrain import Terrain, Where

__all__ = ["Mass", "draw_mass"]

SOFT_MM = 1.2
BULGES = 9
"""Balls around the middle one that a mass is made of."""


@dataclass(frozen=True, slots=True)
class Mass:
    """Solid tissue that replaces vessels and bronchi; it carries the truth of no density sign."""

    centre_mm: Point
    diameter_mm: float
    seed: int
    spicules: int = 0
    spicule_mm: float = 8.0
    """How far they stick out."""
    cavity_mm: float = 0.0
    """Mean diameter of the gas inside, 0 without."""
    tissue_hu: float = 45.0
    roughness: float = 1.0
    """1 as in patients, 0 an exact ball with an exact round cavity."""

    @property
    def reach_mm(self) -> float:
        """Radius with lobulation and spicules."""
        longest = 1.3 * self.spicule_mm if self.spicules else 0.0
        return 0.5 * self.diameter_mm * (1.0 + 0.62 * self.roughness) + longest + 4.0

    def level_mm(self, place: Place) -> Float32Array:
        """Distance inside the edge without spicules."""
        s, k = place.slab, self.roughness
        dx, dy, dz = (c - np.float32(o) for c, o in zip((s.x, s.y, s.z), self.centre_mm, strict=True))
        level: Float32Array = np.float32(0.5 * self.diameter_mm) - np.sqrt(dx * dx + dy * dy + dz * dz)
        if k > 0.0:
            grain = ragged(s, self.centre_mm, reach_mm=self.reach_mm, seed=self.seed + 2)
            lobulated = self.lobulated_mm(s) + np.float32(0.3) * grain
            level = (np.float32(1.0 - k) * level + np.float32(k) * lobulated).astype(np.float32)
        return level

    def lobulated_mm(self, s: Slab) -> Float32Array:
        """Distance inside balls that run together: they bulge out, with shallow notches between them."""
        rng = np.random.default_rng([self.seed, 6])
        ways = rng.standard_normal((BULGES, 3))
        ways /= np.linalg.norm(ways, axis=1, keepdims=True)
        off = self.diameter_mm * rng.uniform(0.2, 0.31, (BULGES, 1)) * ways
        radii = self.diameter_mm * rng.uniform(0.19, 0.28, BULGES)
        outside: Distance = np.full(s.shape, np.float32(1e6))
        for ball, radius in zip((np.zeros(3), *off), (0.35 * self.diameter_mm, *radii), strict=True):
            x, y, z = (np.float32(v) for v in np.array(self.centre_mm) + ball)
            away = np.sqrt((s.x - x) ** 2 + (s.y - y) ** 2 + (s.z - z) ** 2)
            outside = smooth_union(outside, away - np.float32(radius), 0.1 * self.diameter_mm)
        return -outside.astype(np.float32)

    def spicule_tubes(self) -> Tubes:
        """Strands from inside the mass outwards, thinner and thinner."""
        rng = np.random.default_rng([self.seed, 7])
        way = rng.standard_normal((self.spicules, 3))
        way /= np.linalg.norm(way, axis=1, keepdims=True)
        bend = rng.normal(0.0, 0.22, way.shape)
        long = self.spicule_mm * rng.uniform(0.45, 1.2, (self.spicules, 1))
        radius = 0.5 * self.diameter_mm
        wide = rng.uniform(0.7, 1.3, self.spicules)
        centre = np.array(self.centre_mm)
        start, middle = centre + 0.8 * radius * way, centre + (1.02 * radius + 0.4 * long) * way
        end = middle + 0.6 * long * (way + bend) / np.linalg.norm(way + bend, axis=1, keepdims=True)
        return Tubes.joined([Tubes(start, middle, 2.2 * wide, 0.9 * wide), Tubes(middle, end, 0.9 * wide, 0.35 * wide)])

    def solid(self, place: Place, level: Float32Array) -> Float32Array:
        """Part of each voxel in the mass with its spicules, its cavity filled."""
        body = smoothstep(level, max(SOFT_MM, 1.1 * place.slab.voxel_mm))
        return draw_tubes(place.slab, self.spicule_tubes(), into=body) if self.spicules else body

    def gas(self, place: Place, level: Float32Array) -> Float32Array:
        """Part of each voxel in the cavity, which lies off the middle and is shaggy."""
        s, k = place.slab, self.roughness
        rng = np.random.default_rng([self.seed, 8])
        off = self.centre_mm + k * rng.uniform(-0.12, 0.12, 3) * self.diameter_mm
        squeezed = 1.0 + k * rng.uniform(-0.25, 0.25, 3)
        dx, dy, dz = (
            (c - np.float32(o)) * np.float32(q) for c, o, q in zip((s.x, s.y, s.z), off, squeezed, strict=True)
        )
        inside: Float32Array = np.float32(0.5 * self.cavity_mm) - np.sqrt(dx * dx + dy * dy + dz * dz)
        if k > 0.0:
            wide = smooth_noise(
                s, self.centre_mm, reach_mm=self.reach_mm, seed=self.seed + 4, size_mm=max(0.6 * self.cavity_mm, 6.0)
            )
            inside = inside + np.float32(0.12 * k * self.cavity_mm) * wide
            # Everywhere a wall of 4 mm is left.
            inside = np.minimum(inside, level - np.float32(4.0))
        return smoothstep(inside, max(SOFT_MM, 1.1 * s.voxel_mm))

    def layers(self, place: Place) -> tuple[Layer, ...]:
        """The tissue, then the gas in it."""
        level = self.level_mm(place)
        tissue = Layer(self.solid(place, level), self.tissue_hu, over=True)
        if self.cavity_mm <= 0.0:
            return (tissue,)
        return tissue, Layer(self.gas(place, level), -990.0, over=True)

    def shapes(self, place: Place) -> dict[str, Float32Array]:
        """The mass with its cavity, and the gas with the wall around it is no ``cavity`` of its own."""
        return {"mass": self.solid(place, self.level_mm(place))}


def draw_mass(
    terrain: Terrain,
    rng: np.random.Generator,
    *,
    where: Where,
    number: int = 1,
    diameter_mm: tuple[float, float] = (20.0, 60.0),
    cavitary: float = 0.15,
) -> tuple[Mass, ...]:
    """Lobulated masses of 20-60 mm, three in five with spicules, ``cavitary`` of them with gas inside.

    Source: nodule up to 30 mm, mass above (Fleischner glossary, Radiology 2008;246:697); cavities in 13 of 27
    patients with vasculitis (Peachell MB, Semin Respir Crit Care Med 2004); spicules and sizes are an estimate.
    """
    out = []
    for point, size in spread(terrain, where, rng, number=number, size_mm=diameter_mm, apart=0.7):
        spiculated, hollow = rng.random() < 0.6, rng.random() < cavitary
        out.append(
            Mass(
                point,
                size,
                draw_seed(rng),
                spicules=int(rng.integers(14, 42)) if spiculated else 0,
                spicule_mm=round(float(rng.uniform(6.0, 16.0)), 1),
                cavity_mm=round(size * float(rng.uniform(0.3, 0.6)), 1) if hollow else 0.0,
            )
        )
    return tuple(out)
