"""Whether slices lie on a regular grid, and which are missing if they do not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cop_imaging.core.arrays import AnyArray, Float64Array
from cop_imaging.errors import SeriesError
from cop_imaging.ingest.config import IngestConfig
from cop_imaging.ingest.planes import Placed

__all__ = ["check_spacing"]

DECIMAL_MM, ROUNDED_MM = 0.1, 0.06
"""Some scanners write positions to one decimal; then a slice may lie half of it, and a little for the fitted grid, from
its place."""


def check_spacing(placed: Sequence[Placed], along: Float64Array, config: IngestConfig) -> None:
    """Hold ``along``, the ascending positions of ``placed`` along the normal in mm, against a regular grid.

    Raises
    ------
    SeriesError
        ``slices.missing`` if single slices of a regular grid are absent, else ``slices.uneven_spacing``.
    """
    steps = np.diff(along)
    z = np.array([p.z_mm for p in placed])
    decimal = bool(np.abs(z / DECIMAL_MM - np.round(z / DECIMAL_MM)).max() < 1e-4)
    typical = float(np.median(steps))
    limit = max(config.uneven_percent / 100.0 * typical, ROUNDED_MM if decimal else 0.0)
    worst = _off_grid(along, np.arange(len(along)))
    # Where most slices are gone the smallest distance is the true one.
    for base in (typical, float(steps.min())):
        counts = np.round(steps / base).astype(int)
        index = np.concatenate([[0], np.cumsum(counts)])
        off = _off_grid(along, index)
        if counts.min() >= 1 and off <= limit:
            if counts.max() == 1:
                return
            if index[-1] + 1 <= 1.5 * len(along):
                raise _missing(placed, counts)
    at = int(np.abs(steps - typical).argmax())
    raise SeriesError(
        f"the slices are unevenly spaced: {steps.min():.2f} to {steps.max():.2f} mm, {worst:.2f} mm off a regular "
        f"grid (limit {limit:.3f} mm), worst between z = {z[at]:.1f} and {z[at + 1]:.1f} mm; an evenly spaced series "
        "is needed",
        code="slices.uneven_spacing",
    )


def _off_grid(along: Float64Array, index: AnyArray) -> float:
    """Largest distance of a slice from the regular grid that fits best, in mm."""
    if index[-1] == 0:
        return float("inf")
    slope, start = np.polyfit(index, along, 1)
    return float(np.abs(along - (slope * index + start)).max())


def _missing(placed: Sequence[Placed], counts: AnyArray) -> SeriesError:
    places = [
        low.z_mm + (high.z_mm - low.z_mm) * part / count
        for low, high, count in zip(placed[:-1], placed[1:], counts, strict=True)
        for part in range(1, int(count))
    ]
    shown = ", ".join(f"{z:.1f}" for z in sorted(places)[:6]) + (", ..." if len(places) > 6 else "")
    return SeriesError(
        f"{len(places)} slices are missing, at z = {shown} mm; send the whole series again", code="slices.missing"
    )
