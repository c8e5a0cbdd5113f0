"""What is asked of a scanner, and what the headers say of it."""

from __future__ import annotations

from typing import Literal

import numpy as np

from cop_imaging.config import Section, quantity
from cop_imaging.core.arrays import Float64Array
from cop_imaging.core.geometry import Geometry
from cop_imaging.core.volume import Acquisition
from cop_imaging.synth.point_spread import modulation_transfer

__all__ = ["KERNELS", "ScannerSpec", "acquisition_of"]

KERNELS = {"soft": ("STANDARD", 3.5, 0.0), "medium": ("DETAIL", 5.0, 0.0), "sharp": ("LUNG", 7.0, 0.2)}
"""Name, MTF50 in lp/cm and enhancement of a class's usual kernel."""
OPTICS_PER_MM, SHARPEST_SHARE = 1.4, 0.8
"""MTF50 of focal spot and detector, which blur the patient and not the noise; the largest share of it a kernel uses."""
COARSER = 0.15
"""Share by which full iterative reconstruction narrows the spectrum of the noise."""


class ScannerSpec(Section):
    """How a chest is scanned."""

    kernel: Literal["soft", "medium", "sharp"] = quantity("soft", means="kernel class", unit="", source="definition")
    mtf50_per_cm: float | None = quantity(
        None,
        means="frequency at which the kernel halves contrast in the plane; None is the class's usual one",
        unit="lp/cm",
        low=1.5,
        high=15.0,
        source="soft 2.8 to 4, medium 4 to 5.5, sharp 6 to 10 lp/cm",
    )
    enhancement: float | None = quantity(
        None,
        means="share by which middle frequencies rise above 1; None is the class's usual one",
        unit="1",
        low=0.0,
        high=1.0,
        source="lung and bone kernels 0.2 to 0.6",
    )
    noise_hu: float = quantity(
        12.0,
        means="SD of the noise in soft tissue near the axis",
        unit="HU",
        low=0.0,
        high=200.0,
        source="15 to 28 HU at 1.25 mm, soft kernel; 0.4 to 0.75 of it with iterative reconstruction",
    )
    iterative: float = quantity(
        0.0,
        means="strength of iterative reconstruction: it makes the texture of the noise coarser",
        unit="1",
        low=0.0,
        high=1.0,
        source="0 is filtered back-projection",
    )
    thickness_mm: float | None = quantity(
        None,
        means="slice thickness; None is the distance between slices",
        unit="mm",
        low=0.3,
        high=12.0,
        source="definition",
    )
    step_mm: float | None = quantity(
        None,
        means="distance between slices that the protocol asks for; None is the slice thickness",
        unit="mm",
        low=0.2,
        high=20.0,
        source="50 to 100 % of the thickness; 10 mm for single slices of high resolution",
    )
    cardiac_mm: float = quantity(
        0.0, means="largest distance of double edges at the heart", unit="mm", low=0.0, high=10.0, source="estimate"
    )
    breathing_mm: float = quantity(
        0.0,
        means="largest displacement of slices near the diaphragm by a breath",
        unit="mm",
        low=0.0,
        high=20.0,
        source="estimate",
    )
    round_field: bool = quantity(
        True, means="whether only the round field inside the matrix was scanned", unit="", source="definition"
    )
    padding_hu: Literal[-3024, -2000, -1024] = quantity(
        -3024, means="what the file holds outside the round field", unit="HU", source="habits of vendors"
    )
    manufacturer: str = quantity("PHANTOM", means="maker of the scanner", unit="", source="definition")
    model: str = quantity("COP-IMAGING SYNTH", means="model of the scanner", unit="", source="definition")
    kernel_name: str | None = quantity(
        None, means="name of the kernel; None is the class's usual one", unit="", source="definition"
    )
    kvp: float = quantity(120.0, means="tube voltage", unit="kV", low=70.0, high=150.0, source="definition")
    mas: float = quantity(120.0, means="exposure", unit="mAs", low=5.0, high=500.0, source="definition")
    contrast_phase: Literal["none", "pulmonary", "arterial", "venous"] = quantity(
        "none", means="when after contrast medium was given the scan was made", unit="", source="definition"
    )

    @property
    def resolution_per_mm(self) -> float:
        """MTF50 in the plane in lp/mm."""
        return 0.1 * (self.mtf50_per_cm or KERNELS[self.kernel][1])

    @property
    def edge_enhancement(self) -> float:
        """Share by which middle frequencies rise above 1."""
        return KERNELS[self.kernel][2] if self.enhancement is None else self.enhancement

    def transfer(self, per_mm: Float64Array) -> Float64Array:
        """Modulation transfer in the plane at frequencies in 1/mm."""
        return modulation_transfer(per_mm, self.resolution_per_mm, self.edge_enhancement)

    def noise_transfer(self, per_mm: Float64Array) -> Float64Array:
        """The window that takes the noise's ramp down, at frequencies in 1/mm: the kernel without the optics' blur."""
        share = min(self.resolution_per_mm / OPTICS_PER_MM, SHARPEST_SHARE)
        window = self.resolution_per_mm / np.sqrt(1.0 - share**2)
        return modulation_transfer(per_mm, window * (1.0 - COARSER * self.iterative), self.edge_enhancement)


def acquisition_of(spec: ScannerSpec, geometry: Geometry, patient: Acquisition | None = None) -> Acquisition:
    """What the headers of a scan say; ``patient`` gives sex, age, height and weight."""
    z, y, x = geometry.spacing_mm
    thickness = spec.thickness_mm or z
    return (patient or Acquisition()).model_copy(
        update={
            "body_part": "CHEST",
            "manufacturer": spec.manufacturer,
            "scanner": spec.model,
            "kernel": spec.kernel_name or KERNELS[spec.kernel][0],
            "kernel_class": spec.kernel,
            "kvp": spec.kvp,
            "exposure_mas": spec.mas,
            "slice_thickness_mm": thickness,
            "slice_step_mm": z,
            "contiguous": z <= 1.05 * thickness,
            "pixel_spacing_mm": (y, x),
            "rows": geometry.shape[1],
            "columns": geometry.shape[2],
            "slice_count": geometry.shape[0],
            "patient_position": "HFS",
            "contrast": spec.contrast_phase != "none",
        }
    )
