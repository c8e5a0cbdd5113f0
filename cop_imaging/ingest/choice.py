"""Which of the files that were found are slices of the one CT series to be read."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from pydicom.uid import (
    UID,
    CTImageStorage,
    EnhancedCTImageStorage,
    LegacyConvertedEnhancedCTImageStorage,
    MultiFrameGrayscaleByteSecondaryCaptureImageStorage,
    MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
    MultiFrameTrueColorSecondaryCaptureImageStorage,
    SecondaryCaptureImageStorage,
)

from cop_imaging.core.issue import Issue, Severity
from cop_imaging.errors import SeriesError
from cop_imaging.ingest.headers import SliceRecord, read_record, text
from cop_imaging.ingest.parsing import DAMAGE

__all__ = ["Choice", "choose_slices", "read_records"]

LOCALIZER_TYPES = frozenset({"LOCALIZER", "SCOUT"})
MULTI_FRAME = frozenset({EnhancedCTImageStorage, LegacyConvertedEnhancedCTImageStorage})
SECONDARY_CAPTURE = frozenset(
    {
        MultiFrameGrayscaleByteSecondaryCaptureImageStorage,
        MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
        MultiFrameTrueColorSecondaryCaptureImageStorage,
        SecondaryCaptureImageStorage,
    }
)


class Kind(NamedTuple):
    """What an image is instead of a CT slice, and how a folder without CT slices is refused for it."""

    words: str
    code: str
    needed: str


LOCALIZER = Kind("localizer", "series.only_localizers", "the axial slices of the scan are needed")
MULTI_FRAME_CT = Kind("multi-frame CT", "series.multi_frame", "send it as single-frame CT images")
SCREEN_CAPTURE = Kind("screen capture", "series.secondary_capture", "the original axial slices are needed")


@dataclass(frozen=True, slots=True)
class Choice:
    """The slices of one series, and what was left out beside them."""

    slices: tuple[SliceRecord, ...]
    issues: tuple[Issue, ...] = ()


def read_records(files: Iterable[Path]) -> tuple[tuple[SliceRecord, ...], tuple[str, ...]]:
    """Headers of all files that can be read, and the names of those that are damaged."""
    records, damaged = [], []
    for path in files:
        try:
            records.append(read_record(path))
        except DAMAGE:
            damaged.append(path.name)
    return tuple(records), tuple(damaged)


def choose_slices(records: Sequence[SliceRecord], damaged: Sequence[str], where: str, axial_deg: float) -> Choice:
    """The slices of the series with the most axial slices.

    Among equals the thinner series wins, then the one whose identity comes first, so that the order of the files
    never decides.

    Parameters
    ----------
    where : str
        What a message calls the source.
    axial_deg : float
        A slice is axial when its normal is at most this far from the long axis of the body.

    Raises
    ------
    SeriesError
        If no CT slice is left: ``source.no_dicom``, ``series.only_localizers``, ``series.not_ct``,
        ``series.secondary_capture``, ``series.multi_frame``, ``series.not_image`` or ``source.damaged``.
    """
    others = Counter(kind for kind in map(_other_kind, records) if kind)
    slices = [record for record in records if not _other_kind(record)]
    if not slices:
        raise _no_slices(others, damaged, where)
    groups: dict[str, list[SliceRecord]] = {}
    for record in slices:
        groups.setdefault(record.series_uid, []).append(record)
    ranked = sorted(groups, key=lambda uid: _rank(groups[uid], uid, axial_deg))
    issues = [
        *_damaged(damaged),
        *_others(others),
        *_mixed([groups[uid] for uid in ranked]),
    ]
    return Choice(tuple(groups[ranked[0]]), tuple(issues))


def _other_kind(record: SliceRecord) -> Kind | None:
    """What an image is when it is no single CT slice of a body."""
    if record.modality.upper() != "CT":
        return Kind(f"{record.modality or 'without a modality'}", "series.not_ct", "a chest CT series is needed")
    if LOCALIZER_TYPES & set(record.image_type):
        return LOCALIZER
    if record.sop_class in MULTI_FRAME:
        return MULTI_FRAME_CT
    if record.sop_class in SECONDARY_CAPTURE:
        return SCREEN_CAPTURE
    if record.sop_class != CTImageStorage:
        words = UID(record.sop_class).name.removesuffix(" Storage")
        return Kind(words, "series.not_image", "the axial CT slices are needed")
    return None


def _no_slices(others: Counter[Kind], damaged: Sequence[str], where: str) -> SeriesError:
    if not others and damaged:
        return SeriesError(
            f"{where} holds {len(damaged)} damaged DICOM files ({damaged[0]}) and no readable one; send them again",
            code="source.damaged",
        )
    if not others:
        return SeriesError(f"{where} holds no DICOM file; give a folder with one CT series", code="source.no_dicom")
    kind = min(others, key=lambda k: (-others[k], k))
    return SeriesError(f"{where} holds no CT slice but {_counted(others)}; {kind.needed}", code=kind.code)


def _rank(slices: Sequence[SliceRecord], uid: str, axial_deg: float) -> tuple[int, int, float, str]:
    limit = math.cos(math.radians(axial_deg))
    axial = sum(s.plane is not None and abs(s.plane.normal[2]) >= limit for s in slices)
    thickness = min((s.thickness_mm for s in slices if s.thickness_mm), default=math.inf)
    return (-axial, -len(slices), thickness, uid)


def _damaged(names: Sequence[str]) -> list[Issue]:
    if not names:
        return []
    message = f"{len(names)} damaged DICOM files were left out, the first is {names[0]}."
    return [Issue(code="source.damaged", severity=Severity.WARNING, message=message, measured=float(len(names)))]


def _others(others: Counter[Kind]) -> list[Issue]:
    if not others:
        return []
    message = f"Left out, because they are no CT slices: {_counted(others)}."
    count = float(others.total())
    return [Issue(code="series.localizer_dropped", severity=Severity.INFO, message=message, measured=count)]


def _mixed(ranked: Sequence[Sequence[SliceRecord]]) -> list[Issue]:
    """A remark when there was a choice; series are told apart by their geometry, never by a UID."""
    if len(ranked) == 1:
        return []
    left_out = "; ".join(_described(slices) for slices in ranked[1:5]) + ("; ..." if len(ranked) > 5 else "")
    message = f"{len(ranked)} CT series were found; {_described(ranked[0])} is read, left out: {left_out}."
    others = float(len(ranked) - 1)
    return [Issue(code="series.mixed", severity=Severity.WARNING, message=message, measured=others)]


def _described(slices: Sequence[SliceRecord]) -> str:
    plane, thickness = slices[0].plane, slices[0].thickness_mm
    matrix = f"{plane.shape[0]} x {plane.shape[1]} pixels" if plane else "unknown matrix"
    thick = f"{thickness:g} mm" if thickness else "unknown thickness"
    kernel = text(slices[0].described, "ConvolutionKernel") or "unknown"
    return f"{len(slices)} slices of {matrix}, {thick}, kernel {kernel}"


def _counted(others: Counter[Kind]) -> str:
    return ", ".join(f"{count} {kind.words}" for kind, count in sorted(others.items()))
