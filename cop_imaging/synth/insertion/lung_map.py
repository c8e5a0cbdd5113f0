"""Depth below the pleura and lobe at every voxel of a scanned lung, found from its mask alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from cop_imaging.core.arrays import BoolArray, Float32Array, UInt8Array
from cop_imaging.core.geometry import Geometry
from cop_imaging.core.grid import distance_to
from cop_imaging.synth.random_field import Field
from cop_imaging.synth.shapes import Slab

__all__ = ["LungMap", "coarse_grid_of", "lung_slab"]

STEP_MM = 2.5
MARGIN_MM = 20.0
LARGEST_TILT = 0.15
"""Sine of the largest angle between a grid's axis and the patient's that is taken for none."""
DOME_MM = 75.0
"""Height above a lung's lowest point up to which what lies under it is the diaphragm, and not the heart."""
MAJOR_SLOPE, MAJOR_FOOT, MINOR_HEIGHT = 0.75, 0.14, 0.58
"""Major fissure: share of the lung's height = slope x share of its depth from front to back + foot; height of the
minor one. Chosen so that the lobes' shares of volume are the usual ones (about 20, 9, 25, 23, 23 %)."""


def lung_slab(geometry: Geometry) -> Slab:
    """Patient coordinates of a scan's voxels, its axes taken for the patient's.

    A scan tilted by some degrees is treated as if it were not: coordinates run along its own axes through its middle.

    Raises
    ------
    ValueError
        If an axis lies more than about 9 degrees off the patient's.
    """
    direction = np.array(geometry.direction)[:, ::-1]
    if np.abs(direction - np.eye(3)).max() > LARGEST_TILT:
        raise ValueError("lesions are inserted into volumes whose axes run to the head, the back and the left")
    middle = geometry.to_patient(tuple((n - 1) / 2 for n in geometry.shape))[::-1]  # type: ignore[arg-type]
    z, y, x = (
        (m + (np.arange(n) - 0.5 * (n - 1)) * s).astype(np.float32)
        for m, n, s in zip(middle, geometry.shape, geometry.spacing_mm, strict=True)
    )
    return Slab(z[:, None, None], y[None, :, None], x[None, None, :], float(np.cbrt(geometry.voxel_ml * 1000.0)))


def coarse_grid_of(lungs: UInt8Array, slab: Slab) -> tuple[UInt8Array, Geometry]:
    """The mask on cubes of 2.5 mm around the lungs (nearest voxel), and their grid.

    Raises
    ------
    ValueError
        If the mask is empty.
    """
    if not lungs.any():
        raise ValueError("the lung mask is empty: there is nowhere to put a lesion")
    axes = [slab.z.ravel(), slab.y.ravel(), slab.x.ravel()]
    picked, nodes = [], []
    for axis, coordinate in enumerate(axes):
        hit = np.flatnonzero(lungs.any(axis=tuple(a for a in range(3) if a != axis)))
        low, high = coordinate[hit[0]] - MARGIN_MM, coordinate[hit[-1]] + MARGIN_MM
        node = np.arange(low, high + STEP_MM, STEP_MM)
        step = coordinate[1] - coordinate[0] if len(coordinate) > 1 else 1.0
        index = np.rint((node - coordinate[0]) / step).astype(int)
        nodes.append(node)
        picked.append(np.where((index >= 0) & (index < len(coordinate)), index, -1))
    coarse = lungs[np.ix_(*(np.maximum(p, 0) for p in picked))].copy()
    for axis, p in enumerate(picked):
        coarse[tuple(p < 0 if a == axis else slice(None) for a in range(3))] = 0
    grid = Geometry(coarse.shape, (STEP_MM,) * 3, tuple(float(n[0]) for n in nodes[::-1]))  # type: ignore[arg-type]
    return coarse, grid


def between_lungs(lungs: UInt8Array) -> BoolArray:
    """Lungs and what lies between them in each row, [z, y, x]: mediastinum and heart.

    A row that only one lung crosses is filled up to the line midway between the lungs of the whole chest.
    """
    right, left = lungs == 1, lungs == 2
    columns = np.arange(lungs.shape[2])
    sides = [c[m.any(axis=(0, 1))] for c, m in ((columns, right), (columns, left))]
    midline = 0.5 * (sides[0].max() + sides[1].min()) if all(len(s) for s in sides) else float(columns.mean())
    start = np.where(right.any(axis=2), right.argmax(axis=2), np.where(left.any(axis=2), midline, lungs.shape[2]))
    from_left = lungs.shape[2] - 1 - left[:, :, ::-1].argmax(axis=2)
    end = np.where(left.any(axis=2), from_left, np.where(right.any(axis=2), midline, -1))
    filled: BoolArray = (columns >= start[..., None]) & (columns <= end[..., None])
    return filled | (lungs > 0)


