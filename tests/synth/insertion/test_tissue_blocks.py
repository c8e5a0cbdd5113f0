"""Soft tissue of a scan, laid again."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from cop_imaging.core.geometry import Geometry
from cop_imaging.synth.insertion.noise_table import NoiseTable
from cop_imaging.synth.insertion.tissue_blocks import TissueBlocks
from cop_imaging.synth.shapes import Slab

SHAPE = (30, 128, 160)
SLAB = Slab.of(Geometry(SHAPE, (1.5, 1.0, 1.0), (-80.0, -64.0, 0.0)))
CENTRE = (0.0, 0.0)
BOX = (slice(3, 25), slice(20, 100), slice(30, 130))


def scan(sd_hu=20.0, sigma=(0.6, 0.5, 2.0)):
    """Muscle with streaks along x."""
    noise = ndimage.gaussian_filter(np.random.default_rng(1).standard_normal(SHAPE), sigma)
    return np.rint(50.0 + sd_hu * noise / noise.std()).astype(np.int16)


def lungs():
    """Lungs that leave room."""
    mask = np.zeros(SHAPE, dtype=np.uint8)
    mask[2:28, 60:64, 70:74] = 1
    return mask


def likeness(values, axis):
    """Correlation of neighbours along an axis."""
    near = np.moveaxis(values, axis, 0)
    return float((near[1:] * near[:-1]).mean() / (values**2).mean())


def test_laid_tissue_varies_as_the_scans_own_and_streaks_along_the_same_axis():
    hu = scan()
    laid = TissueBlocks.of(hu, lungs(), SLAB, CENTRE).draw(BOX, SLAB, 5)
    own = hu - 50.0
    assert laid.std() == pytest.approx(20.0, rel=0.1)
    assert abs(laid.mean()) < 2.0
    for axis in range(3):
        assert likeness(laid, axis) == pytest.approx(likeness(own, axis), abs=0.1)
    assert likeness(laid, 2) > likeness(laid, 1) + 0.3


def test_a_voxel_has_the_same_tissue_whatever_the_box():
    blocks = TissueBlocks.of(scan(), lungs(), SLAB, CENTRE)
    whole = blocks.draw(BOX, SLAB, 5)
    part = blocks.draw((slice(11, 12), slice(33, 71), slice(40, 95)), SLAB, 5)
    assert np.array_equal(part, whole[8:9, 13:51, 10:65])
    assert not np.array_equal(part, blocks.draw((slice(11, 12), slice(33, 71), slice(40, 95)), SLAB, 6))


def test_what_is_far_from_the_isocentre_is_as_noisy_as_it_is_there():
    hu = scan(1.0)
    radius = np.hypot(SLAB.x, SLAB.y)[0]
    hu = np.rint(50.0 + (hu - 50.0) * np.where(radius > 50.0, 40.0, 10.0)).astype(np.int16)
    blocks = TissueBlocks.of(hu, lungs(), SLAB, CENTRE)
    laid = blocks.draw((slice(5, 25), slice(0, 128), slice(0, 160)), SLAB, 5)
    assert laid[:, radius > 65.0].std() > 2.5 * laid[:, radius < 35.0].std()
    table = NoiseTable.of(SLAB, blocks).on(SLAB)
    assert table[15, 64, 150] > 2.0 * table[15, 64, 80]


def test_marrow_between_walls_of_bone_is_no_soft_tissue():
    hu = scan(5.0)
    hu[:, 30:90, 20:22] = hu[:, 30:90, 40:42] = hu[:, 30:32, 20:42] = hu[:, 88:90, 20:42] = 700
    hu[:, 32:88, 22:40] = scan(60.0)[:, 32:88, 22:40] + 90
    assert TissueBlocks.of(hu, lungs(), SLAB, CENTRE).values.std(axis=(1, 2, 3)).max() < 15.0


def test_a_scan_without_soft_tissue_still_gets_noise():
    air = np.full(SHAPE, -900, dtype=np.int16)
    laid = TissueBlocks.of(air, lungs(), SLAB, CENTRE).draw(BOX, SLAB, 5)
    assert 10.0 < laid.std() < 20.0
