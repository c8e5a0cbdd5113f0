"""What a batch has to know of each series: its files, a key that follows them, and nothing lost."""

import os
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from cop_imaging.errors import SourceError
from cop_imaging.ingest import IngestConfig
from cop_imaging.ingest import index as module
from cop_imaging.ingest.index import write_listing
from cop_imaging.ingest.listing import LISTED, changed, local_files


@pytest.fixture
def listing(tmp_path):
    def of(root: Path, **options):
        write_listing(root, tmp_path / "list.parquet", IngestConfig(), **options)
        table = pq.read_table(tmp_path / "list.parquet")
        assert table.schema.equals(LISTED)
        return table.to_pylist()

    return of


def test_a_series_is_listed_with_all_its_files(write, listing):
    folder = write("a", name=lambda n: f"part{n % 3}/{n}")
    (row,) = listing(folder)
    assert sorted(local_files(row, folder).files) == sorted(p for p in folder.rglob("*") if p.is_file())
    assert not changed(row, folder)


def test_a_disk_that_is_not_mounted_is_no_change_of_a_series(write, listing, tmp_path):
    root = tmp_path / "disk"
    write("disk/a")
    (row,) = listing(root)
    root.rename(tmp_path / "elsewhere")
    with pytest.raises(SourceError, match="gone or empty"):
        changed(row, root)
    root.mkdir()
    with pytest.raises(SourceError) as error:
        changed(row, root)
    assert error.value.code == "source.unreachable"
    (root / "b").mkdir()
    assert changed(row, root)


def test_a_system_that_cannot_tell_is_no_change_of_a_series(write, listing, monkeypatch):
    folder = write("a")
    (row,) = listing(folder)

    def stale(*_, **__):
        raise OSError(116, "Stale file handle")

    monkeypatch.setattr(Path, "stat", stale)
    with pytest.raises(SourceError, match="Stale file handle"):
        changed(row, folder)


def test_few_rows_with_all_their_files_are_in_memory_at_once(tmp_path):
    rows = ({"key": f"{n:016x}", "verdict": "usable", "code": None} for n in range(1200))
    module._write(rows, tmp_path / "list.parquet", LISTED)
    about = pq.ParquetFile(tmp_path / "list.parquet").metadata
    assert max(about.row_group(n).num_rows for n in range(about.num_row_groups)) == 500


def test_the_key_stays_when_the_archive_moves_and_its_folders_are_renamed(write, listing, tmp_path):
    folder = write("a/one")
    (before,) = listing(tmp_path / "a")
    folder.rename(tmp_path / "a" / "two")
    (tmp_path / "a").rename(tmp_path / "b")
    (after,) = listing(tmp_path / "b")
    assert (after["key"], after["folder"]) == (before["key"], "two")


def test_the_key_changes_when_a_slice_comes_goes_or_is_written_anew(write, listing):
    folder = write("a")
    slices = sorted(folder.iterdir())
    keys = [listing(folder)[0]["key"]]
    os.utime(slices[3], ns=(1, 1))
    keys.append(listing(folder)[0]["key"])
    slices[3].unlink()
    keys.append(listing(folder)[0]["key"])
    assert len(set(keys)) == 3


def test_series_of_one_study_have_keys_and_files_of_their_own(write, listing, tmp_path):
    study = lambda h, n: setattr(h, "StudyInstanceUID", "1.2.3")  # noqa: E731
    write("a/1", uid="1", edit=study)
    write("a/2", uid="2", count=30, edit=study)
    rows = {row["folder"]: row for row in listing(tmp_path / "a")}
    assert {name: len(row["paths"]) for name, row in rows.items()} == {"1": 40, "2": 30}
    assert rows["1"]["study"] == rows["2"]["study"]
    assert rows["1"]["key"] != rows["2"]["key"]


def test_a_series_that_has_changed_since_is_seen_from_its_files_alone(write, listing):
    folder = write("a")
    (row,) = listing(folder)
    path = local_files(row, folder).files[5]
    os.utime(path, ns=(1, 1))
    assert changed(row, folder)
    path.unlink()
    assert changed(row, folder)


def test_series_of_one_patient_share_a_hash_that_nobody_finds_without_the_key(write, listing, tmp_path):
    write("a/1", uid="1")
    write("a/2", uid="2", edit=lambda h, n: setattr(h, "PatientID", "OTHER"))
    write("a/3", uid="3")
    found = {row["folder"]: row["patient"] for row in listing(tmp_path / "a", case_key=b"secret")}
    assert found["1"] == found["3"] != found["2"]
    others = {row["folder"]: row["patient"] for row in listing(tmp_path / "a", case_key=b"another")}
    assert others["1"] != found["1"]
    assert {row["patient"] for row in listing(tmp_path / "a")} == {None}


def test_a_damaged_slice_belongs_to_the_one_series_of_its_folder(write, listing):
    folder = write("a")
    (folder / "IM9999.dcm").write_bytes((folder / "IM0001.dcm").read_bytes()[:300])
    (folder / "IM9998.dcm").write_bytes(b"")
    (row,) = listing(folder)
    assert row["files"] == 42
    assert folder / "IM9999.dcm" in local_files(row, folder).files


def test_damaged_files_without_a_series_are_a_row_of_their_own(write, listing, tmp_path):
    write("a/whole", uid="1")
    folder = write("a/broken", uid="2")
    for path in folder.iterdir():
        path.write_bytes(path.read_bytes()[:300])
    (tmp_path / "a/empty").mkdir()
    (tmp_path / "a/empty/1.dcm").touch()
    rows = {row["folder"]: row for row in listing(tmp_path / "a")}
    assert {name: row["code"] for name, row in rows.items()} == {
        "whole": None,
        "broken": "source.damaged",
        "empty": "source.damaged",
    }
    assert rows["broken"]["files"] == 40


def test_slices_without_a_series_uid_are_one_series_of_their_folder(write, listing, tmp_path):
    for name in ("1", "2"):
        write(f"a/{name}", uid=name, edit=lambda h, n: delattr(h, "SeriesInstanceUID"))
    rows = listing(tmp_path / "a")
    assert [(row["folder"], row["files"]) for row in sorted(rows, key=lambda r: r["folder"])] == [("1", 40), ("2", 40)]
    assert len({row["key"] for row in rows}) == 2


def test_a_folder_that_the_system_does_not_list_is_a_row(write, listing, tmp_path, monkeypatch):
    write("a/open", uid="1")
    write("a/shut", uid="2")
    scandir = os.scandir

    def refuse(path):
        if str(path).endswith("shut"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(module.os, "scandir", refuse)
    rows = {row["folder"]: row["code"] for row in listing(tmp_path / "a")}
    assert rows == {"open": None, "shut": "source.unreadable"}


def test_folders_that_are_left_out_are_not_looked_into(write, listing, tmp_path):
    write("a/scan", uid="1")
    write("a/run/result", uid="2")
    assert [row["folder"] for row in listing(tmp_path / "a", leave_out=[tmp_path / "a/run"])] == ["scan"]


def test_linked_folders_are_looked_into_once_and_never_in_circles(write, listing, tmp_path):
    write("elsewhere/patient", uid="1")
    write("a/own", uid="2")
    (tmp_path / "a/linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "a/again").symlink_to(tmp_path / "elsewhere/patient")
    (tmp_path / "a/own/circle").symlink_to(tmp_path / "a")
    (tmp_path / "a/own/around").symlink_to(tmp_path)
    rows = listing(tmp_path / "a")
    assert sorted((row["series"], row["files"]) for row in rows) == sorted((row["series"], 40) for row in rows)
    assert len(rows) == 2
