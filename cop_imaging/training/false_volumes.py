"""What the program measures where there is nothing: the table of false volumes, made from healthy chests."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from cop_imaging.core.vector import FeatureVector

__all__ = ["false_volume_table"]

MEASURED = {
    "consolidation": ("consolidation.volume_ml", "ml"),
    "ground_glass": ("ground_glass.volume_ml", "ml"),
    "reversed_halo": ("reversed_halo.count", "count"),
}


PEOPLE = {"consolidation": (0.0, 1.5), "ground_glass": (2.0, 30.0)}
"""p10 and p90 in mL that people show at least, by estimate: made chests vary less than people."""


def false_volume_table(vectors: Iterable[FeatureVector], source: str) -> str:
    """The text of ``models/knowledge/false_volumes.csv`` from feature vectors of healthy chests.

    Medians are those of the chests; p10 and p90 are widened to ``PEOPLE``.

    Parameters
    ----------
    vectors : iterable of FeatureVector
        Of chests known to be healthy, for example phantoms without lesions. At least ten; values that could not be
        measured are left out.
    source : str
        Where the chests come from, for the note.

    Raises
    ------
    ValueError
        If a sign was measured in fewer than ten of them.
    """
    rows = list(vectors)
    lines = ["sign,unit,p10,p50,p90,evidence,note"]
    for sign, (name, unit) in MEASURED.items():
        values = np.array([vector[name] for vector in rows])
        values = values[np.isfinite(values)]
        if len(values) < 10:
            raise ValueError(f"{name} was measured in {len(values)} healthy chests; at least 10 are needed")
        low, median, high = np.quantile(values, [0.1, 0.5, 0.9])
        note = f"measured on {len(values)} {source}".replace('"', "'")
        if sign in PEOPLE:
            low, high = min(low, PEOPLE[sign][0]), max(high, PEOPLE[sign][1])
            note += "; p10 and p90 widened to an estimate for people"
        lines.append(f'{sign},{unit},{low:.4g},{median:.4g},{high:.4g},M,"{note}"')
    return "\n".join(lines) + "\n"
