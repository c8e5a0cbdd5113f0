"""A process that works on one series after the other, and the handle by which it is held.

It is a program of its own that gets work and gives answers through its
standard streams, so that the number of threads is set before any library loads, a crash in a decoder takes nothing
else with it, and the process can be killed. It ends when whoever started it ends, however that happens.
"""

from __future__ import annotations

import os
import pickle
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from cop_imaging.batch.outcome import Attempt, Killed

__all__ = ["Job", "Worker", "serve"]

Job = Callable[[Mapping[str, Any]], Attempt]
"""What is done with one planned series; it can be pickled."""

ONE_THREAD = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS",
)
"""By these the native libraries are told how many threads to use: a process per core needs one each."""
LENGTH = struct.Struct(">Q")
STARTS = 3
"""So often a worker may die before it is ready, until something is wrong with all of them."""
GRACE_S = 10.0
"""How long a worker that was asked to end may take."""


class Worker:
    """One worker process. It is started with the first series, and again after a death.

    Parameters
    ----------
    job : bytes
        A pickled ``Job``: what holds the worker need not load what it works with.
    name : str
        What the ledger calls it.
    log : Path, optional
        File for what its libraries print.
    """

    def __init__(self, job: bytes, name: str, log: Path | None = None) -> None:
        self._first = (pickle.dumps(sys.path), job)
        self.name = name
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._overdue = False

    def work(self, row: Mapping[str, Any], time_limit_s: float | None = None) -> Attempt | Killed:
        """Let the worker work on one planned series.

        Parameters
        ----------
        row : mapping
            The series' row of the plan.
        time_limit_s : float, optional
            After so long the worker is killed.
        """
        start = time.perf_counter()
        self._overdue = False
        try:
            for _ in range(STARTS):
                process = self._running()
                if self._ready:
                    break
                self._buried(0.0, None)
            else:
                return Killed("worker.start", "no worker can be started; its log says why")
            _send(process.stdin, pickle.dumps(dict(row)))
            timer = threading.Timer(time_limit_s, self._expire) if time_limit_s else None
            if timer:
                timer.daemon = True
                timer.start()
            try:
                answer = _receive(process.stdout)
            finally:
                if timer:
                    timer.cancel()
        except BrokenPipeError:
            answer = None
        if answer is not None:
            attempt: Attempt = pickle.loads(answer)
            return replace(attempt, worker=self.name)
        return self._buried(time.perf_counter() - start, time_limit_s)

    def kill(self) -> None:
        """End the worker at once, whatever it does; ``work`` then returns."""
        # The thread that works may bury the process meanwhile; a process that has ended is not signalled.
        process = self._process
        if process is not None:
            process.kill()

    def close(self) -> None:
        """Let the worker end."""
        process, self._process = self._process, None
        if process is None:
            return
        try:
            if process.stdin:
                process.stdin.close()
            process.wait(GRACE_S)
        except (OSError, subprocess.TimeoutExpired):
            process.kill()
            process.wait()
        if process.stdout:
            process.stdout.close()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is not None:
            return self._process
        with open(self._log or os.devnull, "ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-c", "from cop_imaging.batch.worker import serve; serve()"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=os.environ | dict.fromkeys(ONE_THREAD, "1"),
                # Ctrl-C in the terminal is for the driver alone: what runs is finished.
                start_new_session=True,
            )
        self._process = process
        for message in self._first:
            _send(process.stdin, message)
        self._ready = _receive(process.stdout) is not None
        return process

    def _expire(self) -> None:
        self._overdue = True
        self.kill()

    def _buried(self, seconds: float, time_limit_s: float | None) -> Killed:
        process, self._process, self._ready = self._process, None, False
        code = process.wait() if process else 0
        for stream in (process.stdin, process.stdout) if process else ():
            try:
                if stream:
                    stream.close()
            except OSError:
                # What was still to be sent has no reader any more.
                continue
        if self._overdue:
            return Killed("worker.time_limit", f"it took longer than the time limit of {time_limit_s:g} s")
        if code == -signal.SIGKILL:
            why = "the worker was killed, by the system for want of memory or by somebody"
            return Killed("worker.killed", f"{why}, after {seconds:.1f} s")
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return Killed("worker.crashed", f"the worker crashed ({how}) after {seconds:.1f} s")


def _send(stream: IO[bytes] | None, message: bytes) -> None:
    assert stream is not None
    stream.write(LENGTH.pack(len(message)))
    stream.write(message)
    stream.flush()


def _receive(stream: IO[bytes] | None) -> bytes | None:
    """The next message; None when the other side has gone."""
    assert stream is not None
    head = stream.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    (length,) = LENGTH.unpack(head)
    message = stream.read(length)
    return message if len(message) == length else None


def serve() -> None:
    """Work on what comes in until nobody sends any more."""
    # Whatever a library prints must not fall between the answers.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    path, job = _receive(sys.stdin.buffer), _receive(sys.stdin.buffer)
    if path is None or job is None:
        return
    # The job may be of a module that only the driver's path of imports leads to.
    sys.path[:] = pickle.loads(path)
    work: Job = pickle.loads(job)
    _send(answers, b"")
    incoming: list[bytes] = []
    arrived = threading.Condition()

    def listen() -> None:
        while (message := _receive(sys.stdin.buffer)) is not None:
            with arrived:
                incoming.append(message)
                arrived.notify()
        # Nobody waits for the answer any more: a driver that was killed must not leave work behind.
        os._exit(0)

    threading.Thread(target=listen, daemon=True).start()
    while True:
        with arrived:
            while not incoming:
                arrived.wait()
            message = incoming.pop()
        _send(answers, pickle.dumps(work(pickle.loads(message))))
