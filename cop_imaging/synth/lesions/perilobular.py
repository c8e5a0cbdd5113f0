"""Perilobular opacity: arcades and polygons along the inner edge of subpleural lobules whose middle stays free."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from cop_imaging.core.arrays import Float32Array
from cop_imaging.synth.lesions.drawing import around, draw_seed, millilitres, spread_to
from cop_imaging.synth.lesions.lesion import Layer, Place, Point, smoothstep
from cop_imaging.synth.lesions.lobules import Lobules, rounded
from cop_imaging.synth.lesions.margins import ragged
from cop_imaging.synth.terrain import Terrain, Where

__all__ = ["Perilobular", "draw_perilobular"]

FILLED = 5.9
"""Part of the lung in reach that bands fill, over band / lobule x affected x closed; measured on drawn lesions."""


@dataclass(frozen=True, slots=True)
class Perilobular:
    """Blurred bands along the walls of some lobules near the pleura, thicker and less sharp than septa.

    A band lies inside its own lobule: where two such lobules meet it is twice as thick. Some walls and some feet on
    the pleura are missing, so that arches and open polygons are left.
    """

    centre_mm: Point
    """LPS point near the pleura."""
    radius_mm: float
    """Half width of the region along the pleura."""
    depth_mm: float
    """Depth below the pleura at which the bands end."""
    seed: int
    lobule_mm: float = 18.0
    band_mm: float = 2.6
    """Mean thickness inside one lobule: 2-6 mm where lobules meet."""
    affected: float = 0.6
    """Share of the lobules in the region that have bands."""
    closed: float = 0.75
    """Share of an affected lobule's walls that are drawn."""
    fraction: float = 0.85
    tissue_hu: float = 42.0

    @property
    def reach_mm(self) -> float:
        """Half width of the region with the lobules that begin in it."""
        return self.radius_mm + self.lobule_mm + 2.0

    def level(self, place: Place) -> Float32Array:
        """How far inside a band a voxel lies, in mm, [z, y, x]."""
        s = place.slab
        lobules = Lobules.around(self.centre_mm, reach_mm=self.reach_mm, seed=self.seed, lobule_mm=self.lobule_mm)
        rng = np.random.default_rng([self.seed, 11])
        count = len(lobules.seeds_mm)
        near = np.linalg.norm(lobules.seeds_mm - np.array(self.centre_mm), axis=1) < self.radius_mm
        taken = near & (rng.random(count) < self.affected)
        # However small a lobule is, its middle stays free.
        apart = np.asarray(cKDTree(lobules.seeds_mm).query(lobules.seeds_mm, k=2)[0])[:, 1]
        thick = np.minimum(self.band_mm * rng.uniform(0.8, 1.25, count), 0.25 * apart).astype(np.float32)
        foot = taken & (rng.random(count) < 0.6)
        salt = rng.integers(2**31, size=count)
        out = np.full(s.shape, -9.0, dtype=np.float32)
        within = (place.depth_mm < self.depth_mm + 6.0) & (
            np.sqrt(sum((c - np.float32(o)) ** 2 for c, o in zip((s.x, s.y, s.z), self.centre_mm, strict=True)))
            < self.reach_mm
        )
        if not within.any():
            return out
        rough = lobules.rough.on(s)

        def drawn(own: int, other: int) -> bool:
            """Both sides of a wall agree whether it is drawn."""
            return bool(taken[own] or taken[other]) and bool((salt[own] ^ salt[other]) % 1000 < 1000.0 * self.closed)

        walls = lobules.walls(s, rough, within, drawn=drawn, round_mm=0.16 * self.lobule_mm)
        grain = ragged(s, self.centre_mm, reach_mm=self.reach_mm, seed=self.seed, size_mm=6.0)[within]
        own = thick[walls.lobule] * (1.0 + np.float32(0.22) * grain + np.float32(0.3) * rough[within])
        depth = place.depth_mm[within]
        # A foot: the lobule's face on the pleura is drawn too, and its corners with the walls are round.
        face = np.where(foot[walls.lobule], depth + np.float32(0.3 * self.band_mm), np.float32(99.0))
        wall = walls.distance_mm
        own = np.where(taken[walls.other], np.float32(0.8), np.float32(1.0)) * own
        inner = own - rounded(wall, face, 0.25 * self.lobule_mm)
        # The band's outer side is blurred too, unless it meets that of the next lobule there.
        level = np.where(taken[walls.other] | (wall > own), inner, np.minimum(wall, inner))
        level = np.where(taken[walls.lobule], level, -wall)
        ends = self.depth_mm - depth + 3.0 * grain
        out[within] = np.where(ends > -3.0, np.minimum(level, ends), np.float32(-9.0))
        return out

    def layers(self, place: Place) -> tuple[Layer, ...]:
        """A faint blur, then the bands."""
        level = self.level(place)
        return (
            Layer(np.float32(0.14) * smoothstep(level + 2.0, 5.0), self.tissue_hu),
            Layer(np.float32(self.fraction) * smoothstep(level, 2.2), self.tissue_hu, "consolidation"),
        )

    def shapes(self, place: Place) -> dict[str, Float32Array]:
        """The bands themselves, not the free middles of their lobules."""
        return {"perilobular": smoothstep(self.level(place), 2.2)}


def draw_perilobular(
    terrain: Terrain, rng: np.random.Generator, *, where: Where, target_ml: float
) -> tuple[Perilobular, ...]:
    """Groups of arcades 25-50 mm along the pleura and 14-26 mm deep, whose bands have a wanted volume together.

    Source: perilobular pattern in more than half of patients, touching the pleura in ten of twelve with aerated lung
    around (Ujita M et al., Radiology 2004;232:757); bands 2-6 mm, lobules 10-25 mm.
    """
    depth, lobule, band, affected, closed = (
        round(float(rng.uniform(*k)), 2) for k in ((14.0, 26.0), (15.0, 21.0), (2.1, 3.0), (0.45, 0.75), (0.6, 0.9))
    )
    filled = FILLED * band / lobule * affected * closed

    def volume_ml(point: Point, radius: float) -> float:
        inside = (np.linalg.norm(around(terrain, point), axis=1) < radius) & (terrain.depth_mm < depth)
        return filled * millilitres(terrain, inside)

    sites = spread_to(terrain, where, rng, target_ml=target_ml, size_mm=(25.0, 50.0), volume_ml=volume_ml, apart=0.85)
    return tuple(
        Perilobular(
            point,
            radius,
            depth,
            draw_seed(rng),
            lobule_mm=lobule,
            band_mm=band,
            affected=affected,
            closed=closed,
        )
        for point, radius in sites
    )
