"""Slices whose pixels cannot continue their neighbours: damage that no decoder notices.

A few wrong bytes in the middle of a lossless JPEG stream decode without an error, and all that follows in the slice
is wrong. What lies far above both neighbours, or far below both, away from their edges, is no anatomy when there is
much of it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cop_imaging.core.arrays import BoolArray, Float64Array, Int16Array, Int64Array
from cop_imaging.core.issue import EVERY_SIGN, Issue, Severity
from cop_imaging.core.volume import CTVolume
from cop_imaging.ingest.quality.config import QualityConfig

__all__ = ["continuity_issues", "implausible_slices"]

SAMPLES = 64
"""Rows that are looked at, and means along each of them: 4096 samples tell a share to half a percent."""
PAIRS = ((-1, 1), (-1, 2), (-2, 1), (-1, 3), (-2, 2), (-3, 1))
"""What a slice is held against: with three damaged slices side by side, one of these pairs is still whole."""
REACH_MM = 15.0
"""Slices farther apart than this, or than two steps of the series, tell nothing of what lies between them."""
END = 2.5
"""The first and the last slice are held against this many limits: seen from one side only, up to 6 % of the samples
of real scans are off wherever a scan ends. Two damaged slices at an end cannot always be told from anatomy."""
EDGE_HU = 300
"""Neighbouring samples that differ by more lie on an edge: half of the step from lung to soft tissue and below."""
FEWEST = 3
DENSEST_HU = 4095
"""Metal, however dense: differences then fit into 16 bits."""
NAMED = 5


def implausible_slices(volume: CTVolume, config: QualityConfig) -> tuple[tuple[int, float], ...]:
    """Index and share of wrong samples, in percent, of every slice that cannot continue its neighbours.

    Slices are taken out one by one, the worst first, so that none is held against a damaged one.

    Returns
    -------
    tuple of (int, float)
        By rising index; empty with gaps between slices, where nothing has to continue, and below three slices.
    """
    if not volume.acquisition.contiguous or len(volume.hu) < FEWEST:
        return ()
    samples, steady = _sampled(volume)
    reach = max(2, int(REACH_MM / volume.geometry.spacing_mm[0]))
    left, found = np.arange(len(samples)), []
    while len(left) >= FEWEST:
        percent = _spikes(samples[left], steady[left], left, reach, config.implausible_hu)
        worst = int(percent.argmax())
        if percent[worst] <= config.implausible_percent:
            break
        found.append((int(left[worst]), float(percent[worst])))
        left = np.delete(left, worst)
    return tuple(sorted(found))


def continuity_issues(volume: CTVolume, found: Sequence[tuple[int, float]], config: QualityConfig) -> tuple[Issue, ...]:
    """``pixels.implausible``, an error that names the slices by their position."""
    if not found:
        return ()
    z_mm = [float(volume.geometry.to_patient((float(k), 0.0, 0.0))[2]) for k, _ in found[:NAMED]]
    more = f" and {len(found) - NAMED} more" if len(found) > NAMED else ""
    one = len(found) == 1
    most = max(percent for _, percent in found)
    return (
        Issue(
            code="pixels.implausible",
            severity=Severity.ERROR,
            message=f"The {'slice' if one else 'slices'} at z = {', '.join(f'{z:.1f}' for z in z_mm)} mm{more} cannot "
            f"continue {'its' if one else 'their'} neighbours: up to {most:.0f} % of the pixels away from edges lie "
            f"more than {config.implausible_hu:.0f} HU off on both sides (limit {config.implausible_percent:g} %). "
            "The pixels are damaged, or of another scan; send the series again.",
            affects=("lungs", "likelihood"),
            spoils=(EVERY_SIGN,),
            measured=round(most, 2),
            limit=config.implausible_percent,
        ),
    )


def _sampled(volume: CTVolume) -> tuple[Int16Array, BoolArray]:
    """Means of pixels along some rows [z, row, column], and where they were scanned and are like those around them.

    Means and no single pixels: the noise of a sharp kernel reaches the limit, its mean over a few pixels does not.
    Away from edges: there vessels end, and the body moves when the patient does.
    """
    step = max(1, round(min(volume.hu.shape[1:]) / SAMPLES))
    columns = volume.hu.shape[2] // step * step
    means = np.empty(volume.hu[:, ::step, :columns:step].shape, dtype=np.int16)
    for k, plane in enumerate(volume.hu):
        rows = plane[::step]
        total = rows[:, :columns:step].astype(np.int32)
        for i in range(1, step):
            total += rows[:, i:columns:step]
        means[k] = np.minimum(total // step, DENSEST_HU)
    steady = np.ones(means.shape, dtype=bool)
    if volume.valid is not None:
        steady &= volume.valid[:, ::step, step // 2 : columns : step]
    across, along = (np.abs(np.diff(means, axis=axis)) < EDGE_HU for axis in (1, 2))
    steady[:, 1:] &= across
    steady[:, :-1] &= across
    steady[:, :, 1:] &= along
    steady[:, :, :-1] &= along
    return means, steady


def _spikes(hu: Int16Array, steady: BoolArray, at: Int64Array, reach: int, limit_hu: float) -> Float64Array:
    """Share of each slice's samples beyond the limit on the same side of two others, in percent, ends lessened.

    ``at`` is the place of each slice in the series, and ``reach`` how many steps the three may span. Only the two
    others have to be steady: what is missing in this slice alone does not continue them either.
    """
    percent, n, samples = np.zeros(len(hu)), len(hu), steady.sum(axis=(1, 2))
    inside = [(slice(-a, n - b), slice(0, n - b + a), slice(b - a, n)) for a, b in PAIRS if n > b - a]
    ends = [(slice(0, 1), slice(1, 2), slice(2, 3)), (slice(n - 1, n), slice(n - 2, n - 1), slice(n - 3, n - 2))]
    for here, one, other in (*inside, *ends):
        off = hu[here] - np.maximum(hu[one], hu[other]) > limit_hu
        off |= np.minimum(hu[one], hu[other]) - hu[here] > limit_hu
        off &= steady[one] & steady[other]
        share = 100.0 * off.sum(axis=(1, 2)) / np.maximum(np.maximum(samples[one], samples[other]), 1)
        places = np.stack([at[here], at[one], at[other]])
        share[np.ptp(places, axis=0) > reach] = 0.0
        percent[here] = np.maximum(percent[here], share)
    percent[[0, -1]] /= END
    return percent
