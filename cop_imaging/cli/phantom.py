"""``cop-imaging phantom``: a synthetic series to try the program with."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from cop_imaging.cli.faults import guarded
from cop_imaging.cli.options import OutOption

__all__ = ["Kind", "phantom"]


class Kind(StrEnum):
    """What the phantom's lungs show."""

    ORGANIZING_PNEUMONIA = "organizing_pneumonia"
    HEALTHY = "healthy"


@guarded
def phantom(
    out: OutOption,
    seed: Annotated[int, typer.Option("--seed", metavar="N", min=0, help="The same seed gives the same bytes.")] = 0,
    kind: Annotated[Kind, typer.Option("--kind", help="What the lungs show.")] = Kind.ORGANIZING_PNEUMONIA,
    truth: Annotated[
        bool, typer.Option("--truth", help="Also write the true masks and volumes.", show_default=False)
    ] = False,
) -> None:
    """Write a synthetic chest CT series in DICOM.

    No patient is behind it: the anatomy is drawn from the seed.
    """
    from cop_imaging.errors import UsageError
    from cop_imaging.synth import write_sample

    if out.is_dir() and any(out.iterdir()):
        raise UsageError(f"{out} already holds files; choose a new or empty folder for --out")
    write_sample(out, seed=seed, kind=kind.value, truth=truth)
    print(out)
