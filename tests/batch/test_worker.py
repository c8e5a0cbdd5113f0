"""Worker processes: whatever happens in one becomes an answer, and none outlives who started it."""

import json
import os
import pickle
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import standin

from cop_imaging.batch import job
from cop_imaging.batch.memory import BASE_MB, REFUSED_MB, available_mb, needed_mb
from cop_imaging.batch.outcome import Attempt, Killed, State
from cop_imaging.batch.pool import LocalPool
from cop_imaging.batch.run import Task, _fits
from cop_imaging.batch.worker import Worker
from cop_imaging.errors import OutputError

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def row(name, **more):
    return {"key": f"{abs(hash(name)):016x}"[:16], "folder": name} | more


@pytest.fixture
def worker(tmp_path):
    """A worker with the stand-in, its log in ``tmp_path``."""
    made = Worker(pickle.dumps(standin.StandIn(tmp_path, tmp_path / "log.txt")), "w", tmp_path / "printed.txt")
    yield made
    made.close()


def wait_for(what, seconds=20.0):
    until = time.monotonic() + seconds
    while not (found := what()) and time.monotonic() < until:
        time.sleep(0.02)
    return found


def is_gone(pid):
    """Whether a process has ended, even if nobody has asked yet how."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


DRIVER = """
import pickle, sys
from pathlib import Path
import standin
from cop_imaging.batch.worker import Worker
home = Path(sys.argv[1])
worker = Worker(pickle.dumps(standin.StandIn(home, home / "log.txt")), "w")
if sys.argv[2] == "idle":
    worker.work({"key": "0", "folder": "a"})
    (home / "pid").write_text(str(worker._process.pid))
    sys.stdin.read()
