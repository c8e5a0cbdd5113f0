"""Bias and spread of what is measured of airways: ``python -m benchmarks.airway_signs --first 73001 --count 12``.

Made chests of diseases with airway signs, drawn from seeds, are measured with the program's own lungs and airways and
laid beside the chest's own tree. Cross-sections within 1.5 mm of a drawn centre line count, lumens of 2 mm and more:
lumen, wall, artery, lumen over artery, each over the truth, for healthy and for diseased bronchi. The true length of
air bronchograms is the length of drawn bronchi that are surrounded by true consolidation, with the vessels in it, on
nine tenths of their circumference, 10 mm and more together. ``--folder`` keeps a table for each chest, so that a
stopped run goes on.

It fails when a bias is above 15 %.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from benchmarks.sign_presence import GRID, anatomy_of
from cop_imaging.core.arrays import BoolArray, Float64Array
from cop_imaging.core.scene import Scene
from cop_imaging.scene import build_scene
from cop_imaging.signs import observe
from cop_imaging.signs.air.bronchi import bronchi_of
from cop_imaging.synth.airways import wall_mm
from cop_imaging.synth.case import CaseSpec, draw_case, stream
from cop_imaging.synth.diseases.knowledge import load_knowledge
from cop_imaging.synth.lesions.airway_walls import AirwayWalls
from cop_imaging.synth.phantom import Phantom, make_case
from cop_imaging.synth.render import model_of
from cop_imaging.synth.shapes import Tubes

DISEASES = ("COP", "CAP", "CEP", "LYMPHOMA", "UIP", "NSIP", "ADENO", "HP_F")
STEP_MM, NEAR_MM, LESION_MM = 0.5, 1.5, 0.6
ALONG, BESIDE_MM = 0.8, 1.5
AROUND, AROUND_SHARE, LEAST_RUN_MM = 12, 0.9, 10.0
NARROWEST_MM = 2.0
MOST_BIAS = 0.15
LEAST_SECTIONS, LEAST_LENGTH_MM = 20, 30.0

Row = dict[str, Any]


class Lines:
    """Points half a millimetre apart along every drawn bronchus, with what is true there."""

    def __init__(self, case: CaseSpec, lesions: Sequence[object]) -> None:
        model, size = model_of(case.body, stream(case.seed, "model")), case.body.size
        self.points, self.radius, self.along, self.length = points_of(
            Tubes.joined([model.trees.central, model.trees.lumen]), size
        )
        self.wall = size * wall_mm(self.radius / size)
        self.artery = self.arteries(model.trees.arteries, size)
        self.kind = np.zeros(len(self.points), dtype=np.int64)
        for lesion in lesions:
            if not isinstance(lesion, AirwayWalls):
                continue
            lumen, _ = lesion.tubes()
            at, radius, _, _ = points_of(lumen, 1.0)
            far, row = cKDTree(at).query(self.points)
            hit = far < LESION_MM
            # The new wall is laid around what was there.
            self.wall[hit] = np.maximum(lesion.wall_mm, self.wall[hit] + self.radius[hit] - radius[row[hit]])
            self.radius[hit] = radius[row[hit]]
            self.kind[hit] = 1

    def arteries(self, tubes: Tubes, size: float) -> Float64Array:
        """Radius of the artery that runs beside each point, nan where there is none."""
        points, radius, along, _ = points_of(tubes, size)
        outer = self.radius + self.wall
        out = np.full(len(self.points), np.nan)
        for k, near in enumerate(cKDTree(points).query_ball_point(self.points, 2.0 * outer + BESIDE_MM)):
            if not near:
                continue
            rows = np.array(near)
            off = points[rows] - self.points[k]
            gap = np.abs(np.linalg.norm(off, axis=1) - radius[rows] - outer[k])
            level = np.abs(off @ self.along[k]) < STEP_MM
            good = level & (np.abs(along[rows] @ self.along[k]) > ALONG) & (gap < BESIDE_MM)
            if good.any():
                out[k] = radius[rows[good][np.argmin(gap[good])]]
        return out


def points_of(tubes: Tubes, size: float) -> tuple[Float64Array, Float64Array, Float64Array, Float64Array]:
    """Points, radius, direction and length along tubes in model coordinates."""
    way = size * (tubes.end - tubes.start)
    length = np.linalg.norm(way, axis=1)
    count = np.maximum(np.ceil(length / STEP_MM), 1).astype(int)
    row = np.repeat(np.arange(len(tubes)), count)
    part = (np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count) + 0.5) / count[row]
    radius = tubes.start_radius_mm[row] + part * (tubes.end_radius_mm - tubes.start_radius_mm)[row]
    course = way / np.maximum(length, 1e-9)[:, None]
    return size * tubes.start[row] + part[:, None] * way[row], size * radius, course[row], (length / count)[row]


def at(mask: BoolArray, points_mm: Float64Array) -> BoolArray:
    """Whether the voxel of each point is True; False outside the grid."""
    index = np.rint(GRID.to_index(points_mm)).astype(int)
    inside = ((index >= 0) & (index < np.array(GRID.shape))).all(axis=-1)
    out: BoolArray = np.zeros(points_mm.shape[:-1], dtype=bool)
    out[inside] = mask[tuple(index[inside].T)]
    return out


def bronchogram_mm(lines: Lines, phantom: Phantom) -> float:
    """True length of air bronchograms."""
    truth = phantom.truth
    none = np.zeros(GRID.shape, dtype=bool)
    dense: BoolArray = truth["consolidation"] | truth.get("mass", none)
    # The artery beside a bronchus lies in the consolidation too.
    dense = dense | (truth["vessels"] & ndimage.binary_dilation(dense, iterations=2))
    seen = at(truth["airways"], lines.points) & at(truth["lungs"] > 0, lines.points)
    points, along = lines.points[seen], lines.along[seen]
    least = np.eye(3)[np.argmin(np.abs(along), axis=1)]
    first = np.cross(along, least)
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    second = np.cross(along, first)
    angle = 2.0 * np.pi * np.arange(AROUND)[None, :, None] / AROUND
    reach = (lines.radius + lines.wall)[seen][:, None, None] + 1.2
    ring = points[:, None] + reach * (np.cos(angle) * first[:, None] + np.sin(angle) * second[:, None])
    inside = at(dense, ring).mean(axis=1) >= AROUND_SHARE
    if not inside.any():
        return 0.0
    points, length = points[inside], lines.length[seen][inside]
    pairs: NDArray[np.int64] = cKDTree(points).query_pairs(3.2 * STEP_MM, output_type="ndarray")
    graph = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(len(points),) * 2)
    _, run = connected_components(graph, directed=False)
    total = np.bincount(run, length)
    return float(total[total >= LEAST_RUN_MM].sum())


def measured(seed: int, disease: str) -> Row:
    """One chest: median of measured over true by kind of bronchus, and the length of bronchograms."""
    case = draw_case(disease, seed, knowledge=load_knowledge())
    phantom = make_case(case, GRID)
    lines = Lines(case, phantom.lesions)
    row: Row = {"seed": seed, "disease": disease, "kernel": case.scanner.kernel, "noise_hu": case.scanner.noise_hu}
    anatomy = anatomy_of(phantom.volume, phantom.truth, "own")
    if anatomy is None:
        return row
    scene = build_scene(phantom.volume, anatomy)
    row |= section_figures(scene, lines)
    (*_, bronchogram) = observe(scene, names=("air_bronchogram",))
    row["bronchogram_mm"] = bronchogram.measure("air_bronchogram.length_mm").value
    row["true_bronchogram_mm"] = bronchogram_mm(lines, phantom)
    return row


def section_figures(scene: Scene, lines: Lines) -> Row:
    """Medians over the cross-sections that lie on a drawn bronchus."""
    bronchi = bronchi_of(scene, NARROWEST_MM)
    if bronchi is None:
        return {}
    s = bronchi.sections
    far, nearest = cKDTree(lines.points).query(s.centre_mm)
    radius, wall, artery = (a[nearest] for a in (lines.radius, lines.wall, lines.artery))
    out: Row = {}
    for kind, name in enumerate(("healthy", "diseased")):
        mine = bronchi.inside & (far < NEAR_MM) & (lines.kind[nearest] == kind)
        ratio = bronchi.along(s.lumen_over_artery)
        pairs = {
            "lumen": s.lumen_mm / (2.0 * radius),
            "wall": s.wall_mm / wall,
            "artery": s.artery_mm / (2.0 * artery),
            "lumen_over_artery": ratio / (radius / artery),
        }
        for what, quotient in pairs.items():
            known = quotient[mine & np.isfinite(quotient)]
            if known.size >= LEAST_SECTIONS:
                out[f"{name}.{what}"] = [float(v) for v in np.percentile(known, (50, 16, 84))]
    return out


def summary(rows: Sequence[Row]) -> bool:
    """Print bias and spread over all chests; whether every bias is small enough."""
    good = True
    for kind in ("healthy", "diseased"):
        for what in ("lumen", "wall", "artery", "lumen_over_artery"):
            each = np.array([row[f"{kind}.{what}"] for row in rows if f"{kind}.{what}" in row])
            if not len(each):
                continue
            bias, low, high = np.mean(each, axis=0) - 1.0
            good &= what in ("lumen", "artery") or abs(bias) <= MOST_BIAS
            print(
                f"{kind:9s} {what:18s} bias {100 * bias:+.0f} % (chests {100 * (each[:, 0].min() - 1):+.0f} to "
                f"{100 * (each[:, 0].max() - 1):+.0f} %), sections' 16th to 84th percentile {100 * low:+.0f} to "
                f"{100 * high:+.0f} %, {len(each)} chests"
            )
    held = [row for row in rows if row.get("true_bronchogram_mm", 0.0) >= LEAST_LENGTH_MM]
    none = [row for row in rows if row.get("true_bronchogram_mm") == 0.0]
    if held:
        truth = np.array([row["true_bronchogram_mm"] for row in held])
        found = np.array([row["bronchogram_mm"] or 0.0 for row in held])
        bias = float(found.sum() / truth.sum() - 1.0)
        good &= abs(bias) <= MOST_BIAS
        each = np.percentile(found / truth - 1.0, (50, 16, 84))
        print(
            f"air bronchogram length: bias {100 * bias:+.0f} % of {truth.sum():.0f} mm in {len(held)} chests, "
            f"by chest median {100 * each[0]:+.0f} % ({100 * each[1]:+.0f} to {100 * each[2]:+.0f} %)"
        )
    if none:
        false = np.array([row["bronchogram_mm"] or 0.0 for row in none])
        print(f"without one: {len(none)} chests, false length median {np.median(false):.0f}, most {false.max():.0f} mm")
    return bool(good)


def main() -> None:
    """Measure or read every chest, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--first", type=int, default=73001)
    parser.add_argument("--count", type=int, default=12)
    parser.add_argument("--folder", type=Path, default=Path("out/airway_signs"))
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for k in range(given.count):
        seed = given.first + k
        file = given.folder / f"{seed}.json"
        if not file.exists():
            row = measured(seed, DISEASES[k % len(DISEASES)])
            part = file.with_suffix(".part")
            part.write_text(json.dumps(row), encoding="utf-8")
            part.replace(file)
        rows.append(json.loads(file.read_text(encoding="utf-8")))
        print(json.dumps(rows[-1]), flush=True)
    if not summary(rows):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
