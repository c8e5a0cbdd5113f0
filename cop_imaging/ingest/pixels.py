"""Stored pixel values of one slice, decoded from any transfer syntax that CT comes in.

imagecodecs decodes without holding the interpreter lock, so slices decode side by side. Its decoders of choice are
those that notice a stream that is cut off: jpegsof3 rather than ljpeg, OpenJPEG rather than OpenJPH.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import imagecodecs
import numpy as np
from pydicom.dataset import FileDataset
from pydicom.encaps import generate_frames
from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from cop_imaging.core.arrays import AnyArray, Int32Array
from cop_imaging.errors import SeriesError
from cop_imaging.ingest.files import open_dicom
from cop_imaging.ingest.headers import number, syntax_name, transfer_syntax
from cop_imaging.ingest.parsing import DAMAGE
from cop_imaging.ingest.streams import check_jpeg, check_jpeg2000, check_rle

__all__ = ["StoredSlice", "decode"]

TAGS = (
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "SamplesPerPixel",
    "NumberOfFrames",
    "PixelRepresentation",
    "RescaleSlope",
    "RescaleIntercept",
    "PixelPaddingValue",
    "PixelPaddingRangeLimit",
)
NATIVE = frozenset(
    {ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian}
)
JPEG_LOSSLESS = frozenset({JPEGLossless, JPEGLosslessSV1})
JPEG_LS = frozenset({JPEGLSLossless, JPEGLSNearLossless})
JPEG_2000 = frozenset({JPEG2000Lossless, JPEG2000, HTJ2KLossless, HTJ2KLosslessRPCL, HTJ2K})
PIXEL_DATA = (b"\xe0\x7f\x10\x00", b"\x7f\xe0\x00\x10")
"""The tag of Pixel Data as it lies in a little- and in a big-endian file."""


@dataclass(frozen=True, slots=True, eq=False)
class StoredSlice:
    """Stored values of one slice and what they mean."""

    values: Int32Array
    """[row, column]."""
    slope: float | None
    intercept: float | None
    padding: tuple[int, int] | None
    """Lowest and highest stored value that stand for "nothing was scanned here"."""


def decode(path: Path) -> StoredSlice:
    """Decode one slice.

    Raises
    ------
    SeriesError
        ``pixels.missing`` if there is no pixel data, ``pixels.undecodable`` if it is cut off, damaged or encoded in
        a way that is not read; ``source.unreadable`` if the file cannot be read.
    """
    syntax = "unknown"
    try:
        header = open_dicom(path, TAGS, pixels=True)
        syntax = syntax_name(transfer_syntax(header))
        if "PixelData" not in header:
            raise _without_pixels(path, syntax)
        values = _values(header)
        return StoredSlice(
            values=values,
            slope=number(header, "RescaleSlope", -1e6, 1e6),
            intercept=number(header, "RescaleIntercept", -1e6, 1e6),
            padding=_padding(header),
        )
    except (*DAMAGE, RuntimeError, MemoryError) as error:
        reason = str(error) if isinstance(error, _UnfitError) else "damaged or cut off"
        raise SeriesError(
            f"the pixels of {path.name} cannot be decoded ({reason}; transfer syntax {syntax}); send the slice again",
            code="pixels.undecodable",
        ) from error


class _UnfitError(ValueError):
    """Pixel data that is whole but not what a CT slice has; its text is safe to show."""


def _values(header: FileDataset) -> Int32Array:
    rows, columns, bits = int(header.Rows), int(header.Columns), int(header.BitsAllocated)
    stored, signed = int(header.BitsStored), bool(int(header.PixelRepresentation))
    if int(header.get("SamplesPerPixel") or 1) != 1 or int(header.get("NumberOfFrames") or 1) != 1:
        raise _UnfitError("colour or several frames")
    if bits not in {8, 16} or not 1 <= stored <= bits or int(header.get("HighBit", stored - 1)) != stored - 1:
        raise _UnfitError(f"{stored} of {bits} bits")
    syntax = transfer_syntax(header)
    raw = _native(header, bits, syntax) if syntax in NATIVE else _compressed(header, bits, syntax)
    if raw.size != rows * columns:
        raise _UnfitError(f"{raw.size} pixels instead of {rows} x {columns}")
    # Bits above BitsStored may hold an overlay, and codecs return signed values as unsigned ones or the other way
    # round: the low bits with the header's sign are the value in every case.
    values = raw.reshape(rows, columns).astype(np.int32)
    values &= (1 << stored) - 1
    if signed:
        sign = 1 << (stored - 1)
        values ^= sign
        values -= sign
    return values


def _native(header: FileDataset, bits: int, syntax: str) -> AnyArray:
    order = ">" if syntax == ExplicitVRBigEndian else "<"
    wanted = int(header.Rows) * int(header.Columns) * bits // 8
    data = bytes(header.PixelData)
    # One byte more is the padding to an even length.
    if len(data) not in {wanted, wanted + 1}:
        raise _UnfitError(f"{len(data)} bytes instead of {wanted}")
    return np.frombuffer(data, f"{order}u{bits // 8}", count=wanted * 8 // bits)


def _compressed(header: FileDataset, bits: int, syntax: str) -> AnyArray:
    rows, columns = int(header.Rows), int(header.Columns)
    frame = next(generate_frames(header.PixelData, number_of_frames=1))
    if syntax == RLELossless:
        check_rle(frame, bits // 8)
        dtype = f"<u{bits // 8}"
        return np.frombuffer(imagecodecs.dicomrle_decode(frame, dtype), dtype)
    if syntax in JPEG_LOSSLESS | JPEG_LS:
        check_jpeg(frame, rows, columns)
        values = imagecodecs.jpegsof3_decode(frame) if syntax in JPEG_LOSSLESS else imagecodecs.jpegls_decode(frame)
    elif syntax in JPEG_2000:
        check_jpeg2000(frame, rows, columns)
        values = imagecodecs.jpeg2k_decode(frame)
    else:
        raise _UnfitError("a transfer syntax that CT slices do not come in")
    if values.dtype.kind not in "iu" or values.shape != (rows, columns):
        raise _UnfitError(f"an image of shape {values.shape}")
    return np.asarray(values)


def _padding(header: FileDataset) -> tuple[int, int] | None:
    """Range of padding values, with the sign that the pixels have: the tag is often written with the other one."""
    value = number(header, "PixelPaddingValue", -65536, 65536)
    if value is None:
        return None
    limit = number(header, "PixelPaddingRangeLimit", -65536, 65536)
    ends = [_as_stored(int(v), header) for v in (value, value if limit is None else limit)]
    bits, signed = int(header.BitsStored), bool(int(header.PixelRepresentation))
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    # A value that the pixels cannot hold never stands among them.
    return (min(ends), max(ends)) if low <= min(ends) and max(ends) <= high else None


def _as_stored(value: int, header: FileDataset) -> int:
    """The 16 bits of the tag, read with the sign that the pixels have."""
    value &= 0xFFFF
    return value - 0x10000 if int(header.PixelRepresentation) and value >= 0x8000 else value


def _without_pixels(path: Path, syntax: str) -> SeriesError:
    if any(tag in path.read_bytes() for tag in PIXEL_DATA):
        return SeriesError(
            f"the pixels of {path.name} are cut off (transfer syntax {syntax}); send the slice again",
            code="pixels.undecodable",
        )
    return SeriesError(
        f"{path.name} holds no pixel data; the images are needed, not only headers", code="pixels.missing"
    )
