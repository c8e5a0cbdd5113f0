"""One image before anything is known of its neighbours: where it lies and what it is."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pydicom.uid import CTImageStorage

from cop_imaging.core.geometry import Triple
from cop_imaging.ingest.frames import MULTI_FRAME, frame_headers
from cop_imaging.ingest.headers import Header, read_header
from cop_imaging.ingest.naming import shown_name
from cop_imaging.ingest.parsing import DAMAGE

__all__ = ["DIRECTORY", "Plane", "SliceRecord", "read_records", "record_of", "series_key"]

DIRECTORY = "DICOMDIR"
"""The one file of a medium that holds no image (PS3.10 section 8.6)."""
SKEW = 0.01
"""Largest cosine between row and column, and deviation of their length from 1, of a readable orientation: headers
that round to two decimals stay below it."""


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
        (a, b, c), (d, e, f) = self.row, self.column
        return (b * f - c * e, c * d - a * f, a * e - b * d)


@dataclass(frozen=True, slots=True)
class SliceRecord:
    """One image: a file, or one frame of a multi-frame file."""

    header: Header
    sop_class: str
    sop_uid: str
    series_uid: str
    study_uid: str
    person: str
    """Stands for the patient's identifier and name; empty when the header gives neither."""
    frame_of_reference: str
    instance: int | None
    modality: str
    image_type: tuple[str, ...]
    plane: Plane | None
    """None when position, orientation, matrix or pixel spacing are missing or make no sense."""
    thickness_mm: float | None
    kernel: str | None
    kvp: float | None
    acquisition: str | None
    """Acquisition Number."""
    phase: str | None
    """Temporal Position Identifier."""
    heart_phase: str | None
    """Nominal Percentage of Cardiac Phase."""

    @property
    def path(self) -> Path:
        """The file that holds the image."""
        return self.header.path

    @property
    def shown(self) -> str:
        """What a message calls the image."""
        frame = self.header.frame
        return self.header.shown if frame is None else f"frame {frame + 1} of {self.header.shown}"

    @property
    def rank(self) -> tuple[int, str, str, int]:
        """Order among slices at one position: it depends on nothing that a copy of the files changes."""
        return (self.instance or 0, self.sop_uid, self.path.name, self.header.frame or 0)


def series_key(uid: str) -> str:
    """Twelve hexadecimal digits that stand for a UID."""
    return hashlib.sha256(uid.encode()).hexdigest()[:12]


def read_records(files: Iterable[Path]) -> tuple[tuple[SliceRecord, ...], tuple[str, ...]]:
    """Headers of all images that can be read, and what the damaged files are called.

    Raises
    ------
    SeriesError
        ``source.unreadable`` if a file cannot be read.
    """
    paths = tuple(files)
    records: list[SliceRecord] = []
    damaged = []
    for nth, path in enumerate(paths, 1):
        shown = shown_name(path, nth, len(paths))
        try:
            header = read_header(path, shown)
            if header.names_nothing:
                if path.name != DIRECTORY:
                    damaged.append(shown)
                continue
            record = record_of(header)
            records += map(record_of, frame_headers(header)) if record.sop_class in MULTI_FRAME else [record]
        except DAMAGE:
            damaged.append(shown)
    return tuple(records), tuple(damaged)


def record_of(header: Header) -> SliceRecord:
    """What one header means."""
    kvp = header.number("KVP", 40.0, 200.0)
    return SliceRecord(
        header=header,
        # A file that does not name its class is judged by its modality and its image alone.
        sop_class=header.text("SOPClassUID") or CTImageStorage,
        sop_uid=header.text("SOPInstanceUID") or "",
        series_uid=header.text("SeriesInstanceUID") or "",
        study_uid=header.text("StudyInstanceUID") or "",
        person=_person(header),
        frame_of_reference=header.text("FrameOfReferenceUID") or "",
        instance=_whole(header.text("InstanceNumber")),
        modality=header.text("Modality") or "",
        image_type=tuple(part.upper() for part in header.values("ImageType")),
        plane=_plane(header),
        thickness_mm=header.number("SliceThickness", 0.01, 100.0),
        kernel=header.text("ConvolutionKernel"),
        kvp=kvp,
        acquisition=header.text("AcquisitionNumber"),
        phase=header.text("TemporalPositionIdentifier"),
        heart_phase=header.text("NominalPercentageOfCardiacPhase"),
    )


def _person(header: Header) -> str:
    named = "\0".join((header.text(name) or "").strip() for name in ("PatientID", "PatientName"))
    return hashlib.sha256(named.encode()).hexdigest() if named.strip("\0") else ""


def _plane(header: Header) -> Plane | None:
    """The slice's plane, its axes made a right angle again: headers round the cosines."""
    try:
        x, y, z = header.numbers("ImagePositionPatient")
        a, b, c, d, e, f = header.numbers("ImageOrientationPatient")
        between_rows, between_columns = header.numbers("PixelSpacing")
    except ValueError:
        return None
    rows, columns = header.binary("Rows") or 0, header.binary("Columns") or 0
    length, other = math.hypot(a, b, c), math.hypot(d, e, f)
    sane = (
        all(map(math.isfinite, (x, y, z, length, other)))
        and abs(length - 1.0) < SKEW
        and abs(other - 1.0) < SKEW
        and abs(a * d + b * e + c * f) < SKEW
        and 0.01 < between_rows < 10.0
        and 0.01 < between_columns < 10.0
        and min(rows, columns) > 1
    )
    if not sane:
        return None
    a, b, c = a / length, b / length, c / length
    along = a * d + b * e + c * f
    d, e, f = d - along * a, e - along * b, f - along * c
    other = math.hypot(d, e, f)
    column = (d / other, e / other, f / other)
    return Plane((x, y, z), (a, b, c), column, (rows, columns), (between_rows, between_columns))


def _whole(value: str | None) -> int | None:
    try:
        return int(value) if value else None
    except ValueError:
        return None
