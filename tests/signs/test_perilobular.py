"""Arcades along lobules are the perilobular pattern; flat sheets, round rinds and thin septa are not."""

import numpy as np
import pytest

from cop_imaging.core import Presence
from cop_imaging.core.volume import Acquisition
from cop_imaging.signs import SignsConfig, signs_with
from cop_imaging.signs.observe import look_for

LOBULE_MM = 18.0
UNDER_PLEURA_X = -38.0


@pytest.fixture
def seen(block):
    """The finding in a block of lung into which something was drawn, with all that it needs."""

    def see(*draw, **given):
        lung = block(side_mm=(54.0, 90.0, 90.0), **given)
        for one in draw:
            one(lung)
        scene, found = lung.scene(), {}
        for sign in signs_with(SignsConfig()):
            if sign.name in ("honeycombing", "bands", "perilobular"):
                found[sign.name] = look_for(sign, scene, found)
        return found["perilobular"]

    return see


def arcades(lobules=3, thick_mm=3.6, x_mm=UNDER_PLEURA_X, hu=20.0):
    """Half pipes side by side that open to the pleura."""

    def draw(lung):
        z, y, x = np.moveaxis(lung.at, -1, 0)
        for k in range(lobules):
            middle = (k - (lobules - 1) / 2) * LOBULE_MM
            wall = np.abs(np.hypot(y - middle, x - x_mm) - LOBULE_MM / 2) - thick_mm / 2
            lung.paint(np.maximum(np.maximum(wall, np.abs(z) - 16.0), x_mm - x), hu)

    return draw


def test_lung_without_arcades_has_no_perilobular_pattern(seen, value):
    found = seen()
    assert found.presence is Presence.ABSENT
    assert found.score == 0.0
    assert value(found, "volume_ml") == 0.0
    assert value(found, "thickness_mm") is None


def test_arcades_around_subpleural_lobules_are_perilobular(seen, value):
    found = seen(arcades())
    assert found.presence is Presence.PRESENT
    assert value(found, "count") >= 1.0
    assert value(found, "thickness_mm") == pytest.approx(3.6, abs=1.2)
    assert value(found, "right_share") == 1.0
    assert value(found, "depth_mm") < 16.0


def test_more_lobules_give_a_higher_score_and_more_volume(seen, value):
    fewer, more = seen(arcades(2)), seen(arcades(4))
    assert 0.0 < fewer.score < more.score
    assert value(fewer, "volume_ml") < value(more, "volume_ml")


@pytest.mark.parametrize(
    "draw",
    [
        pytest.param(lambda lung: lung.box((0.0, 0.0, -37.0), (18.0, 16.0, 2.0), 20.0), id="band along the pleura"),
        pytest.param(lambda lung: lung.ring((0.0, 0.0, -26.0), 26.0, 4.0, core_hu=-860.0), id="round rind"),
        pytest.param(lambda lung: lung.box((0.0, 0.0, -32.0), (14.0, 14.0, 12.0), 20.0), id="consolidation"),
        pytest.param(arcades(thick_mm=0.7), id="thickened septa"),
        pytest.param(arcades(x_mm=-20.0), id="deep arcades"),
        pytest.param(arcades(hu=-600.0), id="haze"),
    ],
)
def test_what_looks_like_arcades_is_not_perilobular(seen, draw):
    assert seen(draw).presence is Presence.ABSENT


def test_thick_slices_cannot_show_the_perilobular_pattern(seen):
    found = seen(arcades(), acquisition=Acquisition(slice_thickness_mm=5.0))
    assert found.presence is Presence.NOT_ASSESSABLE
    assert found.reason
