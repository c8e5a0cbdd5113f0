"""Lung masks drawn over their scans, to be looked at: ``python -m benchmarks.lung_overlays [SERIES ...] --out FOLDER``.

Each series gives one picture: six heights and two coronal planes, each in the lung and in the soft-tissue window. Right
lung red, left lung green, pleural fluid blue, uncertain tissue yellow, airways magenta. Without SERIES all series below
COP_IMAGING_REAL_CT but the held-out ones. Pictures of patients do not belong in this repository.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage

from benchmarks.real_chests import name_of, real_chests
from cop_imaging.anatomy import AnatomyConfig, segment
from cop_imaging.core import LEFT, RIGHT, Anatomy, CTVolume
from cop_imaging.core.arrays import AnyArray, BoolArray
from cop_imaging.core.grid import bounding_box
from cop_imaging.errors import SeriesError
from cop_imaging.ingest import read_series

WINDOWS_HU = ((-1350.0, 150.0), (-160.0, 240.0))
HEIGHTS = (0.06, 0.24, 0.42, 0.6, 0.78, 0.94)
DEPTHS = (0.4, 0.68)
"""Where the planes lie between the first and the last slice with lung: from the base, from the front."""
COLOURS = {"right": (255, 60, 60), "left": (70, 255, 70), "fluid": (80, 160, 255), "unsure": (255, 235, 0),
           "airways": (255, 90, 255)}  # fmt: skip
TILE, MARGIN_MM, LABEL = 400, 30.0, 14
"""Width of a tile in pixels, what is shown around the lungs, and height of a line of text."""


def masks_of(anatomy: Anatomy) -> dict[str, BoolArray]:
    """The masks that are drawn, in the order in which they are drawn."""
    masks = {"airways": anatomy.airways, "unsure": anatomy.uncertain}
    if anatomy.effusion is not None:
        masks["fluid"] = anatomy.effusion
    return masks | {"right": anatomy.lungs == RIGHT, "left": anatomy.lungs == LEFT}


def tile(
    hu: AnyArray, masks: dict[str, BoolArray], window_hu: tuple[float, float], size: tuple[int, int]
) -> Image.Image:
    """One plane in one window with the borders of the masks."""
    low, high = window_hu
    grey = np.clip((hu.astype(np.float32) - low) / (high - low) * 255.0, 0, 255).astype(np.uint8)
    shades = np.asarray(Image.fromarray(grey).resize(size, Image.Resampling.BILINEAR))
    colours = np.repeat(shades[:, :, None], 3, axis=2)
    for name, mask in masks.items():
        large = Image.fromarray(mask.astype(np.uint8) * 255).resize(size, Image.Resampling.BILINEAR)
        inside = np.asarray(large) > 127
        colours[inside & ~ndimage.binary_erosion(inside)] = COLOURS[name]
    return Image.fromarray(colours)


def sheet(title: str, volume: CTVolume, anatomy: Anatomy, slices: list[int]) -> Image.Image:
    """All planes of a series; ``slices`` are shown instead of the six heights."""
    g = volume.geometry
    z, y, x = bounding_box(anatomy.lungs > 0, g, MARGIN_MM)
    inner = bounding_box(anatomy.lungs > 0, g)
    masks = masks_of(anatomy)
    heights = slices or [inner[0].start + round(f * (inner[0].stop - inner[0].start - 1)) for f in HEIGHTS]
    planes: list[tuple[str, AnyArray]] = [(f"slice {k}", (k, y, x)) for k in heights]  # type: ignore[list-item]
    for f in DEPTHS:
        j = inner[1].start + round(f * (inner[1].stop - inner[1].start - 1))
        planes.append((f"row {j}", (z, j, x)))  # type: ignore[arg-type]
    tiles = []
    for label, at in planes:
        coronal = label.startswith("row")
        turned = slice(None, None, -1 if coronal else 1)
        hu = volume.hu[at][turned]
        along_mm = g.spacing_mm[0] if coronal else g.spacing_mm[1]
        size = (TILE, max(1, round(TILE * hu.shape[0] * along_mm / (hu.shape[1] * g.spacing_mm[2]))))
        for window_hu in WINDOWS_HU:
            picture = tile(hu, {name: mask[at][turned] for name, mask in masks.items()}, window_hu, size)
            ImageDraw.Draw(picture).text((3, 1), label, fill=(255, 255, 255))
            tiles.append(picture)
    rows = [tiles[n : n + 4] for n in range(0, len(tiles), 4)]
    tops = np.cumsum([LABEL, *(max(picture.height for picture in row) for row in rows)])
    out = Image.new("RGB", (4 * TILE, int(tops[-1])))
    for row, top in zip(rows, tops[:-1], strict=True):
        for column, picture in enumerate(row):
            out.paste(picture, (column * TILE, int(top)))
    ImageDraw.Draw(out).text((3, 1), title, fill=(255, 255, 255))
    return out


def summary_of(anatomy: Anatomy) -> str:
    """Volumes and doubts on a line."""
    ml = anatomy.geometry.voxel_ml
    masks = masks_of(anatomy)
    amounts = " ".join(f"{name} {mask.sum() * ml:.0f}" for name, mask in masks.items() if name != "airways")
    d = anatomy.doubt
    codes = " ".join(issue.code for issue in anatomy.issues)
    expected = f"Dice expected {d.expected_dice or 1.0:.3f} unclear {d.unclear or 0.0:.3f} unseen {d.unseen:.3f}"
    return f"{amounts} mL, trust {d.trust:.2f} {expected} {codes}"


def main() -> None:
    """Segment, draw, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("series", nargs="*", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--method", choices=("network", "classical"), default="network")
    parser.add_argument("--slices", type=int, nargs="*", default=[], help="z indices to show instead of six heights")
    parser.add_argument("--held-out", action="store_true", help="the held-out series too")
    parser.add_argument("--masks", action="store_true", help="keep the masks too, as .npz")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    for path in given.series or real_chests(held_out=given.held_out):
        begun = time.monotonic()
        name = name_of(path)
        try:
            volume = read_series(path)
            anatomy = segment(volume, AnatomyConfig(method=given.method))
        except SeriesError as error:
            print(f"{name:40} refused: {error}", flush=True)
            continue
        title = f"{name} {given.method}: {summary_of(anatomy)}"
        sheet(title, volume, anatomy, given.slices).save(given.out / f"{name}.png")
        if given.masks:
            np.savez_compressed(given.out / f"{name}.npz", **masks_of(anatomy))  # type: ignore[arg-type]
        print(f"{title} ({time.monotonic() - begun:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
