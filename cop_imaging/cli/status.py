"""``cop-imaging status``: how far a run is, from another terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cop_imaging.cli.faults import guarded

__all__ = ["status"]


@guarded
def status(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder that batch writes to.")],
) -> None:
    """Show how far a run is: what is done, what has no result and why, rate and time left."""
    from cop_imaging.batch.status import run_status

    found = run_status(run)
    done = sum(found.states.values())
    print(f"{done} of {found.planned} series, {'going on' if found.active else 'nobody works on it now'}")
    print(*(f"{count:8} {state.replace('_', ' ')}" for state, count in found.states.items()), sep="\n")
    if found.waiting:
        print(f"{found.waiting:8} waiting")
    print(*(f"{count:8} {code}" for code, count in found.codes.items()), sep="\n")
    if found.per_hour:
        print(f"{found.per_hour:.0f} series per hour of late")
    if found.left_s is not None:
        hours, minutes = divmod(round(found.left_s / 60.0), 60)
        print(f"about {hours} h {minutes} min left" if hours else f"about {minutes} min left")
