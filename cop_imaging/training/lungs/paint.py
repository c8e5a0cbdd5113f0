"""Airless lung and fluid painted into views while the network trains.

What is painted has no edge where the lung meets the chest wall, and densities that overlap muscle, liver and fluid: the
network must know lung by its place between ribs, heart and diaphragm, not by how inserted tissue looks.
"""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional

from cop_imaging.training.lungs.chance import CROP, Chance

__all__ = ["with_airless", "with_fluid", "with_patches"]

POCKET = 0.45
"""How often painted fluid is a pocket on the pleura."""
MEDIAL, BASAL = 0.45, 0.2
"""How often a patch on the pleura is moved to the side of the mediastinum, and how often towards the diaphragm."""
PATCHES, PATCH_VOXELS = 6, (2.0, 11.0)
"""Most patches in a view, and their radii in voxels."""
SHARP_TO_HAZY = (0.02, 0.25)


def filled(lung: torch.Tensor) -> torch.Tensor:
    """Part of each voxel that paint for this lung covers, 0-1; the rim shared with the chest wall is covered."""
    near = functional.avg_pool3d(lung[None, None].float(), 3, 1, 1)[0, 0]
    return (1.8 * near).clamp(max=1.0)


def one_or_both(label: torch.Tensor, chance: Chance, both: float) -> torch.Tensor:
    """The mask of one lung, or of both."""
    if chance.happens(both):
        return (label == 1) | (label == 2)
    return label == (1 if chance.happens(0.5) else 2)


def towards(chance: Chance, direction: tuple[float, float, float]) -> torch.Tensor:
    """How far a voxel lies in a direction (z, y, x), in 40 voxels, [z, y, x]."""
    axes = [
        (torch.arange(n, device=chance.device, dtype=torch.float32) - n / 2.0) * (d / 40.0)
        for n, d in zip(CROP, direction, strict=True)
    ]
    return axes[0][:, None, None] + axes[1][:, None] + axes[2]


def near(chance: Chance, point: torch.Tensor) -> torch.Tensor:
    """Falls with the distance from a voxel, by 1 in 10 voxels, [z, y, x]."""
    axes = [
        (torch.arange(n, device=chance.device, dtype=torch.float32) - p) / 10.0
        for n, p in zip(CROP, point, strict=True)
    ]
    return -torch.sqrt(axes[0][:, None, None] ** 2 + axes[1][:, None] ** 2 + axes[2] ** 2)


