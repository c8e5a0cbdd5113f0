"""Nodules with a halo: dense in the middle and hazy around, the opposite of the reversed halo."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from cop_imaging.core.arrays import Float64Array
from cop_imaging.core.grid import distance_to
from cop_imaging.core.scene import Scene
from cop_imaging.signs.halo.candidates import CoarseLung
from cop_imaging.signs.halo.ring import Ring
from cop_imaging.signs.shapes.rings import SPHERE_RAYS, STEP_MM, cast

__all__ = ["nodules_with_halo"]

DENSE_HU = -300.0
RADIUS_MM = (2.6, 16.0)
"""Inscribed radius of the dense middle: thicker than most vessels, no mass."""
PEAK_VOXELS, MOST = 5, 40
APART = 1.5
"""Two places within this many radii of the wider one are the same."""
HAZE_MM = (3.0, 20.0)
"""Width of the haze; a blurred edge is narrower."""
HAZE_ABOVE_HU = 110.0
"""Density over aerated lung down to which it is haze."""
LEAST_CONTRAST_HU = 200.0
LEAST_SHARE = 0.5
"""Share of all directions in which haze surrounds the middle."""


def nodules_with_halo(scene: Scene, coarse: CoarseLung) -> list[Ring]:
    """Every roundish dense place that haze surrounds in at least half of all directions."""
    grid = coarse.geometry
    radius = distance_to(~((coarse.smooth_hu > DENSE_HU) & coarse.lungs), grid)
    tops = (radius >= RADIUS_MM[0]) & (radius <= RADIUS_MM[1])
    tops &= radius == ndimage.maximum_filter(radius, size=PEAK_VOXELS)
    index = np.argwhere(tops)
    kept: list[int] = []
    for k in np.argsort(-radius[tops], kind="stable"):
        away = np.linalg.norm((index[kept] - index[k]) * grid.spacing_mm[0], axis=1) if kept else np.zeros(0)
        if (away > APART * radius[tuple(index[kept].T)]).all():
            kept.append(int(k))
        if len(kept) == MOST:
            break
    points = [scene.geometry.to_index(grid.to_patient(index[k].astype(np.float64))) for k in kept]
    found = (_measured(scene, p) for p in points)
    return [ring for ring in found if ring is not None]


def _measured(scene: Scene, centre: Float64Array) -> Ring | None:
    """The nodule at a place, None where no haze surrounds it; its core is the dense middle, its rim the haze."""
    longest_mm = 2.0 * RADIUS_MM[1] + HAZE_MM[1]
    rays = cast(
        scene.smooth_hu, scene.lungs, scene.vessels, scene.airways, scene.geometry, centre, longest_mm, circles=False
    )
    n, m = rays.hu.shape
    index = np.arange(m)
    dense = rays.hu > DENSE_HU
    ends = np.where(dense.all(axis=1), m, np.argmin(dense, axis=1))
    dark = (rays.hu < scene.aerated_mode_hu + HAZE_ABOVE_HU) | ~rays.lung
    opens = np.where(dark.any(axis=1), np.argmax(dark, axis=1), m)
    width = (opens - ends) * STEP_MM
    surrounded = rays.lung[np.arange(n), np.minimum(opens, m - 1)] & (width >= HAZE_MM[0]) & (width <= HAZE_MM[1])
    if surrounded.mean() < LEAST_SHARE:
        return None
    haze = (index >= ends[:, None]) & (index < opens[:, None]) & surrounded[:, None]
    core = rays.hu[index < 0.8 * ends[:, None]]
    core_hu, rim_hu = float(np.median(core)), float(np.median(rays.hu[haze]))
    if core_hu - rim_hu < LEAST_CONTRAST_HU:
        return None
    outer = np.where(surrounded, opens, np.minimum(ends, int(np.median(opens[surrounded])))) * STEP_MM
    return Ring(
        centre=centre,
        outer_mm=2.0 * STEP_MM * float(np.median(opens[surrounded])),
        core_mm=2.0 * STEP_MM * float(np.median(ends[surrounded])),
        rim_mm=float(np.median(width[surrounded])),
        rim_p10_mm=float(np.percentile(width[surrounded], 10)),
        rim_p90_mm=float(np.percentile(width[surrounded], 90)),
        coverage_deg=360.0 * float(surrounded.mean()),
        sphere_share=float(surrounded.mean()),
        solid_share=float(surrounded.mean()),
        core_hu=core_hu,
        rim_hu=rim_hu,
        contrast_hu=rim_hu - core_hu,
        core_air=0.0,
        core_dark=0.0,
        core_lines=0.0,
        core_airway=0.0,
        spread=0.0,
        pleura_share=0.0,
        vessel_share=0.0,
        base_share=0.0,
        base_width=float("nan"),
        radius_by_ray_mm=outer[:SPHERE_RAYS].astype(np.float64),
    )
