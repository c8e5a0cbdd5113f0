"""The bounded header scanner, held against pydicom: equal, or silent."""

import io
import struct
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from cop_imaging.ingest.headers import WANTED, read_header
from cop_imaging.ingest.parsing import DAMAGE, quiet_parser
from cop_imaging.ingest.scan import scan

PIXEL_DATA = 0x7FE00010


def nested(depth: int, *, undefined: bool) -> Sequence:
    item = Dataset()
    item.CodeValue, item.Rows = "T-D3000", 7
    if depth:
        item.ReferencedImageSequence = nested(depth - 1, undefined=undefined)
        item["ReferencedImageSequence"].is_undefined_length = undefined
    item.is_undefined_length_sequence_item = undefined
    return Sequence([item, Dataset()])


def ct(*, depth: int = 0, undefined: bool = False, kernel: str = "B30f", pixels: bytes | None = b"\0" * 32) -> Dataset:
    d = Dataset()
    d.SOPClassUID, d.SOPInstanceUID, d.SeriesInstanceUID = CTImageStorage, "1.2.3", "1.2.4"
    d.Modality, d.ImageType = "CT", ["ORIGINAL", "PRIMARY", "AXIAL"]
    d.ProcedureCodeSequence = nested(depth, undefined=undefined)
    d["ProcedureCodeSequence"].is_undefined_length = undefined
    d.PatientName, d.KVP, d.ConvolutionKernel = "Doe^Jane", "120", kernel
    d.add_new(0x00091010, "UN", b"private!")
    d.ImagePositionPatient, d.ImageOrientationPatient = ["-1.5", "2", "3"], ["1", "0", "0", "0", "1", "0"]
    d.InstanceNumber, d.PixelSpacing, d.Rows, d.Columns = "7", ["0.7", "0.7"], 4, 4
    d.BitsAllocated, d.BitsStored, d.HighBit, d.PixelRepresentation = 16, 12, 11, 0
    d.SamplesPerPixel, d.PhotometricInterpretation = 1, "MONOCHROME2"
    if pixels is not None:
        d.add_new(PIXEL_DATA, "OW", pixels)
    return d


def written(dataset: Dataset, syntax: str = ExplicitVRLittleEndian) -> bytes:
    meta = FileMetaDataset()
    meta.TransferSyntaxUID, meta.MediaStorageSOPClassUID = syntax, CTImageStorage
    meta.MediaStorageSOPInstanceUID = "1.2.3"
    out = io.BytesIO()
    file = FileDataset(out, dataset, preamble=b"\0" * 128, file_meta=meta)
    file.set_original_encoding(syntax == ImplicitVRLittleEndian, syntax != ExplicitVRBigEndian)
    file.save_as(out, enforce_file_format=True)
    return out.getvalue()


def judged(data: bytes) -> dict[int, bytes]:
    dataset = dcmread(io.BytesIO(data), stop_before_pixels=True, force=True, specific_tags=sorted(WANTED))
    items = {tag: dataset.get_item(tag) for tag in WANTED if tag in dataset}
    return {tag: (item.value or b"") for tag, item in items.items() if isinstance(item, RawDataElement)}


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
@pytest.mark.parametrize("undefined", [False, True])
@pytest.mark.parametrize("depth", [0, 1, 3])
def test_sequences_before_the_needed_tags_are_stepped_over(syntax, undefined, depth):
    data = written(ct(depth=depth, undefined=undefined), syntax)
    found = scan(data, WANTED, whole=True)
    assert found is not None
    assert found.elements == judged(data)
    assert found.syntax == syntax
    assert data[found.pixel_at : found.pixel_at + found.pixel_bytes] == b"\0" * 32


def test_a_header_that_is_longer_than_what_was_read_is_left_to_the_judge():
    data = written(ct())
    assert scan(data[:300], WANTED, whole=False) is None
    assert scan(data[: len(data) - 10], WANTED, whole=False) is not None


def test_a_file_without_pixels_is_read_to_its_end():
    found = scan(written(ct(pixels=None)), WANTED, whole=True)
    assert found is not None
    assert (found.pixel_at, found.pixel_bytes) == (None, None)
    assert scan(written(ct(pixels=None)), WANTED, whole=False) is None


@pytest.mark.parametrize("syntax", [ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian])
def test_rare_encodings_are_left_to_the_judge(syntax):
    dataset = ct()
    assert scan(written(dataset, syntax), WANTED, whole=True) is None


def test_tags_out_of_order_are_left_to_the_judge():
    data = written(ct())
    at = data.index(struct.pack("<HH2s", 0x0018, 0x0060, b"DS"))
    broken = data[:at] + struct.pack("<HH", 0x0008, 0x0001) + data[at + 4 :]
    assert scan(broken, WANTED, whole=True) is None


def test_an_explicit_file_that_claims_to_be_implicit_is_left_to_the_judge():
    data = written(ct())
    lie = data.replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2\0\0\0")
    assert lie != data
    assert scan(lie, WANTED, whole=True) is None


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_a_damaged_header_is_read_as_the_judge_reads_it_or_not_at_all(data):
    syntax = data.draw(st.sampled_from([ExplicitVRLittleEndian, ImplicitVRLittleEndian]))
    undefined = data.draw(st.booleans())
    whole = bytearray(written(ct(depth=1, undefined=undefined), syntax))
    for _ in range(data.draw(st.integers(1, 3))):
        whole[data.draw(st.integers(128, len(whole) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(whole[: data.draw(st.integers(132, len(whole)))])
    found = scan(cut, WANTED, whole=True)
    if found is None:
        return
    with quiet_parser():
        try:
            expected = judged(cut)
        except DAMAGE:
            return
    assert found.elements == expected


def test_a_deflated_bomb_is_no_slice(tmp_path):
    path = tmp_path / "bomb.dcm"
    path.write_bytes(written(ct(pixels=bytes(300 << 20)), DeflatedExplicitVRLittleEndian))
    assert path.stat().st_size < 1 << 20
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="swells"):
            read_header(path)
        assert tracemalloc.get_traced_memory()[1] < 20 << 20
    finally:
        tracemalloc.stop()
