"""The items of encapsulated Pixel Data (PS3.5 annex A.4)."""

from __future__ import annotations

import struct
from itertools import pairwise
from pathlib import Path

__all__ = ["frames_of", "single_frame"]

ITEM, END = 0xFFFEE000, 0xFFFEE0DD


def single_frame(data: bytes) -> bytes:
    """The stream of a file with one frame: its fragments joined.

    Raises
    ------
    ValueError, struct.error
        If the items run over the end.
    """
    _, parts = _items(data)
    return parts[0][1] if len(parts) == 1 else b"".join(part for _, part in parts)


def frames_of(path: Path, pixel_at: int) -> tuple[bytes, ...]:
    """The streams of all frames of a multi-frame file: by the offset table, or one fragment each.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError, struct.error
        If the items run over the end.
    """
    with path.open("rb") as file:
        file.seek(pixel_at)
        data = file.read()
    table, parts = _items(data)
    if not table:
        return tuple(part for _, part in parts)
    starts = struct.unpack(f"<{len(table) // 4}I", table[: len(table) // 4 * 4])
    bounds = [*starts, 1 << 62]
    return tuple(b"".join(part for at, part in parts if low <= at < high) for low, high in pairwise(bounds))


def _items(data: bytes) -> tuple[bytes, list[tuple[int, bytes]]]:
    """The offset table, and every fragment with its offset from the first one."""
    table, at, first = b"", 0, None
    parts: list[tuple[int, bytes]] = []
    while True:
        group, element, length = struct.unpack_from("<HHI", data, at)
        tag = group << 16 | element
        if tag == END:
            break
        if tag != ITEM or at + 8 + length > len(data):
            raise ValueError("a fragment is cut off")
        body = data[at + 8 : at + 8 + length]
        if first is None:
            table, first = body, at + 8 + length
        else:
            parts.append((at - first, body))
        at += 8 + length
    if not parts:
        raise ValueError("there is no fragment")
    return table, parts
