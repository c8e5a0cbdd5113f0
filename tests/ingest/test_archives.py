"""Archives are unpacked where nothing in them can do harm."""

import errno
import gzip
import io
import random
import tarfile
import tracemalloc
import zipfile

import pytest

from cop_imaging.errors import SeriesError
from cop_imaging.ingest import archives
from cop_imaging.ingest.archives import ArchiveConfig, is_archive, unpacked
from cop_imaging.ingest.read import read_volume

SLICE = b"\0" * 128 + b"DICM" + b"x" * 5000
NAMES = ["../../up.dcm", "/etc/absolute.dcm", "a/IM0001.dcm", "b/IM0001.dcm", "DOE^JANE/é\u202e.dcm", "c:\\x.dcm"]


def zipped(path, members, **options):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, **options) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return path


def tarred(path, members, mode="w:gz"):
    with tarfile.open(path, mode) as archive:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def contents(path, config=None):
    with unpacked(path, config or ArchiveConfig()) as found:
        files = sorted(p for p in found.folder.rglob("*") if p.is_file())
        assert all(found.folder in p.resolve().parents for p in files)
        read = [p.read_bytes() for p in files]
    assert not found.folder.exists()
    return read, found.damaged


@pytest.mark.parametrize("pack", [zipped, tarred])
def test_no_path_inside_decides_where_anything_is_written(pack, tmp_path):
    before = set(tmp_path.rglob("*"))
    archive = pack(tmp_path / "x.bin", [(name, SLICE) for name in NAMES])
    read, damaged = contents(archive)
    assert (read, damaged) == ([SLICE] * len(NAMES), ())
    assert set(tmp_path.rglob("*")) - before == {archive}


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_an_archive_is_known_by_its_content(mode, tmp_path):
    assert is_archive(tarred(tmp_path / "study", [("a", SLICE)], mode))
    assert is_archive(zipped(tmp_path / "study2", [("a", SLICE)]))
    (tmp_path / "liar.zip").write_bytes(b"nothing of the kind" * 50)
    assert not is_archive(tmp_path / "liar.zip")


def test_links_and_devices_are_ignored(tmp_path):
    path = tmp_path / "links.tar"
    with tarfile.open(path, "w") as archive:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE):
            info = tarfile.TarInfo(f"link{kind!r}")
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
        info = tarfile.TarInfo("a.dcm")
        info.size = len(SLICE)
        archive.addfile(info, io.BytesIO(SLICE))
    assert contents(path) == ([SLICE], ())


def test_what_is_neither_dicom_nor_an_image_is_left_inside(tmp_path):
    members = [("readme.txt", b"hello" * 100), ("inner.zip", b"PK\3\4" + b"0" * 500), ("brain.nii", b"1" * 400)]
    assert contents(zipped(tmp_path / "a.zip", members)) == ([b"1" * 400], ())


@pytest.mark.parametrize("pack", [zipped, tarred])
def test_a_bomb_is_refused_before_it_fills_the_disk(pack, tmp_path):
    bomb = pack(tmp_path / "bomb", [(f"{n}.dcm", SLICE + b"\0" * 20_000_000) for n in range(3)])
    with pytest.raises(SeriesError) as caught:
        contents(bomb)
    assert caught.value.code == "source.too_large"


def test_a_bomb_of_what_is_not_wanted_is_refused_as_well(tmp_path):
    bomb = tarred(tmp_path / "bomb", [(f"{n}.txt", b"\0" * 20_000_000) for n in range(3)])
    with pytest.raises(SeriesError) as caught:
        contents(bomb)
    assert caught.value.code == "source.too_large"


def test_more_members_than_the_limit_are_refused(tmp_path):
    many = zipped(tmp_path / "many.zip", [(f"{n}.dcm", SLICE) for n in range(20)])
    with pytest.raises(SeriesError) as caught:
        contents(many, ArchiveConfig(most_members=10))
    assert caught.value.code == "source.too_large"


def test_a_damaged_member_is_named_and_the_others_are_read(tmp_path):
    path = zipped(tmp_path / "a.zip", [("IM0001.dcm", SLICE), ("IM0002.dcm", SLICE + b"unlike"), ("DOE.dcm", SLICE)])
    data = bytearray(path.read_bytes())
    at = data.index(b"IM0002.dcm") + 30
    data[at : at + 10] = b"\xff" * 10
    path.write_bytes(data)
    read, damaged = contents(path)
    assert read == [SLICE, SLICE]
    assert damaged == ("IM0002.dcm",)


def test_an_archive_that_is_cut_off_keeps_what_came_before(tmp_path):
    path = tarred(tmp_path / "a.tar", [(f"IM{n:04d}.dcm", SLICE) for n in range(10)], "w")
    path.write_bytes(path.read_bytes()[: 6 * 6000])
    read, damaged = contents(path)
    assert 3 <= len(read) < 10
    assert damaged


def test_an_archive_of_damage_alone_is_refused(tmp_path):
    path = zipped(tmp_path / "a.zip", [("IM0001.dcm", SLICE)])
    data = bytearray(path.read_bytes())
    data[45:60] = b"\xff" * 15
    path.write_bytes(data)
    with pytest.raises(SeriesError) as caught:
        contents(path)
    assert caught.value.code == "source.damaged"


TAR_MODES = ["w", "w:gz", "w:bz2", "w:xz"]


