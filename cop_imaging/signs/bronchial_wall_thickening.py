"""Bronchial wall thickening: walls that are thick for their bronchus."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from cop_imaging.config import Section, quantity
from cop_imaging.core.arrays import BoolArray, Float64Array
from cop_imaging.core.finding import Feature, Finding, Reliability, not_assessable
from cop_imaging.core.scene import Scene
from cop_imaging.core.volume import Acquisition
from cop_imaging.signs.air.bronchi import Bronchi, bronchi_of, median, percent
from cop_imaging.signs.intervals import spans
from cop_imaging.signs.presence import graded, seen
from cop_imaging.signs.reliability import by_thickness

__all__ = ["BronchialWallThickening", "BronchialWallThickeningConfig"]

MADE = "set on made chests"


class BronchialWallThickeningConfig(Section):
    """Limits of bronchial wall thickening."""

    narrowest_mm: float = quantity(
        2.0, low=1.4, high=5.0, unit="mm", means="smallest lumen that is measured", source="airways of 2 mm and more"
    )
    wall_over_outer: float = quantity(
        0.18,
        low=0.1,
        high=0.4,
        unit="1",
        means="thickness of the wall over the outer diameter from which it is thick",
        source=f"0.2 to 0.25 for walls as they look; freed of blur they come out thinner; {MADE}",
    )
    wall_over_outer_range: tuple[float, float] = quantity(
        (0.16, 0.2), unit="1", means="tried range of that limit, from which the interval comes", source="estimate"
    )
    least_length_mm: float = quantity(
        150.0,
        low=0.0,
        high=2000.0,
        unit="mm",
        means="length of bronchi with a measured wall below which nothing is said",
        source="a tenth of what a healthy chest shows at 1.25 mm; estimate",
    )
    possible_percent: float = quantity(
        2.0, low=0.1, high=50.0, unit="percent", means="share of the length from which it is possible", source=MADE
    )
    present_percent: float = quantity(
        5.0, low=0.1, high=80.0, unit="percent", means="share of the length from which it is present", source=MADE
    )
    thickness_mm: float = quantity(
        1.25,
        low=0.5,
        high=3.0,
        unit="mm",
        means="slice thickness up to which it is measured well",
        source="1.25 mm for walls",
    )


FEATURES = (
    Feature("bronchial_wall_thickening.measured_length_mm", "mm", "length of bronchi whose wall could be measured"),
    Feature(
        "bronchial_wall_thickening.wall_area_percent",
        "percent",
        "median wall area over the whole cross-section",
        high=100.0,
    ),
    Feature(
        "bronchial_wall_thickening.wall_over_outer",
        "1",
        "median thickness of the wall over the outer diameter",
        high=0.5,
    ),
    Feature("bronchial_wall_thickening.wall_mm", "mm", "median thickness of the wall"),
    Feature(
        "bronchial_wall_thickening.pi10_mm",
        "mm",
        "square root of the wall area of a bronchus with an inner perimeter of 10 mm, by regression",
    ),
    Feature("bronchial_wall_thickening.thick_length_mm", "mm", "length of bronchi with thick walls"),
    Feature("bronchial_wall_thickening.thick_percent", "percent", "that length over the measured length", high=100.0),
    Feature("bronchial_wall_thickening.zones_hit", "1", "zones of six with at least 10 mm of thick wall", high=6.0),
    Feature("bronchial_wall_thickening.lower_share", "1", "share of the thick length in the lower zones", high=1.0),
)
HIT_MM = 10.0
PI10_MM = 10.0
LEAST_SECTIONS = 20
LEAST_SPREAD_MM = 1.0
"""SD of the inner perimeter below which no regression holds."""


@dataclass(frozen=True)
class BronchialWallThickening:
    """Thickening of the walls of bronchi (Fleischner glossary, Hansell 2008)."""

    config: BronchialWallThickeningConfig = field(default_factory=BronchialWallThickeningConfig)
    name: str = "bronchial_wall_thickening"
    title: str = "Bronchial wall thickening"
    needs: tuple[str, ...] = ()
    has_mask: bool = True
    features: tuple[Feature, ...] = FEATURES

    @property
    def definition(self) -> str:
        """The definition with the limits in force."""
        c = self.config
        return (
            f"Walls of bronchi of {c.narrowest_mm:g} mm and more that are thicker than {c.wall_over_outer:g} of the "
            f"outer diameter, freed of blur, over at least {c.present_percent:g} % of the measured length."
        )

    def reliability(self, acquisition: Acquisition) -> tuple[Reliability, str]:
        """How far the scan's slices suit the sign."""
        return by_thickness(
            acquisition, self.config.thickness_mm, "the thickness of bronchial walls", in_one_slice=False
        )

    def observe(self, scene: Scene, earlier: Mapping[str, Finding]) -> Finding:
        """Walls along the bronchi, with the interval that the wall's own density leaves."""
        del earlier
        c = self.config
        bronchi = bronchi_of(scene, c.narrowest_mm)
        walls = _along(bronchi, bronchi.sections.wall_mm) if bronchi is not None else None
        if bronchi is None or walls is None or bronchi.length_mm(np.isfinite(walls)) < c.least_length_mm:
            return not_assessable(
                self, f"less than {c.least_length_mm:g} mm of bronchi with a wall that could be measured"
            )
        value = _values(scene, bronchi, bronchi.sections.wall_mm, c.wall_over_outer)
        moved = [_values(scene, bronchi, bronchi.sections.wall_mm, limit) for limit in c.wall_over_outer_range]
        moved += [_values(scene, bronchi, wall, c.wall_over_outer) for wall in bronchi.sections.wall_bounds_mm]
        score = graded(value[f"{self.name}.thick_percent"] or 0.0, c.possible_percent, c.present_percent)
        mask = bronchi.marked(scene, walls > c.wall_over_outer)
        return seen(self, score, spans(value, moved), mask)


