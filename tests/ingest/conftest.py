"""Small CT series on disk. The body is a function of the patient point, so that no test trusts an array order."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from cop_imaging.core.volume import CTVolume
from cop_imaging.errors import SeriesError
from cop_imaging.ingest import IngestConfig
from cop_imaging.ingest.read import read_volume


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


SECRETS = ("Doe", "SECRET-7", "General Hospital", "19610203", "20200405", "etc/x")
LONGEST_TOLD = 8000
"""Characters that all remarks and the acquisition may have: a header's text is never passed on at any length."""


def voxels_off(volume: CTVolume, shift: int, *, away_from_edges: bool) -> float:
    """Share of scanned voxels that do not hold the density at their place, in a body denser by ``shift`` HU.

    Away from edges: only voxels are judged whose neighbours in the plane are of their own tissue, 5 mm around; there
    two steps of 1 HU can lie between pixels.
    """
    points = np.round(volume.geometry.to_patient(np.stack(np.indices(volume.geometry.shape), axis=-1)), 6)
    truth = body_hu(points)
    judged = np.ones(volume.hu.shape, bool) if volume.valid is None else volume.valid.copy()
    if away_from_edges:
        around = [body_hu(points + 5.0 * np.array(step)) for step in ((1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0))]
        judged &= (np.abs(np.array(around) - truth) < 100).all(axis=0)
    assert judged.mean() > 0.5
    return float((np.abs(volume.hu - truth - shift) > (2 if away_from_edges else 1))[judged].mean())


@pytest.fixture
def read_right_or_refused(write: Callable[..., Path], tmp_path: Path) -> Callable[..., None]:
    """Do something to a series and demand what must come of it.

    ``make`` of ``write`` and a folder of its own gives the source. With ``refused`` it must be refused with that code;
    else it must be read with ``slices`` slices and ``issues`` among the codes of its remarks, and every scanned voxel
    must hold the density at its patient point (``between_pixels``: only away from edges, where it was interpolated).
    ``other_hu`` tells how much denser a second scan in the source is: one of the two is read throughout, never both.
    """

    def demand(
        make: Callable[[Callable[..., Path], Path], Path],
        *,
        refused: str = "",
        issues: Collection[str] = (),
        slices: int = 40,
        config: IngestConfig | None = None,
        between_pixels: bool = False,
        other_hu: int = 0,
    ) -> None:
        (tmp_path / "own").mkdir()
        source = make(write, tmp_path / "own")
        config = config or IngestConfig()
        if refused:
            with pytest.raises(SeriesError) as caught:
                read_volume(source, config)
            assert caught.value.code == refused
            assert "\n" not in str(caught.value)
            told = str(caught.value)
        else:
            volume = read_volume(source, config)
            assert set(issues) <= {issue.code for issue in volume.issues}
            assert volume.hu.shape[0] == slices
            assert np.diag(np.array(volume.geometry.direction)[::-1]).min() > 0.7
            assert min(voxels_off(volume, s, away_from_edges=between_pixels) for s in {0, other_hu}) == 0.0
            told = f"{volume.issues!r} {volume.acquisition!r} {volume.case}"
        assert not [secret for secret in SECRETS if secret in told]
        assert "\x1b" not in told
        assert len(told) < LONGEST_TOLD

    return demand
