"""Whole phantoms: a chest, its lesions, the scan of it and the truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cop_imaging.core.arrays import AnyArray, Float64Array
from cop_imaging.core.geometry import Geometry
from cop_imaging.core.volume import Acquisition, CTVolume
from cop_imaging.provenance import array_digest
from cop_imaging.synth.chest import ChestSpec, thorax
from cop_imaging.synth.lesions.consolidation import Consolidation
from cop_imaging.synth.lesions.ground_glass import GroundGlass
from cop_imaging.synth.lesions.lesion import Lesion
from cop_imaging.synth.lesions.reversed_halo import ReversedHalo
from cop_imaging.synth.render import draw, model_of
from cop_imaging.synth.scanner import ScannerSpec, scan
from cop_imaging.synth.shapes import Slab

__all__ = [
    "Phantom",
    "coarse_grid",
    "healthy_chest",
    "make_phantom",
    "organizing_pneumonia_chest",
    "organizing_pneumonia_lesions",
    "thin_grid",
]

KERNEL_NAMES = {"soft": "STANDARD", "medium": "DETAIL", "sharp": "LUNG"}
Point = tuple[float, float, float]


@dataclass(frozen=True, slots=True, eq=False)
class Phantom:
    """A made CT volume and everything that is true of it.

    Parameters
    ----------
    volume : CTVolume
    truth : mapping of name to array [z, y, x]
        ``lungs`` uint8 (1 right, 2 left; with consolidated lung, vessels and bronchi, without trachea, main and
        intermediate bronchi), and bool ``lungs_right``, ``lungs_left``, ``airways``, ``vessels``, ``consolidation``,
        ``ground_glass``, ``reversed_halo``.
    lesions : tuple of lesions
        Their parameters.
    """

    volume: CTVolume
    truth: Mapping[str, AnyArray]
    lesions: tuple[Lesion, ...]


def thin_grid() -> Geometry:
    """256 x 256 pixels of 1.4 mm, 246 slices 1.25 mm apart: the whole chest."""
    return Geometry((246, 256, 256), (1.25, 1.4, 1.4), (-178.5, -163.5, -195.0))


def coarse_grid() -> Geometry:
    """Cubes of 2.5 mm, 123 x 126 x 142: the whole chest, for fast tests."""
    return Geometry((123, 126, 142), (2.5, 2.5, 2.5), (-176.25, -146.0, -195.0))


def make_phantom(
    seed: int,
    *,
    geometry: Geometry,
    spec: ChestSpec | None = None,
    lesions: Sequence[Lesion] = (),
    scanner: ScannerSpec | None = None,
) -> Phantom:
    """A chest with lesions, scanned; the same arguments give the same bytes.

    Raises
    ------
    ValueError
        If the grid's axes do not run along the patient's.
    """
    spec, scanner = spec or ChestSpec(), scanner or ScannerSpec()
    model = model_of(spec, np.random.default_rng([seed, 1]))
    drawn = draw(model, geometry, lesions)
    hu, valid = scan(drawn.hu, geometry, np.random.default_rng([seed, 2]), scanner)
    truth: dict[str, AnyArray] = {
        "lungs": drawn.lungs,
        "lungs_right": drawn.lungs == 1,
        "lungs_left": drawn.lungs == 2,
        **drawn.masks,
    }
    for mask in truth.values():
        mask.flags.writeable = False
    volume = CTVolume(hu, geometry, valid, acquisition_of(spec, scanner, geometry), digest=array_digest(hu, geometry))
    return Phantom(volume, truth, tuple(lesions))


def acquisition_of(spec: ChestSpec, scanner: ScannerSpec, geometry: Geometry) -> Acquisition:
    """The headers of a made scan."""
    z, y, x = geometry.spacing_mm
    return Acquisition(
        manufacturer="PHANTOM",
        scanner="COP-IMAGING SYNTH",
        kernel=KERNEL_NAMES[scanner.kernel],
        kernel_class=scanner.kernel,
        kvp=120.0,
        exposure_mas=120.0,
        slice_thickness_mm=scanner.thickness_mm or z,
        slice_step_mm=z,
        pixel_spacing_mm=(y, x),
        rows=geometry.shape[1],
        columns=geometry.shape[2],
        slice_count=geometry.shape[0],
        patient_position="HFS",
        contrast=spec.blood_hu > 80.0,
        sex="M",
        age_years=58.0,
        height_m=round(1.75 * spec.size, 2),
        weight_kg=round(58.0 * spec.size**3 + spec.fat_mm * 1.2, 1),
    )


def varied(seed: int) -> ChestSpec:
    """A chest of its own size, fat, heart and breath."""
    rng = np.random.default_rng([seed, 3])
    return ChestSpec(
        size=round(float(rng.uniform(0.96, 1.03)), 3),
        inspiration=round(float(rng.uniform(0.88, 1.0)), 3),
        fat_mm=round(float(rng.uniform(9.0, 19.0)), 1),
        heart=round(float(rng.uniform(0.96, 1.06)), 3),
    )


def healthy_chest(
    seed: int, *, geometry: Geometry | None = None, spec: ChestSpec | None = None, scanner: ScannerSpec | None = None
) -> Phantom:
    """A chest without lesions, on the thin grid unless told otherwise; without ``spec`` the seed varies it."""
    return make_phantom(seed, geometry=geometry or thin_grid(), spec=spec or varied(seed), scanner=scanner)


def organizing_pneumonia_chest(
    seed: int, *, geometry: Geometry | None = None, spec: ChestSpec | None = None, scanner: ScannerSpec | None = None
) -> Phantom:
    """The typical picture: peripheral lower-zone consolidation on both sides, ground glass, one reversed halo."""
    spec = spec or varied(seed)
    lesions = organizing_pneumonia_lesions(spec, np.random.default_rng([seed, 4]))
    return make_phantom(seed, geometry=geometry or thin_grid(), spec=spec, lesions=lesions, scanner=scanner)


def sites(spec: ChestSpec, low_mm: float, high_mm: float) -> Float64Array:
    """Points (n, 3) as (x, y, z) of both lungs whose depth below the pleura lies between two limits."""
    x, y, z = (np.arange(a, b, 6.0, dtype=np.float32) for a, b in ((-140.0, 140.0), (-110.0, 115.0), (-200.0, 110.0)))
    t = thorax(Slab(z[:, None, None], y[None, :, None], x[None, None, :], 1.0), spec)
    near = (t.lung < -0.5 * low_mm) & (t.depth > low_mm) & (t.depth < high_mm)
    k, j, i = np.nonzero(near)
    return np.stack([x[i], y[j], z[k]], axis=1).astype(np.float64) * spec.size


def organizing_pneumonia_lesions(spec: ChestSpec, rng: np.random.Generator) -> tuple[Lesion, ...]:
    """4-7 patches of consolidation on both sides, mostly low and dorsal, ground glass around and apart, one atoll."""
    shallow, deep = sites(spec, 2.0, 9.0), sites(spec, 22.0, 45.0)
    taken: list[tuple[Float64Array, float]] = []

    def place(points: Float64Array, reach_mm: float, right: bool, low: float, high: float) -> Point:
        """A site on one side between two heights that keeps clear of the lesions before it."""
        chosen = points[(points[:, 0] < 0.0) == right]
        chosen = chosen[(chosen[:, 2] > low * spec.size) & (chosen[:, 2] < high * spec.size)]
        for centre, reach in taken:
            chosen_clear = chosen[np.linalg.norm(chosen - centre, axis=1) > 0.85 * (reach + reach_mm)]
            chosen = chosen_clear if len(chosen_clear) else chosen
        # Twice as often behind the middle of the chest as before it.
        weight = np.where(chosen[:, 1] > 10.0, 2.0, 1.0)
        x, y, z = (float(v) for v in chosen[rng.choice(len(chosen), p=weight / weight.sum())])
        taken.append((np.array([x, y, z]), reach_mm))
        return x, y, z

    hazy: list[Lesion] = []
    dense: list[Lesion] = []
    outer = float(rng.uniform(28.0, 40.0))
    side = bool(rng.integers(2))
    halo = ReversedHalo(
        place(deep, 0.5 * outer + 16.0, side, -110.0, 20.0),
        outer,
        float(rng.uniform(4.5, 6.5)),
        int(rng.integers(2**31)),
    )
    for n in range(int(rng.integers(4, 8))):
        radius = float(rng.uniform(22.0, 38.0))
        low, high = (-170.0, -50.0) if n < 4 else (-60.0, 50.0)
        centre = place(shallow, radius, n % 2 == 0, low, high)
        depth = float(rng.uniform(0.6, 0.95)) * radius
        dense.append(Consolidation(centre, radius, depth, int(rng.integers(2**31))))
        if n % 2 == 0 or rng.random() < 0.4:
            hazy.append(GroundGlass(centre, radius + 13.0, depth + 10.0, int(rng.integers(2**31))))
    for right in (True, False):
        radius = float(rng.uniform(20.0, 30.0))
        hazy.append(
            GroundGlass(place(shallow, radius, right, -120.0, 60.0), radius, 0.8 * radius, int(rng.integers(2**31)))
        )
    return (*hazy, *dense, halo)
