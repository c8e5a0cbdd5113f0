"""The headers of many files, read and packed: small enough for those of a whole archive to lie in a database."""

from __future__ import annotations

import os
import pickle
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cop_imaging.errors import SeriesError
from cop_imaging.ingest.files import PREAMBLE, starts_like_dicom
from cop_imaging.ingest.frames import MULTI_FRAME, frame_headers
from cop_imaging.ingest.headers import Header, read_header
from cop_imaging.ingest.naming import shown_name
from cop_imaging.ingest.parsing import DAMAGE, quiet_parser
from cop_imaging.ingest.records import DIRECTORY

__all__ = ["Looked", "look", "unpacked"]

Stored = tuple[dict[int, bytes], str, int | None, int | None, int | None]
"""A header without its path: elements, transfer syntax, place and length of the pixels, frame."""


@dataclass(slots=True)
class Looked:
    """What a process found in one chunk of files."""

    files: int = 0
    dicom: int = 0
    damaged: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    parts: list[tuple[str, str, str, int, int, bytes]] = field(default_factory=list)
    """Study UID, series UID, common folder, files, bytes, packed headers."""


def look(chunk: Sequence[tuple[str, int, int]]) -> Looked:
    """Read the headers of a chunk of files; runs in a process of its own."""
    looked = Looked(files=len(chunk))
    groups: dict[tuple[str, str], list[tuple[str, int, list[Stored]]]] = {}
    # Slices of a series share most values: one object for equal bytes makes the pickle small.
    shared: dict[bytes, bytes] = {}
    with quiet_parser():
        for path, nth, total in chunk:
            shown = shown_name(Path(path), nth, total)
            try:
                with open(path, "rb") as file:
                    if not starts_like_dicom(file.read(PREAMBLE + 8)):
                        continue
                    size = os.fstat(file.fileno()).st_size
                headers = _headers(Path(path), shown)
            except DAMAGE:
                looked.damaged.append(shown)
                continue
            except (OSError, SeriesError):
                looked.unreadable.append(shown)
                continue
            series = headers[0].text("SeriesInstanceUID")
            if headers[0].names_nothing and os.path.basename(path) != DIRECTORY:
                looked.damaged.append(shown)
                continue
            looked.dicom += 1
            if series:
                # Without a study each series is one of its own, so that one study never becomes the whole archive.
                study = headers[0].text("StudyInstanceUID") or series
                packed = [_stored(header, shared) for header in headers]
                groups.setdefault((study, series), []).append((os.path.dirname(path), size, packed))
    for (study, series), found in groups.items():
        folder = os.path.commonpath([one[0] for one in found])
        stored = [one for _, _, packed in found for one in packed]
        blob = zlib.compress(pickle.dumps(stored, protocol=5), 1)
        looked.parts.append((study, series, folder, len(found), sum(one[1] for one in found), blob))
    return looked


def unpacked(blob: bytes) -> list[Header]:
    """The headers that ``look`` packed, without the paths of their files."""
    return [Header(Path(), *one) for one in pickle.loads(zlib.decompress(blob))]


def _headers(path: Path, shown: str) -> list[Header]:
    header = read_header(path, shown)
    return list(frame_headers(header)) if header.text("SOPClassUID") in MULTI_FRAME else [header]


def _stored(header: Header, shared: dict[bytes, bytes]) -> Stored:
    elements = {tag: shared.setdefault(value, value) for tag, value in header.elements.items()}
    return elements, header.syntax, header.pixel_at, header.pixel_bytes, header.frame
