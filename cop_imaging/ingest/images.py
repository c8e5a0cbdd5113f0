"""NIfTI, NRRD and MetaImage volumes: orientation from the file's own matrix, and nothing known of the acquisition."""

from __future__ import annotations

import gzip
import math
import re
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from cop_imaging.config import Section, quantity
from cop_imaging.core.arrays import AnyArray, BoolArray, Int16Array
from cop_imaging.core.geometry import Geometry, Triple
from cop_imaging.core.issue import Issue, Severity
from cop_imaging.core.volume import AIR_HU, Acquisition, CTVolume
from cop_imaging.errors import SeriesError
from cop_imaging.ingest.orientation import canonical_geometry, stored_order
from cop_imaging.provenance import array_digest

__all__ = ["ImageConfig", "is_image", "read_image"]

ENDINGS = {".nii": "NIfTI", ".nii.gz": "NIfTI", ".nrrd": "NRRD", ".mha": "MetaImage"}
HEADER = 352
"""Bytes of a NIfTI-1 header with its magic (nifti1.h)."""
NIFTI_2 = 540
"""Bytes of a NIfTI-2 header."""
BLOCK = 8 << 20
"""Bytes of voxels that are looked at at once."""
LEAD = 4096
"""Bytes of a text header that are looked at."""
SHEAR = 1e-3
"""Cosine between two axes of a matrix above which it shears: single precision leaves 1e-6."""
CASE_LENGTH = 12


class ImageConfig(Section):
    """Which image volumes can be a chest."""

    largest_megavoxels: float = quantity(
        1500.0,
        low=1.0,
        high=20000.0,
        unit="1e6",
        means="voxels of the largest volume that is read",
        source="5,700 slices of 512 x 512 pixels; estimate",
    )
    fewest_slices: int = quantity(
        20,
        low=3,
        high=200,
        unit="1",
        means="fewest slices of a chest",
        source="250 mm at 10 mm are 25 slices; estimate",
    )
    shortest_mm: float = quantity(
        80.0,
        low=20.0,
        high=300.0,
        unit="mm",
        means="shortest extent from foot to head",
        source="a third of the height of adult lungs; estimate",
    )
    thick_mm: float = quantity(
        3.0,
        low=0.5,
        high=10.0,
        unit="mm",
        means="distance between slices above which signs and likelihood are limited",
        source="limits of single signs lie at 1.5 to 3 mm",
    )
    axial_deg: float = quantity(
        30.0,
        low=5.0,
        high=40.0,
        unit="deg",
        means="largest angle between the most widely spaced axis and the long axis of the body",
        source="as for slices; estimate",
    )
    padding_below_hu: float = quantity(
        -1300.0,
        low=-2000.0,
        high=-1050.0,
        unit="HU",
        means="density below which nothing was scanned",
        source="noise and streaks in air reach about -1200 HU, padding is -1500 to -3024 HU; estimate",
    )


ELEMENT_BYTES = {
    **dict.fromkeys(("met_char", "met_uchar"), 1),
    **dict.fromkeys(("met_short", "met_ushort"), 2),
    **dict.fromkeys(("met_int", "met_uint", "met_float"), 4),
    **dict.fromkeys(("met_double", "met_long_long", "met_ulong_long"), 8),
}
Check = Callable[[Int16Array, BoolArray | None], tuple[Issue, ...]]


def is_image(path: Path) -> bool:
    """Whether a file is named like an image volume."""
    return _format(path) is not None


def read_image(path: Path, config: ImageConfig, check: Check) -> CTVolume:
    """Read one volume that is in Hounsfield units.

    Parameters
    ----------
    check : function of hu and valid
        Refuses what is not in Hounsfield units, or remarks on it.

    Raises
    ------
    SeriesError
        ``source.damaged``, ``source.unreadable`` (its voxels lie in another file), ``source.too_large``,
        ``series.not_image`` (not one grey volume), ``geometry.missing`` (no orientation), ``geometry.inconsistent``
        (sheared), ``geometry.not_axial``, ``slices.too_few``; as ``check`` does.
    """
    kind = _format(path) or "NIfTI"
    _check_header(path, kind)
    image = _loaded(path, config)
    grid = _grid(image, path)
    _check_grid(grid, config, path)
    order = stored_order(grid)
    geometry = canonical_geometry(grid, order)
    values = sitk.GetArrayViewFromImage(image)
    lost = _not_finite(path, grid.shape) if kind == "NIfTI" else None
    if lost is not None:
        values = np.where(lost, np.nan, values)
    hu, valid = _hounsfield(np.ascontiguousarray(order.to_canonical(values)), config)
    issues = check(hu, valid)
    step = geometry.spacing_mm[0]
    acquisition = Acquisition(
        source_format=kind,
        slice_step_mm=round(step, 4),
        pixel_spacing_mm=geometry.spacing_mm[1:],
        rows=geometry.shape[1],
        columns=geometry.shape[2],
        slice_count=geometry.shape[0],
    )
    digest = array_digest(hu, geometry)
    return CTVolume(
        hu=hu,
        geometry=geometry,
        valid=valid,
        acquisition=acquisition,
        stored=order,
        digest=digest,
        case=digest[:CASE_LENGTH],
        issues=(*issues, *_thick(step, config), _unknown(kind)),
    )


