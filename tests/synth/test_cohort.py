"""Cohorts hold whole cases only, go on where they stopped, and do not depend on the number of processes."""

import csv
import hashlib
import json

import pytest
import SimpleITK as sitk

from cop_imaging.errors import OutputError, UsageError
from cop_imaging.ingest import read_series
from cop_imaging.synth import case_files, cohort, draw_case, write_case
from cop_imaging.synth.case import CaseSpec
from cop_imaging.synth.cohort import plan_cases, write_cases

SMALL = {"matrix": 64}


def small(disease, seed):
    """A case in thick slices: enough to look at its files."""
    return draw_case(disease, seed).with_slices(10.0)


def digests(folder):
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cohort") / "made"
    cases = [small("NORMAL", 1), small("CAP", 2)]
    return folder, cases, write_cases(folder, cases, **SMALL)


def test_a_case_is_a_series_with_its_masks_and_a_record(written):
    folder, cases, outcomes = written
    assert [o.state for o in outcomes] == ["written", "written"]
    home = folder / "case-0000002"
    volume = read_series(home / "dicom")
    record = json.loads((home / "case.json").read_text())
    assert "no patient" in record["note"]
    assert CaseSpec.model_validate(record["case"]) == cases[1]
    assert record["label"] == cases[1].label
    assert len(record["lesions"]) > 0
    assert {"numpy", "cop-imaging"} <= set(record["versions"])
    for name in ("lungs", "airways", "vessels", "effusion", "consolidation", "ground_glass"):
        mask = sitk.ReadImage(str(home / "truth" / f"{name}.nii.gz"))
        assert mask.GetSize() == volume.geometry.shape[::-1]
        assert sitk.GetArrayViewFromImage(mask).astype(bool).sum() * volume.geometry.voxel_ml == pytest.approx(
            record["truth_ml"][name], abs=0.01
        )


def test_the_bytes_do_not_depend_on_the_number_of_processes(written, tmp_path):
    folder, cases, _ = written
    write_cases(tmp_path / "again", cases, jobs=2, **SMALL)
    assert digests(tmp_path / "again") == digests(folder)


def test_whole_cases_are_kept_and_torn_or_other_ones_are_made_anew(written, monkeypatch):
    folder, cases, _ = written
    before = digests(folder)
    asked = []

    def write(case, home, *, matrix):
        asked.append(case.seed)
        return write_case(case, home, matrix=matrix)

    monkeypatch.setattr(cohort, "write_case", write)
    assert [o.state for o in write_cases(folder, cases, **SMALL)] == ["kept", "kept"]
    (folder / "case-0000001" / "case.json").unlink()
    gone = folder / f".writing-case-0000001-{2**22 + 7}"
    gone.mkdir()
    assert [o.state for o in write_cases(folder, cases, **SMALL)] == ["written", "kept"]
    assert asked == [1]
    assert digests(folder) == before
    assert not gone.exists()


def test_a_case_that_another_call_finishes_meanwhile_is_kept_whole(tmp_path, monkeypatch):
    case, home = small("NORMAL", 4), tmp_path / "case"
    make = case_files.make_case

    def slowly(*args, **more):
        # While this one is drawn, another process starts and ends.
        monkeypatch.setattr(case_files, "make_case", make)
        monkeypatch.setattr(case_files.os, "getpid", lambda: 1)
        write_case(case, home, **SMALL)
        monkeypatch.undo()
        return make(*args, **more)

    monkeypatch.setattr(case_files, "make_case", slowly)
    record = write_case(case, home, **SMALL)
    assert record == json.loads((home / "case.json").read_text())
    assert [path.name for path in tmp_path.iterdir()] == ["case"]


def test_the_table_has_a_row_for_each_whole_case(written):
    folder, cases, _ = written
    with (folder / "cases.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["seed"] for row in rows] == ["1", "2"]
    assert [row["disease"] for row in rows] == ["NORMAL", "CAP"]
    assert rows[1]["findings"].split() == list(cases[1].findings)
    assert float(rows[0]["lungs_ml"]) > 1500.0


def test_one_bad_case_does_not_stop_the_others(tmp_path, monkeypatch):
    def write(case, home, *, matrix):
        if case.seed == 3:
            raise MemoryError
        home.mkdir(parents=True)
        (home / "case.json").write_text("{}")

    monkeypatch.setattr(cohort, "write_case", write)
    monkeypatch.setattr(cohort, "row_of", lambda key, record: {"case": key, **record})
    told = []
    outcomes = write_cases(
        tmp_path / "made",
        [draw_case("COP", seed) for seed in (2, 3, 4)],
        tell=lambda done, total, outcome: told.append((done, total, outcome.key)),
    )
    assert [o.state for o in outcomes] == ["written", "failed", "written"]
    assert "MemoryError" in outcomes[1].summary
    assert told == [(1, 3, "case-0000002"), (2, 3, "case-0000003"), (3, 3, "case-0000004")]


def test_a_folder_with_other_things_is_refused(tmp_path):
    (tmp_path / "thesis.pdf").write_text("text")
    with pytest.raises(UsageError, match="thesis"):
        write_cases(tmp_path, [draw_case("COP", 1)])
    with pytest.raises(OutputError, match="already holds files"):
        write_case(draw_case("COP", 1), tmp_path)


def test_two_cases_of_one_seed_are_refused(tmp_path):
    with pytest.raises(UsageError, match="same seed"):
        write_cases(tmp_path / "made", [draw_case("COP", 1), draw_case("CEP", 1)])


def test_a_plan_counts_seeds_up_and_keeps_to_the_diseases_asked_for():
    cases = plan_cases(30, 100, diseases=("COP", "CEP"), step_mm=2.5)
    assert [case.seed for case in cases] == list(range(100, 130))
    assert {case.disease for case in cases} == {"COP", "CEP"}
    assert {case.scanner.step_mm for case in cases} == {2.5}
    assert plan_cases(3, 5)[1] == plan_cases(1, 6)[0]


def test_thinner_slices_of_the_same_dose_are_noisier():
    case = draw_case("COP", 3)
    thick, thin = case.with_slices(4.0), case.with_slices(1.0)
    assert thin.scanner.noise_hu == pytest.approx(2.0 * thick.scanner.noise_hu, rel=0.02)
