"""Centrilobular nodules: many small round spots, in groups, that keep clear of the pleura."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from scipy.spatial import cKDTree

from cop_imaging.config import Section, quantity
from cop_imaging.core.arrays import BoolArray
from cop_imaging.core.finding import Feature, Finding, Reliability
from cop_imaging.core.scene import Scene
from cop_imaging.core.volume import Acquisition
from cop_imaging.signs.intervals import spans
from cop_imaging.signs.nodules.candidates import Blobs, blobs, without_doubles
from cop_imaging.signs.nodules.features import marked, nodule_features, nodule_table, voxels_of
from cop_imaging.signs.presence import graded, seen
from cop_imaging.signs.reliability import by_thickness

__all__ = ["CentrilobularNodules", "CentrilobularNodulesConfig", "grouped"]

MADE = "set on made chests, where it parts nodules from vessels, noise and reticulation"


class CentrilobularNodulesConfig(Section):
    """Limits of centrilobular nodules."""

    diameter_mm: tuple[float, float] = quantity(
        (2.0, 8.0), unit="mm", means="smallest and largest diameter at half of the density", source="2-8 mm"
    )
    surface_mm: float = quantity(
        3.0,
        low=0.0,
        high=10.0,
        unit="mm",
        means="least distance of the middle from the lung's surface",
        source="the edge lies 2-3 mm or more, the middle 5-10 mm off pleura and fissures (Hansell 2008)",
    )
    scales_mm: tuple[float, ...] = quantity(
        (1.0, 1.6),
        unit="mm",
        means="scales at which blobs are looked for",
        source="a ball answers most strongly at its radius / sqrt(3)",
    )
    strength_hu: float = quantity(60.0, low=20.0, high=300.0, unit="HU", means="least strength of a blob", source=MADE)
    contrast_hu: float = quantity(
        120.0,
        low=50.0,
        high=500.0,
        unit="HU",
        means="least density of the middle above the lung around: haze is enough",
        source=MADE,
    )
    roundness: float = quantity(
        0.4, low=0.35, high=1.0, unit="1", means="least ratio of the weakest to the strongest curvature", source=MADE
    )
    open_share: float = quantity(
        0.05,
        low=0.0,
        high=0.5,
        unit="1",
        means="largest share of directions in which it runs on beyond 1.5 radii",
        source=MADE + "; 0.25 for a straight tube",
    )
    open_share_range: tuple[float, float] = quantity(
        (0.03, 0.08),
        unit="1",
        means="tried range of that share, from which the interval comes",
        source="half of the limit either way; estimate",
    )
    spread: float = quantity(
        1.5,
        low=1.0,
        high=3.0,
        unit="1",
        means="largest ratio of the quartiles of the radius over all directions",
        source=MADE + "; 1.5 for a straight tube",
    )
    group_mm: float = quantity(
        25.0,
        low=10.0,
        high=50.0,
        unit="mm",
        means="distance within which others lie",
        source="lobules are 10-25 mm wide, and about every second nodule is found; estimate",
    )
    group_count: int = quantity(
        2, low=0, high=10, unit="1", means="others within that distance", source="nodules of a group, not single ones"
    )
    possible_count: float = quantity(
        10.0, low=0.0, high=500.0, unit="1", means="nodules from which they are possible", source="set on made chests"
    )
    present_count: float = quantity(
        25.0, low=0.0, high=500.0, unit="1", means="nodules from which they are present", source="set on made chests"
    )
    thickness_mm: float = quantity(
        1.5, low=0.5, high=3.0, unit="mm", means="slice thickness up to which they are seen well", source="1.5 mm"
    )


@dataclass(frozen=True)
class CentrilobularNodules:
    """Small nodules in the middle of lobules (Fleischner glossary, Hansell 2008, "centrilobular")."""

    config: CentrilobularNodulesConfig = field(default_factory=CentrilobularNodulesConfig)
    name: str = "centrilobular_nodules"
    title: str = "Centrilobular nodules"
    needs: tuple[str, ...] = ()
    has_mask: bool = True
    features: tuple[Feature, ...] = nodule_features("centrilobular_nodules", "centrilobular nodules")

    @property
    def definition(self) -> str:
        """The definition with the limits in force."""
        c = self.config
        return (
            f"Round hazy or solid spots of {c.diameter_mm[0]:g} to {c.diameter_mm[1]:g} mm in the middle of lobules: "
            f"{c.surface_mm:g} mm or more from the lung's surface, no part of a vessel, and in groups (at least "
            f"{c.group_count:d} others within {c.group_mm:g} mm). The buds of a tree-in-bud count when they are round."
        )

    def reliability(self, acquisition: Acquisition) -> tuple[Reliability, str]:
        """How far the scan's slices suit the sign."""
        return by_thickness(acquisition, self.config.thickness_mm, "centrilobular nodules", in_one_slice=False)

    def observe(self, scene: Scene, earlier: Mapping[str, Finding]) -> Finding:
        """Count, sizes, places and spacing of the nodules, with the interval of the tried limits."""
        del earlier
        c = self.config
        spots = blobs(scene, c.scales_mm, c.strength_hu, least_roundness=c.roundness, least_surface_mm=c.surface_mm)
        certain = ~scene.uncertain[voxels_of(spots, scene)]
        found = self._chosen(spots, certain, c.open_share)
        mask, lesions = marked(found, scene)
        volume_ml = float(mask.sum()) * scene.geometry.voxel_ml
        tried = (
            self._chosen(spots, certain, c.open_share_range[0]),
            self._chosen(spots, np.ones_like(certain), c.open_share_range[1]),
        )
        each_ml = volume_ml / max(len(found), 1)
        value, *moved = (
            nodule_table(self.name, some, scene) | {f"{self.name}.volume_ml": each_ml * len(some)}
            for some in (found, *tried)
        )
        score = graded(float(len(found)), c.possible_count, c.present_count)
        return seen(self, score, spans(value, moved), mask, lesions)

    def _chosen(self, spots: Blobs, allowed: BoolArray, open_share: float) -> Blobs:
        """The spots that are nodules: ending on all sides, small, in a group."""
        c = self.config
        diameter = 2.0 * spots.radius_mm
        single = spots.chosen(
            allowed
            & (spots.contrast_hu >= c.contrast_hu)
            & (spots.open_share <= open_share)
            & (spots.spread <= c.spread)
            & (diameter >= c.diameter_mm[0])
            & (diameter <= c.diameter_mm[1])
        )
        return grouped(without_doubles(single, c.diameter_mm[0]), c.group_mm, c.group_count)


def grouped(found: Blobs, within_mm: float, others: int) -> Blobs:
    """Those with at least that many others within the distance."""
    if len(found) <= others:
        return found.chosen(np.zeros(len(found), dtype=np.bool_))
    near = np.asarray(cKDTree(found.point_mm).query_ball_point(found.point_mm, within_mm, return_length=True))
    return found.chosen(near > others)
