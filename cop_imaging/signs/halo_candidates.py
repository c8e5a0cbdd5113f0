"""Where a reversed halo could be: hazy places that look out on dense lung in most directions."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from cop_imaging.core.arrays import BoolArray, Float64Array
from cop_imaging.core.geometry import Geometry
from cop_imaging.core.grid import distance_to, keep_large, resample, smoothed
from cop_imaging.core.scene import Scene
from cop_imaging.signs.rings import sphere_directions

__all__ = ["candidate_centres", "open_sky_share"]

FINE_MM = 1.5
GRID_MM = 3.0
SEARCH_RAYS = 48
ENCLOSED_SHARE = 0.5
SMALLEST_RIM_ML = 0.5
CORE_SIGMA_MM = 1.5
MOST_CANDIDATES = 60
STAND_OFF_MM = 2.0


def candidate_centres(scene: Scene, *, rim_hu: float, above_aerated_hu: float, longest_mm: float) -> list[Float64Array]:
    """Centres (index z, y, x on the crop) of places that dense lung encloses, best enclosed first, at most 60.

    Dense tubes (vessels) are no rim. A place counts when its own density lies between aerated lung and the rim, and
    at least half of the rays from it meet dense lung within ``longest_mm``.
    """
    fine = scene.geometry.resampled((FINE_MM,) * 3)
    smooth = resample(scene.smooth_hu, scene.geometry, fine, antialias=True)
    lungs = resample(scene.lungs, scene.geometry, fine, method="nearest") > 0
    vessels = resample(scene.vessels, scene.geometry, fine, method="nearest")
    dense = keep_large((smooth > rim_hu) & lungs & ~vessels, fine, SMALLEST_RIM_ML)
    if not dense.any():
        return []
    local = smoothed(smooth, fine, CORE_SIGMA_MM)
    # A cavity's or spared lung's core is darker: keep it as a candidate, so that it is told apart by name.
    # From the rim's own edge half of all rays start in dense lung and tell nothing: stand off by a little.
    hazy = lungs & (local < rim_hu) & (distance_to(dense, fine) > STAND_OFF_MM)
    coarse = fine.resampled((GRID_MM,) * 3)
    dense_coarse = resample(dense.astype(np.float32), fine, coarse) > 0.15
    hazy_coarse = resample(hazy, fine, coarse, method="nearest")
    hazy_coarse &= resample(local, fine, coarse) > scene.aerated_mode_hu + above_aerated_hu / 2
    points = np.argwhere(hazy_coarse).astype(np.float64)
    if points.size == 0:
        return []
    enclosed, spread_mm = open_sky_share(dense_coarse, coarse, points, longest_mm)
    score = enclosed - 0.2 * spread_mm / longest_mm
    field = np.zeros(coarse.shape)
    field[tuple(points.T.astype(np.int64))] = np.where(enclosed >= ENCLOSED_SHARE, score, 0.0)
    return _peaks(field, coarse, scene.geometry)


def open_sky_share(
    dense: BoolArray, geometry: Geometry, points: Float64Array, longest_mm: float
) -> tuple[Float64Array, Float64Array]:
    """Share of rays from each point that meet ``dense``, and the SD of the distances in mm, float64 (n,) each."""
    directions = sphere_directions(SEARCH_RAYS)
    steps = np.arange(1, int(longest_mm / geometry.spacing_mm[0]) + 1)
    distance = np.full((points.shape[0], SEARCH_RAYS), np.nan)
    shape = np.array(dense.shape)
    for k, direction in enumerate(directions):
        open_rows = np.arange(points.shape[0])
        for step in steps:
            at = np.rint(points[open_rows] + direction * step).astype(np.int64)
            inside = ((at >= 0) & (at < shape)).all(axis=1)
            hit = np.zeros(open_rows.size, dtype=bool)
            hit[inside] = dense[tuple(at[inside].T)]
            distance[open_rows[hit], k] = step * geometry.spacing_mm[0]
            open_rows = open_rows[inside & ~hit]
            if open_rows.size == 0:
                break
    met = np.isfinite(distance)
    count = np.maximum(met.sum(axis=1), 1)
    mean = np.where(met, distance, 0.0).sum(axis=1) / count
    variance = np.where(met, (distance - mean[:, None]) ** 2, 0.0).sum(axis=1) / count
    return met.mean(axis=1), np.sqrt(variance)


def _peaks(score: Float64Array, coarse: Geometry, crop: Geometry) -> list[Float64Array]:
    """The local maxima, best first."""
    top = (score == ndimage.maximum_filter(score, size=5)) & (score > 0)
    index = np.argwhere(top)
    order = np.argsort(-score[top], kind="stable")[:MOST_CANDIDATES]
    return [crop.to_index(coarse.to_patient(index[k].astype(np.float64))) for k in order]