def _format(path: Path) -> str | None:
    name = path.name.lower()
    return next((kind for ending, kind in ENDINGS.items() if name.endswith(ending)), None)


def _check_header(path: Path, kind: str) -> None:
    """What ITK would put right or follow without a word: missing or sheared orientation, voxels in another file."""
    try:
        with gzip.open(path) if path.name.lower().endswith(".gz") else path.open("rb") as file:
            head = file.read(LEAD)
    except (OSError, EOFError, zlib.error) as error:
        raise _damaged(path) from error
    if kind == "NIfTI":
        _check_nifti(head, path)
        return
    text = head.split(b"\n\n")[0].decode("latin-1").lower()
    outside = "data file:" in text or "datafile:" in text
    if kind == "MetaImage":
        found = re.search(r"^elementdatafile\s*=\s*(.*)$", text, re.MULTILINE)
        outside = found is not None and found[1].strip() != "local"
        if found is None or (not outside and path.stat().st_size < found.end() + _promised(text)):
            raise _damaged(path)
    if outside:
        raise SeriesError(f"the voxels of {path} lie in another file; give one file", code="source.unreadable")


def _promised(text: str) -> int:
    """Bytes of voxels that a MetaImage header in lower case announces; 0 when it does not say."""
    fields = dict(re.findall(r"^(\w+)\s*=\s*(.*)$", text, re.MULTILINE))
    try:
        if fields.get("compresseddata", "").strip() == "true":
            return int(fields.get("compresseddatasize", "0"))
        voxels = math.prod(int(n) for n in fields["dimsize"].split())
        return voxels * ELEMENT_BYTES.get(fields["elementtype"].strip(), 0)
    except (KeyError, ValueError):
        return 0


def _check_nifti(head: bytes, path: Path) -> None:
    if len(head) < HEADER:
        raise _damaged(path)
    try:
        order, _, new, _ = _layout(head)
        codes, rows, number, code = (344, 400, "d", "i") if new == "q" else (252, 280, "f", "h")
        qform, sform = struct.unpack_from(f"{order}2{code}", head, codes)
    except struct.error as error:
        raise _damaged(path) from error
    if qform <= 0 and sform <= 0:
        raise SeriesError(
            f"{path} does not say how it lies in the patient (qform and sform are 0): left and right cannot be told; "
            "convert it from DICOM again",
            code="geometry.missing",
        )
    if sform > 0:
        matrix = np.array(struct.unpack_from(f"{order}12{number}", head, rows)).reshape(3, 4)[:, :3]
        lengths = np.linalg.norm(matrix, axis=0)
        if not np.isfinite(matrix).all() or lengths.min() <= 0:
            raise _damaged(path)
        cosines = (matrix / lengths).T @ (matrix / lengths)
        if np.abs(cosines - np.eye(3)).max() > SHEAR:
            raise SeriesError(
                f"the axes of {path} are not at right angles: it is a tilted scan or was registered; give the "
                "original series",
                code="geometry.inconsistent",
            )


def _loaded(path: Path, config: ImageConfig) -> sitk.Image:
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
        raise _damaged(path) from error
    return image[(slice(None),) * 3 + (0,) * (len(size) - 3)] if len(size) > 3 else image


