"""The network that finds lungs, pleural fluid and central airways on cubes of 3.5 mm; run with numpy alone."""

from cop_imaging.anatomy.lung_network.forward import CHANNELS, CLASSES, MULTIPLE, channels, forward
from cop_imaging.anatomy.lung_network.predict import GRID_MM, LungLogits, lung_logits
from cop_imaging.anatomy.lung_network.weights import LungNetwork, load_lung_network

__all__ = [
    "CHANNELS",
    "CLASSES",
    "GRID_MM",
    "MULTIPLE",
    "LungLogits",
    "LungNetwork",
    "channels",
    "forward",
    "load_lung_network",
    "lung_logits",
]
