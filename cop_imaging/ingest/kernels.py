"""How sharp a reconstruction kernel is, from the names that vendors give.

``soft`` kernels keep noise low (MTF50 about 3-4 lp/cm), ``sharp`` ones are the lung and bone kernels (6-9 lp/cm and
more), ``medium`` lies between. Names are told apart by their form: the manufacturer is often blanked.
"""

from __future__ import annotations

import re

__all__ = ["kernel_class"]

NAMES = {
    # GE
    "SOFT": "soft",
    "STANDARD": "soft",
    "STD": "soft",
    "STD+": "soft",
    "STND": "soft",
    "CHST": "medium",
    "DETAIL": "medium",
    "LUNG": "sharp",
    "BONE": "sharp",
    "BONEPLUS": "sharp",
    "EDGE": "sharp",
    "ULTRA": "sharp",
    # Philips; a leading U, S or I marks a family of the same sharpness
    "A": "soft",
    "B": "soft",
    "C": "soft",
    "UA": "soft",
    "UB": "soft",
    "UC": "soft",
    "SA": "soft",
    "SB": "soft",
    "SC": "soft",
    "D": "medium",
    "E": "sharp",
    "L": "sharp",
    "YA": "sharp",
    "YB": "sharp",
    "YC": "sharp",
    "YD": "sharp",
    # United Imaging
    "B_SOFT_A": "soft",
    "B_SOFT_B": "soft",
    "B_SOFT_C": "soft",
    "B_SHARP_A": "sharp",
    "B_SHARP_B": "sharp",
    "B_SHARP_C": "sharp",
    "B_VSHARP_A": "sharp",
    "B_VSHARP_B": "sharp",
    "B_VSHARP_C": "sharp",
}

SIEMENS = re.compile(r"[A-Z][A-Z]?(\d{2})[A-Z]?")
"""B30f, I50f, Br40d, Bl57, Qr36: region, then a number that rises with sharpness."""
SIEMENS_MEDIUM, SIEMENS_SHARP = 45, 57

CANON = re.compile(r"FC(\d{2})(-H)?")
"""Canon and Toshiba: FC01-FC19 body, FC20-FC29 head, FC30-FC39 bone, FC50-FC59 lung, FC80-FC89 high resolution."""
CANON_TENS = {0: "soft", 1: "soft", 2: "soft", 3: "sharp", 5: "sharp", 8: "sharp"}


def kernel_class(name: str | None) -> str | None:
    """``soft``, ``medium`` or ``sharp``; None for a name that is not known."""
    if name is None:
        return None
    plain = name.strip().upper().replace(" ", "")
    if plain in NAMES:
        return NAMES[plain]
    if found := CANON.fullmatch(plain):
        return CANON_TENS.get(int(found[1]) // 10)
    if found := SIEMENS.fullmatch(plain):
        strength = int(found[1])
        if strength < SIEMENS_MEDIUM:
            return "soft"
        return "medium" if strength < SIEMENS_SHARP else "sharp"
    return None
