"""Hand-made lungs: a block of aerated lung in soft tissue, into which balls, shells, tubes and plates are drawn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest

from cop_imaging.core import Acquisition, Anatomy, CTVolume, Finding, Geometry, Scene, SliceIdentity, WorkGrid
from cop_imaging.scene import build_scene
from cop_imaging.signs import SignsConfig, signs_with
from cop_imaging.signs.observe import look_for

AERATED_HU, WALL_HU, HAZE_HU, DENSE_HU = -860.0, 40.0, -550.0, 20.0
VOXEL_MM, WALL_VOXELS = 1.5, 4


@dataclass
class Block:
    """Two box-shaped lungs side by side without a gap, right at low x; drawn in mm from the middle of the block.

    All drawing takes points as (z, y, x) in mm and keeps the partial volume of borders.
    """

    side_mm: tuple[float, float, float] = (90.0, 90.0, 90.0)
    aerated_hu: float = AERATED_HU
    acquisition: Acquisition = field(default_factory=Acquisition)

    def __post_init__(self) -> None:
        inner = tuple(round(s / VOXEL_MM) for s in self.side_mm)
        shape = tuple(n + 2 * WALL_VOXELS for n in inner)
        self.geometry = Geometry(shape, (VOXEL_MM,) * 3, (-20.0, 35.0, -300.0))
        axes = [(np.arange(n) - (n - 1) / 2) * VOXEL_MM for n in shape]
        self.at = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).astype(np.float32)
        self.lungs = np.zeros(shape, np.uint8)
        core = tuple(slice(WALL_VOXELS, n - WALL_VOXELS) for n in shape)
        self.lungs[core] = np.where(self.at[core][..., 2] < 0, 1, 2)
        self.hu = np.where(self.lungs > 0, self.aerated_hu, WALL_HU).astype(np.float32)
        self.vessels = np.zeros(shape, bool)
        self.airways = np.zeros(shape, bool)

    def paint(self, outside_mm: np.ndarray, hu: float) -> np.ndarray:
        """Fill where the signed distance to the border is negative; the mask of what was filled."""
        share = np.clip(0.5 - outside_mm / VOXEL_MM, 0.0, 1.0) * (self.lungs > 0)
        self.hu += share * (hu - self.hu)
        return (outside_mm < 0) & (self.lungs > 0)

    def ball(self, centre: tuple[float, float, float], radius_mm: float, hu: float) -> np.ndarray:
        return self.paint(np.linalg.norm(self.at - np.float32(centre), axis=-1) - radius_mm, hu)

    def box(self, centre: tuple[float, float, float], half_mm: tuple[float, float, float], hu: float) -> np.ndarray:
        return self.paint((np.abs(self.at - np.float32(centre)) - np.float32(half_mm)).max(axis=-1), hu)

    def tube(self, axis: int, through: tuple[float, float, float], radius_mm: float, hu: float) -> np.ndarray:
        off = np.delete(self.at - np.float32(through), axis, axis=-1)
        return self.paint(np.linalg.norm(off, axis=-1) - radius_mm, hu)

    def ring(
        self,
        centre: tuple[float, float, float] = (0.0, 0.0, 0.0),
        outer_mm: float = 30.0,
        rim_mm: float = 5.0,
        *,
        core_hu: float = -600.0,
        rim_hu: float = DENSE_HU,
        gap: Callable[[np.ndarray], np.ndarray] | None = None,
    ) -> np.ndarray:
        """A shell of ``outer_mm`` diameter; ``gap`` takes the offsets from its centre and says where the rim breaks."""
        offset = self.at - np.float32(centre)
        distance = np.linalg.norm(offset, axis=-1)
        before = self.hu.copy()
        whole = self.paint(distance - outer_mm / 2, rim_hu)
        if gap is not None:
            self.hu = np.where(gap(offset), before, self.hu)
        self.paint(distance - (outer_mm / 2 - rim_mm), core_hu)
        return whole

    def volume(self) -> CTVolume:
        slices = tuple(SliceIdentity(1000 - k, f"1.2.{k}") for k in range(self.hu.shape[0]))
        return CTVolume(np.rint(self.hu).astype(np.int16), self.geometry, None, self.acquisition, slices=slices)

    def anatomy(self) -> Anatomy:
        work = WorkGrid(
            self.geometry,
            self.vessels.astype(np.float32),
            np.where(self.vessels, 2.0, 0.0).astype(np.float32),
        )
        none = np.zeros(self.lungs.shape, bool)
        return Anatomy(
            self.geometry,
            self.lungs.copy(),
            self.airways.copy(),
            ~none,
            self.vessels.copy(),
            none,
            work,
        )

    def scene(self) -> Scene:
        return build_scene(self.volume(), self.anatomy())


@pytest.fixture
def block() -> Callable[..., Block]:
    return Block


@pytest.fixture
def look() -> Callable[..., Finding]:
    """The finding of one sign in a scene, with the findings that it needs."""

    def find(scene: Scene, name: str, config: SignsConfig | None = None) -> Finding:
        signs = {sign.name: sign for sign in signs_with(config or SignsConfig())}
        earlier = {need: look_for(signs[need], scene, {}) for need in signs[name].needs}
        return look_for(signs[name], scene, earlier)

    return find


@pytest.fixture
def value() -> Callable[..., float | None]:
    """The value of one measure of a finding by the part of its name after the sign."""

    def of(finding: Finding, name: str) -> float | None:
        return finding.measure(f"{finding.sign}.{name}").value

    return of
