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
from cop_imaging.ingest.naming import name_pattern, shown_name
from cop_imaging.ingest.parsing import DAMAGE, quiet_parser
from cop_imaging.ingest.records import DIRECTORY

__all__ = ["DAMAGED", "UNREADABLE", "FileEntry", "Looked", "Lost", "look", "unpacked", "unpacked_files"]

Stored = tuple[dict[int, bytes], str, int | None, int | None, int | None]
"""A header without its path: elements, transfer syntax, place and length of the pixels, frame."""
FileEntry = tuple[str, int, int, str]
"""Path, bytes, time of the last change in nanoseconds, and SOPInstanceUID of one file."""
Lost = tuple[str, int, int, str]
"""Path, bytes and time of a file that is a slice by its beginning or its name and gives no header, and the code why."""

DAMAGED, UNREADABLE = "source.damaged", "source.unreadable"
DICOM_SUFFIXES = (".dcm", ".dicom", ".ima")
"""Endings by which a file says that it is DICOM, whatever it begins with."""
NO_UID = "\0"
"""Begins what stands for the SeriesInstanceUID of files that have none: those of one folder are one series."""


@dataclass(slots=True)
class Looked:
    """What a process found in one chunk of files."""

    files: int = 0
    dicom: int = 0
    damaged: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    lost: list[Lost] = field(default_factory=list)
    """The damaged and unreadable ones, and those that begin like no DICOM file but are named as one."""
    parts: list[tuple[str, str, str, int, int, bytes]] = field(default_factory=list)
    """Study UID, series UID, common folder, files, bytes, packed headers and files."""


def look(chunk: Sequence[tuple[str, int, int]]) -> Looked:
    """Read the headers of a chunk of files; runs in a process of its own."""
    looked = Looked(files=len(chunk))
    groups: dict[tuple[str, str], list[tuple[FileEntry, list[Stored]]]] = {}
    # Slices of a series share most values: one object for equal bytes makes the pickle small.
    shared: dict[bytes, bytes] = {}
    strangers: list[tuple[str, int, int]] = []
    slices: set[tuple[str, str]] = set()
    with quiet_parser():
        for path, nth, total in chunk:
            shown = shown_name(Path(path), nth, total)
            size = time_ns = 0
            try:
                with open(path, "rb") as file:
                    status = os.fstat(file.fileno())
                    size, time_ns = status.st_size, status.st_mtime_ns
                    if not starts_like_dicom(file.read(PREAMBLE + 8)):
                        strangers.append((path, size, time_ns))
                        continue
                headers = _headers(Path(path), shown)
            except DAMAGE:
                looked.damaged.append(shown)
                looked.lost.append((path, size, time_ns, DAMAGED))
                continue
            except (OSError, SeriesError):
                looked.unreadable.append(shown)
                looked.lost.append((path, size, time_ns, UNREADABLE))
                continue
            folder, name = os.path.split(path)
            if headers[0].names_nothing:
                if name == DIRECTORY:
                    looked.dicom += 1
                else:
                    looked.damaged.append(shown)
                    looked.lost.append((path, size, time_ns, DAMAGED))
                continue
            looked.dicom += 1
            slices.add((folder, name_pattern(name)))
            series = headers[0].text("SeriesInstanceUID") or f"{NO_UID}{folder}"
            # Without a study each series is one of its own, so that one study never becomes the whole archive.
            study = headers[0].text("StudyInstanceUID") or series
            entry = (path, size, time_ns, headers[0].text("SOPInstanceUID") or "")
            groups.setdefault((study, series), []).append((entry, [_stored(header, shared) for header in headers]))
    looked.lost += [
        (path, size, time_ns, DAMAGED)
        for path, size, time_ns in strangers
        if path.lower().endswith(DICOM_SUFFIXES) or _named_alike(path, slices)
    ]
    for (study, series), found in groups.items():
        entries = [entry for entry, _ in found]
        folder = os.path.commonpath([os.path.dirname(path) for path, *_ in entries])
        stored = [one for _, packed in found for one in packed]
        blob = zlib.compress(pickle.dumps((stored, entries), protocol=5), 1)
        looked.parts.append((study, series, folder, len(found), sum(size for _, size, *_ in entries), blob))
    return looked


def unpacked(blob: bytes) -> list[Header]:
    """The headers that ``look`` packed, without the paths of their files."""
    return [Header(Path(), *one) for one in pickle.loads(zlib.decompress(blob))[0]]


def unpacked_files(blob: bytes) -> list[FileEntry]:
    """The files that ``look`` packed."""
    entries: list[FileEntry] = pickle.loads(zlib.decompress(blob))[1]
    return entries


def _named_alike(path: str, slices: set[tuple[str, str]]) -> bool:
    folder, name = os.path.split(path)
    return (folder, name_pattern(name)) in slices


def _headers(path: Path, shown: str) -> list[Header]:
    header = read_header(path, shown)
    return list(frame_headers(header)) if header.text("SOPClassUID") in MULTI_FRAME else [header]


def _stored(header: Header, shared: dict[bytes, bytes]) -> Stored:
    elements = {tag: shared.setdefault(value, value) for tag, value in header.elements.items()}
    return elements, header.syntax, header.pixel_at, header.pixel_bytes, header.frame
