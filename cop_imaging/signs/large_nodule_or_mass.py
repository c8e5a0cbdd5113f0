"""Large nodules and masses: compact opacities of 10 mm and more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from cop_imaging.config import Section, quantity
from cop_imaging.core.arrays import BoolArray, Float64Array, Int32Array
from cop_imaging.core.finding import Feature, Finding, Reliability, not_assessable
from cop_imaging.core.geometry import Geometry
from cop_imaging.core.grid import components, dilated, fill_holes, opened, resample
from cop_imaging.core.scene import Scene
from cop_imaging.core.volume import Acquisition
from cop_imaging.signs.intervals import spans
from cop_imaging.signs.lesions import lesions_of_labels
from cop_imaging.signs.presence import graded, seen
from cop_imaging.signs.reliability import by_thickness
from cop_imaging.signs.shapes.compact import Shapes, shapes_of

__all__ = ["LargeNoduleOrMass", "LargeNoduleOrMassConfig"]

GRID_MM = 1.5
TOUCHES_MM = 3.0
"""Gap to the lung's surface that a part, after its necks are cut off, still touches."""
SHELL_MM = 4.0
"""Width of the shell in which haze makes a nodule part-solid."""


class LargeNoduleOrMassConfig(Section):
    """Limits of large nodules and masses."""

    diameter_mm: float = quantity(
        10.0, low=5.0, high=30.0, unit="mm", means="smallest diameter", source="small nodules end at 10 mm"
    )
    mass_mm: float = quantity(
        30.0, low=20.0, high=50.0, unit="mm", means="diameter above which it is a mass", source="3 cm (Hansell 2008)"
    )
    neck_mm: float = quantity(
        3.5,
        low=1.0,
        high=8.0,
        unit="mm",
        means="radius of vessels, spicules and necks that are cut off",
        source="as wide as a vessel in the middle of the lung; estimate",
    )
    compactness: float = quantity(
        0.65,
        low=0.3,
        high=1.0,
        unit="1",
        means="diameter of the largest ball inside over that of a ball of the same volume",
        source="1 for a ball, 0.63 for half of one; patches of consolidation mostly 0.4-0.6 on made chests",
    )
    compactness_range: tuple[float, float] = quantity(
        (0.6, 0.7), unit="1", means="tried range of that ratio, from which the interval comes", source="estimate"
    )
    elongation: float = quantity(
        1.8,
        low=1.0,
        high=5.0,
        unit="1",
        means="largest ratio of the longest to the shortest axis",
        source="lobulated masses stay below; patches of consolidation and vessels reach 4; set on made chests",
    )
    fullness: float = quantity(
        0.88,
        low=0.3,
        high=1.0,
        unit="1",
        means="least volume over that of an ellipsoid of the same spread",
        source="set on made chests",
    )
    hilum_mm: float = quantity(
        15.0,
        low=0.0,
        high=50.0,
        unit="mm",
        means="depth below the costal pleura from which what touches the lung's surface may be a vessel of the hilum",
        source="vessels leave the lung there, and the mask cuts them; estimate",
    )
    hilar_vessel_mm: float = quantity(
        22.0,
        low=10.0,
        high=40.0,
        unit="mm",
        means="diameter up to which it is taken for one there",
        source="the interlobar artery is up to 16 mm wide, and longer than wide; estimate",
    )
    vessel_share: float = quantity(
        0.3,
        low=0.0,
        high=1.0,
        unit="1",
        means="share of its volume that the tube filter takes for vessel from which one of that diameter is a vessel",
        source="nodules and masses 0, forks of vessels 0.3 to 0.9; set on made chests",
    )
    possible: float = quantity(
        0.9, low=0.0, high=1.0, unit="1", means="nearness to the limits of shape that is possible", source="estimate"
    )
    part_solid_share: float = quantity(
        0.5,
        low=0.0,
        high=1.0,
        unit="1",
        means="share of the shell around that is ground glass from which it is part-solid",
        source="most of it; estimate",
    )
    thickness_mm: float = quantity(
        5.0, low=1.0, high=10.0, unit="mm", means="slice thickness up to which it is measured well", source="5 mm"
    )


