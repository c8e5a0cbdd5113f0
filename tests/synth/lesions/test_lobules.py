"""Walls between lobules close around them, coincide with the edges of lobular lesions, and lie fixed in the patient."""

import numpy as np
from scipy import ndimage

from cop_imaging.core import Geometry
from cop_imaging.synth.lesions.lesion import lobular, septa
from cop_imaging.synth.shapes import Slab

SLAB = Slab.of(Geometry((50, 60, 60), (0.8, 0.7, 0.7), (-21.0, -21.0, -20.0)))
CENTRE = (1.0, 0.0, 2.0)
LOBULES = {"reach_mm": 25.0, "seed": 4, "lobule_mm": 13.0}


def test_walls_part_lobules_that_measure_10_to_25_mm():
    distance = septa(SLAB, CENTRE, **LOBULES)
    inside, n = ndimage.label(distance > 1.0)
    _, value = lobular(SLAB, CENTRE, rough_mm=1.0, **LOBULES)
    sizes = np.bincount(inside.ravel())[1:]
    for label in 1 + np.flatnonzero(sizes > 100):
        # Between two lobules values change over no more than the lattice on which they are found.
        deep = (inside == label) & (distance > 3.3)
        assert not deep.any() or np.ptp(value[deep]) < 1e-5
    # Whole lobules are about as large as a cube of the lattice less its walls.
    spans = [[s.stop - s.start for s in box] for box in ndimage.find_objects(inside)]
    whole = [max(np.array(span) * (0.8, 0.7, 0.7)) for span, size in zip(spans, sizes, strict=True) if size > 1500]
    assert n > 15
    assert 10.0 < np.median(whole) < 25.0


def test_lobules_change_where_a_wall_is():
    distance = septa(SLAB, CENTRE, **LOBULES)
    _, value = lobular(SLAB, CENTRE, rough_mm=1.0, **LOBULES)
    for axis in range(3):
        change = np.abs(np.diff(value, axis=axis)) > 0.15
        near = np.maximum(*(np.take(distance, range(a, distance.shape[axis] - 1 + a), axis) for a in (0, 1)))
        assert near[change].max() < 3.8
        assert np.median(near[change]) < 1.2
        assert 0.01 < change.mean() < 0.3


def test_the_distance_to_walls_grows_as_fast_as_distance_does():
    slope = np.linalg.norm(np.gradient(septa(SLAB, CENTRE, **LOBULES), 0.8, 0.7, 0.7), axis=0)
    assert 0.85 < np.quantile(slope, 0.6) < 1.1


def test_lobules_do_not_depend_on_the_box_they_are_seen_in():
    box = (slice(10, 33), slice(7, 52), slice(21, 40))
    assert np.array_equal(septa(SLAB.crop(box), CENTRE, **LOBULES), septa(SLAB, CENTRE, **LOBULES)[box])
    small, whole = (lobular(s, CENTRE, rough_mm=2.0, **LOBULES) for s in (SLAB.crop(box), SLAB))
    assert all(np.array_equal(a, b[box]) for a, b in zip(small, whole, strict=True))
