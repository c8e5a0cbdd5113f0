"""A DICOMweb server that fails in every way: what may pass is waited out, what will not is told in one line."""

import pickle
import ssl
import time

import pytest

from cop_imaging.archive import Credentials, DicomWebSource, Query
from cop_imaging.archive.receiving import Intake
from cop_imaging.errors import OutputError, SeriesError, SourceError, UsageError


@pytest.fixture
def place(quick):
    def at(server, query=None, credentials=None, **access):
        return DicomWebSource(server.base, query or Query(), quick(**access), credentials or Credentials())

    return at


def status(number, **headers):
    return lambda handler: handler.send_whole(number, b"busy", "text/plain", **headers)


def hang(handler):
    time.sleep(1.0)
    handler.close_connection = True


def break_off_at(share):
    """Send a part of the answer and close the connection."""

    def fault(handler):
        whole, wfile = [], handler.wfile
        handler.wfile = type(
            "Kept", (), {"write": lambda _, data: whole.append(data) or len(data), "flush": lambda _: None}
        )()
        handler.answer()
        data = b"".join(whole)
        wfile.write(data[: int(len(data) * share)])
        handler.wfile = wfile
        handler.close_connection = True

    return fault


def test_a_page_may_be_shorter_than_asked_for_and_nothing_is_lost(start_web, make, place, listed):
    server = start_web(*(make(f"s{n}", study=f"study{n}", slices=3) for n in range(7)))
    server.most = 2
    rows = listed(place(server))
    assert [row["files"] for row in rows] == [3] * 7
    assert len({row["series_uid"] for row in rows}) == 7


def test_a_server_that_takes_no_offset_is_listed_once(start_web, make, place, listed):
    server = start_web(make("a", study="one"), make("b", study="two"))
    server.takes_offset = False
    assert len(listed(place(server))) == 2


def test_the_server_is_asked_for_what_it_can_choose_by(start_web, make, place, listed):
    server = start_web(make("a"))
    query = Query("CT", "20200101", "20201231", patient="SECRET-7", matches=(("InstitutionName", "General*"),))
    listed(place(server, query))
    asked = server.asked[0]
    for part in (
        "ModalitiesInStudy=CT",
        "StudyDate=20200101-20201231",
        "PatientID=SECRET-7",
        "InstitutionName=General",
    ):
        assert part in asked


def test_what_the_server_does_not_choose_by_is_chosen_from_its_answers(start_web, make, place, listed):
    wanted = make("a", study="a")
    server = start_web(
        wanted,
        make("b", study="b", date="20190101"),
        make("c", study="c", patient="SECRET-8"),
        make("d", study="a", modality="MR"),
        make("e", study="a", description="Scout"),
    )
    query = Query("CT", "20200101", "20201231", "thor*", "SECRET-7")
    assert [row["series_uid"] for row in listed(place(server, query))] == [wanted.uid]


@pytest.mark.parametrize(
    "faults",
    [
        [status(503), status(429, Retry_After="0"), status(500)],
        [break_off_at(share) for share in (0.0, 0.03, 0.5, 0.95)],
        [lambda handler: handler.send_whole(200, b'[{"0020000D"', "application/dicom+json")],
    ],
    ids=["busy", "cut", "garbled"],
)
def test_a_failure_that_passes_is_waited_out_while_listing(faults, start_web, make, place, listed):
    server = start_web(make("a", slices=5))
    server.faults = [lambda _: False, *faults]
    assert [row["files"] for row in listed(place(server))] == [5]
    assert server.faults == []


@pytest.mark.parametrize(
    "faults",
    [
        [status(503), status(502), status(500)],
        [break_off_at(share) for share in (0.0, 0.01, 0.3, 0.9, 0.999)],
        [hang],
        [
            lambda handler: handler.send_whole(
                200, b"\r\n--frontier\r\nno header", 'multipart/related; boundary="frontier"'
            )
        ],
    ],
    ids=["busy", "cut", "silent", "garbled"],
)
def test_a_failure_that_passes_is_waited_out_while_fetching(faults, start_web, make, place, listed, spool, same):
    made = make("a", slices=6)
    server = start_web(made)
    source = place(server, idle_s=0.3)
    (row,) = listed(source)
    server.faults = list(faults)
    with source.fetched(row, spool) as files:
        assert same(files.files, made)
    assert server.faults == []


def test_an_answer_without_matches_is_none_and_a_cut_one_is_not(start_web, make, place, listed):
    server = start_web()
    for answer in (status(204), lambda handler: handler.send_whole(200, b"", "application/dicom+json")):
        server.faults = [answer]
        assert listed(place(server)) == []
        assert server.faults == []


def test_patience_ends(start_web, make, place, listed, refused):
    server = start_web(make("a"))
    source = place(server, patience_s=0.5)
    (row,) = listed(source)
    server.faults = [status(503)] * 1000
    start = time.monotonic()
    error = refused(source, SourceError, row)
    assert (error.code, "status 503" in str(error)) == ("source.unreachable", True)
    assert 0.5 < time.monotonic() - start < 2.0
    assert 4 < 1000 - len(server.faults) < 50


