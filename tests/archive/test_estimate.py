"""What is said of a series before it is fetched agrees with what the index says of its files."""

import io

import pyarrow.parquet as pq
import pytest
from pydicom import dcmread

from cop_imaging.archive.estimate import Told, header_of, judged
from cop_imaging.ingest import IngestConfig
from cop_imaging.ingest.index import write_index
from cop_imaging.ingest.records import series_key

SAME = (
    *("verdict", "code", "kind", "rank", "better", "slices", "rows", "columns", "row_spacing_mm", "column_spacing_mm"),
    *("step_mm", "thickness_mm", "extent_mm", "kernel", "kernel_class", "kvp", "modality"),
)


def told(made, ends=(0, -1)):
    """A series as an archive tells of it that gives out the headers of its first and last image."""
    files = list(made.files.values())
    headers = []
    for n in ends:
        dataset = dcmread(io.BytesIO(files[n]), stop_before_pixels=True)
        values = {int(e.tag): (e.VR, list(e.value) if e.VM > 1 else [e.value]) for e in dataset if not e.is_empty}
        headers.append(header_of(values))
    row = {
        "series": series_key(made.uid),
        "files": len(files),
        "modality": headers[0].text("Modality") if ends else "CT",
    }
    return Told(row, tuple(headers))


@pytest.fixture
def several(make):
    """Series of one study that an index tells apart."""

    def localizer(header, n):
        header.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]

    def sharp(header, n):
        header.ConvolutionKernel = "B70f"

    return [
        make("thin", slices=40, thickness=3.0, pixels=64),
        make("sharp", slices=40, thickness=3.0, pixels=64, edit=sharp),
        make("thick", slices=25, thickness=5.0, pixels=64),
        make("few", slices=4, pixels=64),
        make("scout", slices=1, edit=localizer),
        make("mr", slices=3, modality="MR"),
    ]


def test_an_estimate_agrees_with_the_index_of_the_files(several, tmp_path):
    for n, made in enumerate(several):
        for m, data in enumerate(made.files.values()):
            path = tmp_path / "files" / str(n) / f"{m}.dcm"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    write_index(tmp_path / "files", tmp_path / "index.parquet", IngestConfig())
    index = {row["series"]: row for row in pq.read_table(tmp_path / "index.parquet").to_pylist()}
    estimates = {row["series"]: row for row in judged([told(made) for made in several], IngestConfig())}
    assert estimates.keys() == index.keys()
    for series, row in estimates.items():
        # Remarks, by which a series becomes limited, need every header.
        expected = {name: index[series][name] for name in SAME}
        expected["verdict"] = expected["verdict"].replace("limited", "usable")
        assert {name: row.get(name) for name in SAME} == expected
        assert index[series]["bytes"] <= row["bytes"] <= 1.5 * index[series]["bytes"] + 4096 * row["files"]


def test_series_without_told_headers_come_last_and_the_largest_of_them_first(make):
    less, many, known = make("less", slices=14), make("many", slices=39), make("known", slices=30)
    rows = judged([told(less, ()), told(many, ()), told(known)], IngestConfig())
    assert [row["rank"] for row in rows] == [3, 2, 1]
    assert [row["verdict"] for row in rows] == ["usable"] * 3


def test_a_value_that_makes_no_sense_spoils_no_other():
    header = header_of({0x00280010: ("US", ["x"]), 0x00180050: ("DS", [1.25]), 0x00080060: ("CS", ["CT"])})
    assert header.text("SliceThickness") == "1.25"
    assert header.binary("Rows") is None
    assert header_of({0x00100020: ("LO", [])}) is None or header_of({}) is None
