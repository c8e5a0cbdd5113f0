"""Tables and pages of a run: a person's word on a mask counts, links lead somewhere, nothing is smuggled in."""

import csv
import json
import re
from html.parser import HTMLParser
from urllib.parse import unquote

import pytest

from cop_imaging import errors
from cop_imaging.batch import collect
from cop_imaging.batch.overview import MaskSeen, Overview
from cop_imaging.batch.pages import mask_pages


class Page(HTMLParser):
    """What a page links to, which elements it has, and the masks that it shows in order."""

    def __init__(self, path):
        super().__init__()
        self.links, self.tags, self.masks, self.text = [], [], [], ""
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        told = dict(attrs)
        self.tags.append(tag)
        self.links += [told[name] for name in ("href", "src") if told.get(name)]
        if "data-key" in told:
            self.masks.append(told["data-key"])

    def handle_data(self, data):
        self.text += f" {data} "


def dead_links(path):
    """Links of a page that lead to no file, or to no place in it."""
    ids = set(re.findall(r'id="([^"]+)"', path.read_text(encoding="utf-8")))
    links = Page(path).links
    assert links
    return [
        link
        for link in links
        if (link[1:] not in ids if link.startswith("#") else not (path.parent / unquote(link)).is_file())
    ]


@pytest.fixture
def review(tmp_path):
    """Writes the table of reviews of the run."""

    def write(*rows):
        (tmp_path / "run").mkdir(exist_ok=True)
        with (tmp_path / "run/reviews.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([("key", "verdict", "lungs", "note"), *rows])

    return write


def keys(call):
    return {row["case"]: key for key, row in call.table().items()}


def test_what_a_person_said_of_a_mask_stands_in_the_table(series, call, review, tmp_path):
    for name in ("a", "b", "c"):
        series(name)
    call()
    key = keys(call)
    review((key["a"], "accepted", "", ""), (key["b"], "Rejected", "", "apex cut off"), ("0" * 16, "accepted", "", ""))
    collect([tmp_path / "run"], tmp_path / "run")
    assert {row["case"]: row["mask_review"] for row in call.table().values()} == {
        "a": "accepted",
        "b": "rejected",
        "c": None,
    }


def test_a_corrected_mask_makes_that_one_series_be_done_again_on_it(series, call, review, tmp_path):
    for name in ("a", "b"):
        series(name)
    call()
    before = {row["case"]: row["method"] for row in call.table().values()}
    call.seen()
    (tmp_path / "run/mine").mkdir()
    (tmp_path / "run/mine/b.nii.gz").write_text("first")
    review((keys(call)["b"], "", "mine/b.nii.gz", ""))
    call()
    assert call.seen() == ["b on b.nii.gz"]
    assert "1 series are done again: lung mask corrected" in call.said
    after = {row["case"]: row["method"] for row in call.table().values()}
    assert after["a"] == before["a"]
    assert after["b"] != before["b"]
    call()
    assert call.seen() == []
    (tmp_path / "run/mine/b.nii.gz").write_text("second")
    call()
    assert call.seen() == ["b on b.nii.gz"]


def test_a_correction_that_is_taken_back_makes_the_series_be_done_without_it(series, call, review, tmp_path):
    series("a")
    call()
    (tmp_path / "run/a.nii.gz").write_text("mask")
    review((keys(call)["a"], "", "a.nii.gz", ""))
    call()
    call.seen()
    (tmp_path / "run/reviews.csv").unlink()
    call()
    assert call.seen() == ["a"]


def test_the_page_of_masks_knows_the_table_so_that_saving_it_loses_nothing(series, call, review, tmp_path):
    for name in ("a", "b"):
        series(name)
    call()
    key = keys(call)
    (tmp_path / "run/a.nii.gz").write_text("mask")
    review((key["a"], "rejected", "a.nii.gz", 'apex, "left" </script>'), (key["b"], "accepted", "", ""))
    collect([tmp_path / "run"], tmp_path / "run")
    text = (tmp_path / "run/reviews.js").read_text(encoding="utf-8")
    said = json.loads(re.search(r"table = (.*);", text)[1])
    assert said == {
        key["a"]: ["rejected", "a.nii.gz", 'apex, "left" </script>'],
        key["b"]: ["accepted", "", ""],
    }
    assert '<script src="reviews.js">' in (tmp_path / "run/masks.html").read_text(encoding="utf-8")


def test_reviews_of_merged_parts_may_lie_with_the_merged_tables(series, call, tmp_path):
    series("a")
    call()
    (tmp_path / "merged").mkdir()
    (tmp_path / "merged/reviews.csv").write_text(f"key,verdict\n{keys(call)['a']},accepted\n")
    collect([tmp_path / "run"], tmp_path / "merged")
    assert [row["mask_review"] for row in call.table(tmp_path / "merged").values()] == ["accepted"]


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (("0123456789abcdef", "maybe", "", ""), "line 2: a key and a verdict .*'maybe'"),
        (("", "accepted", "", ""), "line 2: a key and a verdict"),
        (("0123456789abcdef", "", "lost.nii.gz", ""), r"line 2: there is no mask .*lost\.nii\.gz"),
    ],
)
def test_a_table_that_says_nothing_sensible_is_told_in_one_line(series, call, review, row, told):
    series("a")
    review(row)
    with pytest.raises(errors.UsageError, match=told) as error:
        call()
    assert "\n" not in str(error.value)
    assert call.seen() == []


