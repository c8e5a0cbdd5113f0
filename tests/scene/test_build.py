"""The scene of a made chest: the lung crop, and maps that are computed once."""

import dataclasses
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from cop_imaging.core import LEFT, RIGHT, SliceIdentity
from cop_imaging.core.grid import distance_to
from cop_imaging.core.scene import BUNDLE_MM
from cop_imaging.provenance import array_digest
from cop_imaging.scene import build_scene

MAPS = (
    "smooth_hu",
    "depth_mm",
    "zone",
    "dependent_mm",
    "bundle_mm",
    "reference",
    "ridges",
    "line_density",
    "airway_sections",
)


@pytest.fixture(scope="module")
def scene(healthy, healthy_anatomy):
    return build_scene(healthy.volume, healthy_anatomy)


def placed(healthy, position):
    acquisition = healthy.volume.acquisition.model_copy(update={"patient_position": position})
    return dataclasses.replace(healthy.volume, acquisition=acquisition)


def test_the_crop_holds_both_lungs_at_their_place_in_the_patient(scene, healthy, healthy_anatomy):
    g = healthy.volume.geometry
    assert scene.full_shape == g.shape
    assert np.array_equal(scene.full(scene.lungs), healthy_anatomy.lungs)
    assert np.array_equal(scene.hu, healthy.volume.hu[scene.box])
    start = tuple(float(b.start) for b in scene.box)
    assert scene.geometry.to_patient((0.0, 0.0, 0.0)) == pytest.approx(g.to_patient(start))
    assert scene.hu.size < 0.6 * healthy.volume.hu.size
    for name in ("lungs", "airways", "vessels", "uncertain", "hu", "valid", *MAPS[:5]):
        assert getattr(scene, name).shape == scene.geometry.shape, name


def test_slices_keep_their_identities(healthy, healthy_anatomy):
    slices = tuple(SliceIdentity(k + 1, f"1.2.{k}") for k in range(healthy.volume.hu.shape[0]))
    named = build_scene(dataclasses.replace(healthy.volume, slices=slices), healthy_anatomy)
    assert len(named.slices) == named.hu.shape[0]
    assert named.slices[0].instance_number == named.box[0].start + 1


def test_threads_that_ask_for_one_map_at_the_same_time_get_the_same_one(scene):
    begun, again, go_on = threading.Event(), threading.Event(), threading.Event()

    def slow(of):
        (again if begun.is_set() else begun).set()
        assert go_on.wait(20.0)
        return np.zeros(of.lungs.shape, np.uint8)

    shared = dataclasses.replace(scene, makers={**scene.makers, "zone": slow}, _maps={"smooth_hu": scene.smooth_hu})
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(lambda: shared.zone)
        assert begun.wait(20.0)
        second = pool.submit(lambda: shared.zone)
        assert not again.wait(0.3)
        go_on.set()
        assert first.result() is second.result()


def test_each_map_is_made_once_however_often_it_is_asked_for(scene):
    calls = dict.fromkeys(scene.makers, 0)

    def counted(name, make):
        def maker(of):
            calls[name] += 1
            return make(of)

        return maker

    fresh = dataclasses.replace(
        scene,
        makers={name: counted(name, make) for name, make in scene.makers.items()},
        _maps={"smooth_hu": scene.smooth_hu},
    )
    for _ in range(2):
        for name in reversed(MAPS):
            assert getattr(fresh, name) is getattr(fresh, name)
    assert calls == dict.fromkeys(scene.makers, 1)


def test_zones_of_a_chest_are_thirds_within_a_slice(scene):
    assert np.array_equal(scene.zone > 0, scene.lungs > 0)
    for side, first in ((RIGHT, 1), (LEFT, 4)):
        mine = scene.lungs == side
        for k in range(3):
            assert abs((scene.zone == first + k).sum() - mine.sum() / 3) <= mine.sum(axis=(1, 2)).max()
    z = np.arange(scene.zone.shape[0])[:, None, None]
    centres = [(z * (scene.zone == k)).sum() / (scene.zone == k).sum() for k in range(1, 7)]
    assert centres[0] > centres[1] > centres[2]
    assert centres[3] > centres[4] > centres[5]


