import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cop_imaging.errors import SeriesError
from cop_imaging.ingest.geometry_config import GeometryConfig
from cop_imaging.ingest.planes import Placed
from cop_imaging.ingest.records import Plane
from cop_imaging.ingest.spacing import fitted_line, grid_places

STEPS = st.floats(0.4, 12.0)
STARTS = st.floats(-1500.0, 1500.0)
TILTED = ((1.0, 0.0, 0.0), (0.0, 0.8, -0.6))


def places(z_mm, axes=((1.0, 0.0, 0.0), (0.0, 1.0, 0.0)), config=None):
    z_mm = np.asarray(z_mm, float)
    positions = z_mm if z_mm.ndim == 2 else np.stack([np.full_like(z_mm, 7.123), np.full_like(z_mm, 7.123), z_mm], 1)
    placed = Placed((), Plane((0.0, 0.0, 0.0), *axes, (9, 9), (1.0, 1.0)), positions)
    return list(grid_places(placed, config or GeometryConfig()))


def refusal(z_mm, **options):
    with pytest.raises(SeriesError) as caught:
        places(z_mm, **options)
    assert caught.value.code == "slices.uneven_spacing"
    return str(caught.value)


@given(step=STEPS, start=STARTS, count=st.integers(3, 60))
def test_a_regular_grid_is_full_wherever_it_starts(step, start, count):
    assert places(start + step * np.arange(count)) == list(range(count))


@given(step=STEPS, start=STARTS, count=st.integers(20, 60), data=st.data())
def test_missing_slices_leave_their_places_empty(step, start, count, data):
    gone = data.draw(st.sets(st.integers(1, count - 2), min_size=1, max_size=3))
    left = [n for n in range(count) if n not in gone]
    assert places(start + step * np.array(left)) == left


@given(step=STEPS, start=STARTS, at=st.integers(1, 28), share=st.floats(0.1, 0.4), sign=st.sampled_from([-1, 1]))
def test_one_slice_out_of_place_is_uneven(step, start, at, share, sign):
    z = start + 0.0123 + step * np.arange(30)
    z[at] += sign * share * step
    refusal(z)


@given(step=STEPS, scale=st.floats(1.5, 4.0), jitter=st.integers(0, 2**32 - 1))
def test_the_tolerance_follows_the_slice_distance(step, scale, jitter):
    off = np.random.default_rng(jitter).uniform(-0.01, 0.01, 30)
    z = 0.0123 + (np.arange(30) + off) * step
    assert places(z) == places(z * scale) == list(range(30))


@pytest.mark.parametrize("step", [0.625, 0.75, 1.25, 3.27])
def test_positions_written_to_one_decimal_are_regular(step):
    assert places(np.round(-310.0 + step * np.arange(60), 1)) == list(range(60))


def test_what_rounding_excuses_on_round_positions_is_uneven_on_exact_ones():
    z = -310.0 + 0.75 * np.arange(60)
    rounded = np.round(z, 1)
    assert places(rounded) == list(range(60))
    refusal(rounded + 0.0123)


def test_rounding_counts_along_a_leaning_normal_in_all_its_coordinates():
    normal = np.array([0.0, 0.6, 0.8])
    exact = np.arange(60)[:, None] * 0.8125 * normal + [7.123, 0.0, -310.0]
    rounded = np.column_stack([exact[:, 0], exact[:, 1:].round(1)])
    assert places(rounded, axes=TILTED) == list(range(60))


def test_two_distances_in_one_series_are_uneven_and_their_border_is_named():
    message = refusal(np.concatenate([np.arange(0, 60, 3.0), 60 + np.arange(0, 150, 5.0)]) + 0.0123)
    assert "3.00 to 5.00 mm" in message


def test_the_place_of_a_single_wide_step_is_named():
    message = refusal(np.concatenate([np.arange(20) * 1.03, 25.0 + np.arange(20) * 1.03]))
    assert "z = 19.6 and 25.0 mm" in message


def test_where_most_steps_are_double_the_smaller_one_is_that_of_the_grid():
    left = [n for n in range(30) if n % 3 != 1]
    assert places(1.25 * np.array(left)) == left


def test_a_slice_between_the_others_is_uneven():
    refusal(np.sort(np.append(np.arange(30) * 1.03, 15.5 * 1.03)))


def test_a_hole_of_half_the_scan_is_no_grid_with_missing_slices():
    refusal(np.concatenate([np.arange(20) * 1.03, (60 + np.arange(20)) * 1.03]))


def test_the_tolerance_is_a_setting():
    z = 0.0123 + 1.25 * np.arange(30)
    z[10] += 0.05
    refusal(z)
    assert places(z, config=GeometryConfig(uneven_percent=5.0)) == list(range(30))


@given(slope=st.floats(-3, 3), start=st.floats(-100, 100), step=STEPS)
def test_points_on_a_line_have_its_slope_and_no_residual(slope, start, step):
    at = step * np.arange(12.0)
    found, off = fitted_line(at, np.stack([start + slope * at, -slope * at], 1))
    assert found == pytest.approx([slope, -slope], abs=1e-9)
    assert np.abs(off).max() < 1e-9
