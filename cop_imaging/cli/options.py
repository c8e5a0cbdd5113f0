"""Arguments and options that several commands share, declared once so that they read the same everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["ConfigOption", "MasksOption", "OutOption", "OverwriteOption", "QuietOption", "SetOption", "ThreadsOption"]

OutOption = Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the results.", show_default=False)]
MasksOption = Annotated[
    bool, typer.Option("--masks", help="Also write the lungs and every sign as NIfTI masks.", show_default=False)
]
ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="TOML file with the settings that differ from the defaults (see: cop-imaging config).",
        show_default=False,
    ),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="One setting, section.field=value; repeatable.", show_default=False
    ),
]
OverwriteOption = Annotated[
    bool, typer.Option("--overwrite", help="Replace results that are already there.", show_default=False)
]
QuietOption = Annotated[bool, typer.Option("--quiet", help="No progress on stderr.", show_default=False)]
ThreadsOption = Annotated[
    int | None,
    typer.Option("--threads", metavar="N", min=1, help="Threads to compute with; all cores when not given."),
]
