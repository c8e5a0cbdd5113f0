"""Many series: plan, run, resume, collect."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cop_imaging.batch.call import Settings, run_batch
    from cop_imaging.batch.plan import Wanted
    from cop_imaging.batch.run import Chosen, Outcome, RunResult
    from cop_imaging.batch.status import RunStatus, run_status
    from cop_imaging.batch.tables import collect

__all__ = ["Chosen", "Outcome", "RunResult", "RunStatus", "Settings", "Wanted", "collect", "run_batch", "run_status"]

_HOMES = {
    "call": ("Settings", "run_batch"),
    "tables": ("collect",),
    "plan": ("Wanted",),
    "run": ("Chosen", "Outcome", "RunResult"),
    "status": ("RunStatus", "run_status"),
}


def __getattr__(name: str) -> Any:
    # A worker is a process of this package: it must not load the whole line before it is told what to do.
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{home}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
