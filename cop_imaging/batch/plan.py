"""Which series there are, under which key each one goes, and on what its result depends."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from cop_imaging.config import digest
from cop_imaging.ingest import find_series
from cop_imaging.pipeline import Config
from cop_imaging.provenance import versions

__all__ = ["Item", "plan"]


@dataclass(frozen=True, slots=True)
class Item:
    """One series of a batch."""

    key: str
    """Name of its result folder: from a digest, so that it identifies nobody and stays the same from call to call."""
    where: str
    """Folder below the root; it may identify a patient."""
    source: Path
    basis: str
    """Digest of the files, the settings and the versions: a result of the same basis needs no new analysis."""


def plan(root: Path, config: Config) -> tuple[Item, ...]:
    """Every series below ``root``, in the order of their folders."""
    raise NotImplementedError
