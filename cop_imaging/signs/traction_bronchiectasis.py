"""Traction bronchiectasis: wide, irregular bronchi in fibrotic lung."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from cop_imaging.config import Section, quantity
from cop_imaging.core.arrays import BoolArray
from cop_imaging.core.finding import Feature, Finding, Reliability
from cop_imaging.core.grid import dilated
from cop_imaging.core.scene import Scene
from cop_imaging.core.volume import Acquisition
from cop_imaging.signs.air.tubes import Tubes, closed_axes, tubes_of
from cop_imaging.signs.intervals import spans
from cop_imaging.signs.lesions import lesions_of_voxels
from cop_imaging.signs.presence import graded, seen
from cop_imaging.signs.reliability import by_thickness

__all__ = ["TractionBronchiectasis", "TractionBronchiectasisConfig"]

MADE = "set on made chests"


class TractionBronchiectasisConfig(Section):
    """Limits of traction bronchiectasis."""

    depth_mm: tuple[float, float] = quantity(
        (6.0, 22.0),
        unit="mm",
        means="mean depth below the costal pleura: nearer lie rows of honeycombing, deeper healthy bronchi",
        source=f"fibrosis pulls at bronchi below the cells on the pleura; {MADE}",
    )
    lumen_hu: float = quantity(
        -750.0,
        low=-950.0,
        high=-600.0,
        unit="HU",
        means="density below which a voxel between walls may be lumen",
        source=f"the edge of a blurred lumen of 3 mm; {MADE}",
    )
    darker_hu: float = quantity(
        90.0,
        low=20.0,
        high=300.0,
        unit="HU",
        means="how much darker a lumen is than the mean of the 6 mm around it",
        source=MADE,
    )
    wall_hu: float = quantity(
        -600.0,
        low=-750.0,
        high=-300.0,
        unit="HU",
        means="density of a wall, thinned by blur",
        source=f"a wall of 0.8 mm is blurred to about -550 HU; {MADE}",
    )
    wall_hu_range: tuple[float, float] = quantity(
        (-640.0, -560.0), unit="HU", means="tried range of that limit, from which the interval comes", source="estimate"
    )
    widest_mm: float = quantity(
        7.0,
        low=3.0,
        high=12.0,
        unit="mm",
        means="distance of walls on both sides",
        source="lumens up to 5 mm; estimate",
    )
    closed_axes: int = quantity(
        9, low=4, high=13, unit="1", means="axes of 13 along which walls must close a lumen in", source=MADE
    )
    air_hu: float = quantity(
        -945.0,
        low=-980.0,
        high=-850.0,
        unit="HU",
        means="density that the darkest tenth of a lumen must reach: meshes of fibrosis hold lung and not air",
        source=MADE,
    )
    shortest_mm: float = quantity(
        10.0,
        low=4.0,
        high=30.0,
        unit="mm",
        means="least length",
        source="cells of honeycombing are up to 10 mm across",
    )
    slender: float = quantity(
        3.5,
        low=1.0,
        high=10.0,
        unit="1",
        means="least length over diameter",
        source="cells of honeycombing are round; estimate",
    )
    possible_mm: float = quantity(
        15.0, low=1.0, high=200.0, unit="mm", means="total length from which it is possible", source=MADE
    )
    present_mm: float = quantity(
        40.0, low=1.0, high=400.0, unit="mm", means="total length from which it is present", source=MADE
    )
    thickness_mm: float = quantity(
        1.5, low=0.5, high=3.0, unit="mm", means="slice thickness up to which it is measured well", source="1.5 mm"
    )


FEATURES = (
    Feature("traction_bronchiectasis.length_mm", "mm", "length of wide bronchi in fibrotic lung"),
    Feature("traction_bronchiectasis.count", "1", "pieces of such bronchi"),
    Feature("traction_bronchiectasis.mean_diameter_mm", "mm", "mean inner diameter along the length"),
    Feature("traction_bronchiectasis.irregularity", "1", "spread of the diameter along a bronchus over its mean"),
    Feature("traction_bronchiectasis.depth_median_mm", "mm", "median depth below the costal pleura"),
    Feature("traction_bronchiectasis.lower_share", "1", "share of the length in the lower zones", high=1.0),
    Feature("traction_bronchiectasis.right_share", "1", "share of the length in the right lung", high=1.0),
)
AROUND_MM = 6.0
AIRWAY_RIM_MM = 1.5
BEYOND_MM = 8.0
"""How far a tube may reach beyond the depths between which its middle lies."""
TISSUE_HU = 0.0


@dataclass(frozen=True)
class TractionBronchiectasis:
    """Irregular bronchial dilatation caused by surrounding fibrosis (Fleischner glossary, Hansell 2008)."""

    config: TractionBronchiectasisConfig = field(default_factory=TractionBronchiectasisConfig)
    name: str = "traction_bronchiectasis"
    title: str = "Traction bronchiectasis"
    needs: tuple[str, ...] = ()
    has_mask: bool = True
    features: tuple[Feature, ...] = FEATURES

    @property
    def definition(self) -> str:
        """The definition with the limits in force."""
        c = self.config
        return (
            f"Tubes of air {c.depth_mm[0]:g} to {c.depth_mm[1]:g} mm below the costal pleura, closed in by walls "
            f"within {c.widest_mm:g} mm, at least {c.shortest_mm:g} mm long and {c.slender:g} times as long as wide."
        )

    def reliability(self, acquisition: Acquisition) -> tuple[Reliability, str]:
        """How far the scan's slices suit the sign."""
        return by_thickness(acquisition, self.config.thickness_mm, "traction bronchiectasis", in_one_slice=False)

    def observe(self, scene: Scene, earlier: Mapping[str, Finding]) -> Finding:
        """Tubes of air between walls where bronchi are too small to be seen in health."""
        del earlier
        c = self.config
        candidates = _candidates(scene, c)
        # What denser walls close in, thinner ones do too: the wider mask is searched first.
        limits = sorted((*c.wall_hu_range, c.wall_hu))
        found: dict[float, Tubes] = {}
        for limit in limits:
            candidates = _closed(scene, candidates, limit, c)
            found[limit] = _slender(scene, candidates, c)
        tubes = found[c.wall_hu]
        value = _values(scene, tubes)
        moved = [_values(scene, found[limit]) for limit in limits]
        score = graded(value[f"{self.name}.length_mm"] or 0.0, c.possible_mm, c.present_mm)
        return seen(
            self,
            score,
            spans(value, moved),
            tubes.mask,
            lesions=tuple(
                lesion.model_copy(update={"details": {"length_mm": float(mm)}})
                for lesion, mm in zip(
                    lesions_of_voxels(tubes.voxel, tubes.tube, len(tubes.length_mm), scene),
                    tubes.length_mm,
                    strict=False,
                )
            ),
        )


