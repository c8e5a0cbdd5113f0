"""Faults put into a real series: read voxel for voxel as it was, or refused with the reason."""

import os
import re
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.uid import ExplicitVRLittleEndian, generate_uid
from scipy import ndimage

from cop_imaging.errors import SeriesError
from cop_imaging.ingest import IngestConfig
from cop_imaging.ingest.geometry_config import GeometryConfig
from cop_imaging.ingest.read import read_series, read_volume

FOLDER = os.environ.get("COP_IMAGING_REAL_CT", "")
pytestmark = pytest.mark.skipif(not FOLDER, reason="COP_IMAGING_REAL_CT names no folder of real CT series")
SOURCE = Path(FOLDER) / "near_normal_3mm"
MIDDLE = "IM0050.dcm"


SECRETS = {
    "PatientName": "Doe^Jane",
    "PatientID": "SECRET-7",
    "PatientBirthDate": "19410203",
    "InstitutionName": "General Hospital",
    "ReferringPhysicianName": "Smith^Ann",
    "AccessionNumber": "ACC-4711",
    "OperatorsName": "Miller^Max",
    "StudyDate": "20150317",
    "SeriesDate": "20150318",
    "AcquisitionDate": "20150319",
    "ContentDate": "20150320",
    "StudyDescription": "CT of Jane",
    "StudyID": "S-4712",
}
TOLD = re.compile("Doe|DOE|Jane|JANE|SECRET|Hospital|Smith|Miller|471[12]|1941|2015|14519|8043")
"""Any of them, or of a UID, in what is told."""


@pytest.fixture(scope="module")
def truth():
    return read_volume(SOURCE)


@pytest.fixture(scope="module")
def named(tmp_path_factory):
    """The series with a name, identifiers and dates in all headers."""
    folder = tmp_path_factory.mktemp("named") / "ct"
    shutil.copytree(SOURCE, folder)
    edit(folder, lambda d: [setattr(d, name, value) for name, value in SECRETS.items()])
    return folder


@pytest.fixture
def copied(named, tmp_path):
    shutil.copytree(named, tmp_path / "ct")
    return tmp_path / "ct"


def told(volume):
    return f"{volume.issues!r} {volume.acquisition!r} {volume.case}"


def edit(folder, change, names=None):
    for path in sorted(folder.iterdir()):
        if names is None or path.name in names:
            d = dcmread(path)
            change(d)
            d.save_as(path)


def pixels(path, change):
    """Decoded, changed and stored without compression."""
    d = dcmread(path)
    values = change(d.pixel_array.astype(np.int32))
    d.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    d.PixelData = values.astype("<i2" if d.PixelRepresentation else "<u2").tobytes()
    d["PixelData"].VR, d["PixelData"].is_undefined_length = "OW", False
    d.save_as(path)


def shuffle(folder):
    for n, path in enumerate(sorted(folder.iterdir())):
        path.rename(folder / f"x{(n * 37) % 99:03d}")


def duplicate(folder):
    for n in (3, 50, 98):
        shutil.copy(folder / f"IM{n:04d}.dcm", folder / f"copy{n}.dcm")


def new_identity(folder):
    shutil.copy(folder / MIDDLE, folder / "again.dcm")
    edit(folder, lambda d: setattr(d, "SOPInstanceUID", generate_uid(entropy_srcs=["a"])), {"again.dcm"})


def scout(folder):
    shutil.copy(folder / MIDDLE, folder / "scout.dcm")
    edit(folder, lambda d: setattr(d, "ImageType", ["ORIGINAL", "PRIMARY", "LOCALIZER"]), {"scout.dcm"})


