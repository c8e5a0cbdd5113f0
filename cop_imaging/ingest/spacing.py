"""Whether slices lie on a regular grid, and which places of it are empty."""

from __future__ import annotations

import numpy as np

from cop_imaging.core.arrays import AnyArray, Float64Array
from cop_imaging.errors import SeriesError
from cop_imaging.ingest.geometry_config import GeometryConfig
from cop_imaging.ingest.planes import Placed

__all__ = ["fitted_line", "grid_places"]

DECIMAL_MM = 0.1
"""Some scanners write positions to one decimal."""
MOST_EMPTY = 0.5
"""Empty places for each slice above which a grid is no longer what the slices lie on."""


def grid_places(placed: Placed, config: GeometryConfig) -> AnyArray:
    """Place of each slice on the regular grid that fits best, from 0; a number that is left out is a missing slice.

    Parameters
    ----------
    placed : Placed
        At least two slices, at distinct positions.

    Raises
    ------
    SeriesError
        ``slices.uneven_spacing`` if there is no such grid.
    """
    along = placed.along_mm
    steps = np.diff(along)
    typical = float(np.median(steps))
    limit = max(config.uneven_percent / 100.0 * typical, _rounding_mm(placed, config))
    # Where most slices are gone the smallest distance is the true one.
    for base in (typical, float(steps.min())):
        counts = np.rint(steps / base).astype(np.int64)
        places = np.concatenate([[0], np.cumsum(counts)])
        full = places[-1] + 1 <= (1.0 + MOST_EMPTY) * len(along)
        if counts.min() >= 1 and full and _off_grid(along, places) <= limit:
            return places
    worst = _off_grid(along, np.arange(len(along)))
    at = int(np.abs(steps - typical).argmax())
    low, high = sorted(placed.positions_mm[at : at + 2, 2])
    raise SeriesError(
        f"the slices are unevenly spaced: {steps.min():.2f} to {steps.max():.2f} mm, {worst:.2f} mm off a regular "
        f"grid (limit {limit:.3f} mm), worst between z = {low:.1f} and {high:.1f} mm; an evenly spaced series "
        "is needed",
        code="slices.uneven_spacing",
    )


def fitted_line(at: AnyArray, values: Float64Array) -> tuple[Float64Array, Float64Array]:
    """Slopes (k,) and residuals (n, k) of the lines through ``values`` (n, k) at ``at`` (n,), by least squares."""
    centred = at - at.mean()
    shifted = values - values.mean(axis=0)
    slope: Float64Array = centred @ shifted / float(centred @ centred)
    return slope, shifted - centred[:, None] * slope


def _off_grid(along: Float64Array, places: AnyArray) -> float:
    """Largest distance of a slice from the regular grid that fits best, in mm."""
    _, off = fitted_line(places.astype(np.float64), along[:, None])
    return float(np.abs(off).max())


def _rounding_mm(placed: Placed, config: GeometryConfig) -> float:
    """How far a slice may lie from its place because coordinates were written to one decimal."""
    coarse = np.abs(placed.positions_mm / DECIMAL_MM - np.rint(placed.positions_mm / DECIMAL_MM)).max(axis=0) < 1e-4
    return config.rounded_mm * float(np.abs(placed.plane.normal) @ coarse)
