"""Random numbers for views of samples: single ones and smooth fields, on the device that trains."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional

__all__ = ["CROP", "Chance"]

CROP = (96, 96, 128)
"""Voxels of a view: 34 x 34 x 45 cm, the whole chest of most people."""


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
