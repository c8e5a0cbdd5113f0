"""Tiny series, certificates, a DICOMweb server with faults on demand, and a real Orthanc."""

from __future__ import annotations

import datetime as dt
import gc
import io
import ipaddress
import json
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time
import urllib.request
import warnings
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import numpy as np
import pyarrow.parquet as pq
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pydicom import dcmread
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from cop_imaging.archive import ArchiveAccess
from cop_imaging.ingest import IngestConfig

ORTHANC = shutil.which("Orthanc") or "/usr/sbin/Orthanc"
DICOMWEB = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
USER, PASSWORD = "reader", "s3cret-pass"


@dataclass(frozen=True)
class Made:
    """A series as it was made: the files by SOPInstanceUID."""

    study: str
    uid: str
    files: Mapping[str, bytes]


def made_series(
    name: str,
    *,
    slices: int = 4,
    study: str = "study",
    patient: str = "SECRET-7",
    modality: str = "CT",
    thickness: float = 1.0,
    pixels: int = 8,
    description: str = "Thorax",
    date: str = "20200405",
    syntax: str = ExplicitVRLittleEndian,
    edit: Callable[[Dataset, int], object] = lambda *_: None,
) -> Made:
    files = {}
    series_uid = generate_uid(entropy_srcs=["series", name])
    study_uid = generate_uid(entropy_srcs=["study", study])
    for n in range(slices):
        header = Dataset()
        header.SOPClassUID, header.SOPInstanceUID = CTImageStorage, generate_uid(entropy_srcs=["image", name, str(n)])
        header.SeriesInstanceUID, header.StudyInstanceUID = series_uid, study_uid
        header.PatientID, header.PatientName, header.StudyDate, header.StudyTime = patient, "Doe^Jane", date, "101112"
        header.Modality, header.ImageType = modality, ["ORIGINAL", "PRIMARY", "AXIAL"]
        header.SeriesDescription, header.SeriesNumber, header.InstanceNumber = description, 1, n + 1
        header.SliceThickness, header.ConvolutionKernel, header.KVP = str(thickness), "B40f", "120"
        header.ImagePositionPatient = ["-150", "-150", str(n * thickness)]
        header.ImageOrientationPatient, header.PixelSpacing = ["1", "0", "0", "0", "1", "0"], ["5", "5"]
        header.Rows = header.Columns = pixels
        header.SamplesPerPixel, header.PhotometricInterpretation = 1, "MONOCHROME2"
        header.BitsAllocated, header.BitsStored, header.HighBit, header.PixelRepresentation = 16, 12, 11, 0
        header.RescaleSlope, header.RescaleIntercept = "1", "-1024"
        noise = np.random.default_rng([n, slices]).integers(0, 2000, (pixels, pixels))
        header.PixelData = noise.astype("<u2").tobytes()
        edit(header, n)
        meta = FileMetaDataset()
        meta.TransferSyntaxUID, meta.MediaStorageSOPClassUID = ExplicitVRLittleEndian, CTImageStorage
        meta.MediaStorageSOPInstanceUID = header.SOPInstanceUID
        out = io.BytesIO()
        file = FileDataset(out, header, preamble=bytes(128), file_meta=meta)
        if syntax != ExplicitVRLittleEndian:
            file.compress(syntax, generate_instance_uid=False)
        file.save_as(out, enforce_file_format=True)
        files[str(header.SOPInstanceUID)] = out.getvalue()
    return Made(study_uid, series_uid, files)


