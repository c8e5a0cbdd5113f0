"""The commands over an archive: options, exit codes, and what is said on which stream."""

import csv
import os
import re
import signal
import sqlite3
import threading

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from cop_imaging.batch import call as module
from cop_imaging.batch.ledger import opened
from cop_imaging.batch.outcome import Attempt, State, pack
from cop_imaging.cli.main import app
from cop_imaging.synth import write_dicom_series

ANSWERS = {
    "bad": Attempt(State.REFUSED, "slices.too_few", "2 slices are no volume", 3),
    "full": Attempt(State.STOPPED, "OutputError", "no space left on the disk", 8),
    "wrong": Attempt(State.STOPPED, "ModelError", "the stored model is damaged", 5),
    "bug": Attempt(State.FAILED, "bug", "unexpected ValueError in vessels.py, line 7", 1),
}


class InProcess:
    """Workers that work in this process and do to a series what its folder is named after."""

    places = 1
    interruptions = 0
    """How often Ctrl-C is pressed while they work."""

    def __init__(self, job, workers, time_limit_s, log):
        self.home, self.workers, self.time_limit_s, self.given = job.out, workers, time_limit_s, []

    def submit(self, row):
        self.given.append(row)

    def answers(self, wait_s):
        row = self.given.pop(0)
        if InProcess.interruptions:
            InProcess.interruptions -= 1
            os.kill(os.getpid(), signal.SIGINT)
        answer = ANSWERS.get(row["folder"].rstrip("0123456789"))
        if answer is None:
            folder = self.home / row["key"]
            folder.mkdir(parents=True, exist_ok=True)
            for name in ("report.json", "report.html", "features.csv", "lungs.jpg"):
                (folder / name).touch()
            row_of = pack({"lungs.volume_ml": 5000.0})
            answer = Attempt(State.ANALYZED, seconds=1.5, case="c0ffee", status="ok", trust=0.9, packed=row_of)
        return [(row["key"], answer)]

    def withdraw(self):
        given, self.given = self.given, []
        return [row["key"] for row in given]

    def kill(self):
        self.given.clear()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


def call(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments])


@pytest.fixture
def batch(write, tmp_path, monkeypatch):
    """Runs the command over series with the given names; what it was given is in ``batch.settings``."""
    monkeypatch.setattr(module, "LocalPool", InProcess)
    run_batch = module.run_batch

    class Batch:
        settings = None

        def __call__(self, *options, series=(), out=tmp_path / "run", count=3):
            for name in series:
                write(f"archive/{name}", uid=name, count=count)
            (tmp_path / "archive").mkdir(exist_ok=True)
            return call("batch", tmp_path / "archive", "--out", out, *options)

    def heard(source, out, config, settings, **more):
        Batch.settings = settings
        return run_batch(source, out, config, settings, **more)

    monkeypatch.setattr(module, "run_batch", heard)
    return Batch()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--thickness", "1.5"), "--thickness wants two numbers, the smaller one first, such as 0.5-1.5, not '1.5'"),
        (("--thickness", "2-1"), "--thickness wants two numbers"),
        (("--thickness", "thin-thick"), "--thickness wants two numbers"),
        (("--dates", "2020-2021"), "--dates wants two days, the earlier one first"),
        (("--dates", "20210101-20200101"), "--dates wants two days"),
        (("--shard", "0/4"), "--shard wants a part and the number of parts, such as 2/8, not '0/4'"),
        (("--shard", "5/4"), "--shard wants a part"),
        (("--shard", "2"), "--shard wants a part"),
        (("--match", "PatientID=17"), "--match is asked of an archive on a network"),
        (("--scheduler", "tcp://127.0.0.1:8786"), "--scheduler is for --engine dask"),
    ],
)
def test_an_option_that_makes_no_sense_is_told_in_one_line_before_anything_is_written(batch, tmp_path, options, told):
    result = batch(*options, series=["a"])
    assert result.exit_code == 2
    assert result.stderr.startswith(f"cop-imaging: error: {told}")
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_the_options_decide_what_is_planned_and_how_it_is_worked_off(batch):
    told = "--modality CT --thickness 0.5-3 --description * --dates 20200101-20201231 --one-per-study --limit 4"
    more = "--sample 9 --seed 3 --shard 1/1 --retry-failed --keep masks --workers 3 --memory 2 --time-limit 60"
    result = batch(*f"{told} {more} --spool-gb 0.5 --quiet".split(), series=["a"], count=40)
    assert result.exit_code == 0
    s = batch.settings
    assert s.wanted.as_json() == {
        "modality": "CT",
        "thickness_mm": [0.5, 3.0],
        "description": "*",
        "dates": ["20200101", "20201231"],
        "one_per_study": True,
    }
    assert (s.chosen.shard, s.chosen.limit, s.chosen.retry_failed, s.sample, s.seed) == ((1, 1), 4, True, 9, 3)
    assert (s.kept, s.workers, s.memory_mb, s.time_limit_s, s.spool_mb) == ("masks", 3, 2048.0, 60.0, 512.0)


