"""What the line sees in healthy made chests: the false volumes that absent signs get in drawn cases."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from cop_imaging.anatomy import segment
from cop_imaging.config import asset_path
from cop_imaging.core.vector import FeatureVector
from cop_imaging.scene import build_scene
from cop_imaging.signs import observe, vectorize
from cop_imaging.synth import healthy_chest
from cop_imaging.training.false_volumes import false_volume_table

__all__ = ["false_distribution", "healthy_vector", "measure_healthy"]

VOLUMES = "false_volumes.csv"
DISTRIBUTION = "measured_distribution.csv"
SIGN = "ground_glass"
"""The sign that is found often enough in health for its distribution to be measured."""
FEWEST = 10
LEAST_SPREAD = 0.2


def healthy_vector(seed: int) -> FeatureVector:
    """The features that the default line measures on the healthy chest of that seed (thin slices)."""
    volume = healthy_chest(seed).volume
    return vectorize(observe(build_scene(volume, segment(volume))))


def measure_healthy(
    count: int, seed: int, folder: Path | None = None, *, tell: Callable[[str], None] | None = None
) -> None:
    """Measure ``count`` healthy chests and put what was found into the knowledge tables.

    Parameters
    ----------
    count, seed : int
        Chests of the seeds ``seed`` to ``seed + count - 1``; at least 10.
    folder : Path, optional
        Where the tables lie; the knowledge tables of the checkout by default.
    tell : callable, optional
        Is told a line for each chest.
    """
    home = folder or asset_path("models", "knowledge")
    vectors = []
    for k in range(seed, seed + count):
        vectors.append(healthy_vector(k))
        if tell:
            tell(f"healthy chest {k}: {vectors[-1][f'{SIGN}.volume_ml']:.1f} mL of false ground glass")
    source = f"healthy made chests with thin slices, seeds {seed} to {seed + count - 1}"
    _replace(home / VOLUMES, false_volume_table(vectors, source))
    table = (home / DISTRIBUTION).read_text(encoding="utf-8")
    _replace(home / DISTRIBUTION, false_distribution(table, vectors, source))


def false_distribution(table: str, vectors: Sequence[FeatureVector], source: str) -> str:
    """The table of measured distributions with its rows of state ``false`` replaced by medians of ``vectors``.

    The spread of a row is the SD of the logarithm, at least 0.2: made chests vary less than people.
    """
    rows = list(csv.reader(io.StringIO(table)))
    head = rows[0]
    for row in rows[1:]:
        if row[1] != "false":
            continue
        values = np.array([v[f"{SIGN}.{row[0]}"] for v in vectors if f"{SIGN}.{row[0]}" in v.schema.names])
        values = values[np.isfinite(values) & (values > 0)]
        if len(values) < FEWEST:
            continue
        row[2] = f"{np.median(values):.3g}"
        row[3] = f"{max(float(np.log(values).std()), LEAST_SPREAD):.2g}"
        row[4], row[5] = "M", f"{SIGN.replace('_', ' ')} found falsely; measured on {len(values)} {source}"
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([head, *rows[1:]])
    return out.getvalue()


def _replace(path: Path, text: str) -> None:
    partial = path.with_suffix(".partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)
