"""What one image says of itself: the elements that ingestion looks at, and no others.

A bounded scanner reads the common encodings; pydicom is the judge of everything else. Both leave the same raw bytes,
so that what an element means is decided in one place.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydicom import dcmread
from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
)

from cop_imaging.errors import SeriesError
from cop_imaging.ingest.naming import shown_name
from cop_imaging.ingest.scan import meta_group, scan

__all__ = ["WANTED", "Header", "read_header", "sop_class_name", "syntax_name", "unreadable"]

IDENTIFYING = (
    "SOPInstanceUID",
    "SeriesInstanceUID",
    "StudyInstanceUID",
    "FrameOfReferenceUID",
    "PatientID",
    "IssuerOfPatientID",
    "PatientName",
    "StudyDate",
    "SeriesDescription",
)
"""Tell images, series, studies and patients apart; they never leave ingestion, and only UIDs do if a user asks. Date
and description choose series for a batch, and dates become days between scans of one patient."""
ORDERING = (
    "SOPClassUID",
    "InstanceNumber",
    "Modality",
    "ImageType",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PixelSpacing",
    "SliceThickness",
    "AcquisitionNumber",
    "TemporalPositionIdentifier",
    "NominalPercentageOfCardiacPhase",
)
DESCRIBING = (
    "Manufacturer",
    "ManufacturerModelName",
    "BodyPartExamined",
    "ConvolutionKernel",
    "KVP",
    "Exposure",
    "PatientPosition",
    "ContrastBolusAgent",
    "PatientSex",
    "PatientAge",
    "PatientSize",
    "PatientWeight",
    "BurnedInAnnotation",
    "LossyImageCompression",
    "LossyImageCompressionRatio",
)
"""The allow-list: nothing here identifies a person, a place or a date."""
PIXELS = (
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "SamplesPerPixel",
    "NumberOfFrames",
    "InConcatenationTotalNumber",
    "PhotometricInterpretation",
    "PixelRepresentation",
    "RescaleSlope",
    "RescaleIntercept",
    "RescaleType",
    "PixelPaddingValue",
    "PixelPaddingRangeLimit",
)
TAGS = {name: int(tag_for_keyword(name) or 0) for name in (*IDENTIFYING, *ORDERING, *DESCRIBING, *PIXELS)}
WANTED = frozenset(TAGS.values())
PIXEL_DATA = 0x7FE00010
LONG_VRS = frozenset({b"OB", b"OW", b"UN", b"OD", b"OF", b"OL", b"OV"})
"""Representations with a length of 32 bits (PS3.5 section 7.1.2) that Pixel Data comes in."""
FIRST_LOOK, SECOND_LOOK = 16 << 10, 256 << 10
"""Bytes of a file that the scanner sees: most headers end within the first, long sequences in the other."""
UNDEFINED = 0xFFFFFFFF
CHUNK, MOST_INFLATED = 1 << 20, 256 << 20
"""Bytes that are inflated at once, and in all: four times the largest matrix that CT comes in."""


@dataclass(frozen=True, slots=True)
class Header:
    """Raw elements of one image: of a file, or of one frame of it."""

    path: Path
    elements: Mapping[int, bytes]
    """Tag to value as it lies in the file, for the tags that are there."""
    syntax: str
    """UID of the transfer syntax."""
    pixel_at: int | None
    """Offset of the value of Pixel Data in the file; None without one, or when the whole file is deflated."""
    pixel_bytes: int | None
    """Length of that value; None when it is encapsulated."""
    frame: int | None = None
    """Which frame of a multi-frame image this is, from 0."""
    shown: str = ""
    """What a message calls the file: nothing in it identifies a person."""

    def text(self, name: str) -> str | None:
        """First value of a text element, at most 64 characters; None when it is missing or empty."""
        values = self.values(name)
        return values[0][:64] or None if values else None

    def values(self, name: str) -> tuple[str, ...]:
        """All values of a text element, without padding and control characters."""
        raw = self.elements.get(TAGS[name])
        if not raw:
            return ()
        try:
            decoded = raw.decode("utf-8")
        except UnicodeDecodeError:
            decoded = raw.decode("latin-1")
        return tuple(" ".join(_printable(part).split()) for part in decoded.split("\\"))

    def number(self, name: str, low: float, high: float) -> float | None:
        """First value of a decimal or integer string between ``low`` and ``high``, else None."""
        try:
            value = float(self.text(name) or "nan")
        except ValueError:
            return None
        return value if low <= value <= high else None

    def numbers(self, name: str) -> tuple[float, ...]:
        """All values of a decimal string.

        Raises
        ------
        ValueError
            If one of them is no number.
        """
        raw = self.elements.get(TAGS[name])
        if not raw:
            return ()
        # float() takes more than a decimal string may hold; words such as "nan" are caught by whoever checks the value.
        if b"_" in raw:
            raise ValueError("no decimal string")
        return tuple(map(float, raw.decode("latin-1").rstrip("\0 ").split("\\")))

    def binary(self, name: str) -> int | None:
        """First value of an element of unsigned 16-bit integers, None when it is missing."""
        raw = self.elements.get(TAGS[name])
        if not raw or len(raw) < 2:
            return None
        (value,) = struct.unpack_from(">H" if self.big_endian else "<H", raw)
        return int(value)

    @property
    def names_nothing(self) -> bool:
        """Whether neither a series nor a modality is named: a directory, or a header that is cut off."""
        return self.text("SeriesInstanceUID") is None and self.text("Modality") is None

    @property
    def big_endian(self) -> bool:
        """Whether binary values have their high byte first."""
        return self.syntax == ExplicitVRBigEndian


def read_header(path: Path, shown: str = "") -> Header:
    """Read the header of one file without its pixels.

    Raises
    ------
    SeriesError
        ``source.unreadable`` if the file cannot be read.
    ValueError, LookupError, ...
        Any of ``DAMAGE`` if it is no whole DICOM file.
    """
    shown = shown or shown_name(path, 1, 1)
    try:
        with path.open("rb") as file:
            head = file.read(FIRST_LOOK)
            whole = len(head) < FIRST_LOOK
            found = scan(head, WANTED, whole=whole)
            if found is None and not whole:
                head += file.read(SECOND_LOOK - FIRST_LOOK)
                found = scan(head, WANTED, whole=len(head) < SECOND_LOOK)
            if found is not None:
                return Header(path, found.elements, found.syntax, found.pixel_at, found.pixel_bytes, shown=shown)
            file.seek(0)
            return _judged(file, path, shown)
    except OSError as error:
        # The parser raises it as well, without a number, for a sequence that is cut off.
        if error.errno is None:
            raise ValueError("a sequence is cut off") from error
        raise unreadable(shown, error) from error


def syntax_name(syntax: str) -> str:
    """Name of a transfer syntax; what the standard does not name is not repeated, it may be anything."""
    uid = UID(syntax)
    return uid.name if uid.type == "Transfer Syntax" else "unknown"


def sop_class_name(uid: str) -> str:
    """Name of a SOP class; what the standard does not name is not repeated."""
    named = UID(uid)
    return named.name.removesuffix(" Storage") if named.type == "SOP Class" else "unknown"


def unreadable(shown: str, error: OSError) -> SeriesError:
    """The refusal of a file that the system does not give out."""
    return SeriesError(
        f"{shown} cannot be read: {error.strerror or error}; check disk and permissions", code="source.unreadable"
    )


def _judged(file: io.BufferedReader, path: Path, shown: str) -> Header:
    """The header as pydicom reads it, with the values left as they lie in the file."""
    _check_inflation(file)
    dataset = dcmread(file, stop_before_pixels=True, force=True, specific_tags=sorted(WANTED))
    meta = getattr(dataset, "file_meta", None)
    syntax = str(getattr(meta, "TransferSyntaxUID", None) or ImplicitVRLittleEndian)
    elements = {}
    for tag in WANTED:
        if tag in dataset:
            element = dataset.get_item(tag)
            value = element.value if isinstance(element, RawDataElement) else None
            elements[tag] = value if isinstance(value, bytes) else b""
    if syntax == DeflatedExplicitVRLittleEndian:
        return Header(path, elements, syntax, None, None, shown=shown)
    at, length = _pixel_data(file, syntax)
    return Header(path, elements, syntax, at, length, shown=shown)


def _check_inflation(file: io.BufferedReader) -> None:
    """Refuse a deflated file that swells beyond any slice: pydicom inflates all of it, whatever it holds.

    Raises
    ------
    ValueError
        If it does, or is no deflated stream.
    """
    head = file.read(FIRST_LOOK)
    file.seek(0)
    syntax, at = meta_group(head)
    if syntax != DeflatedExplicitVRLittleEndian:
        return
    file.seek(at)
    inflater, size = zlib.decompressobj(-zlib.MAX_WBITS), 0
    block = file.read(CHUNK)
    while block and not inflater.eof:
        size += len(inflater.decompress(block, CHUNK))
        block = inflater.unconsumed_tail or file.read(CHUNK)
        if size > MOST_INFLATED:
            raise ValueError("a deflated file that swells beyond any slice")
    file.seek(0)


def _pixel_data(file: io.BufferedReader, syntax: str) -> tuple[int | None, int | None]:
    """Where the value of Pixel Data begins and how long it is, once the parser has stopped before it."""
    start = file.read(12)
    order = ">" if syntax == ExplicitVRBigEndian else "<"
    if len(start) < 8 or struct.unpack_from(f"{order}HH", start) != (PIXEL_DATA >> 16, PIXEL_DATA & 0xFFFF):
        return None, None
    explicit = start[4:6] in LONG_VRS
    if explicit and len(start) < 12:
        return None, None
    (length,) = struct.unpack_from(f"{order}I", start, 8 if explicit else 4)
    at = file.tell() - len(start) + (12 if explicit else 8)
    return at, None if length == UNDEFINED else int(length)


def _printable(value: str) -> str:
    return "".join(c if c.isprintable() else " " for c in value)
