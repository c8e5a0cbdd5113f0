"""Lesions with soft edges, drawn on every few voxels and carried linearly to the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from cop_imaging.core.arrays import BoolArray, Float32Array
from cop_imaging.core.geometry import Box
from cop_imaging.synth.insertion.scan_model import ScanModel
from cop_imaging.synth.lesions.blending import add_lesions
from cop_imaging.synth.lesions.consolidation import Consolidation
from cop_imaging.synth.lesions.diffuse_ground_glass import DiffuseGroundGlass
from cop_imaging.synth.lesions.ground_glass import GroundGlass, GroundGlassNodule
from cop_imaging.synth.lesions.lesion import (
    CONSOLIDATION_HU,
    GROUND_GLASS_HU,
    Layer,
    Lesion,
    Place,
    Point,
    box_of,
    smoothstep,
)
from cop_imaging.synth.lesions.lobar_consolidation import LobarConsolidation
from cop_imaging.synth.lesions.peribronchovascular import PeribronchovascularConsolidation
from cop_imaging.synth.shapes import Slab

__all__ = ["Lattice", "has_soft_edges", "reached"]

BLUR_VOXELS = 3
ROUND_MM, FINE_PIXEL_MM, SHARP_MM = 1.6, 0.5, 0.2
"""How far margins of consolidation are smoothed. They then rise over what a pixel is wider than a fine one, whose
partial volume is part of the measured point spread, at least over the last."""
STEP_MM = 1.5
"""Largest distance of nodes where the scan's voxels are finer: edges of 2.5 mm and more are seen on it."""
SOFT_EDGED = (
    Consolidation,
    DiffuseGroundGlass,
    GroundGlass,
    GroundGlassNodule,
    LobarConsolidation,
    PeribronchovascularConsolidation,
)
"""Lesions of one density without thin walls, lines or anything that is laid over vessels."""


def has_soft_edges(lesion: Lesion) -> bool:
    """Whether a lesion can be drawn on the lattice."""
    return isinstance(lesion, SOFT_EDGED)


def reached(lesions: Sequence[Lesion], slab: Slab) -> Box | None:
    """Index box that holds every voxel that a lesion may touch."""
    if not lesions:
        return None
    low = np.min([np.array(lesion.centre_mm) - lesion.reach_mm for lesion in lesions], axis=0)
    high = np.max([np.array(lesion.centre_mm) + lesion.reach_mm for lesion in lesions], axis=0)
    return slab.box(low, high)


@dataclass(frozen=True, slots=True)
class Hazy:
    """What of a lesion is not consolidation."""

    lesion: Lesion

    @property
    def centre_mm(self) -> Point:
        """The lesion's."""
        return self.lesion.centre_mm

    @property
    def reach_mm(self) -> float:
        """The lesion's."""
        return self.lesion.reach_mm

    def layers(self, place: Place) -> tuple[Layer, ...]:
        """The lesion's layers but those of consolidation."""
        return tuple(layer for layer in self.lesion.layers(place) if layer.sign != "consolidation")

    def shapes(self, place: Place) -> dict[str, Float32Array]:
        """The lesion's."""
        return self.lesion.shapes(place)


@dataclass(frozen=True, slots=True, eq=False)
class Consolidated:
    """Consolidation on the nodes.

    Parameters
    ----------
    level : float32 [z, y, x]
        Tissue fraction over the largest, smoothed: consolidation reaches to where it is a half.
    fraction, tissue_hu : float
        Of what is consolidated.
    steepness : float
        Range of the level over which a margin rises.
    """

    level: Float32Array
    fraction: float
    tissue_hu: float
    steepness: float

    @classmethod
    def draw(
        cls, place: Place, lesions: Sequence[Lesion], step_mm: tuple[float, float, float], pixel_mm: float
    ) -> Consolidated | None:
        """All consolidation of some lesions, or None without any; ``step_mm`` parts the nodes along z, y, x."""
        level = np.zeros(place.slab.shape, dtype=np.float32)
        fraction, tissue_hu = 0.0, 0.0
        for lesion in lesions:
            box = box_of(lesion, place.slab)
            if box is None:
                continue
            for layer in lesion.layers(Place(place.slab.crop(box), place.depth_mm[box], place.lobe[box])):
                most = float(layer.fraction.max(initial=0.0))
                if layer.sign != "consolidation" or not most > 0.0:
                    continue
                sigma = [ROUND_MM / s for s in step_mm]
                own = ndimage.gaussian_filter(layer.fraction / np.float32(most), sigma, mode="nearest")
                np.maximum(level[box], own, out=level[box])
                fraction, tissue_hu = max(fraction, most), max(tissue_hu, layer.tissue_hu)
        rise_mm = max(pixel_mm - FINE_PIXEL_MM, SHARP_MM)
        steepness = rise_mm / (ROUND_MM * float(np.sqrt(2.0 * np.pi)))
        return cls(level, fraction, tissue_hu, steepness) if fraction > 0.0 else None


