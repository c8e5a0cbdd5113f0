"""Whole phantoms: a chest, its lesions, the scan of it and the truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cop_imaging.core.arrays import AnyArray
from cop_imaging.core.geometry import Geometry
from cop_imaging.core.volume import Acquisition, CTVolume
from cop_imaging.provenance import array_digest
from cop_imaging.synth.case import CaseSpec, stream
from cop_imaging.synth.chest_spec import ChestSpec
from cop_imaging.synth.diseases.emphysema import with_emphysema
from cop_imaging.synth.diseases.rendering import draw_lesions
from cop_imaging.synth.ground import ground_of
from cop_imaging.synth.lesions.lesion import Lesion
from cop_imaging.synth.motion import MovingParts
from cop_imaging.synth.render import ChestModel, draw, model_of
from cop_imaging.synth.scan_draw import draw_grid
from cop_imaging.synth.scanner import ScannerSpec, acquisition_of, scan

__all__ = ["Phantom", "coarse_grid", "make_case", "make_phantom", "thin_grid"]

HEART_MM, HEART_RADIUS_MM, DOME_MM = (16.0, -34.0, -74.0), 72.0, -105.0
"""Middle and radius of the heart, and height of the right dome, in a chest of size 1 at full inspiration."""


@dataclass(frozen=True, slots=True, eq=False)
class Phantom:
    """A made CT volume and everything that is true of it.

    Parameters
    ----------
    volume : CTVolume
    truth : mapping of name to array [z, y, x]
        ``lungs`` uint8 (1 right, 2 left; with consolidated lung, vessels and bronchi, without trachea, main and
        intermediate bronchi), and bool ``lungs_right``, ``lungs_left``, ``airways``, ``vessels``, ``effusion``,
        ``consolidation``, ``ground_glass``, ``reversed_halo``, and each other shape that was drawn.
    lesions : tuple of lesions
        Their parameters.
    """

    volume: CTVolume
    truth: Mapping[str, AnyArray]
    lesions: tuple[Lesion, ...]


def thin_grid() -> Geometry:
    """256 x 256 pixels of 1.4 mm, 246 slices 1.25 mm apart: the whole chest."""
    return Geometry((246, 256, 256), (1.25, 1.4, 1.4), (-178.5, -163.5, -195.0))


def coarse_grid() -> Geometry:
    """Cubes of 2.5 mm, 123 x 126 x 142: the whole chest, for fast tests."""
    return Geometry((123, 126, 142), (2.5, 2.5, 2.5), (-176.25, -146.0, -195.0))


def make_phantom(
    seed: int,
    *,
    geometry: Geometry,
    spec: ChestSpec | None = None,
    lesions: Sequence[Lesion] = (),
    scanner: ScannerSpec | None = None,
) -> Phantom:
    """A chest with lesions, scanned; the same arguments give the same bytes.

    Raises
    ------
    ValueError
        If the grid's axes do not run along the patient's.
    """
    model = model_of(spec or ChestSpec(), np.random.default_rng([seed, 1]))
    return scanned(model, geometry, lesions, scanner or ScannerSpec(), np.random.default_rng([seed, 2]))


def make_case(case: CaseSpec, geometry: Geometry | None = None, *, matrix: int = 512) -> Phantom:
    """A drawn case as a scan with its truth; the same arguments give the same bytes.

    Parameters
    ----------
    case : CaseSpec
    geometry : Geometry, optional
        The grid, with slices as thick as they are far apart; without it the case's own protocol around its own lungs.
    matrix : int
        Rows and columns of the case's own grid.

    Raises
    ------
    ValueError
        If the grid's axes do not run along the patient's.
    """
    model = with_emphysema(model_of(case.body, stream(case.seed, "model")), case)
    ground = ground_of(model)
    lesions = draw_lesions(case, ground)
    if geometry is None:
        points = ground.terrain.points_mm
        low, high = points.min(axis=0), points.max(axis=0)
        geometry = draw_grid(stream(case.seed, "grid"), case.scanner, low, high, matrix=matrix)
    else:
        case = case.with_slices(geometry.spacing_mm[0])
    return scanned(model, geometry, lesions, case.scanner, stream(case.seed, "noise"))


def scanned(
    model: ChestModel, geometry: Geometry, lesions: Sequence[Lesion], scanner: ScannerSpec, rng: np.random.Generator
) -> Phantom:
    """A chest drawn with its lesions and scanned."""
    drawn = draw(model, geometry, lesions, thickness_mm=scanner.thickness_mm)
    hu, valid = scan(drawn.hu, geometry, rng, scanner, drawn_mm=drawn.width_mm, parts=moving_parts(model.spec))
    truth: dict[str, AnyArray] = {
        "lungs": drawn.lungs,
        "lungs_right": drawn.lungs == 1,
        "lungs_left": drawn.lungs == 2,
        **drawn.masks,
    }
    for mask in truth.values():
        mask.flags.writeable = False
    acquisition = acquisition_of(scanner, geometry, patient_of(model.spec))
    volume = CTVolume(hu, geometry, valid, acquisition, digest=array_digest(hu, geometry))
    return Phantom(volume, truth, tuple(lesions))


def moving_parts(spec: ChestSpec) -> MovingParts:
    """Where heart and diaphragm of a chest lie."""
    x, y, z = (spec.size * c for c in HEART_MM)
    return MovingParts((x, y, z), spec.size * HEART_RADIUS_MM * spec.heart, spec.size * (DOME_MM + spec.dome_mm))


def patient_of(spec: ChestSpec) -> Acquisition:
    """What the headers say of the patient: sex, age, height and weight of the body."""
    return Acquisition(
        sex="F" if spec.female else "M",
        age_years=spec.age_years,
        height_m=round(spec.height_cm / 100.0, 2),
        weight_kg=spec.weight_kg,
    )
