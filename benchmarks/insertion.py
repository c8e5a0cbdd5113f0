"""Time and memory of an insertion into a whole thin chest (512 x 512 x 400): ``python -m benchmarks.insertion``.

The chest is a phantom on a small grid, enlarged; lesions cover both lungs. Memory is the peak of the whole process.
"""

from __future__ import annotations

import resource
import sys
import time

import numpy as np

from benchmarks.__main__ import peak_mb
from cop_imaging.core.geometry import Geometry
from cop_imaging.core.volume import CTVolume
from cop_imaging.synth import healthy_chest
from cop_imaging.synth.insertion import insert, model_scan, terrain_of_scan
from cop_imaging.synth.lesions.consolidation import draw_consolidation
from cop_imaging.synth.lesions.ground_glass import draw_ground_glass
from cop_imaging.synth.phantom import coarse_grid
from cop_imaging.synth.terrain import Where

SHAPE, SPACING_MM = (400, 512, 512), (0.75, 0.7, 0.7)


def main() -> None:
    """Measure and print."""
    small = healthy_chest(1, geometry=coarse_grid())
    g = small.volume.geometry
    centre = [o + 0.5 * s * (n - 1) for o, s, n in zip(g.origin_mm, g.spacing_mm[::-1], g.shape[::-1], strict=True)]
    x, y, z = (c - 0.5 * s * (n - 1) for c, s, n in zip(centre, SPACING_MM[::-1], SHAPE[::-1], strict=True))
    geometry = Geometry(SHAPE, SPACING_MM, (x, y, z))
    index = [
        np.clip(np.rint((o + s * np.arange(n) - a) / b), 0, m - 1).astype(int)
        for o, s, n, a, b, m in zip((z, y, x), SPACING_MM, SHAPE, g.origin_mm[::-1], g.spacing_mm, g.shape, strict=True)
    ]
    hu = small.volume.hu[np.ix_(*index)]
    lungs, airways = (small.truth[name][np.ix_(*index)] for name in ("lungs", "airways"))
    # The enlarged blocks carry no noise of their own scale.
    for k in range(SHAPE[0]):
        hu[k] += np.random.default_rng(k).normal(0.0, 15.0, SHAPE[1:]).astype(np.int16)
    volume = CTVolume(hu, geometry)
    terrain, rng = terrain_of_scan(lungs, geometry, airways), np.random.default_rng(1)
    lesions = [
        *draw_consolidation(terrain, rng, where=Where(), target_ml=300.0),
        *draw_ground_glass(terrain, rng, where=Where(), target_ml=300.0),
    ]
    before = resource.getrusage(resource.RUSAGE_SELF)
    start = time.perf_counter()
    model = model_scan(volume, lungs)
    measured = time.perf_counter()
    insert(volume, lungs, lesions, seed=1, airways=airways, model=model)
    end = time.perf_counter()
    after = resource.getrusage(resource.RUSAGE_SELF)
    print(f"{SHAPE} voxels, {len(lesions)} lesions, {model.spread}")
    print(f"scan measured in {measured - start:.1f} s, lesions inserted in {end - measured:.1f} s")
    print(f"processor {after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime:.1f} s")
    print(f"peak {peak_mb(after):.0f} MB (before: {peak_mb(before):.0f} MB)", file=sys.stdout)


if __name__ == "__main__":
    main()