def thirty(path, mode="w"):
    return tarred(path, [(f"IM{n:04d}.dcm", SLICE) for n in range(30)], mode)


def block_of(n):
    """Where member n begins in the plain archive."""
    return n * (512 + -(-len(SLICE) // 512) * 512)


@pytest.mark.parametrize("cut", [True, False])
def test_a_tail_that_is_lost_is_never_lost_silently(cut, tmp_path):
    # The header of member 20 is damaged, or the archive ends exactly before it.
    path = thirty(tmp_path / "a.tar")
    data = path.read_bytes()
    at = block_of(20)
    path.write_bytes(data[:at] if cut else data[:at] + b"\xff" * 200 + data[at + 200 :])
    read, damaged = contents(path)
    assert len(read) == 20
    assert damaged == ("everything after member 20",)


@pytest.mark.parametrize("mode", TAR_MODES[1:])
def test_damage_in_a_compressed_stream_is_told(mode, tmp_path):
    generator = random.Random(1)
    members = [(f"IM{n:04d}.dcm", SLICE + generator.randbytes(20_000)) for n in range(30)]
    path = tarred(tmp_path / "a", members, mode)
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 40] = b"\xff" * 40
    path.write_bytes(data)
    try:
        _, damaged = contents(path)
    except SeriesError as error:
        damaged = (error.code,)
    assert damaged
    assert damaged[0] == "source.damaged" or damaged[0].startswith("everything after")


def test_a_checksum_that_does_not_fit_is_told(tmp_path):
    path = thirty(tmp_path / "a", "w:gz")
    data = bytearray(path.read_bytes())
    data[-8] ^= 1
    path.write_bytes(data)
    assert contents(path)[1] == ("everything after member 30",)


def test_a_bz2_member_that_is_damaged_is_named_and_the_others_are_read(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_BZIP2) as archive:
        for n in range(3):
            archive.writestr(f"IM{n:04d}.dcm", SLICE)
    data = bytearray(path.read_bytes())
    at = data.index(b"IM0001.dcm") + 30
    data[at : at + 10] = b"\xff" * 10
    path.write_bytes(data)
    read, damaged = contents(path)
    assert read == [SLICE, SLICE]
    assert damaged == ("IM0001.dcm",)


@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE])
def test_a_name_of_a_gigabyte_asks_for_no_memory(kind, tmp_path):
    info = tarfile.TarInfo("x")
    info.type, info.size = kind, 1 << 30
    with gzip.open(tmp_path / "a", "wb", compresslevel=1) as out:
        out.write(info.tobuf(tarfile.GNU_FORMAT))
        for _ in range(64):
            out.write(bytes(1 << 20))
    tracemalloc.start()
    try:
        with pytest.raises(SeriesError):
            contents(tmp_path / "a")
        assert tracemalloc.get_traced_memory()[1] < 40 << 20
    finally:
        tracemalloc.stop()


def test_an_encrypted_member_is_damage_to_us(tmp_path):
    path = zipped(tmp_path / "a.zip", [("IM0001.dcm", SLICE)])
    data = bytearray(path.read_bytes())
    for magic, flag_at in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        data[data.index(magic) + flag_at] |= 1
    path.write_bytes(data)
    with pytest.raises(SeriesError) as caught:
        contents(path)
    assert caught.value.code == "source.damaged"


def test_a_full_disk_is_told_and_leaves_nothing(tmp_path, monkeypatch):
    path = zipped(tmp_path / "a.zip", [("IM0001.dcm", SLICE)])

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(archives, "_copy", full)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    with pytest.raises(SeriesError, match="No space left") as caught:
        contents(path)
    assert caught.value.code == "source.unreadable"
    assert [p.name for p in tmp_path.iterdir()] == ["a.zip"]


def test_a_series_without_its_damaged_member_is_refused_for_the_gap(write, tmp_path):
    folder = write()
    members = [(path.name, path.read_bytes()) for path in sorted(folder.iterdir())]
    path = zipped(tmp_path / "ct.zip", members)
    data = bytearray(path.read_bytes())
    at = data.index(b"IM0020.dcm") + 40
    data[at : at + 8] = b"\xff" * 8
    path.write_bytes(data)
    with pytest.raises(SeriesError) as caught:
        read_volume(path)
    assert caught.value.code == "slices.missing"


def test_a_sparse_member_that_stands_for_gigabytes_is_not_unpacked(tmp_path):
    # GNU sparse header: 512 bytes of data at 0, an empty piece at 3 GiB, and that as the whole length.
    header = bytearray(512)
    fields = {0: b"IM01.dcm", 100: b"0000644\0", 108: b"0000000\0", 116: b"0000000\0", 124: b"%011o\0" % 512}
    fields |= {136: b"%011o\0" % 0, 148: b" " * 8, 156: b"S", 257: b"ustar  \0"}
    fields |= {386: b"%011o\0" % 0, 398: b"%011o\0" % 512, 410: b"%011o\0" % (3 << 30), 422: b"%011o\0" % 0}
    fields |= {483: b"%011o\0" % (3 << 30)}
    for at, value in fields.items():
        header[at : at + len(value)] = value
    header[148:156] = b"%06o\0 " % sum(header)
    path = tmp_path / "a.tar"
    path.write_bytes(bytes(header) + b"\0" * 128 + b"DICM" + b"\0" * 380 + b"\0" * 1024)
    with pytest.raises(SeriesError) as caught:
        contents(path)
    assert caught.value.code == "source.damaged"
