"""From what an archive answers to the rows of a listing, one study after the other."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TextIO

import pyarrow as pa
import pyarrow.parquet as pq

from cop_imaging.archive.estimate import Told, judged
from cop_imaging.archive.query import Query
from cop_imaging.errors import OutputError
from cop_imaging.ingest import IngestConfig
from cop_imaging.ingest.cases import patient_hash
from cop_imaging.ingest.headers import TAGS, Header
from cop_imaging.ingest.index import IndexSummary
from cop_imaging.ingest.listing import LISTED, plan_key
from cop_imaging.ingest.records import series_key

__all__ = ["Catalogue", "FoundImage", "FoundSeries", "FoundStudy", "key_of", "write_catalogue"]

ROW_GROUP = 500
"""Rows that are in memory at once."""


class FoundStudy(NamedTuple):
    """A study as an archive answers it."""

    uid: str
    date: str | None
    patient: str
    issuer: str


class FoundSeries(NamedTuple):
    """A series as an archive answers it."""

    uid: str
    modality: str
    description: str | None
    images: int | None
    """How many images the archive counts; None when it does not tell."""


class FoundImage(NamedTuple):
    """An image as an archive answers it."""

    uid: str
    number: int | None
    """Instance Number."""


class Catalogue(Protocol):
    """An archive that is asked level by level. Failures that may pass are waited out below this interface."""

    def studies(self, query: Query) -> Iterator[FoundStudy]:
        """Studies that may be wanted; one may come twice."""

    def series(self, study: str) -> Iterable[FoundSeries]:
        """The series of a study."""

    def images(self, study: str, series: FoundSeries) -> Iterable[FoundImage]:
        """All images of a series; one may come twice."""

    def header(self, study: str, series: str, image: str) -> Header | None:
        """What the archive tells of the header of one image; None when it tells nothing."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A study on its way to the listing: no patient identifier any more."""

    uid: str
    date: str | None
    patient: str | None


def key_of(series: str, images: Iterable[FoundImage]) -> str:
    """The key of a series in an archive, which tells neither sizes nor times of its files."""
    return plan_key(series, ((uid, 0, 0) for uid in {image.uid for image in images}))


def write_catalogue(
    catalogue: Catalogue,
    query: Query,
    out: Path,
    config: IngestConfig,
    *,
    case_key: bytes | None,
    tell: Callable[[int], None],
) -> IndexSummary:
    """Write the listing of an archive; see ``Source.write_list``.

    Verdict, rank and geometry are estimates from the headers of the first and the last image of each series. Memory
    grows with the archive by the marks of its studies alone, and by what the catalogue holds of them.

    Raises
    ------
    SeriesError, SourceError
        If the archive does not answer, or refuses.
    OutputError
        If the table cannot be written.
    """
    verdicts: Counter[str] = Counter()
    codes: Counter[str] = Counter()
    images = 0
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".list-", dir=out.parent) as scratch:
            with Path(scratch, "studies").open("w+", encoding="utf-8") as file:
                # The list of studies is taken down before the first is looked into: no answer of the archive is kept
                # waiting, and what the archive gains meanwhile does not shift its pages.
                _take_down(catalogue.studies(query), query, case_key, file)
                table = Path(scratch, "listed.parquet")
                with pq.ParquetWriter(table, LISTED) as writer:
                    rows = _rows(catalogue, query, config, _taken_down(file))
                    while group := list(islice(rows, ROW_GROUP)):
                        writer.write_table(pa.Table.from_pylist(group, schema=LISTED))
                        verdicts.update(row["verdict"] for row in group)
                        codes.update(row["code"] for row in group if row["code"])
                        images += sum(row["files"] for row in group)
                        tell(verdicts.total())
            table.replace(out)
    except OSError as error:
        raise OutputError(f"the list cannot be written to {out}: {error.strerror or error}") from error
    return IndexSummary(images, images, verdicts.total(), dict(verdicts), dict(codes), 0, 0, ())


def _take_down(found: Iterable[FoundStudy], query: Query, case_key: bytes | None, file: TextIO) -> None:
    seen: set[bytes] = set()
    for study in found:
        mark = hashlib.blake2b(study.uid.encode(), digest_size=16).digest()
        if mark in seen or not query.takes_study(study.date, study.patient):
            continue
        seen.add(mark)
        patient = patient_hash(study.patient, study.issuer, case_key) if case_key is not None else None
        file.write(json.dumps([study.uid, study.date, patient]) + "\n")
    file.seek(0)


def _taken_down(file: TextIO) -> Iterator[Listed]:
    for line in file:
        yield Listed(*json.loads(line))


def _rows(
    catalogue: Catalogue, query: Query, config: IngestConfig, studies: Iterable[Listed]
) -> Iterator[dict[str, Any]]:
    for study in studies:
        found = {one.uid: one for one in catalogue.series(study.uid)}
        wanted = [one for one in found.values() if query.takes_series(one.modality, one.description)]
        told = [one for one in (_told(catalogue, study, series) for series in wanted) if one is not None]
        yield from judged(told, config)


def _told(catalogue: Catalogue, study: Listed, series: FoundSeries) -> Told | None:
    """All that is known of a series; None when its images have gone since it was named."""
    images = sorted(set(catalogue.images(study.uid, series)), key=_order)
    if not images:
        return None
    ends = (images[0], images[-1]) if len(images) > 1 else (images[0],)
    headers = [catalogue.header(study.uid, series.uid, image.uid) for image in ends]
    row = {
        "key": key_of(series.uid, images),
        "study": series_key(study.uid),
        "series": series_key(series.uid),
        "folder": "",
        "files": len({image.uid for image in images}),
        "modality": series.modality,
        "series_uid": series.uid,
        "study_uid": study.uid,
        "patient": study.patient,
        "description": series.description,
        "date": study.date,
        "stamp": "",
        "paths": [],
    }
    return Told(row, _known(headers, series.modality))


def _order(image: FoundImage) -> tuple[bool, int, str]:
    return image.number is None, image.number or 0, image.uid


def _known(headers: Sequence[Header | None], modality: str) -> tuple[Header, ...]:
    """The headers that are told, each with the modality of the series, which not all repeat."""
    own = {TAGS["Modality"]: modality.encode()}
    return tuple(replace(header, elements={**own, **header.elements}) for header in headers if header is not None)
