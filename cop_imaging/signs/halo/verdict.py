"""What a ring is: a reversed halo, a crescent, or one of its look-alikes with the test that told it apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cop_imaging.core.arrays import Float64Array
from cop_imaging.signs.halo.limits import ReversedHaloConfig
from cop_imaging.signs.halo.ring import Ring
from cop_imaging.signs.presence import POSSIBLE_SCORE, PRESENT_SCORE

__all__ = ["LOOK_ALIKES", "Verdict", "among_cells", "verdict_of"]

LOOK_ALIKES = {
    "cavity": "cavity",
    "bulla_ring": "bulla",
    "bronchiectasis": "bronchiectasis in cross-section",
    "honeycomb_cell": "honeycomb cell",
    "halo_nodule": "nodule with halo",
    "vessel_loop": "vessel loop",
    "spared_lung": "aerated lung between consolidations",
    "infarct_like": "infarct-like wedge",
    "fungal_like": "fungal-like ring",
    "cleared_consolidation": "central clearing of a large consolidation",
    "broken_ring": "ring that is too open, too faint, too small or not round",
}
"""Names of the counted look-alikes, and the field's words for them."""
GAS = ("cavity", "bulla_ring", "honeycomb_cell")
WIDEST_CELL_MM, LEAST_CELLS = 25.0, 2
SIZE_ERROR = 0.1
"""Share by which a measured diameter may be off."""
FLAT_SHARE = 0.2
"""Share of all directions that a flat ring, such as a vessel's loop, covers."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a ring is."""

    name: str
    """``halo``, ``crescent`` or one of ``LOOK_ALIKES``."""
    test: str
    """The test that decided, with what was measured."""
    score: float


def verdict_of(ring: Ring, aerated_hu: float, config: ReversedHaloConfig) -> Verdict | None:
    """The first look-alike whose test the ring meets, a halo or crescent when it meets none; None is no ring at all."""
    whole_circle = ring.coverage_deg >= config.coverage_deg and ring.sphere_share >= FLAT_SHARE
    if not (whole_circle or ring.solid_share >= config.sphere_share * config.crescent_deg / config.coverage_deg):
        return None
    for name, found, test in (*_air(ring, aerated_hu, config), *_haze(ring, config)):
        if found:
            return Verdict(name, test, 0.0)
    whole = ring.coverage_deg >= config.coverage_deg and ring.sphere_share >= config.sphere_share
    if whole and ring.sphere_share < config.round_share and ring.spread > config.crescent_spread:
        test = f"rim over {100 * ring.sphere_share:.0f} % of all directions, radius varies by {100 * ring.spread:.0f} %"
        return Verdict("broken_ring", test, 0.0)
    if not whole:
        dense, tubes = ring.core_lines, ring.vessel_share
        if dense > config.crescent_lines_share or tubes > config.crescent_vessel_share:
            test = f"open, {100 * dense:.0f} % of the core is dense, {100 * tubes:.0f} % of the rim vessel"
            return Verdict("broken_ring", test, 0.0)
        if ring.spread > config.crescent_spread:
            return Verdict("broken_ring", f"open, and its radius varies by {100 * ring.spread:.0f} %", 0.0)
    base = PRESENT_SCORE if whole else POSSIBLE_SCORE
    closed = 1.0 - np.exp(-3.0 * max(ring.coverage_deg / 360.0 - 0.5, 0.0) / 0.5)
    clear = min(ring.contrast_hu / (2.0 * config.contrast_hu), 1.0)
    score = base + (0.5 * float(closed) + 0.5 * clear) / 3.0 * 0.999
    test = f"rim over {ring.coverage_deg:.0f} degrees and {100 * ring.sphere_share:.0f} % of all directions"
    return Verdict("halo" if whole else "crescent", test, score)


def among_cells(rings: Sequence[tuple[Ring, Verdict]], spacing_mm: Float64Array, apart_mm: float) -> list[Verdict]:
    """The verdicts anew: an air space of up to 25 mm that has two others beside it is a honeycomb cell."""
    gas = [k for k, (_, v) in enumerate(rings) if v.name in GAS]
    places = np.array([rings[k][0].centre * spacing_mm for k in gas]).reshape(-1, 3)
    out = [v for _, v in rings]
    for k, place in zip(gas, places, strict=True):
        ring, verdict = rings[k]
        away = np.linalg.norm(places - place, axis=1)
        others = int(((away > ring.outer_mm / 3) & (away < apart_mm)).sum())
        if ring.outer_mm <= WIDEST_CELL_MM and others >= LEAST_CELLS:
            out[k] = Verdict("honeycomb_cell", f"{verdict.test}, {others} other cells within {apart_mm:.0f} mm", 0.0)
    return out


