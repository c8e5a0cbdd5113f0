import imagecodecs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.pixels.encoders import RLELosslessEncoder

from cop_imaging.ingest.streams import check_jpeg, check_jpeg2000, check_rle

ROWS, COLUMNS = 20, 24
IMAGE = np.linspace(0, 65535, ROWS * COLUMNS).astype("<u2").reshape(ROWS, COLUMNS)
LOSSLESS = imagecodecs.ljpeg_encode(IMAGE)
JPEG_LS = imagecodecs.jpegls_encode(IMAGE)
J2K = imagecodecs.jpeg2k_encode(IMAGE, level=0, reversible=True, codecformat="j2k")
JP2 = imagecodecs.jpeg2k_encode(IMAGE, level=0, reversible=True, codecformat="jp2")
RLE = RLELosslessEncoder.encode(
    IMAGE.tobytes(),
    rows=ROWS,
    columns=COLUMNS,
    samples_per_pixel=1,
    bits_allocated=16,
    bits_stored=16,
    pixel_representation=0,
    photometric_interpretation="MONOCHROME2",
    number_of_frames=1,
)


@pytest.mark.parametrize("stream", [LOSSLESS, JPEG_LS, LOSSLESS + b"\0", JPEG_LS + b"\xff"])
def test_a_whole_jpeg_stream_passes(stream):
    check_jpeg(stream, ROWS, COLUMNS)


@pytest.mark.parametrize("stream", [J2K, JP2])
def test_a_whole_jpeg_2000_stream_passes_with_and_without_a_file_header(stream):
    check_jpeg2000(stream, ROWS, COLUMNS)


def test_a_whole_rle_frame_passes():
    check_rle(RLE, 2)


@pytest.mark.parametrize(
    ("check", "stream"), [(check_jpeg, LOSSLESS), (check_jpeg, JPEG_LS), (check_jpeg2000, J2K), (check_jpeg2000, JP2)]
)
def test_an_image_of_another_size_is_refused(check, stream):
    for rows, columns in ((ROWS, COLUMNS + 1), (ROWS - 1, COLUMNS), (COLUMNS, ROWS)):
        with pytest.raises(ValueError, match="damaged"):
            check(stream, rows, columns)


@given(end=st.integers(2, len(LOSSLESS) - 1))
def test_a_jpeg_stream_that_ends_early_is_refused(end):
    with pytest.raises((ValueError, LookupError)):
        check_jpeg(LOSSLESS[:end], ROWS, COLUMNS)


@pytest.mark.parametrize("code", [b"\x20" * 16, b"\xff" * 16, b"\x03" + b"\0" * 15, b"\0" * 16])
def test_a_huffman_table_that_is_no_prefix_code_is_refused(code):
    at = LOSSLESS.index(b"\xff\xc4") + 5
    with pytest.raises(ValueError, match="damaged"):
        check_jpeg(LOSSLESS[:at] + code + LOSSLESS[at + 16 :], ROWS, COLUMNS)


@pytest.mark.parametrize("predictor", [0, 8, 255])
def test_a_predictor_that_does_not_exist_is_refused(predictor):
    at = LOSSLESS.index(b"\xff\xda") + 7
    with pytest.raises(ValueError, match="damaged"):
        check_jpeg(LOSSLESS[:at] + bytes([predictor]) + LOSSLESS[at + 1 :], ROWS, COLUMNS)


@pytest.mark.parametrize("segments", [1, 3, 15])
def test_an_rle_frame_with_another_number_of_segments_is_refused(segments):
    with pytest.raises(ValueError, match="damaged"):
        check_rle(RLE, segments)


@pytest.mark.parametrize("offset", [0, 63, 64, len(RLE), 2**31])
def test_an_rle_segment_outside_the_frame_is_refused(offset):
    with pytest.raises(ValueError, match="damaged"):
        check_rle(RLE[:8] + offset.to_bytes(4, "little") + RLE[12:], 2)
