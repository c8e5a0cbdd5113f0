"""Random views of samples, made on the device that trains: turned, cut, painted with airless lung and fluid, noisy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch.nn import functional

from cop_imaging.anatomy.lung_network.forward import SOFT_CENTRE_HU, SOFT_HU, SOFT_LIMIT, WIDE_CENTRE_HU, WIDE_HU
from cop_imaging.core.volume import AIR_HU
from cop_imaging.training.lungs.chance import CROP, Chance
from cop_imaging.training.lungs.paint import with_airless, with_fluid, with_patches

__all__ = ["Stored", "View", "channels", "view_of"]

TURN_DEG, TILT_DEG, SCALE, STRETCH = 20.0, 10.0, (0.82, 1.22), 0.15
SHIFT_VOXELS = (20.0, 8.0, 12.0)
BEND_VOXELS = 4.0
RAISED, RAISED_VOXELS, DOME_VOXELS = 0.3, (6.0, 18.0), (8.0, 13.0)
"""How often half of the diaphragm is pushed up, how far, and the SD of the bulge across the body."""
PATCHED, CONSOLIDATED, FLUID, WHITE = 0.6, 0.3, 0.4, 0.06
"""How often lung is painted with patches, airless in regions, filled with fluid, or airless as a whole."""


@dataclass(frozen=True, slots=True, eq=False)
class Stored:
    """A sample on the device: int16 HU, uint8 label (255 unknown), bool airless, all [z, y, x]."""

    hu: torch.Tensor
    label: torch.Tensor
    dense: torch.Tensor


class View(NamedTuple):
    """One view, [z, y, x]: float HU, uint8 label, bool airless."""

    hu: torch.Tensor
    label: torch.Tensor
    dense: torch.Tensor


def view_of(sample: Stored, rng: np.random.Generator) -> View:
    """A random view of a sample."""
    chance = Chance(rng, sample.hu.device)
    hu, label, dense = placed(sample, chance)
    if chance.happens(PATCHED):
        hu, dense = with_patches(hu, label, dense, chance)
    if chance.happens(CONSOLIDATED):
        hu, dense = with_airless(hu, label, dense, chance, whole=False)
    elif chance.happens(WHITE):
        hu, dense = with_airless(hu, label, dense, chance, whole=True)
    if chance.happens(FLUID):
        hu, label, dense = with_fluid(hu, label, dense, chance)
    hu = other_densities(hu, label, dense, chance)
    hu = rescanned(hu, chance)
    return View(*narrowed(hu, label, dense, chance))


def placed(sample: Stored, chance: Chance) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The sample mirrored, turned, scaled, bent and shifted; air and no label beyond it."""
    shape = torch.tensor(sample.hu.shape, dtype=torch.float32, device=chance.device)
    degrees = torch.tensor([TURN_DEG, TILT_DEG, TILT_DEG]) * torch.tensor([chance.between(-1, 1) for _ in range(3)])
    matrix = rotation(torch.deg2rad(degrees)).to(chance.device)
    stretch = [chance.between(1.0 - STRETCH, 1.0 + STRETCH) for _ in range(3)]
    matrix = matrix / (chance.between(*SCALE) * torch.tensor(stretch, device=chance.device))
    mirrored = chance.happens(0.5)
    if mirrored:
        matrix = matrix * torch.tensor([1.0, 1.0, -1.0], device=chance.device)
    middle = (shape - 1.0) / 2.0 + torch.tensor([chance.between(-s, s) for s in SHIFT_VOXELS], device=chance.device)
    axes = [torch.arange(n, device=chance.device, dtype=torch.float32) - (n - 1) / 2.0 for n in CROP]
    points = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1) @ matrix.T + middle
    bend = BEND_VOXELS * chance.between(0.0, 1.0)
    points = points + bend * torch.stack([chance.field((5, 5, 6)) for _ in range(3)], dim=-1)
    if chance.happens(RAISED):
        points = with_raised_dome(points, sample.label, chance)
    grid = (2.0 * points / (shape - 1.0) - 1.0).flip(-1)[None]
    both = torch.stack([sample.hu.float() - AIR_HU, sample.dense.float()])[None]
    smooth = functional.grid_sample(both, grid, padding_mode="zeros", align_corners=True)[0]
    label = functional.grid_sample(sample.label.float()[None, None], grid, mode="nearest", align_corners=True)[0, 0]
    label = label.round().to(torch.uint8)
    if mirrored:  # a lung's name is its side in the image, wherever heart and liver lie
        label = torch.where((label == 1) | (label == 2), 3 - label, label)
    return smooth[0] + AIR_HU, label, smooth[1] > 0.5


