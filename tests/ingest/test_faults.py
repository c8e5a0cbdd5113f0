"""Named faults of archives: each is read with the right geometry and densities, or refused with the right reason.

The body is a function of the patient point: whatever was done to the files, a voxel that is scanned must hold the
density that lies at its place.
"""

import dataclasses
import shutil
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from pydicom import dcmread
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import EnhancedCTImageStorage, ExplicitVRLittleEndian, generate_uid

from cop_imaging.errors import SeriesError
from cop_imaging.ingest import IngestConfig
from cop_imaging.ingest.geometry_config import GeometryConfig
from cop_imaging.ingest.read import read_volume

SECRETS = ("Doe", "SECRET-7", "General Hospital", "19610203", "20200405")
BRIDGING = IngestConfig(geometry=GeometryConfig(bridge_slices=1, bridge_step_mm=3.0))


@dataclasses.dataclass(frozen=True)
class Fault:
    """What is done to a series, and what must come of it."""

    make: Callable[..., Path]
    """Of ``write`` and a folder of its own."""
    refused: str = ""
    """Code of the refusal; empty when it is read."""
    issues: frozenset[str] = frozenset()
    """Codes that must be among the remarks."""
    slices: int | None = 40
    config: IngestConfig = IngestConfig()  # noqa: RUF009
    interpolated: float = 0.0
    """Share of voxels that may differ, where something was interpolated across an edge."""
    other_hu: int = 0
    """How much denser the other scan in the series is: either one must be read throughout, never both."""


def edited(**elements):
    return lambda write, tmp: write(edit=lambda h, n: [setattr(h, k, v) for k, v in elements.items()])


def without(*names):
    return lambda write, tmp: write(edit=lambda h, n: [delattr(h, name) for name in names])


def only(keep):
    return lambda write, tmp: write(edit=lambda h, n: keep(n))


def beside(other):
    """A whole series, with other files beside it."""

    def make(write, tmp):
        folder = write()
        other(write, folder)
        return folder

    return make


def second(uid="1", name="more{:04d}".format, **options):
    return lambda write, folder: write(folder.name, uid=uid, name=name, **options)


def shifted(steps):
    """Positions off their places by ``steps(n)`` mm along z."""

    def edit(h, n):
        x, y, z = map(float, h.ImagePositionPatient)
        h.ImagePositionPatient = [x, y, z + steps(n)]

    return edit


def tilted(degrees):
    a = np.radians(degrees)
    return lambda write, tmp: write(column=(0, np.cos(a), np.sin(a)), stack=(0, 0, 1 / np.cos(a)))


def key(**values):
    return lambda h, n: [setattr(h, k, v) for k, v in values.items()]


def two_scans(first, other, **options):
    """Two scans of one place in one series: the second is another body."""

    def make(write, tmp):
        folder = write(edit=first)
        return write(folder.name, edit=other, name="b{:04d}".format, repixel=lambda hu, n: hu + 7, **options)

    return make


def cut(bytes_kept):
    def make(write, tmp):
        folder = write()
        path = folder / "IM0020.dcm"
        data = path.read_bytes()
        path.write_bytes(data[: bytes_kept if bytes_kept >= 0 else len(data) + bytes_kept])
        return folder

    return make


def packed(kind):
    def make(write, tmp):
        folder = write()
        out = tmp / f"series.{kind}"
        if kind == "zip":
            with zipfile.ZipFile(out, "w") as archive:
                for path in folder.iterdir():
                    archive.write(path, f"../../../{path.name}")
        else:
            with tarfile.open(out, "w:gz") as archive:
                archive.add(folder, "/absolute/folder")
        shutil.rmtree(folder)
        return out

    return make


