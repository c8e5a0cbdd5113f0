"""Series on a DICOMweb server: listed with QIDO-RS, fetched with WADO-RS.

Source
------
DICOM PS3.18 sections 10.4 (retrieve), 10.6 (search) and 8.7 (multipart); RFC 2046 section 5.1.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydicom.datadict import tag_for_keyword

from cop_imaging.archive.catalogue import FoundImage, FoundSeries, FoundStudy, write_catalogue
from cop_imaging.archive.config import ArchiveAccess
from cop_imaging.archive.credentials import Credentials
from cop_imaging.archive.estimate import header_of
from cop_imaging.archive.multipart import read_parts
from cop_imaging.archive.patience import Pace, Passing, patiently
from cop_imaging.archive.query import Query
from cop_imaging.archive.receiving import Intake, gone, received
from cop_imaging.archive.web import NOTHING, Gone, NotAcceptable, Web
from cop_imaging.errors import SourceError, UsageError
from cop_imaging.ingest import IngestConfig, SeriesFiles
from cop_imaging.ingest.headers import Header
from cop_imaging.ingest.index import IndexSummary

__all__ = ["DicomWebSource"]

JSON = "application/dicom+json"
AS_STORED = 'multipart/related; type="application/dicom"; transfer-syntax=*'
AS_DEFAULT = 'multipart/related; type="application/dicom"'
"""For servers that do not know the wild card: they send Explicit VR Little Endian."""
MOST_JSON = 256 << 20
"""Bytes of one answer to a search: a page of thousands of matches is far smaller."""
UID = re.compile(r"[0-9.]{1,64}")

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class DicomWebSource:
    """The series of a DICOMweb server that match a query."""

    base: str
    """Address of the service, such as ``https://pacs.example.org/dicom-web``."""
    query: Query = field(default_factory=Query)
    access: ArchiveAccess = field(default_factory=ArchiveAccess)
    credentials: Credentials = field(default_factory=Credentials)
    pace: Pace = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        try:
            parts = urlsplit(self.base)
            sound = parts.hostname and parts.username is None and not parts.query and (parts.port or 1)
        except ValueError:
            sound = False
        if not sound:
            form = "https://HOST/dicom-web with :PORT where needed"
            raise UsageError(f"the address of a DICOMweb service is written {form}; credentials do not belong in it")
        object.__setattr__(self, "base", self.base.rstrip("/"))
        object.__setattr__(self, "pace", Pace(self.access.requests_per_s))

    @property
    def address(self) -> str:
        """The address of the service."""
        return self.base

    @property
    def spools(self) -> bool:
        """Always: a series is copied before it is read."""
        return True

    def write_list(
        self,
        out: Path,
        config: IngestConfig,
        *,
        case_key: bytes | None = None,
        leave_out: Collection[Path] = (),  # noqa: ARG002 - there are no folders
        workers: int = 1,  # noqa: ARG002 - the server does the work
        tell: Callable[[int], None] = lambda _: None,
    ) -> IndexSummary:
        """See ``Source.write_list`` and ``write_catalogue``: verdicts, ranks and sizes are estimates."""
        with self._web() as web:
            return write_catalogue(Search(web, self.access), self.query, out, config, case_key=case_key, tell=tell)

    @contextmanager
    def fetched(self, row: Mapping[str, Any], spool: Path) -> Iterator[SeriesFiles]:
        """See ``Source.fetched``. The files are those that the server stores, wherever it gives them out unchanged."""
        path = f"studies/{row['study_uid']}/series/{row['series_uid']}"
        series = FoundSeries(row["series_uid"], row["modality"], None, row["files"])

        def fetch(intake: Intake) -> str:
            with self._web() as web:
                _fetch(web, path, intake)
            return ""

        def images() -> tuple[FoundImage, ...]:
            with self._web() as web:
                return tuple(Search(web, self.access).images(row["study_uid"], series))

        with received(row, spool, self.access, fetch=fetch, images=images) as files:
            yield files

    def _web(self) -> Web:
        return Web(self.base, self.access, self.credentials, self.pace)


