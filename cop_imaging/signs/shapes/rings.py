"""Rays from a centre through a core and a rim: the geometry behind the reversed halo."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import ndimage

from cop_imaging.core.arrays import AnyArray, BoolArray, Float64Array, Int64Array
from cop_imaging.core.geometry import Box, Geometry

__all__ = [
    "SPHERE_RAYS",
    "Rays",
    "Rim",
    "all_directions",
    "cast",
    "circle_directions",
    "rim_of",
    "sphere_directions",
    "star_mask",
]

STEP_MM = 0.5
SPHERE_RAYS, CIRCLE_RAYS = 220, 80
NEIGHBOURS = 13
"""Rays, itself included, over which the radius of a ray is judged."""
OUTSIDE_MM = 5.0
"""How far beyond the rim the lung outside is looked for."""
PLEURA_MM = 1.5
"""A rim that ends this near to the lung's border ends there."""
HAZE_HU = 50.0
"""A core this much above aerated lung is haze: what is dark behind it lies outside."""
FRINGE_MM = 8.0
"""Width of the haze that may surround a rim."""
MARGIN = 8
"""Samples by which a rim may lie farther out than its neighbours' wherever they are."""
AT_ONCE = 512
"""Voxels that are compared with all rays at once: what comes of it fits into the cache."""
NEAR_SHARE, FAR_SHARE = 0.55, 1.8
"""What is nearer or farther than these shares of its neighbours' radius is a vessel in the core or another thing."""


@dataclass(frozen=True, slots=True, eq=False)
class Rays:
    """Samples along rays; ray by ray, sample by sample, (n, m)."""

    directions: Float64Array
    """Unit vectors (z, y, x), (n, 3): first those over the sphere, then those of three circles."""
    hu: AnyArray
    lung: BoolArray
    vessel: BoolArray
    airway: BoolArray


@dataclass(frozen=True, slots=True, eq=False)
class Rim:
    """What the rays meet, float64 or bool (n,)."""

    core_mm: Float64Array
    """Radius of the rim's inner border, where the density is half way from core to rim; infinite without one."""
    outer_mm: Float64Array
    """Radius of its outer border, half way from rim to what lies outside, or where the lung ends."""
    covered: BoolArray
    """The ray meets a rim of acceptable thickness and contrast."""
    solid: BoolArray
    """It meets one, however thick."""
    at_pleura: BoolArray
    """The rim ends where the lung ends."""
    peak_hu: Float64Array
    outside_hu: Float64Array
    """Least density shortly beyond the rim; NaN where the lung ends."""
    vessel: BoolArray
    """The rim is a vessel there."""


def sphere_directions(n: int) -> Float64Array:
    """``n`` nearly even unit vectors (z, y, x) over the sphere (Fibonacci lattice), float64 (n, 3)."""
    k = np.arange(n) + 0.5
    z = 1.0 - 2.0 * k / n
    angle = np.pi * (1.0 + np.sqrt(5.0)) * k
    radius = np.sqrt(1.0 - z * z)
    return np.stack([z, radius * np.sin(angle), radius * np.cos(angle)], axis=1)


def circle_directions(n: int) -> tuple[Float64Array, ...]:
    """``n`` even unit vectors (z, y, x) around each of the axial, coronal and sagittal circles."""
    angle = 2.0 * np.pi * np.arange(n) / n
    s, c, o = np.sin(angle), np.cos(angle), np.zeros(n)
    return np.stack([o, s, c], axis=1), np.stack([s, o, c], axis=1), np.stack([s, c, o], axis=1)


@lru_cache(maxsize=1)
def all_directions() -> tuple[Float64Array, Int64Array]:
    """The rays of sphere and circles, and for each the rays of the sphere around it, (n, ``NEIGHBOURS``)."""
    sphere = sphere_directions(SPHERE_RAYS)
    directions = np.concatenate([sphere, *circle_directions(CIRCLE_RAYS)])
    near: Int64Array = np.argsort(-(directions @ sphere.T), axis=1, kind="stable")[:, :NEIGHBOURS]
    return directions, near


def cast(
    hu: AnyArray,
    lungs: AnyArray,
    vessels: BoolArray,
    airways: BoolArray,
    geometry: Geometry,
    centre: Float64Array,
    longest_mm: float,
    *,
    circles: bool = True,
) -> Rays:
    """Sample all rays from ``centre`` (index z, y, x) every half millimetre out to ``longest_mm``.

    Without ``circles`` these are the rays over the sphere alone.
    """
    directions = all_directions()[0][: None if circles else SPHERE_RAYS]
    radius = np.arange(0.0, longest_mm + STEP_MM, STEP_MM)
    spacing = np.array(geometry.spacing_mm)
    points = centre[:, None, None] + (directions.T / spacing[:, None])[:, :, None] * radius
    values = ndimage.map_coordinates(hu, points, output=np.float32, order=1, mode="nearest")
    nearest = np.rint(points).astype(np.int32)
    last = np.array(hu.shape, dtype=np.int32)[:, None, None] - 1
    bounded = ((nearest >= 0) & (nearest <= last)).all(axis=0)
    at = tuple(np.clip(nearest, 0, last))
    return Rays(directions, values, (lungs[at] > 0) & bounded, vessels[at], airways[at])


