"""How far a scan suits a sign, by its slices."""

from __future__ import annotations

from cop_imaging.core.finding import Reliability
from cop_imaging.core.volume import Acquisition

__all__ = ["by_thickness"]


def by_thickness(
    acquisition: Acquisition, limit_mm: float, what: str, *, in_one_slice: bool = True
) -> tuple[Reliability, str]:
    """1 up to the limit, 0.5 up to twice the limit, 0 beyond; thickness is the larger of thickness and step.

    With gaps between slices, what can be seen ``in_one_slice`` is judged by the thickness alone and never fully
    trusted; what has to be followed from slice to slice cannot be looked for.
    """
    steps = (acquisition.slice_thickness_mm, acquisition.slice_step_mm if acquisition.contiguous else None)
    known = [t for t in steps if t is not None]
    if not acquisition.contiguous:
        if not in_one_slice:
            return 0.0, f"gaps between slices: {what} cannot be followed from slice to slice"
        if known and known[0] <= 2 * limit_mm:
            return 0.5, f"gaps between slices: {what} is a share of the cut area, not of the volume"
    if not known:
        return 1.0, ""
    thickness = max(known)
    if thickness <= limit_mm:
        return 1.0, ""
    if thickness <= 2 * limit_mm:
        return 0.5, f"slices of {thickness:g} mm; {what} is measured well up to {limit_mm:g} mm"
    return 0.0, f"slices of {thickness:g} mm are too thick for {what}: at most {2 * limit_mm:g} mm"
