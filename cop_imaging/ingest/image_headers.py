"""What the headers of NIfTI, NRRD and MetaImage say and the reading library would follow or put right without a word.

Voxels in another file are never followed, and no orientation is ever assumed.
"""

from __future__ import annotations

import gzip
import math
import re
import struct
import zlib
from pathlib import Path

import numpy as np

from cop_imaging.core.arrays import AnyArray, BoolArray, Float64Array
from cop_imaging.errors import SeriesError

__all__ = ["at_right_angles", "check_header", "damaged", "format_of", "not_finite"]

ENDINGS = {".nii": "NIfTI", ".nii.gz": "NIfTI", ".nrrd": "NRRD", ".mha": "MetaImage"}
HEADER = 352
"""Bytes of a NIfTI-1 header with its magic (nifti1.h)."""
NIFTI_2 = 540
"""Bytes of a NIfTI-2 header."""
BLOCK = 8 << 20
"""Bytes of voxels that are looked at at once."""
LONGEST = 1 << 20
"""Bytes of the longest header in text: real ones have a thousandth of it."""
SHEAR = 1e-3
"""Cosine between two axes of a matrix above which it shears: single precision leaves 1e-6."""
DISAGREE = 0.02
"""Difference of a direction cosine (about one degree) or part of a spacing beyond which a file contradicts itself."""
ELEMENT_BYTES = {
    **dict.fromkeys(("met_char", "met_uchar"), 1),
    **dict.fromkeys(("met_short", "met_ushort"), 2),
    **dict.fromkeys(("met_int", "met_uint", "met_float"), 4),
    **dict.fromkeys(("met_double", "met_long_long", "met_ulong_long"), 8),
}
META_SYNONYMS = (
    {"TransformMatrix", "Rotation", "Orientation"},
    {"ElementSpacing", "ElementSize"},
    {"Offset", "Position", "Origin"},
)
"""Fields of MetaImage that mean the same (MetaIO, metaObject.cxx and metaImage.cxx)."""
META_USUAL = {
    "HeaderSize": ("0",),
    "ObjectType": ("Image",),
    "Modality": ("MET_MOD_CT", "MET_MOD_OTHER", "MET_MOD_UNKNOWN"),
    "BinaryData": ("True",),
    "CompressedData": ("False", "True"),
    "ElementToIntensityFunctionSlope": ("1", "1.0"),
    "ElementToIntensityFunctionOffset": ("0", "0.0"),
}
PATIENT_SPACES = {
    "left-posterior-superior",
    "lps",
    "right-anterior-superior",
    "ras",
    "left-anterior-superior",
    "las",
}
"""Spaces of NRRD that say where left and right are (teem: definition of the NRRD format, basic field "space")."""
ODD = re.compile(r"[^\t\n\r\x20-\xff]|\r(?!\n)")
"""Characters at which parsers of text headers disagree about where a line ends."""


def format_of(path: Path) -> str | None:
    """The format that a file's name announces, or None."""
    name = path.name.lower()
    return next((kind for ending, kind in ENDINGS.items() if name.endswith(ending)), None)


def damaged(path: Path) -> SeriesError:
    """The refusal of a file that is not whole."""
    return SeriesError(f"{path} is damaged or cut off; send it again", code="source.damaged")


def check_header(path: Path, kind: str) -> None:
    """Refuse a file that is not whole, does not say how it lies in the patient, or keeps its voxels elsewhere.

    Raises
    ------
    SeriesError
        ``source.damaged``, ``source.unreadable`` (its voxels lie in another file), ``geometry.missing``,
        ``geometry.inconsistent`` (sheared NIfTI).
    """
    try:
        with gzip.open(path) if path.name.lower().endswith(".gz") else path.open("rb") as file:
            head = file.read(LONGEST)
    except (OSError, EOFError, zlib.error) as error:
        raise damaged(path) from error
    {"NIfTI": _check_nifti, "NRRD": _check_nrrd, "MetaImage": _check_meta}[kind](head, path)


def at_right_angles(axes: AnyArray) -> bool:
    """Whether unit vectors, the rows of an array (3, 3), stand upright on each other."""
    return bool(np.abs(axes @ axes.T - np.eye(3)).max() <= SHEAR)


def not_finite(path: Path, shape: tuple[int, int, int]) -> BoolArray | None:
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
        raise damaged(path) from error
    if count < wanted:
        raise damaged(path)
    return lost.reshape(shape) if lost is not None and lost.any() else None


