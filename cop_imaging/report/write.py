"""``write_report``: one analysis as a folder of files, whole or not at all."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from cop_imaging.core import Likelihood, Report
from cop_imaging.core.arrays import AnyArray
from cop_imaging.core.vector import FeatureVector
from cop_imaging.errors import OutputError, UsageError
from cop_imaging.report.html import report_html
from cop_imaging.report.masks import write_mask
from cop_imaging.report.pictures import draw_pictures
from cop_imaging.report.schema import report_json
from cop_imaging.report.staging import MARKER, staged
from cop_imaging.report.thumbnail import lungs_jpg

if TYPE_CHECKING:
    from cop_imaging.report.analysis import Analysis

__all__ = ["check_output", "features_csv", "write_kept", "write_report"]

HTML = "report.html"
FEATURES = "features.csv"
MASKS = "masks"
THUMBNAIL = "lungs.jpg"
ANATOMY_MASKS = ("lungs", "airways", "uncertain", "pleural_effusion")


def write_report(analysis: Analysis, folder: Path, *, masks: bool = False, overwrite: bool = False) -> Path:
    """Write ``report.json``, ``report.html``, ``features.csv`` and, on request, ``masks/*.nii.gz`` into ``folder``.

    Masks lie on the grid of the series as it is on disk: ``lungs`` (0, 1 right, 2 left), ``airways``, ``uncertain``
    and, when it was looked for, ``pleural_effusion`` (0, 1), and one for each sign that marks voxels (0, 1), empty
    where the sign is absent or could not be assessed.

    Returns
    -------
    Path
        ``folder``.

    Raises
    ------
    UsageError
        If ``folder`` holds results already and ``overwrite`` is False.
    OutputError
        If the folder or its files cannot be written; what was there before is then still there.
    """
    check_output(folder, overwrite)
    _write(analysis, folder, masks=masks)
    return folder


def write_kept(analysis: Analysis, folder: Path, level: Literal["features", "report", "masks"]) -> Path:
    """Write what a run over an archive keeps of one series, in place of what it kept before.

    ``features.csv`` and ``lungs.jpg`` (the lung mask in three planes) always, with ``report`` also what
    ``write_report`` writes, with ``masks`` the masks too.

    Raises
    ------
    OutputError
        If the folder or its files cannot be written; what was there before is then still there.
    """
    for left in folder.glob(f".{folder.name}.*.partial"):
        # Of a worker that was killed while it wrote: one worker at a time writes a series.
        shutil.rmtree(left, ignore_errors=True)
    thumbnail = lungs_jpg(analysis.volume, analysis.anatomy)
    _write(analysis, folder, report=level != "features", masks=level == "masks", thumbnail=thumbnail)
    return folder


def _write(
    analysis: Analysis, folder: Path, *, report: bool = True, masks: bool = False, thumbnail: bytes | None = None
) -> None:
    meanings = {feature.name: feature.means for finding in analysis.findings for feature in finding.features}
    texts = {FEATURES: features_csv(analysis.report, analysis.vector, analysis.likelihood)}
    if report:
        texts[HTML] = report_html(analysis.report, draw_pictures(analysis), meanings)
        texts[MARKER] = report_json(analysis.report)
    with staged(folder, _owned(folder, [finding.sign for finding in analysis.findings])) as temporary:
        if masks:
            (temporary / MASKS).mkdir()
            for name, mask in _masks(analysis):
                write_mask(temporary / MASKS / f"{name}.nii.gz", mask, analysis.volume)
        if thumbnail is not None:
            (temporary / THUMBNAIL).write_bytes(thumbnail)
        for name, text in texts.items():
            (temporary / name).write_text(text, encoding="utf-8", newline="\n")


def check_output(folder: Path, overwrite: bool) -> None:
    """Refuse an output folder that cannot take results, before the long work starts.

    Raises
    ------
    UsageError
        If it holds results already and ``overwrite`` is False.
    OutputError
        If it is a file, lies under a file, or may not be written to.
    """
    try:
        here = folder
        while not os.path.lexists(here) and here != here.parent:
            here = here.parent
        if not here.is_dir():
            raise OutputError(f"{here} is a file; the results need a folder at {folder}")
        if not os.access(here, os.W_OK | os.X_OK):
            raise OutputError(f"there is no permission to write to {here}; choose another output folder")
        held = [name for name in (MARKER, HTML, FEATURES, f"{MASKS}/lungs.nii.gz") if (folder / name).exists()]
    except OSError as error:
        raise OutputError(f"the output folder {folder} cannot be looked at: {error.strerror}") from error
    if held and not overwrite:
        raise UsageError(
            f"{folder} already holds results ({', '.join(held)}); choose another folder or pass --overwrite"
        )


def features_csv(report: Report, vector: FeatureVector, likelihood: Likelihood | None) -> str:
    """One row: case, status, features, scores, assessable bits (0 or 1), p_op; empty where there is no value."""
    import pandas as pd

    row = vector.as_row()
    scores = [f"{sign}.score" for sign in vector.schema.signs]
    bits = [f"{sign}.assessable" for sign in vector.schema.signs]
    p_op = np.nan if likelihood is None else likelihood.op.p
    parts = (
        pd.DataFrame({"case": [report.case], "status": [str(report.status)]}),
        row[[*vector.schema.names, *scores]],
        row[bits].astype(int),
        pd.DataFrame({"p_op": [p_op]}),
    )
    return str(pd.concat(parts, axis=1).to_csv(index=False, float_format="%.9g", lineterminator="\n"))


def _masks(analysis: Analysis) -> Iterator[tuple[str, AnyArray]]:
    yield "lungs", analysis.anatomy.lungs
    yield "airways", analysis.anatomy.airways
    yield "uncertain", analysis.anatomy.uncertain
    if analysis.anatomy.effusion is not None:
        yield "pleural_effusion", analysis.anatomy.effusion
    # Fluid is anatomy and a sign: one file, which holds what was found, and none when it was not looked for.
    for finding in (f for f in analysis.findings if f.sign not in ANATOMY_MASKS):
        if finding.mask is not None:
            yield finding.sign, analysis.scene.full(finding.mask)
        elif finding.sign in analysis.mask_signs:
            yield finding.sign, np.zeros(analysis.scene.full_shape, dtype=np.bool_)


def _owned(folder: Path, signs: Iterable[str]) -> list[str]:
    """Relative paths that this or an earlier run may have written: all that an overwrite may remove."""
    names = [*ANATOMY_MASKS, *signs, *_signs_of_earlier(folder)]
    return [MARKER, HTML, FEATURES, THUMBNAIL, *(f"{MASKS}/{name}.nii.gz" for name in dict.fromkeys(names))]


def _signs_of_earlier(folder: Path) -> list[str]:
    """Signs that the report in ``folder`` names: an earlier version may have known others."""
    try:
        findings = json.loads((folder / MARKER).read_text(encoding="utf-8"))["findings"]
        signs = [str(finding["sign"]) for finding in findings]
    except (OSError, ValueError, KeyError, TypeError):
        return []
    return [sign for sign in signs if re.fullmatch(r"[a-z0-9_]+", sign)]
