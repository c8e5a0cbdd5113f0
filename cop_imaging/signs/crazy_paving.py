"""Crazy paving: ground glass with a net of thickened septa in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from cop_imaging.config import Section, quantity
from cop_imaging.core.arrays import BoolArray, Float32Array
from cop_imaging.core.finding import Feature, Finding, Reliability, not_assessable
from cop_imaging.core.grid import keep_large, resample
from cop_imaging.core.line_density import LineDensity, local_mean, lung_between
from cop_imaging.core.scene import Scene
from cop_imaging.core.volume import Acquisition
from cop_imaging.signs.distribution import distribution_features, distribution_of
from cop_imaging.signs.intervals import spans
from cop_imaging.signs.lesions import lesion_table
from cop_imaging.signs.lines.density import line_density, on_scene, union, usual_strength
from cop_imaging.signs.presence import graded, seen
from cop_imaging.signs.reliability import by_thickness

__all__ = ["CrazyPaving", "CrazyPavingConfig"]

Limits = tuple[float, float]


class CrazyPavingConfig(Section):
    """Limits of crazy paving."""

    strength_hu: float = quantity(
        20.0,
        low=10.0,
        high=80.0,
        unit="HU",
        means="mean strength of lines around a voxel, in a scan without noise",
        source="nearly twice the 12 HU of haze without lines in made chests",
    )
    strength_hu_range: Limits = quantity(
        (18.0, 23.0),
        unit="HU",
        means="tried range of that limit, from which the interval comes",
        source="about one tenth to either side; estimate",
    )
    above_aerated_hu: float = quantity(
        150.0,
        low=50.0,
        high=300.0,
        unit="HU",
        means="density between the lines above the mode of aerated lung",
        source="as ground glass",
    )
    between_hu_range: Limits = quantity(
        (-750.0, -600.0),
        unit="HU",
        means="range to which the limit of the density between the lines is held",
        source="lower bounds of ground glass in use; Podolanczuk 2016, Gattinoni 2001",
    )
    between_most_hu: float = quantity(
        -200.0,
        low=-400.0,
        high=-100.0,
        unit="HU",
        means="density between the lines above which lung is consolidated",
        source="highest upper bound of ground glass in use; Hansell 2008",
    )
    bundle_mm: float = quantity(
        1.25,
        low=0.0,
        high=5.0,
        unit="mm",
        means="distance to a bundle within which no line is counted",
        source="with its partial-volume shell 2.5 mm; estimate",
    )
    septum_mm: float = quantity(
        3.8,
        low=1.0,
        high=5.0,
        unit="mm",
        means="largest thickness of a septum as it is seen",
        source="1 to 2 mm with the blur of scan and grid; set on made chests",
    )
    septum_side_hu: float = quantity(
        -740.0,
        low=-900.0,
        high=-500.0,
        unit="HU",
        means="least typical density of a septum's darker side",
        source="haze lies on both sides; set on made chests",
    )
    septum_contrast_hu: Limits = quantity(
        (120.0, 420.0),
        unit="HU",
        means="density of a septum above both its sides",
        source="from four times the noise that is accepted up to arcades of dense lung; set on made chests",
    )
    septum_breadth: float = quantity(
        0.85,
        low=0.5,
        high=1.0,
        unit="1",
        means="share of directions in which a septum goes on for 4 mm: intralobular lines end sooner",
        source="set on made chests",
    )
    septum_share: float = quantity(
        0.004,
        low=0.0,
        high=0.2,
        unit="1",
        means="share of the voxels around that lie on the middle of a septum",
        source="set on made chests",
    )
    septum_share_range: Limits = quantity(
        (0.0, 0.006),
        unit="1",
        means="tried range of that share, from which the interval comes",
        source="without septa all nets of lines on haze are counted; set on made chests",
    )
    smallest_ml: float = quantity(
        1.0,
        low=0.1,
        high=10.0,
        unit="mL",
        means="smallest component that is kept",
        source="a secondary lobule; estimate",
    )
    possible_percent: float = quantity(
        0.15,
        low=0.0,
        high=10.0,
        unit="percent of lung",
        means="extent from which it is possible",
        source="set on made chests",
    )
    present_percent: float = quantity(
        0.4,
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
    *distribution_features("crazy_paving", "crazy paving"),
    Feature("crazy_paving.strength_hu", "HU", "mean strength of the lines in the mask"),
    Feature("crazy_paving.between_lines_hu", "HU", "mean density between the lines of the mask", low=None),
    Feature("crazy_paving.ground_glass_share", "1", "crazy paving over ground glass and crazy paving", high=1.0),
)


@dataclass(frozen=True)
class CrazyPaving:
    """Thickened septa and intralobular lines on ground glass (Fleischner glossary, Hansell 2008)."""

    config: CrazyPavingConfig = field(default_factory=CrazyPavingConfig)
    name: str = "crazy_paving"
    title: str = "Crazy-paving pattern"
    needs: tuple[str, ...] = ("consolidation", "ground_glass", "honeycombing", "bands", "perilobular")
    has_mask: bool = True
    features: tuple[Feature, ...] = FEATURES

    @property
    def definition(self) -> str:
        """The definition with the limits in force."""
        c = self.config
        return (
            "Thickened septa and intralobular lines on ground glass: the mean curvature across lines of 1 to 3 mm "
            f"within about a lobule is above {c.strength_hu:g} HU (nearly twice that of haze without lines), sheets up "
            f"to {c.septum_mm:g} mm thick take at least {100 * c.septum_share:.1f} % of the voxels, and the lung "
            f"between them is at least {c.above_aerated_hu:g} HU denser than aerated lung; components of at least "
            f"{c.smallest_ml:g} mL."
        )

    def reliability(self, acquisition: Acquisition) -> tuple[Reliability, str]:
        """How far the scan's slices suit the sign."""
        return by_thickness(acquisition, self.config.thickness_mm, "crazy paving")

    def observe(self, scene: Scene, earlier: Mapping[str, Finding]) -> Finding:
        """Mask, distribution with intervals, the lines' strength, and presence."""
        dense, haze = earlier["consolidation"].mask, earlier["ground_glass"].mask
        if dense is None or haze is None:
            return not_assessable(self, "consolidation or ground glass could not be assessed")
        c = self.config
        # Septa in haze look like small vessels, and haze full of them like consolidation: both are counted here.
        bundles = scene.airways | ((scene.bundle_mm < c.bundle_mm) & (scene.lungs > 0))
        sheets = union(np.zeros_like(dense), earlier["bands"].mask, earlier["perilobular"].mask)
        without = union(sheets, earlier["honeycombing"].mask)
        lines = line_density(scene, sheets, lung_between(scene.ridges, bundles, scene.geometry))
        septa = self.septa(scene, lines)
        usual = (c.strength_hu, c.septum_share)
        mask, value = self._measured(scene, lines, septa, without, haze, usual)
        tried = [(limit, c.septum_share) for limit in c.strength_hu_range]
        tried += [(c.strength_hu, share) for share in c.septum_share_range]
        moved = [self._measured(scene, lines, septa, without, haze, limits)[1] for limits in tried]
        score = graded(value["crazy_paving.extent_percent"] or 0.0, c.possible_percent, c.present_percent)
        return seen(self, score, spans(value, moved), mask, lesion_table(mask, scene, c.smallest_ml))

    def septa(self, scene: Scene, lines: LineDensity) -> Float32Array:
        """Share of the voxels in the window that lie on the middle of a septum, float32 on the ridges' grid."""
        c, sheets = self.config, scene.ridges.sheets
        thin = (sheets.thickness_mm < c.septum_mm) & (sheets.breadth >= c.septum_breadth)
        thin &= sheets.dark_hu > c.septum_side_hu
        thin &= (sheets.contrast_hu > c.septum_contrast_hu[0]) & (sheets.contrast_hu < c.septum_contrast_hu[1])
        on = np.zeros(lines.geometry.shape, dtype=np.float32)
        on.ravel()[sheets.voxel[thin]] = 1.0
        return local_mean(on, lines.counted, lines.geometry, missing=0.0)

    def _measured(
        self,
        scene: Scene,
        lines: LineDensity,
        septa: Float32Array,
        without: BoolArray,
        haze: BoolArray,
        limits: Limits,
    ) -> tuple[BoolArray, dict[str, float | None]]:
        """Mask and numbers under limits of the lines' strength and of the septa's share."""
        limit_hu, septum_share = limits
        c, grid = self.config, lines.geometry
        hazy_hu = float(np.clip(scene.aerated_mode_hu + c.above_aerated_hu, *c.between_hu_range))
        net = lines.counted & (lines.strength_hu > usual_strength(limit_hu, scene.noise_hu))
        net &= (lines.between_hu > hazy_hu) & (lines.between_hu < c.between_most_hu) & (septa >= septum_share)
        net &= ~resample(without, scene.geometry, grid, method="nearest")
        net = keep_large(net, grid, c.smallest_ml)
        mask = on_scene(net, grid, scene, without)
        value = distribution_of(self.name, mask, scene, smallest_patch_ml=c.smallest_ml)
        strength, between = scene.ridges.line_hu[net], lines.between_hu[net]
        both = int((mask | haze).sum())
        value |= {
            "crazy_paving.strength_hu": float(np.mean(strength, dtype=np.float64)) if strength.size else None,
            "crazy_paving.between_lines_hu": float(np.mean(between, dtype=np.float64)) if strength.size else None,
            "crazy_paving.ground_glass_share": float(mask.sum()) / both if both else None,
        }
        return mask, value
