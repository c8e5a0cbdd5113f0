"""The chest wall outside its inner surface: muscles in layers, fat between and over them, skin, breasts, arms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cop_imaging.core.arrays import Float32Array
from cop_imaging.synth.cage import front, profile, turn
from cop_imaging.synth.chest import FINE_MM, Thorax
from cop_imaging.synth.chest_spec import ChestSpec
from cop_imaging.synth.lesions.blending import blend
from cop_imaging.synth.shapes import Distance, Slab, Tubes, capsule, cover, doubled, ellipsoid, smooth_union

__all__ = ["FAT", "RIB_LAYER_MM", "body_distance", "draw_wall", "separable"]

FAT, SKIN = -102.0, 10.0
RIB_LAYER_MM = 12.5
"""Thickness of ribs with the muscles between them."""


def separable(s: Slab, terms: Sequence[tuple[Any, Any]]) -> Float32Array:
    """Sum of products of a map over (1, y, x) and a profile over (z, 1, 1), float32 [z, y, x]."""
    maps = np.stack([np.broadcast_to(a, (1, *s.shape[1:]))[0].ravel() for a, _ in terms]).astype(np.float32)
    along = np.stack([np.broadcast_to(b, (s.shape[0], 1, 1)).ravel() for _, b in terms], axis=1).astype(np.float32)
    # Not a matrix product: its rounding would depend on the slab's size.
    out = np.zeros((s.shape[0], maps.shape[1]), dtype=np.float32)
    for k in range(len(terms)):
        out += along[:, k, None] * maps[k]
    return out.reshape(s.shape)


def hill(t: Any, middle: float, half: float, power: float = 0.6) -> Any:
    """A rounded belly around ``middle``, 0 beyond ``half``."""
    return np.maximum(1.0 - ((t - middle) / half) ** 2, 0.0) ** power


def bell(t: Any, middle: float, width: float) -> Any:
    """A smooth bell."""
    return np.exp(-(((t - middle) / width) ** 2))


def muscles(s: Slab, spec: ChestSpec, t: Any) -> tuple[Float32Array, Float32Array]:
    """Thickness in mm of the muscles outside the ribs, and of the hull that skin and fat follow, [z, y, x]."""
    m, z = spec.muscle, s.z
    pectoral = profile(z, (-75, 0), (-50, 8), (0, 15), (45, 19), (90, 14))
    if spec.female:
        pectoral = 0.65 * pectoral
    side = profile(z, (-210, 7), (-80, 9), (-10, 17), (40, 30), (90, 40))
    blade = profile(z, (-60, 0), (-40, 16), (10, 40), (60, 48), (100, 52))
    erector = profile(z, (-210, 36), (-100, 28), (0, 25), (90, 30))
    trapezius = profile(z, (-120, 4), (0, 7), (80, 13))
    abdominal = profile(z, (-210, 12), (-120, 8), (-80, 0))
    belly = separable(
        s,
        [
            (m * hill(t, 0.80, 0.155), pectoral),
            (m * hill(t, 0.53, 0.15), side),
            (m * hill(t, 0.335, 0.125, 0.45), blade),
            (m * hill(t, 0.10, 0.105, 0.45), erector),
            (m * hill(t, 0.0, 0.30), trapezius),
            (m * hill(t, 1.0, 0.45), abdominal),
        ],
    )
    hull = separable(
        s,
        [
            (m * bell(t, 0.80, 0.13), 0.9 * pectoral),
            (m * bell(t, 0.52, 0.13), side + profile(z, (-40, 0), (60, 16))),
            (m * bell(t, 0.34, 0.11), 0.9 * blade),
            (m * bell(t, 0.0, 0.26), 0.8 * erector + trapezius),
            (m * bell(t, 1.0, 0.4), abdominal),
            # Beside the spine the ribs reach back farther than the skin does.
            (-bell(t, 0.18, 0.08), profile(z, (-210, 8), (60, 8), (100, 0))),
        ],
    )
    return belly, hull


def body_distance(s: Slab, spec: ChestSpec, outer: Float32Array, hull: Float32Array, around: Any) -> Float32Array:
    """Distance to the skin, from the rings of the rib cage (``outer``) outwards."""
    fat = spec.fat_mm
    over = separable(
        s,
        [
            (0.45 + 0.35 * bell(around, 0.55, 0.3) + 0.25 * bell(around, 0.95, 0.3), np.float32(fat)),
            (0.5 * bell(around, 0.6, 0.35) + 0.3, fat * profile(s.z, (-210, 0.9), (-130, 0.5), (-60, 0.0))),
            (bell(around, 0.0, 0.3), 0.35 * fat * profile(s.z, (20, 0.0), (100, 1.0))),
        ],
    )
    skin = outer - (np.float32(RIB_LAYER_MM + 4.5) + hull + over)
    # Over the spine lies a groove.
    skin += (5.0 * np.exp(-((s.x / 14.0) ** 2)) * np.clip(s.y / 60.0, 0.0, 1.0)).astype(np.float32)
    for tube, blend_mm in arms(spec):
        for a, b, r0, r1 in zip(tube.start, tube.end, tube.start_radius_mm, tube.end_radius_mm, strict=True):
            distance, radius = capsule(s, a, b, r0, r1)
            skin = smooth_union(skin, distance - radius, blend_mm)
    return skin


def arms(spec: ChestSpec) -> list[tuple[Tubes, float]]:
    """Shoulders, and arms when they lie beside the chest, as skin."""
    fat, m = 0.5 * spec.fat_mm, 0.5 + 0.5 * spec.muscle
    out = []
    for side in (-1.0, 1.0):
        if spec.arms_down:
            out.append(
                (
                    Tubes.path(
                        (side * 120 * spec.width, 16, 98, 40 * m + fat),
                        (side * 172 * spec.width, 12, 84, 46 * m + fat),
                        (side * 196 * spec.width, 24, -20, 38 * m + fat),
                        (side * 205 * spec.width, 34, -220, 33 * m + fat),
                    ),
                    25.0,
                )
            )
        else:
            out.append(
                (
                    Tubes.path(
                        (side * 108 * spec.width, 20, 88, 46 * m + fat),
                        (side * 150 * spec.width, 6, 150, 50 * m + fat),
                    ),
                    40.0,
                )
            )
    return out


def breasts(s: Slab, spec: ChestSpec) -> Distance | None:
    """Distance to both breasts, flat and fallen to the sides as they are supine."""
    if spec.breast_mm <= 0.0:
        return None
    y = float(front(np.array(-45.0, dtype=np.float32), spec)) - RIB_LAYER_MM - 6.0
    out = None
    for side in (-1.0, 1.0):
        middle = (side * 78.0 * spec.width, y + 14.0, -48.0)
        one = ellipsoid(s, middle, (64.0, 14.0 + spec.breast_mm, 58.0), (1.0, side * 0.34, 0.0))
        out = one if out is None else np.minimum(out, one)
    return out


def surfaces(s: Slab, spec: ChestSpec, t: Thorax) -> tuple[Float32Array, Float32Array, Float32Array | None]:
    """Thickness of the outer muscles, and distances to the skin and to the breasts if there are any, [z, y, x].

    They are smooth: small pixels take them from every second one.
    """
    fine = min(s.shape[1:]) > 8 and max(float(a[1] - a[0]) for a in s.plane) <= FINE_MM
    nodes = s.halved() if fine else s
    outer = np.pad(t.rings[:, ::2, ::2], ((0, 0), (0, 1), (0, 1)), mode="edge") if fine else t.rings
    around = turn(nodes)
    belly, hull = muscles(nodes, spec, around)
    body = body_distance(nodes, spec, outer, hull, around)
    lobe = breasts(nodes, spec)
    if lobe is not None:
        body = smooth_union(body, lobe, 25.0)
    if not fine:
        return belly, body, None if lobe is None else np.asarray(lobe, dtype=np.float32)
    whole = None if lobe is None else doubled(np.asarray(lobe, dtype=np.float32), s.shape)
    return doubled(belly, s.shape), doubled(body, s.shape), whole


def draw_wall(s: Slab, spec: ChestSpec, t: Thorax, field: Float32Array) -> tuple[Float32Array, Float32Array]:
    """Density of skin, fat and muscle before the bones, and the distance to the skin, float32 [z, y, x]."""
    h = s.voxel_mm
    belly, body, lobe = surfaces(s, spec, t)
    # What lies inside the rib cage or outside the body is drawn over.
    at = np.nonzero((t.cavity > -0.5 - h) & (body < h))
    k, j, i = at
    armpit = bell(turn(s), 0.62, 0.07)[0, j, i] * profile(s.z, (-30, 0.0), (30, 18.0), (85, 24.0))[k, 0, 0]
    inner = Layers(
        t.rings[at], t.cavity[at], belly[at], body[at], field[at], armpit, None if lobe is None else lobe[at]
    )
    hu = np.full(s.shape, SKIN, dtype=np.float32)
    hu[at] = inner.density(spec, h)
    return hu, body


@dataclass(frozen=True, slots=True, eq=False)
class Layers:
    """What decides the tissue of each voxel of the wall, all (n,), in mm but for the field."""

    rings: Float32Array
    cavity: Float32Array
    belly: Float32Array
    body: Float32Array
    field: Float32Array
    armpit: Float32Array
    lobe: Float32Array | None

    def density(self, spec: ChestSpec, h: float) -> Float32Array:
        """Density of skin, fat, muscle and gland, (n,)."""
        body, belly, field = self.body, self.belly, self.field
        hu = np.full(body.shape, SKIN, dtype=np.float32)
        fat = np.float32(FAT) + field * np.float32(6.0)
        blend(hu, cover(body + 1.8, h), fat)
        muscle = 52.0 + 14.0 * spec.enhancement
        out = self.rings - np.float32(RIB_LAYER_MM)
        # Between two layers of muscle, and around each of them, lies a thin sheet of fat.
        layers = np.maximum(out - belly, body + np.float32(3.0 + 0.12 * spec.fat_mm))
        between = np.abs(out - np.float32(0.46) * belly + field * np.float32(2.2)) - np.float32(
            0.5 + 0.03 * spec.fat_mm
        )
        sheet = np.maximum(between, 7.0 - belly)
        blend(hu, cover(layers, h), muscle)
        blend(hu, cover(np.maximum(-sheet, layers + 1.0) * -1.0, h) * cover(layers, h) * cover(sheet, h), FAT + 20.0)
        # The armpit holds fat with vessels and nodes.
        armpit = self.armpit
        hollow = np.maximum(np.maximum(np.abs(out - 0.55 * belly) - armpit, 4.0 - armpit), body + 10.0)
        blend(hu, cover(hollow, h), FAT + 4.0)
        # Ribs and what lies between them: two layers of intercostal muscle and a little fat at the pleura.
        blend(hu, cover(np.maximum(np.maximum(out, body + 4.0), 2.2 - self.cavity), h), muscle - 4.0)
        strand = np.maximum(np.abs(self.rings - 6.5 + field * np.float32(1.5)) - 0.7, np.float32(0.25) - field)
        blend(hu, cover(strand, h), -60.0)
        if self.lobe is not None:
            gland = np.maximum(self.lobe + 12.0, np.float32(14.0 * (1.0 - 2.0 * spec.gland)) - field * 14.0)
            blend(hu, cover(np.maximum(gland, 3.0 - (out - belly)), 2.0 * h), 20.0)
        return hu
