"""A CT volume in Hounsfield units, and what may be known of how it was acquired."""

from __future__ import annotations

from dataclasses import dataclass, field

from pydantic import BaseModel, ConfigDict

from cop_imaging.core.arrays import BoolArray, Int16Array
from cop_imaging.core.geometry import Geometry, StoredOrder
from cop_imaging.core.issue import Issue
from cop_imaging.core.quality import ScanQuality

__all__ = ["AIR_HU", "Acquisition", "CTVolume", "SliceIdentity"]

AIR_HU = -1024
"""Value of voxels outside the scanned field; ``valid`` is False there."""


class Acquisition(BaseModel):
    """The allow-list of what is kept from the headers: nothing that identifies a person, place or date."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    modality: str = "CT"
    source_format: str = "DICOM"
    """``DICOM``, ``NIfTI``, ``NRRD`` or ``MetaImage``: the latter know nothing of the acquisition."""
    body_part: str | None = None
    manufacturer: str | None = None
    scanner: str | None = None
    kernel: str | None = None
    kernel_class: str | None = None
    """``soft``, ``medium``, ``sharp`` or None when the kernel's name is not known."""
    kvp: float | None = None
    exposure_mas: float | None = None
    slice_thickness_mm: float | None = None
    slice_step_mm: float | None = None
    contiguous: bool = True
    """False when there are gaps between slices: shares of cut area can be measured there, volumes cannot."""
    pixel_spacing_mm: tuple[float, float] | None = None
    rows: int | None = None
    columns: int | None = None
    slice_count: int | None = None
    patient_position: str | None = None
    """DICOM Patient Position (HFS, FFS, HFP, ...)."""
    contrast: bool | None = None
    transfer_syntax: str | None = None
    """Name of the transfer syntax of the stored slices."""
    resampled: str | None = None
    """What ingestion had to resample ("tilt", "bridged gap"), or None when every voxel is as stored."""
    sex: str | None = None
    age_years: float | None = None
    height_m: float | None = None
    weight_kg: float | None = None


@dataclass(frozen=True, slots=True)
class SliceIdentity:
    """Finds a slice again in a viewer; the UID identifies a person's study and is given only on request."""

    instance_number: int | None
    sop_instance_uid: str


@dataclass(frozen=True, slots=True, eq=False)
class CTVolume:
    """One CT series as one volume. Takes ownership of its arrays and locks them.

    Parameters
    ----------
    hu : int16 [z, y, x]
        Hounsfield units; -1024 where nothing was scanned.
    geometry : Geometry
        The grid, canonical: z to the head, y to the back, x to the patient's left.
    valid : bool [z, y, x] or None
        True inside the scanned field; None when every voxel was scanned.
    acquisition : Acquisition
        What the headers say, without anything that identifies.
    stored : StoredOrder
        How the series lies on disk, so that masks can be written back in its own order.
    slices : tuple of SliceIdentity
        One for each z index, or empty when the source has no slices of its own.
    digest : str
        SHA-256 over decoded HU and geometry: the same whatever the transfer syntax or file names.
    case : str
        Stands for the scan, or with a key for the patient, in every output; never an identifier itself.
    quality : ScanQuality
        What was measured of the scan itself.
    """

    hu: Int16Array
    geometry: Geometry
    valid: BoolArray | None = None
    acquisition: Acquisition = field(default_factory=Acquisition)
    stored: StoredOrder = field(default_factory=StoredOrder)
    slices: tuple[SliceIdentity, ...] = ()
    digest: str = ""
    issues: tuple[Issue, ...] = ()
    case: str = ""
    quality: ScanQuality = field(default_factory=ScanQuality)

    def __post_init__(self) -> None:
        if self.hu.shape != self.geometry.shape:
            raise ValueError(f"hu has shape {self.hu.shape}, its geometry {self.geometry.shape}")
        if self.valid is not None and self.valid.shape != self.hu.shape:
            raise ValueError(f"valid has shape {self.valid.shape}, hu {self.hu.shape}")
        for array in (self.hu, self.valid):
            if array is not None:
                array.flags.writeable = False
