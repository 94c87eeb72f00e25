"""`solvable list` and `solvable show`: the catalogue of derivations."""

from __future__ import annotations

import argparse
from typing import Any

from .. import catalogue
from ..bibliography import cite
from ..export import as_json, as_text, section
from . import options as types
from . import output


def add_parser(subparsers: Any) -> None:
    """Declare the arguments of `solvable list` and `solvable show`."""
    listing = subparsers.add_parser("list", help="list all derivations")
    types.add_json(listing)
    listing.set_defaults(run=run_list)
    show = subparsers.add_parser("show", help="print a derivation, step by step")
    show.add_argument("name", metavar="NAME", help="a name that `solvable list` prints")
    types.add_format(show)
    show.set_defaults(run=run_show)


def run_list(arguments: argparse.Namespace) -> int:
    """Print names, titles and sources."""
    entries = catalogue.entries().values()
    if arguments.json:
        output.print_json(
            [
                {
                    "name": entry.name,
                    "title": entry.title,
                    "summary": entry.summary,
                    "references": [str(reference) for reference in entry.references],
                }
                for entry in entries
            ]
        )
        return 0
    rows = [(entry.name, entry.title, cite(entry.references)) for entry in entries]
    output.print_table(("name", "what it derives", "after"), rows)
    return 0


def run_show(arguments: argparse.Namespace) -> int:
    """Print one derivation."""
    derivation = catalogue.load(arguments.name)
    if arguments.format == "json":
        output.print_json(as_json(derivation))
    else:
        print(section(derivation) if arguments.format == "latex" else as_text(derivation))
    return 0
