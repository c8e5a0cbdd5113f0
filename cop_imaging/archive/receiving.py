"""Copies of a series on this machine: taken in one by one, checked, and gone when the work on them ends."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from cop_imaging.archive.catalogue import FoundImage, key_of
from cop_imaging.archive.config import ArchiveAccess
from cop_imaging.archive.patience import Passing, patiently
from cop_imaging.errors import OutputError, SeriesError, SourceError
from cop_imaging.ingest import SeriesFiles
from cop_imaging.ingest.headers import read_header
from cop_imaging.ingest.parsing import DAMAGE, quiet_parser

__all__ = ["Intake", "gone", "received"]

NAME = "{:05d}.dcm"


class Intake:
    """The images of one series as they arrive: whole ones are kept, of any other series none."""

    def __init__(self, folder: Path, series: str, access: ArchiveAccess) -> None:
        self._folder = folder
        self._series = series
        self._access = access
        self._here: dict[str, Path] = {}
        self._count = 0
        self._open: BinaryIO | None = None

    @property
    def images(self) -> tuple[FoundImage, ...]:
        """Those that are here."""
        return tuple(FoundImage(uid, None) for uid in self._here)

    def begin(self) -> None:
        """Open a file for the next image.

        Raises
        ------
        OutputError
            If it cannot be written, as all methods do.
        """
        self._count += 1
        with self._writing():
            self._open = self._path.open("wb")

    def write(self, data: bytes | memoryview) -> None:
        """Add a piece to the image that was begun."""
        with self._writing():
            if self._open is not None:
                self._open.write(data)

    def end(self) -> None:
        """The image is whole: look to what series it belongs.

        Raises
        ------
        SeriesError
            ``source.other_series`` if it is not the one that was asked for.
        Passing
            If it is no DICOM file.
        """
        with self._writing():
            self._close()
        message = "the archive sent a file that cannot be read as DICOM"
        try:
            with quiet_parser():
                header = read_header(self._path)
        except DAMAGE as error:
            raise self.again(message) from error
        if header.names_nothing:
            raise self.again(message)
        if header.text("SeriesInstanceUID") != self._series:
            self._path.unlink()
            message = "the archive sent an image of another series; nothing of it is kept"
            raise SeriesError(message, code="source.other_series")
        # A second copy of an image takes the place of the first.
        self._here[header.text("SOPInstanceUID") or ""] = self._path

    def start_over(self) -> None:
        """Throw away what has arrived."""
        # What a full disk did not take of it does not matter any more.
        with suppress(OSError):
            self._close()
        self._here.clear()
        for path in self._folder.iterdir():
            path.unlink()

    def files(self) -> tuple[Path, ...]:
        """The images in the order of their UIDs, under names that do not depend on the order in which they came."""
        with self._writing():
            return tuple(
                self._here[uid].rename(self._folder / NAME.format(n)) for n, uid in enumerate(sorted(self._here), 1)
            )

    def again(self, message: str) -> Passing:
        """What to raise when something has not come as it should: it is fetched again, but not for ever."""
        return Passing(SourceError(message, code="source.incomplete"), tries=self._access.incomplete_tries)

    @property
    def _path(self) -> Path:
        return self._folder / f"{self._count}.part"

    def _close(self) -> None:
        file, self._open = self._open, None
        if file is not None:
            file.close()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            where = self._folder.parent
            raise OutputError(f"copies cannot be written to {where}: {error.strerror or error}") from error


@contextmanager
def received(
    row: Mapping[str, Any],
    spool: Path,
    access: ArchiveAccess,
    *,
    fetch: Callable[[Intake], str],
    images: Callable[[], Iterable[FoundImage]],
) -> Iterator[SeriesFiles]:
    """The files of a listed series in a folder of their own below ``spool``, gone when the block ends, however it ends.

    Parameters
    ----------
    fetch : function
        Fills the intake, once for each attempt; what the archive says of it besides, or nothing.
    images : function
        Asks the archive which images the series has now; called only if not those arrived that were listed.

    Raises
    ------
    SeriesError
        ``source.missing`` if the series is gone, ``source.changed`` if it has other images than were listed,
        ``source.other_series`` if an image of another one was sent.
    SourceError
        If the archive does not answer or refuses; ``source.incomplete`` if images that it lists do not arrive.
    OutputError
        If the copies cannot be written.
    """
    try:
        spool.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix="series-", dir=spool))
    except OSError as error:
        raise OutputError(f"the folder for copies {spool} cannot be used: {error.strerror or error}") from error
    try:
        intake = Intake(folder, row["series_uid"], access)

        def attempt() -> None:
            intake.start_over()
            said = fetch(intake)
            _check(row, intake, said, images)

        try:
            patiently(attempt, access)
            files = intake.files()
        except BaseException:
            intake.start_over()
            raise
        yield SeriesFiles(folder, files, row["series"])
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _check(row: Mapping[str, Any], intake: Intake, said: str, images: Callable[[], Iterable[FoundImage]]) -> None:
    if key_of(row["series_uid"], intake.images) == row["key"]:
        return
    now = tuple(images())
    if not now:
        raise gone()
    if key_of(row["series_uid"], now) != row["key"]:
        message = "the series has other images than when it was planned; plan again with --replan"
        raise SeriesError(message, code="source.changed")
    said = f" ({said})" if said else ""
    message = f"{len(intake.images)} of {row['files']} images of the series arrived{said}; look into the archive's log"
    raise intake.again(message)


def gone() -> SeriesError:
    """The refusal of a series that the archive does not have any more."""
    return SeriesError("the archive does not have the series any more; plan again with --replan", code="source.missing")
