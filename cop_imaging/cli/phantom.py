"""``cop-imaging phantom`` and ``cop-imaging phantoms``: made cases with exact truth."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from cop_imaging.cli.faults import SOME_FAILED, guarded
from cop_imaging.cli.options import OutOption, QuietOption

__all__ = ["phantom", "phantoms"]

SeedOption = Annotated[
    int, typer.Option("--seed", metavar="N", min=0, help="The same seed gives the same bytes; of several, the first.")
]
StepOption = Annotated[
    float | None,
    typer.Option(
        "--step",
        metavar="MM",
        min=0.3,
        max=10.0,
        help="Contiguous slices of that thickness; the case's own protocol when not given.",
    ),
]
MatrixOption = Annotated[int, typer.Option("--matrix", metavar="N", min=64, max=1024, help="Rows and columns.")]


def _listed(wanted: bool) -> None:
    if not wanted:
        return
    from cop_imaging.classifier.diseases import OP, TITLES
    from cop_imaging.synth.diseases.rendering import SHAPES

    print("diseases:")
    for code, title in TITLES.items():
        if code != OP:
            print(f"  {code:9} {title}")
    print("true masks of every case:", "  lungs airways vessels effusion consolidation ground_glass", sep="\n")
    print("true masks of lesions where they are drawn:", *(f"  {name}" for name in SHAPES), sep="\n")
    raise typer.Exit


ListOption = Annotated[
    bool,
    typer.Option("--list", callback=_listed, is_eager=True, help="Show diseases and lesions.", show_default=False),
]


@guarded
def phantom(
    out: OutOption,
    disease: Annotated[str, typer.Option("--disease", metavar="CODE", help="What the case has; see --list.")] = "COP",
    seed: SeedOption = 0,
    step: StepOption = None,
    matrix: MatrixOption = 512,
    show: ListOption = False,
) -> None:
    """Make a chest CT of a disease: DICOM series, true masks, and a record of every draw.

    No patient is behind it. DIR/dicom holds the series, DIR/truth a mask of lungs, airways, vessels, effusion and each
    lesion type, DIR/case.json what was drawn.
    """
    from cop_imaging.errors import UsageError
    from cop_imaging.synth import draw_case, write_case

    del show
    if out.is_dir() and any(out.iterdir()):
        raise UsageError(f"{out} already holds files; choose a new or empty folder for --out")
    case = draw_case(disease, seed)
    write_case(case.with_slices(step) if step else case, out, matrix=matrix)
    print(out)


@guarded
def phantoms(
    out: OutOption,
    cases: Annotated[int, typer.Option("--cases", metavar="N", min=1, help="How many.", show_default=False)],
    disease: Annotated[
        list[str] | None,
        typer.Option(
            "--disease",
            metavar="CODE",
            help="Only this disease; repeatable, equal chances. All by their prevalence when not given.",
            show_default=False,
        ),
    ] = None,
    *,
    seed: SeedOption = 0,
    step: StepOption = None,
    matrix: MatrixOption = 512,
    jobs: Annotated[
        int, typer.Option("--jobs", metavar="N", min=1, help="Processes; each needs up to 3 GB of memory.")
    ] = 1,
    quiet: QuietOption = False,
) -> None:
    """Make many cases, each in DIR/case-SEED, and a table of them in DIR/cases.csv.

    A second call goes on where the first one stopped: cases that are whole already are kept.
    """
    from cop_imaging.synth.cohort import MANIFEST, CaseOutcome, plan_cases, write_cases

    def tell(done: int, total: int, outcome: CaseOutcome) -> None:
        if not quiet:
            print(f"[{done}/{total}] {outcome.key} {outcome.summary}", file=sys.stderr, flush=True)

    planned = plan_cases(cases, seed, diseases=disease or (), step_mm=step)
    outcomes = write_cases(out, planned, matrix=matrix, jobs=jobs, tell=tell)
    counts = ", ".join(f"{sum(o.state == s for o in outcomes)} {s}" for s in ("written", "kept", "failed"))
    print(f"{len(outcomes)} cases: {counts}", out / MANIFEST, sep="\n")
    if any(o.state == "failed" for o in outcomes):
        raise typer.Exit(SOME_FAILED)
