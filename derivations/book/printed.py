"""The book in print: LaTeX with the content of the page, and the PDF that pdflatex makes of it."""

from __future__ import annotations

import base64
import shutil
import subprocess
from pathlib import Path
from typing import Any

from solvable.analytic.errors import InputError
from solvable.analytic.prose import escape, words
from solvable.validation import writing

from ..bibliography import PAPERS
from ..derivation import referring
from ..export.display import labelled
from ..export.symbol_table import CONVENTIONS, meanings
from .assembly import Book
from .chapters import INTRODUCTION
from .pages import KINDS, Renderer
from .record import Record

TITLE = "Solvable models of neural scaling laws"
INSTALL = (
    "pdflatex to be installed (TeX Live: texlive-latex-recommended texlive-fonts-recommended "
    "lmodern)"
)
SECONDS = 200  #: of one run of pdflatex
_PREAMBLE = r"""\documentclass[11pt,a4paper]{report}
\usepackage[T1]{fontenc}
\usepackage[utf8]{inputenc}
\usepackage{lmodern,amsmath,amssymb,graphicx,longtable}
\usepackage[margin=25mm]{geometry}
\usepackage[hidelinks]{hyperref}
\numberwithin{equation}{section}
\allowdisplaybreaks
\emergencystretch=4em
\setcounter{tocdepth}{1}
\newcommand{\code}[1]{{\small\ttfamily #1}}
"""


class PrintedBook(Renderer):
    """Texts and formulas of a book as LaTeX."""

    def prose(self, text: str, name: str = "") -> str:
        """A text with references to equations by number."""

        def number(other: str | None, step: str) -> str:
            home = other or name
            if home not in self.book.records:
                return words(f"{step.replace('-', ' ')} of {home}")
            return rf"\eqref{{{self.book.place(home, step)}}}"

        return referring(text, lambda part: escape(part, self.book.names), number)

    def source(self, place: list[str | None]) -> str:
        """One reference, as a citation."""
        paper, equation = place
        where = rf"[eq.~({words(equation)})]" if equation else ""
        return rf"\cite{where}{{{paper}}}"

    def equation(self, place: str, shown: dict[str, Any]) -> str:
        """A displayed formula under its number in the book."""
        tag = rf"\tag{{{self.book.equation(place)}}}"
        return labelled(shown["kind"], shown["rows"], place).replace(
            r"\label{", rf"{tag}\label{{", 1
        )

    def result(self, one: Record) -> str:
        """A section: summary, conclusions, assumptions, verdict, figure, steps, notes."""
        name = one["name"]
        lines = [rf"\section{{{self.prose(one['title'])}}}\label{{{name}}}",
                 self.prose(one["summary"], name)]  # fmt: skip
        if one["references"]:
            lines.append(f"After {', '.join(map(self.source, one['references']))}.")
        for place, shown, here in self.conclusions(one):
            lines.append(self.equation(place, shown) if here
                         else rf"The conclusion is \eqref{{{place}}}.")  # fmt: skip
        if one["assumptions"]:
            lines += [r"\noindent Assumptions:", r"\begin{itemize}"]
            lines += [rf"\item {self.prose(text, name)}" for text in one["assumptions"]]
            lines.append(r"\end{itemize}")
        outcome, said = self.verdict(one)
        lines.append(rf"\noindent \textbf{{{outcome}}}: {said}. \code{{solvable check {name}}}")
        if one["figure"]:
            lines.append(self.figure(one))
        lines += [self.step(one, step) for step in one["steps"]]
        lines += [rf"\paragraph{{Note.}} {self.prose(note, name)}" for note in one["notes"]]
        return "\n".join(lines)

    def figure(self, one: Record) -> str:
        """A figure that floats near its result."""
        caption = self.prose(one["figure"]["caption"], one["name"])
        return "\n".join([
            r"\begin{figure}[htbp]\centering",
            rf"\includegraphics[width=86mm]{{figures/{one['name']}.pdf}}",
            rf"\caption{{{caption}}}", r"\end{figure}",
        ])  # fmt: skip

    def step(self, one: Record, step: dict[str, Any]) -> str:
        """A step with its claim, if that is displayed here, and its verdict."""
        own = f"{one['name']}/{step['name']}"
        title = escape(step["name"].replace("-", " "), self.book.names)
        if step["supports"]:
            place = self.book.place(one["name"], step["supports"])
            title = rf"Evidence for~\eqref{{{place}}}: {title}"
        lines = [rf"\paragraph{{{title[:1].upper() + title[1:]}.}}",
                 self.prose(step["reason"], one["name"])]  # fmt: skip
        if step["source"]:
            lines.append(self.source(step["source"]))
        if not step["supports"]:
            place = self.book.displayed[own]
            if place == own and not self.concluded(one, step["name"]):
                lines.append(self.equation(own, step))
            else:
                lines.append(rf"This is~\eqref{{{place}}}.")
        more = "".join(f"; {escape(str(step[key]))}" for key in ("seeds", "sizes") if step[key])
        kind = KINDS.get(step["check"], step["check"])
        lines.append(rf"{{\small \textbf{{{step['outcome']}}} ({kind}): {message(step)}{more}.}}")
        return "\n".join(lines)

    def notation_rows(self) -> list[str]:
        """The table of symbols."""
        found = set().union(*(one["symbols"] for one in self.book.records.values()))
        rows = [
            (rf"\({code}\)", self.prose(text)) for code, text in meanings(found, self.book.names)
        ]
        rows += [(self.prose(sign), self.prose(text)) for sign, text in CONVENTIONS]
        return [rf"{code} & {text} \\" for code, text in rows]


