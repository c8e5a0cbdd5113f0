"""Named faults of headers, values and files: read with the right densities, or refused with the right reason.

The body is a function of the patient point: whatever was done to the files, a voxel that is scanned must hold the
density that lies at its place.
"""

import shutil
import tarfile
import zipfile

import numpy as np
import pytest
import SimpleITK as sitk
from pydicom import dcmread
from pydicom.config import disable_value_validation
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import EnhancedCTImageStorage, ExplicitVRLittleEndian, generate_uid


def fault(make, **demanded):
    """What is done to a series, and what must come of it: see ``read_right_or_refused``."""
    return {"make": make, **demanded}


def edited(**elements):
    return lambda write, tmp: write(edit=lambda h, n: [setattr(h, k, v) for k, v in elements.items()])


def without(*names):
    return lambda write, tmp: write(edit=lambda h, n: [delattr(h, name) for name in names])


def against_the_standard(**elements):
    def make(write, tmp):
        with disable_value_validation():
            return edited(**elements)(write, tmp)

    return make


def beside(other):
    """A whole series, with other files beside it."""

    def make(write, tmp):
        folder = write()
        other(write, folder)
        return folder

    return make


def in_syntax(uid):
    """Files that name a transfer syntax of 19 characters."""

    def make(write, tmp):
        folder = write()
        for path in folder.iterdir():
            path.write_bytes(path.read_bytes().replace(ExplicitVRLittleEndian.encode(), uid, 1))
        return folder

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


def one_frame_more(write, tmp):
    path = multi_frame(range(40))(write, tmp)
    for file in [path] if path.is_file() else list(path.iterdir()):
        d = dcmread(file)
        d.PixelData = d.PixelData[: d.Rows * d.Columns * 2] + d.PixelData
        d.save_as(file)
    return path


def exported(ending):
    def make(write, tmp):
        names = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(write()))
        sitk.WriteImage(sitk.Cast(sitk.ReadImage(names), sitk.sitkInt16), str(tmp / f"image{ending}"))
        return tmp / f"image{ending}"

    return make


def canvas_of(hu, value):
    y, x = np.indices(hu.shape)
    return np.where((x - 14.5) ** 2 + (y - 15.5) ** 2 > 15.2**2, value, hu)


def canvas(value):
    return lambda write, tmp: write(repixel=lambda hu, n: canvas_of(hu, value))


def overlaid(write, tmp):
    folder = edited(BitsStored=12, HighBit=11, PixelRepresentation=0)(write, tmp)
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


def mixed_in(**elements):
    """One more file with other elements."""

    def edit(h, n):
        for name, value in elements.items():
            setattr(h, name, value)

    return beside(lambda write, folder: write(folder.name, name="more{:04d}".format, count=1, edit=edit))


def strip_pixels(folder):
    for path in folder.iterdir():
        d = dcmread(path)
        del d.PixelData
        d.save_as(path)
    return folder


