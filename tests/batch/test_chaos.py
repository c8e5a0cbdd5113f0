"""Workers and drivers that are killed at random moments cost time and nothing else."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

DRIVER = """
import sys
from pathlib import Path
from cop_imaging.archive import FolderSource
from cop_imaging.batch import Chosen, Settings, run_batch
from cop_imaging.pipeline import Config
from standin import StandIn

root = Path(sys.argv[1])
settings = Settings(workers=2, memory_mb=1e6, chosen=Chosen(retry_failed=len(sys.argv) > 2))
run_batch(FolderSource(root / "archive"), root / "run", Config(), settings, job=StandIn(root / "run", root / "log.txt"))
"""


def children(pid: int) -> list[int]:
    try:
        return [int(c) for p in Path(f"/proc/{pid}/task").glob("*/children") for c in p.read_text().split()]
    except OSError:
        return []


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds the workers of a driver through /proc")
def test_a_run_under_random_kills_gives_the_table_of_an_undisturbed_one(series, call, tmp_path):
    for n in range(24):
        series(f"bad{n}" if n % 3 == 0 else f"nap{n}")
    call(to=tmp_path / "undisturbed", workers=2)
    rng = random.Random(7)
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    workers = drivers = 0
    over = False
    while not over:
        over = workers >= 8 and drivers >= 2
        driver = subprocess.Popen(
            [sys.executable, "-c", DRIVER, str(tmp_path), *(["retry"] if over else [])],
            env=os.environ | {"PYTHONPATH": path},
            stderr=subprocess.PIPE,
        )
        due = time.monotonic() + rng.uniform(3.0, 6.0)
        while driver.poll() is None:
            time.sleep(rng.uniform(0.1, 0.4))
            alive = children(driver.pid)
            if workers < 8 and alive:
                os.kill(rng.choice(alive), signal.SIGKILL)
                workers += 1
            if drivers < 2 and time.monotonic() > due:
                driver.kill()
                drivers += 1
        _, words = driver.communicate()
        assert driver.returncode in {0, -signal.SIGKILL}, words.decode()
    undisturbed = (tmp_path / "undisturbed/features.parquet").read_bytes()
    assert (tmp_path / "run/features.parquet").read_bytes() == undisturbed
    with sqlite3.connect(tmp_path / "run/ledger.sqlite") as database:
        twice = "SELECT count(*) - count(DISTINCT series) FROM attempt WHERE state = 'analyzed'"
        assert database.execute(twice).fetchone() == (0,)
