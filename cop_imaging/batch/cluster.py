"""Workers on a Dask cluster: on this machine or many, started by hand, by SLURM or on Kubernetes.

Each Dask worker keeps worker processes of its own, as the local pool does: a series that crashes or hangs takes a
child with it and never the worker, and time limits hold.
"""

from __future__ import annotations

import os
import pickle
import queue
import socket
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from cop_imaging.batch.outcome import Attempt, Killed
from cop_imaging.batch.pool import Answer
from cop_imaging.batch.worker import Job, Worker
from cop_imaging.errors import MissingExtra, SourceError

if TYPE_CHECKING:
    from cop_imaging.batch.call import Settings

__all__ = ["DaskCluster"]

CONNECT_S = 30.0
GONE = "the scheduler of the cluster has gone; start it again and repeat the call"


class DaskCluster:
    """The workers of a Dask cluster.

    Parameters
    ----------
    job : Job
        What is done with each series; archive and run have to be found under the same paths on every machine.
    settings : Settings
        Number of workers (of a local cluster) and time limit.
    run : Path
        Folder of the run: what an earlier, killed call of it left on the cluster ends, other runs go on beside it.
    scheduler : str, optional
        Address of the scheduler, ``tcp://HOST:8786``; a cluster on this machine is started when left out.

    Raises
    ------
    MissingExtra
        If ``distributed`` is not installed.
    SourceError
        If the scheduler does not answer.
    """

    def __init__(self, job: Job, settings: Settings, run: Path, *, scheduler: str | None = None) -> None:
        try:
            import distributed
        except ImportError as error:
            raise MissingExtra("cluster", "a run on a Dask cluster") from error
        self._pickled = pickle.dumps(job)
        self._time_limit_s = settings.time_limit_s
        self._cluster = None
        if scheduler is None:
            # Threads of this process: each keeps a worker process anyway, and Ctrl-C in the terminal reaches no other.
            self._cluster = distributed.LocalCluster(
                n_workers=settings.workers,
                threads_per_worker=1,
                processes=False,
                memory_limit=0,
                dashboard_address=None,
            )
        try:
            self._client = distributed.Client(self._cluster or scheduler, timeout=CONNECT_S, set_as_default=False)
        except (OSError, ValueError, TimeoutError) as error:
            message = f"the scheduler {scheduler} does not answer; give the address that dask scheduler prints"
            raise SourceError(message) from error
        self._plugin = f"cop-imaging {socket.gethostname()} {os.path.abspath(run)}"
        self._answers: queue.SimpleQueue[Answer | None] = queue.SimpleQueue()
        self._running: dict[str, Any] = {}

    @property
    def places(self) -> int:
        """See ``Engine.places``: workers may come and go."""
        try:
            return max(1, int(sum(self._client.nthreads().values())))
        except (OSError, ValueError) as error:
            raise SourceError(GONE) from error

    def submit(self, row: Mapping[str, Any]) -> None:
        """See ``Engine.submit``."""
        key = str(row["key"])
        future = self._client.submit(_work, self._plugin, dict(row), pure=False)
        self._running[key] = future
        future.add_done_callback(lambda done: self._answers.put(_answer(key, done)))

    def answers(self, wait_s: float) -> list[Answer]:
        """See ``Engine.answers``."""
        found: list[Answer | None] = []
        try:
            found.append(self._answers.get(timeout=wait_s))
            while True:
                found.append(self._answers.get_nowait())
        except queue.Empty:
            told = [answer for answer in found if answer is not None]
        for key, _ in told:
            self._running.pop(key, None)
        if not told and (found or self._client.status in {"closed", "closing"}):
            raise SourceError(GONE)
        if len(told) < len(found):
            # What has come is recorded first.
            self._answers.put(None)
        return told

    def withdraw(self) -> list[str]:
        """See ``Engine.withdraw``: what waits at a Dask worker cannot be told from what runs."""
        return []

    def kill(self) -> None:
        """See ``Engine.kill``."""
        self._client.unregister_worker_plugin(self._plugin)

    def __enter__(self) -> Self:
        self._client.register_plugin(_plugin(self._pickled, self._time_limit_s), name=self._plugin)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._client.status == "running":
            self._client.cancel(list(self._running.values()))
            self._client.unregister_worker_plugin(self._plugin)
        self._client.close()
        if self._cluster is not None:
            self._cluster.close()


def _plugin(job: bytes, time_limit_s: float | None) -> Any:
    from distributed import WorkerPlugin

    class Children(WorkerPlugin):  # type: ignore[misc]
        """The worker processes of one Dask worker, one for each of its threads that has work."""

        def setup(self, worker: Any) -> None:
            self.name = str(worker.address)
            self.free: list[Worker] = []
            self.all: list[Worker] = []
            self.lock = threading.Lock()

        def teardown(self, worker: Any) -> None:  # noqa: ARG002 - as Dask calls it
            with self.lock:
                for child in self.all:
                    child.kill()
                    child.close()

        def work(self, row: Mapping[str, Any]) -> Attempt | Killed:
            with self.lock:
                if not self.free:
                    self.free.append(Worker(job, self.name))
                    self.all.append(self.free[0])
                child = self.free.pop()
            try:
                return child.work(row, time_limit_s)
            finally:
                with self.lock:
                    self.free.append(child)

    return Children()


def _work(plugin: str, row: Mapping[str, Any]) -> Attempt | Killed:
    from distributed import get_worker

    answer: Attempt | Killed = get_worker().plugins[plugin].work(row)
    return answer


def _answer(key: str, done: Any) -> Answer | None:
    """The result of a task, None if the connection to the scheduler was lost: no series is to blame for that.

    What Dask itself gave up on counts as a death of its worker.
    """
    from distributed import CancelledError, KilledWorker

    try:
        answer: Attempt | Killed = done.result()
    except CancelledError:
        return None
    except KilledWorker:
        answer = Killed("worker.killed", "Dask workers died while they worked on the series")
    except ImportError as error:
        answer = Killed("worker.start", f"a Dask worker lacks what the series needs: {error}")
    except Exception as error:  # noqa: BLE001 - without an answer the run would wait for ever
        answer = Killed("worker.lost", f"the series was lost on the cluster ({type(error).__name__})")
    return key, answer
