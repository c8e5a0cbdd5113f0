import itertools
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cop_imaging.ingest.geometry_config import GeometryConfig
from cop_imaging.ingest.headers import Header
from cop_imaging.ingest.records import Plane, SliceRecord
from cop_imaging.ingest.splitting import stacks_of

SUPINE = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0))
PRONE = ((-1.0, 0.0, 0.0), (0.0, -1.0, 0.0))
CORONAL = ((1.0, 0.0, 0.0), (0.0, 0.0, -1.0))
CONFIG = GeometryConfig()


def one(n, position, axes=SUPINE, shape=(64, 60), spacing=(5.0, 6.0), **fields):
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
        "plane": Plane(tuple(map(float, position)), *axes, shape, spacing),
        "thickness_mm": 1.25,
        "kernel": "B30f",
        "kvp": 120.0,
        "acquisition": "1",
        "phase": None,
        "heart_phase": None,
    }
    return SliceRecord(**{**known, **fields})


def scan(count=100, step=1.25, start=-300.0, first=0, axes=SUPINE, **fields):
    return [one(first + n, (-180.0, -170.0, start + n * step), axes, **fields) for n in range(count)]


def different(one, other):
    return False


def same(one, other):
    return True


def verdict(records, same_image=different, config=CONFIG):
    """What became of a series: its stacks by number of slices, the codes of their issues, the codes of refusals."""
    stacks, errors = stacks_of(records, config, same_image)
    found = [(len(s.slices), *(i.code for i in s.issues)) for s in stacks]
    return found, [e.code for e in errors]


KEYS = {
    "phase": ("1", "2"),
    "heart_phase": ("40", "75"),
    "acquisition": ("1", "2"),
    "kvp": (80.0, 140.0),
    "image_type": (("ORIGINAL", "PRIMARY", "AXIAL"), ("DERIVED", "SECONDARY", "MIP")),
    "thickness_mm": (1.25, 5.0),
}
WORDS = {
    "phase": "temporal position",
    "heart_phase": "cardiac phase",
    "acquisition": "acquisition number",
    "kvp": "tube voltage",
    "image_type": "image type",
    "thickness_mm": "slice thickness",
}


@pytest.mark.parametrize("key", KEYS)
def test_a_regular_series_is_one_stack_whatever_its_acquisition_keys(key):
    low, high = KEYS[key]
    records = [replace(r, **{key: low if n < 50 else high}) for n, r in enumerate(scan())]
    stacks, errors = stacks_of(records, CONFIG, different)
    assert ([len(s.slices) for s in stacks], errors) == ([100], ())
    assert "series.multiple_phases" not in [i.code for i in stacks[0].issues]


@pytest.mark.parametrize("key", KEYS)
def test_scans_at_the_same_positions_are_told_apart_by_each_key(key):
    low, high = KEYS[key]
    records = scan(**{key: low}) + scan(first=200, **{key: high})
    stacks, errors = stacks_of(records[::-1], CONFIG, different)
    assert errors == ()
    assert [s.slices for s in stacks] == [tuple(records[:100]), tuple(records[100:])]
    for found in stacks:
        (issue,) = [i for i in found.issues if i.code == "series.multiple_phases"]
        assert issue.measured == 2.0
        assert f"2 scans, told apart by their {WORDS[key]}" in issue.message


def test_the_first_key_that_makes_regular_stacks_is_the_one_that_splits():
    # Acquisitions alternate within each phase, as when a table shuttles.
    records = [
        replace(r, phase=phase, acquisition=str(n % 2))
        for phase, first in (("1", 0), ("2", 200))
        for n, r in enumerate(scan(first=first))
    ]
    stacks, _ = stacks_of(records, CONFIG, different)
    assert [len(s.slices) for s in stacks] == [100, 100]
    assert "temporal position" in stacks[0].issues[0].message


