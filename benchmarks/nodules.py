"""Small nodules one by one: ``python -m benchmarks.nodules --first 73000 --count 12 [--lungs own|true|both]``.

Chests are drawn in turn: healthy ones with nodules, diseased ones with nodules besides their own findings, and healthy
ones without any (false nodules per scan). 12 to 24 nodules of 3 to 10 mm lie anywhere in the lungs. With
``--scan SERIES`` (a folder of DICOM slices of near-normal lungs) nodules are inserted into that scan instead, a new
draw for each seed; what the scan shows without them is not counted.

A nodule is hit when a detection's middle lies inside it (its true mask, or half a millimetre beyond its radius). A
nodule of which consolidation hides half or more is not looked for. Detections on other true round lesions (masses,
centrilobular nodules, tree-in-bud, cavities, halo nodules) are neither right nor wrong. One line of JSON per chest is
kept in ``--folder``, so that a stopped run goes on where it was.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.sign_presence import GRID, anatomy_of
from cop_imaging.anatomy import segment
from cop_imaging.core.arrays import AnyArray
from cop_imaging.core.scene import Scene
from cop_imaging.ingest import read_series
from cop_imaging.scene import build_scene
from cop_imaging.signs.nodules.candidates import Blobs
from cop_imaging.signs.small_nodules import SmallNodules
from cop_imaging.synth.case import draw_case, draw_disease, stream
from cop_imaging.synth.diseases.emphysema import with_emphysema
from cop_imaging.synth.diseases.knowledge import load_knowledge
from cop_imaging.synth.diseases.rendering import draw_lesions
from cop_imaging.synth.ground import ground_of
from cop_imaging.synth.insertion import insert, terrain_of_scan
from cop_imaging.synth.lesions.nodule import Nodule, draw_nodule
from cop_imaging.synth.phantom import Phantom, scanned
from cop_imaging.synth.render import model_of
from cop_imaging.synth.terrain import Terrain, Where

TARGET_F1 = 0.70
KINDS = ("healthy chest with nodules", "diseased chest with nodules", "healthy chest without nodules")
SIZES_MM = ((3.0, 5.0), (5.0, 7.0), (7.0, 10.0))
NUMBER, DIAMETER_MM = (12, 25), (3.0, 10.0)
BEYOND_MM, HIDDEN_SHARE = 0.5, 0.5
ROUND = ("mass", "centrilobular_nodules", "tree_in_bud", "cavity", "halo_nodule", "nodule")

Line = dict[str, Any]


def nodules_in(terrain: Terrain, seed: int) -> tuple[Nodule, ...]:
    """The nodules of a seed."""
    rng = np.random.default_rng([seed, 17])
    return draw_nodule(terrain, rng, where=Where(), number=int(rng.integers(*NUMBER)), diameter_mm=DIAMETER_MM)


def made_chest(seed: int, kind: str) -> Phantom:
    """A chest of that kind."""
    knowledge = load_knowledge()
    ill = tuple(d for d in knowledge.diseases if d != "NORMAL")
    disease = draw_disease(seed, knowledge, ill) if kind.startswith("diseased") else "NORMAL"
    case = draw_case(disease, seed, knowledge=knowledge).with_slices(GRID.spacing_mm[0])
    model = with_emphysema(model_of(case.body, stream(seed, "model")), case)
    ground = ground_of(model)
    own = draw_lesions(case, ground) if kind.startswith("diseased") else ()
    added = () if kind.endswith("without nodules") else nodules_in(ground.terrain, seed)
    return scanned(model, GRID, (*own, *added), case.scanner, stream(seed, "noise"))


def line_of(seed: int, kind: str, scene: Scene, truth: Mapping[str, AnyArray], nodules: Sequence[Nodule]) -> Line:
    """Hits and false detections of a chest; ``truth`` on the scene's crop."""
    found = SmallNodules().nodules(scene)
    seen = [n for n in nodules if not hidden(n, scene, truth.get("consolidation"))]
    at = np.clip(np.rint(scene.geometry.to_index(found.point_mm)), 0, np.array(scene.lungs.shape) - 1).astype(int)
    hits, used = [], np.zeros(len(found), dtype=bool)
    for nodule in seen:
        mine = distances_mm(found, nodule) <= 0.5 * nodule.diameter_mm + BEYOND_MM
        hits.append([nodule.diameter_mm, bool(mine.any())])
        used |= mine
    spared = np.zeros(len(found), dtype=bool)
    for name in ROUND:
        if name in truth:
            spared |= truth[name][tuple(at.T)]
    wrong = ~used & ~spared
    dense = truth["consolidation"][tuple(at.T)] if "consolidation" in truth else np.zeros(len(found), dtype=bool)
    return {
        "seed": seed,
        "kind": kind,
        "nodules": hits,
        "false": int(wrong.sum()),
        "false_on_consolidation": int((wrong & dense).sum()),
        "false_mm": [round(2.0 * float(r), 1) for r in found.radius_mm[wrong]],
    }


def distances_mm(found: Blobs, nodule: Nodule) -> AnyArray:
    """From the nodule's middle to every detection."""
    out: AnyArray = np.linalg.norm(found.point_mm - np.array(nodule.centre_mm), axis=1)
    return out


