"""The boxes of a scan that lesions reach, filled one after the other: what lies between them costs nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from cop_imaging.core.arrays import AnyArray, BoolArray, Float32Array, UInt8Array
from cop_imaging.core.geometry import Box
from cop_imaging.core.volume import CTVolume
from cop_imaging.synth.insertion.lattice import Lattice
from cop_imaging.synth.insertion.parenchyma import Shares, quiet, shares
from cop_imaging.synth.insertion.point_spread import blurred
from cop_imaging.synth.insertion.scan_model import ScanModel
from cop_imaging.synth.lesions.blending import ALWAYS, Blended, add_lesions
from cop_imaging.synth.lesions.lesion import Lesion, box_of
from cop_imaging.synth.shapes import Slab

__all__ = ["Filled", "Tile", "Writer", "boxes_of"]

TALL_MM, TILE_MM, FEWEST_PIXELS, FEWEST_SLICES = 24.0, 64.0, 48, 10
HALO_SLICES, HALO_PIXELS = 4, 10
"""How far blurs look beyond a tile."""
LEAST_HU = 0.5
"""Smallest change of density that counts."""
USUAL_TISSUE_HU = 42.0


def boxes_of(shape: tuple[int, int, int], spacing_mm: tuple[float, float, float]) -> Iterator[Box]:
    """Boxes that cover a grid."""
    tall = max(int(TALL_MM / spacing_mm[0]), FEWEST_SLICES)
    high, wide = (max(int(TILE_MM / s), FEWEST_PIXELS) for s in spacing_mm[1:])
    for k in range(0, shape[0], tall):
        for j in range(0, shape[1], high):
            for i in range(0, shape[2], wide):
                yield (
                    slice(k, min(k + tall, shape[0])),
                    slice(j, min(j + high, shape[1])),
                    slice(i, min(i + wide, shape[2])),
                )


def with_halo(box: Box, shape: tuple[int, int, int]) -> Box:
    """A box and what blurs see around it."""
    z, y, x = (
        slice(max(b.start - h, 0), min(b.stop + h, n))
        for b, h, n in zip(box, (HALO_SLICES, HALO_PIXELS, HALO_PIXELS), shape, strict=True)
    )
    return z, y, x


def joined(a: Box | None, b: Box | None) -> Box | None:
    """The smallest box around two."""
    if a is None or b is None:
        return a or b
    z, y, x = (slice(min(p.start, q.start), max(p.stop, q.stop)) for p, q in zip(a, b, strict=True))
    return z, y, x


def common(a: Box, b: Box | None) -> Box | None:
    """What two boxes share."""
    if b is None:
        return None
    spans = [slice(max(p.start, q.start), min(p.stop, q.stop)) for p, q in zip(a, b, strict=True)]
    return (spans[0], spans[1], spans[2]) if all(s.stop > s.start for s in spans) else None


@dataclass(frozen=True, slots=True, eq=False)
class Filled:
    """New densities and truth of a tile, all [z, y, x]."""

    hu: Float32Array
    touched: BoolArray
    masks: dict[str, BoolArray]
    emptied: BoolArray
    """Where bronchi are no more."""


@dataclass(frozen=True, slots=True, eq=False)
class Tile:
    """Fills boxes of one scan with its lesions."""

    model: ScanModel
    volume: CTVolume
    lungs: UInt8Array
    airways: BoolArray | None
    lattice: Lattice | None
    """Lesions with soft edges."""
    fine: Sequence[Lesion]
    """The others."""
    seed: int

    def reached(self, box: Box) -> Box | None:
        """The part of a box that lesions reach in or at the lungs."""
        found = None if self.lattice is None else self.lattice.touched(box, LEAST_HU)
        for lesion in self.fine:
            found = joined(found, common(box, box_of(lesion, self.model.slab)))
        if found is None:
            return None
        return found if self.lungs[with_halo(found, self.volume.hu.shape)].any() else None

    def fill(self, kept: Box) -> Filled:
        """New densities and truth of a box."""
        box = with_halo(kept, self.volume.hu.shape)
        model, spacing = self.model, self.volume.geometry.spacing_mm
        slab = model.slab.crop(box)
        level = np.ascontiguousarray(model.level_hu.on(slab))
        drawn, blended = self.drawn(box, slab, level)
        old = self.volume.hu[box].astype(np.float32)
        inside = self.lungs[box] > 0
        image = quiet(old, model.noise.on(slab), spacing)
        share = shares(
            image,
            inside,
            None if self.airways is None else self.airways[box],
            level,
            model.wall_hu.on(slab),
            blood=model.blood_hu,
            spread=model.spread,
            spacing_mm=spacing,
        )
        added = blurred(drawn - level, model.spread, spacing)
        fractions = [blurred(layer.fraction, model.spread, spacing) for _, layer in blended.over]
        inner = tuple(slice(k.start - b.start, k.stop - b.start) for k, b in zip(kept, box, strict=True))
        share = Shares(share.parenchyma[inner], share.lung[inner], share.core[inner])
        added, level, drawn, image, old = (a[inner] for a in (added, level, drawn, image, old))
        dense = np.clip(added / (np.float32(USUAL_TISSUE_HU) - level), 0.0, 1.0)
        tissue = model.tissue.draw(kept, model.slab, self.seed)
        new: Float32Array = (image + share.parenchyma * added).astype(np.float32, copy=False)
        replaced = dense * np.clip(share.parenchyma * 4.0, 0.0, 1.0)
        masks = {name: mask[inner] for name, mask in blended.masks.items()}
        masks["airways"] = np.zeros(new.shape, dtype=bool)
        emptied = np.zeros(new.shape, dtype=bool)
        for (at, layer), fraction in zip(blended.over, fractions, strict=True):
            both = common(at, inner)  # type: ignore[arg-type]
            if both is None:
                continue
            there = tuple(slice(b.start - a.start, b.stop - a.start) for a, b in zip(at, both, strict=True))
            here = tuple(slice(b.start - a.start, b.stop - a.start) for a, b in zip(inner, both, strict=True))
            part, filled = fraction[there], layer.fraction[there] >= 0.5
            lay(new[here], share, here, drawn[here], part, layer.tissue_hu)
            replaced[here] = np.maximum(replaced[here], part * share.lung[here])
            for name in ("consolidation", "ground_glass"):
                masks[name][here] &= ~filled
            emptied[here] |= filled
            if layer.sign is not None:
                masks[layer.sign][here] |= filled
        keep = np.float32(1.0) - replaced
        new += keep * (old - image) + np.sqrt(np.maximum(1.0 - keep * keep, 0.0)) * tissue
        touched = (np.abs(added * share.parenchyma) > LEAST_HU) | (replaced > 1e-3)
        return Filled(new, touched, masks, emptied)

    def drawn(self, box: Box, slab: Slab, level: Float32Array) -> tuple[Float32Array, Blended]:
        """Parenchyma with its lesions, and what waits to be laid over vessels."""
        hu, soft = (level.copy(), {}) if self.lattice is None else self.lattice.parenchyma(level, box)
        blended = Blended({name: np.zeros(slab.shape, dtype=bool) for name in ALWAYS}, ())
        if self.fine:
            depth, lobe = self.model.lung_map.depth.on(slab), self.model.lung_map.lobe_on(slab)
            blended = add_lesions(hu, slab, depth, lobe, self.fine)
        for name, mask in soft.items():
            blended.masks[name] |= mask
        return hu, blended


def lay(
    new: Float32Array, share: Shares, box: tuple[slice, ...], drawn: Float32Array, part: Float32Array, tissue_hu: float
) -> None:
    """Replace lung with all that it holds, in place: at the border only the lung's part of a voxel."""
    core, lung = share.core[box], share.lung[box]
    present = core * new + (1.0 - core) * drawn
    new += lung * part * (np.float32(tissue_hu) - present)


@dataclass(frozen=True, slots=True, eq=False)
class Writer:
    """The arrays that are written, box by box."""

    hu: AnyArray
    truth: dict[str, AnyArray]
    lungs: UInt8Array
    airways: BoolArray | None
    valid: BoolArray | None

    def write(self, box: Box, filled: Filled) -> None:
        """Put a box into the whole arrays; nothing outside the scanned field changes."""
        touched = filled.touched if self.valid is None else filled.touched & self.valid[box]
        np.copyto(self.hu[box], np.clip(np.rint(filled.hu), -1024, 3071).astype(np.int16), where=touched)
        inside = self.lungs[box] > 0
        fluid = filled.masks["effusion"] & inside
        for name, mask in filled.masks.items():
            true = mask & inside
            if name == "airways":
                if self.airways is not None:
                    self.airways[box] &= ~filled.emptied
                    self.airways[box] |= true
            elif true.any() or name in self.truth:
                self.truth.setdefault(name, np.zeros(self.hu.shape, dtype=bool))[box] |= (
                    true if name == "effusion" else true & ~fluid
                )
        self.lungs[box][fluid] = 0
