"""What a stage found that changes what may be said, and the one rule that turns issues into a status."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

__all__ = ["EVERY_SIGN", "Issue", "Severity", "Status", "status_of"]

EVERY_SIGN = "signs"
"""Stands, where an issue names signs, for all of them but the lungs themselves."""


class Severity(StrEnum):
    """How much an issue changes what may be said."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Status(StrEnum):
    """What may be done with a report."""

    OK = "ok"
    LIMITED = "limited"
    NOT_ASSESSABLE = "not_assessable"


class Issue(BaseModel):
    """One remark of one stage, with the value that was measured and the limit it was held against."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: str
    """Dotted name that others match on, for example ``slices.thick``."""
    severity: Severity
    message: str
    """One sentence: what was found, where, and what was done."""
    affects: tuple[str, ...] = ()
    """Names of the signs (or ``lungs``, ``likelihood``) that can be trusted less."""
    spoils: tuple[str, ...] = ()
    """Names of the signs (or ``likelihood``) that cannot be trusted at all: not assessable, or not given."""
    lower_bounds: tuple[str, ...] = ()
    """Names of the signs whose volumes and extents are lower bounds: lung, and disease with it, may be missing."""
    measured: float | None = None
    limit: float | None = None


def status_of(issues: Iterable[Issue]) -> Status:
    """Any error: not assessable. Any warning that affects something: limited. Otherwise ok."""
    status = Status.OK
    for issue in issues:
        if issue.severity is Severity.ERROR:
            return Status.NOT_ASSESSABLE
        if issue.severity is Severity.WARNING and issue.affects:
            status = Status.LIMITED
    return status
