"""Whether the body lies in the volume as the axes say: apices at the top, spine at the back, heart at the left.

The axes are judged one after the other, each on the volume already turned right along the axes before it: where
the liver is looked for depends on where the diaphragm was found.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from cop_imaging.core.arrays import BoolArray, Float32Array, Int32Array
from cop_imaging.core.geometry import Geometry
from cop_imaging.core.grid import distance_to
from cop_imaging.core.issue import Issue, Severity
from cop_imaging.ingest.quality.coarse import CoarseView
from cop_imaging.ingest.quality.config import QualityConfig
from cop_imaging.ingest.quality.contrast import heart_region

__all__ = ["Orientation", "orientation", "orientation_issues"]

PLANE = np.ones((1, 3, 3), dtype=bool)
BONE_HU = 180.0
LIVER_HU = (20.0, 200.0)
MIDLINE_MM = 35.0
BELOW_MM = 60.0
"""How far below the lungs liver, spleen and stomach are compared."""
CENTRAL = 0.2
"""Share of the depth of the chest around its middle that tells nothing of front and back."""
HEART_SCALE_MM = 10.0


@dataclass(frozen=True, slots=True)
class Orientation:
    """Evidence on each axis: above 0 as it should be, below 0 mirrored; None where nothing can be said."""

    dome: float | None = None
    """z: how much both ends of the lungs rise towards their middle, as apices and diaphragm do (-2 to 2)."""
    heart_low: float | None = None
    """z: how far below the middle of the lungs the tissue between them lies, in half heights."""
    spine: float | None = None
    """y: how much more bone lies near the midline at the back than in front (-1 to 1)."""
    recess: float | None = None
    """y: how much the lungs' lower end descends towards the back (-1 to 1)."""
    heart_mm: float | None = None
    """x: how far the heart lies to the left of the middle of the chest."""
    liver: float | None = None
    """x: how much more dense tissue lies below the right lung than below the left (-1 to 1)."""
    z: float | None = None
    y: float | None = None
    x: float | None = None


def orientation(view: CoarseView) -> Orientation:
    """Measure the signs of orientation."""
    first, last = view.lung_slices
    if last - first < 6:
        return Orientation()
    dome, heart_low = _dome(view), _heart_low(view)
    z = _weighed((dome, 1.0), (heart_low, 1.0))
    if z is not None and z < 0.0:
        view = _turned(view, 0)
    spine, recess = _spine(view), _recess(view)
    y = _weighed((spine, 1.0), (recess, 0.4))
    if y is not None and y < 0.0:
        view = _turned(view, 1)
    heart, liver = _heart_mm(view), _liver(view)
    # Without tissue between two lungs there is no middle that the liver could lie to the right of.
    x = None if heart is None else _weighed((heart, 1.0 / HEART_SCALE_MM), (liver, 2.0))
    return Orientation(dome, heart_low, spine, recess, heart, liver, z, y, x)


def orientation_issues(found: Orientation, config: QualityConfig) -> tuple[Issue, ...]:
    """``geometry.mirrored`` for every axis along which the body lies the wrong way round."""
    issues = []
    upright = (
        ("z", found.z, "The apices lie below and the diaphragm above"),
        ("y", found.y, "The spine lies in front"),
    )
    for axis, score, what in upright:
        if score is not None and score < -config.mirrored_score:
            issues.append(
                Issue(
                    code="geometry.mirrored",
                    severity=Severity.ERROR,
                    message=f"{what}: the volume is mirrored or turned along {axis}, or its position is stated "
                    "wrongly.",
                    measured=round(score, 2),
                    limit=-config.mirrored_score,
                )
            )
    if found.x is not None and found.x < -config.mirrored_side_score:
        sure = found.x < -config.mirrored_side_sure and max(found.heart_mm or 0.0, found.liver or 0.0) < 0.0
        sure = sure and found.heart_mm is not None and found.liver is not None
        issues.append(
            Issue(
                code="geometry.mirrored",
                severity=Severity.ERROR if sure else Severity.WARNING,
                message=f"{_sides(found)}: right and left are swapped, or the organs are (situs inversus).",
                affects=() if sure else ("lungs", "likelihood"),
                measured=round(found.x, 2),
                limit=-config.mirrored_side_score,
            )
        )
    return tuple(issues)


def _sides(found: Orientation) -> str:
    said = []
    if found.heart_mm is not None:
        said.append(f"the heart lies {abs(found.heart_mm):.0f} mm to the {'left' if found.heart_mm > 0 else 'right'}")
    if found.liver is not None:
        said.append(f"the liver to the {'right' if found.liver > 0 else 'left'}")
    seen = " and ".join(said)
    return seen[:1].upper() + seen[1:]


def _weighed(*evidence: tuple[float | None, float]) -> float | None:
    """Sum of the weighed evidence that there is, None without any."""
    known = [value * weight for value, weight in evidence if value is not None]
    return float(sum(known)) if known else None


