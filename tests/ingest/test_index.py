"""The index: one row per series, from headers alone, with the verdict that reading gives."""

import os

import pyarrow.parquet as pq
import pytest

from cop_imaging.errors import OutputError, SeriesError
from cop_imaging.ingest import IngestConfig, find_series
from cop_imaging.ingest.index import write_index
from cop_imaging.ingest.verdicts import COLUMNS


def rows(root, tmp_path, **options):
    summary = write_index(root, tmp_path / "index.parquet", IngestConfig(), **options)
    table = pq.read_table(tmp_path / "index.parquet")
    assert table.schema.equals(COLUMNS)
    return summary, table.to_pylist()


def test_every_series_has_one_row_with_its_geometry(write, tmp_path):
    write("a/b", uid="1")
    write("a/c", uid="2", count=12, step_mm=8.0)
    summary, found = rows(tmp_path / "a", tmp_path)
    assert (summary.files, summary.dicom, summary.series) == (52, 52, 2)
    whole, few = sorted(found, key=lambda r: -r["files"])
    assert (whole["verdict"], whole["slices"], whole["rows"], whole["columns"]) == ("usable", 40, 32, 30)
    assert whole["step_mm"] == pytest.approx(3.0)
    assert (whole["kernel"], whole["kernel_class"], whole["patient_position"]) == ("STANDARD", "soft", "HFS")
    assert (whole["folder"], whole["rank"]) == ("b", 1)
    assert (few["verdict"], few["code"], few["rank"]) == ("refused", "slices.too_few", None)


def test_one_process_and_two_give_the_same_bytes(write, tmp_path):
    for n in range(3):
        write(f"a/{n}", uid=str(n), count=25 + n, step_mm=4.0)
    made = []
    for workers in (1, 2):
        write_index(tmp_path / "a", tmp_path / f"{workers}.parquet", IngestConfig(), workers=workers)
        made.append((tmp_path / f"{workers}.parquet").read_bytes())
    assert made[0] == made[1]


def test_a_series_in_several_folders_is_one_row(write, tmp_path):
    write("a", name=lambda n: f"part{n % 3}/{n}")
    _, (row,) = rows(tmp_path / "a", tmp_path)
    assert (row["files"], row["folder"], row["verdict"]) == (40, ".", "usable")
    assert row["series"] == find_series(tmp_path / "a")[0].key


def test_series_of_one_study_are_ranked_and_the_reason_is_given(write, tmp_path):
    study = lambda h, n: setattr(h, "StudyInstanceUID", "1.2.3")  # noqa: E731
    write("a/thick", uid="1", step_mm=5.0, count=50, edit=study)
    write("a/thin", uid="2", step_mm=1.25, count=200, edit=study)
    _, found = rows(tmp_path / "a", tmp_path)
    best = next(r for r in found if r["rank"] == 1)
    assert (best["folder"], best["slices"]) == ("thin", 200)
    assert "thinner" in best["better"]
    assert sorted(r["rank"] for r in found) == [1, 2]


def test_uids_and_names_are_left_out_unless_asked_for(write, tmp_path):
    write("a")
    _, (row,) = rows(tmp_path / "a", tmp_path)
    assert row["series_uid"] is row["study_uid"] is None
    assert not {"Doe", "SECRET-7", "General Hospital"} & {str(v) for v in row.values()}
    _, (row,) = rows(tmp_path / "a", tmp_path, uids=True)
    assert row["series_uid"]


def test_what_is_no_dicom_is_counted_and_what_is_damaged_is_named(write, tmp_path):
    folder = write("a")
    (folder / "notes.txt").write_text("not DICOM")
    (folder / "IM9999.dcm").write_bytes((folder / "IM0001.dcm").read_bytes()[:300])
    summary, (row,) = rows(folder, tmp_path)
    assert (summary.files, row["files"]) == (42, 40)
    assert summary.examples == ("IM9999.dcm",)


def test_an_index_is_whole_or_not_there(write, tmp_path):
    with pytest.raises(SeriesError) as error:
        write_index(tmp_path / "nowhere", tmp_path / "index.parquet", IngestConfig())
    assert error.value.code == "source.missing"
    (tmp_path / "file").touch()
    with pytest.raises(OutputError):
        write_index(write("a"), tmp_path / "file" / "index.parquet", IngestConfig())
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "file"]


def test_a_folder_whose_name_is_no_text_is_listed_all_the_same(write, tmp_path):
    folder = write("a")
    (tmp_path / "root").mkdir()
    folder.rename(os.fsdecode(os.fsencode(tmp_path / "root") + b"/\xff\xfe"))
    _, (row,) = rows(tmp_path / "root", tmp_path)
    assert (row["verdict"], row["files"]) == ("usable", 40)


def test_series_without_a_study_are_studies_of_their_own(write, tmp_path):
    write("a/1", uid="1")
    write("a/2", uid="2")
    _, found = rows(tmp_path / "a", tmp_path)
    assert [row["rank"] for row in found] == [1, 1]
