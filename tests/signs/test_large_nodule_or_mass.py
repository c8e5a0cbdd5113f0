"""Large nodules and masses: compact opacities of 10 mm and more."""

import pytest

from cop_imaging.core import Acquisition, Presence
from cop_imaging.signs import SignsConfig, signs_with
from cop_imaging.signs.observe import look_for

NAME = "large_nodule_or_mass"


@pytest.fixture
def seek():
    """The finding in a scene after consolidation and ground glass."""

    def find(scene):
        signs = {sign.name: sign for sign in signs_with(SignsConfig())}
        earlier = {}
        for name in ("consolidation", "ground_glass", NAME):
            earlier[name] = look_for(signs[name], scene, earlier)
        return earlier[NAME]

    return find


@pytest.mark.parametrize(("radius_mm", "masses"), [(8.0, 0.0), (19.0, 1.0)])
def test_a_ball_is_a_nodule_or_a_mass_by_its_size(block, seek, value, radius_mm, masses):
    b = block()
    truth = b.ball((0.0, 0.0, -22.0), radius_mm, 40.0)
    scene = b.scene()
    found = seek(scene)
    assert found.presence is Presence.PRESENT
    assert value(found, "count") == 1.0
    assert value(found, "mass_count") == masses
    assert value(found, "largest_diameter_mm") == pytest.approx(2.0 * radius_mm, rel=0.15)
    assert value(found, "share_of_opacity") > 0.8
    assert (found.mask & truth[scene.box]).sum() > 0.8 * truth.sum()
    assert found.lesions[0].details["kind"] == "solid"
    for m in found.measures:
        assert m.value is None or m.low is None or m.low <= m.value <= m.high, m.name


def test_a_plate_of_consolidation_is_no_mass(block, seek, value):
    b = block()
    b.box((0.0, 36.0, -20.0), (30.0, 9.0, 20.0), 40.0)
    found = seek(b.scene())
    assert value(found, "count") == 0.0
    assert found.presence is Presence.ABSENT


def test_a_ball_in_haze_is_part_solid_and_a_ball_of_haze_is_ground_glass(block, seek, value):
    b = block()
    b.ball((0.0, 0.0, -22.0), 15.0, -560.0)
    b.ball((0.0, 0.0, -22.0), 7.0, 40.0)
    b.ball((0.0, 0.0, 22.0), 10.0, -560.0)
    found = seek(b.scene())
    assert value(found, "count") == 1.0
    assert value(found, "part_solid_count") == 1.0
    assert value(found, "ground_glass_count") == 1.0


def test_empty_lungs_have_none(block, seek, value):
    found = seek(block().scene())
    assert found.presence is Presence.ABSENT
    assert found.score == 0.0
    assert value(found, "largest_diameter_mm") is None


def test_very_thick_slices_do_not_show_it(block, seek):
    assert seek(block(acquisition=Acquisition(slice_thickness_mm=12.0)).scene()).presence is Presence.NOT_ASSESSABLE


def test_slices_that_hide_haze_still_show_a_mass(block, seek, value):
    b = block(acquisition=Acquisition(slice_thickness_mm=8.0))
    b.ball((0.0, 0.0, -22.0), 17.0, 40.0)
    found = seek(b.scene())
    assert found.presence is Presence.PRESENT
    assert value(found, "mass_count") == 1.0
    assert value(found, "part_solid_count") is None
    assert value(found, "share_of_opacity") is None
    assert "8 mm" in found.reason
