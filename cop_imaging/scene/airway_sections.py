"""Lumen and wall of the airways in planes across them, freed of the scanner's blur.

The mean profile of the rays that see lung behind the wall is that of two discs of known density, blurred by the scan's
own point spread: their radii follow by least squares, so that a wall thinner than the point spread is measured by its
mass and not by its apparent width. What the airway leaves of the image beside it is fitted by a third disc, the artery.

Walls by their mass after Weinheimer O et al., IEEE Trans Med Imaging 2008;27:1384, against the half-maximum, which
overestimates thin walls (Reinhardt JM et al., IEEE Trans Med Imaging 1997;16:820).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cop_imaging.core.airway_sections import AirwaySections
from cop_imaging.core.airway_tree import AirwayTree
from cop_imaging.core.arrays import AnyArray, Float32Array, Float64Array
from cop_imaging.core.scene import Scene
from cop_imaging.scene.airway_planes import RAYS, STEP_MM, Planes, centred, courses, crossing_mm, inside
from cop_imaging.scene.arteries import artery_diameters_mm
from cop_imaging.scene.blurred_discs import blurred_disc, solved
from cop_imaging.scene.smoothing import KERNEL_FWHM_MM

__all__ = ["airway_sections"]

REACH_MM = 14.0
NARROWEST_MM, WIDEST_MM = 1.4, 12.0
"""Diameters by the tree between which sections are laid."""
CENTRAL_MM = 8.0
"""Diameter from which an airway's edge tells the point spread."""
AIR_HU, WALL_HU = -1000.0, 30.0
WALL_BOUNDS_HU = (60.0, -10.0)
"""Density of walls without blur: soft tissue with a little air or fat at most."""
BEHIND_MM = 2.0
"""How much of what lies behind the wall is looked at."""
FIT_STEPS, REFIT_STEPS = 12, 6
FALL = 1.2816
"""Widths of a Gaussian between a tenth and half of a blurred edge."""
SIGMA_MM = (0.25, 2.0)
MOST_OFF_HU = 60.0
"""Root mean square that a good fit leaves."""
MOST_AROUND_HU = -500.0
"""Density of what lies around up to which the wall stands out."""
LEAST_FREE = 0.25
"""Share of the rays that must see lung behind the wall."""


def airway_sections(scene: Scene) -> AirwaySections | None:
    """Measure the airways of the scene's tree; None when there is no tree or nothing of it lies in the crop."""
    tree = scene.airway_tree
    if tree is None:
        return None
    along = courses(tree)
    sized = (tree.diameter_mm >= NARROWEST_MM) & (tree.diameter_mm <= WIDEST_MM) & (tree.before >= 0)
    rows = np.flatnonzero(sized & inside(scene.geometry, tree.points_mm, 2.0))
    if rows.size == 0:
        return None
    image, grid = scene.smooth_hu, scene.geometry
    radius = 0.5 * tree.diameter_mm[rows]
    planes = centred(Planes.across(tree.points_mm[rows], along[rows]), image, grid, radius)
    values = planes.sampled(image, grid, REACH_MM)
    plane_mm = edge_sigma_mm(scene, tree, along)
    upwards = planes.upwards()
    sigma = np.sqrt((1.0 - upwards) * plane_mm**2 + upwards * _slice_sigma_mm(scene) ** 2)
    tube, profile = fitted_tubes(values, radius, sigma)
    good = (tube.off_hu < MOST_OFF_HU) & (tube.inner_mm > 0.5)
    walled = good & (tube.around_hu < MOST_AROUND_HU) & (tube.free >= LEAST_FREE)
    bounds = [_fitted(profile, tube, sigma, hu, REFIT_STEPS).wall_mm for hu in WALL_BOUNDS_HU]
    left = values - tube.profiles(np.arange(values.shape[2]) * STEP_MM, sigma, WALL_HU)[:, None].astype(np.float32)
    artery = artery_diameters_mm(left, tube.inner_mm + tube.wall_mm, sigma, _blood_hu(scene) - tube.around_hu)
    return AirwaySections(
        point=rows[good],
        centre_mm=planes.centre_mm[good],
        along=along[rows][good],
        lumen_mm=2.0 * tube.inner_mm[good],
        wall_mm=np.where(walled, tube.wall_mm, np.nan)[good],
        wall_bounds_mm=np.where(walled, np.stack(bounds), np.nan)[:, good],
        around_hu=tube.around_hu[good],
        artery_mm=artery[good],
        sigma_mm=plane_mm,
    )


