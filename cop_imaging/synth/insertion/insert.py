"""Puts lesions into a scan: new tissue where lung was, blurred and noisy as the scan is, vessels and bronchi left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from cop_imaging.core.arrays import AnyArray, BoolArray, Float32Array, UInt8Array
from cop_imaging.core.volume import CTVolume
from cop_imaging.provenance import array_digest
from cop_imaging.synth.insertion.lattice import Lattice, has_soft_edges
from cop_imaging.synth.insertion.scan_model import ScanModel, model_scan
from cop_imaging.synth.insertion.tiles import USUAL_TISSUE_HU, Tile, Writer, boxes_of
from cop_imaging.synth.lesions.blending import ALWAYS
from cop_imaging.synth.lesions.lesion import Layer, Lesion, Place, Point

__all__ = ["Inserted", "insert"]

LEAST_TISSUE_HU = 20.0
"""Layers of less are fluid, fat or air, and take up no contrast medium."""
PLAIN_HU, ENHANCED_HU = (25.0, 55.0), (60.0, 110.0)
"""Airless lung without and with contrast medium: it overlaps muscle, liver and fluid."""
ENHANCED_BLOOD_HU = 90.0


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
    the voxels that the pleura cuts are filled as well. The noise of lung gives way to blocks of the scan's own soft
    tissue from the same distance from the isocentre: airless lung is as noisy and as uneven as muscle, heart and liver.

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
    low, high = ENHANCED_HU if model.blood_hu > ENHANCED_BLOOD_HU else PLAIN_HU
    tissue_hu = float(np.random.default_rng([seed, 1]).uniform(low, min(high, max(model.blood_hu - 15.0, low + 5.0))))
    denser = [Denser(lesion, tissue_hu - USUAL_TISSUE_HU) for lesion in lesions]
    hu = volume.hu.copy()
    truth: dict[str, AnyArray] = {name: np.zeros(hu.shape, dtype=bool) for name in ALWAYS}
    new_lungs = lungs.copy()
    new_airways = airways.copy() if airways is not None else None
    writer = Writer(hu, truth, new_lungs, new_airways, volume.valid)
    soft = [n for n, lesion in enumerate(lesions) if has_soft_edges(lesion)]
    lattice = Lattice.draw(model, [denser[n] for n in soft], volume.geometry.spacing_mm)
    fine = [denser[n] for n in range(len(lesions)) if n not in soft]
    tile = Tile(model, volume, lungs, airways, lattice, fine, seed)
    for box in boxes_of(volume.geometry.shape, volume.geometry.spacing_mm):
        reached = tile.reached(box)
        if reached is not None:
            writer.write(reached, tile.fill(reached))
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