def _check_nrrd(head: bytes, path: Path) -> None:
    end = re.search(rb"\r?\n\r?\n", head)
    if not head.startswith(b"NRRD") or end is None:
        raise damaged(path)
    text = _text(head[: end.start()], path)
    fields = _once(re.findall(r"^(?!#)([^:\n]+):(?!=)(.*)$", text.lower(), re.MULTILINE), path)
    if fields.keys() & {"data file", "datafile"}:
        raise _elsewhere(path)
    if fields.get("space") not in PATIENT_SPACES or not {"space directions", "space origin"} <= fields.keys():
        raise _unoriented(path, "space, space directions and space origin")
    if set(re.findall(r'"([^"]*)"', fields.get("space units", ""))) - {"mm", "millimeter", "millimeters", ""}:
        raise _not_millimetres(path)


def _check_meta(head: bytes, path: Path) -> None:
    # The voxels follow the line of this field. A parser that takes another spelling for it would read on elsewhere.
    start = re.search(rb"elementdatafile", head, re.IGNORECASE)
    found = re.search(rb"^[ \t]*ElementDataFile[ \t]*=[ \t]*([^\r\n]*?)[ \t]*\r?\n", head, re.MULTILINE)
    if start is None or found is None or not found.start() <= start.start() < found.end():
        raise damaged(path)
    if found[1] != b"LOCAL":
        raise _elsewhere(path)
    text = _text(head[: found.end()], path)
    fields = _once(re.findall(r"^[ \t]*(\w+)[ \t]*=(.*)$", text, re.MULTILINE), path)
    for names in META_SYNONYMS:
        if len(fields.keys() & names) > 1:
            raise damaged(path)
    if not fields.keys() & META_SYNONYMS[0]:
        raise _unoriented(path, "TransformMatrix")
    for names in META_SYNONYMS[1:]:
        if not fields.keys() & names:
            raise _unoriented(path, min(names))
    spacing = next(fields[name] for name in META_SYNONYMS[1] if name in fields)
    if "-" in spacing.replace("e-", ""):
        raise damaged(path)
    if fields.get("DistanceUnits", "mm").lower() not in {"mm", "?"}:
        raise _not_millimetres(path)
    # The library takes no notice of these, and reads other voxels than the file means.
    for name, usual in META_USUAL.items():
        if fields.get(name, usual[0]) not in usual:
            raise damaged(path)
    _check_length(fields, found.end(), path)


def _once(found: list[tuple[str, str]], path: Path) -> dict[str, str]:
    """Fields by name. Of two alike one parser takes the first and another the last."""
    fields = {name.strip(): value.strip() for name, value in found}
    if len(fields) < len(found):
        raise damaged(path)
    return fields


def _text(head: bytes, path: Path) -> str:
    text = head.decode("latin-1")
    if ODD.search(text):
        raise damaged(path)
    return text


def _check_length(fields: dict[str, str], start: int, path: Path) -> None:
    """Refuse a MetaImage with fewer voxels than it announces: the library fills them with zeros, which are water."""
    try:
        voxels = math.prod(int(n) for n in fields["DimSize"].split())
        wanted = voxels * ELEMENT_BYTES[fields["ElementType"].lower()]
        wanted *= int(fields.get("ElementNumberOfChannels", "1"))
        packed = int(fields.get("CompressedDataSize", "0"))
    except (KeyError, ValueError) as error:
        raise damaged(path) from error
    if fields.get("CompressedData", "False") == "False":
        if path.stat().st_size != start + wanted:
            raise damaged(path)
        return
    count, unpack = 0, zlib.decompressobj()
    try:
        with path.open("rb") as file:
            file.seek(start)
            while count <= wanted and not unpack.eof and (block := file.read(min(BLOCK, packed))):
                packed -= len(block)
                while block and count <= wanted:
                    count += len(unpack.decompress(block, BLOCK))
                    block = unpack.unconsumed_tail
    except (OSError, zlib.error) as error:
        raise damaged(path) from error
    if count != wanted or not unpack.eof:
        raise damaged(path)


