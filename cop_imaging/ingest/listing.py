"""What a batch has to know of each series beside the index: its files, a key that changes with them, whose it is."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from cop_imaging.errors import SourceError
from cop_imaging.ingest.cases import patient_hash
from cop_imaging.ingest.config import IngestConfig
from cop_imaging.ingest.files import SeriesFiles
from cop_imaging.ingest.headers import Header
from cop_imaging.ingest.packing import FileEntry, Lost, unpacked, unpacked_files
from cop_imaging.ingest.records import series_key
from cop_imaging.ingest.verdicts import COLUMNS, IndexedSeries, judge_study

__all__ = ["LISTED", "PRIVATE", "changed", "list_study", "local_files", "lost_series", "plan_key"]

KEY_LENGTH = 16
"""Hexadecimal digits: among a million series two share a key with a chance of 3 in 100 million."""
PRIVATE = ("description", "date")
"""Columns that choose series and number them, and are never kept: text and dates may identify a patient."""
LISTED = pa.schema(
    [
        pa.field("key", pa.string(), metadata={"means": "digest of the series' files; names the folder of its result"}),
        *COLUMNS,
        pa.field("patient", pa.string(), metadata={"means": "keyed hash of the patient identifier, with a case key"}),
        pa.field("description", pa.string(), metadata={"means": "Series Description"}),
        pa.field("date", pa.string(), metadata={"means": "Study Date, YYYYMMDD"}),
        pa.field("stamp", pa.string(), metadata={"means": "digest of names, sizes and times of its files"}),
        pa.field(
            "paths", pa.list_(pa.binary()), metadata={"means": "its files below the root, as the system names them"}
        ),
    ]
)
"""The columns of a listing: those of the index and what a batch needs besides."""


def plan_key(series_uid: str, files: Iterable[tuple[str, int, int]]) -> str:
    """Digest of a series' identity: its UID, and SOPInstanceUID, size and time of change of each of its files.

    Known without reading a pixel, the same wherever the files lie, another one as soon as a file comes, goes or is
    written anew. The UID of the series is part of it, since archives hold files without SOPInstanceUID.
    """
    sha = hashlib.sha256(series_uid.encode())
    for uid, size, time_ns in sorted(files):
        sha.update(f"\n{uid} {size} {time_ns}".encode())
    return sha.hexdigest()[:KEY_LENGTH]


def list_study(task: tuple[list[IndexedSeries], IngestConfig, Path, bytes | None]) -> list[dict[str, Any]]:
    """The rows of one study as the index has them, with what a listing says besides; runs in a process of its own."""
    study, config, root, case_key = task
    blobs = {key: (uid, packed) for _, key, _, uid, *_, packed in study}
    rows = judge_study((study, config, False))
    for row in rows:
        uid, packed = blobs[row["series"]]
        first = next(header for blob in packed for header in unpacked(blob))
        files = [file for blob in packed for file in unpacked_files(blob)]
        row.update(_listed(uid, first, files, root, case_key))
    return rows


def _listed(
    series_uid: str, first: Header, files: Sequence[FileEntry], root: Path, case_key: bytes | None
) -> dict[str, Any]:
    patient = None
    if case_key is not None:
        patient = patient_hash(first.text("PatientID") or "", first.text("IssuerOfPatientID") or "", case_key)
    return {
        "key": plan_key(series_uid, ((uid, size, time) for _, size, time, uid in files)),
        "patient": patient,
        "description": first.text("SeriesDescription"),
        "date": first.text("StudyDate"),
        **_of_files([(path, size, time) for path, size, time, _ in files], root),
    }


def lost_series(lost: Sequence[Lost], root: Path) -> Iterator[dict[str, Any]]:
    """Rows of the files that belong to no series because they cannot be read, one for each of their folders."""
    folders: dict[str, list[Lost]] = {}
    for one in lost:
        folders.setdefault(os.path.dirname(one[0]), []).append(one)
    for folder, files in folders.items():
        below = os.path.relpath(folder, root)
        code = files[0][3]
        what = "damaged" if code == "source.damaged" else "unreadable"
        text = os.fsencode(below).decode("utf-8", "replace")
        yield {
            "key": plan_key(f"\0{below}", (("", size, time) for _, size, time, _ in files)),
            "study": series_key(f"\0{below}"),
            "series": series_key(f"\0{below}"),
            "folder": text,
            "files": len(files),
            "bytes": sum(size for _, size, *_ in files),
            "modality": "",
            "kind": "unknown",
            "verdict": "refused",
            "code": code,
            "reason": f"{len(files)} {what} files and no series that they belong to",
            "issues": [],
            "stacks": 0,
            **_of_files([(path, size, time) for path, size, time, _ in files], root),
        }


def local_files(row: Mapping[str, Any], root: Path) -> SeriesFiles:
    """The files of a listed series below ``root``."""
    files = tuple(root / os.fsdecode(path) for path in row["paths"])
    return SeriesFiles(root / row["folder"], files, row["series"])


def changed(row: Mapping[str, Any], root: Path) -> bool:
    """Whether a file of a listed series has gone or been written anew since.

    Raises
    ------
    SourceError
        ``source.unreachable`` if there is nothing below the root at all, as of a disk that is not mounted, or if the
        system cannot tell.
    """
    try:
        stats = [(str(path), path.stat()) for path in local_files(row, root).files]
    except (FileNotFoundError, NotADirectoryError):
        if not _holds_anything(root):
            message = f"{root} is gone or empty; mount it again and repeat the call"
            raise SourceError(message, code="source.unreachable") from None
        return True
    except OSError as error:
        message = f"files below {root} cannot be looked at: {error.strerror or error}"
        raise SourceError(message, code="source.unreachable") from error
    return bool(_of_files([(path, s.st_size, s.st_mtime_ns) for path, s in stats], root)["stamp"] != row["stamp"])


def _holds_anything(root: Path) -> bool:
    try:
        with os.scandir(root) as entries:
            return any(True for _ in entries)
    except OSError:
        return False


def _of_files(files: Sequence[tuple[str, int, int]], root: Path) -> dict[str, Any]:
    paths = []
    sha = hashlib.sha256()
    for path, size, time_ns in sorted(files):
        paths.append(os.fsencode(os.path.relpath(path, root)))
        sha.update(b"%s\0%d\0%d\n" % (paths[-1], size, time_ns))
    return {"paths": paths, "stamp": sha.hexdigest()[:KEY_LENGTH]}