def multi_frame(order):
    """The same slices as one Enhanced CT file, its frames in another order."""

    def make(write, tmp):
        slices = [dcmread(path) for path in sorted(write().iterdir())]
        first, frames = slices[0], [slices[n] for n in order]
        d = Dataset()
        d.SOPClassUID, d.SOPInstanceUID = EnhancedCTImageStorage, generate_uid(entropy_srcs=["enhanced"])
        for name in ("SeriesInstanceUID", "Modality", "Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit"):
            setattr(d, name, first[name].value)
        d.ImageType, d.PixelRepresentation = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"], first.PixelRepresentation
        d.SamplesPerPixel, d.PhotometricInterpretation, d.NumberOfFrames = 1, "MONOCHROME2", len(frames)

        def group(**elements):
            item = Dataset()
            for name, value in elements.items():
                setattr(item, name, value)
            return Sequence([item])

        shared = Dataset()
        shared.PixelMeasuresSequence = group(PixelSpacing=first.PixelSpacing, SliceThickness=first.SliceThickness)
        shared.PlaneOrientationSequence = group(ImageOrientationPatient=first.ImageOrientationPatient)
        shared.PixelValueTransformationSequence = group(RescaleSlope="1", RescaleIntercept="-1024", RescaleType="HU")
        d.SharedFunctionalGroupsSequence = Sequence([shared])
        per_frame = []
        for one in frames:
            item = Dataset()
            item.PlanePositionSequence = group(ImagePositionPatient=one.ImagePositionPatient)
            per_frame.append(item)
        d.PerFrameFunctionalGroupsSequence = Sequence(per_frame)
        d.PixelData = b"".join(one.PixelData for one in frames)
        meta = FileMetaDataset()
        meta.TransferSyntaxUID, meta.MediaStorageSOPClassUID = ExplicitVRLittleEndian, EnhancedCTImageStorage
        meta.MediaStorageSOPInstanceUID = d.SOPInstanceUID
        path = tmp / "enhanced.dcm"
        FileDataset(path, d, preamble=b"\0" * 128, file_meta=meta).save_as(path, enforce_file_format=True)
        return path

    return make


def exported(ending):
    def make(write, tmp):
        names = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(write()))
        sitk.WriteImage(sitk.Cast(sitk.ReadImage(names), sitk.sitkInt16), str(tmp / f"image{ending}"))
        return tmp / f"image{ending}"

    return make


def canvas(value):
    def repixel(hu, n):
        y, x = np.indices(hu.shape)
        return np.where((x - 14.5) ** 2 + (y - 15.5) ** 2 > 15.2**2, value, hu)

    return lambda write, tmp: write(repixel=repixel)


def overlaid(write, tmp):
    folder = write(edit=key(BitsStored=12, HighBit=11, PixelRepresentation=0))
    for path in folder.iterdir():
        d = dcmread(path)
        d.PixelData = (np.frombuffer(d.PixelData, "<u2") | 0xA000).tobytes()
        d.save_as(path)
    return folder


def raw_file(content):
    return beside(lambda write, folder: (folder / "IM0999.dcm").write_bytes(content))


def alone(content):
    def make(write, tmp):
        (tmp / "alone").mkdir()
        (tmp / "alone" / "IM0001.dcm").write_bytes(content)
        return tmp / "alone"

    return make


def rotated(row, column):
    return lambda write, tmp: write(row=row, column=column)


def oblique(write, tmp):
    a = np.radians(15.0)
    return write(row=(np.cos(a), 0.0, -np.sin(a)), column=(0, 1, 0))


def mixed_in(uid="1", **elements):
    """One more file with other elements."""
    return beside(second(uid=uid, count=1, edit=lambda h, n: [setattr(h, k, v) for k, v in elements.items()]))