def message(step: dict[str, Any]) -> str:
    """A verdict in words; what it prints as code may be broken anywhere."""
    text = step["message"].rstrip(".")
    return escape(text[:400] + ("…" if len(text) > 400 else ""))


def latex(book: Book) -> str:
    """The book as one LaTeX document, which includes the figures beside it."""
    show = PrintedBook(book)
    out = [_PREAMBLE, rf"\title{{{TITLE}}}\author{{}}\date{{}}", r"\begin{document}", r"\maketitle",
           r"\tableofcontents", r"\chapter*{Introduction}"]  # fmt: skip
    out += [show.prose(text) + "\n" for text in INTRODUCTION]
    out += [r"\section*{Notation}", r"\begin{longtable}{l@{\quad}p{0.78\linewidth}}"]
    out += [*show.notation_rows(), r"\end{longtable}"]
    for chapter, records in book.chapters:
        out.append(rf"\chapter{{{chapter.title}}}\label{{chapter-{chapter.key}}}")
        out += [show.prose(text) + "\n" for text in chapter.about]
        out += [show.result(one) for one in records]
    out += [r"\chapter{Validation}", _validation(book, show), _sources(book), r"\end{document}", ""]
    return "\n".join(out)


def _validation(book: Book, show: PrintedBook) -> str:
    rows = [
        rf"\ref{{{name}}} & {outcome} & {said} & \code{{solvable check {name}}} \\"
        for name, one in book.records.items()
        for outcome, said in [show.verdict(one)]
    ]
    counts = ", ".join(f"{count} {word}" for word, count in book.outcomes().items())
    return "\n".join([
        f"What decided each result when this book was made: {counts}.",
        r"\begin{small}\begin{longtable}{llll}", *rows, r"\end{longtable}\end{small}",
    ])  # fmt: skip


def _sources(book: Book) -> str:
    used = {place[0] for one in book.records.values() for place in one["references"]}
    used |= {s["source"][0] for one in book.records.values() for s in one["steps"] if s["source"]}
    items = [rf"\bibitem{{{k}}} {words(str(p))}." for k, p in PAPERS.items() if k in used]
    body = "\n".join(items)
    return rf"\begin{{thebibliography}}{{99}}{chr(10)}{body}{chr(10)}\end{{thebibliography}}"


def write_figures(book: Book, folder: Path) -> None:
    """PDF, SVG, data and caption of every figure, in the folder ``figures``."""
    show = PrintedBook(book)
    drawn = [one for one in book.records.values() if one["figure"]]
    with writing.folder(folder / "figures", "--to") as into:
        for one in drawn:
            found, path = one["figure"], into / one["name"]
            writing.write_text(path.with_suffix(".csv"), found["csv"], "--to")
            writing.write_text(path.with_suffix(".svg"), found["svg"], "--to")
            caption = show.prose(found["caption"], one["name"])
            writing.write_text(path.with_suffix(".tex"), caption + "\n", "--to")
            with writing.replacing(path.with_suffix(".pdf"), "--to") as beside:
                beside.write_bytes(base64.b64decode(found["pdf"]))


def pdf(source: Path) -> Path:
    """The PDF of a LaTeX file, beside it; `InputError` where pdflatex is missing or complains."""
    if shutil.which("pdflatex") is None:
        raise InputError("--pdf", source, f"{INSTALL}; {source} is there to be compiled elsewhere")
    for _ in range(2):
        command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", source.name]
        try:
            made = subprocess.run(command, cwd=source.parent, capture_output=True, text=True,
                                  errors="replace", timeout=SECONDS)  # fmt: skip
        except subprocess.TimeoutExpired as error:
            raise InputError("--pdf", source, f"LaTeX that takes less than {SECONDS} s") from error
        if made.returncode:
            said = next((line for line in made.stdout.splitlines() if line.startswith("!")), "")
            raise InputError("--pdf", source, f"LaTeX that pdflatex accepts ({said})")
    return source.with_suffix(".pdf")
