"""The command `solvable`.

Each command is a module of this package: `add_options(parser)` declares its arguments and
`run(arguments)` returns the exit status; its docstring is the help page. Errors that the toolkit
raises on purpose become one line on standard error and exit status 2.
"""

from __future__ import annotations

import argparse
import importlib
import io
import os
import signal
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from solvable.analytic.errors import SolvableError

from . import bounds

#: the commands, in the order of the help page
COMMANDS = (
    "tour", "list", "show", "check", "export", "loss", "dynamics", "derive", "limit", "allocate",
    "map", "spectrum", "features", "dimension", "predict", "fit", "figure", "book",
)  # fmt: skip

BAD_INPUT = 2
#: packages that only some users need → the extra that installs them
EXTRAS = {
    "matplotlib": "figures", "jinja2": "book", "math_core": "book", "dask": "cluster",
    "distributed": "cluster",
}  # fmt: skip


class _ArgumentParser(argparse.ArgumentParser):
    """An argument parser whose complaints are one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(BAD_INPUT, f"{self.prog}: error: {message}\n")


def build_parser(command: str | None = None) -> argparse.ArgumentParser:
    """The parser; only the module of ``command`` is imported if it is known."""
    parser = _ArgumentParser(
        prog="solvable",
        description="Derive, evaluate and check solvable models of neural scaling laws.",
    )
    parser.add_argument("--version", action="version", version=_version())
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name in (command,) if command in COMMANDS else COMMANDS:
        module = importlib.import_module(f"{__name__}.{name}_command")
        title, _, about = (module.__doc__ or "").partition(".\n\n")
        one = subparsers.add_parser(
            name, help=title.partition(": ")[2].rstrip("."), description=about or None,
            epilog=getattr(module, "EPILOG", None),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )  # fmt: skip
        module.add_options(one)
        bounds.add_options(one)
        one.set_defaults(run=module.run)
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
        arguments = build_parser(arguments.command).parse_args(argv)
        with bounds.signals_raise(), bounds.bounded(arguments):
            return arguments.run(arguments)
    except SolvableError as error:
        path, colon, reason = str(error).partition(": ")
        message = f"error: {_named(path, arguments)}{colon}{reason}"
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in EXTRAS:
            raise
        message = f"error: {package} is not installed; pip install 'solvable[{EXTRAS[package]}]'"
    except BrokenPipeError:
        raise
    except OSError as error:
        message = f"error: {_file_error(error, arguments)}"
    except MemoryError as error:
        message = f"error: not enough memory for these sizes: {str(error) or 'none is left'}"
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


def _file_error(error: OSError, arguments: argparse.Namespace) -> str:
    """What the system says of a file, after the option that names it."""
    if error.filename is None:
        return error.strerror or str(error)
    return f"{_named(str(error.filename), arguments)}: {error.strerror}"


def _named(path: str, arguments: argparse.Namespace) -> str:
    """A path after the option that it is the value of; any other text as it is."""
    options = [name for name, value in vars(arguments).items() if path in _paths(value)]
    return f"--{options[0].replace('_', '-')} = {path}" if path and options else path


def _paths(value: Any) -> list[str]:
    """A value of an option as file names, with and without a letter before it."""
    texts = [str(part) for part in (value if isinstance(value, list) else [value])]
    return [*texts, *(text.partition("=")[2] for text in texts)]


def _said(arguments: argparse.Namespace, message: str) -> str:
    return f"{' '.join(filter(None, ('solvable', arguments.command)))}: {message}"


def entry_point() -> int:
    """`main`, quiet when the reader of a pipe goes away; what an encoding lacks is escaped."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        status = main()
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
