"""Does the doubt flag catch bad lung masks? ``python -m benchmarks.lung_doubt [--first SEED --count N]``.

Made chests that are hard on purpose: a white lung, huge effusions, strong noise, a cut field of view, odd positions. A
mask is bad when its Dice is below 0.93, or when it keeps less than 0.7 of the airless lung in pieces of 5 mL and more.
Every second chest is an ordinary one, for the false alarms.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.stats import beta

from cop_imaging.anatomy import AnatomyConfig, segment
from cop_imaging.core.arrays import AnyArray
from cop_imaging.core.volume import CTVolume
from cop_imaging.errors import SeriesError
from cop_imaging.synth.case import draw_case, stream
from cop_imaging.synth.ground import ground_of
from cop_imaging.synth.phantom import scanned
from cop_imaging.synth.render import model_of
from cop_imaging.training.lungs.disease import FAMILIES
from cop_imaging.training.lungs.samples import GRID, airless, made_chest

HARD = ("white", "fluid", "noise", "cut", "turned")
QUICK = AnatomyConfig(method="network", work_spacing_mm=3.0)
"""The chests are drawn on cubes of 3.5 mm: a finer grid shows nothing more."""
LEAST_DICE, LEAST_KEPT, LEAST_ML = 0.93, 0.7, 5.0


def chest(seed: int) -> tuple[str, CTVolume, dict[str, AnyArray]]:
    """A chest: ordinary for even seeds, hard for odd ones."""
    if seed % 2 == 0:
        phantom, _ = made_chest(seed)
        return "ordinary", phantom.volume, dict(phantom.truth)
    rng = np.random.default_rng([seed, 21])
    kind = HARD[seed // 2 % len(HARD)]
    case = draw_case("NORMAL", seed).with_slices(GRID.spacing_mm[0])
    model = model_of(case.body, stream(seed, "model"))
    terrain = ground_of(model).terrain
    families = {"white": ("white_out", "lobar"), "fluid": ("fluid", "fluid", "fluid")}.get(kind, ("lobar", "patchy"))
    lesions = tuple(lesion for name in families for lesion in FAMILIES[name][0](terrain, rng))
    phantom = scanned(model, GRID, lesions, case.scanner, stream(seed, "noise"))
    hu, truth = phantom.volume.hu.astype(np.float32), {name: np.array(a) for name, a in phantom.truth.items()}
    if kind == "noise":
        hu += rng.normal(0.0, rng.uniform(80.0, 300.0), hu.shape)
    elif kind == "cut":
        axis = int(rng.integers(3))
        share, low = rng.uniform(0.35, 0.6), bool(rng.random() < 0.5)
        n = int(share * hu.shape[axis])
        keep = tuple((slice(None, n) if low else slice(-n, None)) if a == axis else slice(None) for a in range(3))
        gone = np.ones(hu.shape, dtype=bool)
        gone[keep] = False
        hu[gone] = -1024.0
        for mask in truth.values():
            mask[gone] = 0
    elif kind == "turned":
        # A header that lies about the position: the back where the front should be, or head and feet exchanged.
        axes = ((1, 2), (0, 2), (0, 1))[int(rng.integers(3))]
        hu = np.ascontiguousarray(np.flip(hu, axes))
        truth = {name: np.ascontiguousarray(np.flip(a, axes)) for name, a in truth.items()}
    values = np.clip(np.rint(hu), -1024, 3071).astype(np.int16)
    return kind, replace(phantom.volume, hu=values), truth


def main() -> None:
    """Make, mask, count."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--first", type=int, default=95_001)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--out", type=Path, help="file of JSON lines that is gone on with")
    arguments = parser.parse_args()
    rows = (
        [json.loads(line) for line in arguments.out.read_text().splitlines()]
        if arguments.out and arguments.out.exists()
        else []
    )
    for seed in range(arguments.first + len(rows), arguments.first + arguments.count):
        kind, volume, truth = chest(seed)
        lungs = truth["lungs"] > 0
        row: dict[str, object] = {"seed": seed, "kind": kind}
        try:
            found = segment(volume, QUICK)
        except SeriesError as error:
            row |= {"refused": error.code}
        else:
            got, dense = found.lungs > 0, airless(truth)
            ml = float(dense.sum()) * volume.geometry.voxel_ml
            swapped = int(
                ((truth["lungs"] == 1) & (found.lungs == 2)).sum() + ((truth["lungs"] == 2) & (found.lungs == 1)).sum()
            )
            d = found.doubt
            row |= {
                "dice": float(2 * (got & lungs).sum() / max(int(got.sum() + lungs.sum()), 1)),
                "kept": float((got & dense).sum() / dense.sum()) if ml >= LEAST_ML else None,
                "swapped": swapped / max(int(lungs.sum()), 1),
                "trust": d.trust, "sure": d.sure,
                "unseen": d.unseen, "ratio": d.right_to_left, "issues": [i.code for i in found.issues],
            }  # fmt: skip
        rows.append(row)
        line = json.dumps(row)
        print(line, flush=True)
        if arguments.out:
            with arguments.out.open("a") as file:
                file.write(line + "\n")
    report(rows)


def report(rows: list[dict[str, object]]) -> None:
    """Caught and false alarms with their intervals."""
    masks = [r for r in rows if "refused" not in r]
    bad = [r for r in masks if r["dice"] < LEAST_DICE or (r["kept"] is not None and r["kept"] < LEAST_KEPT)]  # type: ignore[operator]
    good = [r for r in masks if r not in bad]
    for title, group in (("bad masks caught", bad), ("good masks doubted", good)):
        hits = sum("lungs.doubtful" in r["issues"] for r in group)  # type: ignore[operator]
        n = len(group)
        low, high = beta.ppf([0.025, 0.975], [hits, hits + 1], [n - hits + 1, n - hits]) if n else (np.nan, np.nan)
        print(
            f"{title}: {hits} of {n} = {hits / max(n, 1):.3f} ({np.nan_to_num(low):.3f}-"
            f"{np.nan_to_num(high, nan=1.0):.3f})"
        )
    print(f"refused: {len(rows) - len(masks)}", file=sys.stderr)


if __name__ == "__main__":
    main()