def test_two_keys_together_tell_four_scans_apart():
    records = [
        r
        for n, (phase, kvp) in enumerate(itertools.product(("1", "2"), (80.0, 140.0)))
        for r in scan(first=200 * n, phase=phase, kvp=kvp)
    ]
    found, errors = verdict(records)
    assert ([n for n, *_ in found], errors) == ([100] * 4, [])


def test_different_images_that_no_key_tells_apart_are_refused():
    stacks, (error,) = stacks_of(scan() + scan(first=200), CONFIG, different)
    assert (stacks, error.code) == ((), "slices.conflicting")
    assert "100 slices lie where" in str(error)


def test_one_different_image_is_enough_to_refuse():
    clash = one(500, (-180.0, -170.0, -300.0 + 40 * 1.25))
    stacks, (error,) = stacks_of([*scan(), clash], CONFIG, different)
    assert (stacks, error.code) == ((), "slices.conflicting")
    assert "z = -250.0 mm" in str(error)


def test_pixels_are_compared_only_where_positions_repeat_and_no_more_once_images_differ():
    asked = []

    def noted(one, other):
        asked.append((one.instance, other.instance))
        return False

    verdict(scan(), noted)
    assert asked == []
    verdict(scan(phase="1") + scan(first=200, phase="2"), noted)
    assert asked == []
    verdict(scan() + scan(first=200), noted)
    assert len(asked) <= 2


def test_copies_are_dropped_and_counted():
    copies = [replace(r, sop_uid=f"9.{r.instance}", instance=r.instance + 500) for r in scan()[10:40]]
    (found,), errors = stacks_of(copies + scan(), CONFIG, same)
    assert errors == ()
    assert found.slices == tuple(scan())
    assert [(i.code, i.measured) for i in found.issues] == [("slices.duplicate", 30.0)]


def test_copies_under_another_key_that_are_no_scan_of_their_own_are_copies_too():
    places = np.flatnonzero(np.random.default_rng(1).random(100) < 0.3)
    copies = [replace(scan()[n], sop_uid=f"9.{n}", kvp=None) for n in places]
    assert verdict(copies + scan(), same) == ([(100, "slices.duplicate")], [])
    assert verdict(copies + scan(), different) == ([], ["slices.conflicting"])


def test_frames_of_one_object_are_no_copies():
    frames = [replace(r, sop_uid="1.7", header=replace(r.header, frame=n)) for n, r in enumerate(scan())]
    assert verdict(frames) == ([(100,)], [])


def test_one_uid_for_all_slices_does_not_make_them_copies():
    assert verdict([replace(r, sop_uid="1.7") for r in scan()]) == ([(100,)], [])


def test_an_image_of_another_centre_is_no_copy():
    aside = [one(500 + n, (-130.0, -170.0, -300.0 + n * 1.25)) for n in range(100)]
    assert verdict(scan() + aside, same) == ([], ["slices.conflicting"])


def test_overlapping_blocks_are_split_by_acquisition():
    # The second block starts within the first, off its grid.
    records = scan(90, acquisition="1") + scan(80, first=200, start=-200.3, acquisition="2")
    found, errors = verdict(records)
    assert found == [(90, "series.multiple_phases"), (80, "series.multiple_phases")]
    assert errors == []


def test_interleaved_scans_are_split_by_acquisition():
    records = scan(acquisition="1") + scan(first=200, start=-299.9, acquisition="2")
    assert verdict(records) == ([(100, "series.multiple_phases")] * 2, [])
    # Off by a third of the distance they could be one grid with every third slice missing.
    records = scan(acquisition="1") + scan(first=200, start=-300.0 + 1.25 / 3, acquisition="2")
    assert verdict(records) == ([(100, "series.multiple_phases")] * 2, [])


def test_a_missing_slice_between_two_acquisitions_stays_missing():
    records = scan(70, acquisition="1") + scan(70, first=200, start=-300.0 + 71 * 1.25, acquisition="2")
    stacks, (error,) = stacks_of(records, CONFIG, different)
    assert (stacks, error.code) == ((), "slices.missing")


