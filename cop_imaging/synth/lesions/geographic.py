"""Geographic ground glass: whole lobules are hazy or free, with sharp borders between."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cop_imaging.core.arrays import BoolArray, Float32Array
from cop_imaging.synth.lesions.drawing import around, draw_seed, millilitres, spread_to
from cop_imaging.synth.lesions.lesion import Layer, Place, Point, smoothstep
from cop_imaging.synth.lesions.lobules import Lobules
from cop_imaging.synth.lesions.margins import ragged
from cop_imaging.synth.terrain import Terrain, Where

__all__ = ["GeographicGroundGlass", "Region", "draw_geographic_ground_glass", "region_of", "sites_of"]


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """Whole lobules around a centre, all [z, y, x]."""

    inside: Float32Array
    """Part of each voxel in a chosen lobule, 0-1, with an edge about 1 mm wide."""
    value: Float32Array
    """Standard normal number of a voxel's own lobule."""
    wall_mm: Float32Array
    """Distance to the nearest wall between lobules."""


def region_of(
    place: Place, centre_mm: Point, *, radius_mm: float, reach_mm: float, seed: int, lobule_mm: float
) -> Region:
    """The lobules whose middle lies within a radius, some beyond it and some holes."""
    s = place.slab
    lobules = Lobules.around(centre_mm, reach_mm=reach_mm, seed=seed, lobule_mm=lobule_mm)
    away = np.linalg.norm(lobules.seeds_mm - np.array(centre_mm), axis=1)
    chosen = away < radius_mm * (1.0 + 0.2 * np.clip(lobules.value, -2.0, 1.5))
    far = np.sqrt(sum((c - np.float32(o)) ** 2 for c, o in zip((s.x, s.y, s.z), centre_mm, strict=True)))
    near = place.used(np.broadcast_to(far < 1.3 * radius_mm + 1.1 * lobule_mm, s.shape))
    inside, value = np.zeros(s.shape, dtype=np.float32), np.zeros(s.shape, dtype=np.float32)
    wall = np.full(s.shape, lobule_mm, dtype=np.float32)
    walls = lobules.walls(s, lobules.rough.on(s), near)
    # The signed distance to the border between hazy and free lobules is that to a wall which parts the two kinds.
    own, other = chosen[walls.lobule], chosen[walls.other]
    signed = np.where(own, 1.0, -1.0) * np.where(own == other, 9.0, walls.distance_mm)
    inside[near] = smoothstep(signed.astype(np.float32), 1.0)
    value[near], wall[near] = lobules.value[walls.lobule], walls.distance_mm
    return Region(inside, value, wall)


@dataclass(frozen=True, slots=True)
class GeographicGroundGlass:
    """A map of hazy lobules, each of its own density."""

    centre_mm: Point
    radius_mm: float
    seed: int
    lobule_mm: float = 15.0
    fraction: float = 0.34
    tissue_hu: float = 35.0

    @property
    def reach_mm(self) -> float:
        """Radius with the lobules beyond it."""
        return 1.3 * self.radius_mm + 1.1 * self.lobule_mm

    def layers(self, place: Place) -> tuple[Layer, ...]:
        """One hazy layer."""
        region = region_of(
            place,
            self.centre_mm,
            radius_mm=self.radius_mm,
            reach_mm=self.reach_mm,
            seed=self.seed,
            lobule_mm=self.lobule_mm,
        )
        grain = ragged(place.slab, self.centre_mm, reach_mm=self.reach_mm, seed=self.seed)
        uneven = 1.0 + np.float32(0.1) * np.clip(region.value, -2.0, 2.0) + np.float32(0.07) * grain
        return (Layer(np.float32(self.fraction) * uneven * region.inside, self.tissue_hu, "ground_glass"),)

    def shapes(self, place: Place) -> dict[str, Float32Array]:
        """None: the sign is a density."""
        del place
        return {}


def sites_of(
    terrain: Terrain, rng: np.random.Generator, where: Where, target_ml: float, radius_mm: tuple[float, float]
) -> list[tuple[Point, float]]:
    """Centres and radii of regions of a wanted total volume."""

    def volume_ml(point: Point, radius: float) -> float:
        inside: BoolArray = np.linalg.norm(around(terrain, point), axis=1) < radius
        return millilitres(terrain, inside)

    return spread_to(terrain, where, rng, target_ml=target_ml, size_mm=radius_mm, volume_ml=volume_ml, apart=0.9)


def draw_geographic_ground_glass(
    terrain: Terrain, rng: np.random.Generator, *, where: Where, target_ml: float
) -> tuple[GeographicGroundGlass, ...]:
    """Regions of radius 18-40 mm made of lobules of 12-19 mm.

    Source: secondary lobules measure 10-25 mm (Fleischner glossary, Radiology 2008;246:697); sizes are an estimate.
    """
    return tuple(
        GeographicGroundGlass(
            point,
            radius,
            draw_seed(rng),
            lobule_mm=round(float(rng.uniform(12.0, 19.0)), 2),
            fraction=round(float(rng.uniform(0.28, 0.42)), 3),
        )
        for point, radius in sites_of(terrain, rng, where, target_ml, (18.0, 40.0))
    )
