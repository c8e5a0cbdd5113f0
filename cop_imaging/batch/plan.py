"""Which series there are, under which key each one goes, and on what its result depends."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cop_imaging.config import asset_path, digest
from cop_imaging.ingest import SeriesFiles, find_series
from cop_imaging.pipeline import Config
from cop_imaging.provenance import file_digest, versions

__all__ = ["Item", "plan_series"]


@dataclass(frozen=True, slots=True)
class Item:
    """One series of a batch."""

    key: str
    """Name of its result folder: it identifies nobody and stays the same from call to call."""
    where: str
    """Folder below the root; it may identify a patient."""
    source: SeriesFiles
    basis: str
    """Digest of files, settings, weights and versions: a result of the same basis needs no new analysis."""


def plan_series(root: Path, config: Config) -> tuple[Item, ...]:
    """Every series below ``root``, in the order of their folders.

    Raises
    ------
    SeriesError
        If ``root`` is no folder or cannot be read.
    """
    weights = [file_digest(path) for path in sorted(asset_path("models").rglob("*")) if path.is_file()]
    method = {"config": digest(config), "weights": weights, "versions": versions()}
    return tuple(
        Item(series.key, series.folder.relative_to(root).as_posix(), series, _basis(series, method))
        for series in find_series(root)
    )


def _basis(series: SeriesFiles, method: Mapping[str, object]) -> str:
    # Names, sizes and times instead of contents: planning an archive must not read all of it.
    stats = [(path.name, path.stat()) for path in series.files]
    files = [(name, stat.st_size, stat.st_mtime_ns) for name, stat in stats]
    return hashlib.sha256(json.dumps([files, method]).encode()).hexdigest()
