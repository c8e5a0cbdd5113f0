"""How the DICOM parser fails and what it remarks on."""

from __future__ import annotations

import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

from pydicom.errors import BytesLengthException, InvalidDicomError

__all__ = ["DAMAGE", "quiet_parser"]

DAMAGE = (
    BytesLengthException,
    InvalidDicomError,
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    NotImplementedError,
    RecursionError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)
"""What pydicom raises on a damaged file, depending on which byte is wrong."""


@contextmanager
def quiet_parser() -> Iterator[list[warnings.WarningMessage]]:
    """Collect what the parser remarks on, for the whole block and all threads that it starts.

    The filters of ``warnings`` belong to the process, not to a thread: one block stands around the whole reading.
    """
    with warnings.catch_warnings(record=True) as remarks:
        warnings.simplefilter("always")
        yield remarks
