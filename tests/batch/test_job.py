"""The line on one planned series: whatever happens becomes an answer, and nothing is left behind."""

import os
import platform
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from cop_imaging import errors
from cop_imaging.batch import job as module
from cop_imaging.batch.job import SeriesJob
from cop_imaging.batch.outcome import State, pack
from cop_imaging.pipeline import Config


@dataclass
class Spooled:
    """A source that copies what it is asked for."""

    error: Exception | None = None
    address: str = "made"
    spools: bool = True

    @contextmanager
    def fetched(self, row, spool):
        (spool / "copy").touch()
        if self.error:
            raise self.error
        yield spool


@pytest.fixture
def answer(tmp_path, monkeypatch):
    def of(error=None, analyze=None):
        if analyze:
            monkeypatch.setattr(module, "analyze", analyze)
        spool = tmp_path / "spool"
        spool.mkdir(exist_ok=True)
        return SeriesJob(Spooled(error), tmp_path / "out", Config(), spool=spool)({"key": "k", "folder": "a"})

    return of


def raises(error):
    def analyze(*_, **__):
        raise error

    return analyze


@pytest.mark.parametrize(
    ("error", "state", "code"),
    [
        (errors.SeriesError("no", code="slices.too_few"), State.REFUSED, "slices.too_few"),
        (errors.SourceError("away", code="source.unreachable"), State.UNREACHABLE, "source.unreachable"),
        (errors.OutputError("full"), State.STOPPED, "OutputError"),
        (errors.ModelError("damaged"), State.STOPPED, "ModelError"),
        (errors.UsageError("another grid"), State.FAILED, "UsageError"),
        (MemoryError(), State.FAILED, "worker.memory"),
    ],
)
def test_every_kind_of_failure_has_its_state_and_code(answer, error, state, code):
    found = answer(analyze=raises(error))
    assert (found.state, found.code) == (state, code)


def test_a_bug_is_told_by_type_and_place_and_never_by_its_text(answer):
    found = answer(analyze=raises(ValueError("DOE^JANE")))
    assert (found.state, found.code) == (State.FAILED, "bug")
    assert "ValueError in test_job.py, line" in found.message
    assert "DOE" not in found.message


def test_a_bug_that_a_library_meets_is_told_by_the_line_that_called_it(answer):
    found = answer(analyze=lambda *_, **__: pack({"p_op": object()}))
    assert "TypeError in outcome.py, line" in found.message


def test_copies_of_a_process_that_died_are_removed_by_the_next_one(answer, tmp_path):
    gone = subprocess.Popen(["true"])
    gone.wait()
    left = tmp_path / "spool" / f"{platform.node()}-{gone.pid}"
    # Names of machines begin alike: node and node-1.
    other = tmp_path / "spool" / f"{platform.node()}-1-{gone.pid}"
    for folder in (left, other):
        folder.mkdir(parents=True)
        (folder / "copy").touch()
    answer(errors.SeriesError("gone"))
    assert not left.exists()
    assert other.exists()
    assert (tmp_path / "spool" / f"{platform.node()}-{os.getpid()}").exists()
    assert Path(tmp_path / "spool").exists()
