"""The plan: what is wanted and what is left out is counted, nothing identifies anybody, days are offsets."""

import contextlib
import sqlite3

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cop_imaging import errors
from cop_imaging.archive import FolderSource
from cop_imaging.batch import Settings, Wanted, run_batch
from cop_imaging.batch.plan import PLANNED, make_plan, read_plan
from cop_imaging.ingest import IngestConfig
from cop_imaging.ingest.listing import LISTED
from cop_imaging.pipeline import Config


@pytest.fixture
def plan(tmp_path):
    """Plans the archive; the plan, and its rows by folder."""
    (tmp_path / "run").mkdir()

    def make(case_key=None, **wanted):
        source = FolderSource(tmp_path / "archive")
        made = make_plan(source, tmp_path / "run", IngestConfig(), Wanted(**wanted), case_key=case_key)
        return made, {row["folder"]: row for row in made.rows()}

    return make


@pytest.mark.parametrize(
    ("wanted", "elements", "reason"),
    [
        ({"modality": "ct"}, {"Modality": "MR"}, "modality"),
        ({"description": "*LUNG*"}, {"SeriesDescription": "Abdomen"}, "description"),
        ({"description": "*lung*"}, {"SeriesDescription": ""}, "description"),
        ({"dates": ("20200101", "20200301")}, {"StudyDate": "20200302"}, "date"),
        ({"dates": ("20200301", "20211231")}, {"StudyDate": "20200229"}, "date"),
        ({"dates": ("20200101", "20200301")}, {"StudyDate": ""}, "date"),
    ],
)
def test_what_is_not_wanted_is_left_out_and_counted_under_its_condition(series, plan, wanted, elements, reason):
    series("wanted")
    series("other", **elements)
    made, rows = plan(**wanted)
    assert set(rows) == {"wanted"}
    assert (made.series, made.left_out) == (1, {reason: 1})


def test_slices_that_are_too_thick_or_of_unknown_thickness_are_left_out(write, plan):
    for uid, thickness in enumerate(("3.0", "3.5", "")):
        write(f"archive/{uid}", uid=str(uid), edit=lambda h, n, mm=thickness: setattr(h, "SliceThickness", mm))
    made, rows = plan(thickness_mm=(1.0, 3.0))
    assert set(rows) == {"0"}
    assert made.left_out == {"thickness": 2}


def test_without_filters_everything_is_planned(series, plan):
    for name, modality in (("ct", "CT"), ("mr", "MR"), ("pet", "PT")):
        series(name, Modality=modality)
    made, rows = plan()
    assert set(rows) == {"ct", "mr", "pet"}
    assert made.left_out == {}


def test_of_each_study_the_best_usable_series_is_planned(write, plan):
    def of(study, **elements):
        return lambda h, n: [setattr(h, k, v) for k, v in ({"StudyInstanceUID": study} | elements).items()]

    write("archive/a/thick", uid="1", count=20, step_mm=6.0, edit=of("1.2.1"))
    write("archive/a/thin", uid="2", edit=of("1.2.1"))
    write("archive/b/only", uid="3", edit=of("1.2.2"))
    made, rows = plan(one_per_study=True)
    assert set(rows) == {"a/thin", "b/only"}
    assert made.left_out == {"not the best of its study": 1}


def test_of_a_study_without_a_usable_series_one_is_planned_so_that_somebody_hears_of_it(series, plan):
    for name, modality in (("report", "SR"), ("few", "CT"), ("pet", "PT")):
        series(name, StudyInstanceUID="1.2.1", Modality=modality)
    made, rows = plan(one_per_study=True)
    assert set(rows) == {"few"}
    assert made.left_out == {"not the best of its study": 2}


def test_a_series_that_is_named_twice_is_planned_once(plan, series, monkeypatch, tmp_path):
    series("a")
    write_list = FolderSource.write_list

    def twice(source, out, config, **more):
        write_list(source, out, config, **more)
        rows = pq.read_table(out).to_pylist()
        pq.write_table(pa.Table.from_pylist(rows + [row | {"study": "other"} for row in rows], schema=LISTED), out)

    monkeypatch.setattr(FolderSource, "write_list", twice)
    made, rows = plan()
    assert (made.series, len(rows), made.left_out) == (1, 1, {"the same in another study": 1})


