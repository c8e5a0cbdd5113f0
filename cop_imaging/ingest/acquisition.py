"""What may be told of how the series was made: the allow-list and nothing else."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from cop_imaging.core.issue import Issue, Severity
from cop_imaging.core.volume import Acquisition
from cop_imaging.ingest.headers import Header, syntax_name
from cop_imaging.ingest.kernels import kernel_class
from cop_imaging.ingest.records import SliceRecord

__all__ = ["acquisition_of", "age_years", "burned_in", "missing_fields", "thickness_mm"]

POSITIONS = frozenset(side + lying for side in ("HF", "FF", "LF", "RF", "AF", "PF") for lying in ("S", "P", "DR", "DL"))
"""Patient Position (PS3.3 C.7.3.1.1.2): what points to the gantry, then how the patient lies."""
NO_CONTRAST = frozenset({"", "NO", "NONE", "N", "0"})
YEARS = {"D": 1 / 365.25, "W": 7 / 365.25, "M": 1 / 12, "Y": 1.0}
NAMES = {
    "manufacturer": "manufacturer",
    "scanner": "scanner",
    "kernel": "kernel",
    "kvp": "tube voltage",
    "slice_thickness_mm": "slice thickness",
    "patient_position": "patient position",
    "sex": "sex",
    "age_years": "age",
}
"""Fields whose absence is worth a remark, in plain words."""


def acquisition_of(slices: Sequence[SliceRecord], step_mm: float) -> Acquisition:
    """The acquisition of an ordered stack; its middle slice speaks for all, but for the thickness."""
    middle = slices[len(slices) // 2]
    header = middle.header
    kernel = middle.kernel
    part = (header.text("BodyPartExamined") or "").upper()
    position, sex = header.text("PatientPosition"), header.text("PatientSex")
    plane = middle.plane
    return Acquisition(
        manufacturer=header.text("Manufacturer"),
        scanner=header.text("ManufacturerModelName"),
        kernel=kernel,
        kernel_class=kernel_class(kernel),
        kvp=middle.kvp,
        exposure_mas=header.number("Exposure", 0.1, 100000.0),
        slice_thickness_mm=thickness_mm(slices),
        slice_step_mm=round(step_mm, 4),
        pixel_spacing_mm=plane.spacing_mm if plane else None,
        rows=plane.shape[0] if plane else None,
        columns=plane.shape[1] if plane else None,
        slice_count=len(slices),
        body_part=part if part and re.fullmatch(r"[A-Z0-9_ ]{1,16}", part) else None,
        patient_position=position if position in POSITIONS else None,
        contrast=_contrast(header),
        transfer_syntax=syntax_name(header.syntax),
        sex=sex if sex in {"F", "M", "O"} else None,
        age_years=age_years(header.text("PatientAge")),
        height_m=header.number("PatientSize", 0.4, 2.5),
        weight_kg=header.number("PatientWeight", 1.0, 500.0),
    )


def thickness_mm(slices: Sequence[SliceRecord]) -> float | None:
    """Median of the slices' thickness, None when no header gives it."""
    known = [s.thickness_mm for s in slices if s.thickness_mm is not None]
    return float(np.median(known)) if known else None


def age_years(value: str | None) -> float | None:
    """An Age String (PS3.5 section 6.2, ``045Y``, ``018M``) in years; None when empty, zero or above 120."""
    found = re.fullmatch(r"(\d{1,3})([DWMY])", value or "")
    if not found:
        return None
    years = int(found[1]) * YEARS[found[2]]
    # Zero years is what some anonymizers write for "removed".
    return round(years, 2) if 0.0 < years <= 120.0 else None


def missing_fields(acquisition: Acquisition) -> tuple[Issue, ...]:
    """One remark that names every field the headers do not give."""
    missing = [words for name, words in NAMES.items() if getattr(acquisition, name) is None]
    if not missing:
        return ()
    message = f"The headers do not give: {', '.join(missing)}."
    return (Issue(code="header.missing", severity=Severity.INFO, message=message, measured=float(len(missing))),)


def burned_in(slices: Sequence[SliceRecord]) -> tuple[Issue, ...]:
    """A remark when the headers say that there is text in the pixels."""
    marked = sum((s.header.text("BurnedInAnnotation") or "").upper() == "YES" for s in slices)
    if not marked:
        return ()
    message = (
        f"The headers of {marked} of {len(slices)} slices say that text is burned into the pixels: it may identify a "
        "person, and it is measured as if it were tissue."
    )
    warning = Issue(code="header.burned_in", severity=Severity.WARNING, message=message, measured=float(marked))
    return (warning,)


def _contrast(header: Header) -> bool | None:
    """Whether contrast was given; only a filled element says so, since scanners leave it out either way."""
    agent = header.text("ContrastBolusAgent")
    return None if agent is None else agent.upper() not in NO_CONTRAST
