"""Whether a volume holds Hounsfield units of a body, told from its densities before any of them is cut off."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from cop_imaging.core.arrays import AnyArray, BoolArray, Int16Array, Int64Array
from cop_imaging.core.issue import Issue, Severity
from cop_imaging.core.volume import AIR_HU
from cop_imaging.errors import SeriesError
from cop_imaging.ingest.density_config import DensityConfig

__all__ = ["Densities", "check_densities", "counted", "densities_of"]

LOWEST, HIGHEST = -12_000, 12_000
"""Densities that are told apart, in HU: what lies beyond counts at the ends."""
SPARSE = 4
"""One pixel in so many along each axis is looked at."""
BIN_HU = 20
"""Width of the bins in which the commonest density is looked for: finer ones follow noise."""
SPLIT_HU, BONE_HU = -500, 1500
"""Midway between air and water; above the other is metal, teeth or no Hounsfield unit."""
AIR, FARTHEST_HU = -1000, 100
"""Density of air by definition, and how far beside it a peak may be air and not lung."""
ALIKE_HU, ONE_PEAK_HU = (750, 1200), 300
"""Distances of air or lung from soft tissue under a right slope, and the width of one peak with its noise."""
NEAR_HU = 20
"""Densities beside an end of the range, against which a pile at that end is held."""
PILE_RATIO = 5.0
"""A pile holds so many times what each density beside it holds."""
SHIFTS = (1024, 1000, -1024, -1000, 2048, -2048, 8192, -8192, 32768, -32768)
"""Offsets that lost or doubled intercepts leave behind, in HU."""
CAUSES = {1024: "the intercept was not applied", -1024: "slope and intercept were applied twice"}


@dataclass(slots=True, eq=False)
class Densities:
    """Counts of a sample of voxels by density, 1 HU wide."""

    every: Int64Array = field(default_factory=lambda: np.zeros(HIGHEST - LOWEST + 1, np.int64))
    """Of all voxels."""
    scanned: Int64Array = field(default_factory=lambda: np.zeros(HIGHEST - LOWEST + 1, np.int64))
    """Of those inside the scanned field."""

    def add(self, other: Densities) -> None:
        """Count another sample too."""
        self.every += other.every
        self.scanned += other.scanned


def counted(density: AnyArray, valid: BoolArray) -> Densities:
    """Counts of a sparse sample of one slice [row, column]."""
    sparse = (slice(SPARSE // 2, None, SPARSE),) * 2 if min(density.shape) > 64 else (slice(None),) * 2
    sample, inside = density[sparse], valid[sparse]
    index = np.clip(sample.astype(np.int32), LOWEST, HIGHEST) - LOWEST
    size = HIGHEST - LOWEST + 1
    every = np.bincount(index.ravel(), minlength=size).astype(np.int64, copy=False)
    if inside.all():
        return Densities(every, every)
    return Densities(every, np.bincount(index[inside], minlength=size).astype(np.int64, copy=False))


def densities_of(hu: Int16Array, valid: BoolArray | None) -> Densities:
    """Counts of a sparse sample of a volume that is in Hounsfield units already."""
    seen = Densities()
    for n in range(0, hu.shape[0], SPARSE if hu.shape[0] > 64 else 1):
        seen.add(counted(hu[n], np.ones(hu.shape[1:], np.bool_) if valid is None else valid[n]))
    return seen


def check_densities(densities: Densities, config: DensityConfig) -> tuple[Issue, ...]:
    """Refuse a volume without air near -1000 HU and soft tissue near 40 HU, or whose densities are cut off.

    The commonest density below -500 HU must be that of air or lung, the commonest above it that of fat, water or
    muscle: an offset or a scale that was lost moves at least one of the two.

    Raises
    ------
    SeriesError
        ``hu.offset`` or ``hu.clipped``, with the densities that were found.
    """
    counts = densities.scanned
    air, air_percent = _commonest(counts, LOWEST, SPLIT_HU)
    tissue, tissue_percent = _commonest(counts, SPLIT_HU, BONE_HU)
    least = config.smallest_share_percent
    if air_percent < least or tissue_percent < least:
        lacks = "air" if air_percent < least else "soft tissue"
        found = f"{lacks} is missing (median density {_median(densities.every):.0f} HU)"
    elif air > config.air_high_hu:
        found = f"the commonest density of air and lung is {air:.0f} HU instead of at most {config.air_high_hu:g}"
    elif not config.tissue_low_hu <= tissue <= config.tissue_high_hu:
        found = (
            f"the commonest density of soft tissue is {tissue:.0f} HU instead of "
            f"{config.tissue_low_hu:g} to {config.tissue_high_hu:g}"
        )
    else:
        return (*_cut_off(counts, config), *_small_offset(counts, config))
    raise SeriesError(
        f"the values are no Hounsfield units of a body: {found}{_cause(densities, config)}; the original CT "
        "images are needed",
        code="hu.offset",
    )


def _cause(densities: Densities, config: DensityConfig) -> str:
    """The known shift under which air and tissue would lie where they belong, or a wrong slope, in words."""
    counts = densities.every
    least = config.smallest_share_percent
    for shift in SHIFTS:
        moved = np.zeros_like(counts)
        if shift > 0:
            moved[:-shift] = counts[shift:]
        else:
            moved[-shift:] = counts[:shift]
        air, air_percent = _commonest(moved, LOWEST, SPLIT_HU)
        tissue, tissue_percent = _commonest(moved, SPLIT_HU, BONE_HU)
        lung = -1100 < air <= config.air_high_hu and config.tissue_low_hu <= tissue <= config.tissue_high_hu
        if lung and min(air_percent, tissue_percent) >= least:
            why = CAUSES.get(shift)
            return f", as if all were {shift:+d} HU off" + (f" ({why})" if why else "")
    apart = _peaks_apart(densities.scanned)
    if apart is None or ALIKE_HU[0] <= apart <= ALIKE_HU[1]:
        return ""
    return f", as if the slope were wrong (the two commonest densities lie {apart} HU apart instead of about 1000)"


def _peaks_apart(counts: Int64Array) -> int | None:
    """Distance in HU of the two fullest bins that are not one peak; None if there is one peak only."""
    bins = counts[: len(counts) // BIN_HU * BIN_HU].reshape(-1, BIN_HU).sum(axis=1)
    # The ends hold all that lies beyond.
    bins[[0, -1]] = 0
    first, one_peak = int(bins.argmax()), ONE_PEAK_HU // BIN_HU
    rest = bins.copy()
    rest[max(0, first - one_peak) : first + one_peak + 1] = 0
    return BIN_HU * abs(int(rest.argmax()) - first) if rest.any() else None


def _small_offset(counts: Int64Array, config: DensityConfig) -> tuple[Issue, ...]:
    """A remark on a peak of air that lies beside -1000 HU.

    Below, nothing but air can be the peak. Above, it may be lung (emphysema, deep inspiration): it counts as air only
    where no air is left at -1000 HU, not even that of the trachea.
    """
    total = int(counts.sum())
    fullest, _ = _commonest(counts, round(AIR - FARTHEST_HU) - BIN_HU, round(AIR + FARTHEST_HU) + BIN_HU)
    if not np.isfinite(fullest):
        return ()
    start = round(fullest) - FARTHEST_HU - LOWEST
    peak = counts[start : start + 2 * FARTHEST_HU + 1]
    # The median and not the fullest bin: air that is cut off at -1024 HU piles up there.
    air = start + LOWEST + int(np.searchsorted(np.cumsum(peak), peak.sum() / 2))
    offset = float(air - AIR)
    darker = 100.0 * int(counts[: AIR + NEAR_HU - LOWEST].sum()) / total
    much = 100.0 * int(peak.sum()) / total >= config.air_peak_percent
    if not much or abs(offset) <= config.air_offset_hu or (offset > 0 and darker >= config.smallest_share_percent):
        return ()
    message = f"The commonest density of air is {air} HU instead of {AIR}: all densities may be {offset:+.0f} HU off."
    issue = Issue(
        code="hu.offset",
        severity=Severity.WARNING,
        message=message,
        affects=("signs", "likelihood"),
        measured=float(air),
        limit=config.air_offset_hu,
    )
    return (issue,)


def _cut_off(counts: Int64Array, config: DensityConfig) -> tuple[Issue, ...]:
    """A remark on densities that pile up at an end of their range, or a refusal where lung or tissue is cut off."""
    there = np.flatnonzero(counts)
    low, high = int(there[0]), int(there[-1])
    total = int(counts.sum())
    issues = []
    for end, step, words in ((low, 1, "below"), (high, -1, "above")):
        beside = counts[end + step : end + step * (NEAR_HU + 1) : step]
        share = 100.0 * counts[end] / total
        if share < config.pile_percent or counts[end] < PILE_RATIO * beside.mean():
            continue
        value = end + LOWEST
        # Twelve bits end at -1024 HU, and tissue almost without noise is not cut off: nothing lies 10 HU beside it.
        if value <= AIR_HU or beside[NEAR_HU // 2 :].sum() < 0.01 * counts[end]:
            continue
        lost = value > config.floor_hu if step > 0 else value < config.ceiling_hu
        limit = config.floor_hu if step > 0 else config.ceiling_hu
        if lost:
            raise SeriesError(
                f"the densities are cut off {words} {value} HU ({share:.1f} % lie there): they are a window, not the "
                "whole range; the original CT images are needed",
                code="hu.clipped",
            )
        issues.append(
            Issue(
                code="hu.clipped",
                severity=Severity.INFO,
                message=f"The densities are cut off {words} {value} HU: {share:.1f} % of the voxels lie there.",
                measured=float(value),
                limit=limit,
            )
        )
    return tuple(issues)


def _commonest(counts: Int64Array, low: int, high: int) -> tuple[float, float]:
    """Centre of the fullest bin from ``low`` to ``high`` in HU, and the share of voxels there in percent."""
    part = counts[low - LOWEST : high - LOWEST]
    total = int(counts.sum())
    if not part.any():
        return (float("nan"), 0.0)
    bins = part[: len(part) // BIN_HU * BIN_HU].reshape(-1, BIN_HU).sum(axis=1)
    return (low + BIN_HU * (float(bins.argmax()) + 0.5), 100.0 * float(part.sum()) / total)


def _median(counts: Int64Array) -> float:
    total = counts.sum()
    return float(np.searchsorted(np.cumsum(counts), total / 2) + LOWEST) if total else float("nan")
