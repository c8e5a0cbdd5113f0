"""``cop-imaging analyze``: one series in, one report out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cop_imaging.cli.case_key import CaseKeyOption, read_case_key
from cop_imaging.cli.faults import guarded
from cop_imaging.cli.options import (
    ConfigOption,
    MasksOption,
    OutOption,
    OverwriteOption,
    QuietOption,
    SetOption,
    ThreadsOption,
)

__all__ = ["analyze"]


@guarded
def analyze(
    series: Annotated[
        Path,
        typer.Argument(metavar="SERIES", help="Chest CT: a DICOM folder, file or archive, or NIfTI, NRRD, MHA."),
    ],
    *,
    out: OutOption,
    masks: MasksOption = False,
    lungs: Annotated[
        Path | None,
        typer.Option(
            "--lungs", metavar="MASK", help="Lung mask to use instead of finding the lungs.", show_default=False
        ),
    ] = None,
    series_uid: Annotated[
        str | None,
        typer.Option(
            "--series", metavar="UID", help="UID or key of the series to read, of several.", show_default=False
        ),
    ] = None,
    case_key: CaseKeyOption = None,
    config: ConfigOption = None,
    overrides: SetOption = None,
    uids: Annotated[
        bool,
        typer.Option(
            "--uids", help="Name the slices by SOP Instance UID too; UIDs identify a study.", show_default=False
        ),
    ] = False,
    overwrite: OverwriteOption = False,
    quiet: QuietOption = False,
    threads: ThreadsOption = None,
) -> None:
    """Analyze one chest CT series and write a report.

    The series is read, checked and measured; DIR receives report.html, report.json and pictures. Nothing that
    identifies a patient is written or printed.
    """
    from cop_imaging.cli.stages import shown_stages
    from cop_imaging.cli.summary import summary_lines
    from cop_imaging.cli.threads import limited_threads
    from cop_imaging.config import load_config
    from cop_imaging.pipeline import Config
    from cop_imaging.pipeline import analyze as analyze_series
    from cop_imaging.report import check_output

    # A wrong setting or a taken folder is told at once, not after a minute of work.
    settings = load_config(Config, config, overrides or ())
    check_output(out, overwrite=overwrite)
    secret = read_case_key(case_key)
    with limited_threads(threads), shown_stages(quiet=quiet) as progress:
        analysis = analyze_series(
            series,
            config=settings,
            lungs=lungs,
            uids=uids,
            progress=progress,
            threads=threads,
            series=series_uid,
            case_key=secret,
        )
        with progress.stage("report", "writing the report"):
            analysis.save(out, masks=masks, overwrite=overwrite)
    print(*summary_lines(analysis.report), out / "report.html", sep="\n")
