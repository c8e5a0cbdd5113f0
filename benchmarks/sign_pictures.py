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

from cop_imaging.anatomy import segment
from cop_imaging.core import Finding, Scene
from cop_imaging.core.arrays import AnyArray, BoolArray
from cop_imaging.scene import build_scene
from cop_imaging.signs import SIGNS
from cop_imaging.synth import CHESTS, EXAMPLES, Phantom, example_chest

FOLDER = Path(__file__).parents[1] / "docs" / "images" / "signs"
WINDOW_HU = (-1350.0, 150.0)
LEAST_MM, MARGIN_MM = 60.0, 12.0
"""Smallest width of the enlarged place, and lung shown around the sign."""
MOST_BYTES = 60_000


def findings_of(scene: Scene, wanted: Sequence[str]) -> dict[str, Finding]:
    """The wanted findings and those that they need."""
    by_name = {sign.name: sign for sign in SIGNS}
    needed = set(wanted)
    for sign in reversed(SIGNS):
        if sign.name in needed:
            needed |= set(sign.needs)
    found: dict[str, Finding] = {}
    for name in (n for n in by_name if n in needed):
        found[name] = by_name[name].observe(scene, {need: found[need] for need in by_name[name].needs})
    return found


def scene_of(phantom: Phantom) -> Scene:
    """The scene of a made chest with its true lungs and fluid."""
    anatomy = segment(phantom.volume, lungs=np.asarray(phantom.truth["lungs"]))
    return build_scene(phantom.volume, replace(anatomy, effusion=np.array(phantom.truth["effusion"])))


def place(finding: Finding, truth: BoolArray) -> tuple[int, BoolArray]:
    """The slice of the scene that shows the sign best, and where it lies in it (the truth where nothing is marked)."""
    mask = finding.mask if finding.mask is not None and finding.mask.any() else truth
    z = finding.best_z if finding.best_z is not None else int(np.argmax(mask.sum(axis=(1, 2))))
    return z, mask[z] if mask[z].any() else truth[z]


def window_of(where: BoolArray, scene: Scene) -> tuple[float, float, float, float]:
    """Left, right, bottom, top in voxels of a square around the sign."""
    _, dy, dx = scene.geometry.spacing_mm
    rows, columns = np.nonzero(where) if where.any() else np.nonzero(scene.lungs.any(axis=0))
    half = max(np.ptp(rows) * dy, np.ptp(columns) * dx, LEAST_MM) / 2 + MARGIN_MM
    y, x = (rows.min() + rows.max()) / 2, (columns.min() + columns.max()) / 2
    return x - half / dx, x + half / dx, y + half / dy, y - half / dy


def rings(axis: AnyArray, finding: Finding, scene: Scene, z: int) -> None:
    """Rings around the lesions of a sign that lie near the slice."""
    dz, dy, dx = scene.geometry.spacing_mm
    for lesion in finding.lesions:
        k, y, x = scene.geometry.to_index(lesion.centre_mm)
        if abs(k - z) * dz <= 3.0:
            axis.plot(x, y, "o", mfc="none", mec="#E69F00", mew=1.2, ms=14.0 / max(dx, dy))  # type: ignore[attr-defined]


def draw(name: str, finding: Finding | None, scene: Scene, truth: BoolArray, target: Path) -> None:
    """The two panels of one sign."""
    mpl.use("Agg")
    import matplotlib.pyplot as plt

    shown = finding or Finding(name, "absent", 0.0, (), ())  # type: ignore[arg-type]
    z, where = place(shown, truth)
    left, right, bottom, top = window_of(where, scene)
    rows, columns = scene.hu.shape[1:]
    figure, axes = plt.subplots(
        1, 2, figsize=(6.4, 2.75), layout="constrained", gridspec_kw={"width_ratios": [columns / rows, 1]}
    )
    for axis in axes:
        axis.imshow(scene.hu[z], cmap="gray", vmin=WINDOW_HU[0], vmax=WINDOW_HU[1], interpolation="bilinear")
        axis.set(xticks=[], yticks=[])
    box = {"fill": False, "edgecolor": "#E69F00", "linewidth": 0.8}
    axes[0].add_patch(plt.Rectangle((left, top), right - left, bottom - top, **box))
    if shown.mask is not None and shown.mask[z].any():
        axes[1].contour(shown.mask[z], levels=[0.5], colors="#E69F00", linewidths=1.1)
    rings(axes[1], shown, scene, z)
    axes[1].set(xlim=(left, right), ylim=(bottom, top))
    ten_mm = 10.0 / scene.geometry.spacing_mm[2]
    axes[1].plot([right - 3 - ten_mm, right - 3], [bottom - 3, bottom - 3], color="white", linewidth=2)
    axes[1].text(right - 3 - ten_mm / 2, bottom - 5, "1 cm", color="white", ha="center", va="bottom", fontsize=7)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}")
    figure.savefig(temporary, dpi=100, format="jpeg", pil_kwargs={"quality": 82, "optimize": True})
    plt.close(figure)
    temporary.replace(target)
    presence = "not known" if finding is None else f"{finding.presence}, score {finding.score or 0.0:.2f}"
    size = target.stat().st_size
    print(f"{target.name}: {presence}, {size / 1000:.0f} kB{'' if size < MOST_BYTES else ' TOO LARGE'}", flush=True)


def main(names: Sequence[str]) -> None:
    """Draw the named signs, or all that have a chest."""
    known = {sign.name for sign in SIGNS}
    for chest, example in CHESTS.items():
        wanted = [n for n in example.signs if n in known and (not names or n in names)]
        if not wanted:
            continue
        phantom = example_chest(chest)
        scene = scene_of(phantom)
        found = findings_of(scene, wanted)
        for name in wanted:
            truth = np.asarray(phantom.truth.get(example.signs[name], np.zeros(phantom.volume.hu.shape))) > 0
            draw(name, found[name], scene, truth[scene.box], FOLDER / f"{name}.jpg")
    missing = [sign.name for sign in SIGNS if sign.name not in EXAMPLES and sign.has_mask]
    if missing:
        print("no made chest shows", ", ".join(missing))


if __name__ == "__main__":
    main(sys.argv[1:])
