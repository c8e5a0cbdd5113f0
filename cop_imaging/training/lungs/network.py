"""The lung network in torch, and its weights as the program's numpy layers read them."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from cop_imaging.anatomy.lung_network.forward import BLOCKS, CHANNELS, CLASSES
from cop_imaging.core.arrays import Float32Array

__all__ = ["WIDTHS", "TorchLungs", "exported"]

WIDTHS = (32, 48, 80, 112)
FINE = 12
"""Channels at full resolution, where most voxels are."""


class Unit(nn.Module):
    """A convolution, over one voxel or 3 x 3 x 3, and the batch's normalisation."""

    def __init__(self, channels: int, out: int, size: int = 3) -> None:
        super().__init__()
        self.conv = nn.Conv3d(channels, out, size, padding=size // 2, bias=False)
        self.norm = nn.BatchNorm3d(out, momentum=0.03)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Normalised, not rectified."""
        out: torch.Tensor = self.norm(self.conv(x))
        return out


class Residual(nn.Module):
    """Two convolutions whose result is added to what came in."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first, self.second = Unit(channels, channels), Unit(channels, channels)
        nn.init.zeros_(self.second.norm.weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """As many channels as came in."""
        return functional.relu(x + self.second(functional.relu(self.first(x))))


def fold(x: torch.Tensor) -> torch.Tensor:
    """Blocks of 2 x 2 x 2 voxels become channels, in the order of the numpy layers."""
    n, c, z, y, w = x.shape
    blocks = x.reshape(n, c, z // 2, 2, y // 2, 2, w // 2, 2).permute(0, 1, 3, 5, 7, 2, 4, 6)
    return blocks.reshape(n, 8 * c, z // 2, y // 2, w // 2)


def unfold(x: torch.Tensor) -> torch.Tensor:
    """The inverse of ``fold``."""
    n, c, z, y, w = x.shape
    blocks = x.reshape(n, c // 8, 2, 2, 2, z, y, w).permute(0, 1, 5, 2, 6, 3, 7, 4)
    return blocks.reshape(n, c // 8, 2 * z, 2 * y, 2 * w)


class TorchLungs(nn.Module):
    """The twin of ``cop_imaging.anatomy.lung_network.forward``; ``widths`` are the channels by level."""

    def __init__(self, widths: tuple[int, ...] = WIDTHS) -> None:
        super().__init__()
        above = (CHANNELS, *widths[:-1])
        self.down = nn.ModuleList(
            Unit(8 * a, w, 3 if level == 0 else 1) for level, (a, w) in enumerate(zip(above, widths, strict=True))
        )
        self.encoder = nn.ModuleList(
            nn.ModuleList(Residual(w) for _ in range(n)) for w, n in zip(widths, BLOCKS, strict=True)
        )
        self.up = nn.ModuleDict(
            {str(n): Unit(widths[n + 1], 8 * widths[n], 1) for n in range(len(widths) - 1)}
            | {"fine": Unit(widths[0], 8 * FINE, 1)}
        )
        self.decoder = nn.ModuleList(Residual(w) for w in widths[:-1])
        self.fine, self.head = Unit(CHANNELS, FINE), Unit(FINE, FINE)
        self.classes = nn.Conv3d(FINE, len(CLASSES), 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits (n, class, z, y, x) of ``channels`` (n, 2, z, y, x)."""
        levels, value = [], x
        for down, blocks in zip(self.down, self.encoder, strict=True):
            value = functional.relu(down(fold(value)))
            for block in blocks:  # type: ignore[attr-defined]
                value = block(value)
            levels.append(value)
        for level in range(len(levels) - 2, -1, -1):
            value = functional.relu(unfold(self.up[str(level)](value)) + levels[level])
            value = self.decoder[level](value)
        fine = functional.relu(unfold(self.up["fine"](value)) + self.fine(x))
        out: torch.Tensor = self.classes(functional.relu(self.head(fine)))
        return out


@torch.no_grad()
def exported(network: TorchLungs) -> dict[str, Float32Array]:
    """Weights by layer with the normalisation multiplied in."""
    out: dict[str, Float32Array] = {}
    for name, module in network.named_modules():
        if isinstance(module, Unit):
            mean, variance = module.norm.running_mean, module.norm.running_var
            assert mean is not None
            assert variance is not None
            scale = module.norm.weight / torch.sqrt(variance + module.norm.eps)
            weight = module.conv.weight * scale.reshape(-1, 1, 1, 1, 1)
            bias = module.norm.bias - mean * scale
        elif module is network.classes:
            weight, bias = network.classes.weight, network.classes.bias
        else:
            continue
        if weight.shape[2:] == (1, 1, 1):
            weight = weight[:, :, 0, 0, 0]
        out[f"{name}.weight"] = weight.cpu().float().numpy().copy()
        out[f"{name}.bias"] = bias.cpu().float().numpy().copy()
    return out
