"""Air bronchogram: air-filled bronchi inside consolidation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from cop_imaging.config import Section, quantity
from cop_imaging.core.arrays import AnyArray, BoolArray, Float64Array
from cop_imaging.core.finding import Feature, Finding, Lesion, Reliability, not_assessable
from cop_imaging.core.geometry import Box, Geometry
from cop_imaging.core.grid import bounding_box, dilated, opened
from cop_imaging.core.parts import parts_of
from cop_imaging.core.scene import Scene
from cop_imaging.core.volume import Acquisition
from cop_imaging.signs.air.tubes import Tubes, closed_axes, tubes_of
from cop_imaging.signs.intervals import spans
from cop_imaging.signs.lesions import lesions_of_voxels
from cop_imaging.signs.presence import graded, seen
from cop_imaging.signs.reliability import by_thickness

__all__ = ["AirBronchogram", "AirBronchogramConfig"]

MADE = "set on made chests"


class AirBronchogramConfig(Section):
    """Limits of the air bronchogram."""

    lumen_hu: float = quantity(
        -450.0,
        low=-900.0,
        high=-300.0,
        unit="HU",
        means="density below which a voxel between consolidated lung may be lumen",
        source=f"-700 HU without blur; half way between tissue and air at the edge of a blurred lumen; {MADE}",
    )
    lumen_hu_range: tuple[float, float] = quantity(
        (-550.0, -350.0),
        unit="HU",
        means="tried range of that limit, from which the interval comes",
        source="estimate",
    )
    tissue_hu: float = quantity(
        -300.0,
        low=-400.0,
        high=0.0,
        unit="HU",
        means="density of the consolidation around it, blurred at its edge",
        source="tissue above -200 HU (evidence: lumen below -700 within tissue above -200)",
    )
    cuff_mm: float = quantity(
        1.2,
        low=0.5,
        high=3.0,
        unit="mm",
        means="half thickness of tissue around a bronchus from which it is consolidation and no wall",
        source=f"walls are below 2 mm to the segments; {MADE}",
    )
    cuff_reach_mm: float = quantity(
        10.0,
        low=0.0,
        high=30.0,
        unit="mm",
        means="how far such a cuff may reach from consolidation",
        source="estimate",
    )
    widest_mm: float = quantity(
        10.0,
        low=3.0,
        high=15.0,
        unit="mm",
        means="distance of consolidation on both sides of a lumen",
        source="lumens of 1.5 to 6 mm with their walls and blurred edges; estimate",
    )
    closed_axes: int = quantity(
        10,
        low=4,
        high=13,
        unit="1",
        means="axes of 13 along which consolidation must close a lumen in",
        source=f"all but those along the tube; {MADE}",
    )
    shortest_mm: float = quantity(
        10.0,
        low=3.0,
        high=40.0,
        unit="mm",
        means="least length of a lumen that is not narrow",
        source="length over 10 mm",
    )
    narrow_mm: float = quantity(
        2.5,
        low=1.0,
        high=5.0,
        unit="mm",
        means="diameter up to which a lumen is narrow: seen in pieces, and blurred to less than air",
        source=f"bronchi beyond the segments; {MADE}",
    )
    narrow_hu: float = quantity(
        -700.0,
        low=-900.0,
        high=-400.0,
        unit="HU",
        means="density below which a narrow lumen is dark somewhere along its way",
        source="lumen below -700 HU within tissue above -200 HU; pockets of haze are brighter",
    )
    piece_mm: float = quantity(
        4.0, low=2.0, high=20.0, unit="mm", means="least length of a piece of a narrow lumen", source=MADE
    )
    wide_mm: float = quantity(
        3.0,
        low=2.0,
        high=6.0,
        unit="mm",
        means="diameter from which a bronchus in the outer third of the lung is dilated",
        source="above 3 mm in the outer third",
    )
    possible_mm: float = quantity(
        10.0,
        low=1.0,
        high=100.0,
        unit="mm",
        means="total length from which it is possible",
        source=f"length over 10 mm; {MADE}",
    )
    present_mm: float = quantity(
        35.0, low=1.0, high=200.0, unit="mm", means="total length from which it is present", source=MADE
    )
    thickness_mm: float = quantity(
        2.0,
        low=0.5,
        high=5.0,
        unit="mm",
        means="slice thickness up to which it is measured well",
        source="2 mm; at 5 mm small lumens are lost",
    )


FEATURES = (
    Feature("air_bronchogram.length_mm", "mm", "length of all air-filled bronchi inside consolidation"),
    Feature("air_bronchogram.length_per_ml", "mm/ml", "that length over the volume of consolidation"),
    Feature("air_bronchogram.count", "1", "bronchograms, each with its branches"),
    Feature("air_bronchogram.longest_mm", "mm", "length of the longest with its branches"),
    Feature(
        "air_bronchogram.lesion_share", "1", "share of the consolidations of 1 mL and more that hold one", high=1.0
    ),
    Feature("air_bronchogram.mean_diameter_mm", "mm", "mean inner diameter along the length"),
    Feature("air_bronchogram.largest_diameter_mm", "mm", "95th percentile of the inner diameter along the length"),
    Feature("air_bronchogram.wide_outer_length_mm", "mm", "length in the outer third of the lung that is dilated"),
    Feature(
        "air_bronchogram.tree_share", "1", "share of the length that hangs together with the bronchial tree", high=1.0
    ),
    Feature("air_bronchogram.lower_share", "1", "share of the length in the lower zones", high=1.0),
)
LESION_ML = 1.0
TISSUE_HU = 40.0
AERATED_WIDTH_MM = 1.6
"""Half width from which a gap must be darker than aerated lung to be a bronchus."""
DARKER_HU, DARKEST_SHARE = 30.0, 0.05
"""How much darker than aerated lung the air in a bronchus is, and the share of a narrow one that blur leaves so."""
CERTAIN_MM = 1.5
"""From a voxel that is closed in along one axis more than is asked for."""
CELL_RIM_MM = 3.0
"""Beyond a honeycomb's mask, where its cells are still no bronchi."""


