"""ZIP and TAR archives, unpacked where nothing inside them can do harm.

No path in an archive decides where anything is written: members get names of our own in a private folder. Sizes are
counted while reading and never taken from what the archive claims.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import shutil
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Protocol, cast

from cop_imaging.config import Section, quantity
from cop_imaging.errors import SeriesError
from cop_imaging.ingest.files import starts_like_dicom
from cop_imaging.ingest.naming import name_pattern, shown_name

__all__ = ["ArchiveConfig", "Unpacked", "is_archive", "unpacked"]

CHUNK = 1 << 20
IMAGE_NAMES = (".nii.gz", ".nii", ".nrrd", ".mha")
LONGEST_READ = 16 << 20
"""Bytes of the longest single read: members are copied in chunks, only the names of a bomb ask for more."""
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


class Readable(Protocol):
    """What a member gives."""

    def read(self, size: int, /) -> bytes:
        """At most ``size`` bytes."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


Member = tuple[str, Callable[[], Readable]]
"""Name inside the archive, and what opens it."""


@dataclass(slots=True)
class _Budget:
    """What may still be unpacked."""

    left: int

    def spend(self, size: int) -> None:
        self.left -= size
        if self.left < 0:
            raise SeriesError(
                "the archive unpacks to more than the limits allow (ingest.archive.largest_gb, largest_ratio); unpack "
                "it yourself if you trust it",
                code="source.too_large",
            )


class _Counted:
    """A stream that spends a budget as it is read or stepped over, and tells damage from a failing disk."""

    def __init__(self, stream: IO[bytes], budget: _Budget) -> None:
        self._stream, self._budget, self._farthest = stream, budget, 0

    def read(self, size: int) -> bytes:
        if size > LONGEST_READ:
            # Members are copied in chunks: so much at once is the name of a member, and no name is so long.
            raise ValueError("a header of the archive is absurdly long")
        with _damage_told():
            data = self._stream.read(size)
        self._reach(self._stream.tell())
        return data

    def seek(self, position: int) -> int:
        # To step over a member all of it is unpacked as well.
        self._reach(position)
        with _damage_told():
            return self._stream.seek(position)

    def tell(self) -> int:
        return self._stream.tell()

    def close(self) -> None:
        self._stream.close()

    def _reach(self, position: int) -> None:
        self._budget.spend(max(0, position - self._farthest))
        self._farthest = max(self._farthest, position)


@contextmanager
def _damage_told() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        # The decompressors raise it as well, without a number, for a damaged stream.
        if error.errno is None:
            raise EOFError("the stream is damaged") from error
        raise


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
        with closing(_opened(path)) as stream, _damage_told():
            tarfile.TarInfo.frombuf(stream.read(tarfile.BLOCKSIZE), "utf-8", "surrogateescape")
    except DAMAGE:
        return False
    return True


@contextmanager
def unpacked(path: Path, config: ArchiveConfig) -> Iterator[Unpacked]:
    """The DICOM files and image volumes of an archive, in a private folder that lives as long as the block.

    Raises
    ------
    SeriesError
        ``source.too_large`` for a bomb, ``source.damaged`` if no member can be read and some are damaged,
        ``source.unreadable`` if there is no room to unpack.
    """
    most = int(min(config.largest_gb * 1e9, config.largest_ratio * max(path.stat().st_size, 4096)))
    with tempfile.TemporaryDirectory(prefix="cop-imaging-") as name:
        folder = Path(name)
        try:
            damaged = _unpack(path, folder, _Budget(most), config)
        except OSError as error:
            raise SeriesError(
                f"{path} cannot be unpacked into {folder.parent}: {error.strerror or error}", code="source.unreadable"
            ) from error
        if damaged and not any(folder.iterdir()):
            raise SeriesError(f"{path} is damaged or encrypted ({damaged[0]}); send it again", code="source.damaged")
        yield Unpacked(folder, tuple(damaged))


