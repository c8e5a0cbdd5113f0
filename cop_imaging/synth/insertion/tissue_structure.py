"""How uneven a scan's own soft tissue is beyond noise, and the same unevenness drawn again.

Airless lung is no more even than muscle: the share of tissue differs from lobule to lobule and acinus to acinus, and
septa and rests of air lie between them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cop_imaging.core.arrays import Float32Array, Float64Array, Int16Array
from cop_imaging.synth.insertion.radial_table import RadialTable
from cop_imaging.synth.insertion.scan_noise import ScanNoise
from cop_imaging.synth.insertion.soft_tiles import SoftTiles
from cop_imaging.synth.lesions.margins import smooth_noise
from cop_imaging.synth.shapes import Slab

__all__ = ["TissueStructure"]

FEWEST_TILES = 20
SIZE_MM = (1.0, 6.0)
USUAL_SIZE_MM = 2.5
MOST_HU, MOST_SPREAD = 45.0, 0.6
PRIOR = 1.0
SKEW = (-1.2, 0.3)
"""Muscle beside bone and contrast medium is skewed to the bright side; airless lung is not."""
PATCH_MM = 9.0
"""Over which distance tissue is more and less uneven."""
FAR_MM = 100.0
FIELD_SHARE = 0.4
"""Correlation of ``smooth_noise`` as a share of its size."""


@dataclass(frozen=True, slots=True, eq=False)
class TissueStructure:
    """Unevenness of soft tissue.

    Parameters
    ----------
    variance_hu2 : RadialTable
        Its mean variance by place.
    spread : float
        SD of the logarithm of its SD among places of about 9 mm.
    size_mm, size_z_mm : float
        SD of its Gaussian correlation in the plane and along z.
    skewness : float
        Negative where spots are lighter than the rest more often than denser.
    """

    variance_hu2: RadialTable
    spread: float
    size_mm: float
    size_z_mm: float
    skewness: float

    @classmethod
    def measure(
        cls, hu: Int16Array, tiles: SoftTiles, noise: ScanNoise, slab: Slab, centre_mm: tuple[float, float]
    ) -> TissueStructure:
        """Measure the scan's muscle, heart and liver, their noise taken off."""
        if len(tiles) < FEWEST_TILES:
            return cls(RadialTable.even(slab, centre_mm, 0.0), 0.0, USUAL_SIZE_MM, USUAL_SIZE_MM, 0.0)
        excess = np.clip(tiles.variance - tiles.noise_hu**2, 0.0, MOST_HU**2)
        table = RadialTable.of(slab, centre_mm, tiles, excess, prior=PRIOR, usual=float(excess.mean()))
        median, high = np.sqrt(np.maximum(np.quantile(excess, (0.5, 0.85)), 1e-6))
        cut = tiles.cut(hu, np.arange(len(tiles)))
        step = float(np.abs(np.diff(slab.z.ravel())).mean())
        skewness = float((cut[:, 0] ** 3).mean() / max(float((excess**1.5).mean()), 1e-6))
        return cls(
            table,
            float(np.clip(np.log(high / median) / 1.04, 0.0, MOST_SPREAD)),
            correlation_mm(cut[:, 0], tiles, noise),
            correlation_z_mm(cut, tiles, noise, step),
            float(np.clip(skewness, *SKEW)),
        )

    @property
    def summary(self) -> dict[str, float]:
        """What was measured, in few numbers."""
        return {
            "sd_hu": round(float(np.sqrt(self.variance_hu2.values.mean())), 2),
            "spread": round(self.spread, 3),
            "size_mm": round(self.size_mm, 2),
            "size_z_mm": round(self.size_z_mm, 2),
            "skewness": round(self.skewness, 2),
        }

    def draw(self, slab: Slab, lattice_mm: tuple[float, float, float], seed: int) -> Float32Array:
        """Density differences in HU at the voxels of a slab, [z, y, x]; the same voxel has the same, whatever the slab.

        Parameters
        ----------
        lattice_mm : (x, y, z)
            A point that fixes the field in the patient.
        """
        # Longer along z than across: the same field on squeezed heights.
        squeeze = np.float32(self.size_mm / self.size_z_mm)
        x, y, z = lattice_mm
        squeezed = Slab((slab.z - np.float32(z)) * squeeze + np.float32(z), slab.y, slab.x, slab.voxel_mm)
        size = self.size_mm / FIELD_SHARE
        field = smooth_noise(squeezed, (x, y, z), reach_mm=FAR_MM, seed=seed, size_mm=size)
        bend = np.float32(bend_of(self.skewness))
        field += bend * (field * field - 1.0)
        field *= np.float32(1.0 / np.sqrt(1.0 + 2.0 * float(bend) ** 2))
        more = smooth_noise(slab, (x, y, z), reach_mm=FAR_MM, seed=seed + 1, size_mm=PATCH_MM / FIELD_SHARE)
        # The mean square of exp(s g) is exp(2 s^2).
        field *= np.exp(np.float32(self.spread) * more - np.float32(self.spread**2))
        out: Float32Array = field * np.sqrt(self.variance_hu2.on(slab))
        return out


