"""How much memory a series needs, and how much there is: so many series run at once as fit."""

from __future__ import annotations

import os
from collections.abc import Mapping
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


def available_mb() -> float:
    """Memory that this machine, or the container it is, lends to a run."""
    limits = []
    if hasattr(os, "sysconf"):
        limits.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            limits.append(int(Path(path).read_text()))
        except (OSError, ValueError):
            continue
    return SHARE * min(limits) / 2**20 if limits else float("inf")