class Search:
    """A DICOMweb server as a catalogue."""

    def __init__(self, web: Web, access: ArchiveAccess) -> None:
        self._web = web
        self._access = access

    def studies(self, query: Query) -> Iterator[FoundStudy]:
        """See ``Catalogue``."""
        asked = [*query.study_keys.items(), ("includefield", "IssuerOfPatientID")]
        for item in self._pages("studies", asked, "StudyInstanceUID", None, top=True):
            patient, issuer = (_text(item, name) or "" for name in ("PatientID", "IssuerOfPatientID"))
            yield FoundStudy(_uid(item, "StudyInstanceUID"), _text(item, "StudyDate"), patient, issuer)

    def series(self, study: str) -> Iterator[FoundSeries]:
        """See ``Catalogue``."""
        asked = [("includefield", "SeriesDescription"), ("includefield", "NumberOfSeriesRelatedInstances")]
        for item in self._pages(f"studies/{study}/series", asked, "SeriesInstanceUID", None):
            count = _text(item, "NumberOfSeriesRelatedInstances") or ""
            yield FoundSeries(
                _uid(item, "SeriesInstanceUID"),
                _text(item, "Modality") or "",
                _text(item, "SeriesDescription"),
                int(count) if count.isdecimal() else None,
            )

    def images(self, study: str, series: FoundSeries) -> Iterator[FoundImage]:
        """See ``Catalogue``."""
        path = f"studies/{study}/series/{series.uid}/instances"
        for item in self._pages(path, [], "SOPInstanceUID", series.images):
            number = _text(item, "InstanceNumber") or ""
            yield FoundImage(_uid(item, "SOPInstanceUID"), int(number) if number.lstrip("-").isdecimal() else None)

    def header(self, study: str, series: str, image: str) -> Header | None:
        """See ``Catalogue``."""
        found = self._asked(f"studies/{study}/series/{series}/instances/{image}/metadata", [])
        return header_of(_elements(found[0])) if found else None

    def _pages(
        self, path: str, asked: list[tuple[str, str]], key: str, expected: int | None, *, top: bool = False
    ) -> Iterator[Json]:
        """Every match, page by page, until a page brings nothing new or as many have come as are expected.

        A short page is no end: servers cap the size of a page without saying so. A page of things that were there
        before is one: servers exist that take no offset.
        """
        taken = 0
        before: set[str] = set()
        while True:
            query: list[tuple[str, str | int]] = [*asked, ("limit", self._access.page), ("offset", taken)]
            page = self._asked(path, query, first_contact=top and taken == 0, must_be=top)
            uids = {_uid(item, key) for item in page}
            if not uids - before:
                return
            yield from page
            taken += len(page)
            before = uids
            if expected is not None and taken >= expected:
                return

    def _asked(
        self, path: str, query: list[tuple[str, str | int]], *, first_contact: bool = False, must_be: bool = False
    ) -> list[Json]:
        def ask() -> list[Json]:
            try:
                with self._web.get(path, JSON, query) as (headers, pieces):
                    body = bytearray()
                    for piece in pieces:
                        body += piece
                        if len(body) > MOST_JSON:
                            raise SourceError(f"{self._web.base} answers a search with more than any page holds")
            except Gone:
                if not must_be:
                    return []
                raise _no_service(self._web.base) from None
            except NotAcceptable:
                raise _no_service(self._web.base) from None
            return _parsed(bytes(body), headers, self._web.base)

        return patiently(ask, self._access, first_contact=first_contact)


def _no_service(base: str) -> SourceError:
    return SourceError(f"{base} is not the address of a DICOMweb service; give the one under which /studies lies")


def _parsed(body: bytes, headers: Mapping[str, str], base: str) -> list[Json]:
    message = f"{base} breaks off its answer to a search"
    broken = Passing(SourceError(message, code="source.unreachable"))
    kind = headers.get("Content-Type", "")
    if not body:
        # Nothing was found only if the server says so: an answer that was cut off within its head looks alike.
        if headers.get("Content-Length") == "0" or kind == NOTHING:
            return []
        raise broken
    if not kind:
        raise broken
    if "json" not in kind.lower():
        raise _no_service(base)
    try:
        found = json.loads(body)
    except ValueError as error:
        raise broken from error
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise _no_service(base)
    return found


def _fetch(web: Web, path: str, intake: Intake) -> None:
    """Write every image of the answer to disk as it comes."""
    for accept in (AS_STORED, AS_DEFAULT):
        try:
            with web.get(path, accept) as (headers, pieces):
                read_parts(headers.get("Content-Type", ""), pieces, intake, web.base)
        except NotAcceptable:
            continue
        except Gone:
            raise gone() from None
        return
    raise SourceError(f"{web.base} does not give out DICOM files (status 406)")


def _text(item: Json, keyword: str) -> str | None:
    values = _values(item.get(f"{tag_for_keyword(keyword):08X}"))
    return str(values[0]).strip() if values and values[0] is not None else None


def _uid(item: Json, keyword: str) -> str:
    uid = _text(item, keyword) or ""
    # It becomes part of an address: anything else than a UID could lead anywhere.
    if not UID.fullmatch(uid):
        raise SourceError(f"the server answers a search without a valid {keyword}")
    return uid


def _values(element: Any) -> list[Any]:
    values = element.get("Value") if isinstance(element, dict) else None
    return values if isinstance(values, list) else []


def _elements(item: Json) -> dict[int, tuple[str, list[Any]]]:
    """Tag to representation and values, but for names of persons and sequences."""
    found = {}
    for tag, element in item.items():
        values = _values(element)
        if values and not any(isinstance(value, dict) for value in values) and re.fullmatch(r"[0-9A-Fa-f]{8}", tag):
            found[int(tag, 16)] = (str(element.get("vr")), values)
    return found
