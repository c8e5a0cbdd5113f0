"""Perilobular pattern: arcades and polygons of dense lung along the borders of lobules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from cop_imaging.config import quantity
from cop_imaging.core.arrays import Float64Array
from cop_imaging.core.finding import Feature, Finding, Reliability
from cop_imaging.core.grid import dilated, resample
from cop_imaging.core.ridges import Sheets
from cop_imaging.core.scene import Scene
from cop_imaging.core.volume import Acquisition
from cop_imaging.signs.intervals import spans
from cop_imaging.signs.lesions import lesion_table
from cop_imaging.signs.lines.pieces import Pieces, mean_by_piece, pieces_of
from cop_imaging.signs.lines.sheets import DenseSheetConfig, across_pleura, dense_sheets, filled_around
from cop_imaging.signs.presence import graded, seen
from cop_imaging.signs.reliability import by_thickness

__all__ = ["Perilobular", "PerilobularConfig"]

Limits = tuple[float, float]


class PerilobularConfig(DenseSheetConfig):
    """Limits of the perilobular pattern."""

    agree: float = quantity(
        0.85,
        low=0.5,
        high=0.98,
        unit="1",
        means="least cosine between the normals of neighbours in one arcade",
        source="arcades turn by up to 30 degrees over 2 mm; set on made chests",
    )
    thinnest_mm: float = quantity(
        2.6,
        low=1.0,
        high=4.0,
        unit="mm",
        means="least mean thickness of an arcade as it is seen",
        source="septal lines are thinner; set on made chests",
    )
    area_mm2: float = quantity(
        400.0, low=50.0, high=2000.0, unit="mm2", means="least area of an arcade", source="set on made chests"
    )
    area_mm2_range: Limits = quantity(
        (320.0, 500.0), unit="mm2", means="tried range of that limit, from which the interval comes", source="estimate"
    )
    flatness: float = quantity(
        0.85,
        low=0.4,
        high=1.0,
        unit="1",
        means="largest flatness: 1 where all normals agree, 1/3 where they point everywhere",
        source="arcades bend around a lobule, bands do not; set on made chests",
    )
    roundness: float = quantity(
        0.6,
        low=0.3,
        high=1.0,
        unit="1",
        means="largest ratio of shortest to longest extent",
        source="a rind around a halo, a cavity or a mass is round; set on made chests",
    )
    breadth: float = quantity(
        0.92,
        low=0.7,
        high=1.0,
        unit="1",
        means="least mean share of directions in which the sheets go on for 4 mm",
        source="vessels side by side have gaps; set on made chests",
    )
    mean_contrast_hu: float = quantity(
        440.0,
        low=200.0,
        high=800.0,
        unit="HU",
        means="least mean density of an arcade above the lung on both sides",
        source="septa of crazy paving have less; set on made chests",
    )
    deepest_mm: float = quantity(
        16.0,
        low=5.0,
        high=60.0,
        unit="mm",
        means="largest mean depth of an arcade below the pleura",
        source="mostly subpleural; touching the pleura in 10 of 12 (Ujita 2004)",
    )
    possible_mm2: float = quantity(
        450.0,
        low=0.0,
        high=5000.0,
        unit="mm2",
        means="area of all arcades from which it is possible",
        source="set on made chests",
    )
    present_mm2: float = quantity(
        900.0,
        low=0.0,
        high=10000.0,
        unit="mm2",
        means="area of all arcades from which it is present",
        source="two lobules of 15 mm; set on made chests",
    )
    thickness_mm: float = quantity(
        2.0, low=0.5, high=3.0, unit="mm", means="slice thickness up to which it is measured well", source="2 mm"
    )


FEATURES = (
    Feature("perilobular.volume_ml", "ml", "volume of all arcades"),
    Feature("perilobular.extent_percent", "percent", "share of both lungs that is arcade", high=100.0),
    Feature("perilobular.count", "1", "separate groups of arcades"),
    Feature("perilobular.thickness_mm", "mm", "thickness, mean over the area"),
    Feature("perilobular.depth_mm", "mm", "depth below the costal pleura, mean over the area"),
    Feature("perilobular.zones_hit", "1", "zones of six with at least a tenth of the volume", high=6.0),
    Feature("perilobular.lower_share", "1", "share of the volume in the lower zones", high=1.0),
    Feature("perilobular.right_share", "1", "share of the volume in the right lung", high=1.0),
)


@dataclass(frozen=True)
class Perilobular:
    """Opacity along the inner borders of lobules: arcades and polygons, less sharp than septa (Ujita 2004)."""

    config: PerilobularConfig = field(default_factory=PerilobularConfig)
    name: str = "perilobular"
    title: str = "Perilobular pattern"
    needs: tuple[str, ...] = ("honeycombing", "bands")
    has_mask: bool = True
    features: tuple[Feature, ...] = FEATURES

    @property
    def definition(self) -> str:
        """The definition with the limits in force."""
        c = self.config
        return (
            f"Bending sheets denser than {c.peak_hu:g} HU and by {c.contrast_hu:g} HU than the lung on both sides, "
            f"{c.thinnest_mm:g} to {c.thickest_mm:g} mm thick as seen, that join to arcades of at least "
            f"{c.area_mm2:g} mm2 around lobules within {c.deepest_mm:g} mm of the pleura in the mean; not round rinds, "
            "bands, vessels or honeycombing."
        )

    def reliability(self, acquisition: Acquisition) -> tuple[Reliability, str]:
        """How far the scan's slices suit the sign."""
        return by_thickness(acquisition, self.config.thickness_mm, "the perilobular pattern", in_one_slice=False)

    def observe(self, scene: Scene, earlier: Mapping[str, Finding]) -> Finding:
        """Arcades, their sizes and place, and presence."""
        c, grid = self.config, scene.ridges.geometry
        sheets = dense_sheets(scene, c)
        for name in self.needs:
            other = earlier[name].mask
            if other is not None and other.any():
                taken = dilated(resample(other, scene.geometry, grid, method="nearest"), grid, c.link_mm)
                sheets = sheets.where(~taken.ravel()[sheets.voxel])
        pieces = pieces_of(sheets, grid, link_mm=c.link_mm, agree=c.agree)
        depth = across_pleura(sheets, scene)[0]
        kept = self._kept(sheets, pieces, depth, c.area_mm2)
        mask = filled_around(sheets, kept[pieces.label], scene, c.peak_hu)
        value = self._values(scene, sheets, pieces, depth, kept)
        moved = [
            self._values(scene, sheets, pieces, depth, self._kept(sheets, pieces, depth, area))
            for area in c.area_mm2_range
        ]
        score = graded(float(pieces.area_mm2[kept].sum()), c.possible_mm2, c.present_mm2)
        return seen(self, score, spans(value, moved), mask, lesion_table(mask, scene, 0.0))

    def _kept(self, sheets: Sheets, pieces: Pieces, depth: Float64Array, area_mm2: float) -> NDArray[np.bool_]:
        """Which pieces are arcades."""
        c, k = self.config, len(pieces)
        kept = (pieces.area_mm2 >= area_mm2) & (pieces.flatness <= c.flatness)
        kept &= pieces.length_mm[:, 2] <= c.roundness * pieces.length_mm[:, 0]
        kept &= mean_by_piece(sheets.breadth, pieces.label, k) >= c.breadth
        kept &= mean_by_piece(sheets.thickness_mm, pieces.label, k) >= c.thinnest_mm
        kept &= mean_by_piece(sheets.contrast_hu, pieces.label, k) >= c.mean_contrast_hu
        out: NDArray[np.bool_] = kept & (mean_by_piece(depth, pieces.label, k) <= c.deepest_mm)
        return out

    def _values(
        self, scene: Scene, sheets: Sheets, pieces: Pieces, depth: Float64Array, kept: NDArray[np.bool_]
    ) -> dict[str, float | None]:
        """The numbers of the kept pieces."""
        on = kept[pieces.label]
        mask = filled_around(sheets, on, scene, self.config.peak_hu)
        zones = np.bincount(scene.zone[mask], minlength=7)[1:7].astype(np.float64)
        whole = float(zones.sum())
        volume_ml = whole * scene.geometry.voxel_ml
        found = bool(kept.any()) and whole > 0.0
        return {
            "perilobular.volume_ml": volume_ml,
            "perilobular.extent_percent": 100.0 * volume_ml / max(scene.reference.total_ml, 1e-9),
            "perilobular.count": float(kept.sum()),
            "perilobular.thickness_mm": float(np.mean(sheets.thickness_mm[on], dtype=np.float64)) if found else None,
            "perilobular.depth_mm": float(depth[on].mean()) if found else None,
            "perilobular.zones_hit": float((zones >= 0.1 * whole).sum()) if found else 0.0,
            "perilobular.lower_share": float(zones[2] + zones[5]) / whole if found else None,
            "perilobular.right_share": float(zones[:3].sum()) / whole if found else None,
        }
