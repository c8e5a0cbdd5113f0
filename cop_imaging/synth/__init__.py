"""Phantoms of the chest with their truth, lesions, the scan of them, and a DICOM writer."""

from cop_imaging.synth.chest import ChestSpec
from cop_imaging.synth.dicom import write_dicom_series
from cop_imaging.synth.lesions.cavity import Cavity
from cop_imaging.synth.lesions.consolidation import Consolidation
from cop_imaging.synth.lesions.ground_glass import GroundGlass
from cop_imaging.synth.lesions.lesion import Layer, Lesion, Place
from cop_imaging.synth.lesions.reversed_halo import ReversedHalo
from cop_imaging.synth.phantom import (
    Phantom,
    coarse_grid,
    healthy_chest,
    make_phantom,
    organizing_pneumonia_chest,
    thin_grid,
)
from cop_imaging.synth.sample import write_sample, write_truth
from cop_imaging.synth.scanner import ScannerSpec

__all__ = [
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
    "healthy_chest",
    "make_phantom",
    "organizing_pneumonia_chest",
    "thin_grid",
    "write_dicom_series",
    "write_sample",
    "write_truth",
]
