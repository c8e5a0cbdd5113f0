"""What compressed streams are, whatever their headers claim."""

import imagecodecs
import numpy as np
import pytest
from pydicom import dcmread
from pydicom.encaps import encapsulate
from pydicom.uid import JPEG2000Lossless, JPEGLosslessSV1, JPEGLSLossless

from cop_imaging.errors import SeriesError
from cop_imaging.ingest.lossless_jpeg import coded_pixels
from cop_imaging.ingest.read import read_volume


def lossless(values):
    return imagecodecs.ljpeg_encode(values, bitspersample=16)


def packed(folder, syntax, encode):
    for n, path in enumerate(sorted(folder.iterdir())):
        d = dcmread(path)
        values = d.pixel_array.view(np.uint16).copy()
        d.PixelData = encapsulate([encode(values, n)])
        d["PixelData"].VR, d["PixelData"].is_undefined_length = "OB", True
        d.file_meta.TransferSyntaxUID = syntax
        d.save_as(path)
    return folder


def unsigned(header, n):
    header.PixelRepresentation = 0


@pytest.mark.parametrize("shape", [(32, 30), (128, 200)])
def test_every_pixel_of_a_whole_stream_is_counted(shape):
    values = np.random.default_rng(1).integers(0, 4000, shape).astype(np.uint16)
    assert coded_pixels(lossless(values)) == values.size
    assert coded_pixels(imagecodecs.jpeg8_encode(values, lossless=True, bitspersample=16)) == values.size


@pytest.mark.parametrize("kept", [0.3, 0.6, 0.9])
def test_a_lossless_jpeg_that_is_cut_and_closed_again_is_refused(write, kept):
    def cut(values, n):
        stream = lossless(values)
        return stream[: int(kept * len(stream))] + b"\xff\xd9" if n == 20 else stream

    with pytest.raises(SeriesError) as caught:
        read_volume(packed(write(edit=unsigned), JPEGLosslessSV1, cut))
    assert caught.value.code == "pixels.undecodable"


def test_a_lossless_jpeg_with_an_end_in_its_middle_is_refused(write):
    def broken(values, n):
        stream = bytearray(lossless(values))
        middle = len(stream) * 6 // 10
        stream[middle : middle + 2] = b"\xff\xd9"
        return bytes(stream)

    with pytest.raises(SeriesError) as caught:
        read_volume(packed(write(edit=unsigned), JPEGLosslessSV1, broken))
    assert caught.value.code == "pixels.undecodable"


LOSSY = {
    JPEGLSLossless: (
        lambda a, n: imagecodecs.jpegls_encode(a, level=5),
        lambda a, n: imagecodecs.jpegls_encode(a),
    ),
    JPEG2000Lossless: (
        lambda a, n: imagecodecs.jpeg2k_encode(a, level=60, reversible=False, codecformat="j2k"),
        lambda a, n: imagecodecs.jpeg2k_encode(a, level=0, reversible=True, codecformat="j2k"),
    ),
}


@pytest.mark.parametrize("syntax", LOSSY)
def test_loss_under_a_lossless_syntax_is_told_from_the_stream(write, syntax):
    lossy, whole = LOSSY[syntax]
    codes = {i.code for i in read_volume(packed(write("a", edit=unsigned), syntax, lossy)).issues}
    assert "pixels.lossy" in codes
    codes = {i.code for i in read_volume(packed(write("b", edit=unsigned), syntax, whole)).issues}
    assert "pixels.lossy" not in codes
