"""The parts of a multipart answer, each written to its file while it comes."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from email.message import Message

from cop_imaging.archive.patience import Passing
from cop_imaging.archive.receiving import Intake
from cop_imaging.errors import MissingExtra, SourceError

__all__ = ["read_parts"]


def read_parts(content_type: str, pieces: Iterable[bytes], intake: Intake, where: str) -> None:
    """Give every part of a ``multipart/related`` body to the intake.

    Raises
    ------
    Passing
        If the body breaks off before its closing delimiter, or is none.
    SourceError
        If it is not multipart.
    SeriesError, OutputError
        As the intake does.
    """
    try:
        from python_multipart import MultipartParser
        from python_multipart.exceptions import MultipartParseError
    except ImportError as error:
        raise MissingExtra("dicomweb", "fetching from a DICOMweb server") from error
    if not content_type:
        # Cut off within its head.
        raise Passing(SourceError(f"{where} breaks off before it sends a series", code="source.unreachable"))
    header = Message()
    header["Content-Type"] = content_type
    boundary = header.get_param("boundary")
    if header.get_content_maintype() != "multipart" or not isinstance(boundary, str) or not boundary:
        raise SourceError(f"{where} does not send a series as multipart; it is no WADO-RS service")
    whole = False

    def end() -> None:
        nonlocal whole
        whole = True

    def data(piece: bytes, start: int, stop: int) -> None:
        intake.write(memoryview(piece)[start:stop])

    parser = MultipartParser(
        boundary,
        {"on_part_begin": intake.begin, "on_part_data": data, "on_part_end": intake.end, "on_end": end},
    )
    # Its remarks are told by the exception; a logger of the process could show them.
    parser.logger = logging.Logger("multipart", logging.CRITICAL + 1)
    try:
        for piece in pieces:
            parser.write(piece)
    except MultipartParseError as error:
        raise Passing(SourceError(f"{where} sends what is no multipart answer", code="source.unreachable")) from error
    if not whole:
        raise Passing(SourceError(f"{where} breaks off while it sends a series", code="source.unreachable"))