def _unpack(path: Path, folder: Path, budget: _Budget, config: ArchiveConfig) -> list[str]:
    """Copy the members that are wanted; what messages call those that could not be read."""
    damaged: list[str] = []
    alike: set[str] = set()
    others: list[tuple[str, str]] = []
    nth = 0
    try:
        for name, opened in _zip_members(path, budget) if zipfile.is_zipfile(path) else _tar_members(path, budget):
            nth += 1
            if nth > config.most_members:
                raise SeriesError(
                    f"{path} holds more than {config.most_members} files (ingest.archive.most_members)",
                    code="source.too_large",
                )
            shown, target = _named(name, nth, folder)
            try:
                with closing(opened()) as stream:
                    if _copy(stream, target, always=bool(_image_ending(name))):
                        alike.add(name_pattern(name))
                    else:
                        others.append((name_pattern(name), shown))
            except DAMAGE:
                shutil.rmtree(target.parent, ignore_errors=True)
                damaged.append(shown)
    except DAMAGE:
        # The list of members itself is damaged: what came before is kept.
        damaged.append(f"everything after member {nth}")
    # Named as the slices beside it and no DICOM: a slice that is empty, packed or overwritten.
    return damaged + [shown for pattern, shown in others if pattern in alike]


def _named(name: str, nth: int, folder: Path) -> tuple[str, Path]:
    """What a message calls a member, and where it goes."""
    own = PurePosixPath(name).name
    neutral = bool(own) and shown_name(Path(own), nth, nth) == own
    shown = own if neutral else f"member {nth}"
    return shown, folder / f"{nth:06d}" / (own if neutral else f"{nth:06d}{_image_ending(name)}")


def _image_ending(name: str) -> str:
    return next((ending for ending in IMAGE_NAMES if name.lower().endswith(ending)), "")


def _zip_members(path: Path, budget: _Budget) -> Iterator[Member]:
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            if not info.is_dir():
                yield info.filename, lambda info=info: _Counted(archive.open(info), budget)  # type: ignore[misc]


def _tar_members(path: Path, budget: _Budget) -> Iterator[Member]:
    with closing(_opened(path)) as stream:
        counted = _Counted(stream, budget)
        with tarfile.open(fileobj=counted, mode="r:") as archive:  # type: ignore[call-overload]
            for member in archive:
                # Links and devices are not followed: only what the archive holds itself.
                if member.issparse():
                    # A few bytes may stand for terabytes of zeros, and no CT is packed so.
                    raise ValueError("a sparse member")
                if member.isreg():
                    yield member.name, lambda member=member: _content(archive, member)  # type: ignore[misc]
            _check_end(archive.offset, counted)


def _check_end(at: int, stream: _Counted) -> None:
    """tarfile takes a damaged header for the end: there must be a block of zeros, and a checksum that fits.

    Source
    ------
    POSIX.1-2017, pax: an archive ends with two blocks of zeros.
    """
    stream.seek(at)
    if stream.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
        raise EOFError("the archive does not end where its list of members does")
    while stream.read(CHUNK):
        pass


def _opened(path: Path) -> IO[bytes]:
    """The plain TAR inside a file, compressed or not, told by how the file begins. The caller closes it."""
    with path.open("rb") as file:
        start = file.read(6)
    if start.startswith(b"\x1f\x8b"):
        return cast(IO[bytes], gzip.open(path))
    if start.startswith(b"BZh"):
        return bz2.open(path)
    if start.startswith(b"\xfd7zXZ"):
        return lzma.open(path)
    return path.open("rb")


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    stream = archive.extractfile(member)
    if stream is None:
        raise ValueError("no content")
    return stream


def _copy(stream: Readable, target: Path, *, always: bool) -> bool:
    """Write a member that begins like DICOM, or whose name is that of an image volume; whether it is one."""
    block = stream.read(CHUNK)
    if not (always or starts_like_dicom(block)):
        return False
    target.parent.mkdir()
    with target.open("xb") as out:
        while block:
            out.write(block)
            block = stream.read(CHUNK)
    return True
