"""Puts lesions into a scan: new tissue where lung was, blurred and noisy as the scan is, vessels and bronchi left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from cop_imaging.core.arrays import AnyArray, BoolArray, Float32Array, UInt8Array
from cop_imaging.core.geometry import Box
from cop_imaging.core.volume import CTVolume
from cop_imaging.provenance import array_digest
from cop_imaging.synth.insertion.parenchyma import Shares, quiet, shares
from cop_imaging.synth.insertion.point_spread import blurred
from cop_imaging.synth.insertion.scan_model import ScanModel, model_scan
from cop_imaging.synth.lesions.blending import add_lesions
from cop_imaging.synth.lesions.lesion import Layer, Lesion, Place, Point
from cop_imaging.synth.shapes import Field, Slab

__all__ = ["Inserted", "insert"]

CHUNK_VOXELS = 3_000_000
HALO_MM = 6.0
LEAST_TISSUE_HU = 20.0
"""Layers of less are fluid, fat or air, and take up no contrast medium."""
USUAL_TISSUE_HU = 42.0
PLAIN_HU, ENHANCED_HU = (25.0, 55.0), (60.0, 110.0)
"""Airless lung without and with contrast medium: it overlaps muscle, liver and fluid."""
ENHANCED_BLOOD_HU = 90.0
UNEVEN_HU, UNEVEN_MM = (0.0, 12.0), 2.0
"""Least and largest SD of the density of airless lung beyond noise, which is that of the scan's other soft tissue, and
how far it is correlated."""
SKEW = 0.35
"""Rests of air and small bronchi make airless lung lighter in spots, more than anything makes it denser."""


@dataclass(frozen=True, slots=True, eq=False)
class Inserted:
    """A scan with lesions and what is true of it.

    Parameters
    ----------
    volume : CTVolume
        On the scan's own grid; voxels that no lesion reaches are as they were.
    truth : mapping of name to array [z, y, x]
        ``lungs`` uint8 (the given ones without effusion), bool ``lungs_right``, ``lungs_left``, ``airways`` when given,
        ``consolidation``, ``ground_glass``, ``reversed_halo``, ``effusion``, and other shapes where they were drawn.
    lesions : tuple of lesions
    parameters : mapping
        Seed, added density, the scan's measured blur and blood, and every lesion's fields.
    """

    volume: CTVolume
    truth: Mapping[str, AnyArray]
    lesions: tuple[Lesion, ...]
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Denser:
    """A lesion whose soft tissue is denser by contrast medium."""

    lesion: Lesion
    added_hu: float

    @property
    def centre_mm(self) -> Point:
        """The lesion's."""
        return self.lesion.centre_mm

    @property
    def reach_mm(self) -> float:
        """The lesion's."""
        return self.lesion.reach_mm

    def layers(self, place: Place) -> tuple[Layer, ...]:
        """The lesion's layers, soft ones denser."""
        return tuple(
            replace(layer, tissue_hu=layer.tissue_hu + self.added_hu) if layer.tissue_hu >= LEAST_TISSUE_HU else layer
            for layer in self.lesion.layers(place)
        )

    def shapes(self, place: Place) -> dict[str, Float32Array]:
        """The lesion's."""
        return self.lesion.shapes(place)


def insert(
    volume: CTVolume,
    lungs: UInt8Array,
    lesions: Sequence[Lesion],
    *,
    seed: int,
    airways: BoolArray | None = None,
    model: ScanModel | None = None,
) -> Inserted:
    """Put lesions into a scan inside its lungs; the same arguments give the same bytes.

    Each voxel at or in the lungs is taken apart into parenchyma and what is not (vessel, bronchus, chest wall); the
    lesions' tissue replaces the parenchyma only, seen through the scan's own blur, so that vessels and bronchi stay and
    the voxels that the pleura cuts are filled as well. The noise of lung gives way to that of the scan's own soft
    tissue at the same distance from the isocentre.

    Parameters
    ----------
    lungs : uint8 [z, y, x]
        1 right, 2 left, without airways.
    airways : bool [z, y, x], optional
        Lumina to keep open; without it only those inside visible walls are found.
    model : ScanModel, optional
        Of this scan, when several insertions share it.

    Raises
    ------
    ValueError
        If the mask is empty or of another shape, or the grid's axes do not run along the patient's.
    """
    model = model or model_scan(volume, lungs)
    rng = np.random.default_rng([seed, 1])
    low, high = ENHANCED_HU if model.blood_hu > ENHANCED_BLOOD_HU else PLAIN_HU
    tissue_hu = float(rng.uniform(low, min(high, max(model.blood_hu - 15.0, low + 5.0))))
    denser = [Denser(lesion, tissue_hu - USUAL_TISSUE_HU) for lesion in lesions]
    hu = volume.hu.copy()
    truth: dict[str, AnyArray] = {
        name: np.zeros(hu.shape, dtype=bool) for name in ("consolidation", "ground_glass", "reversed_halo", "effusion")
    }
    new_lungs = lungs.copy()
    new_airways = airways.copy() if airways is not None else None
    for n, group in enumerate(groups(denser)):
        whole = reached(group, model.slab)
        if whole is None:
            continue
        unevenness = uneven(model.slab.crop(whole), rng)
        for box, kept in chunks(whole, volume.geometry.spacing_mm[0], hu.shape[0]):
            chunk = Chunk(model, volume, lungs, airways, box, kept, whole)
            chunk.fill(group, unevenness, seed + 1_000_003 * n, hu, truth, new_lungs, new_airways)
    truth |= {"lungs": new_lungs, "lungs_right": new_lungs == 1, "lungs_left": new_lungs == 2}
    if new_airways is not None:
        truth["airways"] = new_airways
    for mask in truth.values():
        mask.flags.writeable = False
    parameters = {
        "seed": seed,
        "tissue_hu": round(tissue_hu, 2),
        "blood_hu": model.blood_hu,
        "spread_mm": asdict(model.spread),
        "lesions": [{"lesion": type(lesion).__name__, **asdict(lesion)} for lesion in lesions],  # type: ignore[call-overload]
    }
    changed = replace(volume, hu=hu, digest=array_digest(hu, volume.geometry))
    return Inserted(changed, truth, tuple(lesions), parameters)


