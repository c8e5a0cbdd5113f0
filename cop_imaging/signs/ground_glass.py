"""Ground-glass opacity: haze between the vessels, apart from dependent haze and partial-volume shells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from cop_imaging.config import Section, quantity
from cop_imaging.core.arrays import AnyArray, BoolArray, Float32Array, UInt8Array
from cop_imaging.core.finding import Feature, Finding, Reliability, not_assessable
from cop_imaging.core.geometry import Geometry
from cop_imaging.core.grid import dilated, keep_large, opened, resample, share_above
from cop_imaging.core.parts import parts_of
from cop_imaging.core.scene import Scene
from cop_imaging.core.volume import Acquisition
from cop_imaging.signs.density.between_vessels import LungWithoutLines, haze_density, least_ml, lung_without_lines
from cop_imaging.signs.distribution import distribution_features, distribution_of
from cop_imaging.signs.intervals import spans
from cop_imaging.signs.lesions import lesion_table
from cop_imaging.signs.lines.density import net
from cop_imaging.signs.presence import graded, seen
from cop_imaging.signs.reliability import by_thickness

__all__ = ["GroundGlass", "GroundGlassConfig", "lower_limit_hu"]

Limits = tuple[float, float]


class GroundGlassConfig(Section):
    """Limits of ground-glass opacity."""

    above_aerated_hu: float = quantity(
        190.0,
        low=50.0,
        high=300.0,
        unit="HU",
        means="distance of the lower limit above the mode of aerated lung",
        source="the limit moves with inspiration; set on made chests, where 150 HU finds 15 to 20 % too much",
    )
    lower_hu_range: Limits = quantity(
        (-750.0, -600.0),
        unit="HU",
        means="range to which the lower limit is held, and over which it is tried",
        source="lower bounds in use -800 to -600; Podolanczuk 2016, Gattinoni 2001",
    )
    upper_hu: float = quantity(
        -300.0,
        low=-400.0,
        high=-150.0,
        unit="HU",
        means="density above which haze is consolidation",
        source="upper bounds in use -500 to -200",
    )
    upper_hu_range: Limits = quantity(
        (-350.0, -200.0),
        unit="HU",
        means="tried range of the upper limit, from which the interval comes",
        source="range of upper bounds in use",
    )
    tried_step_hu: float = quantity(
        50.0,
        low=0.0,
        high=150.0,
        unit="HU",
        means="how far the lower limit is moved up and down inside its range",
        source="one third of the range; estimate",
    )
    grid_mm: float = quantity(
        1.5,
        low=1.0,
        high=3.0,
        unit="mm",
        means="spacing of the grid on which haze is judged",
        source="finer than the smallest haze by a factor of five; estimate",
    )
    average_mm: float = quantity(
        1.2,
        low=0.5,
        high=5.0,
        unit="mm",
        means="SD of the average of lung density between vessels",
        source="set on made chests: wider averages blur haze into lung and nets of lines into haze",
    )
    shell_mm: float = quantity(
        1.5,
        low=0.5,
        high=3.0,
        unit="mm",
        means="partial-volume shell around vessels, walls, pleura and consolidation",
        source="one point-spread width, 1-2 mm",
    )
    thinnest_mm: float = quantity(
        3.0,
        low=0.0,
        high=10.0,
        unit="mm",
        means="thickness below which haze is a remaining shell or a fissure",
        source="twice the point-spread width; estimate",
    )
    net_hu: float = quantity(
        28.0,
        low=10.0,
        high=80.0,
        unit="HU",
        means="mean strength of fine lines around a place from which it is a net, in a scan without noise",
        source="as reticulation; set on made chests",
    )
    between_net_hu: float = quantity(
        265.0,
        low=100.0,
        high=500.0,
        unit="HU",
        means="density between the lines of a net above the mode of aerated lung, from which it holds haze",
        source="blurred lines raise the lung between them by 200 to 280 HU; set on made chests",
    )
    smallest_ml: float = quantity(
        0.5, low=0.05, high=5.0, unit="mL", means="smallest component that is kept", source="about a 10 mm sphere"
    )
    dependent_mm: float = quantity(
        15.0,
        low=0.0,
        high=30.0,
        unit="mm",
        means="height above the dependent pleura of dependent haze",
        source="strip 5 to 20 mm deep in health; estimate",
    )
    dependent_share: float = quantity(
        0.6,
        low=0.0,
        high=1.0,
        unit="1",
        means="share of a component inside that strip from which it is dependent haze",
        source="most of it; estimate",
    )
    dependent_symmetry: float = quantity(
        0.2,
        low=0.0,
        high=1.0,
        unit="1",
        means="smaller over larger side of the strip's haze from which it is symmetric",
        source="dependent haze is on both sides; estimate",
    )
    possible_percent: float = quantity(
        0.5,
        low=0.0,
        high=10.0,
        unit="percent of lung",
        means="extent from which it is possible",
        source="0.5 % of lung or 10 mL as a careful reader would report it; estimate",
    )
    present_percent: float = quantity(
        1.0,
        low=0.0,
        high=20.0,
        unit="percent of lung",
        means="extent from which it is present",
        source="1 % of lung as a careful reader would report it; estimate",
    )
    thickness_mm: float = quantity(
        3.0,
        low=1.0,
        high=5.0,
        unit="mm",
        means="slice thickness up to which it is measured well",
        source="3 mm; at 5 mm partial volume imitates it",
    )


FEATURES = (
    *distribution_features("ground_glass", "ground-glass opacity"),
    Feature("ground_glass.lower_limit_hu", "HU", "lower limit in force, after the move with inspiration", low=None),
    Feature("ground_glass.dependent_haze_ml", "ml", "symmetric haze along the dependent pleura, counted apart"),
)


@dataclass(frozen=True)
class GroundGlass:
    """Hazy rise in density through which vessels stay visible (Fleischner glossary, Hansell 2008)."""

    config: GroundGlassConfig = field(default_factory=GroundGlassConfig)
    name: str = "ground_glass"
    title: str = "Ground-glass opacity"
    needs: tuple[str, ...] = ("consolidation",)
    has_mask: bool = True
    features: tuple[Feature, ...] = FEATURES

    @property
    def definition(self) -> str:
        """The definition with the limits in force."""
        c = self.config
        return (
            "Hazy increase in lung density in which vessels stay visible: lung between vessels from "
            f"{c.above_aerated_hu:g} HU above its own mode (held to {c.lower_hu_range[0]:g} to "
            f"{c.lower_hu_range[1]:g} HU) to {c.upper_hu:g} HU, components of at least {c.smallest_ml:g} mL; "
            "partial-volume shells, nets of fine lines and symmetric dependent haze are not counted."
        )

    def reliability(self, acquisition: Acquisition) -> tuple[Reliability, str]:
        """How far the scan's slices suit the sign."""
        return by_thickness(acquisition, self.config.thickness_mm, "ground glass")

    def observe(self, scene: Scene, earlier: Mapping[str, Finding]) -> Finding:
        """Mask, distribution with intervals, dependent haze, and presence."""
        c = self.config
        consolidation = earlier["consolidation"].mask
        if consolidation is None:
            return not_assessable(self, "consolidation could not be assessed")
        work = scene.geometry.resampled((c.grid_mm,) * 3)
        grid = Grid(work, resample(scene.smooth_hu, scene.geometry, work), dependent_strip(work, scene, c.dependent_mm))
        low = lower_limit_hu(scene.aerated_mode_hu, scene.haze_mode_hu, c)
        limits = (low, c.upper_hu)
        # Lines that lie close blur into what looks like haze where a scan is smooth.
        fine = net(
            scene,
            consolidation,
            work,
            strength_hu=c.net_hu,
            between_hu=scene.aerated_mode_hu + c.between_net_hu,
        )
        lung = lung_without_lines(scene, work)
        view = self._density(scene, lung, consolidation, fine, c.upper_hu)
        mask, haze_ml = haze_mask(*view, grid, scene, consolidation, limits, c)
        value = self._values(mask, haze_ml, low, scene)
        fewer = (min(low + c.tried_step_hu, c.lower_hu_range[1]), c.upper_hu_range[0])
        more = (max(low - c.tried_step_hu, c.lower_hu_range[0]), c.upper_hu_range[1])
        # What is consolidation by the usual limit alone may be haze by the higher one.
        sure = consolidation & (scene.smooth_hu > more[1])
        more_view = self._density(scene, lung, sure, fine, more[1])
        moved = []
        for other_view, dense, tried in ((view, consolidation, fewer), (more_view, sure, more)):
            other, other_haze_ml = haze_mask(*other_view, grid, scene, dense, tried, c)
            moved.append(self._values(other, other_haze_ml, tried[0], scene))
        score = graded(value["ground_glass.extent_percent"] or 0.0, c.possible_percent, c.present_percent)
        return seen(self, score, spans(value, moved), mask, lesion_table(mask, scene, c.smallest_ml))

    def _density(
        self, scene: Scene, lung: LungWithoutLines, without: BoolArray, fine: BoolArray, dense_hu: float
    ) -> tuple[Float32Array, BoolArray]:
        c = self.config
        there = resample(without, scene.geometry, lung.geometry, method="nearest")
        density, clean = haze_density(lung, there, sigma_mm=c.average_mm, shell_mm=c.shell_mm, dense_hu=dense_hu)
        density[fine] = np.nan
        return density, clean & ~fine

    def _values(self, mask: BoolArray, haze_ml: float, low_hu: float, scene: Scene) -> dict[str, float | None]:
        table = distribution_of(self.name, mask, scene, smallest_patch_ml=self.config.smallest_ml)
        return table | {"ground_glass.lower_limit_hu": low_hu, "ground_glass.dependent_haze_ml": haze_ml}


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """What haze is judged on, the same for all limits of density."""

    geometry: Geometry
    smooth_hu: AnyArray
    """int16 [z, y, x] the scene's smoothed density."""
    strip: UInt8Array
    """The strip along the dependent pleura: 1 right, 2 left."""


