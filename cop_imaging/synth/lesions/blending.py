"""Lesions blended into a chest as fractions of tissue, and what is true of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cop_imaging.core.arrays import BoolArray, Float32Array, UInt8Array
from cop_imaging.core.geometry import Box
from cop_imaging.synth.lesions.lesion import CONSOLIDATION_HU, GROUND_GLASS_HU, Layer, Lesion, Place, box_of
from cop_imaging.synth.shapes import Slab

__all__ = ["ALWAYS", "Blended", "add_lesions", "blend", "lay_over"]

ALWAYS = ("consolidation", "ground_glass", "reversed_halo", "effusion")
"""Truth that every chest has, if empty; other shapes have theirs where they are drawn."""


@dataclass(frozen=True, slots=True, eq=False)
class Blended:
    """What was blended into the parenchyma, and what waits until vessels and bronchi are drawn."""

    masks: dict[str, BoolArray]
    over: tuple[tuple[Box, Layer], ...]


def blend(hu: Float32Array, part: Float32Array, value: Any) -> None:
    """Put ``value`` into the part of each voxel, in place."""
    hu += part * (np.float32(value) - hu if isinstance(value, float) else value - hu)


def add_lesions(
    hu: Float32Array,
    slab: Slab,
    depth_mm: Float32Array,
    lobe: UInt8Array,
    lesions: Sequence[Lesion],
    lung: BoolArray | None = None,
) -> Blended:
    """Blend lesions into the parenchyma between vessels and bronchi.

    Parameters
    ----------
    hu : float32 [z, y, x]
        Parenchyma, changed in place.
    slab : Slab
        Its voxels in patient coordinates.
    depth_mm, lobe : arrays [z, y, x]
        As ``Place`` has them.
    lung : bool [z, y, x], optional
        Where something comes of the parenchyma; only the box around it is drawn.
    """
    masks = {name: np.zeros(slab.shape, dtype=bool) for name in ALWAYS}
    dense, hazy = np.zeros(slab.shape, dtype=bool), np.zeros(slab.shape, dtype=bool)
    over: list[tuple[Box, Layer]] = []
    for lesion in lesions:
        box = box_of(lesion, slab)
        if box is not None and lung is not None:
            box = around(lung, box)
        if box is None:
            continue
        place = Place(slab.crop(box), depth_mm[box], lobe[box], None if lung is None else lung[box])
        for layer in lesion.layers(place):
            if layer.over:
                over.append((box, layer))
                continue
            blend(hu[box], layer.fraction, layer.tissue_hu)
            if layer.sign == "consolidation":
                dense[box] |= layer.fraction > 0.3
            elif layer.sign == "ground_glass":
                hazy[box] |= layer.fraction > 0.08
        for name, part in lesion.shapes(place).items():
            masks.setdefault(name, np.zeros(slab.shape, dtype=bool))[box] |= part >= 0.5
    masks["consolidation"] = dense & (hu > CONSOLIDATION_HU)
    # The thin edge of a consolidation has the density of ground glass and is none: only hazy layers count.
    masks["ground_glass"] = hazy & (hu >= GROUND_GLASS_HU) & (hu <= CONSOLIDATION_HU)
    return Blended(masks, tuple(over))


def around(mask: BoolArray, box: Box) -> Box | None:
    """The smallest box around a mask inside another box, or None where it is empty."""
    part = mask[box]
    spans = [np.flatnonzero(part.any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1))]
    if not len(spans[0]):
        return None
    z, y, x = (
        slice(old.start + int(span[0]), old.start + int(span[-1]) + 1) for old, span in zip(box, spans, strict=True)
    )
    return z, y, x


def lay_over(hu: Float32Array, lung: Float32Array, blended: Blended, masks: dict[str, BoolArray]) -> None:
    """Blend the layers that replace vessels and bronchi too, and set their truth; both in place.

    Parameters
    ----------
    lung : float32 [z, y, x]
        Part of each voxel that lies in the lungs: nothing is laid over the chest wall.
    """
    for box, layer in blended.over:
        part = layer.fraction * lung[box]
        blend(hu[box], part, layer.tissue_hu)
        filled = part >= 0.5
        for name in ("vessels", "airways", "consolidation", "ground_glass"):
            masks[name][box] &= ~filled
        if layer.sign is not None:
            masks[layer.sign][box] |= filled
