"""A real Orthanc server: what is listed and fetched is what was stored, over each protocol."""

import gc
import signal
import socket
import threading
import time
from pathlib import Path

import pytest
from pydicom.uid import JPEGLSLossless

from cop_imaging.archive import Credentials, DicomWebSource, DimseSource, Query
from cop_imaging.archive.receiving import Intake
from cop_imaging.errors import SeriesError, SourceError

# pynetdicom leaves the socket of a connection that is refused to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore:Exception ignored in. <s:pytest.PytestUnraisableExceptionWarning")
READER = Credentials("reader", "s3cret-pass")
PROTOCOLS = ("web", "get", "move")


@pytest.fixture(scope="module")
def stored(orthanc, make):
    """Two studies of two patients: a thin, a thick and an MR series, and a compressed one and a localizer."""

    def localizer(header, n):
        header.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]

    series = {
        "thin": make("thin", slices=30),
        "thick": make("thick", slices=12, thickness=5.0, description="Thorax 5mm"),
        "mr": make("mr", modality="MR", slices=2),
        "packed": make("packed", study="other", patient="SECRET-8", slices=2, date="20210101", syntax=JPEGLSLossless),
        "scout": make("scout", study="other", patient="SECRET-8", slices=1, date="20210101", edit=localizer),
    }
    orthanc.store(*series.values())
    return series


@pytest.fixture(scope="module")
def source(orthanc, quick):
    """A source for a protocol; ``page`` is smaller than the series, so that several pages are asked for."""

    def at(protocol, query=None, server=orthanc, credentials=READER, **access):
        wanted, limits = query or Query(), quick(**({"page": 7} | access))
        if protocol == "web":
            return DicomWebSource(server.web, wanted, limits, credentials)
        receive = f"?receive={server.receive}" if protocol == "move" else ""
        return DimseSource.at(server.pacs + receive, query=wanted, access=limits)

    return at


@pytest.mark.parametrize("protocol", ["web", "get"])
def test_a_listing_names_every_series_with_geometry_rank_and_patient(protocol, source, stored, listed):
    rows = {row["series_uid"]: row for row in listed(source(protocol), case_key=b"key")}
    assert set(rows) == {stored[name].uid for name in ("thin", "thick", "packed", "scout")}
    thin, thick, scout = (rows[stored[name].uid] for name in ("thin", "thick", "scout"))
    assert (thin["files"], thin["slices"], thin["step_mm"], thin["thickness_mm"]) == (30, 30, 1.0, 1.0)
    assert (thin["rows"], thin["columns"], thin["extent_mm"], thin["kernel"]) == (8, 8, 30.0, "B40f")
    assert (thick["rank"], thin["rank"], scout["rank"]) == (2, 1, None)
    assert thin["better"] == "its slices are thinner (1 against 5 mm)"
    assert (scout["verdict"], scout["code"]) == ("refused", "series.only_localizers")
    assert (thick["description"], thick["date"], scout["date"]) == ("Thorax 5mm", "20200405", "20210101")
    assert thin["patient"] == thick["patient"] != scout["patient"]
    assert thin["study"] == thick["study"] != scout["study"]
    assert "SECRET" not in str([{**row, "description": ""} for row in rows.values()])


def test_a_series_has_the_same_key_over_every_protocol(source, stored, listed):
    web, get = ({row["series_uid"]: row["key"] for row in listed(source(protocol))} for protocol in ("web", "get"))
    assert web == get
    assert len(set(web.values())) == 4


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_series_is_fetched_as_it_was_stored_and_the_copies_go(protocol, source, stored, listed, spool, same):
    place = source(protocol)
    for row in listed(place):
        (made,) = [one for one in stored.values() if one.uid == row["series_uid"]]
        with place.fetched(row, spool) as files:
            assert same(files.files, made)
            assert files.key == row["series"]
        assert list(spool.iterdir()) == []