def _candidates(scene: Scene, c: TractionBronchiectasisConfig) -> BoolArray:
    """Voxels darker than what lies around them, near the pleura, and no part of the healthy tree."""
    hu = scene.smooth_hu
    size = [round(AROUND_MM / s) | 1 for s in scene.geometry.spacing_mm]
    darker = ndimage.uniform_filter(np.clip(hu, -1000, 0), size, output=np.float32)
    darker -= hu
    out: BoolArray = (
        (scene.lungs > 0) & (hu < c.lumen_hu) & (darker > c.darker_hu) & (scene.depth_mm < c.depth_mm[1] + BEYOND_MM)
    )
    out &= scene.depth_mm > c.depth_mm[0] - BEYOND_MM
    out &= ~dilated(scene.airways, scene.geometry, AIRWAY_RIM_MM)
    return out


def _closed(scene: Scene, candidates: BoolArray, wall_hu: float, c: TractionBronchiectasisConfig) -> BoolArray:
    """Candidates that walls close in."""
    out = np.zeros(candidates.shape, dtype=bool)
    axes = closed_axes(candidates, scene.smooth_hu > wall_hu, scene.geometry, c.widest_mm, at_least=c.closed_axes)
    out[candidates] = axes >= c.closed_axes
    return out


def _slender(scene: Scene, closed: BoolArray, c: TractionBronchiectasisConfig) -> Tubes:
    """Slender tubes that hold air and lie where no bronchus is seen in health and no cells lie."""
    tubes = tubes_of(closed, scene.smooth_hu, scene.geometry, c.shortest_mm, TISSUE_HU)
    n = len(tubes.length_mm)
    if n == 0:
        return tubes
    count = np.bincount(tubes.piece_tube, minlength=n)
    width = np.bincount(tubes.piece_tube, tubes.piece_mm, n) / count
    at = tuple(np.rint(tubes.piece_centre).astype(np.int64).T)
    depth = np.bincount(tubes.piece_tube, scene.depth_mm[at], n) / count
    kept = (_darkest_tenth(scene, tubes) < c.air_hu) & (tubes.length_mm > c.slender * width)
    kept &= (depth > c.depth_mm[0]) & (depth < c.depth_mm[1])
    return tubes.only(kept)


def _darkest_tenth(scene: Scene, tubes: Tubes) -> NDArray[np.float64]:
    """10th percentile of the density in each tube, (n,)."""
    hu = tubes.of(scene.smooth_hu)
    order = np.lexsort((hu, tubes.tube))
    count = np.bincount(tubes.tube)
    first = np.concatenate([[0], np.cumsum(count)[:-1]])
    out: NDArray[np.float64] = hu[order][first + count // 10].astype(np.float64)
    return out


def _values(scene: Scene, tubes: Tubes) -> dict[str, float | None]:
    """All measures by dotted name."""
    total, n = float(tubes.length_mm.sum()), len(tubes.length_mm)
    values: dict[str, float | None] = {f.name.split(".")[1]: None for f in FEATURES}
    values |= {"length_mm": total, "count": float(n)}
    if n:
        at = tuple(np.rint(tubes.piece_centre).astype(np.int64).T)
        zone = scene.zone[at]
        count = np.bincount(tubes.piece_tube, minlength=n)
        mean = np.bincount(tubes.piece_tube, tubes.piece_mm, n) / count
        spread = np.sqrt(np.bincount(tubes.piece_tube, (tubes.piece_mm - mean[tubes.piece_tube]) ** 2, n) / count)
        values |= {
            "mean_diameter_mm": float(tubes.piece_mm.mean()),
            "irregularity": float((spread / mean).mean()),
            "depth_median_mm": float(np.median(scene.depth_mm[at])),
            "lower_share": float(((zone == 3) | (zone == 6)).mean()),
            "right_share": float((scene.lungs[at] == 1).mean()),
        }
    return {f"traction_bronchiectasis.{name}": value for name, value in values.items()}
