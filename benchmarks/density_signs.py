"""Consolidation and ground glass against made truth: ``python -m benchmarks.density_signs --first 73000 --count 20``.

Diseased chests are drawn with equal chances among the diseases; every tenth seed is healthy. Each is measured with the
true lungs and with the program's own (``--lungs true|own|both``). ``--folder`` keeps a line of JSON per chest, so that
a stopped run goes on. Printed are bias (of the sum), ICC(2,1) and mean absolute error of the volumes, and what healthy
chests show; ``--kernels N`` scans the first N chests with a soft and with a sharp kernel and compares the extents.

Truth of ground glass is the hazy parenchyma without the vessels and bronchi in it. Truth of consolidation is airless
lung: consolidation without bands and perilobular arcs (lines, which have signs of their own) and with the solid
masses (which no density tells from focal consolidation; ``large_nodule_or_mass`` names them).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.sign_presence import GRID, anatomy_of, drawn_case
from cop_imaging.core.arrays import BoolArray, Float64Array
from cop_imaging.scene import build_scene
from cop_imaging.signs import observe
from cop_imaging.synth.diseases.knowledge import load_knowledge
from cop_imaging.synth.phantom import Phantom, make_case

TARGETS = {"consolidation": 0.95, "ground_glass": 0.90}
"""Smallest ICC; the bias may be 10 % either way."""
HEALTHY_PERCENT = {"consolidation": 0.3, "ground_glass": 2.0}
KERNELS = ("soft", "sharp")
SAME_SHARE, SAME_ML = 0.20, 3.0

Line = dict[str, Any]


def true_masks(phantom: Phantom) -> dict[str, BoolArray]:
    """What the two signs should find, bool on the phantom's grid."""
    t = phantom.truth
    none = np.zeros(phantom.volume.hu.shape, dtype=bool)
    lines = t.get("band", none) | t.get("perilobular", none)
    mass = t.get("mass", none) & (phantom.volume.hu > -300) & ~t["airways"]
    return {
        "consolidation": (t["consolidation"] & ~lines) | mass,
        "ground_glass": t["ground_glass"] & ~t["vessels"] & ~t["airways"],
    }


def measured(phantom: Phantom, lungs: str) -> Line | None:
    """Volumes with their intervals, in mL, and the lungs' volume; None where no lungs were seen."""
    anatomy = anatomy_of(phantom.volume, phantom.truth, lungs)
    if anatomy is None:
        return None
    scene = build_scene(phantom.volume, anatomy)
    found = {f.sign: f for f in observe(scene, names=("ground_glass",))}
    volumes = {name: f.measure(f"{name}.volume_ml") for name, f in found.items()}
    return {
        "lungs_ml": scene.reference.total_ml,
        "haze_ml": found["ground_glass"].measure("ground_glass.dependent_haze_ml").value,
        **{name: [m.value, m.low, m.high] for name, m in volumes.items()},
    }


def line_of(seed: int, lungs: tuple[str, ...], kernels: bool) -> Line:
    """Everything that is kept of one chest."""
    case = drawn_case(seed, load_knowledge())
    phantom = make_case(case, GRID)
    ml = phantom.volume.geometry.voxel_ml
    line: Line = {"seed": seed, "disease": case.disease}
    line["truth"] = {name: float(mask.sum()) * ml for name, mask in true_masks(phantom).items()}
    line |= {which: measured(phantom, which) for which in lungs}
    if kernels:
        for kernel in KERNELS:
            usual = {"kernel": kernel, "mtf50_per_cm": None, "enhancement": None, "kernel_name": None}
            again = case.model_copy(update={"scanner": case.scanner.model_copy(update=usual)})
            line[kernel] = measured(make_case(again, GRID), "true")
    return line


def icc(truth: Float64Array, found: Float64Array) -> float:
    """Intraclass correlation ICC(2,1): two-way random effects, absolute agreement, single measurement."""
    x = np.stack([truth, found], axis=1)
    n, k = x.shape
    rows, columns, mean = x.mean(axis=1), x.mean(axis=0), x.mean()
    between = k * ((rows - mean) ** 2).sum() / (n - 1)
    raters = n * ((columns - mean) ** 2).sum() / (k - 1)
    rest = ((x - rows[:, None] - columns[None] + mean) ** 2).sum() / ((n - 1) * (k - 1))
    return float((between - rest) / (between + (k - 1) * rest + k * (raters - rest) / n))


def agreement(lines: list[Line], which: str) -> None:
    """Bias, ICC and error of the volumes with these lungs, and the healthy chests."""
    seen = [line for line in lines if line.get(which)]
    ill = [line for line in seen if line["disease"] != "NORMAL"]
    for name, least in TARGETS.items():
        truth = np.array([line["truth"][name] for line in ill])
        found = np.array([line[which][name][0] for line in ill])
        if len(ill) > 2 and truth.sum() > 0:
            bias = 100.0 * (found.sum() / truth.sum() - 1.0)
            error = np.abs(found - truth)
            print(
                f"{which} lungs, {name}: {len(ill)} chests, mean {truth.mean():.0f} mL, bias {bias:+.1f} % (10), ICC "
                f"{icc(truth, found):.3f} (at least {least}), mean abs. error {error.mean():.1f} mL, median "
                f"{np.median(error):.1f} mL"
            )
        healthy = [100.0 * line[which][name][0] / line[which]["lungs_ml"] for line in seen if line not in ill]
        if healthy:
            print(
                f"{which} lungs, {name}: {len(healthy)} healthy chests, mean {np.mean(healthy):.2f} %, most "
                f"{max(healthy):.2f} % (at most {HEALTHY_PERCENT[name]})"
            )


def invariance(lines: list[Line]) -> None:
    """Extents of the same chest with a soft and with a sharp kernel."""
    pairs = [(line[KERNELS[0]], line[KERNELS[1]]) for line in lines if line.get(KERNELS[0]) and line.get(KERNELS[1])]
    for name in TARGETS:
        a = np.array([[one[name][0], two[name][0]] for one, two in pairs]).reshape(-1, 2)
        apart = np.abs(a[:, 0] - a[:, 1])
        same = (apart <= SAME_ML) | (apart <= SAME_SHARE * a.max(axis=1))
        if pairs:
            print(f"{' against '.join(KERNELS)}, {name}: {same.sum()} of {len(same)} chests within 20 % or 3 mL")


def main() -> None:
    """Make, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--first", type=int, default=73000)
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--lungs", choices=("true", "own", "both"), default="both")
    parser.add_argument("--kernels", type=int, default=0, help="chests that are scanned with both kernels")
    parser.add_argument("--folder", type=Path, help="keeps the figures of the chests that were measured")
    wanted = parser.parse_args()
    lungs = ("true", "own") if wanted.lungs == "both" else (wanted.lungs,)
    lines = []
    for seed in range(wanted.first, wanted.first + wanted.count):
        file = wanted.folder / f"{seed}.json" if wanted.folder else None
        if file is not None and file.exists():
            line = json.loads(file.read_text(encoding="utf-8"))
        else:
            line = line_of(seed, lungs, seed - wanted.first < wanted.kernels)
            if file is not None:
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(json.dumps(line) + "\n", encoding="utf-8")
        lines.append(line)
        print(json.dumps(line), flush=True)
    for which in lungs:
        agreement(lines, which)
    invariance(lines)


if __name__ == "__main__":
    main()
