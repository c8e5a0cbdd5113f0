"""How many pixels the entropy-coded data of a lossless JPEG stream holds.

Decoders fill up an image whose stream was cut off without a word, with what looks like air or padding.
"""

from __future__ import annotations

import re
import struct

import numpy as np

from cop_imaging.core.arrays import UInt8Array

__all__ = ["coded_pixels"]

DHT, SOS = 0xC4, 0xDA
DEEPEST_CODE, NO_MORE_BITS = 16, 16
"""Bits of the longest Huffman code; the category of a difference that is followed by no bits (ITU-T T.81 H.1.2.2)."""
RESTART = re.compile(rb"\xff[\xd0-\xd7]")
MARKER = re.compile(rb"\xff+[\x01-\xcf\xd8-\xfe]")
"""What ends entropy-coded data: any marker but a restart (T.81 B.1.1.5)."""


def coded_pixels(stream: bytes) -> int:
    """Pixels of a grey lossless JPEG stream that are there, counted without decoding their values.

    Raises
    ------
    ValueError, struct.error
        If the stream is damaged.

    Source
    ------
    ITU-T T.81 annexes C (Huffman tables), F.1.2.3 (byte stuffing), H (lossless mode).
    """
    tables: dict[int, UInt8Array] = {}
    at = 2
    while stream[at + 1] != SOS:
        marker = stream[at + 1]
        if marker == 0xFF or 0xD0 <= marker <= 0xD8:
            at += 1 if marker == 0xFF else 2
            continue
        (length,) = struct.unpack_from(">H", stream, at + 2)
        if marker == DHT:
            tables |= _steps(stream[at + 4 : at + 2 + length])
        at += 2 + length
    (length,) = struct.unpack_from(">H", stream, at + 2)
    steps = tables[stream[at + 6] >> 4]
    data = stream[at + 2 + length :]
    end = MARKER.search(data)
    data = data[: end.start()] if end else data
    return sum(_count(part.replace(b"\xff\x00", b"\xff"), steps) for part in RESTART.split(data))


def _steps(segment: bytes) -> dict[int, UInt8Array]:
    """For each table the bits of a whole difference, code and value, by the next 16 bits; 0 where there is no code."""
    found = {}
    while segment:
        counts = segment[1 : 1 + DEEPEST_CODE]
        values = segment[1 + DEEPEST_CODE : 1 + DEEPEST_CODE + sum(counts)]
        steps = np.zeros(1 << DEEPEST_CODE, np.uint8)
        first, nth = 0, 0
        for bits, count in enumerate(counts, 1):
            for category in values[nth : nth + count]:
                size = 1 << DEEPEST_CODE - bits
                steps[first : first + size] = bits + (0 if category == NO_MORE_BITS else category)
                first += size
            nth += count
        found[segment[0] & 0x0F] = steps
        segment = segment[1 + DEEPEST_CODE + len(values) :]
    return found


def _count(data: bytes, steps: UInt8Array) -> int:
    total = 8 * len(data)
    padded = np.frombuffer(data + bytes(3), np.uint8).astype(np.uint32)
    three = padded[:-2] << 16 | padded[1:-1] << 8 | padded[2:]
    windows = np.stack([three[: len(data)] >> (8 - bit) & 0xFFFF for bit in range(8)], axis=1).ravel()
    step = steps[windows]
    following = np.where(step > 0, np.arange(total) + step, total + 1).tolist()
    count = at = 0
    while at < total and (at := following[at]) <= total:
        count += 1
    return count
