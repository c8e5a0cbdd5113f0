"""Arms beside the chest and metal: what draws streaks through a scan."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from cop_imaging.core.grid import distance_to
from cop_imaging.core.issue import Issue, Severity
from cop_imaging.core.volume import CTVolume
from cop_imaging.ingest.quality.coarse import CoarseView
from cop_imaging.ingest.quality.config import QualityConfig

__all__ = ["arm_issues", "arms_down", "metal", "metal_issues"]

BONE_HU = 200.0
BESIDE_MM = 45.0
"""Bone farther than this beside the lungs is no rib: humerus, elbow or forearm."""
ARM_SHARE = 0.4
FLESH_HU = -200.0
FLESH_MM = 30.0
FLESH_SHARE = 0.6
NEAR_LUNG_MM = 30.0


def arms_down(view: CoarseView) -> bool | None:
    """Whether bone lies beside the chest along the lower half of the lungs; None when the field ends there."""
    first, last = view.lung_slices
    columns = np.flatnonzero(view.lungs.any(axis=(0, 1)))
    if last - first < 4 or columns.size == 0:
        return None
    beside = round(BESIDE_MM / view.geometry.spacing_mm[2])
    half = slice(first, first + (last - first) // 2)
    # The shell of a table is as dense as bone, but no flesh lies around it.
    flesh = ndimage.uniform_filter((view.hu[half] > FLESH_HU).astype(np.float32), _blocks_of(view, FLESH_MM))
    bone = (view.hu[half] > BONE_HU) & (flesh > FLESH_SHARE)
    sides = []
    right_end, left_start = max(int(columns[0]) - beside, 0), int(columns[-1]) + 1 + beside
    for part in (bone[:, :, :right_end], bone[:, :, left_start:]):
        sides.append(float((part.sum(axis=(1, 2)) >= 3).mean()) if part.size else 0.0)
    return max(sides) > ARM_SHARE


def _blocks_of(view: CoarseView, width_mm: float) -> tuple[int, int, int]:
    """A box of one slice and that width, in blocks."""
    _, y, x = view.geometry.spacing_mm
    return (1, max(3, round(width_mm / y)), max(3, round(width_mm / x)))


def arm_issues(found: bool | None) -> tuple[Issue, ...]:
    """``quality.arms_down``."""
    if not found:
        return ()
    return (
        Issue(
            code="quality.arms_down",
            severity=Severity.INFO,
            message="An arm lies beside the chest: streaks and more noise in the back of the lungs.",
            affects=("ground_glass",),
        ),
    )


def metal(volume: CTVolume, view: CoarseView, config: QualityConfig) -> tuple[float, float | None]:
    """Volume of metal in mL inside the body, and its distance from the lungs in mm (None without metal or lungs)."""
    nz, ny, nx = view.steps
    count = np.zeros(view.hu.shape, dtype=np.int32)
    rows, columns = view.hu.shape[1:]
    for k in range(view.hu.shape[0]):
        plane = volume.hu[min(k * nz + nz // 2, volume.hu.shape[0] - 1)]
        dense = plane[: rows * ny, : columns * nx] >= config.metal_hu
        if dense.any():
            count[k] = dense.reshape(rows, ny, columns, nx).sum(axis=(1, 3))
    count[~view.body] = 0
    volume_ml = float(count.sum()) * volume.geometry.voxel_ml * nz
    if not volume_ml or not view.lungs.any():
        return volume_ml, None
    return volume_ml, float(distance_to(view.lungs, view.geometry)[count > 0].min())


def metal_issues(
    volume_ml: float, away_mm: float | None, config: QualityConfig, *, contrast: bool
) -> tuple[Issue, ...]:
    """``quality.metal``, which affects the signs when it is large and beside the lungs.

    With contrast medium in the heart, what is as dense as metal is its bolus in a vein: a remark only.
    """
    if volume_ml <= config.metal_ml:
        return ()
    near = away_mm is not None and away_mm <= NEAR_LUNG_MM and not contrast
    where = "" if away_mm is None else f", {away_mm:.0f} mm from the lungs"
    return (
        Issue(
            code="quality.metal",
            severity=Severity.WARNING if near else Severity.INFO,
            message=f"{volume_ml:.1f} mL of metal or undiluted contrast medium{where}: streaks.",
            affects=("ground_glass", "consolidation") if near else (),
            measured=volume_ml,
            limit=config.metal_ml,
        ),
    )
