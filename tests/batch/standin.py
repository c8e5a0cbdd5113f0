"""A stand-in for the line of stages: it does to a planned series what the series' folder is named after."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cop_imaging.batch.outcome import Attempt, State, pack
from cop_imaging.batch.worker import ONE_THREAD


@dataclass(frozen=True)
class StandIn:
    """A job that needs no scan. It notes each attempt in ``log``."""

    out: Path
    log: Path
    kept: str = "report"

    def __call__(self, row: Mapping[str, Any]) -> Attempt:
        with self.log.open("a") as file:
            file.write(f"{row['folder']}{' on ' + Path(row['lungs']).name if row.get('lungs') else ''}\n")
        name = row["folder"].split("/")[-1]
        if name.startswith("hang"):
            (self.log.parent / "pid").write_text(str(os.getpid()))
            time.sleep(600)
        if name.startswith("loud"):
            print("to stdout" * 10_000, flush=True)  # noqa: T201 - as libraries do
            os.write(1, b"to the file descriptor")
            subprocess.run(["echo", "of a child"], check=True)
        if name.startswith("threads"):
            import numpy  # noqa: F401 - its libraries are asked
            import threadpoolctl

            told = {variable: os.environ.get(variable) for variable in ONE_THREAD}
            told["used"] = max(library["num_threads"] for library in threadpoolctl.threadpool_info())
            return Attempt(State.REFUSED, message=json.dumps(told))
        if name.startswith("crash"):
            os.kill(os.getpid(), signal.SIGSEGV)
        if name.startswith("once") and not (self.log.parent / name).exists():
            (self.log.parent / name).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if name.startswith("nap"):
            time.sleep(0.4)
        if name.startswith("slow"):
            time.sleep(1.0)
        if name.startswith("full"):
            return Attempt(State.STOPPED, "OutputError", "no space left on the disk", 8)
        if name.startswith("bad"):
            return Attempt(State.REFUSED, "slices.too_few", "2 slices are no volume", 3)
        if name.startswith("away"):
            return Attempt(State.UNREACHABLE, "source.unreachable", "nobody answers", 7)
        folder = self.out / "series" / row["key"]
        folder.mkdir(parents=True, exist_ok=True)
        for file in ("features.csv", "lungs.jpg", *(() if self.kept == "features" else ("report.json", "report.html"))):
            (folder / file).write_text(name)
        return Attempt(
            State.ANALYZED,
            seconds=0.1,
            stages_s={"ingest": 0.1},
            peak_mb=10.0,
            case=name[:12],
            input_sha256="copy" if "copy" in name else row["key"],
            status="ok",
            issues=("slices.thick",),
            trust=float(name.partition("trust")[2] or 1.0),
            packed=pack({"p_op": 0.25, "lungs.volume_ml": 5000.0}),
        )
