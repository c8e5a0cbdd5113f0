"""On what a result depends beside the series itself, and what of it has changed since."""

from __future__ import annotations

import functools
import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import Any

from cop_imaging.config import asset_path, changes, digest
from cop_imaging.pipeline import Config
from cop_imaging.provenance import file_digest, versions

__all__ = ["Method", "difference", "method_of"]

LENGTH = 16
CARD = ".md"
"""Ending of the models' cards: words about a model change no number."""


@dataclass(frozen=True, slots=True)
class Method:
    """Settings, model, versions: two results of one series by one method are the same."""

    text: str
    """JSON, for the ledger."""
    digest: str

    @staticmethod
    def digest_of(text: str) -> str:
        """The digest that belongs to a method's text."""
        return hashlib.sha256(text.encode()).hexdigest()[:LENGTH]

    def with_mask(self, lungs_sha256: str | None) -> str:
        """Digest of the method with a corrected lung mask."""
        if lungs_sha256 is None:
            return self.digest
        return hashlib.sha256(f"{self.digest} {lungs_sha256}".encode()).hexdigest()[:LENGTH]


def method_of(config: Config, case_key: bytes | None = None) -> Method:
    """The method by which this installation would measure with these settings."""
    parts: dict[str, Any] = {
        "settings": changes(config),
        "settings_sha256": digest(config),
        "model": _models(),
        "versions": versions(),
        # Not the key, and not to be guessed from: it says only whether it is the same one.
        "case_key": None if case_key is None else hmac.new(case_key, b"batch", hashlib.sha256).hexdigest()[:LENGTH],
    }
    text = json.dumps(parts, sort_keys=True)
    return Method(text, Method.digest_of(text))


def difference(now: str, before: str) -> str:
    """In words what differs between two methods, for the person who wonders why series are done again."""
    new, old = json.loads(now), json.loads(before)
    found = []
    if new["settings_sha256"] != old["settings_sha256"]:
        names = sorted(
            n for n in {*new["settings"], *old["settings"]} if new["settings"].get(n) != old["settings"].get(n)
        )
        found.append(f"settings ({', '.join(names) or 'defaults'})")
    if new["model"] != old["model"]:
        found.append("stored models")
    for package, version in new["versions"].items():
        if old["versions"].get(package) != version:
            found.append(f"{package} {old['versions'].get(package, 'unknown')} to {version}")
    if new["case_key"] != old["case_key"]:
        found.append("case key")
    return ", ".join(found) or "nothing"


@functools.cache
def _models() -> str:
    root = asset_path("models")
    sha = hashlib.sha256()
    for path in sorted(path for path in root.rglob("*") if path.is_file() and path.suffix != CARD):
        sha.update(f"{path.relative_to(root).as_posix()} {file_digest(path)}\n".encode())
    return sha.hexdigest()[:LENGTH]
