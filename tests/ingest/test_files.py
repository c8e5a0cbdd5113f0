import os
import re
import shutil

import pytest

from cop_imaging.errors import SeriesError
from cop_imaging.ingest import find_series
from cop_imaging.ingest.read import read_volume


def test_every_series_below_a_root_is_listed_once(write, tmp_path):
    write("p/one", uid="1", count=3)
    write("p/two", uid="2", count=4)
    write("q/mr", uid="3", count=2, edit=lambda h, n: setattr(h, "Modality", "MR"))
    (tmp_path / "p" / "notes.txt").write_text("x")
    found = find_series(tmp_path)
    assert [(s.folder.relative_to(tmp_path).as_posix(), len(s.files)) for s in found] == [
        ("p/one", 3),
        ("p/two", 4),
        ("q/mr", 2),
    ]


def test_two_series_in_one_folder_are_told_apart(write):
    write(uid="1", count=3, name="a{}".format)
    found = find_series(write(uid="2", count=5, name="b{}".format))
    assert sorted(len(s.files) for s in found) == [3, 5]
    assert len({s.key for s in found}) == 2


def test_a_series_spread_over_folders_is_one(write, tmp_path):
    (series,) = find_series(write(name=lambda n: f"part{n % 3}/{n}"))
    assert series.folder == tmp_path / "ct"
    assert read_volume(series).hu.shape[0] == 40


def test_a_key_is_a_folder_name_that_shows_no_uid_and_survives_a_move(write, tmp_path):
    folder = write(count=2)
    (before,) = find_series(folder)
    assert re.fullmatch("[0-9a-f]{12}", before.key)
    shutil.move(folder, tmp_path / "elsewhere")
    (after,) = find_series(tmp_path / "elsewhere")
    assert after.key == before.key


def test_no_series_is_an_empty_list(tmp_path):
    assert find_series(tmp_path) == ()


def test_a_root_that_is_no_folder_is_refused(tmp_path):
    with pytest.raises(SeriesError, match="does not exist"):
        find_series(tmp_path / "nowhere")


def test_pipes_and_dangling_links_do_not_block(write):
    folder = write(count=2)
    os.mkfifo(folder / "pipe.dcm")
    (folder / "link.dcm").symlink_to(folder / "gone")
    (series,) = find_series(folder)
    assert len(series.files) == 2


def test_files_without_a_preamble_are_dicom_too(write):
    folder = write()
    for path in folder.iterdir():
        path.write_bytes(path.read_bytes()[132:])
    assert read_volume(folder).hu.shape[0] == 40


def test_a_file_that_cannot_be_read_is_named(write, monkeypatch):
    folder = write()
    opened = type(folder).open

    def forbidden(path, *args, **kwargs):
        if path.name == "IM0004.dcm":
            raise PermissionError(13, "Permission denied")
        return opened(path, *args, **kwargs)

    monkeypatch.setattr(type(folder), "open", forbidden)
    with pytest.raises(SeriesError, match=r"IM0004\.dcm cannot be read: Permission denied") as caught:
        read_volume(folder)
    assert caught.value.code == "source.unreadable"
