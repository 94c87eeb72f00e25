"""`solvable list`: list all derivations."""

from __future__ import annotations

import argparse

from .. import catalogue
from ..bibliography import cite
from . import options as types
from . import output

add_options = types.add_format


def run(arguments: argparse.Namespace) -> int:
    """Print names, titles and sources."""
    entries = catalogue.entries().values()
    if arguments.format == "json":
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
