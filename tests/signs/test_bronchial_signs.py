"""Bronchial wall thickening and dilation, from cross-sections that are given."""

import numpy as np
import pytest

from cop_imaging.core import Acquisition, Presence
from cop_imaging.core.airway_sections import AirwaySections
from cop_imaging.core.airway_tree import AirwayTree
from cop_imaging.signs.air.bronchi import bronchi_of, median, percent

BRANCHES, POINTS = 8, 12


@pytest.fixture
def chest(block):
    """A scene whose tree has eight branches 30 mm long, with these cross-sections."""

    def make(lumen=3.0, wall=0.5, artery=3.6, thick=0, wide=0, *, thickness_mm=1.0, taper=0.0):
        scene = block(acquisition=Acquisition(slice_thickness_mm=thickness_mm)).scene()
        row = np.arange(BRANCHES * POINTS)
        branch, along = row // POINTS, row % POINTS
        index = np.stack([4 + 3 * (row % POINTS), 12 + 4 * branch, np.full(row.size, 15)], axis=1)
        points = scene.geometry.to_patient(index.astype(float))
        points[:, 2] = points[:, 2][0] + 2.5 * along
        before = np.where(along == 0, -1, row - 1)
        scene.airway_tree = AirwayTree(
            points, before, branch, np.full(row.size, lumen), np.full(BRANCHES, -1), np.full(BRANCHES, 3)
        )
        walls = np.where(branch < thick, 2.5 * wall, wall)
        inner = np.where(branch < wide, 1.7 * lumen, lumen) * (1.0 - taper) ** along
        scene._maps["airway_sections"] = AirwaySections(
            point=row,
            centre_mm=points,
            along=np.tile([0.0, 0.0, 1.0], (row.size, 1)),
            lumen_mm=inner,
            wall_mm=walls,
            wall_bounds_mm=np.stack([0.9 * walls, 1.1 * walls]),
            around_hu=np.full(row.size, -850.0),
            artery_mm=np.full(row.size, artery),
            sigma_mm=0.6,
        )
        return scene

    return make


def test_normal_bronchi_have_neither_sign(chest, look, value):
    scene = chest()
    for name in ("bronchial_wall_thickening", "bronchial_dilation"):
        assert look(scene, name).presence is Presence.ABSENT
    walls = look(scene, "bronchial_wall_thickening")
    assert value(walls, "wall_over_outer") == pytest.approx(0.5 / 4.0)
    assert value(walls, "wall_area_percent") == pytest.approx(100.0 * (1.0 - (3.0 / 4.0) ** 2))
    assert value(look(scene, "bronchial_dilation"), "lumen_over_artery") == pytest.approx(3.0 / 3.6)


def test_thick_walls_rise_with_every_branch(chest, look, value):
    found = [look(chest(thick=n), "bronchial_wall_thickening") for n in (0, 2, 5)]
    assert [value(f, "thick_percent") for f in found] == pytest.approx([0.0, 25.0, 62.5], abs=1.0)
    assert found[0].score < found[1].score < found[2].score
    assert found[2].presence is Presence.PRESENT
    assert found[2].mask.sum() > found[1].mask.sum() > 0
    assert look(chest(thick=5), "bronchial_dilation").presence is Presence.ABSENT


def test_wide_bronchi_rise_with_every_branch(chest, look, value):
    found = [look(chest(wide=n), "bronchial_dilation") for n in (0, 2, 5)]
    assert [value(f, "dilated_percent") for f in found] == pytest.approx([0.0, 25.0, 62.5], abs=1.0)
    assert found[0].score < found[1].score < found[2].score
    assert found[2].presence is Presence.PRESENT


def test_taper_is_the_loss_of_diameter_along_a_branch(chest, look, value):
    for loss in (0.0, 0.02):
        found = look(chest(taper=loss), "bronchial_dilation")
        assert value(found, "taper_percent_per_cm") == pytest.approx(100.0 * (1.0 - (1.0 - loss) ** 4), abs=0.1)
        assert value(found, "untapered_percent") == (100.0 if loss == 0.0 else 0.0)


def test_the_interval_holds_the_value_and_widens_with_the_limits(chest, look):
    finding = look(chest(thick=3), "bronchial_wall_thickening")
    for measure in finding.measures:
        if measure.value is not None:
            assert measure.low <= measure.value <= measure.high
    mm = finding.measure("bronchial_wall_thickening.wall_mm")
    assert mm.low < mm.value < mm.high


def test_one_odd_section_changes_nothing(chest):
    bronchi = bronchi_of(chest(), 2.0)
    values = np.full(BRANCHES * POINTS, 0.12)
    values[30] = 0.9
    np.testing.assert_allclose(bronchi.along(values), 0.12)


def test_a_running_median_does_not_cross_from_branch_to_branch(chest):
    bronchi = bronchi_of(chest(), 2.0)
    values = (np.arange(BRANCHES * POINTS) // POINTS).astype(float)
    np.testing.assert_allclose(bronchi.along(values), values)


def test_without_bronchi_nothing_is_said(block, look):
    scene = block().scene()
    for name in ("bronchial_wall_thickening", "bronchial_dilation"):
        assert look(scene, name).presence is Presence.NOT_ASSESSABLE
        assert look(scene, name).score is None


def test_thick_slices_cannot_be_judged(chest, look):
    for name in ("bronchial_wall_thickening", "bronchial_dilation"):
        assert look(chest(thickness_mm=5.0), name).presence is Presence.NOT_ASSESSABLE


def test_nothing_has_no_median_and_no_share():
    assert median(np.array([np.nan])) is None
    assert percent(1.0, 0.0) is None
