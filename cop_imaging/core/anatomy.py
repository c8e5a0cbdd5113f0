"""The chest's anatomy as masks on the grid of the volume it was found in."""

from __future__ import annotations

from dataclasses import dataclass, field

from cop_imaging.core.airway_tree import AirwayTree
from cop_imaging.core.arrays import BoolArray, Float32Array, UInt8Array
from cop_imaging.core.geometry import Geometry
from cop_imaging.core.issue import Issue

__all__ = ["LEFT", "RIGHT", "Anatomy", "Doubt", "WorkGrid"]

RIGHT = 1
"""Label of the patient's right lung."""
LEFT = 2
"""Label of the patient's left lung."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """How far the lung mask may be trusted (0 not at all, 1 fully), and the numbers behind it."""

    trust: float = 1.0
    right_to_left: float | None = None
    """Volume of the right lung over the left; 0.7-1.8 in health."""
    recovered_ml: float = 0.0
    """Dense lung that was brought back behind the threshold mask."""
    uncertain_ml: float = 0.0
    """Tissue that might be lung and was left out."""
    touches_top: bool = False
    touches_bottom: bool = False
    touches_sides: bool = False
    """The field of view cuts through lung in the plane."""
    unseen: float = 0.0
    """Share of the aerated lung that the network holds for something else."""
    expected_dice: float | None = None
    """Dice's coefficient that the network's own probabilities let expect; None, like the next, without it."""
    unclear: float | None = None
    """Volume inside the body that the network expects to name wrongly, over the lungs'."""
    disputed: float | None = None
    """Airless lung near the mask that may have been left out, or that may as well be fluid, over all airless lung."""
    watery: float | None = None
    """Fluid that network and density expect in the mask, away from fluid that was found, over its airless lung."""
    silent: float | None = None
    """Airless lung farther from any air than bronchi lie apart, over all of it, or over a litre if there is less."""
    turned: bool = False
    """Ingestion is sure that the body lies the other way round than stated."""
    given: bool = False
    """The mask was handed in by the user instead of found."""


@dataclass(frozen=True, slots=True, eq=False)
class WorkGrid:
    """The coarse isotropic grid over the lungs on which vessels and smooth maps are computed."""

    geometry: Geometry
    vesselness: Float32Array
    """0-1, how tube-like and bright the surroundings of a voxel are."""
    vessel_radius_mm: Float32Array
    """Radius of the tube scale that answered best; 0 where there is no vessel."""


@dataclass(frozen=True, slots=True, eq=False)
class Anatomy:
    """Lungs, airways, vessels and what might be lung. Takes ownership of its arrays and locks them.

    Parameters
    ----------
    lungs : uint8 [z, y, x]
        0 outside, 1 right, 2 left: everything that is lung, consolidation included; effusion, trachea,
        main bronchi and hilar vessels wider than about 10 mm excluded.
    airways : bool [z, y, x]
        Lumen of trachea and bronchi as far as they were followed.
    body : bool [z, y, x]
        Inside the skin, without table and clothes.
    vessels : bool [z, y, x]
        Vessels inside the lungs.
    uncertain : bool [z, y, x]
        Tissue that might be lung and is not in ``lungs``, and airless tissue in ``lungs`` that might not be lung.
    effusion : bool [z, y, x] or None
        Pleural fluid; None when it was not looked for.
    work : WorkGrid
        Vessel maps on the coarse grid.
    airway_tree : AirwayTree or None
        Centre lines of the airways; None when no trachea was found.
    """

    geometry: Geometry
    lungs: UInt8Array
    airways: BoolArray
    body: BoolArray
    vessels: BoolArray
    uncertain: BoolArray
    work: WorkGrid
    effusion: BoolArray | None = None
    doubt: Doubt = field(default_factory=Doubt)
    issues: tuple[Issue, ...] = ()
    airway_tree: AirwayTree | None = None

    def __post_init__(self) -> None:
        for name in ("lungs", "airways", "body", "vessels", "uncertain", "effusion"):
            array = getattr(self, name)
            if array is None:
                continue
            if array.shape != self.geometry.shape:
                raise ValueError(f"{name} has shape {array.shape}, its geometry {self.geometry.shape}")
            array.flags.writeable = False
