"""`solvable figure`: draw the figures of experiments.

Simulate experiments and draw theory and simulation as NAME.pdf, NAME.svg and NAME.png, with a
caption (NAME.tex, which states the verdict) and the data (NAME.csv) beside them.
"""

from __future__ import annotations

import argparse

from solvable.analytic.errors import InputError
from solvable.validation.experiments import names as experiment_names

from .. import catalogue
from . import experiments


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `solvable figure`."""
    experiments.add_options(parser)
    parser.add_argument("--to", required=True, metavar="DIR", help="folder, made when missing")
    parser.add_argument("--column", action="store_true", help="a column wide (86 mm, not 178 mm)")


def run(arguments: argparse.Namespace) -> int:
    """Simulate and draw; exit status 0 whatever the verdicts, which the captions state."""
    from solvable.validation.figure_style import COLUMN, PAGE
    from solvable.validation.figures import save
    from solvable.validation.writing import folder

    for name in arguments.names:
        if name in catalogue.names():
            raise InputError("NAME", name, "an experiment; derivations have no figure")
    names = experiments.chosen(arguments, experiment_names())
    with (
        folder(arguments.to, "--to") as into,
        experiments.opened_store(arguments, names) as store,
        experiments.workers(arguments) as executor,
    ):
        simulate = experiments.experiment_runner(arguments, executor, store)
        for name in names:
            evidence = simulate(name)
            paths = save(evidence, into, width=COLUMN if arguments.column else PAGE)
            print(f"{evidence.outcome:9}  " + "  ".join(str(path) for path in paths), flush=True)
    return 0
