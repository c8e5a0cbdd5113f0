"""Who asks, and whom is trusted: secrets that are shown nowhere."""

from __future__ import annotations

import base64
import ssl
from dataclasses import dataclass
from pathlib import Path

from cop_imaging.errors import UsageError

__all__ = ["Credentials"]


@dataclass(frozen=True, slots=True, repr=False)
class Credentials:
    """What an archive wants to be shown. No message, record or ``repr`` holds any of it."""

    user: str | None = None
    password: str | None = None
    token: str | None = None
    """Bearer token (RFC 6750), instead of user and password."""
    certificate: Path | None = None
    """PEM file with the client's certificate chain."""
    key: Path | None = None
    """PEM file with the key of the certificate, when it is not in the same file."""
    ca: Path | None = None
    """PEM file with the authorities that are trusted, instead of those of the system."""

    def __post_init__(self) -> None:
        if self.token is not None and (self.user is not None or self.password is not None):
            raise UsageError("credentials hold a token and a user; give one of them")
        if (self.user is None) != (self.password is None):
            raise UsageError("credentials need both a user and a password")
        if self.token is not None and not (self.token.isascii() and self.token.isprintable() and self.token):
            raise UsageError("the token in the credentials holds other things than printable ASCII characters")
        if self.user is not None and ":" in self.user:
            raise UsageError("the user in the credentials holds a colon, which HTTP does not allow")
        if self.key is not None and self.certificate is None:
            raise UsageError("credentials hold a key and no certificate")

    def __repr__(self) -> str:
        return "Credentials(...)"

    @property
    def authorization(self) -> str | None:
        """Value of the HTTP header Authorization (RFC 7617, RFC 6750); None without user and token."""
        if self.token is not None:
            return f"Bearer {self.token}"
        if self.user is None:
            return None
        return "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()

    def client_context(self) -> ssl.SSLContext:
        """TLS towards an archive: its certificate and its name are always checked.

        Raises
        ------
        UsageError
            If a file cannot be read or holds no certificate.
        """
        try:
            context = ssl.create_default_context(cafile=self.ca)
            self._show(context)
        except (OSError, ValueError) as error:
            raise UsageError(f"a certificate, key or CA file cannot be used: {_why(error)}") from error
        return context

    def server_context(self) -> ssl.SSLContext:
        """TLS for a receiver to which the archive connects: it has to show a certificate of a trusted authority.

        Raises
        ------
        UsageError
            If there is no certificate, or a file cannot be used.
        """
        if self.certificate is None:
            raise UsageError("receiving over TLS needs a certificate and its key in the credentials")
        try:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=self.ca)
            context.verify_mode = ssl.CERT_REQUIRED
            if self.ca is None:
                context.load_default_certs(ssl.Purpose.CLIENT_AUTH)
            self._show(context)
        except (OSError, ValueError) as error:
            raise UsageError(f"a certificate, key or CA file cannot be used: {_why(error)}") from error
        return context

    def _show(self, context: ssl.SSLContext) -> None:
        if self.certificate is not None:
            # A locked key is refused: without this, the library would ask at the terminal and a batch would hang.
            context.load_cert_chain(self.certificate, self.key, password=lambda: "")


def _why(error: Exception) -> str:
    return getattr(error, "reason", None) or getattr(error, "strerror", None) or type(error).__name__
