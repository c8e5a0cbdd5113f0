"""One ring, measured: its core, its rim and how much of the circle and the sphere the rim covers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cop_imaging.core.arrays import BoolArray, Float64Array
from cop_imaging.core.scene import Scene
from cop_imaging.signs.halo.limits import ReversedHaloConfig
from cop_imaging.signs.shapes.rings import SPHERE_RAYS, STEP_MM, Rays, Rim, cast, rim_of

__all__ = ["Ring", "centred", "measure_ring"]

CENTRING_STEPS = 3
LEAST_MET = SPHERE_RAYS // 10
BASE_MM, LEAST_BASE = 1.6, 5
"""A ray whose rim ends this near to the lung's border lies on it; rays from which there is a base."""
START_MM = 2.5
CORE_PART = 0.8
"""Part of the core's radius whose density is read: the rest is blurred rim."""
CORE_STEPS = 2
CORE_SLACK_MM = 0.8
"""Raggedness of the core's border that is no irregular shape."""
DENSEST_LIMIT_HU = -200.0
AERATED_TO_HU = 100.0
"""Density over the mode of aerated lung up to which a sample is aerated."""
GAS_BELOW_HU, WALL_ABOVE_HU = 30.0, 100.0
"""Gas lies this far below aerated lung, a thin wall around it at least this far above."""


@dataclass(frozen=True, slots=True, eq=False)
class Ring:
    """What was measured around one centre; lengths in mm."""

    centre: Float64Array
    """Index (z, y, x) on the scene's crop."""
    outer_mm: float
    """Outer diameter, median over the rays that meet the rim."""
    core_mm: float
    """Diameter of the core."""
    rim_mm: float
    rim_p10_mm: float
    rim_p90_mm: float
    coverage_deg: float
    sphere_share: float
    solid_share: float
    """Share of all directions with a rim, however thick."""
    core_hu: float
    rim_hu: float
    contrast_hu: float
    core_air: float
    """Share of the core that is air."""
    core_dark: float
    """Share of the core that is aerated lung."""
    core_lines: float
    """Share of the core that is as dense as the rim."""
    core_airway: float
    """Share of the core that is airway."""
    spread: float
    """Robust SD over median of the radius, the larger of outer border and, less its raggedness, core."""
    pleura_share: float
    """Share of the rim that ends at the lung's border."""
    vessel_share: float
    base_share: float
    """Share of its surface that lies on the lung's border."""
    base_width: float
    """Width of the quarter next to that border over that of its widest quarter; NaN where it touches none."""
    radius_by_ray_mm: Float64Array
    """Outer radius over the rays of the sphere; the typical one where there is no rim."""


def centred(scene: Scene, centre: Float64Array, config: ReversedHaloConfig) -> Float64Array:
    """The centroid of the core that lies around ``centre``."""
    spacing = np.array(scene.geometry.spacing_mm)
    for _ in range(CENTRING_STEPS):
        rays, rim, _ = _looked(scene, centre, config.rim_hu, config, circles=False)
        met = rim.solid[:SPHERE_RAYS]
        if met.sum() < LEAST_MET:
            break
        radius = np.where(met, rim.core_mm[:SPHERE_RAYS], 0.0)
        # Where the rim is open, or out of step, the core ends as far off as it typically does.
        typical = float(np.median(radius[met]))
        radius = np.where(met, np.minimum(radius, 2.0 * typical), typical)
        shift = 0.75 * (rays.directions[:SPHERE_RAYS].T @ radius**4) / (radius**3).sum()
        moved = centre + shift / spacing
        if not ((moved >= 0) & (moved <= np.array(scene.geometry.shape) - 1)).all():
            break
        centre = moved
        if np.linalg.norm(shift) < STEP_MM:
            break
    return centre


def measure_ring(
    scene: Scene, centre: Float64Array, config: ReversedHaloConfig, *, rim_hu: float, edge_share: float = 0.5
) -> Ring | None:
    """Measure the ring around ``centre`` (index z, y, x on the crop); None where next to nothing dense is met."""
    rays, rim, core = _looked(scene, centre, rim_hu, config, edge_share)
    n = SPHERE_RAYS
    met, solid = rim.covered[:n], rim.solid[:n]
    if solid.sum() < LEAST_MET:
        return None
    some = met if met.sum() >= LEAST_MET else solid
    circles = rim.covered[n:].reshape(3, -1).mean(axis=1)
    core_radius, outer_radius = rim.core_mm[:n], rim.outer_mm[:n]
    wall = outer_radius[solid] - core_radius[solid]
    inside = core[:n]
    values = rays.hu[:n][inside] if inside.any() else rays.hu[:n, 0]
    core_hu, peak_hu = float(np.median(values)), float(np.median(rim.peak_hu[:n][some]))
    typical = float(np.median(outer_radius[some]))
    radius = np.where(some, outer_radius, np.minimum(np.where(solid, outer_radius, np.inf), typical))
    base_share, base_width = _base(rays, radius)
    return Ring(
        centre=centre,
        outer_mm=2.0 * typical,
        core_mm=2.0 * float(np.median(core_radius[some])),
        rim_mm=float(np.median(wall)),
        rim_p10_mm=float(np.percentile(wall, 10)),
        rim_p90_mm=float(np.percentile(wall, 90)),
        coverage_deg=360.0 * float(circles.max()),
        sphere_share=float(met.mean()),
        solid_share=float(solid.mean()),
        core_hu=core_hu,
        rim_hu=peak_hu,
        contrast_hu=peak_hu - core_hu,
        core_air=float((values < config.air_hu).mean()),
        core_dark=float((values < scene.aerated_mode_hu + AERATED_TO_HU).mean()),
        core_lines=float((values > max(rim_hu, core_hu + config.contrast_hu)).mean()),
        core_airway=_airway_share(rays, core_radius, solid),
        spread=max(_spread(outer_radius[some]), _spread(core_radius[some], CORE_SLACK_MM)),
        pleura_share=float(rim.at_pleura[:n][solid].mean()),
        vessel_share=float(rim.vessel[:n][solid].mean()),
        base_share=base_share,
        base_width=base_width,
        radius_by_ray_mm=radius,
    )


