"""How well every sign tells the chests that have it: ``python -m benchmarks.sign_presence --first 71001 --count 80``.

Diseased chests are drawn with equal chances among the diseases; every tenth seed is healthy. Each is measured with the
program's own lungs, with the true ones, or with both. One line of JSON per chest and lungs is kept in the folder, so
that a stopped run goes on where it was; lines measured by other signs than today's are measured again with ``--again``.

For each sign two truths are judged: the finding that was drawn, and (where the phantom draws a mask of it) the mask's
volume. AUROC is among diseased chests, with the 95 % interval of a bootstrap; the healthy ones are counted apart.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from cop_imaging.anatomy import segment
from cop_imaging.core.anatomy import Anatomy
from cop_imaging.core.arrays import AnyArray
from cop_imaging.core.finding import Finding
from cop_imaging.core.geometry import Geometry
from cop_imaging.core.volume import CTVolume
from cop_imaging.errors import SeriesError
from cop_imaging.scene import build_scene
from cop_imaging.signs import observe
from cop_imaging.signs.presence import POSSIBLE_SCORE, PRESENT_SCORE
from cop_imaging.synth.case import CaseSpec, draw_case, draw_disease
from cop_imaging.synth.diseases.knowledge import Knowledge, load_knowledge
from cop_imaging.synth.phantom import Phantom, make_case
from cop_imaging.training.metrics import auroc, with_interval

GRID = Geometry((250, 352, 416), (1.25, 0.9, 0.9), (-187.0, -160.0, -195.0))
HEALTHY, HEALTHY_EVERY = "NORMAL", 10
MASKS = {
    "consolidation": ("consolidation",),
    "ground_glass": ("ground_glass",),
    "reversed_halo": ("reversed_halo",),
    "perilobular": ("perilobular",),
    "small_nodules": ("nodule",),
    "centrilobular_nodules": ("centrilobular_nodules", "tree_in_bud"),
    "large_nodule_or_mass": ("mass",),
    "bands": ("band",),
    "bronchial_wall_thickening": ("wall_thickening",),
    "bronchial_dilation": ("bronchial_dilatation",),
    "reticulation": ("reticulation",),
    "honeycombing": ("honeycombing",),
    "traction_bronchiectasis": ("traction_bronchiectasis",),
    "crazy_paving": ("crazy_paving",),
    "mosaic_attenuation": ("mosaic",),
    "cavity": ("cavity",),
    "emphysema": ("emphysema",),
    "pleural_effusion": ("effusion",),
}
"""True masks by sign; a sign that is not here is judged by the drawn finding alone."""
LEAST_ML, LEAST_PERCENT = 0.2, 0.5
"""Volume of a true mask from which the sign is there; of these signs, which are reported by extent, in % of lung."""
BY_EXTENT = ("consolidation", "ground_glass", "emphysema", "mosaic_attenuation")
REPEATS = 300

Line = dict[str, Any]


def drawn_case(seed: int, knowledge: Knowledge) -> CaseSpec:
    """The case of a seed: a disease with equal chances, or none."""
    diseases = tuple(d for d in knowledge.diseases if d != HEALTHY)
    disease = draw_disease(seed, knowledge, diseases) if seed % HEALTHY_EVERY else HEALTHY
    return draw_case(disease, seed, knowledge=knowledge)


def anatomy_of(volume: CTVolume, truth: Mapping[str, AnyArray], lungs: str) -> Anatomy | None:
    """Anatomy with the program's own lungs (None where it sees none) or with the true lungs and fluid."""
    if lungs == "true":
        return replace(segment(volume, lungs=truth["lungs"]), effusion=np.array(truth["effusion"]))
    try:
        return segment(volume)
    except SeriesError:
        return None


def line_of(
    case: CaseSpec, lungs: str, truth_ml: Mapping[str, float], lungs_ml: float, findings: Iterable[Finding]
) -> Line:
    """What is kept of a chest: its truth and each sign's score, volume and presence."""
    signs: dict[str, dict[str, Any]] = {}
    for f in findings:
        volume = next((m.value for m in f.measures if m.name == f"{f.sign}.volume_ml"), None)
        score = None if f.score is None else round(float(f.score), 4)
        signs[f.sign] = {"score": score, "ml": None if volume is None else round(volume, 3), "presence": f.presence}
    return {
        "seed": case.seed,
        "lungs": lungs,
        "disease": case.disease,
        "op": case.op,
        "drawn": list(case.findings),
        "lungs_ml": round(lungs_ml, 1),
        "truth_ml": {name: round(ml, 3) for name, ml in truth_ml.items()},
        "signs": signs,
    }


def volumes_ml(truth: Mapping[str, AnyArray], geometry: Geometry) -> dict[str, float]:
    """Volume of every true mask."""
    return {name: float(np.count_nonzero(mask)) * geometry.voxel_ml for name, mask in truth.items()}


