"""Can inserted tissue be told from a scan's own? ``COP_IMAGING_REAL_CT=... python -m benchmarks.discriminator``.

Patches of inserted dense consolidation are laid against patches of muscle and heart of the same scan at the same
distance from the isocentre and the same height, both as far from the borders of what they lie in; borders of lesions
against the lungs' own borders with heart, diaphragm and vessels.
Ten features with logistic regression and a small network, cross-validated by height: what is tested was never seen.
``--other FOLDER`` measures another generator's case (``image.nii.gz``, ``lesion.nii.gz``) of the same scan likewise.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import numpy as np
import SimpleITK as sitk
import torch
from scipy import ndimage
from scipy.stats import rankdata

from cop_imaging.anatomy import segment
from cop_imaging.core.arrays import AnyArray, BoolArray, Float64Array
from cop_imaging.ingest import read_series
from cop_imaging.synth.insertion import insert, model_scan, terrain_of_scan
from cop_imaging.synth.insertion.lung_map import lung_slab
from cop_imaging.synth.lesions.consolidation import draw_consolidation
from cop_imaging.synth.lesions.lobar_consolidation import draw_lobar_consolidation
from cop_imaging.synth.shapes import Slab
from cop_imaging.synth.terrain import Where

FEATURES = (
    "sd", "skewness", "lag1_x", "lag1_y", "lag1_z", "high_frequency_share",
    "gradient_mean", "gradient_p90", "range", "laplacian_energy",
)  # fmt: skip
PATCH_MM, EDGE_MM = 8.5, 8.5
FEWEST_PIXELS, MOST_PIXELS = 6, 16
LIKE = 2.0
"""Largest difference in course between borders that run alike."""
NETWORKS = 3
CLEAR_PIXELS = 2
"""How far patches keep from the border of the organ, or of the consolidation."""
FOLD_MM = 25.0
MOST = 400
SEEDS = (1, 2)
SOFT_HU = (-60.0, 230.0)
BORDER_HU = -350.0
ORGAN_HU = (0.0, 230.0)
BONE_HU, MARROW_PIXELS = 200.0, 14


def features(patch: AnyArray) -> list[float]:
    """The ten features of a patch (3, n, n)."""
    p = patch.astype(np.float64)
    c = p - p.mean(axis=(1, 2), keepdims=True)
    variance = max(float(c.var()), 1e-6)
    gy, gx = np.gradient(p[1])
    gradient = np.hypot(gy, gx)
    laplacian = ndimage.laplace(p[1])[1:-1, 1:-1]
    power = np.abs(np.fft.fft2(c[1])) ** 2
    f = np.hypot(np.fft.fftfreq(p.shape[1])[:, None], np.fft.fftfreq(p.shape[2])[None])
    return [
        float(np.sqrt(variance)),
        float((c**3).mean() / variance**1.5),
        float((c[:, :, 1:] * c[:, :, :-1]).mean() / variance),
        float((c[:, 1:] * c[:, :-1]).mean() / variance),
        float((c[1:] * c[:-1]).mean() / variance),
        float(power[f > 0.25].sum() / max(power.sum(), 1e-6)),
        float(gradient.mean()),
        float(np.percentile(gradient, 90)),
        float(np.percentile(p, 97.5) - np.percentile(p, 2.5)),
        float((laplacian**2).mean()),
    ]


def windows(hu: AnyArray, mask: BoolArray, size: int) -> Float64Array:
    """Corners (n, 3) of windows 3 x size x size that lie in a mask and are soft throughout, overlapping."""
    step = max(size // 3, 2)
    soft = ndimage.uniform_filter(hu.astype(np.float32), (1, 3, 3))
    good = mask & (soft > SOFT_HU[0]) & (soft < SOFT_HU[1])
    least = ndimage.minimum_filter(good.astype(np.uint8), (3, size, size), origin=(-1, -(size // 2), -(size // 2)))
    corners = np.argwhere(least[:-2:2, :-size:step, :-size:step] > 0)
    out: Float64Array = corners * [2, step, step]
    return out


def organs(hu: AnyArray, lungs: AnyArray) -> BoolArray:
    """Muscle, heart and other soft organs outside the lungs, without their borders, bones and marrow."""
    smooth = ndimage.gaussian_filter(hu.astype(np.float32), (0.5, 1.5, 1.5))
    soft = (smooth > ORGAN_HU[0]) & (smooth < ORGAN_HU[1]) & (lungs == 0)
    for k, plane in enumerate(smooth):
        soft[k] &= ~ndimage.binary_fill_holes(ndimage.binary_closing(plane > BONE_HU, iterations=MARROW_PIXELS))
    out: BoolArray = ndimage.binary_erosion(soft, np.ones((1, 2 * CLEAR_PIXELS + 1, 2 * CLEAR_PIXELS + 1)))
    return out


def pixels(size_mm: float, slab: Slab) -> int:
    """An even number of pixels about as wide as that."""
    pixel = float(np.abs(np.diff(slab.x.ravel())).mean())
    return int(np.clip(2 * round(0.5 * size_mm / pixel), FEWEST_PIXELS, MOST_PIXELS))


def cut(hu: AnyArray, corners: AnyArray, size: int) -> AnyArray:
    """Patches (n, 3, size, size)."""
    return np.stack([hu[k : k + 3, j : j + size, i : i + size] for k, j, i in corners.astype(int)]).astype(np.float32)


def border_windows(
    hu: AnyArray, dense: BoolArray, aerated: BoolArray, rng: np.random.Generator, size: int
) -> Float64Array:
    """Corners of windows around the border between dense tissue, neither bone nor enhanced blood, and aerated lung."""
    wide = np.zeros((3, 5, 5), dtype=bool)
    wide[1] = True
    edge = dense & (hu > BORDER_HU) & ndimage.binary_dilation(aerated & (hu < 2 * BORDER_HU), wide)
    at = np.argwhere(edge) - np.array([1, size // 2, size // 2])
    at = at[(at >= 0).all(axis=1) & (at + np.array([3, size, size]) < edge.shape).all(axis=1)]
    at = at[rng.permutation(len(at))[: 4 * MOST]]
    brightest = np.percentile(cut(hu, at, size), 97.5, axis=(1, 2, 3)) if len(at) else np.zeros(0)
    return at[(brightest > 0.0) & (brightest < SOFT_HU[1])][:MOST].astype(np.float64)


def of_unit_step(patches: AnyArray) -> AnyArray:
    """Patches whose border is 1000 high: how dense either side is says nothing about the border."""
    low, high = np.percentile(patches, (2.5, 97.5), axis=(1, 2, 3), keepdims=True)
    return (patches - low) * (1000.0 / np.maximum(high - low, 1.0))


def matched(
    inserted: Float64Array, native: Float64Array, place: AnyArray, other: AnyArray
) -> tuple[AnyArray, AnyArray]:
    """Pairs of an inserted and a native patch near in radius (by 10 mm) and height (by 20 mm), each native one once."""
    taken: set[int] = set()
    pairs = []
    for n, p in enumerate(place):
        order = np.argsort(np.abs((other - p) / [10.0, 20.0]).sum(axis=1))[:40]
        free = [m for m in order if int(m) not in taken]
        if free and np.abs((other[free[0]] - p) / [10.0, 20.0]).sum() < 2.0:
            taken.add(int(free[0]))
            pairs.append((n, int(free[0])))
    a, b = np.array(pairs, dtype=int).reshape(-1, 2).T
    return inserted[a], native[b]


def shape(patches: AnyArray) -> Float64Array:
    """How borders run, not how they look: dense share, length, change from slice to slice and turn, (n, 4)."""
    dense = patches > 0.5 * (patches.min(axis=(1, 2, 3), keepdims=True) + patches.max(axis=(1, 2, 3), keepdims=True))
    size = patches.shape[-1]
    across = [
        (dense[..., 1:] != dense[..., :-1]).sum(axis=(1, 2, 3)),
        (dense[..., 1:, :] != dense[..., :-1, :]).sum(axis=(1, 2, 3)),
    ]
    corners = (dense[..., 1:, 1:] ^ dense[..., :-1, 1:] ^ dense[..., 1:, :-1] ^ dense[..., :-1, :-1]).sum(
        axis=(1, 2, 3)
    )
    moved = (dense[:, 1:] != dense[:, :-1]).sum(axis=(1, 2, 3))
    return np.stack(
        [
            dense.mean(axis=(1, 2, 3)) * 8.0,
            (across[0] + across[1]) / (1.5 * size),
            moved / (1.5 * size),
            corners / size * 3.0,
        ],
        axis=1,
    )


def alike(inserted: AnyArray, native: AnyArray) -> AnyArray:
    """Pairs (n, 2) of patches whose borders run alike, each native one once."""
    free = np.ones(len(native), dtype=bool)
    own, pairs = shape(native), []
    for n, s in enumerate(shape(inserted)):
        away = np.where(free, np.abs(own - s).sum(axis=1), np.inf)
        m = int(away.argmin())
        if away[m] < LIKE:
            free[m] = False
            pairs.append((n, m))
    return np.array(pairs, dtype=int).reshape(-1, 2)


def auroc(score: Float64Array, label: AnyArray) -> float:
    """Area under the ROC curve."""
    ranks = rankdata(score)
    n = label.sum()
    return float((ranks[label == 1].sum() - n * (n + 1) / 2) / (n * (len(label) - n)))


def logistic(x: Float64Array, y: AnyArray, fold: AnyArray) -> tuple[float, Float64Array]:
    """Cross-validated AUROC of a logistic regression (ridge 1), and its mean coefficients per SD."""
    score, weights = np.zeros(len(y)), []
    for f in np.unique(fold):
        train = fold != f
        mean, sd = x[train].mean(axis=0), x[train].std(axis=0) + 1e-9
        a = np.column_stack([(x - mean) / sd, np.ones(len(x))])
        w = np.zeros(a.shape[1])
        for _ in range(30):
            p = 1.0 / (1.0 + np.exp(-np.clip(a[train] @ w, -30, 30)))
            h = (a[train] * (p * (1.0 - p))[:, None]).T @ a[train] + np.eye(len(w))
            w += np.linalg.solve(h, a[train].T @ (y[train] - p) - w)
        score[~train] = a[~train] @ w
        weights.append(w[:-1])
    return auroc(score, y), np.mean(weights, axis=0)


def network(patches: AnyArray, y: AnyArray, fold: AnyArray) -> float:
    """Cross-validated AUROC of three small convolutions on patches without their mean, on the average of trainings."""
    return float(np.mean([trained(patches, y, fold, seed) for seed in range(NETWORKS)]))


def trained(patches: AnyArray, y: AnyArray, fold: AnyArray, seed: int) -> float:
    """The same of one training."""
    torch.manual_seed(seed)
    x = patches.astype(np.float32)
    x = torch.from_numpy((x - x.mean(axis=(1, 2, 3), keepdims=True)) / x.std())
    t = torch.from_numpy(y.astype(np.float32))
    score = np.zeros(len(y))
    for f in np.unique(fold):
        train = torch.from_numpy(np.flatnonzero(fold != f))
        net = torch.nn.Sequential(
            torch.nn.Conv2d(3, 16, 3, padding=1), torch.nn.ReLU(),
            torch.nn.Conv2d(16, 16, 3, padding=1), torch.nn.ReLU(),
            torch.nn.Conv2d(16, 16, 3, padding=1), torch.nn.ReLU(),
            torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(16, 1),
        )  # fmt: skip
        optimizer = torch.optim.Adam(net.parameters(), 3e-3, weight_decay=1e-3)
        for _ in range(20):
            for batch in train[torch.randperm(len(train))].split(64):
                flip = x[batch].flip(-1) if torch.rand(1) < 0.5 else x[batch]
                loss = torch.nn.functional.binary_cross_entropy_with_logits(net(flip)[:, 0], t[batch])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
        with torch.no_grad():
            score[fold == f] = net(x[torch.from_numpy(fold == f)])[:, 0].numpy()
    return auroc(score, y)


def compare(name: str, a: AnyArray, b: AnyArray, za: AnyArray, zb: AnyArray) -> None:
    """Print both AUROCs and the features' means."""
    patches, y = np.concatenate([a, b]), np.repeat([1, 0], [len(a), len(b)])
    # Folds by height; every fold holds both kinds.
    fold = (np.floor(np.concatenate([za, zb]) / FOLD_MM)).astype(int)
    keep = np.isin(fold, [f for f in np.unique(fold) if len(np.unique(y[fold == f])) == 2])
    patches, y, fold = patches[keep], y[keep], fold[keep]
    if len(np.unique(fold)) < 3:
        print(f"{name}: too few patches ({len(a)} and {len(b)})")
        return
    x = np.array([features(p) for p in patches])
    area, weights = logistic(x, y, fold)
    print(f"{name}: {int(y.sum())} inserted, {int((1 - y).sum())} native, {len(np.unique(fold))} folds")
    print(f"  AUROC features + logistic regression {area:.3f}, small network {network(patches, y, fold):.3f}")
    for n, feature in enumerate(FEATURES):
        alone = auroc(x[:, n], y)
        means = x[y == 1, n].mean(), x[y == 0, n].mean()
        print(
            f"    {feature:22} inserted {means[0]:10.3f} native {means[1]:10.3f}"
            f" alone {alone:.3f} weight {weights[n]:+.2f}"
        )


