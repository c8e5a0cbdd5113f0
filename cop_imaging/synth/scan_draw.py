"""Draws how a chest is scanned, as clinics differ: vendor, kernel, dose, slices, motion, field. It knows no disease."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np

from cop_imaging.core.geometry import Geometry
from cop_imaging.synth.noise import relative_noise
from cop_imaging.synth.scanner import ScannerSpec

__all__ = ["VENDORS", "Vendor", "draw_blood_hu", "draw_grid", "draw_scanner", "expected_noise_hu"]

T = TypeVar("T")
KernelClass = Literal["soft", "medium", "sharp"]
Padding = Literal[-3024, -2000, -1024]

REFERENCE = ScannerSpec(kernel="soft", mtf50_per_cm=3.5, thickness_mm=1.25, kvp=120.0, mas=120.0)
REFERENCE_NOISE_HU = 19.0
"""SD in soft tissue with the reference, by filtered back-projection: 15 to 28 HU at 5 to 8 mGy."""
ITERATIVE_LEAVES = 0.45
"""Share of the noise that full iterative reconstruction leaves: 0.4 to 0.75."""
NOISE_HU = (4.0, 160.0)
RESOLUTION_PER_CM = {"soft": (3.0, 4.0), "medium": (4.4, 5.2), "sharp": (6.3, 8.5)}
ENHANCEMENT = {"soft": (0.0, 0.0), "medium": (0.0, 0.0), "sharp": (0.1, 0.45)}
CLASS_SHARES = {"soft": 0.5, "medium": 0.15, "sharp": 0.35}
BLOOD_HU = {"none": (35.0, 50.0), "pulmonary": (250.0, 450.0), "arterial": (200.0, 350.0), "venous": (110.0, 180.0)}
"""Density of blood in heart and great vessels by phase; 35 to 50 HU without contrast medium."""
MATRIX = 512
FINEST_STEP_MM = 0.6
FIELD_MM = (260.0, 480.0)


@dataclass(frozen=True, slots=True)
class Vendor:
    """Names, kernels by class, slice thicknesses in mm and padding of one maker's scanners."""

    name: str
    models: tuple[str, ...]
    kernels: dict[KernelClass, tuple[str, ...]]
    thicknesses_mm: tuple[float, ...]
    padding_hu: tuple[Padding, ...]


VENDORS = (
    Vendor(
        "GE MEDICAL SYSTEMS",
        ("LightSpeed VCT", "Discovery CT750 HD", "Revolution CT", "Optima CT660"),
        {"soft": ("STANDARD", "SOFT"), "medium": ("DETAIL", "CHST"), "sharp": ("LUNG", "BONE")},
        (0.625, 1.25, 1.25, 2.5, 5.0),
        (-3024, -2000),
    ),
    Vendor(
        "SIEMENS",
        ("SOMATOM Definition AS+", "SOMATOM Force", "Sensation 64", "SOMATOM go.Top"),
        {
            "soft": ("B30f", "B31f", "I31f", "Br40d", "Br36f"),
            "medium": ("B45f", "B50f", "Bl49d"),
            "sharp": ("B60f", "B70f", "I70f", "Bl57d", "Bl64d"),
        },
        (0.6, 0.75, 1.0, 1.0, 1.5, 2.0, 3.0, 5.0),
        (-1024,),
    ),
    Vendor(
        "Philips",
        ("Brilliance 64", "iCT 256", "Ingenuity CT", "IQon - Spectral CT"),
        {"soft": ("A", "B", "C"), "medium": ("D",), "sharp": ("L", "YA", "YC")},
        (0.9, 1.0, 1.0, 2.0, 3.0, 5.0),
        (-1024, -2000),
    ),
    Vendor(
        "TOSHIBA",
        ("Aquilion", "Aquilion ONE", "Aquilion PRIME"),
        {"soft": ("FC08", "FC13", "FC18"), "sharp": ("FC51", "FC52", "FC55")},
        (0.5, 1.0, 1.0, 2.0, 3.0, 5.0),
        (-2000, -1024),
    ),
)


def expected_noise_hu(spec: ScannerSpec) -> float:
    """SD of the noise in soft tissue in the axis, by the textbook laws.

    It goes with the root of what the kernel lets through of the noise's ramp, and falls with the roots of dose and
    slice thickness; dose at the detector rises with the voltage.
    """
    thickness = spec.thickness_mm or spec.step_mm or 1.25
    plain = spec.model_copy(update={"iterative": 0.0})
    kernel = relative_noise(plain.noise_transfer) / relative_noise(REFERENCE.noise_transfer)
    dose = (spec.mas / 120.0) * (spec.kvp / 120.0) ** 2.6 * (thickness / 1.25)
    return float(REFERENCE_NOISE_HU * kernel / np.sqrt(dose) * (1.0 - (1.0 - ITERATIVE_LEAVES) * spec.iterative))


