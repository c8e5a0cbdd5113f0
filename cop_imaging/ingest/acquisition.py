"""What may be told of how the series was made: the allow-list and nothing else."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from pydicom.dataset import Dataset

from cop_imaging.core.issue import Issue, Severity
from cop_imaging.core.volume import Acquisition
from cop_imaging.ingest.headers import SliceRecord, number, syntax_name, text
from cop_imaging.ingest.kernels import kernel_class

__all__ = ["acquisition_of", "age_years", "missing_fields", "thickness_mm"]

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
    header = middle.described
    kernel = text(header, "ConvolutionKernel")
    position, sex = text(header, "PatientPosition"), text(header, "PatientSex")
    plane = middle.plane
    return Acquisition(
        manufacturer=text(header, "Manufacturer"),
        scanner=text(header, "ManufacturerModelName"),
        kernel=kernel,
        kernel_class=kernel_class(kernel),
        kvp=number(header, "KVP", 40.0, 200.0),
        exposure_mas=number(header, "Exposure", 0.1, 100000.0),
        slice_thickness_mm=thickness_mm(slices),
        slice_step_mm=round(step_mm, 4),
        pixel_spacing_mm=plane.spacing_mm if plane else None,
        rows=plane.shape[0] if plane else None,
        columns=plane.shape[1] if plane else None,
        slice_count=len(slices),
        patient_position=position if position in POSITIONS else None,
        contrast=_contrast(header),
        transfer_syntax=syntax_name(middle.syntax),
        sex=sex if sex in {"F", "M", "O"} else None,
        age_years=age_years(text(header, "PatientAge")),
        height_m=number(header, "PatientSize", 0.4, 2.5),
        weight_kg=number(header, "PatientWeight", 1.0, 500.0),
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


def _contrast(header: Dataset) -> bool | None:
    """Whether contrast was given; only a filled element says so, since scanners leave it out either way."""
    agent = text(header, "ContrastBolusAgent")
    return None if agent is None else agent.upper() not in NO_CONTRAST
