"""Processes that read headers: one that dies costs nothing, and none outlives the program."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cop_imaging.errors import SeriesError
from cop_imaging.ingest.pool import mapped, readers_of_headers


def double(task):
    number, flag = task
    if flag is not None and not Path(flag).exists():
        Path(flag).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return 2 * number


def dies(task):
    os.kill(os.getpid(), signal.SIGKILL)


def test_the_results_are_whole_and_in_order_although_processes_die(tmp_path):
    tasks = [(n, tmp_path / f"{n}" if n in {3, 17} else None) for n in range(40)]
    with readers_of_headers(2) as readers:
        assert list(mapped(double, iter(tasks), readers)) == [2 * n for n in range(40)]
    assert (tmp_path / "3").exists()


def test_a_task_on_which_processes_always_die_ends_in_one_line():
    with readers_of_headers(2) as readers, pytest.raises(SeriesError, match="die again and again"):
        list(mapped(dies, range(3), readers))


def interrupted(task):
    os.kill(os.getpid(), signal.SIGINT)
    return task


def test_ctrl_c_in_a_terminal_is_left_to_the_program():
    with readers_of_headers(2) as readers:
        assert list(mapped(interrupted, range(4), readers)) == [0, 1, 2, 3]


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="looks for processes in /proc")
def test_no_process_outlives_a_program_that_is_killed(tmp_path):
    script = """
import time, sys, os
from pathlib import Path
from cop_imaging.ingest.pool import mapped, readers_of_headers
def work(n):
    Path(sys.argv[1], str(os.getpid())).touch()
    time.sleep(1000)
with readers_of_headers(2) as readers:
    list(mapped(work, range(4), readers))
"""
    program = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)])
    until = time.monotonic() + 30.0
    while len(pids := [int(p.name) for p in tmp_path.iterdir()]) < 2 and time.monotonic() < until:
        time.sleep(0.05)
    program.kill()
    program.wait()
    until = time.monotonic() + 10.0
    while any(alive(pid) for pid in pids) and time.monotonic() < until:
        time.sleep(0.05)
    assert len(pids) == 2
    assert not any(alive(pid) for pid in pids)


def alive(pid):
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
