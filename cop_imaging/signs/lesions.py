"""Connected components of a mask as lesions that can be found again in a viewer."""

from __future__ import annotations

from typing import Literal

import numpy as np

from cop_imaging.core.arrays import AnyArray, BoolArray, Float64Array, Int64Array
from cop_imaging.core.finding import Lesion
from cop_imaging.core.parts import parts_of
from cop_imaging.core.scene import Scene

__all__ = ["lesion_table", "lesions_of_labels", "lesions_of_voxels"]

MOST_LESIONS = 50
ZONE_NAMES: tuple[Literal["upper", "middle", "lower"], ...] = ("upper", "middle", "lower")


def lesion_table(mask: BoolArray, scene: Scene, smallest_ml: float) -> tuple[Lesion, ...]:
    """The components of at least ``smallest_ml``, largest first, at most 50."""
    parts = parts_of(mask)
    n = min(int((parts.size * scene.geometry.voxel_ml >= smallest_ml).sum()), MOST_LESIONS)
    return lesions_of_voxels(*parts.first(n).voxels(), n, scene)


def lesions_of_labels(labels: AnyArray, n: int, scene: Scene) -> tuple[Lesion, ...]:
    """One row for each label 1..n (at most 50) that has voxels."""
    flat = np.flatnonzero(labels)
    return lesions_of_voxels(flat, labels.ravel()[flat].astype(np.int64) - 1, n, scene)


def lesions_of_voxels(flat: Int64Array, own: AnyArray, n: int, scene: Scene) -> tuple[Lesion, ...]:
    """One row for each lesion 0..n-1 (at most 50) that has voxels; all are measured in the same few passes.

    Parameters
    ----------
    flat : int64 (v,)
        Index of each voxel in the scene's crop, in the order of the array.
    own : int (v,)
        The lesion that it belongs to.
    """
    n = min(n, MOST_LESIONS)
    flat, own = flat[own < n], own[own < n]
    if flat.size == 0:
        return ()
    # By label, then in the order of the array.
    order = np.argsort(own.astype(np.uint8), kind="stable")
    flat, own = flat[order], own[order]
    index = np.stack(np.unravel_index(flat, scene.lungs.shape), axis=1)
    size = np.bincount(own, minlength=n)
    some = np.flatnonzero(size)
    first = (np.cumsum(size) - size)[some]
    share = np.maximum(size, 1)

    def mean(values: AnyArray) -> Float64Array:
        out: Float64Array = np.bincount(own, values, n) / share
        return out

    centroid = np.stack([mean(index[:, axis]) for axis in range(3)], axis=1)
    away = ((index - centroid[own]) ** 2).sum(axis=1)
    least = np.flatnonzero(away == np.repeat(np.minimum.reduceat(away, first), size[some]))
    nearest = index[least[np.unique(own[least], return_index=True)[1]]]
    height = scene.lungs.shape[0]
    z = np.bincount(own * height + index[:, 0], minlength=n * height).reshape(n, height).argmax(axis=1)
    zone = np.bincount(own * 7 + scene.zone.ravel()[flat], minlength=7 * n).reshape(n, 7)[:, 1:].argmax(axis=1)
    depth_mm = np.minimum.reduceat(scene.depth_mm.ravel()[flat], first)
    mean_hu = mean(scene.smooth_hu.ravel()[flat])
    return tuple(
        _lesion(int(size[k]), centre, int(z[k]), int(zone[k]), float(depth), float(mean_hu[k]), scene)
        for k, centre, depth in zip(some, nearest, depth_mm, strict=True)
    )


def _lesion(voxels: int, centre: AnyArray, z: int, zone: int, depth_mm: float, mean_hu: float, scene: Scene) -> Lesion:
    point = scene.geometry.to_patient(centre.astype(np.float64))
    on_slice = scene.geometry.to_patient(np.array([z, centre[1], centre[2]], dtype=np.float64))
    identity = scene.slices[z] if scene.slices else None
    return Lesion(
        volume_ml=voxels * scene.geometry.voxel_ml,
        centre_mm=(float(point[0]), float(point[1]), float(point[2])),
        depth_mm=depth_mm,
        z_mm=float(on_slice[2]),
        instance_number=identity.instance_number if identity else None,
        sop_instance_uid=identity.sop_instance_uid if identity else None,
        side="right" if zone < 3 else "left",
        zone=ZONE_NAMES[zone % 3],
        mean_hu=mean_hu,
    )
