"""Series in a PACS that speaks DIMSE: listed with C-FIND, fetched with C-GET or C-MOVE.

Source
------
DICOM PS3.4 annex C (query and retrieve, study root), PS3.15 B.9 (TLS).
"""

from __future__ import annotations

import re
import socket
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.uid import UID

from cop_imaging.archive.association import PENDING, Peer, Watch, associated, demand_pynetdicom
from cop_imaging.archive.catalogue import FoundImage, FoundSeries, FoundStudy, write_catalogue
from cop_imaging.archive.config import ArchiveAccess
from cop_imaging.archive.credentials import Credentials
from cop_imaging.archive.estimate import header_of
from cop_imaging.archive.patience import Pace, patiently
from cop_imaging.archive.query import Query
from cop_imaging.archive.receiving import Intake, received
from cop_imaging.archive.transfer import get_series, move_series, refused_with
from cop_imaging.errors import SourceError, UsageError
from cop_imaging.ingest import IngestConfig, SeriesFiles
from cop_imaging.ingest.headers import Header
from cop_imaging.ingest.index import IndexSummary

if TYPE_CHECKING:
    from pynetdicom.association import Association

__all__ = ["DimseSource"]

CALLING = "COP_IMAGING"
FIND = UID("1.2.840.10008.5.1.4.1.2.2.1")
"""Study Root Query/Retrieve Information Model - FIND (PS3.6 A)."""
SUCCESS = 0x0000
DESCRIBING = (
    *("SOPClassUID", "ImageType", "Rows", "Columns", "NumberOfFrames", "PhotometricInterpretation"),
    *("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness", "ConvolutionKernel", "KVP"),
    *("Manufacturer", "ManufacturerModelName", "BodyPartExamined", "PatientPosition", "LossyImageCompression"),
)
"""Elements of an image that estimates are made from."""
TITLE = re.compile(r"[^\\\x00-\x1f]{1,16}")
"""An AE title (PS3.5 6.2)."""
T = TypeVar("T")
FORM = "dimse://HOST:PORT/CALLED with ?calling=TITLE and &receive=PORT where needed; dimses:// for TLS"


@dataclass(frozen=True, slots=True)
class DimseSource:
    """The series of a PACS that match a query."""

    host: str
    port: int
    called: str
    """AE title of the PACS."""
    calling: str = CALLING
    """AE title under which it is asked."""
    tls: bool = False
    receive: int | None = None
    """Port to which the PACS sends with C-MOVE, where it knows ``calling``; None for C-GET."""
    query: Query = field(default_factory=Query)
    access: ArchiveAccess = field(default_factory=ArchiveAccess)
    credentials: Credentials = field(default_factory=Credentials)
    pace: Pace = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for title in (self.called, self.calling):
            if not TITLE.fullmatch(title) or not title.strip():
                raise UsageError(f"{title!r} is no AE title: 1 to 16 characters")
        object.__setattr__(self, "pace", Pace(self.access.requests_per_s))

    @classmethod
    def at(cls, address: str, **fields: Any) -> DimseSource:
        """The source at an address such as ``dimse://pacs.example.org:104/ARCHIVE?calling=RESEARCH``.

        Raises
        ------
        UsageError
            If it is none; the message does not repeat it.
        """
        try:
            parts = urlsplit(address)
            host, port = parts.hostname, parts.port
            options = dict(parse_qsl(parts.query, strict_parsing=True)) if parts.query else {}
            receive = int(options["receive"]) if "receive" in options else None
        except ValueError:
            host = port = receive = None
            options = {}
        called = unquote(parts.path.strip("/")) if host else ""
        if not host or not port or not called or parts.username is not None or options.keys() - {"calling", "receive"}:
            raise UsageError(f"the address of a PACS is written {FORM}; credentials do not belong in it")
        calling = options.get("calling", CALLING)
        return cls(host, port, called, calling, parts.scheme == "dimses", receive, **fields)

    @property
    def address(self) -> str:
        """Host, port and AE titles."""
        options = {"calling": self.calling} | ({"receive": self.receive} if self.receive is not None else {})
        scheme = "dimses" if self.tls else "dimse"
        return f"{scheme}://{self.host}:{self.port}/{quote(self.called)}?{urlencode(options)}"

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
        workers: int = 1,  # noqa: ARG002 - the PACS does the work
        tell: Callable[[int], None] = lambda _: None,
    ) -> IndexSummary:
        """See ``Source.write_list`` and ``write_catalogue``: verdicts, ranks and sizes are estimates."""
        demand_pynetdicom()
        with self._find() as find:
            return write_catalogue(find, self.query, out, config, case_key=case_key, tell=tell)

    @contextmanager
    def fetched(self, row: Mapping[str, Any], spool: Path) -> Iterator[SeriesFiles]:
        """See ``Source.fetched``. One association for each series."""
        demand_pynetdicom()
        study = row["study_uid"]
        series = FoundSeries(row["series_uid"], row["modality"], None, row["files"])

        def fetch(intake: Intake) -> str:
            self.pace.wait()
            if self.receive is None:
                return get_series(self._peer, study, series.uid, intake, self.access, self.credentials)
            return move_series(self._peer, self.receive, study, series.uid, intake, self.access, self.credentials)

        def images() -> Sequence[FoundImage]:
            with self._find() as find:
                return tuple(find.images(study, series))

        with received(row, spool, self.access, fetch=fetch, images=images) as files:
            yield files

    @property
    def _peer(self) -> Peer:
        return Peer(self.host, self.port, self.called, self.calling, self.tls)

    def _find(self) -> Find:
        return Find(self._peer, self.access, self.credentials, self.pace)


