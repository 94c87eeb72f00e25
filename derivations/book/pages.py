"""The book as one page that needs no other file, no script and no network to be read."""

from __future__ import annotations

import base64
import html
import json
import re
from functools import cache
from importlib import resources
from typing import Any
from urllib.parse import quote

from solvable.analytic.errors import InputError
from solvable.analytic.prose import segments
from solvable.validation.report import page_css, versions

from ..bibliography import PAPERS, Reference
from ..derivation import referring
from ..export.display import arranged
from ..export.symbol_table import CONVENTIONS, meanings
from .assembly import Book
from .chapters import INTRODUCTION
from .mathml import in_a_line, mathml
from .record import Record

KINDS = {
    "Exact": "exact", "Solves": "exact", "OnMatrices": "exact", "Planar": "exact",
    "Numeric": "numeric", "Agrees": "numeric", "Inequality": "numeric", "Asymptotic": "asymptotic",
    "Slope": "asymptotic", "Statistical": "statistical", "FiniteSize": "statistical",
    "GrowingSize": "statistical", "Both": "several checks",
}  # fmt: skip


def page(book: Book) -> str:
    """The page."""
    return environment().get_template("book.html.jinja").render(
        book=book, show=Renderer(book), introduction=INTRODUCTION, conventions=CONVENTIONS,
        versions=versions(), papers=PAPERS, kinds=KINDS, css=page_css(),
        script=asset("book.js"), explorer=asset("explorer.js"), font=font(), index=index(book),
    )  # fmt: skip


def environment() -> Any:
    """Templates that escape what they are given."""
    try:
        from jinja2 import Environment, PackageLoader, StrictUndefined
    except ImportError as error:
        allowed = "the extra 'book' to be installed (pip install 'solvable[book]')"
        raise InputError("book", "jinja2", allowed) from error
    made = Environment(
        loader=PackageLoader(__package__, "templates"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    made.filters["kinds_of"] = lambda kinds, kind: [key for key, k in kinds.items() if k == kind]
    return made


@cache
def asset(name: str) -> str:
    """A file beside the templates."""
    return (resources.files(__package__) / "templates" / name).read_text(encoding="utf-8")


@cache
def font() -> str:
    """The font of formulas in base 64: Latin Modern Math, the characters that formulas use."""
    data = (resources.files(__package__) / "templates" / "latin-modern-math.woff2").read_bytes()
    return base64.b64encode(data).decode()


def index(book: Book) -> str:
    """What the search looks through: place, title and words of every result, as JSON."""
    rows = [
        [one["name"], book.numbers[one["name"]], one["title"],
         " ".join([one["summary"], *(s["name"].replace("-", " ") for s in one["steps"])])]
        for one in book.records.values()
    ]  # fmt: skip
    return json.dumps(rows, ensure_ascii=False).replace("<", "\\u003c")


class Renderer:
    """Texts and formulas of a book as HTML that needs no further escaping."""

    def __init__(self, book: Book) -> None:
        self.book = book

    def markup(self, text: str) -> Any:
        from markupsafe import Markup

        return Markup(text)

    def prose(self, text: str, name: str = "") -> Any:
        """A text with its mathematics, and with links for its references."""
        return self.markup(referring(text, self._plain, lambda n, s: self.link(n or name, s)))

    def _plain(self, text: str) -> str:
        pieces = segments(text, self.book.names)
        return "".join(in_a_line(p) if formula else html.escape(p) for formula, p in pieces)

    def link(self, name: str, step: str) -> Any:
        """A link to the place where the claim of a step is displayed."""
        if name not in self.book.records:
            return self.markup(html.escape(f"{step.replace('-', ' ')} of {name}"))
        place = self.book.place(name, step)
        return self.markup(f'<a href="#{place}">({self.book.equation(place)})</a>')

    def formula(self, shown: dict[str, Any]) -> Any:
        """A displayed formula of a record."""
        return self.markup(mathml(arranged(shown["kind"], shown["rows"]), block=True))

    def inline(self, code: str) -> Any:
        """A formula in a line."""
        return self.markup(mathml(code))

    def sources(self, places: list[list[str | None]]) -> Any:
        """References with links to their papers."""
        return self.markup("; ".join(map(self.source, places)))

    def source(self, place: list[str | None]) -> str:
        """One reference."""
        reference = Reference(*place)  # type: ignore[arg-type]
        return f'<a href="#paper-{reference.paper}">{html.escape(str(reference))}</a>'

    def conclusions(self, one: Record) -> list[tuple[str, dict[str, Any], bool]]:
        """(place, formula, whether it is displayed here) of what a derivation concludes."""
        out = []
        for number, shown in enumerate(one["conclusion"], 1):
            own = f"{one['name']}/{shown['step'] or f'conclusion-{number}'}"
            place = self.book.displayed[own]
            out.append((place, shown, place == own))
        return out

    def concluded(self, one: Record, step: str) -> bool:
        """Whether the claim of a step is displayed as a conclusion above."""
        return any(shown["step"] == step for shown in one["conclusion"])

    def verdict(self, one: Record) -> tuple[str, str]:
        """The verdict on a whole derivation, and in words."""
        outcomes = [step["outcome"] for step in one["steps"]]
        worst = next((w for w in ("fail", "undecided") if w in outcomes), "pass")
        return worst, f"{outcomes.count('pass')} of {len(outcomes)} checks pass"

    def alt(self, one: Record) -> str:
        """What a figure shows, without mathematics."""
        return re.sub(r"\s+", " ", one["figure"]["caption"])

    def picture(self, one: Record) -> Any:
        """A figure as the address of an image, in which nothing needs escaping."""
        text = one["figure"]["svg"].replace('"', "'")
        return self.markup("data:image/svg+xml," + quote(text, safe=" =/:;,.-_'()*+{}|"))

    def notation(self) -> list[tuple[Any, Any]]:
        """The table of symbols."""
        printed = set().union(*(one["symbols"] for one in self.book.records.values()))
        rows = meanings(printed, self.book.names)
        return [(self.inline(code), self.prose(text)) for code, text in rows]
