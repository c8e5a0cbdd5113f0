"""Density signs on single slices with a reader's lung mask: ``python -m benchmarks.readers READERS OUT``.

``READERS/medseg/*.npz`` hold ``hu`` (int16) and ``lung`` (more than 0 inside the lungs), both [y, x] with the front of
the patient up and the right side on the left. For each, ``OUT/<name>.npz`` gets ``label`` (uint8 [y, x]): 1 ground
glass, 2 consolidation. Nothing else is read, so that a file's own labels cannot leak into the answer.

The pixel size of such slices is not known: it is taken as 0.75 mm, and each slice as 1 mm thick.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

from cop_imaging.anatomy import segment
from cop_imaging.core import Acquisition, CTVolume, Geometry
from cop_imaging.core.arrays import AnyArray, BoolArray, UInt8Array
from cop_imaging.core.grid import components
from cop_imaging.scene import build_scene
from cop_imaging.signs import observe
from cop_imaging.signs.density_classes import DENSITY_CLASSES, density_classes

PIXEL_MM, SLICE_MM = 0.75, 1.0
GROUND_GLASS, CONSOLIDATION = 1, 2


def sides(lung: BoolArray) -> UInt8Array:
    """The lungs of one slice as 1 (right, on the left of the picture) and 2: parts on either side of the middle."""
    labels, n = components(lung[None])
    middle = (np.flatnonzero(lung.any(axis=0))[[0, -1]].sum()) / 2
    columns = np.arange(lung.shape[1])
    out = np.where(columns < middle, 1, 2).astype(np.uint8)[None] * lung
    for k in range(1, n + 1):  # a part keeps to the side on which most of it lies, unless it is both lungs
        part = labels[0] == k
        share = float((out[part] == 1).mean())
        if not 0.25 < share < 0.75:
            out[part] = 1 if share > 0.5 else 2
    return out


def label_of(hu: AnyArray, lung: BoolArray) -> UInt8Array:
    """Ground glass 1 and consolidation 2 on one slice, uint8 [y, x]."""
    geometry = Geometry((1, *hu.shape), (SLICE_MM, PIXEL_MM, PIXEL_MM))
    acquisition = Acquisition(slice_thickness_mm=SLICE_MM)
    volume = CTVolume(np.ascontiguousarray(hu[None], dtype=np.int16), geometry, acquisition=acquisition)
    scene = build_scene(volume, segment(volume, lungs=sides(lung)[None]))
    found = {f.sign: f for f in observe(scene, names=("ground_glass",))}
    classes = scene.full(density_classes(scene, found))[0]
    label = np.zeros(hu.shape, dtype=np.uint8)
    for name, value in (("ground_glass", GROUND_GLASS), ("consolidation", CONSOLIDATION)):
        label[classes == DENSITY_CLASSES.index(name)] = value
    return label


def main(readers: Path, out: Path) -> None:
    """Answer every slice of the folder."""
    out.mkdir(parents=True, exist_ok=True)
    paths = sorted((readers / "medseg").glob("*.npz"))
    if not paths:
        raise SystemExit(f"{readers / 'medseg'} holds no .npz files")
    start = time.perf_counter()
    for path in paths:
        with np.load(path) as found:
            hu, lung = found["hu"], found["lung"] > 0
        label = label_of(hu, lung) if lung.any() else np.zeros(hu.shape, dtype=np.uint8)
        inside = max(int(lung.sum()), 1)
        np.savez_compressed(out / path.name, label=label)
        shares = [100.0 * float((label == k).sum()) / inside for k in (GROUND_GLASS, CONSOLIDATION)]
        print(f"{path.stem}: ground glass {shares[0]:.1f} %, consolidation {shares[1]:.1f} % of lung")
    print(f"{len(paths)} slices in {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
