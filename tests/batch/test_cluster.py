"""The same run on a Dask cluster: the same tables, and what crashes or hangs takes no Dask worker with it."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import standin

pytest.importorskip("distributed", reason="the extra 'cluster' is not installed")

import distributed

from cop_imaging import errors
from cop_imaging.batch import Settings
from cop_imaging.batch.cluster import DaskCluster, _answer
from cop_imaging.batch.outcome import State

pytestmark = pytest.mark.filterwarnings("ignore")


def local(job, settings, log):
    return DaskCluster(job, settings, log.parent)


def test_a_cluster_gives_the_same_tables_as_the_local_workers(series, call, tmp_path):
    for name in ("a", "b", "bad", "crash", "once", "hang"):
        series(name)
    call(workers=2, time_limit_s=4.0)
    (tmp_path / "once").unlink()
    call(to=tmp_path / "cluster", workers=2, time_limit_s=4.0, engine=local)
    assert call.states(tmp_path / "cluster") == {
        "a": ("analyzed", None),
        "b": ("analyzed", None),
        "bad": ("refused", "slices.too_few"),
        "crash": ("set_aside", "worker.crashed"),
        "once": ("analyzed", None),
        "hang": ("failed", "worker.time_limit"),
    }
    assert (tmp_path / "run/features.parquet").read_bytes() == (tmp_path / "cluster/features.parquet").read_bytes()


def test_a_scheduler_that_does_not_answer_is_said_in_one_line(series, call, monkeypatch):
    series("a")
    monkeypatch.setattr("cop_imaging.batch.cluster.CONNECT_S", 1.0)
    with pytest.raises(errors.SourceError, match="does not answer"):
        call(engine=lambda job, settings, log: DaskCluster(job, settings, log.parent, scheduler="tcp://127.0.0.1:9"))


@pytest.fixture
def cluster(tmp_path):
    """A cluster that several runs share; ``cluster.run(name)`` is one of them."""
    made = distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, memory_limit=0, dashboard_address=None, processes=False
    )

    class Shared:
        def run(self, name):
            job = standin.StandIn(tmp_path / name, tmp_path / f"{name}.txt")
            return DaskCluster(job, Settings(), tmp_path / name, scheduler=made.scheduler_address)

        close = made.close

    yield Shared()
    made.close()


def test_two_runs_on_one_cluster_do_each_their_own_work(cluster, tmp_path):
    with cluster.run("one") as one, cluster.run("two") as two:
        for engine in (one, two):
            engine.submit({"key": "a", "folder": "a"})
        assert [engine.answers(60.0)[0][1].state for engine in (one, two)] == [State.ANALYZED] * 2
    assert [(tmp_path / f"{name}/series/a/report.json").exists() for name in ("one", "two")] == [True, True]


def test_a_scheduler_that_goes_ends_the_run_and_is_held_against_no_series(cluster, tmp_path):
    with cluster.run("one") as engine:
        engine.submit({"key": "a", "folder": "hang"})
        threading.Timer(2.0, cluster.close).start()
        with pytest.raises(errors.SourceError, match="scheduler of the cluster has gone"):
            waited(engine)


def waited(engine):
    for _ in range(120):
        assert engine.answers(0.5) == []


INTERRUPTED = """
import os, signal, sys, time
from pathlib import Path
import standin
from cop_imaging.batch import Settings
from cop_imaging.batch.cluster import DaskCluster
if __name__ == "__main__":
    home = Path(sys.argv[1])
    signal.signal(signal.SIGINT, lambda *_: None)
    with DaskCluster(standin.StandIn(home, home / "log.txt"), Settings(workers=1), home) as engine:
        engine.submit({"key": "a", "folder": "slow"})
        while not (home / "log.txt").exists():
            time.sleep(0.05)
        os.killpg(0, signal.SIGINT)
        print([answer.state.value for _, answer in engine.answers(20.0)])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals a process group")
def test_ctrl_c_in_a_terminal_lets_the_workers_of_a_local_cluster_finish(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(INTERRUPTED)
    found = os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).parents[2])])
    told = subprocess.run(
        [sys.executable, str(script), str(tmp_path)],
        env=os.environ | {"PYTHONPATH": found},
        start_new_session=True,
        capture_output=True,
        text=True,
        timeout=60.0,
        check=False,
    )
    assert told.stdout.strip() == "['analyzed']"


class Done:
    """A task that ended with an error."""

    def __init__(self, error):
        self.error = error

    def result(self):
        raise self.error


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ModuleNotFoundError("No module named 'cop_imaging'"), "worker.start"),
        (OSError("broken"), "worker.lost"),
        (RuntimeError("what nobody foresaw"), "worker.lost"),
    ],
)
def test_whatever_a_task_ends_with_becomes_an_answer(error, code):
    key, answer = _answer("a", Done(error))
    assert (key, answer.code) == ("a", code)
