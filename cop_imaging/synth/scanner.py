"""From the noise-free chest to what a scanner stores: motion, point spread, slice profile, noise, field, rounding."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import numpy as np

from cop_imaging.core.arrays import BoolArray, Float32Array, Float64Array, Int16Array
from cop_imaging.core.geometry import Geometry
from cop_imaging.core.volume import AIR_HU
from cop_imaging.synth.field import round_field
from cop_imaging.synth.motion import Motion, MovingParts
from cop_imaging.synth.noise import NoiseTexture
from cop_imaging.synth.noise_level import NoiseLevel
from cop_imaging.synth.point_spread import PointSpread
from cop_imaging.synth.scanner_spec import KERNELS, ScannerSpec, acquisition_of
from cop_imaging.synth.slice_profile import noise_weights, profile_weights

__all__ = ["KERNELS", "ScannerSpec", "acquisition_of", "round_field", "scan"]

LARGEST_HU = 3071


def scan(
    hu: Float32Array,
    geometry: Geometry,
    rng: np.random.Generator,
    spec: ScannerSpec,
    *,
    drawn_mm: tuple[float, float, float] | None = None,
    parts: MovingParts | None = None,
) -> tuple[Int16Array, BoolArray | None]:
    """What is stored of a noise-free chest, slice by slice: no second volume of floats is made.

    Parameters
    ----------
    hu : float32 [z, y, x]
        The chest, not changed.
    drawn_mm : (z, y, x) or None
        Widths over which the drawn values are means already; None is the voxel's own. In the plane the scan makes up
        for them. It makes contiguous slices thicker, never thinner: slices with gaps between them are drawn as thin as
        they are scanned, and thick overlapping ones are best drawn as thick as they are.
    parts : MovingParts or None
        Where heart and diaphragm lie, when they move.

    Returns
    -------
    hu : int16 [z, y, x]
        Clipped to -1024 ... 3071.
    valid : bool [z, y, x] or None
        Inside the round field.
    """
    step, (drawn_z, *drawn) = geometry.spacing_mm[0], drawn_mm or geometry.spacing_mm
    thickness = spec.thickness_mm or step
    plane, pixel = (hu.shape[1], hu.shape[2]), (geometry.spacing_mm[1], geometry.spacing_mm[2])
    moving = Motion(
        hu,
        geometry,
        rng,
        cardiac_mm=spec.cardiac_mm,
        breathing_mm=spec.breathing_mm,
        parts=parts or MovingParts(),
    )
    blur = PointSpread(plane, pixel, (drawn[0], drawn[1]), spec.transfer)
    weights = profile_weights(thickness if drawn_z < thickness else step, step)
    shown = weighted((blur(moving.slice(z)) for z in nearest(hu.shape[0], weights)), weights)
    noise = noise_slices(hu, geometry, rng, spec, thickness) if spec.noise_hu > 0.0 else None
    valid = np.array(round_field(geometry)) if spec.round_field else None
    stored = np.empty(hu.shape, dtype=np.int16)
    for z, image in enumerate(shown):
        if noise is not None:
            np.add(image, next(noise), out=image)
        stored[z] = np.clip(np.rint(image, out=image), AIR_HU, LARGEST_HU)
        if valid is not None:
            stored[z][~valid[z]] = AIR_HU
    return stored, valid


def noise_slices(
    hu: Float32Array, geometry: Geometry, rng: np.random.Generator, spec: ScannerSpec, thickness_mm: float
) -> Iterator[Float32Array]:
    """Noise in HU of one slice [y, x] after the other."""
    level = NoiseLevel.of(hu, geometry)
    texture = NoiseTexture(
        (hu.shape[1], hu.shape[2]), (geometry.spacing_mm[1], geometry.spacing_mm[2]), spec.noise_transfer
    )
    weights = noise_weights(thickness_mm, geometry.spacing_mm[0])

    def independent(z: int) -> Float32Array:
        whole, part = texture.draw(rng)
        lateral, more = level.at(z)
        whole *= lateral
        part *= more
        whole += part
        whole *= np.float32(spec.noise_hu)
        return whole

    return weighted((independent(z) for z in nearest(hu.shape[0], weights)), weights)


def nearest(count: int, weights: Float64Array) -> list[int]:
    """Indices of slices with as many repeated at both ends as the weights reach."""
    reach = len(weights) // 2
    return [min(max(z, 0), count - 1) for z in range(-reach, count + reach)]


def weighted(slices: Iterator[Float32Array], weights: Float64Array) -> Iterator[Float32Array]:
    """Running weighted sums of slices, each a new array; holds as many slices as there are weights."""
    held: deque[Float32Array] = deque(maxlen=len(weights))
    for image in slices:
        held.append(image)
        if len(held) < len(weights):
            continue
        out = held[0] * np.float32(weights[0])
        for weight, other in zip(weights[1:], list(held)[1:], strict=True):
            out += np.float32(weight) * other
        yield out
