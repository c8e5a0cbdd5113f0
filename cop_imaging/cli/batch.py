"""``cop-imaging batch``: every series below a folder."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from cop_imaging.cli.faults import SOME_FAILED, guarded
from cop_imaging.cli.options import (
    ConfigOption,
    MasksOption,
    OutOption,
    OverwriteOption,
    QuietOption,
    SetOption,
    ThreadsOption,
)

__all__ = ["batch"]


@guarded
def batch(
    root: Annotated[Path, typer.Argument(metavar="ROOT", help="Folder below which the series lie.")],
    *,
    out: OutOption,
    masks: MasksOption = False,
    config: ConfigOption = None,
    overrides: SetOption = None,
    overwrite: OverwriteOption = False,
    quiet: QuietOption = False,
    threads: ThreadsOption = None,
) -> None:
    """Analyze every series below a folder.

    One bad series never stops the others, and a second call goes on where the first one stopped. Reports lie in
    DIR/series/KEY, and DIR/features.csv has one row per analyzed series. DIR/series.csv and DIR/failures.csv tell
    which folder a key stands for: folder names may identify patients, so these two tables are not for passing on.
    """
    from cop_imaging.batch import Outcome, run_batch
    from cop_imaging.cli.threads import limited_threads
    from cop_imaging.config import load_config
    from cop_imaging.pipeline import Config

    settings = load_config(Config, config, overrides or ())

    def tell(done: int, total: int, outcome: Outcome) -> None:
        if not quiet:
            print(f"[{done}/{total}] {outcome.key} {outcome.summary}", file=sys.stderr, flush=True)

    with limited_threads(threads):
        result = run_batch(root, out, config=settings, masks=masks, overwrite=overwrite, threads=threads, tell=tell)
    print(result.summary, out / "features.csv", sep="\n")
    if result.failed:
        raise typer.Exit(SOME_FAILED)
