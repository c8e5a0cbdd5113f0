"""An archive of broken and odd series: every one has its row and its code, and the command says that some failed."""

import csv

import numpy as np
import pyarrow.parquet as pq
from pydicom import dcmread
from pydicom.config import disable_value_validation
from pydicom.uid import ExplicitVRLittleEndian, generate_uid
from typer.testing import CliRunner

from cop_imaging.cli.main import app


def elements(**values):
    return lambda h, n: [setattr(h, name, value) for name, value in values.items()]


def in_slices(slices, change):
    """Headers changed in some slices; the others stay (``write`` would leave a slice out for the answer False)."""

    def edit(h, n):
        if n in slices:
            change(h)

    return edit


def without(name, slices=range(40)):
    return in_slices(slices, lambda h: delattr(h, name))


def moved(x_mm, z_mm):
    """Positions off their places."""

    def edit(h, n):
        x, y, z = map(float, h.ImagePositionPatient)
        h.ImagePositionPatient = [x + x_mm(n), y, z + z_mm(n)]

    return edit


def nowhere(slices):
    return in_slices(slices, lambda h: setattr(h, "ImagePositionPatient", ["nan", "-77.5", "NaN"]))


def matrices(slices):
    """Slices with fewer rows than the others."""
    return {
        "edit": in_slices(slices, lambda h: setattr(h, "Rows", 30)),
        "repixel": lambda hu, n: hu[:30] if n in slices else hu,
    }


def tilted(degrees):
    a = np.radians(degrees)
    return {"column": (0, np.cos(a), np.sin(a)), "stack": (0, 0, 1 / np.cos(a))}


BY_HEADERS_AND_VALUES = {
    "no rescale": ("hu.rescale_missing", {"edit": without("RescaleSlope")}),
    "one slice without rescale": ("hu.rescale_missing", {"edit": without("RescaleIntercept", {7})}),
    "another unit": ("hu.rescale_missing", {"edit": elements(RescaleType="MGML")}),
    "intercept lost": ("hu.offset", {"repixel": lambda hu, n: hu + 1024}),
    "intercept twice": ("hu.offset", {"repixel": lambda hu, n: hu - 1024}),
    "far below": ("hu.offset", {"repixel": lambda hu, n: hu - 8192}),
    "slope lost": ("hu.offset", {"repixel": lambda hu, n: hu / 4}),
    "sign lost": ("hu.offset", {"repixel": lambda hu, n: np.abs(hu)}),
    "eight bits": ("series.secondary_capture", {"edit": elements(BitsStored=8, HighBit=7)}),
    "PET": ("series.not_ct", {"edit": elements(Modality="PT")}),
    "MR": ("series.not_ct", {"edit": elements(Modality="MR")}),
    "scouts": ("series.only_localizers", {"edit": elements(ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])}),
    "MIP": ("series.projection", {"edit": elements(ImageType=["DERIVED", "SECONDARY", "MIP"])}),
    "iodine": ("series.other_quantity", {"edit": elements(ImageType=["DERIVED", "PRIMARY", "AXIAL", "IODINE"])}),
    "huge matrix": ("source.too_large", {"edit": elements(Rows=65535, Columns=65535)}),
    "very many frames": ("pixels.undecodable", {"edit": elements(NumberOfFrames="2000000000")}),
    "no position": ("geometry.missing", {"edit": without("ImagePositionPatient")}),
    "no orientation": ("geometry.missing", {"edit": without("ImageOrientationPatient")}),
    "no pixel spacing": ("geometry.missing", {"edit": without("PixelSpacing")}),
    "no place is a number": ("geometry.missing", {"edit": nowhere(range(40))}),
    "one place is no number": ("slices.missing", {"edit": nowhere({20})}),
    "one slice missing": ("slices.missing", {"edit": lambda h, n: n != 20}),
    "three slices missing": ("slices.missing", {"edit": lambda h, n: n not in {5, 6, 30}}),
    "jittered": ("slices.uneven_spacing", {"edit": moved(lambda n: 0.0, lambda n: 0.8 * (-1) ** n)}),
    "one slice aside": ("geometry.inconsistent", {"edit": moved(lambda n: 75.0 * (n == 9), lambda n: 0.0)}),
    "gantry tilted": ("geometry.not_axial", tilted(40.0)),
    "coronal": ("geometry.not_axial", {"row": (1, 0, 0), "column": (0, 0, -1)}),
    "sagittal": ("geometry.not_axial", {"row": (0, 1, 0), "column": (0, 0, -1)}),
    "half in another matrix": ("geometry.inconsistent", matrices(range(20))),
    "every second in another matrix": ("geometry.inconsistent", matrices(range(0, 40, 2))),
    "one slice": ("slices.single", {"count": 1}),
    "five slices": ("slices.too_few", {"count": 5}),
}


