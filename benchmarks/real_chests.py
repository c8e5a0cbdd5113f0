"""The real chest series that lungs are looked for in: the folder that COP_IMAGING_REAL_CT names."""

from __future__ import annotations

import os
import sys
from pathlib import Path

FOLDERS = ("covid_1.25mm", "near_normal_2.5mm", "kernel_pair_8mm/b40f", "kernel_pair_8mm/b70f")
VOLUMES = ("lowres_scope/*.nii.gz", "small_with_mask/*_ct.nii.gz", "training_lungs/*.nii.gz")
HELD_OUT = ("near_normal_1.25mm", "near_normal_3mm")
"""Test scans that nothing is tuned on: looked at only when asked for."""


def real_folder() -> Path:
    """The folder of real series; the program ends where none is named."""
    root = os.environ.get("COP_IMAGING_REAL_CT")
    if not root:
        sys.exit("COP_IMAGING_REAL_CT names no folder of real CT series")
    return Path(root)


def real_chests(*, held_out: bool = False) -> list[Path]:
    """Paths of the series; with the held-out ones if they are asked for."""
    root = real_folder()
    named = [root / name for name in (*FOLDERS, *(HELD_OUT if held_out else ()))]
    return [*named, *(path for pattern in VOLUMES for path in sorted(root.glob(pattern)))]


def name_of(path: Path) -> str:
    """Short name of a series."""
    name = path.name.removesuffix(".nii.gz")
    return f"{path.parent.name}_{name}" if name.startswith("b") and path.is_dir() else name
