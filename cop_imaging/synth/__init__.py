"""Phantoms of the chest with their truth, lesions, the scan of them, and a DICOM writer."""

from cop_imaging.synth.case import CaseSpec, draw_case
from cop_imaging.synth.case_files import write_case
from cop_imaging.synth.chest import ChestSpec
from cop_imaging.synth.cohort import write_cases
from cop_imaging.synth.dicom import write_dicom_series
from cop_imaging.synth.examples import CHESTS, EXAMPLES, example_chest, example_chests
from cop_imaging.synth.lesions.cavity import Cavity
from cop_imaging.synth.lesions.consolidation import Consolidation
from cop_imaging.synth.lesions.ground_glass import GroundGlass
from cop_imaging.synth.lesions.lesion import Layer, Lesion, Place
from cop_imaging.synth.lesions.reversed_halo import ReversedHalo
from cop_imaging.synth.phantom import Phantom, coarse_grid, make_case, make_phantom, thin_grid
from cop_imaging.synth.sample import write_sample, write_truth
from cop_imaging.synth.scanner import ScannerSpec
from cop_imaging.synth.typical import healthy_chest, organizing_pneumonia_chest

__all__ = [
    "CHESTS",
    "EXAMPLES",
    "CaseSpec",
    "Cavity",
    "ChestSpec",
    "Consolidation",
    "GroundGlass",
    "Layer",
    "Lesion",
    "Phantom",
    "Place",
    "ReversedHalo",
    "ScannerSpec",
    "coarse_grid",
    "draw_case",
    "example_chest",
    "example_chests",
    "healthy_chest",
    "make_case",
    "make_phantom",
    "organizing_pneumonia_chest",
    "thin_grid",
    "write_case",
    "write_cases",
    "write_dicom_series",
    "write_sample",
    "write_truth",
]