def lower_limit_hu(aerated_mode_hu: float, haze_mode_hu: float | None, config: GroundGlassConfig) -> float:
    """Lower limit of haze for a scan whose aerated lung has that mode; at most half way to the mode of haze."""
    limit = aerated_mode_hu + config.above_aerated_hu
    if haze_mode_hu is not None:
        limit = min(limit, (aerated_mode_hu + haze_mode_hu) / 2)
    return float(np.clip(limit, *config.lower_hu_range))


def haze_mask(
    density: Float32Array,
    clean: BoolArray,
    grid: Grid,
    scene: Scene,
    consolidation: BoolArray,
    limits_hu: Limits,
    config: GroundGlassConfig,
) -> tuple[BoolArray, float]:
    """Ground glass on the scene's crop, and the volume in mL of dependent haze that was taken off."""
    work = grid.geometry
    with np.errstate(invalid="ignore"):
        found = (density >= limits_hu[0]) & (density <= limits_hu[1])
    # A rind along pleura or vessels is haze only where it goes on beyond their shells.
    beyond = opened(found & clean, work, config.thinnest_mm / 2)
    found = opened(found, work, config.thinnest_mm / 2)
    found &= dilated(beyond, work, 2.0 * config.shell_mm + config.thinnest_mm)
    found = keep_large(found, work, least_ml(work, config.smallest_ml))
    haze = dependent_haze(found, grid.strip, config)
    (kept,) = share_above(found & ~haze, work, scene.geometry, 0.5)
    # Vessels too small for the grid belong to the haze around them; wider ones, and what else is denser, do not.
    thick = grid.smooth_hu > limits_hu[1]
    denser = (scene.smooth_hu > limits_hu[1]) & resample(thick, work, scene.geometry, method="nearest")
    mask = kept & (scene.lungs > 0) & ~consolidation & ~denser & ~scene.airways
    return keep_large(mask, scene.geometry, least_ml(scene.geometry, config.smallest_ml)), float(
        haze.sum()
    ) * work.voxel_ml


