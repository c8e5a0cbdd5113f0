"""Frames of a multi-frame CT as images of their own, so that all that follows knows slices only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import EnhancedCTImageStorage, LegacyConvertedEnhancedCTImageStorage

from cop_imaging.ingest.headers import TAGS, Header

__all__ = ["MOST_FRAMES", "MULTI_FRAME", "frame_headers"]

MULTI_FRAME = frozenset({EnhancedCTImageStorage, LegacyConvertedEnhancedCTImageStorage})
MOST_FRAMES = 20_000
"""More frames than any scan of a body has; a damaged count must not ask for memory."""
SHARED, PER_FRAME = "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"
GROUPS = {
    "PlanePositionSequence": ("ImagePositionPatient",),
    "PlaneOrientationSequence": ("ImageOrientationPatient",),
    "PixelMeasuresSequence": ("PixelSpacing", "SliceThickness"),
    "PixelValueTransformationSequence": ("RescaleSlope", "RescaleIntercept", "RescaleType"),
    "CTReconstructionSequence": ("ConvolutionKernel",),
    "CTImageFrameTypeSequence": ("FrameType",),
    "CTXRayDetailsSequence": ("KVP",),
    "CardiacSynchronizationSequence": ("NominalPercentageOfCardiacPhase",),
    "FrameContentSequence": ("FrameAcquisitionNumber", "TemporalPositionIndex"),
}
"""Functional groups of an Enhanced CT image (PS3.3 A.38) and what is taken from each."""
PLAIN_NAMES = {
    "FrameType": "ImageType",
    "FrameAcquisitionNumber": "AcquisitionNumber",
    "TemporalPositionIndex": "TemporalPositionIdentifier",
}
"""What a single-frame image calls the same."""


def frame_headers(header: Header) -> Iterator[Header]:
    """One header for each frame, its functional groups laid over what the whole file says.

    Raises
    ------
    ValueError, LookupError, ...
        Any of ``DAMAGE`` if the functional groups do not fit the number of frames.
    """
    dataset = dcmread(header.path, stop_before_pixels=True, specific_tags=[SHARED, PER_FRAME, "NumberOfFrames"])
    count = int(dataset.get("NumberOfFrames") or 0)
    per_frame = dataset.get(PER_FRAME) or ()
    if not 0 < count <= MOST_FRAMES or len(per_frame) != count:
        raise ValueError("the functional groups do not fit the number of frames")
    pixels = (header.binary("Rows") or 0) * (header.binary("Columns") or 0)
    expected = count * pixels * ((header.binary("BitsAllocated") or 0) // 8)
    if header.pixel_bytes is not None and header.pixel_bytes - expected not in {0, 1}:
        raise ValueError("the pixels do not fit the number of frames")
    shared = {} if not dataset.get(SHARED) else _elements(dataset.get(SHARED)[0])
    for n, groups in enumerate(per_frame):
        own = {
            TAGS["NumberOfFrames"]: b"%d" % count,
            TAGS["InstanceNumber"]: b"%d" % (n + 1),
            **shared,
            **_elements(groups),
        }
        yield replace(header, elements={**header.elements, **own}, frame=n)


def _elements(groups: Dataset) -> dict[int, bytes]:
    """Tag to text of the elements in the functional groups of one item."""
    found = {}
    for group, names in GROUPS.items():
        items = groups.get(group)
        if not items:
            continue
        for name in names:
            value = items[0].get(name)
            if value is not None:
                parts = value if not isinstance(value, str) and hasattr(value, "__iter__") else [value]
                found[TAGS[PLAIN_NAMES.get(name, name)]] = "\\".join(map(str, parts)).encode()
    return found
