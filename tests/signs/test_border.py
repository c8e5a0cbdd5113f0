"""What the border of a mask adds to its intervals, against the surfaces of solids."""

import dataclasses

import numpy as np
import pytest

from cop_imaging.core import Feature, Presence
from cop_imaging.signs.border import border_of, widened
from cop_imaging.signs.distribution import distribution_of
from cop_imaging.signs.presence import seen

VOXEL_MM = 1.5


@pytest.fixture(scope="module")
def kept():
    return {}


@pytest.fixture
def ball(kept, block, look):
    """A consolidated ball of 32 mm in the right lung, and the finding."""
    if not kept:
        b = block()
        kept["mask"] = b.ball((5.0, 0.0, -20.0), 16.0, 20.0)
        kept["scene"] = b.scene()
        kept["finding"] = look(kept["scene"], "consolidation")
    return kept


def test_half_a_voxel_along_the_border_is_half_a_voxel_times_the_surface(ball):
    mask = ball["mask"][ball["scene"].box]
    expected_ml = 4.0 * np.pi * 16.0**2 * VOXEL_MM / 2 / 1000.0
    assert border_of(mask, ball["scene"])["volume_ml"] == pytest.approx(expected_ml, rel=0.1)


def test_extents_of_the_border_are_those_of_a_mask_of_that_volume(ball):
    scene, mask = ball["scene"], ball["mask"][ball["scene"].box]
    border, table = border_of(mask, scene), distribution_of("x", mask, scene, smallest_patch_ml=0.0)
    names = {name.removeprefix("x.") for name in table if "extent_" in name}
    assert set(border) == names | {"volume_ml"}
    assert border["extent_percent"] == pytest.approx(100.0 * border["volume_ml"] / scene.reference.total_ml)
    assert border["extent_right_percent"] == pytest.approx(100.0 * border["volume_ml"] / scene.reference.side_ml[0])
    assert border["extent_left_percent"] == 0.0
    for names in (("right_upper", "right_middle", "right_lower"), ("upper", "middle", "lower")):
        assert sum(border[f"extent_{n}_percent"] for n in names) > border["extent_right_percent"]


def test_a_mask_that_fills_the_lungs_has_no_border_in_doubt(ball):
    scene = ball["scene"]
    assert set(border_of(scene.lungs > 0, scene).values()) == {0.0}
    assert set(border_of(np.zeros_like(scene.lungs, dtype=bool), scene).values()) == {0.0}


def test_the_interval_of_a_lesion_spans_half_a_voxel_to_either_side(ball):
    found, half = ball["finding"], border_of(ball["finding"].mask, ball["scene"])
    assert found.presence is Presence.PRESENT
    for name in ("volume_ml", "extent_percent", "extent_right_percent"):
        m = found.measure(f"consolidation.{name}")
        assert 0.0 < m.low <= m.value - half[name]
        assert m.high >= m.value + half[name]
    shape = found.measure("consolidation.patch_count")
    assert shape.low == shape.value


def test_what_is_not_clearly_present_may_be_nothing(ball, look):
    scene, found = ball["scene"], ball["finding"]
    possible = dataclasses.replace(found, presence=Presence.POSSIBLE)
    for m, before in zip(widened(possible, scene).measures, found.measures, strict=True):
        if m.name == "consolidation.volume_ml" or ".extent_" in m.name:
            assert m.low == 0.0
            assert m.value == before.value
            assert m.high >= before.high


def test_a_share_that_is_no_extent_keeps_its_interval(ball):
    feature = Feature("wall.area_percent", "percent", "share of the wall")
    mask = ball["mask"][ball["scene"].box]
    absent = seen(_Named("wall", (feature,)), 0.1, {feature.name: (62.0, 60.0, 64.0)}, mask)
    assert absent.presence is Presence.ABSENT
    (measure,) = widened(absent, ball["scene"]).measures
    assert (measure.low, measure.high) == (60.0, 64.0)


def test_a_share_is_never_more_than_the_whole(ball):
    whole = ball["scene"].lungs > 0
    sign = ball["finding"]
    mask = whole.copy()
    mask[:, :, ::7] = False
    table = distribution_of("consolidation", mask, ball["scene"], smallest_patch_ml=0.0)
    values = {name: (value, value, value) for name, value in table.items()}
    wide = widened(seen(_Named(sign.sign, sign.features), 1.0, values, mask), ball["scene"])
    assert max(m.high for m in wide.measures if m.unit == "percent") <= 100.0


@dataclasses.dataclass
class _Named:
    name: str
    features: tuple
