from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.uid import ImplicitVRLittleEndian

from cop_imaging.errors import SeriesError
from cop_imaging.ingest.config import IngestConfig
from cop_imaging.ingest.headers import Plane, SliceRecord
from cop_imaging.ingest.planes import Placed
from cop_imaging.ingest.spacing import check_spacing

STEPS = st.floats(0.4, 12.0)
STARTS = st.floats(-1500.0, 1500.0)


def check(z_mm):
    record = SliceRecord(Path("a"), "", "", "", None, "CT", (), None, None, ImplicitVRLittleEndian, Dataset())
    placed = [
        Placed(record, Plane((0.0, 0.0, float(z)), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (9, 9), (1.0, 1.0)), float(z))
        for z in z_mm
    ]
    check_spacing(placed, np.asarray(z_mm, float), IngestConfig())


def refusal(z_mm):
    with pytest.raises(SeriesError) as caught:
        check(z_mm)
    return caught.value


@given(step=STEPS, start=STARTS, count=st.integers(3, 60))
def test_a_regular_grid_passes_wherever_it_starts(step, start, count):
    check(start + step * np.arange(count))


@given(step=STEPS, start=STARTS, count=st.integers(20, 60), data=st.data())
def test_missing_slices_are_named_by_their_place(step, start, count, data):
    z = start + step * np.arange(count)
    gone = data.draw(st.sets(st.integers(1, count - 2), min_size=1, max_size=3))
    error = refusal(np.delete(z, sorted(gone)))
    assert error.code == "slices.missing"
    assert ", ".join(f"{z[n]:.1f}" for n in sorted(gone)) in str(error).replace("-0.0", "0.0")


@given(step=STEPS, start=STARTS, at=st.integers(1, 28), share=st.floats(0.1, 0.4), sign=st.sampled_from([-1, 1]))
def test_one_slice_out_of_place_is_uneven(step, start, at, share, sign):
    z = start + 0.0123 + step * np.arange(30)
    z[at] += sign * share * step
    assert refusal(z).code == "slices.uneven_spacing"


@pytest.mark.parametrize("step", [0.625, 0.75, 1.25, 3.27])
def test_positions_written_to_one_decimal_are_regular(step):
    check(np.round(-310.0 + step * np.arange(60), 1))


def test_two_distances_in_one_series_are_uneven():
    z = np.concatenate([np.arange(0, 60, 3.0), 60 + np.arange(0, 100, 5.0)])
    error = refusal(z)
    assert error.code == "slices.uneven_spacing"
    assert "3.00 to 5.00 mm" in str(error)


def test_a_gap_that_is_no_whole_number_of_slices_is_uneven():
    assert refusal(np.concatenate([np.arange(20) * 1.03, 25.0 + np.arange(20) * 1.03])).code == "slices.uneven_spacing"


def test_a_slice_between_the_others_is_uneven():
    assert refusal(np.sort(np.append(np.arange(30) * 1.03, 15.5 * 1.03))).code == "slices.uneven_spacing"
