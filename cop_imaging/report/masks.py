"""Masks on disk: written on the grid of the series as it lies on disk, read back from there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk

from cop_imaging.core import CTVolume, Geometry
from cop_imaging.core.arrays import AnyArray, Float64Array, UInt8Array
from cop_imaging.errors import UsageError

__all__ = ["GRID_TOLERANCE_MM", "read_lung_mask", "write_mask"]

GRID_TOLERANCE_MM = 0.1
"""How far the corners of two grids may lie apart to count as one grid: NIfTI keeps positions in single precision."""

NIFTI_HEADER_BYTES = 352


def write_mask(path: Path, mask: AnyArray, volume: CTVolume) -> None:
    """Write a canonical [z, y, x] mask of the whole volume as compressed uint8 NIfTI, in the series' stored order.

    The bytes depend on the mask and the grid alone (the gzip header carries no time).

    Raises
    ------
    OSError
        If the file cannot be written completely.
    """
    grid = volume.stored.stored_geometry(volume.geometry)
    voxels = np.ascontiguousarray(volume.stored.to_stored(mask.astype(np.uint8, copy=False)))
    image = sitk.GetImageFromArray(voxels)
    # SimpleITK counts axes from the fastest, arrays from the slowest.
    image.SetSpacing(grid.spacing_mm[::-1])
    image.SetOrigin(grid.origin_mm)
    image.SetDirection(np.array(grid.direction[::-1], dtype=np.float64).T.ravel().tolist())
    try:
        sitk.WriteImage(image, str(path), useCompression=True)
    except RuntimeError as error:
        raise OSError(f"{path.name} could not be written: {_last_line(error)}") from error
    if _uncompressed_bytes(path) != NIFTI_HEADER_BYTES + voxels.size:
        # ITK's compressed writer does not report a full disk.
        raise OSError(f"{path.name} could not be written completely; is the disk full?")


def read_lung_mask(path: Path, volume: CTVolume) -> UInt8Array:
    """A corrected lung mask, on the grid of the series as ``write_mask`` writes it.

    Parameters
    ----------
    path : Path
        NIfTI (or another format that SimpleITK reads) with labels 0 outside, 1 right, 2 left.
    volume : CTVolume
        The series that the mask belongs to.

    Returns
    -------
    uint8 [z, y, x]
        The mask in the canonical order of ``volume``.

    Raises
    ------
    UsageError
        If the file cannot be read, lies on another grid (both are named), holds other labels, or holds no lung.
    """
    if not path.is_file():
        raise UsageError(f"there is no lung mask at {path}; give a NIfTI file on the grid of the series")
    try:
        image = sitk.ReadImage(str(path))
    except RuntimeError as error:
        raise UsageError(f"the lung mask {path} cannot be read as an image: {_last_line(error)}") from error
    if image.GetDimension() != 3 or image.GetNumberOfComponentsPerPixel() != 1:
        raise UsageError(
            f"the lung mask {path} has {image.GetDimension()} dimensions and {image.GetNumberOfComponentsPerPixel()} "
            "values per voxel; it must have 3 dimensions and one label per voxel"
        )
    _check_grid(path, _geometry(image), volume.stored.stored_geometry(volume.geometry))
    voxels = sitk.GetArrayViewFromImage(image)
    odd = np.setdiff1d(np.unique(voxels), (0, 1, 2))
    if odd.size:
        shown = ", ".join(f"{v:g}" for v in odd[:5])
        raise UsageError(
            f"the lung mask {path} holds the labels {shown}; only 0 (outside), 1 (right) and 2 (left) may occur"
        )
    labels = np.ascontiguousarray(volume.stored.to_canonical(voxels)).astype(np.uint8)
    if not labels.any():
        raise UsageError(f"the lung mask {path} holds no lung; label the right lung 1 and the left lung 2")
    return labels


def _geometry(image: sitk.Image) -> Geometry:
    size, spacing = image.GetSize(), image.GetSpacing()
    columns = np.array(image.GetDirection()).reshape(3, 3).T
    rows = [(float(c[0]), float(c[1]), float(c[2])) for c in columns[::-1]]
    x, y, z = image.GetOrigin()
    return Geometry(
        shape=(size[2], size[1], size[0]),
        spacing_mm=(spacing[2], spacing[1], spacing[0]),
        origin_mm=(x, y, z),
        direction=(rows[0], rows[1], rows[2]),
    )


def _check_grid(path: Path, found: Geometry, wanted: Geometry) -> None:
    same = found.shape == wanted.shape and np.abs(_corners(found) - _corners(wanted)).max() <= GRID_TOLERANCE_MM
    if not same:
        raise UsageError(
            f"the lung mask {path} lies on another grid than the series: the mask has {_named(found)}; "
            f"the series has {_named(wanted)}; correct a mask that was written with --masks"
        )


def _corners(grid: Geometry) -> Float64Array:
    """LPS positions (8, 3) of the corner voxels: equal exactly when origin, spacing and direction are."""
    ends = np.array(np.meshgrid(*[(0, n - 1) for n in grid.shape], indexing="ij"), dtype=np.float64)
    # One more voxel along each axis, so that a single slice still shows its spacing and direction.
    return grid.to_patient(np.concatenate([ends.reshape(3, -1).T, np.eye(3)]))


def _named(grid: Geometry) -> str:
    def listed(values: tuple[float, ...], digits: int) -> str:
        return "(" + ", ".join(f"{round(v, digits) + 0.0:g}" for v in values) + ")"

    axes = " ".join(listed(axis, 4) for axis in grid.direction[::-1])
    return (
        f"size {'x'.join(map(str, grid.shape[::-1]))}, spacing {listed(grid.spacing_mm[::-1], 4)} mm, "
        f"origin {listed(grid.origin_mm, 2)} mm, axes {axes}"
    )


def _uncompressed_bytes(path: Path) -> int:
    """Length that the gzip trailer states (modulo 4 GiB): right only when the file was finished."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        if size < 4:
            return -1
        file.seek(-4, 2)
        return int.from_bytes(file.read(4), "little")


def _last_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
