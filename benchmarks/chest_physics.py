"""Has a whole made chest the sharpness and slices that were asked for: ``python -m benchmarks.chest_physics``.

A ball of known size lies in the lung of a whole phantom, drawn and scanned like every case. Its edge beside gives the
modulation transfer in the plane, its poles give the slice profile, its true mask the volume.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from cop_imaging.core import Geometry
from cop_imaging.core.arrays import Float64Array
from cop_imaging.synth import ScannerSpec, make_phantom
from cop_imaging.synth.lesions.nodule import Nodule
from cop_imaging.synth.physics import spread_of_edge

__all__ = ["ball_in_lung", "edge_mtf50_per_cm", "main", "profile_mm"]

MIDDLE, DIAMETER_MM = (-75.0, 20.0, -5.0), 30.0
PIXEL_MM, PIXELS = 0.65, 160
EVEN_SHARE = 0.8
"""Share of a rectangle's width between 10 and 90 % of its edge."""
KERNELS: dict[Literal["soft", "medium", "sharp"], float] = {"soft": 3.5, "medium": 5.0, "sharp": 6.0}


def ball_in_lung(
    step_mm: float, scanner: ScannerSpec, diameter_mm: float = DIAMETER_MM, phase: float = 0.3
) -> tuple[Float64Array, Float64Array, float]:
    """Places (n, 3) from a ball's middle as (x, y, z), share of the ball's density there, and true over exact volume.

    The share is found from the same chest with and without the ball. ``phase`` is the share of a slice by which the
    ball lies beside the middle of one.
    """
    n = int(2.2 * diameter_mm / step_mm)
    x, y, z = (
        c - 0.5 * (m - 1) * s
        for c, m, s in zip(MIDDLE, (PIXELS, PIXELS, n), (PIXEL_MM, PIXEL_MM, step_mm), strict=True)
    )
    geometry = Geometry((n, PIXELS, PIXELS), (step_mm, PIXEL_MM, PIXEL_MM), (x, y, z + phase * step_mm))
    quiet = scanner.model_copy(
        update={"noise_hu": 0.0, "round_field": False, "thickness_mm": scanner.thickness_mm or step_mm}
    )
    nodule = Nodule(MIDDLE, diameter_mm, 1, fraction=1.0, roughness=0.0)
    made, bare = (make_phantom(1, geometry=geometry, lesions=lesions, scanner=quiet) for lesions in ((nodule,), ()))
    was, now = (p.volume.hu.astype(np.float64) for p in (bare, made))
    at = geometry.to_patient(np.stack(np.indices(geometry.shape), axis=-1).reshape(-1, 3)) - np.array(MIDDLE)
    # Vessels and bronchi lie over the ball: only even lung tells.
    even = ((was < -780.0) & (was > -920.0)).ravel()
    volume_ml = np.pi * diameter_mm**3 / 6000.0
    share = ((now - was) / (nodule.tissue_hu - np.minimum(was, -700.0))).ravel()
    return at[even], share[even], float(made.truth["nodule"].sum() * geometry.voxel_ml / volume_ml)


def edge_mtf50_per_cm(at_mm: Float64Array, share: Float64Array) -> float:
    """Frequency in lp/cm at which the modulation transfer of the ball's edge beside it falls to one half."""
    beside = np.abs(at_mm[:, 2]) < 1.5
    # The circle that the slice shows.
    radius = np.sqrt((0.5 * DIAMETER_MM) ** 2 - at_mm[beside, 2] ** 2)
    away = radius - np.hypot(at_mm[beside, 0], at_mm[beside, 1])
    f, transfer = spread_of_edge(away, share[beside], 0.1, 8.0)
    below = int(np.flatnonzero(transfer < 0.5)[0])
    part = (transfer[below - 1] - 0.5) / (transfer[below - 1] - transfer[below])
    return float(10.0 * (f[below - 1] + part * (f[below] - f[below - 1])))


def profile_mm(at_mm: Float64Array, share: Float64Array) -> float:
    """Thickness of a rectangular slice whose edge rises from 10 to 90 % as that of the ball's poles does."""
    beside = np.hypot(at_mm[:, 0], at_mm[:, 1])
    near = beside < 5.0
    away = np.sqrt((0.5 * DIAMETER_MM) ** 2 - beside[near] ** 2) - np.abs(at_mm[near, 2])
    edges = np.arange(-6.0, 6.01, 0.25)
    index = np.digitize(away, edges)
    middle = [
        (share[near][index == k].mean(), away[index == k].mean()) for k in range(1, len(edges)) if (index == k).any()
    ]
    rise, place = np.array(middle).T
    low, high = np.interp([0.1, 0.9], np.maximum.accumulate(rise), place)
    return float((high - low) / EVEN_SHARE)


def main() -> None:
    """Measure, print; fail when anything is off."""
    good = True
    for step, near in ((1.25, 0.01), (2.5, 0.01), (5.0, 0.03)):
        for kernel, per_cm in KERNELS.items():
            spec = ScannerSpec(kernel=kernel, mtf50_per_cm=per_cm)
            # Slices lie differently to a pole: together they show its edge everywhere.
            each = [ball_in_lung(step, spec, phase=phase) for phase in (0.05, 0.3, 0.55, 0.8)]
            at, share = (np.concatenate([one[k] for one in each]) for k in (0, 1))
            volume = max((one[2] for one in each), key=lambda v: abs(v - 1.0))
            sharp, thick = edge_mtf50_per_cm(at, share) / per_cm, profile_mm(at, share) / step
            good &= abs(sharp - 1.0) <= 0.1 and abs(thick - 1.0) <= 0.1 and abs(volume - 1.0) <= near
            print(f"{step:g} mm, {kernel}: MTF50 {sharp:.3f}, slice {thick:.3f}, volume {volume:.4f} of what was asked")
    if not good:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
