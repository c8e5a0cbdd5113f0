"""How much memory a series needs, and how much there is: so many series run at once as fit."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

__all__ = ["available_mb", "needed_mb"]

REFUSED_MB = 500.0
"""A worker with its libraries that reads headers alone."""
BASE_MB = 1250.0
"""The line on the smallest series: libraries, models, and maps whose size does not depend on the slices."""
BYTES_PER_VOXEL = 18.0
"""Peak of the line above that, over the voxels of the series. Measured: 1227, 1499 and 2207 MB for 3, 26 and 65 million
voxels."""
UNKNOWN_VOXELS = 512 * 512 * 400
"""A series whose headers do not say how large it is counts as an ordinary thin one."""
GROUP, GROUPS = Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")
"""Which control groups this process belongs to, and where they are."""
SHARE = 0.8
"""Of all memory: the rest is the system's and the driver's."""


def needed_mb(row: Mapping[str, Any]) -> float:
    """Peak memory that a planned series is expected to need."""
    if row.get("verdict") == "refused":
        return REFUSED_MB
    sizes = [row.get(name) for name in ("slices", "rows", "columns")]
    voxels = 1
    for size in sizes:
        voxels *= size or 0
    return BASE_MB + (voxels or UNKNOWN_VOXELS) * BYTES_PER_VOXEL / 2**20


def available_mb(group: Path = GROUP, groups: Path = GROUPS) -> float:
    """Memory that this machine, the container it is, or the job of a scheduler lends to a run."""
    limits = []
    if hasattr(os, "sysconf"):
        limits.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    for path in _limits(group, groups):
        try:
            limits.append(int(path.read_text()))
        except (OSError, ValueError):
            continue
    return SHARE * min(limits) / 2**20 if limits else float("inf")


def _limits(group: Path, groups: Path) -> Iterator[Path]:
    """Where the limits of the control groups of this process stand, of both versions (cgroups(7)), up to the root."""
    try:
        lines = group.read_text().splitlines()
    except OSError:
        lines = []
    # In a container the path of a group may be seen from outside: the root holds the limit then.
    for line in [*lines, "0::/", "0:memory:/"]:
        _, controllers, below = line.split(":", 2)
        if controllers == "":
            home, name = groups, "memory.max"
        elif "memory" in controllers.split(","):
            home, name = groups / "memory", "memory.limit_in_bytes"
        else:
            continue
        here = Path(below.lstrip("/"))
        yield from (home / folder / name for folder in (here, *here.parents))
