from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cop_imaging.errors import SeriesError
from cop_imaging.ingest.geometry_config import GeometryConfig
from cop_imaging.ingest.headers import Header
from cop_imaging.ingest.planes import same_plane
from cop_imaging.ingest.records import Plane, SliceRecord

CONFIG = GeometryConfig()


def one(n, z_mm, row=(1.0, 0.0, 0.0), column=(0.0, 1.0, 0.0), shape=(512, 512), spacing=(0.7, 0.7), **fields):
    known = {
        "header": Header(Path(f"{n}.dcm"), {}, "1.2.840.10008.1.2.1", None, None),
        "sop_class": "1.2.840.10008.5.1.4.1.1.2",
        "sop_uid": f"1.{n}",
        "series_uid": "2",
        "study_uid": "3",
        "person": "",
        "frame_of_reference": "4",
        "instance": n,
        "modality": "CT",
        "image_type": ("ORIGINAL", "PRIMARY", "AXIAL"),
        "plane": Plane((-180.0, -180.0, float(z_mm)), row, column, shape, spacing),
        "thickness_mm": 2.5,
        "kernel": "B30f",
        "kvp": 120.0,
        "acquisition": "1",
        "phase": None,
        "heart_phase": None,
    }
    return SliceRecord(**{**known, **fields})


def scan(count=40, first=0, start=0.0, step=2.5, **fields):
    return [one(first + n, start + step * n, **fields) for n in range(count)]


def groups(records, config=CONFIG):
    found = same_plane(records, config)
    return [[r.instance for r in g.records] for g in found.groups], found.strays


def refusal(records):
    with pytest.raises(SeriesError) as caught:
        same_plane(records, CONFIG)
    return caught.value


@given(order=st.permutations(range(40)))
def test_the_order_of_the_files_decides_nothing(order):
    records = scan()
    assert groups([records[n] for n in order]) == ([list(range(40))], 0)


def test_slices_lie_along_their_normal_whichever_way_it_points():
    downwards = scan(row=(-1.0, 0.0, 0.0))
    assert groups(downwards) == ([list(range(39, -1, -1))], 0)


def test_instance_numbers_and_names_decide_nothing():
    records = [replace(r, instance=(7 * n) % 40) for n, r in enumerate(scan())]
    (numbers,), _ = groups(records)
    assert numbers == [(7 * n) % 40 for n in range(40)]


@pytest.mark.parametrize(
    "other",
    [
        {"shape": (768, 768)},
        {"spacing": (0.7, 0.8)},
        {"kernel": "B70f"},
        {"frame_of_reference": "5"},
        {"row": (np.cos(0.01), np.sin(0.01), 0.0), "column": (-np.sin(0.01), np.cos(0.01), 0.0)},
    ],
    ids=lambda other: next(iter(other)),
)
def test_two_complete_sets_of_another_kind_stay_apart(other):
    found, strays = groups(scan() + scan(30, first=100, **other))
    assert found == [list(range(40)), list(range(100, 130))]
    assert strays == 0


@pytest.mark.parametrize(
    "fields",
    [
        {"kvp": 100.0},
        {"acquisition": "2"},
        {"phase": "2"},
        {"thickness_mm": 3.0},
        {"image_type": ("DERIVED", "SECONDARY")},
        {"frame_of_reference": ""},
        {"kernel": None},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_what_an_acquisition_changes_does_not_tear_a_stack(fields):
    records = scan()
    assert groups(records[:20] + [replace(r, **fields) for r in records[20:]]) == ([list(range(40))], 0)


@given(angles=st.lists(st.floats(-0.1, 0.1), min_size=40, max_size=40), noise=st.floats(-5e-4, 5e-4))
def test_rounded_cosines_and_spacings_are_one_plane(angles, noise):
    records = scan()
    for n, degrees in enumerate(angles):
        c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
        spacing = (0.7, 0.7 * (1.0 + noise)) if n % 3 == 0 else (0.7, 0.7)
        # Two thirds are exact: the commonest plane is what the others are held against.
        exact = n % 3 == 1
        row, column = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0)) if exact else ((c, s, 0.0), (-s, c, 0.0))
        plane = Plane((-180.0, -180.0, 2.5 * n), row, column, (512, 512), spacing)
        records[n] = replace(records[n], plane=plane)
    found, strays = groups(records)
    assert (len(found), strays) == (1, 0)


def test_a_few_slices_of_another_plane_are_left_out_and_counted():
    scouts = [one(100, 0, row=(0.0, 1.0, 0.0), column=(0.0, 0.0, -1.0)), one(101, 9, shape=(888, 733))]
    assert groups(scan() + scouts) == ([list(range(40))], 2)


def test_too_many_scattered_slices_are_refused_with_their_numbers():
    scattered = [one(100 + n, 3 * n, shape=(512, 600 + n)) for n in range(8)]
    error = refusal(scan() + scattered)
    assert error.code == "geometry.inconsistent"
    assert "9 orientations" in str(error)
    assert "(40, 1, 1, " in str(error)


def test_a_frame_of_reference_for_each_slice_tells_nothing_apart():
    records = [replace(r, frame_of_reference=f"4.{n}") for n, r in enumerate(scan())]
    assert groups(records) == ([list(range(40))], 0)


def test_a_rotation_in_which_no_slice_is_like_another_is_refused_however_long():
    angles = np.linspace(0.1, 1.4, 2000)
    turning = [
        one(n, 0, row=(float(np.cos(a)), float(np.sin(a)), 0.0), column=(0.0, 0.0, -1.0), shape=(9 + n, 9))
        for n, a in enumerate(angles)
    ]
    assert refusal(turning).code == "geometry.inconsistent"


@pytest.mark.parametrize(("lost", "refused"), [(4, False), (5, True)])
def test_slices_without_a_place_are_left_out_while_they_are_few(lost, refused):
    records = [replace(r, plane=None) if n < lost else r for n, r in enumerate(scan())]
    if refused:
        error = refusal(records)
        assert error.code == "geometry.missing"
        assert "5 of 40 slices" in str(error)
    else:
        assert groups(records) == ([list(range(4, 40))], 4)


def test_a_position_beyond_any_table_is_none():
    assert refusal([one(n, 1e30 * n) for n in range(1, 20)]).code == "geometry.missing"
