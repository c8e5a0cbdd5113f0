"""Random views of samples, made on the device that trains: turned, cut, painted with airless lung and fluid, noisy.

What is painted here has no edge where the lung meets the chest wall, and densities that overlap muscle, liver and
fluid: the network must know lung by its place between ribs, heart and diaphragm, not by how inserted tissue looks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch.nn import functional

from cop_imaging.anatomy.lung_network.forward import SOFT_CENTRE_HU, SOFT_HU, SOFT_LIMIT, WIDE_CENTRE_HU, WIDE_HU
from cop_imaging.core.volume import AIR_HU

__all__ = ["CROP", "Stored", "View", "channels", "view_of"]

CROP = (96, 96, 128)
"""Voxels of a view: 34 x 34 x 45 cm, the whole chest of most people."""
TURN_DEG, TILT_DEG, SCALE, STRETCH = 20.0, 10.0, (0.82, 1.22), 0.12
SHIFT_VOXELS = (20.0, 8.0, 12.0)
BEND_VOXELS = 3.0
CONSOLIDATED, FLUID, WHITE = 0.45, 0.25, 0.06
"""How often lung is painted airless, filled with fluid, or airless as a whole."""
POCKET = 0.2
"""How often painted fluid is a pocket on the pleura."""
SHARP_TO_HAZY = (0.02, 0.25)


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


class Chance:
    """Random numbers: single ones from numpy, fields from a generator on the device."""

    def __init__(self, rng: np.random.Generator, device: torch.device) -> None:
        self.rng, self.device = rng, device
        self.generator = torch.Generator(device).manual_seed(int(rng.integers(2**31)))

    def normal(self, *shape: int) -> torch.Tensor:
        """Standard normal numbers."""
        return torch.randn(*shape, generator=self.generator, device=self.device)

    def between(self, low: float, high: float) -> float:
        """One number."""
        return float(self.rng.uniform(low, high))

    def happens(self, probability: float) -> bool:
        """True as often as that."""
        return self.between(0.0, 1.0) < probability

    def field(self, cells: tuple[int, int, int], shape: tuple[int, ...] = CROP) -> torch.Tensor:
        """Smooth noise of about SD 1, [z, y, x], from normal values at ``cells`` nodes."""
        nodes = self.normal(1, 1, *cells)
        return functional.interpolate(nodes, size=shape, mode="trilinear", align_corners=True)[0, 0] * 1.4


def view_of(sample: Stored, rng: np.random.Generator) -> View:
    """A random view of a sample."""
    chance = Chance(rng, sample.hu.device)
    hu, label, dense = placed(sample, chance)
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
    grid = (2.0 * points / (shape - 1.0) - 1.0).flip(-1)[None]
    both = torch.stack([sample.hu.float() - AIR_HU, sample.dense.float()])[None]
    smooth = functional.grid_sample(both, grid, padding_mode="zeros", align_corners=True)[0]
    label = functional.grid_sample(sample.label.float()[None, None], grid, mode="nearest", align_corners=True)[0, 0]
    label = label.round().to(torch.uint8)
    if mirrored:  # a lung's name is its side in the image, wherever heart and liver lie
        label = torch.where((label == 1) | (label == 2), 3 - label, label)
    return smooth[0] + AIR_HU, label, smooth[1] > 0.5


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
    collapsed = torch.sigmoid((values - level + chance.between(0.0, 0.3)) / 0.04) * rim
    hu = hu + collapsed * (torch.maximum(airless_hu(chance), hu) - hu)
    dense = dense | (lung & (collapsed > 0.7))
    wet = torch.sigmoid((values - level) / 0.03)
    fluid_hu = tissue(-5.0, 22.0, chance)
    inside = lung & (wet > 0.5)
    hu = torch.where(inside, hu + wet * (fluid_hu - hu), hu + wet * rim * (torch.maximum(fluid_hu, hu) - hu))
    return hu, torch.where(inside, torch.full_like(label, 3), label), dense & ~inside


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
