"""The catalogue of signs, and what they declare."""

import dataclasses

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from cop_imaging.core import Acquisition, Issue, Lesion, Presence, Severity, SliceIdentity
from cop_imaging.core.issue import EVERY_SIGN
from cop_imaging.signs import SIGNS, SignsConfig, observe, schema_of, signs_with, vectorize
from cop_imaging.signs.intervals import spans
from cop_imaging.signs.lesions import MOST_LESIONS, lesion_table
from cop_imaging.signs.lungs import expected_volume_ml
from cop_imaging.signs.presence import POSSIBLE_SCORE, PRESENT_SCORE, graded, presence_of, seen
from cop_imaging.signs.reliability import by_thickness

SMALL = (54.0, 54.0, 66.0)
UNITS = {"ml", "mm", "percent", "HU", "1", "degrees", "mm/ml", "percent/cm"}


@pytest.fixture(scope="module")
def kept():
    return {}


@pytest.fixture
def scene(kept, block):
    if not kept:
        b = block(side_mm=SMALL)
        kept["ball"] = b.ball((-6.0, 8.0, -18.0), 9.0, 20.0)
        kept["haze"] = b.ball((4.0, 0.0, 16.0), 11.0, -550.0)
        kept["scene"] = b.scene()
    return kept["scene"]


@pytest.mark.parametrize("sign", SIGNS, ids=lambda s: s.name)
def test_a_sign_declares_its_features_in_its_own_name(sign):
    for feature in sign.features:
        prefix, _, rest = feature.name.partition(".")
        assert prefix == sign.name
        assert rest
        assert feature.unit in UNITS
        assert feature.means
        if feature.unit in ("ml", "mm", "percent", "degrees"):
            assert rest.endswith(feature.unit.replace("degrees", "deg")) or feature.unit == "mm"
        if feature.unit == "HU":
            assert rest.endswith("_hu")
        if feature.high is not None:
            assert feature.low is None or feature.low < feature.high
    assert sign.title
    assert sign.definition.endswith(".")


def test_no_two_signs_share_a_name_or_a_feature():
    names = [f.name for sign in SIGNS for f in sign.features]
    assert len(set(names)) == len(names)
    assert len({sign.name for sign in SIGNS}) == len(SIGNS)


def test_a_sign_needs_only_signs_before_it():
    seen: set[str] = set()
    for sign in SIGNS:
        assert set(sign.needs) <= seen
        seen.add(sign.name)


def test_definitions_state_the_limits_in_force():
    config = SignsConfig.model_validate({"consolidation": {"low_hu": -250.0}, "reversed_halo": {"coverage_deg": 300.0}})
    text = {sign.name: sign.definition for sign in signs_with(config)}
    assert "-250 HU" in text["consolidation"]
    assert "300 degrees" in text["reversed_halo"]


def test_every_measured_value_lies_in_its_declared_range(scene):
    for finding in observe(scene):
        for feature, measure in zip(finding.features, finding.measures, strict=True):
            if measure.value is None:
                continue
            assert feature.low is None or measure.value >= feature.low, feature.name
            assert feature.high is None or measure.value <= feature.high, feature.name
            assert measure.low <= measure.value <= measure.high, feature.name


def test_signs_looked_for_at_the_same_time_are_those_looked_for_one_after_the_other(scene):
    before = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
    found = []
    try:
        for threads in (1, 3):
            sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(threads)
            found.append(observe(dataclasses.replace(scene, _maps={"smooth_hu": scene.smooth_hu})))
    finally:
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(before)
    assert vectorize(found[0]).values.tobytes() == vectorize(found[1]).values.tobytes()
    for one, other in zip(*found, strict=True):
        assert (one.sign, one.presence, one.lesions, one.best_z) == (
            other.sign,
            other.presence,
            other.lesions,
            other.best_z,
        )
        assert (one.mask is None and other.mask is None) or np.array_equal(one.mask, other.mask)


def test_the_mask_of_an_absent_sign_takes_no_memory(scene):
    absent = [f for f in observe(scene) if f.mask is not None and not f.mask.any()]
    assert absent
    assert all(f.mask.shape == scene.lungs.shape and not any(f.mask.strides) for f in absent)


def test_an_issue_can_spoil_or_bound_every_sign_and_leaves_the_lungs(scene):
    spoil = Issue(code="x", severity=Severity.ERROR, message="no", spoils=(EVERY_SIGN,))
    bound = Issue(code="y", severity=Severity.WARNING, message="less", lower_bounds=(EVERY_SIGN,))
    assert [f.sign for f in observe(scene, None, (spoil,)) if f.presence is not Presence.NOT_ASSESSABLE] == ["lungs"]
    assert [f.sign for f in observe(scene, None, (bound,)) if not f.lower_bounds] == ["lungs"]


