"""DICOM associations with a PACS: opened, watched, and told apart when they fail."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any

from cop_imaging.archive.config import ArchiveAccess
from cop_imaging.archive.credentials import Credentials
from cop_imaging.archive.patience import Passing
from cop_imaging.archive.web import address_trouble, tls_trouble
from cop_imaging.errors import MissingExtra, SourceError

if TYPE_CHECKING:
    from pynetdicom.association import Association
    from pynetdicom.events import Event
    from pynetdicom.presentation import PresentationContext

__all__ = ["PENDING", "Peer", "Watch", "associated", "demand_pynetdicom", "hasten"]

LONGEST_PDU = 128 << 10
"""Bytes: as much as common archives send at once."""
USER_AND_PASSCODE = 2
"""Kind of user identity (PS3.7 D.3.3.7)."""
TRANSIENT, BY_USER, BY_ACSE = 2, 1, 2
"""A-ASSOCIATE-RJ: result rejected-transient, sources service-user and service-provider (ACSE), by which identities are
refused (PS3.8 9.3.4, PS3.7 D.3.3.7)."""
DIAGNOSES = {
    3: "it does not know the calling AE title {calling}",
    7: "it does not go by the called AE title {called}",
}
ANSWERS = frozenset({"C_FIND_RSP", "C_GET_RSP", "C_MOVE_RSP"})
PENDING = (0xFF00, 0xFF01)
"""Statuses of all answers but the last (PS3.7 C.1.3)."""
GRACE_S = 2.0
"""Between the last answer and whoever waits for it."""
LOOK_S = 0.1
"""Between two looks at whether a connection is still alive."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A PACS, and by which name it is asked."""

    host: str
    port: int
    called: str
    """Its AE title."""
    calling: str
    """Ours."""
    tls: bool = False

    @property
    def name(self) -> str:
        """What messages call it."""
        return f"{self.called} at {self.host}:{self.port}"


class Watch:
    """Cuts a connection that has been silent, or at work, for too long, for the length of a ``with`` block.

    The library waits without limit for the rest of a message that has begun; only a closed socket ends that.

    It also counts the answers that come in. On a busy machine the library now and then drops one of them unread
    (pydicom/pynetdicom issue 875): whoever takes fewer than came in has to ask again, and one that waits for a last
    answer that was dropped is cut off.
    """

    def __init__(self, access: ArchiveAccess, name: str) -> None:
        self._access = access
        self._name = name
        self._begun = self._heard = time.monotonic()
        self._taken = 0.0
        self._last_came = False
        self._sockets: list[socket.socket] = []
        self.answers = 0
        """How many have come in."""
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, name="archive-watch", daemon=True)
        self.why = "the connection broke off"

    def __enter__(self) -> Watch:
        self._begun = self._heard = time.monotonic()
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()

    def over(self, connection: socket.socket) -> None:
        """Watch over a socket, too."""
        self._sockets.append(connection)

    def heard(self, _: Event | None = None) -> None:
        """Something has come in."""
        self._heard = time.monotonic()

    def told(self, event: Event) -> None:
        """A message has come in."""
        if type(event.message).__name__ in ANSWERS:
            self.answers += 1
            self._last_came = event.message.command_set.get("Status") not in PENDING
            self._taken = time.monotonic()

    def taken(self) -> None:
        """An answer was taken."""
        self._taken = time.monotonic()

    def lost(self) -> Passing:
        """What to raise when the connection has gone."""
        message = f"{self._name} does not answer: {self.why}"
        return Passing(SourceError(message, code="source.unreachable"))

    def _look(self) -> None:
        while not self._over.wait(LOOK_S):
            now = time.monotonic()
            if now - self._heard > self._access.idle_s:
                self.why = f"silence for {self._access.idle_s:g} s"
            elif now - self._begun > self._access.total_s:
                self.why = f"not done within {self._access.total_s:g} s"
            elif self._last_came and now - self._taken > GRACE_S:
                self.why = "an answer was lost on the way"
            else:
                continue
            for connection in self._sockets:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            return


