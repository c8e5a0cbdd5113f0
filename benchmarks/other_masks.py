"""Lungs against other people's masks: ``COP_IMAGING_REAL_CT=... python -m benchmarks.other_masks [--pictures FOLDER]``.

Three coarse chests (2.5-3.3 x 4.8-5 mm) with both lungs outlined and half a chest with a mask of the right lung, found
by the network, by the classical method, and by a plain threshold: darker than -500 HU inside the body, pieces of 50 mL
and more, closed by 6 mm. Where two masks differ is told apart: on the border (within one voxel of the other's), at the
central airways, or elsewhere. Their masks leave out trachea and main bronchi; their values overshoot at edges. The mask
of the half chest was drawn on an earlier scan of the same person. Nothing is tuned on any of them.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from PIL import Image, ImageDraw
from scipy import ndimage

from benchmarks.lung_overlays import WINDOWS_HU
from benchmarks.lungs import dice, hausdorff95_mm
from benchmarks.real_chests import real_folder
from cop_imaging.anatomy import AnatomyConfig, segment
from cop_imaging.anatomy.body import find_body
from cop_imaging.core import CTVolume
from cop_imaging.core.arrays import BoolArray
from cop_imaging.core.grid import closed, dilated, keep_large
from cop_imaging.ingest import read_series

CASES = {"imlab_1": ("imlab_1_ct", "imlab_1_lung", 0.985), "imlab_2": ("imlab_2_ct", "imlab_2_lung", 0.97),
         "imlab_4": ("imlab_4_ct", "imlab_4_lung", 0.985),
         "half chest": ("elastix_rightlung_ct", "elastix_rightlung_mask", 0.0)}  # fmt: skip
"""Scan, mask, and the Dice that is wanted; nothing is wanted of the half chest."""
PLAIN_HU, PLAIN_PIECE_ML, PLAIN_CLOSING_MM = -500, 50.0, 6.0
AIRWAY_WALL_MM = 4.0
AROUND = ndimage.generate_binary_structure(3, 1)
COLOURS = ((60, 160, 255), (255, 60, 60))
"""Theirs and ours."""


def plain(volume: CTVolume) -> BoolArray:
    """The threshold mask."""
    body = find_body(volume.hu, volume.geometry, AnatomyConfig().body_hu)
    air = keep_large((volume.hu < PLAIN_HU) & body, volume.geometry, PLAIN_PIECE_ML, connectivity=6)
    return closed(air, volume.geometry, PLAIN_CLOSING_MM)


def border_hu(volume: CTVolume, mask: BoolArray) -> float:
    """Density that tells best the voxels just inside the mask's border from those just outside."""
    inner = volume.hu[mask & ~ndimage.binary_erosion(mask, AROUND)]
    outer = volume.hu[~mask & ndimage.binary_dilation(mask, AROUND)]
    limits = np.arange(-800, 0, 10)
    wrong = [(inner >= t).mean() + (outer < t).mean() for t in limits]
    return float(limits[int(np.argmin(wrong))])


def differences(theirs: BoolArray, ours: BoolArray, airways: BoolArray, volume: CTVolume) -> str:
    """Volumes that only one of two masks holds, by place."""
    ml = volume.geometry.voxel_ml
    rim = ndimage.binary_dilation(theirs, AROUND) & ~ndimage.binary_erosion(theirs, AROUND)
    tubes = dilated(airways, volume.geometry, AIRWAY_WALL_MM)
    out = []
    for title, only in (("missed", theirs & ~ours), ("added", ours & ~theirs)):
        places = {"airways": tubes, "border": rim & ~tubes, "elsewhere": ~rim & ~tubes}
        parts = ", ".join(f"{name} {(only & place).sum() * ml:.0f}" for name, place in places.items())
        hu = f" at a median of {np.median(volume.hu[only]):.0f} HU" if only.any() else ""
        out.append(f"{title} {only.sum() * ml:.0f} mL ({parts}){hu}")
    return "; ".join(out)


def picture(volume: CTVolume, theirs: BoolArray, ours: BoolArray, path: Path) -> None:
    """Twelve heights, each in the lung window, with both borders."""
    g = volume.geometry
    heights = np.flatnonzero(theirs.any(axis=(1, 2)))
    size = (420, round(420 * g.shape[1] * g.spacing_mm[1] / (g.shape[2] * g.spacing_mm[2])))
    out = Image.new("RGB", (4 * size[0], 3 * size[1]))
    low, high = WINDOWS_HU[0]
    for n, z in enumerate(heights[np.linspace(0, len(heights) - 1, 12).round().astype(int)]):
        grey = np.clip((volume.hu[z].astype(np.float32) - low) / (high - low) * 255.0, 0, 255).astype(np.uint8)
        pixels = np.array(Image.fromarray(grey).resize(size, Image.Resampling.NEAREST).convert("RGB"))
        for mask, colour in zip((theirs, ours), COLOURS, strict=True):
            inside = np.asarray(Image.fromarray(mask[z]).resize(size, Image.Resampling.NEAREST))
            pixels[inside & ~ndimage.binary_erosion(inside)] = colour
        at = (n % 4 * size[0], n // 4 * size[1])
        out.paste(Image.fromarray(pixels), at)
        ImageDraw.Draw(out).text((at[0] + 3, at[1] + 1), f"slice {z}", fill=(255, 255, 255))
    out.save(path)


def main() -> None:
    """Read, mask, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=Path, help="folder for pictures; not one of this repository's")
    given = parser.parse_args()
    if given.pictures:
        given.pictures.mkdir(parents=True, exist_ok=True)
    folder = real_folder() / "small_with_mask"
    for name, (scan, mask, wanted) in CASES.items():
        volume = read_series(folder / f"{scan}.nii.gz")
        stored = sitk.GetArrayFromImage(sitk.ReadImage(str(folder / f"{mask}.nii.gz")))
        theirs = np.ascontiguousarray(volume.stored.to_canonical(stored > 0))
        found = {"plain": (plain(volume), np.zeros(volume.hu.shape, dtype=bool))}
        for method in ("classical", "network"):
            anatomy = segment(volume, AnatomyConfig(method=method))  # type: ignore[arg-type]
            found[method] = (anatomy.lungs > 0, anatomy.airways)
        airways = found["network"][1]
        amount = f"{theirs.sum() * volume.geometry.voxel_ml:.0f} mL"
        print(f"{name}: theirs {amount}, border at {border_hu(volume, theirs):.0f} HU, wanted Dice {wanted or 'none'}")
        for method, (ours, _) in found.items():
            hd95 = hausdorff95_mm(theirs, ours, volume.geometry)
            print(
                f"  {method:9} Dice {dice(theirs, ours):.4f} HD95 {hd95:.1f} mm, "
                f"border at {border_hu(volume, ours):.0f} HU; {differences(theirs, ours, airways, volume)}",
                flush=True,
            )
            if given.pictures:
                picture(volume, theirs, ours, given.pictures / f"{name.replace(' ', '_')}_{method}.png")


if __name__ == "__main__":
    main()