def test_a_table_of_another_encoding_is_told_in_one_line(series, call, tmp_path):
    series("a")
    (tmp_path / "run").mkdir()
    (tmp_path / "run/reviews.csv").write_bytes("key,verdict,lungs,note\nx,accepted,,Lungenflügel".encode("latin-1"))
    with pytest.raises(errors.UsageError, match="cannot be read as a table"):
        call()


def test_a_table_that_a_spreadsheet_saved_is_read(series, call, tmp_path):
    series("a")
    call()
    text = f"\ufeffkey,verdict\r\n{keys(call)['a']},accepted\r\n"
    (tmp_path / "run/reviews.csv").write_bytes(text.encode())
    call()
    assert next(iter(call.table().values()))["mask_review"] == "accepted"


def test_the_most_doubtful_masks_come_first(series, call, tmp_path):
    for trust in ("0.9", "0.2", "0.7"):
        series(f"trust{trust}")
    call()
    shown = Page(tmp_path / "run/masks.html").masks
    assert [call.table()[key]["mask_trust"] for key in shown] == [0.2, 0.7, 0.9]


def test_a_page_holds_200_masks_and_names_the_others(tmp_path):
    overview = Overview("research", ("archive",))
    overview.masks = [MaskSeen(n / 450, f"{n:016x}", tmp_path / "run", (), True) for n in range(450)]
    (tmp_path / "scratch").mkdir()
    names = mask_pages(overview, {}, tmp_path / "scratch", tmp_path / "run")
    assert names == ["masks.html", "masks/page-2.html", "masks/page-3.html", "reviews.js"]
    pages = [Page(tmp_path / "scratch" / name) for name in names[:-1]]
    assert [len(page.masks) for page in pages] == [200, 200, 50]
    assert [key for page in pages for key in page.masks] == [f"{n:016x}" for n in range(450)]
    assert {"masks/page-2.html", "masks/page-3.html"} <= set(pages[0].links)
    assert {"../masks.html", "page-3.html", "../series/00000000000000c8/lungs.jpg"} <= set(pages[1].links)


def test_every_link_of_every_page_leads_to_a_file(series, call, tmp_path, monkeypatch):
    monkeypatch.setattr("cop_imaging.batch.pages.MASKS_PER_PAGE", 2)
    for name in ("a", "b", "c", "d", "e", "bad1", "bad2"):
        series(name)
    call()
    pages = sorted((tmp_path / "run").glob("*.html")) + sorted((tmp_path / "run/masks").iterdir())
    assert [page.name for page in pages] == ["masks.html", "summary.html", "page-2.html", "page-3.html"]
    assert {page.name: dead_links(page) for page in pages} == {page.name: [] for page in pages}


def test_without_reports_nothing_links_to_them(series, call, tmp_path):
    series("a")
    call(kept="features")
    assert dead_links(tmp_path / "run/masks.html") == []
    assert dead_links(tmp_path / "run/summary.html") == []


def test_pages_of_a_larger_run_go_when_it_gets_smaller(series, call, tmp_path, monkeypatch):
    monkeypatch.setattr("cop_imaging.batch.pages.MASKS_PER_PAGE", 1)
    series("a")
    folder = series("b")
    call()
    assert (tmp_path / "run/masks/page-2.html").exists()
    for path in folder.iterdir():
        path.unlink()
    call(replan=True)
    assert not (tmp_path / "run/masks").exists()


def test_pages_of_merged_parts_link_to_where_the_results_lie(series, call, tmp_path):
    for n in range(5):
        series(f"{n}")
    call(plan_only=True)
    parts = [tmp_path / "parts" / f"part {n}" for n in (1, 2)]
    for n, part in enumerate(parts, 1):
        call(to=part, shard=(n, 2), plan=tmp_path / "run/plan.parquet")
    (tmp_path / "merged").mkdir()
    overview = collect(parts, tmp_path / "merged")
    assert (overview.planned, dict(overview.states)) == (5, {"analyzed": 5})
    assert len(Page(tmp_path / "merged/masks.html").masks) == 5
    assert dead_links(tmp_path / "merged/masks.html") == []
    assert dead_links(tmp_path / "merged/summary.html") == []


@pytest.mark.parametrize("name", ["bad<script>alert(1)", 'bad"><img src=x onerror=alert(1)>', "bad&lt;b&gt;"])
def test_the_name_of_a_folder_is_text_and_nothing_else(series, call, tmp_path, name):
    series("bad")
    call()
    harmless = Page(tmp_path / "run/summary.html").tags
    series("bad").rename(tmp_path / "archive" / name)
    call(replan=True)
    page = Page(tmp_path / "run/summary.html")
    assert page.tags == harmless
    assert name in page.text


def test_the_summary_says_how_many_stand_how_and_why(series, call, tmp_path):
    for name in ("a", "b", "bad1", "bad2", "bad3"):
        series(name)
    call(limit=5)
    text = " ".join(Page(tmp_path / "run/summary.html").text.split())
    assert "5 series planned, 2 analyzed" in text
    assert "refused 3" in text
    assert "slices.too_few : 3" in text
    assert "2 slices are no volume" in text


def test_collecting_again_gives_the_same_bytes(series, call, tmp_path):
    for name in ("a", "b", "bad"):
        series(name)
    call()
    run = tmp_path / "run"
    names = ("features.parquet", "failures.csv", "summary.html", "masks.html")
    before = {name: (run / name).read_bytes() for name in names}
    collect([run], run)
    assert {name: (run / name).read_bytes() for name in names} == before


def test_a_folder_without_a_run_is_said(tmp_path):
    with pytest.raises(errors.UsageError, match=r"plan\.parquet is no plan"):
        collect([tmp_path], tmp_path)