def bend_of(skewness: float) -> float:
    """Coefficient b for which ``g + b (g^2 - 1)`` of a normal number g is that skewed, by a table."""
    b = np.linspace(-0.4, 0.4, 161)
    return float(np.interp(skewness, (6.0 * b + 8.0 * b**3) / (1.0 + 2.0 * b**2) ** 1.5, b))


def correlation_mm(cut: Float64Array, tiles: SoftTiles, noise: ScanNoise) -> float:
    """SD of the Gaussian correlation that fits best what tiles show beyond noise at lags of up to 4 pixels."""
    lags = np.arange(1, min(5, tiles.size - 1))
    noisy = float((tiles.noise_hu**2).mean())
    of_noise = np.fft.ifft2(noise.power.mean(axis=0)).real
    of_noise /= of_noise[0, 0]
    left = max(float((cut**2).mean()) - noisy, 1e-6)
    seen = []
    for lag in lags:
        both = 0.5 * ((cut[:, lag:] * cut[:, :-lag]).mean() + (cut[..., lag:] * cut[..., :-lag]).mean())
        at = int(lag) % of_noise.shape[0]
        seen.append((both - 0.5 * noisy * (of_noise[at, 0] + of_noise[0, at])) / left)
    place = tiles.pixel_mm * np.arange(tiles.size)
    away2 = (place[:, None] - place) ** 2
    sizes, misfit = np.linspace(*SIZE_MM, 25), []
    for c in sizes:
        # Tiles without their mean know nothing of what is wider than they are.
        mean = float(np.exp(-0.5 * away2 / c**2).mean()) ** 2
        expected = (np.exp(-0.5 * (lags * tiles.pixel_mm / c) ** 2) - mean) / (1.0 - mean)
        misfit.append(float(((expected - seen) ** 2).sum()))
    return float(sizes[int(np.argmin(misfit))])


def correlation_z_mm(cut: Float64Array, tiles: SoftTiles, noise: ScanNoise, step_mm: float) -> float:
    """SD of the Gaussian correlation along z, by what neighbouring slices share beyond noise."""
    noisy = float((tiles.noise_hu**2).mean())
    weights = noise.along_z
    of_noise = float((weights[1:] * weights[:-1]).sum()) if len(weights) > 1 else 0.0
    left = max(float((cut[:, 0] ** 2).mean()) - noisy, 1e-6)
    share = (float((cut[:, 0] * cut[:, 1]).mean()) - noisy * of_noise) / left
    return float(np.clip(step_mm / np.sqrt(-2.0 * np.log(np.clip(share, 0.05, 0.95))), *SIZE_MM))
