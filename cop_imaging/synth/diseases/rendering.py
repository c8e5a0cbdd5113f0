"""From what a reader would report to lesions: every finding that is present draws something, absent ones nothing."""

from __future__ import annotations

from cop_imaging.synth.case import CaseSpec, stream
from cop_imaging.synth.diseases.density import consolidation, ground_glass, halo, rims
from cop_imaging.synth.diseases.distribution import distribution_of
from cop_imaging.synth.diseases.fitting import asked_ml, fitted
from cop_imaging.synth.diseases.interstitium import airway_lesions, fibrotic_lesions, fluid
from cop_imaging.synth.diseases.nodules import nodular_lesions
from cop_imaging.synth.diseases.shapes import organizing_shapes
from cop_imaging.synth.ground import Ground
from cop_imaging.synth.lesions.lesion import Lesion

__all__ = ["SHAPES", "draw_lesions"]

SHAPES = (
    "reversed_halo",
    "perilobular",
    "band",
    "crazy_paving",
    "nodule",
    "centrilobular_nodules",
    "tree_in_bud",
    "mass",
    "cavity",
    "reticulation",
    "honeycombing",
    "traction_bronchiectasis",
    "wall_thickening",
    "bronchial_dilatation",
    "mosaic",
    "atelectasis",
    "emphysema",
)
"""Names of the true masks that cases have where the lesion is drawn."""

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
    airways = airway_lesions(case, terrain, spread, rng["airway"])
    fibrosis = fibrotic_lesions(case, ground, spread, rng["fibrosis"])
    effusion = fluid(case, ground, spread, rng["pleura"])
    shapes = organizing_shapes(case, terrain, spread, rng["shape"])
    rest = (*nodular_lesions(case, terrain, spread, rng["nodules"]), *shapes, *effusion)
    # Bronchi change no density that is fitted; what the others do to it is computed once.
    below, above = (tuple(ground.once(lesion) for lesion in group) for group in (fibrosis, rest))
    dense: tuple[Lesion, ...] = ()
    focal = case.op and case.subtype == "focal"
    if case.has("consolidation"):
        draw = consolidation(case, terrain, spread, rng["density"])
        asked = asked_ml(case, "consolidation", terrain.lung_ml)
        # A focus is there whatever else is dense.
        with_below, with_above = ((), ()) if focal else (below, above)
        dense = fitted(ground, "consolidation", asked, draw, below=with_below, above=with_above)
    haze: tuple[Lesion, ...] = ()
    if case.has("ground_glass"):
        asked = asked_ml(case, "ground_glass", terrain.lung_ml)
        above = (*below, *(ground.once(lesion) for lesion in dense), *above)
        around = rims(dense, case, rng["density"])
        # Rims that alone make too much haze are left out.
        around = around if ground.measure((*around, *above))["ground_glass"] < 0.8 * asked else ()
        draw = ground_glass(case, terrain, spread, rng["density"])
        if focal and dense:
            # The haze of a single focus lies around it and nowhere else.
            draw = halo(dense, rng["density"])
        haze = (*fitted(ground, "ground_glass", asked, draw, above=(*around, *above)), *around)
    return (*haze, *fibrosis, *dense, *rest, *airways)
