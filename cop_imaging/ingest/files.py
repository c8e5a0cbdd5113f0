"""Which files lie below a folder, and to which series each belongs."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cop_imaging.errors import SeriesError
from cop_imaging.ingest.headers import read_header, unreadable
from cop_imaging.ingest.naming import name_pattern, shown_name
from cop_imaging.ingest.parsing import DAMAGE, quiet_parser
from cop_imaging.ingest.records import series_key

__all__ = ["PREAMBLE", "SeriesFiles", "dicom_files", "find_series", "looks_like_dicom", "starts_like_dicom"]

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
                uid = read_header(path).text("SeriesInstanceUID")
            except DAMAGE:
                continue
            if uid:
                groups.setdefault(uid, []).append(path)
    series = (SeriesFiles(_common_folder(files), tuple(files), series_key(uid)) for uid, files in groups.items())
    return tuple(sorted(series, key=lambda s: (s.folder, s.key)))


def dicom_files(root: Path, lost: list[str] | None = None) -> Iterator[Path]:
    """Files below ``root`` that begin like DICOM, in the order of their paths. Links to folders are not followed.

    Parameters
    ----------
    lost : list of str, optional
        Gets what messages call the files that are named as DICOM files beside them are and begin like none: slices
        that are empty, packed or overwritten. Complete once every file was given.

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
        raise unreadable("a folder", error) from error

    for folder, below, names in os.walk(root, onerror=refuse):
        below.sort()
        # A pipe or a socket would block, a dangling link cannot be opened: only regular files are looked at.
        paths = [path for path in (Path(folder, name) for name in sorted(names)) if path.is_file()]
        others: list[tuple[str, str]] = []
        alike: set[str] = set()
        for nth, path in enumerate(paths, 1):
            shown = shown_name(path, nth, len(paths))
            if looks_like_dicom(path, shown):
                alike.add(name_pattern(path.name))
                yield path
            else:
                others.append((name_pattern(path.name), shown))
        if lost is not None:
            lost += [shown for pattern, shown in others if pattern in alike]


def looks_like_dicom(path: Path, shown: str) -> bool:
    """Whether a file begins like DICOM, with or without the preamble.

    Raises
    ------
    SeriesError
        ``source.unreadable`` if it cannot be read.
    """
    try:
        with path.open("rb") as file:
            start = file.read(PREAMBLE + 4)
    except OSError as error:
        raise unreadable(shown, error) from error
    return starts_like_dicom(start)


def starts_like_dicom(start: bytes) -> bool:
    """Whether these are the first bytes of a DICOM file."""
    # Old files go without the preamble: they begin with group 0002 or 0008, whose element numbers are small.
    magic = start[PREAMBLE : PREAMBLE + 4] == b"DICM"
    return magic or (len(start) > 8 and start[:2] in {b"\x02\x00", b"\x08\x00"} and start[3] == 0)


def _common_folder(files: Sequence[Path]) -> Path:
    return Path(os.path.commonpath([file.parent for file in files]))
