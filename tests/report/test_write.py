"""The output folder holds a whole result or the one before it, and never anybody else's files."""

import errno
import io
import json
import os
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk

from cop_imaging.core import Presence, StoredOrder
from cop_imaging.errors import OutputError, UsageError
from cop_imaging.report import check_output, write_report
from cop_imaging.report import write as write_module

TEXTS = {"report.json", "report.html", "features.csv"}
MASKS = {
    f"masks/{n}.nii.gz"
    for n in ("lungs", "airways", "uncertain", "consolidation", "ground_glass", "reversed_halo", "bands")
}


def files(folder):
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}


def contents(folder):
    return {name: (folder / name).read_bytes() for name in files(folder)}


def mask(folder, name):
    return sitk.GetArrayFromImage(sitk.ReadImage(str(folder / "masks" / f"{name}.nii.gz")))


def test_a_result_is_three_files_and_masks_on_request(analysis, tmp_path):
    assert write_report(analysis, tmp_path / "deep" / "a") == tmp_path / "deep" / "a"
    assert files(tmp_path / "deep" / "a") == TEXTS
    assert files(analysis.save(tmp_path / "b", masks=True)) == TEXTS | MASKS
    assert sorted(p.name for p in tmp_path.iterdir()) == ["b", "deep"]


def test_masks_hold_what_was_found_and_are_empty_where_nothing_could_be(make_analysis, tmp_path):
    analysis = make_analysis(StoredOrder((0, 1, 2), (True, False, True)))
    folder = analysis.save(tmp_path / "a", masks=True)
    to_stored = analysis.volume.stored.to_stored
    np.testing.assert_array_equal(mask(folder, "lungs"), to_stored(analysis.anatomy.lungs))
    np.testing.assert_array_equal(mask(folder, "airways"), to_stored(analysis.anatomy.airways))
    consolidation = analysis.scene.full(analysis.findings[0].mask)
    assert consolidation.any()
    np.testing.assert_array_equal(mask(folder, "consolidation"), to_stored(consolidation))
    assert not mask(folder, "reversed_halo").any()
    assert not mask(folder, "bands").any()


def test_fluid_that_is_a_sign_too_has_one_file_as_it_was_found(analysis, tmp_path):
    fluid = np.zeros(analysis.anatomy.lungs.shape, bool)
    fluid[:3] = True  # below the crop of the signs
    first, *rest = analysis.findings
    sign = replace(
        first, sign="pleural_effusion", presence=Presence.NOT_ASSESSABLE, score=None, mask=None, lesions=(), best_z=None
    )
    signs = (*analysis.mask_signs, "pleural_effusion")
    found = replace(
        analysis,
        anatomy=replace(analysis.anatomy, effusion=fluid),
        findings=(sign, *rest),
        mask_signs=signs,
    )
    assert mask(write_report(found, tmp_path / "found", masks=True), "pleural_effusion").sum() == fluid.sum()
    not_looked_for = replace(found, anatomy=analysis.anatomy)
    write_report(not_looked_for, tmp_path / "none", masks=True)
    assert not (tmp_path / "none" / "masks" / "pleural_effusion.nii.gz").exists()


def test_the_same_analysis_gives_the_same_bytes(make_analysis, tmp_path):
    make_analysis().save(tmp_path / "a", masks=True)
    make_analysis().save(tmp_path / "b", masks=True)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_files_are_as_readable_as_any_new_file(analysis, tmp_path):
    folder = analysis.save(tmp_path / "a", masks=True)
    (tmp_path / "new").mkdir()
    assert folder.stat().st_mode == (tmp_path / "new").stat().st_mode


def test_features_are_one_row_with_case_first_and_p_op_last(analysis, refused, tmp_path):
    table = pd.read_csv(analysis.save(tmp_path / "a") / "features.csv")
    names, signs = analysis.vector.schema.names, analysis.vector.schema.signs
    expected = ["case", "status", *names, *(f"{s}.score" for s in signs), *(f"{s}.assessable" for s in signs), "p_op"]
    assert list(table.columns) == expected
    assert len(table) == 1
    np.testing.assert_allclose(table[list(names)].to_numpy(float)[0], analysis.vector.values, rtol=1e-8)
    assert table["bands.assessable"][0] == 0
    assert np.isnan(table["bands.score"][0])
    assert table["p_op"][0] == pytest.approx(analysis.likelihood.op.p)
    without = pd.read_csv(io.StringIO(write_module.features_csv(refused.report, refused.vector, refused.likelihood)))
    assert list(without.columns) == expected
    assert np.isnan(without["p_op"][0])


def test_a_folder_with_results_is_refused_and_left_alone(analysis, tmp_path):
    folder = analysis.save(tmp_path / "a")
    before = contents(folder)
    for call in (lambda: analysis.save(folder), lambda: check_output(folder, overwrite=False)):
        with pytest.raises(UsageError, match=r"already holds results \(report.json"):
            call()
    check_output(folder, overwrite=True)
    assert contents(folder) == before


@pytest.mark.parametrize("name", ["features.csv", "masks/lungs.nii.gz"])
def test_any_left_result_counts_as_results(analysis, tmp_path, name):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).touch()
    with pytest.raises(UsageError):
        check_output(tmp_path, overwrite=False)


def test_foreign_files_do_not_hinder_and_stay(analysis, tmp_path):
    (tmp_path / "masks").mkdir()
    foreign = {"notes.txt": b"mine", "masks/lungs_corrected.nii.gz": b"mine too"}
    for name, data in foreign.items():
        (tmp_path / name).write_bytes(data)
    analysis.save(tmp_path, masks=True)
    analysis.save(tmp_path, overwrite=True)
    assert files(tmp_path) == TEXTS | set(foreign)
    assert {n: (tmp_path / n).read_bytes() for n in foreign} == foreign


