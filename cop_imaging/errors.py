"""Every error this package raises on purpose, and the exit code it ends the program with.

CopImagingError
├── UsageError      2   the call itself is wrong (an option, an output folder already in use)
├── SeriesError     3   the files cannot be one CT volume of the lungs
├── ConfigError     4   an unknown key, a value outside its range, a file that is not TOML
├── ModelError      5   the weights are missing, damaged, or made for another feature schema
├── SourceError     7   a source cannot be reached or refuses
├── OutputError     8   the output cannot be written
└── MissingExtra    2   an optional library is needed for what was asked

Exit code 6 (some series of a batch failed) and 130 (interrupted) belong to the command line alone.
A message is one line: what was found, where, and what is needed.
"""

from __future__ import annotations

from typing import ClassVar

__all__ = [
    "ConfigError",
    "CopImagingError",
    "MissingExtra",
    "ModelError",
    "OutputError",
    "SeriesError",
    "SourceError",
    "UsageError",
]


class CopImagingError(Exception):
    """Root of every error raised on purpose; anything else that escapes is a bug (exit code 1)."""

    exit_code: ClassVar[int] = 1


class UsageError(CopImagingError):
    """The call is wrong: a missing argument, an output folder that already holds results."""

    exit_code: ClassVar[int] = 2


class SeriesError(CopImagingError):
    """The files cannot be one CT volume of the lungs.

    ``code`` is the issue code that names the reason (for example ``slices.too_few``), so that a batch
    can count reasons without parsing messages.
    """

    exit_code: ClassVar[int] = 3

    def __init__(self, message: str, *, code: str = "series.unusable") -> None:
        super().__init__(message)
        self.code = code


class ConfigError(CopImagingError):
    """A configuration key is unknown or its value lies outside the permitted range."""

    exit_code: ClassVar[int] = 4


class ModelError(CopImagingError):
    """The stored model is missing, damaged, or does not fit the feature schema in force."""

    exit_code: ClassVar[int] = 5


class SourceError(CopImagingError):
    """A source of series cannot be reached or refuses to answer.

    ``code`` names the reason (for example ``source.unreachable``), as that of a ``SeriesError`` does.
    """

    exit_code: ClassVar[int] = 7

    def __init__(self, message: str, *, code: str = "source.failed") -> None:
        super().__init__(message)
        self.code = code


class OutputError(CopImagingError):
    """The output cannot be written (no space, no permission, a file where a folder is needed)."""

    exit_code: ClassVar[int] = 8


class MissingExtra(UsageError):
    """An optional library is not installed; the message carries the install line."""

    def __init__(self, extra: str, why: str) -> None:
        super().__init__(f"{why} needs an optional library; install it with: pip install 'cop-imaging[{extra}]'")
        self.extra = extra
