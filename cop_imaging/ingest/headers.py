"""What one slice says of itself: the elements that ingestion looks at, and no others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import UID, CTImageStorage, ImplicitVRLittleEndian

from cop_imaging.core.geometry import Triple
from cop_imaging.ingest.files import open_dicom
from cop_imaging.ingest.parsing import DAMAGE

__all__ = ["Plane", "SliceRecord", "number", "read_record", "syntax_name", "text", "transfer_syntax"]

ORDERING = (
    "SOPClassUID",
    "SOPInstanceUID",
    "SeriesInstanceUID",
    "InstanceNumber",
    "Modality",
    "ImageType",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "Rows",
    "Columns",
    "PixelSpacing",
    "SliceThickness",
)
DESCRIBING = (
    "Manufacturer",
    "ManufacturerModelName",
    "ConvolutionKernel",
    "KVP",
    "Exposure",
    "PatientPosition",
    "ContrastBolusAgent",
    "PatientSex",
    "PatientAge",
    "PatientSize",
    "PatientWeight",
)
"""The allow-list: nothing here identifies a person, a place or a date."""

SKEW = 0.01
"""Largest cosine between row and column, and deviation of their length from 1, of a readable orientation: headers
that round to two decimals stay below it."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Plane:
    """Where one slice lies, and the shape of its pixel grid."""

    position_mm: Triple
    """LPS position (x, y, z) of the centre of the first pixel."""
    row: Triple
    """Unit vector in which the column index grows."""
    column: Triple
    """Unit vector in which the row index grows, at a right angle to ``row``."""
    shape: tuple[int, int]
    """Rows, columns."""
    spacing_mm: tuple[float, float]
    """Between rows, between columns."""

    @property
    def normal(self) -> Triple:
        """Unit vector at a right angle to the slice; slices are stored along it."""
        return _triple(np.cross(self.row, self.column))


@dataclass(frozen=True, slots=True)
class SliceRecord:
    """One file with an image, before anything is known of its neighbours."""

    path: Path
    sop_class: str
    sop_uid: str
    series_uid: str
    instance: int | None
    modality: str
    image_type: tuple[str, ...]
    plane: Plane | None
    """None when position, orientation, matrix or pixel spacing are missing or make no sense."""
    thickness_mm: float | None
    syntax: UID
    described: Dataset
    """Elements of the allow-list."""

    @property
    def rank(self) -> tuple[int, str, str]:
        """Order among slices at one position: it depends on nothing that a copy of the files changes."""
        return (self.instance if self.instance is not None else 0, self.sop_uid, self.path.name)


def read_record(path: Path) -> SliceRecord:
    """Read one header.

    Raises
    ------
    SeriesError
        ``source.unreadable`` if the file cannot be read.
    ValueError, LookupError, ...
        Any of ``DAMAGE`` if it is no whole DICOM file.
    """
    header = open_dicom(path, [*ORDERING, *DESCRIBING])
    described = Dataset()
    for name in DESCRIBING:
        if name in header:
            described[name] = header[name]
    return SliceRecord(
        path=path,
        # A file that does not name its class is judged by its modality and its image alone.
        sop_class=text(header, "SOPClassUID") or CTImageStorage,
        sop_uid=text(header, "SOPInstanceUID") or "",
        series_uid=text(header, "SeriesInstanceUID") or "",
        instance=_or_none(lambda: int(header.InstanceNumber)),
        modality=text(header, "Modality") or "",
        image_type=_or_none(lambda: tuple(str(part).upper() for part in header.ImageType)) or (),
        plane=_or_none(lambda: _plane(header)),
        thickness_mm=number(header, "SliceThickness", 0.01, 100.0),
        syntax=transfer_syntax(header),
        described=described,
    )


def transfer_syntax(header: Dataset) -> UID:
    """UID of the encoding; a file without a meta group is Implicit VR Little Endian (PS3.5 section 10.1)."""
    meta = getattr(header, "file_meta", None)
    return UID(str(getattr(meta, "TransferSyntaxUID", None) or ImplicitVRLittleEndian))


def syntax_name(syntax: UID) -> str:
    """Name of a transfer syntax; what the standard does not name is not repeated, it may be anything."""
    return syntax.name if syntax.type == "Transfer Syntax" else "unknown"


def text(header: Dataset, name: str) -> str | None:
    """First value of an element as text of at most 64 characters, None when it is missing, empty or unreadable."""

    def first() -> str:
        value = header.get(name)
        if value is not None and not isinstance(value, str) and hasattr(value, "__iter__"):
            value = next(iter(value), None)
        return "" if value is None else " ".join(str(value).split())[:64]

    return _or_none(first) or None


def number(header: Dataset, name: str, low: float, high: float) -> float | None:
    """First value of an element as a number between ``low`` and ``high``, else None."""
    value = _or_none(lambda: float(text(header, name) or "nan"))
    return value if value is not None and low <= value <= high else None


def _plane(header: Dataset) -> Plane:
    position = np.array([float(v) for v in header.ImagePositionPatient])
    cosines = np.array([float(v) for v in header.ImageOrientationPatient])
    spacing = [float(v) for v in header.PixelSpacing]
    rows, columns = int(header.Rows), int(header.Columns)
    row, column = cosines.reshape(2, 3)
    lengths = np.linalg.norm([row, column], axis=1)
    sane = (
        position.shape == (3,)
        and bool(np.isfinite([*position, *cosines, *spacing]).all())
        and np.abs(lengths - 1.0).max() < SKEW
        and abs(float(row @ column)) < SKEW
        and len(spacing) == 2
        and 0.01 < min(spacing) <= max(spacing) < 10.0
        and min(rows, columns) > 1
    )
    if not sane:
        raise ValueError("position, orientation, matrix or pixel spacing make no sense")
    # Headers round the cosines: make them a right angle again, keeping the row's direction.
    row = row / lengths[0]
    column = column - (column @ row) * row
    column /= np.linalg.norm(column)
    return Plane(_triple(position), _triple(row), _triple(column), (rows, columns), (spacing[0], spacing[1]))


def _or_none(read: Callable[[], T]) -> T | None:
    """The value, or None when the element is missing or cannot be understood: pydicom converts on access."""
    try:
        return read()
    except DAMAGE:
        return None


def _triple(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> Triple:
    return (float(values[0]), float(values[1]), float(values[2]))
