"""Cavity: gas inside a nodule, a mass or a consolidation, with a wall."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from cop_imaging.config import Section, quantity
from cop_imaging.core.arrays import Int64Array
from cop_imaging.core.finding import Feature, Finding, Reliability
from cop_imaging.core.grid import resample
from cop_imaging.core.scene import Scene
from cop_imaging.core.volume import Acquisition
from cop_imaging.signs.air.pockets import Pockets, gas_pockets
from cop_imaging.signs.intervals import spans
from cop_imaging.signs.lesions import lesions_of_labels
from cop_imaging.signs.presence import graded, seen
from cop_imaging.signs.reliability import by_thickness

__all__ = ["Cavity", "CavityConfig"]


class CavityConfig(Section):
    """Limits of cavities."""

    gas_hu: float = quantity(
        -800.0, low=-1000.0, high=-700.0, unit="HU", means="density below which it is gas", source="gas below -800 HU"
    )
    below_aerated_hu: float = quantity(
        40.0,
        low=0.0,
        high=150.0,
        unit="HU",
        means="how far gas lies below the mode of aerated lung at least: else it is spared lung",
        source="gas is near -1000 HU, aerated lung -900 to -800; set on made chests",
    )
    wall_hu: float = quantity(
        -500.0, low=-700.0, high=-200.0, unit="HU", means="density above which it is wall", source="half of tissue"
    )
    wall_hu_range: tuple[float, float] = quantity(
        (-600.0, -400.0), unit="HU", means="tried range of that limit", source="estimate"
    )
    possible_wall_mm: float = quantity(
        3.0, low=0.0, high=10.0, unit="mm", means="wall from which it is possible", source="thinner: cyst or bulla"
    )
    present_wall_mm: float = quantity(
        4.0,
        low=0.0,
        high=20.0,
        unit="mm",
        means="wall from which it is present",
        source="wall over 4 mm; a bulla's or cyst's is thinner (Hansell 2008)",
    )
    all_round: float = quantity(
        0.5,
        low=0.0,
        high=1.0,
        unit="1",
        means="least ratio of the wall's lower quartile to its median",
        source="a wall on all sides; estimate",
    )
    inner_mm: float = quantity(
        5.0, low=2.0, high=20.0, unit="mm", means="smallest diameter of the largest ball of gas", source="estimate"
    )
    elongation: float = quantity(
        3.0, low=1.0, high=10.0, unit="1", means="longest over shortest axis of what is no tube", source="estimate"
    )
    fullness: float = quantity(
        0.7,
        low=0.0,
        high=1.0,
        unit="1",
        means="least volume over that of an ellipsoid of the same spread",
        source="honeycomb cells that run together reach 0.5; set on made chests",
    )
    airway_share: float = quantity(
        0.2, low=0.0, high=1.0, unit="1", means="share of airway from which it is one", source="estimate"
    )
    most_neighbours: int = quantity(
        3,
        low=0,
        high=50,
        unit="1",
        means="most other gas pockets within 20 mm: more are honeycombing",
        source="cells of 3-10 mm side by side have ten and more; set on made chests",
    )
    thickness_mm: float = quantity(
        3.0, low=0.5, high=5.0, unit="mm", means="slice thickness up to which it is measured well", source="3 mm"
    )


FEATURES = (
    Feature("cavity.count", "1", "cavities with a wall of the size that counts as present"),
    Feature("cavity.possible_count", "1", "gas pockets with a thinner wall"),
    Feature("cavity.gas_volume_ml", "ml", "volume of gas in all of them"),
    Feature("cavity.largest_inner_mm", "mm", "inner diameter of the largest, of a ball of its volume"),
    Feature("cavity.largest_outer_mm", "mm", "its median diameter with the wall"),
    Feature("cavity.largest_wall_mm", "mm", "median thickness of its wall"),
)


@dataclass(frozen=True)
class Cavity:
    """Gas-filled space in a consolidation, a mass or a nodule (Fleischner glossary, Hansell 2008, "cavity")."""

    config: CavityConfig = field(default_factory=CavityConfig)
    name: str = "cavity"
    title: str = "Cavity"
    needs: tuple[str, ...] = ()
    has_mask: bool = True
    features: tuple[Feature, ...] = FEATURES

    @property
    def definition(self) -> str:
        """The definition with the limits in force."""
        c = self.config
        return (
            f"Gas below {c.gas_hu:g} HU of at least {c.inner_mm:g} mm, closed in by tissue above {c.wall_hu:g} HU with "
            f"a wall of {c.present_wall_mm:g} mm or more all round; no tube, no airway, no cell among others "
            "(honeycombing), and darker than aerated lung. "
            "The mask is the gas."
        )

    def reliability(self, acquisition: Acquisition) -> tuple[Reliability, str]:
        """How far the scan's slices suit the sign."""
        return by_thickness(acquisition, self.config.thickness_mm, "cavities", in_one_slice=False)

    def observe(self, scene: Scene, earlier: Mapping[str, Finding]) -> Finding:
        """Pockets of gas with their walls, and the interval over the wall's limit."""
        del earlier
        c = self.config
        pockets = gas_pockets(scene, c.wall_hu)
        rows = self._cavities(pockets, scene.aerated_mode_hu)
        # Only what was found is measured again under other limits: the search takes a second.
        others = [gas_pockets(scene, limit) for limit in c.wall_hu_range] if len(rows) else []
        moved = [self._values(p, self._cavities(p, scene.aerated_mode_hu)) for p in others]
        value = self._values(pockets, rows)
        number = np.zeros(len(pockets.wall_mm) + 1, dtype=np.int32)
        number[rows + 1] = np.arange(1, len(rows) + 1)
        labels = resample(number[pockets.labels], pockets.grid, scene.geometry, method="nearest")
        lesions = tuple(
            lesion.model_copy(
                update={
                    "details": {
                        "inner_mm": float(pockets.shapes.diameter_mm[k]),
                        "outer_mm": float(pockets.outer_mm[k]),
                        "wall_mm": float(pockets.wall_mm[k]),
                        "kind": "cavity" if pockets.wall_mm[k] >= c.present_wall_mm else "thin wall, possible",
                    }
                }
            )
            for k, lesion in zip(rows, lesions_of_labels(labels, len(rows), scene), strict=False)
        )
        thickest = float(pockets.wall_mm[rows].max()) if len(rows) else 0.0
        score = graded(thickest, c.possible_wall_mm, c.present_wall_mm)
        return seen(self, score, spans(value, moved), labels > 0, lesions)

    def _cavities(self, p: Pockets, aerated_hu: float) -> Int64Array:
        """Rows of the pockets that are cavities or possible ones, largest first."""
        c = self.config
        found = (
            (p.middle_hu < min(c.gas_hu, aerated_hu - c.below_aerated_hu))
            & (2.0 * p.shapes.inscribed_mm >= c.inner_mm)
            & (p.shapes.elongation <= c.elongation)
            & (p.shapes.fullness >= c.fullness)
            & (p.airway_share < c.airway_share)
            & (p.neighbours <= c.most_neighbours)
            & (p.wall_mm >= c.possible_wall_mm)
            & (p.wall_lower_mm >= c.all_round * p.wall_mm)
        )
        rows = np.flatnonzero(found)
        return rows[np.argsort(-p.shapes.volume_ml[rows], kind="stable")]

    def _values(self, p: Pockets, rows: Int64Array) -> dict[str, float | None]:
        present = rows[p.wall_mm[rows] >= self.config.present_wall_mm]
        largest = present[0] if len(present) else (rows[0] if len(rows) else None)
        return {
            "cavity.count": float(len(present)),
            "cavity.possible_count": float(len(rows) - len(present)),
            "cavity.gas_volume_ml": float(p.shapes.volume_ml[rows].sum()),
            "cavity.largest_inner_mm": None if largest is None else float(p.shapes.diameter_mm[largest]),
            "cavity.largest_outer_mm": None if largest is None else float(p.outer_mm[largest]),
            "cavity.largest_wall_mm": None if largest is None else float(p.wall_mm[largest]),
        }
