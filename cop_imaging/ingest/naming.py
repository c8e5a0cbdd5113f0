"""How a message names a file without giving away whose it is: archives are full of files named after patients."""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ["name_pattern", "shown_name"]

NEUTRAL = re.compile(
    r"(?:im|img|image|i|ct|slice|sl|s|se|ser|series|mr|pt|file|dcm|dicom|z|instance|frame|made)?"
    r"[-_. ]?\d{1,8}(?:[-_. ]\d{1,6})*(?:\.(?:dcm|dicom|ima|img|nii|nii\.gz|nrrd|mha|zip|tar))?",
    re.ASCII | re.IGNORECASE,
)
"""A short word that says what a file is, then counting numbers: nothing else is certain not to be a name. UIDs are not
matched: their parts are longer or more."""
MOST_NUMBERS = 12
"""Digits in all; a longer row may be an identifier."""


def shown_name(path: Path, nth: int, total: int) -> str:
    """The file's own name when it is neutral (``IM0001.dcm``), else ``file 17 of 240`` in the order of paths."""
    name = path.name
    if NEUTRAL.fullmatch(name) and sum(c.isdigit() for c in name) <= MOST_NUMBERS and name.count(".") < 3:
        return name
    return f"file {nth} of {total}"


def name_pattern(name: str) -> str:
    """A file's name without its numbers, and without what says that it was packed: alike for slices of a series."""
    return re.sub(r"[0-9]+", "0", name.lower().removesuffix(".gz"))
