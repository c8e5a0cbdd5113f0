"""Which images are CT slices at all, and which stack of slices is read when there are several."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Literal, NamedTuple

from pydicom.uid import (
    UID,
    CTImageStorage,
    MultiFrameGrayscaleByteSecondaryCaptureImageStorage,
    MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
    MultiFrameTrueColorSecondaryCaptureImageStorage,
    SecondaryCaptureImageStorage,
)

from cop_imaging.config import Section, quantity
from cop_imaging.core.issue import Issue, Severity
from cop_imaging.errors import SeriesError
from cop_imaging.ingest.frames import MULTI_FRAME
from cop_imaging.ingest.kernels import kernel_class
from cop_imaging.ingest.records import SliceRecord
from cop_imaging.ingest.stacking import Stack

__all__ = ["ChoiceConfig", "Kind", "Ranked", "kind_of", "left_out", "no_slices", "ranked", "reformatted", "remark_on"]

LOCALIZER_TYPES = frozenset({"LOCALIZER", "SCOUT"})
PROJECTIONS = frozenset({"MIP", "MINIP", "VRT", "CPR", "PROJECTION IMAGE"})
"""Image types of pictures that hold the extreme of several slices, or no plane: no Hounsfield units of a place (PS3.3
C.8.16.1, and what vendors write)."""
OTHER_QUANTITIES = frozenset(
    {
        *("SUBTRACTION", "IODINE_MAP", "IODINE", "MAT_SPECIFIC", "MAT_REMOVED", "MAT_FRACTIONAL", "MAT_MODIFIED"),
        *("MAT_VALUE_BASED", "EFF_ATOMIC_NUM", "ELECTRON_DENSITY", "EFF_Z", "ZEFF", "PERFUSION"),
    }
)
"""Image types of maps that hold another quantity than the attenuation of one tube voltage (PS3.3 C.8.15.3.10, and what
vendors write)."""
REFORMATTED = frozenset({"MPR", "REFORMATTED", "AVERAGE"})
"""Image types of slices that were interpolated from others (PS3.3 C.8.2.1.1.1, C.8.16.1)."""
OTHER_PARTS = frozenset({"HEAD", "BRAIN", "SKULL", "NECK", "PELVIS", "KNEE", "HIP", "FOOT", "HAND", "LEG", "ARM"})
"""Body parts (PS3.16 annex L) without lungs; an empty element says nothing."""
SECONDARY_CAPTURE = frozenset(
    {
        MultiFrameGrayscaleByteSecondaryCaptureImageStorage,
        MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
        MultiFrameTrueColorSecondaryCaptureImageStorage,
        SecondaryCaptureImageStorage,
    }
)
MODALITIES = frozenset(
    {
        *("MR", "PT", "NM", "US", "CR", "DX", "MG", "XA", "RF", "OT", "SC", "SEG", "SR", "PR", "KO", "REG", "ES", "XC"),
        *("RTDOSE", "RTIMAGE", "RTPLAN", "RTSTRUCT", "DOC", "ECG", "SM", "OP", "OPT", "PX", "IO", "IVUS", "RWV", "BI"),
    }
)
"""Modalities that a message names (PS3.3 C.7.3.1.1.1)."""
LOSSY = "01"
"""Value of Lossy Image Compression once an image has lost something (PS3.3 C.7.6.1.1.5)."""

RuleName = Literal["chest", "original", "lossless", "contiguous", "thin", "kernel", "long", "thinner"]


class ChoiceConfig(Section):
    """Which stack is read when there are several: the first rule that tells two apart decides."""

    prefer: tuple[RuleName, ...] = quantity(
        ("chest", "original", "lossless", "contiguous", "thin", "kernel", "long", "thinner"),
        unit="1",
        means="rules in the order in which they decide",
        source="what a measurement of lung needs first: lung, then true densities, then detail; estimate",
    )
    whole_chest_mm: float = quantity(
        200.0,
        low=80.0,
        high=400.0,
        unit="mm",
        means="extent from foot to head of a stack that shows whole lungs (rule chest)",
        source="lungs of adults are 200 to 300 mm high",
    )
    chest_field_mm: float = quantity(
        260.0,
        low=100.0,
        high=500.0,
        unit="mm",
        means="width of a field that holds both lungs (rule chest)",
        source="fields of a chest are 280 to 430 mm wide, of a head 200 to 250 mm",
    )
    thin_mm: float = quantity(
        1.5,
        low=0.5,
        high=5.0,
        unit="mm",
        means="slice thickness (or distance, if larger) up to which slices are alike for rule thin; then to its double",
        source="limit of single signs; high-resolution CT is at most 1.5 mm",
    )
    kernels: tuple[Literal["soft", "medium", "sharp"], ...] = quantity(
        ("medium", "soft", "sharp"),
        unit="1",
        means="classes of kernels in the order of preference (rule kernel); an unknown one comes last",
        source="densities are measured at a point spread of 1.2 mm; sharp kernels are noisy, smooth ones lose walls",
    )


class Kind(NamedTuple):
    """What an image is instead of a CT slice, and how a source without CT slices is refused for it."""

    words: str
    code: str
    needed: str


LOCALIZER = Kind("localizer", "series.only_localizers", "the axial slices of the scan are needed")
PROJECTION = Kind("projection of several slices", "series.projection", "the original axial slices are needed")
MAP = Kind("map of another quantity", "series.other_quantity", "slices in Hounsfield units are needed")
SCREEN_CAPTURE = Kind("screen capture", "series.secondary_capture", "the original axial slices are needed")


@dataclass(frozen=True, slots=True)
class Ranked:
    """One stack among those that could be read."""

    series: str
    """Key of its series; says nothing of the patient."""
    stack: Stack
    better: str
    """Why it comes before the next one, in words; empty for the last."""


def kind_of(record: SliceRecord) -> Kind | None:
    """What an image is when it is no CT slice of a body; None for a CT slice."""
    if record.modality.upper() != "CT":
        # What is no term of the standard may be anything, a name too.
        modality = record.modality.upper()
        words = modality if modality in MODALITIES else "of another modality" if modality else "without a modality"
        return Kind(words, "series.not_ct", "a chest CT series is needed")
    if LOCALIZER_TYPES & set(record.image_type):
        return LOCALIZER
    if PROJECTIONS & set(record.image_type):
        return PROJECTION
    if OTHER_QUANTITIES & set(record.image_type):
        return MAP
    colours = record.header.text("PhotometricInterpretation") or "MONOCHROME2"
    if record.sop_class in SECONDARY_CAPTURE or not colours.startswith("MONOCHROME"):
        return SCREEN_CAPTURE
    if record.sop_class != CTImageStorage and record.sop_class not in MULTI_FRAME:
        words = UID(record.sop_class).name.removesuffix(" Storage")
        return Kind(words if words != record.sop_class else "other object", "series.not_image", "CT slices are needed")
    return None


def no_slices(others: Counter[Kind], damaged: Sequence[str], where: str) -> SeriesError:
    """The refusal of a source without a CT slice."""
    if not others and damaged:
        return SeriesError(
            f"{where} holds {len(damaged)} damaged DICOM files ({damaged[0]}) and no readable one; send them again",
            code="source.damaged",
        )
    if not others:
        return SeriesError(
            f"{where} holds no DICOM file; give a folder, file or archive of one CT series", code="source.no_dicom"
        )
    kind = min(others, key=lambda k: (-others[k], k))
    return SeriesError(f"{where} holds no CT slice but {_counted(others)}; {kind.needed}", code=kind.code)


def left_out(others: Counter[Kind], damaged: Sequence[str]) -> tuple[Issue, ...]:
    """Remarks on files that are no CT slices, and on damaged ones, each of which is named."""
    issues = []
    if damaged:
        message = f"Left out, because they are damaged: {', '.join(damaged)}."
        count = float(len(damaged))
        # Nobody knows whether the end of this series was among them: a lost end leaves no gap.
        affects = ("lungs", "likelihood")
        issues.append(
            Issue(
                code="slices.unreadable",
                severity=Severity.WARNING,
                message=message,
                affects=affects,
                measured=count,
            )
        )
    if others:
        message = f"Left out, because they are no CT slices: {_counted(others)}."
        count = float(others.total())
        issues.append(Issue(code="series.localizer_dropped", severity=Severity.INFO, message=message, measured=count))
    return tuple(issues)


def reformatted(stack: Stack) -> tuple[Issue, ...]:
    """The remark on slices that were interpolated from others: they are smoother than they say."""
    if not REFORMATTED & set(_middle(stack).image_type):
        return ()
    message = "The slices were computed from others (reformatted): noise and thin structures are smoothed."
    return (
        Issue(code="series.reformatted", severity=Severity.WARNING, message=message, affects=("signs", "likelihood")),
    )


def ranked(stacks: Iterable[tuple[str, Stack]], config: ChoiceConfig) -> tuple[Ranked, ...]:
    """Stacks with the keys of their series, best first; the order of the files never decides."""
    rules = [RULES[name] for name in config.prefer]

    def order(one: tuple[str, Stack]) -> tuple[object, ...]:
        key, stack = one
        return (*(rule.order(stack, config) for rule in rules), -len(stack.slices), key, stack.slices[0].rank)

    ordered = sorted(stacks, key=order)
    out = []
    for (key, stack), following in zip_longest(ordered, ordered[1:]):
        out.append(Ranked(key, stack, _reason(stack, following[1], rules, config) if following else ""))
    return tuple(out)


def remark_on(ranking: Sequence[Ranked], refused: Sequence[SeriesError], studies: int) -> tuple[Issue, ...]:
    """What was read, why, and what else was there; series are told apart by their geometry and key, never by a UID."""
    others = len(ranking) - 1 + len(refused)
    if not others:
        return ()
    best = ranking[0]
    why = f", because {best.better}" if best.better else ""
    parts = [f"series {best.series} is read ({described(best.stack)}{why})"]
    parts += [f"{n}. series {one.series} ({described(one.stack)})" for n, one in enumerate(ranking[1:6], 2)]
    if len(ranking) > 6:
        parts.append(f"{len(ranking) - 6} more")
    if refused:
        parts.append(f"{len(refused)} sets of slices are no volume ({', '.join(sorted({e.code for e in refused}))})")
    of = f" of {studies} studies" if studies > 1 else ""
    message = f"{others + 1} sets of CT slices{of} were found: {'; '.join(parts)}."
    return (Issue(code="series.mixed", severity=Severity.WARNING, message=message, measured=float(others)),)


def described(stack: Stack) -> str:
    """A stack in one line, without anything that identifies."""
    first = stack.slices[len(stack.slices) // 2]
    thick = f"{first.thickness_mm:g} mm" if first.thickness_mm else "unknown thickness"
    rows, columns = stack.geometry.shape[1:]
    return f"{len(stack.slices)} slices of {rows} x {columns} pixels, {thick}, kernel {first.kernel or 'unknown'}"


class Rule(NamedTuple):
    """One ground for preferring a stack: smaller is better, and the words for the better one."""

    order: Callable[[Stack, ChoiceConfig], float]
    words: Callable[[Stack, Stack], str]


def _reason(stack: Stack, other: Stack, rules: Sequence[Rule], config: ChoiceConfig) -> str:
    for rule in rules:
        if rule.order(stack, config) != rule.order(other, config):
            return rule.words(stack, other)
    return "it has more slices" if len(stack.slices) > len(other.slices) else "its key comes first among equals"


def _chest(stack: Stack, config: ChoiceConfig) -> float:
    part = (_middle(stack).header.text("BodyPartExamined") or "").upper()
    width = stack.geometry.shape[2] * stack.geometry.spacing_mm[2]
    return float(part in OTHER_PARTS or _extent_mm(stack) < config.whole_chest_mm or width < config.chest_field_mm)


def _original(stack: Stack, _: ChoiceConfig) -> float:
    types = _middle(stack).image_type
    return 2.0 if REFORMATTED & set(types) else float("DERIVED" in types)


def _lossless(stack: Stack, _: ChoiceConfig) -> float:
    return float(_middle(stack).header.text("LossyImageCompression") == LOSSY)


def _contiguous(stack: Stack, _: ChoiceConfig) -> float:
    return float(any(issue.code == "slices.not_contiguous" for issue in stack.issues))


def _thin(stack: Stack, config: ChoiceConfig) -> float:
    # Bands rather than millimetres: among thin stacks the kernel matters more than a tenth of a millimetre.
    return float(sum(_effective_mm(stack) > factor * config.thin_mm + 1e-6 for factor in (1.0, 2.0, 10.0 / 3.0)))


def _kernel(stack: Stack, config: ChoiceConfig) -> float:
    name = kernel_class(_middle(stack).kernel)
    return float(config.kernels.index(name)) if name in config.kernels else float(len(config.kernels))


def _long(stack: Stack, _: ChoiceConfig) -> float:
    # To the centimetre: a slice more or less is no ground.
    return -round(_extent_mm(stack) / 10.0)


def _thinner(stack: Stack, _: ChoiceConfig) -> float:
    return round(_effective_mm(stack), 2)


RULES: dict[str, Rule] = {
    "chest": Rule(_chest, lambda _, __: "it spans whole lungs"),
    "original": Rule(_original, lambda _, __: "its images are original and not computed from others"),
    "lossless": Rule(_lossless, lambda _, __: "it was never compressed with loss"),
    "contiguous": Rule(_contiguous, lambda _, __: "it has no gaps between slices"),
    "thin": Rule(_thin, lambda a, b: f"its slices are thinner ({_effective_mm(a):g} against {_effective_mm(b):g} mm)"),
    "kernel": Rule(_kernel, lambda a, b: f"its kernel suits densities better ({_named(a)} against {_named(b)})"),
    "long": Rule(_long, lambda a, b: f"it is longer ({_extent_mm(a):.0f} against {_extent_mm(b):.0f} mm)"),
    "thinner": Rule(
        _thinner, lambda a, b: f"its slices are thinner ({_effective_mm(a):g} against {_effective_mm(b):g} mm)"
    ),
}


def _middle(stack: Stack) -> SliceRecord:
    return stack.slices[len(stack.slices) // 2]


def _named(stack: Stack) -> str:
    return kernel_class(_middle(stack).kernel) or "unknown"


def _extent_mm(stack: Stack) -> float:
    return stack.geometry.shape[0] * stack.step_mm


def _effective_mm(stack: Stack) -> float:
    return round(max(_middle(stack).thickness_mm or 0.0, stack.step_mm), 2)


def _counted(others: Counter[Kind]) -> str:
    return ", ".join(f"{count} {kind.words}" for kind, count in sorted(others.items()))