SCOUT = {"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}
FAULTS = {
    "none": fault(lambda write, tmp: write()),
    "shuffled file names": fault(lambda write, tmp: write(name=lambda n: f"{(n * 17) % 40:03d}")),
    "nested folders": fault(lambda write, tmp: write(name=lambda n: f"a{n % 3}/b{n % 2}/IM{n}")),
    "wrong instance numbers": fault(lambda write, tmp: write(number=lambda n: (n * 7) % 13)),
    "one instance number for all": fault(lambda write, tmp: write(number=lambda n: 1)),
    "no instance numbers": fault(without("InstanceNumber")),
    "other files beside": fault(beside(lambda write, folder: (folder / "notes.txt").write_text("no DICOM"))),
    "empty file": fault(raw_file(b"")),
    "garbage that begins like DICOM": fault(
        raw_file(b"\0" * 128 + b"DICM" + bytes(range(256)) * 4), issues={"slices.unreadable"}
    ),
    "scout inside": fault(mixed_in(**SCOUT), issues={"series.localizer_dropped"}),
    "dose report inside": fault(
        mixed_in(SOPClassUID="1.2.840.10008.5.1.4.1.1.88.67"), issues={"series.localizer_dropped"}
    ),
    "screen capture inside": fault(
        mixed_in(SOPClassUID="1.2.840.10008.5.1.4.1.1.7"), issues={"series.localizer_dropped"}
    ),
    "MR slice inside": fault(mixed_in(Modality="MR"), issues={"series.localizer_dropped"}),
    "no rescale": fault(without("RescaleSlope", "RescaleIntercept"), refused="hu.rescale_missing"),
    "pixels halved and a slope of 2": fault(edited(RescaleSlope="2")),
    "rescale from slice to slice": fault(
        lambda write, tmp: write(edit=lambda h, n: setattr(h, "RescaleIntercept", str(-1024 + n)))
    ),
    "intercept lost": fault(lambda write, tmp: write(repixel=lambda hu, n: hu + 1024), refused="hu.offset"),
    "intercept applied twice": fault(lambda write, tmp: write(repixel=lambda hu, n: hu - 1024), refused="hu.offset"),
    "8192 below": fault(lambda write, tmp: write(repixel=lambda hu, n: hu - 8192), refused="hu.offset"),
    "slope lost": fault(lambda write, tmp: write(repixel=lambda hu, n: hu / 4), refused="hu.offset"),
    "sign lost": fault(lambda write, tmp: write(repixel=lambda hu, n: np.abs(hu)), refused="hu.offset"),
    "padding below any tissue": fault(canvas(-3024), issues={"pixels.padding"}),
    "canvas of water undeclared": fault(canvas(0), issues={"pixels.padding"}),
    "padding tag of the wrong sign": fault(
        lambda write, tmp: write(
            edit=lambda h, n: [setattr(h, "RescaleIntercept", "1024"), h.add_new(0x00280120, "US", 63536)],
            repixel=lambda hu, n: canvas_of(hu, -976),
        ),
        issues={"pixels.padding"},
    ),
    "bits above Bits Stored": fault(overlaid),
    "eight bits": fault(edited(BitsStored=8, HighBit=7), refused="series.secondary_capture"),
    "another unit": fault(edited(RescaleType="MGML"), refused="hu.rescale_missing"),
    "header cut off": fault(cut(200), refused="slices.missing"),
    "pixels cut off": fault(cut(-500), refused="pixels.undecodable"),
    "pixels left out": fault(lambda write, tmp: strip_pixels(write()), refused="pixels.missing"),
    "transfer syntax that does not exist": fault(in_syntax(b"1.2.840.10008.1.2.9"), refused="pixels.undecodable"),
    "transfer syntax of some vendor": fault(in_syntax(b"1.3.6.1.4.1.99999.1"), refused="pixels.undecodable"),
    "wrong modality": fault(edited(Modality="PT"), refused="series.not_ct"),
    "only scouts": fault(edited(**SCOUT), refused="series.only_localizers"),
    "huge matrix": fault(edited(Rows=65535, Columns=65535), refused="source.too_large"),
    "huge number of frames": fault(edited(NumberOfFrames="2000000000"), refused="pixels.undecodable"),
    "no position": fault(without("ImagePositionPatient"), refused="geometry.missing"),
    "no orientation": fault(without("ImageOrientationPatient"), refused="geometry.missing"),
    "no pixel spacing": fault(without("PixelSpacing"), refused="geometry.missing"),
    "no thickness": fault(without("SliceThickness"), issues={"header.missing"}),
    "hostile strings": fault(
        edited(ConvolutionKernel="<script>\x1b[31m", Manufacturer="../../etc", ManufacturerModelName="x" * 60)
    ),
    "10 kB of manufacturer": fault(against_the_standard(Manufacturer="M" * 10000, ManufacturerModelName="\\" * 10000)),
    "10 kB of kernel": fault(against_the_standard(ConvolutionKernel="K" * 10000)),
    "series that wants to lie elsewhere": fault(against_the_standard(SeriesInstanceUID="../../etc/x")),
    "study that wants to lie elsewhere": fault(against_the_standard(StudyInstanceUID="../../etc/x")),
    "text burned in": fault(edited(BurnedInAnnotation="YES"), issues={"header.burned_in"}),
    "compressed with loss before": fault(edited(LossyImageCompression="01"), issues={"pixels.lossy"}),
    "multi-frame": fault(multi_frame(range(40))),
    "multi-frame with a frame too many": fault(one_frame_more, refused="source.damaged"),
    "multi-frame in disorder": fault(multi_frame([(n * 11) % 40 for n in range(40)])),
    "ZIP that wants to write elsewhere": fault(packed("zip")),
    "TAR with absolute paths": fault(packed("tar")),
    "NIfTI": fault(exported(".nii.gz")),
    "NRRD": fault(exported(".nrrd")),
    "MetaImage": fault(exported(".mha")),
    "no DICOM at all": fault(alone(b"hello"), refused="source.no_dicom"),
    "only garbage": fault(alone(b"\0" * 128 + b"DICM" + b"\xff" * 99), refused="source.damaged"),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_read_right_or_refused_with_its_reason(name, read_right_or_refused):
    read_right_or_refused(**FAULTS[name])
