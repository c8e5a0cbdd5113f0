"""One series from a PACS to disk: C-GET over the association that asks, or C-MOVE to a receiver of this process.

The data sets are written as they were sent and are never decoded.

Source
------
DICOM PS3.4 C.4.2 (C-MOVE), C.4.3 (C-GET), B.2 (C-STORE); PS3.7 C (status codes).
"""

from __future__ import annotations

import random
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from pydicom.dataset import Dataset
from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    UID,
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    EnhancedCTImageStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    LegacyConvertedEnhancedCTImageStorage,
    RLELossless,
    SecondaryCaptureImageStorage,
)

from cop_imaging.archive.association import Peer, Watch, associated, hasten
from cop_imaging.archive.config import ArchiveAccess
from cop_imaging.archive.credentials import Credentials
from cop_imaging.archive.patience import Passing
from cop_imaging.archive.receiving import Intake
from cop_imaging.errors import CopImagingError, SeriesError, SourceError

if TYPE_CHECKING:
    from pynetdicom.events import Event
    from pynetdicom.presentation import PresentationContext

__all__ = ["get_series", "move_series", "refused_with"]

CLASSES = (
    CTImageStorage,
    EnhancedCTImageStorage,
    LegacyConvertedEnhancedCTImageStorage,
    SecondaryCaptureImageStorage,
)
"""What series of CT are made of."""
SYNTAXES = (
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGLosslessSV1,
    JPEGLossless,
    JPEGLSLossless,
    JPEG2000Lossless,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    RLELossless,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    JPEG2000,
    HTJ2K,
    JPEGLSNearLossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
)
"""Transfer syntaxes in which slices are read; with one context for each, images come as they are stored."""
GET, MOVE = UID("1.2.840.10008.5.1.4.1.2.2.3"), UID("1.2.840.10008.5.1.4.1.2.2.2")
"""Study Root Query/Retrieve Information Model - GET and - MOVE (PS3.6 A)."""
DONE, FAILED, NOT_OURS, NO_SPACE = 0x0000, 0xC000, 0xA900, 0xA700
NOT_AUTHORIZED, UNKNOWN_DESTINATION = 0x0124, 0xA801
OUT_OF_RESOURCES = range(0xA700, 0xA800)
PORT_LOOK_S = 0.2
"""About how long is waited before the port is tried again that another process of this machine receives on."""


def get_series(
    peer: Peer, study: str, series: str, intake: Intake, access: ArchiveAccess, credentials: Credentials
) -> str:
    """Fetch a series with C-GET; with which status it ended, or nothing if it ended well.

    Raises
    ------
    Passing, SourceError, SeriesError, OutputError
        As the association and the intake do. Images that the archive does not send are noticed by whoever counts.
    """
    with Watch(access, peer.name) as watch:
        from pynetdicom import build_context, build_role

        store = _Store(intake)
        contexts = [build_context(GET), *_storage_contexts()]
        roles = [build_role(sop_class, scp_role=True) for sop_class in CLASSES]
        with associated(
            peer,
            access,
            credentials,
            contexts,
            roles=roles,
            store=store,
            opened=watch.over,
            heard=watch.heard,
            told=watch.told,
        ) as association:
            answers = association.send_c_get(_identifier(study, series), GET)
            return _follow(answers, store, watch, peer)


def move_series(
    peer: Peer, port: int, study: str, series: str, intake: Intake, access: ArchiveAccess, credentials: Credentials
) -> str:
    """Fetch a series with C-MOVE to a receiver that listens on ``port`` under the calling AE title meanwhile.

    Only one process of a machine can listen: the others wait for their turn. Gives what ``get_series`` gives.

    Raises
    ------
    Passing, SourceError, SeriesError, OutputError
        As ``get_series`` does.
    """
    with Watch(access, peer.name) as watch:
        from pynetdicom import build_context

        # What an earlier, broken transfer still sends is none of ours, and no reason to give up.
        store = _Store(intake, ignore_others=True)
        with (
            _receiver(peer, port, store, watch, access, credentials),
            associated(
                peer,
                access,
                credentials,
                [build_context(MOVE)],
                opened=watch.over,
                heard=watch.heard,
                told=watch.told,
            ) as association,
        ):
            answers = association.send_c_move(_identifier(study, series), peer.calling, MOVE)
            return _follow(answers, store, watch, peer)


