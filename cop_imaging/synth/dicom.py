"""Writes a made volume as a DICOM CT Image Storage series (PS3.3 A.3), one file for each slice."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path
from typing import Literal

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian, JPEGLSLossless

from cop_imaging.core.arrays import AnyArray
from cop_imaging.core.geometry import Geometry, StoredOrder
from cop_imaging.core.volume import AIR_HU, CTVolume
from cop_imaging.errors import OutputError

__all__ = ["PADDING", "write_dicom_series"]

PADDING = -2000
"""Stored value outside the scanned field."""
UID_ROOT = "2.25."
"""Root for UIDs made from a UUID (PS3.5 B.2), which anybody may use."""
DATE, TIME = "20200101", "120000"


def uid(*parts: object) -> UID:
    """A UID that depends on its parts alone."""
    digest = hashlib.sha256("/".join(str(p) for p in parts).encode()).digest()
    # Version and variant bits of a name-based UUID, as the root demands.
    number = (int.from_bytes(digest[:16], "big") & ~(0xF << 76) & ~(0x3 << 62)) | (0x8 << 76) | (0x2 << 62)
    return UID(f"{UID_ROOT}{number}")


def decimal(value: float) -> str:
    """A number as a Decimal String of at most 16 characters."""
    return f"{value:.6f}".rstrip("0").rstrip(".") if abs(value) > 5e-7 else "0"


def write_dicom_series(
    volume: CTVolume,
    folder: Path,
    *,
    transfer_syntax: Literal["jpegls", "explicit"] = "jpegls",
    stored: StoredOrder | None = None,
    seed: int = 0,
    description: str = "Phantom chest",
) -> tuple[Path, ...]:
    """Write ``IM0001.dcm`` ... into a new folder, in the order in which the slices are stored.

    Parameters
    ----------
    volume : CTVolume
        With a scanned field (``valid``) values are stored as 16-bit signed with padding -2000 outside; without, as
        12-bit unsigned. Both have intercept -1024.
    stored : StoredOrder or None
        Order of the axes on disk; InstanceNumber counts along its first axis. None is canonical.
    seed : int
        Decides every UID, with the stored order and nothing else.

    Raises
    ------
    OutputError
        If the folder exists and is not empty, or cannot be written.
    """
    stored = stored or StoredOrder()
    if folder.exists() and any(folder.iterdir()):
        raise OutputError(f"the folder {folder} already holds files; name a new or an empty one")
    pixels, padded = stored_pixels(volume)
    pixels, geometry = stored.to_stored(pixels), stored.stored_geometry(volume.geometry)
    common = series_header(
        volume, geometry, seed, stored, description, padded=padded, flat=transfer_syntax == "explicit"
    )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return tuple(
            write_slice(common, np.ascontiguousarray(pixels[n]), geometry, n, folder=folder, key=(seed, stored))
            for n in range(geometry.shape[0])
        )
    except OSError as error:
        raise OutputError(f"the series cannot be written to {folder}: {error.strerror}") from error


def stored_pixels(volume: CTVolume) -> tuple[AnyArray, bool]:
    """Stored values [z, y, x], int16 with padding or uint16 of 12 bits without, and whether there is padding."""
    if volume.valid is None:
        return np.clip(volume.hu.astype(np.int32) - AIR_HU, 0, 4095).astype(np.uint16), False
    return np.where(volume.valid, volume.hu - np.int16(AIR_HU), np.int16(PADDING)).astype(np.int16), True


def series_header(
    volume: CTVolume, geometry: Geometry, seed: int, stored: StoredOrder, description: str, *, padded: bool, flat: bool
) -> Dataset:
    """The attributes that all slices share."""
    a, d = volume.acquisition, Dataset()
    d.SpecificCharacterSet = "ISO_IR 100"
    d.SOPClassUID = CTImageStorage
    d.StudyDate = d.SeriesDate = d.AcquisitionDate = d.ContentDate = DATE
    d.StudyTime = d.SeriesTime = d.AcquisitionTime = d.ContentTime = TIME
    d.AccessionNumber = d.ReferringPhysicianName = ""
    d.StudyID = "1"
    d.Modality = "CT"
    d.Manufacturer, d.ManufacturerModelName = a.manufacturer or "PHANTOM", a.scanner or "PHANTOM"
    d.StudyDescription, d.SeriesDescription = "Made chest, no patient", description
    d.PatientName, d.PatientID, d.PatientBirthDate = "PHANTOM^CHEST", "PHANTOM", ""
    d.PatientSex = a.sex or ""
    if a.age_years is not None:
        d.PatientAge = f"{round(a.age_years):03d}Y"
    if a.height_m is not None:
        d.PatientSize = decimal(a.height_m)
    if a.weight_kg is not None:
        d.PatientWeight = decimal(a.weight_kg)
    d.PatientIdentityRemoved, d.DeidentificationMethod = "YES", "Made by computer: there is no patient"
    d.BodyPartExamined = "CHEST"
    d.KVP = decimal(a.kvp or 120.0)
    d.SliceThickness = decimal(a.slice_thickness_mm or geometry.spacing_mm[0])
    d.SpacingBetweenSlices = decimal(geometry.spacing_mm[0])
    d.ReconstructionDiameter = decimal(geometry.spacing_mm[2] * geometry.shape[2])
    d.GantryDetectorTilt = "0"
    d.Exposure = str(round(a.exposure_mas or 120.0))
    d.ConvolutionKernel = a.kernel or "STANDARD"
    d.PatientPosition = a.patient_position or "HFS"
    d.StudyInstanceUID, d.SeriesInstanceUID = uid(seed, "study"), uid(seed, stored, "series")
    d.FrameOfReferenceUID, d.PositionReferenceIndicator = uid(seed, "frame"), ""
    d.SeriesNumber, d.AcquisitionNumber = "2", "1"
    d.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    d.ImageOrientationPatient = [decimal(c) for c in (*geometry.direction[2], *geometry.direction[1])]
    d.PixelSpacing = [decimal(geometry.spacing_mm[1]), decimal(geometry.spacing_mm[2])]
    d.SamplesPerPixel, d.PhotometricInterpretation = 1, "MONOCHROME2"
    d.Rows, d.Columns = geometry.shape[1], geometry.shape[2]
    d.BitsAllocated = 16
    d.BitsStored = 16 if padded else 12
    d.HighBit, d.PixelRepresentation = d.BitsStored - 1, int(padded)
    if padded:
        d.PixelPaddingValue = PADDING
    d.RescaleIntercept, d.RescaleSlope, d.RescaleType = str(AIR_HU), "1", "HU"
    d.WindowCenter, d.WindowWidth = ["-600", "40"], ["1500", "400"]
    d.WindowCenterWidthExplanation = ["LUNG", "SOFT TISSUE"]
    d.file_meta = FileMetaDataset()
    d.file_meta.MediaStorageSOPClassUID = CTImageStorage
    d.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian if flat else JPEGLSLossless
    d.file_meta.ImplementationClassUID = uid("implementation")
    d.file_meta.ImplementationVersionName = "COP_IMAGING"
    return d


def write_slice(
    common: Dataset, pixels: AnyArray, geometry: Geometry, n: int, *, folder: Path, key: tuple[int, StoredOrder]
) -> Path:
    """One slice under a temporary name, then renamed; the path of the file."""
    import imagecodecs

    d = common
    d.SOPInstanceUID = d.file_meta.MediaStorageSOPInstanceUID = uid(*key, "instance", n)
    d.InstanceNumber = str(n + 1)
    position = geometry.to_patient((float(n), 0.0, 0.0))
    d.ImagePositionPatient = [decimal(float(c)) for c in position]
    d.SliceLocation = decimal(float(position @ np.array(geometry.direction[0])))
    raw = pixels.astype("<u2" if pixels.dtype == np.uint16 else "<i2")
    if d.file_meta.TransferSyntaxUID == JPEGLSLossless:
        d.PixelData = encapsulate([bytes(imagecodecs.jpegls_encode(raw.view(np.uint16)))])
        d["PixelData"].VR, d["PixelData"].is_undefined_length = "OB", True
    else:
        d.PixelData = raw.tobytes()
        d["PixelData"].VR, d["PixelData"].is_undefined_length = "OW", False
    path = folder / f"IM{n + 1:04d}.dcm"
    handle, name = tempfile.mkstemp(dir=folder, prefix=".writing-")
    os.close(handle)
    temporary = Path(name)
    try:
        d.save_as(temporary, enforce_file_format=True)
        temporary.chmod(0o644)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return path