def test_an_answer_that_never_ends_is_cut_off(start_web, make, place, listed, refused):
    server = start_web(make("a"))
    (row,) = listed(place(server))

    def drip(handler):
        handler.send_response(200)
        handler.send_header("Content-Type", "multipart/related; boundary=frontier")
        handler.send_header("Content-Length", "1000000")
        handler.end_headers()
        for _ in range(60):
            handler.wfile.write(b"\r\n")
            handler.wfile.flush()
            time.sleep(0.05)

    server.faults = [drip] * 3
    error = refused(place(server, total_s=1.0, patience_s=0.0), SourceError, row)
    assert "did not finish an answer within 1 s" in str(error)


def test_a_server_asks_to_be_left_alone_for_a_while(start_web, make, place, listed, spool):
    server = start_web(make("a"))
    source = place(server, longest_wait_s=0.6, first_wait_s=0.01)
    (row,) = listed(source)
    server.faults = [status(429, Retry_After="3600")]
    start = time.monotonic()
    with source.fetched(row, spool):
        assert 0.6 <= time.monotonic() - start < 1.5


@pytest.mark.parametrize("number", [401, 403])
def test_a_wrong_password_is_told_at_once_and_not_shown(number, start_web, make, place, refused):
    server = start_web(make("a"))
    server.faults = [status(number)] * 10
    error = refused(place(server, credentials=Credentials("reader", "s3cret")), SourceError)
    assert error.code == "source.refused"
    assert len(server.faults) == 9


@pytest.mark.parametrize(
    ("credentials", "header"),
    [
        (Credentials("reader", "s3crét"), "Basic cmVhZGVyOnMzY3LDqXQ="),
        (Credentials(token="abc"), "Bearer abc"),
        (Credentials(), None),
    ],
)
def test_credentials_are_shown_to_the_server_alone(credentials, header, start_web, make, place, listed):
    server = start_web(make("a"))
    source = place(server, credentials=credentials)
    listed(source)
    assert {headers.get("Authorization") for headers in server.headers} == {header}
    assert "s3cr" not in f"{source!r}{source.address}"


def test_nothing_is_sent_to_where_the_server_points(start_web, make, place, refused):
    server, other = start_web(make("a")), start_web(make("b"))
    server.faults = [status(302, Location=other.base)]
    error = refused(place(server, credentials=Credentials(token="s3cret")), SourceError)
    assert "give the new address" in str(error)
    assert other.asked == []


def test_an_unknown_host_a_closed_port_and_a_page_of_another_kind_are_told_apart(start_web, place, refused, quick):
    start = time.monotonic()
    unknown = refused(DicomWebSource("http://nowhere.invalid/dicom-web", access=quick()), SourceError)
    assert (unknown.code, "'nowhere.invalid'" in str(unknown)) == ("source.unknown_host", True)
    closed = refused(DicomWebSource("http://127.0.0.1:9/dicom-web", access=quick()), SourceError)
    assert (closed.code, "connection refused" in str(closed)) == ("source.unreachable", True)
    # The first contact is not waited for.
    assert time.monotonic() - start < 5.0
    server = start_web()
    for answer in (
        lambda handler: handler.send_whole(200, b"<html>", "text/html"),
        lambda handler: handler.send_whole(404, b"", "text/html"),
        lambda handler: handler.send_whole(200, b'{"error": "SECRET-7"}', "application/json"),
    ):
        server.faults = [answer]
        assert "not the address of a DICOMweb service" in str(refused(place(server), SourceError))


def test_a_uid_that_is_none_is_not_made_part_of_an_address(start_web, make, place, refused):
    server = start_web(make("a"))
    item = b'[{"0020000D": {"vr": "UI", "Value": ["../../../secret?"]}}]'
    server.faults = [lambda handler: handler.send_whole(200, item, "application/dicom+json")]
    refused(place(server), SourceError)
    assert len(server.asked) == 1


def tls(certificates, name):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(getattr(certificates, name))
    if name == "server":
        context.load_verify_locations(certificates.ca)
    return context


def test_a_series_is_fetched_over_tls(start_web, make, place, listed, spool, same, certificates):
    context = tls(certificates, "server")
    context.verify_mode = ssl.CERT_REQUIRED
    made = make("a")
    source = place(
        start_web(made, context=context), credentials=Credentials(certificate=certificates.client, ca=certificates.ca)
    )
    (row,) = listed(source)
    with source.fetched(row, spool) as files:
        assert same(files.files, made)


