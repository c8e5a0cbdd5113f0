"""What was measured of a scan itself, before any sign: whether its densities, sharpness and field can be trusted."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

__all__ = ["ScanQuality"]


class ScanQuality(BaseModel):
    """Measured on the voxels of one series; None where it could not be measured."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    air_hu: float | None = None
    """Commonest density of air around the body or in the trachea; -1000 by definition."""
    fat_hu: float | None = None
    """Commonest density of fat; about -100."""
    soft_tissue_hu: float | None = None
    """Commonest density of muscle and organs; 30 to 70, with contrast up to 120."""
    blood_hu: float | None = None
    """Density of the heart and great vessels; about 40, above 100 with contrast."""
    lung_hu: float | None = None
    """Commonest density of aerated lung; above -750 the scan was made in expiration."""
    noise_hu: float | None = None
    """Standard deviation of homogeneous tissue or air, in HU."""
    noise_smoothed_hu: float | None = None
    """What is left of the noise after smoothing in the plane to the point spread that all signs share."""
    noise_per_mm: float | None = None
    """Mean frequency of the noise, 1/mm: about 0.3 for soft kernels, 0.6 for sharp ones."""
    noise_correlation: float | None = None
    """Correlation of the noise of neighbouring pixels: high for soft kernels, near or below 0 for sharp ones."""
    kernel_class: str | None = None
    """``soft``, ``medium`` or ``sharp``, measured from noise and edges, whatever the header says."""
    contrast: bool | None = None
    """Contrast medium in the heart or the great vessels, as seen."""
    lung_ml: float | None = None
    """Volume of air-filled lung, roughly, before any anatomy."""
    apex_cut: bool | None = None
    base_cut: bool | None = None
    side_cut: bool | None = None
    """Lung runs into the upper or lower end of the scan, or into the edge of its field."""
    motion_percent: float | None = None
    """Share of slices whose edges do not continue those of their neighbours."""
    arms_down: bool | None = None
    metal_ml: float | None = None
    """Volume of metal, by density."""
