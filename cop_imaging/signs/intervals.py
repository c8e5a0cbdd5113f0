"""Values with the interval that they span as a sign's limits move."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

__all__ = ["Span", "spans"]

Span = tuple[float | None, float | None, float | None]
"""Value, low, high."""


def spans(value: Mapping[str, float | None], moved: Sequence[Mapping[str, float | None]]) -> dict[str, Span]:
    """Each value with the smallest and largest of itself and its counterparts under moved limits."""
    out: dict[str, Span] = {}
    for name, v in value.items():
        known = [x for x in (v, *(m[name] for m in moved)) if x is not None]
        out[name] = (v, min(known), max(known)) if v is not None and known else (v, None, None)
    return out
