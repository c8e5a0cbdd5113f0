"""From the command line to a source, and credentials that are read in one place."""

from pathlib import Path

import pytest

from cop_imaging.archive import ArchiveAccess, Credentials, DicomWebSource, DimseSource, FolderSource, Query
from cop_imaging.cli.source import credentials_from, source_of
from cop_imaging.errors import UsageError


@pytest.fixture
def at():
    query, access, credentials = Query("CT", "20200101"), ArchiveAccess(idle_s=7.0), Credentials(token="s3cret")
    return lambda address: source_of(address, query=query, access=access, credentials=credentials)


def test_a_folder_is_the_same_source_from_wherever_it_is_named(at, tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    named = at("archive/")
    monkeypatch.chdir("elsewhere")
    assert named == at("../archive") == FolderSource(tmp_path / "archive")


def test_an_address_chooses_the_kind_of_source(at):
    assert at("/data/ct") == FolderSource(Path("/data/ct"))
    web = at("https://pacs.example.org/dicom-web/")
    assert isinstance(web, DicomWebSource)
    assert web.address == "https://pacs.example.org/dicom-web"
    pacs = at("DIMSES://pacs.example.org:2762/ARCHIVE")
    assert isinstance(pacs, DimseSource)
    assert pacs.tls
    for source in (web, pacs):
        assert (source.query.first_day, source.access.idle_s, source.credentials.token) == ("20200101", 7.0, "s3cret")
        assert "s3cret" not in repr(source)


@pytest.mark.parametrize(
    "address",
    ["ftp://host/s3cret", "https://a:s3cret@host/x", "dimse://a:s3cret@host:104/PACS", "https://host/x?token=s3cret"],
)
def test_an_address_that_is_not_understood_is_not_repeated(at, address):
    with pytest.raises(UsageError) as caught:
        at(address)
    assert "s3cret" not in str(caught.value)


def test_credentials_come_from_the_environment_and_a_file_goes_before_it(tmp_path):
    environment = {
        "COP_IMAGING_ARCHIVE_USER": "reader",
        "COP_IMAGING_ARCHIVE_PASSWORD": "one\n",
        "COP_IMAGING_ARCHIVE_CA": "/etc/ca.pem",
        "COP_IMAGING_ARCHIVE_TOKEN": "",
        "PASSWORD": "other",
    }
    assert credentials_from(None, environment) == Credentials("reader", "one", ca=Path("/etc/ca.pem"))
    file = tmp_path / "credentials.toml"
    file.write_text('password = "two"\ncertificate = "~/me.pem"\n')
    given = credentials_from(file, environment)
    assert (given.user, given.password, given.certificate) == ("reader", "two", Path("~/me.pem").expanduser())
    assert credentials_from(None, {}) == Credentials()


@pytest.mark.parametrize("text", ["password = s3cret", "pasword = 's3cret'", "password = 3", "user = 's3cret'"])
def test_a_file_that_holds_no_credentials_is_refused_without_a_word_of_it(text, tmp_path):
    file = tmp_path / "credentials.toml"
    file.write_text(text)
    with pytest.raises(UsageError) as caught:
        credentials_from(file, {})
    assert "s3cret" not in str(caught.value)
    with pytest.raises(UsageError, match="cannot be read"):
        credentials_from(tmp_path / "nowhere.toml", {})