def rim_of(
    rays: Rays,
    *,
    core_hu: float,
    aerated_hu: float,
    rim_hu: float,
    contrast_hu: float,
    thickness_mm: tuple[float, float],
    edge_share: float = 0.5,
) -> Rim:
    """Where the rim begins and ends on every ray.

    Around haze the rim is what is dense just before the lung becomes aerated or ends: a vessel that crosses the core
    has haze behind it. Elsewhere it is what is dense first, at about the radius of the neighbouring rays. Borders lie
    half way up the step in density, so that blur moves them little and the thickness next to nothing.

    Parameters
    ----------
    core_hu, aerated_hu : float
        Density of the core, and of aerated lung.
    rim_hu : float
        Density above which a sample may be rim.
    contrast_hu : float
        Least density of the rim above the core.
    thickness_mm : (low, high)
        Acceptable thickness of the rim.
    edge_share : float
        Height of the borders between the levels on their two sides.
    """
    hu, lung, m = rays.hu, rays.lung, rays.hu.shape[1]
    index = np.arange(m)
    leaves = np.where(lung.all(axis=1), m, np.argmin(lung, axis=1))
    dense = (hu > rim_hu) & (index < leaves[:, None])
    inner_end, hit = _found(rays, dense, leaves, 0.5 * (core_hu + aerated_hu), hazy=core_hu > aerated_hu + HAZE_HU)
    within = _run(dense, inner_end) & hit[:, None]
    ends = np.where(hit, m - np.argmax(within[:, ::-1], axis=1), m)
    peak = np.where(hit, np.where(within, hu, -np.inf).max(axis=1), np.nan)
    top = np.where(within & (hu >= peak[:, None]), index, m).min(axis=1)
    inner = _crossing(hu, top, core_hu + edge_share * (peak - core_hu), inwards=True)
    beyond = (index >= top[:, None]) & (index <= ends[:, None] + OUTSIDE_MM / STEP_MM) & lung
    outside = np.where(hit, np.where(beyond, hu, np.inf).min(axis=1), np.nan)
    ended = _crossing(hu, top, outside + edge_share * (peak - outside), inwards=False)
    border = np.where(hit, _first((index >= top[:, None]) & ~lung), m)
    at_pleura = hit & (border - np.minimum(ended, ends) <= PLEURA_MM / STEP_MM)
    outer = np.where(at_pleura, border - 0.5, np.minimum(ended, m - 1.0))
    thickness = (outer - inner) * STEP_MM
    solid = hit & (peak - core_hu >= contrast_hu) & (inner > 1) & (thickness >= thickness_mm[0])
    return Rim(
        core_mm=np.where(hit, inner * STEP_MM, np.inf),
        outer_mm=np.where(hit, outer * STEP_MM, np.inf),
        covered=solid & (thickness <= thickness_mm[1]),
        solid=solid,
        at_pleura=at_pleura,
        peak_hu=peak,
        outside_hu=np.where(at_pleura, np.nan, outside),
        vessel=hit & ((within & rays.vessel).sum(axis=1) > 0.5 * within.sum(axis=1)),
    )


def _found(
    rays: Rays, dense: BoolArray, leaves: Int64Array, dark_hu: float, *, hazy: bool
) -> tuple[Int64Array, BoolArray]:
    """A sample of each ray that lies in the rim, and whether there is one."""
    index = np.arange(dense.shape[1])
    first = _first(dense)
    if not hazy:
        typical = _local(first, first < leaves)
        found = _first(dense & (index >= NEAR_SHARE * typical[:, None]))
        return found, found < np.minimum(leaves, FAR_SHARE * typical + 2.0)
    dark = (rays.hu < dark_hu) & rays.lung & ~rays.airway
    dark[:, :-2] &= dark[:, 1:-1] & dark[:, 2:]
    last, hit = _before(dense, np.minimum(_first(dark), leaves))
    typical = _local(last, hit)
    # A bronchus that crosses the core is dark, too.
    opens = np.minimum(_first(dark & (index >= NEAR_SHARE * typical[:, None])), leaves)
    last, hit = _before(dense, opens)
    # Where haze goes on outside, the rim is what is dense at the radius of its neighbours.
    fit = _first(dense & (index >= NEAR_SHARE * typical[:, None]))
    other = ~hit & (fit < np.minimum(opens, FAR_SHARE * typical + 2.0))
    last = np.where(other, fit, last)
    return last, (hit | other) & (last >= NEAR_SHARE * typical) & (last < FAR_SHARE * typical + MARGIN)


