"""The numbers that every mask shares, against counting voxels by hand."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cop_imaging.core.scene import ZONES
from cop_imaging.signs.distribution import DEPTH_SHELLS_MM, distribution_features, distribution_of
from cop_imaging.signs.lesions import lesions_of_labels

RATIOS = (
    "lower_to_upper",
    "peripheral_to_central",
    "subpleural_sparing",
    "depth_median_mm",
    "peribronchovascular_ratio",
    "right_share",
    "bilateral_index",
    "dorsal_to_ventral",
    "largest_share",
    "patchiness",
    "mean_hu",
    "centroid_head_mm",
    "centroid_back_mm",
    "centroid_left_mm",
)


@pytest.fixture(scope="module")
def kept():
    return {}


@pytest.fixture
def scene(kept, block):
    """Small lungs, the left one lower, with a vessel through the right one."""
    if not kept:
        b = block(side_mm=(54.0, 45.0, 60.0))
        b.lungs[-10:][b.lungs[-10:] == 2] = 0
        b.vessels |= b.tube(0, (0.0, 0.0, -15.0), 2.0, 40.0)
        kept["scene"] = b.scene()
    return kept["scene"]


def measured(mask, scene, smallest_patch_ml=0.0):
    table = distribution_of("x", mask, scene, smallest_patch_ml=smallest_patch_ml)
    return {name.removeprefix("x."): value for name, value in table.items()}


def box(scene, z, y, x):
    """A box of the lungs between shares of the crop's edges."""
    mask = np.zeros(scene.lungs.shape, bool)
    mask[tuple(slice(int(a * n), int(b * n)) for (a, b), n in zip((z, y, x), mask.shape, strict=True))] = True
    return mask & (scene.lungs > 0)


def test_extents_are_shares_of_the_lung_they_name(scene):
    mask = box(scene, (0.2, 0.6), (0.3, 0.9), (0.3, 0.6))
    found = measured(mask, scene)
    ml, lungs = scene.geometry.voxel_ml, scene.lungs
    assert found["volume_ml"] == pytest.approx(mask.sum() * ml)
    assert found["extent_percent"] == pytest.approx(100 * mask.sum() / (lungs > 0).sum())
    for side, label in (("right", 1), ("left", 2)):
        assert found[f"extent_{side}_percent"] == pytest.approx(100 * mask[lungs == label].mean())
    for k, level in enumerate(("upper", "middle", "lower")):
        here = (scene.zone == k + 1) | (scene.zone == k + 4)
        assert found[f"extent_{level}_percent"] == pytest.approx(100 * mask[here].mean())
    for low, high in DEPTH_SHELLS_MM:
        shell = (lungs > 0) & (scene.depth_mm >= low) & (scene.depth_mm < (high or np.inf))
        name = f"extent_{low}_{high}_mm_percent" if high else f"extent_over_{low}_mm_percent"
        if shell.any():
            assert found[name] == pytest.approx(100 * mask[shell].mean()), name
        else:
            assert found[name] is None
    assert found["right_share"] == pytest.approx((mask & (lungs == 1)).sum() / mask.sum())
    assert found["mean_hu"] == pytest.approx(scene.smooth_hu[mask].mean())
    assert found["depth_median_mm"] == pytest.approx(np.median(scene.depth_mm[mask]), abs=1.0)
    near = (scene.bundle_mm <= 5.0) & (lungs > 0)
    expected = mask[near].sum() / mask.sum() / (near.sum() / (lungs > 0).sum())
    assert found["peribronchovascular_ratio"] == pytest.approx(expected)


def masks():
    """Boxes and scattered voxels, reproducible from a number."""
    return st.tuples(st.integers(0, 2**16), st.floats(0.0, 1.0))


