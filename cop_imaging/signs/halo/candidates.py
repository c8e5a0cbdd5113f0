"""Where a ring could be: the middles of haze, gas and aerated lung that look out on dense lung in most directions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from cop_imaging.core.arrays import AnyArray, BoolArray, Float32Array, Float64Array, Int64Array
from cop_imaging.core.geometry import Geometry
from cop_imaging.core.grid import distance_to, keep_large, resample, smoothed
from cop_imaging.core.scene import Scene
from cop_imaging.signs.shapes.rings import sphere_directions

__all__ = ["CoarseLung", "Places", "candidate_places", "coarse_lung", "enclosed_share"]

GRID_MM = 1.5
SEARCH_RAYS = 48
ENCLOSED_SHARE = 0.4
SMALL_MM, SMALL_ENCLOSED_SHARE = 3.0, 0.6
SMALLEST_RIM_ML = 0.2
LEAST_RADIUS_MM = 2.0
REACH, REACH_MORE_MM = 2.6, 4.0
"""How far the wall of an aerated place may be, in inscribed radii and beyond: it is no corridor."""
PEAK_VOXELS = 5
WIDE_MM = 5.0
"""Narrower places come later: between vessels there are many, blurred to haze."""
MOST_LOOKED_AT = 16000
LOCAL_SIGMA_MM = 1.2
BRONCHUS_DEPTH_MM = 25.0
"""Depth below the pleura from which a wide bronchus is a common one."""
HAZE_ABOVE_HU, GAS_BELOW_HU, WALL_ABOVE_HU = 70.0, 30.0, 80.0
"""Density over aerated lung from which a place is haze, below it to which it is gas, and of a thin wall around gas."""


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """Places of one kind, best enclosed first."""

    centres: Iterator[Float64Array]
    """Indices (z, y, x) on the scene's crop; each is looked for when it is asked for."""
    most: int
    """How many of them are worth a closer look."""


@dataclass(frozen=True, slots=True, eq=False)
class CoarseLung:
    """The scene on cubes of 1.5 mm."""

    geometry: Geometry
    smooth_hu: AnyArray
    lungs: BoolArray


def coarse_lung(scene: Scene) -> CoarseLung:
    """The scene's smoothed density and lungs on cubes of 1.5 mm."""
    grid = scene.geometry.resampled((GRID_MM,) * 3)
    smooth = resample(scene.smooth_hu, scene.geometry, grid, antialias=True)
    return CoarseLung(grid, smooth, resample(scene.lungs, scene.geometry, grid, method="nearest") > 0)


def candidate_places(
    scene: Scene, coarse: CoarseLung, *, limits_hu: tuple[float, ...], longest_mm: float
) -> tuple[Places, ...]:
    """Middles of haze, of gas and of aerated lung that dense lung encloses.

    A middle is a local maximum of the distance to what is no haze (no gas, no aerated lung): a crescent's core has one
    as a closed ring's has, and a core that vessels cross has several. Haze is looked for below each limit of what is
    dense: a faint rim shows at a low limit, one around dense haze at a high one. Only haze can be the core of a
    reversed halo; the other places are there to be told apart. The lumen of a common bronchus is no place.

    Parameters
    ----------
    limits_hu : sequence of float
        Densities above which lung may be rim.
    longest_mm : float
        Largest radius of a core.
    """
    grid, smooth, lungs = coarse.geometry, coarse.smooth_hu, coarse.lungs
    airways = resample(scene.airways, scene.geometry, grid, method="nearest")
    open_lung = lungs & ~airways
    local = smoothed(smooth, grid, LOCAL_SIGMA_MM)
    aerated = scene.aerated_mode_hu
    hazy = open_lung & (local > aerated + HAZE_ABOVE_HU)
    gas = lungs & (local < aerated - GAS_BELOW_HU)
    walls = [keep_large((smooth > limit) & lungs, grid, SMALLEST_RIM_ML) for limit in limits_hu]
    look = _Look(lungs, grid, scene.geometry, longest_mm)
    haze = [look.at(hazy & (smooth < limit), wall) for limit, wall in zip(limits_hu, walls, strict=True)]
    # Near the pleura no bronchus is wide: one that is may be taken for a ring.
    depth_mm = resample(scene.depth_mm, scene.geometry, grid, method="nearest")
    gas &= ~(airways & (depth_mm > BRONCHUS_DEPTH_MM))
    thin = look.at(gas, (smooth > aerated + WALL_ABOVE_HU) & lungs, near=True)
    dark = look.at(open_lung & ~walls[0] & ~hazy, walls[0], near=True)
    return (
        Places(look.ranked(haze), most=40),
        Places(look.ranked([thin]), most=10),
        Places(look.ranked([dark]), most=8),
    )


