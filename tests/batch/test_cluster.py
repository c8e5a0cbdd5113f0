"""The same run on a Dask cluster: the same tables, and what crashes or hangs takes no Dask worker with it."""

import pytest

pytest.importorskip("distributed", reason="the extra 'cluster' is not installed")

from cop_imaging import errors
from cop_imaging.batch.cluster import DaskCluster

pytestmark = pytest.mark.filterwarnings("ignore")


def local(job, settings, log):
    return DaskCluster(job, settings)


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
        call(engine=lambda job, settings, log: DaskCluster(job, settings, scheduler="tcp://127.0.0.1:9"))
