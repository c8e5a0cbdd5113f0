"""HTTP towards one archive: what may pass is told apart from what will not, and no message repeats a request."""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

from cop_imaging.archive.config import ArchiveAccess
from cop_imaging.archive.credentials import Credentials
from cop_imaging.archive.patience import Pace, Passing
from cop_imaging.errors import MissingExtra, SourceError

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

__all__ = ["NOTHING", "Gone", "NotAcceptable", "Web", "address_trouble", "tls_trouble"]

PIECE = 256 << 10
"""Bytes that are taken from a connection at once."""
REFUSED = frozenset({401, 403})
PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses of a server that is busy, starts, or stands behind a proxy and is not there (RFC 9110, RFC 6585)."""
NOTHING = "nothing"
"""Stands for the type of an answer without content."""
NOT_FOUND, NOT_ACCEPTABLE, NO_CONTENT = frozenset({404, 410}), 406, 204


class Gone(Exception):  # noqa: N818 - an answer, not an error
    """The server does not have what was asked for."""


class NotAcceptable(Exception):  # noqa: N818 - an answer, not an error
    """The server does not have it in the form that was asked for."""


class Web:
    """Connections to one server, for the length of a ``with`` block."""

    def __init__(self, base: str, access: ArchiveAccess, credentials: Credentials, pace: Pace) -> None:
        try:
            import urllib3
        except ImportError as error:
            raise MissingExtra("dicomweb", "asking a DICOMweb server") from error
        self.base = base
        self._access = access
        self._pace = pace
        # Redirects are not followed: they could carry the credentials to another host.
        self._pool = urllib3.PoolManager(
            maxsize=1,
            retries=False,
            timeout=urllib3.Timeout(connect=access.connect_s, read=access.idle_s),
            ssl_context=credentials.client_context() if base.startswith("https:") else None,
        )
        authorization = credentials.authorization
        self._headers = {"Accept-Encoding": "identity"} | ({"Authorization": authorization} if authorization else {})

    def __enter__(self) -> Web:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._pool.clear()

    @contextmanager
    def get(
        self, path: str, accept: str, query: Sequence[tuple[str, str | int]] = ()
    ) -> Iterator[tuple[Mapping[str, str], Iterator[bytes]]]:
        """Headers and body of an answer, the body in pieces as they come; for status 204 the type is ``NOTHING``.

        Raises
        ------
        Gone, NotAcceptable
            Status 404 or 410, and 406.
        Passing
            If the server is not there, breaks off, is silent or busy.
        SourceError
            If it refuses, its certificate is not trusted, or it answers with what no DICOMweb server does.
        """
        import urllib3

        deadline = time.monotonic() + self._access.total_s
        url = f"{self.base}/{path}" + (f"?{urlencode(query)}" if query else "")
        self._pace.wait()
        response: BaseHTTPResponse | None = None
        try:
            # Redirects and statuses are answers that are looked at below.
            response = self._pool.request(
                "GET", url, headers={**self._headers, "Accept": accept}, preload_content=False, redirect=False
            )
            self._judge(response)
            if response.status == NO_CONTENT:
                yield {"Content-Type": NOTHING}, iter(())
            else:
                yield response.headers, self._pieces(response, deadline)
        except urllib3.exceptions.HTTPError as error:
            raise self._trouble(error) from error
        finally:
            if response is not None:
                # A body that was not read to its end makes the connection useless.
                response.close()

    def _pieces(self, response: BaseHTTPResponse, deadline: float) -> Iterator[bytes]:
        while piece := response.read1(PIECE):
            if time.monotonic() > deadline:
                message = f"{self.base} did not finish an answer within {self._access.total_s:g} s"
                raise Passing(SourceError(message, code="source.unreachable"))
            yield piece
        response.release_conn()

    def _judge(self, response: BaseHTTPResponse) -> None:
        status = response.status
        if status in NOT_FOUND:
            raise Gone
        if status == NOT_ACCEPTABLE:
            raise NotAcceptable
        if status in REFUSED:
            message = f"{self.base} refuses access (status {status}); check user, password or token"
            raise SourceError(message, code="source.refused")
        if status in PASSING:
            asked = response.headers.get("Retry-After", "")
            error = SourceError(f"{self.base} is not able to answer (status {status})", code="source.unreachable")
            raise Passing(error, wait_s=float(asked) if asked.isdecimal() else 0.0)
        if 300 <= status < 400:
            raise SourceError(f"{self.base} sends the request elsewhere (status {status}); give the new address")
        if status >= 400:
            raise SourceError(f"{self.base} does not understand the request (status {status})")

    def _trouble(self, error: Exception) -> Exception:
        """What a failed connection means for the user; the library's own words may hold the request."""
        from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError, ReadTimeoutError
        from urllib3.exceptions import SSLError as TlsError

        host = urlsplit(self.base).hostname or ""
        cause = error.__cause__ or error.__context__
        if isinstance(error, NameResolutionError):
            return address_trouble(host)
        if isinstance(error, TlsError):
            inner = error.args[0] if error.args else None
            return tls_trouble(self.base, inner if isinstance(inner, ssl.SSLError) else None)
        if isinstance(error, NewConnectionError):
            why = getattr(cause, "strerror", None) or "no connection"
        elif isinstance(error, ConnectTimeoutError):
            why = f"no connection within {self._access.connect_s:g} s"
        elif isinstance(error, ReadTimeoutError):
            why = f"silence for {self._access.idle_s:g} s"
        else:
            why = "the connection broke off"
        reached = not isinstance(error, NewConnectionError | ConnectTimeoutError)
        unreachable = SourceError(f"{self.base} does not answer: {why.lower()}", code="source.unreachable")
        return Passing(unreachable, reached=reached)


def address_trouble(host: str) -> Exception:
    """What it means that a name has no address."""
    message = f"there is no host {host!r}; check the address and the name server"
    return Passing(SourceError(message, code="source.unknown_host"), reached=False)


def tls_trouble(address: str, error: ssl.SSLError | None) -> Exception:
    """What a failed TLS handshake means: certificates do not mend themselves, a lost connection may."""
    if isinstance(error, ssl.SSLCertVerificationError):
        message = f"the certificate of {address} is not accepted: {error.verify_message.rstrip('.')}"
        return SourceError(message, code="source.certificate")
    reason = (error.reason if error else None) or "connection lost"
    if "CERTIFICATE" in reason:
        message = f"{address} does not accept the client's certificate ({reason.replace('_', ' ').lower()})"
        return SourceError(message, code="source.refused")
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError) or error is None:
        return Passing(SourceError(f"{address} broke off the TLS handshake", code="source.unreachable"))
    message = f"{address} does not speak TLS as it should ({reason.replace('_', ' ').lower()})"
    return SourceError(message, code="source.unreachable")
