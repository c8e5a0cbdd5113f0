"""How much of the bronchial tree and of the vessels is found on made chests: ``python -m benchmarks.airways``.

Chests of several diseases in cubes of 1.25 mm, of seeds that nothing was tuned on. Length counts along the drawn centre
lines where the drawn lumen fills half a voxel; a point is found when its voxel or one beside it is airway. A leak is
airway farther than one voxel from any drawn lumen. Generations count forks whose both daughters are drawn.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from cop_imaging.anatomy import AnatomyConfig, segment
from cop_imaging.core import Anatomy, Geometry
from cop_imaging.core.arrays import BoolArray, Float64Array
from cop_imaging.core.grid import resample
from cop_imaging.synth import Phantom, draw_case, make_case
from cop_imaging.synth.case import stream
from cop_imaging.synth.render import ChestModel, model_of
from cop_imaging.synth.shapes import Tubes

CASES = ("NORMAL:951", "COP:952", "CAP:953", "UIP:954", "CEP:955", "NSIP:956", "COP:957", "ADENO:958")
GRID = Geometry((248, 248, 284), (1.25,) * 3, (-176.875, -146.25, -195.0))
DEEPEST = 5
LEAST_SHARE, MOST_LEAK_PERCENT = 0.8, 3.0
"""Length of the tree to that generation that must be found, and leak that is allowed, in every case."""
STEP_MM = 0.5
VESSEL_MM = 1.0
"""Radius from which vessels count."""
CENTRAL_GENERATIONS = (0, 0, 1, 2, 1, 1)
"""Of the pieces of ``ChestModel.trees.central``: trachea, right main and intermediate, left main bronchus."""
INTERMEDIATE_END_MM = (-36.0, 25.0, -44.0)
AROUND = np.ones((3, 3, 3), dtype=bool)


@dataclass(frozen=True, slots=True, eq=False)
class Lines:
    """Points along drawn centre lines, (n, 3) in mm, with their generation, length and radius."""

    points_mm: Float64Array
    generation: NDArray[np.int64]
    length_mm: Float64Array
    radius_mm: Float64Array


def generations(model: ChestModel) -> NDArray[np.int64]:
    """Generation of every piece of central airways and bronchi: pieces join where one's end is another's start."""
    lumen = model.trees.lumen
    ends = {tuple(end): row for row, end in enumerate(np.round(lumen.end, 6))}
    parent = [ends.get(tuple(start), -1) for start in np.round(lumen.start, 6)]
    daughters: list[list[int]] = [[] for _ in parent]
    out = np.zeros(len(parent), dtype=np.int64)
    waiting = []
    for row, above in enumerate(parent):
        if above >= 0:
            daughters[above].append(row)
        else:
            out[row] = 3 if np.allclose(lumen.start[row], INTERMEDIATE_END_MM) else 2
            waiting.append(row)
    while waiting:
        row = waiting.pop()
        out[daughters[row]] = out[row] + (len(daughters[row]) > 1)
        waiting.extend(daughters[row])
    return np.concatenate([CENTRAL_GENERATIONS, out])


def lines_of(tubes: Tubes, generation: NDArray[np.int64], size: float) -> Lines:
    """Points half a millimetre apart along tubes in model coordinates."""
    way = size * (tubes.end - tubes.start)
    length = np.linalg.norm(way, axis=1)
    count = np.maximum(np.ceil(length / STEP_MM), 1).astype(int)
    row = np.repeat(np.arange(len(tubes)), count)
    part = (np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count) + 0.5) / count[row]
    radius = tubes.start_radius_mm[row] + part * (tubes.end_radius_mm - tubes.start_radius_mm)[row]
    points = size * tubes.start[row] + part[:, None] * way[row]
    return Lines(points, generation[row], (length / count)[row], size * radius)


def at(mask: BoolArray, points_mm: Float64Array) -> BoolArray:
    """Whether the voxel of each point is True; False outside the grid."""
    index = np.rint(GRID.to_index(points_mm)).astype(int)
    inside = ((index >= 0) & (index < np.array(GRID.shape))).all(axis=1)
    out = np.zeros(len(points_mm), dtype=bool)
    out[inside] = mask[tuple(index[inside].T)]
    return out


def wide_vessels(model: ChestModel, phantom: Phantom, size: float) -> BoolArray:
    """Drawn vessel at least ``VESSEL_MM`` in radius."""
    tubes = Tubes.joined([model.trees.arteries, model.trees.veins])
    drawn = lines_of(tubes, np.zeros(len(tubes), dtype=np.int64), size)
    voxels = np.argwhere(phantom.truth["vessels"])
    _, nearest = cKDTree(drawn.points_mm).query(GRID.to_patient(voxels))
    out = np.zeros(GRID.shape, dtype=bool)
    out[tuple(voxels[drawn.radius_mm[nearest] >= VESSEL_MM].T)] = True
    return out


def airway_figures(found: Anatomy, phantom: Phantom, lines: Lines) -> dict[str, float]:
    """Share of the drawn length that was found, by generation, leak, and how the tree agrees."""
    drawn = at(phantom.truth["airways"], lines.points_mm)
    beside = ndimage.generate_binary_structure(3, 1)
    hit = at(ndimage.binary_dilation(found.airways, beside), lines.points_mm) & drawn
    dense = at(ndimage.binary_dilation(phantom.truth["consolidation"], AROUND, 2), lines.points_mm)

    def share(chosen: BoolArray) -> float:
        total = lines.length_mm[chosen & drawn].sum()
        return float(lines.length_mm[chosen & hit].sum() / total) if total else float("nan")

    leak = found.airways & ~ndimage.binary_dilation(phantom.truth["airways"], AROUND)
    out = {
        "to_5": share(lines.generation <= DEEPEST),
        "2_to_5": share((lines.generation >= 2) & (lines.generation <= 5)),
    }
    out |= {f"g{k}": share(lines.generation == k) for k in range(9)}
    out["in_dense_mm"] = float(lines.length_mm[dense & drawn].sum())
    out["in_dense"] = share(dense)
    out["leak_%"] = 100.0 * float(leak.sum() / max(found.airways.sum(), 1))
    tree = found.airway_tree
    if tree is not None:
        far_mm, nearest = cKDTree(lines.points_mm).query(tree.points_mm)
        near = far_mm < 2.5
        out["line_mm"] = float(np.percentile(far_mm[near], 90))
        off = np.abs(tree.generation[tree.branch] - lines.generation[nearest])[near & (lines.generation[nearest] <= 4)]
        out["gen_ok"] = float(np.mean(off <= 1))
        for low, high in ((0, 2), (3, 4), (5, 6)):
            rows = near & (lines.generation[nearest] >= low) & (lines.generation[nearest] <= high)
            ratio = tree.diameter_mm[rows] / (2.0 * lines.radius_mm[nearest[rows]])
            out[f"d{low}-{high}"] = float(np.median(ratio)) if rows.any() else float("nan")
    return out


def vessel_figures(found: Anatomy, phantom: Phantom, wide: BoolArray) -> dict[str, float]:
    """Share of wide vessels found and of consolidation called vessel, by the tube filter alone and parted from it."""
    dense = phantom.truth["consolidation"]
    tubes = (found.work.vesselness > AnatomyConfig().vessel_answer).astype(np.float32)
    tubes = (resample(tubes, found.work.geometry, GRID, outside=0.0) > 0.5) & (found.lungs > 0)
    out = {"dense_ml": float(dense.sum() * GRID.voxel_ml)}
    for name, mask in (("tubes", tubes), ("parted", found.vessels)):
        out[f"{name}_vessel"] = float((mask & wide).sum() / wide.sum())
        out[f"{name}_dense"] = float((mask & dense).sum() / dense.sum()) if dense.any() else float("nan")
    return out


def main() -> None:
    """Measure, print one row per case and the mean; fail when a limit is passed."""
    rows = []
    for name in sys.argv[1:] or CASES:
        disease, seed = name.split(":")
        case = draw_case(disease, int(seed))
        phantom = make_case(case, GRID)
        model = model_of(case.body, stream(case.seed, "model"))
        lumen = Tubes.joined([model.trees.central, model.trees.lumen])
        lines = lines_of(lumen, generations(model), case.body.size)
        found = segment(phantom.volume)
        row = airway_figures(found, phantom, lines)
        row |= vessel_figures(found, phantom, wide_vessels(model, phantom, case.body.size))
        rows.append(row)
        print(f"{name}, {case.scanner.kernel}, noise {case.scanner.noise_hu:g} HU: ", end="")
        print(" ".join(f"{key} {value:.3f}" for key, value in row.items()), flush=True)
    within = all(row["to_5"] >= LEAST_SHARE and row["leak_%"] < MOST_LEAK_PERCENT for row in rows)
    keys = dict.fromkeys(key for row in rows for key in row)
    print("mean: " + " ".join(f"{k} {np.nanmean([row.get(k, np.nan) for row in rows]):.3f}" for k in keys))
    if not within:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
