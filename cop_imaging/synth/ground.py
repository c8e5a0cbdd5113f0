"""A made chest as the ground on which lesions are placed and measured, before anything is drawn finely."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cop_imaging.core.arrays import BoolArray, Float32Array, Float64Array, UInt8Array
from cop_imaging.core.geometry import Geometry
from cop_imaging.synth.airways import lobes
from cop_imaging.synth.chest import thorax
from cop_imaging.synth.lesions.blending import add_lesions, lay_over
from cop_imaging.synth.lesions.lesion import Layer, Lesion, Place
from cop_imaging.synth.parenchyma import air_holes, empty
from cop_imaging.synth.render import HIGH, LOW, ChestModel, parenchyma
from cop_imaging.synth.shapes import Slab, Tubes, cover
from cop_imaging.synth.terrain import Terrain

__all__ = ["Ground", "ground_of", "holes_of", "slab_of", "terrain_of_model"]

PLACES_MM, MEASURED_MM = 5.0, 3.5
"""Distance between places of the terrain, and between the points at which lesions are measured."""
NARROWEST_BUNDLE_MM = 1.0
"""Lumen radius below which a bronchus is no bundle that lesions follow."""


def terrain_of_model(model: ChestModel) -> Terrain:
    """Places 5 mm apart in both lungs of a made chest, and its bronchi, in patient coordinates."""
    size = model.spec.size
    patient = slab_of(PLACES_MM, size)
    s = patient.scaled(size)
    t = thorax(s, model.spec)
    inside = t.lung < 0.0
    k, j, i = np.nonzero(inside)
    points = np.stack([patient.x.ravel()[i], patient.y.ravel()[j], patient.z.ravel()[k]], axis=1).astype(np.float64)
    lumen = model.trees.lumen
    bundles = Tubes(size * lumen.start, size * lumen.end, size * lumen.start_radius_mm, size * lumen.end_radius_mm)
    bundles = bundles.where(bundles.end_radius_mm >= NARROWEST_BUNDLE_MM)
    return Terrain(
        points_mm=points,
        depth_mm=size * t.depth[inside].astype(np.float64),
        edge_mm=-size * t.lung[inside].astype(np.float64),
        lobe=lobes(s)[inside],
        bundles=bundles,
        bundle_mm=to_nearest(points, bundles),
        lung_ml=float(len(points) * PLACES_MM**3 / 1000.0),
    )


def slab_of(step_mm: float, size: float) -> Slab:
    """A grid of cubes over the region in which chests of that size lie, in patient coordinates."""
    low, high = (size * np.array(corner) for corner in (LOW, HIGH))
    shape = tuple(int(n) for n in np.ceil((high - low)[::-1] / step_mm))
    return Slab.of(Geometry(shape, (step_mm,) * 3, tuple(float(v) for v in low)))  # type: ignore[arg-type]


def to_nearest(points: Float64Array, tubes: Tubes) -> Float64Array:
    """Distance in mm of points (n, 3) to the nearest axis of a tube; infinite without tubes."""
    out = np.full(len(points), np.inf)
    for start, end in zip(tubes.start, tubes.end, strict=True):
        way = end - start
        along = np.clip((points - start) @ way / max(float(way @ way), 1e-9), 0.0, 1.0)
        np.minimum(out, np.linalg.norm(points - start - along[:, None] * way, axis=1), out=out)
    return out


class Remembered:
    """A lesion whose layers and shapes are kept after they were computed; for one slab only."""

    def __init__(self, lesion: Lesion) -> None:
        self.centre_mm, self.reach_mm, self._lesion = lesion.centre_mm, lesion.reach_mm, lesion
        self._layers: tuple[Layer, ...] | None = None
        self._shapes: dict[str, Float32Array] | None = None

    def layers(self, place: Place) -> tuple[Layer, ...]:
        """Layers in the order in which they are blended."""
        if self._layers is None:
            self._layers = self._lesion.layers(place)
        return self._layers

    def shapes(self, place: Place) -> dict[str, Float32Array]:
        """Part of each voxel inside the outline, by name."""
        if self._shapes is None:
            self._shapes = self._lesion.shapes(place)
        return self._shapes


@dataclass(frozen=True, slots=True, eq=False)
class Ground:
    """Terrain and a coarse view of the healthy lungs on which the truth of lesions is measured."""

    terrain: Terrain
    slab: Slab
    hu: Float32Array
    """[z, y, x] parenchyma without lesions."""
    lung: BoolArray
    depth_mm: Float32Array
    lobe: UInt8Array

    def once(self, lesion: Lesion) -> Lesion:
        """The same lesion for this ground alone: what it does here is computed once."""
        return Remembered(lesion)

    def measure(self, lesions: Sequence[Lesion]) -> dict[str, float]:
        """Volume in mL of every sign and shape that lesions make true, as ``draw`` would have it on a coarse grid."""
        hu = self.hu.copy()
        blended = add_lesions(hu, self.slab, self.depth_mm, self.lobe, lesions)
        none = np.zeros(self.slab.shape, dtype=bool)
        masks = {**blended.masks, "vessels": none, "airways": none.copy()}
        lay_over(hu, self.lung.astype(np.float32), blended, masks)
        voxel_ml = self.slab.voxel_mm**3 / 1000.0
        return {name: float((mask & self.lung).sum() * voxel_ml) for name, mask in masks.items()}


def holes_of(s: Slab, model: ChestModel, depth: Float32Array) -> Float32Array:
    """Part of each voxel that the emphysema of a chest has emptied, [z, y, x], in model coordinates."""
    if model.spec.emphysema == 0.0 and model.spec.paraseptal == 0.0:
        return np.zeros(s.shape, dtype=np.float32)
    return air_holes(s, model.spec, depth, model.fine, model.coarse)


def ground_of(model: ChestModel) -> Ground:
    """The ground of a made chest, cropped to its lungs."""
    patient = slab_of(MEASURED_MM, model.spec.size)
    whole = thorax(patient.scaled(model.spec.size), model.spec).lung < 0.0
    spans = [np.flatnonzero(whole.any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1))]
    box = tuple(slice(int(span[0]), int(span[-1]) + 1) for span in spans)
    patient = patient.crop(box)  # type: ignore[arg-type]
    s = patient.scaled(model.spec.size)
    t = thorax(s, model.spec)
    hu = parenchyma(s, model)
    empty(hu, holes_of(s, model, t.depth))
    return Ground(
        terrain=terrain_of_model(model),
        slab=patient,
        hu=hu,
        lung=cover(t.lung, s.voxel_mm) >= 0.5,
        depth_mm=t.depth * np.float32(model.spec.size),
        lobe=lobes(s),
    )