@pytest.mark.parametrize(
    ("name", "trusts", "why"),
    [
        ("expired", True, "certificate has expired"),
        ("server", False, "certificate"),
        ("elsewhere", True, "certificate is not valid for '127.0.0.1'"),
    ],
)
def test_a_certificate_that_is_not_good_is_told(name, trusts, why, start_web, make, refused, place, certificates):
    server = start_web(make("a"), context=tls(certificates, name))
    trusted = Credentials(ca=certificates.ca) if trusts else Credentials()
    error = refused(place(server, credentials=trusted), SourceError)
    assert error.code == "source.certificate"
    assert why in str(error)


def test_a_server_that_speaks_no_tls_is_told(start_web, make, refused, quick):
    server = start_web(make("a"))
    source = DicomWebSource(server.base.replace("http:", "https:"), access=quick(patience_s=0.2))
    assert refused(source, SourceError).code == "source.unreachable"


def test_images_that_do_not_arrive_are_asked_for_again_and_then_missed(start_web, make, place, listed, refused, spool):
    made = make("a", slices=6)
    server = start_web(made)
    source = place(server, incomplete_tries=3)
    (row,) = listed(source)
    fewer = type(made)(made.study, made.uid, dict(list(made.files.items())[:4]))
    lose = lambda handler: handler.send_series([fewer])  # noqa: E731 - a fault is a function
    page = lambda _: False  # noqa: E731
    server.faults = [lose, page]
    with source.fetched(row, spool) as files:
        assert len(files.files) == 6
    server.faults = [lose, page] * 5
    error = refused(source, SourceError, row)
    assert (error.code, "4 of 6 images" in str(error)) == ("source.incomplete", True)
    assert len(server.faults) == 4


def test_a_series_that_is_gone_or_another_is_refused(start_web, make, place, listed, refused):
    made, stranger = make("a"), make("b")
    server = start_web(made)
    source = place(server)
    (row,) = listed(source)
    server.faults = [lambda handler: handler.send_series([made, stranger])]
    assert refused(source, SeriesError, row).code == "source.other_series"
    server.series.clear()
    assert refused(source, SeriesError, row).code == "source.missing"
    server.series.append(make("a", slices=5))
    assert refused(source, SeriesError, row).code == "source.changed"


def test_a_file_that_is_no_dicom_is_asked_for_again_and_then_given_up(start_web, make, place, listed, refused):
    server = start_web(make("a"))
    source = place(server, incomplete_tries=2)
    (row,) = listed(source)
    body = b"\r\n--x\r\n\r\n<html>\r\n--x--"
    garbage = lambda handler: handler.send_whole(200, body, "multipart/related; boundary=x")  # noqa: E731
    server.faults = [garbage] * 5
    error = refused(source, SourceError, row)
    assert (error.code, len(server.faults)) == ("source.incomplete", 3)


def test_a_server_without_the_wild_card_is_asked_for_its_default(start_web, make, place, listed, spool, same):
    made = make("a")
    server = start_web(made)
    source = place(server)
    (row,) = listed(source)
    server.faults = [status(406)]
    with source.fetched(row, spool) as files:
        assert same(files.files, made)
    assert "transfer-syntax=*" not in server.headers[-1]["Accept"]


def test_copies_go_when_the_work_on_them_fails(start_web, make, place, listed, spool):
    source = place(start_web(make("a")))
    (row,) = listed(source)

    def work():
        with source.fetched(row, spool):
            assert len(list(spool.glob("*/*.dcm"))) == 4
            raise ValueError("of the work")

    with pytest.raises(ValueError, match="of the work"):
        work()


def test_a_full_disk_is_an_error_of_the_output(start_web, make, place, listed, refused, monkeypatch):
    source = place(start_web(make("a")))
    (row,) = listed(source)

    class Full:
        def write(self, data):
            raise OSError(28, "No space left on device")

        def close(self):
            raise OSError(28, "No space left on device")

    begin = Intake.begin

    def begun(intake):
        begin(intake)
        intake._open.close()
        intake._open = Full()

    monkeypatch.setattr(Intake, "begin", begun)
    assert "No space left on device" in str(refused(source, OutputError, row))


def test_a_source_can_be_sent_to_another_process(start_web, make, place, listed, spool, same):
    made = make("a")
    source = pickle.loads(pickle.dumps(place(start_web(made))))
    (row,) = listed(source)
    with source.fetched(row, spool) as files:
        assert same(files.files, made)


def test_requests_are_paced(start_web, make, place, listed):
    server = start_web(make("a"))
    start = time.monotonic()
    listed(place(server, requests_per_s=20.0))
    assert time.monotonic() - start > (len(server.asked) - 1) / 20.0


@pytest.mark.parametrize(
    "address", ["http://reader:s3cret@host/dicom-web", "https://", "http://host:99999/x", "http://host/x?key=s3cret"]
)
def test_an_address_with_credentials_is_refused_and_not_repeated(address):
    with pytest.raises(UsageError, match="credentials do not belong in it") as caught:
        DicomWebSource(address)
    assert "s3cret" not in str(caught.value)
