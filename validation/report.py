"""A report of checked claims: one row per claim, as HTML that needs no other file, or Markdown.

A row says what theory predicts, what the simulation gave, the interval, the verdict, the seeds and
the sizes, at the point of the claim where the two differ most in units of the error; the full
table of points follows. The head names the versions of everything that made the numbers. All
text is escaped: nothing in a name or a message can become markup.
"""

from __future__ import annotations

import html
import math
import platform
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from importlib import resources
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from solvable.analytic.errors import InputError

from .experiments.evaluate import Evidence
from .statistics import Estimate, bounds, percent
from .writing import check_writable, write_text

LIBRARIES = ("solvable", "numpy", "scipy", "sympy", "mpmath", "python-flint")
COLUMNS = ("claim", "theory", "simulation", "interval", "verdict", "seeds", "sizes")
SUFFIXES = (".html", ".md")


@dataclass(frozen=True)
class ReportRow:
    """One claim. ``name`` and ``outcome`` are set apart; ``details`` is a table of its points."""

    name: str
    kind: str
    claim: str
    source: str
    theory: str
    simulation: str
    interval: str
    outcome: str
    message: str
    seeds: str
    sizes: str
    details: tuple[tuple[str, ...], ...] = field(default=())


DETAILS = ("series", "x", "theory", "simulation", "ratio as s → ∞, simultaneous", "z", "seeds")


def versions() -> dict[str, str]:
    """Versions of Python, of the numerical libraries and of the BLAS."""
    found = {"Python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    try:
        from threadpoolctl import threadpool_info

        for library in threadpool_info():
            if library.get("user_api") == "blas":
                found[f"BLAS ({library['internal_api']})"] = str(library.get("version"))
    except ImportError:
        pass
    found["system"] = f"{platform.system()} {platform.machine()}"
    return found


def experiment_row(evidence: Evidence) -> ReportRow:
    """The row of an experiment: the tested point with the largest |z|, and all points."""
    experiment, (least, most), judged = evidence.experiment, evidence.seeds, evidence.judgement
    worst = evidence.worst()
    theory = simulation = interval = "facts only"
    if worst is not None and judged is not None:
        label, point = worst
        theory = f"{point.theory:.5g} ({label}, {experiment.axes.x} = {point.x:.4g})"
        simulation = plus_minus(point.simulated)
        low, high = point.interval or (math.nan, math.nan)
        between = f"{bounds((low, high), 1.0)} ({percent(judged.confidence)})"
        interval = f"simulation / theory as s → ∞ in {between}, z = {point.score:.2f}"
    details = [
        (
            series.label, f"{p.x:.4g}", f"{p.theory:.5g}", plus_minus(p.simulated),
            bounds(p.interval, 1.0) if p.interval else f"not tested: {p.untested}",
            f"{p.score:.2f}" if p.score is not None else "", str(p.seeds),
        )
        for series in evidence.series if series.shown for p in series.points
    ]  # fmt: skip
    details += [
        ("fact: " + fact.statement, "", fact.expected, f"{fact.observed:.6g}",
         f"{fact.outcome}: {fact.decided()}", "", "")
        for fact in evidence.facts
    ]  # fmt: skip
    message = ". ".join(filter(None, (evidence.message, evidence.uncovered())))
    return ReportRow(
        experiment.name, "experiment", experiment.claim, experiment.source, theory, simulation,
        interval, evidence.outcome, message,
        f"{_range(least, most)}, root {evidence.root_seed}",
        f"{evidence.parameters}; scales {evidence.scale / 2:g} and {evidence.scale:g}",
        tuple(details),
    )  # fmt: skip


def _range(least: int, most: int) -> str:
    return str(least) if least == most else f"{least} to {most}"


def plus_minus(number: Estimate) -> str:
    """Mean ± standard error.

    >>> plus_minus(Estimate(1.234567, 0.0123))
    '1.2346 ± 0.012'
    """
    return f"{number.mean:.5g} ± {number.error:.2g}"


def write(path: str | Path, rows: Sequence[ReportRow], title: str = "Checked claims") -> None:
    """Write the report; the suffix, .html or .md, chooses the form."""
    write_text(path, render(Path(path).suffix, rows, title), "--report")


def check_path(path: str | Path) -> None:
    """An error for a report that could not be written, before anything is computed."""
    path = Path(path)
    if path.suffix not in SUFFIXES:
        raise InputError("--report", path, f"a name that ends in {' or '.join(SUFFIXES)}")
    check_writable(path, "--report")


def render(suffix: str, rows: Sequence[ReportRow], title: str = "Checked claims") -> str:
    """The text of the report."""
    if suffix not in SUFFIXES:
        raise InputError("report", suffix, f"a name that ends in {' or '.join(SUFFIXES)}")
    return _html(rows, title) if suffix == ".html" else _markdown(rows, title)


def _summary(rows: Sequence[ReportRow]) -> str:
    outcomes = [row.outcome for row in rows]
    words = "1 claim" if len(rows) == 1 else f"{len(rows)} claims"
    passed, failed, open_ = (outcomes.count(word) for word in ("pass", "fail", "undecided"))
    return f"{words}: {passed} passed, {failed} failed, {open_} undecided"


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")


# ---- Markdown ----------------------------------------------------------------------------


def _markdown(rows: Sequence[ReportRow], title: str) -> str:
    lines = [f"# {_plain(title)}", "", f"{_summary(rows)}. {_now()}.", ""]
    lines += [", ".join(f"{_plain(k)} {_plain(v)}" for k, v in versions().items()), ""]
    lines += _table(COLUMNS, ([
        f"**{_plain(r.name)}** {_plain(r.claim)} ({_plain(r.source)})",
        *(_plain(x) for x in (r.theory, r.simulation, r.interval)),
        f"**{r.outcome}**: {_plain(r.message)}", _plain(r.seeds), _plain(r.sizes),
    ] for r in rows))  # fmt: skip
    for row in rows:
        if row.details:
            lines += ["", f"## {_plain(row.name)}", ""]
            lines += _table(DETAILS, ([_plain(x) for x in entry] for entry in row.details))
    return "\n".join(lines) + "\n"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    body = ["| " + " | ".join(row) + " |" for row in rows]
    return ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head), *body]


