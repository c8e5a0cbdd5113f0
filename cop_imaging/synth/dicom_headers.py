"""What the headers of a made series say: a scanner's usual attributes, and plainly that there is no patient."""

from __future__ import annotations

import hashlib

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, CTImageStorage

from cop_imaging.core.geometry import Geometry, StoredOrder
from cop_imaging.core.volume import AIR_HU, Acquisition

__all__ = ["decimal", "series_header", "uid"]

UID_ROOT = "2.25."
"""Root for UIDs made from a UUID (PS3.5 B.2), which anybody may use."""
DATE, TIME = "20200101", "120000"
ROTATION_S, PITCH, COLLIMATION_MM, ROWS = 0.5, 1.0, 40.0, 64
INJECTED = {"pulmonary": "115942", "arterial": "115935", "venous": "115850"}
"""Time at which the injection began: 18, 25 and 70 s before the scan."""
NO_PATIENT = "cop_imaging phantom: computed, no patient"


def uid(*parts: object) -> UID:
    """A UID that depends on its parts alone."""
    digest = hashlib.sha256("/".join(str(p) for p in parts).encode()).digest()
    # Version and variant bits of a name-based UUID, as the root demands.
    number = (int.from_bytes(digest[:16], "big") & ~(0xF << 76) & ~(0x3 << 62)) | (0x8 << 76) | (0x2 << 62)
    return UID(f"{UID_ROOT}{number}")


def decimal(value: float) -> str:
    """A number as a Decimal String of at most 16 characters."""
    return f"{value:.6f}".rstrip("0").rstrip(".") if abs(value) > 5e-7 else "0"


def series_header(
    acquisition: Acquisition,
    geometry: Geometry,
    *,
    seed: int,
    stored: StoredOrder,
    description: str,
    contrast_phase: str,
    padding: int | None,
) -> Dataset:
    """The attributes that all slices share.

    Parameters
    ----------
    geometry : Geometry
        In stored order.
    contrast_phase : str
        ``none`` when it is not known.
    padding : int or None
        Stored value outside the scanned field; None for 12-bit unsigned values without padding.
    """
    d = Dataset()
    d.file_meta = FileMetaDataset()
    d.file_meta.MediaStorageSOPClassUID = CTImageStorage
    d.file_meta.ImplementationClassUID = uid("implementation")
    d.file_meta.ImplementationVersionName = "COP_IMAGING"
    add_study(d, acquisition, seed, stored, description)
    add_patient(d, acquisition, seed)
    add_equipment(d, acquisition, geometry)
    if acquisition.contrast:
        add_contrast(d, contrast_phase)
    add_image(d, geometry, padding)
    return d


def add_study(d: Dataset, a: Acquisition, seed: int, stored: StoredOrder, description: str) -> None:
    """Study, series, frame of reference and acquisition."""
    d.SpecificCharacterSet = "ISO_IR 100"
    d.SOPClassUID = CTImageStorage
    d.StudyDate = d.SeriesDate = d.AcquisitionDate = d.ContentDate = DATE
    d.StudyTime = d.SeriesTime = d.AcquisitionTime = d.ContentTime = TIME
    d.AccessionNumber = d.ReferringPhysicianName = ""
    d.StudyID, d.SeriesNumber, d.AcquisitionNumber = "1", "2", "1"
    d.Modality = "CT"
    d.StudyDescription, d.SeriesDescription = "Made chest, no patient", description
    d.ProtocolName, d.BodyPartExamined = "CHEST", "CHEST"
    d.StudyInstanceUID, d.SeriesInstanceUID = uid(seed, "study"), uid(seed, stored, "series")
    d.FrameOfReferenceUID, d.PositionReferenceIndicator = uid(seed, "frame"), ""
    d.PatientPosition = a.patient_position or "HFS"


