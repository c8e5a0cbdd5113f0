"""Consolidation: dense lung thicker than any vessel at its depth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from cop_imaging.config import Section, quantity
from cop_imaging.core.arrays import BoolArray, Float32Array
from cop_imaging.core.finding import Feature, Finding, Reliability
from cop_imaging.core.geometry import Geometry
from cop_imaging.core.grid import (
    closed,
    dilated,
    distance_to,
    each_component,
    eroded,
    fill_holes,
    keep_large,
    resample,
    share_above,
)
from cop_imaging.core.parts import parts_of
from cop_imaging.core.scene import Scene
from cop_imaging.core.volume import Acquisition
from cop_imaging.signs.density.beside_fluid import beside_fluid
from cop_imaging.signs.density.between_vessels import SHELL_PER_BLUR, edge_blur_mm, least_ml, without_lines
from cop_imaging.signs.distribution import distribution_features, distribution_of
from cop_imaging.signs.intervals import spans
from cop_imaging.signs.lesions import lesion_table
from cop_imaging.signs.lines.density import net
from cop_imaging.signs.presence import graded, seen
from cop_imaging.signs.reliability import by_thickness

__all__ = ["Consolidation", "ConsolidationConfig"]


class ConsolidationConfig(Section):
    """Limits of consolidation."""

    low_hu: float = quantity(
        -300.0,
        low=-400.0,
        high=-100.0,
        unit="HU",
        means="density above which lung is consolidated",
        source="lower bounds in use -350 to -100; Hansell 2008, Gattinoni 2001",
    )
    low_hu_range: tuple[float, float] = quantity(
        (-350.0, -200.0),
        unit="HU",
        means="tried range of the limit, from which the interval comes",
        source="range of lower bounds in use",
    )
    grid_mm: float = quantity(
        1.2,
        low=0.5,
        high=2.0,
        unit="mm",
        means="finest spacing of the grid on which thickness is measured",
        source="the common point spread; estimate",
    )
    smallest_ml: float = quantity(
        0.2, low=0.01, high=5.0, unit="mL", means="smallest component that is kept", source="about a 7 mm sphere"
    )
    bronchogram_mm: float = quantity(
        1.5,
        low=0.5,
        high=4.0,
        unit="mm",
        means="radius of air spaces inside consolidation that belong to it",
        source="air bronchograms of up to 3 mm; count as part of their consolidation",
    )
    vessel_radius_at_pleura_mm: float = quantity(
        2.2,
        low=0.5,
        high=4.0,
        unit="mm",
        means="half the thickness up to which dense lung at the costal pleura is vessel, septum or pleura",
        source="set on made chests, some with lung masks 2 mm too wide: a thinner rim there is chest wall",
    )
    vessel_radius_per_depth: float = quantity(
        0.05,
        low=0.0,
        high=0.3,
        unit="mm/mm",
        means="growth of that radius with depth",
        source="from 2 mm at the pleura to 5 mm at the hilum 50-60 mm deeper; set on made chests",
    )
    tube_radius_per_depth: float = quantity(
        0.14,
        low=0.0,
        high=0.5,
        unit="mm/mm",
        means="the same where the tube filter sees a vessel",
        source="hilar arteries reach 5 mm in radius 25-30 mm below the nearest costal pleura; estimate",
    )
    vessel_radius_most_mm: float = quantity(
        6.0,
        low=3.0,
        high=10.0,
        unit="mm",
        means="largest radius of a vessel inside the lungs",
        source="hilar vessels wider than 10 mm are not lung",
    )
    net_hu: float = quantity(
        28.0,
        low=10.0,
        high=80.0,
        unit="HU",
        means="mean strength of fine lines around a place from which it is a net, in a scan without noise",
        source="as ground glass; set on made chests",
    )
    net_share: float = quantity(
        0.4,
        low=0.1,
        high=1.0,
        unit="1",
        means="share of a component inside a net of lines from which it may be the net and no consolidation",
        source="0.4 to 1.0 for walls of cysts and dense reticulation; set on made chests",
    )
    net_mean_hu: float = quantity(
        -140.0,
        low=-300.0,
        high=0.0,
        unit="HU",
        means="mean density of such a component below which it is the net",
        source="-240 to -150 HU for dense reticulation, above -120 HU for consolidation; set on made chests",
    )
    collapsed_mm: float = quantity(
        14.0,
        low=0.0,
        high=40.0,
        unit="mm",
        means="thickness of lung beside a little pleural fluid that may be collapsed and not consolidated",
        source="set on made chests, whose collapsed lung is 8 mm and 0.3 to 0.6 of the fluid thick",
    )
    collapsed_per_fluid: float = quantity(
        0.7,
        low=0.0,
        high=2.0,
        unit="1",
        means="growth of that thickness with the fluid's own",
        source="set on made chests",
    )
    possible_percent: float = quantity(
        0.5,
        low=0.0,
        high=10.0,
        unit="percent of lung",
        means="extent from which it is possible",
        source="0.5 % of lung or 10 mL as a careful reader would report it; estimate",
    )
    present_percent: float = quantity(
        1.0,
        low=0.0,
        high=20.0,
        unit="percent of lung",
        means="extent from which it is present",
        source="1 % of lung as a careful reader would report it; estimate",
    )
    thickness_mm: float = quantity(
        5.0,
        low=1.0,
        high=10.0,
        unit="mm",
        means="slice thickness up to which it is measured well",
        source="5 mm, 10 mm for volume only",
    )


SOLID_HU = 100
INNER_SHARE = 0.95
OUTER_SHARE = 0.3
ROUNDING = 1e-4
"""What single precision may take off a calibre, as a share."""


@dataclass(frozen=True)
class Consolidation:
    """Homogeneous rise in density that hides vessels and airway walls (Fleischner glossary, Hansell 2008)."""

    config: ConsolidationConfig = field(default_factory=ConsolidationConfig)
    name: str = "consolidation"
    title: str = "Consolidation"
    needs: tuple[str, ...] = ()
    has_mask: bool = True
    features: tuple[Feature, ...] = distribution_features("consolidation", "consolidation")

    @property
    def definition(self) -> str:
        """The definition with the limits in force."""
        return (
            "Homogeneous increase in lung density that hides vessels and airway walls: "
            f"above {self.config.low_hu:g} HU, thicker than any vessel at its depth, "
            f"components of at least {self.config.smallest_ml:g} mL; air bronchograms included."
        )

    def reliability(self, acquisition: Acquisition) -> tuple[Reliability, str]:
        """How far the scan's slices suit the sign."""
        return by_thickness(acquisition, self.config.thickness_mm, "consolidation")

    def observe(self, scene: Scene, earlier: Mapping[str, Finding]) -> Finding:
        """Mask, distribution with intervals, and presence."""
        del earlier
        c = self.config
        view = view_of(scene, c)
        whole = consolidated(scene, view, c.low_hu, c)
        unsure = scene.uncertain
        collapsed = beside_fluid(scene, least_mm=c.collapsed_mm, per_thickness=c.collapsed_per_fluid)
        if collapsed is not None:
            unsure = unsure | collapsed
        mask = certain(whole, unsure, scene, c.smallest_ml)
        value = distribution_of(self.name, mask, scene, smallest_patch_ml=c.smallest_ml)
        others = [certain(consolidated(scene, view, hu, c), unsure, scene, c.smallest_ml) for hu in c.low_hu_range]
        moved = [distribution_of(self.name, m, scene, smallest_patch_ml=c.smallest_ml) for m in (*others, whole)]
        score = graded(value[f"{self.name}.extent_percent"] or 0.0, c.possible_percent, c.present_percent)
        return seen(self, score, spans(value, moved), mask, lesion_table(mask, scene, c.smallest_ml))


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """What thickness is judged on, on a grid of about 1.2 mm: the same for all limits of density."""

    geometry: Geometry
    inside: BoolArray
    """The lungs."""
    hu: Float32Array
    opened_hu: Float32Array
    """Density without bright lines; bronchi and what lies outside the lungs count as solid."""
    calibre_mm: Float32Array
    """Half the thickness up to which dense lung is vessel, wall or shell."""
    lines: BoolArray
    """Nets of fine lines."""


