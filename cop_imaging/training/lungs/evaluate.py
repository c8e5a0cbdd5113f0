"""How well lungs, airless lung and fluid are found on samples that were not trained on, on the network's grid."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from cop_imaging.anatomy import AnatomyConfig, segment
from cop_imaging.anatomy.lung_network import LungNetwork, lung_logits
from cop_imaging.core.arrays import BoolArray, UInt8Array
from cop_imaging.core.geometry import Geometry
from cop_imaging.core.grid import components, dilated, eroded, resample
from cop_imaging.core.volume import CTVolume
from cop_imaging.errors import SeriesError
from cop_imaging.training.lungs.fluid import EFFUSION, IGNORED
from cop_imaging.training.lungs.samples import GRID_MM, Sample
from cop_imaging.training.lungs.store import load

__all__ = ["Finder", "by_classical", "by_network", "evaluate_lungs", "scores"]

Finder = Callable[[Sample, Geometry], UInt8Array]
"""From a sample to 1 right, 2 left lung and 3 fluid on its grid."""
SMALLEST_ML, AROUND_MM, RIM_MM, DENSE_HU = 5.0, 15.0, 4.0, -400
LEAST_FLUID_ML = 50.0
LOW = 0.1


def by_network(network: LungNetwork) -> Finder:
    """The likeliest class at every voxel."""

    def find(sample: Sample, geometry: Geometry) -> UInt8Array:
        found = lung_logits(sample.hu, geometry, network)
        out: UInt8Array = resample(found.labels, found.geometry, geometry, method="nearest", outside=0)
        return np.where(out > EFFUSION, 0, out).astype(np.uint8)

    return find


def by_classical(sample: Sample, geometry: Geometry) -> UInt8Array:
    """The classical method, which knows no fluid; nothing where it refuses."""
    try:
        lungs = segment(CTVolume(sample.hu.copy(), geometry), AnatomyConfig(method="classical")).lungs
    except SeriesError:
        return np.zeros(geometry.shape, dtype=np.uint8)
    return lungs


def scores(sample: Sample, found: UInt8Array, geometry: Geometry) -> dict[str, float | list[float]]:
    """Dice of lungs and fluid, volumes of fluid in mL, and the bite of every piece of airless lung.

    A piece holds at least 5 mL and touches the lung's border. Its recall is the share of it that is found as lung;
    its precision the share of lung in what is found as lung and is dense within 15 mm of it.
    """
    known = sample.label != IGNORED
    lung, got = known & np.isin(sample.label, (1, 2)), known & np.isin(found, (1, 2))
    fluid, wet = sample.label == EFFUSION, known & (found == EFFUSION)
    wet_ml, fluid_ml = (float(mask.sum()) * geometry.voxel_ml for mask in (wet, fluid))
    out: dict[str, float | list[float]] = {"lung_dice": dice(lung, got), "wet_ml": wet_ml, "fluid_ml": fluid_ml}
    out["sides_wrong_ml"] = float((lung & got & (found != sample.label)).sum()) * geometry.voxel_ml
    if fluid_ml >= LEAST_FLUID_ML:
        out |= {"fluid_dice": dice(fluid, wet), "fluid_error": abs(wet_ml / fluid_ml - 1.0)}
    rim = lung & ~eroded(lung, geometry, RIM_MM)
    recall, precision = [], []
    pieces, number = components(sample.dense & lung)
    for piece in range(1, number + 1):
        own = pieces == piece
        if float(own.sum()) * geometry.voxel_ml < SMALLEST_ML:
            break
        if (own & rim).any():
            near = got & (sample.hu > DENSE_HU) & dilated(own, geometry, AROUND_MM)
            recall.append(float((got & own).sum() / own.sum()))
            precision.append(float((near & lung).sum() / max(int(near.sum()), 1)))
    return {**out, "recall": recall, "precision": precision}


def dice(a: BoolArray, b: BoolArray) -> float:
    """Dice's coefficient; 1 when both are empty."""
    total = int(a.sum()) + int(b.sum())
    return 2.0 * float((a & b).sum()) / total if total else 1.0


def evaluate_lungs(paths: Sequence[Path], find: Finder) -> dict[str, float]:
    """Means over some stored samples, of the bite over their pieces."""
    rows: list[Mapping[str, float | list[float]]] = []
    for path in paths:
        sample = load(path)
        geometry = Geometry((sample.hu.shape[0], sample.hu.shape[1], sample.hu.shape[2]), (GRID_MM,) * 3)
        rows.append(scores(sample, find(sample, geometry), geometry))
    out = {"samples": float(len(rows))}
    for name in ("lung_dice", "fluid_dice", "fluid_error", "sides_wrong_ml"):
        values = [row[name] for row in rows if name in row]
        if values:
            out[name] = float(np.mean(values))
    dry = [row["wet_ml"] for row in rows if row["fluid_ml"] == 0.0]
    if dry:
        out["false_fluid_ml"] = float(np.mean(dry))
    recall, precision = (np.concatenate([np.asarray(row[name]) for row in rows]) for name in ("recall", "precision"))
    if len(recall):
        out |= {"pieces": float(len(recall)), "bite_recall": float(recall.mean())}
        out |= {"bite_recall_p10": float(np.quantile(recall, LOW)), "bite_precision": float(precision.mean())}
    return {name: round(value, 4) for name, value in out.items()}
