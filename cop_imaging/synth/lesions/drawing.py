"""How lesions are spread over a pair of lungs: places apart from each other, sizes that reach a wanted volume."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from cop_imaging.core.arrays import BoolArray, Float64Array
from cop_imaging.synth.lesions.lesion import Lesion, Point
from cop_imaging.synth.terrain import Terrain, Where

__all__ = [
    "around",
    "depth_at",
    "draw_seed",
    "hilum",
    "lobe_at",
    "millilitres",
    "nearest",
    "occupied",
    "spread",
    "spread_to",
]

GAP_MM = 4.0
"""Least lung between a lesion that must be seen for itself and any other."""
Sited = tuple[Point, float]
"""A place and the size of the lesion there, in mm."""


def draw_seed(rng: np.random.Generator) -> int:
    """A seed for one lesion."""
    return int(rng.integers(2**31))


def nearest(terrain: Terrain, point: Point) -> int:
    """Row of the terrain's place nearest to a point."""
    return int(np.argmin(((terrain.points_mm - np.array(point)) ** 2).sum(axis=1)))


def lobe_at(terrain: Terrain, point: Point) -> int:
    """Lobe 1-5 at a point."""
    return int(terrain.lobe[nearest(terrain, point)])


def depth_at(terrain: Terrain, point: Point) -> float:
    """Depth below the pleura at a point, in mm."""
    return float(terrain.depth_mm[nearest(terrain, point)])


def around(terrain: Terrain, point: Point) -> Float64Array:
    """Places as (n, 3) offsets from a point, in mm."""
    out: Float64Array = terrain.points_mm - np.array(point)
    return out


def millilitres(terrain: Terrain, inside: BoolArray) -> float:
    """Volume of lung that the chosen places stand for."""
    return float(inside.sum() * terrain.lung_ml / max(len(inside), 1))


def occupied(lesions: Sequence[Lesion]) -> list[Sited]:
    """Where lesions lie and how far they reach, for others to keep clear of."""
    return [(lesion.centre_mm, lesion.reach_mm) for lesion in lesions]


def hilum(terrain: Terrain, point: Point) -> Point:
    """Where the widest bronchi of a point's lung lie, or its deepest places where no bronchus is known."""
    right = bool(terrain.right[nearest(terrain, point)])
    tubes = terrain.bundles
    middle = float(np.median(terrain.points_mm[:, 0]))
    own = np.flatnonzero((tubes.end[:, 0] < middle) == right) if len(tubes) else np.zeros(0, dtype=np.int64)
    if own.size:
        widest = own[np.argsort(-tubes.end_radius_mm[own], kind="stable")[:4]]
        x, y, z = tubes.end[widest].mean(axis=0)
    else:
        lung = np.flatnonzero(terrain.right == right)
        x, y, z = terrain.points_mm[lung[np.argsort(-terrain.depth_mm[lung], kind="stable")[:20]]].mean(axis=0)
    return float(x), float(y), float(z)


def spread(
    terrain: Terrain,
    where: Where,
    rng: np.random.Generator,
    *,
    number: int,
    size_mm: tuple[float, float],
    apart: float = 0.6,
    clear_of: Sequence[Sited] = (),
) -> list[Sited]:
    """Up to ``number`` places with sizes from a range, whose distances are ``apart`` of the sum of their sizes.

    Parameters
    ----------
    clear_of : sequence of (point, radius in mm)
        Other lesions that none of these may touch.
    """
    out: list[Sited] = []
    for _ in range(number):
        size = float(rng.uniform(*size_mm))
        others = [(p, radius + 0.5 * size + GAP_MM) for p, radius in clear_of]
        point = terrain.draw(where, rng, clear_of=[*others, *((p, apart * (size + s)) for p, s in out)])
        if point is not None:
            out.append((point, round(size, 2)))
    return out


def spread_to(
    terrain: Terrain,
    where: Where,
    rng: np.random.Generator,
    *,
    target_ml: float,
    size_mm: tuple[float, float],
    volume_ml: Callable[[Point, float], float],
    apart: float = 0.8,
    most: int = 60,
) -> list[Sited]:
    """Places with sizes whose estimated volumes add up to a wanted one.

    The last lesion is made so large as is left; when no place is clear of the others any more, lesions may touch,
    and their sizes stay those asked for.

    Parameters
    ----------
    size_mm : (low, high)
        Range of sizes.
    volume_ml : function of point and size
        Estimate of one lesion's volume.
    """
    out: list[Sited] = []
    left = target_ml
    while left > 0.0 and len(out) < most:
        size = float(rng.uniform(*size_mm))
        point = terrain.draw(where, rng, clear_of=[(p, apart * (size + s)) for p, s in out])
        if point is None:
            point = terrain.draw(where, rng, clear_of=[(p, 0.4 * (size + s)) for p, s in out])
        if point is None:
            break
        ml = volume_ml(point, size)
        if ml > left:
            sizes = np.linspace(0.6 * size_mm[0], size, 9)
            volumes = np.array([volume_ml(point, s) for s in sizes])
            best = int(np.argmin(np.abs(volumes - left)))
            size, ml = float(sizes[best]), float(volumes[best])
            # What a last lesion cannot reach is left, unless nothing was drawn yet.
            if out and abs(left - ml) > left:
                break
            left = 0.0
        out.append((point, round(size, 2)))
        left -= max(ml, 0.02 * target_ml)
    return out