def _check_nifti(head: bytes, path: Path) -> None:
    if len(head) < HEADER:
        raise damaged(path)
    try:
        order, offset_at, new, _ = _layout(head)
        _check_single_file(head, order, offset_at, new, path)
        # Codes, rows of the sform, quaternion of the qform, handedness (pixdim[0]); their numbers; their codes.
        at, number, code = ((344, 400, 352, 104), "d", "i") if new == "q" else ((252, 280, 256, 76), "f", "h")
        qform, sform = struct.unpack_from(f"{order}2{code}", head, at[0])
        rows = np.array(struct.unpack_from(f"{order}12{number}", head, at[1])).reshape(3, 4)
        matrix = rows[:, :3]
        quaternion = struct.unpack_from(f"{order}3{number}", head, at[2])
        shift = struct.unpack_from(f"{order}3{number}", head, at[2] + (24 if new == "q" else 12))
        handed, *steps = struct.unpack_from(f"{order}4{number}", head, at[3])
    except struct.error as error:
        raise damaged(path) from error
    if qform <= 0 and sform <= 0:
        raise _unoriented(path, "qform or sform")
    # ITK makes 1 mm of a spacing of zero, and turns an axis for a negative one.
    if not min(steps) > 0 or not np.isfinite(steps).all():
        raise damaged(path)
    if qform > 0 and not np.dot(quaternion, quaternion) <= 1.0 + SHEAR:
        raise damaged(path)
    if sform <= 0:
        return
    lengths = np.linalg.norm(matrix, axis=0)
    if not np.isfinite(matrix).all() or lengths.min() <= 0:
        raise damaged(path)
    # ITK makes a sheared matrix upright.
    if not at_right_angles((matrix / lengths).T):
        raise sheared(path)
    turned = qform > 0 and np.abs(_rotation(quaternion, handed) - matrix / lengths).max() > DISAGREE
    moved = qform > 0 and not np.abs(rows[:, 3] - shift).max() <= 0.5 * max(steps)
    if turned or moved or np.abs(lengths / steps - 1.0).max() > DISAGREE:
        raise SeriesError(
            f"pixdim, qform and sform of {path} disagree on how it lies in the patient; convert it from DICOM again",
            code="geometry.inconsistent",
        )


def _check_single_file(head: bytes, order: str, offset_at: int, new: str, path: Path) -> None:
    """Refuse what nifti1.h and nifti2.h forbid in one file, and a scale that the library applies and they do not."""
    magic, first = (head[4:8], NIFTI_2) if new == "q" else (head[344:348], HEADER)
    slope, intercept = struct.unpack_from(f"{order}2{'d' if new == 'q' else 'f'}", head, 176 if new == "q" else 112)
    (offset,) = struct.unpack_from(f"{order}{new}", head, offset_at)
    unscaled = slope == 0.0 or not math.isfinite(slope)
    if magic[:3] not in {b"n+1", b"n+2"} or not offset >= first or (unscaled and intercept != 0.0):
        raise damaged(path)


def _rotation(quaternion: tuple[float, ...], handed: float) -> Float64Array:
    """Directions of the axes, the columns, of a NIfTI qform (nifti1.h, method 2)."""
    b, c, d = quaternion
    a = math.sqrt(max(0.0, 1.0 - (b * b + c * c + d * d)))
    out = np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
        ]
    )
    if handed < 0:
        out[:, 2] *= -1.0
    return out


def sheared(path: Path) -> SeriesError:
    """The refusal of a volume whose axes are not at right angles."""
    return SeriesError(
        f"the axes of {path} are not at right angles: it is a tilted scan or was registered; give the original series",
        code="geometry.inconsistent",
    )


def _unoriented(path: Path, fields: str) -> SeriesError:
    return SeriesError(
        f"{path} does not say how it lies in the patient ({fields} needed): left and right cannot be told; convert it "
        "from DICOM again",
        code="geometry.missing",
    )


def _not_millimetres(path: Path) -> SeriesError:
    return SeriesError(
        f"the lengths of {path} are not in millimetres; convert it from DICOM again", code="geometry.inconsistent"
    )


def _elsewhere(path: Path) -> SeriesError:
    return SeriesError(f"the voxels of {path} lie in another file; give one file", code="source.unreadable")


def _layout(head: bytes) -> tuple[str, int, str, int]:
    """Byte order, place and type of the offset of the voxels, and place of their type (nifti1.h, nifti2.h)."""
    for order in "<>":
        (size,) = struct.unpack_from(f"{order}i", head)
        if size == 348:
            return order, 108, "f", 70
        if size == NIFTI_2:
            return order, 168, "q", 12
    raise struct.error
