import contextlib
import io
from dataclasses import replace

import imagecodecs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import (
    CTImageStorage,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    JPEG2000Lossless,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from cop_imaging.errors import CopImagingError, SeriesError
from cop_imaging.ingest.headers import read_header
from cop_imaging.ingest.parsing import DAMAGE, quiet_parser
from cop_imaging.ingest.pixels import decode as decode_header
from cop_imaging.ingest.pixels import is_lossy
from cop_imaging.ingest.records import record_of

ENCODERS = {
    JPEGLossless: imagecodecs.ljpeg_encode,
    JPEGLosslessSV1: imagecodecs.ljpeg_encode,
    JPEGLSLossless: imagecodecs.jpegls_encode,
    JPEGLSNearLossless: imagecodecs.jpegls_encode,
    JPEG2000Lossless: lambda a: imagecodecs.jpeg2k_encode(a, level=0, reversible=True, codecformat="j2k"),
    HTJ2KLossless: lambda a: imagecodecs.htj2k_encode(a, reversible=True),
}
SYNTAXES = [*ENCODERS, RLELossless]


def decode(path):
    return decode_header(read_header(path, path.name))


@pytest.fixture
def one_slice(write):
    """Write one slice with the stored values; give its path and the values."""

    def make(values, syntax=None, bits=16, signed=True, raw=None, **elements):
        folder = write(count=1, edit=lambda h, n: h.update({"PixelRepresentation": int(signed)}))
        (path,) = folder.iterdir()
        ds = dcmread(path)
        ds.BitsStored, ds.HighBit, ds.PixelRepresentation = bits, bits - 1, int(signed)
        ds.Rows, ds.Columns = values.shape
        for name, value in elements.items():
            setattr(ds, name, value)
        words = (values & ((1 << bits) - 1)).astype("<u2")
        if syntax is None:
            ds.PixelData = words.tobytes() if raw is None else raw
        elif syntax == RLELossless:
            ds.PixelData = words.tobytes()
            ds.compress(RLELossless, generate_instance_uid=False)
        else:
            ds.PixelData = encapsulate([ENCODERS[syntax](words)])
            ds["PixelData"].VR = "OB"
            ds.file_meta.TransferSyntaxUID = syntax
        ds.save_as(path)
        return path

    return make


def values_of(bits, signed):
    generator = np.random.default_rng(7)
    low, high = (-(1 << bits - 1), 1 << bits - 1) if signed else (0, 1 << bits)
    values = generator.integers(low, high, (20, 24))
    values[:10] = np.linspace(low, high - 1, 240).reshape(10, 24)
    return values.astype(np.int32)


@pytest.mark.parametrize("syntax", [None, *SYNTAXES])
@pytest.mark.parametrize(("bits", "signed"), [(16, True), (16, False), (12, False), (13, True)])
def test_values_survive_every_encoding(one_slice, syntax, bits, signed):
    values = values_of(bits, signed)
    np.testing.assert_array_equal(decode(one_slice(values, syntax, bits, signed)).values, values)


def test_jpeg_of_12_bits_is_decoded_up_to_its_loss(one_slice):
    values = np.add.outer(np.arange(20), np.arange(24)).astype(np.int32) * 60
    path = one_slice(values, bits=12, signed=False)
    ds = dcmread(path)
    ds.PixelData = encapsulate([imagecodecs.jpeg8_encode(values.astype("<u2"), level=98, bitspersample=12)])
    ds["PixelData"].VR = "OB"
    ds.file_meta.TransferSyntaxUID = JPEGExtended12Bit
    ds.save_as(path)
    assert np.abs(decode(path).values.astype(int) - values).max() <= 8
    assert is_lossy(read_header(path))


@pytest.mark.parametrize("frame", [0, 2])
def test_a_frame_of_an_uncompressed_multi_frame_file_is_found(one_slice, frame):
    values = values_of(16, True)
    raw = np.stack([values + n for n in range(3)]).astype("<i2")
    path = one_slice(values, raw=raw.tobytes(), NumberOfFrames="3")
    np.testing.assert_array_equal(decode_header(replace(read_header(path), frame=frame)).values, raw[frame])


def test_a_frame_that_the_file_does_not_have_is_refused(one_slice):
    header = read_header(one_slice(values_of(16, True)))
    with pytest.raises(SeriesError, match="fewer frames"):
        decode_header(replace(header, frame=1))


def test_bits_above_the_stored_ones_are_no_part_of_the_value(one_slice):
    values = values_of(12, False)
    overlay = (values.astype("<u2") | 0xA000).tobytes()
    np.testing.assert_array_equal(decode(one_slice(values, bits=12, signed=False, raw=overlay)).values, values)


@pytest.mark.parametrize("syntax", [None, *SYNTAXES])
@pytest.mark.parametrize("kept", [0.5, 0.9, 0.99])
def test_a_file_that_is_cut_off_is_refused_by_name(one_slice, syntax, kept):
    path = one_slice(values_of(16, True), syntax)
    data = path.read_bytes()
    start = data.rindex(b"\xe0\x7f\x10\x00") + 8
    path.write_bytes(data[: start + int(kept * (len(data) - start))])
    with quiet_parser(), pytest.raises(SeriesError, match=path.name) as caught:
        decode(path)
    assert caught.value.code == "pixels.undecodable"


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("kept", [0.3, 0.8])
def test_a_stream_that_ends_too_early_in_a_whole_file_is_refused(one_slice, syntax, kept):
    path = one_slice(values_of(16, True), syntax)
    ds = dcmread(path)
    frame = next(generate_frames(ds.PixelData, number_of_frames=1))
    ds.PixelData = encapsulate([frame[: int(kept * len(frame))]])
    ds.save_as(path)
    with pytest.raises(SeriesError) as caught:
        decode(path)
    assert caught.value.code == "pixels.undecodable"
    assert "transfer syntax" in str(caught.value)


def test_native_pixels_under_a_compressed_syntax_are_never_shown_as_noise(one_slice):
    path = one_slice(values_of(16, True))
    ds = dcmread(path)
    ds.file_meta.TransferSyntaxUID = JPEGLSLossless
    buffer = io.BytesIO()
    native = ds.PixelData
    ds.PixelData = encapsulate([native])
    ds["PixelData"].VR = "OB"
    ds.save_as(buffer)
    path.write_bytes(buffer.getvalue())
    with pytest.raises(SeriesError, match="JPEG-LS"):
        decode(path)


@pytest.mark.parametrize(
    ("elements", "why"),
    [
        ({"SamplesPerPixel": 3}, "colour"),
        ({"NumberOfFrames": "2"}, "several frames"),
        ({"BitsAllocated": 32}, "of 32 bits"),
        ({"HighBit": 14}, "of 16 bits"),
        ({"Rows": 21}, "960 bytes instead of 1008"),
    ],
)
def test_pixels_that_no_ct_slice_has_are_refused_with_the_reason(one_slice, elements, why):
    with pytest.raises(SeriesError, match=why):
        decode(one_slice(values_of(16, True), **elements))


def test_a_compressed_image_of_another_size_than_the_header_says_is_refused(one_slice):
    path = one_slice(values_of(16, True), JPEGLSLossless, Rows=24, Columns=20)
    with pytest.raises(SeriesError, match="damaged"):
        decode(path)


@pytest.mark.parametrize(
    ("tag", "bits", "signed", "meant"),
    [
        (63536, 16, True, (-2000, -2000)),
        (-2000, 16, True, (-2000, -2000)),
        (0, 12, False, (0, 0)),
        (-2000, 12, False, None),
        (63536, 12, False, None),
        (63536, 16, False, (63536, 63536)),
    ],
)
def test_the_padding_value_gets_the_sign_of_the_pixels(one_slice, tag, bits, signed, meant):
    path = one_slice(values_of(bits, signed), bits=bits, signed=signed)
    ds = dcmread(path)
    ds.add_new(0x00280120, "SS" if tag < 0 else "US", tag)
    ds.save_as(path)
    assert decode(path).padding == meant


def test_a_range_of_padding_values_is_read_whole(one_slice):
    path = one_slice(values_of(16, True))
    ds = dcmread(path)
    ds.add_new(0x00280120, "SS", -2000)
    ds.add_new(0x00280121, "SS", -3000)
    ds.save_as(path)
    assert decode(path).padding == (-3000, -2000)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    return tmp_path_factory.mktemp("damage") / "slice.dcm"


@given(data=st.data(), syntax=st.sampled_from([None, JPEGLSLossless, RLELossless]))
def test_whatever_byte_is_damaged_the_slice_is_read_or_refused(scratch, data, syntax):
    original = damaged_source(scratch, syntax)
    spoiled = bytearray(original)
    places = data.draw(st.lists(st.tuples(st.integers(132, len(original) - 1), st.integers(0, 255)), max_size=4))
    for place, byte in places:
        spoiled[place] = byte
    scratch.write_bytes(spoiled)
    # Anything but a refusal escapes and fails the test.
    with quiet_parser():
        try:
            header = read_header(scratch)
        except DAMAGE:
            return
        record_of(header)
        with contextlib.suppress(CopImagingError):
            decode_header(header)


def damaged_source(path, syntax):
    ds = FileDataset(path, Dataset(), preamble=b"\0" * 128, file_meta=FileMetaDataset())
    ds.SOPClassUID, ds.SOPInstanceUID = CTImageStorage, "1.2.3"
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.Rows, ds.Columns, ds.SamplesPerPixel, ds.PhotometricInterpretation = 20, 24, 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 1
    ds.RescaleSlope, ds.RescaleIntercept = "1", "-1024"
    words = values_of(16, True).astype("<u2")
    ds.PixelData = words.tobytes()
    if syntax == RLELossless:
        ds.compress(RLELossless, generate_instance_uid=False)
    elif syntax is not None:
        ds.file_meta.TransferSyntaxUID = syntax
        ds.PixelData = encapsulate([ENCODERS[syntax](words)])
        ds["PixelData"].VR = "OB"
    ds.save_as(path, enforce_file_format=True)
    return path.read_bytes()