FEATURES = (
    Feature("large_nodule_or_mass.count", "1", "nodules of 10 mm or more, and masses; solid and part-solid"),
    Feature("large_nodule_or_mass.mass_count", "1", "those above 30 mm"),
    Feature("large_nodule_or_mass.part_solid_count", "1", "those inside ground glass"),
    Feature("large_nodule_or_mass.ground_glass_count", "1", "compact opacities of pure ground glass, 10-30 mm"),
    Feature("large_nodule_or_mass.volume_ml", "ml", "volume of the solid parts"),
    Feature("large_nodule_or_mass.largest_diameter_mm", "mm", "diameter of the largest, of a ball of its volume"),
    Feature("large_nodule_or_mass.largest_compactness", "1", "largest ball inside it over that ball, as diameters"),
    Feature(
        "large_nodule_or_mass.share_of_opacity",
        "1",
        "volume of the largest over all consolidation and ground glass: near 1 the focus is solitary",
        high=1.0,
    ),
)


@dataclass(frozen=True, slots=True, eq=False)
class _Parts:
    """The compact parts of a mask, on the work grid."""

    labels: Int32Array
    shapes: Shapes
    quality: Float64Array
    """1 and more: every limit of shape is kept; below: how near the worst one is."""


@dataclass(frozen=True)
class LargeNoduleOrMass:
    """Rounded opacity of 10 to 30 mm, or a mass above 30 mm (Fleischner glossary, Hansell 2008, "nodule", "mass")."""

    config: LargeNoduleOrMassConfig = field(default_factory=LargeNoduleOrMassConfig)
    name: str = "large_nodule_or_mass"
    title: str = "Large nodule or mass"
    needs: tuple[str, ...] = ("consolidation", "ground_glass")
    has_mask: bool = True
    features: tuple[Feature, ...] = FEATURES

    @property
    def definition(self) -> str:
        """The definition with the limits in force."""
        c = self.config
        return (
            f"Compact dense opacity of {c.diameter_mm:g} mm or more (a mass above {c.mass_mm:g} mm): its largest ball "
            f"is at least {c.compactness:g} as wide as a ball of its volume, its axes differ at most {c.elongation:g}-"
            "fold. A focal organizing pneumonia of this shape is one too: CT cannot tell it from a carcinoma."
        )

    def reliability(self, acquisition: Acquisition) -> tuple[Reliability, str]:
        """How far the scan's slices suit the sign."""
        return by_thickness(acquisition, self.config.thickness_mm, "a large nodule", in_one_slice=False)

    def observe(self, scene: Scene, earlier: Mapping[str, Finding]) -> Finding:
        """The compact parts of consolidation and of ground glass, with the interval over the limit of shape."""
        dense, haze = earlier["consolidation"].mask, earlier["ground_glass"].mask
        if dense is None:
            return not_assessable(self, "consolidation could not be assessed")
        c = self.config
        grid = scene.geometry.resampled((GRID_MM,) * 3)
        solid = resample(dense, scene.geometry, grid, method="nearest")
        # Thick slices show a mass, but no haze: what needs haze is then missing.
        hazy = np.zeros_like(solid) if haze is None else resample(haze, scene.geometry, grid, method="nearest")
        opacity_ml = float(solid.sum() + hazy.sum()) * grid.voxel_ml
        parts = self._without_vessels(self._parts(fill_holes(solid), grid), scene, grid)
        faint = self._parts(hazy & ~dilated(solid, grid, SHELL_MM), grid)
        pure = int(((faint.quality >= 1.0) & (faint.shapes.diameter_mm <= c.mass_mm)).sum())
        rows = np.flatnonzero(parts.quality >= 1.0)
        rows = rows[np.argsort(-parts.shapes.volume_ml[rows], kind="stable")]
        kinds = ["part-solid" if self._in_haze(parts.labels == k + 1, solid, hazy, grid) else "solid" for k in rows]
        value = self._values(parts, 1.0, opacity_ml)
        moved = [self._values(parts, limit / c.compactness, opacity_ml) for limit in c.compactness_range]
        of_haze = (("part_solid_count", float(kinds.count("part-solid"))), ("ground_glass_count", float(pure)))
        fixed = {f"{self.name}.{name}": (None, None, None) if haze is None else (n, 0.0, n) for name, n in of_haze}
        table = spans(value, moved) | fixed
        if haze is None:
            table[f"{self.name}.share_of_opacity"] = (None, None, None)
        number = np.zeros(len(parts.quality) + 1, dtype=np.int32)
        number[rows + 1] = np.arange(1, len(rows) + 1)
        labels = resample(number[parts.labels], grid, scene.geometry, method="nearest")
        labels[scene.lungs == 0] = 0
        best = float(parts.quality.max(initial=0.0))
        score = graded(best, c.possible, 1.0)
        lesions = tuple(
            lesion.model_copy(
                update={
                    "details": {
                        "kind": kind,
                        "diameter_mm": float(parts.shapes.diameter_mm[k]),
                        "compactness": float(parts.shapes.compactness[k]),
                        "elongation": float(parts.shapes.elongation[k]),
                    }
                }
            )
            for k, kind, lesion in zip(rows, kinds, lesions_of_labels(labels, len(rows), scene), strict=False)
        )
        return seen(self, score, table, labels > 0, lesions)

    def _parts(self, mask: BoolArray, grid: Geometry) -> _Parts:
        """Components of the mask without necks, and how well they keep the limits of shape."""
        c = self.config
        labels, n = components(opened(mask, grid, c.neck_mm))
        s = shapes_of(labels, n, grid)
        quality = np.minimum(s.compactness / c.compactness, s.fullness / c.fullness)
        quality = np.minimum(quality, c.elongation / np.maximum(s.elongation, 1e-6))
        return _Parts(labels, s, np.where(s.diameter_mm >= c.diameter_mm, quality, 0.0))

    def _without_vessels(self, parts: _Parts, scene: Scene, grid: Geometry) -> _Parts:
        """The parts, but for vessels: what looks like one, or is as wide and touches the mediastinal surface."""
        c, n = self.config, len(parts.quality)
        if n == 0:
            return parts
        outside = resample(scene.lungs, scene.geometry, grid, method="nearest") == 0
        depth_mm = resample(scene.depth_mm, scene.geometry, grid, method="nearest")
        touches = np.zeros(n + 1, dtype=bool)
        touches[np.unique(parts.labels[dilated(outside, grid, TOUCHES_MM)])] = True
        inside = parts.labels > 0
        highest = np.full(n + 1, np.inf, dtype=np.float32)
        np.minimum.at(highest, parts.labels[inside], depth_mm[inside])
        hilar = touches[1:] & (highest[1:] > c.hilum_mm) & (parts.shapes.diameter_mm <= c.hilar_vessel_mm)
        tubes = parts.labels[resample(scene.vessels, scene.geometry, grid, method="nearest")]
        within = np.bincount(tubes, minlength=n + 1)[1:] / np.bincount(parts.labels.ravel(), minlength=n + 1)[1:]
        vessel = hilar | ((within > c.vessel_share) & (parts.shapes.diameter_mm <= c.hilar_vessel_mm))
        return _Parts(parts.labels, parts.shapes, np.where(vessel, 0.0, parts.quality))

    def _in_haze(self, part: BoolArray, solid: BoolArray, hazy: BoolArray, grid: Geometry) -> bool:
        """Whether most of the shell around the part is ground glass."""
        shell = dilated(part, grid, SHELL_MM) & ~solid
        return bool(shell.any()) and float(hazy[shell].mean()) >= self.config.part_solid_share

    def _values(self, parts: _Parts, least: float, opacity_ml: float) -> dict[str, float | None]:
        """The numbers of the parts with at least that quality."""
        rows = np.flatnonzero(parts.quality >= least)
        s = parts.shapes
        k = rows[np.argmax(s.volume_ml[rows])] if len(rows) else None
        out = {
            "count": float(len(rows)),
            "mass_count": float((s.diameter_mm[rows] > self.config.mass_mm).sum()),
            "volume_ml": float(s.volume_ml[rows].sum()),
            "largest_diameter_mm": None if k is None else float(s.diameter_mm[k]),
            "largest_compactness": None if k is None else float(s.compactness[k]),
            "share_of_opacity": None if k is None else min(float(s.volume_ml[k]) / max(opacity_ml, 1e-6), 1.0),
        }
        return {f"{self.name}.{name}": number for name, number in out.items()}
