"""NIfTI, NRRD and MetaImage volumes: orientation from the file's own matrix, and nothing known of the acquisition."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk

from cop_imaging.core.arrays import AnyArray, BoolArray, Int16Array
from cop_imaging.core.geometry import Geometry, Triple
from cop_imaging.core.issue import Issue, Severity
from cop_imaging.core.volume import AIR_HU, Acquisition, CTVolume
from cop_imaging.errors import SeriesError
from cop_imaging.ingest.cases import CASE_LENGTH
from cop_imaging.ingest.densities import check_densities, densities_of
from cop_imaging.ingest.density_config import DensityConfig
from cop_imaging.ingest.geometry_config import GeometryConfig
from cop_imaging.ingest.image_headers import at_right_angles, check_header, damaged, format_of, not_finite, sheared
from cop_imaging.ingest.orientation import canonical_geometry, stored_order
from cop_imaging.ingest.stacking import thick_slices
from cop_imaging.provenance import array_digest

__all__ = ["is_image", "read_image"]


def is_image(path: Path) -> bool:
    """Whether a file is named like an image volume."""
    return format_of(path) is not None


def read_image(path: Path, geometry: GeometryConfig, density: DensityConfig) -> CTVolume:
    """Read one volume that is in Hounsfield units.

    Raises
    ------
    SeriesError
        ``source.damaged``, ``source.unreadable`` (its voxels lie in another file), ``source.too_large``,
        ``series.not_image`` (not one grey volume), ``geometry.missing`` (no orientation), ``geometry.inconsistent``
        (sheared), ``geometry.not_axial``, ``slices.too_few``; as ``check_densities`` does.
    """
    kind = format_of(path) or "NIfTI"
    check_header(path, kind)
    image = _loaded(path, geometry)
    stored = _grid(image, path)
    _check_grid(stored, geometry, path)
    order = stored_order(stored)
    grid = canonical_geometry(stored, order)
    values = sitk.GetArrayViewFromImage(image)
    lost = not_finite(path, stored.shape) if kind == "NIfTI" else None
    if lost is not None:
        values = np.where(lost, np.nan, values)
    hu, valid = _hounsfield(np.ascontiguousarray(order.to_canonical(values)), density)
    issues = check_densities(densities_of(hu, valid), density)
    step = grid.spacing_mm[0]
    acquisition = Acquisition(
        source_format=kind,
        slice_step_mm=round(step, 4),
        pixel_spacing_mm=grid.spacing_mm[1:],
        rows=grid.shape[1],
        columns=grid.shape[2],
        slice_count=grid.shape[0],
    )
    digest = array_digest(hu, grid)
    return CTVolume(
        hu=hu,
        geometry=grid,
        valid=valid,
        acquisition=acquisition,
        stored=order,
        digest=digest,
        case=digest[:CASE_LENGTH],
        issues=(*issues, *thick_slices(step, None, geometry), _unknown(kind)),
    )


def _loaded(path: Path, config: GeometryConfig) -> sitk.Image:
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
        size = reader.GetSize()
        if reader.GetNumberOfComponents() != 1 or [n for n in size[3:] if n != 1] or len(size) < 3:
            raise SeriesError(
                f"{path} is no grey volume of three dimensions ({' x '.join(map(str, size))} voxels, "
                f"{reader.GetNumberOfComponents()} values each)",
                code="series.not_image",
            )
        if np.prod(np.array(size, float)) > config.largest_megavoxels * 1e6:
            raise SeriesError(
                f"{path} has {' x '.join(map(str, size))} voxels, more than {config.largest_megavoxels:g} million",
                code="source.too_large",
            )
        image = reader.Execute()
    except RuntimeError as error:
        raise damaged(path) from error
    return image[(slice(None),) * 3 + (0,) * (len(size) - 3)] if len(size) > 3 else image


def _grid(image: sitk.Image, path: Path) -> Geometry:
    """Grid of the array [slice, row, column] as ITK gives it."""
    size, spacing, origin, cosines = image.GetSize(), image.GetSpacing(), image.GetOrigin(), image.GetDirection()
    axes = np.array(cosines).reshape(3, 3).T
    if not np.isfinite([*spacing, *origin, *cosines]).all() or min(spacing) <= 0 or min(size) < 1:
        raise damaged(path)
    if not at_right_angles(axes):
        raise sheared(path)
    direction = (_triple(axes[2]), _triple(axes[1]), _triple(axes[0]))
    shape = (size[2], size[1], size[0])
    return Geometry(shape, (spacing[2], spacing[1], spacing[0]), _triple(np.array(origin)), direction)


def _check_grid(grid: Geometry, config: GeometryConfig, path: Path) -> None:
    spacing = np.array(grid.spacing_mm)
    widest = int(spacing.argmax())
    # Nearly equal spacings say nothing of how the slices lay.
    along = abs(grid.direction[widest][2])
    if spacing[widest] > 1.5 * np.median(spacing) and along < np.cos(np.radians(config.axial_deg)):
        raise SeriesError(f"the slices of {path} are not axial; axial slices are needed", code="geometry.not_axial")
    axis = int(np.argmax([abs(direction[2]) for direction in grid.direction]))
    count, extent = grid.shape[axis], grid.shape[axis] * grid.spacing_mm[axis]
    if count < config.fewest_slices or extent < config.shortest_mm:
        raise SeriesError(
            f"{path} has {count} slices over {extent:.0f} mm; a chest needs at least {config.fewest_slices} over "
            f"{config.shortest_mm:g} mm",
            code="slices.too_few",
        )


def _hounsfield(values: AnyArray, config: DensityConfig) -> tuple[Int16Array, BoolArray | None]:
    """int16 densities with -1024 where nothing was scanned, and where that is not; None when everywhere was."""
    limits = np.iinfo(np.int16)
    # NaN compares false, and what is infinite is no density: neither was scanned.
    scanned = (values >= config.padding_below_hu) & (values < np.inf)
    if values.dtype.kind == "f":
        with np.errstate(invalid="ignore"):
            values = np.rint(np.nan_to_num(values, nan=AIR_HU, posinf=limits.max, neginf=limits.min))
    if values.dtype != np.int16:
        values = np.clip(values, limits.min, limits.max).astype(np.int16)
    hu: Int16Array = np.maximum(values, AIR_HU, out=values if values.flags.writeable else None)
    hu[~scanned] = AIR_HU
    return hu, None if scanned.all() else scanned


def _unknown(kind: str) -> Issue:
    message = (
        f"{kind} says nothing of the acquisition: kernel, slice thickness, patient position, sex and age are unknown."
    )
    return Issue(code="header.missing", severity=Severity.INFO, message=message)


def _triple(values: AnyArray) -> Triple:
    return (float(values[0]), float(values[1]), float(values[2]))
