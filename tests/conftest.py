"""What tests of several rooms look at: phantom chests with their anatomy, made once, and small CT series on disk.

The body of the small series is a function of the patient point, so that no test trusts an array order.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from cop_imaging.anatomy import AnatomyConfig, segment
from cop_imaging.core import Anatomy
from cop_imaging.synth import Phantom, coarse_grid, healthy_chest, organizing_pneumonia_chest


@pytest.fixture(scope="session")
def healthy() -> Phantom:
    """A chest without lesions in cubes of 2.5 mm."""
    return healthy_chest(1, geometry=coarse_grid())


@pytest.fixture(scope="session")
def op() -> Callable[[int], Phantom]:
    """Chests with organizing pneumonia by seed, in cubes of 2.5 mm."""
    made: dict[int, Phantom] = {}

    def make(seed: int) -> Phantom:
        if seed not in made:
            made[seed] = organizing_pneumonia_chest(seed, geometry=coarse_grid())
        return made[seed]

    return make


@pytest.fixture(scope="session")
def quick() -> AnatomyConfig:
    """The coarsest work grid: an eighth of the usual voxels."""
    return AnatomyConfig(method="classical", work_spacing_mm=3.0)


@pytest.fixture(scope="session")
def healthy_anatomy(healthy: Phantom, quick: AnatomyConfig) -> Anatomy:
    """What is found in the healthy chest on the coarsest work grid."""
    return segment(healthy.volume, quick)


def body_hu(points: np.ndarray) -> np.ndarray:
    """HU at LPS points (..., 3) in mm: a trunk with two lungs; every direction changes the soft tissue's value."""
    x, y, z = np.moveaxis(points, -1, 0)
    hu = np.full(x.shape, -1000.0)
    trunk = (x / 80) ** 2 + (y / 60) ** 2 < 1
    hu[trunk] = 40 + np.round(x[trunk] / 4) + np.round(y[trunk] / 7) + np.round(z[trunk] / 20)
    for side in (-1, 1):
        hu[((x - side * 35) / 25) ** 2 + (y / 40) ** 2 < 1] = -850
    return hu


def stored_values(hu: np.ndarray, header: Dataset) -> np.ndarray:
    values = np.round((hu - float(header.RescaleIntercept)) / float(header.RescaleSlope))
    return values.astype("<i2" if header.PixelRepresentation else "<u2")


def write_one(path: Path, header: Dataset, pixels: np.ndarray | None, syntax: str = ExplicitVRLittleEndian) -> None:
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = syntax
    meta.MediaStorageSOPClassUID = header.SOPClassUID
    meta.MediaStorageSOPInstanceUID = header.SOPInstanceUID
    file = FileDataset(path, header, preamble=b"\0" * 128, file_meta=meta)
    if pixels is not None:
        file.PixelData = pixels.tobytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    file.save_as(path, enforce_file_format=True)


@pytest.fixture
def body() -> Callable[[np.ndarray], np.ndarray]:
    return body_hu


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write a series into a folder below ``tmp_path`` and give the folder back.

    ``edit(header, n)`` changes the header of slice n before its pixels are made, and leaves it out by returning
    False; ``repixel(hu, n)`` changes its HU.
    """

    def series(
        where: str = "ct",
        *,
        row: tuple[float, float, float] = (1, 0, 0),
        column: tuple[float, float, float] = (0, 1, 0),
        stack: tuple[float, float, float] | None = None,
        count: int = 40,
        step_mm: float = 3.0,
        edit: Callable[[Dataset, int], object] | None = None,
        repixel: Callable[[np.ndarray, int], np.ndarray] | None = None,
        uid: str = "1",
        name: Callable[[int], str] = "IM{:04d}.dcm".format,
        number: Callable[[int], int] = lambda n: n + 1,
    ) -> Path:
        rows, columns, spacing = 32, 30, (5.0, 6.0)
        along_row, along_column = np.array(row, float), np.array(column, float)
        normal = np.cross(along_row, along_column)
        advance = np.array(stack, float) if stack else normal
        for n in range(count):
            position = (
                (n - (count - 1) / 2) * step_mm * advance
                - (columns - 1) / 2 * spacing[1] * along_row
                - (rows - 1) / 2 * spacing[0] * along_column
            )
            header = Dataset()
            header.SOPClassUID = CTImageStorage
            header.SOPInstanceUID = generate_uid(entropy_srcs=["slice", uid, str(n)])
            header.SeriesInstanceUID = generate_uid(entropy_srcs=["series", uid])
            header.Modality = "CT"
            header.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
            header.InstanceNumber = number(n)
            header.PatientName, header.PatientID, header.PatientBirthDate = "Doe^Jane", "SECRET-7", "19610203"
            header.InstitutionName, header.StudyDate = "General Hospital", "20200405"
            header.Manufacturer, header.ManufacturerModelName = "Maker", "Model 1"
            header.ConvolutionKernel, header.KVP, header.PatientPosition = "STANDARD", "120", "HFS"
            header.PatientSex, header.PatientAge = "F", "045Y"
            header.SliceThickness = str(step_mm)
            header.ImagePositionPatient = [f"{v:.9g}" for v in position]
            header.ImageOrientationPatient = [f"{v:.9g}" for v in (*row, *column)]
            header.PixelSpacing = [str(s) for s in spacing]
            header.Rows, header.Columns, header.SamplesPerPixel = rows, columns, 1
            header.PhotometricInterpretation = "MONOCHROME2"
            header.BitsAllocated, header.BitsStored, header.HighBit, header.PixelRepresentation = 16, 16, 15, 1
            header.RescaleSlope, header.RescaleIntercept = "1", "-1024"
            r, c = np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij")
            points = position + c[..., None] * spacing[1] * along_row + r[..., None] * spacing[0] * along_column
            hu = body_hu(points)
            if repixel:
                hu = repixel(hu, n)
            pixels = stored_values(hu, header)
            if edit and edit(header, n) is False:
                continue
            if "RescaleSlope" in header and "RescaleIntercept" in header:
                pixels = stored_values(hu, header)
            write_one(tmp_path / where / name(n), header, pixels)
        return tmp_path / where

    return series


@pytest.fixture
def write_file() -> Callable[..., None]:
    return write_one
