"""What a compressed stream says of itself, before a decoder trusts it.

The decoders of lossless JPEG and of RLE reach beyond their memory when the tables of a stream are damaged, and the
others ask for as much memory as a damaged size wants: both are checked here against the DICOM header.
"""

from __future__ import annotations

import struct

__all__ = ["check_jpeg", "check_jpeg2000", "check_jpeg_dct", "check_rle", "irreversible", "near_lossless"]

SOF_LOSSLESS, SOF_LS, DHT, SOS = 0xC3, 0xF7, 0xC4, 0xDA
"""Markers (ITU-T T.81 table B.1, T.87 annex C): frame of lossless JPEG and of JPEG-LS, Huffman table, scan."""
SOF_BASELINE, SOF_EXTENDED = 0xC0, 0xC1
"""Frames of JPEG with loss, 8 and 12 bits."""
SIZ = b"\xff\x4f\xff\x51"
"""Start of a JPEG 2000 codestream and of its size segment (ITU-T T.800 annex A.5.1)."""
COD = b"\xff\x52"
"""Segment of JPEG 2000 that says how it was coded (T.800 annex A.6.1)."""
DEEPEST_CODE, LONGEST_DIFFERENCE = 16, 16
"""Bits of the longest Huffman code and of the largest difference between two pixels."""
RLE_HEADER = 64
"""Bytes before the first segment of an RLE frame."""


def check_jpeg(stream: bytes, rows: int, columns: int) -> None:
    """Hold the frame, the Huffman tables and the scan of lossless JPEG or JPEG-LS against the standard.

    Raises
    ------
    ValueError
        If the stream is not one grey image of that size with whole tables, or does not end where an image ends.
    """
    # Encoders fill up with zeros or ones after the end.
    _demand(stream[:2] == b"\xff\xd8" and stream.rstrip(b"\0\xff")[-2:] == b"\xff\xd9")
    tables: set[int] = set()
    frame, at = 0, 2
    while True:
        _demand(stream[at] == 0xFF)
        marker = stream[at + 1]
        if marker == 0xFF or 0xD0 <= marker <= 0xD8:
            # Fill bytes and markers without a segment; JPEG-LS in a SPIFF header starts twice.
            at += 1 if marker == 0xFF else 2
            continue
        (length,) = struct.unpack_from(">H", stream, at + 2)
        segment = stream[at + 4 : at + 2 + length]
        _demand(len(segment) == length - 2)
        if marker in {SOF_LOSSLESS, SOF_LS}:
            _demand(not frame)
            _check_frame(segment, rows, columns)
            frame = marker
        elif marker == DHT:
            tables |= _huffman_tables(segment)
        elif marker == SOS:
            _check_scan(segment, tables, frame)
            return
        at += 2 + length


def check_jpeg_dct(stream: bytes, rows: int, columns: int) -> None:
    """Hold the frame of baseline or extended JPEG, whose decoder checks the rest itself, against the DICOM header.

    Raises
    ------
    ValueError
        If the stream is not one grey image of that size.
    """
    _demand(stream[:2] == b"\xff\xd8" and stream.rstrip(b"\0\xff")[-1:] == b"\xd9")
    at = 2
    while True:
        _demand(stream[at] == 0xFF)
        marker = stream[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        (length,) = struct.unpack_from(">H", stream, at + 2)
        if marker in {SOF_BASELINE, SOF_EXTENDED}:
            _, lines, samples, components = struct.unpack_from(">BHHB", stream, at + 4)
            _demand((lines, samples, components) == (rows, columns, 1))
            return
        _demand(marker != SOS)
        at += 2 + length


def check_jpeg2000(stream: bytes, rows: int, columns: int) -> None:
    """Hold the size of a JPEG 2000 codestream, with or without a file header, against the DICOM header.

    Raises
    ------
    ValueError
        If it is not one grey image of that size, or is cut into absurdly small tiles.
    """
    at = stream.find(SIZ)
    _demand(at >= 0)
    right, below, left, above, tile_width, tile_height = struct.unpack_from(">6I", stream, at + 8)
    (components,) = struct.unpack_from(">H", stream, at + 40)
    _demand((below - above, right - left, components) == (rows, columns, 1))
    _demand(min(tile_width, tile_height) >= min(16, rows, columns))


def near_lossless(stream: bytes) -> bool:
    """Whether a whole JPEG-LS stream allowed its pixels to be off (ITU-T T.87 C.2.3: NEAR above 0)."""
    at = stream.find(b"\xff\xda")
    return at >= 0 and stream[at + 5 + 2 * stream[at + 4]] > 0


def irreversible(stream: bytes) -> bool:
    """Whether a whole JPEG 2000 stream was coded with the wavelet that rounds (T.800 A.6.1: transformation 0)."""
    at = stream.find(COD, max(0, stream.find(SIZ)))
    return at >= 0 and stream[at + 13] == 0


def check_rle(stream: bytes, segments: int) -> None:
    """Hold the header of an RLE frame (PS3.5 annex G.5) against the number of bytes in a pixel.

    Raises
    ------
    ValueError
        If there are not that many segments, one after the other, inside the stream.
    """
    count, *offsets = struct.unpack_from("<16I", stream)
    used = offsets[:segments]
    _demand(count == segments and used[0] == RLE_HEADER and not any(offsets[segments:]))
    _demand(all(low < high for low, high in zip(used, [*used[1:], len(stream)], strict=True)))


def _check_frame(segment: bytes, rows: int, columns: int) -> None:
    precision, lines, samples, components = struct.unpack_from(">BHHB", segment)
    _demand(2 <= precision <= 16 and (lines, samples, components) == (rows, columns, 1) and len(segment) == 9)
    _demand(segment[7] == 0x11)


def _huffman_tables(segment: bytes) -> set[int]:
    """Identities of the tables, each of which must be a prefix code for differences of up to 16 bits."""
    found: set[int] = set()
    while segment:
        counts = segment[1 : 1 + DEEPEST_CODE]
        values = segment[1 + DEEPEST_CODE : 1 + DEEPEST_CODE + sum(counts)]
        room = sum(count << (DEEPEST_CODE - 1 - n) for n, count in enumerate(counts))
        _demand(segment[0] <= 3 and len(counts) == DEEPEST_CODE and 0 < room <= 1 << DEEPEST_CODE)
        _demand(len(values) == sum(counts) == len(set(values)) and max(values) <= LONGEST_DIFFERENCE)
        found.add(segment[0])
        segment = segment[1 + DEEPEST_CODE + len(values) :]
    return found


def _check_scan(segment: bytes, tables: set[int], frame: int) -> None:
    _demand(frame != 0 and len(segment) == 6 and segment[0] == 1)
    if frame == SOF_LOSSLESS:
        predictor, end, shift = segment[3:]
        _demand(segment[2] >> 4 in tables and 1 <= predictor <= 7 and end == 0 and shift & 0x0F == shift)


def _demand(holds: bool) -> None:
    if not holds:
        raise ValueError("the compressed stream is damaged")
