"""The line of ingestion: find, choose, order, check, decode, rescale; one volume or one refusal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from cop_imaging.core.issue import Issue, Severity
from cop_imaging.core.volume import CTVolume, SliceIdentity
from cop_imaging.errors import SeriesError
from cop_imaging.ingest.acquisition import acquisition_of, missing_fields
from cop_imaging.ingest.choice import choose_slices, read_records
from cop_imaging.ingest.config import IngestConfig
from cop_imaging.ingest.files import SeriesFiles, dicom_files
from cop_imaging.ingest.hounsfield import check_densities, fill, slice_hu
from cop_imaging.ingest.orientation import canonical_geometry, stored_order
from cop_imaging.ingest.parsing import quiet_parser
from cop_imaging.ingest.planes import SAME_POSITION_MM, Placed, at_one_position, same_plane
from cop_imaging.ingest.stacking import Stack, regular_stack
from cop_imaging.provenance import array_digest

__all__ = ["read_series"]

DEFAULTS = IngestConfig()


def read_series(source: Path | SeriesFiles, config: IngestConfig = DEFAULTS, *, threads: int = 2) -> CTVolume:
    """Read one axial CT series as one volume in Hounsfield units on the canonical grid.

    Parameters
    ----------
    source : Path or SeriesFiles
        A folder, searched with all folders below it, or one series of ``find_series``. Files that are no DICOM are
        ignored; of several CT series the one with the most axial slices is read and the others are remarked on.
    threads : int
        Slices that are decoded side by side; the result does not depend on it.

    Returns
    -------
    CTVolume
        Arrays [z, y, x] by signed permutation of the stored axes, whatever the patient's position; nothing is
        resampled. ``volume.stored`` leads back to the grid that ITK reads from the same folder.

    Raises
    ------
    SeriesError
        If the source holds no whole axial CT series; ``code`` names the reason.

    Source
    ------
    DICOM PS3.3 C.7.6.2 (image plane), C.7.6.3 (pixels), C.8.2.1 (CT image), C.7.5.1.1.2 (padding).
    """
    where = str(source) if isinstance(source, Path) else source.name
    with quiet_parser() as remarks:
        files = dicom_files(source) if isinstance(source, Path) else source.files
        records, damaged = read_records(files)
        choice = choose_slices(records, damaged, where, config.axial_deg)
        placed, stray = same_plane(choice.slices, config)
        distinct, doubled = _without_duplicates(placed, config)
        stack = regular_stack(distinct, config)
        issues = (*choice.issues, *stray, *doubled, *stack.issues)
        volume = _volume(stack, issues, config, threads)
    if not remarks:
        return volume
    # Their number only: a remark may quote a value of the header.
    message = f"The reader made {len(remarks)} remarks on header elements that are not as the standard wants them."
    irregular = Issue(code="header.irregular", severity=Severity.INFO, message=message, measured=float(len(remarks)))
    return replace(volume, issues=(*volume.issues, irregular))


def _without_duplicates(placed: Sequence[Placed], config: IngestConfig) -> tuple[tuple[Placed, ...], tuple[Issue, ...]]:
    """One slice for each position; slices at one position must be copies of each other."""
    groups = at_one_position(placed)
    for first, *others in groups:
        if not others:
            continue
        hu, _ = slice_hu(first.record.path, config)
        for other in others:
            apart_mm = float(np.abs(np.subtract(first.plane.position_mm, other.plane.position_mm)).max())
            if apart_mm > SAME_POSITION_MM or not np.array_equal(hu, slice_hu(other.record.path, config)[0]):
                raise SeriesError(
                    f"{first.record.path.name} and {other.record.path.name} show different images of one position "
                    f"(z = {first.z_mm:.1f} mm); split the series into one folder for each acquisition",
                    code="slices.conflicting",
                )
    extra = len(placed) - len(groups)
    if not extra:
        return tuple(placed), ()
    message = f"{extra} slices are copies of others with the same pixels and were left out."
    issue = Issue(code="slices.duplicate", severity=Severity.INFO, message=message, measured=float(extra))
    return tuple(group[0] for group in groups), (issue,)


def _volume(stack: Stack, issues: tuple[Issue, ...], config: IngestConfig, threads: int) -> CTVolume:
    files = [record.path for record in stack.slices]
    # The first slice shows whether the header's matrix is true before memory is asked for the whole volume.
    slice_hu(files[0], config)
    order = stored_order(stack.geometry)
    geometry = canonical_geometry(stack.geometry, order)
    hu = np.empty(geometry.shape, np.int16)
    inside = np.empty(geometry.shape, np.bool_)
    fill(files, order.to_stored(hu), order.to_stored(inside), config, threads)
    valid = None if inside.all() else inside
    check_densities(hu, valid, config)
    identities = [SliceIdentity(record.instance, record.sop_uid) for record in stack.slices]
    acquisition = acquisition_of(stack.slices, stack.step_mm)
    return CTVolume(
        hu=hu,
        geometry=geometry,
        valid=valid,
        acquisition=acquisition,
        stored=order,
        slices=tuple(reversed(identities)) if order.flipped[0] else tuple(identities),
        digest=array_digest(hu, geometry),
        issues=(*issues, *missing_fields(acquisition)),
    )
