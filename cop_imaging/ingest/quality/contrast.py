"""Contrast medium in the heart and the great vessels, as seen and as the header says."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from cop_imaging.core.arrays import BoolArray
from cop_imaging.core.issue import Issue, Severity
from cop_imaging.ingest.quality.coarse import CoarseView
from cop_imaging.ingest.quality.config import QualityConfig

__all__ = ["blood_density", "contrast_issues", "heart_region"]

BLOOD_RANGE_HU = (0.0, 600.0)


def heart_region(view: CoarseView) -> BoolArray:
    """Soft tissue between the lungs in their lower two thirds, in front of the spine: heart and great vessels."""
    region = np.zeros(view.lungs.shape, dtype=bool)
    first, last = view.lung_slices
    if last - first < 4:
        return region
    low, high = first + (last - first) // 6, first + 2 * (last - first) // 3
    for z in range(low, high):
        rows = np.flatnonzero(view.lungs[z].any(axis=1))
        if rows.size < 4:
            continue
        # What has lung at its right and at its left lies between the lungs.
        lung = view.lungs[z]
        between = np.maximum.accumulate(lung, axis=1) & np.maximum.accumulate(lung[:, ::-1], axis=1)[:, ::-1]
        region[z, rows[0] : rows[0] + round(0.7 * rows.size)] = between[rows[0] : rows[0] + round(0.7 * rows.size)]
    return region & view.tissue


def blood_density(view: CoarseView) -> float | None:
    """Median density in HU of the inner part of heart and great vessels."""
    inner = ndimage.binary_erosion(heart_region(view), np.ones((1, 3, 3), dtype=bool), iterations=2)
    values = view.hu[inner & (view.hu > BLOOD_RANGE_HU[0]) & (view.hu < BLOOD_RANGE_HU[1])]
    return float(np.median(values)) if values.size >= 50 else None


def contrast_issues(
    seen: bool | None, blood_hu: float | None, said: bool | None, config: QualityConfig
) -> tuple[Issue, ...]:
    """``quality.contrast``: that there is contrast medium, or that header and image disagree."""
    if seen is None or (not seen and not said):
        return ()
    message = f"Heart and great vessels have {blood_hu:.0f} HU: " + ("with" if seen else "without") + " contrast medium"
    if said is not None and said != seen:
        message += ", although the header says " + ("with" if said else "without")
    return (
        Issue(
            code="quality.contrast",
            severity=Severity.INFO,
            message=f"{message}.",
            measured=blood_hu,
            limit=config.contrast_hu,
        ),
    )
