"""What became of one series in one attempt."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

__all__ = ["Attempt", "Killed", "State", "pack"]


class State(StrEnum):
    """How an attempt ended, or how a series stands."""

    ANALYZED = "analyzed"
    REFUSED = "refused"
    """It is no usable CT series of the lungs, and the code says why: another attempt would end the same way."""
    FAILED = "failed"
    """A bug, the time limit, no memory."""
    DIED = "died"
    """The process that worked on it died; it is tried again."""
    SET_ASIDE = "set_aside"
    """Processes died on it twice."""
    UNREACHABLE = "unreachable"
    """The source did not give it out; it is tried again when the run is called again."""
    STOPPED = "stopped"
    """Something that every series would meet: a full disk, a wrong setting. Nothing is recorded of the series."""

    @property
    def final(self) -> bool:
        """Whether the series is left as it is when the run is called again."""
        return self in {State.ANALYZED, State.REFUSED, State.FAILED, State.SET_ASIDE}


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt at one series, as the worker tells it."""

    state: State
    code: str = ""
    """Why there is no result."""
    message: str = ""
    """The same in words; it may name folders."""
    exit_code: int = 0
    seconds: float = 0.0
    stages_s: dict[str, float] = field(default_factory=dict)
    peak_mb: float | None = None
    """Most memory that the worker held while it worked on the series; None where the system does not tell."""
    case: str = ""
    input_sha256: str = ""
    """Digest of the decoded volume and its grid: two series that share it are copies."""
    status: str = ""
    issues: tuple[str, ...] = ()
    """Codes of the report's issues."""
    trust: float | None = None
    packed: bytes = b""
    """The row of the feature table as ``pack`` makes it: the worker has the time for it, the driver has not."""
    worker: str = ""

    @property
    def features(self) -> dict[str, float | None]:
        """The row of the feature table."""
        return json.loads(zlib.decompress(self.packed)) if self.packed else {}


def pack(features: Mapping[str, float | None]) -> bytes:
    """JSON, deflated with zlib: a tenth of a million rows then take a quarter of a gigabyte."""
    return zlib.compress(json.dumps(features).encode(), 1)


@dataclass(frozen=True, slots=True)
class Killed:
    """A worker that ended without an answer."""

    code: str
    """``worker.killed``, ``worker.crashed``, ``worker.time_limit``, ``worker.start``; on a cluster ``worker.lost``."""
    message: str
    seconds: float = 0.0
    """After which the worker had ended."""
    worker: str = ""
