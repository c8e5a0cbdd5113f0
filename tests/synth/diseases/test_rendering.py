"""Every finding that is present draws its lesion in the asked size and place; absent ones draw nothing."""

import numpy as np
import pytest

from cop_imaging.synth import coarse_grid, draw_case, make_case
from cop_imaging.synth.case import stream
from cop_imaging.synth.diseases import load_knowledge
from cop_imaging.synth.diseases.emphysema import emphysema_percent, with_emphysema
from cop_imaging.synth.diseases.fitting import asked_ml
from cop_imaging.synth.diseases.rendering import draw_lesions
from cop_imaging.synth.ground import ground_of
from cop_imaging.synth.lesions.focal_consolidation import FocalConsolidation
from cop_imaging.synth.lesions.ground_glass import GroundGlassNodule
from cop_imaging.synth.lesions.lobar_consolidation import LobarConsolidation
from cop_imaging.synth.lesions.reversed_halo import ReversedHalo
from cop_imaging.synth.render import model_of


@pytest.fixture(scope="module")
def ground():
    """One chest for all cases: only their lesions are looked at."""
    return ground_of(model_of(draw_case("COP", 1).body, stream(1, "model")))


@pytest.fixture(scope="module")
def knowledge():
    return load_knowledge()


def found(knowledge, wanted, count, diseases=("COP",)):
    """The first cases of some diseases with a property."""
    drawn = (draw_case(d, seed, knowledge=knowledge) for seed in range(400) for d in diseases)
    out = [case for case in drawn if wanted(case)][:count]
    assert len(out) == count
    return out


def with_findings(case, *findings, **extents):
    """The case with exactly these findings."""
    return case.model_copy(update={"findings": findings, "extents": extents})


def test_the_ground_measures_what_is_drawn(ground, knowledge):
    case = found(knowledge, lambda c: c.has("consolidation") and c.extents["consolidation"] < 6.0, 1)[0]
    phantom = make_case(case, coarse_grid())
    own = ground_of(model_of(case.body, stream(case.seed, "model")))
    voxel_ml = phantom.volume.geometry.voxel_ml
    measured = own.measure(phantom.lesions)
    for name in ("consolidation", "ground_glass"):
        assert measured[name] == pytest.approx(phantom.truth[name].sum() * voxel_ml, rel=0.12, abs=5.0)
    assert own.terrain.lung_ml == pytest.approx((phantom.truth["lungs"] > 0).sum() * voxel_ml, rel=0.03)


@pytest.mark.parametrize(("disease", "seed"), [("COP", 7), ("CEP", 1), ("CAP", 0), ("VASC", 1), ("AIP_DAD", 2)])
def test_consolidation_and_ground_glass_have_the_extent_that_was_asked(disease, seed, ground, knowledge):
    case = draw_case(disease, seed, knowledge=knowledge)
    plain = with_findings(
        case,
        *(f for f in case.findings if f not in {"small_nodules", "centrilobular_nodules"}),
        **case.extents,
    )
    got = ground.measure(draw_lesions(plain, ground))
    for name in ("consolidation", "ground_glass"):
        if plain.has(name) and plain.extents[name] > 0.5:
            asked = asked_ml(plain, name, ground.terrain.lung_ml)
            assert 1 / 1.3 < got[name] / asked < 1.3, name


@pytest.mark.parametrize("percent", [2.0, 8.0, 30.0])
def test_focal_organizing_pneumonia_is_one_lesion_of_20_to_60_mm_whatever_its_extent(percent, ground):
    case = draw_case("COP", 4).model_copy(update={"op": True, "subtype": "focal"})
    case = with_findings(case, "consolidation", "ground_glass", consolidation=percent, ground_glass=percent)
    lesions = draw_lesions(case, ground)
    assert [type(lesion) for lesion in lesions if not isinstance(lesion, GroundGlassNodule)] == [FocalConsolidation]
    got = ground.measure(lesions)["consolidation"]
    assert 4.0 / 1.5 < got < 113.0 * 1.4
    with_arcades = with_findings(case, "consolidation", "perilobular", consolidation=percent)
    assert any(isinstance(lesion, FocalConsolidation) for lesion in draw_lesions(with_arcades, ground))


@pytest.mark.parametrize(("finding", "percent"), [("reticulation", 12.0), ("honeycombing", 4.0)])
def test_fibrosis_has_the_extent_that_was_asked(finding, percent, ground):
    case = with_findings(draw_case("UIP", 1), finding, "bilateral", "lower_zone_predominant", **{finding: percent})
    got = ground.measure(draw_lesions(case, ground))[finding]
    assert got == pytest.approx(percent / 100.0 * ground.terrain.lung_ml, rel=0.3)


@pytest.mark.parametrize("asked_ml", [60.0, 600.0])
def test_an_effusion_has_the_volume_that_was_asked(asked_ml, ground):
    case = with_findings(draw_case("CAP", 1), "pleural_effusion", "bilateral", pleural_effusion=asked_ml)
    assert ground.measure(draw_lesions(case, ground))["effusion"] == pytest.approx(asked_ml, rel=0.3)


def test_healthy_lungs_stay_healthy(ground, knowledge):
    case = found(knowledge, lambda c: not c.findings or set(c.findings) == {"normal_lung_volume"}, 1, ("NORMAL",))[0]
    assert draw_lesions(case, ground) == ()