def test_damaged_files_are_planned_whatever_is_wanted(series, plan, tmp_path):
    folder = series("damaged")
    for path in folder.iterdir():
        path.write_bytes(path.read_bytes()[:200])
    series("other", Modality="MR")
    _, rows = plan(modality="CT", thickness_mm=(0.5, 1.0), description="*lung*", dates=("20200101", "20201231"))
    assert {name: row["code"] for name, row in rows.items()} == {"damaged": "source.damaged"}


def test_series_of_one_patient_are_numbered_by_days_since_the_first(series, plan):
    series("first", StudyDate="20191231")
    series("second", StudyDate="20200301")
    series("other", StudyDate="20200601", PatientID="ROE-8")
    _, rows = plan(b"secret")
    assert {name: row["day"] for name, row in rows.items()} == {"first": 0, "second": 61, "other": 0}
    assert rows["first"]["patient"] == rows["second"]["patient"] != rows["other"]["patient"]


def test_the_day_counts_from_the_first_series_even_if_that_is_left_out(series, plan):
    series("first", StudyDate="20191231", Modality="MR")
    series("second", StudyDate="20200301")
    assert plan(b"secret", modality="CT")[1]["second"]["day"] == 61


@pytest.mark.parametrize("date", ["", "20200230", "99999999", "2020", "yesterday"])
@pytest.mark.filterwarnings("ignore:Invalid value for VR DA")
def test_a_date_that_is_none_gives_no_day_and_harms_no_other(series, plan, date):
    series("known", StudyDate="20200301")
    series("unknown", StudyDate=date)
    _, rows = plan(b"secret")
    assert {name: row["day"] for name, row in rows.items()} == {"known": 0, "unknown": None}


def test_without_a_key_nobody_is_told_apart(series, plan):
    series("a")
    assert {name: plan()[1]["a"][name] for name in ("patient", "day")} == {"patient": None, "day": None}


def test_another_key_gives_another_hash(series, plan):
    series("a")
    assert plan(b"secret")[1]["a"]["patient"] != plan(b"another")[1]["a"]["patient"]


def test_the_columns_of_a_plan_hold_neither_text_nor_dates_of_headers(series, plan, tmp_path):
    series("a")
    plan(b"secret")
    schema = pq.read_schema(tmp_path / "run/plan.parquet")
    assert schema.names == PLANNED.names
    assert not {"description", "date"} & set(schema.names)


SECRETS = (b"DOE-7", b"Doe^Jane", b"20200301", b"2020-03-01", b"Thorax of Jane", b"General Hospital", b"19610203")


def test_names_dates_and_descriptions_are_in_no_file_of_a_run(series, call, tmp_path):
    told = {
        "PatientName": "Doe^Jane",
        "SeriesDescription": "Thorax of Jane",
        "InstitutionName": "General Hospital",
        "PatientBirthDate": "19610203",
    }
    for name in ("a", "bad", "crash"):
        series(name, **told)
    call(case_key=b"secret")
    run = tmp_path / "run"
    pq.write_table(pq.read_table(run / "plan.parquet").drop_columns(["paths"]), tmp_path / "plan", compression="none")
    pq.write_table(pq.read_table(run / "features.parquet"), tmp_path / "features", compression="none")
    with contextlib.closing(sqlite3.connect(run / "ledger.sqlite")) as database:
        (tmp_path / "ledger").write_text("\n".join(database.iterdump()))
    files = [p for p in run.rglob("*") if p.is_file()] + [tmp_path / n for n in ("plan", "features", "ledger")]
    assert {p.name for p in files} >= {"summary.html", "masks.html", "failures.csv", "ledger.sqlite"}
    assert {p.name: s for p in files for s in SECRETS if s in p.read_bytes()} == {}


def test_the_key_of_the_case_is_in_no_file_of_a_run(series, call, tmp_path):
    series("a")
    call(case_key=b"correct horse battery")
    assert [p for p in (tmp_path / "run").rglob("*") if p.is_file() and b"correct horse" in p.read_bytes()] == []


