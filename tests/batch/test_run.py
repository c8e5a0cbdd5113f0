"""Many series: one bad one costs only itself, and a second call goes on where the first stopped."""

import csv
import json
from pathlib import Path

import pytest

from cop_imaging import errors
from cop_imaging.batch import Item, run, run_batch
from cop_imaging.pipeline import Config


class Line:
    """Stands in for the line of stages: remembers what it was asked for, fails where it is told to."""

    def __init__(self) -> None:
        self.faults: dict[str, BaseException] = {}
        self.seen: list[str] = []

    def analyze(self, source, **_):
        name = Path(source).name
        self.seen.append(name)
        if name in self.faults:
            raise self.faults[name]
        return Analysis(name)


class Analysis:
    """As much of a result as a batch touches."""

    def __init__(self, name: str) -> None:
        self.name = name

    def save(self, folder, *, masks, overwrite):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "features.csv").write_text(f"case,status,bands.volume_ml\ncase-{self.name},ok,1.5\n")
        if masks:
            (folder / "masks").mkdir(exist_ok=True)
        (folder / "report.json").write_text("{}")


@pytest.fixture
def items():
    return [Item(f"key{n}", f"patient{n}/ct", Path(f"root/series{n}"), f"basis{n}") for n in range(3)]


@pytest.fixture
def line(monkeypatch, items):
    stand_in = Line()
    monkeypatch.setattr(run, "analyze", stand_in.analyze)
    monkeypatch.setattr(run, "plan_series", lambda root, config: items)
    return stand_in


@pytest.fixture
def call(tmp_path):
    def go(**options):
        return run_batch(tmp_path / "root", tmp_path / "out", config=Config(), **options)

    return go


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_every_series_gets_a_folder_and_a_row(line, call, tmp_path):
    result = call()
    assert result.summary == "3 series: 3 analyzed, 0 kept, 0 failed"
    assert [row["key"] for row in table(tmp_path / "out/features.csv")] == ["key0", "key1", "key2"]
    assert table(tmp_path / "out/features.csv")[1] == {
        "key": "key1",
        "case": "case-series1",
        "status": "ok",
        "bands.volume_ml": "1.5",
    }
    assert (tmp_path / "out/series/key2/report.json").exists()
    assert table(tmp_path / "out/failures.csv") == []


def test_a_bad_series_is_listed_with_its_reason_and_the_others_go_on(line, call, tmp_path):
    line.faults["series0"] = errors.SeriesError("2 slices are no volume", code="slices.too_few")
    line.faults["series1"] = ZeroDivisionError("DOE^JANE")
    result = call()
    assert result.failed == 2
    assert [row["key"] for row in table(tmp_path / "out/features.csv")] == ["key2"]
    refused, bug = table(tmp_path / "out/failures.csv")
    assert refused == {
        "key": "key0",
        "where": "patient0/ct",
        "exit_code": "3",
        "reason": "slices.too_few",
        "message": "2 slices are no volume",
    }
    assert (bug["exit_code"], bug["reason"]) == ("1", "bug")
    assert "ZeroDivisionError" in bug["message"]
    assert "DOE" not in bug["message"]


def test_a_second_call_keeps_what_is_done_and_tries_again_what_failed(line, call, tmp_path):
    line.faults["series1"] = errors.SeriesError("2 slices are no volume")
    call()
    line.seen.clear()
    line.faults.clear()
    result = call()
    assert line.seen == ["series1"]
    assert result.summary == "3 series: 1 analyzed, 2 kept, 0 failed"
    assert [row["key"] for row in table(tmp_path / "out/features.csv")] == ["key0", "key1", "key2"]


def test_other_files_settings_or_versions_make_a_new_result(line, call, items):
    call()
    line.seen.clear()
    items[1] = Item("key1", "patient1/ct", Path("root/series1"), "another basis")
    call()
    assert line.seen == ["series1"]


@pytest.mark.parametrize("lost", ["report.json", "features.csv"])
def test_a_result_that_is_not_whole_is_made_again(line, call, tmp_path, lost):
    call()
    line.seen.clear()
    (tmp_path / "out/series/key2" / lost).unlink()
    call()
    assert line.seen == ["series2"]


def test_masks_that_are_wanted_later_are_made(line, call):
    call()
    line.seen.clear()
    call(masks=True)
    assert len(line.seen) == 3
    line.seen.clear()
    call()
    call(masks=True)
    assert line.seen == []


def test_overwrite_does_everything_again(line, call):
    call()
    line.seen.clear()
    assert call(overwrite=True).count("analyzed") == 3


def test_an_interruption_leaves_whole_tables_and_the_next_call_goes_on(line, call, tmp_path):
    line.faults["series1"] = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        call()
    assert [row["key"] for row in table(tmp_path / "out/features.csv")] == ["key0"]
    assert [row["state"] for row in table(tmp_path / "out/series.csv")] == ["analyzed", "not reached", "not reached"]
    line.faults.clear()
    line.seen.clear()
    assert call().summary == "3 series: 2 analyzed, 1 kept, 0 failed"
    assert line.seen == ["series1", "series2"]


def test_a_line_torn_by_a_crash_costs_at_most_its_own_series(line, call, tmp_path):
    call()
    log = tmp_path / "out/log.jsonl"
    log.write_text(log.read_text()[:-9])
    line.seen.clear()
    call()
    assert line.seen == ["series2"]
    line.seen.clear()
    call()
    assert line.seen == []


@pytest.mark.parametrize(
    "error", [errors.ModelError("damaged"), errors.OutputError("no space"), errors.ConfigError("x")]
)
def test_what_every_series_would_meet_ends_the_batch(line, call, error):
    line.faults["series1"] = error
    with pytest.raises(type(error)):
        call()
    assert line.seen == ["series0", "series1"]


def test_the_shareable_files_name_no_folder_of_the_source(line, call, tmp_path):
    line.faults["series1"] = errors.SeriesError("2 slices are no volume", code="slices.too_few")
    call()
    for name in ("log.jsonl", "features.csv"):
        assert "patient" not in (tmp_path / "out" / name).read_text()
    events = [json.loads(text) for text in (tmp_path / "out/log.jsonl").read_text().splitlines()]
    assert [event["event"] for event in events] == ["analyzed", "failed", "analyzed"]
    assert events[1]["reason"] == "slices.too_few"


def test_a_folder_of_other_things_is_refused_and_left_alone(line, call, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/thesis.txt").write_text("years of work")
    with pytest.raises(errors.UsageError, match=r"thesis\.txt"):
        call(overwrite=True)
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["thesis.txt"]


def test_a_file_in_place_of_the_folder_is_told(line, call, tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(errors.OutputError, match="cannot be used"):
        call()


def test_a_root_without_series_is_an_error_and_leaves_nothing(line, call, items, tmp_path):
    items.clear()
    with pytest.raises(errors.SeriesError, match="no DICOM series"):
        call()
    assert not (tmp_path / "out").exists()


def test_progress_is_told_after_each_series(line, call):
    told = []
    call(tell=lambda done, total, outcome: told.append((done, total, outcome.key, outcome.state)))
    assert told == [(n + 1, 3, f"key{n}", "analyzed") for n in range(3)]