def _before(dense: BoolArray, opens: Int64Array) -> tuple[Int64Array, BoolArray]:
    """Last dense sample of each ray before it opens, and whether that is near enough to be the rim."""
    index = np.arange(dense.shape[1])
    last: Int64Array = np.where(dense & (index < opens[:, None]), index, -1).max(axis=1)
    return last, (last >= 0) & (opens - last <= FRINGE_MM / STEP_MM)


def _run(dense: BoolArray, at: Int64Array) -> BoolArray:
    """The run of dense samples around one of each ray."""
    index, rows = np.arange(dense.shape[1]), np.arange(dense.shape[0])
    start = np.where(~dense & (index < at[:, None]), index, -1).max(axis=1)
    end = np.where(~dense & (index > at[:, None]), index, dense.shape[1]).min(axis=1)
    out: BoolArray = (index > start[:, None]) & (index < end[:, None])
    return out & dense[rows, np.clip(at, 0, dense.shape[1] - 1)][:, None]


def _first(where: BoolArray) -> Int64Array:
    """Index of the first True of each row; the row's length where there is none."""
    out: Int64Array = np.where(where.any(axis=1), where.argmax(axis=1), where.shape[1]).astype(np.int64)
    return out


def _local(radius: Int64Array, met: BoolArray) -> Float64Array:
    """Radius in samples that is typical around each ray: the median of the neighbours that meet something."""
    _, near = all_directions()
    every = float(np.median(radius[met])) if met.any() else 0.0
    around = np.sort(np.where(met, radius, radius.max() + 1)[near[: radius.size]], axis=1)
    number = met[near[: radius.size]].sum(axis=1)
    middle = around[np.arange(radius.size), np.maximum(number - 1, 0) // 2]
    out = np.where(number >= NEIGHBOURS // 3, middle, every).astype(np.float64)
    # A few rays through a wide vessel are no wall.
    return np.where(out < NEAR_SHARE * every, every, out)


def _crossing(hu: AnyArray, top: Int64Array, level: Float64Array, *, inwards: bool) -> Float64Array:
    """Fractional sample at which the density falls below ``level`` on the way from ``top``."""
    n, m = hu.shape
    index, rows = np.arange(m), np.arange(n)
    below = hu < level[:, None]
    if inwards:
        under = np.where(below & (index < top[:, None]), index, -1).max(axis=1)
        near, far = np.clip(under + 1, 0, m - 1), np.maximum(under, 0)
    else:
        under = np.where(below & (index > top[:, None]), index, m).min(axis=1)
        near, far = np.clip(under - 1, 0, m - 1), np.minimum(under, m - 1)
    high, low = hu[rows, near].astype(np.float64), hu[rows, far].astype(np.float64)
    share = np.clip((high - level) / np.where(high > low, high - low, 1.0), 0.0, 1.0)
    out: Float64Array = np.where(under < 0, 0.0, np.where(under >= m, float(m), near + share * (far - near)))
    return out


def star_mask(
    inside: AnyArray, geometry: Geometry, centre: Float64Array, directions: Float64Array, radius_mm: Float64Array
) -> tuple[Box, BoolArray]:
    """Voxels nearer to ``centre`` than the radius of the ray that points at them, of those that ``inside`` marks.

    Returns
    -------
    box : where in [z, y, x] they lie
    mask : bool on that box
    """
    reach, surely = float(radius_mm.max()), radius_mm.min()
    spacing = np.array(geometry.spacing_mm)
    low = np.maximum(np.floor(centre - reach / spacing), 0).astype(int)
    high = np.minimum(np.ceil(centre + reach / spacing) + 1, inside.shape).astype(int)
    box = (slice(low[0], high[0]), slice(low[1], high[1]), slice(low[2], high[2]))
    z, y, x = (((np.arange(low[a], high[a]) - centre[a]) * spacing[a]).astype(np.float32) for a in range(3))
    distance = np.sqrt(z[:, None, None] ** 2 + y[:, None] ** 2 + x**2)
    allowed = inside[box] > 0
    mask: BoolArray = (distance <= surely) & allowed
    unsure = np.flatnonzero((distance <= reach) & (distance > surely) & allowed)
    k, j, i = np.unravel_index(unsure, mask.shape)
    offset, towards = np.stack([z[k], y[j], x[i]], axis=1), directions.astype(np.float32).T
    ray = np.empty(unsure.size, dtype=np.int64)
    for n in range(0, unsure.size, AT_ONCE):
        ray[n : n + AT_ONCE] = (offset[n : n + AT_ONCE] @ towards).argmax(axis=1)
    mask.ravel()[unsure] = distance.ravel()[unsure] <= radius_mm[ray]
    return box, mask
