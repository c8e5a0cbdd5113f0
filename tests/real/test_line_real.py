"""The whole line on real CT series, each analyzed once; the folder is named by COP_IMAGING_REAL_CT."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from cop_imaging.core import Presence, Status
from cop_imaging.pipeline import analyze

FOLDER = os.environ.get("COP_IMAGING_REAL_CT", "")
pytestmark = pytest.mark.skipif(not FOLDER, reason="COP_IMAGING_REAL_CT names no folder of real CT series")

NEAR_NORMAL = ("near_normal_1.25mm", "near_normal_2.5mm", "near_normal_3mm")
KERNELS = ("kernel_pair_8mm/b70f", "kernel_pair_8mm/b40f")

EXPLAINED = {
    # LPS boxes (low, high) in mm of dense lung that the scan is known to hold.
    "near_normal_1.25mm": {"scars at the left base": ((60, -80, -300), (130, 60, -220))},
    "near_normal_2.5mm": {
        "spiculated nodule, left, posterior": ((35, 60, -140), (80, 110, -95)),
        "atelectasis at the bases": ((-150, -80, -260), (150, 130, -180)),
    },
    "near_normal_3mm": {"wedge in the middle lobe": ((-100, -260, -200), (0, -150, -130))},
}


@pytest.fixture(scope="module")
def report():
    """The report of a series; its arrays are dropped, and no series is analyzed twice."""
    made = {}

    def of(name):
        if name not in made:
            made[name] = analyze(Path(FOLDER) / name).report
        return made[name]

    return of


@pytest.mark.parametrize("name", NEAR_NORMAL)
def test_multifocal_consolidation_stands_out_from_nearly_normal_lungs(report, name):
    ill, well = report("covid_1.25mm"), report(name)
    extent = "consolidation.extent_percent"
    assert ill.features[extent] >= 5.0 * well.features[extent]
    assert ill.likelihood.op.p > well.likelihood.op.p
    assert ill.finding("consolidation").presence is Presence.PRESENT
    assert well.finding("consolidation").presence is not Presence.PRESENT


def test_multifocal_consolidation_lies_where_it_was_seen(report):
    found = report("covid_1.25mm").features
    assert found["consolidation.right_share"] > 0.7
    assert found["consolidation.peripheral_to_central"] > 1.0
    assert found["ground_glass.extent_left_percent"] > 0.0


@pytest.mark.parametrize("name", NEAR_NORMAL)
def test_nearly_normal_lungs_hold_no_reversed_halo(report, name):
    found = report(name)
    assert found.features["reversed_halo.count"] == 0.0
    assert found.finding("reversed_halo").presence is not Presence.PRESENT


@pytest.mark.parametrize("name", NEAR_NORMAL)
def test_what_is_dense_in_nearly_normal_lungs_is_explained(report, name):
    """Nodule, scars, wedge and atelectasis aside, at most 2 mL are called consolidation."""
    unexplained_ml = 0.0
    for lesion in report(name).finding("consolidation").lesions:
        inside = [
            np.all(np.array(low) <= lesion.centre_mm) and np.all(lesion.centre_mm <= np.array(high))
            for low, high in EXPLAINED[name].values()
        ]
        unexplained_ml += 0.0 if any(inside) else lesion.volume_ml
    assert unexplained_ml <= 2.0


def test_the_spiculated_nodule_is_found_at_its_place(report):
    low, high = EXPLAINED["near_normal_2.5mm"]["spiculated nodule, left, posterior"]
    lesion = report("near_normal_2.5mm").finding("consolidation").lesions[0]
    assert lesion.side == "left"
    assert np.all(np.array(low) <= lesion.centre_mm)
    assert np.all(lesion.centre_mm <= np.array(high))
    assert lesion.volume_ml > 2.0


@pytest.mark.parametrize("name", KERNELS)
def test_thick_slices_limit_the_report(report, name):
    found = report(name)
    assert found.status is Status.LIMITED
    assert "slices.thick" in {issue.code for issue in found.issues}
    for sign in ("ground_glass", "reversed_halo"):
        assert found.finding(sign).presence is Presence.NOT_ASSESSABLE
        assert found.features[f"{sign}.volume_ml"] is None


def test_two_kernels_of_one_acquisition_agree(report):
    sharp, soft = (report(name) for name in KERNELS)
    one, other = (r.features["consolidation.volume_ml"] for r in (sharp, soft))
    assert abs(one - other) <= max(5.0, 0.25 * max(one, other))
    assert sharp.anatomy.lung_volume_ml == pytest.approx(soft.anatomy.lung_volume_ml, rel=0.02)
    assert sharp.case != soft.case


@pytest.mark.parametrize("name", ["covid_1.25mm", *NEAR_NORMAL])
def test_lungs_are_whole_and_alike_on_both_sides(report, name):
    found = report(name)
    assert found.status is Status.OK
    assert 2000.0 < found.anatomy.lung_volume_ml < 7500.0
    assert 0.7 < found.anatomy.right_to_left < 1.8
    assert -920.0 < found.features["lungs.aerated_mode_hu"] < -750.0