def test_depth_beside_the_heart_is_far_from_the_pleura_that_counts(scene):
    """Plain distance to all that is no lung calls the mediastinal border shallow; depth does not."""
    from_anything = distance_to(scene.lungs == 0, scene.geometry)
    beside = (from_anything > 0) & (from_anything <= scene.geometry.spacing_mm[0])
    x_mm = scene.geometry.origin_mm[0] + np.arange(scene.hu.shape[2]) * scene.geometry.spacing_mm[2]
    medial = beside & (np.abs(x_mm) < 40.0)[None, None]
    z = np.arange(scene.hu.shape[0])
    level = np.abs(z - z.size / 2) < z.size / 6
    y_mm = scene.geometry.origin_mm[1] + np.arange(scene.hu.shape[1]) * scene.geometry.spacing_mm[1]
    level = level[:, None, None] & (np.abs(y_mm) < 40.0)[None, :, None]
    medial &= level
    lateral = beside & (np.abs(x_mm) > 100.0)[None, None] & level
    assert medial.sum() > 500
    assert np.median(scene.depth_mm[medial]) > 20.0
    assert np.median(scene.depth_mm[lateral]) < 4.0
    assert not scene.depth_mm[scene.lungs == 0].any()


def test_the_lungs_own_volumes_add_up(scene):
    total_ml = (scene.lungs > 0).sum() * scene.geometry.voxel_ml
    found = scene.reference
    assert found.total_ml == pytest.approx(total_ml)
    assert sum(found.side_ml) == pytest.approx(total_ml)
    assert found.zone_ml.sum() == pytest.approx(total_ml)
    assert found.zone_ml[:3].sum() == pytest.approx(found.side_ml[0])
    assert found.depth_ml.sum() == pytest.approx(total_ml)
    assert found.depth_edges_mm.size == found.depth_ml.size + 1


def test_a_third_of_the_lungs_lies_in_the_outer_third_and_half_of_them_low(scene):
    inside = scene.lungs > 0
    outer = (scene.depth_mm[inside] <= scene.reference.outer_third_mm).mean()
    assert outer == pytest.approx(1 / 3, abs=0.02)
    rows = np.nonzero(inside)[1]
    assert (rows <= scene.reference.middle_along_gravity).mean() == pytest.approx(0.5, abs=0.03)
    assert scene.reference.near_bundle_share == pytest.approx((scene.bundle_mm[inside] <= BUNDLE_MM).mean())
    assert 0.05 < scene.reference.near_bundle_share < 0.5


def test_bundles_lie_near_the_large_vessels_of_the_phantom(scene, healthy):
    inside = scene.lungs > 0
    vessels = healthy.truth["vessels"][scene.box] & inside
    assert np.median(scene.bundle_mm[vessels]) < 0.5 * np.median(scene.bundle_mm[inside])


def test_a_prone_patients_dependent_lung_is_the_front(scene, healthy, healthy_anatomy):
    prone = build_scene(placed(healthy, "HFP"), healthy_anatomy)
    assert prone.gravity == tuple(-g for g in scene.gravity)
    y = np.arange(scene.hu.shape[1])[None, :, None] * np.ones(scene.hu.shape)
    inside = scene.lungs > 0
    for each, sign in ((scene, -1), (prone, 1)):
        low, high = each.dependent_mm[inside] < 20.0, each.dependent_mm[inside] > 100.0
        assert sign * (y[inside][high].mean() - y[inside][low].mean()) > 0
    # Depth and zones do not know of gravity.
    assert np.array_equal(prone.zone, scene.zone)


def test_noise_and_breath_of_the_phantom_are_measured(scene):
    assert scene.noise_hu == pytest.approx(12.0, rel=0.25)
    assert -890.0 < scene.aerated_mode_hu < -840.0


def test_smooth_hu_is_less_noisy_where_the_scan_is_noisy(healthy, healthy_anatomy):
    rng = np.random.default_rng(6)
    hu = np.clip(healthy.volume.hu + rng.normal(0.0, 70.0, healthy.volume.hu.shape), -1024, 3071)
    noisy = build_scene(dataclasses.replace(healthy.volume, hu=np.rint(hu).astype(np.int16)), healthy_anatomy)
    assert noisy.noise_hu == pytest.approx(np.hypot(12.0, 70.0), rel=0.25)
    deep = noisy.depth_mm > 15.0
    assert noisy.smooth_hu[deep].std() < noisy.hu[deep].std()


def test_neither_the_scan_nor_its_anatomy_is_changed(scene, healthy, healthy_anatomy):
    for name in MAPS:
        getattr(scene, name)
    assert array_digest(healthy.volume.hu, healthy.volume.geometry) == healthy.volume.digest
    assert not healthy_anatomy.lungs.flags.writeable


def test_an_anatomy_without_lungs_has_no_scene(healthy, healthy_anatomy):
    empty = dataclasses.replace(healthy_anatomy, lungs=np.zeros_like(healthy_anatomy.lungs))
    with pytest.raises(ValueError, match="empty mask"):
        build_scene(healthy.volume, empty)
