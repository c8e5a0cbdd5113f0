"""Which series of an archive are asked for."""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass

from pydicom.datadict import tag_for_keyword

from cop_imaging.errors import UsageError

__all__ = ["Query"]

DAY = re.compile(r"\d{8}")


@dataclass(frozen=True, slots=True)
class Query:
    """A choice of series. What the archive can choose by, it is asked for; the rest is chosen from its answers."""

    modality: str | None = "CT"
    """Modality of a series; None takes every one."""
    first_day: str | None = None
    """Earliest Study Date, YYYYMMDD."""
    last_day: str | None = None
    """Latest Study Date, YYYYMMDD."""
    description: str | None = None
    """Pattern of the Series Description with ``*`` and ``?``, whatever its case; chosen from the answers."""
    patient: str | None = None
    """Patient ID."""
    matches: tuple[tuple[str, str], ...] = ()
    """Further elements of a study that have to match, as (DICOM keyword, value)."""

    def __post_init__(self) -> None:
        for day in (self.first_day, self.last_day):
            if day is not None and not DAY.fullmatch(day):
                raise UsageError(f"a day is written YYYYMMDD, not {day!r}")
        for keyword, _ in self.matches:
            if tag_for_keyword(keyword) is None:
                raise UsageError(f"{keyword!r} is no DICOM keyword; give one such as InstitutionName")

    @property
    def study_keys(self) -> dict[str, str]:
        """Keyword to value of what a study has to match, in the notation of PS3.4 C.2.2.2."""
        keys = dict(self.matches)
        if self.modality is not None:
            keys["ModalitiesInStudy"] = self.modality
        if self.first_day is not None or self.last_day is not None:
            keys["StudyDate"] = f"{self.first_day or ''}-{self.last_day or ''}"
        if self.patient is not None:
            keys["PatientID"] = self.patient
        return keys

    def takes_study(self, date: str | None, patient: str) -> bool:
        """Whether a study is wanted, for archives that answer more than they were asked for."""
        if self.patient is not None and not set("*?") & set(self.patient) and patient != self.patient:
            return False
        if self.first_day is None and self.last_day is None:
            return True
        return date is not None and (self.first_day or "0") <= date <= (self.last_day or "99999999")

    def takes_series(self, modality: str, description: str | None) -> bool:
        """Whether a series is wanted."""
        if self.modality is not None and modality != self.modality:
            return False
        pattern = self.description
        return pattern is None or fnmatch.fnmatchcase((description or "").lower(), pattern.lower())
