"""``cop-imaging batch``: every series of an archive, on this machine or a cluster."""

from __future__ import annotations

import hashlib
import os
import re
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cop_imaging.cli.case_key import CaseKeyOption, read_case_key
from cop_imaging.cli.faults import SOME_FAILED, guarded
from cop_imaging.cli.options import ConfigOption, OutOption, OverwriteOption, QuietOption, SetOption
from cop_imaging.cli.threads import cores

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cop_imaging.archive import Source
    from cop_imaging.batch import Settings, Wanted
    from cop_imaging.batch.pool import Engine
    from cop_imaging.batch.worker import Job

__all__ = ["batch"]

MB_PER_GB = 1024.0


class Keep(StrEnum):
    """What stays of each series."""

    features = "features"
    report = "report"
    masks = "masks"


class Workers(StrEnum):
    """Where the workers are."""

    local = "local"
    dask = "dask"


@guarded
def batch(
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="Folder below which the series lie, or the address of an archive.")
    ],
    *,
    out: OutOption,
    keep: Annotated[Keep, typer.Option("--keep", help="What stays of each series beside its row.")] = Keep.report,
    modality: Annotated[
        str | None, typer.Option("--modality", metavar="CT", help="Plan series of this modality.", show_default=False)
    ] = None,
    thickness: Annotated[
        str | None,
        typer.Option("--thickness", metavar="MM-MM", help="Plan slices this thick: 0.5-1.5.", show_default=False),
    ] = None,
    description: Annotated[
        str | None,
        typer.Option(
            "--description", metavar="PATTERN", help="Plan series described so: '*lung*'.", show_default=False
        ),
    ] = None,
    dates: Annotated[
        str | None,
        typer.Option(
            "--dates", metavar="DAY-DAY", help="Plan studies of these days: 20200101-20211231.", show_default=False
        ),
    ] = None,
    one_per_study: Annotated[
        bool, typer.Option("--one-per-study", help="Plan the best series of each study.", show_default=False)
    ] = False,
    plan: Annotated[
        Path | None,
        typer.Option("--plan", metavar="FILE", help="Use the plan of another run of this source.", show_default=False),
    ] = None,
    plan_only: Annotated[bool, typer.Option("--plan-only", help="Plan and stop.", show_default=False)] = False,
    replan: Annotated[
        bool, typer.Option("--replan", help="Look for new and changed series.", show_default=False)
    ] = False,
    limit: Annotated[
        int | None, typer.Option("--limit", metavar="N", min=1, help="Work on N series now.", show_default=False)
    ] = None,
    sample: Annotated[
        int | None, typer.Option("--sample", metavar="N", min=1, help="Only N random series.", show_default=False)
    ] = None,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Of the sample.")] = 0,
    shard: Annotated[
        str | None, typer.Option("--shard", metavar="I/N", help="Only part I of N, from 1.", show_default=False)
    ] = None,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Try again what has no result.", show_default=False)
    ] = False,
    workers: Annotated[
        int | None, typer.Option("--workers", metavar="N", min=1, help="Processes; one per core when not given.")
    ] = None,
    memory: Annotated[
        float | None,
        typer.Option("--memory", metavar="GB", min=0.5, help="For all workers; most of the machine when not given."),
    ] = None,
    time_limit: Annotated[
        float, typer.Option("--time-limit", metavar="S", min=1, help="Seconds for one series.")
    ] = 1800.0,
    engine: Annotated[Workers, typer.Option("--engine", help="Where the workers are.")] = Workers.local,
    scheduler: Annotated[
        str | None,
        typer.Option(
            "--scheduler", metavar="ADDRESS", help="Of a Dask cluster; a local one when not given.", show_default=False
        ),
    ] = None,
    match: Annotated[
        list[str] | None,
        typer.Option(
            "--match",
            metavar="KEYWORD=VALUE",
            help="Ask an archive for studies with this element, such as PatientID=17; repeatable.",
            show_default=False,
        ),
    ] = None,
    credentials: Annotated[
        Path | None,
        typer.Option(
            "--credentials",
            metavar="FILE",
            help="TOML file with user, password, token, certificate, key, ca for an archive.",
            show_default=False,
        ),
    ] = None,
    archive_set: Annotated[
        list[str] | None,
        typer.Option(
            "--archive-set",
            metavar="KEY=VALUE",
            help="How an archive is asked: time-outs, patience, rate (see docs/archives.md); repeatable.",
            show_default=False,
        ),
    ] = None,
    spool: Annotated[
        Path | None,
        typer.Option("--spool", metavar="DIR", help="Folder for series from a network.", show_default=False),
    ] = None,
    spool_gb: Annotated[float, typer.Option("--spool-gb", metavar="GB", min=0.1, help="Room for them.")] = 20.0,
    case_key: CaseKeyOption = None,
    config: ConfigOption = None,
    overrides: SetOption = None,
    overwrite: OverwriteOption = False,
    quiet: QuietOption = False,
) -> None:
    """Analyze every series of an archive.

    One bad series never stops the others, and a second call goes on where the first one stopped. DIR/features.parquet
    has one row per series, DIR/series/KEY its report, DIR/summary.html the whole, DIR/masks.html every lung mask.
    plan.parquet, ledger.sqlite, failures.csv and summary.html name folders, which may identify patients.
    """
    from cop_imaging.batch import Chosen, Settings, Wanted, run_batch
    from cop_imaging.cli.batch_progress import shown_run
    from cop_imaging.config import load_config
    from cop_imaging.pipeline import Config

    if scheduler is not None and engine is not Workers.dask:
        raise _usage("--scheduler is for --engine dask; give both or none")
    settings = Settings(
        wanted=Wanted(
            modality=modality,
            thickness_mm=_numbers("--thickness", thickness),
            description=description,
            dates=_days(dates),
            asked=hashlib.sha256("\n".join(sorted(match)).encode()).hexdigest()[:16] if match else "",
            one_per_study=one_per_study,
        ),
        plan=plan,
        replan=replan,
        plan_only=plan_only,
        chosen=Chosen(_shard(shard), None, limit, retry_failed, overwrite),
        sample=sample,
        seed=seed,
        kept=keep.value,
        workers=workers or cores(),
        memory_mb=None if memory is None else memory * MB_PER_GB,
        time_limit_s=time_limit,
        spool=spool,
        spool_mb=spool_gb * MB_PER_GB,
        case_key=read_case_key(case_key),
    )
    made_by = load_config(Config, config, overrides or ())
    with shown_run(quiet=quiet) as shown:
        result = run_batch(
            _source(source, settings.wanted, match or (), credentials, archive_set or ()),
            out,
            made_by,
            settings,
            engine=_cluster(scheduler) if engine is Workers.dask else None,
            tell=shown.tell,
            say=shown.say,
            listed=shown.listed,
        )
    if plan_only:
        print(f"{result.waiting} series planned", out / "plan.parquet", sep="\n")
        return
    print(result.summary, out / "summary.html", out / "features.parquet", sep="\n")
    if result.failed:
        raise typer.Exit(SOME_FAILED)


