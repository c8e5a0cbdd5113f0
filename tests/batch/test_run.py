"""A run: one bad series costs only itself, a second call goes on, nothing is lost and nothing done twice."""

import csv
import os
import shutil
import sqlite3
import sys
import threading
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from cop_imaging import errors
from cop_imaging.archive import FolderSource
from cop_imaging.batch import Settings, collect, run
from cop_imaging.batch import call as module
from cop_imaging.batch.ledger import opened
from cop_imaging.batch.outcome import Attempt, State
from cop_imaging.config import load_config
from cop_imaging.pipeline import Config


def failures(folder):
    with (folder / "failures.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_every_series_has_a_row_a_folder_and_an_attempt(series, call, tmp_path):
    for name in ("a", "b", "c"):
        series(name)
    result = call(workers=2)
    assert result.summary == "3 series: 3 analyzed, 0 kept"
    assert call.states() == dict.fromkeys("abc", ("analyzed", None))
    assert all((tmp_path / "run/series" / key / "report.json").exists() for key in call.table())
    with sqlite3.connect(tmp_path / "run/ledger.sqlite") as database:
        assert database.execute("SELECT count(*), max(number), sum(peak_mb) FROM attempt").fetchone() == (3, 1, 30.0)


def test_a_bad_series_is_recorded_with_its_reason_and_the_others_go_on(series, call, tmp_path):
    for name in ("bad", "good"):
        series(name)
    result = call()
    assert result.failed == 1
    assert call.states() == {"bad": ("refused", "slices.too_few"), "good": ("analyzed", None)}
    (row,) = failures(tmp_path / "run")
    assert (row["where"], row["exit_code"], row["message"]) == ("bad", "3", "2 slices are no volume")


def test_what_could_not_be_measured_is_missing_in_the_table(series, call):
    series("bad")
    series("good")
    call()
    rows = {row["state"]: row for row in call.table().values()}
    assert rows["analyzed"]["lungs.volume_ml"] == 5000.0
    assert rows["refused"]["lungs.volume_ml"] is None
    assert rows["analyzed"]["consolidation.extent_percent"] is None


def test_the_columns_do_not_depend_on_the_data(series, call, tmp_path):
    series("bad")
    call()
    schema = pq.read_schema(tmp_path / "run/features.parquet")
    assert schema.field("lungs.volume_ml").metadata[b"unit"] == b"ml"
    assert b"research" in schema.metadata[b"research_use"]


def test_a_second_call_keeps_what_is_done_and_leaves_what_failed(series, call):
    series("a")
    series("bad")
    call()
    call.seen()
    result = call()
    assert call.seen() == []
    assert result.summary == "2 series: 0 analyzed, 1 kept, 1 not tried again"
    assert result.failed == 1


def test_what_failed_is_tried_again_on_request(series, call):
    series("a")
    series("bad")
    call()
    call.seen()
    call(retry_failed=True)
    assert call.seen() == ["bad"]


def test_other_settings_do_everything_again_and_the_reason_is_said(series, call):
    series("a")
    series("bad")
    call()
    call.seen()
    call(config=load_config(Config, None, ["anatomy.method=classical"]))
    assert call.seen() == ["a", "bad"]
    assert "2 series are done again: changed: settings (anatomy.method)" in call.said


@pytest.mark.parametrize("lost", ["report.json", "features.csv"])
def test_a_result_that_is_not_whole_is_made_again(series, call, tmp_path, lost):
    series("a")
    series("b")
    call(kept="features" if lost == "features.csv" else "report")
    call.seen()
    (key,) = (key for key, row in call.table().items() if row["case"] == "b")
    (tmp_path / "run/series" / key / lost).unlink()
    call(kept="features" if lost == "features.csv" else "report")
    assert call.seen() == ["b"]
    assert "1 series are done again: files are missing" in call.said


def test_more_to_keep_does_a_series_again_and_less_does_not(series, call):
    series("a")
    call(kept="features")
    call.seen()
    call(kept="report")
    assert call.seen() == ["a"]
    call(kept="features")
    assert call.seen() == []


def test_a_series_that_changes_after_the_plan_gets_another_key(series, call):
    folder = series("a")
    series("b")
    call()
    before = set(call.table())
    call.seen()
    os.utime(folder / "1.dcm", ns=(1, 1))
    call()
    assert call.seen() == []
    call(replan=True)
    assert call.seen() == ["a"]
    assert len(before & set(call.table())) == 1


def test_overwrite_does_everything_again(series, call):
    series("a")
    call()
    call.seen()
    call(overwrite=True)
    assert call.seen() == ["a"]


def test_a_limit_leaves_the_rest_for_the_next_call(series, call):
    for name in "abc":
        series(name)
    assert call(limit=2).summary == "3 series: 2 analyzed, 0 kept, 1 waiting"
    assert len(call.table()) == 2
    assert call(limit=2).summary == "3 series: 1 analyzed, 2 kept"


def test_a_sample_is_the_same_again_and_part_of_a_larger_one(series, call, tmp_path):
    for n in range(12):
        series(f"{n:02}")
    chosen = []
    for to, size in (("1", 4), ("2", 4), ("3", 8)):
        call(to=tmp_path / to, sample=size)
        chosen.append(set(call.table(tmp_path / to)))
    assert chosen[0] == chosen[1] < chosen[2]
    call(to=tmp_path / "4", sample=4, seed=1)
    assert set(call.table(tmp_path / "4")) != chosen[0]


def test_shards_share_the_series_and_collect_merges_them_to_what_one_run_gives(series, call, tmp_path):
    for n in range(9):
        series(f"bad{n}" if n % 3 == 0 else f"{n}")
    call()
    whole = (tmp_path / "run/features.parquet").read_bytes()
    call.seen()
    shards = [tmp_path / f"shard{n}" for n in (1, 2, 3)]
    for n, shard in enumerate(shards, 1):
        call(to=shard, shard=(n, 3), plan=tmp_path / "run/plan.parquet")
    assert len(call.seen()) == 9
    (tmp_path / "merged").mkdir()
    collect(shards, tmp_path / "merged")
    assert (tmp_path / "merged/features.parquet").read_bytes() == whole
    assert len(failures(tmp_path / "merged")) == 3


def test_copies_are_found_by_their_voxels(series, call):
    for name in ("copy1", "copy2", "other"):
        series(name)
    call()
    rows = list(call.table().values())
    (copy,) = (row for row in rows if row["copy_of"])
    assert copy["copy_of"] in {row["key"] for row in rows if row["case"].startswith("copy")} - {copy["key"]}


def test_a_worker_that_dies_is_replaced_and_the_series_tried_again(series, call, tmp_path):
    for name in ("once", "a", "b"):
        series(name)
    call()
    assert call.states() == dict.fromkeys(("once", "a", "b"), ("analyzed", None))
    with sqlite3.connect(tmp_path / "run/ledger.sqlite") as database:
        rows = database.execute("SELECT state, code, number FROM attempt WHERE number = 2 OR state = 'died'").fetchall()
    assert rows == [("died", "worker.killed", 1), ("analyzed", "", 2)]


def test_a_series_on_which_workers_die_twice_is_set_aside(series, call):
    for name in ("crash", "a"):
        series(name)
    call()
    assert call.states() == {"crash": ("set_aside", "worker.crashed"), "a": ("analyzed", None)}
    call.seen()
    call()
    assert call.seen() == []
    call(retry_failed=True)
    assert call.seen() == ["crash", "crash"]


def test_workers_that_cannot_start_end_the_run_and_condemn_no_series(series, call, monkeypatch, tmp_path):
    series("a")
    monkeypatch.setattr(sys, "path", [p for p in sys.path if not p.endswith("batch")])
    with pytest.raises(errors.UsageError, match="no worker can be started"):
        call()
    monkeypatch.undo()
    assert "ModuleNotFoundError" in (tmp_path / "run/workers.log").read_text()


def test_a_series_that_hangs_is_ended_by_the_time_limit(series, call):
    for name in ("hang", "a"):
        series(name)
    call(workers=1, time_limit_s=4.0)
    assert call.states() == {"hang": ("failed", "worker.time_limit"), "a": ("analyzed", None)}


def test_a_series_that_its_source_does_not_give_out_is_tried_by_the_next_call(series, call):
    series("away")
    call()
    call.seen()
    call()
    assert call.seen() == ["away"]


def test_a_source_that_is_away_later_takes_no_result_back(series, call, tmp_path):
    folder = series("a")
    call()
    before = call.table()
    # The stand-in does what the folder is named after; the key stays.
    folder.rename(folder.with_name("away"))
    call(replan=True, overwrite=True)
    assert call.table() == before


def test_a_source_that_gives_nothing_out_any_more_ends_the_run(series, call, monkeypatch):
    monkeypatch.setattr(run, "PATIENCE", 3)
    for n in range(6):
        series(f"away{n}")
    with pytest.raises(errors.SourceError, match="3 series in a row"):
        call()
    assert len(call.seen()) < 6


def test_what_every_series_would_meet_ends_the_run_and_the_next_call_goes_on(series, call, tmp_path, monkeypatch):
    for name in ("a", "full", "z"):
        series(name)
    with pytest.raises(errors.OutputError, match="no space"):
        call()
    (tmp_path / "archive/full").rename(tmp_path / "archive/enough")
    call.seen()
    call(replan=True)
    assert len(call.table()) == 3


def test_an_interruption_finishes_what_runs_and_the_next_call_goes_on(series, call, tmp_path):
    for n in range(8):
        series(f"slow{n}")

    def interrupt(done, total, outcome):
        if done == 1:
            os.kill(os.getpid(), 2)

    with pytest.raises(KeyboardInterrupt):
        call(tell=interrupt)
    begun = call.seen()
    assert sorted(call.states()) == begun
    assert 1 <= len(begun) < 8
    call()
    assert sorted(begun + call.seen()) == [f"slow{n}" for n in range(8)]


def test_two_calls_never_work_on_one_run(series, call, tmp_path):
    series("a")
    call()
    with opened(tmp_path / "run"), pytest.raises(errors.UsageError, match="another call"):
        call()


def test_a_folder_that_holds_something_else_is_refused(series, call, tmp_path):
    series("a")
    (tmp_path / "run").mkdir()
    (tmp_path / "run/thesis.txt").touch()
    with pytest.raises(errors.UsageError, match=r"thesis\.txt"):
        call()


def test_an_archive_without_series_is_said(call, tmp_path):
    (tmp_path / "archive").mkdir()
    with pytest.raises(errors.SeriesError) as error:
        call()
    assert error.value.code == "source.empty"


def test_the_run_may_lie_in_the_archive(series, call, tmp_path):
    series("a")
    call(to=tmp_path / "archive/run")
    call(to=tmp_path / "archive/run", replan=True)
    assert len(call.table(tmp_path / "archive/run")) == 1


def test_what_a_killed_driver_left_behind_is_cleared_away(series, call, tmp_path):
    series("a")
    call()
    for name in ("series/.abc.123.partial", ".plan-x", ".spool-y"):
        (tmp_path / "run" / name).mkdir()
    (tmp_path / "run/.plan-copy.partial").touch()
    call()
    assert not [p for p in (tmp_path / "run").rglob(".*") if p.name != ".lock.sqlite"]


def test_a_call_that_ended_before_its_tables_were_made_leaves_them_to_the_next(series, call, tmp_path, monkeypatch):
    for name in ("a", "b", "c"):
        series(name)
    call(limit=1)
    with monkeypatch.context() as patched:
        patched.setattr(module, "collect", interrupted)
        with pytest.raises(KeyboardInterrupt):
            call()
    assert len(call.table()) == 1
    assert call().kept == 3
    assert len(call.table()) == 3
    made = (tmp_path / "run/features.parquet").stat().st_mtime_ns
    call()
    assert (tmp_path / "run/features.parquet").stat().st_mtime_ns == made


def interrupted(*_):
    raise KeyboardInterrupt


class Idle:
    """Workers that take nothing."""

    places = 0

    def __init__(self, job, *_):
        self.job = job

    def __enter__(self):
        raise errors.SourceError("no worker is there")

    def __exit__(self, *_):
        pass


def job_of(source, out, settings):
    """What a run would give to its workers."""
    jobs = []

    def engine(job, *_):
        jobs.append(job)
        return Idle(job)

    with pytest.raises(errors.SourceError):
        module.run_batch(source, out, Config(), settings, engine=engine)
    return jobs[0]


def test_workers_that_are_at_home_elsewhere_find_the_run(series, tmp_path, monkeypatch):
    series("a")
    monkeypatch.chdir(tmp_path)
    Path("copies").mkdir()
    job = job_of(FolderSource(tmp_path / "archive"), Path("run"), Settings(spool=Path("copies")))
    assert job.out == tmp_path / "run/series"
    assert job.spool.parent == tmp_path / "copies"


def test_copies_of_a_killed_call_are_removed_by_the_next_one_of_the_same_run(series, tmp_path):
    series("a")
    (tmp_path / "copies").mkdir()
    source, settings = FolderSource(tmp_path / "archive"), Settings(spool=tmp_path / "copies")
    for run_of in ("run", "other"):
        job_of(source, tmp_path / run_of, settings).spool.mkdir()
    assert len(list((tmp_path / "copies").iterdir())) == 2
    left = job_of(source, tmp_path / "run", settings).spool
    (other,) = (tmp_path / "copies").iterdir()
    assert other.name.split("-")[1] != left.name.split("-")[1]


def test_a_message_that_names_a_folder_whose_bytes_are_no_text_is_recorded(tmp_path):
    with opened(tmp_path) as ledger:
        ledger.begin("archive", "{}")
        ledger.add([("a", 1, "m", "report", Attempt(State.REFUSED, "x", "in Fran\udce7ois"))])
        assert ledger.last("a").attempt.message == "in Fran?ois"


def test_a_plan_that_does_not_fit_on_the_disk_is_told_in_one_line(series, call, tmp_path, monkeypatch):
    series("a")
    call()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(errors.OutputError, match="No space left"):
        call(to=tmp_path / "second", plan=tmp_path / "run/plan.parquet")


def test_the_tables_are_the_same_bytes_whatever_the_order_of_work(series, call, tmp_path):
    for n in range(6):
        series(f"slow{n}" if n < 2 else f"bad{n}" if n < 4 else f"{n}")
    call(workers=1)
    call(to=tmp_path / "two", workers=2)
    for name in ("features.parquet", "failures.csv"):
        assert (tmp_path / "run" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_a_run_can_be_worked_on_from_a_thread(series, call):
    series("a")
    thread = threading.Thread(target=call)
    thread.start()
    thread.join()
    assert len(call.table()) == 1
