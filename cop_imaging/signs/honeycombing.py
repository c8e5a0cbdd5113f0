"""Honeycombing: clusters of air cells under the pleura that share their walls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from cop_imaging.config import Section, quantity
from cop_imaging.core.arrays import BoolArray, Int64Array
from cop_imaging.core.finding import Feature, Finding, Reliability
from cop_imaging.core.grid import bounding_box, closed
from cop_imaging.core.scene import Scene
from cop_imaging.core.volume import Acquisition
from cop_imaging.signs.air.cells import AirCells, air_cells, clusters_of, union_of_balls
from cop_imaging.signs.distribution import distribution_features, distribution_of
from cop_imaging.signs.intervals import spans
from cop_imaging.signs.lesions import lesion_table
from cop_imaging.signs.presence import graded, seen
from cop_imaging.signs.reliability import by_thickness

__all__ = ["Honeycombing", "HoneycombingConfig"]


class HoneycombingConfig(Section):
    """Limits of honeycombing."""

    below_aerated_hu: float = quantity(
        30.0,
        low=0.0,
        high=100.0,
        unit="HU",
        means="how much darker than aerated lung the air in a cell is at least",
        source="lung between the lines of reticulation is aerated, a cyst holds air; set on made chests",
    )
    below_aerated_hu_range: tuple[float, float] = quantity(
        (20.0, 45.0), unit="HU", means="tried range of it, from which the interval comes", source="estimate"
    )
    air_hu: float = quantity(
        -900.0,
        low=-970.0,
        high=-800.0,
        unit="HU",
        means="density that the air in a cell has at most, however shallow the breath",
        source="air seen through the blur of 1 to 2 mm; estimate",
    )
    wall_hu: float = quantity(
        -600.0,
        low=-800.0,
        high=-200.0,
        unit="HU",
        means="least density of a wall",
        source="a wall of 1 mm of tissue blurred over 2.5 mm; estimate",
    )
    wall_share: float = quantity(
        0.15,
        low=0.0,
        high=0.6,
        unit="1",
        means="part of the surroundings that walls make up where cells are looked for",
        source="walls of 1 to 3 mm around cells of 3 to 10 mm fill a third of the volume and more; estimate",
    )
    coverage: float = quantity(
        0.85,
        low=0.5,
        high=1.0,
        unit="1",
        means="share of all directions in which a wall closes a cell",
        source="a bronchus is open at both ends; set on made chests",
    )
    coverage_range: tuple[float, float] = quantity(
        (0.8, 0.95), unit="1", means="tried range of it, from which the interval comes", source="estimate"
    )
    radius_mm: tuple[float, float] = quantity(
        (1.25, 6.0),
        unit="mm",
        means="radius of the air in a cell",
        source="cells of 3 to 10 mm; Hansell 2008",
    )
    deepest_mm: float = quantity(
        30.0,
        low=10.0,
        high=60.0,
        unit="mm",
        means="depth below the costal pleura down to which cells are looked for",
        source="subpleural; several layers of cells of up to 10 mm; estimate",
    )
    gap_mm: float = quantity(
        3.5,
        low=1.0,
        high=6.0,
        unit="mm",
        means="largest distance between the air of two neighbours",
        source="shared walls of 1 to 3 mm; Hansell 2008",
    )
    fewest_cells: int = quantity(
        6,
        low=2,
        high=20,
        unit="1",
        means="cells from which a cluster counts",
        source="a row or two layers; set on made chests",
    )
    fewest_neighbours: float = quantity(
        3.2,
        low=1.0,
        high=6.0,
        unit="1",
        means="mean number of a cell's neighbours from which a cluster is no chain",
        source="the wide parts of a bronchus lie in a row: below 3; cells in layers have 3.4 to 6.6 on made chests",
    )
    pleura_mm: float = quantity(
        10.0,
        low=3.0,
        high=30.0,
        unit="mm",
        means="depth within which a cluster begins",
        source="subpleural: one cell from the pleura; estimate",
    )
    outer_wall_mm: float = quantity(
        2.0,
        low=0.5,
        high=3.0,
        unit="mm",
        means="wall around each cell that belongs to the mask",
        source="walls of 1 to 3 mm; Hansell 2008",
    )
    corner_mm: float = quantity(
        1.5,
        low=0.0,
        high=4.0,
        unit="mm",
        means="radius of corners between cells that are closed",
        source="walls meet in corners wider than themselves; estimate",
    )
    possible_percent: float = quantity(
        0.1,
        low=0.0,
        high=10.0,
        unit="percent of lung",
        means="extent from which it is possible",
        source="set on made chests",
    )
    present_percent: float = quantity(
        0.3,
        low=0.0,
        high=20.0,
        unit="percent of lung",
        means="extent from which it is present",
        source="set on made chests",
    )
    thickness_mm: float = quantity(
        1.5, low=0.5, high=3.0, unit="mm", means="slice thickness up to which it is measured well", source="1.5 mm"
    )


FEATURES = (
    *distribution_features("honeycombing", "honeycombing, air and walls"),
    Feature("honeycombing.cell_count", "1", "air cells in clusters"),
    Feature("honeycombing.cluster_count", "1", "clusters of cells"),
    Feature("honeycombing.largest_cluster_cells", "1", "cells of the largest cluster"),
    Feature("honeycombing.cell_diameter_mm", "mm", "median diameter of the air in a cell"),
    Feature("honeycombing.wall_mm", "mm", "median thickness of the walls between cells"),
)


@dataclass(frozen=True)
class Honeycombing:
    """Clustered cystic air spaces with well-defined walls, usually subpleural (Fleischner glossary, Hansell 2008)."""

    config: HoneycombingConfig = field(default_factory=HoneycombingConfig)
    name: str = "honeycombing"
    title: str = "Honeycombing"
    needs: tuple[str, ...] = ()
    has_mask: bool = True
    features: tuple[Feature, ...] = FEATURES

    @property
    def definition(self) -> str:
        """The definition with the limits in force."""
        c = self.config
        return (
            f"Clusters of at least {c.fewest_cells} air cells {2 * c.radius_mm[0]:g} to {2 * c.radius_mm[1]:g} mm wide "
            f"that begin within {c.pleura_mm:g} mm of the pleura; each is at least {c.below_aerated_hu:g} HU darker "
            f"than aerated lung and closed in {100 * c.coverage:g} % of all directions by a wall it shares with its "
            "neighbours."
        )

    def reliability(self, acquisition: Acquisition) -> tuple[Reliability, str]:
        """How far the scan's slices suit the sign."""
        return by_thickness(acquisition, self.config.thickness_mm, "honeycombing", in_one_slice=False)

    def observe(self, scene: Scene, earlier: Mapping[str, Finding]) -> Finding:
        """Cells, their clusters, the mask of both with its distribution, and presence."""
        del earlier
        c = self.config
        loose = air_cells(
            scene,
            deepest_mm=c.deepest_mm,
            air_hu=self._air_hu(scene, c.below_aerated_hu_range[0]),
            wall_hu=c.wall_hu,
            wall_share=c.wall_share,
            radius_mm=c.radius_mm,
            coverage=c.coverage_range[0],
        )
        mask, value = self._measured(scene, loose, c.below_aerated_hu, c.coverage)
        others = zip(c.below_aerated_hu_range, c.coverage_range, strict=True)
        moved = [self._measured(scene, loose, below, coverage)[1] for below, coverage in others]
        score = graded(value["honeycombing.extent_percent"] or 0.0, c.possible_percent, c.present_percent)
        return seen(self, score, spans(value, moved), mask, lesion_table(mask, scene, 0.0))

    def _air_hu(self, scene: Scene, below_aerated_hu: float) -> float:
        return min(scene.aerated_mode_hu - below_aerated_hu, self.config.air_hu)

    def _measured(
        self, scene: Scene, cells: AirCells, below_aerated_hu: float, coverage: float
    ) -> tuple[BoolArray, dict[str, float | None]]:
        """Mask and numbers of the clusters under these two limits."""
        c = self.config
        air_hu = self._air_hu(scene, below_aerated_hu)
        kept = cells.where((cells.core_hu < air_hu) & (cells.coverage >= coverage))
        kept, cluster = clustered(kept, scene, c)
        ball_mm = kept.radius_mm + c.outer_wall_mm
        mask = union_of_balls(scene.lungs.shape, scene.geometry, kept.centre, ball_mm)
        if len(kept):  # corners between cells are wall
            box = bounding_box(mask, scene.geometry)
            mask[box] = closed(mask[box], scene.geometry, c.corner_mm) & (scene.lungs[box] > 0)
        sizes = np.bincount(cluster)
        walls = kept.wall_mm[np.isfinite(kept.wall_mm)]
        value = distribution_of(self.name, mask, scene, smallest_patch_ml=0.0)
        value |= {
            "honeycombing.cell_count": float(len(kept)),
            "honeycombing.cluster_count": float((sizes > 0).sum()),
            "honeycombing.largest_cluster_cells": float(sizes.max(initial=0)),
            "honeycombing.cell_diameter_mm": 2.0 * float(np.median(kept.radius_mm)) if len(kept) else None,
            "honeycombing.wall_mm": float(np.median(walls)) if walls.size else None,
        }
        return mask, value


def clustered(cells: AirCells, scene: Scene, config: HoneycombingConfig) -> tuple[AirCells, Int64Array]:
    """The cells of clusters that are large enough, no chains, and begin under the pleura; and each one's cluster."""
    cluster, neighbours = clusters_of(cells, scene.geometry, config.gap_mm)
    if len(cells) == 0:
        return cells, cluster
    size = np.bincount(cluster)
    mean_neighbours = np.bincount(cluster, neighbours) / size
    # From the pleura to the cell's outer border.
    depth = scene.depth_mm[tuple(cells.centre.T)] - cells.radius_mm
    least = np.full(int(cluster.max()) + 1, np.inf)
    np.minimum.at(least, cluster, depth)
    good = (size >= config.fewest_cells) & (least <= config.pleura_mm) & (mean_neighbours >= config.fewest_neighbours)
    keep = good[cluster]
    return cells.where(keep), cluster[keep]