def draw_scanner(rng: np.random.Generator) -> ScannerSpec:
    """A scanner and its protocol, from what clinics use."""
    vendor = VENDORS[int(rng.integers(len(VENDORS)))]
    classes = list(vendor.kernels)
    shares = np.array([CLASS_SHARES[c] for c in classes])
    kernel = classes[int(rng.choice(len(classes), p=shares / shares.sum()))]
    thickness = one_of(rng, vendor.thicknesses_mm)
    low_dose = rng.random() < 0.2
    spec = ScannerSpec(
        kernel=kernel,
        mtf50_per_cm=between(rng, RESOLUTION_PER_CM[kernel], 2),
        enhancement=between(rng, ENHANCEMENT[kernel], 2),
        iterative=between(rng, (0.2, 1.0), 2) if rng.random() < 0.6 else 0.0,
        thickness_mm=thickness,
        # Most series are contiguous; the others overlap by half.
        step_mm=thickness if rng.random() < 0.75 else max(0.5 * thickness, min(thickness, FINEST_STEP_MM)),
        cardiac_mm=between(rng, (0.5, 4.0), 1) if rng.random() < 0.6 else 0.0,
        breathing_mm=between(rng, (2.0, 7.0), 1) if rng.random() < 0.12 else 0.0,
        round_field=bool(rng.random() < 0.75),
        padding_hu=one_of(rng, vendor.padding_hu),
        manufacturer=vendor.name,
        model=one_of(rng, vendor.models),
        kernel_name=one_of(rng, vendor.kernels[kernel]),
        kvp=one_of(rng, (120.0, 120.0, 120.0, 120.0, 100.0, 100.0, 140.0, 80.0)),
        mas=float(np.round(rng.uniform(20.0, 45.0) if low_dose else np.exp(rng.normal(np.log(125.0), 0.35)))),
        contrast_phase=one_of(
            rng, ("none", "none", "none", "none", "none", "venous", "venous", "arterial", "pulmonary")
        ),
    )
    # Patients and protocols differ by more than the laws know.
    noise = expected_noise_hu(spec) * np.exp(rng.normal(0.0, 0.15))
    return spec.model_copy(update={"noise_hu": float(np.round(np.clip(noise, *NOISE_HU), 1))})


def draw_blood_hu(rng: np.random.Generator, spec: ScannerSpec) -> float:
    """Density of blood in heart and great vessels in the phase of the scan."""
    return between(rng, BLOOD_HU[spec.contrast_phase], 0)


def draw_grid(
    rng: np.random.Generator,
    spec: ScannerSpec,
    low_mm: Sequence[float],
    high_mm: Sequence[float],
    *,
    matrix: int = MATRIX,
) -> Geometry:
    """A grid that shows all between two corners (x, y, z) in LPS mm, such as those of the lungs, and some more.

    Parameters
    ----------
    spec : ScannerSpec
        Its ``step_mm`` is the distance between slices.
    matrix : int
        Rows and columns.
    """
    step = spec.step_mm or spec.thickness_mm or 1.25
    low, high = np.asarray(low_mm, dtype=np.float64), np.asarray(high_mm, dtype=np.float64)
    wide, deep = (high - low)[:2]
    # A round field holds the lungs' oval: their corners are empty.
    needed = max(wide, deep, 0.88 * float(np.hypot(wide, deep)))
    field = float(np.clip(needed + rng.uniform(15.0, 90.0), *FIELD_MM))
    pixel = round(max(field, needed + 10.0) / matrix, 4)
    spare = 0.4 * (pixel * matrix - needed)
    centre = 0.5 * (low + high)[:2] + np.clip(rng.normal(0.0, 6.0, 2), -spare, spare)
    bottom, top = low[2] - rng.uniform(5.0, 30.0), high[2] + rng.uniform(5.0, 30.0)
    x, y = (round(float(c) - 0.5 * (matrix - 1) * pixel, 3) for c in centre)
    return Geometry(
        (int(np.ceil((top - bottom) / step)), matrix, matrix), (step, pixel, pixel), (x, y, round(bottom, 3))
    )


def one_of(rng: np.random.Generator, values: Sequence[T]) -> T:
    """One of several values, all alike likely."""
    return values[int(rng.integers(len(values)))]


def between(rng: np.random.Generator, limits: tuple[float, float], digits: int) -> float:
    """A number between two limits, evenly, rounded."""
    return round(float(rng.uniform(*limits)), digits)
