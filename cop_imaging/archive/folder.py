"""A folder on this machine, or on a disk that is mounted here."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cop_imaging.errors import SeriesError
from cop_imaging.ingest import IngestConfig, SeriesFiles
from cop_imaging.ingest.index import IndexSummary, write_listing
from cop_imaging.ingest.listing import changed, local_files

__all__ = ["FolderSource"]


@dataclass(frozen=True, slots=True)
class FolderSource:
    """Every DICOM series below a folder."""

    root: Path
    spools: bool = False

    def __post_init__(self) -> None:
        # Workers may be at home elsewhere than whoever calls.
        object.__setattr__(self, "root", Path(os.path.abspath(self.root)))

    @property
    def address(self) -> str:
        """The folder; bytes of its name that are no text are replaced, since no table takes them."""
        return os.fsencode(self.root).decode("utf-8", "replace")

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
        """See ``Source.write_list``."""
        return write_listing(self.root, out, config, case_key=case_key, leave_out=leave_out, workers=workers, tell=tell)

    @contextmanager
    def fetched(self, row: Mapping[str, Any], spool: Path) -> Iterator[SeriesFiles]:  # noqa: ARG002 - read in place
        """See ``Source.fetched``."""
        if changed(row, self.root):
            message = "files of the series have changed or gone since it was planned; plan again with --replan"
            raise SeriesError(message, code="source.changed")
        yield local_files(row, self.root)
