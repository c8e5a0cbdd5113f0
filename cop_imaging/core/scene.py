"""What the signs look at: a volume and its anatomy, cropped to the lungs, with maps computed on first use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

import numpy as np

from cop_imaging.core.airway_sections import AirwaySections
from cop_imaging.core.airway_tree import AirwayTree
from cop_imaging.core.arrays import AnyArray, BoolArray, Float32Array, Float64Array, Int16Array, UInt8Array
from cop_imaging.core.geometry import Box, Geometry
from cop_imaging.core.issue import Issue
from cop_imaging.core.line_density import LineDensity
from cop_imaging.core.ridges import Ridges
from cop_imaging.core.volume import Acquisition, SliceIdentity

__all__ = ["BUNDLE_MM", "ZONES", "Gravity", "LungReference", "Scene"]

ZONES = ("right_upper", "right_middle", "right_lower", "left_upper", "left_middle", "left_lower")
"""Names of the labels 1-6 of ``Scene.zone``: thirds of the volume of each lung along the body axis."""

BUNDLE_MM = 5.0
"""A voxel within this distance of a bronchovascular bundle lies in its surroundings."""

Gravity = tuple[float, float, float]
"""Unit vector in array order (z, y, x) that points to the floor."""


@dataclass(frozen=True, slots=True, eq=False)
class LungReference:
    """Volumes of the lungs in mL by side, zone, depth shell and place."""

    total_ml: float
    side_ml: tuple[float, float]
    """Right, left."""
    zone_ml: Float64Array
    """float64 (6,), see ``ZONES``."""
    depth_edges_mm: Float64Array
    """Edges of a fine depth histogram, (n + 1,)."""
    depth_ml: Float64Array
    """Lung volume in each bin of it, (n,)."""
    outer_third_mm: float
    """Depth within which a third of the lungs' volume lies."""
    near_bundle_share: float
    """Share of the lungs within 5 mm of a bronchovascular bundle."""
    middle_along_gravity: float
    """Index along the gravity axis that halves the lungs' volume."""
    centroid: Float64Array
    """Index (z, y, x) of their centroid."""


@dataclass(eq=False)
class Scene:
    """One volume and one anatomy on the lung crop, with the frames of reference that several signs share.

    The maps are computed once, on first use, by the functions in ``makers``; ``scene.build_scene`` fills them in. A
    thread that asks for a map which another one is making waits for it.
    Arrays of a scene are shared: a sign reads them and never writes to them.
    """

    hu: Int16Array
    """int16 [z, y, x] on the crop, as scanned."""
    geometry: Geometry
    """Grid of the crop."""
    box: Box
    """Where the crop lies in the volume."""
    full_shape: tuple[int, int, int]
    lungs: UInt8Array
    """1 right, 2 left, 0 outside."""
    airways: BoolArray
    vessels: BoolArray
    uncertain: BoolArray
    effusion: BoolArray | None
    """Pleural fluid; None when it was not looked for."""
    airway_tree: AirwayTree | None
    """Centre lines of the airways in patient coordinates; None when no trachea was found."""
    valid: BoolArray | None
    acquisition: Acquisition
    gravity: Gravity
    slices: tuple[SliceIdentity, ...]
    """Identities of the slices of the crop, or empty."""
    noise_hu: float
    """SD of the scan's noise in homogeneous tissue, at the scan's own resolution."""
    aerated_mode_hu: float
    """Most frequent density of aerated lung: how deep the breath was."""
    makers: Mapping[str, Callable[[Scene], Any]] = field(repr=False)
    haze_mode_hu: float | None = None
    """Most frequent density of haze, where haze fills most of the lungs."""
    issues: tuple[Issue, ...] = ()
    _maps: dict[str, Any] = field(default_factory=dict, repr=False)
    _locks: dict[str, Lock] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._locks = {name: Lock() for name in self.makers}

    def _map(self, name: str) -> Any:
        if name not in self._maps:
            with self._locks[name]:
                if name not in self._maps:
                    self._maps[name] = self.makers[name](self)
        return self._maps[name]

    @property
    def smooth_hu(self) -> Int16Array:
        """int16 HU on the crop at the common point spread (about 1.2 mm, wider when the noise asks for it)."""
        found: Int16Array = self._map("smooth_hu")
        return found

    @property
    def depth_mm(self) -> Float32Array:
        """float32 distance from the costal and diaphragmatic lung surface; 0 outside the lungs."""
        found: Float32Array = self._map("depth_mm")
        return found

    @property
    def zone(self) -> UInt8Array:
        """uint8 label 1-6, see ``ZONES``; 0 outside. The labels partition the lungs exactly."""
        found: UInt8Array = self._map("zone")
        return found

    @property
    def dependent_mm(self) -> AnyArray:
        """float16 height in mm above the lowest lung of the same column along gravity; 0 outside."""
        found: AnyArray = self._map("dependent_mm")
        return found

    @property
    def bundle_mm(self) -> AnyArray:
        """float16 distance to the nearest vessel or bronchus of at least 3 mm; 0 outside the lungs."""
        found: AnyArray = self._map("bundle_mm")
        return found

    @property
    def ridges(self) -> Ridges:
        """Bright lines and sheets of the lungs on a grid of about 1.2 mm."""
        found: Ridges = self._map("ridges")
        return found

    @property
    def line_density(self) -> LineDensity:
        """Fine lines around each voxel of the lung between vessels and bronchi, dense or not."""
        found: LineDensity = self._map("line_density")
        return found

    @property
    def reference(self) -> LungReference:
        """The lungs' own volumes by zone, depth and place, against which every extent is measured."""
        found: LungReference = self._map("reference")
        return found

    @property
    def airway_sections(self) -> AirwaySections | None:
        """Lumen, wall and artery in cross-sections of the airways; None without a tree."""
        found: AirwaySections | None = self._map("airway_sections")
        return found

    def full(self, mask: AnyArray) -> AnyArray:
        """``mask`` of the crop placed on the grid of the whole volume, zero elsewhere."""
        out = np.zeros(self.full_shape, dtype=mask.dtype)
        out[self.box] = mask
        return out