def groups(lesions: Sequence[Lesion]) -> list[list[Lesion]]:
    """Lesions in their order, parted so that the reach of no two groups overlaps: what lies between is left alone."""
    found: list[list[Lesion]] = []
    for lesion in lesions:
        near = [group for group in found if any(overlap(lesion, other) for other in group)]
        joined = [other for group in near for other in group]
        found = [group for group in found if all(group is not n for n in near)]
        found.append([other for other in lesions if other is lesion or any(other is j for j in joined)])
    return found


def overlap(a: Lesion, b: Lesion) -> bool:
    """Whether the boxes that two lesions reach touch."""
    reach = a.reach_mm + b.reach_mm
    return all(abs(p - q) <= reach for p, q in zip(a.centre_mm, b.centre_mm, strict=True))


def reached(lesions: Sequence[Lesion], slab: Slab) -> Box | None:
    """Index box that holds every voxel that a lesion may touch."""
    if not lesions:
        return None
    low = np.min([np.array(lesion.centre_mm) - lesion.reach_mm for lesion in lesions], axis=0)
    high = np.max([np.array(lesion.centre_mm) + lesion.reach_mm for lesion in lesions], axis=0)
    return slab.box(low, high)


def chunks(whole: Box, step_mm: float, slices: int) -> list[tuple[Box, range]]:
    """Runs of slices with the slices around them that blurs look at, and the run itself."""
    plane = (whole[1].stop - whole[1].start) * (whole[2].stop - whole[2].start)
    halo = int(np.ceil(HALO_MM / step_mm))
    length = max(1, CHUNK_VOXELS // plane)
    out: list[tuple[Box, range]] = []
    for first in range(whole[0].start, whole[0].stop, length):
        last = min(first + length, whole[0].stop)
        out.append(((slice(max(first - halo, 0), min(last + halo, slices)), whole[1], whole[2]), range(first, last)))
    return out


def uneven(slab: Slab, rng: np.random.Generator) -> Field:
    """Smooth density differences of SD 1 over a slab."""
    ends = [(float(c.min()), float(c.max())) for c in (slab.x, slab.y, slab.z)]
    low, high = ((ends[0][n], ends[1][n], ends[2][n]) for n in (0, 1))
    return Field.random(rng, low, high, UNEVEN_MM)


@dataclass(frozen=True, slots=True, eq=False)
class Chunk:
    """A run of slices of a scan into which lesions are put."""

    model: ScanModel
    volume: CTVolume
    lungs: UInt8Array
    airways: BoolArray | None
    box: Box
    """With a halo along z."""
    kept: range
    """The slices without halo."""
    whole: Box

    def fill(
        self,
        lesions: Sequence[Lesion],
        unevenness: Field,
        seed: int,
        hu: AnyArray,
        truth: dict[str, AnyArray],
        new_lungs: UInt8Array,
        new_airways: BoolArray | None,
    ) -> None:
        """Write new densities and truth of the run, in place."""
        box = self.narrowed(lesions)
        if box is None:
            return
        model, spacing = self.model, self.volume.geometry.spacing_mm
        slab = model.slab.crop(box)
        level = np.ascontiguousarray(model.level_hu.on(slab))
        inside = self.lungs[box] > 0
        drawn = level.copy()
        depth = model.lung_map.depth.on(slab)
        blended = add_lesions(drawn, slab, depth, model.lung_map.lobe_on(slab), lesions)
        old = self.volume.hu[box].astype(np.float32)
        sd = model.noise.sd_on(slab)
        image = quiet(old, sd, spacing)
        share = shares(
            image,
            inside,
            None if self.airways is None else self.airways[box],
            level,
            blood=model.blood_hu,
            spread=model.spread,
            spacing_mm=spacing,
        )
        added = blurred(drawn - level, model.spread, spacing)
        dense = np.clip(added / (np.float32(USUAL_TISSUE_HU) - level), 0.0, 1.0)
        field = unevenness.on(slab)
        field -= np.float32(SKEW) * (field * field - 1.0)
        field *= np.float32(1.0 / np.sqrt(1.0 + 2.0 * SKEW**2))
        strength = np.float32(np.clip(model.noise.structure_hu, *UNEVEN_HU))
        new = image + share.parenchyma * (added + dense * strength * field)
        replaced = dense * np.clip(share.parenchyma * 4.0, 0.0, 1.0)
        masks = dict(blended.masks)
        masks["airways"] = np.zeros(inside.shape, dtype=bool)
        emptied = np.zeros(inside.shape, dtype=bool)
        for part_box, layer in blended.over:
            part = blurred(layer.fraction, model.spread, spacing)
            lay(new[part_box], share, part_box, drawn[part_box], part, layer.tissue_hu)
            replaced[part_box] = np.maximum(replaced[part_box], part * share.lung[part_box])
            filled = layer.fraction >= 0.5
            for name in ("consolidation", "ground_glass"):
                masks[name][part_box] &= ~filled
            emptied[part_box] |= filled
            if layer.sign is not None:
                masks[layer.sign][part_box] |= filled
        keep = 1.0 - replaced
        noise = self.noise(box, seed) * sd
        new += keep * (old - image) + np.sqrt(np.maximum(1.0 - keep * keep, 0.0)) * noise
        touched = (np.abs(added * share.parenchyma) > 0.5) | (replaced > 1e-3)
        self.write(box, new, touched, masks, inside, emptied, hu, truth, new_lungs, new_airways)

    def narrowed(self, lesions: Sequence[Lesion]) -> Box | None:
        """The part of the run that lesions reach, by whole slices and the smallest rectangle."""
        z = self.model.slab.z.ravel()[self.box[0]]
        near = [
            lesion
            for lesion in lesions
            if lesion.centre_mm[2] + lesion.reach_mm > z[0] and lesion.centre_mm[2] - lesion.reach_mm < z[-1]
        ]
        reach = reached(near, self.model.slab)
        return None if reach is None else (self.box[0], reach[1], reach[2])

    def noise(self, box: Box, seed: int) -> Float32Array:
        """Noise of SD 1 in a part of the run, the same whatever the run."""
        plane = (self.whole[1].stop - self.whole[1].start, self.whole[2].stop - self.whole[2].start)
        z = self.model.slab.z.ravel()[box[0]]
        drawn = self.model.noise.draw(range(box[0].start, box[0].stop), z, plane, seed)
        y, x = (slice(box[n].start - self.whole[n].start, box[n].stop - self.whole[n].start) for n in (1, 2))
        return drawn[:, y, x]

    def write(
        self,
        box: Box,
        new: Float32Array,
        touched: BoolArray,
        masks: dict[str, BoolArray],
        inside: BoolArray,
        emptied: BoolArray,
        hu: AnyArray,
        truth: dict[str, AnyArray],
        new_lungs: UInt8Array,
        new_airways: BoolArray | None,
    ) -> None:
        """Put what was made into the whole arrays, without the halo; nothing outside the scanned field changes."""
        run = slice(self.kept.start - box[0].start, self.kept.stop - box[0].start)
        at = (slice(self.kept.start, self.kept.stop), box[1], box[2])
        if self.volume.valid is not None:
            touched &= self.volume.valid[box]
        np.copyto(hu[at], np.clip(np.rint(new[run]), -1024, 3071).astype(np.int16), where=touched[run])
        fluid = masks["effusion"][run] & inside[run]
        for name, mask in masks.items():
            true = mask[run] & inside[run]
            if name == "airways":
                if new_airways is not None:
                    new_airways[at] &= ~emptied[run]
                    new_airways[at] |= true
            elif true.any() or name in truth:
                truth.setdefault(name, np.zeros(hu.shape, dtype=bool))[at] |= (
                    true if name == "effusion" else true & ~fluid
                )
        new_lungs[at][fluid] = 0


def lay(new: Float32Array, share: Shares, box: Box, drawn: Float32Array, part: Float32Array, tissue_hu: float) -> None:
    """Replace lung with all that it holds, in place: at the border only the lung's part of a voxel."""
    core, lung = share.core[box], share.lung[box]
    present = core * new + (1.0 - core) * drawn
    new += lung * part * (np.float32(tissue_hu) - present)
