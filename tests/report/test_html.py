"""report.html: one file, well formed, readable without eyes, silent towards the network."""

import dataclasses
import itertools
import re
from collections import Counter
from html.parser import HTMLParser

import pytest

from cop_imaging.core import Presence, Status
from cop_imaging.core.report import RESEARCH_USE
from cop_imaging.report import draw_pictures, report_html

VOID = {"meta", "link", "br", "img", "input", "hr"}
SVG_LEAVES = {"path", "rect", "line", "circle", "image"}


class Page(HTMLParser):
    """Every element with its attributes; an unbalanced tag is an error."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.open, self.words = [], [], []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        assert tag in VOID | SVG_LEAVES
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self):
        return re.sub(r"\s+", " ", "".join(self.words))

    def all(self, tag):
        return [attrs for name, attrs in self.elements if name == tag]


@pytest.fixture(scope="module")
def html(analysis):
    return report_html(analysis.report, draw_pictures(analysis), {"consolidation.volume_ml": "volume of it"})


@pytest.fixture(scope="module")
def page(html):
    return Page(html)


def test_the_page_asks_nothing_of_any_host_and_runs_nothing(html, page):
    for _, attrs in page.elements:
        for name in ("src", "href", "srcset", "action", "data", "poster"):
            assert re.match(r"(#|data:|$)", attrs.get(name, ""))
        assert not [name for name in attrs if name.startswith("on")]
    assert not page.all("script")
    assert "url(" not in html
    assert "@import" not in html
    assert page.all("meta")[2]["content"].startswith("default-src 'none'")


def test_every_picture_has_words(page):
    assert all(attrs.get("alt") for attrs in page.all("img"))
    for attrs in page.all("svg"):
        assert attrs.get("aria-label") if attrs.get("role") == "img" else attrs.get("aria-hidden") == "true"
    pictures = [a["aria-label"] for a in page.all("svg") if a.get("role") == "img"]
    slices = [label for label in pictures if "CT slice" in label]
    assert len(slices) == 6 + 1 + 2
    assert all("patient's right on the left" in label for label in slices)
    assert len(pictures) - len(slices) == 2 + 2
    assert sum("Consolidation (vermilion, solid)" in label for label in pictures) >= 2


def test_headings_go_down_one_step_at_a_time(page):
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch(r"h\d", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(b - a <= 1 for a, b in itertools.pairwise(levels))


def test_the_keyboard_reaches_the_report_and_every_wide_table(page):
    assert next(a for t, a in page.elements if t == "a") == {"class": "skip", "href": "#content"}
    ids = Counter(a["id"] for _, a in page.elements if "id" in a)
    assert set(ids.values()) == {1}
    assert {a["href"][1:] for a in page.all("a")} | {a["aria-labelledby"] for a in page.all("section")} <= set(ids)
    regions = [a for a in page.all("div") if a.get("role") == "region"]
    assert regions
    assert all(a["tabindex"] == "0" and a["aria-label"] for a in regions)
    assert len(page.all("details")) == len(page.all("summary")) == 4


def test_sections_come_in_reading_order(page):
    order = [a["aria-labelledby"] for a in page.all("section")]
    assert order == [
        "likelihood", "findings", "pictures", "lesions", "distribution", "anatomy", "quality", "methods", "provenance",
    ]  # fmt: skip
    assert page.text.index(RESEARCH_USE) < page.text.index("Some results can be trusted less") < page.text.index("67")


def test_the_likelihood_shows_estimate_band_prior_terms_and_their_sum(page):
    text = page.text.replace("\N{NARROW NO-BREAK SPACE}", " ")
    for part in (
        "67 %",
        "band 45 % to 82 %",
        "before looking 12 %",
        "+2.40",
        "−0.60",
        "Sum",
        "+0.70",
        "no patient data",
    ):
        assert part in text
    assert "Unlike what the classifier knows" not in text


def test_values_outside_the_training_are_said(analysis):
    odd = analysis.report.likelihood.model_copy(update={"out_of_distribution": True, "status": "limited"})
    text = Page(report_html(analysis.report.model_copy(update={"likelihood": odd}))).text
    assert "Unlike what the classifier knows" in text
    assert "Limited." in text


def test_a_series_that_is_not_assessable_says_why_and_gives_no_number(refused):
    text = Page(report_html(refused.report, draw_pictures(refused))).text
    assert "No lungs were found." in text
    assert "No likelihood is given: the series is not assessable" in text
    assert "What argues for" not in text
    # The remark that would have limited it did not decide the status.
    assert "Slices are 2.5 mm thick" not in text.partition("Likelihood")[0]


def test_sizes_in_a_doubtful_lung_mask_read_as_lower_bounds(analysis):
    first, *rest = analysis.report.findings
    doubted = analysis.report.model_copy(update={"findings": (first.model_copy(update={"lower_bounds": True}), *rest)})
    before, after = (
        Page(report_html(r)).text.replace("\N{NARROW NO-BREAK SPACE}", " ") for r in (analysis.report, doubted)
    )
    assert "≥" not in before
    assert "volume ≥ 1.5 ml [1.2–1.9]" in after
    assert "≥: lower bound, since the lung mask is doubtful" in after


def test_a_missing_sign_shows_its_reason_and_no_zero(analysis):
    html = report_html(analysis.report)
    row = re.search(r"<tr class=\"not_assessable\">.*?</tr>", html, re.S)[0]
    assert "slices of 5 mm hide thin structures" in row
    assert "0.00" not in row


def test_values_stand_with_units_and_intervals(page):
    text = page.text.replace("\N{NARROW NO-BREAK SPACE}", " ")
    assert "volume 1.5 ml [1.2–1.9]" in text
    assert "Mean, HU" in text or "mean, HU" in text
    assert "rim 3.4 mm; shape round" in text
    assert "volume of it" in text


@pytest.mark.parametrize("field", ["kernel", "manufacturer", "scanner", "patient_position", "sex"])
def test_hostile_header_fields_stay_text(make_analysis, field):
    hostile = "<script>alert(1)</script>\"'><img src=http://example.org/x>"
    html = report_html(make_analysis(**{field: hostile}).report)
    page = Page(html)
    assert not page.all("script")
    assert not page.all("img")
    assert hostile in page.text


def test_hostile_messages_and_titles_stay_text(analysis):
    hostile = "</style></svg><script>1</script>"
    report = analysis.report
    findings = tuple(f.model_copy(update={"title": hostile, "reason": hostile}) for f in report.findings)
    issues = tuple(i.model_copy(update={"message": hostile, "code": hostile}) for i in report.issues)
    changed = report.model_copy(update={"findings": findings, "issues": issues, "case": hostile, "methods": hostile})
    html = report_html(changed, draw_pictures(dataclasses.replace(analysis, report=changed)))
    assert not Page(html).all("script")


def test_a_report_without_pictures_says_so(analysis):
    page = Page(report_html(analysis.report))
    assert "No pictures were drawn" in page.text


def test_a_clean_scan_has_no_lesions_and_nothing_to_remark(analysis):
    findings = tuple(
        f.model_copy(update={"presence": Presence.ABSENT, "lesions": ()}) for f in analysis.report.findings
    )
    report = analysis.report.model_copy(update={"findings": findings, "issues": (), "status": Status.OK})
    text = Page(report_html(report)).text
    for part in ("No lesions were found.", "Nothing to remark.", "No sign with a measured distribution", "Complete"):
        assert part in text


def test_a_long_lesion_table_is_cut_and_says_so(analysis):
    first, *rest = analysis.report.findings
    many = first.model_copy(update={"lesions": first.lesions * 55})
    html = report_html(analysis.report.model_copy(update={"findings": (many, *rest)}))
    assert "49 more, smaller or told apart as something else, are listed in report.json" in html
    assert html.count("shape round") == 6


def test_what_a_sign_tells_apart_is_no_lesion_of_it(analysis):
    first, *rest = analysis.report.findings
    other = first.lesions[0].model_copy(update={"details": {"kind": "no consolidation: vessel"}, "volume_ml": 99.0})
    changed = first.model_copy(update={"lesions": (other, *first.lesions)})
    html = report_html(analysis.report.model_copy(update={"findings": (changed, *rest)}))
    assert "no consolidation: vessel" not in html
    assert "shape round" in html


def test_found_signs_come_first_and_absent_ones_are_folded(analysis):
    order = [Presence.ABSENT, Presence.NOT_ASSESSABLE, Presence.POSSIBLE, Presence.PRESENT, Presence.ABSENT]
    findings = tuple(
        f.model_copy(update={"presence": p, "title": f"Sign {n}", "lesions": ()})
        for n, (f, p) in enumerate(zip(analysis.report.findings, order, strict=True))
    )
    html = report_html(analysis.report.model_copy(update={"findings": findings}))
    section = html.partition('<h2 id="findings">')[2].partition("All measures")[0]
    assert re.findall(r"<th scope=\"row\"[^>]*>(Sign \d)</th>", section) == [f"Sign {n}" for n in (3, 2, 1, 0, 4)]
    folded = section.partition("<details>")[2]
    assert "Looked for and absent: 2 signs" in folded
    assert "Sign 1" not in folded


def test_thirty_signs_that_are_absent_take_one_line(analysis):
    absent = [f.model_copy(update={"presence": Presence.ABSENT, "lesions": ()}) for f in analysis.report.findings]
    many = tuple(f.model_copy(update={"sign": f"sign_{n}"}) for n, f in enumerate(absent * 6))
    text = Page(report_html(analysis.report.model_copy(update={"findings": many}))).text
    assert "Looked for and absent: 30 signs" in text
    assert "No sign was found." in text


def test_the_notebook_shows_a_fragment_that_cannot_restyle_the_page(analysis):
    fragment = analysis._repr_html_()
    page = Page(fragment)
    assert not {"html", "body", "head"} & {tag for tag, _ in page.elements}
    rules = re.sub(r"@(media|page)[^{]*\{", "", re.search(r"<style>(.*?)</style>", fragment, re.S)[1])
    selectors = [s for rule in re.findall(r"([^{}]+)\{", rules) for s in rule.split(",")]
    assert all(s.strip().startswith(".cop") for s in selectors)
    assert not [a for _, a in page.elements if "id" in a]
