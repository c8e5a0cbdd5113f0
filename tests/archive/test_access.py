"""Credentials that show nothing, queries, patience and pace."""

import copy
import pickle
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cop_imaging.archive import ArchiveAccess, Credentials, DicomWebSource, DimseSource, Query
from cop_imaging.archive.patience import Pace, Passing, patiently
from cop_imaging.cli.config import SETTINGS_HEAD, setting_row
from cop_imaging.errors import MissingExtra, SourceError, UsageError


def failing(times, failure=None):
    left = [times]

    def work():
        if left[0]:
            left[0] -= 1
            raise failure or Passing(SourceError("away", code="source.unreachable"))
        return "done"

    return work


def test_credentials_show_nothing():
    given = Credentials("reader", "s3cret")
    assert "reader" not in f"{given!r}{given}" + repr({"c": given})
    assert copy.copy(given) == pickle.loads(pickle.dumps(given)) == given


@pytest.mark.parametrize(
    "given",
    [
        {"user": "a"},
        {"password": "a"},
        {"token": "a", "user": "b", "password": "c"},
        {"key": "a"},
        {"token": "a\nb"},
        {"user": "a:b", "password": "c"},
    ],
)
def test_half_or_doubled_credentials_are_refused(given):
    with pytest.raises(UsageError):
        Credentials(**given)


def test_a_certificate_file_that_is_none_is_told_in_a_line(tmp_path):
    wrong = tmp_path / "ca.pem"
    wrong.write_text("s3cret")
    for given in (Credentials(ca=wrong), Credentials(ca=tmp_path / "nowhere.pem"), Credentials(certificate=wrong)):
        with pytest.raises(UsageError, match="certificate, key or CA file cannot be used") as caught:
            given.client_context()
        assert "s3cret" not in str(caught.value)
    with pytest.raises(UsageError, match="needs a certificate"):
        Credentials().server_context()


@pytest.mark.parametrize("given", [{"first_day": "2020-01-01"}, {"last_day": "1"}, {"matches": (("NoKeyword", "x"),)}])
def test_a_query_that_no_archive_understands_is_refused(given):
    with pytest.raises(UsageError):
        Query(**given)


def test_an_open_range_of_days_is_written_as_the_standard_has_it():
    assert Query(first_day="20200101").study_keys == {"ModalitiesInStudy": "CT", "StudyDate": "20200101-"}
    assert Query(None, last_day="20200101").study_keys == {"StudyDate": "-20200101"}
    assert not Query(first_day="20200101").takes_study(None, "")


def test_work_is_done_again_until_it_succeeds(quick):
    assert patiently(failing(5), quick()) == "done"


def test_no_patience_means_one_attempt(quick):
    with pytest.raises(SourceError, match="away"):
        patiently(failing(1), quick(patience_s=0.0))


def test_a_limited_number_of_attempts_is_kept_whatever_the_patience(quick):
    failure = Passing(SourceError("short"), tries=3)
    assert patiently(failing(2, failure), quick()) == "done"
    with pytest.raises(SourceError, match="short"):
        patiently(failing(3, failure), quick())


def test_a_first_contact_is_not_waited_for_but_a_busy_server_is(quick):
    nobody = Passing(SourceError("nobody"), reached=False)
    with pytest.raises(SourceError, match="nobody"):
        patiently(failing(1, nobody), quick(), first_contact=True)
    assert patiently(failing(1, nobody), quick()) == "done"
    assert patiently(failing(1), quick(), first_contact=True) == "done"


def test_waits_grow_and_differ(quick, monkeypatch):
    waits = []
    monkeypatch.setattr(time, "sleep", waits.append)
    for _ in range(20):
        patiently(failing(6), quick(first_wait_s=1.0, longest_wait_s=8.0, patience_s=1000.0))
    by_attempt = list(zip(*[waits[n : n + 6] for n in range(0, 120, 6)], strict=True))
    for whole, some in zip((1.0, 2.0, 4.0, 8.0, 8.0, 8.0), by_attempt, strict=True):
        assert min(some) >= whole / 2
        assert max(some) <= whole
        assert len(set(some)) == 20


def test_other_errors_are_passed_on_at_once(quick):
    work = failing(1, SourceError("no", code="source.refused"))
    with pytest.raises(SourceError, match="no"):
        patiently(work, quick())


def test_a_pace_holds_over_all_that_use_it_and_a_copy_counts_anew():
    pace = Pace(50.0)
    start = time.monotonic()
    for _ in range(6):
        pace.wait()
    assert 0.1 <= time.monotonic() - start < 1.0
    start = time.monotonic()
    pickle.loads(pickle.dumps(pace)).wait()
    assert time.monotonic() - start < 0.02


def test_the_page_on_archives_states_the_settings_in_force():
    access = ArchiveAccess()
    rows = "\n".join([*SETTINGS_HEAD, *(setting_row(access, name) for name in type(access).model_fields)])
    page = (Path(__file__).parents[2] / "docs" / "archives.md").read_text(encoding="utf-8")
    assert rows in page, f"put this table into docs/archives.md:\n{rows}"


@pytest.mark.parametrize(
    ("library", "source", "extra"),
    [
        ("urllib3", DicomWebSource("http://127.0.0.1:9/dicom-web"), "dicomweb"),
        ("pynetdicom", DimseSource("127.0.0.1", 9, "PACS"), "pacs"),
    ],
)
def test_a_library_that_is_not_installed_is_named_with_its_install_line(library, source, extra, listed, monkeypatch):
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MissingExtra, match=rf"pip install 'cop-imaging\[{extra}\]'"):
        listed(source)


def test_sources_are_named_without_the_libraries_of_any_network():
    code = "import sys, cop_imaging.archive; print({'urllib3', 'pynetdicom', 'python_multipart'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
