"""Small nodules: round, solid, 3 to 10 mm, no part of a vessel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cop_imaging.config import Section, quantity
from cop_imaging.core.arrays import BoolArray
from cop_imaging.core.finding import Feature, Finding, Reliability
from cop_imaging.core.scene import Scene
from cop_imaging.core.volume import Acquisition
from cop_imaging.signs.intervals import spans
from cop_imaging.signs.nodules.candidates import Blobs, blobs, without_doubles
from cop_imaging.signs.nodules.features import marked, nodule_features, nodule_table, voxels_of
from cop_imaging.signs.presence import graded, seen
from cop_imaging.signs.reliability import by_thickness

__all__ = ["SmallNodules", "SmallNodulesConfig"]

TOUCHES_MM = 1.5
"""Gap to the lung's surface that a blob still touches."""
MADE = "set on made chests, where it parts nodules from vessels and their branchings"


class SmallNodulesConfig(Section):
    """Limits of small nodules."""

    diameter_mm: tuple[float, float] = quantity(
        (2.5, 10.0),
        unit="mm",
        means="smallest and largest diameter at half of the density",
        source="nodules of 3-10 mm (Hansell 2008); on made chests the smallest measure half a millimetre less",
    )
    scales_mm: tuple[float, ...] = quantity(
        (1.0, 1.6, 2.5),
        unit="mm",
        means="scales at which blobs are looked for",
        source="a ball answers most strongly at its radius / sqrt(3)",
    )
    strength_hu: float = quantity(320.0, low=50.0, high=800.0, unit="HU", means="least strength of a blob", source=MADE)
    contrast_hu: float = quantity(
        400.0,
        low=100.0,
        high=900.0,
        unit="HU",
        means="least density of the middle above the lung around: solid, not haze",
        source="solid nodules of 4 mm keep half of their density above lung; set on made chests",
    )
    roundness: float = quantity(
        0.5, low=0.35, high=1.0, unit="1", means="least ratio of the weakest to the strongest curvature", source=MADE
    )
    open_share: float = quantity(
        0.08,
        low=0.0,
        high=0.5,
        unit="1",
        means="largest share of directions in which it runs on beyond 1.5 radii",
        source=MADE + "; 0.25 for a straight tube",
    )
    open_share_range: tuple[float, float] = quantity(
        (0.05, 0.11),
        unit="1",
        means="tried range of that share, from which the interval comes",
        source="half of the limit either way; estimate",
    )
    spread: float = quantity(
        1.7,
        low=1.0,
        high=3.0,
        unit="1",
        means="largest ratio of the quartiles of the radius over all directions",
        source=MADE + "; 1.5 for a straight tube",
    )
    hilum_mm: float = quantity(
        15.0,
        low=0.0,
        high=50.0,
        unit="mm",
        means="depth below the costal pleura from which what touches the lung's surface is a vessel of the hilum",
        source="vessels leave the lung there, and the mask cuts them; estimate",
    )
    possible_count: float = quantity(
        3.0, low=0.0, high=50.0, unit="1", means="nodules from which they are possible", source="set on made chests"
    )
    present_count: float = quantity(
        6.0, low=0.0, high=100.0, unit="1", means="nodules from which they are present", source="set on made chests"
    )
    thickness_mm: float = quantity(
        1.5, low=0.5, high=3.0, unit="mm", means="slice thickness up to which they are seen well", source="1.5 mm"
    )


@dataclass(frozen=True)
class SmallNodules:
    """Rounded opacities of 3 to 10 mm (Fleischner glossary, Hansell 2008, "nodule")."""

    config: SmallNodulesConfig = field(default_factory=SmallNodulesConfig)
    name: str = "small_nodules"
    title: str = "Small nodules"
    needs: tuple[str, ...] = ()
    has_mask: bool = True
    features: tuple[Feature, ...] = nodule_features("small_nodules", "small nodules")

    @property
    def definition(self) -> str:
        """The definition with the limits in force."""
        c = self.config
        return (
            f"Rounded solid opacities of {c.diameter_mm[0]:g} to {c.diameter_mm[1]:g} mm at half of their density, "
            f"{c.contrast_hu:g} HU or more denser than the lung around. They are told from vessels because they end at "
            f"about the same distance in all but {100 * c.open_share:g} % of directions. Ground-glass nodules of this "
            "size are not counted."
        )

    def reliability(self, acquisition: Acquisition) -> tuple[Reliability, str]:
        """How far the scan's slices suit the sign."""
        return by_thickness(acquisition, self.config.thickness_mm, "small nodules", in_one_slice=False)

    def observe(self, scene: Scene, earlier: Mapping[str, Finding]) -> Finding:
        """Count, sizes and places of the nodules, with the interval of the tried limits."""
        del earlier
        c = self.config
        spots = self._spots(scene)
        certain = ~scene.uncertain[voxels_of(spots, scene)]
        inner = ~self._at_hilum(spots, scene)
        found = self._chosen(spots, certain & inner, c.open_share)
        mask, lesions = marked(found, scene)
        volume_ml = float(mask.sum()) * scene.geometry.voxel_ml
        tried = (
            self._chosen(spots, certain & inner, c.open_share_range[0]),
            self._chosen(spots, inner, c.open_share_range[1]),
        )
        each_ml = volume_ml / max(len(found), 1)
        value, *moved = (
            nodule_table(self.name, some, scene) | {f"{self.name}.volume_ml": each_ml * len(some)}
            for some in (found, *tried)
        )
        score = graded(float(len(found)), c.possible_count, c.present_count)
        return seen(self, score, spans(value, moved), mask, lesions)

    def nodules(self, scene: Scene) -> Blobs:
        """The nodules themselves, strongest first."""
        spots = self._spots(scene)
        certain = ~scene.uncertain[voxels_of(spots, scene)] & ~self._at_hilum(spots, scene)
        return self._chosen(spots, certain, self.config.open_share)

    def _spots(self, scene: Scene) -> Blobs:
        c = self.config
        return blobs(scene, c.scales_mm, c.strength_hu, least_roundness=c.roundness, least_surface_mm=0.0)

    def _at_hilum(self, spots: Blobs, scene: Scene) -> BoolArray:
        """Whether a blob touches the mediastinal surface: a vessel that the mask cuts looks as if it ended there."""
        deep = scene.depth_mm[voxels_of(spots, scene)] > self.config.hilum_mm
        out: BoolArray = deep & (spots.surface_mm < spots.radius_mm + TOUCHES_MM)
        return out

    def _chosen(self, spots: Blobs, allowed: BoolArray, open_share: float) -> Blobs:
        """The spots that are nodules: dense, ending on all sides, and of the right size."""
        c = self.config
        diameter = 2.0 * spots.radius_mm
        single = spots.chosen(
            allowed
            & (spots.contrast_hu >= c.contrast_hu)
            & (spots.open_share <= open_share)
            & (spots.spread <= c.spread)
            & (diameter >= c.diameter_mm[0])
            & (diameter <= c.diameter_mm[1])
        )
        return without_doubles(single, c.diameter_mm[0])
