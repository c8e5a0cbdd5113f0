"""Bronchi at the scan's own resolution: followed from the trachea, voxel by voxel, as long as walls close them in.

A front runs from the airways that the coarse grid holds into darker voxels. Each voxel sends rays in 26 directions; in
a tube nearly all of them meet a wall on both sides, in lung few do. Every path keeps an account of that evidence: it
pays for weak voxels with strong ones before them and ends when nothing is left, so that gaps of a voxel or two are
passed and a leak dies out after a few. Walls may lie no farther than the parent's calibre allows.

The account is the sequential test of Page 1954, Biometrika 41:100; bronchi by closed walls follow the idea of rays in
Irving et al. 2009 (Second International Workshop on Pulmonary Image Analysis).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cop_imaging.anatomy.bronchi_config import BronchiConfig
from cop_imaging.anatomy.enclosure import FOUND, Rays, cast
from cop_imaging.core.arrays import BoolArray, Float64Array, Int16Array
from cop_imaging.core.geometry import Geometry
from cop_imaging.core.separable import blurred

__all__ = ["grow_bronchi"]

MAD_TO_SD = 1.4826
MOST_TRIES = 3
"""How many neighbours may ask for a voxel: the first to reach it may be the one with the least evidence."""
WIDER_PER_STEP = 1.05
OWN_WEIGHT = 0.3
"""Weight of a voxel's own radius against that of the path before it."""
LEAST_RADIUS_MM = 0.5
AIR_IN_LUMEN_HU = -1000.0
CHUNK = 20_000
"""Voxels whose rays are held in memory at once."""


def grow_bronchi(
    hu: Int16Array, seed: BoolArray, lungs: BoolArray, geometry: Geometry, config: BronchiConfig | None = None
) -> BoolArray:
    """Lumen of the airways, ``seed`` included, as far as it can be followed.

    Parameters
    ----------
    hu : int16 [z, y, x]
        The scan around lungs and trachea.
    seed : bool [z, y, x]
        Trachea and main bronchi, of which the rim may be missing.
    lungs : bool [z, y, x]
        Where the noise is measured.
    """
    config = config or BronchiConfig()
    if not seed.any():
        return seed.copy()
    # Rays leave the image beside the trachea's first slice: there, what lies on the border goes on.
    margins = [int(np.ceil(_reach_mm(config) / s)) + 1 for s in geometry.spacing_mm]
    inside = tuple(slice(m, m + n) for m, n in zip(margins, geometry.shape, strict=True))
    image = _blurred(hu, geometry, config.smoothing_mm)
    noise_hu = _noise_hu(image, lungs)
    if noise_hu > config.noisy_hu:
        image = _blurred(hu, geometry, config.noisy_smoothing_mm)
        noise_hu = _noise_hu(image, lungs)
    rise_hu = max(config.wall_rise_hu, config.wall_rise_noise * noise_hu)
    image = np.pad(image, [(m, m) for m in margins], mode="edge")
    start = np.zeros(image.shape, dtype=bool)
    start[inside] = seed
    outside = np.ones(image.shape, dtype=bool)
    outside[inside] = False
    closed_axes = config.closed_axes
    while True:
        found = _followed(image, start, outside, geometry, rise_hu, closed_axes, config)[inside]
        beyond_ml = float(found.sum() - seed.sum()) * geometry.voxel_ml
        if beyond_ml <= config.most_beyond_seed_ml or closed_axes + 1.0 > 13.0:
            return np.ascontiguousarray(found)
        closed_axes += 1.0


def _reach_mm(config: BronchiConfig) -> float:
    """Length of the rays."""
    return 2.0 * config.widest_radius_mm + config.slack_mm


LEAST_SIGMA = 0.35
"""Blur in voxels below which nothing changes."""


def _blurred(hu: Int16Array, geometry: Geometry, sigma_mm: float) -> Int16Array:
    """The image blurred along the axes that are fine enough, rounded to HU."""
    sigma = [sigma_mm / s if s * LEAST_SIGMA < sigma_mm else 0.0 for s in geometry.spacing_mm]
    out: Int16Array = blurred(hu, sigma, cut_off=2.5)
    return out


NOISE_SLICES = 3
"""Every so many slices the noise is measured."""


