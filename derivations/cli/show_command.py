"""`solvable show`: print a derivation, step by step."""

from __future__ import annotations

import argparse

from .. import catalogue
from ..export import as_json, as_text, section
from . import options as types
from . import output


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `solvable show`."""
    parser.add_argument("name", metavar="NAME", help="a name that `solvable list` prints")
    types.add_format(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print one derivation."""
    derivation = catalogue.load(arguments.name)
    if arguments.format == "json":
        output.print_json(as_json(derivation))
    else:
        print(section(derivation) if arguments.format == "latex" else as_text(derivation))
    return 0
