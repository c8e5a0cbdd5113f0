"""A run over two hosts whose cable is pulled for a while: ``python -m benchmarks.network``, as root, on Linux.

Two network namespaces, each with one Dask worker, are joined to a scheduler by a bridge. While a run goes on, the cable
of one host is pulled for 20 seconds. The run has to complete with every series once.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from cop_imaging.archive import FolderSource
from cop_imaging.batch import Settings, run_batch
from cop_imaging.batch.cluster import DaskCluster
from cop_imaging.pipeline import Config

OUT = Path(__file__).resolve().parents[1] / "out" / "bench_network"
ARCHIVE = Path(__file__).resolve().parents[1] / "out" / "bench_chaos" / "archive"
BRIDGE, HOSTS = "copbr", ("cophost1", "cophost2")
PULLED_S = 20.0


def _ip(*arguments: str, check: bool = True) -> None:
    subprocess.run(["ip", *arguments], check=check, stderr=None if check else subprocess.DEVNULL)


@contextlib.contextmanager
def hosts() -> Iterator[str]:
    """The two hosts, for the length of the block; the address of the machine on their network."""
    _ip("link", "add", BRIDGE, "type", "bridge")
    try:
        _ip("addr", "add", "10.213.0.1/24", "dev", BRIDGE)
        _ip("link", "set", BRIDGE, "up")
        for n, host in enumerate(HOSTS, 2):
            _ip("netns", "add", host)
            _ip("link", "add", f"copv{n}", "type", "veth", "peer", "name", f"copp{n}")
            _ip("link", "set", f"copp{n}", "netns", host)
            _ip("link", "set", f"copv{n}", "master", BRIDGE, "up")
            _ip("-n", host, "addr", "add", f"10.213.0.{n}/24", "dev", f"copp{n}")
            _ip("-n", host, "link", "set", f"copp{n}", "up")
            _ip("-n", host, "link", "set", "lo", "up")
        yield "10.213.0.1"
    finally:
        for n, host in enumerate(HOSTS, 2):
            _ip("link", "del", f"copv{n}", check=False)
            _ip("netns", "del", host, check=False)
        _ip("link", "del", BRIDGE, check=False)


def main() -> None:
    """Print what became of the run."""
    options = argparse.ArgumentParser()
    options.add_argument("--limit", type=int, default=12)
    given = options.parse_args()
    if os.geteuid() != 0 or not shutil.which("ip"):
        raise SystemExit("network namespaces need root and the program ip")
    if not (ARCHIVE / ".whole").exists():
        raise SystemExit("the archive of small chests is made by python -m benchmarks.chaos")
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    programs: list[subprocess.Popen[bytes]] = []
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    with hosts() as here:
        try:
            address = f"tcp://{here}:8786"
            dask = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", here, "--no-dashboard"]
            programs.append(subprocess.Popen(dask, stderr=subprocess.DEVNULL, env=environment))
            for n, host in enumerate(HOSTS, 2):
                worker = [
                    sys.executable,
                    "-m",
                    "distributed.cli.dask_worker",
                    address,
                    "--nthreads",
                    "1",
                    "--no-dashboard",
                ]
                worker += ["--host", f"10.213.0.{n}", "--local-directory", str(OUT / host)]
                call = ["ip", "netns", "exec", host, *worker]
                programs.append(subprocess.Popen(call, stderr=subprocess.DEVNULL, env=environment))
            _run(address, given.limit)
        finally:
            for program in programs:
                program.kill()


def _run(address: str, limit: int) -> None:
    from cop_imaging.batch import Chosen
    from cop_imaging.config import load_config

    cut: list[str] = []

    def tell(done: int, total: int, outcome: object) -> None:
        # Pulled from a process of its own, so that the run does not wait.
        if done == 3:
            script = f"ip link set copv2 down; sleep {PULLED_S}; ip link set copv2 up"
            subprocess.Popen(["sh", "-c", script])
            cut.append("pulled")
        print(f"[{done}/{total}] {outcome}", flush=True)

    begun = time.perf_counter()
    result = run_batch(
        FolderSource(ARCHIVE),
        OUT / "run",
        load_config(Config, None, ["anatomy.method=classical"]),
        Settings(chosen=Chosen(limit=limit)),
        engine=lambda job, settings, log: DaskCluster(job, settings, log.parent, scheduler=address),
        tell=tell,
    )
    with sqlite3.connect(OUT / "run" / "ledger.sqlite") as database:
        attempts = database.execute(
            "SELECT count(*), count(DISTINCT series) FROM attempt WHERE state != 'died'"
        ).fetchone()
        workers = database.execute("SELECT worker, count(*) FROM attempt GROUP BY worker").fetchall()
    print(
        f"{result.summary}; cable {cut[0] if cut else 'left'} for {PULLED_S:.0f} s; {time.perf_counter() - begun:.0f} s"
    )
    print(f"attempts with an outcome, series: {attempts}; by worker: {workers}")


if __name__ == "__main__":
    from benchmarks.network import main as measure

    measure()