def with_raised_dome(points: torch.Tensor, label: torch.Tensor, chance: Chance) -> torch.Tensor:
    """Places in a sample (z, y, x) from which a view with one raised half of the diaphragm is taken.

    The middle of one lung's base is pushed towards the head and what lies under it is drawn after it; chest wall and
    spine stay where they are. ``points`` (..., 3) are those of the view that is not pushed.
    """
    lung = torch.nonzero(label == (1 if chance.happens(0.5) else 2))
    if len(lung) < 1000:
        return points
    low, high = int(lung[:, 0].min()), int(lung[:, 0].max())
    base = lung[lung[:, 0] < low + (high - low) // 2].float()
    y, x = (float(base[:, axis].mean()) + chance.between(-4.0, 4.0) for axis in (1, 2))
    push = chance.between(*RAISED_VOXELS)
    width = chance.between(*DOME_VOXELS)
    across = torch.exp(-((points[..., 1] - y) ** 2 + (points[..., 2] - x) ** 2) / (2.0 * width**2))
    along = torch.sigmoid((low + 0.3 * (high - low) + push + 6.0 - points[..., 0]) / 4.0)
    pushed = points.clone()
    pushed[..., 0] -= push * across * along
    return pushed


def rotation(radians: torch.Tensor) -> torch.Tensor:
    """Turns about the axes z, y and x of (z, y, x) points, one after the other."""
    out = torch.eye(3)
    for axis, angle in enumerate(radians):
        a, b = (n for n in range(3) if n != axis)
        turn = torch.eye(3)
        turn[a, a] = turn[b, b] = torch.cos(angle)
        turn[a, b], turn[b, a] = -torch.sin(angle), torch.sin(angle)
        out = turn @ out
    return out


def other_densities(hu: torch.Tensor, label: torch.Tensor, dense: torch.Tensor, chance: Chance) -> torch.Tensor:
    """Airless lung and fluid of other, slowly varying densities; lung more or less full of air; tissue denser."""
    lung = (label == 1) | (label == 2)
    slow = chance.between(0.0, 10.0) * chance.field((6, 6, 8))
    hu = hu + (dense & lung) * (chance.between(-12.0, 25.0) + slow)
    hu = hu + (label == 3) * (chance.between(-5.0, 6.0) + 0.3 * slow)
    hu = hu + (lung & (hu < -500.0)) * chance.between(-70.0, 130.0)
    soft = torch.sigmoid((hu + 200.0) / 60.0)
    return hu + soft * chance.between(-5.0, 5.0) + chance.between(0.0, 5.0) * chance.field((4, 4, 5))


def rescanned(hu: torch.Tensor, chance: Chance) -> torch.Tensor:
    """Another sharpness and dose."""
    if chance.happens(0.5):
        for axis in range(3):
            sigma = chance.between(0.05, 0.9)
            kernel = torch.exp(-0.5 * (torch.arange(-2, 3, device=chance.device) / sigma) ** 2)
            shape = [1, 1, 1, 1, 1]
            shape[2 + axis] = 5
            padding = [2 if n == axis else 0 for n in range(3)]
            hu = functional.conv3d((hu - AIR_HU)[None, None], (kernel / kernel.sum()).reshape(shape), padding=padding)
            hu = hu[0, 0] + AIR_HU
    noise = chance.normal(*CROP)
    if chance.happens(0.5):
        noise = functional.avg_pool3d(noise[None, None], 3, 1, 1)[0, 0] * 5.2
    return hu + 35.0 * chance.between(0.0, 1.0) ** 2 * noise


def narrowed(
    hu: torch.Tensor, label: torch.Tensor, dense: torch.Tensor, chance: Chance
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """A smaller scanned field: a round one, or fewer slices; what was not scanned has no label."""
    seen = torch.ones(CROP, dtype=torch.bool, device=chance.device)
    z, y, x = (torch.arange(n, device=chance.device, dtype=torch.float32) for n in CROP)
    if chance.happens(0.2):
        cy, cx = CROP[1] * chance.between(0.42, 0.58), CROP[2] * chance.between(0.42, 0.58)
        seen &= torch.hypot(y[:, None] - cy, x - cx) < chance.between(34.0, 58.0)
    if chance.happens(0.25):
        low, high = chance.between(0.0, 0.45) * CROP[0], chance.between(0.6, 1.0) * CROP[0]
        seen &= ((z >= low) & (z < high))[:, None, None]
    return torch.where(seen, hu, torch.full_like(hu, AIR_HU)), label * seen, dense & seen


def channels(hu: torch.Tensor) -> torch.Tensor:
    """The twin of ``cop_imaging.anatomy.lung_network.channels``: (..., 2, z, y, x)."""
    wide = ((hu - WIDE_CENTRE_HU) / WIDE_HU).clamp(-1.1, 2.0)
    soft = ((hu - SOFT_CENTRE_HU) / SOFT_HU).clamp(-SOFT_LIMIT, SOFT_LIMIT)
    return torch.stack([wide, soft], dim=-4)
