"""Bands are long flat dense sheets; fissures, vessels, walls of consolidation and arcades are none."""

import numpy as np
import pytest

from cop_imaging.core import Presence
from cop_imaging.core.volume import Acquisition

PLACE = (0.0, 0.0, -22.0)
SHEET = (2.0, 18.0, 13.0)


@pytest.fixture
def seen(block, look):
    """The finding in a block of lung into which something was drawn."""

    def see(*draw, **given):
        lung = block(side_mm=(54.0, 90.0, 90.0), **given)
        for one in draw:
            one(lung)
        return look(lung.scene(), "bands")

    return see


def sheet(centre=PLACE, half_mm=SHEET, hu=20.0):
    return lambda lung: lung.box(centre, half_mm, hu)


def test_lung_without_bands_has_none(seen, value):
    found = seen()
    assert found.presence is Presence.ABSENT
    assert value(found, "count") == 0.0
    assert value(found, "volume_ml") == 0.0
    assert value(found, "longest_mm") is None


def test_two_sheets_in_two_places_are_bands_of_their_size(seen, value):
    found = seen(sheet(), sheet((0.0, 0.0, 22.0)))
    assert found.presence is Presence.PRESENT
    assert value(found, "count") == 2.0
    assert value(found, "longest_mm") == pytest.approx(36.0, abs=5.0)
    assert value(found, "thickness_mm") == pytest.approx(4.0, abs=1.5)
    # Voxels of 1.5 mm that the sheet fills by a third are not counted: 3 of its 4 mm.
    assert value(found, "volume_ml") == pytest.approx(2 * 3.0 * 36.0 * 26.0 / 1000.0, rel=0.2)
    assert value(found, "right_share") == pytest.approx(0.5, abs=0.05)


def test_one_sheet_is_possible_only(seen):
    assert seen(sheet()).presence is Presence.POSSIBLE


def test_a_sheet_along_the_pleura_is_parallel_and_one_across_it_is_radial(seen, value):
    along = seen(sheet((0.0, 0.0, -37.0), (18.0, 13.0, 2.0)))
    assert (value(along, "parallel_count"), value(along, "radial_count")) == (1.0, 0.0)
    across = seen(sheet((0.0, 0.0, -30.0), (2.0, 18.0, 13.0)))
    assert (value(across, "parallel_count"), value(across, "radial_count")) == (0.0, 1.0)


def test_bands_swap_sides_with_the_patient_and_change_nothing_else(block, look, value):
    lung = block()
    sheet()(lung)
    first = look(lung.scene(), "bands")
    lung.hu = np.ascontiguousarray(lung.hu[:, :, ::-1])
    turned = look(lung.scene(), "bands")
    assert value(first, "right_share") == 1.0
    assert value(turned, "right_share") == 0.0
    assert value(turned, "volume_ml") == pytest.approx(value(first, "volume_ml"), rel=0.02)


@pytest.mark.parametrize(
    "draw",
    [
        pytest.param(lambda lung: lung.tube(1, (0.0, 0.0, -22.0), 2.0, 40.0), id="vessel"),
        pytest.param(lambda lung: lung.box(PLACE, (0.3, 40.0, 18.0), 20.0), id="fissure"),
        pytest.param(lambda lung: lung.box(PLACE, (15.0, 15.0, 12.0), 20.0), id="consolidation"),
        pytest.param(lambda lung: lung.ball(PLACE, 8.0, 20.0), id="nodule"),
        pytest.param(lambda lung: lung.box(PLACE, (2.0, 6.0, 6.0), 20.0), id="short sheet"),
        pytest.param(lambda lung: lung.box(PLACE, SHEET, -600.0), id="hazy sheet"),
    ],
)
def test_what_looks_like_a_band_is_none(seen, value, draw):
    assert value(seen(draw), "count") == 0.0


def test_thick_slices_cannot_show_bands(seen):
    found = seen(sheet(), acquisition=Acquisition(slice_thickness_mm=8.0))
    assert found.presence is Presence.NOT_ASSESSABLE
    assert found.score is None
    assert all(measure.value is None for measure in found.measures)