def test_monitoring_slices_at_one_place_do_not_spoil_the_scan():
    monitoring = [one(500 + n, (-180.0, -170.0, -250.1), acquisition=str(10 + n)) for n in range(8)]
    found, errors = verdict(scan() + monitoring)
    assert found == [(100, "series.multiple_phases", "slices.stray_dropped")]
    assert errors == []


def test_an_irregular_series_that_no_key_makes_regular_says_what_the_whole_lacks():
    z = [*np.arange(14) * 4.22, *(14 * 4.22 + 1.14 + np.arange(14) * 7.38)]
    records = [
        one(n, (-125.0, -123.5, z), acquisition=str(n), thickness_mm=4.0 if n < 14 else 7.0) for n, z in enumerate(z)
    ]
    stacks, (error,) = stacks_of(records, CONFIG, different)
    assert (stacks, error.code) == ((), "slices.uneven_spacing")


@pytest.mark.parametrize("fields", [{"shape": (48, 60)}, {"spacing": (7.0, 7.0)}], ids=["matrix", "pixel spacing"])
@pytest.mark.parametrize("half", [lambda n: n % 2, lambda n: n // 50], ids=["every other slice", "upper half"])
def test_one_stack_in_two_matrices_is_refused(fields, half):
    other = scan(**fields)
    records = [other[n] if half(n) else r for n, r in enumerate(scan())]
    stacks, (error,) = stacks_of(records, CONFIG, different)
    assert (stacks, error.code) == ((), "geometry.inconsistent")
    assert "50, 50 slices" in str(error)


def test_one_stack_in_three_matrices_is_refused():
    records = [one(n, (-180.0, -170.0, 1.25 * n), shape=(64, 60 + n % 3)) for n in range(99)]
    assert verdict(records) == ([], ["geometry.inconsistent"])


def test_one_stack_in_two_orientations_is_refused():
    turned = ((np.cos(0.05), np.sin(0.05), 0.0), (-np.sin(0.05), np.cos(0.05), 0.0))
    records = [replace(r, plane=replace(r.plane, row=turned[0], column=turned[1])) for r in scan()[50:]]
    assert verdict(scan()[:50] + records) == ([], ["geometry.inconsistent"])


@pytest.mark.parametrize(
    "fields",
    [
        {"shape": (48, 60)},
        {"spacing": (7.0, 7.0)},
        {"start": -300.0 + 0.625, "shape": (48, 60)},
        {"start": -300.0 + 0.625, "shape": (48, 60), "count": 100},
        {"kernel": "B70f"},
        {"frame_of_reference": "9"},
        {"axes": PRONE},
    ],
    ids=["matrix", "pixel spacing", "matrix and start", "between each other", "kernel", "frame of reference", "prone"],
)
def test_two_complete_scans_are_two_stacks(fields):
    fields = {"count": 90, **fields}
    assert verdict(scan() + scan(first=200, **fields)) == ([(100,), (fields["count"],)], [])


def test_prone_slices_between_supine_ones_are_a_scan_of_their_own():
    supine = scan(25, step=10.0, thickness_mm=1.0)
    prone = scan(24, step=10.0, first=200, start=-295.0, axes=PRONE, thickness_mm=1.0)
    found, errors = verdict(supine + prone)
    assert ([n for n, *_ in found], errors) == ([25, 24], [])


def test_the_longest_stack_comes_first():
    phases = [r for n in (1, 2) for r in scan(70, first=200 * n, phase=str(n))]
    found, _ = verdict(phases + scan(80, first=600, kernel="B70f"))
    assert [n for n, *_ in found] == [80, 70, 70]


def test_a_few_coronal_slices_in_a_long_series_are_strays():
    coronal = [one(500 + n, (-180.0, 1.25 * n, 0.0), CORONAL) for n in range(11)]
    assert verdict(coronal + scan(200)) == ([(200, "slices.stray_dropped")], [])


def test_a_coronal_reformat_in_the_series_is_named_beside_the_axial_stack():
    coronal = [one(500 + n, (-180.0, 1.25 * n, 0.0), CORONAL) for n in range(60)]
    assert verdict(coronal + scan()) == ([(100,)], ["geometry.not_axial"])


def test_slices_without_a_place_are_refused_when_they_are_many():
    records = [replace(r, plane=None) if n % 2 else r for n, r in enumerate(scan())]
    assert verdict(records) == ([], ["geometry.missing"])


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_the_order_of_the_files_changes_nothing(seed):
    rng = np.random.default_rng(seed)
    copies = [replace(r, sop_uid=f"9.{r.instance}", instance=r.instance + 1000) for r in scan()[5:25]]
    records = [
        *scan(phase="1"),
        *scan(first=200, phase="2"),
        *scan(80, first=400, kernel="B70f"),
        *[replace(r, phase="1") for r in copies],
        *[one(900 + n, (0.0, 0.0, 0.0), CORONAL, shape=(9, 9 + n)) for n in range(5)],
    ]

    def copied(one, other):
        return abs(one.instance - other.instance) == 1000

    expected = stacks_of(records, CONFIG, copied)
    shuffled = stacks_of([records[n] for n in rng.permutation(len(records))], CONFIG, copied)
    assert shuffled[0] == expected[0]
    assert [(e.code, str(e)) for e in shuffled[1]] == [(e.code, str(e)) for e in expected[1]]
    assert [len(s.slices) for s in expected[0]] == [100, 100, 80]


@pytest.mark.parametrize("phases", [1, 10])
def test_five_thousand_slices_take_a_tenth_of_a_second_at_most(phases):
    each = 5000 // phases
    records = [r for p in range(phases) for r in scan(each, step=0.5, first=each * p, phase=str(p))]
    order = np.random.default_rng(0).permutation(5000)
    records = [records[n] for n in order]
    taken = []
    for _ in range(3):
        began = time.perf_counter()
        stacks, _ = stacks_of(records, CONFIG, different)
        taken.append(time.perf_counter() - began)
    assert [len(s.slices) for s in stacks] == [each] * phases
    assert min(taken) < 0.1


def test_thousands_of_tiny_acquisitions_do_not_hang():
    rng = np.random.default_rng(0)
    z = np.cumsum(rng.uniform(0.5, 1.5, 4000))
    records = [one(n, (-180.0, -170.0, z[n]), acquisition=str(n // 3), phase=str(n % 1000)) for n in range(4000)]
    began = time.perf_counter()
    assert verdict(records) == ([], ["slices.uneven_spacing"])
    assert time.perf_counter() - began < 5.0


@pytest.mark.parametrize("field", ["person", "study_uid"])
def test_two_patients_or_studies_under_one_series_uid_are_never_one_stack(field):
    # Interleaved they form a regular union, one above the other a longer one.
    odd_and_even = [replace(r, **{field: "ab"[n % 2]}) for n, r in enumerate(scan())]
    assert [count for count, *_ in verdict(odd_and_even)[0]] == [50, 50]
    one_above_the_other = [replace(r, **{field: "ab"[n // 120]}) for n, r in enumerate(scan(200))]
    assert [count for count, *_ in verdict(one_above_the_other)[0]] == [120, 80]


@pytest.mark.parametrize("field", ["person", "study_uid"])
def test_slices_that_do_not_name_their_patient_belong_to_the_only_one(field):
    records = [replace(r, **{field: "a" if n % 3 else ""}) for n, r in enumerate(scan())]
    assert verdict(records) == ([(100,)], [])


def test_a_study_for_each_slice_tells_nothing_apart():
    records = [replace(r, study_uid=f"3.{n}") for n, r in enumerate(scan())]
    assert verdict(records) == ([(100,)], [])
