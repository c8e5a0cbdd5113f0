"""How far a scan suits a sign, by its slices."""

from __future__ import annotations

from cop_imaging.core.finding import Reliability
from cop_imaging.core.volume import Acquisition

__all__ = ["by_thickness"]


def by_thickness(acquisition: Acquisition, limit_mm: float, what: str) -> tuple[Reliability, str]:
    """1 up to the limit, 0.5 up to twice the limit, 0 beyond; thickness is the larger of thickness and step."""
    known = [t for t in (acquisition.slice_thickness_mm, acquisition.slice_step_mm) if t is not None]
    if not known:
        return 1.0, ""
    thickness = max(known)
    if thickness <= limit_mm:
        return 1.0, ""
    if thickness <= 2 * limit_mm:
        return 0.5, f"slices of {thickness:g} mm; {what} is measured well up to {limit_mm:g} mm"
    return 0.0, f"slices of {thickness:g} mm are too thick for {what}: at most {2 * limit_mm:g} mm"
