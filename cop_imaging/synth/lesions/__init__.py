"""Lesions, one file each: a shape in patient coordinates, the tissue that it puts into the lung, and its truth."""

from cop_imaging.synth.lesions.cavity import Cavity
from cop_imaging.synth.lesions.consolidation import Consolidation
from cop_imaging.synth.lesions.ground_glass import GroundGlass
from cop_imaging.synth.lesions.lesion import Layer, Lesion, Place
from cop_imaging.synth.lesions.reversed_halo import ReversedHalo

__all__ = ["Cavity", "Consolidation", "GroundGlass", "Layer", "Lesion", "Place", "ReversedHalo"]