def test_masks_of_an_earlier_run_do_not_outlive_it(analysis, tmp_path):
    folder = analysis.save(tmp_path / "a", masks=True)
    analysis.save(folder, overwrite=True)
    assert files(folder) == TEXTS
    assert not (folder / "masks").exists()


def test_masks_of_signs_that_are_no_longer_known_go_too(analysis, tmp_path):
    folder = analysis.save(tmp_path / "a", masks=True)
    fewer = replace(analysis, findings=analysis.findings[:1])
    fewer.save(folder, masks=True, overwrite=True)
    assert files(folder) == TEXTS | {f"masks/{n}.nii.gz" for n in ("lungs", "airways", "uncertain", "consolidation")}


def test_an_earlier_report_cannot_name_files_outside_the_folder(analysis, tmp_path):
    folder = analysis.save(tmp_path / "a")
    (tmp_path / "keep.nii.gz").write_bytes(b"keep")
    (folder / "masks").mkdir()
    (folder / "report.json").write_text(json.dumps({"findings": [{"sign": "../../keep"}]}))
    analysis.save(folder, overwrite=True)
    assert (tmp_path / "keep.nii.gz").read_bytes() == b"keep"


def test_a_damaged_earlier_report_can_be_replaced(analysis, tmp_path):
    (tmp_path / "report.json").write_text('{"findings": [1,')
    analysis.save(tmp_path, overwrite=True)
    assert files(tmp_path) == TEXTS


class Stop(BaseException):
    """Stands for an interrupt at an unlucky moment."""


def stop(*_args, **_kwargs):
    raise Stop


@pytest.mark.parametrize("exists", [False, True])
@pytest.mark.parametrize("where", ["write_mask", "draw_pictures", "report_json"])
def test_an_interrupted_write_leaves_nothing(analysis, tmp_path, monkeypatch, where, exists):
    folder = tmp_path / "a"
    if exists:
        folder.mkdir()
    monkeypatch.setattr(write_module, where, stop)
    with pytest.raises(Stop):
        analysis.save(folder, masks=True)
    assert list(tmp_path.rglob("*")) == ([folder] if exists else [])


@pytest.mark.parametrize("moves", range(14))
def test_an_interrupt_while_replacing_brings_the_old_result_back(analysis, tmp_path, monkeypatch, moves):
    folder = analysis.save(tmp_path / "a", masks=True)
    (folder / "notes.txt").write_text("mine")
    before = contents(folder)
    done = []
    real = os.replace

    def replace_until(source, target):
        if len(done) == moves:
            done.append(None)
            raise Stop
        real(source, target)
        done.append(target)

    changed = replace(analysis, report=analysis.report.model_copy(update={"case": "another"}))
    monkeypatch.setattr(os, "replace", replace_until)
    with pytest.raises(Stop):
        changed.save(folder, overwrite=True, masks=True)
    assert contents(folder) == before
    assert {p.name for p in folder.iterdir()} == {"masks", "notes.txt", *TEXTS}


def test_the_report_leaves_first_and_arrives_last(analysis, tmp_path, monkeypatch):
    folder = analysis.save(tmp_path / "a", masks=True)
    moved = []
    real = os.replace
    monkeypatch.setattr(os, "replace", lambda s, t: (moved.append(os.path.basename(s)), real(s, t)))
    analysis.save(folder, masks=True, overwrite=True)
    assert moved[0] == moved[-1] == "report.json"


def test_what_a_run_keeps_follows_the_level_and_nothing_of_more_is_left(analysis, tmp_path):
    least = {"features.csv", "lungs.jpg"}
    assert files(analysis.keep(tmp_path / "a", "masks")) == TEXTS | MASKS | least
    assert files(analysis.keep(tmp_path / "a", "report")) == TEXTS | least
    assert files(analysis.keep(tmp_path / "a", "features")) == least


def test_what_a_killed_worker_had_half_written_goes_with_the_next_result(analysis, tmp_path):
    folder = analysis.keep(tmp_path / "a", "report")
    (folder / ".a.0123456789ab.partial/masks").mkdir(parents=True)
    analysis.keep(folder, "report")
    assert not list(folder.glob(".*"))


def test_a_full_disk_is_an_output_error_and_leaves_the_old_result(analysis, tmp_path, monkeypatch):
    folder = analysis.save(tmp_path / "a")
    before = contents(folder)

    def full(*_args):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(write_module, "write_mask", full)
    with pytest.raises(OutputError, match="No space left"):
        analysis.save(folder, masks=True, overwrite=True)
    assert contents(folder) == before


def test_a_file_where_the_folder_should_be_is_an_output_error(analysis, tmp_path):
    (tmp_path / "a").write_text("a file")
    for folder in (tmp_path / "a", tmp_path / "a" / "below"):
        for call in (check_output, lambda f, o: analysis.save(f, overwrite=o)):
            with pytest.raises(OutputError, match="is a file"):
                call(folder, True)
    assert (tmp_path / "a").read_text() == "a file"


def test_no_permission_is_an_output_error(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(OutputError, match="no permission"):
        check_output(tmp_path / "a", overwrite=False)


def test_a_file_named_masks_is_an_output_error(analysis, tmp_path):
    (tmp_path / "masks").write_text("a file")
    with pytest.raises(OutputError):
        analysis.save(tmp_path, masks=True)
    assert files(tmp_path) == {"masks"}


def test_checking_writes_nothing(tmp_path):
    check_output(tmp_path / "new" / "deep", overwrite=False)
    assert list(tmp_path.iterdir()) == []
