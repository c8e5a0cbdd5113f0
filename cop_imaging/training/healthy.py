"""What the line sees in healthy made chests: the false volumes that absent signs get in drawn cases."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from cop_imaging.anatomy import segment
from cop_imaging.config import asset_path
from cop_imaging.core.vector import FeatureVector
from cop_imaging.scene import build_scene
from cop_imaging.signs import observe, vectorize
from cop_imaging.synth import healthy_chest
from cop_imaging.training.false_volumes import false_volume_table

__all__ = ["healthy_vector", "measure_healthy"]

TABLE = "false_volumes.csv"


def healthy_vector(seed: int) -> FeatureVector:
    """The features that the default line measures on the healthy chest of that seed (thin slices)."""
    volume = healthy_chest(seed).volume
    return vectorize(observe(build_scene(volume, segment(volume))))


def measure_healthy(
    count: int, seed: int, folder: Path | None = None, *, tell: Callable[[str], None] | None = None
) -> None:
    """Measure ``count`` healthy chests and put what was found into the table of false volumes.

    Parameters
    ----------
    count, seed : int
        Chests of the seeds ``seed`` to ``seed + count - 1``; at least 10.
    folder : Path, optional
        Where the table lies; with the knowledge tables of the checkout by default.
    tell : callable, optional
        Is told a line for each chest.
    """
    home = folder or asset_path("models", "knowledge")
    vectors = []
    for k in range(seed, seed + count):
        vectors.append(healthy_vector(k))
        if tell:
            tell(f"healthy chest {k}: {vectors[-1]['ground_glass.volume_ml']:.1f} mL of false ground glass")
    source = f"healthy made chests with thin slices, seeds {seed} to {seed + count - 1}"
    target = home / TABLE
    partial = target.with_suffix(".partial")
    partial.write_text(false_volume_table(vectors, source), encoding="utf-8")
    partial.replace(target)
