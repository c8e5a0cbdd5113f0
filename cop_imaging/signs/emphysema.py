"""Emphysema: lung below -950 HU once noise is taken off, and how large its holes are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from cop_imaging.config import Section, quantity
from cop_imaging.core.arrays import BoolArray, Float32Array, Int16Array
from cop_imaging.core.finding import Feature, Finding, Reliability
from cop_imaging.core.geometry import Geometry
from cop_imaging.core.grid import dilated, resample, smoothed
from cop_imaging.core.parts import parts_of
from cop_imaging.core.scene import Scene
from cop_imaging.core.separable import blurred
from cop_imaging.core.volume import Acquisition
from cop_imaging.signs.distribution import distribution_features, distribution_of
from cop_imaging.signs.intervals import spans
from cop_imaging.signs.lesions import lesion_table
from cop_imaging.signs.presence import graded, seen
from cop_imaging.signs.reliability import by_thickness

__all__ = ["Emphysema", "EmphysemaConfig"]


class EmphysemaConfig(Section):
    """Limits of emphysema."""

    low_hu: float = quantity(
        -950.0,
        low=-980.0,
        high=-880.0,
        unit="HU",
        means="density below which lung is emphysematous",
        source="-950 HU on thin soft-kernel slices, -910 HU on thick ones",
    )
    low_hu_range: tuple[float, float] = quantity(
        (-960.0, -910.0),
        unit="HU",
        means="tried range of the limit, from which the interval comes",
        source="-960 to -910",
    )
    noise_hu: float = quantity(
        12.0,
        low=2.0,
        high=50.0,
        unit="HU",
        means="noise to which the scan is averaged",
        source="aerated lung 50 HU above the limit then stays above it; estimate",
    )
    widest_mm: float = quantity(
        1.3,
        low=0.0,
        high=3.0,
        unit="mm",
        means="largest SD of that average",
        source="holes of 3 mm must stay; estimate",
    )
    smallest_ml: float = quantity(
        0.02,
        low=0.0,
        high=1.0,
        unit="mL",
        means="smallest hole that is kept",
        source="a hole of 3 mm; noise makes smaller ones; estimate",
    )
    below_lobule_hu: float = quantity(
        25.0,
        low=0.0,
        high=100.0,
        unit="HU",
        means="how much darker than the dark lobules of a mosaic a hole in them is at least",
        source="twice the accepted noise; estimate",
    )
    wall_mm: float = quantity(
        2.0,
        low=0.0,
        high=5.0,
        unit="mm",
        means="reach around airways and honeycombing that is not looked at",
        source="one point-spread width and a bronchial wall; estimate",
    )
    large_ml: float = quantity(
        0.5,
        low=0.05,
        high=10.0,
        unit="mL",
        means="volume from which a hole is a large one",
        source="about 10 mm across: a bulla; Hansell 2008",
    )
    possible_percent: float = quantity(
        0.7,
        low=0.0,
        high=10.0,
        unit="percent of lung",
        means="extent from which it is possible",
        source="set on made chests",
    )
    present_percent: float = quantity(
        1.5,
        low=0.0,
        high=20.0,
        unit="percent of lung",
        means="extent from which it is present",
        source="1 to 5 % of lung; set on made chests",
    )
    thickness_mm: float = quantity(
        1.5, low=0.5, high=5.0, unit="mm", means="slice thickness up to which it is measured well", source="1.5 mm"
    )


LOBULE_GRID_MM, LOBULE_AVERAGE_MM, LOBULE_BORDER_MM = 3.0, 6.0, 5.0
"""Grid and average on which the density of dark lobules is taken, and how far they may go on beyond their mask."""
NO_HOLE_HU, NO_LIMIT_HU = -850.0, 1000.0

FEATURES = (
    *distribution_features("emphysema", "emphysema"),
    Feature("emphysema.hole_median_ml", "ml", "volume of the hole in which half of the emphysema lies"),
    Feature("emphysema.large_holes_percent", "percent", "share of the lungs in holes of 10 mm and more", high=100.0),
)


@dataclass(frozen=True)
class Emphysema:
    """Permanently enlarged air spaces: low attenuation without visible walls (Fleischner glossary, Hansell 2008)."""

    config: EmphysemaConfig = field(default_factory=EmphysemaConfig)
    name: str = "emphysema"
    title: str = "Emphysema"
    needs: tuple[str, ...] = ("honeycombing", "mosaic_attenuation")
    has_mask: bool = True
    features: tuple[Feature, ...] = FEATURES

    @property
    def definition(self) -> str:
        """The definition with the limits in force."""
        c = self.config
        return (
            f"Lung below {c.low_hu:g} HU after averaging to a noise of {c.noise_hu:g} HU, in holes of at least "
            f"{c.smallest_ml:g} mL, apart from airways and honeycombing; in the dark lobules of a mosaic it is at "
            f"least {c.below_lobule_hu:g} HU darker than these."
        )

    def reliability(self, acquisition: Acquisition) -> tuple[Reliability, str]:
        """How far the scan's slices suit the sign."""
        return by_thickness(acquisition, self.config.thickness_mm, "emphysema")

    def observe(self, scene: Scene, earlier: Mapping[str, Finding]) -> Finding:
        """Mask with its distribution, sizes of the holes, and presence."""
        c = self.config
        sigma_mm = averaging_mm(scene.noise_hu, scene.geometry, c)
        density = blurred(scene.hu, [sigma_mm / s for s in scene.geometry.spacing_mm]) if sigma_mm > 0.0 else scene.hu
        lung = self._looked_at(scene, earlier["honeycombing"].mask)
        mosaic = earlier["mosaic_attenuation"].mask
        lobules = lobule_limit_hu(mosaic, density, lung, scene.geometry, c.below_lobule_hu)
        mask, value = self._measured(density, lung, lobules, c.low_hu, scene)
        moved = [self._measured(density, lung, lobules, limit, scene)[1] for limit in c.low_hu_range]
        score = graded(value["emphysema.extent_percent"] or 0.0, c.possible_percent, c.present_percent)
        return seen(self, score, spans(value, moved), mask, lesion_table(mask, scene, c.large_ml))

    def _looked_at(self, scene: Scene, honeycombing: BoolArray | None) -> BoolArray:
        """Lung without airways, honeycombing and what lies close to them."""
        other = scene.airways if honeycombing is None else scene.airways | honeycombing
        return (scene.lungs > 0) & ~dilated(other, scene.geometry, self.config.wall_mm)

    def _measured(
        self, density: Int16Array, lung: BoolArray, lobules: Float32Array | None, low_hu: float, scene: Scene
    ) -> tuple[BoolArray, dict[str, float | None]]:
        """Mask, and all numbers of it."""
        c = self.config
        low = (density < low_hu) & lung
        if lobules is not None:
            low &= density < lobules
        holes = parts_of(low, connectivity=6)
        sizes = holes.size * scene.geometry.voxel_ml
        sizes = sizes[sizes >= c.smallest_ml]
        mask = holes.first(sizes.size).mask()
        value = distribution_of(self.name, mask, scene, smallest_patch_ml=c.smallest_ml)
        half = np.searchsorted(np.cumsum(sizes), sizes.sum() / 2)
        value |= {
            "emphysema.hole_median_ml": float(sizes[half]) if sizes.size else None,
            "emphysema.large_holes_percent": 100.0 * float(sizes[sizes >= c.large_ml].sum()) / scene.reference.total_ml,
        }
        return mask, value


