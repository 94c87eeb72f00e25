"""`solvable book`: write everything derived, checked, typeset and drawn, as a page and in print.

DIR gets index.html, one page that needs no other file, script or network to be read, book.tex with
the same content (book.pdf with `--pdf`), and the figures as PDF and SVG with their captions and
data. Every derivation is built, checked and drawn; what was written before and has not changed
since is not made again.
"""

from __future__ import annotations

import argparse
from importlib.util import find_spec

from solvable.analytic.arguments import meant
from solvable.analytic.errors import InputError
from solvable.validation.executors import affordable_workers, process_pool
from solvable.validation.writing import folder, write_text

from .. import catalogue
from ..export import parse_renames
from . import options as types
from . import output


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `solvable book`."""
    add = parser.add_argument
    add("names", nargs="*", metavar="NAME", help="derivations (default: all)")
    add("--to", required=True, metavar="DIR", help="folder, made when missing")
    add("--pdf", action="store_true", help="compile book.tex with pdflatex")
    add("--rename", action="append", default=[], metavar="NAME=LATEX",
        help=r"print a symbol otherwise, such as kappa=\lambda_*; may be repeated")  # fmt: skip
    add("--workers", type=types.count, metavar="W", help="processes (default: one for each core)")


def run(arguments: argparse.Namespace) -> int:
    """Make the book; exit status 1 if a check of it does not pass."""
    for module in ("matplotlib", "jinja2", "math_core"):
        if find_spec(module) is None:
            allowed = "the extra 'book' to be installed (pip install 'solvable[book]')"
            raise InputError("book", module, allowed)
    from ..book.assembly import build
    from ..book.pages import page
    from ..book.printed import latex, pdf, write_figures

    known = catalogue.names()
    for name in arguments.names:
        if name not in known:
            raise InputError(
                "NAME", name, f"a name that `solvable list` prints{meant(name, known)}"
            )
    wanted = list(dict.fromkeys(arguments.names)) or known
    workers, _ = affordable_workers(arguments.workers)
    with folder(arguments.to, "--to") as into:
        names = _renamed(arguments.rename, wanted)
        with output.progress("results", len(wanted)) as advance, process_pool(workers) as pool:
            made = build(into, wanted, pool, names, advance)
        write_figures(made, into)
        index = write_text(into / "index.html", page(made), "--to")
        source = write_text(into / "book.tex", latex(made), "--to")
    counts = made.outcomes()
    print(f"{len(made.records)} results, " + ", ".join(f"{n} {w}" for w, n in counts.items()))
    print(index)
    print(pdf(source) if arguments.pdf else source)
    return 0 if counts["pass"] == sum(counts.values()) else 1


def _renamed(renames: list[str], wanted: list[str]) -> dict[str, str]:
    """The names of symbols that are asked for; builds the derivations only if there are some."""
    if not renames:
        return {}
    from ..export import printed

    return parse_renames(renames, printed(map(catalogue.load, wanted)))
