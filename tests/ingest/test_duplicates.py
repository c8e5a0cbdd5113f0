from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cop_imaging.ingest.duplicates import without_copies
from cop_imaging.ingest.geometry_config import GeometryConfig
from cop_imaging.ingest.headers import Header
from cop_imaging.ingest.planes import same_plane
from cop_imaging.ingest.records import Plane, SliceRecord

CONFIG = GeometryConfig()


def one(n, z_mm, image, x_mm=0.0, uid=None, frame=None):
    """A slice at a height; its kernel stands for what its pixels show."""
    return SliceRecord(
        header=Header(Path(f"{n}.dcm"), {}, "1.2.840.10008.1.2.1", None, None, frame=frame),
        sop_class="1.2.840.10008.5.1.4.1.1.2",
        sop_uid=f"1.{n}" if uid is None else uid,
        series_uid="2",
        study_uid="3",
        person="",
        frame_of_reference="4",
        instance=n,
        modality="CT",
        image_type=("ORIGINAL",),
        plane=Plane((x_mm, 0.0, float(z_mm)), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (9, 9), (1.0, 1.0)),
        thickness_mm=1.0,
        kernel="B30f",
        kvp=120.0,
        acquisition=image,
        phase=None,
        heart_phase=None,
    )


def left(records, scan=lambda _: None):
    (placed,) = same_plane(records, CONFIG).groups
    found = without_copies(placed, CONFIG, lambda one, other: one.acquisition == other.acquisition, scan)
    assert found.positions_mm.tolist() == [list(r.plane.position_mm) for r in found.records]
    return [r.instance for r in found.records]


@given(
    images=st.lists(st.lists(st.just("a") | st.just("b"), min_size=1, max_size=4), min_size=1, max_size=6),
    seed=st.integers(0, 2**32 - 1),
)
def test_of_copies_the_first_stays_and_no_image_is_lost(images, seed):
    records = [one(10 * z + n, z, image) for z, shown in enumerate(images) for n, image in enumerate(shown)]
    order = np.random.default_rng(seed).permutation(len(records))
    kept = left([records[n] for n in order])
    for z, shown in enumerate(images):
        here = [n - 10 * z for n in kept if n // 10 == z]
        assert here[0] == 0
        assert {shown[n] for n in here} == set(shown)
        if all(len(set(other)) == 1 for other in images):
            assert here == [0]


def test_positions_closer_than_rounding_are_one():
    assert left([one(1, 0.0, "a"), one(2, 0.005, "a"), one(3, 0.02, "a")]) == [1, 3]


def test_only_slices_of_one_scan_are_compared():
    records = [one(1, 0.0, "a"), one(2, 0.0, "a")]
    assert left(records, scan=lambda r: r.instance) == [1, 2]


def test_a_scan_in_which_images_differ_is_not_compared_further_but_others_are():
    records = [one(n, n // 4, image) for n, image in enumerate("abaaaabb")]
    assert left(records, scan=lambda r: r.instance % 4 < 2) == [0, 1, 2, 4, 5, 6]


def test_one_identity_with_two_images_is_no_copy():
    assert left([one(1, 0.0, "a", uid="7"), one(2, 0.0, "b", uid="7")]) == [1, 2]


def test_frames_of_one_object_at_one_position_are_compared_like_any_two_slices():
    assert left([one(1, 0.0, "a", uid="7", frame=0), one(2, 0.0, "b", uid="7", frame=1)]) == [1, 2]


def test_a_slice_beside_another_is_no_copy():
    assert left([one(1, 0.0, "a"), one(2, 0.0, "a", x_mm=5.0)]) == [1, 2]
