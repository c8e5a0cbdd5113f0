"""What is known of a sign beside its code: look-alikes, codes of terminologies, and what it was shown on."""

from __future__ import annotations

import tomllib
from importlib import resources
from typing import Literal

from pydantic import BaseModel, ConfigDict, model_validator

__all__ = ["Catalogue", "Code", "Entry", "ImageFinding", "LookAlike", "Shown", "load_catalogue"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class LookAlike(_Part):
    """Something that resembles a sign, and what tells it apart here."""

    name: str
    told_by: str


class Code(_Part):
    """The sign's term in a terminology."""

    system: Literal["RadLex", "SNOMED CT", "HPO", "DICOM"]
    code: str
    term: str


class Shown(_Part):
    """A measured figure, and the command that measures it again."""

    figure: str
    command: str


class Entry(_Part):
    """What ``catalogue.toml`` holds of one sign."""

    look_alikes: tuple[LookAlike, ...] = ()
    codes: tuple[Code, ...] = ()
    shown: tuple[Shown, ...] = ()


class ImageFinding(_Part):
    """An image finding of the disease tables that is no sign of its own: measures that state it, or why not."""

    measures: tuple[str, ...] = ()
    how: str = ""
    reason: str = ""

    @model_validator(mode="after")
    def _measured_or_not(self) -> ImageFinding:
        if bool(self.measures and self.how) == bool(self.reason):
            raise ValueError("an image finding has measures with how they state it, or a reason why CT cannot show it")
        return self


class Catalogue(_Part):
    """The whole file."""

    signs: dict[str, Entry]
    findings: dict[str, ImageFinding]

    def of(self, sign: str) -> Entry:
        """The entry of that sign; an empty one where nothing is known of it yet."""
        return self.signs.get(sign, Entry())


def load_catalogue() -> Catalogue:
    """The catalogue that travels with the package."""
    text = resources.files("cop_imaging.signs").joinpath("catalogue.toml").read_text(encoding="utf-8")
    return Catalogue.model_validate(tomllib.loads(text))
