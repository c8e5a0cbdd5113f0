"""What made a result: versions and digests."""

from __future__ import annotations

import hashlib
from importlib import metadata
from pathlib import Path

import numpy as np

from cop_imaging.core.arrays import AnyArray
from cop_imaging.core.geometry import Geometry
from cop_imaging.errors import ModelError

__all__ = ["RELEVANT_PACKAGES", "array_digest", "check_digests", "file_digest", "versions"]

RELEVANT_PACKAGES = ("cop-imaging", "numpy", "scipy", "scikit-image", "simpleitk", "pydicom", "imagecodecs", "pydantic")
"""Packages whose version can change a number of a report."""


def versions() -> dict[str, str]:
    """Installed version of every package that can change a number."""
    found = {}
    for package in RELEVANT_PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found


def array_digest(array: AnyArray, geometry: Geometry) -> str:
    """SHA-256 over the values and the grid (rounded to 1 µm): the same whatever the encoding on disk."""
    sha = hashlib.sha256()
    # Decimal text instead of raw floats: two headers that write 0.7 and 0.70 must give one digest.
    grid = [*geometry.shape, *geometry.spacing_mm, *geometry.origin_mm, *(c for row in geometry.direction for c in row)]
    sha.update((str(array.dtype.newbyteorder("<")) + "".join(f" {float(g):.3f}" for g in grid)).encode())
    sha.update(np.ascontiguousarray(array).data)
    return sha.hexdigest()


def file_digest(path: Path) -> str:
    """SHA-256 over a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_digests(folder: Path, needed: set[str], digests: str) -> None:
    """Compare every file of a model's folder that its file of digests names with its SHA-256.

    Raises
    ------
    ModelError
        If a file is missing or differs, or one of ``needed`` is not named.
    """
    try:
        lines = (folder / digests).read_text(encoding="utf-8").splitlines()
        pairs = [line.split(maxsplit=1) for line in lines]
        stated = {name: digest for digest, name in pairs}
        changed = [name for name, digest in stated.items() if file_digest(folder / name) != digest]
    except (OSError, ValueError) as error:
        raise ModelError(f"the model in {folder} is incomplete: {error}") from error
    if changed or not needed <= set(stated):
        what = ", ".join(changed) or " or ".join(sorted(needed))
        raise ModelError(f"{what} in {folder} does not match {digests}; restore the model or train it again")
