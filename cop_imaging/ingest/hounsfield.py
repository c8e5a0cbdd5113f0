"""From stored values to one block of Hounsfield units, slice by slice and in place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from cop_imaging.core.arrays import AnyArray, BoolArray, Int16Array
from cop_imaging.core.issue import Issue, Severity
from cop_imaging.core.volume import AIR_HU
from cop_imaging.errors import SeriesError
from cop_imaging.ingest.densities import Densities, counted
from cop_imaging.ingest.density_config import DensityConfig
from cop_imaging.ingest.fragments import frames_of
from cop_imaging.ingest.headers import Header
from cop_imaging.ingest.padding import canvas, declared
from cop_imaging.ingest.pixels import ENCAPSULATED, StoredSlice, decode, is_lossy, stream_is_lossy

__all__ = ["Filled", "fill", "same_image", "slice_hu"]

INT16 = np.iinfo(np.int16)
UNIT = ("HU", "HOUN", "US")
"""How Rescale Types of CT images begin (PS3.3 C.11.1.1.2): Hounsfield units, some misspelt, or unspecified."""
FEWEST_BITS = 9
"""A CT value needs more than eight bits; with less it is a picture of a window."""


@dataclass(frozen=True, slots=True)
class Filled:
    """What was seen of the densities while they were decoded."""

    densities: Densities
    issues: tuple[Issue, ...] = ()


def fill(
    headers: Sequence[Header],
    hu: Int16Array,
    valid: BoolArray,
    planes: Sequence[int],
    config: DensityConfig,
    threads: int,
) -> Filled:
    """Decode slices into ``hu`` and ``valid``.

    Parameters
    ----------
    headers : sequence of Header
        One for each slice.
    hu : int16 [slice, row, column]
        A view in stored order; gets Hounsfield units, -1024 where nothing was scanned.
    valid : bool [slice, row, column]
        Becomes True inside the scanned field.
    planes : sequence of int
        The plane of the view that each slice goes to.
    threads : int
        Slices that are decoded side by side; the result does not depend on it.

    Raises
    ------
    SeriesError
        As ``slice_hu`` does, for the first slice that fails.
    """
    frames = _compressed_frames(headers)

    def one(n: int) -> tuple[Densities, dict[str, int]]:
        header = headers[n]
        frame = frames[header.path][header.frame] if header.path in frames and header.frame is not None else None
        return slice_hu(header, hu[planes[n]], valid[planes[n]], config, frame)

    densities, padded = Densities(), Counter[str]()
    with ThreadPoolExecutor(max_workers=max(1, threads)) as pool:
        for sample, outside in pool.map(one, range(len(headers))):
            densities.add(sample)
            padded.update(outside)
    return Filled(densities, (*_padding(padded, hu.size), *_lossy(headers, frames, config)))


def slice_hu(
    header: Header, hu: Int16Array, valid: BoolArray, config: DensityConfig, frame: bytes | None = None
) -> tuple[Densities, dict[str, int]]:
    """Put the Hounsfield units of one slice into ``hu`` [row, column], and where it was scanned into ``valid``.

    Returns
    -------
    Densities
        A sample of the densities before anything was cut off.
    dict
        Pixels outside the scanned field, by how they were recognized.

    Raises
    ------
    SeriesError
        ``hu.rescale_missing`` if slope or intercept are missing, the slope is zero, or they lead to another unit;
        ``series.secondary_capture`` if the pixels have eight bits or less; as ``decode`` does.
    """
    _check_unit(header)
    stored = decode(header, frame)
    slope, intercept = stored.slope, stored.intercept
    if slope is None or intercept is None or slope == 0.0:
        raise SeriesError(
            f"{header.shown} does not say how its values become Hounsfield units (Rescale Slope and Intercept); "
            "the original CT images are needed",
            code="hu.rescale_missing",
        )
    density = _density(stored, slope, intercept, hu)
    lowest = float(density.min())
    padded = {}
    if lowest < config.padding_below_hu:
        np.greater_equal(density, int(config.padding_below_hu), out=valid)
        padded["below any tissue"] = valid.size - int(np.count_nonzero(valid))
    else:
        valid[...] = True
    for how, mask in (
        ("declared", declared(stored, slope, intercept, config)),
        ("canvas", canvas(density, config)),
    ):
        if mask is not None:
            valid &= ~mask
            padded[how] = int(np.count_nonzero(mask))
    sample = counted(density, valid)
    if density is not hu:
        np.clip(density, INT16.min, INT16.max, out=density)
        hu[...] = density
    # Most slices of 12 bits need neither of these passes.
    if lowest < AIR_HU:
        np.maximum(hu, AIR_HU, out=hu)
    if padded:
        hu[~valid] = AIR_HU
    return sample, padded


def same_image(one: Header, other: Header, config: DensityConfig) -> bool:
    """Whether two slices show the same densities, each read with the limits of ``config``."""
    shapes = {(h.binary("Rows") or 0, h.binary("Columns") or 0) for h in (one, other)}
    if len(shapes) > 1:
        return False
    (shape,) = shapes
    pair = np.empty((2, *shape), np.int16), np.empty((2, *shape), np.bool_)
    for n, header in enumerate((one, other)):
        frame = _compressed_frames([header]).get(header.path)
        slice_hu(header, pair[0][n], pair[1][n], config, frame[header.frame or 0] if frame else None)
    return bool(np.array_equal(*pair[0]))


def _density(stored: StoredSlice, slope: float, intercept: float, hu: Int16Array) -> AnyArray:
    """Densities as int16 in ``hu`` itself where they fit, else as float32 [row, column]."""
    values = stored.values
    if slope == 1.0 and intercept.is_integer():
        low, high = int(values.min()) + int(intercept), int(values.max()) + int(intercept)
        if INT16.min <= low and high <= INT16.max:
            # Sums of 16 bits wrap round, and come out right where the result fits.
            np.add(values.view(np.uint16), np.uint16(int(intercept) & 0xFFFF), out=hu.view(np.uint16))
            return hu
    density: AnyArray = values.astype(np.float32)
    density *= np.float32(slope)
    density += np.float32(intercept)
    return np.rint(density, out=density)


def _check_unit(header: Header) -> None:
    unit = header.text("RescaleType")
    if unit is not None and not unit.upper().startswith(UNIT):
        raise SeriesError(
            f"the values of {header.shown} are not in Hounsfield units but in another one (Rescale Type); the "
            "original CT images are needed",
            code="hu.rescale_missing",
        )
    if (header.binary("BitsStored") or FEWEST_BITS) < FEWEST_BITS:
        raise SeriesError(
            f"{header.shown} has {header.binary('BitsStored')} bits per pixel: it is a picture of a window, not a "
            "measurement; the original CT images are needed",
            code="series.secondary_capture",
        )


def _compressed_frames(headers: Sequence[Header]) -> dict[object, tuple[bytes, ...]]:
    """Streams of every multi-frame file among the headers, parsed once."""
    found: dict[object, tuple[bytes, ...]] = {}
    for header in headers:
        compressed = header.frame is not None and header.syntax in ENCAPSULATED and header.pixel_at is not None
        if compressed and header.path not in found:
            try:
                found[header.path] = frames_of(header.path, header.pixel_at or 0)
            except (ValueError, OSError) as error:
                raise SeriesError(
                    f"the frames of {header.shown} cannot be told apart: damaged or cut off; send the file again",
                    code="pixels.undecodable",
                ) from error
            if header.text("NumberOfFrames") != str(len(found[header.path])):
                raise SeriesError(
                    f"{header.shown} holds {len(found[header.path])} frames and its header says "
                    f"{header.text('NumberOfFrames')}; send the file again",
                    code="pixels.undecodable",
                )
    return found


def _padding(padded: Mapping[str, int], size: int) -> tuple[Issue, ...]:
    if not padded:
        return ()
    how = ", ".join(f"{name} {100.0 * count / size:.1f} %" for name, count in sorted(padded.items()))
    share = round(100.0 * max(padded.values()) / size, 2)
    message = f"Outside the scanned field ({how} of the voxels): nothing is measured there."
    return (Issue(code="pixels.padding", severity=Severity.INFO, message=message, measured=share),)


def _lossy(
    headers: Sequence[Header], frames: Mapping[object, tuple[bytes, ...]], config: DensityConfig
) -> tuple[Issue, ...]:
    lossy = [header for header in headers if is_lossy(header)]
    # One encoder wrote a series: the stream of its middle slice stands for all that claim to be whole.
    middle = headers[len(headers) // 2]
    frame = frames[middle.path][middle.frame] if middle.path in frames and middle.frame is not None else None
    if not lossy and stream_is_lossy(middle, frame):
        lossy = list(headers)
    if not lossy:
        return ()
    ratios = [ratio for h in lossy if (ratio := h.number("LossyImageCompressionRatio", 1.0, 1e4)) is not None]
    ratio = max(ratios, default=None)
    stated = "a ratio that is not stated" if ratio is None else f"a ratio of {ratio:g}"
    weak = ratio is None or ratio > config.lossy_ratio
    issue = Issue(
        code="pixels.lossy",
        severity=Severity.WARNING,
        message=f"{len(lossy)} of {len(headers)} slices were compressed with loss, at {stated}.",
        affects=("signs", "likelihood") if weak else (),
        measured=ratio,
        limit=config.lossy_ratio,
    )
    return (issue,)