def test_the_key_of_the_case_comes_from_a_file(batch, tmp_path):
    (tmp_path / "key").write_text("a secret of at least sixteen letters\n")
    assert batch("--case-key", tmp_path / "key", series=["a"]).exit_code == 0
    assert batch.settings.case_key == b"a secret of at least sixteen letters"
    assert [row["day"] for row in pq.read_table(tmp_path / "run/plan.parquet").to_pylist()] == [0]


def test_a_run_without_failures_ends_with_0_and_names_its_tables(batch, tmp_path):
    result = batch(series=["a", "b"])
    assert result.exit_code == 0
    run = tmp_path / "run"
    assert result.stdout.splitlines() == [
        "2 series: 2 analyzed, 0 kept",
        str(run / "summary.html"),
        str(run / "features.parquet"),
    ]


def test_a_run_with_failures_ends_with_6_and_says_each_without_naming_anybody(batch):
    result = batch(series=["a", "bad", "bug"])
    assert result.exit_code == 6
    assert result.stdout.splitlines()[0] == "3 series: 1 analyzed, 0 kept, 1 failed, 1 refused"
    assert "refused: slices.too_few" in result.stderr
    assert "failed: bug" in result.stderr
    assert [word for word in ("SECRET", "Doe", "archive/bad") if word in result.stderr] == []


def test_quiet_says_nothing_on_stderr(batch):
    result = batch("--quiet", series=["a", "bad"])
    assert (result.exit_code, result.stderr) == (6, "")


