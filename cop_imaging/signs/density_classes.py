"""Every lung voxel in one density class: the classes partition the lungs exactly."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from cop_imaging.core.arrays import UInt8Array
from cop_imaging.core.finding import Finding
from cop_imaging.core.scene import Scene

__all__ = ["DENSITY_CLASSES", "density_classes"]

DENSITY_CLASSES = (
    "outside",
    "aerated",
    "low_attenuation",
    "ground_glass",
    "consolidation",
    "vessel",
    "airway",
    "wall_or_shell",
)
"""Names of the labels 0-7; the last is denser than aerated lung and none of the others: airway walls, septa, bands,
fissures, small nodules, dependent haze, and the partial-volume shells of all these and of the pleura."""

LOW_ATTENUATION_HU = -950.0
"""Upper limit of emphysema (Gevenois 1996; -950 HU at 1 mm, full inspiration)."""


def density_classes(scene: Scene, findings: Mapping[str, Finding]) -> UInt8Array:
    """Label 1-7 of each lung voxel after ``DENSITY_CLASSES``, uint8 on the scene's crop; 0 outside the lungs.

    Where two could claim a voxel the first of these has it: consolidation (which hides its vessels and holds its air
    bronchograms), ground glass, airway, vessel, then density alone.

    Parameters
    ----------
    findings : mapping
        ``consolidation`` and ``ground_glass`` as they were found in this scene.

    Raises
    ------
    ValueError
        If either could not be assessed: then lung cannot be divided.
    """
    dense, hazy = (findings[name].mask for name in ("consolidation", "ground_glass"))
    limit_hu = findings["ground_glass"].measure("ground_glass.lower_limit_hu").value
    if dense is None or hazy is None or limit_hu is None:
        raise ValueError("density classes need consolidation and ground glass, and one of them was not assessable")
    label = {name: np.uint8(k) for k, name in enumerate(DENSITY_CLASSES)}
    low, haze = scene.smooth_hu < LOW_ATTENUATION_HU, scene.smooth_hu >= limit_hu
    out = np.where(low, label["low_attenuation"], np.where(haze, label["wall_or_shell"], label["aerated"]))
    for mask, name in (
        (scene.vessels, "vessel"),
        (scene.airways, "airway"),
        (hazy, "ground_glass"),
        (dense, "consolidation"),
    ):
        out[mask] = label[name]
    out[scene.lungs == 0] = label["outside"]
    classes: UInt8Array = out.astype(np.uint8, copy=False)
    return classes
