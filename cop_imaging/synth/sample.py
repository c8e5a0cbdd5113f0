"""Writes a phantom as a folder that the rest of the program, and any viewer, can read."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import SimpleITK as sitk

from cop_imaging.core.geometry import Geometry
from cop_imaging.core.grid import image_of
from cop_imaging.synth.dicom import write_dicom_series
from cop_imaging.synth.phantom import Phantom
from cop_imaging.synth.typical import healthy_chest, organizing_pneumonia_chest

__all__ = ["SIGNS", "write_sample", "write_truth"]

SIGNS = ("consolidation", "ground_glass", "reversed_halo")


def write_sample(
    folder: Path,
    *,
    seed: int,
    kind: Literal["organizing_pneumonia", "healthy"],
    truth: bool,
    geometry: Geometry | None = None,
) -> Phantom:
    """Write a thin-slice phantom as a JPEG-LS series; with ``truth`` also masks as NIfTI in ``folder/truth``.

    The grid is ``thin_grid()`` unless given. Without truth the series lies in ``folder`` itself, with it in
    ``folder/series``.

    Raises
    ------
    OutputError
        If the folder already holds files or cannot be written.
    """
    make = {"organizing_pneumonia": organizing_pneumonia_chest, "healthy": healthy_chest}[kind]
    phantom = make(seed, geometry=geometry)
    write_dicom_series(
        phantom.volume,
        folder / "series" if truth else folder,
        seed=seed,
        description=f"Phantom chest, {kind.replace('_', ' ')}",
    )
    if truth:
        write_truth(phantom, folder / "truth")
    return phantom


def write_truth(phantom: Phantom, folder: Path) -> None:
    """Write lungs (1 right, 2 left), airways and a mask for each sign as compressed NIfTI in the series' own space."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("lungs", "airways", *SIGNS):
        image = image_of(np.ascontiguousarray(phantom.truth[name]), phantom.volume.geometry)
        temporary = folder / f".writing-{name}.nii.gz"
        sitk.WriteImage(image, str(temporary), useCompression=True)
        temporary.replace(folder / f"{name}.nii.gz")
