"""A case as a folder: the series, its true masks, and a record of every draw."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from cop_imaging.core.arrays import AnyArray
from cop_imaging.core.geometry import Geometry
from cop_imaging.core.grid import image_of
from cop_imaging.errors import OutputError
from cop_imaging.provenance import versions
from cop_imaging.synth.case import CaseSpec
from cop_imaging.synth.dicom import write_dicom_series
from cop_imaging.synth.phantom import Phantom, make_case

__all__ = ["RECORD", "basis_of", "record_of", "write_case", "write_masks"]

RECORD = "case.json"
NOTE = "Made by computer: there is no patient. For research only."
SIDES = ("lungs_right", "lungs_left")
"""Truth that ``lungs`` holds already."""


def write_case(case: CaseSpec, folder: Path, *, matrix: int = 512) -> dict[str, Any]:
    """Make a case and write ``dicom/IM*.dcm``, ``truth/*.nii.gz`` and ``case.json``; the record is returned.

    The folder appears whole, by a rename, or not at all. The same case gives the same bytes, so that of two calls that
    make it at the same time the first one's is kept.

    Raises
    ------
    OutputError
        If the folder holds files already or cannot be written.
    """
    if folder.is_dir() and any(folder.iterdir()):
        raise OutputError(f"{folder} already holds files; name a new or empty folder")
    # A folder of this process alone: another one may be making the same case.
    temporary = folder.parent / f".writing-{folder.name}-{os.getpid()}"
    try:
        remove_abandoned(folder)
        temporary.mkdir(parents=True)
        phantom = make_case(case, matrix=matrix)
        write_dicom_series(
            phantom.volume,
            temporary / "dicom",
            seed=case.seed,
            description=f"Phantom chest, case {case.seed}",
            scanner=case.scanner,
        )
        write_masks(phantom.truth, phantom.volume.geometry, temporary / "truth")
        record = record_of(case, phantom, matrix)
        (temporary / RECORD).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
        if folder.is_dir():
            folder.rmdir()
        os.replace(temporary, folder)
    except OSError as error:
        if holds(folder, basis_of(case, matrix)):
            return dict(json.loads((folder / RECORD).read_text(encoding="utf-8")))
        raise OutputError(f"the case cannot be written to {folder}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return record


def remove_abandoned(folder: Path) -> None:
    """Remove what processes of this machine that are gone had begun of a case."""
    for begun in folder.parent.glob(f".writing-{folder.name}-*"):
        process = begun.name.rpartition("-")[2]
        if not process.isdecimal() or int(process) == os.getpid():
            shutil.rmtree(begun, ignore_errors=True)
            continue
        try:
            os.kill(int(process), 0)
        except ProcessLookupError:
            shutil.rmtree(begun, ignore_errors=True)
        except OSError:
            continue


def holds(folder: Path, basis: str) -> bool:
    """Whether a folder holds that very case."""
    try:
        return bool(json.loads((folder / RECORD).read_text(encoding="utf-8"))["basis"] == basis)
    except (OSError, ValueError, KeyError):
        return False


def write_masks(truth: Mapping[str, AnyArray], geometry: Geometry, folder: Path) -> None:
    """Write every mask as compressed NIfTI in the series' own space; lungs are 1 right and 2 left."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in sorted(truth.keys() - set(SIDES)):
        image = image_of(np.ascontiguousarray(truth[name]), geometry)
        temporary = folder / f".writing-{name}.nii.gz"
        sitk.WriteImage(image, str(temporary), useCompression=True)
        temporary.replace(folder / f"{name}.nii.gz")


def record_of(case: CaseSpec, phantom: Phantom, matrix: int) -> dict[str, Any]:
    """Everything that was drawn and what came of it, ready for JSON."""
    geometry, truth = phantom.volume.geometry, phantom.truth
    voxels = {name: int(np.count_nonzero(truth[name])) for name in sorted(truth)}
    return {
        "note": NOTE,
        "basis": basis_of(case, matrix),
        "label": case.label,
        "case": case.model_dump(mode="json"),
        "lesions": [{"type": type(lesion).__name__} | plain(asdict(lesion)) for lesion in phantom.lesions],  # type: ignore[call-overload]
        "truth_ml": {name: round(n * geometry.voxel_ml, 3) for name, n in voxels.items()},
        "grid": {
            "shape": geometry.shape,
            "spacing_mm": geometry.spacing_mm,
            "origin_mm": geometry.origin_mm,
        },
        "volume_sha256": phantom.volume.digest,
        "versions": versions(),
    }


def plain(value: Any) -> Any:
    """Lesion fields as JSON knows them."""
    if isinstance(value, dict):
        return {key: plain(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    return value.item() if isinstance(value, np.generic) else value


def basis_of(case: CaseSpec, matrix: int) -> str:
    """Digest of what decides a case: its draws, its grid and the versions of what makes it."""
    text = json.dumps([case.model_dump(mode="json"), matrix, versions()], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