def run(title: str, made: list[tuple[AnyArray, BoolArray]], hu: AnyArray, lungs: AnyArray, slab: Slab) -> None:
    """Measure one generator's volumes, each with its mask of consolidation."""
    rng = np.random.default_rng(0)
    r = np.hypot(slab.x - slab.x.mean(), slab.y - slab.y.mean())[0]
    z = slab.z.ravel()
    size, edge = pixels(PATCH_MM, slab), pixels(EDGE_MM, slab)

    def place(c: AnyArray) -> AnyArray:
        k, j, i = c.astype(int).T
        return np.stack([r[j + size // 2, i + size // 2], z[k + 1]], axis=1)

    native = windows(hu, organs(hu, lungs), size)
    own = np.ones(hu.shape, dtype=bool)
    clear = np.ones((1, 2 * CLEAR_PIXELS + 1, 2 * CLEAR_PIXELS + 1))
    texture_a, texture_b, border_a, border_b = [], [], [], []
    for image, dense in made:
        found = windows(image, ndimage.binary_erosion(dense, clear), size)
        found = found[rng.permutation(len(found))[:MOST]]
        if len(found):
            a, b = matched(found, native, place(found), place(native))
            texture_a.append((cut(image, a, size), place(a)[:, 1]))
            texture_b.append((cut(hu, b, size), place(b)[:, 1]))
        a = border_windows(image, ndimage.binary_dilation(dense, iterations=1), (lungs > 0) & ~dense, rng, edge)
        b = border_windows(hu, own, lungs > 0, rng, edge)
        border_a.append((of_unit_step(cut(image, a, edge)), z[a[:, 0].astype(int)]))
        border_b.append((of_unit_step(cut(hu, b, edge)), z[b[:, 0].astype(int)]))
    for name, a, b in (("texture", texture_a, texture_b), ("borders", border_a, border_b)):
        if a:
            (pa, za), (pb, zb) = ((np.concatenate(v) for v in zip(*q, strict=True)) for q in (a, b))
            compare(f"{title}, {name}", pa, pb, za, zb)
            if name == "borders":
                a_, b_ = alike(pa, pb).T
                compare(f"{title}, borders that run alike", pa[a_], pb[b_], za[a_], zb[b_])


def main() -> None:
    """Insert, measure, print."""
    root = os.environ.get("COP_IMAGING_REAL_CT")
    if not root:
        sys.exit("COP_IMAGING_REAL_CT names no folder of real CT series")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--series", default="near_normal_2.5mm")
    parser.add_argument("--other", type=Path, nargs="*", default=[])
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    volume = read_series(Path(root) / arguments.series)
    anatomy = segment(volume)
    lungs, slab = anatomy.lungs, lung_slab(volume.geometry)
    model, terrain = model_scan(volume, lungs), terrain_of_scan(lungs, volume.geometry, anatomy.airways)
    made = []
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        lesions = [
            *draw_consolidation(terrain, rng, where=Where(depth_mm=(1.0, 12.0)), target_ml=500.0),
            *draw_lobar_consolidation(terrain, rng, where=Where(), target_ml=350.0),
        ]
        result = insert(volume, lungs, lesions, seed=seed, airways=anatomy.airways, model=model)
        made.append((result.volume.hu, result.truth["consolidation"]))
    run("inserted", made, volume.hu, lungs, slab)
    for folder in arguments.other:
        parts = (sitk.ReadImage(str(folder / f"{name}.nii.gz")) for name in ("image", "lesion"))
        image, lesion = (sitk.GetArrayFromImage(part) for part in parts)
        run(f"outside generator {folder.name}", [(image, lesion == 1)], volume.hu, lungs, slab)


if __name__ == "__main__":
    main()
