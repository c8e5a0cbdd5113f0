"""What a batch plans: keys that stay, and a basis that changes with whatever can change a result."""

import os
from pathlib import Path

import pytest
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from cop_imaging.batch import plan_series
from cop_imaging.pipeline import Config


def write_slice(path: Path, series_uid: str) -> None:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = "1.2.3.4"
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    slice_ = FileDataset(str(path), Dataset(), file_meta=meta, preamble=b"\0" * 128)
    slice_.SeriesInstanceUID = series_uid
    path.parent.mkdir(parents=True, exist_ok=True)
    slice_.save_as(path, enforce_file_format=True)


@pytest.fixture
def archive(tmp_path):
    root = tmp_path / "archive"
    write_slice(root / "doe_jane/ct/1.dcm", "1.2.826.1")
    write_slice(root / "doe_jane/ct/2.dcm", "1.2.826.1")
    write_slice(root / "roe_richard/ct/1.dcm", "1.2.826.2")
    return root


def test_each_series_is_planned_once_with_its_folder_below_the_root(archive):
    assert [item.where for item in plan_series(archive, Config())] == ["doe_jane/ct", "roe_richard/ct"]


def test_keys_are_safe_names_that_say_nothing_of_the_patient(archive):
    for item in plan_series(archive, Config()):
        assert item.key.isalnum()
        assert "1.2.826" not in item.key


def test_an_untouched_series_keeps_key_and_basis(archive):
    assert plan_series(archive, Config()) == plan_series(archive, Config())


def test_a_series_keeps_its_key_when_the_archive_moves(archive, tmp_path):
    before = plan_series(archive, Config())
    archive.rename(tmp_path / "moved")
    after = plan_series(tmp_path / "moved", Config())
    assert [(i.key, i.basis) for i in after] == [(i.key, i.basis) for i in before]


def test_a_slice_that_arrives_late_changes_the_basis_of_its_series_alone(archive):
    before = plan_series(archive, Config())
    write_slice(archive / "doe_jane/ct/3.dcm", "1.2.826.1")
    after = plan_series(archive, Config())
    assert [a.key == b.key for a, b in zip(after, before, strict=True)] == [True, True]
    assert [a.basis == b.basis for a, b in zip(after, before, strict=True)] == [False, True]


def test_a_slice_that_is_replaced_changes_the_basis(archive):
    before = plan_series(archive, Config())
    os.utime(archive / "roe_richard/ct/1.dcm", ns=(1, 1))
    assert [a.basis == b.basis for a, b in zip(plan_series(archive, Config()), before, strict=True)] == [True, False]


def test_other_versions_change_every_basis(archive, monkeypatch):
    before = plan_series(archive, Config())
    monkeypatch.setattr("cop_imaging.batch.plan.versions", lambda: {"cop-imaging": "999"})
    assert not {item.basis for item in plan_series(archive, Config())} & {item.basis for item in before}
