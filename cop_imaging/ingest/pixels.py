"""Stored pixel values of one slice, decoded from any transfer syntax that CT comes in.

imagecodecs decodes without holding the interpreter lock, so slices decode side by side. Its decoders of choice are
those that notice a stream that is cut off: OpenJPEG rather than OpenJPH, libjpeg-turbo rather than ljpeg.
"""

from __future__ import annotations

from dataclasses import dataclass

import imagecodecs
import numpy as np
from pydicom import dcmread
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
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from cop_imaging.core.arrays import AnyArray
from cop_imaging.errors import SeriesError
from cop_imaging.ingest.fragments import single_frame
from cop_imaging.ingest.headers import Header, syntax_name, unreadable
from cop_imaging.ingest.lossless_jpeg import coded_pixels
from cop_imaging.ingest.parsing import DAMAGE
from cop_imaging.ingest.streams import (
    check_jpeg,
    check_jpeg2000,
    check_jpeg_dct,
    check_rle,
    irreversible,
    near_lossless,
)

__all__ = ["ENCAPSULATED", "StoredSlice", "decode", "is_lossy", "stream_is_lossy"]

NATIVE = frozenset(
    {ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian}
)
JPEG_LOSSLESS = frozenset({JPEGLossless, JPEGLosslessSV1})
JPEG_DCT = frozenset({JPEGBaseline8Bit, JPEGExtended12Bit})
JPEG_LS = frozenset({JPEGLSLossless, JPEGLSNearLossless})
JPEG_2000 = frozenset({JPEG2000Lossless, JPEG2000, HTJ2KLossless, HTJ2KLosslessRPCL, HTJ2K})
ENCAPSULATED = frozenset({RLELossless}) | JPEG_LOSSLESS | JPEG_DCT | JPEG_LS | JPEG_2000
ALWAYS_LOSSY = JPEG_DCT | {JPEGLSNearLossless}


@dataclass(frozen=True, slots=True, eq=False)
class StoredSlice:
    """Stored values of one slice and what they mean."""

    values: AnyArray
    """[row, column], int16 or uint16."""
    slope: float | None
    intercept: float | None
    padding: tuple[int, int] | None
    """Lowest and highest stored value that stand for "nothing was scanned here"."""


class _UnfitError(ValueError):
    """Pixel data that is whole but not what a CT slice has; its text is safe to show."""


def decode(header: Header, frame: bytes | None = None) -> StoredSlice:
    """Decode one slice.

    Parameters
    ----------
    frame : bytes, optional
        The compressed stream of a frame of a multi-frame file.

    Raises
    ------
    SeriesError
        ``pixels.missing`` if there is no pixel data, ``pixels.undecodable`` if it is cut off, damaged or encoded in
        a way that is not read; ``source.unreadable`` if the file cannot be read.
    """
    syntax = syntax_name(header.syntax)
    try:
        if header.pixel_at is None and header.syntax != DeflatedExplicitVRLittleEndian:
            raise SeriesError(
                f"{header.shown} holds no pixel data, or is cut off before it (transfer syntax {syntax}); the whole "
                "images are needed",
                code="pixels.missing",
            )
        values = _values(header, frame)
    except OSError as error:
        raise unreadable(header.shown, error) from error
    except (*DAMAGE, RuntimeError, MemoryError) as error:
        reason = str(error) if isinstance(error, _UnfitError) else "damaged or cut off"
        raise SeriesError(
            f"the pixels of {header.shown} cannot be decoded ({reason}; transfer syntax {syntax}); send it again",
            code="pixels.undecodable",
        ) from error
    return StoredSlice(
        values=values,
        slope=header.number("RescaleSlope", -1e6, 1e6),
        intercept=header.number("RescaleIntercept", -1e6, 1e6),
        padding=_padding(header),
    )


def is_lossy(header: Header) -> bool:
    """Whether the image has lost something in compression, by its syntax or its header (PS3.3 C.7.6.1.1.5)."""
    return header.syntax in ALWAYS_LOSSY or header.text("LossyImageCompression") == "01"


def stream_is_lossy(header: Header, frame: bytes | None) -> bool:
    """Whether the stream itself was compressed with loss, whatever syntax and header claim."""
    stream = _stream(header) if frame is None and header.syntax in JPEG_LS | JPEG_2000 else frame or b""
    if header.syntax in JPEG_LS:
        return near_lossless(stream)
    return header.syntax in JPEG_2000 and irreversible(stream)


def _values(header: Header, frame: bytes | None) -> AnyArray:
    rows, columns = header.binary("Rows") or 0, header.binary("Columns") or 0
    bits, stored = header.binary("BitsAllocated") or 0, header.binary("BitsStored") or 0
    samples, high = header.binary("SamplesPerPixel"), header.binary("HighBit")
    if samples not in {None, 1} or (header.frame is None and header.text("NumberOfFrames") not in {None, "1"}):
        raise _UnfitError("colour or several frames")
    if bits not in {8, 16} or not 1 <= stored <= bits or high not in {None, stored - 1} or not rows * columns:
        raise _UnfitError(f"{stored} of {bits} bits in {rows} x {columns} pixels")
    if header.syntax in NATIVE:
        raw = _native(header, rows * columns, bits)
    else:
        raw = _compressed(header, frame, (rows, columns), bits)
    if raw.size != rows * columns:
        raise _UnfitError(f"{raw.size} pixels instead of {rows} x {columns}")
    return _meant(raw.reshape(rows, columns), stored, signed=bool(header.binary("PixelRepresentation")))


