"""A PACS that fails in every way: what may pass is waited out, what will not is told in one line."""

import io
import pickle
import socket
import threading
import time

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage
from pynetdicom import AE, evt
from pynetdicom.dimse import DIMSEServiceProvider

from cop_imaging.archive import Credentials, DimseSource, Query
from cop_imaging.archive.transfer import GET, MOVE
from cop_imaging.errors import SeriesError, SourceError, UsageError

# pynetdicom leaves the socket of a connection that is refused to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore:Exception ignored in. <s:pytest.PytestUnraisableExceptionWarning")
FIND = "1.2.840.10008.5.1.4.1.2.2.1"


class FakePacs:
    """A PACS that keeps a few series in memory. ``faults`` are used up one per transfer, in order."""

    def __init__(self, *series):
        self.series = list(series)
        self.faults = []
        self.transfers = 0
        self.find_status = {}
        self.login = None
        self.ae = AE("PACS")
        for service in (FIND, GET, MOVE):
            self.ae.add_supported_context(service)
        self.ae.add_supported_context(CTImageStorage, scu_role=True, scp_role=True)
        self.ae.add_requested_context(CTImageStorage)
        self.receiver = ("127.0.0.1", 0)
        handlers = [
            (evt.EVT_C_FIND, self.find),
            (evt.EVT_C_GET, self.get),
            (evt.EVT_C_MOVE, self.move),
            (evt.EVT_USER_ID, self.user),
        ]
        self.server = self.ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
        self.port = self.server.socket.getsockname()[1]

    def stop(self):
        self.ae.shutdown()
        self.server.server_close()

    def user(self, event):
        return self.login == (event.primary_field, event.secondary_field), None

    def find(self, event):
        level = event.identifier.QueryRetrieveLevel
        seen = set()
        if level in self.find_status and "SliceThickness" in event.identifier:
            yield self.find_status[level], None
            return
        for one in self.series:
            for data in one.files.values():
                header = dcmread(io.BytesIO(data), stop_before_pixels=True)
                keys = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
                if any(event.identifier.get(key) not in (None, "", header[key].value) for key in keys):
                    continue
                uid = {"STUDY": header.StudyInstanceUID, "SERIES": header.SeriesInstanceUID}.get(level, one.uid)
                if level != "IMAGE" and uid in seen:
                    continue
                seen.add(uid)
                answer = Dataset()
                answer.QueryRetrieveLevel = level
                for element in event.identifier:
                    if element.tag in header:
                        answer[element.tag] = header[element.tag]
                yield 0xFF00, answer

    def images(self, identifier):
        (one,) = [one for one in self.series if one.uid == identifier.SeriesInstanceUID] or [None]
        return [dcmread(io.BytesIO(data)) for data in one.files.values()] if one else []

    def get(self, event):
        images = self.images(event.identifier)
        yield len(images)
        yield from self.sent(event, images)

    def move(self, event):
        if event.move_destination == "STRANGER":
            yield None, None
            return
        images = self.images(event.identifier)
        yield (*self.receiver, {"contexts": self.ae.requested_contexts})
        yield len(images)
        yield from self.sent(event, images)

    def sent(self, event, images):
        self.transfers += 1
        fault = self.faults.pop(0) if self.faults else None
        for n, image in enumerate(images):
            if fault is not None and n == len(images) // 2 and fault(event) is not None:
                yield 0xA700, None
                return
            yield 0xFF00, image


def abort(event):
    event.assoc.abort()


def cut(event):
    event.assoc.dul.socket.socket.shutdown(socket.SHUT_RDWR)


def out_of_resources(event):
    return True


def fall_silent(event):
    time.sleep(1.5)


def fall_silent_within_a_message(event):
    event.assoc.dul.socket.socket.send(b"\x04\x00\x00\x01\x00\x00half")
    time.sleep(1.5)


@pytest.fixture
def start_pacs():
    started = []

    def start(*series):
        started.append(FakePacs(*series))
        return started[-1]

    yield start
    for pacs in started:
        pacs.stop()


@pytest.fixture
def place(quick, free_port):
    def at(pacs, protocol="get", query=None, credentials=None, **access):
        receive = None
        if protocol == "move":
            receive = free_port()
            pacs.receiver = ("127.0.0.1", receive)
        access, credentials = quick(**access), credentials or Credentials()
        return DimseSource(
            "127.0.0.1",
            pacs.port,
            "PACS",
            receive=receive,
            query=query or Query(),
            access=access,
            credentials=credentials,
        )

    return at


