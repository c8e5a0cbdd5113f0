"""Draws a chest with its lesions on a grid, slab by slab, with the truth of everything that is drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from cop_imaging.core.arrays import AnyArray, BoolArray, Float32Array, Float64Array, UInt8Array
from cop_imaging.core.geometry import Geometry
from cop_imaging.synth.airways import Trees, grow_trees, lobes
from cop_imaging.synth.cage import midline
from cop_imaging.synth.chest import ChestSpec, surface_width, thorax
from cop_imaging.synth.lesions.blending import add_lesions, blend, lay_over
from cop_imaging.synth.lesions.lesion import Lesion
from cop_imaging.synth.parenchyma import air_holes, empty, lung_density
from cop_imaging.synth.random_field import Field
from cop_imaging.synth.shapes import Slab, cover, draw_tubes
from cop_imaging.synth.tissue import surroundings

__all__ = ["ChestModel", "Drawn", "draw", "model_of"]

LOW, HIGH = (-230.0, -230.0, -270.0), (230.0, 230.0, 170.0)
"""Corners (x, y, z) in mm of the region in which random fields are defined."""
SLAB_VOXELS = 3_000_000
THICKEST_MM, FINEST_STEP_MM = 3.1, 1.7
"""Slices thicker than ``THICKEST_MM`` are drawn as the mean of ones no thicker than this."""
WALL_HU, LUMEN_HU = 25.0, -1000.0
NEAREST_MM = 3.0
"""How near to the lung's surface the smallest vessels may end."""


@dataclass(frozen=True, slots=True, eq=False)
class ChestModel:
    """A chest before it is drawn: what the seed decided."""

    spec: ChestSpec
    trees: Trees
    planes: Field
    fine: Field
    coarse: Field


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """Noise-free chest and truth on one grid, all [z, y, x]."""

    hu: Float32Array
    lungs: UInt8Array
    """1 right, 2 left."""
    masks: dict[str, BoolArray]
    width_mm: tuple[float, float, float]
    """(z, y, x) widths over which the drawn values are means."""


def leaves(spec: ChestSpec, rng: np.random.Generator) -> Float64Array:
    """Points (n, 3) as (x, y, z) spread evenly through both lungs, where the smallest vessels end."""
    step = spec.leaf_spacing_mm
    axes = [np.arange(a, b, step) for a, b in ((-150.0, 150.0), (-125.0, 130.0), (-215.0, 112.0))]
    x, y, z = (a.astype(np.float32) for a in axes)
    grid = np.stack(np.meshgrid(z, y, x, indexing="ij"), axis=-1)
    points = (grid + rng.uniform(-0.42 * step, 0.42 * step, grid.shape))[..., ::-1]
    lung = thorax(Slab(z[:, None, None], y[None, :, None], x[None, None, :], 1.0), spec).lung
    out: Float64Array = points[lung < -NEAREST_MM].astype(np.float64)
    return out


def model_of(spec: ChestSpec, rng: np.random.Generator) -> ChestModel:
    """Draw branching and textures of a chest from the generator."""
    trees = grow_trees(leaves(spec, rng), leaves(spec, rng), rng, trachea_mm=spec.trachea_mm)
    return ChestModel(
        spec,
        trees,
        planes=Field.random(rng, LOW, HIGH, 14.0),
        fine=Field.random(rng, LOW, HIGH, 3.0),
        coarse=Field.random(rng, LOW, HIGH, 22.0),
    )


def parenchyma(s: Slab, model: ChestModel) -> Float32Array:
    """Density of the lung between vessels without holes: gravity, texture and fissures, float32 [z, y, x]."""
    return lung_density(s, model.spec, model.fine, model.coarse)


