"""Reticulation: many fine lines in lung that is not consolidated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from cop_imaging.config import Section, quantity
from cop_imaging.core.arrays import BoolArray
from cop_imaging.core.finding import Feature, Finding, Reliability, not_assessable
from cop_imaging.core.grid import keep_large, resample
from cop_imaging.core.line_density import LineDensity
from cop_imaging.core.scene import Scene
from cop_imaging.core.volume import Acquisition
from cop_imaging.signs.distribution import distribution_features, distribution_of
from cop_imaging.signs.intervals import spans
from cop_imaging.signs.lesions import lesion_table
from cop_imaging.signs.lines.density import line_density, on_scene, union, usual_strength
from cop_imaging.signs.presence import graded, seen
from cop_imaging.signs.reliability import by_thickness

__all__ = ["Reticulation", "ReticulationConfig"]


class ReticulationConfig(Section):
    """Limits of reticulation."""

    strength_hu: float = quantity(
        26.0,
        low=10.0,
        high=80.0,
        unit="HU",
        means="mean strength of lines around a voxel from which it is reticulation, in a scan without noise",
        source="set on made chests: twice the 12 HU of lung and of haze without lines",
    )
    strength_hu_range: tuple[float, float] = quantity(
        (23.0, 30.0),
        unit="HU",
        means="tried range of that limit, from which the interval comes",
        source="about one tenth to either side; estimate",
    )
    line_hu: float = quantity(
        60.0,
        low=20.0,
        high=200.0,
        unit="HU",
        means="strength from which a voxel counts as line",
        source="a line of 0.4 mm of tissue in aerated lung; set on made chests",
    )
    smallest_ml: float = quantity(
        1.0,
        low=0.1,
        high=10.0,
        unit="mL",
        means="smallest component that is kept",
        source="a patch of 2 cm2, 5 mm deep; estimate",
    )
    possible_percent: float = quantity(
        0.6,
        low=0.0,
        high=10.0,
        unit="percent of lung",
        means="extent from which it is possible",
        source="set on made chests",
    )
    present_percent: float = quantity(
        1.2,
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
    *distribution_features("reticulation", "reticulation"),
    Feature("reticulation.line_share", "1", "share of the mask that is line", high=1.0),
    Feature("reticulation.strength_hu", "HU", "mean strength of the lines in the mask"),
    Feature("reticulation.between_lines_hu", "HU", "mean density between the lines of the mask", low=None),
)


@dataclass(frozen=True)
class Reticulation:
    """Innumerable small lines that make a net (Fleischner glossary, Hansell 2008)."""

    config: ReticulationConfig = field(default_factory=ReticulationConfig)
    name: str = "reticulation"
    title: str = "Reticulation"
    needs: tuple[str, ...] = ("consolidation", "honeycombing", "bands", "perilobular")
    has_mask: bool = True
    features: tuple[Feature, ...] = FEATURES

    @property
    def definition(self) -> str:
        """The definition with the limits in force."""
        c = self.config
        return (
            "Many fine lines that make a net in lung that is not consolidated: the mean curvature across lines of 1 to "
            f"3 mm within about a lobule is above {c.strength_hu:g} HU (more in a noisy scan), in components of at "
            f"least {c.smallest_ml:g} mL; vessels, bronchi, the pleura and honeycombing are not counted."
        )

    def reliability(self, acquisition: Acquisition) -> tuple[Reliability, str]:
        """How far the scan's slices suit the sign."""
        return by_thickness(acquisition, self.config.thickness_mm, "reticulation")

    def observe(self, scene: Scene, earlier: Mapping[str, Finding]) -> Finding:
        """Mask, distribution with intervals, strength of the lines, and presence."""
        dense = earlier["consolidation"].mask
        if dense is None:
            return not_assessable(self, "consolidation could not be assessed")
        c = self.config
        sheets = union(dense, earlier["bands"].mask, earlier["perilobular"].mask)
        without = union(sheets, earlier["honeycombing"].mask)
        lines = line_density(scene, sheets)
        mask, value = self._measured(scene, lines, without, c.strength_hu)
        moved = [self._measured(scene, lines, without, limit)[1] for limit in c.strength_hu_range]
        score = graded(value["reticulation.extent_percent"] or 0.0, c.possible_percent, c.present_percent)
        return seen(self, score, spans(value, moved), mask, lesion_table(mask, scene, c.smallest_ml))

    def _measured(
        self, scene: Scene, lines: LineDensity, without: BoolArray, limit_hu: float
    ) -> tuple[BoolArray, dict[str, float | None]]:
        """Mask and numbers under one limit."""
        c, grid = self.config, lines.geometry
        net = lines.counted & (lines.strength_hu > usual_strength(limit_hu, scene.noise_hu))
        net &= ~resample(without, scene.geometry, grid, method="nearest")
        net = keep_large(net, grid, c.smallest_ml)
        mask = on_scene(net, grid, scene, without)
        value = distribution_of(self.name, mask, scene, smallest_patch_ml=c.smallest_ml)
        strength, between = scene.ridges.line_hu[net], lines.between_hu[net]
        value |= {
            "reticulation.line_share": float(np.mean(strength > c.line_hu)) if strength.size else None,
            "reticulation.strength_hu": float(np.mean(strength, dtype=np.float64)) if strength.size else None,
            "reticulation.between_lines_hu": float(np.mean(between, dtype=np.float64)) if strength.size else None,
        }
        return mask, value
