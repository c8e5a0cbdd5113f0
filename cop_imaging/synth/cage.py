"""The rib cage's inner surface: oval rings around a bent spine below two domes, and the lungs' dividing sheet.

Model coordinates are LPS mm with the carina at (0, 18, 0). Sizes follow an adult of about 175 cm at inspiration.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from scipy.interpolate import PchipInterpolator

from cop_imaging.core.arrays import Float32Array
from cop_imaging.synth.chest_spec import ChestSpec
from cop_imaging.synth.shapes import Distance, Slab, smooth_union

__all__ = ["back", "cavity_distance", "front", "midline", "profile", "rings", "sideways", "sigmoid", "turn"]

MIDDLE_Y = 5.0


def profile(z: Any, *knots: tuple[float, float]) -> Float32Array:
    """A smooth curve over z through (z, value), constant beyond its ends."""
    out: Float32Array = curve(knots)(np.clip(z, knots[0][0], knots[-1][0])).astype(np.float32)
    return out


@lru_cache(maxsize=256)
def curve(knots: tuple[tuple[float, float], ...]) -> PchipInterpolator:
    """The curve through some knots; the same ones come back for every slab."""
    at, values = zip(*knots, strict=True)
    return PchipInterpolator(at, values)


def sigmoid(level: Any) -> Any:
    """0 far below zero, 1 far above."""
    return 1.0 / (1.0 + np.exp(-np.clip(level, -30.0, 30.0)))


def front(z: Float32Array, spec: ChestSpec) -> Float32Array:
    """y of the rib cage's inner surface behind the sternum."""
    y = profile(z, (-210, -84), (-130, -101), (-70, -99), (0, -84), (60, -54), (110, -30))
    out: Float32Array = (MIDDLE_Y + (y - MIDDLE_Y) * spec.spread[1]).astype(np.float32)
    return out


def back(z: Float32Array, spec: ChestSpec) -> Float32Array:
    """y of the rib cage's inner surface beside the spine: the thoracic kyphosis."""
    y = profile(z, (-210, 84), (-130, 97), (-60, 102), (0, 98), (60, 83), (115, 58))
    hump = (spec.kyphosis_deg - 38.0) * 0.4 * profile(z, (-210, -0.6), (-110, 0.6), (-30, 1.0), (40, 0.5), (115, -0.8))
    out: Float32Array = (MIDDLE_Y + (y + hump - MIDDLE_Y) * spec.spread[1]).astype(np.float32)
    return out


def sideways(z: Any, spec: ChestSpec) -> Float32Array:
    """x of the spine's middle."""
    out: Float32Array = spec.scoliosis_mm * profile(z, (-210, -0.3), (-130, 0.3), (-40, 1.0), (50, 0.1), (115, -0.4))
    return out


def midline(y: Any, z: Any) -> Any:
    """x of the sheet between the lungs: both meet left of the middle in front, the right one reaches across behind.

    In front it is the anterior junction line, behind the heart the azygo-oesophageal recess.
    """
    before = (3.0 + 8.0 * sigmoid((-45.0 - z) / 12.0)) * np.clip(-y / 60.0, 0.0, 1.0)
    behind = 9.0 * np.clip((y - 22.0) / 20.0, 0.0, 1.0) * sigmoid((-22.0 - z) / 8.0)
    return before + behind


def turn(s: Slab) -> Float32Array:
    """Direction from the chest's axis, 0 at the back and 1 in front on both sides, (1, y, x)."""
    out: Float32Array = np.arctan2(np.abs(s.x), s.y - np.float32(MIDDLE_Y)) / np.float32(np.pi)
    return out


def rings(s: Slab, spec: ChestSpec) -> tuple[Distance, Distance]:
    """Normalised radius (1 at the rib cage's inner surface) and distance from the axis, without the apices."""
    a = spec.spread[0] * profile(s.z, (-210, 127), (-130, 134), (-70, 133), (0, 126), (60, 113), (110, 98))
    y0, y1 = front(s.z, spec), back(s.z, spec)
    # On both sides of the spine the cavity reaches farther back than in front of it.
    gutter = 1.0 + 0.19 * np.exp(-(((np.abs(s.x) - 60.0) / 34.0) ** 2)) * np.clip(s.y / 50.0, 0.0, 1.0)
    v = (s.y - 0.5 * (y0 + y1)) / (0.5 * (y1 - y0) * gutter)
    # The rib cage is flatter in front and fuller towards the back; the right half is the wider one.
    lean = profile(s.z, (-130, 3.5), (0, 3.0), (60, 0.0)) - 0.35 * sideways(s.z, spec)
    u = (s.x + lean) / (a * (1.0 + 0.07 * v - 0.06 * v * v))
    rho = (np.abs(u) ** 2.3 + np.abs(v) ** 2.3) ** np.float32(1.0 / 2.3)
    reach = np.sqrt(s.x**2 + (s.y - 0.5 * (y0 + y1)) ** 2)
    return np.maximum(rho, 1e-3), reach


def cavity_distance(s: Slab, spec: ChestSpec) -> tuple[Float32Array, Float32Array]:
    """Distance to the rib cage's inner surface, and to its rings as if they went on above the apices."""
    rho, reach = rings(s, spec)
    wall = reach * (1.0 - 1.0 / rho)
    side, fore = np.abs(s.x) - 52.0 * spec.width, s.y - 20.0
    side = np.where(side < 0.0, 0.45 * side, side)
    top = 105.0 - 0.0185 * side**2 - 0.0098 * fore**2
    slope = np.sqrt(1.0 + (0.037 * side) ** 2 + (0.02 * fore) ** 2)
    both = -smooth_union(-wall, -((s.z - top) / slope), 20.0)
    return both.astype(np.float32), wall.astype(np.float32)