@pytest.fixture(autouse=True)
def _what_libraries_leave_open_ends_here():
    """Sockets of broken connections are collected in the test that knows of them, not in the middle of another."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture(scope="session")
def make() -> Callable[..., Made]:
    return made_series


@pytest.fixture(scope="session")
def quick() -> Callable[..., ArchiveAccess]:
    """Access that waits for milliseconds where it usually waits for seconds."""

    def access(**changed: Any) -> ArchiveAccess:
        fast = {"first_wait_s": 0.02, "longest_wait_s": 0.2, "patience_s": 10.0, "requests_per_s": 10000.0}
        return ArchiveAccess(**(fast | {"connect_s": 2.0, "idle_s": 5.0} | changed))

    return access


@pytest.fixture
def listed(tmp_path: Path) -> Callable[..., list[dict[str, Any]]]:
    """The rows of a source's listing."""

    def rows(source: Any, **given: Any) -> list[dict[str, Any]]:
        out = tmp_path / "list" / "listed.parquet"
        source.write_list(out, IngestConfig(), **given)
        assert [path.name for path in out.parent.iterdir()] == ["listed.parquet"]
        return pq.read_table(out).to_pylist()

    return rows


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Path]:
    """A folder for copies; none is left in it when the test ends."""
    folder = tmp_path / "spool"
    yield folder
    assert not folder.exists() or list(folder.iterdir()) == []


def after_meta(data: bytes) -> bytes:
    """A file without preamble and file meta information, which whoever stores a file writes anew."""
    length = int.from_bytes(data[140:144], "little")
    return data[144 + length :]


@pytest.fixture(scope="session")
def same() -> Callable[..., bool]:
    """Whether the received files hold the data sets that were made, byte for byte."""

    def compare(files: tuple[Path, ...], made: Made) -> bool:
        assert [path.name for path in files] == [f"{n:05d}.dcm" for n in range(1, len(files) + 1)]
        ordered = [made.files[uid] for uid in sorted(made.files)]
        return [after_meta(path.read_bytes()) for path in files] == [after_meta(data) for data in ordered]

    return compare