@contextmanager
def associated(
    peer: Peer,
    access: ArchiveAccess,
    credentials: Credentials,
    contexts: Sequence[PresentationContext],
    *,
    roles: Sequence[Any] = (),
    store: Callable[[Event], int] | None = None,
    opened: Callable[[socket.socket], object] = lambda _: None,
    heard: Callable[[Event], object] = lambda _: None,
    told: Callable[[Event], object] = lambda _: None,
) -> Iterator[Association]:
    """An association, released when the block ends and aborted when it ends badly.

    Parameters
    ----------
    store : function
        Takes an image that comes in over the association; its status.
    opened : function
        Is given the socket.
    heard : function
        Is called for everything that comes in.
    told : function
        Is called for every message that has come in.
    contexts : PresentationContext
        The service that is asked for, and the kinds of images that may come in.

    Raises
    ------
    Passing
        If there is nobody, or somebody who is busy.
    SourceError
        If the archive refuses, or its certificate is not trusted.
    """
    from pynetdicom import AE, evt
    from pynetdicom.pdu_primitives import UserIdentityNegotiation

    negotiated = list(roles)
    if credentials.user is not None and credentials.password is not None:
        identity = UserIdentityNegotiation()
        identity.user_identity_type = USER_AND_PASSCODE
        identity.primary_field = credentials.user.encode()
        identity.secondary_field = credentials.password.encode()
        negotiated.append(identity)
    context = credentials.client_context() if peer.tls else None

    def connected(event: Event) -> None:
        inner = event.assoc.dul.socket
        if inner is not None and inner.socket is not None:
            inner.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            opened(inner.socket)

    handlers: list[Any] = [(evt.EVT_CONN_OPEN, connected), (evt.EVT_DATA_RECV, heard), (evt.EVT_DATA_SENT, hasten)]
    handlers.append((evt.EVT_DIMSE_RECV, told))
    if store is not None:
        handlers.append((evt.EVT_C_STORE, store))
    ae = AE(ae_title=peer.calling)
    ae.connection_timeout = ae.acse_timeout = access.connect_s
    # Silence is watched over by whoever sends a request: it may last long between two requests.
    ae.network_timeout = None
    ae.dimse_timeout = access.total_s
    try:
        association = ae.associate(
            peer.host,
            peer.port,
            contexts=list(contexts),
            ae_title=peer.called,
            max_pdu=LONGEST_PDU,
            ext_neg=negotiated,
            tls_args=(context, peer.host) if context is not None else None,
            evt_handlers=handlers,
        )
    except socket.gaierror as error:
        raise address_trouble(peer.host) from error
    try:
        if not association.is_established:
            raise _not_established(association, peer, access, credentials, context)
        if not any(one.abstract_syntax == contexts[0].abstract_syntax for one in association.accepted_contexts):
            raise _not_offered(peer, contexts[0])
        yield association
        association.release()
    finally:
        if not association.is_released:
            association.abort()
        ae.shutdown()


def demand_pynetdicom() -> None:
    """Make sure that the library is there, before anything of this module or of the transfers is used.

    Raises
    ------
    MissingExtra
        If it is not installed.
    """
    try:
        import pynetdicom  # noqa: F401
    except ImportError as error:
        raise MissingExtra("pacs", "asking a PACS") from error


def hasten(event: Event) -> None:
    """Acknowledge at once what comes in next, to be called for everything that goes out.

    Common archives send the first bytes of each message alone, and the rest only once these are acknowledged; the
    system would wait 40 ms with that, for every image.
    """
    inner = event.assoc.dul.socket
    if inner is not None and inner.socket is not None and hasattr(socket, "TCP_QUICKACK"):
        with suppress(OSError):
            inner.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)


def _nobody(peer: Peer, why: str, *, reached: bool = True) -> Passing:
    """What to raise when there is nobody on the line."""
    return Passing(SourceError(f"{peer.name} does not answer: {why}", code="source.unreachable"), reached=reached)


def _not_established(
    association: Association,
    peer: Peer,
    access: ArchiveAccess,
    credentials: Credentials,
    context: ssl.SSLContext | None,
) -> Exception:
    if association.is_rejected:
        answer = association.acceptor.primitive
        if answer is not None and answer.result_source == BY_ACSE and credentials.user is not None:
            message = f"{peer.name} refuses access; check user and password"
            return SourceError(message, code="source.refused")
        if answer is not None and answer.result == TRANSIENT:
            return Passing(SourceError(f"{peer.name} is busy", code="source.unreachable"))
        why = "no reason is given"
        if answer is not None and answer.result_source == BY_USER and answer.diagnostic in DIAGNOSES:
            why = DIAGNOSES[answer.diagnostic].format(calling=peer.calling, called=peer.called)
        return SourceError(f"{peer.name} rejects the association: {why}", code="source.refused")
    if association.rejected_contexts:
        return _not_offered(peer, association.rejected_contexts[0])
    return _on_the_line(peer, access, context)


def _not_offered(peer: Peer, context: PresentationContext) -> Exception:
    service = context.abstract_syntax.name.rpartition(" - ")[2] if context.abstract_syntax else ""
    return SourceError(f"{peer.name} does not offer C-{service}", code="source.refused")


def _on_the_line(peer: Peer, access: ArchiveAccess, context: ssl.SSLContext | None) -> Exception:
    """Why no association came about, by another connection: the library tells it to its log alone."""
    try:
        with socket.create_connection((peer.host, peer.port), timeout=access.connect_s) as connection:
            if context is not None:
                with context.wrap_socket(connection, server_hostname=peer.host) as secured:
                    # With TLS 1.3 a server refuses a client's certificate after the handshake.
                    secured.settimeout(LOOK_S)
                    secured.recv(1)
    except socket.gaierror:
        return address_trouble(peer.host)
    except ssl.SSLError as error:
        return tls_trouble(peer.name, error)
    except TimeoutError as error:
        if "handshake" in str(error) or context is None:
            return _nobody(peer, f"no connection within {access.connect_s:g} s", reached=False)
    except OSError as error:
        return _nobody(peer, (error.strerror or "no connection").lower(), reached=False)
    return _nobody(peer, "it does not take up the association")
