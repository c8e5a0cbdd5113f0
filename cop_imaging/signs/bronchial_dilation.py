"""Bronchial dilation: bronchi wider than the artery beside them, that do not taper, or that reach the periphery."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from cop_imaging.config import Section, quantity
from cop_imaging.core.arrays import Float64Array
from cop_imaging.core.finding import Feature, Finding, Reliability, not_assessable
from cop_imaging.core.scene import Scene
from cop_imaging.core.volume import Acquisition
from cop_imaging.signs.air.bronchi import Bronchi, bronchi_of, median, percent
from cop_imaging.signs.intervals import spans
from cop_imaging.signs.presence import graded, seen
from cop_imaging.signs.reliability import by_thickness

__all__ = ["BronchialDilation", "BronchialDilationConfig"]

MADE = "set on made chests"


class BronchialDilationConfig(Section):
    """Limits of bronchial dilation."""

    narrowest_mm: float = quantity(
        2.0, low=1.4, high=5.0, unit="mm", means="smallest lumen that is measured", source="airways of 2 mm and more"
    )
    lumen_over_artery: float = quantity(
        1.1,
        low=0.8,
        high=2.0,
        unit="1",
        means="inner diameter over the artery's from which a bronchus is dilated",
        source=f"1.0 to 1.1; normal mean near 0.7, up to 1.0 in healthy elderly (Matsuoka 2003); {MADE}",
    )
    lumen_over_artery_range: tuple[float, float] = quantity(
        (1.0, 1.2), unit="1", means="tried range of that limit, from which the interval comes", source="estimate"
    )
    least_length_mm: float = quantity(
        100.0,
        low=0.0,
        high=2000.0,
        unit="mm",
        means="length of bronchi with an artery below which nothing is said",
        source="a tenth of what a healthy chest shows at 1.25 mm; estimate",
    )
    taper_percent: float = quantity(
        5.0,
        low=0.0,
        high=20.0,
        unit="percent per cm",
        means="loss of diameter below which a branch does not taper",
        source="under 10 % over 2 cm",
    )
    taper_length_mm: float = quantity(
        15.0,
        low=8.0,
        high=40.0,
        unit="mm",
        means="length of a branch from which its taper is judged",
        source="2 cm, and shorter where branches are; estimate",
    )
    peripheral_mm: float = quantity(
        10.0,
        low=2.0,
        high=20.0,
        unit="mm",
        means="depth below the costal pleura within which no bronchus is seen in health",
        source="within 1 cm of the pleura",
    )
    possible_percent: float = quantity(
        4.0, low=0.1, high=50.0, unit="percent", means="share of the length from which it is possible", source=MADE
    )
    present_percent: float = quantity(
        8.0, low=0.1, high=80.0, unit="percent", means="share of the length from which it is present", source=MADE
    )
    thickness_mm: float = quantity(
        1.5, low=0.5, high=3.0, unit="mm", means="slice thickness up to which it is measured well", source="1.5 mm"
    )


FEATURES = (
    Feature("bronchial_dilation.measured_length_mm", "mm", "length of bronchi with an artery beside them"),
    Feature("bronchial_dilation.lumen_over_artery", "1", "median inner diameter over the artery's diameter"),
    Feature("bronchial_dilation.lumen_over_artery_p90", "1", "90th percentile of that ratio"),
    Feature("bronchial_dilation.dilated_length_mm", "mm", "length of bronchi wider than their artery"),
    Feature("bronchial_dilation.dilated_percent", "percent", "that length over the measured length", high=100.0),
    Feature(
        "bronchial_dilation.taper_percent_per_cm",
        "percent/cm",
        "median loss of inner diameter along a centimetre of a branch",
        low=None,
    ),
    Feature(
        "bronchial_dilation.untapered_percent", "percent", "share of the length of branches without taper", high=100.0
    ),
    Feature("bronchial_dilation.peripheral_length_mm", "mm", "length of bronchi within 1 cm of the costal pleura"),
    Feature("bronchial_dilation.zones_hit", "1", "zones of six with at least 10 mm of dilated bronchus", high=6.0),
    Feature("bronchial_dilation.lower_share", "1", "share of the dilated length in the lower zones", high=1.0),
)
HIT_MM = 10.0


@dataclass(frozen=True)
class BronchialDilation:
    """Bronchi wider than the artery beside them, without taper, or seen within 1 cm of the pleura (Hansell 2008)."""

    config: BronchialDilationConfig = field(default_factory=BronchialDilationConfig)
    name: str = "bronchial_dilation"
    title: str = "Bronchial dilation"
    needs: tuple[str, ...] = ()
    has_mask: bool = True
    features: tuple[Feature, ...] = FEATURES

    @property
    def definition(self) -> str:
        """The definition with the limits in force."""
        c = self.config
        return (
            f"Inner diameter of bronchi of {c.narrowest_mm:g} mm and more above {c.lumen_over_artery:g} of the artery "
            f"beside them over at least {c.present_percent:g} % of the measured length."
        )

    def reliability(self, acquisition: Acquisition) -> tuple[Reliability, str]:
        """How far the scan's slices suit the sign."""
        return by_thickness(acquisition, self.config.thickness_mm, "the width of bronchi", in_one_slice=False)

    def observe(self, scene: Scene, earlier: Mapping[str, Finding]) -> Finding:
        """Lumen against artery along the bronchi, taper, and how far out bronchi are seen."""
        del earlier
        c = self.config
        bronchi = bronchi_of(scene, c.narrowest_mm)
        ratio = None if bronchi is None else bronchi.along(bronchi.sections.lumen_over_artery)
        if bronchi is None or ratio is None or bronchi.length_mm(np.isfinite(ratio)) < c.least_length_mm:
            return not_assessable(self, f"less than {c.least_length_mm:g} mm of bronchi with an artery beside them")
        value = _values(scene, bronchi, ratio, c.lumen_over_artery, c)
        moved = [_values(scene, bronchi, ratio, limit, c) for limit in c.lumen_over_artery_range]
        score = graded(value[f"{self.name}.dilated_percent"] or 0.0, c.possible_percent, c.present_percent)
        mask = bronchi.marked(scene, np.nan_to_num(ratio) > c.lumen_over_artery)
        return seen(self, score, spans(value, moved), mask)


