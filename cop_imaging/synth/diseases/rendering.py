"""From what a reader would report to lesions: every finding that is present draws something, absent ones nothing."""

from __future__ import annotations

from cop_imaging.synth.case import CaseSpec, stream
from cop_imaging.synth.diseases.density import consolidation, ground_glass, rims
from cop_imaging.synth.diseases.distribution import distribution_of
from cop_imaging.synth.diseases.fitting import fitted
from cop_imaging.synth.diseases.shapes import organizing_shapes
from cop_imaging.synth.ground import Ground
from cop_imaging.synth.lesions.lesion import Lesion
from cop_imaging.synth.terrain import Terrain

__all__ = ["SHAPES", "draw_lesions"]

SHAPES = (
    "reversed_halo",
    "perilobular",
    "band",
    "crazy_paving",
)
"""Names of the true masks that cases have where the lesion is drawn."""

LARGEST_PERCENT = 85.0
"""The tail of an extent can reach beyond the lungs."""
BLOCKS = ("distribution", "density", "shape", "nodules", "fibrosis", "airway", "pleura")


def draw_lesions(case: CaseSpec, ground: Ground) -> tuple[Lesion, ...]:
    """All lesions of a case in the order in which they are blended.

    Parameters
    ----------
    case : CaseSpec
    ground : Ground
        Of the case's own chest.
    """
    rng = {name: stream(case.seed, "lesions", case.disease, n) for n, name in enumerate(BLOCKS)}
    terrain = ground.terrain
    spread = distribution_of(case.disease, case.findings, rng["distribution"])
    shapes = organizing_shapes(case, terrain, spread, rng["shape"])
    dense: tuple[Lesion, ...] = ()
    if case.has("consolidation"):
        draw = consolidation(case, terrain, spread, rng["density"])
        dense = fitted(ground, "consolidation", asked_ml(case, terrain, "consolidation"), draw, above=shapes)
    haze: tuple[Lesion, ...] = ()
    if case.has("ground_glass"):
        asked = asked_ml(case, terrain, "ground_glass")
        around = rims(dense, case, rng["density"])
        # Rims that alone make too much haze are left out.
        around = around if ground.measure((*around, *dense, *shapes))["ground_glass"] < 0.8 * asked else ()
        draw = ground_glass(case, terrain, spread, rng["density"])
        haze = (*fitted(ground, "ground_glass", asked, draw, above=(*around, *dense, *shapes)), *around)
    return (*haze, *dense, *shapes)


def asked_ml(case: CaseSpec, terrain: Terrain, finding: str) -> float:
    """Volume of an extent that is given in percent of the lungs."""
    return min(case.extents[finding], LARGEST_PERCENT) / 100.0 * terrain.lung_ml