def _turned(view: CoarseView, axis: int) -> CoarseView:
    """The view with one axis reversed."""
    return replace(
        view,
        hu=np.flip(view.hu, axis),
        valid=np.flip(view.valid, axis),
        body=np.flip(view.body, axis),
        lungs=np.flip(view.lungs, axis),
    )


def _ends(view: CoarseView) -> tuple[BoolArray, Int32Array, Int32Array]:
    """Where lung is, seen from above [y, x], and for these columns the index of its lowest and highest voxel."""
    first, last = view.lung_slices
    lungs: BoolArray = ndimage.binary_opening(view.lungs[first:last], PLANE)
    seen: BoolArray = np.asarray(lungs.any(axis=0))
    lowest = lungs.argmax(axis=0)[seen]
    highest = (lungs.shape[0] - 1 - lungs[::-1].argmax(axis=0))[seen]
    return seen, lowest.astype(np.int32), highest.astype(np.int32)


def _dome(view: CoarseView) -> float | None:
    """Correlation of the height of the lungs' two ends with the distance from their outline, summed."""
    seen, lowest, highest = _ends(view)
    inward = distance_to(~seen[None], Geometry((1, *seen.shape), view.geometry.spacing_mm))[0][seen]
    return _correlation(inward, lowest) + _correlation(inward, highest) if inward.size >= 50 else None


def _between(view: CoarseView) -> BoolArray:
    """Tissue that has lung at its right and at its left."""
    left = np.maximum.accumulate(view.lungs, axis=2)
    right = np.maximum.accumulate(view.lungs[:, :, ::-1], axis=2)[:, :, ::-1]
    between: BoolArray = left & right & view.tissue
    return between


def _heart_low(view: CoarseView) -> float | None:
    first, last = view.lung_slices
    # Only the front half and back half together: the spine's share is the same at every height.
    per_slice = _between(view)[first:last].sum(axis=(1, 2)).astype(np.float64)
    if not per_slice.sum():
        return None
    half = 0.5 * (last - first - 1)
    return float((half - (per_slice * np.arange(per_slice.size)).sum() / per_slice.sum()) / half)


def _spine(view: CoarseView) -> float | None:
    """Balance of bone near the midline between the back and the front of the chest, slice by slice, averaged.

    The spine is there in every slice; the heart with contrast medium, as dense as bone, in half of them.
    """
    middle = round(view.centre_x)
    half = max(1, round(MIDLINE_MM / view.geometry.spacing_mm[2]))
    strip = slice(max(middle - half, 0), middle + half + 1)
    bone = ((view.hu > BONE_HU) & view.body)[:, :, strip].sum(axis=2)
    rows = np.flatnonzero(view.lungs.any(axis=(0, 2)))
    centre, reach = 0.5 * float(rows[0] + rows[-1]), 0.5 * float(rows[-1] - rows[0])
    place = (np.arange(bone.shape[1]) - centre) / max(reach, 1.0)
    back, front = bone[:, place > CENTRAL].sum(axis=1), bone[:, place < -CENTRAL].sum(axis=1)
    total = back + front
    if np.count_nonzero(total) < 6:
        return None
    return float(((back - front) / np.maximum(total, 1))[total > 0].mean())


def _recess(view: CoarseView) -> float | None:
    seen, lowest, _ = _ends(view)
    return -_correlation(np.nonzero(seen)[0].astype(np.int32), lowest) if lowest.size >= 50 else None


def _heart_mm(view: CoarseView) -> float | None:
    """Mean x of heart and great vessels, relative to the middle of the chest."""
    heart = heart_region(view)
    if np.count_nonzero(heart) * view.geometry.voxel_ml < 100.0:
        return None
    return float((np.nonzero(heart)[2].mean() - view.centre_x) * view.geometry.spacing_mm[2])


def _liver(view: CoarseView) -> float | None:
    """Balance of homogeneous soft tissue between the two sides in the slices of the diaphragm and below."""
    first, last = view.lung_slices
    high = first + (last - first) // 4
    low = max(0, first - round(BELOW_MM / view.geometry.spacing_mm[0]))
    smooth = ndimage.uniform_filter(view.hu[low:high], (1, 3, 3))
    dense = (smooth > LIVER_HU[0]) & (smooth < LIVER_HU[1]) & view.body[low:high]
    core = ndimage.binary_erosion(dense, PLANE, iterations=3)
    x = np.arange(core.shape[2]) - view.centre_x
    columns = core.sum(axis=(0, 1)).astype(np.float64)
    right, left = float(columns[x < 0].sum()), float(columns[x > 0].sum())
    if (right + left) * view.geometry.voxel_ml < 50.0:
        return None
    return (right - left) / (right + left)


def _correlation(a: Float32Array | Int32Array, b: Float32Array | Int32Array) -> float:
    return float(np.corrcoef(a, b)[0, 1]) if a.std() > 0 and b.std() > 0 else 0.0
