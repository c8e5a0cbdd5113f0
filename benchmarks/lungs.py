"""What lung masks keep and what comes in with it: ``COP_IMAGING_REAL_CT=... python -m benchmarks.lungs``.

Made chests and lesions put into real scans that the network was not trained on, each masked by the network and by the
classical method. The bite (recall of airless lung, and the share of lung in the mask around it) is measured on every
piece of airless lung of 5 mL and more that touches the lung's border.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from scipy import ndimage

from cop_imaging.anatomy import AnatomyConfig, segment
from cop_imaging.core.anatomy import Anatomy
from cop_imaging.core.arrays import AnyArray, BoolArray
from cop_imaging.core.geometry import Geometry
from cop_imaging.core.grid import components, distance_to, eroded
from cop_imaging.core.volume import CTVolume
from cop_imaging.errors import SeriesError
from cop_imaging.ingest import read_series
from cop_imaging.synth.insertion import insert
from cop_imaging.training.lungs.disease import draw_disease
from cop_imaging.training.lungs.samples import airless, made_chest, scan_of

METHODS = ("network", "classical")
LEFT_OUT = ("training_lungs/t04_4dct_woman_arms_up.nii.gz", "training_lungs/t12_large_man_noncontrast.nii.gz",
            "training_lungs/t14_woman_contrast_b40.nii.gz")  # fmt: skip
SMALLEST_ML, AROUND_MM, DENSE_HU = 5.0, 15.0, -400
GRID = Geometry((175, 219, 289), (2.0, 1.5, 1.5), (-215.0, -160.0, -205.0))


def dice(a: BoolArray, b: BoolArray) -> float:
    """Dice's coefficient."""
    return float(2 * (a & b).sum() / max(int(a.sum()) + int(b.sum()), 1))


def hausdorff95_mm(a: BoolArray, b: BoolArray, geometry: Geometry) -> float:
    """95th percentile of the distances between two surfaces, both ways."""
    found = []
    for p, q in ((a, b), (b, a)):
        edge = p & ~ndimage.binary_erosion(p)
        found.append((distance_to(q, geometry) + distance_to(~q, geometry))[edge])
    return float(np.percentile(np.concatenate(found), 95))


def bites(hu: AnyArray, lungs: AnyArray, dense: BoolArray, got: AnyArray, geometry: Geometry) -> list[dict[str, float]]:
    """Volume, recall, precision and spill around each piece of airless lung that touches the border."""
    out = []
    labels, n = components(dense)
    rim = (lungs > 0) & ~eroded(lungs > 0, geometry, 3.0)
    for piece in range(1, n + 1):
        box = ndimage.find_objects((labels == piece).view(np.uint8))[0]
        pad = [int(np.ceil((AROUND_MM + 2.0) / s)) for s in geometry.spacing_mm]
        wide = tuple(slice(max(b.start - p, 0), b.stop + p) for b, p in zip(box, pad, strict=True))
        own = labels[wide] == piece
        ml = float(own.sum()) * geometry.voxel_ml
        if ml < SMALLEST_ML:
            break
        if not (own & rim[wide]).any():
            continue
        local = geometry.crop(wide)  # type: ignore[arg-type]
        near = (distance_to(own, local) <= AROUND_MM) & (hu[wide] > DENSE_HU)
        g, t = got[wide] > 0, lungs[wide] > 0
        out.append({
            "ml": ml, "recall": float((g & own).sum() / own.sum()),
            "precision": float((g & t & near).sum() / max(int((g & near).sum()), 1)),
            "spill": float((g & ~t & near).sum() / own.sum()),
        })  # fmt: skip
    return out


def masked(volume: CTVolume, method: str) -> Anatomy | None:
    """A volume's anatomy by one of the methods, or None where it sees no lungs."""
    try:
        return segment(volume, AnatomyConfig(method=method))  # type: ignore[arg-type]
    except SeriesError:
        return None


