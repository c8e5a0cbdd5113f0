import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.encaps import encapsulate

from cop_imaging.ingest.fragments import frames_of, single_frame

DELIMITER = struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)


def items(streams, **how):
    """Pixel Data as it lies in a file: pydicom puts the delimiter behind it only when it writes one."""
    return encapsulate(streams, **how) + DELIMITER


# Of even length, as fragments are.
STREAMS = st.lists(st.binary(min_size=8, max_size=60).map(lambda b: b + bytes(len(b) % 2)), min_size=1, max_size=5)


@given(stream=st.binary(min_size=20, max_size=90), pieces=st.integers(1, 4), table=st.booleans())
def test_a_frame_in_several_fragments_is_one_stream(stream, pieces, table):
    whole = single_frame(items([stream], fragments_per_frame=pieces, has_bot=table))
    assert whole[: len(stream)] == stream
    assert len(whole) - len(stream) <= pieces


@given(streams=STREAMS, pieces=st.integers(1, 3))
def test_an_offset_table_tells_frames_of_several_fragments_apart(tmp_path_factory, streams, pieces):
    path = tmp_path_factory.mktemp("frames") / "file"
    path.write_bytes(b"head" + items(streams, fragments_per_frame=pieces, has_bot=True))
    found = frames_of(path, 4)
    assert [f[: len(s)] for f, s in zip(found, streams, strict=True)] == streams


@given(streams=STREAMS)
def test_without_a_table_each_fragment_is_a_frame(tmp_path_factory, streams):
    path = tmp_path_factory.mktemp("frames") / "file"
    path.write_bytes(items(streams, has_bot=False))
    assert list(frames_of(path, 0)) == streams


@given(streams=STREAMS, kept=st.floats(0, 0.999))
def test_items_that_are_cut_off_are_never_taken_for_whole(streams, kept):
    data = items(streams)
    with pytest.raises((ValueError, struct.error)):
        single_frame(data[: int(kept * len(data))])


def test_a_length_beyond_the_end_is_refused_before_memory_is_asked_for():
    data = struct.pack("<HHI", 0xFFFE, 0xE000, 0) + struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFF0) + bytes(16)
    with pytest.raises(ValueError, match="cut off"):
        single_frame(data)


def test_a_table_alone_is_no_frame():
    data = struct.pack("<HHI", 0xFFFE, 0xE000, 0) + DELIMITER
    with pytest.raises(ValueError, match="no fragment"):
        single_frame(data)