worker.work({"key": "1", "folder": "hang"})
"""


@on_linux
@pytest.mark.parametrize("doing", ["idle", "busy"])
def test_a_worker_ends_when_its_driver_is_killed(tmp_path, doing):
    found = os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).parents[2])])
    command = [sys.executable, "-c", DRIVER, str(tmp_path), doing]
    driver = subprocess.Popen(command, stdin=subprocess.PIPE, env=os.environ | {"PYTHONPATH": found})
    text = wait_for(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text())
    assert text
    assert not is_gone(int(text))
    driver.kill()
    driver.wait()
    driver.stdin.close()
    assert wait_for(lambda: is_gone(int(text)), 5.0)


def test_what_libraries_print_does_not_fall_between_the_answers(worker, tmp_path):
    assert [worker.work(row(name)).state for name in ("loud1", "a", "loud2")] == [State.ANALYZED] * 3
    printed = (tmp_path / "printed.txt").read_text()
    assert all(words in printed for words in ("to stdout", "to the file descriptor", "of a child"))


def test_a_worker_computes_with_one_thread(worker, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "8")
    told = json.loads(worker.work(row("threads")).message)
    assert set(told.values()) == {"1", 1}


def test_a_worker_that_died_is_started_again_with_the_next_series(worker):
    answers = [worker.work(row(name)) for name in ("a", "crash", "once", "a")]
    assert [type(answer) for answer in answers] == [Attempt, Killed, Killed, Attempt]
    assert [answer.code for answer in answers] == ["", "worker.crashed", "worker.killed", ""]
    assert "SIGSEGV" in answers[1].message
    assert answers[3].worker == "w"


def test_a_worker_that_hangs_is_ended_at_the_time_limit(worker):
    start = time.monotonic()
    answer = worker.work(row("hang"), time_limit_s=1.5)
    assert (answer.code, answer.message) == ("worker.time_limit", "it took longer than the time limit of 1.5 s")
    assert 1.5 <= time.monotonic() - start < 10.0


def test_the_time_limit_of_one_series_does_not_end_the_next(worker):
    assert worker.work(row("a"), time_limit_s=3.0).state is State.ANALYZED
    assert worker.work(row("slow"), time_limit_s=None).state is State.ANALYZED
    time.sleep(2.5)
    assert worker.work(row("a")).state is State.ANALYZED


def test_a_series_of_very_many_files_is_handed_over_whole(worker):
    assert worker.work(row("a", paths=[b"x" * 100] * 50_000)).state is State.ANALYZED


def test_a_worker_ignores_the_interruption_that_is_meant_for_its_driver(worker, tmp_path):
    answers = []
    thread = threading.Thread(target=lambda: answers.append(worker.work(row("slow"))))
    thread.start()
    assert wait_for((tmp_path / "log.txt").exists)
    os.kill(worker._process.pid, signal.SIGINT)
    thread.join()
    assert answers[0].state is State.ANALYZED


def test_a_worker_ignores_the_end_that_a_scheduler_of_jobs_sends_to_every_process(worker):
    assert worker.work(row("a")).state is State.ANALYZED
    threading.Timer(0.3, lambda: os.kill(worker._process.pid, signal.SIGTERM)).start()
    assert worker.work(row("slow")).state is State.ANALYZED


def test_a_worker_that_was_killed_between_two_series_is_held_against_neither(worker):
    assert worker.work(row("a")).state is State.ANALYZED
    first = worker._process
    first.kill()
    # Nobody waits for its end: it may still be dying when it is given the next.
    assert worker.work(row("b")).state is State.ANALYZED
    assert worker._process is not first


def test_a_worker_that_was_stopped_and_killed_with_work_in_its_hands_is_held_against_nothing(worker):
    assert worker.work(row("a")).state is State.ANALYZED
    stopped = worker._process.pid
    os.kill(stopped, signal.SIGSTOP)
    threading.Timer(0.5, lambda: os.kill(stopped, signal.SIGKILL)).start()
    assert worker.work(row("b")).state is State.ANALYZED


def test_a_timer_that_comes_too_late_ends_no_other_series(worker):
    late = worker._turn
    assert worker.work(row("a"), time_limit_s=60.0).state is State.ANALYZED
    threading.Timer(0.3, worker._expire, (late,)).start()
    assert worker.work(row("slow"), time_limit_s=60.0).state is State.ANALYZED


def test_a_machine_that_starts_no_process_gives_an_answer_all_the_same(tmp_path, monkeypatch):
    def refused(*_, **__):
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(subprocess, "Popen", refused)
    with LocalPool(standin.StandIn(tmp_path, tmp_path / "log.txt"), 1) as pool:
        pool.submit(row("a"))
        ((_, answer),) = pool.answers(10.0)
    assert answer == Killed("worker.start", "no worker can be started: Resource temporarily unavailable")


def test_what_goes_wrong_beside_a_worker_leaves_nobody_waiting(tmp_path, monkeypatch):
    monkeypatch.setattr(Worker, "work", lambda *_: 1 / 0)
    with LocalPool(standin.StandIn(tmp_path, tmp_path / "log.txt"), 1) as pool:
        pool.submit(row("a"))
        ((_, answer),) = pool.answers(10.0)
    assert answer.code == "worker.start"
    assert "ZeroDivisionError" in answer.message


def test_a_worker_that_is_ended_while_it_starts_begins_nothing(tmp_path, monkeypatch):
    worker = Worker(pickle.dumps(standin.StandIn(tmp_path, tmp_path / "log.txt")), "w")
    start = worker._start

    def ended_meanwhile():
        worker.kill()
        return start()

    monkeypatch.setattr(worker, "_start", ended_meanwhile)
    assert worker.work(row("a")).code == "worker.killed"
    assert not (tmp_path / "log.txt").exists()


def test_a_pool_that_is_ended_begins_nothing_more(tmp_path):
    pool = LocalPool(standin.StandIn(tmp_path, tmp_path / "log.txt"), 1)
    with pool:
        for name in ("hang1", "hang2", "hang3"):
            pool.submit(row(name))
        assert wait_for((tmp_path / "pid").exists)
        start = time.monotonic()
        pool.kill()
        answers = []
        assert wait_for(lambda: answers.extend(pool.answers(0.1)) or len(answers) == 3)
    assert {answer.code for _, answer in answers} == {"worker.killed"}
    assert (tmp_path / "log.txt").read_text() == "hang1\n"
    assert time.monotonic() - start < 5.0


def test_an_interruption_begins_nothing_more(series, call, tmp_path):
    for n in range(6):
        series(f"slow{n}")

    def interrupt():
        assert wait_for((tmp_path / "log.txt").exists)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        call(workers=1)
    thread.join()
    assert 1 <= len(call.seen()) < 3


def test_a_second_interruption_ends_the_run_and_is_held_against_no_series(series, call, tmp_path):
    for n in range(4):
        series(f"hang{n}")

    def interrupt_twice():
        assert wait_for((tmp_path / "pid").exists)
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.3)

    thread = threading.Thread(target=interrupt_twice)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        call()
    thread.join()
    with sqlite3.connect(tmp_path / "run/ledger.sqlite") as database:
        assert database.execute("SELECT count(*) FROM attempt").fetchone() == (0,)


def task(memory_mb, spool_mb=0.0):
    return Task({}, "method", 1, 0, memory_mb, spool_mb)


@pytest.mark.parametrize(
    ("waiting", "running", "fits"),
    [
        (task(9000.0, 9000.0), [], True),
        (task(400.0), [task(600.0)], True),
        (task(401.0), [task(600.0)], False),
        (task(300.0), [task(400.0), task(301.0)], False),
        (task(1.0, 60.0), [task(1.0, 40.0)], True),
        (task(1.0, 61.0), [task(1.0, 40.0)], False),
    ],
)
def test_a_series_is_begun_if_it_fits_beside_what_runs_and_one_always_runs(waiting, running, fits):
    assert _fits(waiting, dict(enumerate(running)), 1000.0, 100.0) is fits


class Counting:
    """Workers that answer one after the other and note how many series they had at once."""

    places = 4

    def __init__(self):
        self.had, self.most = [], 0

    def submit(self, series):
        self.had.append(series["key"])
        self.most = max(self.most, len(self.had))

    def answers(self, wait_s):
        return [(self.had.pop(0), Attempt(State.REFUSED, "slices.too_few", "few", 3))]

    def withdraw(self):
        return []

    def kill(self):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


class Stopping(Counting):
    """Workers of which the first meets what every series would meet, as others answer too."""

    def answers(self, wait_s):
        given, self.had = self.had, []
        states = [State.STOPPED] + [State.REFUSED] * (len(given) - 1)
        return [(key, Attempt(state, "OutputError", "full", 8)) for key, state in zip(given, states, strict=True)]


def test_what_was_answered_beside_the_end_of_a_run_is_recorded(series, call, tmp_path):
    for n in range(3):
        series(f"{n}")
    with pytest.raises(OutputError, match="full"):
        call(engine=lambda *_: Stopping())
    with sqlite3.connect(tmp_path / "run/ledger.sqlite") as database:
        assert database.execute("SELECT state, count(*) FROM attempt").fetchall() == [("refused", 2)]


@pytest.mark.parametrize(("memory_mb", "most"), [(REFUSED_MB * 2.5, 2), (1.0, 1), (1e6, 6)])
def test_so_many_series_run_at_once_as_memory_allows(series, call, memory_mb, most):
    for n in range(8):
        series(f"{n}")
    engine = Counting()
    assert call(engine=lambda *_: engine, memory_mb=memory_mb).counts[State.REFUSED] == 8
    assert engine.most == most


def test_memory_that_is_needed_follows_the_voxels():
    small, large = (needed_mb({"slices": n, "rows": 512, "columns": 512}) for n in (100, 400))
    assert large - BASE_MB == pytest.approx(4 * (small - BASE_MB))
    assert needed_mb({"slices": 400, "rows": 512, "columns": 512, "verdict": "refused"}) == REFUSED_MB
    assert needed_mb({"slices": None, "rows": None, "columns": None}) == large


@on_linux
def test_the_memory_of_a_run_is_part_of_what_there_is():
    total_mb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**20
    assert 0.0 < available_mb() < total_mb


@pytest.mark.parametrize(
    ("group", "limit"),
    [
        ("0::/system.slice/job_7/task_0", "system.slice/job_7/memory.max"),
        ("12:pids:/a\n4:cpu,memory:/slurm/job_7", "memory/slurm/job_7/memory.limit_in_bytes"),
        ("0::/seen/from/outside", "memory.max"),
    ],
)
def test_a_job_of_a_scheduler_has_the_memory_that_it_was_lent(tmp_path, group, limit):
    (tmp_path / "group").write_text(f"{group}\n")
    path = tmp_path / "groups" / limit
    path.parent.mkdir(parents=True)
    path.write_text(f"{512 << 20}\n")
    assert available_mb(tmp_path / "group", tmp_path / "groups") == pytest.approx(0.8 * 512)


@on_linux
@pytest.mark.skipif(not os.access("/proc/self/clear_refs", os.W_OK), reason="the system does not let the peak be reset")
def test_peak_memory_is_that_of_one_series():
    np.ones(300 * 2**17)
    before = job._peak_mb()
    job._forget_peak()
    assert before - job._peak_mb() > 150.0
