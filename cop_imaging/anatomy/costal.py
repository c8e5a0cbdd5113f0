"""Consolidation against the chest wall, brought back by the rib cage.

Lung touches the inner surface of the ribs wherever it is healthy. Seen from the middle of a lung, the distance to
the ribs is therefore a smooth map over angle and height, and the lung's own surface follows it at a constant gap.
Where aerated lung stays behind, and the places around it do not, dense tissue between lung and ribs is lung (or
fluid); where it stays behind everywhere around (heart, liver, spine), it is not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from cop_imaging.core.arrays import BoolArray, Float32Array, Float64Array
from cop_imaging.core.geometry import Geometry
from cop_imaging.core.grid import closed

__all__ = ["CostalMap", "costal_dents", "costal_map"]

ANGLES = 240
SHOULDER_Z_MM = 12.0
RIB_WINDOW_Z_MM = 12.0
RIB_WINDOW_ANGLE = 6
SPINE_HALF_MM = 32.0
GAP_PERCENTILE = 30.0
EXPECTED_FROM_MM = (8.0, 16.0, 32.0)
NEAR_MM = 12.0
FEWEST_RAYS = 50
NARROW_MM = 12.0


@dataclass(frozen=True, slots=True, eq=False)
class CostalMap:
    """One lung seen from its middle: radius in mm of its surface and of the ribs over (z, angle)."""

    centre_yx: Float64Array
    """(z, 2) centre of each slice in voxels; NaN where the slice has no lung."""
    lung_mm: Float32Array
    """Outermost lung on each ray; 0 where there is none."""
    first_mm: Float32Array
    """Innermost lung on each ray: beyond 0 where the ray starts in heart or abdomen."""
    rib_mm: Float32Array
    """Inner surface of rib cage and spine, interpolated between ribs; infinite where no bone is near."""
    central: BoolArray
    """Rays to spine, sternum, heart or beyond the midline: lung may touch there, but nothing is filled."""
    step_mm: float


def costal_map(lung: BoolArray, bone: BoolArray, spine_x: float, geometry: Geometry) -> CostalMap:
    """Rays from the middle of each slice of one lung to its surface and to the ribs.

    Parameters
    ----------
    lung : bool [z, y, x]
        One lung.
    bone : bool [z, y, x]
        Bone of the chest wall.
    spine_x : float
        Column of the midline in voxels: bone near it is spine.
    """
    nz = lung.shape[0]
    step = geometry.spacing_mm[2]
    reach = int(np.ceil(260.0 / step))
    angle = np.linspace(0.0, 2 * np.pi, ANGLES, endpoint=False)
    radius = np.arange(reach)
    dy = np.sin(angle)[:, None] * radius * (step / geometry.spacing_mm[1])
    dx = np.cos(angle)[:, None] * radius
    centre = _centres(lung, geometry)
    lung_mm = np.zeros((nz, ANGLES), dtype=np.float32)
    first_mm = np.zeros((nz, ANGLES), dtype=np.float32)
    rib_mm = np.full((nz, ANGLES), np.inf, dtype=np.float32)
    for z in np.flatnonzero(np.isfinite(centre[:, 0])):
        y = np.rint(centre[z, 0] + dy).astype(np.int32)
        x = np.rint(centre[z, 1] + dx).astype(np.int32)
        inside = (y >= 0) & (y < lung.shape[1]) & (x >= 0) & (x < lung.shape[2])
        y, x = np.clip(y, 0, lung.shape[1] - 1), np.clip(x, 0, lung.shape[2] - 1)
        on_lung = lung[z][y, x] & inside
        last = np.where(on_lung.any(axis=1), reach - 1 - np.argmax(on_lung[:, ::-1], axis=1), 0)
        lung_mm[z] = last * step
        first_mm[z] = np.argmax(on_lung, axis=1) * step
        on_bone = bone[z][y, x] & inside & (radius[None] > last[:, None])
        first = np.argmax(on_bone, axis=1)
        rib_mm[z] = np.where(on_bone.any(axis=1), first * step, np.inf)
    rib_mm = _between_ribs(rib_mm, geometry)
    end_x = centre[:, 1:] * step + np.cos(angle) * np.where(np.isfinite(rib_mm), rib_mm, 0.0)
    side = np.sign(np.nanmedian(centre[:, 1]) - spine_x)
    # Forward and inward lies the heart: its border keeps the same distance to the ribs as a dent would.
    to_heart = (np.sin(angle) < 0) & (side * np.cos(angle) < 0)
    central = ~(side * (end_x - spine_x * step) > SPINE_HALF_MM) | to_heart
    return CostalMap(centre, lung_mm, first_mm, rib_mm, central, step)


def costal_dents(
    view: CostalMap,
    shape: tuple[int, int, int],
    geometry: Geometry,
    *,
    window_mm: float,
    depth_mm: float,
    gap_mm: float,
) -> BoolArray:
    """Space between lung and ribs where the lung stays behind and its surroundings do not, bool [z, y, x].

    The ribs alone are misjudged at cartilage and shoulder blade; a dent must show in the lung's own surface as well,
    against the surface around it or against the levels above and below.
    """
    has_rib = np.isfinite(view.rib_mm)
    gap = np.where(has_rib, view.rib_mm - view.lung_mm, np.inf)
    near = has_rib & (gap < NEAR_MM) & (view.lung_mm > 0)
    if near.sum() < FEWEST_RAYS:
        return np.zeros(shape, dtype=bool)
    usual = float(np.percentile(gap[near], GAP_PERCENTILE))
    touching = near & (gap <= usual + gap_mm)
    enclosed = _close_map(touching, view, geometry, window_mm)
    ray_mm = 2 * np.pi * float(np.median(view.lung_mm[touching])) / ANGLES
    expected = np.maximum(
        _from_around(view.lung_mm, touching, ray_mm, geometry), _closed_along_z(view.lung_mm, geometry, window_mm)
    )
    # A ray without lung starts where the lung around it does, not in the heart or the abdomen.
    inner = np.maximum(view.lung_mm, _from_around(view.first_mm, touching, ray_mm, geometry))
    # A ray on which lung ends deeper than any plausible dent looks at heart or liver, not at consolidation.
    dent = enclosed & has_rib & ~view.central & (gap > usual + gap_mm) & (view.rib_mm - inner < depth_mm)
    dent &= expected - view.lung_mm > gap_mm
    # Narrow dents are filled by the closing of the lung itself; what is left of them here are seams of muscle.
    half_z, half_a = _window(NARROW_MM / 2, view, touching, geometry)
    around = np.pad(dent, ((0, 0), (4 * half_a, 4 * half_a)), mode="wrap")
    opened = ndimage.binary_opening(around, np.ones((2 * half_z + 1, 2 * half_a + 1), dtype=bool))
    dent = opened[:, 4 * half_a : -4 * half_a]
    return _space(dent, inner, np.minimum(view.rib_mm - usual, expected + gap_mm), view, shape, geometry)


def _space(
    rays: BoolArray,
    inner_mm: Float32Array,
    outer_mm: Float32Array,
    view: CostalMap,
    shape: tuple[int, int, int],
    geometry: Geometry,
) -> BoolArray:
    """Voxels on the given rays between ``inner_mm`` and ``outer_mm``."""
    space = np.zeros(shape, dtype=bool)
    outer = np.where(rays, outer_mm, 0.0)
    inner = np.where(rays, inner_mm, np.inf)
    yy = (np.arange(shape[1]) * geometry.spacing_mm[1])[:, None]
    xx = (np.arange(shape[2]) * geometry.spacing_mm[2])[None]
    for z in np.flatnonzero(rays.any(axis=1)):
        y_mm = yy - view.centre_yx[z, 0] * geometry.spacing_mm[1]
        x_mm = xx - view.centre_yx[z, 1] * geometry.spacing_mm[2]
        radius = np.hypot(y_mm, x_mm)
        ray = np.rint(np.arctan2(y_mm, x_mm) / (2 * np.pi) * ANGLES).astype(np.int32) % ANGLES
        space[z] = (radius > inner[z][ray] - view.step_mm) & (radius <= outer[z][ray])
    return space


def _centres(lung: BoolArray, geometry: Geometry) -> Float64Array:
    """Middle of the bounding box of each slice, smoothed along z, so that a dent does not pull it away."""
    nz = lung.shape[0]
    centre = np.full((nz, 2), np.nan)
    for axis, across in ((0, 2), (1, 1)):
        profile: BoolArray = np.any(lung, axis=across)
        rows = np.flatnonzero(profile.any(axis=1))
        if rows.size == 0:
            return centre
        low = np.argmax(profile[rows], axis=1)
        high = profile.shape[1] - 1 - np.argmax(profile[rows][:, ::-1], axis=1)
        middle = np.interp(np.arange(rows[0], rows[-1] + 1), rows, (low + high) / 2)
        sigma = SHOULDER_Z_MM / geometry.spacing_mm[0]
        centre[rows[0] : rows[-1] + 1, axis] = ndimage.gaussian_filter1d(middle, sigma, mode="nearest")
    return centre


def _between_ribs(rib_mm: Float32Array, geometry: Geometry) -> Float32Array:
    """Rib radius interpolated over the intercostal spaces (grey opening)."""
    half_z = max(1, round(RIB_WINDOW_Z_MM / geometry.spacing_mm[0]))
    size = (2 * half_z + 1, 2 * RIB_WINDOW_ANGLE + 1)
    # A ray between two ribs meets the scapula or nothing: the opening takes such peaks down to the ribs around.
    padded = np.pad(rib_mm, ((0, 0), (size[1], size[1])), mode="wrap")
    inner = ndimage.grey_erosion(padded, size=size, mode="nearest")
    inner = np.where(np.isfinite(inner), inner, -1.0)
    surface = ndimage.grey_dilation(inner, size=size, mode="nearest")[:, size[1] : -size[1]]
    out: Float32Array = np.where(surface > 0, surface, np.inf).astype(np.float32)
    return out


def _from_around(radius_mm: Float32Array, known: BoolArray, ray_mm: float, geometry: Geometry) -> Float32Array:
    """Radius expected on each ray from the known rays nearest to it, by blurs of growing width."""
    out = np.zeros_like(radius_mm)
    missing = np.ones(radius_mm.shape, dtype=bool)
    for sigma_mm in EXPECTED_FROM_MM:
        sigma = (sigma_mm / geometry.spacing_mm[0], sigma_mm / ray_mm)
        weight = ndimage.gaussian_filter(known.astype(np.float32), sigma, mode=("constant", "wrap"), truncate=3.0)
        total = ndimage.gaussian_filter(np.where(known, radius_mm, 0), sigma, mode=("constant", "wrap"), truncate=3.0)
        now = missing & (weight > 0.1)
        out[now] = total[now] / weight[now]
        missing &= ~now
    return out


def _closed_along_z(radius_mm: Float32Array, geometry: Geometry, window_mm: float) -> Float32Array:
    """Radius that each ray's level reaches both above and below within the window."""
    half = max(1, round(window_mm / geometry.spacing_mm[0]))
    padded = np.pad(radius_mm, ((2 * half, 2 * half), (0, 0)))
    size = (2 * half + 1, 1)
    closed = ndimage.grey_erosion(ndimage.grey_dilation(padded, size=size), size=size)
    out: Float32Array = closed[2 * half : -2 * half]
    return out


def _close_map(touching: BoolArray, view: CostalMap, geometry: Geometry, window_mm: float) -> BoolArray:
    """Closing of the touching area over (z, angle) by an ellipse of half width ``window_mm``; angles wrap around."""
    half_z, half_a = _window(window_mm, view, touching, geometry)
    padded = np.pad(
        np.pad(touching, ((0, 0), (half_a * 2, half_a * 2)), mode="wrap"), ((half_z * 2, half_z * 2), (0, 0))
    )[:, None]
    # In units of its half widths the ellipse is a disc of radius 1, and neighbours in y are out of its reach.
    disc = Geometry(padded.shape, (1.0 / half_z, 2.0, 1.0 / half_a))
    return closed(padded, disc, 1.0)[half_z * 2 : -half_z * 2, 0, half_a * 2 : -half_a * 2]


def _window(half_mm: float, view: CostalMap, touching: BoolArray, geometry: Geometry) -> tuple[int, int]:
    """Half widths in levels and rays of a window of ``half_mm`` on the costal surface."""
    typical_mm = max(float(np.median(view.lung_mm[touching])), 30.0)
    return max(1, round(half_mm / geometry.spacing_mm[0])), max(1, round(half_mm / typical_mm / (2 * np.pi) * ANGLES))