def measured(phantom: Phantom, case: CaseSpec, lungs: str) -> Line:
    """All signs of a made chest."""
    start = time.perf_counter()
    ml = volumes_ml(phantom.truth, phantom.volume.geometry)
    anatomy = anatomy_of(phantom.volume, phantom.truth, lungs)
    found: tuple[Finding, ...] = ()
    signs_s = 0.0
    if anatomy is not None:
        begun = time.perf_counter()
        found = observe(build_scene(phantom.volume, anatomy), issues=anatomy.issues)
        signs_s = time.perf_counter() - begun
    line = line_of(case, lungs, ml, ml["lungs"], found)
    return line | {"signs_s": round(signs_s, 1), "seconds": round(time.perf_counter() - start, 1)}


def kept_lines(folder: Path) -> list[Line]:
    """The lines of a folder; of a chest that was measured twice the later one."""
    file = folder / "cases.jsonl"
    rows = [json.loads(text) for text in file.read_text(encoding="utf-8").splitlines()] if file.exists() else []
    return list({(row["seed"], row["lungs"]): row for row in rows}.values())


def present_by_mask(line: Line, sign: str) -> bool | None:
    """Whether the true mask shows the sign; None when no mask could."""
    if sign not in MASKS:
        return None
    ml = sum(line["truth_ml"].get(name, 0.0) for name in MASKS[sign])
    return bool(ml > (LEAST_PERCENT / 100.0 * line["lungs_ml"] if sign in BY_EXTENT else LEAST_ML))


def figures(score: Sequence[float], truth: Sequence[bool]) -> str:
    """AUROC with its interval, sensitivity and specificity at both limits."""
    s, t = np.array(score, dtype=np.float64), np.array(truth, dtype=bool)
    if not t.any() or t.all():
        return f"{int(t.sum()):4d} of {t.size:<4d}" + " " * 48
    area = with_interval(auroc, [s], [t], np.random.default_rng(1), REPEATS)
    text = f"{int(t.sum()):4d} of {t.size:<4d} {area['value']:.3f} ({area['low']:.2f}-{area['high']:.2f})"
    for limit in (POSSIBLE_SCORE, PRESENT_SCORE):
        text += f"   {(s[t] >= limit).mean():5.2f} / {(s[~t] < limit).mean():.2f}"
    return text + " "


def table(lines: Sequence[Line], lungs: str) -> str:
    """One row per sign and truth."""
    mine = [line for line in lines if line["lungs"] == lungs]
    ill = [line for line in mine if line["disease"] != HEALTHY]
    well = [line for line in mine if line["disease"] == HEALTHY]
    names = list(dict.fromkeys(name for line in mine for name in line["signs"]))
    rows = [
        f"{lungs} lungs: {len(ill)} diseased and {len(well)} healthy chests",
        f"{'sign':<26} {'by':<5} {'with it':>8}    AUROC (95 % interval)"
        "  possible: sens / spec   present: sens / spec   not assessable   healthy: possible, present",
    ]
    for name in names:
        seen = [line for line in ill if line["signs"].get(name, {}).get("score") is not None]
        healthy = [
            line["signs"][name]["score"] for line in well if line["signs"].get(name, {}).get("score") is not None
        ]
        scores = [line["signs"][name]["score"] for line in seen]
        if not any(scores) and not any(name in line["drawn"] for line in ill):
            continue
        for by in ("drawn", "mask"):
            there = [present_by_mask(line, name) if by == "mask" else name in line["drawn"] for line in seen]
            if None in there:
                continue
            well_text = ", ".join(str(sum(v >= k for v in healthy)) for k in (POSSIBLE_SCORE, PRESENT_SCORE))
            rows.append(
                f"{name:<26} {by:<5} {figures(scores, [bool(v) for v in there])}"
                f"{len(ill) - len(seen):8d}        {well_text} of {len(healthy)}"
            )
    return "\n".join(rows)


def main() -> None:
    """Make, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--first", type=int, required=True, help="first seed")
    parser.add_argument("--count", type=int, default=20, help="number of seeds")
    parser.add_argument("--folder", type=Path, default=Path("out/sign_presence"), help="where the lines are kept")
    parser.add_argument("--lungs", choices=("true", "own", "both"), default="both", help="whose lungs")
    parser.add_argument("--again", action="store_true", help="measure chests again that have a line")
    options = parser.parse_args()
    seeds = range(options.first, options.first + options.count)
    lungs = ("true", "own") if options.lungs == "both" else (options.lungs,)
    options.folder.mkdir(parents=True, exist_ok=True)
    done = set() if options.again else {(line["seed"], line["lungs"]) for line in kept_lines(options.folder)}
    knowledge = load_knowledge()
    for seed in seeds:
        wanted = [which for which in lungs if (seed, which) not in done]
        if not wanted:
            continue
        case = drawn_case(seed, knowledge)
        phantom = make_case(case, GRID)
        for which in wanted:
            line = measured(phantom, case, which)
            with (options.folder / "cases.jsonl").open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
            print(
                f"{seed} {case.disease} {which} lungs, {line['seconds']:.0f} s, signs {line['signs_s']:.0f} s",
                flush=True,
            )
    lines = [line for line in kept_lines(options.folder) if line["seed"] in seeds]
    for which in lungs:
        print("\n" + table(lines, which))


if __name__ == "__main__":
    main()