def draw_slab(
    model: ChestModel, patient: Slab, lesions: Sequence[Lesion]
) -> tuple[Float32Array, AnyArray, dict[str, BoolArray]]:
    """Noise-free HU, labels of the lungs and masks of one slab in patient coordinates."""
    spec = model.spec
    s = patient.scaled(spec.size)
    t = thorax(s, spec)
    hu = surroundings(s, spec, t, model.planes)
    lung = parenchyma(s, model)
    width = surface_width(s, spec)
    part = cover(t.lung, width)
    holes = None
    if spec.emphysema > 0.0 or spec.paraseptal > 0.0:
        holes = air_holes(s, spec, t.depth, model.fine, model.coarse)
        empty(lung, holes)
    blended = add_lesions(lung, patient, t.depth * np.float32(spec.size), lobes(s), lesions, part > 0.0)
    blend(hu, part, lung)
    # A straight branch may cut through the diaphragm or the heart: it is not drawn there.
    above = cover(-t.diaphragm - 1.0, width)
    arteries, veins = draw_tubes(s, model.trees.arteries) * above, draw_tubes(s, model.trees.veins) * above
    blend(hu, arteries, spec.right_blood_hu)
    blend(hu, veins, spec.blood_hu)
    vessels = np.maximum(arteries, veins, out=arteries)
    above *= 1.0 - cover(t.organs + 3.0, s.voxel_mm) * np.clip((-40.0 - s.z) / 5.0, 0.0, 1.0)
    central = draw_tubes(s, model.trees.central)
    walls = draw_tubes(s, model.trees.walls) * np.maximum(above, central)
    blend(hu, walls, WALL_HU)
    lumen = np.maximum(draw_tubes(s, model.trees.lumen) * above, central)
    blend(hu, lumen, LUMEN_HU)
    # Lobar bronchi and hilar vessels start in the mediastinum's fat: only what lies in the lungs is truth.
    lungs = (part >= 0.5) & (draw_tubes(s, model.trees.central.widened(1.5, 1.5)) < 0.5)
    masks = {"vessels": (vessels >= 0.5) & (walls < 0.5), "airways": lumen >= 0.5, **blended.masks}
    if holes is not None:
        masks["emphysema"] = (holes >= 0.5) | masks.get("emphysema", False)
    lay_over(hu, part, blended, masks)
    lungs &= ~masks["effusion"]
    for name in masks.keys() - {"airways", "effusion"}:
        masks[name] &= lungs
    sides = np.where(lungs, np.where(s.x < midline(s.y, s.z), 1, 2), 0).astype(np.uint8)
    return hu, sides, masks


def draw(
    model: ChestModel, geometry: Geometry, lesions: Sequence[Lesion] = (), *, thickness_mm: float | None = None
) -> Drawn:
    """Draw a chest on any grid whose axes run along the patient's; thick slices are means of thin ones.

    Parameters
    ----------
    thickness_mm : float, optional
        Of the slices when there are gaps between them; else they are as thick as they are far apart.
    """
    step = geometry.spacing_mm[0]
    thickness = min(thickness_mm or step, step)
    # An odd number: truth that fills half of a slice is never in doubt.
    k = int(np.ceil(thickness / FINEST_STEP_MM - 1e-6)) | 1 if thickness > THICKEST_MM else 1
    whole = thin_slices(geometry, k, thickness / k)
    per_slab = max(1, SLAB_VOXELS // (geometry.shape[1] * geometry.shape[2] * k))
    hu: Float32Array = np.empty(geometry.shape, dtype=np.float32)
    lungs: UInt8Array = np.empty(geometry.shape, dtype=np.uint8)
    masks: dict[str, BoolArray] = {}
    for first in range(0, geometry.shape[0], per_slab):
        rows = slice(first, min(first + per_slab, geometry.shape[0]))
        part, side, mask = draw_slab(model, whole.part(k * rows.start, k * rows.stop), lesions)
        if k > 1:
            part.reshape(-1, k, *part.shape[1:]).mean(axis=1, dtype=np.float32, out=hu[rows])
            # Truth of a thick slice is what fills half of it.
            side = side.reshape(-1, k, *side.shape[1:])[:, k // 2]
            mask = {n: m.reshape(-1, k, *m.shape[1:]).mean(axis=1, dtype=np.float32) >= 0.5 for n, m in mask.items()}
        else:
            hu[rows] = part
        lungs[rows] = side
        # A shape that a slab does not hold is absent there.
        for name, truth in mask.items():
            masks.setdefault(name, np.zeros(geometry.shape, dtype=bool))[rows] = truth
    return Drawn(hu, lungs, masks, (thickness, whole.voxel_mm, whole.voxel_mm))


def thin_slices(geometry: Geometry, k: int, thickness_mm: float) -> Slab:
    """Every slice of a grid as ``k`` thinner ones around its middle."""
    thin = replace(geometry, spacing_mm=(thickness_mm, *geometry.spacing_mm[1:]))
    edge = float(np.cbrt(np.prod(thin.spacing_mm)))
    off = (np.arange(k) - 0.5 * (k - 1)) * thickness_mm
    s = Slab.of(geometry)
    z = (s.z.astype(np.float64) + off[None, :, None]).reshape(-1, 1, 1).astype(np.float32)
    return replace(s, z=z, voxel_mm=edge, height_mm=thickness_mm)