def in_syntax(uid):
    return lambda data: data.replace(ExplicitVRLittleEndian.encode(), uid, 1)


BY_BYTES = {
    "empty files": ("source.damaged", range(40), lambda data: b""),
    "headers cut off": ("source.damaged", range(40), lambda data: data[:200]),
    "garbage": ("source.damaged", range(40), lambda data: b"\0" * 128 + b"DICM" + b"\xff" * 99),
    "one header cut off": ("slices.missing", {20}, lambda data: data[:200]),
    "pixels cut off": ("pixels.undecodable", {20}, lambda data: data[:-500]),
    "unknown syntax": ("pixels.undecodable", range(40), in_syntax(b"1.2.840.10008.1.2.9")),
}


def write_archive(write, root):
    """Write every broken series; the code that each has to have, by its folder."""
    codes = {}
    with disable_value_validation():
        for name, (code, options) in BY_HEADERS_AND_VALUES.items():
            write(f"{root}/{name}", uid=name, **options)
            codes[name] = code
    for name, (code, slices, change) in BY_BYTES.items():
        for n, path in enumerate(sorted(write(f"{root}/{name}", uid=name).iterdir())):
            if n in slices:
                path.write_bytes(change(path.read_bytes()))
        codes[name] = code
    for path in write(f"{root}/no pixels", uid="no pixels").iterdir():
        slice_ = dcmread(path)
        del slice_.PixelData
        slice_.save_as(path)
    other = {"edit": lambda h, n: setattr(h, "SOPInstanceUID", generate_uid()), "name": "b{:04d}".format}
    write(f"{root}/two images", uid="two images")
    write(f"{root}/two images", uid="two images", repixel=lambda hu, n: hu + 20 * (n == 17), **other)
    return codes | {"no pixels": "pixels.missing", "two images": "slices.conflicting"}


def test_every_broken_series_has_one_row_with_its_code_and_the_command_ends_with_6(write, tmp_path):
    codes = write_archive(write, "archive")
    assert len(codes) == 40
    run = tmp_path / "run"
    result = CliRunner().invoke(app, ["batch", str(tmp_path / "archive"), "--out", str(run), "--workers", "1"])
    assert result.exit_code == 6
    assert result.stdout.splitlines()[0] == "40 series: 0 analyzed, 0 kept, 40 refused"
    folders = {row["key"]: row["folder"] for row in pq.read_table(run / "plan.parquet").to_pylist()}
    rows = pq.read_table(run / "features.parquet").to_pylist()
    assert sorted(folders.values()) == sorted(codes)
    assert len(rows) == 40
    assert {folders[row["key"]]: row["code"] for row in rows} == codes
    with (run / "failures.csv").open(encoding="utf-8", newline="") as file:
        failures = list(csv.DictReader(file))
    assert {row["where"]: row["code"] for row in failures} == codes
    assert {(row["state"], row["exit_code"]) for row in failures} == {("refused", "3")}
    assert [row["message"] for row in failures if not row["message"] or "\n" in row["message"]] == []
