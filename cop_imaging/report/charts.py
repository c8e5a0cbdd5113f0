"""Where a sign lies, as two drawings: its extent by depth below the pleura, and by zone of each lung."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup

from cop_imaging.core import Finding, FindingSummary, Measure, Scene
from cop_imaging.core.arrays import Float64Array
from cop_imaging.report import wording

__all__ = ["depth_chart", "zone_chart", "zone_extents"]

ZONES = ("upper", "middle", "lower")
WIDTH, HEIGHT = 380, 216
LEFT, RIGHT, TOP, BASE = 40, 12, 12, 168
"""Margins of the plot, and where its baseline lies."""
HEIGHTS = (10.0, 18.0, 40.0, 96.0, 130.0, 160.0, 190.0, 206.0)
OUTER = (146.0, 128.0, 108.0, 80.0, 72.0, 67.0, 64.0, 70.0)
INNER = (152.0, 156.0, 160.0, 162.0, 160.0, 157.0, 152.0, 130.0)
HEART = (0.0, 0.0, 0.0, 0.0, 14.0, 24.0, 22.0, 8.0)
"""Edges of the right lung seen from the front, which is on the left; the left one mirrors it beside the heart."""
CUTS = (10.0, 76.0, 140.0, 206.0)
"""Heights between the zones in the drawing."""


def zone_extents(finding: Finding, scene: Scene) -> tuple[float | None, ...]:
    """Percent of each zone that the finding's mask fills, in the order of ``core.scene.ZONES``; none without a mask."""
    if finding.mask is None:
        return ()
    filled = np.bincount(scene.zone[finding.mask], minlength=7)[1:7]
    whole = np.bincount(scene.zone.ravel(), minlength=7)[1:7]
    return tuple(100.0 * float(f) / float(w) if w else None for f, w in zip(filled, whole, strict=True))


def depth_chart(finding: FindingSummary, colour: str) -> Markup:
    """Extent in shells below the costal pleura as bars with their intervals; nothing for a sign without shells."""
    shells = wording.shells(finding)
    if not shells:
        return Markup("")
    top = _round_up(wording.largest(m for _, m in shells))
    wide = (WIDTH - LEFT - RIGHT) / len(shells)
    parts = [_axis(top)]
    for n, (name, measure) in enumerate(shells):
        x = LEFT + n * wide
        parts.append(_bar(x + 0.12 * wide, 0.76 * wide, measure, top, colour))
        parts.append(_text(x + wide / 2, BASE + 16, name.replace("mm", "").strip(f" {wording.SPACE}"), "middle"))
    parts.append(_text(LEFT + (WIDTH - LEFT - RIGHT) / 2, BASE + 38, "depth below the costal pleura, mm", "middle"))
    told = "; ".join(f"{name} {wording.quantity(m.value, m.unit)}" for name, m in shells)
    return _svg(f"{finding.title}, extent by depth below the costal pleura: {told}.", parts)


def zone_chart(finding: FindingSummary, extents: Sequence[float | None], colour: str) -> Markup:
    """Extent in the six zones as two lungs seen from the front; nothing without extents."""
    if len(extents) != 2 * len(ZONES):
        return Markup("")
    full = max([1.0, *(e for e in extents if e is not None)])
    parts: list[Markup] = []
    told = []
    for side, name in enumerate(("right", "left")):
        for n, zone in enumerate(ZONES):
            extent = extents[3 * side + n]
            shade = 0.08 + 0.77 * extent / full if extent else 0.0
            path = '<path d="{}" fill="{}" fill-opacity="{:.2f}" stroke="#57606a"/>'
            parts.append(Markup(path).format(_zone(side, n), colour, shade))
            parts.append(_text(*_middle(side, n), wording.number(extent, "percent"), "middle"))
            told.append(f"{name} {zone} {wording.quantity(extent, 'percent')}")
    parts += [_text(40, 112, "R", "middle"), _text(340, 112, "L", "middle")]
    return _svg(f"{finding.title}, extent by zone in percent: {'; '.join(told)}.", parts)


def _edges(side: int, heights: Float64Array) -> tuple[Float64Array, Float64Array]:
    """Outer and inner edge of the right (0) or left (1) lung at heights of the drawing."""
    outer, inner, heart = (np.interp(heights, HEIGHTS, edge) for edge in (OUTER, INNER, HEART))
    return (outer, inner) if side == 0 else (WIDTH - outer, WIDTH - inner + heart)


def _zone(side: int, n: int) -> str:
    """SVG path of one zone."""
    heights = np.array([CUTS[n], *(y for y in HEIGHTS if CUTS[n] < y < CUTS[n + 1]), CUTS[n + 1]])
    outer, inner = _edges(side, heights)
    points = [*zip(outer, heights, strict=True), *zip(inner[::-1], heights[::-1], strict=True)]
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points) + "z"


def _middle(side: int, n: int) -> tuple[float, float]:
    """Where the number of a zone stands: in its middle, where the apex is not too narrow for it."""
    height = (CUTS[n] + CUTS[n + 1]) / 2
    outer, inner = _edges(side, np.array([height + 6.0]))
    return float(outer[0] + inner[0]) / 2, height + 10.0


def _bar(x: float, width: float, measure: Measure, top: float, colour: str) -> Markup:
    def height(value: float) -> float:
        return (BASE - TOP) * min(value, top) / top

    parts = []
    if measure.value is not None:
        h = height(measure.value)
        rect = '<rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" fill="{}"/>'
        parts.append(Markup(rect).format(x, BASE - h, width, h, colour))
    if measure.low is not None and measure.high is not None:
        middle = x + width / 2
        low, high = BASE - height(measure.low), BASE - height(measure.high)
        whisker = '<path d="M{0:.1f} {1:.1f}V{2:.1f}m-4 0h8M{3:.1f} {1:.1f}h8" stroke="#1b1f24" stroke-width="1.4"/>'
        parts.append(Markup(whisker).format(middle, low, high, middle - 4))
    return Markup("").join(parts)


def _axis(top: float) -> Markup:
    parts = []
    for n in range(3):
        y = BASE - (BASE - TOP) * n / 2
        line = '<path d="M{} {:.1f}H{}" stroke="{}"/>'
        parts.append(Markup(line).format(LEFT, y, WIDTH - RIGHT, "#57606a" if n == 0 else "#d8dee4"))
        unit = f"{wording.SPACE}%" if n == 2 else ""
        parts.append(_text(LEFT - 6, y + 4, f"{top * n / 2:g}{unit}", "end"))
    return Markup("").join(parts)


def _round_up(value: float) -> float:
    """The next of 1, 2, 5, 10, 20, 50, 100 percent."""
    return next((float(step) for step in (1, 2, 5, 10, 20, 50) if value <= step), 100.0)


def _text(x: float, y: float, words: str, anchor: str) -> Markup:
    return Markup('<text x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>').format(x, y, anchor, words)


def _svg(words: str, parts: Sequence[Markup]) -> Markup:
    return Markup('<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        WIDTH, HEIGHT, words, Markup("").join(parts)
    )
