"""The line of ingestion: find, choose, order, decode, check; one volume or one refusal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from cop_imaging.core.arrays import BoolArray, Int16Array
from cop_imaging.core.geometry import Geometry, StoredOrder
from cop_imaging.core.issue import Issue, Severity
from cop_imaging.core.volume import CTVolume, SliceIdentity
from cop_imaging.errors import SeriesError
from cop_imaging.ingest.acquisition import acquisition_of, burned_in, missing_fields
from cop_imaging.ingest.bridging import bridge
from cop_imaging.ingest.cases import CASE_LENGTH, patient_case
from cop_imaging.ingest.choice import Kind, kind_of, left_out, no_slices, ranked, reformatted, remark_on
from cop_imaging.ingest.config import IngestConfig
from cop_imaging.ingest.densities import check_densities
from cop_imaging.ingest.files import SeriesFiles
from cop_imaging.ingest.hounsfield import fill, same_image
from cop_imaging.ingest.images import read_image
from cop_imaging.ingest.orientation import canonical_geometry, stored_order
from cop_imaging.ingest.parsing import quiet_parser
from cop_imaging.ingest.quality import assess
from cop_imaging.ingest.records import SliceRecord, read_records, series_key
from cop_imaging.ingest.sources import Found, opened
from cop_imaging.ingest.splitting import stacks_of
from cop_imaging.ingest.stacking import Stack
from cop_imaging.ingest.tilt import unsheared
from cop_imaging.provenance import array_digest

__all__ = ["read_series", "read_volume"]

DEFAULTS = IngestConfig()


@dataclass(frozen=True, slots=True)
class Chosen:
    """The stack that is read, and what is remarked on the choice."""

    stack: Stack
    issues: tuple[Issue, ...]


def read_series(
    source: Path | str | SeriesFiles,
    config: IngestConfig = DEFAULTS,
    *,
    series: str | None = None,
    case_key: bytes | None = None,
    threads: int = 2,
) -> CTVolume:
    """Read one axial CT series as one volume in Hounsfield units on the canonical grid, and measure its quality.

    Parameters
    ----------
    source : Path, str or SeriesFiles
        A folder, searched with all folders below it; a file (multi-frame CT, NIfTI, NRRD, MetaImage); a ZIP or TAR
        archive; or one series of ``find_series``. Files that are no DICOM are ignored; of several stacks the one that
        ``config.choice`` prefers is read, and the others are remarked on.
    series : str, optional
        SeriesInstanceUID of the series to read, or its key as remarks and the index give it.
    case_key : bytes, optional
        Secret from which, with the patient identifier, ``case`` is made; without it ``case`` stands for the voxels.
    threads : int
        Slices that are decoded side by side; the result does not depend on it.

    Returns
    -------
    CTVolume
        Arrays [z, y, x] by signed permutation of the stored axes, whatever the patient's position; nothing is
        resampled but a tilted gantry. ``volume.stored`` leads back to the grid that ITK reads from the same folder.

    Raises
    ------
    SeriesError
        If the source holds no whole axial CT series of a chest; ``code`` names the reason.

    Source
    ------
    DICOM PS3.3 C.7.6.2 (image plane), C.7.6.3 (pixels), C.8.2.1 (CT image), C.7.5.1.1.2 (padding), A.38 (Enhanced CT).
    """
    volume = read_volume(source, config, series=series, case_key=case_key, threads=threads)
    quality, issues = assess(volume, config.quality)
    for issue in issues:
        if issue.code == "coverage.no_lungs":
            raise SeriesError(issue.message, code=issue.code)
    return replace(volume, quality=quality, issues=(*volume.issues, *issues))


def read_volume(
    source: Path | str | SeriesFiles,
    config: IngestConfig = DEFAULTS,
    *,
    series: str | None = None,
    case_key: bytes | None = None,
    threads: int = 2,
) -> CTVolume:
    """Read a series as ``read_series`` does, without looking at what it shows."""
    with quiet_parser() as remarks, opened(source, config.archive) as found:
        if found.image is not None:
            volume = read_image(found.image, config.geometry, config.density)
        else:
            volume = _read_slices(found, config, series, case_key, threads)
    if not remarks:
        return volume
    # Their number only: a remark may quote a value of the header.
    message = f"The reader made {len(remarks)} remarks on header elements that are not as the standard wants them."
    irregular = Issue(code="header.irregular", severity=Severity.INFO, message=message, measured=float(len(remarks)))
    return replace(volume, issues=(*volume.issues, irregular))


def _read_slices(
    found: Found, config: IngestConfig, series: str | None, case_key: bytes | None, threads: int
) -> CTVolume:
    records, damaged = read_records(found.files)
    chosen = _choose(records, (*found.damaged, *damaged), found.where, config, series)
    volume = _decoded(chosen.stack, chosen.issues, config, threads)
    if case_key is None:
        return replace(volume, case=volume.digest[:CASE_LENGTH])
    case = patient_case(chosen.stack.slices[0].path, case_key)
    if case is not None:
        return replace(volume, case=case)
    message = "The headers name no patient: the case stands for this scan alone."
    nobody = Issue(code="header.missing", severity=Severity.INFO, message=message)
    return replace(volume, case=volume.digest[:CASE_LENGTH], issues=(*volume.issues, nobody))


def _choose(
    records: Sequence[SliceRecord], damaged: Sequence[str], where: str, config: IngestConfig, series: str | None
) -> Chosen:
    """The stack to read: of the series that was asked for, else the one that the rules prefer."""
    others: Counter[Kind] = Counter()
    groups: dict[str, list[SliceRecord]] = {}
    for record in records:
        kind = kind_of(record)
        if kind:
            others[kind] += 1
        else:
            groups.setdefault(record.series_uid, []).append(record)
    if not groups:
        raise no_slices(others, damaged, where)
    if series is not None:
        groups = _asked_for(groups, series, where)
    stacks: list[tuple[str, Stack]] = []
    refused: list[tuple[int, str, SeriesError]] = []

    def same(one: SliceRecord, other: SliceRecord) -> bool:
        return same_image(one.header, other.header, config.density)

    for uid, slices in groups.items():
        key = series_key(uid)
        whole, errors = stacks_of(slices, config.geometry, same)
        stacks += [(key, stack) for stack in whole]
        refused += [(-len(slices), key, error) for error in errors]
    if not stacks:
        # The largest series speaks for the source.
        raise min(refused, key=lambda r: r[:2])[2]
    ranking = ranked(stacks, config.choice)
    studies = len({record.study_uid for slices in groups.values() for record in slices})
    stack = ranking[0].stack
    remarks = remark_on(ranking, [error for *_, error in refused], studies)
    return Chosen(
        stack, (*left_out(others, damaged), *remarks, *stack.issues, *reformatted(stack), *burned_in(stack.slices))
    )


def _asked_for(groups: dict[str, list[SliceRecord]], series: str, where: str) -> dict[str, list[SliceRecord]]:
    chosen = {uid: slices for uid, slices in groups.items() if series in {uid, series_key(uid)}}
    if not chosen:
        keys = ", ".join(sorted(series_key(uid) for uid in groups)[:8])
        raise SeriesError(
            f"{where} holds no CT series of that UID or key; the keys of its series are {keys}", code="series.not_found"
        )
    return chosen


def _decoded(stack: Stack, issues: tuple[Issue, ...], config: IngestConfig, threads: int) -> CTVolume:
    """The volume of a stack: decoded straight into its canonical array where nothing has to be moved."""
    order = stored_order(stack.geometry)
    geometry = canonical_geometry(stack.geometry, order)
    hu = np.empty(geometry.shape, np.int16)
    inside = np.empty(geometry.shape, np.bool_)
    stored_hu, stored_inside = order.to_stored(hu), order.to_stored(inside)
    real = [n for n in range(stack.geometry.shape[0]) if n not in stack.bridged]
    filled = fill([s.header for s in stack.slices], stored_hu, stored_inside, real, config.density, threads)
    resampled = None
    identities = [SliceIdentity(s.instance, s.sop_uid) for s in stack.slices]
    for n in stack.bridged:
        bridge(stored_hu, stored_inside, n)
        identities.insert(n, SliceIdentity(None, ""))
        resampled = "bridged gap"
    if stack.shear_mm is not None:
        hu, inside, order, geometry = _straightened(stored_hu, stored_inside, stack)
        resampled = "tilt"
    remarks = (*filled.issues, *check_densities(filled.densities, config.density))
    acquisition = acquisition_of(stack.slices, stack.step_mm).model_copy(
        update={"resampled": resampled, "contiguous": not any(i.code == "slices.not_contiguous" for i in stack.issues)}
    )
    return CTVolume(
        hu=hu,
        geometry=geometry,
        valid=None if inside.all() else inside,
        acquisition=acquisition,
        stored=order,
        slices=tuple(reversed(identities)) if order.flipped[0] else tuple(identities),
        digest=array_digest(hu, geometry),
        issues=(*issues, *remarks, *missing_fields(acquisition)),
    )


def _straightened(
    hu: Int16Array, inside: BoolArray, stack: Stack
) -> tuple[Int16Array, BoolArray, StoredOrder, Geometry]:
    """Canonical arrays of a stack whose slices were shifted onto each other, and their grid."""
    hu, inside, grid = unsheared(hu, inside, stack.geometry, stack.shear_mm or (0.0, 0.0))
    order = stored_order(grid)
    hu, inside = (np.ascontiguousarray(order.to_canonical(array)) for array in (hu, inside))
    return hu, inside, order, canonical_geometry(grid, order)
