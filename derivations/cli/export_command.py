"""`solvable export`: write derivations as a LaTeX article."""

from __future__ import annotations

import argparse
from pathlib import Path

from solvable.analytic.errors import InputError
from solvable.validation.writing import check_writable, write_text

from .. import catalogue
from ..export import article
from . import document_options, output


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `solvable export`."""
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="names that `solvable list` prints"
    )
    parser.add_argument("--all", action="store_true", help="the whole catalogue")
    parser.add_argument("--to", required=True, metavar="FILE.tex", help="the file to write")
    document_options.add_options(parser, citations=True)


def run(arguments: argparse.Namespace) -> int:
    """Write the article and say where it is."""
    if arguments.all == bool(arguments.names):
        raise InputError("NAME", " ".join(arguments.names), "names, or --all, and not both")
    target = Path(arguments.to)
    if target.suffix != ".tex":
        raise InputError("--to", arguments.to, "a file that ends in .tex")
    check_writable(target, "--to")
    names = catalogue.names() if arguments.all else arguments.names
    with output.progress("building", len(names)) as advance:
        derivations = []
        for name in names:
            derivations.append(catalogue.load(name))
            advance(name)
    style = document_options.style(arguments, derivations)
    write_text(target, article(derivations, style=style), "--to")
    print(f"{len(derivations)} derivations written to {target}")
    return 0
