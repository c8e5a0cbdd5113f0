"""Centrilobular nodules: small, ill-defined, evenly spaced, and clear of the pleura and of each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.spatial import cKDTree

from cop_imaging.core.arrays import BoolArray, Float32Array, Float64Array
from cop_imaging.synth.lesions.drawing import draw_seed, nearest
from cop_imaging.synth.lesions.lesion import Layer, Place, Point
from cop_imaging.synth.terrain import Terrain, Where

__all__ = ["CentrilobularNodules", "draw_centrilobular", "lobule_centres"]

PEAK = 1.5
"""Solid nodules have a flat top: their profile is a Gaussian this high, cut off at 1."""


@dataclass(frozen=True, slots=True)
class CentrilobularNodules:
    """Many small nodules; each is two or three soft blobs that run together."""

    nodules: tuple[tuple[float, float, float, float], ...]
    """(x, y, z, diameter) in mm; the diameter is where density has fallen to half."""
    seed: int
    fraction: float
    """Tissue at their peaks: 0.25-0.5 hazy, about 0.85 solid."""
    solid: bool = False
    tissue_hu: float = 42.0

    @property
    def ends(self) -> Float64Array:
        """Corners of the box around them, (2, 3)."""
        points = np.array(self.nodules)[:, :3]
        return np.stack([points.min(axis=0), points.max(axis=0)])

    @property
    def centre_mm(self) -> Point:
        """Middle of that box."""
        x, y, z = self.ends.mean(axis=0)
        return float(x), float(y), float(z)

    @property
    def reach_mm(self) -> float:
        """Half of the box's longest side and the widest nodule."""
        return float(0.5 * np.ptp(self.ends, axis=0).max() + 2.0 * max(n[3] for n in self.nodules) + 3.0)

    def part(self, place: Place) -> Float32Array:
        """Density of the nodules, 0-1."""
        s, h = place.slab, place.slab.voxel_mm
        out = np.zeros(s.shape, dtype=np.float32)
        at = np.array(self.nodules)
        rng = np.random.default_rng(self.seed)
        shift = rng.normal(0.0, 0.2, (len(at), 2, 3)) * at[:, None, 3:]
        width = rng.uniform(0.75, 1.25, (len(at), 2, 3)) * at[:, None, 3:] / 2.355
        strength = rng.uniform(0.7, 1.0, (len(at), 2))
        # On coarse grids a blob is wider and fainter: its volume stays.
        wide = np.sqrt(width**2 + h * h / 12.0)
        strength *= np.prod(width / wide, axis=2)
        reach = 3.2 * wide.max(axis=(1, 2)) + np.abs(shift).max(axis=(1, 2))
        low, high = at[:, :3] - reach[:, None], at[:, :3] + reach[:, None]
        inside = np.ones(len(at), dtype=bool)
        for axis, values in enumerate((s.x, s.y, s.z)):
            inside &= (high[:, axis] > values.min()) & (low[:, axis] < values.max())
        for i in np.flatnonzero(inside):
            box = s.box(low[i], high[i])
            if box is None:
                continue
            c = s.crop(box)
            for blob in range(2):
                # A Gaussian is the product of its profiles along the axes.
                fall = [
                    np.exp(-0.5 * ((v - np.float32(o)) / np.float32(w)) ** 2)
                    for v, o, w in zip((c.x, c.y, c.z), at[i, :3] + shift[i, blob], wide[i, blob], strict=True)
                ]
                np.maximum(out[box], np.float32(strength[i, blob]) * fall[0] * fall[1] * fall[2], out=out[box])
        if self.solid:
            out = np.minimum(np.float32(PEAK) * out, 1.0)
        return out

    def layers(self, place: Place) -> tuple[Layer, ...]:
        """One layer, hazy or solid; bronchioles' arteries stay in them."""
        return (Layer(np.float32(self.fraction) * self.part(place), self.tissue_hu),)

    def shapes(self, place: Place) -> dict[str, Float32Array]:
        """The nodules, out to half of their density."""
        return {"centrilobular_nodules": np.minimum(np.float32(1.25) * self.part(place), 1.0)}


def lobule_centres(
    terrain: Terrain,
    where: Where,
    rng: np.random.Generator,
    *,
    apart_mm: float,
    number: int,
    margin_mm: float = 5.0,
    within: BoolArray | None = None,
) -> Float64Array:
    """Centres of lobules, (n, 3) in mm: apart from each other, and ``margin_mm`` or more from the lung's surface."""
    weight = np.where(terrain.edge_mm >= margin_mm, terrain.weights(where), 0.0)
    if within is not None:
        weight = np.where(within, weight, 0.0)
    rows = np.flatnonzero(weight > 0.0)
    # Gumbel keys order places at random by their weight.
    order = rows[np.argsort(-(np.log(weight[rows]) + rng.gumbel(size=rows.size)), kind="stable")]
    points = terrain.points_mm[order] + rng.uniform(-2.0, 2.0, (len(order), 3))
    tree, free = cKDTree(points), np.ones(len(points), dtype=bool)
    chosen = []
    for row in range(len(points)):
        if free[row]:
            chosen.append(row)
            free[tree.query_ball_point(points[row], apart_mm)] = False
            if len(chosen) == number:
                break
    out: Float64Array = points[chosen].round(2)
    return out


def draw_centrilobular(
    terrain: Terrain,
    rng: np.random.Generator,
    *,
    where: Where,
    share: float,
    kind: Literal["hazy", "solid"] = "hazy",
    diameter_mm: tuple[float, float] = (2.0, 4.0),
) -> tuple[CentrilobularNodules, ...]:
    """Nodules at the centres of lobules in a share of the lungs, 7-10 mm apart, 5 mm or more off the pleura.

    Parameters
    ----------
    share : float
        Share of all lobules that hold one, 0-1; ``where`` decides which come first.

    Source
    ------
    Centrilobular nodules lie a few millimetres from pleura, fissures and septa and are well or ill defined
    (Fleischner glossary, Radiology 2008;246:697); profuse and hazy in hypersensitivity pneumonitis (Raghu G et al.,
    AJRCCM 2020;202:e36); distances and sizes are an estimate.
    """
    apart = float(rng.uniform(7.0, 10.0))
    # Places as dense as possible at this distance: a packing of balls that fills two fifths.
    most = 0.4 * terrain.lung_ml * 1000.0 / (4.0 / 3.0 * np.pi * (0.5 * apart) ** 3)
    points = lobule_centres(terrain, where, rng, apart_mm=apart, number=max(1, round(share * most)))
    if not len(points):
        return ()
    fraction = float(rng.uniform(0.28, 0.5) if kind == "hazy" else rng.uniform(0.75, 0.95))
    right = np.array([terrain.right[nearest(terrain, (x, y, z))] for x, y, z in points])
    size = rng.uniform(*diameter_mm, len(points)).round(2)
    out = []
    for side in (True, False):
        own = right == side
        if own.any():
            rows = tuple(
                (float(x), float(y), float(z), float(d)) for (x, y, z), d in zip(points[own], size[own], strict=True)
            )
            out.append(CentrilobularNodules(rows, draw_seed(rng), round(fraction, 3), solid=kind == "solid"))
    return tuple(out)