def drawn(scene, seed, share):
    rng = np.random.default_rng(seed)
    coarse = rng.random(tuple(-(-n // 6) for n in scene.lungs.shape)) < share
    fine = np.kron(coarse, np.ones((6, 6, 6), bool))[tuple(slice(0, n) for n in scene.lungs.shape)]
    return fine.astype(bool)


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(masks())
def test_the_laws_of_any_mask(scene, how):
    mask = drawn(scene, *how)
    found = measured(mask, scene)
    r = scene.reference
    for name, value in found.items():
        if name.endswith("percent") and value is not None:
            assert 0.0 <= value <= 100.0 + 1e-9, name
    if found["volume_ml"] == 0.0:
        assert all(found[name] is None for name in RATIOS)
        return
    for name in ("right_share", "bilateral_index", "largest_share", "patchiness"):
        assert 0.0 <= found[name] <= 1.0 + 1e-9, name
    assert found["patchiness"] + found["largest_share"] == pytest.approx(1.0)
    assert 0 <= found["zones_hit"] <= len(ZONES)
    for name in ("lower_to_upper", "peripheral_to_central", "subpleural_sparing", "dorsal_to_ventral"):
        assert np.isfinite(found[name]), name
        assert found[name] > 0, name
    sides = [found[f"extent_{s}_percent"] for s in ("right", "left")]
    assert np.dot(sides, r.side_ml) / r.total_ml == pytest.approx(found["extent_percent"])
    levels = [found[f"extent_{s}_percent"] for s in ("upper", "middle", "lower")]
    weights = [r.zone_ml[k] + r.zone_ml[k + 3] for k in range(3)]
    assert np.dot(levels, weights) / r.total_ml == pytest.approx(found["extent_percent"])


def test_an_empty_mask_has_no_extent_and_no_ratio(scene):
    found = measured(np.zeros(scene.lungs.shape, bool), scene)
    assert all(found[name] is None for name in RATIOS)
    assert found["extent_percent"] == found["volume_ml"] == found["patch_count"] == found["zones_hit"] == 0.0


def test_the_whole_lung_is_everywhere(scene):
    found = measured(scene.lungs > 0, scene)
    assert all(v == pytest.approx(100.0) for k, v in found.items() if k.endswith("percent") and v is not None)
    assert found["zones_hit"] == 6.0
    assert found["peribronchovascular_ratio"] == pytest.approx(1.0)
    for name in ("lower_to_upper", "peripheral_to_central", "subpleural_sparing", "dorsal_to_ventral"):
        assert found[name] == pytest.approx(1.0, abs=0.05), name


def test_what_lies_outside_the_lungs_does_not_count(scene):
    mask = box(scene, (0.2, 0.6), (0.3, 0.9), (0.3, 0.6))
    assert measured(mask | (scene.lungs == 0), scene)["volume_ml"] == pytest.approx(
        mask.sum() * scene.geometry.voxel_ml
    )


def test_the_mirror_swaps_right_and_left_and_keeps_the_rest(block):
    found = []
    for mirrored in (False, True):
        b = block(side_mm=(48.0, 48.0, 48.0))
        side = 1.0 if mirrored else -1.0
        truth = b.ball((8.0, 6.0, 12.0 * side), 8.0, 20.0)
        scene = b.scene()
        found.append(measured(truth[scene.box], scene))
    one, other = found
    for name, value in one.items():
        swapped = name.replace("right", "?").replace("left", "right").replace("?", "left")
        if name == "right_share":
            assert (value, other[name]) == (1.0, 0.0)
        elif name == "centroid_left_mm":
            assert value == pytest.approx(-12.0, abs=1.0)
            assert other[name] == pytest.approx(-value, abs=0.1)
        elif value is not None:
            assert other[swapped] == pytest.approx(value, rel=0.02, abs=1e-6), name


def test_the_zones_of_each_side_add_up_to_it(scene):
    found = measured(box(scene, (0.1, 0.7), (0.3, 0.9), (0.3, 0.8)), scene)
    r = scene.reference
    for k, side in enumerate(("right", "left")):
        zones = [found[f"extent_{side}_{level}_percent"] for level in ("upper", "middle", "lower")]
        weights = r.zone_ml[3 * k : 3 * k + 3]
        assert np.dot(zones, weights) / r.side_ml[k] == pytest.approx(found[f"extent_{side}_percent"])


def test_the_centroid_is_seen_from_the_middle_of_the_lungs(block):
    b = block(side_mm=(48.0, 48.0, 48.0))
    truth = b.ball((9.0, -6.0, 12.0), 6.0, 20.0)
    scene = b.scene()
    found = measured(truth[scene.box], scene)
    assert found["centroid_head_mm"] == pytest.approx(9.0, abs=0.8)
    assert found["centroid_back_mm"] == pytest.approx(-6.0, abs=0.8)
    assert found["centroid_left_mm"] == pytest.approx(12.0, abs=0.8)
    whole = measured(scene.lungs > 0, scene)
    assert all(abs(whole[f"centroid_{way}_mm"]) < 0.8 for way in ("head", "back", "left"))


def test_lesions_are_measured_as_if_each_stood_alone(scene):
    labels = np.zeros(scene.lungs.shape, np.int32)
    parts = [box(scene, (0.2, 0.5), (0.3, 0.7), (0.2, 0.4)), box(scene, (0.6, 0.9), (0.5, 0.8), (0.55, 0.85))]
    for k, part in enumerate(parts):
        labels[part] = 2 * k + 1  # label 2 has no voxel
    rows = lesions_of_labels(labels, 3, scene)
    assert len(rows) == 2
    for row, part in zip(rows, parts, strict=True):
        index = np.argwhere(part)
        assert row.volume_ml == pytest.approx(part.sum() * scene.geometry.voxel_ml)
        assert row.depth_mm == pytest.approx(scene.depth_mm[part].min())
        assert row.mean_hu == pytest.approx(scene.smooth_hu[part].mean())
        centre = scene.geometry.to_index(row.centre_mm)
        assert part[tuple(np.rint(centre).astype(int))]
        assert np.linalg.norm(centre - index.mean(axis=0)) < 1.0
        assert row.side == ("right" if row is rows[0] else "left")
    assert lesions_of_labels(np.zeros_like(labels), 3, scene) == ()


def test_rind_and_core_of_the_lung_are_told_apart(scene):
    inside = scene.lungs > 0
    third = scene.reference.outer_third_mm
    rind = measured(inside & (scene.depth_mm < third), scene)
    core = measured(inside & (scene.depth_mm > third + 1.0), scene)
    assert rind["peripheral_to_central"] > 5.0
    assert core["peripheral_to_central"] < 0.5
    spared = measured(inside & (scene.depth_mm > 4.5) & (scene.depth_mm < 14.0), scene)
    assert spared["subpleural_sparing"] < 0.5
    assert rind["subpleural_sparing"] > 1.0


def test_back_and_base_are_where_they_are(scene):
    low_back = measured(box(scene, (0.05, 0.35), (0.6, 0.95), (0.05, 0.95)), scene)
    high_front = measured(box(scene, (0.65, 0.95), (0.05, 0.4), (0.05, 0.95)), scene)
    for name in ("lower_to_upper", "dorsal_to_ventral"):
        assert low_back[name] > 2.0, name
        assert high_front[name] < 0.5, name


def test_patches_are_counted_from_the_smallest_volume_on(scene):
    big = box(scene, (0.2, 0.5), (0.3, 0.7), (0.2, 0.4))
    small = box(scene, (0.7, 0.78), (0.5, 0.58), (0.2, 0.26))
    small_ml = small.sum() * scene.geometry.voxel_ml
    assert 0 < small_ml < 0.5
    both = measured(big | small, scene, 0.0)
    assert both["patch_count"] == 2.0
    assert both["patchiness"] == pytest.approx(small.sum() / (big | small).sum())
    assert measured(big | small, scene, small_ml * 1.5)["patch_count"] == 1.0


def test_both_sides_alike_are_bilateral(block):
    b = block(side_mm=(48.0, 48.0, 48.0))
    masks = [b.ball((0.0, 0.0, x), 8.0, 20.0) for x in (-12.0, 12.0)]
    scene = b.scene()
    assert measured((masks[0] | masks[1])[scene.box], scene)["bilateral_index"] == pytest.approx(1.0)
    assert measured(masks[0][scene.box], scene)["bilateral_index"] == 0.0


def test_what_is_measured_is_what_is_declared(scene):
    declared = [f.name for f in distribution_features("x", "haze")]
    found = distribution_of("x", scene.lungs > 0, scene, smallest_patch_ml=0.0)
    assert sorted(found) == sorted(declared)
    assert len(set(declared)) == len(declared)