def _meant(raw: AnyArray, stored: int, *, signed: bool) -> AnyArray:
    """The values that the low ``stored`` bits stand for, as int16 or uint16.

    Bits above Bits Stored may hold an overlay, and codecs return signed values as unsigned ones or the other way
    round: the low bits with the header's sign are the value in every case.
    """
    words = raw.view(np.uint16) if raw.dtype.itemsize == 2 else raw.astype(np.int64).astype(np.uint16)
    if stored < 16 and not signed and not int(words.max(initial=0)) >> stored:
        return words
    if stored < 16:
        words = words << np.uint16(16 - stored)
        return words.view(np.int16) >> np.int16(16 - stored) if signed else words >> np.uint16(16 - stored)
    return words.view(np.int16) if signed else words


def _native(header: Header, pixels: int, bits: int) -> AnyArray:
    dtype = np.dtype(f"{'>' if header.big_endian else '<'}u{bits // 8}")
    wanted = pixels * dtype.itemsize
    if header.pixel_at is None:
        data = bytes(dcmread(header.path, specific_tags=["PixelData"]).PixelData)
        _demand_length(len(data), wanted)
        raw = np.frombuffer(data, dtype, count=pixels)
    else:
        at = header.pixel_at
        if header.frame is None:
            _demand_length(header.pixel_bytes, wanted)
        elif (header.frame + 1) * wanted > (header.pixel_bytes or 0):
            raise _UnfitError("fewer frames than the header says")
        else:
            at += header.frame * wanted
        # Asked before memory is: a damaged matrix may want gigabytes that the file does not have.
        there = max(0, header.path.stat().st_size - at)
        if there < wanted:
            raise _UnfitError(f"{there} bytes instead of {wanted}")
        raw = np.fromfile(header.path, dtype, count=pixels, offset=at)
    return raw.astype(dtype.newbyteorder("=")) if header.big_endian else raw


def _demand_length(found: int | None, wanted: int) -> None:
    # One byte more is the padding to an even length.
    if found not in {wanted, wanted + 1}:
        raise _UnfitError("encapsulated" if found is None else f"{found} bytes instead of {wanted}")


def _compressed(header: Header, frame: bytes | None, shape: tuple[int, int], bits: int) -> AnyArray:
    syntax = header.syntax
    if syntax not in ENCAPSULATED:
        raise _UnfitError("a transfer syntax that CT slices do not come in")
    if header.pixel_bytes is not None:
        raise _UnfitError("not encapsulated")
    stream = _stream(header) if frame is None else frame
    if syntax == RLELossless:
        check_rle(stream, bits // 8)
        dtype = f"<u{bits // 8}"
        return np.frombuffer(imagecodecs.dicomrle_decode(stream, dtype), dtype)
    if syntax in JPEG_DCT:
        check_jpeg_dct(stream, *shape)
        values = imagecodecs.jpeg8_decode(stream)
    elif syntax in JPEG_LOSSLESS | JPEG_LS:
        check_jpeg(stream, *shape)
        values = imagecodecs.jpeg8_decode(stream) if syntax in JPEG_LOSSLESS else imagecodecs.jpegls_decode(stream)
        if syntax in JPEG_LOSSLESS and _ends_evenly(values) and coded_pixels(stream) < shape[0] * shape[1]:
            raise _UnfitError("cut off")
    else:
        check_jpeg2000(stream, *shape)
        values = imagecodecs.jpeg2k_decode(stream)
    if values.dtype.kind not in "iu" or values.shape != shape:
        raise _UnfitError(f"an image of shape {values.shape}")
    return np.asarray(values)


def _ends_evenly(values: AnyArray) -> bool:
    """Whether the last row is of one value: the decoder of lossless JPEG fills up what is missing so."""
    return bool((values[-1:] == values[-1:, :1]).all())


def _stream(header: Header) -> bytes:
    with header.path.open("rb") as file:
        file.seek(header.pixel_at or 0)
        return single_frame(file.read())


def _padding(header: Header) -> tuple[int, int] | None:
    """Range of padding values, with the sign that the pixels have: the tag is often written with the other one."""
    value, limit = header.binary("PixelPaddingValue"), header.binary("PixelPaddingRangeLimit")
    if value is None:
        return None
    signed = bool(header.binary("PixelRepresentation"))
    ends = [_as_stored(v, signed=signed) for v in (value, value if limit is None else limit)]
    bits = header.binary("BitsStored") or 16
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    # A value that the pixels cannot hold never stands among them.
    return (min(ends), max(ends)) if low <= min(ends) and max(ends) <= high else None


def _as_stored(value: int, *, signed: bool) -> int:
    """The 16 bits of the tag, read with the sign that the pixels have."""
    return value - 0x10000 if signed and value >= 0x8000 else value