def lobule_limit_hu(
    mask: BoolArray | None, density: Int16Array, lung: BoolArray, geometry: Geometry, below_hu: float
) -> Float32Array | None:
    """Density below which there is a hole in the dark lobules of a mosaic, float32; without effect elsewhere.

    Dark lobules are evenly dark: a hole must lie ``below_hu`` under the average around it. None without a mosaic.
    """
    if mask is None or not (mask & lung).any():
        return None
    work = geometry.resampled((LOBULE_GRID_MM,) * 3)
    dark = resample(mask & lung, geometry, work, method="nearest")
    around = dilated(dark, work, LOBULE_BORDER_MM)
    values = np.minimum(resample(density, geometry, work, antialias=True), NO_HOLE_HU).astype(np.float32)
    weight = smoothed(dark.astype(np.float32), work, LOBULE_AVERAGE_MM)
    total = smoothed(np.where(dark, values, 0.0), work, LOBULE_AVERAGE_MM)
    limit = np.where(around, total / np.maximum(weight, 1e-6) - below_hu, NO_LIMIT_HU).astype(np.float32)
    out: Float32Array = resample(limit, work, geometry)
    return out


def averaging_mm(noise_hu: float, geometry: Geometry, config: EmphysemaConfig) -> float:
    """SD of the Gaussian average that takes the scan's noise to the accepted one, were it white.

    An average with SD s takes white noise down by the root of the voxels that it spans, (2 sqrt(pi) s)^3 in volume.
    """
    if noise_hu <= config.noise_hu:
        return 0.0
    spanned_mm3 = (noise_hu / config.noise_hu) ** 2 * 1000.0 * geometry.voxel_ml
    return min(float(np.cbrt(spanned_mm3)) / (2.0 * float(np.sqrt(np.pi))), config.widest_mm)
