"""Pleural effusion: how much fluid lies on each side, and how dense it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from cop_imaging.config import Section, quantity
from cop_imaging.core.anatomy import LEFT, RIGHT
from cop_imaging.core.arrays import BoolArray
from cop_imaging.core.finding import Feature, Finding, Reliability, not_assessable
from cop_imaging.core.grid import distance_to, eroded, resample, share_of
from cop_imaging.core.scene import Scene
from cop_imaging.core.volume import Acquisition
from cop_imaging.signs.intervals import spans
from cop_imaging.signs.presence import graded, seen
from cop_imaging.signs.reliability import by_thickness

__all__ = ["PleuralEffusion", "PleuralEffusionConfig"]


class PleuralEffusionConfig(Section):
    """Limits of pleural effusion."""

    fluid_hu: tuple[float, float] = quantity(
        (-10.0, 25.0),
        unit="HU",
        means="density of fluid: doubtful tissue of that density may be fluid",
        source="-10 to 25 HU, homogeneous",
    )
    border_mm: float = quantity(
        2.0,
        low=0.0,
        high=5.0,
        unit="mm",
        means="border of the fluid that its density is not measured in",
        source="one point-spread width and the masks' own doubt; estimate",
    )
    grid_mm: float = quantity(
        3.0,
        low=1.0,
        high=6.0,
        unit="mm",
        means="spacing of the grid on which sides and thickness are measured",
        source="a tenth of a small effusion's width; estimate",
    )
    possible_ml: float = quantity(
        10.0,
        low=0.0,
        high=100.0,
        unit="mL",
        means="volume from which it is possible",
        source="up to 15 mL are found in healthy people; estimate",
    )
    present_ml: float = quantity(
        25.0,
        low=0.0,
        high=300.0,
        unit="mL",
        means="volume from which it is present",
        source="small effusions of 15 to 180 mL are reported in organizing pneumonia; estimate",
    )
    thickness_mm: float = quantity(
        10.0, low=1.0, high=10.0, unit="mm", means="slice thickness up to which it is measured well", source="10 mm"
    )


FEATURES = (
    Feature("pleural_effusion.volume_ml", "ml", "volume of pleural fluid"),
    Feature("pleural_effusion.right_volume_ml", "ml", "volume of fluid on the right"),
    Feature("pleural_effusion.left_volume_ml", "ml", "volume of fluid on the left"),
    Feature("pleural_effusion.right_share", "1", "volume on the right over the whole", high=1.0),
    Feature("pleural_effusion.thickest_mm", "mm", "width of the widest ball that the fluid holds"),
    Feature("pleural_effusion.mean_hu", "HU", "mean density of the fluid away from its border", low=None),
)


@dataclass(frozen=True)
class PleuralEffusion:
    """Fluid in the pleural space (Fleischner glossary, Hansell 2008)."""

    config: PleuralEffusionConfig = field(default_factory=PleuralEffusionConfig)
    name: str = "pleural_effusion"
    title: str = "Pleural effusion"
    needs: tuple[str, ...] = ()
    has_mask: bool = True
    features: tuple[Feature, ...] = FEATURES

    @property
    def definition(self) -> str:
        """The definition with the limits in force."""
        c = self.config
        return (
            f"Homogeneous fluid of about {c.fluid_hu[0]:g} to {c.fluid_hu[1]:g} HU between lung and chest wall, "
            f"possible from {c.possible_ml:g} mL, present from {c.present_ml:g} mL; collapsed lung beside it is lung."
        )

    def reliability(self, acquisition: Acquisition) -> tuple[Reliability, str]:
        """How far the scan's slices suit the sign."""
        return by_thickness(acquisition, self.config.thickness_mm, "pleural effusion")

    def observe(self, scene: Scene, earlier: Mapping[str, Finding]) -> Finding:
        """Volume by side and density; tissue that is in doubt makes the interval."""
        del earlier
        fluid = scene.effusion
        if fluid is None:
            return not_assessable(self, "pleural fluid was not looked for")
        c = self.config
        like = (scene.smooth_hu >= c.fluid_hu[0]) & (scene.smooth_hu <= c.fluid_hu[1])
        doubtful = fluid | (scene.uncertain & (scene.lungs == 0) & like)
        value = self._measured(fluid, scene)
        moved = [self._measured(mask, scene) for mask in (fluid & ~scene.uncertain, doubtful)]
        score = graded(value["pleural_effusion.volume_ml"] or 0.0, c.possible_ml, c.present_ml)
        finding = seen(self, score, spans(value, moved), fluid)
        if _at_border(fluid):
            return replace(finding, reason="the fluid goes on beyond the border of what was looked at")
        return finding

    def _measured(self, fluid: BoolArray, scene: Scene) -> dict[str, float | None]:
        volume = float(np.count_nonzero(fluid)) * scene.geometry.voxel_ml
        right, thickest, density = None, None, None
        if volume > 0.0:
            work = scene.geometry.resampled((self.config.grid_mm,) * 3)
            share = share_of(fluid, scene.geometry, work)
            lungs = resample(scene.lungs, scene.geometry, work, method="nearest")
            on_right = distance_to(lungs == RIGHT, work) < distance_to(lungs == LEFT, work)
            right = float(share[on_right].sum()) / max(float(share.sum()), 1e-9)
            thickest = 2.0 * float(distance_to(share < 0.5, work).max())
            inner = eroded(fluid, scene.geometry, self.config.border_mm)
            density = float(scene.hu[inner].mean()) if inner.any() else None
        return {
            "pleural_effusion.volume_ml": volume,
            "pleural_effusion.right_volume_ml": volume * (right or 0.0),
            "pleural_effusion.left_volume_ml": volume * (1.0 - (right or 0.0)),
            "pleural_effusion.right_share": right,
            "pleural_effusion.thickest_mm": thickest,
            "pleural_effusion.mean_hu": density,
        }


def _at_border(mask: BoolArray) -> bool:
    """Whether the mask reaches a face of its array."""
    return any(bool(np.take(mask, end, axis=axis).any()) for axis in range(3) for end in (0, -1))