def test_slices_of_eight_millimetres_leave_lungs_and_consolidation_alone(scene):
    thick = dataclasses.replace(scene, acquisition=Acquisition(slice_thickness_mm=8.0))
    found = {f.sign: f for f in observe(thick)}
    unseen = {name for name, f in found.items() if f.presence is Presence.NOT_ASSESSABLE}
    assert {"ground_glass", "reversed_halo", "small_nodules", "bands", "honeycombing"} <= unseen
    assert not unseen & {"lungs", "consolidation", "large_nodule_or_mass"}
    for name in unseen:
        assert all(m.value is None for m in found[name].measures)
        assert found[name].score is None
    vector = vectorize(observe(thick))
    assert [vector.assessable[s.name] for s in SIGNS] == [s.name not in unseen for s in SIGNS]
    assert np.isnan(vector["ground_glass.volume_ml"])
    assert np.isnan(vector["reversed_halo.count"])
    assert vector["consolidation.volume_ml"] > 0


def test_only_signs_that_an_issue_bounds_are_lower_bounds_and_their_values_stay(scene):
    issue = Issue(code="lungs.doubtful", severity=Severity.WARNING, message="", lower_bounds=("consolidation",))
    plain, bounded = observe(scene), observe(scene, None, (issue,))
    assert [f.sign for f in bounded if f.lower_bounds] == ["consolidation"]
    assert not [f for f in plain if f.lower_bounds]
    assert vectorize(plain).values.tobytes() == vectorize(bounded).values.tobytes()


def test_a_changed_limit_changes_what_is_found(scene):
    strict = SignsConfig.model_validate({"consolidation": {"smallest_ml": 5.0}})
    found, none = (observe(scene, c)[1].measure("consolidation.volume_ml").value for c in (None, strict))
    assert found > 2.0
    assert none == 0.0


def test_the_vector_holds_the_findings_in_schema_order(scene):
    findings = observe(scene)
    vector = vectorize(findings)
    assert vector.schema == schema_of(SIGNS)
    assert vector.schema.names == tuple(m.name for f in findings for m in f.measures)
    for f in findings:
        assert vector.scores[f.sign] == f.score
        for m in f.measures:
            got = vector[m.name]
            assert np.isnan(got) if m.value is None else got == m.value
    assert vectorize(findings).values.tobytes() == vectorize(observe(scene)).values.tobytes()


def test_the_schema_changes_with_every_name_unit_and_order():
    whole = schema_of(SIGNS)
    first = whole.features[0]
    variants = [
        dataclasses.replace(whole, features=(dataclasses.replace(first, name="lungs.size_ml"), *whole.features[1:])),
        dataclasses.replace(whole, features=(dataclasses.replace(first, unit="mm"), *whole.features[1:])),
        dataclasses.replace(whole, features=whole.features[::-1]),
        dataclasses.replace(whole, version="2"),
        schema_of(SIGNS[:-1]),
    ]
    digests = {whole.digest, *(v.digest for v in variants)}
    assert len(digests) == len(variants) + 1
    assert schema_of(SIGNS).digest == whole.digest


def test_a_lesion_can_be_found_again(scene):
    finding = observe(scene)[1]
    mask, best = finding.mask, finding.best_z
    (lesion,) = lesion_table(mask, scene, 0.2)
    index = np.rint(scene.geometry.to_index(lesion.centre_mm)).astype(int)
    assert mask[tuple(index)]
    areas = mask.sum(axis=(1, 2))
    assert areas[best] == areas.max()
    assert lesion.z_mm == pytest.approx(scene.geometry.to_patient((best, 0, 0))[2])
    assert lesion.instance_number == scene.slices[best].instance_number
    assert lesion.side == "right"
    assert lesion.depth_mm == pytest.approx(scene.depth_mm[mask].min())
    assert lesion.volume_ml == pytest.approx(mask.sum() * scene.geometry.voxel_ml)
    assert lesion.mean_hu == pytest.approx(scene.smooth_hu[mask].mean())


def test_a_bent_lesion_is_marked_inside_itself(scene):
    mask = np.zeros(scene.lungs.shape, bool)
    mask[10:12, 10:25, 10] = mask[10:12, 10, 10:25] = mask[10:12, 24, 10:25] = True
    (lesion,) = lesion_table(mask, scene, 0.0)
    assert mask[tuple(np.rint(scene.geometry.to_index(lesion.centre_mm)).astype(int))]


def test_lesions_come_largest_first_and_at_most_fifty(scene):
    mask = np.zeros(scene.lungs.shape, bool)
    mask[6:36:4, 6:36:4, 6:40:4] = True
    mask[6:9, 6:9, 6:9] = True
    mask &= scene.lungs > 0
    found = lesion_table(mask, scene, 0.0)
    assert len(found) == MOST_LESIONS
    volumes = [lesion.volume_ml for lesion in found]
    assert volumes == sorted(volumes, reverse=True)
    assert len(lesion_table(mask, scene, volumes[0])) == 1


