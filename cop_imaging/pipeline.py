"""The line, in order: from a series to an analysis, and the assembly of its configuration."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path

from cop_imaging import provenance
from cop_imaging.anatomy import AnatomyConfig, segment
from cop_imaging.classifier import ClassifierConfig, Model, load_model, predict
from cop_imaging.config import Section, changes, digest
from cop_imaging.core import (
    LEFT,
    RIGHT,
    Anatomy,
    AnatomySummary,
    Feature,
    FeatureVector,
    Finding,
    FindingSummary,
    Issue,
    Likelihood,
    Presence,
    Provenance,
    Report,
    Severity,
    Status,
    status_of,
)
from cop_imaging.ingest import IngestConfig, SeriesFiles, read_series
from cop_imaging.progress import Progress
from cop_imaging.report import Analysis, methods_paragraph, read_lung_mask, row_columns
from cop_imaging.scene import SceneConfig, build_scene
from cop_imaging.signs import SignsConfig, observe, schema_of, signs_with, vectorize

__all__ = ["Config", "analyze", "table_columns"]


class Config(Section):
    """Everything that can change a number, one section for each stage."""

    ingest: IngestConfig = IngestConfig()
    anatomy: AnatomyConfig = AnatomyConfig()
    scene: SceneConfig = SceneConfig()
    signs: SignsConfig = SignsConfig()
    classifier: ClassifierConfig = ClassifierConfig()


def analyze(
    source: Path | str | SeriesFiles,
    *,
    config: Config | None = None,
    lungs: Path | str | None = None,
    uids: bool = False,
    progress: Progress | None = None,
    threads: int | None = None,
    series: str | None = None,
    case_key: bytes | None = None,
) -> Analysis:
    """Read one chest CT series and measure it: lungs, signs, likelihood, report.

    Parameters
    ----------
    source : path or SeriesFiles
        A folder, file or archive with a chest CT in DICOM, or a NIfTI, NRRD or MetaImage volume.
    config : Config, optional
        Limits in force; the defaults when left out.
    lungs : path, optional
        A corrected lung mask (NIfTI on the series' grid, 1 right, 2 left) to run on from.
    uids : bool
        Name slices by SOP Instance UID too; UIDs identify a study.
    progress : Progress, optional
        Is told when each stage begins and ends, and keeps the times.
    threads : int, optional
        Threads that decode slices; every result is the same for any number.
    series : str, optional
        UID or key of the series to read, when the source holds several.
    case_key : bytes, optional
        Secret from which ``case`` is made with the patient identifier, so that scans of one patient share it.

    Raises
    ------
    SeriesError
        If no usable CT volume of the lungs can be formed.
    UsageError
        If the lung mask does not lie on the series' grid.
    ModelError
        If the stored model is missing or damaged.
    """
    config = config or Config()
    progress = progress or Progress()
    with progress.stage("ingest", "reading slices"):
        where = source if isinstance(source, SeriesFiles) else Path(source)
        volume = read_series(where, config.ingest, series=series, case_key=case_key, threads=threads or 2)
        given = read_lung_mask(Path(lungs), volume) if lungs is not None else None
    with progress.stage("anatomy", "finding lungs, airways and vessels"):
        anatomy = segment(volume, config.anatomy, lungs=given)
    with progress.stage("scene", "laying out frames of reference"):
        scene = build_scene(volume, anatomy, config.scene)
    with progress.stage("signs", "looking for signs"):
        findings = observe(scene, config.signs, (*volume.issues, *anatomy.issues))
        vector = vectorize(findings)
    # What ingestion saw of the lungs already, anatomy does not say again.
    said = {issue.code for issue in volume.issues}
    new = (issue for issue in (*anatomy.issues, *scene.issues) if issue.code not in said)
    with progress.stage("classifier", "weighing the evidence"):
        model = load_model()
        issues = (*volume.issues, *new, *_issues_of(findings, model))
        likelihood, status, issues = _weigh(vector, model, issues, config)
    report = Report(
        status=status,
        case=volume.case,
        acquisition=volume.acquisition,
        quality=volume.quality,
        issues=issues,
        anatomy=_summary(anatomy, contiguous=volume.acquisition.contiguous),
        findings=_summaries(findings, config, uids=uids),
        features=vector.as_dict(),
        likelihood=likelihood,
        methods=methods_paragraph(config, version=provenance.versions()["cop-imaging"]),
        provenance=Provenance(
            versions=provenance.versions(),
            input_sha256=volume.digest,
            config_sha256=digest(config),
            config_changes=changes(config),
            model_sha256=model.digest,
            feature_schema=vector.schema.digest,
            lungs_sha256=provenance.file_digest(Path(lungs)) if lungs is not None else None,
            created=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
            timings_s={name: round(seconds, 3) for name, seconds in progress.timings_s.items()},
        ),
    )
    mask_signs = tuple(sign.name for sign in signs_with(config.signs) if sign.has_mask)
    return Analysis(volume, anatomy, scene, findings, vector, likelihood, report, mask_signs=mask_signs)


def table_columns(config: Config) -> tuple[Feature, ...]:
    """Name, unit and meaning of every number that ``Analysis.row`` gives, in order, without looking at a scan."""
    return row_columns(schema_of(signs_with(config.signs)))


def _weigh(
    vector: FeatureVector, model: Model, issues: tuple[Issue, ...], config: Config
) -> tuple[Likelihood | None, Status, tuple[Issue, ...]]:
    """The likelihood where the scan's quality permits one, and the status of the report."""
    status = status_of(issues)
    if status is Status.NOT_ASSESSABLE:
        return None, status, issues
    spoiled = next((issue for issue in issues if "likelihood" in issue.spoils), None)
    if spoiled is not None:
        withheld = Issue(
            code="likelihood.withheld",
            severity=Severity.WARNING,
            message=f"No likelihood is given, since it was never tried on such scans ({spoiled.code}).",
            affects=("likelihood",),
        )
        return None, status, (*issues, withheld)
    likelihood = predict(vector, model, config.classifier, limited=status is Status.LIMITED)
    if likelihood is None:
        too_little = Issue(
            code="likelihood.not_assessable",
            severity=Severity.ERROR,
            message="Too few signs could be assessed for a likelihood.",
            affects=("likelihood",),
        )
        return None, Status.NOT_ASSESSABLE, (*issues, too_little)
    return likelihood, status, issues


def _issues_of(findings: Sequence[Finding], model: Model) -> tuple[Issue, ...]:
    """Signs that could not be looked for, or only with caution: a warning where the likelihood rests on them.

    Signs of fine structure cannot be looked for in many a good scan, which does not limit what the others say.
    """
    weighed = {group.sign for group in model.schema.groups}
    return tuple(
        Issue(
            code="signs.not_assessable" if f.presence is Presence.NOT_ASSESSABLE else "signs.caution",
            severity=Severity.WARNING if f.sign in weighed else Severity.INFO,
            message=f"{f.sign.replace('_', ' ')}: {f.reason}",
            affects=(f.sign,),
        )
        for f in findings
        if f.reason
    )


def _summary(anatomy: Anatomy, *, contiguous: bool) -> AnatomySummary:
    ml = anatomy.geometry.voxel_ml
    right, left = (float((anatomy.lungs == side).sum()) * ml for side in (RIGHT, LEFT))
    volumes_ml = {
        "lung_volume_ml": right + left,
        "right_volume_ml": right,
        "left_volume_ml": left,
        "airway_volume_ml": float(anatomy.airways.sum()) * ml,
        "vessel_volume_ml": float(anatomy.vessels.sum()) * ml,
        "recovered_ml": anatomy.doubt.recovered_ml,
        "uncertain_ml": anatomy.doubt.uncertain_ml,
        "effusion_ml": None if anatomy.effusion is None else float(anatomy.effusion.sum()) * ml,
    }
    return AnatomySummary(
        **(volumes_ml if contiguous else dict.fromkeys(volumes_ml)),
        mask_trust=anatomy.doubt.trust,
        right_to_left=anatomy.doubt.right_to_left,
        mask_given=anatomy.doubt.given,
    )


def _summaries(findings: Sequence[Finding], config: Config, *, uids: bool) -> tuple[FindingSummary, ...]:
    titles = {sign.name: sign.title for sign in signs_with(config.signs)}
    out = []
    for finding in findings:
        summary = FindingSummary.of(finding, titles[finding.sign])
        if not uids:
            hidden = tuple(lesion.model_copy(update={"sop_instance_uid": None}) for lesion in summary.lesions)
            summary = summary.model_copy(update={"lesions": hidden})
        out.append(summary)
    return tuple(out)