def edge_sigma_mm(scene: Scene, tree: AirwayTree, along: Float64Array) -> float:
    """SD in mm of the point spread in the plane of the slices, from the edge of trachea and main bronchi.

    It includes the linear interpolation of the samples. Where no such edge is seen, it is the kernel's usual one.
    """
    upright = (tree.diameter_mm >= CENTRAL_MM) & (np.abs(along[:, 2]) > 0.7)
    rows = np.flatnonzero(upright & inside(scene.geometry, tree.points_mm, 2.0))
    if rows.size:
        flat = np.tile([0.0, 0.0, 1.0], (rows.size, 1))
        planes = Planes.across(tree.points_mm[rows], flat)
        values = planes.sampled(scene.smooth_hu, scene.geometry, 0.5 * float(tree.diameter_mm[rows].max()) + 6.0)
        width = _edge_width_mm(values.reshape(-1, values.shape[-1]))
        if width is not None:
            return float(np.clip(width, *SIGMA_MM))
    kernel = KERNEL_FWHM_MM[scene.acquisition.kernel_class or "medium"] / 2.355
    return float(np.sqrt(kernel**2 + scene.geometry.spacing_mm[1] ** 2 / 6.0))


LEAST_EDGES = 2 * RAYS
LEAST_RADIUS_MM = 3.0


def _edge_width_mm(profiles: Float32Array) -> float | None:
    """Width of the blurred step from air to tissue along profiles (n, m), aligned where they cross half of it."""
    air = float(np.median(profiles[:, 0]))
    met = crossing_mm(profiles, np.full(len(profiles), 0.5 * (air + WALL_HU)))
    kept = np.isfinite(met) & (met > LEAST_RADIUS_MM)
    if kept.sum() < LEAST_EDGES:
        return None
    before = np.arange(-LEAST_RADIUS_MM, 0.01, 0.1)
    at = (met[kept, None] + before) / STEP_MM
    low = np.clip(at.astype(int), 0, profiles.shape[1] - 2)
    rows, part = profiles[kept], at - low
    lined = np.take_along_axis(rows, low, axis=1) * (1.0 - part) + np.take_along_axis(rows, low + 1, axis=1) * part
    mean = np.median(lined, axis=0)
    tenth = air + 0.1 * (WALL_HU - air)
    k = int((mean > tenth).argmax())
    if k == 0:
        return None
    return float(-(before[k - 1] + 0.1 * (tenth - mean[k - 1]) / max(mean[k] - mean[k - 1], 1e-6)) / FALL)


def _slice_sigma_mm(scene: Scene) -> float:
    """SD along z: a box as wide as the slices are thick, and linear interpolation between them."""
    step = scene.geometry.spacing_mm[0]
    thick = max(scene.acquisition.slice_thickness_mm or step, step)
    return float(np.sqrt(thick**2 / 12.0 + step**2 / 6.0))


def _blood_hu(scene: Scene) -> float:
    """Density of blood where vessels are wide enough to show it."""
    values = scene.smooth_hu[scene.vessels]
    return float(np.clip(np.percentile(values, 97), 20.0, 500.0)) if values.size > 500 else 40.0


@dataclass(frozen=True, slots=True, eq=False)
class Tubes:
    """Airways as two discs in each plane, all (n,)."""

    inner_mm: Float64Array
    wall_mm: Float64Array
    around_hu: Float64Array
    off_hu: Float64Array
    """Root mean square of what the fit leaves."""
    free: Float64Array
    """Share of the rays that see lung behind the wall."""

    def profiles(self, distance_mm: AnyArray, sigma_mm: Float64Array, wall_hu: float) -> Float64Array:
        """Air, wall, lung along rays, blurred, (n, m)."""
        return _profiles(distance_mm, self.inner_mm, self.wall_mm, self.around_hu, sigma_mm, wall_hu)


@dataclass(frozen=True, slots=True, eq=False)
class Mean:
    """Mean profile of each section's free rays, and the weight of its samples, (n, m)."""

    values: Float64Array
    weight: Float64Array
    free: Float64Array