def _air(r: Ring, aerated_hu: float, c: ReversedHaloConfig) -> tuple[tuple[str, bool, str], ...]:
    """Look-alikes whose core is no ground glass."""
    dark = r.core_hu < aerated_hu + c.above_aerated_hu
    gas = dark and r.core_air > c.air_share and r.core_hu < min(c.air_hu, aerated_hu - 30.0)
    core = f"core of {r.core_hu:.0f} HU"
    size = f"{r.outer_mm:.0f} mm wide"
    return (
        ("bronchiectasis", r.core_airway > c.airway_share, f"core is {100 * r.core_airway:.0f} % airway"),
        ("honeycomb_cell", gas and r.outer_mm <= c.honeycomb_mm, f"{core}, {size}"),
        ("bulla_ring", gas and r.rim_mm <= c.bulla_wall_mm, f"{core}, wall of {r.rim_mm:.1f} mm"),
        ("cavity", gas, f"{core}, wall of {r.rim_mm:.1f} mm"),
        (
            "vessel_loop",
            dark and r.vessel_share > c.vessel_share and r.sphere_share < c.sphere_share,
            f"rim is {100 * r.vessel_share:.0f} % vessel",
        ),
        (
            "spared_lung",
            dark or r.core_dark > c.dark_share,
            f"{core}, {100 * r.core_dark:.0f} % of it aerated lung",
        ),
    )


def _haze(r: Ring, c: ReversedHaloConfig) -> tuple[tuple[str, bool, str], ...]:
    """Look-alikes around ground glass."""
    rim = f"rim of {r.rim_mm:.1f} mm ({r.rim_p10_mm:.1f}-{r.rim_p90_mm:.1f})"
    least = c.sphere_share * c.crescent_deg / c.coverage_deg
    small, large = c.outer_mm[0] * (1.0 - SIZE_ERROR), c.outer_mm[1] * (1.0 + SIZE_ERROR)
    thick = r.rim_mm > c.thick_rim_mm
    broad = r.base_share >= c.wedge_base_share and r.base_width >= c.wedge_base_width
    closed = r.solid_share >= c.closed_share and (broad or r.pleura_share >= c.wedge_rim_share)
    # A round ring that touches the pleura stays round; a wedge has a flat base, sides and a tip.
    flat = r.base_share >= c.wedge_base_share and r.spread > c.wedge_spread and r.solid_share >= c.sphere_share
    open_ring = r.coverage_deg < c.crescent_deg or r.sphere_share < least
    return (
        ("broken_ring", r.contrast_hu < c.contrast_hu, f"rim {r.contrast_hu:.0f} HU above the core"),
        (
            "fungal_like",
            thick and r.core_lines > c.lines_share,
            f"{rim}, {100 * r.core_lines:.0f} % of the core is lines",
        ),
        ("cleared_consolidation", thick, f"{rim}, clear core"),
        ("broken_ring", r.core_hu > c.core_hu, f"core of {r.core_hu:.0f} HU is no ground glass"),
        (
            "cleared_consolidation",
            r.solid_share - r.sphere_share > 1.0 - c.sphere_share,
            f"rim thicker than {c.rim_mm[1]:.0f} mm over {100 * (r.solid_share - r.sphere_share):.0f} %",
        ),
        ("broken_ring", r.pleura_share > c.pleura_share, f"{100 * r.pleura_share:.0f} % bounded by pleura"),
        (
            "infarct_like",
            closed or flat,
            f"{100 * r.base_share:.0f} % of the surface on the pleura, width there {r.base_width:.2f} of the widest, "
            f"radius varies by {100 * r.spread:.0f} %",
        ),
        ("broken_ring", r.core_mm < c.core_least_mm, f"core of {r.core_mm:.1f} mm"),
        ("broken_ring", r.spread > c.spread, f"radius varies by {100 * r.spread:.0f} %"),
        ("broken_ring", not small <= r.outer_mm <= large, f"{r.outer_mm:.0f} mm wide"),
        ("broken_ring", open_ring, f"rim over {r.coverage_deg:.0f} degrees, {100 * r.sphere_share:.0f} % of all"),
    )