def test_a_run_is_never_continued_over_another_source(series, call, tmp_path):
    series("a")
    call()
    (tmp_path / "archive").rename(tmp_path / "elsewhere")
    (tmp_path / "archive").symlink_to(tmp_path / "elsewhere")
    call()
    made = read_plan(tmp_path / "run/plan.parquet")
    assert made.source == str(tmp_path / "archive")
    with pytest.raises(errors.UsageError, match=r"is a run over .*archive, not over .*elsewhere"):
        run_batch(FolderSource(tmp_path / "elsewhere"), tmp_path / "run", Config(), Settings())


def test_a_plan_of_another_source_is_refused(series, call, tmp_path):
    series("a")
    call(plan_only=True)
    path = tmp_path / "run/plan.parquet"
    table = pq.read_table(path)
    about = table.schema.metadata or pq.read_metadata(path).metadata
    other = {k: v.replace(str(tmp_path / "archive").encode(), b"/mnt/other") for k, v in about.items()}
    pq.write_table(table.replace_schema_metadata(other), tmp_path / "other.parquet")
    with pytest.raises(errors.UsageError, match="is a plan of /mnt/other, not of"):
        call(to=tmp_path / "second", plan=tmp_path / "other.parquet")


def test_other_filters_need_a_new_plan(series, call):
    series("a")
    series("b", Modality="MR")
    call()
    with pytest.raises(errors.UsageError, match="--replan"):
        call(wanted=Wanted(modality="CT"))
    call(wanted=Wanted(modality="CT"), replan=True)
    assert set(call.states()) == {"a"}


def test_filters_beside_a_plan_that_was_made_with_others_are_refused(series, call, tmp_path):
    series("a")
    call(plan_only=True, wanted=Wanted(modality="CT"))
    plan = tmp_path / "run/plan.parquet"
    with pytest.raises(errors.UsageError, match="other filters"):
        call(to=tmp_path / "part", plan=plan, wanted=Wanted(modality="CT", one_per_study=True))
    for wanted in (Wanted(), Wanted(modality="CT")):
        call(to=tmp_path / "part", plan=plan, wanted=wanted)
    assert len(call.table(tmp_path / "part")) == 1


def test_the_same_plan_given_again_makes_no_tables_anew(series, call, tmp_path):
    series("a")
    call(plan_only=True)
    call(to=tmp_path / "part", plan=tmp_path / "run/plan.parquet")
    made = (tmp_path / "part/features.parquet").stat().st_mtime_ns
    call(to=tmp_path / "part", plan=tmp_path / "run/plan.parquet")
    assert (tmp_path / "part/features.parquet").stat().st_mtime_ns == made


def test_planning_alone_works_on_nothing(series, call, tmp_path):
    series("a")
    assert call(plan_only=True).waiting == 1
    assert call.seen() == []
    assert read_plan(tmp_path / "run/plan.parquet").series == 1


def test_an_archive_that_is_not_mounted_leaves_the_plan_that_was_there(series, call, tmp_path):
    series("a")
    call()
    (tmp_path / "archive").rename(tmp_path / "away")
    (tmp_path / "archive").mkdir()
    with pytest.raises(errors.SeriesError, match="no series to plan"):
        call(replan=True)
    assert read_plan(tmp_path / "run/plan.parquet").series == 1


def test_if_nothing_is_wanted_it_says_what_was_left_out(series, plan):
    series("a", Modality="MR")
    with pytest.raises(errors.SeriesError, match="left out: 1 by modality") as error:
        plan(modality="CT")
    assert error.value.code == "source.empty"


def test_a_file_that_is_no_plan_is_said(tmp_path):
    (tmp_path / "plan.parquet").write_text("no table")
    with pytest.raises(errors.UsageError, match="is no plan of a run"):
        read_plan(tmp_path / "plan.parquet")


def test_a_part_of_the_plan_is_read_without_the_rest(series, plan):
    for name in "abc":
        series(name)
    made, rows = plan()
    order = [row["folder"] for row in made.rows()]
    assert [row["folder"] for row in made.rows(todo=[0, 1, 1])] == order[1:]
    assert [row["key"] for row in made.rows(["key"], todo=[1, 0, 0])] == [rows[order[0]]["key"]]
