"""Parenchymal bands: long flat sheets of dense lung, towards the pleura or along it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from cop_imaging.config import quantity
from cop_imaging.core.arrays import Float64Array
from cop_imaging.core.finding import Feature, Finding, Reliability
from cop_imaging.core.grid import resample
from cop_imaging.core.ridges import Sheets
from cop_imaging.core.scene import Scene
from cop_imaging.core.volume import Acquisition
from cop_imaging.signs.intervals import spans
from cop_imaging.signs.lesions import lesion_table
from cop_imaging.signs.lines.pieces import Pieces, mean_by_piece, pieces_of
from cop_imaging.signs.lines.sheets import DenseSheetConfig, across_pleura, dense_sheets, filled_around
from cop_imaging.signs.presence import graded, seen
from cop_imaging.signs.reliability import by_thickness

__all__ = ["Bands", "BandsConfig"]

Limits = tuple[float, float]

EDGE_MM = 3.0
"""Within this of its edge a sheet has no points: too many directions lead out of it."""


class BandsConfig(DenseSheetConfig):
    """Limits of bands."""

    agree: float = quantity(
        0.95,
        low=0.8,
        high=0.99,
        unit="1",
        means="least cosine between the normals of neighbours in one band",
        source="a turn of 18 degrees over 2 mm is a corner; set on made chests",
    )
    length_mm: Limits = quantity(
        (20.0, 85.0),
        unit="mm",
        means="shortest and longest band",
        source="longer than 20 mm; what is longer than a band can be is a fissure; Hansell 2008",
    )
    width_mm: float = quantity(
        8.0,
        low=2.0,
        high=20.0,
        unit="mm",
        means="least width of the sheet",
        source="narrower ones cannot be told from vessels; set on made chests",
    )
    area_mm2: float = quantity(
        280.0, low=50.0, high=1000.0, unit="mm2", means="least area of the sheet", source="set on made chests"
    )
    area_mm2_range: Limits = quantity(
        (220.0, 350.0), unit="mm2", means="tried range of that limit, from which the interval comes", source="estimate"
    )
    flatness: float = quantity(
        0.85,
        low=0.5,
        high=1.0,
        unit="1",
        means="least flatness: 1 where all normals agree, 1/3 where they point everywhere",
        source="set on made chests",
    )
    breadth: float = quantity(
        0.915,
        low=0.7,
        high=1.0,
        unit="1",
        means="least mean share of directions in which the sheet goes on for 4 mm",
        source="vessels side by side have gaps; set on made chests",
    )
    deepest_mm: float = quantity(
        30.0,
        low=10.0,
        high=80.0,
        unit="mm",
        means="largest mean depth below the pleura",
        source="bands usually reach the pleura; deeper flat sheets are walls of large bronchi and vessels",
    )
    parallel_cosine: float = quantity(
        0.8,
        low=0.5,
        high=0.95,
        unit="1",
        means="cosine between sheet normal and way to the pleura from which a band is parallel to it",
        source="between 30 and 60 degrees: Murphy 1999 parts the two kinds",
    )
    possible: float = quantity(
        0.7, low=0.0, high=5.0, unit="1", means="bands from which they are possible", source="one; set on made chests"
    )
    present: float = quantity(
        1.4,
        low=0.0,
        high=10.0,
        unit="1",
        means="bands from which they are present, small ones counted in part",
        source="two separate sites; set on made chests",
    )
    whole_mm2: float = quantity(
        400.0, low=50.0, high=2000.0, unit="mm2", means="area from which a band counts in full", source="estimate"
    )
    thickness_mm: float = quantity(
        3.0, low=1.0, high=5.0, unit="mm", means="slice thickness up to which it is measured well", source="3 mm"
    )


FEATURES = (
    Feature("bands.count", "1", "bands longer than 20 mm"),
    Feature("bands.radial_count", "1", "bands that run towards the pleura"),
    Feature("bands.parallel_count", "1", "bands parallel to the pleura"),
    Feature("bands.volume_ml", "ml", "volume of all bands"),
    Feature("bands.longest_mm", "mm", "length of the longest band"),
    Feature("bands.thickness_mm", "mm", "thickness, mean over the area of all bands"),
    Feature("bands.depth_mm", "mm", "depth below the costal pleura, mean over the area of all bands"),
    Feature("bands.lower_share", "1", "share of the volume in the lower zones", high=1.0),
    Feature("bands.right_share", "1", "share of the volume in the right lung", high=1.0),
)


@dataclass(frozen=True)
class Bands:
    """Elongated opacity, usually to the pleura (parenchymal band, Fleischner glossary, Hansell 2008)."""

    config: BandsConfig = field(default_factory=BandsConfig)
    name: str = "bands"
    title: str = "Parenchymal bands"
    needs: tuple[str, ...] = ("honeycombing",)
    has_mask: bool = True
    features: tuple[Feature, ...] = FEATURES

    @property
    def definition(self) -> str:
        """The definition with the limits in force."""
        c = self.config
        return (
            f"Flat or slowly bending sheets denser than {c.peak_hu:g} HU and by {c.contrast_hu:g} HU than the lung on "
            f"both sides, up to {c.thickest_mm:g} mm thick as seen, {c.length_mm[0]:g} to {c.length_mm[1]:g} mm long "
            f"and at least {c.width_mm:g} mm wide; radial or parallel by the angle to the pleura. Not fissures, "
            "vessels or walls of cysts."
        )

    def reliability(self, acquisition: Acquisition) -> tuple[Reliability, str]:
        """How far the scan's slices suit the sign."""
        return by_thickness(acquisition, self.config.thickness_mm, "bands", in_one_slice=False)

    def observe(self, scene: Scene, earlier: Mapping[str, Finding]) -> Finding:
        """Bands, their kinds and sizes, and presence."""
        c = self.config
        sheets = dense_sheets(scene, c)
        cysts = earlier["honeycombing"].mask
        if cysts is not None:
            grid = scene.ridges.geometry
            sheets = sheets.where(~resample(cysts, scene.geometry, grid, method="nearest").ravel()[sheets.voxel])
        pieces = pieces_of(sheets, scene.ridges.geometry, link_mm=c.link_mm, agree=c.agree)
        lie = across_pleura(sheets, scene)
        kept = self._kept(sheets, pieces, lie[0], c.area_mm2)
        mask = filled_around(sheets, kept[pieces.label], scene, c.peak_hu)
        value = self._values(scene, sheets, pieces, lie, kept)
        moved = [
            self._values(scene, sheets, pieces, lie, self._kept(sheets, pieces, lie[0], area))
            for area in c.area_mm2_range
        ]
        amount = float(np.minimum(pieces.area_mm2[kept] / c.whole_mm2, 1.0).sum())
        score = graded(amount, c.possible, c.present)
        return seen(self, score, spans(value, moved), mask, lesion_table(mask, scene, 0.0))

    def _kept(self, sheets: Sheets, pieces: Pieces, depth: Float64Array, area_mm2: float) -> NDArray[np.bool_]:
        """Which pieces are bands."""
        c, k = self.config, len(pieces)
        length, width = pieces.length_mm[:, 0], pieces.length_mm[:, 1]
        kept = (length >= c.length_mm[0]) & (length <= c.length_mm[1]) & (width >= c.width_mm)
        kept &= (pieces.area_mm2 >= area_mm2) & (pieces.flatness >= c.flatness)
        kept &= mean_by_piece(sheets.breadth, pieces.label, k) >= c.breadth
        out: NDArray[np.bool_] = kept & (mean_by_piece(depth, pieces.label, k) <= c.deepest_mm)
        return out

    def _values(
        self,
        scene: Scene,
        sheets: Sheets,
        pieces: Pieces,
        lie: tuple[Float64Array, Float64Array],
        kept: NDArray[np.bool_],
    ) -> dict[str, float | None]:
        """The numbers of the kept pieces."""
        c, on = self.config, kept[pieces.label]
        depth, cosine = lie
        parallel = mean_by_piece(cosine, pieces.label, len(pieces))[kept] >= c.parallel_cosine
        mask = filled_around(sheets, on, scene, c.peak_hu)
        zones = np.bincount(scene.zone[mask], minlength=7)[1:7].astype(np.float64)
        whole = float(zones.sum())
        found = bool(kept.any()) and whole > 0.0
        return {
            "bands.count": float(kept.sum()),
            "bands.radial_count": float((~parallel).sum()),
            "bands.parallel_count": float(parallel.sum()),
            "bands.volume_ml": whole * scene.geometry.voxel_ml,
            "bands.longest_mm": float(pieces.length_mm[kept, 0].max()) + 2.0 * EDGE_MM if found else None,
            "bands.thickness_mm": float(np.mean(sheets.thickness_mm[on], dtype=np.float64)) if found else None,
            "bands.depth_mm": float(depth[on].mean()) if found else None,
            "bands.lower_share": float(zones[2] + zones[5]) / whole if found else None,
            "bands.right_share": float(zones[:3].sum()) / whole if found else None,
        }