@pytest.mark.parametrize(
    ("fault", "protocol"),
    [
        (None, "get"),
        (None, "move"),
        (abort, "get"),
        (cut, "get"),
        (cut, "move"),
        (out_of_resources, "get"),
        (fall_silent, "move"),
        (fall_silent_within_a_message, "get"),
    ],
)
def test_a_failure_that_passes_is_waited_out_while_fetching(
    fault, protocol, start_pacs, make, place, listed, spool, same
):
    made = make("a", slices=6)
    pacs = start_pacs(made, make("b"))
    source = place(pacs, protocol, idle_s=0.5)
    row = next(row for row in listed(source) if row["series_uid"] == made.uid)
    pacs.faults = [fault] if fault else []
    with source.fetched(row, spool) as files:
        assert same(files.files, made)
    assert (pacs.faults, pacs.transfers) == ([], 2 if fault else 1)
    assert [thread for thread in threading.enumerate() if thread.name == "archive-watch"] == []


def test_patience_ends(start_pacs, make, place, listed, refused):
    pacs = start_pacs(make("a"))
    source = place(pacs, patience_s=0.5)
    (row,) = listed(source)
    pacs.faults = [out_of_resources] * 1000
    error = refused(source, SourceError, row)
    assert (error.code, "status 0xA700" in str(error)) == ("source.unreachable", True)
    assert pacs.transfers > 2


def test_a_transfer_that_never_ends_is_cut_off(start_pacs, make, place, listed, refused):
    pacs = start_pacs(make("a", slices=40))
    (row,) = listed(place(pacs))
    slow = lambda event, images: ((time.sleep(0.1), (0xFF00, image))[1] for image in images)  # noqa: E731
    pacs.sent = slow
    error = refused(place(pacs, total_s=1.0, patience_s=0.0), SourceError, row)
    assert "not done within 1 s" in str(error)


def test_a_closed_port_and_an_unknown_host_are_told_at_once(free_port, quick, refused):
    start = time.monotonic()
    closed = refused(DimseSource("127.0.0.1", free_port(), "PACS", access=quick()), SourceError)
    assert (closed.code, "connection refused" in str(closed)) == ("source.unreachable", True)
    unknown = refused(DimseSource("nowhere.invalid", 104, "PACS", access=quick()), SourceError)
    assert (unknown.code, "'nowhere.invalid'" in str(unknown)) == ("source.unknown_host", True)
    assert time.monotonic() - start < 5.0


def test_somebody_who_takes_no_association_is_told(quick, refused):
    with socket.create_server(("127.0.0.1", 0)) as server:
        source = DimseSource("127.0.0.1", server.getsockname()[1], "PACS", access=quick(connect_s=0.3, patience_s=0.3))
        error = refused(source, SourceError)
    assert (error.code, "does not take up the association" in str(error)) == ("source.unreachable", True)


@pytest.mark.parametrize(
    ("setting", "why"),
    [
        ({"require_calling_aet": ["OTHER"]}, "it does not know the calling AE title COP_IMAGING"),
        ({"require_called_aet": True, "ae_title": "OTHER"}, "it does not go by the called AE title PACS"),
    ],
)
def test_a_rejected_association_is_explained(setting, why, start_pacs, make, place, refused):
    pacs = start_pacs(make("a"))
    for name, value in setting.items():
        setattr(pacs.ae, name, value)
    pacs.server.ae.ae_title = pacs.ae.ae_title
    if "ae_title" in setting:
        pacs.server.ae_title = setting["ae_title"]
    error = refused(place(pacs), SourceError)
    assert error.code == "source.refused"
    assert why in str(error)


def test_a_busy_pacs_is_waited_for(start_pacs, make, place, listed):
    pacs = start_pacs(make("a"))
    pacs.ae.maximum_associations = 1
    taken = AE("OTHER")
    taken.add_requested_context(FIND)
    association = taken.associate("127.0.0.1", pacs.port)
    assert association.is_established
    threading.Timer(0.5, association.release).start()
    start = time.monotonic()
    assert len(listed(place(pacs))) == 1
    assert time.monotonic() - start > 0.4


def test_user_and_password_are_shown_to_the_pacs_and_refused_when_wrong(start_pacs, make, place, listed, refused):
    pacs = start_pacs(make("a"))
    pacs.login = (b"reader", b"s3cret")
    assert len(listed(place(pacs, credentials=Credentials("reader", "s3cret")))) == 1
    error = refused(place(pacs, credentials=Credentials("reader", "s3cret-not")), SourceError)
    assert error.code == "source.refused"


def test_a_pacs_without_c_get_is_told(start_pacs, make, place, listed, refused):
    pacs = start_pacs(make("a"))
    source = place(pacs)
    (row,) = listed(source)
    pacs.ae.remove_supported_context(GET)
    pacs.server.contexts = [context for context in pacs.server.contexts if context.abstract_syntax != GET]
    error = refused(source, SourceError, row)
    assert (error.code, "C-GET" in str(error)) == ("source.refused", True)


