"""What a run has done: one row per attempt in an SQLite database, added to and never rewritten.

Every outcome is on the disk before anything counts on it. Outcomes that arrive while the disk is still busy with the
ones before them go into one commit together: a disk that syncs in milliseconds would otherwise set the pace.
"""

from __future__ import annotations

import datetime as dt
import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from cop_imaging.batch.outcome import Attempt, State
from cop_imaging.errors import OutputError, UsageError

__all__ = ["LEDGER", "Ledger", "Recorded", "opened", "read_only"]

LEDGER = "ledger.sqlite"
LOCK = ".lock.sqlite"
TABLES = """
CREATE TABLE IF NOT EXISTS call (
    id INTEGER PRIMARY KEY,
    started TEXT NOT NULL,      -- ISO 8601, UTC
    ended TEXT,
    source TEXT NOT NULL,       -- without credentials
    method TEXT NOT NULL        -- JSON: settings, model, versions
);
CREATE TABLE IF NOT EXISTS attempt (
    id INTEGER PRIMARY KEY,
    call INTEGER NOT NULL REFERENCES call,
    series TEXT NOT NULL,       -- key of plan.parquet
    number INTEGER NOT NULL,    -- first, second, ... attempt at the series
    state TEXT NOT NULL,
    code TEXT NOT NULL,         -- why there is no result
    message TEXT NOT NULL,
    exit_code INTEGER NOT NULL,
    method TEXT NOT NULL,       -- digest of settings, model, versions and corrected mask
    kept TEXT NOT NULL,         -- features, report or masks
    ended TEXT NOT NULL,
    seconds REAL NOT NULL,
    stages_s TEXT NOT NULL,     -- JSON: seconds by stage
    peak_mb REAL,
    worker TEXT NOT NULL,
    case_id TEXT NOT NULL,
    input_sha256 TEXT NOT NULL, -- decoded volume and grid
    status TEXT NOT NULL,       -- ok, limited, not_assessable
    issues TEXT NOT NULL,       -- JSON: codes
    trust REAL,                 -- of the lung mask
    features BLOB               -- JSON, deflated with zlib
);
CREATE INDEX IF NOT EXISTS attempt_series ON attempt (series, id);
CREATE VIEW IF NOT EXISTS outcome AS
    SELECT * FROM attempt WHERE id IN (SELECT max(id) FROM attempt GROUP BY series);
"""
COLUMNS = (
    "call, series, number, state, code, message, exit_code, method, kept, ended, seconds, stages_s, peak_mb, worker, "
    "case_id, input_sha256, status, issues, trust, features"
)
FINAL = ", ".join(f"'{state}'" for state in State if state.final)
WAIT_S = 30.0
"""How long a reader or the driver waits for the other."""
LOOK_S = 2.0
"""Longer than anybody takes who only looks whether a run is worked on."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """The last attempt at a series, as the ledger has it."""

    number: int
    method: str
    kept: str
    attempt: Attempt


class Ledger:
    """An open ledger; ``opened`` and ``read_only`` make it."""

    def __init__(self, database: sqlite3.Connection, path: Path) -> None:
        self._database = database
        self._path = path
        self._call = 0

    def begin(self, source: str, method: str) -> None:
        """Note that a call works on the run from now on."""
        with self._told():
            cursor = self._database.execute(
                "INSERT INTO call (started, source, method) VALUES (?, ?, ?)", (_now(), source, method)
            )
            self._call = cursor.lastrowid or 0

    def end(self) -> None:
        """Note that the call is over, tables and all."""
        with self._told():
            self._database.execute("UPDATE call SET ended = ? WHERE id = ?", (_now(), self._call))

    def add(self, attempts: Iterable[tuple[str, int, str, str, Attempt]]) -> None:
        """Add attempts (series, number, method, kept, attempt); when this returns they are on the disk.

        Raises
        ------
        OutputError
            If they cannot be written.
        """
        rows = [
            (
                self._call,
                series,
                number,
                str(a.state),
                a.code,
                # It may name folders, whose bytes are not always text.
                a.message.encode("utf-8", "replace").decode(),
                a.exit_code,
                method,
                kept,
                _now(),
                round(a.seconds, 4),
                json.dumps(a.stages_s),
                a.peak_mb,
                a.worker,
                a.case,
                a.input_sha256,
                a.status,
                json.dumps(a.issues),
                a.trust,
                a.packed or None,
            )
            for series, number, method, kept, a in attempts
        ]
        if not rows:
            return
        with self._told():
            self._database.execute("BEGIN")
            try:
                self._database.executemany(f"INSERT INTO attempt ({COLUMNS}) VALUES ({', '.join('?' * 20)})", rows)
                self._database.execute("COMMIT")
            except BaseException:
                # A full disk may have ended the transaction already.
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")
                raise

    def last(self, series: str, *, standing: bool = False) -> Recorded | None:
        """The last attempt at a series.

        With ``standing`` the one that counts, with its row of features: the last that came to an end, since a source
        that is away later takes no result back; without one, the last.
        """
        blob = "features" if standing else "NULL"
        order = f"state IN ({FINAL}) DESC, id DESC" if standing else "id DESC"
        with self._told():
            row = self._database.execute(
                "SELECT number, method, kept, state, code, message, exit_code, seconds, stages_s, peak_mb, case_id, "
                f"input_sha256, status, issues, trust, worker, {blob} FROM attempt WHERE series = ? "
                f"ORDER BY {order} LIMIT 1",
                (series,),
            ).fetchone()
        if row is None:
            return None
        number, method, kept, state, code, message, exit_code, seconds, stages, peak, *rest = row
        case, digest, status, issues, trust, worker, blob = rest
        attempt = Attempt(
            State(state),
            code,
            message,
            exit_code,
            seconds,
            json.loads(stages),
            peak,
            case,
            digest,
            status,
            tuple(json.loads(issues)),
            trust,
            blob or b"",
            worker,
        )
        return Recorded(number, method, kept, attempt)

    def is_collected(self) -> bool:
        """Whether a call has gone on to its end since the last attempt was added: the tables know all attempts then."""
        with self._told():
            (whole,) = self._database.execute(
                "SELECT coalesce((SELECT call FROM attempt ORDER BY id DESC LIMIT 1), 0) <= "
                "coalesce((SELECT max(id) FROM call WHERE ended IS NOT NULL), 0)"
            ).fetchone()
        return bool(whole)

    def methods(self) -> Iterator[str]:
        """The methods of all calls, the last one first."""
        with self._told():
            yield from (row[0] for row in self._database.execute("SELECT method FROM call ORDER BY id DESC"))

    def query(self, sql: str, *values: object) -> list[tuple[object, ...]]:
        """Rows of a question of one's own; ``attempt``, ``outcome`` (the last attempt at each series) and ``call``."""
        with self._told():
            return list(self._database.execute(sql, values))

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise OutputError(f"the ledger {self._path} cannot be used: {error}") from error