READ = {
    "shuffled": shuffle,
    "wrong instance numbers": lambda f: edit(f, lambda d: setattr(d, "InstanceNumber", "1")),
    "copies": duplicate,
    "a copy under a new identity": new_identity,
    "scout inside": scout,
    "text beside": lambda f: (f / "readme.txt").write_text("no DICOM"),
    "exposure changes": lambda f: edit(f, lambda d: setattr(d, "Exposure", str(10 + int(d.InstanceNumber)))),
    "feet first in the header only": lambda f: edit(f, lambda d: setattr(d, "PatientPosition", "FFS")),
    "tilt in the tag only": lambda f: edit(f, lambda d: setattr(d, "GantryDetectorTilt", "20")),
    "hostile kernel": lambda f: edit(f, lambda d: setattr(d, "ConvolutionKernel", "<b>\\..\\..")),
}
REFUSED = {
    "a slice missing": (lambda f: (f / MIDDLE).unlink(), "slices.missing"),
    "ten slices missing": (lambda f: [(f / f"IM{n:04d}.dcm").unlink() for n in range(40, 50)], "slices.missing"),
    "two images of one position": (
        lambda f: (shutil.copy(f / MIDDLE, f / "b.dcm"), pixels(f / "b.dcm", lambda v: v[::-1])),
        "slices.conflicting",
    ),
    "pixels cut off": (lambda f: (f / MIDDLE).write_bytes((f / MIDDLE).read_bytes()[:-9000]), "pixels.undecodable"),
    "no rescale": (lambda f: edit(f, lambda d: delattr(d, "RescaleIntercept"), {MIDDLE}), "hu.rescale_missing"),
    "intercept lost": (lambda f: edit(f, lambda d: setattr(d, "RescaleIntercept", "0")), "hu.offset"),
    "intercept twice": (lambda f: edit(f, lambda d: setattr(d, "RescaleIntercept", "-2048")), "hu.offset"),
    "8192 below": (lambda f: edit(f, lambda d: setattr(d, "RescaleIntercept", "-9216")), "hu.offset"),
    "huge matrix": (lambda f: edit(f, lambda d: setattr(d, "Rows", 65000)), "source.too_large"),
    "another modality": (lambda f: edit(f, lambda d: setattr(d, "Modality", "PT")), "series.not_ct"),
    "no position": (lambda f: edit(f, lambda d: delattr(d, "ImagePositionPatient")), "geometry.missing"),
    "only a quarter": (
        lambda f: [path.unlink() for path in sorted(f.iterdir())[15:]],
        "slices.too_few",
    ),
}


@pytest.mark.parametrize("name", READ)
def test_a_fault_that_can_be_read_changes_no_voxel(name, copied, truth):
    READ[name](copied)
    volume = read_volume(copied)
    assert volume.digest == truth.digest
    assert volume.geometry == truth.geometry
    assert not TOLD.search(told(volume))


@pytest.mark.parametrize("name", REFUSED)
def test_a_fault_that_cannot_be_read_is_refused_with_its_reason(name, copied):
    make, code = REFUSED[name]
    make(copied)
    with pytest.raises(SeriesError) as caught:
        read_volume(copied)
    assert caught.value.code == code
    assert not TOLD.search(str(caught.value))


def test_of_two_kernels_in_one_series_one_is_read_throughout(copied, tmp_path, truth):
    soft = tmp_path / "soft"
    shutil.copytree(copied, soft)
    for path in soft.iterdir():
        pixels(path, lambda v: ndimage.uniform_filter(v, 3))
    edit(soft, lambda d: setattr(d, "SOPInstanceUID", generate_uid(entropy_srcs=[d.SOPInstanceUID])))
    edit(soft, lambda d: setattr(d, "ConvolutionKernel", "B30f"))
    digests = {"B70f": truth.digest, "B30f": read_volume(soft).digest}
    assert len(set(digests.values())) == 2
    for path in soft.iterdir():
        path.rename(copied / f"soft{path.name}")
    volume = read_volume(copied)
    assert volume.digest == digests[volume.acquisition.kernel]
    assert "series.mixed" in [i.code for i in volume.issues]
    assert not TOLD.search(told(volume))


def test_a_missing_slice_is_bridged_only_if_asked_for(copied, truth):
    (copied / MIDDLE).unlink()
    config = IngestConfig(geometry=GeometryConfig(bridge_slices=1, bridge_step_mm=3.0))
    volume = read_volume(copied, config)
    assert "slices.missing" in [i.code for i in volume.issues]
    assert not TOLD.search(told(volume))
    changed = np.flatnonzero((volume.hu != truth.hu).any(axis=(1, 2)))
    assert len(changed) == 1
    between = (truth.hu[changed[0] - 1].astype(int) + truth.hu[changed[0] + 1]) / 2
    assert np.abs(volume.hu[changed[0]] - between).max() <= 1


def test_an_archive_of_the_series_is_the_series(copied, tmp_path, truth):
    with zipfile.ZipFile(tmp_path / "ct.zip", "w") as archive:
        for path in copied.iterdir():
            archive.write(path, f"DOE^JANE/{path.name}")
    volume = read_volume(tmp_path / "ct.zip")
    assert volume.digest == truth.digest
    assert not TOLD.search(told(volume))


@pytest.mark.parametrize("axis", [0, 1])
def test_a_series_whose_positions_are_mirrored_is_never_measured_as_if_it_were_right(axis, copied):
    def mirror(d):
        if axis == 0:
            x, y, z = d.ImagePositionPatient
            d.ImagePositionPatient = [x, y, -float(z)]
        else:
            a, b, c, *column = map(float, d.ImageOrientationPatient)
            x, y, z = map(float, d.ImagePositionPatient)
            d.ImageOrientationPatient = [-a, -b, -c, *column]
            d.ImagePositionPatient = [-x, y, z]

    edit(copied, mirror)
    volume = read_series(copied)
    assert "geometry.mirrored" in [i.code for i in volume.issues]
    assert not TOLD.search(told(volume))
