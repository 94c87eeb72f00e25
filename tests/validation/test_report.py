import dataclasses
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solvable.analytic.errors import InputError
from solvable.validation.experiments.evaluate import evaluate
from solvable.validation.report import (
    COLUMNS,
    ReportRow,
    check_path,
    experiment_row,
    render,
    versions,
    write,
)
from solvable.validation.sweep import sweep
from tests.validation import synthetic_experiments as synthetic

VOID = {"meta", "br", "link", "img"}
HOSTILE = "<script>alert('x')</script> & \"quotes\" | pipe `code` *bold* [link](http://x) \n new"


class Page(HTMLParser):
    """Checks that tags are balanced; collects the text and every attribute."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.attributes, self.text = [], [], [], ""
        self.feed(text)
        assert not self.open, f"not closed: {self.open}"

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def row(**changes):
    plain = ReportRow(
        "name", "experiment", "claim", "source", "1.0", "1.01 ± 0.02", "[0.9, 1.1]", "pass",
        "message", "12", "N = 3", (("series", "1", "2", "3", "4", "5", "6"),),
    )  # fmt: skip
    return dataclasses.replace(plain, **changes)


@pytest.fixture(scope="module")
def rows():
    return [experiment_row(evaluate(e, sweep)) for e in synthetic.EXPERIMENTS.values()]


def test_a_row_holds_theory_simulation_interval_verdict_seeds_and_sizes(rows):
    for found in rows:
        assert re.search(r"\d", found.theory) and " ± " in found.simulation
        assert "z = " in found.interval and found.seeds == "40, root 0"
        assert "N = 100" in found.sizes and "scales 0.5 and 1" in found.sizes
    assert [found.outcome for found in rows] == ["pass", "fail", "undecided", "undecided"]


@pytest.mark.parametrize("suffix", [".html", ".md"])
def test_every_claim_and_version_is_in_the_report(rows, suffix):
    text = render(suffix, rows)
    for found in rows:
        assert found.name in text
    for name, number in versions().items():
        assert name.split(" ")[0] in text and number.split("_")[0] in text
    assert "4 claims: 1 passed, 1 failed, 2 undecided" in text


def test_html_is_balanced_and_needs_no_other_file(rows):
    page = Page(render(".html", rows))
    assert not {"script", "link", "img", "iframe"} & set(page.tags)
    addresses = [value for name, value in page.attributes if name in ("src", "href")]
    ids = {value for name, value in page.attributes if name == "id"}
    assert addresses and all(value[0] == "#" and value[1:] in ids for value in addresses)
    assert not re.search(r"url\(|@import|http", render(".html", rows))
    assert all(column in page.text for column in COLUMNS)


@pytest.mark.slow
@given(st.text(), st.text())
def test_no_text_becomes_markup(name, message):
    text = render(".html", [row(name=name + HOSTILE, message=message, claim=HOSTILE,
                                outcome="pass", details=((HOSTILE,) * 7,))])  # fmt: skip
    page = Page(text)
    assert "script" not in page.tags and "alert('x')" in page.text


@given(st.text(alphabet=st.characters(exclude_categories=("Cs",))))
def test_markdown_tables_keep_their_columns(text):
    lines = render(".md", [row(name=text + HOSTILE, claim=text, message=HOSTILE + text)])
    tables = [line for line in lines.split("\n") if line.startswith("|")]
    widths = {len(re.findall(r"(?<!\\)\|", line.replace(r"\\", ""))) for line in tables}
    assert widths == {len(COLUMNS) + 1}
    assert "<script>" not in lines


def test_writing(tmp_path, rows):
    write(tmp_path / "report.html", rows)
    assert (tmp_path / "report.html").read_text().startswith("<!doctype html>")
    write(tmp_path / "report.md", rows)
    assert (tmp_path / "report.md").read_text().startswith("# Checked claims")


@pytest.mark.parametrize("name", ["report.pdf", "report", "missing/report.md", "folder.html"])
def test_a_report_that_cannot_be_written_is_refused_beforehand(tmp_path, name):
    (tmp_path / "folder.html").mkdir()
    with pytest.raises(InputError, match="report = "):
        check_path(tmp_path / name)
