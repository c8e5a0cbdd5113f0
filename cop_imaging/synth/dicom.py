"""Writes a made volume as a DICOM CT Image Storage series (PS3.3 A.3), one file for each slice."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Literal

import numpy as np
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import ExplicitVRLittleEndian, JPEGLSLossless

from cop_imaging.core.arrays import AnyArray
from cop_imaging.core.geometry import Geometry, StoredOrder
from cop_imaging.core.volume import AIR_HU, CTVolume
from cop_imaging.errors import OutputError
from cop_imaging.synth.dicom_headers import decimal, series_header, uid
from cop_imaging.synth.scanner import ScannerSpec

__all__ = ["PADDING", "write_dicom_series"]

PADDING = -2000
"""Stored value outside the scanned field, unless the scanner says otherwise."""


def write_dicom_series(
    volume: CTVolume,
    folder: Path,
    *,
    transfer_syntax: Literal["jpegls", "explicit"] = "jpegls",
    stored: StoredOrder | None = None,
    seed: int = 0,
    description: str = "Phantom chest",
    scanner: ScannerSpec | None = None,
) -> tuple[Path, ...]:
    """Write ``IM0001.dcm`` ... in the order in which the slices are stored, as a whole folder or none.

    Parameters
    ----------
    volume : CTVolume
        With a scanned field (``valid``) values are stored as 16-bit signed with padding outside; without, as
        12-bit unsigned. Both have intercept -1024.
    stored : StoredOrder or None
        Order of the axes on disk; InstanceNumber counts along its first axis. None is canonical.
    seed : int
        Decides every UID, with the stored order and nothing else.
    scanner : ScannerSpec or None
        Decides the padding and names the phase of contrast medium; all else is in the volume's acquisition.

    Raises
    ------
    OutputError
        If the folder exists and is not empty, or cannot be written.
    """
    stored = stored or StoredOrder()
    try:
        if folder.exists() and any(folder.iterdir()):
            raise OutputError(f"the folder {folder} already holds files; name a new or an empty one")
        padding = None if volume.valid is None else scanner.padding_hu - AIR_HU if scanner else PADDING
        pixels = stored.to_stored(stored_pixels(volume, padding))
        geometry = stored.stored_geometry(volume.geometry)
        common = series_header(
            volume.acquisition,
            geometry,
            seed=seed,
            stored=stored,
            description=description,
            contrast_phase=scanner.contrast_phase if scanner else "none",
            padding=padding,
        )
        common.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian if transfer_syntax == "explicit" else JPEGLSLossless
        folder.parent.mkdir(parents=True, exist_ok=True)
        making = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".writing-"))
        try:
            names = [
                write_slice(common, np.ascontiguousarray(pixels[n]), geometry, n, folder=making, key=(seed, stored))
                for n in range(geometry.shape[0])
            ]
            making.chmod(0o755)
            making.replace(folder)
        finally:
            shutil.rmtree(making, ignore_errors=True)
    except OSError as error:
        raise OutputError(f"the series cannot be written to {folder}: {error.strerror}") from error
    return tuple(folder / name for name in names)


def stored_pixels(volume: CTVolume, padding: int | None) -> AnyArray:
    """Stored values [z, y, x]: int16 with padding, or uint16 of 12 bits without."""
    if padding is None or volume.valid is None:
        return np.clip(volume.hu.astype(np.int32) - AIR_HU, 0, 4095).astype(np.uint16)
    return np.where(volume.valid, volume.hu - np.int16(AIR_HU), np.int16(padding)).astype(np.int16)


def write_slice(
    common: Dataset, pixels: AnyArray, geometry: Geometry, n: int, *, folder: Path, key: tuple[int, StoredOrder]
) -> str:
    """Write slice ``n`` [y, x]; the name of its file."""
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
    name = f"IM{n + 1:04d}.dcm"
    d.save_as(folder / name, enforce_file_format=True)
    return name