def under_lungs(lungs: UInt8Array) -> BoolArray:
    """What lies below the lowest lung of its column near the lungs' bases: the diaphragm, [z, y, x]."""
    out = np.zeros(lungs.shape, dtype=bool)
    for side in (1, 2):
        own = lungs == side
        z = np.flatnonzero(own.any(axis=(1, 2)))
        if not z.size:
            continue
        above = np.logical_or.accumulate(own[::-1], axis=0)[::-1]
        below = np.logical_or.accumulate(own, axis=0)
        under = above & ~below
        under[int(z[0] + DOME_MM / STEP_MM) :] = False
        out |= under
    return out


@dataclass(frozen=True, slots=True, eq=False)
class LungMap:
    """Where a voxel lies in the lungs.

    Parameters
    ----------
    depth : Field
        Depth below the costal and diaphragmatic pleura in mm, continued outside the lungs with the depth of the
        nearest lung: what a lesion fills at a border fills the voxels that the border cuts.
    edge_mm : float32 [z, y, x]
        Distance to the lung's surface, wherever it is nearest, on the grid of ``coarse``.
    coarse : uint8 [z, y, x]
        Side of the nearest lung (1 right, 2 left) on cubes of 2.5 mm.
    grid : Geometry
    lungs : uint8 [z, y, x]
        The lung mask on it.
    """

    depth: Field
    edge_mm: Float32Array
    coarse: UInt8Array
    grid: Geometry
    lungs: UInt8Array

    @classmethod
    def of(cls, lungs: UInt8Array, slab: Slab) -> LungMap:
        """Map a pair of lungs.

        The mediastinal side is told by what lies between both lungs in a row of the slice; the diaphragm by what lies
        under them. Right within about 3 mm except at the front and back ends of the mediastinal pleura.
        """
        coarse, grid = coarse_grid_of(lungs, slab)
        inside = coarse > 0
        surface = ~between_lungs(coarse) | under_lungs(coarse)
        depth = np.maximum(distance_to(surface, grid) - 0.5 * STEP_MM, 0.0)
        nearest = ndimage.distance_transform_edt(~inside, return_distances=False, return_indices=True)
        depth, side = depth[tuple(nearest)], coarse[tuple(nearest)]
        origin = (float(grid.origin_mm[0]), float(grid.origin_mm[1]), float(grid.origin_mm[2]))
        edge = distance_to(~inside, grid) - np.float32(0.5 * STEP_MM)
        return cls(Field(depth.astype(np.float32), origin, STEP_MM), edge, side, grid, coarse)

    def side_on(self, slab: Slab) -> UInt8Array:
        """Side of the nearest lung at the voxels of a slab."""
        picked = []
        for axis, (c, o) in enumerate(zip((slab.z, slab.y, slab.x), self.grid.origin_mm[::-1], strict=True)):
            picked.append(np.clip(np.rint((c.ravel() - o) / STEP_MM).astype(int), 0, self.coarse.shape[axis] - 1))
        return self.coarse[np.ix_(*picked)]

    def lobe_on(self, slab: Slab) -> UInt8Array:
        """Lobe 1-5 (RUL, RML, RLL, LUL, LLL) at the voxels of a slab: the side is exact, the fissures are planes.

        Oblique planes through usual places of the fissures, by the lung's own height and its extent from front to
        back: an approximation, off by a centimetre or two in a given patient.
        """
        side = self.side_on(slab)
        lobe = np.zeros(slab.shape, dtype=np.uint8)
        for own in (1, 2):
            k, j, _ = np.nonzero(self.lungs == own)
            if not k.size:
                continue
            low = self.grid.origin_mm[2] + STEP_MM * k.min()
            front, back = self.grid.origin_mm[1] + STEP_MM * np.quantile(j, (0.005, 0.995))
            height = (slab.z - low) / max(STEP_MM * np.ptp(k), 1.0)
            lower = height < MAJOR_SLOPE * (slab.y - front) / max(back - front, 1.0) + MAJOR_FOOT
            upper = np.where(height < MINOR_HEIGHT, 2, 1) if own == 1 else np.full(height.shape, 4)
            number = np.where(lower, 3 if own == 1 else 5, upper)
            np.copyto(lobe, number.astype(np.uint8), where=side == own)
        return lobe