def hidden(nodule: Nodule, scene: Scene, consolidation: AnyArray | None) -> bool:
    """Whether consolidation takes half or more of the nodule's place."""
    if consolidation is None:
        return False
    reach = np.array([0.5 * nodule.diameter_mm / s for s in scene.geometry.spacing_mm])
    middle = scene.geometry.to_index(nodule.centre_mm)
    low, high = np.floor(middle - reach).astype(int), np.ceil(middle + reach).astype(int) + 1
    box = tuple(slice(max(a, 0), max(b, 0)) for a, b in zip(low, high, strict=True))
    part = consolidation[box]
    return part.size > 0 and float(part.mean()) >= HIDDEN_SHARE


def measured_made(seed: int, kind: str, lungs: str) -> Line | None:
    """The line of a made chest; None where the program sees no lungs."""
    phantom = made_chest(seed, kind)
    anatomy = anatomy_of(phantom.volume, phantom.truth, lungs)
    if anatomy is None:
        return None
    scene = build_scene(phantom.volume, anatomy)
    truth = {name: mask[scene.box] for name, mask in phantom.truth.items()}
    added = nodules_of(phantom)
    return line_of(seed, kind, scene, truth, added) | {"lungs": lungs}


def nodules_of(phantom: Phantom) -> list[Nodule]:
    """All small nodules of a chest, the disease's own too."""
    return [lesion for lesion in phantom.lesions if isinstance(lesion, Nodule)]


def measured_scans(folder: Path, seeds: Sequence[int]) -> list[Line]:
    """Lines of one real scan with nodules inserted, a draw for each seed; its own detections are taken off."""
    volume = read_series(folder)
    anatomy = segment(volume)
    terrain = terrain_of_scan(anatomy.lungs, volume.geometry, anatomy.airways)
    before = SmallNodules().nodules(build_scene(volume, anatomy)).point_mm
    lines = []
    for seed in seeds:
        nodules = nodules_in(terrain, seed)
        changed = insert(volume, anatomy.lungs, nodules, seed=seed, airways=anatomy.airways)
        again = segment(changed.volume)
        scene = build_scene(changed.volume, again)
        line = line_of(seed, "inserted into a scan", scene, {}, nodules)
        found = SmallNodules().nodules(scene).point_mm
        own = [np.linalg.norm(before - p, axis=1).min(initial=np.inf) < 3.0 for p in found]
        lines.append(
            line | {"lungs": "own", "false": max(line["false"] - int(np.sum(own)), 0), "scan_itself": len(before)}
        )
    return lines


def table(lines: Sequence[Line]) -> str:
    """The figures against the target."""
    out = []
    for lungs in sorted({line["lungs"] for line in lines}):
        for kind in sorted({line["kind"] for line in lines}):
            rows = [line for line in lines if line["kind"] == kind and line["lungs"] == lungs]
            if rows:
                out.append(f"{kind}, {lungs} lungs, {len(rows)} scans: {figures(rows)}")
        withs = [line for line in lines if line["lungs"] == lungs and not line["kind"].endswith("without nodules")]
        if withs:
            out.append(f"ALL WITH NODULES, {lungs} lungs: {figures(withs)} (target F1 {TARGET_F1:.2f})")
    return "\n".join(out)


def figures(rows: Sequence[Line]) -> str:
    """F1 of all sizes and sensitivity of each, and false nodules per scan."""
    nodules = [n for line in rows for n in line["nodules"]]
    false = sum(line["false"] for line in rows)
    dense = sum(line["false_on_consolidation"] for line in rows)
    text = f"{false / len(rows):.1f} false per scan ({dense / len(rows):.1f} of them on round consolidation)"
    if not nodules:
        return text
    hit = sum(h for _, h in nodules)
    f1 = 2.0 * hit / (len(nodules) + hit + false)
    sizes = []
    for low, high in SIZES_MM:
        own = [h for mm, h in nodules if low <= mm < high]
        sizes.append(f"{low:g}-{high:g} mm {np.mean(own):.2f} of {len(own)}" if own else f"{low:g}-{high:g} mm none")
    return f"F1 {f1:.2f}, sensitivity {hit / len(nodules):.2f} ({', '.join(sizes)}), {text}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--first", type=int, default=73000)
    parser.add_argument("--count", type=int, default=12)
    parser.add_argument("--lungs", choices=("own", "true", "both"), default="both")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--scan", type=Path)
    given = parser.parse_args(arguments)
    seeds = range(given.first, given.first + given.count)
    if given.scan is not None:
        print(table(measured_scans(given.scan, seeds)))
        return
    file = given.folder / "nodules.jsonl" if given.folder else None
    lines = [json.loads(t) for t in file.read_text(encoding="utf-8").splitlines()] if file and file.exists() else []
    done = {(line["seed"], line["lungs"]) for line in lines}
    for seed in seeds:
        for lungs in ("own", "true") if given.lungs == "both" else (given.lungs,):
            if (seed, lungs) in done:
                continue
            line = measured_made(seed, KINDS[seed % len(KINDS)], lungs)
            if line is None:
                continue
            lines.append(line)
            if file:
                file.parent.mkdir(parents=True, exist_ok=True)
                with file.open("a", encoding="utf-8") as handle:
                    handle.write(json.dumps(line) + "\n")
    print(table([line for line in lines if line["seed"] in seeds]))


if __name__ == "__main__":
    main()