@pytest.mark.parametrize(("name", "code", "told"), [("full", 8, "no space left"), ("wrong", 5, "model is damaged")])
def test_what_every_series_would_meet_ends_the_run_with_its_own_code(batch, name, code, told):
    result = batch("--quiet", series=[name])
    assert result.exit_code == code
    assert told in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_folder_of_other_things_is_refused_with_2(batch, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run/thesis.txt").touch()
    result = batch("--quiet", series=["a"])
    assert result.exit_code == 2
    assert "'thesis.txt' and no run" in result.stderr


def test_an_archive_that_is_not_there_is_told_with_3(tmp_path):
    result = call("batch", tmp_path / "nowhere", "--out", tmp_path / "run", "--quiet")
    assert result.exit_code == 3
    assert "nowhere" in result.stderr
    assert result.stderr.count("\n") == 1


def test_planning_alone_names_the_plan(batch, tmp_path):
    result = batch("--plan-only", "--quiet", series=["a", "b"])
    assert result.exit_code == 0
    assert result.stdout.splitlines() == ["2 series planned", str(tmp_path / "run/plan.parquet")]
    assert not (tmp_path / "run/features.parquet").exists()


def test_an_interruption_ends_with_130_and_the_next_call_finishes(batch, monkeypatch):
    monkeypatch.setattr(InProcess, "interruptions", 1)
    result = batch("--quiet", series="abcdef")
    assert (result.exit_code, result.stderr) == (130, "cop-imaging: interrupted\n")
    result = batch("--quiet")
    assert result.exit_code == 0
    done, kept = re.match(r"6 series: (\d) analyzed, (\d) kept", result.stdout).groups()
    assert int(done) + int(kept) == 6
    assert 0 < int(kept) < 6


def test_status_tells_how_far_a_run_is(batch, tmp_path):
    batch("--limit", "4", "--quiet", series=["a", "bad1", "bad2", "bug", "z"])
    result = call("status", tmp_path / "run")
    assert result.exit_code == 0
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert lines[0] == "4 of 5 series, nobody works on it now"
    assert "1 waiting" in lines
    done = {line for line in lines if line.endswith(("analyzed", "refused", "failed", "slices.too_few", "bug"))}
    assert sum(int(line.split()[0]) for line in done if line.endswith(("analyzed", "refused", "failed"))) == 4
    assert not any("left" in line for line in lines)


def test_status_sees_that_somebody_works_on_the_run(batch, tmp_path):
    batch("--limit", "2", "--quiet", series=["a", "b", "c"])
    # Both may have ended within one commit, which is no pace.
    with sqlite3.connect(tmp_path / "run/ledger.sqlite") as database:
        database.execute("UPDATE attempt SET ended = '2001-01-01T00:00:00.000+00:00' WHERE id = 1")
    with opened(tmp_path / "run"):
        result = call("status", tmp_path / "run")
    assert result.stdout.splitlines()[0] == "2 of 3 series, going on"
    assert "series per hour" in result.stdout


def test_status_counts_what_is_planned_now_alone(batch, tmp_path):
    batch("--quiet", series=["a", "b"])
    (tmp_path / "archive/b").rename(tmp_path / "b")
    batch("--quiet", "--replan")
    result = call("status", tmp_path / "run")
    assert result.stdout.splitlines()[0] == "1 of 1 series, nobody works on it now"
    assert "waiting" not in result.stdout


def test_status_tells_that_a_source_is_being_listed(tmp_path):
    with opened(tmp_path):
        result = call("status", tmp_path)
    assert result.exit_code == 2
    assert "its source is being listed" in result.stderr


def test_the_time_between_two_calls_is_no_pace(batch, tmp_path):
    batch("--quiet", series=["a", "b"])
    with sqlite3.connect(tmp_path / "run/ledger.sqlite") as database:
        database.execute("UPDATE attempt SET ended = '2001-01-01T00:00:00.000+00:00'")
    batch("--quiet", "--overwrite")
    with sqlite3.connect(tmp_path / "run/ledger.sqlite") as database:
        database.execute("UPDATE attempt SET ended = '2026-01-01T00:00:00.000+00:00' WHERE call = 2")
        database.execute(
            "UPDATE attempt SET ended = '2026-01-01T00:01:00.000+00:00' WHERE id = (SELECT max(id) FROM attempt)"
        )
    assert "60 series per hour" in call("status", tmp_path / "run").stdout


def test_to_look_at_a_run_keeps_no_call_from_beginning(tmp_path):
    with opened(tmp_path):
        pass
    looking = sqlite3.connect(tmp_path / ".lock.sqlite", isolation_level=None, check_same_thread=False)
    looking.execute("BEGIN EXCLUSIVE")
    threading.Timer(0.3, looking.close).start()
    with opened(tmp_path):
        pass


@pytest.mark.parametrize("command", ["status", "collect"])
def test_a_folder_without_a_run_is_told_in_one_line(tmp_path, command):
    result = call(command, tmp_path)
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert str(tmp_path) in result.stderr


def test_collect_takes_up_what_a_person_said_of_a_mask(batch, tmp_path):
    batch("--quiet", series=["a", "bad"])
    run = tmp_path / "run"
    key = next(row["key"] for row in pq.read_table(run / "features.parquet").to_pylist() if row["state"] == "analyzed")
    (run / "reviews.csv").write_text(f"key,verdict,lungs,note\n{key},rejected,,apex\n")
    result = call("collect", run)
    assert result.exit_code == 0
    assert result.stdout.splitlines()[0] in {"2 series: 1 analyzed, 1 refused", "2 series: 1 refused, 1 analyzed"}
    rows = pq.read_table(run / "features.parquet").to_pylist()
    assert {row["state"]: row["mask_review"] for row in rows} == {"analyzed": "rejected", "refused": None}


def test_parts_are_merged_into_a_folder_that_has_to_be_named(batch, tmp_path):
    batch("--quiet", series=["a", "b", "bad"])
    parts = [tmp_path / f"part{n}" for n in (1, 2)]
    for n, part in enumerate(parts, 1):
        batch("--quiet", "--shard", f"{n}/2", "--plan", tmp_path / "run/plan.parquet", out=part)
    result = call("collect", *parts)
    assert result.exit_code == 2
    assert "--out" in result.stderr
    result = call("collect", *parts, "--out", tmp_path / "merged")
    assert result.exit_code == 0
    assert (tmp_path / "merged/features.parquet").read_bytes() == (tmp_path / "run/features.parquet").read_bytes()


def test_the_whole_line_runs_over_an_archive(op, tmp_path):
    write_dicom_series(op(1).volume, tmp_path / "archive/chest", transfer_syntax="explicit")
    run = tmp_path / "run"
    coarse = ["--set", "anatomy.work_spacing_mm=3.0", "--set", "anatomy.method=classical"]
    told = ["batch", tmp_path / "archive", "--out", run, "--workers", "1", *coarse]
    result = call(*told)
    assert result.exit_code == 0, result.stderr
    (row,) = pq.read_table(run / "features.parquet").to_pylist()
    folder = run / "series" / row["key"]
    assert sorted(p.name for p in folder.iterdir()) == ["features.csv", "lungs.jpg", "report.html", "report.json"]
    with (folder / "features.csv").open(encoding="utf-8", newline="") as file:
        (alone,) = csv.DictReader(file)
    shared = [name for name in alone if name in row and name not in {"case", "status"}]
    assert len(shared) > 100
    different = [n for n in shared if float(alone[n] or "nan") != pytest.approx(row[n], rel=1e-6, nan_ok=True)]
    assert different == []
    again = call(*told)
    assert again.stdout.splitlines()[0] == "1 series: 0 analyzed, 1 kept"