def _source(address: str, wanted: Wanted, match: Sequence[str], credentials: Path | None, how: Sequence[str]) -> Source:
    from cop_imaging.archive import ArchiveAccess, FolderSource, Query
    from cop_imaging.cli.source import credentials_from, source_of
    from cop_imaging.config import load_config

    pairs = [(keyword, value) for keyword, _, value in (text.partition("=") for text in match)]
    if not all(value for _, value in pairs):
        raise _usage("--match wants KEYWORD=VALUE, such as PatientID=17")
    first, last = wanted.dates or (None, None)
    query = Query(
        # Nobody wants every document and presentation state of an archive fetched to learn that it is no CT.
        modality=wanted.modality or "CT",
        first_day=first,
        last_day=last,
        description=wanted.description,
        matches=tuple(pairs),
    )
    access = load_config(ArchiveAccess, None, how)
    source = source_of(address, query=query, access=access, credentials=credentials_from(credentials, os.environ))
    if pairs and isinstance(source, FolderSource):
        raise _usage("--match is asked of an archive on a network; choose within a folder by the other filters")
    return source


def _cluster(scheduler: str | None) -> Callable[[Job, Settings, Path], Engine]:
    from cop_imaging.batch.cluster import DaskCluster

    return lambda job, settings, log: DaskCluster(job, settings, log.parent, scheduler=scheduler)


def _numbers(option: str, text: str | None) -> tuple[float, float] | None:
    """Two numbers with a dash between them, the second not smaller."""
    if text is None:
        return None
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*-\s*(\d+(?:\.\d+)?)\s*", text)
    if not found or float(found[1]) > float(found[2]):
        raise _usage(f"{option} wants two numbers, the smaller one first, such as 0.5-1.5, not {text!r}")
    return float(found[1]), float(found[2])


def _days(text: str | None) -> tuple[str, str] | None:
    if text is None:
        return None
    found = re.fullmatch(r"\s*(\d{8})\s*-\s*(\d{8})\s*", text)
    if not found or found[1] > found[2]:
        raise _usage(f"--dates wants two days, the earlier one first, such as 20200101-20211231, not {text!r}")
    return found[1], found[2]


def _shard(text: str | None) -> tuple[int, int]:
    if text is None:
        return 1, 1
    found = re.fullmatch(r"(\d+)/(\d+)", text)
    if not found or not 1 <= int(found[1]) <= int(found[2]):
        raise _usage(f"--shard wants a part and the number of parts, such as 2/8, not {text!r}")
    return int(found[1]), int(found[2])


def _usage(message: str) -> Exception:
    from cop_imaging.errors import UsageError

    return UsageError(message)
