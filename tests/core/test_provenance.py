"""Digests stand for what was decoded, not for how it lay on disk."""

import hashlib

import numpy as np

from cop_imaging.core import Geometry
from cop_imaging.provenance import array_digest, file_digest, versions

HU = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
GRID = Geometry(shape=(2, 3, 4), spacing_mm=(1.25, 0.703125, 0.703125))


def test_memory_layout_and_byte_order_do_not_change_the_digest():
    assert array_digest(np.asfortranarray(HU), GRID) == array_digest(HU, GRID)
    assert array_digest(HU[::-1][::-1], GRID) == array_digest(HU, GRID)


def test_a_tenth_of_a_micrometre_in_the_header_is_no_difference():
    near = Geometry(shape=GRID.shape, spacing_mm=(1.25, 0.7031251, 0.703125))
    assert array_digest(HU, near) == array_digest(HU, GRID)


def test_one_voxel_or_one_spacing_makes_another_digest():
    other = HU.copy()
    other[1, 2, 3] += 1
    thicker = Geometry(shape=GRID.shape, spacing_mm=(1.5, 0.703125, 0.703125))
    assert len({array_digest(HU, GRID), array_digest(other, GRID), array_digest(HU, thicker)}) == 3


def test_a_file_is_known_by_its_bytes(tmp_path):
    file = tmp_path / "weights"
    file.write_bytes(b"weights")
    assert file_digest(file) == hashlib.sha256(b"weights").hexdigest()


def test_the_versions_name_this_package_and_the_ones_that_compute():
    found = versions()
    assert {"cop-imaging", "numpy", "simpleitk"} <= set(found)
    assert all(version[0].isdigit() for version in found.values())
