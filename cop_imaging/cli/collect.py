"""``cop-imaging collect``: the tables and pages of a run, or of the parts of one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cop_imaging.cli.faults import guarded

__all__ = ["collect"]


@guarded
def collect(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Folders that batch wrote to.")],
    *,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="DIR", help="Folder for the tables; the run's own when there is one.", show_default=False
        ),
    ] = None,
) -> None:
    """Write features.parquet, failures.csv, summary.html and masks.html anew from the records of a run.

    Give all parts of a run that was split with --shard to merge them. RUN/reviews.csv (key, verdict, lungs, note) says
    which lung masks a person has accepted or rejected.
    """
    from cop_imaging.batch import collect as collect_runs
    from cop_imaging.errors import OutputError, UsageError

    if out is None and len(runs) > 1:
        raise UsageError("several runs are merged into a folder of their own: name it with --out")
    home = out or runs[0]
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"the output folder {home} cannot be used: {error.strerror or error}") from error
    found = collect_runs(runs, home)
    counts = ", ".join(f"{n} {state.replace('_', ' ')}" for state, n in found.states.most_common())
    print(f"{found.planned} series: {counts}", home / "summary.html", home / "features.parquet", sep="\n")
