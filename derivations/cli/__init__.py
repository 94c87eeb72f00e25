"""The command `solvable`.

Each command is a module of this package with `add_parser(subparsers)`, which declares its
arguments, and `run(arguments) -> exit status`. Errors that the toolkit raises on purpose
become one line on standard error and exit status 2.
"""

from __future__ import annotations

import argparse
import importlib
import os
import signal
import sys
from collections.abc import Sequence
from typing import NoReturn

from solvable.analytic.errors import SolvableError

from . import bounds

#: command → module, in the order of the help page
COMMANDS = {
    "tour": "tour_command",
    "list": "show_command",
    "show": "show_command",
    "check": "check_command",
    "export": "export_command",
    "loss": "loss_command",
    "dynamics": "dynamics_command",
    "derive": "derive_command",
    "limit": "limit_command",
    "allocate": "allocate_command",
    "map": "map_command",
    "figure": "figure_command",
}

BAD_INPUT = 2
#: packages that only some users need → the extra that installs them
EXTRAS = {"matplotlib": "figures", "dask": "cluster", "distributed": "cluster"}


class _Parser(argparse.ArgumentParser):
    """An argument parser whose complaints are one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(BAD_INPUT, f"{self.prog}: error: {message}\n")


def build_parser(command: str | None = None) -> argparse.ArgumentParser:
    """The parser; only the module of ``command`` is imported if it is known."""
    parser = _Parser(
        prog="solvable",
        description="Derive, evaluate and check solvable models of neural scaling laws.",
    )
    parser.add_argument("--version", action="version", version=_version())
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    wanted = {COMMANDS[command]} if command in COMMANDS else set(COMMANDS.values())
    for module in dict.fromkeys(m for m in COMMANDS.values() if m in wanted):
        importlib.import_module(f"{__name__}.{module}").add_parser(subparsers)
    for each in subparsers.choices.values():
        bounds.add_options(each)
    return parser


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return f"solvable {version('solvable')}"
    except PackageNotFoundError:
        return "solvable (not installed)"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    argv = list(sys.argv[1:] if argv is None else argv)
    arguments = argparse.Namespace(command=argv[0] if argv and argv[0] in COMMANDS else "")
    try:
        with bounds.signals_raise():
            arguments = build_parser(arguments.command).parse_args(argv)
            with bounds.bounded(arguments):
                return arguments.run(arguments)
    except SolvableError as error:
        message = f"error: {error}"
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in EXTRAS:
            raise
        message = f"error: {package} is not installed; pip install 'solvable[{EXTRAS[package]}]'"
    except BrokenPipeError:
        raise
    except OSError as error:
        message = f"error: {error}"
    except bounds.TimeIsUp:
        limit = f"--time-limit: {arguments.time_limit:g} s are over"
        message = f"error: {limit}{bounds.resume_hint(arguments)}"
    except (KeyboardInterrupt, bounds.Ended) as ended:
        status = getattr(ended, "status", 128 + signal.SIGINT)
        said = str(ended) or "interrupted"
        print(_said(arguments, said + bounds.resume_hint(arguments)), file=sys.stderr)
        return status
    print(_said(arguments, message), file=sys.stderr)
    return BAD_INPUT


def _said(arguments: argparse.Namespace, message: str) -> str:
    return f"{' '.join(filter(None, ('solvable', arguments.command)))}: {message}"


def entry_point() -> int:
    """`main`, quiet when the reader of a pipe goes away."""
    try:
        status = main()
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
