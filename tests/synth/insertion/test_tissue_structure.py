"""Unevenness of soft tissue beyond noise."""

from __future__ import annotations

import numpy as np
import pytest

from cop_imaging.core.geometry import Geometry
from cop_imaging.synth.insertion.radial_table import RadialTable
from cop_imaging.synth.insertion.tissue_structure import TissueStructure
from cop_imaging.synth.shapes import Slab

SLAB = Slab.of(Geometry((40, 120, 120), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0)))
STRUCTURE = TissueStructure(RadialTable.even(SLAB, (60.0, 60.0), 144.0), 0.3, 2.0, 4.0, -0.8)


def test_drawn_tissue_varies_as_much_and_as_lopsidedly_as_asked():
    field = STRUCTURE.draw(SLAB, (0.0, 0.0, 0.0), 3)
    assert float(np.sqrt((field**2).mean())) == pytest.approx(12.0, rel=0.15)
    assert float((field**3).mean()) < 0.0


def test_drawn_tissue_is_longer_along_z_than_across():
    field = STRUCTURE.draw(SLAB, (0.0, 0.0, 0.0), 3)
    across = float((field[:, :, 3:] * field[:, :, :-3]).mean())
    along = float((field[3:] * field[:-3]).mean())
    assert along > 1.3 * across


def test_a_part_of_the_scan_has_the_same_tissue_as_the_whole():
    box = (slice(5, 20), slice(30, 60), slice(10, 90))
    part = STRUCTURE.draw(SLAB.crop(box), (0.0, 0.0, 0.0), 3)
    assert np.abs(part - STRUCTURE.draw(SLAB, (0.0, 0.0, 0.0), 3)[box]).max() < 0.01