def score(name: str, volume: CTVolume, truth: dict[str, AnyArray], rows: list[dict[str, object]]) -> None:
    """Measure both methods on one chest and print a line each."""
    lungs, fluid, dense, g = truth["lungs"], truth["effusion"], airless(truth), volume.geometry
    for method in METHODS:
        begun = time.monotonic()
        found = masked(volume, method)
        got = np.zeros(g.shape, dtype=np.uint8) if found is None else found.lungs
        row: dict[str, object] = {"name": name, "method": method, "dice": dice(lungs > 0, got > 0)}
        row["swapped"] = float(((lungs == 1) & (got == 2)).sum() + ((lungs == 2) & (got == 1)).sum()) / float(
            (lungs > 0).sum()
        )
        row["hd95"] = hausdorff95_mm(lungs > 0, got > 0, g) if got.any() else float("inf")
        row["bites"] = bites(volume.hu, lungs, dense, got, g)
        fluid_ml = float(fluid.sum()) * g.voxel_ml
        seen = None if found is None else found.effusion
        if seen is not None and fluid_ml >= 50.0:
            row["fluid"] = dice(fluid, seen)
            row["fluid_error"] = float(seen.sum()) * g.voxel_ml / fluid_ml - 1.0
        elif seen is not None:
            row["false_fluid_ml"] = float(seen.sum()) * g.voxel_ml
        if found is not None:
            row["trust"] = found.doubt.trust
        rows.append(row)
        pieces: list[dict[str, float]] = row["bites"]  # type: ignore[assignment]
        recall = np.mean([b["recall"] for b in pieces]) if pieces else np.nan
        extra = " ".join(f"{k} {row[k]:.2f}" for k in ("fluid", "fluid_error", "false_fluid_ml", "trust") if k in row)
        print(
            f"{name:44} {method:9} Dice {row['dice']:.3f} HD95 {row['hd95']:5.1f} bite {recall:.2f} {extra}"
            f" ({time.monotonic() - begun:.0f} s)", flush=True,
        )  # fmt: skip


def mean(rows: Sequence[Mapping[str, object]], name: str) -> float:
    """Mean of one figure."""
    return float(np.mean([r[name] for r in rows]))  # type: ignore[arg-type]


def summary(title: str, rows: list[dict[str, object]]) -> None:
    """Figures of each method."""
    for method in METHODS:
        mine = [r for r in rows if r["method"] == method]
        if not mine:
            continue
        pieces = [b for r in mine for b in r["bites"]]  # type: ignore[attr-defined]
        worst, swapped = min(r["dice"] for r in mine), max(r["swapped"] for r in mine)  # type: ignore[type-var]
        line = f"{title}, {method}: n {len(mine)}, Dice {mean(mine, 'dice'):.4f} (least {worst:.3f}), "
        line += f"HD95 {mean(mine, 'hd95'):.1f} mm, swapped at most {swapped:.4f}; "
        if pieces:
            low = np.percentile([b["recall"] for b in pieces], 10)
            line += f"{len(pieces)} bites: recall {mean(pieces, 'recall'):.3f}, 10th percentile {low:.3f}, "
            line += f"precision {mean(pieces, 'precision'):.3f}, spill {mean(pieces, 'spill'):.3f}; "
        fluid = [r for r in mine if "fluid" in r]
        if fluid:
            error = np.mean([abs(r["fluid_error"]) for r in fluid])  # type: ignore[arg-type]
            line += f"fluid Dice {mean(fluid, 'fluid'):.3f}, volume error {error:.2f} (n {len(fluid)})"
        print(line, flush=True)


def main() -> None:
    """Make, mask, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--first", type=int, default=90_000, help="first seed; those of the training lie below 80,000")
    parser.add_argument("--made", type=int, default=12)
    parser.add_argument("--inserted", type=int, default=4, help="insertions into each scan")
    parser.add_argument("--scans", nargs="*", default=list(LEFT_OUT))
    arguments = parser.parse_args()
    rows: list[dict[str, object]] = []
    for seed in range(arguments.first, arguments.first + arguments.made):
        phantom, names = made_chest(seed, GRID)
        score(f"made {seed} {' '.join(names)}", phantom.volume, dict(phantom.truth), rows)
    summary("made", rows)
    root = os.environ.get("COP_IMAGING_REAL_CT")
    if not root:
        sys.exit("COP_IMAGING_REAL_CT names no folder of real CT series: only made chests were measured")
    real: list[dict[str, object]] = []
    for source in arguments.scans:
        scan = scan_of(read_series(Path(root) / source), AnatomyConfig(method="classical"))
        for n in range(arguments.inserted):
            seed = arguments.first + 1000 + n
            names, lesions = draw_disease(scan.terrain, np.random.default_rng([seed, 13]))
            case = insert(scan.volume, scan.lungs, lesions, seed=seed, airways=scan.airways, model=scan.model)
            score(f"{Path(source).name[:20]} {seed} {' '.join(names)}", case.volume, dict(case.truth), real)
    summary("inserted", real)


if __name__ == "__main__":
    main()