@dataclass(frozen=True)
class AirBronchogram:
    """Air-filled bronchi on a background of opaque airless lung (Fleischner glossary, Hansell 2008)."""

    config: AirBronchogramConfig = field(default_factory=AirBronchogramConfig)
    name: str = "air_bronchogram"
    title: str = "Air bronchogram"
    needs: tuple[str, ...] = ("consolidation", "honeycombing")
    has_mask: bool = True
    features: tuple[Feature, ...] = FEATURES

    @property
    def definition(self) -> str:
        """The definition with the limits in force."""
        c = self.config
        return (
            f"Air-filled bronchi on a background of consolidation: below {c.lumen_hu:g} HU, closed in by consolidation "
            f"within {c.widest_mm:g} mm, at least {c.shortest_mm:g} mm long with their branches and reached by the "
            "bronchial tree or somewhere darker than aerated lung, or pieces of lumens no wider than "
            f"{c.narrow_mm:g} mm, at least {c.piece_mm:g} mm long and somewhere below {c.narrow_hu:g} HU. No surer "
            "than the consolidation."
        )

    def reliability(self, acquisition: Acquisition) -> tuple[Reliability, str]:
        """How far the scan's slices suit the sign."""
        return by_thickness(acquisition, self.config.thickness_mm, "the air bronchogram", in_one_slice=False)

    def observe(self, scene: Scene, earlier: Mapping[str, Finding]) -> Finding:
        """Tubes of air inside the mask of consolidation, with their length and width."""
        dense = earlier["consolidation"].mask
        if dense is None:
            return not_assessable(self, "consolidation could not be assessed")
        c = self.config
        if not dense.any():
            return self._finding(np.zeros_like(dense), _nothing(), [], 0.0)
        box = bounding_box(dense, scene.geometry, c.cuff_reach_mm)
        cells = earlier["honeycombing"].mask
        found = _Look(scene, dense, None if cells is None else cells[box], box, c)
        tubes = found.tubes(c.lumen_hu)
        placed = tubes.within(box, dense.shape)
        value = found.values(tubes)
        moved = [found.values(found.tubes(limit)) for limit in c.lumen_hu_range]
        lesions = tuple(
            lesion.model_copy(update={"details": {"length_mm": float(mm), "diameter_mm": found.width_mm(tubes, k)}})
            for k, (lesion, mm) in enumerate(
                zip(
                    lesions_of_voxels(placed.voxel, placed.tube, len(tubes.length_mm), scene),
                    tubes.length_mm,
                    strict=False,
                )
            )
        )
        return self._finding(placed.mask, value, moved, earlier["consolidation"].score or 0.0, lesions)

    def _finding(
        self,
        mask: BoolArray,
        value: dict[str, float | None],
        moved: list[dict[str, float | None]],
        most: float,
        lesions: tuple[Lesion, ...] = (),
    ) -> Finding:
        c = self.config
        score = graded(value["air_bronchogram.length_mm"] or 0.0, c.possible_mm, c.present_mm)
        # It is no surer than the consolidation that it runs through: a bronchus in a scar is none.
        return seen(self, min(score, most), spans(value, moved), mask, lesions)


