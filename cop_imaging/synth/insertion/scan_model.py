"""What must be known of a scan before lesions are put into it; measured once, used for any number of insertions."""

from __future__ import annotations

from dataclasses import dataclass

from cop_imaging.core.arrays import UInt8Array
from cop_imaging.core.volume import CTVolume
from cop_imaging.synth.insertion.lung_map import LungMap, lung_slab
from cop_imaging.synth.insertion.noise_table import NoiseTable
from cop_imaging.synth.insertion.parenchyma import blood_hu, parenchyma_field, wall_field
from cop_imaging.synth.insertion.point_spread import ScanSpread
from cop_imaging.synth.insertion.tissue_blocks import TissueBlocks
from cop_imaging.synth.random_field import Field
from cop_imaging.synth.shapes import Slab

__all__ = ["ScanModel", "model_scan"]


@dataclass(frozen=True, slots=True, eq=False)
class ScanModel:
    """A scan's coordinates, lungs, sharpness, soft tissue, noise and densities."""

    slab: Slab
    lung_map: LungMap
    spread: ScanSpread
    tissue: TissueBlocks
    noise: NoiseTable
    level_hu: Field
    """Density of lung between vessels."""
    wall_hu: Field
    """Density of what lies next to the lungs."""
    blood_hu: float


def model_scan(volume: CTVolume, lungs: UInt8Array) -> ScanModel:
    """Measure a scan.

    Raises
    ------
    ValueError
        If the mask is empty or of another shape, or the grid's axes do not run along the patient's.
    """
    if lungs.shape != volume.hu.shape:
        raise ValueError(f"the lung mask has shape {lungs.shape}, the volume {volume.hu.shape}")
    slab = lung_slab(volume.geometry)
    lung_map = LungMap.of(lungs, slab)
    centre = (float(slab.x.mean()), float(slab.y.mean()))
    tissue = TissueBlocks.of(volume.hu, lungs, slab, centre)
    return ScanModel(
        slab=slab,
        lung_map=lung_map,
        spread=ScanSpread.measure(volume.hu, lungs, volume.geometry),
        tissue=tissue,
        noise=NoiseTable.of(slab, tissue),
        level_hu=parenchyma_field(volume.hu, slab, lung_map),
        wall_hu=wall_field(volume.hu, slab, lung_map),
        blood_hu=blood_hu(volume.hu, lung_map, slab),
    )