def test_absent_findings_draw_nothing(ground):
    dense = with_findings(draw_case("CAP", 3), "consolidation", "unilateral_single_focus", consolidation=4.0)
    for seed in range(4):
        got = ground.measure(draw_lesions(dense.model_copy(update={"seed": seed}), ground))
        assert got["consolidation"] > 100.0
        assert got["ground_glass"] < 0.12 * got["consolidation"]
        assert got["reversed_halo"] == 0.0


@pytest.mark.parametrize(
    ("finding", "mask"),
    [
        ("reversed_halo", "reversed_halo"),
        ("perilobular", "perilobular"),
        ("bands", "band"),
        ("small_nodules", "nodule"),
        ("centrilobular_nodules", "centrilobular_nodules"),
        ("large_nodule_or_mass", "mass"),
        ("cavity", "cavity"),
        ("traction_bronchiectasis", "traction_bronchiectasis"),
        ("bronchial_wall_thickening", "wall_thickening"),
        ("bronchial_dilation", "bronchial_dilatation"),
        ("mosaic_attenuation", "mosaic"),
    ],
)
def test_a_finding_draws_its_shape(finding, mask, ground):
    case = with_findings(draw_case("VIRAL", 3), finding, "bilateral")
    assert ground.measure(draw_lesions(case, ground))[mask] > 0.05


def share_of(ground, lesions, chosen):
    """Share of the consolidation in a part of the lungs."""
    got = {}
    for name, part in (("all", ground.lung), ("part", ground.lung & chosen)):
        got[name] = type(ground)(ground.terrain, ground.slab, ground.hu, part, ground.depth_mm, ground.lobe).measure(
            lesions
        )["consolidation"]
    return got["part"] / got["all"]


def test_consolidation_lies_where_a_reader_would_report_it(ground):
    base = draw_case("COP", 4).model_copy(update={"op": True, "subtype": "multifocal_consolidation"})
    z = np.broadcast_to(ground.slab.z, ground.slab.shape)
    low = z < np.quantile(z[ground.lung], 1 / 3)
    rind = ground.depth_mm < np.quantile(ground.depth_mm[ground.lung], 1 / 3)

    def mean_share(part, *findings):
        cases = (
            with_findings(base, "consolidation", "bilateral", *findings, consolidation=3.0).model_copy(
                update={"seed": seed}
            )
            for seed in range(6)
        )
        return np.mean([share_of(ground, draw_lesions(case, ground), part) for case in cases])

    assert mean_share(low, "peripheral", "lower_zone_predominant") > 1.5 * mean_share(
        low, "peripheral", "upper_zone_predominant"
    )
    assert mean_share(rind, "peripheral") > 0.5
    assert mean_share(rind, "peripheral") > mean_share(rind, "peribronchovascular") + 0.15


def test_disease_on_one_side_leaves_the_other_free_and_bilateral_disease_does_not(ground):
    right = np.broadcast_to(ground.lobe <= 3, ground.slab.shape)
    for seed in range(3):
        one = draw_case("CAP", seed).model_copy(update={"op": False, "subtype": None})
        single = with_findings(one, "consolidation", "unilateral_single_focus", consolidation=3.0)
        assert share_of(ground, draw_lesions(single, ground), right) in (0.0, 1.0)
        both = with_findings(draw_case("COP", seed), "consolidation", "bilateral", consolidation=6.0).model_copy(
            update={"subtype": "multifocal_consolidation"}
        )
        assert 0.1 < share_of(ground, draw_lesions(both, ground), right) < 0.9


def test_the_form_of_organizing_pneumonia_decides_its_look(ground, knowledge):
    haloes = found(knowledge, lambda c: c.subtype == "reversed_halo_dominant", 2)
    assert all(sum(isinstance(x, ReversedHalo) for x in draw_lesions(case, ground)) >= 2 for case in haloes)


def test_bacterial_pneumonia_fills_a_lobe(ground, knowledge):
    cases = found(knowledge, lambda c: not c.op and c.has("consolidation"), 4, ("CAP",))
    plain = (with_findings(c, "consolidation", "bilateral", consolidation=4.0) for c in cases)
    kinds = [{type(lesion) for lesion in draw_lesions(case, ground)} for case in plain]
    assert any(LobarConsolidation in kind for kind in kinds)


@pytest.mark.parametrize("percent", [1.0, 8.0])
def test_emphysema_fills_the_part_of_the_lungs_that_was_asked(percent, knowledge):
    case = with_findings(draw_case("UIP", 3, knowledge=knowledge), "emphysema", emphysema=percent)
    model = model_of(case.body.model_copy(update={"emphysema": 0.0, "paraseptal": 0.0}), stream(3, "model"))
    assert emphysema_percent(with_emphysema(model, case)) == pytest.approx(percent, rel=0.15)
    # A body's own emphysema stays, whatever the case's findings.
    ill = with_emphysema(model, case)
    assert with_emphysema(ill, with_findings(case)) is ill


def test_the_same_case_draws_the_same_lesions(ground):
    case = with_findings(draw_case("COP", 5), "consolidation", "reversed_halo", "bilateral", consolidation=2.0)
    first = draw_lesions(case, ground)
    assert draw_lesions(case, ground) == first
    assert draw_lesions(case.model_copy(update={"seed": 6}), ground) != first
