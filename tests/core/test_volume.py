"""Types with arrays own them: nothing downstream can change a scan."""

import numpy as np
import pytest

from cop_imaging.core import CTVolume, Geometry

GEOMETRY = Geometry(shape=(2, 3, 4), spacing_mm=(1.0, 1.0, 1.0))


def test_a_volume_locks_its_arrays():
    volume = CTVolume(np.zeros(GEOMETRY.shape, np.int16), GEOMETRY, np.ones(GEOMETRY.shape, np.bool_))
    with pytest.raises(ValueError, match="read-only"):
        volume.hu[0, 0, 0] = 1
    with pytest.raises(ValueError, match="read-only"):
        volume.valid[0, 0, 0] = False


def test_voxels_and_grid_must_agree():
    with pytest.raises(ValueError, match=r"\(2, 3, 5\)"):
        CTVolume(np.zeros((2, 3, 5), np.int16), GEOMETRY)
    with pytest.raises(ValueError, match="valid"):
        CTVolume(np.zeros(GEOMETRY.shape, np.int16), GEOMETRY, np.ones((1, 3, 4), np.bool_))