def add_patient(d: Dataset, a: Acquisition, seed: int) -> None:
    """A patient that nobody takes for one."""
    d.PatientName, d.PatientID, d.PatientBirthDate = "PHANTOM^CHEST", f"PHANTOM-{seed}", ""
    d.PatientSex = a.sex or ""
    if a.age_years is not None:
        d.PatientAge = f"{round(a.age_years):03d}Y"
    if a.height_m is not None:
        d.PatientSize = decimal(a.height_m)
    if a.weight_kg is not None:
        d.PatientWeight = decimal(a.weight_kg)
    d.PatientIdentityRemoved, d.DeidentificationMethod = "YES", "Made by computer: there is no patient"
    d.InstitutionName = "COP_IMAGING PHANTOM"
    d.ImageComments = NO_PATIENT


def add_equipment(d: Dataset, a: Acquisition, geometry: Geometry) -> None:
    """Scanner, exposure and reconstruction."""
    mas = a.exposure_mas or 120.0
    d.Manufacturer, d.ManufacturerModelName = a.manufacturer or "PHANTOM", a.scanner or "PHANTOM"
    d.StationName, d.SoftwareVersions, d.DeviceSerialNumber = "PHANTOM", "cop_imaging", "0"
    d.ScanOptions, d.FilterType, d.RotationDirection = "HELICAL MODE", "BODY", "CW"
    d.KVP = decimal(a.kvp or 120.0)
    d.RevolutionTime, d.SpiralPitchFactor = ROTATION_S, PITCH
    d.SingleCollimationWidth, d.TotalCollimationWidth = COLLIMATION_MM / ROWS, COLLIMATION_MM
    d.TableSpeed, d.TableFeedPerRotation = COLLIMATION_MM * PITCH / ROTATION_S, COLLIMATION_MM * PITCH
    d.ExposureTime, d.XRayTubeCurrent = str(round(1000.0 * ROTATION_S)), str(round(mas * PITCH / ROTATION_S))
    d.Exposure = str(round(mas))
    d.SliceThickness = decimal(a.slice_thickness_mm or geometry.spacing_mm[0])
    d.SpacingBetweenSlices = decimal(geometry.spacing_mm[0])
    d.DataCollectionDiameter = "500"
    d.ReconstructionDiameter = decimal(geometry.spacing_mm[2] * geometry.shape[2])
    d.GantryDetectorTilt, d.TableHeight = "0", "150"
    d.ConvolutionKernel = a.kernel or "STANDARD"


def add_contrast(d: Dataset, phase: str) -> None:
    """Contrast medium, with its phase where that is known."""
    d.ContrastBolusAgent = f"Iodine, {phase} phase" if phase in INJECTED else "Iodine"
    d.ContrastBolusRoute, d.ContrastBolusIngredient = "IV", "IODINE"
    d.ContrastBolusVolume, d.ContrastBolusTotalDose = "80", "80"
    if phase in INJECTED:
        d.ContrastBolusStartTime = INJECTED[phase]


def add_image(d: Dataset, geometry: Geometry, padding: int | None) -> None:
    """Plane, pixels and windows."""
    d.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    d.ImageOrientationPatient = [decimal(c) for c in (*geometry.direction[2], *geometry.direction[1])]
    d.PixelSpacing = [decimal(geometry.spacing_mm[1]), decimal(geometry.spacing_mm[2])]
    d.SamplesPerPixel, d.PhotometricInterpretation = 1, "MONOCHROME2"
    d.Rows, d.Columns = geometry.shape[1], geometry.shape[2]
    d.BitsAllocated = 16
    d.BitsStored = 12 if padding is None else 16
    d.HighBit, d.PixelRepresentation = d.BitsStored - 1, int(padding is not None)
    if padding is not None:
        d.PixelPaddingValue = padding
    d.BurnedInAnnotation, d.LossyImageCompression = "NO", "00"
    d.RescaleIntercept, d.RescaleSlope, d.RescaleType = str(AIR_HU), "1", "HU"
    d.WindowCenter, d.WindowWidth = ["-600", "40"], ["1500", "400"]
    d.WindowCenterWidthExplanation = ["LUNG", "SOFT TISSUE"]
