"""The charts draw the measured numbers, in their places, and say them in words."""

import re
from dataclasses import replace

import numpy as np
import pytest

from cop_imaging.core import Measure
from cop_imaging.report import draw_pictures
from cop_imaging.report.charts import depth_chart, zone_chart, zone_extents

COLOUR = "#D55E00"


def bars(svg):
    found = re.findall(r'<rect x="([\d.]+)" y="([\d.]+)" width="[\d.]+" height="([\d.]+)"', svg)
    return [tuple(map(float, bar)) for bar in found]


@pytest.fixture
def summary(analysis):
    return analysis.report.findings[0]


def test_bars_are_as_high_as_the_extents_and_run_from_the_pleura_inwards(summary):
    shells = [m for m in summary.measures if "_mm_percent" in m.name]
    (x0, _, h0), (x1, _, h1) = bars(depth_chart(summary, COLOUR))
    assert x0 < x1
    assert h0 / h1 == pytest.approx(shells[0].value / shells[1].value, rel=0.02)


def test_a_shell_that_could_not_be_measured_has_no_bar(summary):
    bare = [
        m.model_copy(update={"value": None, "low": None, "high": None}) if "_mm_percent" in m.name else m
        for m in summary.measures
    ]
    assert bars(depth_chart(summary.model_copy(update={"measures": tuple(bare)}), COLOUR)) == []


def test_a_sign_without_shells_has_no_profile(summary):
    assert depth_chart(summary.model_copy(update={"measures": summary.measures[:1]}), COLOUR) == ""


def test_no_bar_leaves_the_plot(summary):
    full = tuple(
        Measure(name=m.name, value=100.0, low=90.0, high=100.0, unit=m.unit) if m.unit == "percent" else m
        for m in summary.measures
    )
    assert all(y >= 12 for _, y, _ in bars(depth_chart(summary.model_copy(update={"measures": full}), COLOUR)))


def test_zones_are_counted_in_their_own_lung(analysis):
    finding = analysis.findings[0]
    everywhere = replace(finding, mask=analysis.scene.lungs > 0)
    assert zone_extents(everywhere, analysis.scene) == (100.0,) * 6
    left = replace(finding, mask=analysis.scene.lungs == 2)
    assert zone_extents(left, analysis.scene) == (0.0, 0.0, 0.0, 100.0, 100.0, 100.0)
    assert zone_extents(replace(finding, mask=None), analysis.scene) == ()


def test_the_right_lung_is_drawn_on_the_left_and_the_upper_zone_above(summary):
    svg = zone_chart(summary, (60.0, 0.0, 0.0, 0.0, 0.0, 20.0), COLOUR)
    zones = re.findall(r'<path d="M([^"]+)z" fill="[^"]+" fill-opacity="([\d.]+)"', svg)
    middles = [np.array([p.split() for p in path.split("L")], float).mean(axis=0) for path, _ in zones]
    shades = [float(shade) for _, shade in zones]
    assert all(middles[n][0] < 190 < middles[n + 3][0] for n in range(3))
    assert middles[0][1] < middles[1][1] < middles[2][1]
    assert shades[0] > shades[5] > shades[1] == 0.0
    assert "right upper 60.0" in svg
    assert "left lower 20.0" in svg


def test_an_unknown_zone_is_a_dash_and_no_zero(summary):
    svg = zone_chart(summary, (None, 1.0, 1.0, 1.0, 1.0, 1.0), COLOUR)
    assert "right upper —" in svg


def test_without_extents_there_is_no_chart(summary):
    assert zone_chart(summary, (), COLOUR) == ""


def test_the_pictures_carry_the_zones_of_the_density_signs_that_were_found(analysis):
    assert set(draw_pictures(analysis).zones) == {"consolidation", "ground_glass"}
