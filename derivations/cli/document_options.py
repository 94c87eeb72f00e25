"""Options of the commands that write LaTeX: names of symbols, citations, macros, sources."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from solvable.validation.writing import check_writable, write_text

from ..derivation import Derivation
from ..export import Style, bibtex, parse_renames, preamble, printed, sources


def add_options(parser: argparse.ArgumentParser, citations: bool) -> None:
    """--rename, --cite, --macros, --bib; ``citations``: whether sources are cited by default."""
    add = parser.add_argument
    add("--rename", action="append", default=[], metavar="NAME=LATEX",
        help=r"print a symbol otherwise, such as kappa=\lambda_*; may be repeated")  # fmt: skip
    if not citations:
        add("--cite", action="store_true", help=r"\cite the sources instead of naming them")
    add("--macros", metavar="FILE", help="use macros, and write their definitions to a file")
    add("--bib", metavar="FILE", help="write the sources to a BibTeX file")


def given(arguments: argparse.Namespace) -> list[str]:
    """The options of this module that were given."""
    return [f"--{name}" for name in ("rename", "cite", "macros", "bib")
            if getattr(arguments, name, None)]  # fmt: skip


def style(arguments: argparse.Namespace, derivations: Sequence[Derivation]) -> Style:
    """The style that the options ask for; writes the files that they name."""
    names = parse_renames(arguments.rename, printed(derivations)) if arguments.rename else {}
    wanted = {"--macros": (arguments.macros, preamble),
              "--bib": (arguments.bib, lambda: bibtex(sources(derivations)))}  # fmt: skip
    for option, (target, _) in wanted.items():
        if target:
            check_writable(Path(target), option)
    for option, (target, text) in wanted.items():
        if target:
            write_text(Path(target), text(), option)
    return Style(names, getattr(arguments, "cite", True), bool(arguments.macros))