def fitted_tubes(values: Float32Array, radius_mm: Float64Array, sigma_mm: Float64Array) -> tuple[Tubes, Mean]:
    """Lumen, wall and surroundings of airways from rays (n, RAYS, m) and a first guess of the radius (n,)."""
    nothing = np.zeros(len(values))
    tube = Tubes(radius_mm, 0.3 + 0.25 * radius_mm, np.full(len(values), -850.0), nothing, nothing)
    for steps in (FIT_STEPS, REFIT_STEPS):
        profile = _mean_of_free(values, tube, sigma_mm)
        tube = _fitted(profile, tube, sigma_mm, WALL_HU, steps)
    return tube, profile


def _mean_of_free(values: Float32Array, tube: Tubes, sigma: Float64Array) -> Mean:
    """Mean of the rays that see lung behind the wall: no vessel, no second airway, no open lumen."""
    distance = np.arange(values.shape[2]) * STEP_MM
    start = tube.inner_mm + tube.wall_mm + 0.8 * sigma
    ring = (distance >= start[:, None]) & (distance <= (start + BEHIND_MM)[:, None])
    behind = np.einsum("nrm,nm->nr", values, ring.astype(np.float32)) / np.maximum(ring.sum(axis=1), 1)[:, None]
    lung = np.percentile(behind, 30, axis=1)[:, None]
    wall = (distance >= (tube.inner_mm - 0.5)[:, None]) & (distance <= start[:, None])
    peak = np.where(wall[:, None], values, np.float32(-3000.0)).max(axis=2)
    kept = (np.abs(behind - lung) < BEHIND_LIKE_HU) & (peak > np.median(peak, axis=1)[:, None] - WALL_LIKE_HU)
    mean = np.einsum("nrm,nr->nm", values, kept.astype(np.float32)) / np.maximum(kept.sum(axis=1), 1)[:, None]
    weight = (distance <= (tube.inner_mm + tube.wall_mm + BEHIND_MM)[:, None]) * (0.3 + distance)
    return Mean(mean.astype(np.float64), weight, kept.mean(axis=1))


BEHIND_LIKE_HU, WALL_LIKE_HU = 150.0, 250.0
"""How much a free ray may differ from the usual one behind the wall, and in the wall."""


def _fitted(profile: Mean, start: Tubes, sigma: Float64Array, wall_hu: float, steps: int) -> Tubes:
    """Damped Gauss-Newton steps of radius, wall and surroundings, all sections at once."""
    inner, wall, around = start.inner_mm, start.wall_mm, start.around_hu
    distance = np.arange(profile.values.shape[1]) * STEP_MM
    used = slice(0, int((profile.weight > 0).any(axis=0).sum()))
    distance, values, weight = distance[used], profile.values[:, used], profile.weight[:, used]
    for _ in range(steps):
        now = _profiles(distance, inner, wall, around, sigma, wall_hu)
        slopes = np.stack(
            [
                (_profiles(distance, inner + DIFFERENCE_MM, wall, around, sigma, wall_hu) - now) / DIFFERENCE_MM,
                (_profiles(distance, inner, wall + DIFFERENCE_MM, around, sigma, wall_hu) - now) / DIFFERENCE_MM,
                1.0 - blurred_disc(distance[None], (inner + wall)[:, None], sigma[:, None]),
            ],
            axis=-1,
        )
        step = solved(slopes, values - now, weight, np.array([1.0, 1.0, 1e-4]))
        inner = np.clip(inner + np.clip(step[:, 0], -0.5, 0.5), 0.3, 0.6 * WIDEST_MM)
        wall = np.clip(wall + np.clip(step[:, 1], -0.4, 0.4), 0.05, 5.0)
        around = np.clip(around + step[:, 2], -1000.0, wall_hu - 50.0)
    left = values - _profiles(distance, inner, wall, around, sigma, wall_hu)
    off = np.sqrt((weight * left**2).sum(axis=1) / weight.sum(axis=1))
    return Tubes(inner, wall, around, off, profile.free)


DIFFERENCE_MM = 0.05


def _profiles(
    distance: AnyArray, inner: AnyArray, wall: AnyArray, around: AnyArray, sigma: AnyArray, wall_hu: float
) -> Float64Array:
    lumen = blurred_disc(distance[None], inner[:, None], sigma[:, None])
    outer = blurred_disc(distance[None], (inner + wall)[:, None], sigma[:, None])
    out: Float64Array = around[:, None] + (wall_hu - around)[:, None] * outer + (AIR_HU - wall_hu) * lumen
    return out