def _noise_hu(image: Int16Array, lungs: BoolArray) -> float:
    """SD of what changes from slice to slice in the lungs, where vessels are few."""
    low, high = slice(0, -1, NOISE_SLICES), slice(1, None, NOISE_SLICES)
    both = lungs[low] & lungs[high]
    if not both.any():
        return 0.0
    step = image[high][both].astype(np.int32) - image[low][both]
    return float(MAD_TO_SD * np.median(np.abs(step)) / np.sqrt(2.0))


@dataclass(frozen=True, slots=True, eq=False)
class _Front:
    """Voxels that were reached last: place, radius of their path in mm, evidence left, row in the record or -1."""

    voxel: NDArray[np.int64]
    radius_mm: Float64Array
    evidence: Float64Array
    row: NDArray[np.int64]

    def at(self, rows: NDArray[np.int64] | slice) -> _Front:
        return _Front(self.voxel[rows], self.radius_mm[rows], self.evidence[rows], self.row[rows])


@dataclass(frozen=True, slots=True, eq=False)
class _Layer:
    """Accepted voxels of one step, their parents' rows, whether they are beyond doubt, and where their wall begins."""

    voxel: NDArray[np.int64]
    parent: NDArray[np.int64]
    sure: BoolArray
    edge_hu: Float64Array


def _followed(
    image: Int16Array,
    seed: BoolArray,
    outside: BoolArray,
    geometry: Geometry,
    rise_hu: float,
    closed_axes: float,
    config: BronchiConfig,
) -> BoolArray:
    """The seed with every path from it that has evidence; nothing is followed to ``outside``."""
    rays = Rays.of(image.shape, geometry.spacing_mm, _reach_mm(config))
    rim = np.flatnonzero(seed)
    flat = image.ravel().copy()
    flat[rim] = FOUND
    taken = (outside | seed).ravel()
    tries = np.zeros(flat.size, dtype=np.uint8)
    neighbours = _neighbours(image.shape)
    rim = rim[~seed.ravel()[rim[:, None] + _neighbours(image.shape, faces=True)].all(axis=1)]
    full, none = np.full(rim.size, config.evidence), np.full(rim.size, -1)
    front = _Front(rim, np.full(rim.size, config.widest_radius_mm), full, none)
    layers: list[_Layer] = []
    count = 0
    while front.voxel.size:
        voxels, source = _asked(front, flat, taken, neighbours, config.lumen_hu)
        tries[voxels] += 1
        taken[voxels[tries[voxels] >= MOST_TRIES]] = True
        parts = [slice(k, k + CHUNK) for k in range(0, voxels.size, CHUNK)]
        judged = [_judged(flat, voxels[p], source.at(p), rays, rise_hu, closed_axes, config) for p in parts]
        if not judged:
            break
        evidence, radius_mm, wall_hu, good = (np.concatenate(a) for a in zip(*judged, strict=True))
        good &= evidence > 0.0
        voxels, evidence, radius_mm, wall_hu = (a[good] for a in (voxels, evidence, radius_mm, wall_hu))
        taken[voxels] = True
        # Wide lumen in thick walls counts as known at once: where it forks, its own walls are too far to close it in.
        flat[voxels[(radius_mm > config.known_radius_mm) & (wall_hu > config.known_wall_hu)]] = FOUND
        sure = evidence >= config.evidence - 1e-6
        layers.append(_Layer(voxels, source.row[good], sure, _edge_hu(wall_hu, config)))
        front = _Front(voxels, radius_mm, evidence, count + np.arange(voxels.size))
        count += voxels.size
    steps = max(1, round(config.fill_mm / min(geometry.spacing_mm)))
    return _filled(image, seed, outside, layers, steps)


