"""The network that finds lungs and effusion on a coarse grid; the only module of the line that needs torch."""

from __future__ import annotations

import torch
from torch import nn

__all__ = ["CLASSES", "LungNet"]

CLASSES = ("outside", "right_lung", "left_lung", "effusion", "central_airways")
WIDTHS = (24, 48, 80, 112)
FINE = 12


class Block(nn.Module):
    """Two convolutions with a way past them."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.one = nn.Conv3d(before, after, 3, padding=1, bias=False)
        self.norm_one = nn.GroupNorm(4, after)
        self.two = nn.Conv3d(after, after, 3, padding=1, bias=False)
        self.norm_two = nn.GroupNorm(4, after)
        self.past = nn.Conv3d(before, after, 1, bias=False) if before != after else nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(n, before, z, y, x) to (n, after, z, y, x)."""
        y = torch.relu(self.norm_one(self.one(x)))
        out: torch.Tensor = torch.relu(self.norm_two(self.two(y)) + self.past(x))
        return out


class LungNet(nn.Module):
    """A small 3-D U-Net that does most of its work at half resolution.

    Input (n, 2, z, y, x): density in a wide and in a soft-tissue window, edges multiples of 16 voxels. Output
    (n, 5, z, y, x): scores of ``CLASSES``.
    """

    def __init__(self) -> None:
        super().__init__()
        a, b, c, d = WIDTHS
        self.fine = nn.Sequential(nn.Conv3d(2, FINE, 3, padding=1), nn.ReLU())
        self.enter = nn.Conv3d(FINE, a, 2, stride=2)
        self.down = nn.ModuleList([Block(a, a), Block(a, b), Block(b, c), Block(c, d)])
        self.deep = Block(d, d)
        self.up = nn.ModuleList([Block(d + c, c), Block(c + b, b), Block(b + a, a)])
        self.leave = nn.ConvTranspose3d(a, FINE, 2, stride=2)
        self.last = nn.Sequential(nn.Conv3d(2 * FINE, FINE, 3, padding=1), nn.ReLU(), nn.Conv3d(FINE, len(CLASSES), 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Scores."""
        fine = self.fine(x)
        y = self.enter(fine)
        kept = []
        for n, block in enumerate(self.down):
            y = block(y if n == 0 else nn.functional.max_pool3d(y, 2))
            kept.append(y)
        y = self.deep(kept.pop())
        for block in self.up:
            y = nn.functional.interpolate(y, scale_factor=2.0, mode="nearest")
            y = block(torch.cat([y, kept.pop()], dim=1))
        out: torch.Tensor = self.last(torch.cat([fine, self.leave(y)], dim=1))
        return out