def _plain(text: str) -> str:
    r"""Text that Markdown shows as it is.

    >>> _plain("a|b <i>*c*")
    'a\\|b &lt;i&gt;\\*c\\*'
    """
    text = html.escape(" ".join(str(text).split()), quote=False)
    for character in "\\`*_[]|":
        text = text.replace(character, "\\" + character)
    return text


# ---- HTML --------------------------------------------------------------------------------


@cache
def page_css() -> str:
    """The style of every page: the book's and the report's."""
    return (resources.files(__package__) / "page.css").read_text(encoding="utf-8")


def _html(rows: Sequence[ReportRow], title: str) -> str:
    e = html.escape
    libraries = ", ".join(f"{e(k)} {e(v)}" for k, v in versions().items())
    contents = "".join(
        f'<li><a href="#{e(row.name)}">{e(row.name)}</a> '
        f'<span class="{_outcome(row)}">{e(row.outcome)}</span></li>'
        for row in rows
    )
    body = "".join(map(_html_row, rows))
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{e(title)}</title><style>{page_css()}</style></head>\n<body>"
        f'<header><h1>{e(title)}</h1><p class="lead">{e(_summary(rows))}. {e(_now())}.</p></header>'
        f'<nav aria-label="Claims"><ul>{contents}</ul></nav>\n<main>\n{body}'
        f"<p>Made with {libraries}.</p></main></body></html>\n"
    )


def _outcome(row: ReportRow) -> str:
    return row.outcome if row.outcome in ("pass", "fail", "undecided") else "undecided"


def _html_row(row: ReportRow) -> str:
    """One claim: what it says, the numbers, the verdict; its points folded below."""
    e = html.escape
    said = (row.theory, row.simulation, row.interval, row.seeds, row.sizes)
    names = ("theory", "simulation", "interval", "seeds", "sizes")
    facts = "".join(f"<dt>{name}</dt><dd>{e(text)}</dd>" for name, text in zip(names, said))
    return (
        f'<article id="{e(row.name)}"><h2>{e(row.name)}</h2><p>{e(row.claim)}</p>'
        f'<p class="source">{e(row.source)}</p><p class="verdict"><span class="{_outcome(row)}">'
        f"{e(row.outcome)}</span> {e(row.message)}</p><dl>{facts}</dl>"
        f"{_html_details(row)}</article>\n"
    )


def _html_details(row: ReportRow) -> str:
    if not row.details:
        return ""
    e = html.escape
    head = "".join(f"<th scope=col>{e(name)}</th>" for name in DETAILS)
    body = "".join(
        "<tr>" + "".join(f"<td>{e(cell)}</td>" for cell in entry) + "</tr>" for entry in row.details
    )
    return (
        f"<details><summary>All points</summary>"
        f'<div class="wide" tabindex="0" role="region" aria-label="Points of {e(row.name)}">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div></details>"
    )
