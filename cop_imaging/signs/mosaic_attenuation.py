"""Mosaic attenuation: a patchwork of lobules of two densities, both of them aerated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from cop_imaging.config import Section, quantity
from cop_imaging.core.arrays import BoolArray, Float32Array
from cop_imaging.core.finding import Feature, Finding, Reliability, not_assessable
from cop_imaging.core.geometry import Geometry
from cop_imaging.core.grid import closed, dilated, eroded, keep_large, opened, resample, share_above, share_of
from cop_imaging.core.parts import parts_of
from cop_imaging.core.scene import Scene
from cop_imaging.core.volume import Acquisition
from cop_imaging.signs.density.even_lung import against_even_lung, clean_lung_hu
from cop_imaging.signs.distribution import distribution_features, distribution_of
from cop_imaging.signs.intervals import spans
from cop_imaging.signs.lesions import lesion_table
from cop_imaging.signs.presence import graded, seen
from cop_imaging.signs.reliability import by_thickness

__all__ = ["MosaicAttenuation", "MosaicAttenuationConfig"]


class MosaicAttenuationConfig(Section):
    """Limits of mosaic attenuation."""

    darker_hu: float = quantity(
        30.0,
        low=10.0,
        high=75.0,
        unit="HU",
        means="how much darker than the lung of its height a dark lobule is at least",
        source="halfway between two densities 60 HU apart; Hansell 2008",
    )
    darker_hu_range: tuple[float, float] = quantity(
        (25.0, 40.0), unit="HU", means="tried range of it, from which the interval comes", source="estimate"
    )
    gap_hu: tuple[float, float] = quantity(
        (30.0, 150.0),
        unit="HU",
        means="distance of the two densities",
        source="60 to 150 HU; less where the average blurs small lobules",
    )
    air_hu: float = quantity(
        -975.0,
        low=-1000.0,
        high=-900.0,
        unit="HU",
        means="density below which there is air without lung: cyst, cavity or bulla",
        source="dark lobules keep a third of their tissue; estimate",
    )
    haze_hu: float = quantity(
        -700.0,
        low=-800.0,
        high=-500.0,
        unit="HU",
        means="density above which lung is no aerated lung to compare with",
        source="upper bound of aerated lung",
    )
    even_above_mode_hu: float = quantity(
        60.0,
        low=20.0,
        high=200.0,
        unit="HU",
        means="how much denser than the mode of aerated lung the even lung may be; denser lung is faint haze",
        source="9 to 28 HU for even lung, 89 HU for the faint edge of wide-spread haze; set on made chests",
    )
    grid_mm: float = quantity(
        2.0,
        low=1.0,
        high=4.0,
        unit="mm",
        means="spacing of the grid on which lobules are compared",
        source="a fifth of the smallest lobule; estimate",
    )
    average_mm: float = quantity(
        2.0,
        low=1.0,
        high=5.0,
        unit="mm",
        means="SD of the average of lung density between vessels",
        source="takes noise to a few HU, keeps lobules of 10 mm; estimate",
    )
    shell_mm: float = quantity(
        1.5,
        low=0.5,
        high=3.0,
        unit="mm",
        means="partial-volume shell around vessels, walls and pleura",
        source="one point-spread width, 1-2 mm",
    )
    border_share: float = quantity(
        0.8,
        low=0.1,
        high=1.0,
        unit="1",
        means="part of that darkness down to which a dark lobule goes on towards its border",
        source="the average blurs borders and vessels brighten their surroundings; set on made chests",
    )
    border_mm: float = quantity(
        6.0,
        low=0.0,
        high=15.0,
        unit="mm",
        means="how far it goes on",
        source="half of a small lobule; estimate",
    )
    thinnest_mm: float = quantity(
        6.5,
        low=2.0,
        high=15.0,
        unit="mm",
        means="thickness below which a dark place is a hole of emphysema or a chance, no lobule",
        source="lobules of 10 to 25 mm; holes of emphysema are finer; set on made chests",
    )
    vessel_mm: float = quantity(
        2.5,
        low=0.0,
        high=5.0,
        unit="mm",
        means="radius of what is not dark and yet belongs to a dark lobule around it",
        source="its vessels with their shells; estimate",
    )
    smallest_ml: float = quantity(
        1.0,
        low=0.1,
        high=5.0,
        unit="mL",
        means="smallest dark patch that is kept",
        source="one lobule of 12 mm; estimate",
    )
    around_mm: float = quantity(
        10.0,
        low=4.0,
        high=30.0,
        unit="mm",
        means="reach around dark patches within which bright lung is compared with them",
        source="one lobule; estimate",
    )
    possible_percent: float = quantity(
        0.5,
        low=0.0,
        high=10.0,
        unit="percent of lung",
        means="extent of dark lobules from which it is possible",
        source="set on made chests",
    )
    present_percent: float = quantity(
        1.0,
        low=0.0,
        high=20.0,
        unit="percent of lung",
        means="extent of dark lobules from which it is present",
        source="set on made chests",
    )
    thickness_mm: float = quantity(
        3.0, low=1.0, high=5.0, unit="mm", means="slice thickness up to which it is measured well", source="3 mm"
    )


FEATURES = (
    *distribution_features("mosaic_attenuation", "dark lobules of a mosaic"),
    Feature("mosaic_attenuation.gap_hu", "HU", "density of the lung around dark lobules above theirs", low=None),
    Feature("mosaic_attenuation.dark_patch_ml", "ml", "median volume of the dark patches"),
    Feature(
        "mosaic_attenuation.vessel_ratio", "1", "share of vessels in dark lobules over their share in the lung around"
    ),
)


@dataclass(frozen=True)
class MosaicAttenuation:
    """Patchwork of regions of different attenuation (Fleischner glossary, Hansell 2008)."""

    config: MosaicAttenuationConfig = field(default_factory=MosaicAttenuationConfig)
    name: str = "mosaic_attenuation"
    title: str = "Mosaic attenuation"
    needs: tuple[str, ...] = ("consolidation", "ground_glass")
    has_mask: bool = True
    features: tuple[Feature, ...] = FEATURES

    @property
    def definition(self) -> str:
        """The definition with the limits in force."""
        c = self.config
        return (
            f"Patchwork of lobular areas at least {c.thinnest_mm:g} mm thick that are {c.darker_hu:g} HU and more "
            f"darker than the other aerated lung of their height (two densities up to {c.gap_hu[1]:g} HU apart), "
            f"above {c.air_hu:g} HU; ground glass beside even lung, holes of emphysema and cysts are not counted."
        )

    def reliability(self, acquisition: Acquisition) -> tuple[Reliability, str]:
        """How far the scan's slices suit the sign."""
        return by_thickness(acquisition, self.config.thickness_mm, "mosaic attenuation")

    def observe(self, scene: Scene, earlier: Mapping[str, Finding]) -> Finding:
        """Dark lobules with their distribution, how far the two densities lie apart, and presence."""
        opaque = [earlier[name].mask for name in self.needs]
        dense = np.zeros(scene.lungs.shape, dtype=bool)
        for mask in opaque:
            if mask is None:
                return not_assessable(self, "density could not be assessed")
            dense |= mask
        c = self.config
        work = scene.geometry.resampled((c.grid_mm,) * 3)
        density = clean_lung_hu(scene, dense, work, sigma_mm=c.average_mm, shell_mm=c.shell_mm)
        lung = resample(scene.lungs, scene.geometry, work, method="nearest") > 0
        offset = against_even_lung(
            density,
            work,
            scene.gravity,
            scene.aerated_mode_hu,
            haze_hu=c.haze_hu,
            above_mode_hu=c.even_above_mode_hu,
        )
        if offset is None:
            return not_assessable(self, "too little aerated lung to compare lobules with")
        with np.errstate(invalid="ignore"):
            offset[density < c.air_hu] = np.nan
        dark = dark_lobules(offset, lung, work, c.darker_hu, c)
        mask, value = self._measured(dark, offset, lung, work, scene)
        moved = [
            self._measured(dark_lobules(offset, lung, work, limit, c), offset, lung, work, scene)[1]
            for limit in c.darker_hu_range
        ]
        gap = value["mosaic_attenuation.gap_hu"]
        two_densities = gap is not None and c.gap_hu[0] <= gap <= c.gap_hu[1]
        extent = value["mosaic_attenuation.extent_percent"] or 0.0
        score = graded(extent if two_densities else 0.0, c.possible_percent, c.present_percent)
        return seen(self, score, spans(value, moved), mask, lesion_table(mask, scene, c.smallest_ml))

    def _measured(
        self, dark: BoolArray, offset: Float32Array, lung: BoolArray, work: Geometry, scene: Scene
    ) -> tuple[BoolArray, dict[str, float | None]]:
        """Mask on the crop, and all numbers of it."""
        c = self.config
        (fine,) = share_above(dark, work, scene.geometry, 0.5)
        mask = fine & (scene.lungs > 0) & ~scene.airways
        value = distribution_of(self.name, mask, scene, smallest_patch_ml=c.smallest_ml)
        patch_ml = parts_of(dark).size * work.voxel_ml
        gap, vessels = None, None
        if patch_ml.size:
            around = dilated(dark, work, c.around_mm) & lung & ~dark
            gap = self._gap_hu(dark, around, offset, work)
            tubes = share_of(scene.vessels, scene.geometry, work)
            there = float(tubes[around].mean()) if around.any() else 0.0
            vessels = float(tubes[dark].mean()) / there if there > 0.0 else None
        value |= {
            "mosaic_attenuation.gap_hu": gap,
            "mosaic_attenuation.dark_patch_ml": float(np.median(patch_ml)) if patch_ml.size else None,
            "mosaic_attenuation.vessel_ratio": vessels,
        }
        return mask, value

    def _gap_hu(self, dark: BoolArray, around: BoolArray, offset: Float32Array, work: Geometry) -> float | None:
        """Median density around the dark lobules above theirs, both away from the border that the average blurs."""
        known = np.isfinite(offset)
        inner = eroded(dark, work, self.config.average_mm) & known
        inner = inner if inner.any() else dark & known
        outer = around & known & ~dilated(dark, work, self.config.average_mm)
        return float(np.median(offset[outer]) - np.median(offset[inner])) if outer.any() and inner.any() else None


def dark_lobules(
    offset_hu: Float32Array, lung: BoolArray, work: Geometry, darker_hu: float, config: MosaicAttenuationConfig
) -> BoolArray:
    """Places of the grid ``work`` that are darker than the even lung and at least as thick as half a lobule.

    A dark place reaches as far as the darkness around such a thick core goes on, and holds the vessels in it.
    """
    with np.errstate(invalid="ignore"):
        dark = offset_hu < -darker_hu
    half = config.thinnest_mm / 2
    core = keep_large(opened(dark, work, half), work, config.smallest_ml)
    if not core.any():
        return core
    with np.errstate(invalid="ignore"):
        rest = (offset_hu < -config.border_share * darker_hu) & dilated(core, work, config.border_mm)
    return closed(core | rest, work, config.vessel_mm) & lung