def refused_with(status: int, peer: Peer) -> Exception | None:
    """What a final status means for the user; None when it is no refusal of the request as a whole."""
    if status == NOT_AUTHORIZED:
        return SourceError(f"{peer.name} refuses access (status 0x{status:04X})", code="source.refused")
    if status == UNKNOWN_DESTINATION:
        message = f"{peer.name} does not know where {peer.calling} is; enter its host and port there, or use C-GET"
        return SourceError(message, code="source.refused")
    if status in OUT_OF_RESOURCES:
        message = f"{peer.name} is not able to answer (status 0x{status:04X})"
        return Passing(SourceError(message, code="source.unreachable"))
    return None


class _Store:
    """Takes in the images of a transfer; the first that cannot be taken stops it."""

    def __init__(self, intake: Intake, *, ignore_others: bool = False) -> None:
        self._intake = intake
        self._ignore_others = ignore_others
        self._lock = threading.Lock()
        self.failure: CopImagingError | Passing | None = None

    def __call__(self, event: Event) -> int:
        with self._lock:
            if self.failure is not None:
                return FAILED
            try:
                self._intake.begin()
                self._intake.write(event.encoded_dataset())
                self._intake.end()
            except SeriesError as error:
                if not self._ignore_others:
                    self.failure = error
                return NOT_OURS
            except (CopImagingError, Passing) as error:
                self.failure = error
                return NO_SPACE
            return DONE


def _follow(answers: Iterable[tuple[Dataset, Dataset | None]], store: _Store, watch: Watch, peer: Peer) -> str:
    status = None
    for answer, _ in answers:
        status = answer.get("Status")
        watch.taken()
        if store.failure is not None:
            break
    if store.failure is not None:
        raise store.failure
    if status is None:
        raise watch.lost()
    refusal = refused_with(status, peer)
    if refusal is not None:
        raise refusal
    return f"final status 0x{status:04X}" if status != DONE else ""


@contextmanager
def _receiver(
    peer: Peer, port: int, store: Callable[[Event], int], watch: Watch, access: ArchiveAccess, credentials: Credentials
) -> Iterator[None]:
    """Listen for images for the length of the block; nothing listens after it, however it ends."""
    from pynetdicom import AE, evt

    ae = AE(ae_title=peer.calling)
    ae.require_called_aet = True
    ae.maximum_pdu_size = 0
    ae.acse_timeout = access.connect_s
    ae.network_timeout = ae.dimse_timeout = access.idle_s
    for sop_class in CLASSES:
        ae.add_supported_context(sop_class, list(SYNTAXES))
    context = credentials.server_context() if peer.tls else None
    handlers: list[Any] = [(evt.EVT_C_STORE, store), (evt.EVT_DATA_RECV, watch.heard), (evt.EVT_DATA_SENT, hasten)]
    deadline = time.monotonic() + access.total_s
    while True:
        try:
            server = ae.start_server(("", port), block=False, ssl_context=context, evt_handlers=handlers)
            break
        except OSError as error:
            if time.monotonic() > deadline:
                message = f"port {port} of this machine, where {peer.calling} receives, is in use"
                raise SourceError(message, code="source.unreachable") from error
        watch.heard()
        time.sleep(random.SystemRandom().uniform(PORT_LOOK_S / 2, PORT_LOOK_S))
    try:
        yield
    finally:
        if server is not None and server.socket is not None:
            # Wakes the server, which otherwise looks up every half second.
            with suppress(OSError):
                server.socket.shutdown(socket.SHUT_RDWR)
        ae.shutdown()


def _storage_contexts() -> Sequence[PresentationContext]:
    from pynetdicom import build_context

    return [build_context(UID(sop_class), syntax) for sop_class in CLASSES for syntax in SYNTAXES]


def _identifier(study: str, series: str) -> Dataset:
    keys = Dataset()
    keys.QueryRetrieveLevel = "SERIES"
    keys.StudyInstanceUID = study
    keys.SeriesInstanceUID = series
    return keys
