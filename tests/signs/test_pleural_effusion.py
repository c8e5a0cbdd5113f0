"""Pleural effusion: volume by side and density, and what is said when it was not looked for."""

import dataclasses

import numpy as np
import pytest

from cop_imaging.core import Acquisition, Presence
from cop_imaging.signs.observe import look_for
from cop_imaging.signs.pleural_effusion import PleuralEffusion

SIDE_MM = 60.0


@pytest.fixture
def scene(block):
    """Lungs whose back is fluid where it is asked for: 24 mm on the right, 6 mm on the left."""

    def build(right_mm=24.0, left_mm=6.0, hu=8.0, acquisition=None):
        b = block(side_mm=(SIDE_MM,) * 3, acquisition=acquisition or Acquisition())
        middle = np.abs(b.at[..., 2]) < 12.0
        b.lungs[middle], b.hu[middle] = 0, 40.0
        width = np.where(b.at[..., 2] < 0, right_mm, left_mm)
        fluid = (b.lungs > 0) & (b.at[..., 1] > SIDE_MM / 2 - width)
        b.hu[fluid] = hu
        b.lungs[fluid] = 0
        s = b.scene()
        return dataclasses.replace(s, effusion=fluid[s.box]), fluid, b.geometry.voxel_ml

    return build


def seen(scene):
    return look_for(PleuralEffusion(), scene, {})


def test_the_volume_is_given_for_each_side(scene, value):
    s, fluid, ml = scene()
    found = seen(s)
    assert found.presence is Presence.PRESENT
    inside = s.effusion
    assert value(found, "volume_ml") == pytest.approx(inside.sum() * ml)
    right = np.zeros_like(inside)
    right[..., : inside.shape[2] // 2] = True
    assert value(found, "right_volume_ml") == pytest.approx((inside & right).sum() * ml, rel=0.1)
    assert value(found, "right_volume_ml") + value(found, "left_volume_ml") == pytest.approx(value(found, "volume_ml"))
    assert value(found, "mean_hu") == pytest.approx(8.0, abs=1.0)
    assert fluid.any()


def test_one_side_stays_one_side(scene, value):
    s, _, _ = scene(left_mm=0.0)
    assert value(seen(s), "right_share") == pytest.approx(1.0, abs=0.02)


def test_no_fluid_is_absent_and_has_no_density(scene, value):
    s, _, _ = scene(0.0, 0.0)
    found = seen(s)
    assert found.presence is Presence.ABSENT
    assert value(found, "volume_ml") == 0.0
    assert value(found, "right_share") is None
    assert value(found, "mean_hu") is None


def test_doubtful_tissue_of_its_density_is_in_the_interval_only(scene):
    s, _, ml = scene()
    sure = seen(s).measure("pleural_effusion.volume_ml")
    assert sure.low == sure.value == sure.high
    half = s.effusion.copy()
    half[: half.shape[0] // 2] = False
    unsure = dataclasses.replace(s, effusion=half, uncertain=s.effusion & ~half)
    doubted = seen(unsure).measure("pleural_effusion.volume_ml")
    assert doubted.value == pytest.approx(half.sum() * ml)
    assert doubted.high == pytest.approx(s.effusion.sum() * ml)
    inside = seen(dataclasses.replace(s, uncertain=half)).measure("pleural_effusion.volume_ml")
    assert inside.low == pytest.approx((s.effusion & ~half).sum() * ml)


def test_what_was_not_looked_for_is_not_assessable(scene):
    s, _, _ = scene()
    found = seen(dataclasses.replace(s, effusion=None))
    assert found.presence is Presence.NOT_ASSESSABLE
    assert "not looked for" in found.reason
    assert all(m.value is None for m in found.measures)


def test_fluid_beyond_the_field_of_view_is_said(scene):
    s, _, _ = scene(3.0, 3.0)
    assert "beyond the border" not in seen(s).reason
    everywhere = np.ones_like(s.effusion)
    assert "beyond the border" in seen(dataclasses.replace(s, effusion=everywhere & (s.lungs == 0))).reason


def test_slices_of_a_centimetre_are_enough(scene):
    s, _, _ = scene(acquisition=Acquisition(slice_thickness_mm=10.0))
    assert seen(s).presence is Presence.PRESENT
