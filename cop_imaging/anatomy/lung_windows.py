"""What the lung network sees of a density."""

from __future__ import annotations

import numpy as np
import torch

from cop_imaging.core.arrays import Float32Array

__all__ = ["windows"]

WIDE_HU, SOFT_HU, SOFT_HALF_HU = (-1024.0, 1500.0), 30.0, 120.0


def windows(hu: Float32Array) -> torch.Tensor:
    """Density [z, y, x] in a wide window, bones included, and in a soft-tissue window, float32 (1, 2, z, y, x)."""
    wide = np.clip(hu, *WIDE_HU) / np.float32(600.0)
    soft = np.clip((hu - np.float32(SOFT_HU)) / np.float32(SOFT_HALF_HU), -1.5, 1.5)
    return torch.from_numpy(np.stack([wide, soft])[None].astype(np.float32))