Found = tuple[Int64Array, Float64Array, Float64Array]
"""Places on the grid, their inscribed radii in mm and the share of directions in which they are enclosed."""


@dataclass(frozen=True, slots=True, eq=False)
class _Look:
    lungs: BoolArray
    grid: Geometry
    crop: Geometry
    longest_mm: float

    def at(self, core: BoolArray, wall: BoolArray, *, near: bool = False) -> Found:
        """Middles of ``core`` that ``wall`` encloses, ``near`` by or at any distance."""
        if not core.any() or not wall.any():
            return np.zeros((0, 3), dtype=np.int64), np.zeros(0), np.zeros(0)
        radius = distance_to(~core, self.grid)
        index = _peaks(radius, self.longest_mm)
        inscribed = radius[tuple(index.T)].astype(np.float64)
        reach = np.minimum(REACH * inscribed + REACH_MORE_MM if near else self.longest_mm, self.longest_mm)
        share = enclosed_share(wall, self.lungs, self.grid, index, np.broadcast_to(reach, inscribed.shape))
        kept = share >= np.where(inscribed < SMALL_MM, SMALL_ENCLOSED_SHARE, ENCLOSED_SHARE)
        return index[kept], inscribed[kept], share[kept]

    def ranked(self, found: list[Found]) -> Iterator[Float64Array]:
        """The best enclosed first; what lies inside the inscribed ball of one before it is the same place."""
        points, radii, shares = (np.concatenate(part) for part in zip(*found, strict=True))
        order = np.argsort(-shares * np.sqrt(np.minimum(radii / WIDE_MM, 1.0)), kind="stable")
        out: list[int] = []
        for k in order:
            away = np.linalg.norm((points[out] - points[k]) * GRID_MM, axis=1) if out else np.zeros(0)
            if (away > radii[out]).all():
                out.append(int(k))
                yield self.crop.to_index(self.grid.to_patient(points[k].astype(np.float64)))


def enclosed_share(
    wall: BoolArray, lungs: BoolArray, geometry: Geometry, points: Int64Array, reach_mm: Float64Array
) -> Float64Array:
    """Share of rays from each point that meet ``wall`` within its reach and before the lung ends, float64 (n,)."""
    step = float(geometry.spacing_mm[0])
    farthest = int(reach_mm.max(initial=0.0) / step)
    # 0 open, 1 wall, 2 the end of the lung.
    kind = np.pad(np.where(lungs, wall.astype(np.uint8), np.uint8(2)), farthest, constant_values=2)
    jumps = np.array([kind.shape[1] * kind.shape[2], kind.shape[2], 1])
    flat, (z, y, x) = kind.ravel(), points.T
    met = np.zeros(points.shape[0])
    for direction in sphere_directions(SEARCH_RAYS):
        rows = np.arange(points.shape[0])
        for n in range(1, farthest + 1):
            rows = rows[reach_mm[rows] >= n * step]
            ways = [
                (np.rint(np.arange(size) + away).astype(np.int64) + farthest) * jump
                for size, away, jump in zip(wall.shape, direction * n, jumps, strict=True)
            ]
            found = flat[ways[0][z[rows]] + ways[1][y[rows]] + ways[2][x[rows]]]
            met[rows[found == 1]] += 1.0
            rows = rows[found == 0]
            if rows.size == 0:
                break
    out: Float64Array = met / SEARCH_RAYS
    return out


def _peaks(radius: Float32Array, longest_mm: float) -> Int64Array:
    """Local maxima of the inscribed radius, widest first."""
    tops = (radius >= LEAST_RADIUS_MM) & (radius <= longest_mm)
    tops &= radius == ndimage.maximum_filter(radius, size=PEAK_VOXELS)
    index: Int64Array = np.argwhere(tops)
    order = np.argsort(-radius[tops], kind="stable")[:MOST_LOOKED_AT]
    return index[order]
