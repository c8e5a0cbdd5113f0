"""How much, where and on which side: ``python -m benchmarks.airspace_signs --first 71001 --count 20 [--lungs both]``.

Chests are drawn as for ``benchmarks.sign_presence`` and measured with the true lungs, with the program's own, or both.
One line of JSON per chest and lungs is kept in the folder, so that a stopped run goes on where it was.

- Place: extents of consolidation and ground glass by side, zone and depth shell against those of their true masks (in
  the true lungs), where these are at least 1 %. Masses count as consolidation here (other signs name them), lung
  that has collapsed beside fluid does not. Given are the bias of the sum, the sum of all errors over
  it, the median error and the share of values within 15 %; once as they are, once after both masks were given the same
  volume, which leaves the place alone. A side is swapped when one side holds 60 % of the true volume and the other
  most of the found volume.
- Amount: extent of honeycombing, mosaic attenuation and emphysema, and volume of fluid on each side, against the truth.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.sign_presence import GRID, anatomy_of, drawn_case, kept_lines
from cop_imaging.core.arrays import AnyArray
from cop_imaging.core.finding import Finding
from cop_imaging.core.scene import ZONES, Scene
from cop_imaging.scene import build_scene
from cop_imaging.signs import observe
from cop_imaging.signs.distribution import DEPTH_SHELLS_MM, distribution_of
from cop_imaging.synth.diseases.knowledge import load_knowledge
from cop_imaging.synth.phantom import make_case

PLACED = {
    "consolidation": ("consolidation", "mass", "cavity"),
    "ground_glass": ("ground_glass",),
}
AMOUNTS = {"honeycombing": ("honeycombing",), "mosaic_attenuation": ("mosaic",), "emphysema": ("emphysema",)}
"""Signs and their true masks."""
GROUPS = {
    "side": ("extent_right_percent", "extent_left_percent"),
    "zone": tuple(f"extent_{zone}_percent" for zone in ZONES),
    "depth": tuple(
        f"extent_{low}_{high}_mm_percent" if high else f"extent_over_{low}_mm_percent" for low, high in DEPTH_SHELLS_MM
    ),
}
LEAST_PERCENT, WITHIN, ONE_SIDED = 1.0, 0.15, 0.6
LEAST_ML = 5.0

Line = dict[str, Any]


def values_of(finding: Finding) -> dict[str, float | None]:
    """Values of a finding by the part of their name after the sign."""
    return {m.name.removeprefix(f"{finding.sign}."): m.value for m in finding.measures}


def measured(truth: Mapping[str, AnyArray], true_scene: Scene, scene: Scene) -> Line:
    """Numbers of the true masks in the true lungs, and those that were found."""
    out: Line = {}
    found = {f.sign: f for f in observe(scene, names=(*PLACED, *AMOUNTS, "pleural_effusion"))}
    for sign, names in (PLACED | AMOUNTS).items():
        mask = np.zeros(true_scene.lungs.shape, dtype=bool)
        for name in names:
            mask |= np.asarray(truth[name])[true_scene.box] if name in truth else False
        table = distribution_of(sign, mask, true_scene, smallest_patch_ml=0.0)
        out[sign] = {
            "true": {name.removeprefix(f"{sign}."): value for name, value in table.items()},
            "found": values_of(found[sign]),
        }
    fluid = np.asarray(truth["effusion"])
    ml = true_scene.geometry.voxel_ml
    middle = np.flatnonzero((np.asarray(truth["lungs"]) == 2).any(axis=(0, 1)))
    sides = [int(fluid[..., : middle[0]].sum()), int(fluid[..., middle[0] :].sum())] if middle.size else [0, 0]
    out["pleural_effusion"] = {
        "true": {"right_volume_ml": sides[0] * ml, "left_volume_ml": sides[1] * ml},
        "found": values_of(found["pleural_effusion"]),
    }
    return out


def places(lines: Sequence[Line], sign: str, names: Sequence[str], *, same_volume: bool) -> str:
    """Bias, median error and share within 15 % of some extents, over all chests."""
    true, found = [], []
    for line in lines:
        t, f = line["signs"][sign]["true"], line["signs"][sign]["found"]
        if not t["volume_ml"] or f.get("volume_ml") is None:
            continue
        scale = t["extent_percent"] / f["extent_percent"] if same_volume and f["extent_percent"] else 1.0
        for name in names:
            if t[name] is not None and f[name] is not None and t[name] >= LEAST_PERCENT:
                true.append(t[name])
                found.append(scale * f[name])
    if not true:
        return "none"
    t, f = np.array(true), np.array(found)
    error = np.abs(f - t) / t
    return (
        f"{t.size:4d} values, bias {100 * (f.sum() / t.sum() - 1):+6.1f} %, "
        f"misplaced {100 * np.abs(f - t).sum() / t.sum():5.1f} %, median error {100 * np.median(error):5.1f} %, "
        f"within 15 %: {(error <= WITHIN).mean():.2f}"
    )


def swapped(lines: Sequence[Line], sign: str) -> str:
    """Chests whose disease is found on the wrong side."""
    wrong = judged = 0
    for line in lines:
        t, f = (line["signs"][sign][k].get("right_share") for k in ("true", "found"))
        if t is None or f is None or line["signs"][sign]["true"]["volume_ml"] < LEAST_ML:
            continue
        if max(t, 1.0 - t) >= ONE_SIDED:
            judged += 1
            wrong += (t > 0.5) != (f > 0.5)
    return f"side swapped in {wrong} of {judged}"


def amounts(lines: Sequence[Line], pick: Callable[[Line], Sequence[tuple[float | None, float | None]]]) -> str:
    """Bias and median error where there is something, what is found where there is nothing, and the correlation."""
    pairs = [(t, f) for line in lines for t, f in pick(line) if t is not None and f is not None]
    if not pairs:
        return "none"
    t, f = np.array(pairs, dtype=np.float64).T
    some = t > 0.1
    text = f"{int(some.sum()):3d} with it, "
    if some.any():
        error = np.abs(f[some] - t[some]) / t[some]
        text += (
            f"bias {100 * (f[some].sum() / t[some].sum() - 1):+6.1f} %, median error {100 * np.median(error):.0f} %, "
        )
    if some.sum() > 2:
        text += f"r {np.corrcoef(t[some], f[some])[0, 1]:.2f}, "
    if (~some).any():
        text += f"{int((~some).sum())} without it: median {np.median(f[~some]):.3f}, most {f[~some].max():.3f}"
    return text


def table(lines: Sequence[Line], lungs: str) -> str:
    """All figures for one kind of lungs."""
    mine = [line for line in lines if line["lungs"] == lungs]
    rows = [f"{lungs} lungs, {len(mine)} chests"]
    for sign in PLACED:
        for group, names in GROUPS.items():
            for same in (False, True):
                title = f"{sign} by {group}" + (", same volume" if same else "")
                rows.append(f"  {title:<40} {places(mine, sign, names, same_volume=same)}")
        rows.append(f"  {sign:<40} {swapped(mine, sign)}")

    def extent(sign: str) -> Callable[[Line], Sequence[tuple[float | None, float | None]]]:
        return lambda line: [tuple(line["signs"][sign][k]["extent_percent"] for k in ("true", "found"))]  # type: ignore[list-item]

    rows += [f"  {f'{sign}, percent of lung':<40} {amounts(mine, extent(sign))}" for sign in AMOUNTS]
    fluid = amounts(
        mine,
        lambda line: [
            tuple(line["signs"]["pleural_effusion"][k].get(f"{side}_volume_ml") for k in ("true", "found"))  # type: ignore[misc]
            for side in ("right", "left")
        ],
    )
    rows.append(f"  {'pleural effusion, mL on each side':<40} {fluid}")
    return "\n".join(rows)


def main() -> None:
    """Make, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--first", type=int, required=True, help="first seed")
    parser.add_argument("--count", type=int, default=20, help="number of seeds")
    parser.add_argument("--folder", type=Path, default=Path("out/airspace_signs"), help="where the lines are kept")
    parser.add_argument("--lungs", choices=("true", "own", "both"), default="both", help="whose lungs")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    kinds = ("true", "own") if options.lungs == "both" else (options.lungs,)
    seeds = range(options.first, options.first + options.count)
    done = {(line["seed"], line["lungs"]) for line in kept_lines(options.folder)}
    knowledge = load_knowledge()
    for seed in seeds:
        wanted = [kind for kind in kinds if (seed, kind) not in done]
        if not wanted:
            continue
        phantom = make_case(drawn_case(seed, knowledge), GRID)
        right = anatomy_of(phantom.volume, phantom.truth, "true")
        assert right is not None
        true_scene = build_scene(phantom.volume, right)
        for kind in wanted:
            anatomy = anatomy_of(phantom.volume, phantom.truth, "own") if kind == "own" else right
            if anatomy is None:
                print(f"{seed}: no lungs are seen", flush=True)
                continue
            scene = true_scene if kind == "true" else build_scene(phantom.volume, anatomy)
            line = {"seed": seed, "lungs": kind, "signs": measured(phantom.truth, true_scene, scene)}
            with (options.folder / "cases.jsonl").open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
            print(f"{seed} {kind} lungs", flush=True)
    lines = [line for line in kept_lines(options.folder) if line["seed"] in seeds]
    for kind in kinds:
        print("\n" + table(lines, kind))


if __name__ == "__main__":
    main()
