"""The numbers that small nodules of every kind share: how many, how large, where, and how far apart."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from cop_imaging.core.arrays import BoolArray, Int64Array
from cop_imaging.core.finding import Feature, Lesion
from cop_imaging.core.scene import BUNDLE_MM, Scene
from cop_imaging.signs.lesions import lesions_of_labels
from cop_imaging.signs.nodules.candidates import Blobs
from cop_imaging.signs.nodules.masks import labelled

__all__ = ["SUBPLEURAL_MM", "marked", "nodule_features", "nodule_table", "voxels_of"]

SUBPLEURAL_MM = 5.0
"""A nodule whose middle lies within this distance of the lung's surface is subpleural."""


def nodule_features(sign: str, title: str) -> tuple[Feature, ...]:
    """The declared features of a kind of nodule, in column order."""
    named = (
        ("count", "1", f"{title} found", None),
        ("count_per_litre", "1", f"{title} per litre of lung", None),
        ("volume_ml", "ml", f"volume of all {title}", None),
        ("diameter_median_mm", "mm", "median diameter", None),
        ("diameter_largest_mm", "mm", "largest diameter", None),
        ("right_share", "1", "share of them in the right lung", 1.0),
        ("upper_share", "1", "share of them in the upper zones", 1.0),
        ("lower_share", "1", "share of them in the lower zones", 1.0),
        ("subpleural_share", "1", f"share of them within {SUBPLEURAL_MM:g} mm of the lung's surface", 1.0),
        ("peribronchovascular_share", "1", f"share of them within {BUNDLE_MM:g} mm of a bundle", 1.0),
        ("spacing_mm", "mm", "median distance to the next one", None),
        ("contrast_hu", "HU", "median density above the lung around", None),
    )
    return tuple(Feature(f"{sign}.{name}", unit, means, high=high) for name, unit, means, high in named)


def voxels_of(found: Blobs, scene: Scene) -> tuple[Int64Array, Int64Array, Int64Array]:
    """Index (z, y, x) on the crop of the voxel in the middle of each."""
    at = np.rint(scene.geometry.to_index(found.point_mm)).astype(np.int64)
    z, y, x = np.clip(at, 0, np.array(scene.lungs.shape) - 1).T
    return z, y, x


def nodule_table(sign: str, found: Blobs, scene: Scene) -> dict[str, float | None]:
    """The numbers by dotted name but for the volume; None where there is no nodule and the number is undefined."""
    n = len(found)
    at = voxels_of(found, scene)
    zone = scene.zone[at]
    two = n > 1
    distance_mm = np.asarray(cKDTree(found.point_mm).query(found.point_mm, k=2)[0]) if two else np.empty((0, 2))
    next_mm = distance_mm[:, 1]

    def share(of: BoolArray) -> float | None:
        return float(of.mean()) if n else None

    out = {
        "count": float(n),
        "count_per_litre": 1000.0 * n / max(scene.reference.total_ml, 1.0),
        "diameter_median_mm": 2.0 * float(np.median(found.radius_mm)) if n else None,
        "diameter_largest_mm": 2.0 * float(found.radius_mm.max()) if n else None,
        "right_share": share(scene.lungs[at] == 1),
        "upper_share": share((zone == 1) | (zone == 4)),
        "lower_share": share((zone == 3) | (zone == 6)),
        "subpleural_share": share(found.surface_mm <= SUBPLEURAL_MM),
        "peribronchovascular_share": share(scene.bundle_mm[at] <= BUNDLE_MM),
        "spacing_mm": float(np.median(next_mm)) if two else None,
        "contrast_hu": float(np.median(found.contrast_hu)) if n else None,
    }
    return {f"{sign}.{name}": value for name, value in out.items()}


def marked(found: Blobs, scene: Scene) -> tuple[BoolArray, tuple[Lesion, ...]]:
    """Mask on the crop, and the lesions, largest first, at most 50."""
    found = found.chosen(np.argsort(-found.radius_mm, kind="stable"))
    labels = labelled(scene, found.point_mm, found.radius_mm, 0.5 * (found.peak_hu + found.base_hu))
    lesions = tuple(
        lesion.model_copy(
            update={
                "details": {
                    "diameter_mm": 2.0 * float(found.radius_mm[k]),
                    "contrast_hu": float(found.contrast_hu[k]),
                    "roundness": float(found.roundness[k]),
                    "surface_mm": float(found.surface_mm[k]),
                }
            }
        )
        for k, lesion in enumerate(lesions_of_labels(labels, len(found), scene))
    )
    return labels > 0, lesions