def test_a_destination_that_the_pacs_does_not_know_is_named(start_pacs, make, place, quick, listed, refused, free_port):
    pacs = start_pacs(make("a"))
    source = DimseSource("127.0.0.1", pacs.port, "PACS", "STRANGER", receive=free_port(), access=quick())
    (row,) = listed(source)
    error = refused(source, SourceError, row)
    assert (error.code, "does not know where STRANGER is" in str(error)) == ("source.refused", True)


def test_a_pacs_that_tells_no_headers_is_listed_without_geometry(start_pacs, make, place, listed):
    pacs = start_pacs(make("a", slices=13), make("b", slices=15))
    pacs.find_status = {"IMAGE": 0xA900}
    rows = {row["files"]: row for row in listed(place(pacs))}
    assert [(rows[n]["rank"], rows[n]["thickness_mm"], rows[n]["verdict"]) for n in (15, 13)] == [
        (1, None, "usable"),
        (2, None, "usable"),
    ]


def test_a_search_that_is_refused_is_told(start_pacs, make, place, refused):
    pacs = start_pacs(make("a"))
    pacs.find = lambda event: iter([(0xC001, None)])
    pacs.server.bind(evt.EVT_C_FIND, pacs.find)
    assert "status 0xC001" in str(refused(place(pacs), SourceError))


@pytest.mark.parametrize("status", [0xFF00, 0x0000], ids=["pending", "last"])
def test_an_answer_that_the_library_drops_is_asked_for_again(status, start_pacs, make, place, listed, monkeypatch):
    """On a busy machine another of its threads takes a message now and then, and throws it away."""
    pacs = start_pacs(make("a", slices=12), make("b", slices=12))
    expected = listed(place(pacs))
    take, dropped = DIMSEServiceProvider.get_msg, []

    def get_msg(provider, block=False):
        context, message = take(provider, block)
        if type(message).__name__ == "C_FIND" and message.Status == status and len(dropped) < 3:
            dropped.append(message)
            return take(provider, block)
        return context, message

    monkeypatch.setattr(DIMSEServiceProvider, "get_msg", get_msg)
    monkeypatch.setattr("cop_imaging.archive.association.GRACE_S", 0.2)
    start = time.monotonic()
    assert listed(place(pacs)) == expected
    assert len(dropped) == 3
    assert time.monotonic() - start < 4.0


def test_images_of_another_series_are_refused_with_c_get_and_ignored_with_c_move(
    start_pacs, make, place, listed, refused, spool, same
):
    made, other = make("a"), make("b")
    pacs = start_pacs(made)
    rows = {protocol: listed(place(pacs, protocol))[0] for protocol in ("get", "move")}
    images = pacs.images
    pacs.images = lambda identifier: [*images(identifier), *(dcmread(io.BytesIO(d)) for d in other.files.values())]
    assert refused(place(pacs), SeriesError, rows["get"]).code == "source.other_series"
    with place(pacs, "move").fetched(rows["move"], spool) as files:
        assert same(files.files, made)


def test_two_receivers_of_one_port_wait_for_each_other(start_pacs, make, place, listed, spool, same):
    made = make("a", slices=6)
    pacs = start_pacs(made)
    source = place(pacs, "move")
    (row,) = listed(source)
    right = []

    def fetch():
        with source.fetched(row, spool) as files:
            right.append(same(files.files, made))

    threads = [threading.Thread(target=fetch) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (right, pacs.transfers) == ([True] * 3, 3)


def test_a_source_can_be_sent_to_another_process(start_pacs, make, place, listed, spool):
    source = pickle.loads(pickle.dumps(place(start_pacs(make("a")))))
    (row,) = listed(source)
    with source.fetched(row, spool) as files:
        assert len(files.files) == 4


def test_an_address_names_host_port_and_titles():
    source = DimseSource.at("dimses://pacs.example.org:2762/MAIN%20ARCHIVE?calling=RESEARCH&receive=11113")
    assert (source.host, source.port, source.tls, source.receive) == ("pacs.example.org", 2762, True, 11113)
    assert (source.called, source.calling) == ("MAIN ARCHIVE", "RESEARCH")
    assert DimseSource.at(source.address) == source


@pytest.mark.parametrize(
    "address",
    [
        "dimse://reader:s3cret@host:104/PACS",
        "dimse://host/PACS",
        "dimse://host:104",
        "dimse://host:104/PACS?password=s3cret",
        "dimse://host:104/PACS?receive=s3cret",
        "dimse://host:104/A_TITLE_OF_TOO_MANY_LETTERS",
    ],
)
def test_an_address_that_is_none_is_refused_and_not_repeated(address):
    with pytest.raises(UsageError) as caught:
        DimseSource.at(address)
    assert "s3cret" not in str(caught.value)
