"""Components by runs are those of a labelling voxel by voxel."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from cop_imaging.core.parts import parts_of

SHAPES = hnp.array_shapes(min_dims=3, max_dims=3, min_side=1, max_side=6)


@pytest.mark.parametrize("connectivity", [6, 26])
@given(data=st.data())
def test_two_voxels_are_in_one_part_where_a_labelling_joins_them(connectivity, data):
    mask = data.draw(hnp.arrays(np.bool_, data.draw(SHAPES)))
    parts = parts_of(mask, connectivity=connectivity)
    expected, n = ndimage.label(mask, ndimage.generate_binary_structure(3, 1 if connectivity == 6 else 3))
    assert len(parts) == n
    assert np.array_equal(parts.labels() > 0, mask)
    pairs = set(zip(expected[mask].tolist(), parts.labels()[mask].tolist(), strict=True))
    assert len(pairs) == n


def test_parts_of_a_large_mask_are_those_of_a_labelling():
    mask = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=(40, 61, 70)), 1.2) > 0.08
    for connectivity, structure in ((6, 1), (26, 3)):
        parts = parts_of(mask, connectivity=connectivity)
        expected, n = ndimage.label(mask, ndimage.generate_binary_structure(3, structure))
        assert n > 20
        assert np.array_equal(parts.size, np.sort(np.bincount(expected.ravel())[1:])[::-1])
        assert len(set(zip(expected[mask].tolist(), parts.labels()[mask].tolist(), strict=True))) == n


@given(hnp.arrays(np.bool_, SHAPES), st.integers(0, 5))
def test_the_first_parts_are_the_voxels_of_the_first_labels(mask, n):
    parts = parts_of(mask)
    labels = parts.labels()
    first = parts.first(n)
    assert len(first) == min(n, len(parts))
    assert np.array_equal(first.mask(), (labels > 0) & (labels <= n))
    flat, part = first.voxels()
    assert np.array_equal(flat, np.flatnonzero(first.mask()))
    assert np.array_equal(part + 1, labels.ravel()[flat])
    assert np.array_equal(np.bincount(part, minlength=len(first)), first.size)


def test_a_mask_may_lie_in_a_larger_array_and_be_locked():
    whole = np.zeros((8, 9, 10), dtype=bool)
    whole[2:4, 3:6, 4:8] = True
    whole.flags.writeable = False
    part = parts_of(whole[1:6, 2:8, 3:9])
    assert part.size.tolist() == [24]
    assert np.array_equal(part.mask(), whole[1:6, 2:8, 3:9])


def test_empty_levels_and_empty_masks_have_no_parts():
    mask = np.zeros((7, 4, 5), dtype=bool)
    assert len(parts_of(mask)) == 0
    assert not parts_of(mask).mask().any()
    assert len(parts_of(mask[:0])) == 0
    mask[3, 0, 0] = mask[5, 3, 4] = True
    assert np.array_equal(parts_of(mask).labels(), np.where(mask, np.cumsum(mask).reshape(mask.shape), 0))
