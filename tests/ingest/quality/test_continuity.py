"""Slices that cannot continue their neighbours are named, sound ones beside them are not."""

import re
from dataclasses import replace

import imagecodecs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cop_imaging.core import CTVolume, Severity, Status, status_of
from cop_imaging.core.issue import EVERY_SIGN
from cop_imaging.ingest.quality import QualityConfig, assess
from cop_imaging.ingest.quality.continuity import continuity_issues, implausible_slices
from cop_imaging.synth import coarse_grid, healthy_chest

CONFIG = QualityConfig()


@pytest.fixture(scope="module")
def chest():
    return healthy_chest(3, geometry=coarse_grid()).volume


def with_hu(volume, hu, valid=None):
    return CTVolume(
        np.ascontiguousarray(hu),
        replace(volume.geometry, shape=hu.shape),
        volume.valid if valid is None else valid,
        volume.acquisition,
    )


def damaged(volume, slices, share=0.5, seed=0):
    """The last rows of some slices are noise, as after damage in the middle of a stream."""
    generator, hu = np.random.default_rng(seed), volume.hu.copy()
    for k in slices:
        rows = hu[k, round((1.0 - share) * hu.shape[1]) :]
        rows[...] = generator.integers(-1024, 3072, rows.shape)
    return with_hu(volume, hu)


def named(volume):
    return [k for k, _ in implausible_slices(volume, CONFIG)]


def issues(volume):
    return [issue for issue in assess(volume, CONFIG)[1] if issue.code == "pixels.implausible"]


def test_an_untouched_chest_is_silent_either_way_up_and_with_every_second_slice_left_out(chest):
    assert named(chest) == []
    assert named(with_hu(chest, chest.hu[::-1], np.ascontiguousarray(chest.valid[::-1]))) == []
    assert named(with_hu(chest, chest.hu[::2], np.ascontiguousarray(chest.valid[::2]))) == []


@pytest.mark.parametrize(
    "slices",
    [
        [40],
        [40, 41],
        [40, 42],
        [40, 41, 42],
        [20, 50, 51, 80],
        [0],
        [-1],
        [1],
        [0, 40, -1],
        [-2],
        list(range(30, 60, 2)),
    ],
)
def test_exactly_the_damaged_slices_are_named(chest, slices):
    wanted = sorted(k % len(chest.hu) for k in slices)
    assert named(damaged(chest, slices)) == wanted


@given(where=st.integers(2, 80), share=st.floats(0.35, 1.0), seed=st.integers(0, 9))
def test_damage_is_found_wherever_it_lies(chest, where, share, seed):
    assert named(damaged(chest, [where], share, seed)) == [where]


def test_a_stream_of_lossless_jpeg_with_wrong_bytes_decodes_and_is_found(chest):
    stream = bytearray(imagecodecs.ljpeg_encode((chest.hu[40].astype(np.int32) + 1024).astype(np.uint16)))
    stream[len(stream) // 3 : len(stream) // 3 + 16] = bytes(range(16))
    values = imagecodecs.jpeg8_decode(bytes(stream)).astype(np.int32) - 1024
    hu = chest.hu.copy()
    hu[40] = np.clip(values, -1024, 32767)
    assert named(with_hu(chest, hu)) == [40]


def test_what_was_not_scanned_in_one_slice_alone_is_damage_and_what_is_so_in_all_is_not(chest):
    one, valid = chest.hu.copy(), chest.valid.copy()
    one[40, 60:], valid[40, 60:] = -1024, False
    assert named(with_hu(chest, one, valid)) == [40]
    everywhere, valid = chest.hu.copy(), chest.valid.copy()
    everywhere[:, :60], valid[:, :60] = -1024, False
    assert named(with_hu(chest, everywhere, valid)) == []


def test_a_slice_of_another_place_does_not_fit_in(chest):
    hu = chest.hu.copy()
    hu[20] = np.roll(hu[60], 30, axis=1)
    assert named(with_hu(chest, hu)) == [20]


def test_noise_as_strong_as_the_limit_is_no_damage():
    grid = replace(coarse_grid(), shape=(30, 256, 256))
    hu = np.where(np.indices(grid.shape)[1] > 40, 40.0, -1000.0)
    hu += 300.0 * np.random.default_rng(1).standard_normal(grid.shape)
    assert named(CTVolume(np.clip(hu, -1024, 3071).astype(np.int16), grid)) == []


def test_slices_that_jump_to_and_fro_are_no_damage(chest):
    hu = chest.hu.copy()
    hu[::2] = np.roll(hu[::2], 2, axis=1)
    assert named(with_hu(chest, hu)) == []


@pytest.mark.parametrize("dense_hu", [3071, 32767])
def test_metal_that_ends_within_a_slice_is_no_damage(chest, dense_hu):
    hu = chest.hu.copy()
    hu[40, 50:60, 50:70] = dense_hu
    assert named(with_hu(chest, hu)) == []


def test_slices_with_gaps_and_fewer_than_three_are_not_judged(chest):
    bad = damaged(chest, [40])
    gaps = replace(bad, acquisition=bad.acquisition.model_copy(update={"contiguous": False}))
    assert named(gaps) == []
    two = with_hu(bad, bad.hu[40:42], np.ascontiguousarray(bad.valid[40:42]))
    assert named(two) == []


def test_the_volume_is_given_back_with_an_error_that_names_where_the_slices_lie(chest):
    slices = [10, 20, 30, 40, 50, 60, 70]
    (issue,) = issues(damaged(chest, slices))
    z_mm = [chest.geometry.to_patient((k, 0, 0))[2] for k in slices]
    told = [float(z) for z in re.search(r"z = (.*) mm and 2 more", issue.message)[1].split(", ")]
    assert told == pytest.approx(z_mm[:5], abs=0.06)
    assert issue.severity is Severity.ERROR
    assert status_of([issue]) is Status.NOT_ASSESSABLE
    assert issue.measured > issue.limit == CONFIG.implausible_percent


def test_one_slice_is_told_in_the_singular(chest):
    (issue,) = issues(damaged(chest, [40]))
    z_mm = chest.geometry.to_patient((40, 0, 0))[2]
    assert issue.message.startswith(f"The slice at z = {z_mm:.1f} mm cannot continue its neighbours")


def test_damage_spoils_every_sign_and_affects_the_likelihood(chest):
    (issue,) = issues(damaged(chest, [40]))
    assert issue.spoils == (EVERY_SIGN,)
    assert "likelihood" in issue.affects


def test_limits_decide(chest):
    bad = damaged(chest, [40], share=0.3)
    assert named(bad) == [40]
    assert implausible_slices(bad, CONFIG.model_copy(update={"implausible_percent": 45.0})) == ()
    assert continuity_issues(bad, (), CONFIG) == ()