def _values(
    scene: Scene, bronchi: Bronchi, ratio: Float64Array, limit: float, config: BronchialDilationConfig
) -> dict[str, float | None]:
    """All measures by dotted name."""
    known = np.isfinite(ratio)
    wide = known & (np.nan_to_num(ratio) > limit)
    zone = np.bincount(scene.zone[bronchi.at][wide], bronchi.step_mm[wide], 7)[1:7]
    total, measured = float(zone.sum()), bronchi.length_mm(known)
    taper, length = _tapers(bronchi, config.taper_length_mm)
    outer = bronchi.inside & (scene.depth_mm[bronchi.at] < config.peripheral_mm)
    values = {
        "measured_length_mm": measured,
        "lumen_over_artery": median(ratio),
        "lumen_over_artery_p90": median(ratio, 90.0),
        "dilated_length_mm": bronchi.length_mm(wide),
        "dilated_percent": percent(bronchi.length_mm(wide), measured),
        "taper_percent_per_cm": median(taper),
        "untapered_percent": percent(float(length[taper < config.taper_percent].sum()), float(length.sum())),
        "peripheral_length_mm": bronchi.length_mm(outer),
        "zones_hit": float((zone >= HIT_MM).sum()),
        "lower_share": float(zone[2] + zone[5]) / total if total > 0.0 else None,
    }
    return {f"bronchial_dilation.{name}": value for name, value in values.items()}


def _tapers(bronchi: Bronchi, least_mm: float) -> tuple[Float64Array, Float64Array]:
    """Loss of diameter in percent per cm of each branch that is long enough, and its length in mm."""
    rows = np.flatnonzero(bronchi.inside)
    branch = bronchi.tree.branch[bronchi.sections.point[rows]]
    way = np.cumsum(bronchi.step_mm[rows])
    size = np.log(bronchi.sections.lumen_mm[rows])
    n = len(bronchi.tree.parent)
    count = np.maximum(np.bincount(branch, minlength=n), 1)
    x = way - (np.bincount(branch, way, n) / count)[branch]
    y = size - (np.bincount(branch, size, n) / count)[branch]
    spread = np.bincount(branch, x * x, n)
    slope = np.bincount(branch, x * y, n) / np.maximum(spread, 1e-6)
    length = np.bincount(branch, bronchi.step_mm[rows], n).astype(np.float64)
    judged = length >= least_mm
    return 100.0 * (1.0 - np.exp(10.0 * slope[judged])), length[judged]