def test_an_empty_mask_has_no_lesion_and_no_best_slice(scene):
    none = np.zeros(scene.lungs.shape, bool)
    assert lesion_table(none, scene, 0.0) == ()
    sign = SIGNS[1]
    assert seen(sign, 0.0, {f.name: (None, None, None) for f in sign.features}, none).best_z is None


def test_slices_without_identity_leave_the_lesion_without(scene):
    bare = dataclasses.replace(scene, slices=())
    named: Lesion
    (named,) = lesion_table(observe(bare)[1].mask, bare, 0.2)
    assert named.instance_number is None
    assert named.sop_instance_uid is None
    one = dataclasses.replace(scene, slices=tuple(SliceIdentity(None, f"1.{k}") for k in range(scene.hu.shape[0])))
    assert lesion_table(observe(one)[1].mask, one, 0.2)[0].instance_number is None


@given(st.floats(0, 1e4), st.floats(0, 1e4), st.floats(0.01, 50.0), st.floats(0.01, 50.0))
def test_presence_is_graded_without_a_step(value, other, possible, more):
    present = possible + more
    low, high = sorted((value, other))
    assert 0.0 <= graded(low, possible, present) <= graded(high, possible, present) <= 1.0
    assert graded(0.0, possible, present) == 0.0
    for limit, score in ((possible, POSSIBLE_SCORE), (present, PRESENT_SCORE)):
        for near in (limit * (1 - 1e-9), limit, limit * (1 + 1e-9)):
            assert graded(near, possible, present) == pytest.approx(score, abs=1e-5)
    assert presence_of(graded(present * 1.01, possible, present)) is Presence.PRESENT
    assert presence_of(graded(possible * 0.99, possible, present)) is Presence.ABSENT
    assert presence_of(graded(possible + more / 2, possible, present)) is Presence.POSSIBLE


numbers = st.none() | st.floats(-1e6, 1e6)


@given(numbers, st.lists(numbers, max_size=4))
def test_an_interval_holds_the_value_and_every_moved_one(value, moved):
    ((v, low, high),) = spans({"a": value}, [{"a": m} for m in moved]).values()
    assert v == value
    if value is None:
        assert low is None
        assert high is None
    else:
        known = [value, *(m for m in moved if m is not None)]
        assert (low, high) == (min(known), max(known))


@pytest.mark.parametrize(
    ("thickness", "step", "weight"),
    [(None, None, 1.0), (3.0, None, 1.0), (1.0, 3.0, 1.0), (3.1, 1.0, 0.5), (1.0, 6.0, 0.5), (6.1, 3.0, 0.0)],
)
def test_reliability_goes_by_the_larger_of_thickness_and_step(thickness, step, weight):
    found, reason = by_thickness(Acquisition(slice_thickness_mm=thickness, slice_step_mm=step), 3.0, "haze")
    assert found == weight
    assert bool(reason) is (weight < 1.0)
    assert ("haze" in reason) is (weight < 1.0)


def test_the_expected_lung_volume_is_that_of_the_tables():
    # Quanjer 1993: a man of 1.80 m has a total lung capacity of 7.30 L, a woman of 1.65 m of 5.10 L.
    assert expected_volume_ml(Acquisition(sex="M", height_m=1.80)) == pytest.approx(0.85 * 7302, abs=5)
    assert expected_volume_ml(Acquisition(sex="F", height_m=1.65)) == pytest.approx(0.85 * 5100, abs=5)


@pytest.mark.parametrize(
    "known", [{"sex": "M"}, {"height_m": 1.8}, {"sex": "O", "height_m": 1.8}, {"sex": "M", "height_m": 0.9}]
)
def test_without_sex_and_adult_height_no_volume_is_expected(known):
    assert expected_volume_ml(Acquisition(**known)) is None


def test_the_lungs_are_measured_whole(scene):
    lungs = observe(scene)[0]
    ml = scene.geometry.voxel_ml
    value = {m.name: m.value for m in lungs.measures}
    assert value["lungs.volume_ml"] == pytest.approx((scene.lungs > 0).sum() * ml)
    assert value["lungs.right_volume_ml"] + value["lungs.left_volume_ml"] == pytest.approx(value["lungs.volume_ml"])
    assert value["lungs.mean_hu"] == pytest.approx(scene.hu[scene.lungs > 0].mean())
    assert value["lungs.predicted_percent"] is None
    around = ndimage.binary_dilation(scene.lungs > 0, iterations=2)
    unsure = dataclasses.replace(scene, uncertain=around)  # what is in the lungs already adds nothing to them
    volume = observe(unsure)[0].measure("lungs.volume_ml")
    assert volume.high - volume.value == pytest.approx((around & (scene.lungs == 0)).sum() * ml)


def test_consolidation_in_doubtful_lung_counts_in_the_interval_only(scene):
    sure = observe(scene)[1].measure("consolidation.volume_ml")
    assert sure.value > 0.0
    doubted = observe(dataclasses.replace(scene, uncertain=scene.lungs > 0))[1].measure("consolidation.volume_ml")
    assert doubted.value == 0.0
    assert doubted.high >= sure.value