def _along(bronchi: Bronchi, wall_mm: Float64Array) -> Float64Array:
    """Wall over outer diameter along the bronchi."""
    return bronchi.along(wall_mm / (bronchi.sections.lumen_mm + 2.0 * wall_mm))


def _values(scene: Scene, bronchi: Bronchi, wall_mm: Float64Array, limit: float) -> dict[str, float | None]:
    """All measures by dotted name."""
    ratio = _along(bronchi, wall_mm)
    known: BoolArray = np.isfinite(ratio)
    thick = known & (np.nan_to_num(ratio) > limit)
    lumen = bronchi.sections.lumen_mm
    area = np.where(known, 100.0 * (1.0 - (lumen / (lumen + 2.0 * wall_mm)) ** 2), np.nan)
    zone = np.bincount(scene.zone[bronchi.at][thick], bronchi.step_mm[thick], 7)[1:7]
    total = float(zone.sum())
    measured = bronchi.length_mm(known)
    values = {
        "measured_length_mm": measured,
        "wall_area_percent": median(area),
        "wall_over_outer": median(ratio),
        "wall_mm": median(np.where(known, wall_mm, np.nan)),
        "pi10_mm": _pi10_mm(lumen[known], wall_mm[known]),
        "thick_length_mm": bronchi.length_mm(thick),
        "thick_percent": percent(bronchi.length_mm(thick), measured),
        "zones_hit": float((zone >= HIT_MM).sum()),
        "lower_share": float(zone[2] + zone[5]) / total if total > 0.0 else None,
    }
    return {f"bronchial_wall_thickening.{name}": value for name, value in values.items()}


def _pi10_mm(lumen_mm: Float64Array, wall_mm: Float64Array) -> float | None:
    """Pi10: regression of the square root of the wall area on the inner perimeter (Nakano Y et al., 2005)."""
    known = np.isfinite(wall_mm)
    if known.sum() < LEAST_SECTIONS:
        return None
    perimeter, wall = np.pi * lumen_mm[known], wall_mm[known]
    root = np.sqrt(wall * (perimeter + np.pi * wall))
    spread = float(perimeter.var())
    if spread < LEAST_SPREAD_MM**2:
        return None
    slope = float(((perimeter - perimeter.mean()) * root).mean()) / spread
    return float(root.mean() + slope * (PI10_MM - perimeter.mean()))
