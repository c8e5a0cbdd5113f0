"""Axial and coronal views of a scan around its lungs, as a radiologist expects to see them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from cop_imaging.core import CTVolume, Scene
from cop_imaging.core.arrays import AnyArray, BoolArray, Int16Array
from cop_imaging.core.geometry import Box

__all__ = ["Plane", "axial", "close_up", "coronal"]

MARGIN_MM = 15.0
"""Chest wall shown around the lungs."""


@dataclass(frozen=True, slots=True, eq=False)
class Plane:
    """One slice, rows downwards and columns to the right: the patient's right is on the left."""

    hu: Int16Array
    """int16 [row, column]."""
    lungs: AnyArray
    """Lung labels of the slice on the crop, before ``cut``."""
    step_mm: tuple[float, float]
    """Distance between rows and between columns."""
    of: Callable[[AnyArray], AnyArray]
    """The slice of an array [z, y, x] on the scene's crop."""
    cut: Callable[[AnyArray], AnyArray]
    """A slice of the crop on the grid of ``hu``."""
    position: str
    """Where the slice lies, for a caption."""
    orientation: str

    @property
    def width_mm(self) -> float:
        """Width from edge to edge."""
        return int(self.hu.shape[1]) * self.step_mm[1]

    @property
    def height_mm(self) -> float:
        """Height from edge to edge."""
        return int(self.hu.shape[0]) * self.step_mm[0]


def axial(volume: CTVolume, scene: Scene, z: int) -> Plane:
    """Slice ``z`` of the scene seen from the feet: y runs down to the back, x runs to the patient's left."""
    box, margins = _wider(scene, volume)
    index = (scene.box[0].start or 0) + z
    position = f"z {scene.geometry.to_patient((float(z), 0.0, 0.0))[2] + 0.0:.0f} mm".replace("-", "\N{MINUS SIGN}")
    if scene.slices and scene.slices[z].instance_number is not None:
        position += f", instance {scene.slices[z].instance_number}"
    _, step_y, step_x = scene.geometry.spacing_mm
    return Plane(
        hu=volume.hu[index, box[1], box[2]],
        lungs=scene.lungs[z],
        step_mm=(step_y, step_x),
        of=lambda array: array[z],
        cut=lambda slice_: np.pad(slice_, (margins[1], margins[2])),
        position=position,
        orientation="patient's right on the left",
    )


def coronal(volume: CTVolume, scene: Scene, y: int) -> Plane:
    """Slice ``y`` of the scene seen from the front: the head is up."""
    box, margins = _wider(scene, volume)
    index = (scene.box[1].start or 0) + y
    depth = scene.geometry.to_patient((0.0, float(y), 0.0))[1] + 0.0
    step_z, _, step_x = scene.geometry.spacing_mm
    return Plane(
        hu=volume.hu[box[0], index, box[2]][::-1],
        lungs=scene.lungs[:, y],
        step_mm=(step_z, step_x),
        of=lambda array: array[:, y],
        cut=lambda slice_: np.pad(slice_, (margins[0], margins[2]))[::-1],
        position=f"y {depth:.0f} mm".replace("-", "\N{MINUS SIGN}"),
        orientation="patient's right on the left, head up",
    )


def close_up(plane: Plane, marked: BoolArray, least_mm: float) -> Plane:
    """The part of a plane around what is marked on the grid of ``hu``, at least ``least_mm`` wide, of the same form.

    The whole plane where nothing is marked, or where the part would be as wide.
    """
    if not marked.any():
        return plane
    places = np.nonzero(marked)
    spans = [float(np.ptp(at) + 1) * step + 2 * MARGIN_MM for at, step in zip(places, plane.step_mm, strict=True)]
    share = max(least_mm / plane.width_mm, spans[0] / plane.height_mm, spans[1] / plane.width_mm)
    if share >= 1.0:
        return plane
    cut = []
    for at, size in zip(places, plane.hu.shape, strict=True):
        length = round(share * size)
        start = round(float(at.min() + at.max() - length) / 2)
        start = min(max(start, 0), size - length)
        cut.append(slice(start, start + length))
    rows, columns = cut
    return replace(plane, hu=plane.hu[rows, columns], cut=lambda slice_: plane.cut(slice_)[rows, columns])


def _wider(scene: Scene, volume: CTVolume) -> tuple[Box, list[tuple[int, int]]]:
    """The scene's box with a margin, as far as the volume goes, and how far each end moved."""
    slices, margins = [], []
    for axis, step, size in zip(scene.box, scene.geometry.spacing_mm, volume.hu.shape, strict=True):
        start, stop, _ = axis.indices(size)
        reach = round(MARGIN_MM / step)
        low, high = max(0, start - reach), min(size, stop + reach)
        slices.append(slice(low, high))
        margins.append((start - low, high - stop))
    return (slices[0], slices[1], slices[2]), margins