@pytest.mark.parametrize("protocol", ["web", "get"])
@pytest.mark.parametrize(
    ("query", "names"),
    [
        (Query(modality=None), ("thin", "thick", "mr", "packed", "scout")),
        (Query(modality="MR"), ("mr",)),
        (Query(first_day="20200501"), ("packed", "scout")),
        (Query(last_day="20200405"), ("thin", "thick")),
        (Query(description="*5MM"), ("thick",)),
        (Query(patient="SECRET-8"), ("packed", "scout")),
        (Query(matches=(("StudyTime", "101112"), ("PatientID", "SECRET-8"))), ("packed", "scout")),
        (Query(patient="NOBODY"), ()),
    ],
)
def test_a_query_chooses(protocol, query, names, source, stored, listed):
    found = {row["series_uid"] for row in listed(source(protocol, query))}
    assert found == {stored[name].uid for name in names}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_server_that_is_killed_and_restarted_loses_nothing(
    protocol, source, start_orthanc, make, listed, spool, same, monkeypatch
):
    server = start_orthanc()
    made = make("large", slices=40, pixels=256)
    server.store(made)
    place = source(protocol, server=server, patience_s=30.0)
    (row,) = listed(place)
    whole, attempts, restarts = Intake.end, [], []

    def end(intake):
        whole(intake)
        if not restarts:
            server.stop(signal.SIGKILL)
            restarts.append(threading.Thread(target=lambda: (time.sleep(0.5), server.start())))
            restarts[0].start()

    start_over = Intake.start_over
    monkeypatch.setattr(Intake, "end", end)
    monkeypatch.setattr(Intake, "start_over", lambda intake: (attempts.append(1), start_over(intake)))
    with place.fetched(row, spool) as files:
        assert same(files.files, made)
    restarts[0].join()
    assert len(attempts) > 1
    server.stop()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_series_that_was_deleted_or_has_grown_since_is_refused(protocol, source, start_orthanc, make, listed, spool):
    made, more = make("ct", slices=3), make("ct", slices=4)
    server = start_orthanc()
    server.store(made)
    place = source(protocol, server=server)
    (row,) = listed(place)
    server.store(more)
    with pytest.raises(SeriesError, match="other images than when it was planned") as caught, place.fetched(row, spool):
        pass
    assert caught.value.code == "source.changed"
    server.delete(made)
    with pytest.raises(SeriesError, match="does not have the series any more") as caught, place.fetched(row, spool):
        pass
    assert caught.value.code == "source.missing"
    server.stop()


def test_a_wrong_password_is_refused_in_a_line_without_it(source, stored, listed):
    place = source("web", credentials=Credentials("reader", "wrong-s3cret"))
    with pytest.raises(SourceError, match="refuses access") as caught:
        listed(place)
    assert caught.value.code == "source.refused"
    assert "wrong-s3cret" not in f"{caught.value} {place!r}"


def test_an_unknown_called_title_is_refused(orthanc, quick, listed):
    place = DimseSource.at(f"dimse://127.0.0.1:{orthanc.dicom}/SOMEBODY", access=quick())
    with pytest.raises(SourceError, match="does not go by the called AE title SOMEBODY") as caught:
        listed(place)
    assert caught.value.code == "source.refused"


def test_a_pacs_is_asked_over_tls_with_certificates_on_both_sides(
    start_orthanc, certificates, quick, make, listed, spool, same
):
    server = start_orthanc(
        DicomTlsEnabled=True,
        DicomTlsCertificate=str(certificates.server),
        DicomTlsPrivateKey=str(certificates.server_key),
        DicomTlsTrustedCertificates=str(certificates.ca),
    )
    made = make("tls", slices=3)
    server.store(made)
    address = server.pacs.replace("dimse:", "dimses:")
    shown = Credentials(certificate=certificates.client, ca=certificates.ca)
    for receive in ("", f"?receive={server.receive}"):
        place = DimseSource.at(address + receive, access=quick(), credentials=shown)
        (row,) = listed(place)
        with place.fetched(row, spool) as files:
            assert same(files.files, made)
    # Without the authority that signed the server's, and without a certificate of its own.
    for less, code in ((Credentials(), "source.certificate"), (Credentials(ca=certificates.ca), "source.refused")):
        with pytest.raises(SourceError, match="certificate") as caught:
            listed(DimseSource.at(address, access=quick(), credentials=less))
        assert caught.value.code == code
    server.stop()
    del caught
    # What pynetdicom leaves of them is collected here, where it is known of, and not in the middle of another test.
    gc.collect()


def test_the_receiver_of_moved_images_is_closed_and_its_port_free(source, stored, listed, spool, orthanc):
    place = source("move")
    row = listed(place)[0]
    with place.fetched(row, spool):
        pass
    with socket.socket() as probe:
        # Connections that wait to be forgotten do not matter; whoever still listens does.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("0.0.0.0", orthanc.receive))
        probe.listen()
    assert [t.name for t in threading.enumerate() if t.name == "archive-watch"] == []
    assert Path(spool).is_dir()
