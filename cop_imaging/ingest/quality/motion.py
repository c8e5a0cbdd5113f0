"""Slices whose edges do not continue those of their neighbours."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from cop_imaging.core.arrays import Float64Array
from cop_imaging.core.issue import Issue, Severity
from cop_imaging.core.volume import CTVolume
from cop_imaging.ingest.quality.coarse import TISSUE_HU, CoarseView
from cop_imaging.ingest.quality.config import QualityConfig

__all__ = ["motion_issues", "motion_percent", "slice_steps_mm"]

PLANE = np.ones((1, 3, 3), dtype=bool)
SAMPLE_MM = 2.0
THICKEST_MM = 5.5
"""Beyond this distance between slices anatomy itself does not continue."""


def slice_steps_mm(volume: CTVolume, view: CoarseView) -> Float64Array:
    """How far, in the mean, the borders of lung and body in a slice lie off both neighbours', in mm.

    What is tissue in one slice and not in either neighbour (or the reverse) cannot be anatomy that moves on from
    slice to slice. Only the borders of heart, diaphragm and chest wall are looked at: vessels end within a slice.

    Returns
    -------
    float64 (n,)
        For the slices between the lungs' ends with enough border; may be empty.
    """
    first, last = view.lung_slices
    step = max(1, round(SAMPLE_MM / volume.geometry.spacing_mm[2]))
    nz, ny, nx = view.steps
    pixel_mm = step * float(np.sqrt(volume.geometry.spacing_mm[1] * volume.geometry.spacing_mm[2]))
    low, high = max(first * nz, 1), min(last * nz, volume.hu.shape[0] - 1)
    large = ndimage.binary_opening(view.lungs, PLANE)
    shell = ndimage.binary_dilation(large, PLANE) & ~ndimage.binary_erosion(large, PLANE) & view.valid
    rows = np.minimum(np.arange(0, volume.hu.shape[1], step) // ny, shell.shape[1] - 1)
    columns = np.minimum(np.arange(0, volume.hu.shape[2], step) // nx, shell.shape[2] - 1)
    out: list[float] = []
    if high <= low:
        return np.array(out, dtype=np.float64)
    before, now = (volume.hu[z, ::step, ::step] > TISSUE_HU for z in (low - 1, low))
    for z in range(low, high):
        after = volume.hu[z + 1, ::step, ::step] > TISSUE_HU
        band = shell[min(z // nz, shell.shape[0] - 1)][np.ix_(rows, columns)]
        edge = int(np.count_nonzero((now[:, 1:] != now[:, :-1]) & band[:, 1:]))
        edge += int(np.count_nonzero((now[1:] != now[:-1]) & band[1:]))
        if edge * pixel_mm > 150.0:
            alone = int(np.count_nonzero((now != before) & (now != after) & band))
            out.append(alone * pixel_mm / edge)
        before, now = now, after
    return np.array(out, dtype=np.float64)


def motion_percent(volume: CTVolume, view: CoarseView, config: QualityConfig) -> float | None:
    """Share of slices whose edges are off by more than the limit, in percent; None for thick or few slices."""
    if volume.geometry.spacing_mm[0] > THICKEST_MM:
        return None
    steps = slice_steps_mm(volume, view)
    return float(100.0 * (steps > config.motion_mm).mean()) if steps.size >= 10 else None


def motion_issues(percent: float | None, config: QualityConfig) -> tuple[Issue, ...]:
    """``quality.motion`` when too many slices are off."""
    if percent is None or percent <= config.motion_percent:
        return ()
    return (
        Issue(
            code="quality.motion",
            severity=Severity.WARNING,
            message=f"The edges of {percent:.0f} % of the slices do not continue those of both neighbours "
            f"(limit {config.motion_percent:.0f} %): the patient breathed or moved.",
            affects=("ground_glass", "reversed_halo"),
            measured=percent,
            limit=config.motion_percent,
        ),
    )
