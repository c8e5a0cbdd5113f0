"""The secret by which scans of one patient are found together."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["CaseKeyOption", "read_case_key"]

LEAST_BYTES = 16
"""A shorter secret could be tried out."""

CaseKeyOption = Annotated[
    Path | None,
    typer.Option(
        "--case-key",
        metavar="FILE",
        help="File with a secret: scans of one patient then share their case, which only the secret explains.",
        show_default=False,
    ),
]


def read_case_key(path: Path | None) -> bytes | None:
    """The content of a key file.

    Raises
    ------
    UsageError
        If it cannot be read, or is too short.
    """
    from cop_imaging.errors import UsageError

    if path is None:
        return None
    try:
        secret = path.read_bytes().strip()
    except OSError as error:
        raise UsageError(f"the key file {path} cannot be read: {error.strerror}") from error
    if len(secret) < LEAST_BYTES:
        raise UsageError(f"the key file {path} holds {len(secret)} bytes; give at least {LEAST_BYTES} random ones")
    return secret
