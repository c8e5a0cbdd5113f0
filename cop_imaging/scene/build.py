"""Build the scene: crop to the lungs, measure noise and breath, and say how each shared map is made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from cop_imaging.core.anatomy import Anatomy
from cop_imaging.core.grid import bounding_box
from cop_imaging.core.line_density import line_density_in, lung_between
from cop_imaging.core.scene import Scene
from cop_imaging.core.volume import CTVolume
from cop_imaging.scene import frames
from cop_imaging.scene.airway_sections import airway_sections
from cop_imaging.scene.config import SceneConfig
from cop_imaging.scene.density import density_modes_hu
from cop_imaging.scene.reference import lung_reference
from cop_imaging.scene.ridges import ridges_of
from cop_imaging.scene.smoothing import added_sigma_mm, smooth

__all__ = ["build_scene"]

MARGIN_MM = 4.0
VESSEL_ANSWER = 0.5


def build_scene(volume: CTVolume, anatomy: Anatomy, config: SceneConfig | None = None) -> Scene:
    """The lung crop of one volume with its anatomy; shared maps are computed on first use, once.

    Raises
    ------
    ValueError
        If the anatomy holds no lungs.
    """
    config = config or SceneConfig()
    chest = anatomy.lungs > 0 if anatomy.effusion is None else (anatomy.lungs > 0) | anatomy.effusion
    box = bounding_box(chest, volume.geometry, MARGIN_MM)
    geometry = volume.geometry.crop(box)
    hu, lungs = volume.hu[box], anatomy.lungs[box]
    sigma_mm, noise = added_sigma_mm(
        hu,
        lungs,
        anatomy.body[box],
        geometry,
        kernel_class=volume.acquisition.kernel_class,
        common_psf_mm=config.common_psf_mm,
        target_hu=config.noise_target_hu,
        widest_mm=config.widest_smoothing_mm,
    )
    smooth_hu = smooth(hu, geometry, sigma_mm) if sigma_mm > 0 else hu
    aerated_hu, haze_hu = density_modes_hu(smooth_hu, lungs)
    return Scene(
        hu=hu,
        geometry=geometry,
        box=box,
        full_shape=volume.geometry.shape,
        lungs=lungs,
        airways=anatomy.airways[box],
        vessels=anatomy.vessels[box],
        uncertain=anatomy.uncertain[box],
        effusion=None if anatomy.effusion is None else anatomy.effusion[box],
        airway_tree=anatomy.airway_tree,
        valid=None if volume.valid is None else volume.valid[box],
        acquisition=volume.acquisition,
        gravity=frames.gravity_of(volume.acquisition.patient_position),
        slices=volume.slices[box[0]] if volume.slices else (),
        noise_hu=noise,
        aerated_mode_hu=aerated_hu,
        haze_mode_hu=haze_hu,
        makers=_makers(anatomy, config),
        _maps={"smooth_hu": smooth_hu},
    )


def _makers(anatomy: Anatomy, config: SceneConfig) -> Mapping[str, Callable[[Scene], Any]]:
    """How each shared map is made from a scene."""
    work = anatomy.work
    return {
        "depth_mm": lambda s: frames.costal_depth_mm(
            s.lungs, s.geometry, s.geometry.resampled(work.geometry.spacing_mm), config.mediastinum_half_mm
        ),
        "zone": lambda s: frames.zones(s.lungs),
        "dependent_mm": lambda s: frames.dependent_mm(s.lungs, s.geometry, s.gravity),
        "bundle_mm": lambda s: frames.bundle_mm(
            s.lungs, s.airways, work, s.geometry, answer=VESSEL_ANSWER, radius_mm=config.bundle_radius_mm
        ),
        "reference": lung_reference,
        "ridges": ridges_of,
        "line_density": lambda s: line_density_in(s.ridges, lung_between(s.ridges, s.vessels | s.airways, s.geometry)),
        "airway_sections": airway_sections,
    }
