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
KILLED = -9
"""What a process that was killed leaves, where there are signals (signal(7))."""
STARTS = 3
"""So often a worker may die before it is ready, until something is wrong with all of them."""
GRACE_S = 10.0
"""How long a worker that was asked to end may take."""
CANNOT_START = Killed("worker.start", "no worker can be started; its log says why")


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
        self._ready = False
        self._turn = 0
        self._overdue = self._ended = False
        self._lock = threading.Lock()

    def work(self, row: Mapping[str, Any], time_limit_s: float | None = None) -> Attempt | Killed:
        """Let the worker work on one planned series.

        Parameters
        ----------
        row : mapping
            The series' row of the plan.
        time_limit_s : float, optional
            After so long the worker is killed.
        """
        message = pickle.dumps(dict(row))
        for _ in range(STARTS):
            result = self._worked(message, time_limit_s)
            if result is not None:
                return result
        return Killed("worker.start", "workers die before they take a series in, again and again")

    def _worked(self, message: bytes, time_limit_s: float | None) -> Attempt | Killed | None:
        """What became of a series; None if the worker had died before it took it in, which is not the series' doing."""
        try:
            process = self._started()
        except OSError as error:
            return Killed("worker.start", f"no worker can be started: {error.strerror or error}")
        if process is None:
            if self._ended:
                return Killed("worker.killed", "the run was ended before its turn came")
            return CANNOT_START
        start = time.perf_counter()
        timer = threading.Timer(time_limit_s, self._expire, (self._turn,)) if time_limit_s else None
        if timer:
            timer.daemon = True
            timer.start()
        taken, answer = False, None
        try:
            _send(process.stdin, message)
            taken = _receive(process.stdout) is not None
            answer = _receive(process.stdout) if taken else None
        except OSError:
            # It died while it was given the series.
            answer = None
        with self._lock:
            # A timer that comes too late must not end what the worker is given next.
            self._turn += 1
            overdue, self._overdue = self._overdue, False
        if timer:
            timer.cancel()
        if answer is not None:
            if overdue:
                # It was killed in the moment in which it answered.
                self._buried(0.0)
            attempt: Attempt = pickle.loads(answer)
            return replace(attempt, worker=self.name)
        killed = self._buried(time.perf_counter() - start)
        if overdue:
            why = f"it took longer than the time limit of {time_limit_s:g} s"
            return replace(killed, code="worker.time_limit", message=why)
        return killed if taken else None

    def kill(self) -> None:
        """End the worker at once and for good, whatever it does; ``work`` then returns."""
        self._ended = True
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

    def _started(self) -> subprocess.Popen[bytes] | None:
        """The process, ready for work; None if it cannot be had, or is not to be any more."""
        if self._process is not None and self._process.poll() is not None:
            self._buried(0.0)
        for _ in range(STARTS):
            if self._ended:
                break
            process = self._process or self._start()
            if self._ready:
                return process
            self._buried(0.0)
        return None

    def _start(self) -> subprocess.Popen[bytes]:
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
        if self._ended:
            # Asked for while the process came into being.
            process.kill()
        try:
            for message in self._first:
                _send(process.stdin, message)
            self._ready = _receive(process.stdout) is not None
        except OSError:
            self._ready = False
        return process

    def _expire(self, turn: int) -> None:
        with self._lock:
            if turn == self._turn and self._process is not None:
                self._overdue = True
                self._process.kill()

    def _buried(self, seconds: float) -> Killed:
        process, self._process, self._ready = self._process, None, False
        code = process.wait() if process else 0
        for stream in (process.stdin, process.stdout) if process else ():
            try:
                if stream:
                    stream.close()
            except OSError:
                # What was still to be sent has no reader any more.
                continue
        if code == KILLED:
            why = "the worker was killed, by the system for want of memory or by somebody"
            return Killed("worker.killed", f"{why}, after {seconds:.1f} s", seconds, self.name)
        names = {-number: number.name for number in signal.Signals}
        how = names.get(code, f"exit code {code}")
        return Killed("worker.crashed", f"the worker crashed ({how}) after {seconds:.1f} s", seconds, self.name)


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
    # A scheduler of jobs ends every process of a job at once: here too the driver alone decides what that means.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
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
        # A worker that dies before this does so between two series: neither has killed it.
        _send(answers, b"")
        _send(answers, pickle.dumps(work(pickle.loads(message))))