def view_of(scene: Scene, config: ConsolidationConfig) -> View:
    """The maps of a scene."""
    source, c = scene.geometry, config
    grid = source.resampled(_coarser(source.spacing_mm, c.grid_mm))
    inside = resample(scene.lungs, source, grid, method="nearest") > 0
    same = grid.spacing_mm == scene.ridges.geometry.spacing_mm
    hu = scene.ridges.smooth_hu if same else resample(scene.smooth_hu, source, grid)
    lumen, tubes = (resample(mask, source, grid, method="nearest") for mask in (scene.airways, scene.vessels))
    opened_hu = without_lines(np.where(lumen | ~inside, SOLID_HU, hu), np.ones_like(inside))
    calibre = vessel_radius_mm(resample(scene.depth_mm, source, grid), tubes, c)
    calibre = np.maximum(calibre, min(SHELL_PER_BLUR * edge_blur_mm(scene), c.vessel_radius_most_mm / 2))
    nothing = np.zeros(scene.lungs.shape, dtype=bool)
    lines = net(scene, nothing, grid, strength_hu=c.net_hu, between_hu=c.low_hu)
    return View(grid, inside, hu, opened_hu, calibre, lines)


def consolidated(scene: Scene, view: View, low_hu: float, config: ConsolidationConfig) -> BoolArray:
    """Mask of consolidation above ``low_hu``, bool on the scene's crop.

    A place is consolidated when it is dense without gaps and thicker than a vessel can be at its depth: vessels taper
    from the hilum to the pleura, and between the lines of a net there is air. The rest of a consolidated patch is the
    dense lung within that thickness of such a place, with the air tubes inside it. What lies mostly inside a net of
    lines is walls of cysts or reticulation. The border of the mask follows the scan's own voxels.
    """
    grid, inside = view.geometry, view.inside
    dense = (view.hu > low_hu) & inside
    # Tubes of air are part of the patch: they do not make it thin.
    filled = closed(dense, grid, config.bronchogram_mm) & inside
    marker = thicker_than(filled, view) & (view.opened_hu > low_hu)
    if not marker.any():
        return np.zeros(scene.lungs.shape, dtype=bool)
    near = np.zeros_like(marker)
    for box, mine in each_component(dilated(marker, grid, float(view.calibre_mm.max()) + grid.spacing_mm[1])):
        near[box] |= mine & (distance_to(marker[box], grid) <= view.calibre_mm[box] + grid.spacing_mm[1])
    patch = closed(dense & near, grid, config.bronchogram_mm)
    patch = without_nets(fill_holes(patch, axial=True) & inside, view.hu, view.lines, config)
    own = (scene.smooth_hu > low_hu) & (scene.lungs > 0)
    # Tubes of air inside the patch come from the grid, its outline from the scan.
    inner, outer = share_above(patch, grid, scene.geometry, INNER_SHARE, OUTER_SHARE)
    mask = (inner & (scene.lungs > 0)) | (outer & own)
    return keep_large(mask, scene.geometry, least_ml(scene.geometry, config.smallest_ml))


