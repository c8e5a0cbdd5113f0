"""Connected components of a mask as lesions that can be found again in a viewer."""

from __future__ import annotations

from typing import Literal

import numpy as np
from scipy import ndimage

from cop_imaging.core.arrays import BoolArray, Int32Array
from cop_imaging.core.finding import Lesion
from cop_imaging.core.geometry import Box
from cop_imaging.core.grid import components, volume_ml_by_label
from cop_imaging.core.scene import Scene

__all__ = ["best_slice", "lesion_table", "lesions_of_labels"]

MOST_LESIONS = 50
ZONE_NAMES: tuple[Literal["upper", "middle", "lower"], ...] = ("upper", "middle", "lower")


def lesion_table(mask: BoolArray, scene: Scene, smallest_ml: float) -> tuple[Lesion, ...]:
    """The components of at least ``smallest_ml``, largest first, at most 50."""
    labels, n = components(mask)
    volumes = volume_ml_by_label(labels, n, scene.geometry)
    return lesions_of_labels(labels, int((volumes >= smallest_ml).sum()), scene)


def lesions_of_labels(labels: Int32Array, n: int, scene: Scene) -> tuple[Lesion, ...]:
    """One row for each label 1..n (at most 50)."""
    boxes = ndimage.find_objects(labels, max_label=min(n, MOST_LESIONS))
    return tuple(
        _lesion(labels, k + 1, (box[0], box[1], box[2]), scene) for k, box in enumerate(boxes) if box is not None
    )


def best_slice(mask: BoolArray) -> int | None:
    """z index of the slice with the largest area of the mask, None when it is empty."""
    area = mask.sum(axis=(1, 2))
    return int(np.argmax(area)) if area.any() else None


def _lesion(labels: Int32Array, k: int, box: Box, scene: Scene) -> Lesion:
    inside = labels[box] == k
    index = np.argwhere(inside)
    centroid = index.mean(axis=0)
    nearest = index[int(np.argmin(((index - centroid) ** 2).sum(axis=1)))]
    start = np.array([b.start for b in box])
    centre = tuple(int(v) for v in nearest + start)
    z = int(np.argmax(inside.sum(axis=(1, 2)))) + box[0].start
    point = scene.geometry.to_patient(np.array(centre, dtype=np.float64))
    on_slice = scene.geometry.to_patient(np.array([z, centre[1], centre[2]], dtype=np.float64))
    zone = int(np.bincount(scene.zone[box][inside], minlength=7)[1:].argmax())
    identity = scene.slices[z] if scene.slices else None
    return Lesion(
        volume_ml=float(inside.sum()) * scene.geometry.voxel_ml,
        centre_mm=(float(point[0]), float(point[1]), float(point[2])),
        depth_mm=float(scene.depth_mm[box][inside].min()),
        z_mm=float(on_slice[2]),
        instance_number=identity.instance_number if identity else None,
        sop_instance_uid=identity.sop_instance_uid if identity else None,
        side="right" if zone < 3 else "left",
        zone=ZONE_NAMES[zone % 3],
        mean_hu=float(scene.smooth_hu[box][inside].mean()),
    )