def _grid(image: sitk.Image, path: Path) -> Geometry:
    """Grid of the array [slice, row, column] as ITK gives it."""
    size, spacing, origin, cosines = image.GetSize(), image.GetSpacing(), image.GetOrigin(), image.GetDirection()
    axes = np.array(cosines).reshape(3, 3).T
    if not np.isfinite([*spacing, *origin, *cosines]).all() or min(spacing) <= 0 or min(size) < 1:
        raise _damaged(path)
    direction = (_triple(axes[2]), _triple(axes[1]), _triple(axes[0]))
    shape = (size[2], size[1], size[0])
    return Geometry(shape, (spacing[2], spacing[1], spacing[0]), _triple(np.array(origin)), direction)


def _check_grid(grid: Geometry, config: ImageConfig, path: Path) -> None:
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


def _not_finite(path: Path, shape: tuple[int, int, int]) -> BoolArray | None:
    """Where a NIfTI file holds no number: ITK puts 0 HU there, which is water. None when it holds numbers everywhere.

    Raises
    ------
    SeriesError
        ``source.damaged`` if the file has fewer voxels than its header says: ITK leaves what is missing as it is.
    """
    zipped = path.name.lower().endswith(".gz")
    try:
        with gzip.open(path) if zipped else path.open("rb") as file:
            head = file.read(NIFTI_2)
            order, offset_at, code, kind_at = _layout(head)
            (offset,) = struct.unpack_from(f"{order}{code}", head, offset_at)
            kind, bits = struct.unpack_from(f"{order}2h", head, kind_at)
            floats = {16: "f4", 64: "f8"}.get(kind)
            wanted, count = math.prod(shape) * bits // 8, 0
            file.seek(int(offset))
            lost = np.zeros(math.prod(shape), np.bool_) if floats else None
            while count < wanted and (block := file.read(min(BLOCK, wanted - count))):
                if lost is not None and floats is not None:
                    numbers = np.frombuffer(block[: len(block) // 8 * 8], f"{order}{floats}")
                    start = count * 8 // bits
                    lost[start : start + numbers.size] = ~np.isfinite(numbers)
                count += len(block)
    except (OSError, EOFError, ValueError, OverflowError, zlib.error, struct.error) as error:
        # An offset that is no number, or beyond any file, is no place in it.
        raise _damaged(path) from error
    if count < wanted:
        raise _damaged(path)
    return lost.reshape(shape) if lost is not None and lost.any() else None


def _layout(head: bytes) -> tuple[str, int, str, int]:
    """Byte order, place and type of the offset of the voxels, and place of their type (nifti1.h, nifti2.h)."""
    for order in "<>":
        (size,) = struct.unpack_from(f"{order}i", head)
        if size == 348:
            return order, 108, "f", 70
        if size == NIFTI_2:
            return order, 168, "q", 12
    raise struct.error


def _hounsfield(values: AnyArray, config: ImageConfig) -> tuple[Int16Array, BoolArray | None]:
    """int16 densities with -1024 where nothing was scanned, and where that is not; None when everywhere was."""
    limits = np.iinfo(np.int16)
    # NaN compares false: it was not scanned.
    scanned = values >= config.padding_below_hu
    if values.dtype.kind == "f":
        with np.errstate(invalid="ignore"):
            values = np.rint(np.nan_to_num(values, nan=AIR_HU, posinf=limits.max, neginf=limits.min))
    if values.dtype != np.int16:
        values = np.clip(values, limits.min, limits.max).astype(np.int16)
    hu: Int16Array = np.maximum(values, AIR_HU, out=values if values.flags.writeable else None)
    hu[~scanned] = AIR_HU
    return hu, None if scanned.all() else scanned


def _thick(step_mm: float, config: ImageConfig) -> tuple[Issue, ...]:
    if round(step_mm, 2) <= config.thick_mm:
        return ()
    return (
        Issue(
            code="slices.thick",
            severity=Severity.WARNING,
            message=f"Slices are {step_mm:.2f} mm apart: fine signs cannot be seen.",
            affects=("signs", "likelihood"),
            measured=round(step_mm, 2),
            limit=config.thick_mm,
        ),
    )


def _unknown(kind: str) -> Issue:
    message = (
        f"{kind} says nothing of the acquisition: kernel, slice thickness, patient position, sex and age are unknown."
    )
    return Issue(code="header.missing", severity=Severity.INFO, message=message)


def _damaged(path: Path) -> SeriesError:
    return SeriesError(f"{path} is damaged or cut off; send it again", code="source.damaged")


def _triple(values: AnyArray) -> Triple:
    return (float(values[0]), float(values[1]), float(values[2]))
