"""Which files lie below a folder, and to which series each belongs."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydicom import dcmread
from pydicom.dataset import FileDataset

from cop_imaging.errors import SeriesError
from cop_imaging.ingest.parsing import DAMAGE, quiet_parser

__all__ = ["SeriesFiles", "dicom_files", "find_series", "open_dicom", "series_key"]

PREAMBLE = 128
"""Bytes before the letters DICM (PS3.10 section 7.1)."""


@dataclass(frozen=True, slots=True)
class SeriesFiles:
    """The files of one series."""

    folder: Path
    """Deepest folder that holds all files; it may identify a patient."""
    files: tuple[Path, ...]
    key: str
    """From a digest of the SeriesInstanceUID: safe as a folder name, and says nothing of the patient."""

    @property
    def name(self) -> str:
        """What a message calls this series."""
        return f"series {self.key} in {self.folder}"


def find_series(root: Path) -> tuple[SeriesFiles, ...]:
    """Every DICOM series below ``root``, whatever its modality, in the order of folders and keys.

    Files of one SeriesInstanceUID form one series even when they lie in several folders. Files that are no DICOM
    are ignored, and so are DICOM files without a series (a DICOMDIR).

    Raises
    ------
    SeriesError
        ``source.missing`` or ``source.not_folder`` if ``root`` is no folder, ``source.unreadable`` if a file cannot
        be read.
    """
    groups: dict[str, list[Path]] = {}
    with quiet_parser():
        for path in dicom_files(root):
            try:
                uid = str(open_dicom(path, ["SeriesInstanceUID"]).get("SeriesInstanceUID") or "")
            except DAMAGE:
                continue
            if uid:
                groups.setdefault(uid, []).append(path)
    series = (SeriesFiles(_common_folder(files), tuple(files), series_key(uid)) for uid, files in groups.items())
    return tuple(sorted(series, key=lambda s: (s.folder, s.key)))


def series_key(uid: str) -> str:
    """Twelve hexadecimal digits that stand for a SeriesInstanceUID."""
    return hashlib.sha256(uid.encode()).hexdigest()[:12]


def dicom_files(root: Path) -> Iterator[Path]:
    """Files below ``root`` that begin like DICOM, in the order of their paths.

    Raises
    ------
    SeriesError
        As ``find_series`` does.
    """
    if not root.exists():
        raise SeriesError(f"{root} does not exist; give a folder with one CT series", code="source.missing")
    if not root.is_dir():
        raise SeriesError(f"{root} is no folder; give the folder that holds the CT series", code="source.not_folder")

    def refuse(error: OSError) -> None:
        raise _unreadable(Path(error.filename or root), error) from error

    for folder, below, names in os.walk(root, onerror=refuse):
        below.sort()
        # A pipe or a socket would block, a dangling link cannot be opened: only regular files are looked at.
        for path in (Path(folder, name) for name in sorted(names)):
            if path.is_file() and _looks_like_dicom(path):
                yield path


def open_dicom(path: Path, tags: Sequence[str], *, pixels: bool = False) -> FileDataset:
    """The named elements of one file, and nothing else of it.

    Raises
    ------
    SeriesError
        ``source.unreadable`` if the file cannot be read.
    ValueError, LookupError, ...
        Any of ``DAMAGE`` if it is no whole DICOM file.
    """
    try:
        if not pixels:
            with path.open("rb") as file:
                return dcmread(file, stop_before_pixels=True, force=True, specific_tags=list(tags))
        return dcmread(io.BytesIO(path.read_bytes()), force=True, specific_tags=[*tags, "PixelData"])
    except OSError as error:
        # The parser raises it as well, without a number, for a sequence that is cut off.
        if error.errno is None:
            raise ValueError("a sequence is cut off") from error
        raise _unreadable(path, error) from error


def _looks_like_dicom(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            start = file.read(PREAMBLE + 4)
    except OSError as error:
        raise _unreadable(path, error) from error
    # Old files go without the preamble: they begin with group 0002 or 0008, whose element numbers are small.
    return start[PREAMBLE:] == b"DICM" or (len(start) > 8 and start[:2] in {b"\x02\x00", b"\x08\x00"} and start[3] == 0)


def _unreadable(path: Path, error: OSError) -> SeriesError:
    return SeriesError(
        f"{path.name} cannot be read: {error.strerror or error}; check disk and permissions", code="source.unreadable"
    )


def _common_folder(files: Sequence[Path]) -> Path:
    return Path(os.path.commonpath([file.parent for file in files]))
