"""A net of fine lines is reticulation; in haze with thickened septa it is crazy paving; haze alone is neither."""

import numpy as np
import pytest
from scipy.spatial import cKDTree

from cop_imaging.core import Presence
from cop_imaging.core.volume import Acquisition
from cop_imaging.signs import SignsConfig, signs_with
from cop_imaging.signs.observe import look_for

MIDDLE, HALF = (0.0, 0.0, -24.0), (22.0, 22.0, 15.0)
NEEDED = ("consolidation", "ground_glass", "honeycombing", "bands", "perilobular", "reticulation", "crazy_paving")


@pytest.fixture
def seen(block):
    """The findings by name in a block of lung into which something was drawn."""

    def see(*draw, **given):
        lung = block(side_mm=(54.0, 90.0, 90.0), **given)
        for one in draw:
            one(lung)
        scene, found = lung.scene(), {}
        for sign in signs_with(SignsConfig()):
            if sign.name in NEEDED:
                found[sign.name] = look_for(sign, scene, found)
        return found

    return see


def net(mesh_mm, line_mm, hu, middle=MIDDLE, half_mm=HALF, turn=0.4):
    """Three families of tilted sheets through a box."""

    def draw(lung):
        box = (np.abs(lung.at - np.float32(middle)) - np.float32(half_mm)).max(axis=-1)
        for k in range(3):
            way = np.roll(np.array([1.0, turn, 0.3]), k) / np.linalg.norm([1.0, turn, 0.3])
            along = lung.at @ way.astype(np.float32)
            off = np.abs((along % mesh_mm) - mesh_mm / 2) - line_mm / 2
            # Thin lines keep their volume on coarse voxels.
            share = np.clip(line_mm / 1.5, 0.0, 1.0)
            wide = np.abs((along % mesh_mm) - mesh_mm / 2) - 0.75 if line_mm < 1.5 else off
            lung.paint(np.maximum(wide, box), float(share * hu + (1 - share) * np.median(lung.hu[box < 0])))

    return draw


def septa(lobule_mm=12.0, thick_mm=1.6, hu=-200.0):
    """The walls between the cells of a jittered lattice in a box."""

    def draw(lung):
        steps = np.arange(-60.0, 60.0, lobule_mm)
        lattice = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(-1, 3)
        lattice = lattice + np.random.default_rng(4).uniform(-0.4, 0.4, lattice.shape) * lobule_mm
        (near, far), row = (np.moveaxis(a, -1, 0) for a in cKDTree(lattice).query(lung.at, k=2))
        wall = (far**2 - near**2) / (2.0 * np.linalg.norm(lattice[row[0]] - lattice[row[1]], axis=-1))
        box = (np.abs(lung.at - np.float32(MIDDLE)) - np.float32(HALF)).max(axis=-1)
        lung.paint(np.maximum(wall - thick_mm / 2, box), hu)

    return draw


def haze(hu=-590.0, middle=MIDDLE, half_mm=HALF):
    return lambda lung: lung.box(middle, half_mm, hu)


def test_lung_without_lines_has_neither(seen, value):
    found = seen()
    for name in ("reticulation", "crazy_paving"):
        assert found[name].presence is Presence.ABSENT
        assert value(found[name], "volume_ml") == 0.0
        assert value(found[name], "strength_hu") is None


def test_a_net_of_fine_lines_is_reticulation_where_it_lies(seen, value):
    found = seen(net(5.0, 0.7, 0.0))["reticulation"]
    assert found.presence is Presence.PRESENT
    assert value(found, "volume_ml") == pytest.approx(8 * np.prod(HALF) / 1000.0, rel=0.35)
    assert value(found, "right_share") == pytest.approx(1.0, abs=0.02)
    assert value(found, "strength_hu") > 26.0


def test_a_larger_net_has_a_larger_extent(seen, value):
    small = seen(net(5.0, 0.7, 0.0, half_mm=(12.0, 12.0, 12.0)))["reticulation"]
    large = seen(net(5.0, 0.7, 0.0))["reticulation"]
    assert 0.0 < value(small, "extent_percent") < value(large, "extent_percent")


def test_the_interval_holds_the_value(seen):
    measure = seen(net(5.0, 0.7, 0.0))["reticulation"].measure("reticulation.volume_ml")
    assert measure.low < measure.value < measure.high


@pytest.mark.parametrize(
    "draw",
    [
        pytest.param(haze(), id="haze"),
        pytest.param(haze(20.0), id="consolidation"),
        pytest.param(lambda lung: lung.box(MIDDLE, (0.4, 40.0, 18.0), 0.0), id="fissure"),
        pytest.param(lambda lung: lung.ball(MIDDLE, 8.0, 20.0), id="nodule"),
    ],
)
def test_what_has_no_net_is_neither(seen, draw):
    found = seen(draw)
    assert found["reticulation"].presence is Presence.ABSENT
    assert found["crazy_paving"].presence is Presence.ABSENT


def test_septa_in_haze_are_crazy_paving(seen, value):
    found = seen(haze(), septa())["crazy_paving"]
    assert found.presence is Presence.PRESENT
    assert value(found, "between_lines_hu") > -720.0
    assert 0.0 < value(found, "ground_glass_share") <= 1.0


def test_the_interval_of_crazy_paving_holds_its_net_without_septa(seen):
    """With few septa the sign is small, or not there; how large it may be the whole net says."""
    fine = net(7.0, 1.2, -250.0)
    m = seen(haze(), fine)["crazy_paving"].measure("crazy_paving.volume_ml")
    assert m.high > m.value + 5.0


def test_the_same_septa_in_aerated_lung_are_no_crazy_paving(seen):
    assert seen(septa())["crazy_paving"].presence is Presence.ABSENT


def test_thick_slices_can_show_neither(seen):
    found = seen(net(5.0, 0.7, 0.0), acquisition=Acquisition(slice_thickness_mm=5.0))
    for name in ("reticulation", "crazy_paving"):
        assert found[name].presence is Presence.NOT_ASSESSABLE