@contextmanager
def opened(run: Path) -> Iterator[Ledger]:
    """The ledger of a run, for the one process that works on it.

    Raises
    ------
    UsageError
        If another process works on the run.
    OutputError
        If it cannot be opened or made.
    """
    path = run / LEDGER
    try:
        with closing(sqlite3.connect(run / LOCK, timeout=LOOK_S, isolation_level=None)) as lock:
            # The system lets go of it however the process ends.
            try:
                lock.execute("BEGIN EXCLUSIVE")
            except sqlite3.OperationalError as error:
                if "locked" in str(error):
                    raise UsageError(f"another call works on {run}; wait for it or choose another folder") from error
                raise
            with closing(sqlite3.connect(path, timeout=WAIT_S, isolation_level=None)) as database:
                database.execute("PRAGMA journal_mode=WAL")
                database.execute("PRAGMA synchronous=FULL")
                database.executescript(TABLES)
                yield Ledger(database, path)
    except sqlite3.Error as error:
        raise OutputError(f"the ledger {path} cannot be used: {error}") from error


@contextmanager
def read_only(run: Path) -> Iterator[Ledger]:
    """The ledger of a run that another process may be working on.

    Raises
    ------
    UsageError
        If there is none.
    """
    path = run / LEDGER
    if not path.is_file():
        raise UsageError(f"{run} holds no run ({LEDGER} is missing); give the folder that batch wrote to")
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=WAIT_S)) as database:
            yield Ledger(database, path)
    except sqlite3.Error as error:
        raise OutputError(f"the ledger {path} cannot be read: {error}") from error


def is_worked_on(run: Path) -> bool:
    """Whether a process works on the run now."""
    if not (run / LOCK).exists():
        return False
    with closing(sqlite3.connect(run / LOCK, timeout=0.0, isolation_level=None)) as lock:
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError:
            return True
    return False


def _now() -> str:
    return dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds")