def thicker_than(filled: BoolArray, view: View) -> BoolArray:
    """Voxels of a mask that lie deeper in it than the calibre there: among those that lie deeper than the least one."""
    grid, calibre = view.geometry, view.calibre_mm
    core = eroded(filled, grid, float(calibre.min()) * (1.0 - ROUNDING))
    out = np.zeros_like(filled)
    for box, mine in each_component(dilated(core, grid, float(calibre.max()))):
        out[box] |= mine & core[box] & (distance_to(~filled[box], grid) > calibre[box])
    return out


def without_nets(
    patch: BoolArray, density_hu: Float32Array, lines: BoolArray, config: ConsolidationConfig
) -> BoolArray:
    """The components that are not walls of cysts or dense reticulation: these lie in a net and are less dense."""
    parts = parts_of(patch)
    n, (voxel, part) = len(parts), parts.voxels()
    within = np.bincount(part[lines.ravel()[voxel]], minlength=n) / parts.size
    mean_hu = np.bincount(part, density_hu.ravel()[voxel], minlength=n) / parts.size
    kept = (within < config.net_share) | (mean_hu >= config.net_mean_hu)
    out = np.zeros_like(patch)
    out.ravel()[voxel] = kept[part]
    return out


def certain(mask: BoolArray, unsure: BoolArray, scene: Scene, smallest_ml: float) -> BoolArray:
    """The part of a mask that surely is consolidated lung; where that is in doubt only the interval knows of it."""
    if not (mask & unsure).any():
        return mask
    return keep_large(mask & ~unsure, scene.geometry, least_ml(scene.geometry, smallest_ml))


def vessel_radius_mm(depth_mm: Float32Array, tubes: BoolArray, config: ConsolidationConfig) -> Float32Array:
    """Largest radius that a vessel has at a depth below the costal pleura, float32.

    Where the image itself looks like a tube, a wider one is still taken for a vessel.
    """
    slope = np.where(tubes, config.tube_radius_per_depth, config.vessel_radius_per_depth)
    radius = config.vessel_radius_at_pleura_mm + slope * depth_mm
    out: Float32Array = np.minimum(radius, config.vessel_radius_most_mm).astype(np.float32)
    return out


def _coarser(spacing_mm: tuple[float, float, float], least_mm: float) -> tuple[float, float, float]:
    z, y, x = (max(s, least_mm) for s in spacing_mm)
    return z, y, x