@dataclass(frozen=True, slots=True, eq=False)
class Lattice:
    """What lesions add on every n-th voxel of a box of a scan.

    Parameters
    ----------
    added_hu : float32 [z, y, x]
        By how much haze makes the parenchyma denser.
    consolidated : Consolidated or None
    hazy : bool [z, y, x]
        True ground glass at the nodes.
    start, every : (z, y, x)
        The scan's voxel at the first node, and voxels from node to node.
    """

    added_hu: Float32Array
    consolidated: Consolidated | None
    hazy: BoolArray
    start: tuple[int, int, int]
    every: tuple[int, int, int]

    @classmethod
    def draw(
        cls, model: ScanModel, lesions: Sequence[Lesion], spacing_mm: tuple[float, float, float]
    ) -> Lattice | None:
        """Draw lesions over the box that they reach, or give None where there are none."""
        box = reached(lesions, model.slab)
        if box is None:
            return None
        z, y, x = (max(1, int(STEP_MM / s + 1e-6)) for s in spacing_mm)
        # One node beyond the last voxel, so that every voxel lies between two.
        spans = [
            np.minimum(np.arange(b.start, b.stop + n, n), len(axis.ravel()) - 1)
            for b, n, axis in zip(box, (z, y, x), (model.slab.z, model.slab.y, model.slab.x), strict=True)
        ]
        slab = Slab(
            model.slab.z[spans[0]],
            model.slab.y[:, spans[1]],
            model.slab.x[:, :, spans[2]],
            model.slab.voxel_mm * float(np.cbrt(z * y * x)),
        )
        place = Place(slab, model.lung_map.depth.on(slab), model.lung_map.lobe_on(slab))
        level = model.level_hu.on(slab)
        hu = level.copy()
        blended = add_lesions(hu, slab, place.depth_mm, place.lobe, [Hazy(lesion) for lesion in lesions])
        hu -= level
        steps = (z * spacing_mm[0], y * spacing_mm[1], x * spacing_mm[2])
        dense = Consolidated.draw(place, lesions, steps, spacing_mm[2])
        start = (box[0].start, box[1].start, box[2].start)
        return cls(hu, dense, blended.masks["ground_glass"], start, (z, y, x))

    def parenchyma(self, level_hu: Float32Array, box: Box) -> tuple[Float32Array, dict[str, BoolArray]]:
        """Density of a box's parenchyma with the lesions, and their truth; ``level_hu`` is that without them."""
        hu = level_hu + self.on(self.added_hu, box)
        masks = {"ground_glass": self.on(self.hazy, box) >= 0.5}
        if self.consolidated is not None:
            dense = self.consolidated
            level = self.on(dense.level, box) - np.float32(0.5)
            part = np.float32(dense.fraction) * smoothstep(level, dense.steepness)
            hu += part * (np.float32(dense.tissue_hu) - hu)
            masks["consolidation"] = (part > 0.3) & (hu > CONSOLIDATION_HU)
            masks["ground_glass"] &= (hu >= GROUND_GLASS_HU) & (hu <= CONSOLIDATION_HU)
        return hu, masks

    def touched(self, box: Box, least_hu: float) -> Box | None:
        """The smallest box within a box whose voxels a node that is denser by so much may change, blurred."""
        nodes = []
        for axis, (b, start, n) in enumerate(zip(box, self.start, self.every, strict=True)):
            first = max((b.start - start - BLUR_VOXELS) // n, 0)
            last = min((b.stop - 1 - start + BLUR_VOXELS) // n + 2, self.added_hu.shape[axis])
            if last <= first:
                return None
            nodes.append(slice(first, last))
        hit = np.abs(self.added_hu[tuple(nodes)]) > least_hu
        if self.consolidated is not None:
            hit |= self.consolidated.level[tuple(nodes)] > 0.5 - 0.5 * self.consolidated.steepness
        spans = []
        for axis, (b, start, n) in enumerate(zip(box, self.start, self.every, strict=True)):
            at = np.flatnonzero(hit.any(axis=tuple(a for a in range(3) if a != axis)))
            if not at.size:
                return None
            low = start + n * (nodes[axis].start + int(at[0]) - 1) - BLUR_VOXELS
            high = start + n * (nodes[axis].start + int(at[-1]) + 1) + 1 + BLUR_VOXELS
            low, high = max(low, b.start), min(high, b.stop)
            if high <= low:
                return None
            spans.append(slice(low, high))
        return spans[0], spans[1], spans[2]

    def on(self, values: Float32Array | BoolArray, box: Box) -> Float32Array:
        """Values at the nodes carried to the voxels of a box, 0 beyond the lattice."""
        out = values
        for axis, (b, start, n) in enumerate(zip(box, self.start, self.every, strict=True)):
            place = (np.arange(b.start, b.stop) - start) / n
            inside = (place >= 0.0) & (place <= values.shape[axis] - 1)
            place = np.clip(place, 0.0, values.shape[axis] - 1.0)
            node = np.minimum(place.astype(np.int64), max(values.shape[axis] - 2, 0))
            shape = [1, 1, 1]
            shape[axis] = -1
            weight = (place - node).astype(np.float32).reshape(shape)
            inner = inside.astype(np.float32).reshape(shape)
            low, high = int(node[0]), int(node[-1]) + 2
            out = out[(slice(None),) * axis + (slice(low, high),)]
            node -= low
            out = out.take(node, axis) * (inner * (1.0 - weight)) + out.take(
                np.minimum(node + 1, out.shape[axis] - 1), axis
            ) * (inner * weight)
        return np.asarray(out, dtype=np.float32)
