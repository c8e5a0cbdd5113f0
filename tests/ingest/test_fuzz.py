"""Damaged files of every kind end in a volume or in a refusal: never in a crash, a hang or another error.

``make test`` runs a short form; ``make test-long`` mutates 20,000 files.
"""

import contextlib
import random
import shutil
import time

import imagecodecs
import numpy as np
import pytest
import SimpleITK as sitk
from pydicom import dcmread
from pydicom.encaps import encapsulate
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    HTJ2KLossless,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGExtended12Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from cop_imaging.errors import CopImagingError
from cop_imaging.ingest.density_config import DensityConfig
from cop_imaging.ingest.geometry_config import GeometryConfig
from cop_imaging.ingest.headers import WANTED, read_header
from cop_imaging.ingest.images import read_image
from cop_imaging.ingest.parsing import DAMAGE, quiet_parser
from cop_imaging.ingest.pixels import decode
from cop_imaging.ingest.read import read_volume
from cop_imaging.ingest.records import record_of
from cop_imaging.ingest.scan import scan

ENCODERS = {
    JPEGLosslessSV1: imagecodecs.ljpeg_encode,
    JPEGLSLossless: imagecodecs.jpegls_encode,
    JPEG2000Lossless: lambda a: imagecodecs.jpeg2k_encode(a, level=0, reversible=True, codecformat="j2k"),
    HTJ2KLossless: lambda a: imagecodecs.htj2k_encode(a, reversible=True),
    JPEGExtended12Bit: lambda a: imagecodecs.jpeg8_encode(a, level=90),
}
LONGEST_S = 5.0


def seeds(write, tmp_path):
    """One slice in every encoding."""
    folder = write(count=30, step_mm=4.0)
    made = {"explicit": (folder / "IM0010.dcm").read_bytes()}
    for syntax in (ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian, RLELossless, *ENCODERS):
        d = dcmread(folder / "IM0010.dcm")
        if syntax == RLELossless:
            d.compress(RLELossless, generate_instance_uid=False)
        elif syntax in ENCODERS:
            d.BitsStored, d.HighBit, d.PixelRepresentation = 12, 11, 0
            d.PixelData = encapsulate(
                [bytes(ENCODERS[syntax](np.frombuffer(d.PixelData, "<u2").reshape(32, 30) & 0xFFF))]
            )
            d["PixelData"].VR = "OB"
        d.file_meta.TransferSyntaxUID = syntax
        path = tmp_path / "seed.dcm"
        d.save_as(path, implicit_vr=syntax == ImplicitVRLittleEndian, little_endian=True)
        made[syntax.name] = path.read_bytes()
    return folder, made


def mutated(data, chance):
    """Bytes changed, cut out, doubled or cut off."""
    out = bytearray(data)
    for _ in range(chance.randint(1, 6)):
        # Half of the time in the header, where there is more to break.
        at = chance.randrange(128, len(out)) if chance.random() < 0.5 else chance.randrange(128, min(len(out), 1500))
        what = chance.randrange(5)
        if what == 0:
            out[at] = chance.randrange(256)
        elif what == 1:
            out[at : at + chance.randint(1, 8)] = chance.choice([b"\xff\xff\xff\xff", b"\0\0\0\0", b"\xfe\xff\x00\xe0"])
        elif what == 2:
            del out[at : at + chance.randint(1, 64)]
        elif what == 3:
            out[at:at] = out[at : at + chance.randint(1, 64)]
        elif chance.random() < 0.3:
            del out[at:]
        if len(out) < 200:
            break
    return bytes(out)


def look(path, data):
    """Both header readers, and the decoder, on one file."""
    scan(data, WANTED, whole=True)
    path.write_bytes(data)
    try:
        header = read_header(path)
    except (CopImagingError, *DAMAGE):
        return
    record_of(header)
    with contextlib.suppress(CopImagingError):
        decode(header)


def fuzz_files(write, tmp_path, count):
    folder, made = seeds(write, tmp_path)
    chance = random.Random(7)
    path = tmp_path / "mutated.dcm"
    slowest = 0.0
    with quiet_parser():
        for n in range(count):
            start = time.perf_counter()
            look(path, mutated(list(made.values())[n % len(made)], chance))
            slowest = max(slowest, time.perf_counter() - start)
    # A hang, not a speed: a whole file takes a millisecond.
    assert slowest < LONGEST_S
    return folder, made, chance


def fuzz_volumes(folder, made, chance, count):
    victim = folder / "IM0010.dcm"
    for n in range(count):
        victim.write_bytes(mutated(list(made.values())[n % len(made)], chance))
        with contextlib.suppress(CopImagingError):
            read_volume(folder)


def fuzz_images(folder, tmp_path, chance, count):
    names = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder))
    image = sitk.Cast(sitk.ReadImage(names), sitk.sitkInt16)
    for ending in (".nii", ".nrrd", ".mha"):
        sitk.WriteImage(image, str(tmp_path / f"whole{ending}"))
        data = (tmp_path / f"whole{ending}").read_bytes()
        path = tmp_path / f"mutated{ending}"
        for _ in range(count):
            out = bytearray(data)
            for _ in range(chance.randint(1, 4)):
                out[chance.randrange(0, 400)] = chance.randrange(256)
            path.write_bytes(out[: chance.randrange(100, len(out))] if chance.random() < 0.2 else out)
            with contextlib.suppress(CopImagingError):
                read_image(path, GeometryConfig(largest_megavoxels=1.0), DensityConfig())


def test_damaged_files_are_read_or_refused(write, tmp_path):
    folder, made, chance = fuzz_files(write, tmp_path, 900)
    shutil.copy(folder / "IM0011.dcm", folder / "IM0010.dcm")
    fuzz_images(folder, tmp_path, chance, 25)
    fuzz_volumes(folder, made, chance, 30)


@pytest.mark.long
def test_twenty_thousand_damaged_files_are_read_or_refused(write, tmp_path):
    folder, made, chance = fuzz_files(write, tmp_path, 20_000)
    shutil.copy(folder / "IM0011.dcm", folder / "IM0010.dcm")
    fuzz_images(folder, tmp_path, chance, 500)
    fuzz_volumes(folder, made, chance, 1_000)
