"""What every lesion is: layers of tissue blended into the lung, and lobules that give them their edges."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeVar

import numpy as np

from cop_imaging.core.arrays import BoolArray, Float32Array, UInt8Array
from cop_imaging.core.geometry import Box
from cop_imaging.synth.interpolation import Lattice
from cop_imaging.synth.lesions.lobules import Lobules
from cop_imaging.synth.shapes import Slab

__all__ = ["CONSOLIDATION_HU", "GROUND_GLASS_HU", "Layer", "Lesion", "Place", "Point", "lobular", "septa", "smoothstep"]

GROUND_GLASS_HU, CONSOLIDATION_HU = -700.0, -300.0
"""Density from which parenchyma with its lesion is true to the sign, before vessels, airways, blur and noise."""

LATTICE_MM, FINE_MM = 1.4, 1.2
"""Distance of the nodes on which lobules are told apart for voxels smaller than this."""
T = TypeVar("T")
Point = tuple[float, float, float]
Sign = Literal["consolidation", "ground_glass", "effusion", "airways"]


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """The box of voxels that a lesion may touch."""

    slab: Slab
    depth_mm: Float32Array
    """[z, y, x] depth below the costal and diaphragmatic pleura, 0 outside the lung."""
    lobe: UInt8Array
    """[z, y, x] 1-5 (RUL, RML, RLL, LUL, LLL) by the fissures, inside and outside the lung."""
    lung: BoolArray | None = None
    """[z, y, x] Where values are used at all; everywhere when it is None. Costly ones need not be found elsewhere."""
    known: dict[Hashable, Any] = field(default_factory=dict, repr=False)
    """What was computed here for a lesion's layers and serves its shapes too."""

    def used(self, within: BoolArray) -> BoolArray:
        """The chosen voxels whose values are used."""
        return within if self.lung is None else within & self.lung

    def once(self, lesion: Hashable, compute: Callable[[], T]) -> T:
        """What ``compute`` gives for that lesion here, computed at the first call."""
        if lesion not in self.known:
            self.known[lesion] = compute()
        out: T = self.known[lesion]
        return out


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """Tissue (or air, or fluid) of one density, and the part of each voxel that it replaces."""

    fraction: Float32Array
    """[z, y, x], 0-1. Blended: HU = fraction x tissue + (1 - fraction) x what was there."""
    tissue_hu: float
    sign: Sign | None = None
    """What the layer is: ``consolidation`` and ``ground_glass`` are true where the density is theirs; ``effusion``
    (which is no lung) and ``airways`` (a lumen) where the layer fills half of a voxel."""
    over: bool = False
    """Whether it replaces vessels and bronchi too, and not only the parenchyma between them."""


class Lesion(Protocol):
    """A lesion in patient coordinates; its shape is fixed by its fields, whatever the grid it is seen on."""

    @property
    def centre_mm(self) -> Point:
        """LPS centre (x, y, z)."""
        ...

    @property
    def reach_mm(self) -> float:
        """No voxel farther than this from the centre, along any axis, is touched."""
        ...

    def layers(self, place: Place) -> tuple[Layer, ...]:
        """Layers in the order in which they are blended."""
        ...

    def shapes(self, place: Place) -> dict[str, Float32Array]:
        """Part of each voxel inside the lesion's outline, by the name of its truth; empty for density signs."""
        ...


def box_of(lesion: Lesion, slab: Slab) -> Box | None:
    """Index box of the voxels that a lesion may touch, or None."""
    centre = np.array(lesion.centre_mm, dtype=np.float64)
    return slab.box(centre - lesion.reach_mm, centre + lesion.reach_mm)


def smoothstep(level: Float32Array, width_mm: float | Float32Array) -> Float32Array:
    """0 below ``-width_mm / 2``, 1 above, smooth between."""
    width: Float32Array = np.asarray(width_mm, dtype=np.float32)
    t: Float32Array = np.clip(level / width + np.float32(0.5), 0.0, 1.0)
    out: Float32Array = t * t * (3.0 - 2.0 * t)
    return out


def lobular(
    slab: Slab,
    centre_mm: Point,
    *,
    reach_mm: float,
    seed: int,
    lobule_mm: float,
    rough_mm: float,
    within: BoolArray | None = None,
) -> tuple[Float32Array, Float32Array]:
    """Smooth noise in mm and a value of each voxel's lobule, both [z, y, x].

    Lobules are the Voronoi cells of a jittered lattice: secondary lobules are 10-25 mm across.

    Parameters
    ----------
    within : bool [z, y, x], optional
        Where lobules matter; the value is 0 elsewhere, and time is saved.

    Returns
    -------
    roughness, lobule : float32 [z, y, x]
        Field of SD ``rough_mm``, and a standard normal number per lobule.
    """
    lobules = Lobules.around(centre_mm, reach_mm=reach_mm, seed=seed, lobule_mm=lobule_mm)
    rough = lobules.rough.on(slab)
    chosen = np.ones(slab.shape, dtype=bool) if within is None else within
    if slab.voxel_mm > FINE_MM:
        return rough * np.float32(rough_mm), lobules.values(slab, rough, chosen)
    # Smaller voxels are more than a step between two lobules needs: it is sought on a lattice fixed in the patient.
    lattice = Lattice.around(slab, LATTICE_MM)
    coarse = lobules.values(lattice.nodes, lobules.rough.on(lattice.nodes), lattice.needed(chosen))
    return rough * np.float32(rough_mm), lattice.carried(coarse) * chosen


def septa(
    slab: Slab,
    centre_mm: Point,
    *,
    reach_mm: float,
    seed: int,
    lobule_mm: float,
    within: BoolArray | None = None,
) -> Float32Array:
    """Distance of each voxel to the nearest wall between two lobules in mm, [z, y, x].

    The walls are those of ``lobular`` with the same centre, reach, seed and lobule size: they coincide with the edges
    that it gives. They bend, so that the distance is right within about a third. Where ``within`` is false it is
    not sought: a whole lobule stands for it.
    """
    lobules = Lobules.around(centre_mm, reach_mm=reach_mm, seed=seed, lobule_mm=lobule_mm)
    chosen = np.ones(slab.shape, dtype=bool) if within is None else within
    distance = np.full(slab.shape, lobule_mm, dtype=np.float32)
    distance[chosen] = lobules.walls(slab, lobules.rough.on(slab), chosen).distance_mm
    return distance
