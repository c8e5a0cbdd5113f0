"""Are made chests like people's, in figures: ``python -m benchmarks.phantom_figures``.

Draws healthy chests and prints each figure beside its normal range. Where ``COP_IMAGING_REAL_CT`` names a folder of
real scans, the density histogram inside the lungs is laid beside theirs: the earth mover's distance from made to real
scans should be no larger than from real to real ones. Real lungs are measured where this program finds them.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from scipy.stats import wasserstein_distance

from cop_imaging.anatomy import AnatomyConfig, segment
from cop_imaging.core import CTVolume, Geometry
from cop_imaging.core.volume import Acquisition
from cop_imaging.provenance import array_digest
from cop_imaging.synth.body import draw_chest, predicted_tlc_l
from cop_imaging.synth.phantom import make_phantom
from cop_imaging.synth.render import draw, model_of

BODIES = 12
GRID = Geometry((128, 130, 150), (2.5, 2.5, 2.5), (-186.25, -161.25, -205.0))
THIN = Geometry((40, 325, 375), (1.25, 1.0, 1.0), (-187.0, -162.0, -75.0))
"""Fine slices through the middle of the chest: on the coarse grid small vessels are lost."""
EDGES_HU = np.arange(-1024, 201, 8)
CLEAR = ("near_normal_2.5mm", "t01", "t08", "t10", "t12", "t14", "lidc_0003", "tcga_de_a4ma")
"""Scans of lungs without much disease; the starts of their names."""


def histogram(hu: np.ndarray) -> np.ndarray:
    """Shares of the lung by density."""
    counts, _ = np.histogram(np.clip(hu, EDGES_HU[0], EDGES_HU[-1] - 1), EDGES_HU)
    return counts / counts.sum()


def distance(a: np.ndarray, b: np.ndarray) -> float:
    """Earth mover's distance between two histograms in HU."""
    middles = EDGES_HU[:-1] + 4.0
    return float(wasserstein_distance(middles, middles, a, b))


def made() -> list[np.ndarray]:
    """Print the figures of drawn bodies, and give their histograms."""
    heads = ("litres", "of pred.", "mean HU", "HU/cm", "vessel %", "-600..-250 %", "<-950 %")
    print(f"{'':34}" + "".join(f"{head:>13}" for head in heads))
    normal = ("", ".75-.95", "-880..-820", "2-4", "3-5", "2.7-17.8", "< 7")
    print(f"{'normal':34}" + "".join(f"{value:>13}" for value in normal))
    out = []
    for seed in range(BODIES):
        spec = draw_chest(np.random.default_rng([seed, 3]))
        phantom = make_phantom(seed, geometry=GRID, spec=spec)
        lungs, hu = phantom.truth["lungs"] > 0, phantom.volume.hu
        inside = hu[lungs].astype(np.float64)
        litres = lungs.sum() * GRID.voxel_ml / 1000.0
        predicted = predicted_tlc_l(female=spec.female, height_cm=spec.height_cm, age_years=spec.age_years)
        y = np.nonzero(lungs)[1] * GRID.spacing_mm[1] / 10.0
        clear = (inside > -1000.0) & (inside < -700.0)
        rise = np.polyfit(y[clear], inside[clear], 1)[0]
        name = f"{seed:2} {'woman' if spec.female else 'man'} {spec.age_years:.0f} a, {spec.height_cm:.0f} cm, "
        name += f"emph. {spec.emphysema:.2f}"
        thin = draw(model_of(spec, np.random.default_rng([seed, 1])), THIN)
        vessels = thin.masks["vessels"].sum() / (thin.lungs > 0).sum()
        figures = (
            f"{litres:.2f}",
            f"{litres / predicted:.2f}",
            f"{inside.mean():.0f}",
            f"{rise:.1f}",
            f"{100.0 * vessels:.1f}",
            f"{100.0 * ((inside > -600) & (inside < -250)).mean():.1f}",
            f"{100.0 * (inside < -950).mean():.1f}",
        )
        print(f"{name:34}" + "".join(f"{figure:>13}" for figure in figures))
        out.append(histogram(inside))
    return out


def real(folder: Path) -> dict[str, np.ndarray]:
    """Histograms of real lungs, as found by this program."""
    out = {}
    for path in sorted([folder / "near_normal_2.5mm", *(folder / "training_lungs").glob("*.nii.gz")]):
        if not path.name.startswith(CLEAR):
            continue
        if path.is_dir():
            reader = sitk.ImageSeriesReader()
            reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(path)))
            image = reader.Execute()
        else:
            image = sitk.ReadImage(str(path))
        hu = np.clip(sitk.GetArrayFromImage(image), -1024, 3071).astype(np.int16)
        # Files made from series run from the feet to the head and from right to left: their grid is canonical.
        z, y, x = image.GetSpacing()[::-1]
        grid = Geometry(hu.shape, (z, y, x), image.GetOrigin())
        volume = CTVolume(hu, grid, None, Acquisition(), digest=array_digest(hu, grid))
        lungs = segment(volume, AnatomyConfig(work_spacing_mm=3.0)).lungs > 0
        out[path.name.removesuffix(".nii.gz")] = histogram(hu[lungs])
        print(f"{path.name:44} mean {hu[lungs].mean():6.0f} HU")
    return out


def main() -> None:
    """Measure and print."""
    phantoms = made()
    folder = os.environ.get("COP_IMAGING_REAL_CT")
    if folder is None:
        print("COP_IMAGING_REAL_CT is not set: real scans are not laid beside")
        return
    scans = list(real(Path(folder)).values())
    between = [distance(a, b) for k, a in enumerate(scans) for b in scans[:k]]
    across = [distance(a, b) for a in phantoms for b in scans]
    for name, values in (("real to real", between), ("made to real", across)):
        print(f"earth mover's distance, {name}: median {np.median(values):.0f}, 90 % {np.quantile(values, 0.9):.0f} HU")


if __name__ == "__main__":
    main()