SCOUT = {"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}
FAULTS = {
    "none": Fault(lambda write, tmp: write()),
    "shuffled file names": Fault(lambda write, tmp: write(name=lambda n: f"{(n * 17) % 40:03d}")),
    "nested folders": Fault(lambda write, tmp: write(name=lambda n: f"a{n % 3}/b{n % 2}/IM{n}")),
    "wrong instance numbers": Fault(lambda write, tmp: write(number=lambda n: (n * 7) % 13)),
    "one instance number for all": Fault(lambda write, tmp: write(number=lambda n: 1)),
    "no instance numbers": Fault(without("InstanceNumber")),
    "other files beside": Fault(beside(lambda write, folder: (folder / "notes.txt").write_text("no DICOM"))),
    "empty file": Fault(raw_file(b"")),
    "garbage that begins like DICOM": Fault(
        raw_file(b"\0" * 128 + b"DICM" + bytes(range(256)) * 4), issues=frozenset({"slices.unreadable"})
    ),
    "scout inside": Fault(mixed_in(**SCOUT), issues=frozenset({"series.localizer_dropped"})),
    "dose report inside": Fault(
        mixed_in(SOPClassUID="1.2.840.10008.5.1.4.1.1.88.67"), issues=frozenset({"series.localizer_dropped"})
    ),
    "screen capture inside": Fault(
        mixed_in(SOPClassUID="1.2.840.10008.5.1.4.1.1.7"), issues=frozenset({"series.localizer_dropped"})
    ),
    "MR slice inside": Fault(mixed_in(Modality="MR"), issues=frozenset({"series.localizer_dropped"})),
    "one slice missing": Fault(only(lambda n: n != 20), refused="slices.missing"),
    "one slice missing, bridged": Fault(
        only(lambda n: n != 20), config=BRIDGING, issues=frozenset({"slices.missing"}), interpolated=0.02
    ),
    "three slices missing": Fault(only(lambda n: n not in {5, 6, 30}), refused="slices.missing", config=BRIDGING),
    "both ends missing": Fault(only(lambda n: 3 <= n < 35), slices=32),
    "copies of slices": Fault(beside(second(count=40)), issues=frozenset({"slices.duplicate"})),
    "copies under new identities": Fault(
        beside(second(edit=lambda h, n: setattr(h, "SOPInstanceUID", generate_uid(entropy_srcs=["new", str(n)])))),
        issues=frozenset({"slices.duplicate"}),
    ),
    "two images of one position": Fault(
        beside(second(repixel=lambda hu, n: hu + (20 if n == 17 else 0))), refused="slices.conflicting"
    ),
    "positions rounded": Fault(lambda write, tmp: write(edit=shifted(lambda n: 0.02 * (-1) ** n))),
    "positions jittered": Fault(
        lambda write, tmp: write(edit=shifted(lambda n: 0.8 * (-1) ** n)), refused="slices.uneven_spacing"
    ),
    "one slice beside the others": Fault(
        lambda write, tmp: write(edit=lambda h, n: n != 9 or setattr(h, "ImagePositionPatient", [0, 0, -31.5])),
        refused="geometry.inconsistent",
    ),
    "gantry tilted by 12 degrees": Fault(tilted(12.0), issues=frozenset({"geometry.tilt"}), interpolated=0.2),
    "gantry tilted the other way": Fault(tilted(-12.0), issues=frozenset({"geometry.tilt"}), interpolated=0.2),
    "gantry tilted by 40 degrees": Fault(tilted(40.0), refused="geometry.not_axial"),
    "feet first": Fault(
        lambda write, tmp: write(number=lambda n: 40 - n, edit=lambda h, n: setattr(h, "PatientPosition", "FFS"))
    ),
    "prone": Fault(rotated((-1, 0, 0), (0, -1, 0))),
    "decubitus": Fault(rotated((0, 1, 0), (-1, 0, 0))),
    "rows and columns exchanged": Fault(rotated((0, 1, 0), (1, 0, 0))),
    "mirrored storage": Fault(rotated((-1, 0, 0), (0, 1, 0))),
    "upside-down storage": Fault(rotated((1, 0, 0), (0, -1, 0))),
    "oblique by 15 degrees": Fault(oblique),
    "coronal reformat": Fault(rotated((1, 0, 0), (0, 0, -1)), refused="geometry.not_axial"),
    "coronal series inside": Fault(
        beside(second(uid="2", row=(1, 0, 0), column=(0, 0, -1))), issues=frozenset({"series.mixed"})
    ),
    "a few coronal slices in the series": Fault(
        beside(second(count=3, row=(1, 0, 0), column=(0, 0, -1))), issues=frozenset({"slices.stray_dropped"})
    ),
    "two phases by temporal position": Fault(
        two_scans(key(TemporalPositionIdentifier="1"), key(TemporalPositionIdentifier="2")),
        issues=frozenset({"series.multiple_phases"}), other_hu=7,
    ),
    "two phases by acquisition number": Fault(
        two_scans(key(AcquisitionNumber="1"), key(AcquisitionNumber="2")),
        issues=frozenset({"series.multiple_phases"}), other_hu=7,
    ),
    "interleaved phases": Fault(
        two_scans(
            key(AcquisitionNumber="1"),
            lambda h, n: [setattr(h, "AcquisitionNumber", "2"), shifted(lambda n: 0.7)(h, n)],
        ),
        issues=frozenset({"series.multiple_phases"}), other_hu=7,
    ),
    "two kernels in one series": Fault(
        two_scans(key(ConvolutionKernel="B70f"), key(ConvolutionKernel="B30f")),
        issues=frozenset({"series.mixed"}), other_hu=7,
    ),
    "two series, one thick": Fault(
        beside(second(uid="2", count=24, step_mm=5.0)), issues=frozenset({"series.mixed"})
    ),
    "exposure that changes from slice to slice": Fault(
        lambda write, tmp: write(edit=lambda h, n: setattr(h, "Exposure", str(50 + n)))
    ),
    "acquisition number that changes in one stack": Fault(
        lambda write, tmp: write(edit=lambda h, n: setattr(h, "AcquisitionNumber", str(1 + n // 10)))
    ),
    "no rescale": Fault(without("RescaleSlope", "RescaleIntercept"), refused="hu.rescale_missing"),
    "rescale from slice to slice": Fault(
        lambda write, tmp: write(edit=lambda h, n: setattr(h, "RescaleIntercept", str(-1024 + n)))
    ),
    "intercept lost": Fault(lambda write, tmp: write(repixel=lambda hu, n: hu + 1024), refused="hu.offset"),
    "intercept applied twice": Fault(lambda write, tmp: write(repixel=lambda hu, n: hu - 1024), refused="hu.offset"),
    "8192 below": Fault(lambda write, tmp: write(repixel=lambda hu, n: hu - 8192), refused="hu.offset"),
    "slope lost": Fault(lambda write, tmp: write(repixel=lambda hu, n: hu / 4), refused="hu.offset"),
    "sign lost": Fault(lambda write, tmp: write(repixel=lambda hu, n: np.abs(hu)), refused="hu.offset"),
    "padding below any tissue": Fault(canvas(-3024), issues=frozenset({"pixels.padding"})),
    "canvas of water undeclared": Fault(canvas(0), issues=frozenset({"pixels.padding"})),
    "padding tag of the wrong sign": Fault(
        lambda write, tmp: write(
            edit=lambda h, n: [setattr(h, "RescaleIntercept", "1024"), h.add_new(0x00280120, "US", 63536)],
            repixel=lambda hu, n: canvas_of(hu, -976),
        ),
        issues=frozenset({"pixels.padding"}),
    ),
    "bits above Bits Stored": Fault(overlaid),
    "eight bits": Fault(edited(BitsStored=8, HighBit=7), refused="series.secondary_capture"),
    "another unit": Fault(edited(RescaleType="MGML"), refused="hu.rescale_missing"),
    "header cut off": Fault(cut(200), refused="slices.missing"),
    "pixels cut off": Fault(cut(-500), refused="pixels.undecodable"),
    "pixels left out": Fault(
        lambda write, tmp: strip_pixels(write()), refused="pixels.missing"
    ),
    "wrong modality": Fault(edited(Modality="PT"), refused="series.not_ct"),
    "only scouts": Fault(edited(**SCOUT), refused="series.only_localizers"),
    "huge matrix": Fault(edited(Rows=65535, Columns=65535), refused="source.too_large"),
    "huge number of frames": Fault(edited(NumberOfFrames="2000000000"), refused="pixels.undecodable"),
    "no position": Fault(without("ImagePositionPatient"), refused="geometry.missing"),
    "no orientation": Fault(without("ImageOrientationPatient"), refused="geometry.missing"),
    "no pixel spacing": Fault(without("PixelSpacing"), refused="geometry.missing"),
    "no thickness": Fault(without("SliceThickness"), issues=frozenset({"header.missing"})),
    "hostile strings": Fault(
        edited(ConvolutionKernel="<script>\x1b[31m", Manufacturer="../../etc", ManufacturerModelName="x" * 60)
    ),
    "text burned in": Fault(edited(BurnedInAnnotation="YES"), issues=frozenset({"header.burned_in"})),
    "compressed with loss before": Fault(edited(LossyImageCompression="01"), issues=frozenset({"pixels.lossy"})),
    "one slice": Fault(only(lambda n: n == 0), refused="slices.single"),
    "five slices": Fault(only(lambda n: n < 5), refused="slices.too_few"),
    "1 mm every 10 mm": Fault(
        lambda write, tmp: write(step_mm=10.0, count=25, edit=lambda h, n: setattr(h, "SliceThickness", "1")),
        issues=frozenset({"slices.not_contiguous"}), slices=25,
    ),
    "thick slices": Fault(
        lambda write, tmp: write(step_mm=6.0, count=30), issues=frozenset({"slices.thick"}), slices=30
    ),
    "multi-frame": Fault(multi_frame(range(40))),
    "multi-frame in disorder": Fault(multi_frame([(n * 11) % 40 for n in range(40)])),
    "ZIP that wants to write elsewhere": Fault(packed("zip")),
    "TAR with absolute paths": Fault(packed("tar")),
    "NIfTI": Fault(exported(".nii.gz")),
    "NRRD": Fault(exported(".nrrd")),
    "MetaImage": Fault(exported(".mha")),
    "no DICOM at all": Fault(alone(b"hello"), refused="source.no_dicom"),
    "only garbage": Fault(alone(b"\0" * 128 + b"DICM" + b"\xff" * 99), refused="source.damaged"),
}  # fmt: skip


def canvas_of(hu, value):
    y, x = np.indices(hu.shape)
    return np.where((x - 14.5) ** 2 + (y - 15.5) ** 2 > 15.2**2, value, hu)


def strip_pixels(folder):
    for path in folder.iterdir():
        d = dcmread(path)
        del d.PixelData
        d.save_as(path)
    return folder


def off_by(volume, body, shift):
    """Share of scanned voxels that do not hold the density at their place, in a body denser by ``shift`` HU."""
    truth = body(np.round(volume.geometry.to_patient(np.stack(np.indices(volume.geometry.shape), axis=-1)), 6))
    scanned = np.ones(volume.hu.shape, bool) if volume.valid is None else volume.valid
    return float((np.abs(volume.hu - truth - shift) > 1)[scanned].mean())


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_read_right_or_refused_with_its_reason(name, write, tmp_path, body):
    fault = FAULTS[name]
    (tmp_path / "own").mkdir()
    source = fault.make(write, tmp_path / "own")
    if fault.refused:
        with pytest.raises(SeriesError) as caught:
            read_volume(source, fault.config)
        assert caught.value.code == fault.refused
        assert "\n" not in str(caught.value)
        told = str(caught.value)
    else:
        volume = read_volume(source, fault.config)
        assert fault.issues <= {issue.code for issue in volume.issues}
        assert volume.hu.shape[0] == fault.slices
        read = {shift: off_by(volume, body, shift) for shift in {0, fault.other_hu}}
        assert min(read.values()) <= fault.interpolated
        told = f"{volume.issues!r} {volume.acquisition!r} {volume.case}"
    assert not [secret for secret in SECRETS if secret in told]
    assert "\x1b" not in told


def test_there_are_many_faults():
    assert len(FAULTS) - 1 >= 80
