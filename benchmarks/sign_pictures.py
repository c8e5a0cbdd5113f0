"""A picture of every sign in a made chest, for the catalogue: ``python -m benchmarks.sign_pictures [NAME ...]``.

Left the slice of the chest, right the place of the sign with the outline of what the program marks; a sign that marks
no voxels is shown by rings around its lesions. The true lungs are given: the chests are cut above and below.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.patheffects import withStroke
from skimage.measure import label, regionprops

from cop_imaging.anatomy import segment
from cop_imaging.core import Finding, Scene
from cop_imaging.core.arrays import AnyArray, BoolArray
from cop_imaging.core.grid import components
from cop_imaging.scene import build_scene
from cop_imaging.signs import SIGNS, observe
from cop_imaging.synth import CHESTS, EXAMPLES, Phantom, example_chests

FOLDER = Path(__file__).parents[1] / "docs" / "images" / "signs"
WINDOW_HU = (-1350.0, 150.0)
WINDOWS_HU = {
    "mosaic_attenuation": (-1000.0, -650.0),
    "emphysema": (-1050.0, -700.0),
    "pleural_effusion": (-160.0, 240.0),
}
"""Windows of signs that the usual one hardly shows."""
LONG = ("bands",)
"""Signs that are shown where they are long and thin, not where they are largest."""
LEAST_MM, MARGIN_MM = 60.0, 12.0
"""Smallest width of the enlarged place, and lung shown around the sign."""
MOST_BYTES = 60_000


def scene_of(phantom: Phantom) -> Scene:
    """The scene of a made chest with its true lungs and fluid."""
    anatomy = segment(phantom.volume, lungs=np.asarray(phantom.truth["lungs"]))
    return build_scene(phantom.volume, replace(anatomy, effusion=np.array(phantom.truth["effusion"])))


def place(finding: Finding, truth: BoolArray) -> tuple[int, BoolArray]:
    """The slice in which the sign is both true and marked most, and its largest piece in it."""
    hit = truth if finding.mask is None or not (finding.mask & truth).any() else finding.mask & truth
    z = int(np.argmax(hit.sum(axis=(1, 2))))
    if finding.sign in LONG:
        slices = np.flatnonzero(hit.any(axis=(1, 2)))
        z = int(slices[np.argmax([length_of(hit[k]) for k in slices])])
    labels, _ = components(truth[z][None])
    return z, labels[0] == 1


def length_of(mask: BoolArray) -> float:
    """How much longer than wide the longest piece of a slice is, in voxels."""
    return max(piece.major_axis_length - 2.0 * piece.minor_axis_length for piece in regionprops(label(mask)))


def window_of(where: BoolArray, scene: Scene) -> tuple[float, float, float, float]:
    """Left, right, bottom, top in voxels of a square around the sign, inside the slice."""
    _, dy, dx = scene.geometry.spacing_mm
    height, width = where.shape
    rows, columns = np.nonzero(where)
    side_mm = max(np.ptp(rows) * dy, np.ptp(columns) * dx, LEAST_MM) + 2 * MARGIN_MM
    side_mm = min(side_mm, height * dy, width * dx)
    left = np.clip((columns.min() + columns.max() - side_mm / dx) / 2, -0.5, width - 0.5 - side_mm / dx)
    top = np.clip((rows.min() + rows.max() - side_mm / dy) / 2, -0.5, height - 0.5 - side_mm / dy)
    return float(left), float(left + side_mm / dx), float(top + side_mm / dy), float(top)


def rings(axis: AnyArray, finding: Finding, scene: Scene, z: int) -> None:
    """Rings around the lesions of a sign that lie near the slice."""
    dz, dy, dx = scene.geometry.spacing_mm
    for lesion in finding.lesions:
        k, y, x = scene.geometry.to_index(lesion.centre_mm)
        if abs(k - z) * dz <= 3.0:
            axis.plot(x, y, "o", mfc="none", mec="#E69F00", mew=1.2, ms=14.0 / max(dx, dy))  # type: ignore[attr-defined]


def draw(finding: Finding, scene: Scene, truth: BoolArray, target: Path) -> None:
    """The two panels of one sign."""
    mpl.use("Agg")
    import matplotlib.pyplot as plt

    z, where = place(finding, truth)
    left, right, bottom, top = window_of(where, scene)
    rows, columns = scene.hu.shape[1:]
    figure, axes = plt.subplots(
        1, 2, figsize=(6.4, 2.75), layout="constrained", gridspec_kw={"width_ratios": [columns / rows, 1]}
    )
    for axis in axes:
        low, high = WINDOWS_HU.get(finding.sign, WINDOW_HU)
        axis.imshow(scene.hu[z], cmap="gray", vmin=low, vmax=high, interpolation="bilinear")
        axis.set(xticks=[], yticks=[])
    box = {"fill": False, "edgecolor": "#E69F00", "linewidth": 0.8}
    axes[0].add_patch(plt.Rectangle((left, top), right - left, bottom - top, **box))
    if finding.mask is None:
        rings(axes[1], finding, scene, z)
    elif finding.mask[z].any():
        axes[1].contour(finding.mask[z], levels=[0.5], colors="#E69F00", linewidths=1.1)
    axes[1].set(xlim=(left, right), ylim=(bottom, top))
    ten_mm = 10.0 / scene.geometry.spacing_mm[2]
    bed = [withStroke(linewidth=3, foreground="black")]
    edge, base, scale = right - 0.04 * (right - left), bottom - 0.04 * (bottom - top), {"color": "white"}
    axes[1].plot([edge - ten_mm, edge], [base, base], linewidth=2, path_effects=bed, **scale)
    axes[1].text(edge, base - 2, "1 cm", ha="right", va="bottom", fontsize=7, path_effects=bed, **scale)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}")
    figure.savefig(temporary, dpi=100, format="jpeg", pil_kwargs={"quality": 82, "optimize": True})
    plt.close(figure)
    temporary.replace(target)
    size = target.stat().st_size
    words = "" if size < MOST_BYTES else " TOO LARGE"
    print(
        f"{target.name}: {finding.presence}, score {finding.score or 0.0:.2f}, {size / 1000:.0f} kB{words}", flush=True
    )


def main(names: Sequence[str]) -> None:
    """Draw the named signs, or all that have a chest."""
    known = {sign.name for sign in SIGNS}
    shown = {c: [n for n in CHESTS[c].signs if n in known and (not names or n in names)] for c in CHESTS}
    for chest, phantom in example_chests(c for c in CHESTS if shown[c]):
        scene = scene_of(phantom)
        found = {f.sign: f for f in observe(scene, names=shown[chest])}
        for name in shown[chest]:
            truth = np.asarray(phantom.truth[CHESTS[chest].signs[name]])
            draw(found[name], scene, truth[scene.box], FOLDER / f"{name}.jpg")
    missing = [sign.name for sign in SIGNS if sign.name not in EXAMPLES and sign.has_mask]
    if missing:
        print("no made chest shows", ", ".join(missing))


if __name__ == "__main__":
    main(sys.argv[1:])
