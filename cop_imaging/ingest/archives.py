"""ZIP and TAR archives, unpacked where nothing inside them can do harm.

No path in an archive decides where anything is written: members get names of our own in a private folder. Sizes are
counted while writing and never taken from what the archive claims.
"""

from __future__ import annotations

import lzma
import shutil
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from cop_imaging.config import Section, quantity
from cop_imaging.errors import SeriesError
from cop_imaging.ingest.naming import shown_name

__all__ = ["ArchiveConfig", "Unpacked", "is_archive", "unpacked"]

CHUNK = 1 << 20
START = 140
"""Bytes of a member that tell whether it is looked at at all."""
PREAMBLE = 128
IMAGE_NAMES = (".nii", ".nii.gz", ".nrrd", ".mha")
DAMAGE = (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, ValueError, RuntimeError)
"""What the libraries raise on a member or an archive that is damaged, cut off, encrypted or packed in a rare way."""


class ArchiveConfig(Section):
    """How much an archive may hold."""

    largest_gb: float = quantity(
        16.0,
        low=0.01,
        high=500.0,
        unit="GB",
        means="bytes that are unpacked at most",
        source="five studies of 1,200 slices of 512 x 512 pixels; estimate",
    )
    most_members: int = quantity(
        200_000,
        low=1,
        high=5_000_000,
        unit="1",
        means="files that are looked at in one archive",
        source="a day of one scanner; estimate",
    )
    largest_ratio: float = quantity(
        200.0,
        low=10.0,
        high=2000.0,
        unit="1",
        means="unpacked over packed size of the archive, beyond which it is a bomb",
        source="an empty CT slice shrinks to a hundredth; a bomb to a thousandth and less; estimate",
    )


@dataclass(frozen=True, slots=True)
class Unpacked:
    """What an archive held."""

    folder: Path
    """Private, gone after the block."""
    damaged: tuple[str, ...]
    """What messages call the members that could not be read."""


@dataclass(slots=True)
class Budget:
    """What may still be written."""

    left: int

    def spend(self, size: int) -> None:
        """Count bytes.

        Raises
        ------
        SeriesError
            ``source.too_large`` when nothing is left.
        """
        self.left -= size
        if self.left < 0:
            raise SeriesError(
                "the archive unpacks to more than the limits allow (ingest.archive.largest_gb, largest_ratio); unpack "
                "it yourself if you trust it",
                code="source.too_large",
            )


def is_archive(path: Path) -> bool:
    """Whether a file is a ZIP or a TAR archive, plain or compressed, by its content.

    Raises
    ------
    OSError
        If it cannot be read.
    """
    if zipfile.is_zipfile(path):
        return True
    try:
        return tarfile.is_tarfile(path)
    except (EOFError, zlib.error, lzma.LZMAError, ValueError):
        return False


@contextmanager
def unpacked(path: Path, config: ArchiveConfig) -> Iterator[Unpacked]:
    """The DICOM files and image volumes of an archive, in a private folder that lives as long as the block.

    Raises
    ------
    SeriesError
        ``source.too_large`` for a bomb, ``source.damaged`` if no member can be read and some are damaged,
        ``source.unreadable`` if there is no room to unpack.
    """
    limit = min(config.largest_gb * 1e9, config.largest_ratio * max(path.stat().st_size, 4096))
    with tempfile.TemporaryDirectory(prefix="cop-imaging-") as name:
        folder = Path(name)
        try:
            damaged = _unpack(path, folder, Budget(int(limit)), config)
        except OSError as error:
            raise SeriesError(
                f"{path} cannot be unpacked into {folder.parent}: {error.strerror or error}", code="source.unreadable"
            ) from error
        if damaged and not any(folder.iterdir()):
            raise SeriesError(f"{path} is damaged or encrypted ({damaged[0]}); send it again", code="source.damaged")
        yield Unpacked(folder, tuple(damaged))


def _unpack(path: Path, folder: Path, budget: Budget, config: ArchiveConfig) -> list[str]:
    damaged: list[str] = []
    members = _zip_members(path) if zipfile.is_zipfile(path) else _tar_members(path, Budget(budget.left))
    nth = 0
    try:
        for name, opened in members:
            nth += 1
            if nth > config.most_members:
                raise SeriesError(
                    f"{path} holds more than {config.most_members} files (ingest.archive.most_members)",
                    code="source.too_large",
                )
            shown = shown_name(Path(PurePosixPath(name).name or "x"), nth, config.most_members)
            shown = shown if shown[:4] != "file" else f"member {nth}"
            target = folder / f"{nth:06d}" / (shown if " " not in shown else f"{nth:06d}{_image_ending(name)}")
            try:
                with opened() as stream:
                    _copy(stream, target, budget, always=bool(_image_ending(name)))
            except DAMAGE:
                shutil.rmtree(target.parent, ignore_errors=True)
                damaged.append(shown)
    except DAMAGE:
        # The list of members itself is damaged: what came before is kept.
        damaged.append(f"everything after member {nth}")
    return damaged


def _image_ending(name: str) -> str:
    return next((ending for ending in sorted(IMAGE_NAMES, key=len)[::-1] if name.lower().endswith(ending)), "")


def _zip_members(path: Path) -> Iterator[tuple[str, Callable[[], IO[bytes]]]]:
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if not member.is_dir():
                yield member.filename, lambda member=member: archive.open(member)  # type: ignore[misc]


def _tar_members(path: Path, budget: Budget) -> Iterator[tuple[str, Callable[[], IO[bytes]]]]:
    with tarfile.open(path, "r:*") as archive:
        for member in archive:
            # To step over a member all of it is unpacked too, whether it is wanted or not.
            budget.spend(member.size)
            # Links and devices are not followed: only what the archive holds itself.
            if member.isreg():
                yield member.name, lambda member=member: _content(archive, member)  # type: ignore[misc]


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    stream = archive.extractfile(member)
    if stream is None:
        raise ValueError("no content")
    return stream


def _copy(stream: IO[bytes], target: Path, budget: Budget, *, always: bool) -> None:
    """Write a member that begins like DICOM, or whose name is that of an image volume."""
    block = stream.read(CHUNK)
    magic = block[PREAMBLE : PREAMBLE + 4] == b"DICM"
    old = len(block) > 8 and block[:2] in {b"\x02\x00", b"\x08\x00"} and block[3] == 0
    if not (magic or old or always):
        return
    target.parent.mkdir()
    with target.open("xb") as out:
        while block:
            budget.spend(len(block))
            out.write(block)
            block = stream.read(CHUNK)