def _judged(
    flat: Int16Array,
    voxels: NDArray[np.int64],
    source: _Front,
    rays: Rays,
    rise_hu: float,
    closed_axes: float,
    config: BronchiConfig,
) -> tuple[Float64Array, Float64Array, Float64Array, BoolArray]:
    """Evidence and radius of the paths into ``voxels``, HU of their walls, and which are closed in."""
    seen = cast(
        flat,
        voxels,
        rays,
        2.0 * source.radius_mm + config.slack_mm,
        rise_hu=rise_hu,
        thin_limit_mm=config.thin_wall_mm,
        thick_rise_hu=config.thick_rise_hu,
    )
    own = flat[voxels].astype(np.float64)
    # Full of air against the wall, whatever the lung around: bronchi in consolidation are blurred as others are.
    dark = own <= _edge_hu(seen.wall_hu, config)
    gain = np.where(dark, seen.closed - closed_axes, -config.bright_cost)
    evidence = np.minimum(source.evidence + gain, config.evidence)
    radius_mm = np.where(np.isnan(seen.radius_mm), source.radius_mm, seen.radius_mm - CHORD_EXCESS_MM)
    radius_mm = np.clip(radius_mm, LEAST_RADIUS_MM, config.widest_radius_mm)
    radius_mm = np.minimum(
        (1.0 - OWN_WEIGHT) * source.radius_mm + OWN_WEIGHT * radius_mm, WIDER_PER_STEP * source.radius_mm
    )
    return evidence, radius_mm, seen.wall_hu, seen.closed >= config.least_closed_axes


def _edge_hu(wall_hu: Float64Array, config: BronchiConfig) -> Float64Array:
    """Density at which lumen ends before its wall."""
    return AIR_IN_LUMEN_HU + config.lumen_share * (wall_hu - AIR_IN_LUMEN_HU)


CHORD_EXCESS_MM = 0.3
"""By how much half a chord between wall voxels exceeds the lumen's radius."""


def _asked(
    front: _Front, flat: Int16Array, taken: BoolArray, neighbours: NDArray[np.int64], lumen_hu: float
) -> tuple[NDArray[np.int64], _Front]:
    """Free dark neighbours of a front, each once, with the front voxel of most evidence beside each."""
    voxels = (front.voxel[:, None] + neighbours).ravel()
    source = np.repeat(np.arange(front.voxel.size), neighbours.size)
    free = ~taken[voxels] & (flat[voxels] < lumen_hu)
    voxels, source = voxels[free], source[free]
    order = np.lexsort((-front.evidence[source], voxels))
    voxels, source = voxels[order], source[order]
    first = np.ones(voxels.size, dtype=bool)
    first[1:] = voxels[1:] != voxels[:-1]
    return voxels[first], front.at(source[first])


def _filled(image: Int16Array, seed: BoolArray, outside: BoolArray, layers: list[_Layer], steps: int) -> BoolArray:
    """The paths up to their last voxel beyond doubt, filled in ``steps`` to where their walls begin."""
    out = seed.copy()
    if not layers:
        return out
    voxel, parent, sure, edge_hu = (
        np.concatenate([getattr(layer, name) for layer in layers]) for name in ("voxel", "parent", "sure", "edge_hu")
    )
    keep = sure.copy()
    first = np.cumsum([0, *(layer.voxel.size for layer in layers)])
    for a, b in zip(first[-2::-1], first[:0:-1], strict=True):
        rows = parent[a:b][keep[a:b]]
        keep[rows[rows >= 0]] = True
    flat = out.ravel()
    values = image.ravel()
    voxel, edge_hu = voxel[keep], edge_hu[keep]
    flat[voxel] = True
    border = outside.ravel()
    neighbours = _neighbours(image.shape, faces=True)
    for _ in range(steps):
        around = (voxel[:, None] + neighbours).ravel()
        edge_hu = np.repeat(edge_hu, neighbours.size)
        inside = ~flat[around] & ~border[around] & (values[around] <= edge_hu)
        voxel, first_row = np.unique(around[inside], return_index=True)
        edge_hu = edge_hu[inside][first_row]
        flat[voxel] = True
    return flat.reshape(out.shape)


def _neighbours(shape: tuple[int, ...], *, faces: bool = False) -> NDArray[np.int64]:
    """Steps to the 26 neighbours of a voxel in the raveled image, or to the 6 beyond its faces."""
    _, ny, nx = shape
    steps = np.stack(np.meshgrid(*(np.array([-1, 0, 1]),) * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    if faces:
        steps = steps[np.abs(steps).sum(axis=1) == 1]
    jumps: NDArray[np.int64] = steps @ np.array([ny * nx, nx, 1])
    out: NDArray[np.int64] = jumps[jumps != 0]
    return out
