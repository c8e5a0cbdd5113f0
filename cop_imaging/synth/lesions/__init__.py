"""Lesions, one file each: a shape in patient coordinates, the tissue that it puts into the lung, and its truth."""

from cop_imaging.synth.lesions.airway_walls import AirwayWalls, draw_airway_walls
from cop_imaging.synth.lesions.band import Band, SubpleuralBand, draw_band, draw_plate_atelectasis, draw_subpleural_band
from cop_imaging.synth.lesions.bulla_ring import BullaRing, draw_bulla_ring
from cop_imaging.synth.lesions.cavity import Cavity, draw_cavity
from cop_imaging.synth.lesions.centrilobular import CentrilobularNodules, draw_centrilobular
from cop_imaging.synth.lesions.consolidation import Consolidation, draw_band_like_consolidation, draw_consolidation
from cop_imaging.synth.lesions.crazy_paving import CrazyPaving, draw_crazy_paving
from cop_imaging.synth.lesions.diffuse_ground_glass import (
    DiffuseGroundGlass,
    draw_central_ground_glass,
    draw_diffuse_ground_glass,
)
from cop_imaging.synth.lesions.effusion import Effusion, draw_effusion
from cop_imaging.synth.lesions.focal_consolidation import FocalConsolidation, draw_focal_consolidation
from cop_imaging.synth.lesions.fungal_ring import FungalRing, draw_fungal_ring
from cop_imaging.synth.lesions.geographic import GeographicGroundGlass, draw_geographic_ground_glass
from cop_imaging.synth.lesions.ground_glass import (
    GroundGlass,
    GroundGlassNodule,
    draw_ground_glass,
    draw_ground_glass_nodules,
)
from cop_imaging.synth.lesions.halo_nodule import HaloNodule, draw_halo_nodule
from cop_imaging.synth.lesions.honeycombing import Honeycombing, draw_honeycombing
from cop_imaging.synth.lesions.infarct import Infarct, draw_infarct
from cop_imaging.synth.lesions.lesion import Layer, Lesion, Place
from cop_imaging.synth.lesions.lobar_consolidation import LobarConsolidation, draw_lobar_consolidation
from cop_imaging.synth.lesions.mass import Mass, draw_mass
from cop_imaging.synth.lesions.mosaic import Mosaic, draw_mosaic
from cop_imaging.synth.lesions.nodule import Nodule, draw_nodule
from cop_imaging.synth.lesions.peribronchovascular import PeribronchovascularConsolidation, draw_peribronchovascular
from cop_imaging.synth.lesions.perilobular import Perilobular, draw_perilobular
from cop_imaging.synth.lesions.reticulation import Reticulation, draw_reticulation
from cop_imaging.synth.lesions.reversed_halo import ReversedHalo, draw_reversed_halo
from cop_imaging.synth.lesions.traction_bronchiectasis import TractionBronchiectasis, draw_traction_bronchiectasis
from cop_imaging.synth.lesions.tree_in_bud import TreeInBud, draw_tree_in_bud

__all__ = [
    "AirwayWalls",
    "Band",
    "BullaRing",
    "Cavity",
    "CentrilobularNodules",
    "Consolidation",
    "CrazyPaving",
    "DiffuseGroundGlass",
    "Effusion",
    "FocalConsolidation",
    "FungalRing",
    "GeographicGroundGlass",
    "GroundGlass",
    "GroundGlassNodule",
    "HaloNodule",
    "Honeycombing",
    "Infarct",
    "Layer",
    "Lesion",
    "LobarConsolidation",
    "Mass",
    "Mosaic",
    "Nodule",
    "PeribronchovascularConsolidation",
    "Perilobular",
    "Place",
    "Reticulation",
    "ReversedHalo",
    "SubpleuralBand",
    "TractionBronchiectasis",
    "TreeInBud",
    "draw_airway_walls",
    "draw_band",
    "draw_band_like_consolidation",
    "draw_bulla_ring",
    "draw_cavity",
    "draw_central_ground_glass",
    "draw_centrilobular",
    "draw_consolidation",
    "draw_crazy_paving",
    "draw_diffuse_ground_glass",
    "draw_effusion",
    "draw_focal_consolidation",
    "draw_fungal_ring",
    "draw_geographic_ground_glass",
    "draw_ground_glass",
    "draw_ground_glass_nodules",
    "draw_halo_nodule",
    "draw_honeycombing",
    "draw_infarct",
    "draw_lobar_consolidation",
    "draw_mass",
    "draw_mosaic",
    "draw_nodule",
    "draw_peribronchovascular",
    "draw_perilobular",
    "draw_plate_atelectasis",
    "draw_reticulation",
    "draw_reversed_halo",
    "draw_subpleural_band",
    "draw_traction_bronchiectasis",
    "draw_tree_in_bud",
]
