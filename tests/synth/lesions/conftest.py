"""A cube of uniform lung, a chest to put lesions into, and what is seen of them there."""

from collections.abc import Callable

import numpy as np
import pytest

from cop_imaging.core import Geometry
from cop_imaging.synth import ChestSpec
from cop_imaging.synth.ground import ground_of
from cop_imaging.synth.lesions.blending import add_lesions, lay_over
from cop_imaging.synth.lesions.lesion import Place
from cop_imaging.synth.render import model_of
from cop_imaging.synth.shapes import Slab

LUNG_HU = -850.0
HALF_MM = 48.0


def cube(voxel_mm: float) -> Place:
    """Lung of one lobe on a cube of 96 mm whose back face, at y = 42 mm, is pleura."""
    n = round(2.0 * HALF_MM / voxel_mm)
    s = Slab.of(Geometry((n, n, n), (voxel_mm,) * 3, (-HALF_MM + 0.5 * voxel_mm,) * 3))
    depth = np.broadcast_to(np.maximum(42.0 - s.y, 0.0), s.shape).astype(np.float32)
    return Place(s, depth, np.full(s.shape, 3, dtype=np.uint8))


@pytest.fixture(scope="session")
def cube_of_lung() -> Callable[[float], Place]:
    return cube


@pytest.fixture(scope="session")
def paint() -> Callable[..., tuple[np.ndarray, dict[str, np.ndarray]]]:
    """Density and truth of lesions in the cube of lung."""

    def drawn(*lesions, voxel_mm=1.0):
        place = cube(voxel_mm)
        shape = place.slab.shape
        hu = np.full(shape, LUNG_HU, dtype=np.float32)
        blended = add_lesions(hu, place.slab, place.depth_mm, place.lobe, lesions)
        masks = {"vessels": np.zeros(shape, bool), "airways": np.zeros(shape, bool), **blended.masks}
        lay_over(hu, np.ones(shape, np.float32), blended, masks)
        return hu, masks

    return drawn


@pytest.fixture(scope="session")
def chest():
    return model_of(ChestSpec(), np.random.default_rng([1, 1]))


@pytest.fixture(scope="session")
def ground(chest):
    return ground_of(chest)


@pytest.fixture(scope="session")
def terrain(ground):
    return ground.terrain