def _nothing() -> dict[str, float | None]:
    zero = ("length_mm", "count", "wide_outer_length_mm")
    return {f.name: 0.0 if f.name.split(".")[1] in zero else None for f in FEATURES}


class _Look:
    """The box around the consolidation in which bronchi are looked for."""

    def __init__(self, scene: Scene, dense: BoolArray, cells: BoolArray | None, box: Box, config: AirBronchogramConfig):
        self.scene, self.box, self.config = scene, box, config
        self.dense, self.grid = dense[box], scene.geometry.crop(box)
        self.hu = scene.smooth_hu[box]
        lungs = scene.lungs[box] > 0
        solid = (self.hu > config.tissue_hu) & lungs
        # Cuffs around bronchi are consolidated too where they go on from a patch and are thicker than a wall.
        cuff = opened(solid & dilated(self.dense, self.grid, config.cuff_reach_mm), self.grid, config.cuff_mm)
        tissue = (solid & self.dense) | cuff
        near = dilated(tissue, self.grid, 0.5 * config.widest_mm) & ~tissue & lungs
        near &= self.hu < config.lumen_hu_range[1]
        if cells is not None and cells.any():
            near &= ~dilated(cells, self.grid, CELL_RIM_MM)
        self.closed = np.zeros(near.shape, dtype=bool)
        axes = closed_axes(near, tissue, self.grid, config.widest_mm, at_least=config.closed_axes)
        self.closed[near] = axes >= config.closed_axes
        # Where few voxels of a lumen are closed in as well it lies at the edge of the consolidation.
        certain = np.zeros(near.shape, dtype=bool)
        certain[near] = axes > config.closed_axes
        self.closed &= dilated(certain, self.grid, CERTAIN_MM)
        # What is wide and no darker than aerated lung is lung between two consolidations.
        if self.closed.any():
            dark = self.closed & (self.hu < scene.aerated_mode_hu - DARKER_HU)
            self.closed &= ~opened(self.closed, self.grid, AERATED_WIDTH_MM) | dilated(
                dark, self.grid, AERATED_WIDTH_MM
            )
        self.tree = dilated(scene.airways[box], self.grid, 1.0)
        parts = parts_of(self.dense)
        self.large = int((parts.size * self.grid.voxel_ml >= LESION_ML).sum())
        self.lesions = parts.first(self.large).labels()

    def tubes(self, lumen_hu: float) -> Tubes:
        """Tubes below a density that are bronchi."""
        c = self.config
        tubes = tubes_of(self.closed & (self.hu < lumen_hu), self.hu, self.grid, c.piece_mm, TISSUE_HU)
        darkest = _darkest_hu(tubes, self.hu)
        # Pockets of haze or spared lung are closed in too: they hold no air that is free, and no bronchus leads there.
        bronchi = darkest < self.scene.aerated_mode_hu - DARKER_HU
        bronchi[tubes.tube[tubes.of(self.tree)]] = True
        bronchi &= tubes.length_mm >= c.shortest_mm
        # Narrow lumens are blurred to less than free air, and are lost now and then along their way.
        narrow = darkest < c.narrow_hu
        narrow[tubes.piece_tube[tubes.piece_mm > c.narrow_mm]] = False
        return tubes.only(bronchi | narrow)

    def width_mm(self, tubes: Tubes, k: int) -> float:
        """Mean diameter of a tube."""
        return float(tubes.piece_mm[tubes.piece_tube == k].mean())

    def values(self, tubes: Tubes) -> dict[str, float | None]:
        """All measures by dotted name."""
        c, scene = self.config, self.scene
        total = float(tubes.length_mm.sum())
        dense_ml = float(self.dense.sum()) * self.grid.voxel_ml
        out = _nothing() | {
            "air_bronchogram.length_mm": total,
            "air_bronchogram.length_per_ml": total / dense_ml,
            "air_bronchogram.count": float(len(tubes.length_mm)),
        }
        if self.large:
            held = np.unique(_beside(tubes, self.lesions, self.grid, c.widest_mm))
            out["air_bronchogram.lesion_share"] = float((held > 0).sum() / self.large)
        if not total:
            return out
        index = np.rint(tubes.piece_centre).astype(int)
        at = tuple(index.T)
        outer = scene.depth_mm[self.box][at] < scene.reference.outer_third_mm
        share = total / len(tubes.piece_mm)
        zone = scene.zone[self.box][at]
        reached = np.unique(tubes.tube[tubes.of(self.tree)])
        return out | {
            "air_bronchogram.longest_mm": float(tubes.length_mm[0]),
            "air_bronchogram.mean_diameter_mm": float(tubes.piece_mm.mean()),
            "air_bronchogram.largest_diameter_mm": float(np.percentile(tubes.piece_mm, 95)),
            "air_bronchogram.wide_outer_length_mm": float(share * (outer & (tubes.piece_mm > c.wide_mm)).sum()),
            "air_bronchogram.tree_share": float(tubes.length_mm[reached].sum() / total),
            "air_bronchogram.lower_share": float(((zone == 3) | (zone == 6)).mean()),
        }


def _darkest_hu(tubes: Tubes, hu: AnyArray) -> Float64Array:
    """Density below which a twentieth of each tube lies, float64 (n,)."""
    values = tubes.of(hu).astype(np.float64)
    order = np.lexsort((values, tubes.tube))
    size = np.bincount(tubes.tube, minlength=len(tubes.length_mm))
    first = np.cumsum(size) - size
    out: Float64Array = values[order][first + (DARKEST_SHARE * size).astype(int)]
    return out


def _beside(tubes: Tubes, lesions: NDArray[np.int32], grid: Geometry, within_mm: float) -> NDArray[np.int32]:
    """Lesions on both sides of the tubes' voxels along the axes of the array."""
    voxels = np.stack(np.unravel_index(tubes.voxel, tubes.shape), axis=1)
    found = [np.zeros(0, dtype=np.int32)]
    for axis, spacing in enumerate(grid.spacing_mm):
        for step in range(-int(0.5 * within_mm / spacing), int(0.5 * within_mm / spacing) + 1):
            at = voxels.copy()
            at[:, axis] = np.clip(at[:, axis] + step, 0, lesions.shape[axis] - 1)
            found.append(np.unique(lesions[tuple(at.T)]))
    return np.concatenate(found)
