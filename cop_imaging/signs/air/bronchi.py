"""Numbers along the bronchi: running medians, lengths, and a mask of what is marked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cop_imaging.core.airway_sections import AirwaySections
from cop_imaging.core.airway_tree import AirwayTree
from cop_imaging.core.arrays import AnyArray, BoolArray, Float64Array
from cop_imaging.core.scene import Scene

__all__ = ["Bronchi", "bronchi_of", "median", "percent"]

REACH = 2
"""Sections before and behind that a running median takes in."""
LEAST_SECTIONS = 3
MARK_STEP_MM = 0.6


@dataclass(frozen=True, slots=True, eq=False)
class Bronchi:
    """Cross-sections of bronchi inside the lungs that are wide enough to be measured."""

    sections: AirwaySections
    tree: AirwayTree
    inside: BoolArray
    """Which sections count, (n,)."""
    at: tuple[AnyArray, AnyArray, AnyArray]
    """Voxel (z, y, x) of each section's middle on the scene's crop."""

    @property
    def step_mm(self) -> Float64Array:
        """Length of bronchus for which each section stands, (n,)."""
        return self.tree.step_mm[self.sections.point]

    def along(self, values: Float64Array) -> Float64Array:
        """Running median of values (n,) along each branch; not a number where fewer than three are known."""
        known = np.where(self.inside, values, np.nan)
        point, branch = self.sections.point, self.tree.branch[self.sections.point]
        row = np.full(len(self.tree.branch) + 2 * REACH, -1)
        row[point + REACH] = np.arange(len(point))
        near = row[point[None] + REACH + np.arange(-REACH, REACH + 1)[:, None]]
        same = (near >= 0) & (branch[near] == branch[None])
        stack = np.sort(np.where(same, known[near], np.nan), axis=0)
        count = np.isfinite(stack).sum(axis=0)
        column = np.arange(len(point))
        low, high = np.maximum(count - 1, 0) // 2, count // 2
        out = 0.5 * (stack[low, column] + stack[np.minimum(high, 2 * REACH), column])
        return np.where(count >= LEAST_SECTIONS, out, np.nan)

    def length_mm(self, marked: BoolArray) -> float:
        """Length of the marked sections."""
        return float(self.step_mm[marked].sum())

    def marked(self, scene: Scene, which: BoolArray) -> BoolArray:
        """Voxels of lumen and wall of marked sections, bool on the scene's crop."""
        out = np.zeros(scene.lungs.shape, dtype=bool)
        rows = np.flatnonzero(which)
        if not rows.size:
            return out
        s = self.sections
        radius = 0.5 * s.lumen_mm[rows] + np.nan_to_num(s.wall_mm[rows], nan=0.5)
        reach = float(radius.max())
        ticks = np.arange(-reach, reach + MARK_STEP_MM, MARK_STEP_MM)
        cube = np.stack(np.meshgrid(ticks, ticks, ticks, indexing="ij"), axis=-1).reshape(-1, 3)
        far = np.linalg.norm(cube, axis=1)
        for r in np.unique(np.ceil(radius / 0.5) * 0.5):
            mine = rows[np.ceil(radius / 0.5) * 0.5 == r]
            ball = cube[far <= r]
            index = np.rint(scene.geometry.to_index(s.centre_mm[mine][:, None] + ball)).astype(np.int64).reshape(-1, 3)
            kept = ((index >= 0) & (index < np.array(out.shape))).all(axis=1)
            out[tuple(index[kept].T)] = True
        return out & (scene.lungs > 0)


def bronchi_of(scene: Scene, narrowest_mm: float) -> Bronchi | None:
    """The bronchi inside the lungs with a lumen of at least that diameter; None when no airway was followed."""
    sections, tree = scene.airway_sections, scene.airway_tree
    if sections is None or tree is None or not len(sections.point):
        return None
    index = np.rint(scene.geometry.to_index(sections.centre_mm)).astype(np.int64)
    index = np.clip(index, 0, np.array(scene.lungs.shape) - 1)
    at = (index[:, 0], index[:, 1], index[:, 2])
    return Bronchi(sections, tree, (scene.lungs[at] > 0) & (sections.lumen_mm >= narrowest_mm), at)


def percent(part: float, whole: float) -> float | None:
    """Part of a whole in percent; None of nothing."""
    return 100.0 * part / whole if whole > 0.0 else None


def median(values: Float64Array, q: float = 50.0) -> float | None:
    """Percentile of what is known; None when nothing is."""
    known = values[np.isfinite(values)]
    return float(np.percentile(known, q)) if known.size else None