def dependent_strip(work: Geometry, scene: Scene, height_mm: float) -> UInt8Array:
    """The lungs within ``height_mm`` of the dependent pleura, in their lower half along gravity: 1 right, 2 left."""
    height = resample(scene.dependent_mm, scene.geometry, work, method="nearest").astype(np.float32)
    lungs: UInt8Array = resample(scene.lungs, scene.geometry, work, method="nearest")
    axis = int(np.argmax(np.abs(scene.gravity)))
    along = np.arange(work.shape[axis]) * work.spacing_mm[axis] / scene.geometry.spacing_mm[axis]
    lower = (along - scene.reference.middle_along_gravity) * np.sign(scene.gravity[axis]) > 0
    lower = lower.reshape([-1 if a == axis else 1 for a in range(3)])
    return np.where((height < height_mm) & lower, lungs, 0).astype(np.uint8)


def dependent_haze(found: BoolArray, strip: UInt8Array, config: GroundGlassConfig) -> BoolArray:
    """The components of ``found`` that lie along the dependent pleura, when both lungs show them.

    Density within 15 mm of the lowest pleura is no disease unless it is one-sided: it goes when the patient turns.
    """
    parts = parts_of(found)
    if len(parts) == 0:
        return found
    voxel, part = parts.voxels()
    inside = np.bincount(part[strip.ravel()[voxel] > 0], minlength=len(parts))
    dependent = inside >= config.dependent_share * parts.size
    haze = np.zeros_like(found)
    haze.ravel()[voxel] = dependent[part]
    sides = np.bincount(strip[haze], minlength=3)[1:3]
    # With one lung in the strip (decubitus, a one-sided mask) there is nothing to be symmetric with.
    both = (np.bincount(strip.ravel(), minlength=3)[1:3] > 0).all()
    if both and sides.min() < config.dependent_symmetry * max(int(sides.max()), 1):
        return np.zeros_like(found)
    return haze
