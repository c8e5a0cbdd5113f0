"""``cop-imaging index``: what series lie below a folder, without reading pixels."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from cop_imaging.cli.faults import guarded
from cop_imaging.cli.options import ConfigOption, OverwriteOption, QuietOption, SetOption
from cop_imaging.cli.threads import cores

__all__ = ["index"]


@guarded
def index(
    root: Annotated[Path, typer.Argument(metavar="ROOT", help="Folder below which the series lie.")],
    *,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Parquet file for the table.", show_default=False)],
    config: ConfigOption = None,
    overrides: SetOption = None,
    uids: Annotated[
        bool, typer.Option("--uids", help="Give the UIDs too; they identify a study.", show_default=False)
    ] = False,
    workers: Annotated[
        int | None, typer.Option("--workers", metavar="N", min=1, help="Processes; all cores when not given.")
    ] = None,
    overwrite: OverwriteOption = False,
    quiet: QuietOption = False,
) -> None:
    """List every DICOM series below a folder with its geometry and a verdict.

    One row per series: kernel, thickness, slices, whether it is usable and why not, and its rank within its study.
    Only headers are read. Folder names may identify patients: the table is not for passing on.
    """
    from cop_imaging.config import load_config
    from cop_imaging.errors import OutputError
    from cop_imaging.ingest.index import write_index
    from cop_imaging.pipeline import Config

    settings = load_config(Config, config, overrides or ())
    if out.exists() and not overwrite:
        raise OutputError(f"{out} is already there; name another file or give --overwrite")
    shown = not quiet and sys.stderr.isatty()

    def tell(files: int) -> None:
        if shown:
            print(f"\r{files} files", end="", file=sys.stderr, flush=True)

    found = write_index(root, out, settings.ingest, workers=workers or cores(), uids=uids, tell=tell)
    if shown:
        print("\r", end="", file=sys.stderr)
    print(f"{found.files} files, {found.dicom} of them DICOM, {found.series} series")
    print(*(f"{count:8} {verdict}" for verdict, count in sorted(found.verdicts.items())), sep="\n")
    print(*(f"{count:8} refused: {code}" for code, count in sorted(found.codes.items())), sep="\n")
    if found.damaged or found.unreadable:
        print(f"left out: {found.damaged} damaged, {found.unreadable} unreadable ({', '.join(found.examples)}, ...)")
    print(out)