def _airway_share(rays: Rays, core_mm: Float64Array, solid: BoolArray) -> float:
    """Share of everything in the core that is airway."""
    index = np.arange(rays.hu.shape[1]) * STEP_MM
    within = (index <= CORE_PART * np.where(solid, core_mm, 0.0)[:, None]) & (index >= STEP_MM)
    return float(rays.airway[:SPHERE_RAYS][within].mean()) if within.any() else 0.0


def _looked(
    scene: Scene,
    centre: Float64Array,
    rim_hu: float,
    config: ReversedHaloConfig,
    edge_share: float = 0.5,
    *,
    circles: bool = True,
) -> tuple[Rays, Rim, BoolArray]:
    """Rays, rim and the samples of the core, whose density is found step by step from the middle outwards."""
    longest = config.outer_mm[1] / 2 + config.rim_mm[1]
    rays = cast(
        scene.smooth_hu, scene.lungs, scene.vessels, scene.airways, scene.geometry, centre, longest, circles=circles
    )
    index = np.arange(rays.hu.shape[1]) * STEP_MM
    open_lung = rays.lung & ~rays.vessel & ~rays.airway
    core = open_lung & (index <= START_MM)
    if core.sum() < LEAST_MET:  # a bronchus or vessel runs through the middle
        core = open_lung & (index <= 2.0 * START_MM)
    for _ in range(CORE_STEPS):
        core_hu = float(np.median(rays.hu[core])) if core.any() else float(rays.hu[0, 0])
        rim = rim_of(
            rays,
            core_hu=core_hu,
            aerated_hu=scene.aerated_mode_hu,
            rim_hu=_limit(core_hu, rim_hu, scene.aerated_mode_hu, config),
            contrast_hu=config.contrast_hu,
            thickness_mm=config.rim_mm,
            edge_share=edge_share,
        )
        reach = np.where(rim.solid, rim.core_mm, 0.0)
        core = open_lung & (index <= CORE_PART * reach[:, None])
        # The middle lies on every ray: it must not outweigh the rest.
        core &= index >= 0.3 * reach[:, None]
        if not core.any():
            core = rays.lung & (index <= START_MM)
    return rays, rim, core


def _limit(core_hu: float, rim_hu: float, aerated_hu: float, config: ReversedHaloConfig) -> float:
    """Density above which a sample may be rim: the wall of a bubble of gas is thin and faint."""
    if core_hu < min(config.air_hu, aerated_hu - GAS_BELOW_HU):
        return min(rim_hu, aerated_hu + WALL_ABOVE_HU)
    return float(np.clip(core_hu + config.contrast_hu, rim_hu, DENSEST_LIMIT_HU))


def _spread(radius: Float64Array, slack_mm: float = 0.0) -> float:
    """Half of the range of the middle 68 % over the median: a vessel at the rim is no irregularity."""
    low, middle, high = np.percentile(radius, [16.0, 50.0, 84.0])
    return float(max(0.5 * (high - low) - slack_mm, 0.0) / max(middle, 1e-6))


def _base(rays: Rays, radius_mm: Float64Array) -> tuple[float, float]:
    """Share of the surface on the lung's border, and how wide the ring is there over its widest part.

    Quarters are cut along the line from the middle of that base through the centre.
    """
    lung = rays.lung[:SPHERE_RAYS]
    leaves = np.where(lung.all(axis=1), np.inf, np.argmin(lung, axis=1) * STEP_MM)
    touches = leaves - radius_mm <= BASE_MM
    if touches.sum() < LEAST_BASE:
        return float(touches.mean()), float("nan")
    directions = rays.directions[:SPHERE_RAYS]
    weight = radius_mm[touches] ** 2
    base = (directions[touches] * radius_mm[touches][:, None] * weight[:, None]).sum(axis=0) / weight.sum()
    axis = -base / max(float(np.linalg.norm(base)), 1e-6)
    steps = np.arange(0.0, float(radius_mm.max()) + 1.0)
    inside = steps <= radius_mm[:, None]
    cosine = directions @ axis
    along = (cosine[:, None] * steps)[inside]
    square = ((1.0 - cosine**2)[:, None] * steps**2)[inside]
    # A sample stands for a volume that grows with the square of its radius.
    volume = np.broadcast_to(steps**2, inside.shape)[inside]
    order = np.argsort(along, kind="stable")
    low, high = np.interp([0.01, 0.99], np.cumsum(volume[order]) / volume.sum(), along[order])
    quarter = np.clip((along - low) / max(high - low, 1e-6) * 4.0, 0, 3).astype(int)
    width = np.sqrt(
        np.bincount(quarter, square * volume, minlength=4) / np.maximum(np.bincount(quarter, volume, minlength=4), 1e-9)
    )
    return float(touches.mean()), float(width[0] / width.max())