def above(values: torch.Tensor, inside: torch.Tensor, share: float) -> torch.Tensor | None:
    """The value that this share of the voxels inside exceeds; None when too few are there."""
    chosen = values[inside]
    if len(chosen) < 500:
        return None
    chosen = chosen[:: max(1, len(chosen) // 20_000)]
    return chosen.sort().values[min(int((1.0 - share) * len(chosen)), len(chosen) - 1)]


def tissue(low_hu: float, high_hu: float, chance: Chance) -> torch.Tensor:
    """Tissue of one density, slowly varying and noisy, HU."""
    cells = 3 + int(chance.between(0.0, 12.0))
    slow = chance.between(0.0, 10.0) * chance.field((cells, cells, cells))
    noise = chance.between(2.0, 25.0) * chance.normal(*CROP)
    return chance.between(low_hu, high_hu) + slow + noise


def airless_hu(chance: Chance) -> torch.Tensor:
    """Tissue of airless lung, in one of four with contrast medium."""
    return tissue(60.0, 120.0, chance) if chance.happens(0.25) else tissue(15.0, 75.0, chance)


def with_airless(
    hu: torch.Tensor, label: torch.Tensor, dense: torch.Tensor, chance: Chance, *, whole: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    """Lung painted airless (or hazy) in a random region, or one lung as a whole; vessels and bones stay brighter."""
    lung = one_or_both(label, chance, 0.0 if whole else 0.5)
    cells = 3 + int(chance.between(0.0, 7.0))
    values = chance.field((cells, cells, cells)) + chance.between(0.0, 0.5) * chance.field((16, 16, 20))
    strength = chance.between(0.0, 3.0)
    slope = (chance.between(-1.0, 0.5), chance.between(-0.6, 1.0), chance.between(-0.7, 0.7))
    values = values + strength * towards(chance, slope)
    level = above(values, lung, 1.0 if whole else chance.between(0.03, 0.7))
    if level is None:
        return hu, dense
    share = torch.ones_like(hu) if whole else torch.sigmoid((values - level) / chance.between(*SHARP_TO_HAZY))
    if chance.happens(0.3):  # open bronchi
        share = share * (1.0 - 0.8 * (chance.field((32, 32, 42)) > chance.between(1.8, 3.0)).float())
    hazy = not whole and chance.happens(0.2)
    part = share * filled(lung) * (chance.between(0.2, 0.7) if hazy else chance.between(0.93, 1.0))
    painted = hu + part * (torch.maximum(airless_hu(chance), hu) - hu)
    return painted, dense | (lung & (part > 0.7))


def with_patches(
    hu: torch.Tensor, label: torch.Tensor, dense: torch.Tensor, chance: Chance
) -> tuple[torch.Tensor, torch.Tensor]:
    """Small and middle-sized airless patches on the pleura, also on the heart, the spine and the diaphragm."""
    lung = (label == 1) | (label == 2)
    rim = torch.nonzero(lung & (functional.avg_pool3d(lung[None, None].float(), 5, 1, 2)[0, 0] < 0.7))
    if len(rim) < 100:
        return hu, dense
    values = torch.full_like(hu, -10.0)
    for _ in range(1 + int(chance.between(0.0, PATCHES - 0.001))):
        points = rim[[int(chance.between(0.0, len(rim) - 1.0)) for _ in range(4)]]
        point = points[0]
        if chance.happens(MEDIAL):
            point = points[(points[:, 2] - CROP[2] // 2).abs().argmin()]
        elif chance.happens(BASAL / (1.0 - MEDIAL)):
            point = points[points[:, 0].argmin()]
        radius = float(np.exp(chance.between(*np.log(PATCH_VOXELS))))
        values = torch.maximum(values, near(chance, point) * (10.0 / radius))
    cells = 6 + int(chance.between(0.0, 10.0))
    values = values + chance.between(0.05, 0.4) * chance.field((cells, cells, cells))
    share = torch.sigmoid((values + 1.0) / chance.between(*SHARP_TO_HAZY)) * filled(lung) * chance.between(0.93, 1.0)
    painted = hu + share * (torch.maximum(airless_hu(chance), hu) - hu)
    return painted, dense | (lung & (share > 0.7))


def with_fluid(
    hu: torch.Tensor, label: torch.Tensor, dense: torch.Tensor, chance: Chance
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Pleural fluid on the side that lies lowest, and collapsed lung beside it."""
    lung = one_or_both(label, chance, 0.4)
    down = (0.0, 1.0, 0.0)
    if chance.happens(0.25):  # prone, or on a side
        down = ((0.0, -1.0, 0.0), (0.0, 0.0, 1.0), (0.0, 0.0, -1.0))[int(chance.between(0.0, 2.999))]
    slope = tuple(d + chance.between(-0.2, 0.2) for d in down)
    slope = (chance.between(-0.7, 0.0), slope[1], slope[2])
    deep = functional.avg_pool3d(lung[None, None].float(), 9, 1, 4)[0, 0]
    values = towards(chance, slope) + chance.between(0.0, 1.2) * (1.0 - deep) + 0.08 * chance.field((5, 5, 6))
    share = 0.9 if chance.happens(0.08) else float(np.exp(chance.between(-3.5, -0.6)))
    if chance.happens(POCKET):
        rim = torch.nonzero(lung & (deep < 0.6))
        if len(rim):
            values = near(chance, rim[int(chance.between(0.0, len(rim) - 1.0))]) + 2.0 * (1.0 - deep)
            share = float(np.exp(chance.between(-4.5, -2.0)))
    level = above(values, lung, share)
    if level is None:
        return hu, label, dense
    rim = filled(lung)
    collapsed = torch.sigmoid((values - level + chance.between(-0.1, 0.4)) / 0.04) * rim
    collapsed_hu = tissue(70.0, 115.0, chance) if chance.happens(0.4) else tissue(32.0, 65.0, chance)
    hu = hu + collapsed * (torch.maximum(collapsed_hu, hu) - hu)
    dense = dense | (lung & (collapsed > 0.7))
    wet = torch.sigmoid((values - level) / 0.03)
    fluid_hu = tissue(-5.0, 22.0, chance)
    inside = lung & (wet > 0.5)
    hu = torch.where(inside, hu + wet * (fluid_hu - hu), hu + wet * rim * (torch.maximum(fluid_hu, hu) - hu))
    return hu, torch.where(inside, torch.full_like(label, 3), label), dense & ~inside
