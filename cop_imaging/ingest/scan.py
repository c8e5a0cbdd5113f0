"""A bounded reader of DICOM headers: the common encodings, in one pass over the first bytes of a file.

It answers only where it is certain, and says None for anything else, so that pydicom can judge: big-endian and
deflated files, tags out of order, lengths that run over the end, headers that are longer than what it was given.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

__all__ = ["Scanned", "meta_group", "scan"]

PREAMBLE = 128
MAGIC = b"DICM"
META_GROUP = 0x0002
TRANSFER_SYNTAX = 0x00020010
PIXEL_DATA = 0x7FE00010
ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
UNDEFINED = 0xFFFFFFFF
IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
COMPRESSED = ("1.2.840.10008.1.2.4.", "1.2.840.10008.1.2.5")
"""Every encapsulated transfer syntax is explicit little endian (PS3.5 annex A.4)."""
SHORT_VRS = frozenset(
    b"AE AS AT CS DA DS DT FL FD IS LO LT PN SH SL SS ST TM UI UL US".split(),
)
"""Representations with a length of 16 bits (PS3.5 section 7.1.2)."""
LONG_VRS = frozenset(b"OB OD OF OL OV OW SV UC UN UR UT UV".split())
DEEPEST = 16
"""Levels of sequences in sequences; real headers have four."""

_ELEMENT = struct.Struct("<HH2sH").unpack_from
_IMPLICIT_ELEMENT = struct.Struct("<HHI").unpack_from
_LONG = struct.Struct("<I").unpack_from


class _OddError(Exception):
    """Something that the scanner leaves to pydicom."""


@dataclass(frozen=True, slots=True)
class Scanned:
    """What the first bytes of a file hold."""

    elements: dict[int, bytes]
    """Wanted elements of the first level: tag to value as it lies in the file, padding kept."""
    syntax: str
    """UID of the transfer syntax."""
    pixel_at: int | None
    """Offset of the value of Pixel Data; None when the file has none."""
    pixel_bytes: int | None
    """Length of that value; None when it is encapsulated."""


def scan(head: bytes, wanted: frozenset[int], *, whole: bool) -> Scanned | None:
    """Read the wanted elements, or None when pydicom must judge.

    Parameters
    ----------
    head : bytes
        The first bytes of a file.
    wanted : set of tags
        As 0xGGGGEEEE.
    whole : bool
        ``head`` is the whole file.

    Source
    ------
    DICOM PS3.5 section 7 (data elements, sequences), PS3.10 section 7 (file meta information).
    """
    try:
        return _scan(head, wanted, whole=whole)
    except (_OddError, struct.error):
        return None


def meta_group(head: bytes) -> tuple[str, int]:
    """Transfer syntax of a file, and where its data set begins; empty and 0 when that cannot be told."""
    try:
        return _meta(head) if head[PREAMBLE : PREAMBLE + 4] == MAGIC else ("", 0)
    except (_OddError, struct.error):
        return "", 0


def _scan(head: bytes, wanted: frozenset[int], *, whole: bool) -> Scanned:
    if head[PREAMBLE : PREAMBLE + 4] == MAGIC:
        syntax, at = _meta(head)
    else:
        raise _OddError
    if syntax == IMPLICIT:
        elements, pixel_at, length = _implicit(head, at, wanted, whole=whole)
    elif syntax == EXPLICIT or syntax.startswith(COMPRESSED):
        elements, pixel_at, length = _explicit(head, at, wanted, whole=whole)
    else:
        raise _OddError
    return Scanned(elements, syntax, pixel_at, None if length == UNDEFINED else length)


def _meta(head: bytes) -> tuple[str, int]:
    """Transfer syntax, and where the meta group ends; it is explicit little endian always (PS3.10 section 7.1)."""
    at, last, syntax = PREAMBLE + 4, -1, b""
    while True:
        group, element, vr, length = _ELEMENT(head, at)
        if group != META_GROUP:
            break
        tag = group << 16 | element
        if tag <= last:
            raise _OddError
        last = tag
        at += 8
        if vr in LONG_VRS:
            (length,) = _LONG(head, at)
            at += 4
        elif vr not in SHORT_VRS:
            raise _OddError
        if at + length > len(head):
            raise _OddError
        if tag == TRANSFER_SYNTAX:
            syntax = head[at : at + length]
        at += length
    return syntax.rstrip(b"\0 ").decode("latin-1"), at


def _explicit(
    head: bytes, at: int, wanted: frozenset[int], *, whole: bool
) -> tuple[dict[int, bytes], int | None, int | None]:
    end, last = len(head), META_GROUP << 16 | 0xFFFF
    found: dict[int, bytes] = {}
    short, long = SHORT_VRS, LONG_VRS
    while at < end:
        group, element, vr, length = _ELEMENT(head, at)
        tag = group << 16 | element
        if tag <= last:
            raise _OddError
        last = tag
        at += 8
        if vr in short:
            following = at + length
        elif vr in long:
            (length,) = _LONG(head, at)
            at += 4
            if tag == PIXEL_DATA:
                return found, at, length
            if length == UNDEFINED:
                raise _OddError
            following = at + length
        elif vr == b"SQ":
            (length,) = _LONG(head, at)
            at += 4
            following = _after_sequence(head, at, length, explicit=True)
        else:
            raise _OddError
        if following > end or tag > PIXEL_DATA:
            raise _OddError
        if tag in wanted:
            if vr == b"SQ":
                raise _OddError
            found[tag] = head[at:following]
        at = following
    if not whole:
        raise _OddError
    return found, None, None


def _implicit(
    head: bytes, at: int, wanted: frozenset[int], *, whole: bool
) -> tuple[dict[int, bytes], int | None, int | None]:
    end, last = len(head), META_GROUP << 16 | 0xFFFF
    found: dict[int, bytes] = {}
    # A file that claims to be implicit and is not: pydicom knows the ways in which they lie.
    vr = head[at + 4 : at + 6]
    if vr.isalpha() and vr.isupper():
        raise _OddError
    while at < end:
        group, element, length = _IMPLICIT_ELEMENT(head, at)
        tag = group << 16 | element
        if tag <= last:
            raise _OddError
        last = tag
        at += 8
        if tag == PIXEL_DATA:
            return found, at, length
        following = _after_sequence(head, at, length, explicit=False) if length == UNDEFINED else at + length
        if following > end or tag > PIXEL_DATA:
            raise _OddError
        if tag in wanted:
            if length == UNDEFINED:
                raise _OddError
            found[tag] = head[at:following]
        at = following
    if not whole:
        raise _OddError
    return found, None, None


def _after_sequence(head: bytes, at: int, length: int, *, explicit: bool) -> int:
    """Where a sequence ends. One with a length is stepped over; the items of another are walked through."""
    if length != UNDEFINED:
        return at + length
    # What is open: a sequence or an item, each of undefined length. A sequence holds items, an item holds elements.
    open_items = [False]
    while open_items:
        in_item = open_items[-1]
        group, element, size = _IMPLICIT_ELEMENT(head, at)
        tag = group << 16 | element
        if not in_item:
            at += 8
            if tag == SEQUENCE_END and size == 0:
                open_items.pop()
            elif tag != ITEM:
                raise _OddError
            elif size == UNDEFINED:
                open_items.append(True)
            else:
                at += size
        elif tag == ITEM_END:
            if size:
                raise _OddError
            at += 8
            open_items.pop()
        elif explicit:
            at, inside = _over_element(head, at)
            if inside:
                open_items.append(False)
        else:
            at += 8
            if size == UNDEFINED:
                open_items.append(False)
            else:
                at += size
        if len(open_items) > 2 * DEEPEST or at > len(head):
            raise _OddError
    return at


def _over_element(head: bytes, at: int) -> tuple[int, bool]:
    """Where an explicit element inside an item ends, or begins when it is a sequence of undefined length."""
    _, _, vr, length = _ELEMENT(head, at)
    at += 8
    if vr in SHORT_VRS:
        return at + length, False
    if vr not in LONG_VRS and vr != b"SQ":
        raise _OddError
    (length,) = _LONG(head, at)
    at += 4
    if length != UNDEFINED:
        return at + length, False
    if vr != b"SQ":
        raise _OddError
    return at, True