@dataclass(frozen=True)
class Certificates:
    ca: Path
    server: Path
    """Certificate and key for the loopback address, in one file, as ``expired`` and ``client``."""
    server_key: Path
    expired: Path
    elsewhere: Path
    """For another host."""
    client: Path


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    folder = tmp_path_factory.mktemp("tls")
    now = dt.datetime.now(dt.UTC)
    ca_key = ec.generate_private_key(ec.SECP256R1())

    def named(name: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])

    def sign(
        name: str, key: ec.EllipticCurvePrivateKey, first: dt.datetime, last: dt.datetime, *, ca: bool
    ) -> x509.Certificate:
        usage = {"key_encipherment": False, "content_commitment": False, "data_encipherment": False}
        usage |= {"key_agreement": False, "encipher_only": False, "decipher_only": False}
        loopback = [x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        hosts = [x509.DNSName("elsewhere.example")] if name == "elsewhere" else loopback
        builder = (
            x509.CertificateBuilder()
            .subject_name(named(name))
            .issuer_name(named("authority"))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(first)
            .not_valid_after(last)
            .add_extension(x509.BasicConstraints(ca, None), critical=True)
            .add_extension(x509.KeyUsage(digital_signature=True, key_cert_sign=ca, crl_sign=ca, **usage), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
        )
        if not ca:
            builder = builder.add_extension(x509.SubjectAlternativeName(hosts), critical=False)
        return builder.sign(ca_key, hashes.SHA256())

    def write(name: str, first: int, last: int, *, ca: bool = False) -> Path:
        key = ca_key if ca else ec.generate_private_key(ec.SECP256R1())
        signed = sign(
            "authority" if ca else name, key, now + dt.timedelta(days=first), now + dt.timedelta(days=last), ca=ca
        )
        pem = signed.public_bytes(serialization.Encoding.PEM)
        secret = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        (folder / f"{name}.key").write_bytes(secret)
        (folder / f"{name}.pem").write_bytes(pem if ca else pem + secret)
        return folder / f"{name}.pem"

    ca = write("ca", -10, 10, ca=True)
    server = write("server", -10, 10)
    others = (write("expired", -10, -1), write("elsewhere", -10, 10), write("client", -10, 10))
    return Certificates(ca, server, folder / "server.key", *others)


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def free_port() -> Callable[[], int]:
    """A port of the loopback address where nobody listens."""
    return unused_port


class FakeWeb(ThreadingHTTPServer):
    """A DICOMweb server that keeps a few series in memory, and does what a test asks of it.

    ``faults`` are used up one per request, in order: a fault is given the handler and answers itself, or does nothing
    by returning False.
    """

    daemon_threads = True

    def __init__(self, context: ssl.SSLContext | None) -> None:
        super().__init__(("127.0.0.1", 0), FakeWebHandler)
        if context is not None:
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.series: list[Made] = []
        self.faults: list[Callable[[FakeWebHandler], object]] = []
        self.asked: list[str] = []
        self.headers: list[Message] = []
        self.most = 1000
        self.takes_offset = True
        scheme = "https" if context is not None else "http"
        self.base = f"{scheme}://127.0.0.1:{self.server_address[1]}/dicom-web"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Connections that break off are what is tested."""


class FakeWebHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 20
    server: FakeWeb

    def log_message(self, *args: Any) -> None:
        """Nothing is printed."""

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        self.server.headers.append(self.headers)
        if self.server.faults and self.server.faults.pop(0)(self) is not False:
            return
        self.answer()

    def answer(self) -> None:
        parts = urlsplit(self.path)
        names = parts.path.removeprefix("/dicom-web/").split("/")
        asked = dict(parse_qsl(parts.query))
        found = [one for one in self.server.series if len(names) < 2 or one.study == names[1]]
        found = [one for one in found if len(names) < 4 or one.uid == names[3]]
        match names[0::2], names[-1]:
            case ["studies", "series"], _ if len(names) == 4:
                self.send_series(found)
            case _, "metadata":
                self.send_items([json_of(found[0].files[names[5]])])
            case _, "instances":
                self.send_page([json_of(data) for one in found for data in one.files.values()], asked)
            case _, "series":
                self.send_page([json_of(next(iter(one.files.values()))) for one in found], asked)
            case _, "studies":
                unique = {one.study: json_of(next(iter(one.files.values()))) for one in found}
                self.send_page(list(unique.values()), asked)

    def send_page(self, items: list[dict[str, Any]], asked: Mapping[str, str]) -> None:
        start = int(asked.get("offset", 0)) if self.server.takes_offset else 0
        self.send_items(items[start:][: min(int(asked.get("limit", 1000)), self.server.most)])

    def send_items(self, items: list[dict[str, Any]]) -> None:
        self.send_whole(200, json.dumps(items).encode(), "application/dicom+json")

    def send_series(self, found: list[Made]) -> None:
        if not found:
            self.send_whole(404, b"", "text/plain")
            return
        self.send_whole(200, *multipart([data for one in found for data in one.files.values()]))

    def send_whole(self, status: int, body: bytes, kind: str, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)


def multipart(files: Sequence[bytes]) -> tuple[bytes, str]:
    """Body and type of an answer with these files."""
    head = b"\r\n--frontier\r\nContent-Type: application/dicom\r\n\r\n"
    body = b"".join(head + data for data in files) + b"\r\n--frontier--\r\n"
    return body, 'multipart/related; type="application/dicom"; boundary=frontier'


def json_of(data: bytes) -> dict[str, Any]:
    header = dcmread(io.BytesIO(data), stop_before_pixels=True)
    return dict(header.to_json_dict())


@pytest.fixture
def start_web() -> Iterator[Callable[..., FakeWeb]]:
    """Start a DICOMweb server of this process; all are stopped when the test ends."""
    started: list[tuple[FakeWeb, threading.Thread]] = []

    def start(*series: Made, context: ssl.SSLContext | None = None) -> FakeWeb:
        server = FakeWeb(context)
        server.series += series
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        started.append((server, thread))
        return server

    yield start
    for server, thread in started:
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass
class Orthanc:
    """An Orthanc server of its own on the loopback address."""

    folder: Path
    settings: Mapping[str, Any] = field(default_factory=dict)
    http: int = field(default_factory=unused_port)
    dicom: int = field(default_factory=unused_port)
    receive: int = field(default_factory=unused_port)
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        data = str(self.folder / "data")
        settings = {
            "Name": "test",
            "StorageDirectory": data,
            "IndexDirectory": data,
            "Plugins": [str(DICOMWEB)],
            "HttpPort": self.http,
            "DicomPort": self.dicom,
            "DicomAet": "ORTHANC",
            "DicomCheckCalledAet": True,
            "DicomAlwaysAllowFind": True,
            "DicomAlwaysAllowGet": True,
            "DicomAlwaysAllowMove": True,
            "DicomModalities": {
                "cop": {
                    "AET": "COP_IMAGING",
                    "Host": "127.0.0.1",
                    "Port": self.receive,
                    "UseDicomTls": "DicomTlsEnabled" in self.settings,
                }
            },
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": True,
            "RegisteredUsers": {USER: PASSWORD},
            "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
            **self.settings,
        }
        (self.folder / "orthanc.json").write_text(json.dumps(settings))
        with (self.folder / "log.txt").open("ab") as log:
            self.process = subprocess.Popen([ORTHANC, str(self.folder / "orthanc.json")], stdout=log, stderr=log)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                for one in (self.http, self.dicom):
                    socket.create_connection(("127.0.0.1", one), timeout=1).close()
            except OSError:
                time.sleep(0.05)
            else:
                return
        pytest.fail(f"Orthanc does not start: {(self.folder / 'log.txt').read_text()[-2000:]}")

    def stop(self, how: int = signal.SIGKILL) -> None:
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(30)
            self.process = None

    def store(self, *series: Made) -> None:
        token = b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        for one in series:
            for data in one.files.values():
                self._ask("POST", "/instances", token, data)

    def delete(self, series: Made) -> None:
        token = b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        (found,) = json.loads(self._ask("POST", "/tools/lookup", token, series.uid.encode()))
        self._ask("DELETE", found["Path"], token, None)

    def _ask(self, method: str, path: str, token: str, data: bytes | None) -> bytes:
        request = urllib.request.Request(f"http://127.0.0.1:{self.http}{path}", data, method=method)
        request.add_header("Authorization", f"Basic {token}")
        with urllib.request.urlopen(request) as answer:
            return bytes(answer.read())

    @property
    def web(self) -> str:
        return f"http://127.0.0.1:{self.http}/dicom-web"

    @property
    def pacs(self) -> str:
        return f"dimse://127.0.0.1:{self.dicom}/ORTHANC"


@pytest.fixture(scope="session")
def start_orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Orthanc]]:
    """Start an Orthanc server; all are stopped when the tests end."""
    if not Path(ORTHANC).exists() or not DICOMWEB.exists():
        pytest.skip("Orthanc is not installed; on Debian: apt-get install orthanc orthanc-dicomweb")
    started: list[Orthanc] = []

    def start(**settings: Any) -> Orthanc:
        server = Orthanc(tmp_path_factory.mktemp("orthanc"), settings)
        started.append(server)
        server.start()
        return server

    yield start
    for server in started:
        server.stop()


@pytest.fixture(scope="session")
def orthanc(start_orthanc: Callable[..., Orthanc]) -> Orthanc:
    """One Orthanc server for all tests that only ask."""
    return start_orthanc()


SECRETS = ("s3cret", "SECRET-7", "Doe", "reader")
"""Password, patient, name and user: none of them stands in a message."""


@pytest.fixture
def refused(listed, spool):
    """The error that listing, or fetching the row, ends with."""

    def fetch(source, row):
        with source.fetched(row, spool):
            pass

    def error(source, kind, row=None):
        with pytest.raises(kind) as caught:
            listed(source) if row is None else fetch(source, row)
        told = str(caught.value)
        assert "\n" not in told
        assert not [secret for secret in SECRETS if secret in told]
        return caught.value

    return error
