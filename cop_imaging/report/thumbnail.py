"""The lung mask in three planes, small enough to look through thousands of them."""

from __future__ import annotations

import imagecodecs
import numpy as np
from scipy import ndimage
from skimage.transform import resize

from cop_imaging.core import LEFT, RIGHT, Anatomy, CTVolume
from cop_imaging.core.arrays import AnyArray, BoolArray, Int16Array, UInt8Array

__all__ = ["lungs_jpg"]

SIDE_PX = 180
"""Each plane fills a square of so many pixels."""
QUALITY = 85
"""Of the JPEG, in percent: outlines stay clear."""
LOW_HU, HIGH_HU = -1350.0, 150.0
COLOURS = {RIGHT: (86, 180, 233), LEFT: (230, 159, 0)}
"""Outline of the right lung and of the left (Okabe-Ito)."""
UNSURE = (204, 121, 167)
"""Outline of what might be lung."""


def lungs_jpg(volume: CTVolume, anatomy: Anatomy) -> bytes:
    """Axial, coronal and sagittal slice with the outlines of the lungs, side by side, as JPEG.

    The axial slice is the one with most lung, the coronal one goes through the middle of both lungs, the sagittal one
    through the middle of the right lung (of the left where there is none).
    """
    planes = [_drawn(*plane) for plane in _planes(volume, anatomy)]
    return bytes(imagecodecs.jpeg_encode(np.concatenate(planes, axis=1), level=QUALITY))


def _planes(volume: CTVolume, anatomy: Anatomy) -> list[tuple[Int16Array, UInt8Array, BoolArray, tuple[float, float]]]:
    """HU, labels, doubtful tissue and spacing of each plane, rows downwards and head up."""
    lungs, uncertain = anatomy.lungs, anatomy.uncertain
    step_z, step_y, step_x = volume.geometry.spacing_mm
    side = RIGHT if (lungs == RIGHT).any() else LEFT
    z = int(np.argmax(np.count_nonzero(lungs, axis=(1, 2))))
    y = _middle(lungs, 1)
    x = _middle(lungs == side, 2)
    return [
        (volume.hu[z], lungs[z], uncertain[z], (step_y, step_x)),
        (volume.hu[::-1, y], lungs[::-1, y], uncertain[::-1, y], (step_z, step_x)),
        (volume.hu[::-1, :, x], lungs[::-1, :, x], uncertain[::-1, :, x], (step_z, step_y)),
    ]


def _middle(mask: AnyArray, axis: int) -> int:
    """Index along ``axis`` that halves the mask; of an empty one the middle of the image."""
    others = tuple(a for a in range(3) if a != axis)
    counts = np.cumsum(np.count_nonzero(mask, axis=others))
    return int(np.searchsorted(counts, counts[-1] / 2.0)) if counts[-1] else int(mask.shape[axis] // 2)


def _drawn(hu: Int16Array, labels: UInt8Array, unsure: BoolArray, step_mm: tuple[float, float]) -> UInt8Array:
    size_mm = (hu.shape[0] * step_mm[0], hu.shape[1] * step_mm[1])
    scale = SIDE_PX / max(size_mm)
    shape = (max(1, round(size_mm[0] * scale)), max(1, round(size_mm[1] * scale)))
    grey = np.clip((hu.astype(np.float32) - LOW_HU) / (HIGH_HU - LOW_HU), 0.0, 1.0)
    grey = resize(grey, shape, order=1, anti_aliasing=True, preserve_range=True)  # type: ignore[no-untyped-call]
    picture = np.repeat(np.rint(grey * 255.0).astype(np.uint8)[..., None], 3, axis=2)
    rows = np.minimum((np.arange(shape[0]) + 0.5) * hu.shape[0] / shape[0], hu.shape[0] - 1).astype(np.intp)
    columns = np.minimum((np.arange(shape[1]) + 0.5) * hu.shape[1] / shape[1], hu.shape[1] - 1).astype(np.intp)
    small, small_unsure = labels[np.ix_(rows, columns)], unsure[np.ix_(rows, columns)]
    for mask, colour in ((small_unsure, UNSURE), *((small == side, c) for side, c in COLOURS.items())):
        picture[mask & ~ndimage.binary_erosion(mask)] = colour
    framed = np.zeros((SIDE_PX, SIDE_PX, 3), dtype=np.uint8)
    top, left = (SIDE_PX - shape[0]) // 2, (SIDE_PX - shape[1]) // 2
    framed[top : top + shape[0], left : left + shape[1]] = picture
    return framed
