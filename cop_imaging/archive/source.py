"""What a batch asks of a place where series lie."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from cop_imaging.ingest import IngestConfig, SeriesFiles
from cop_imaging.ingest.index import IndexSummary

__all__ = ["Source"]


class Source(Protocol):
    """A place where series lie. It can be pickled, so that it is asked from other processes and machines too."""

    @property
    def address(self) -> str:
        """What messages and the record of a run call it: no user, password or token stands in it."""

    @property
    def spools(self) -> bool:
        """Whether its series have to be copied to this machine before they are read."""

    def write_list(
        self,
        out: Path,
        config: IngestConfig,
        *,
        case_key: bytes | None = None,
        leave_out: Collection[Path] = (),
        workers: int = 1,
        tell: Callable[[int], None] = lambda _: None,
    ) -> IndexSummary:
        """Write one row for each series, with the columns ``cop_imaging.ingest.listing.LISTED``, to a Parquet file.

        The table holds descriptions and dates: it is to be filtered and thrown away.

        Parameters
        ----------
        out : Path
            The file, written whole or not at all.
        case_key : bytes, optional
            Secret of the keyed hash that tells which series are of one patient.
        leave_out : paths
            Folders that are not looked into.
        workers : int
            Processes that read headers, where headers are read.
        tell : function
            Is given the number of files or series that were looked at, from time to time.

        Raises
        ------
        SeriesError, SourceError
            If there is no such place, or it does not answer or refuses.
        OutputError
            If the table cannot be written.
        """

    def fetched(self, row: Mapping[str, Any], spool: Path) -> AbstractContextManager[SeriesFiles]:
        """The files of one listed series, on this machine for the length of the block.

        Parameters
        ----------
        row : mapping
            What the list says of the series.
        spool : Path
            Folder for copies; they are gone when the block ends, however it ends.

        Raises
        ------
        SeriesError
            ``source.changed`` if it is not the series that was listed any more, ``source.missing`` if it is gone.
        SourceError
            If the place does not answer, or refuses.
        """