class Find:
    """A PACS as a catalogue, for the length of a ``with`` block: one association as long as nothing breaks it."""

    def __init__(self, peer: Peer, access: ArchiveAccess, credentials: Credentials, pace: Pace) -> None:
        self._peer = peer
        self._access = access
        self._credentials = credentials
        self._pace = pace
        self._line = ExitStack()
        self._association: Association | None = None
        self._sockets: list[socket.socket] = []
        self._watch = Watch(access, peer.name)
        self._met = False
        self._tells_no_headers = False

    def __enter__(self) -> Find:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._hang_up()

    def studies(self, query: Query) -> Iterator[FoundStudy]:
        """See ``Catalogue``. All are held at once, in few words each."""
        wanted = query.study_keys
        keys = {"StudyInstanceUID": "", "StudyDate": "", "PatientID": "", "IssuerOfPatientID": "", **wanted}

        def slim(answer: Dataset) -> FoundStudy:
            patient, issuer = _text(answer, "PatientID") or "", _text(answer, "IssuerOfPatientID") or ""
            return FoundStudy(_uid(answer, "StudyInstanceUID"), _text(answer, "StudyDate"), patient, issuer)

        yield from self._asked("STUDY", keys, slim)

    def series(self, study: str) -> Sequence[FoundSeries]:
        """See ``Catalogue``."""
        names = ("SeriesInstanceUID", "Modality", "SeriesDescription", "NumberOfSeriesRelatedInstances")

        def slim(answer: Dataset) -> FoundSeries:
            modality, description = _text(answer, "Modality") or "", _text(answer, "SeriesDescription")
            count = _text(answer, "NumberOfSeriesRelatedInstances") or ""
            images = int(count) if count.isdecimal() else None
            return FoundSeries(_uid(answer, "SeriesInstanceUID"), modality, description, images)

        return self._asked("SERIES", {"StudyInstanceUID": study, **dict.fromkeys(names, "")}, slim)

    def images(self, study: str, series: FoundSeries) -> Sequence[FoundImage]:
        """See ``Catalogue``."""
        keys = {"StudyInstanceUID": study, "SeriesInstanceUID": series.uid, "SOPInstanceUID": "", "InstanceNumber": ""}

        def slim(answer: Dataset) -> FoundImage:
            number = _text(answer, "InstanceNumber") or ""
            return FoundImage(_uid(answer, "SOPInstanceUID"), int(number) if number.lstrip("-").isdecimal() else None)

        return self._asked("IMAGE", keys, slim)

    def header(self, study: str, series: str, image: str) -> Header | None:
        """See ``Catalogue``. Many archives keep little more than UIDs, and say nothing of the rest."""
        if self._tells_no_headers:
            return None
        keys = dict.fromkeys(DESCRIBING, "")
        keys |= {"StudyInstanceUID": study, "SeriesInstanceUID": series, "SOPInstanceUID": image}
        try:
            found = self._asked("IMAGE", keys, _elements)
        except SourceError as error:
            if error.code != "source.failed":
                raise
            # It takes no such keys: nothing is lost but the estimates.
            self._tells_no_headers = True
            return None
        return header_of(found[0]) if found else None

    def _asked(self, level: str, keys: Mapping[str, str], slim: Callable[[Dataset], T]) -> list[T]:
        identifier = Dataset()
        identifier.QueryRetrieveLevel = level
        with warnings.catch_warnings():
            # What others have written is read as it is; a remark on it would show it.
            warnings.simplefilter("ignore")
            for keyword, value in keys.items():
                setattr(identifier, keyword, value or None)
            found = patiently(lambda: self._answers(identifier, slim), self._access, first_contact=not self._met)
        self._met = True
        return found

    def _answers(self, identifier: Dataset, slim: Callable[[Dataset], T]) -> list[T]:
        found: list[T] = []
        taken = 0
        self._pace.wait()
        with Watch(self._access, self._peer.name) as self._watch:
            try:
                association = self._opened()
                for answer, match in association.send_c_find(identifier, FIND):
                    status = answer.get("Status")
                    if status is None:
                        raise self._watch.lost()
                    taken += 1
                    self._watch.taken()
                    if status in PENDING:
                        if match is None:
                            raise SourceError(f"{self._peer.name} answers a search with what is no data set")
                        found.append(slim(match))
                    elif status != SUCCESS:
                        message = f"{self._peer.name} does not answer a search (status 0x{status:04X})"
                        raise refused_with(status, self._peer) or SourceError(message)
                if taken != self._watch.answers:
                    self._watch.why = f"{self._watch.answers - taken} of its answers were lost on the way"
                    raise self._watch.lost()
            except BaseException:
                self._hang_up()
                raise
        return found

    def _opened(self) -> Association:
        """The association, opened anew when the PACS has closed it since."""
        if self._association is not None and self._association.is_established:
            for connection in self._sockets:
                self._watch.over(connection)
            return self._association
        self._hang_up()
        from pynetdicom import build_context

        def opened(connection: socket.socket) -> None:
            self._sockets.append(connection)
            self._watch.over(connection)

        self._association = self._line.enter_context(
            associated(
                self._peer,
                self._access,
                self._credentials,
                [build_context(FIND)],
                opened=opened,
                heard=lambda _: self._watch.heard(),
                told=lambda event: self._watch.told(event),  # noqa: PLW0108 - each search has a watch of its own
            )
        )
        return self._association

    def _hang_up(self) -> None:
        self._association = None
        self._sockets.clear()
        self._line.close()


def _text(answer: Dataset, keyword: str) -> str | None:
    value = answer.get(keyword)
    if isinstance(value, MultiValue):
        value = value[0] if value else None
    text = "" if value is None else str(value).strip()
    return text or None


def _uid(answer: Dataset, keyword: str) -> str:
    uid = _text(answer, keyword)
    if uid is None:
        raise SourceError(f"the PACS answers a search without a {keyword}")
    return uid


def _elements(answer: Dataset) -> dict[int, tuple[str, list[Any]]]:
    """Tag to representation and values of what describes an image."""
    found: dict[int, tuple[str, list[Any]]] = {}
    for keyword in DESCRIBING:
        if keyword not in answer or answer[keyword].is_empty:
            continue
        value = answer[keyword].value
        found[int(answer[keyword].tag)] = (
            answer[keyword].VR,
            list(value) if isinstance(value, MultiValue) else [value],
        )
    return found
