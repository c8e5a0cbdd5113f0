"""From what stands on the command line to the place where series lie; the one reader of credentials."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path

from cop_imaging.archive import ArchiveAccess, Credentials, DicomWebSource, DimseSource, FolderSource, Query, Source
from cop_imaging.errors import UsageError

__all__ = ["VARIABLE", "credentials_from", "source_of"]

VARIABLE = "COP_IMAGING_ARCHIVE_"
"""Begins the names of environment variables, such as ``COP_IMAGING_ARCHIVE_PASSWORD``."""
TEXTS, FILES = ("user", "password", "token"), ("certificate", "key", "ca")
WEB, PACS = ("http://", "https://"), ("dimse://", "dimses://")


def source_of(
    address: str,
    *,
    query: Query,
    access: ArchiveAccess,
    credentials: Credentials,
) -> Source:
    """The source at an address: a folder, ``https://HOST/dicom-web`` or ``dimse://HOST:PORT/AE``.

    Parameters
    ----------
    query : Query
        What an archive is asked for; a folder is looked through whole.

    Raises
    ------
    UsageError
        If the address cannot be understood, or credentials stand in it; the message does not repeat it.
    """
    scheme = address.lower()
    if scheme.startswith(WEB):
        return DicomWebSource(address, query, access, credentials)
    if scheme.startswith(PACS):
        return DimseSource.at(address, query=query, access=access, credentials=credentials)
    if "://" in address:
        raise UsageError("a source is a folder, or begins with https://, http://, dimse:// or dimses://")
    # Whole, so that a run is called again, and its workers are started, from wherever one likes.
    return FolderSource(Path(os.path.abspath(address)))


def credentials_from(file: Path | None, environment: Mapping[str, str]) -> Credentials:
    """What an archive is shown: from a TOML file, and from the environment what is not in the file.

    Both know the same names: user, password, token, certificate, key, ca.

    Raises
    ------
    UsageError
        If the file cannot be read or holds other things; the message repeats nothing of it.
    """
    given = {
        name: environment[VARIABLE + name.upper()]
        for name in (*TEXTS, *FILES)
        if environment.get(VARIABLE + name.upper(), "").strip()
    }
    if file is not None:
        given |= _read(file)
    # What was read from a file into a variable often ends with a line break.
    given = {name: value.strip() for name, value in given.items()}
    texts = {name: given[name] for name in TEXTS if name in given}
    certificate, key, ca = (Path(given[name]).expanduser() if name in given else None for name in FILES)
    return Credentials(**texts, certificate=certificate, key=key, ca=ca)


def _read(file: Path) -> dict[str, str]:
    names = ", ".join((*TEXTS, *FILES))
    try:
        told = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"the credentials {file} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        # The parser's words may show what stands beside the mistake.
        raise UsageError(f'the credentials {file} are not TOML; write lines such as user = "name"') from None
    if told.keys() - {*TEXTS, *FILES} or not all(isinstance(value, str) for value in told.values()):
        raise UsageError(f"the credentials {file} hold other things than texts for {names}")
    return told
