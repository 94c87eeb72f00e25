r"""`solvable show`: print a derivation, step by step.

NAME is a derivation, NAME/STEP one of its steps. As LaTeX a step is a labelled equation and a
derivation a fragment, which compiles in any document that loads amsmath and amssymb; `--form` asks
for something else.
"""

from __future__ import annotations

import argparse
import difflib

from solvable.analytic.errors import InputError

from .. import catalogue
from ..derivation import Derivation, Step
from ..export import Style, article, as_json, as_text, equation, formula, fragment
from . import document_options, output
from . import options as types

FORMS = ("formula", "equation", "fragment", "article")
EPILOG = r"""forms of --format latex:
  formula   the bare formula of a step, or of the conclusion
  equation  the same as a labelled equation
  fragment  the whole derivation, for an own document
  article   the whole derivation as a complete document
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `solvable show`."""
    parser.add_argument("name", metavar="NAME[/STEP]", help="a name that `solvable list` prints")
    types.add_format(parser, "text", "latex", "json")
    parser.add_argument("--form", choices=FORMS, help="of LaTeX, see below")
    document_options.add_options(parser, citations=False)


def run(arguments: argparse.Namespace) -> int:
    """Print one derivation, or one step of it."""
    name, slash, step_name = arguments.name.partition("/")
    derivation = catalogue.load(name)
    step = _step(derivation, step_name) if slash else None
    if arguments.format == "latex":
        print(_latex(derivation, step, arguments))
        return 0
    for option in [*(["--form"] if arguments.form else []), *document_options.given(arguments)]:
        raise InputError(option, "given", "--format latex beside it")
    if arguments.format == "json":
        data = as_json(derivation)
        steps = [item for item in data["steps"] if step and item["name"] == step.name]
        output.print_json(steps[0] if step else data)
    else:
        print(as_text(derivation, step))
    return 0


def _step(derivation: Derivation, name: str) -> Step:
    names = [step.name for step in derivation.steps]
    if name not in names:
        near = difflib.get_close_matches(name, names, n=3) or names
        raise InputError("STEP", name, f"a step of {derivation.name}: {', '.join(near)}")
    return derivation[name]


def _latex(derivation: Derivation, step: Step | None, arguments: argparse.Namespace) -> str:
    """The form that is asked for."""
    form = arguments.form or ("equation" if step else "fragment")
    if form in ("formula", "equation"):
        types.unused(arguments, f"--form {form}", "cite")
    style: Style = document_options.style(arguments, [derivation])
    if form == "fragment" and not step:
        return fragment(derivation, style)
    if form in ("fragment", "article") and step:
        raise InputError("--form", form, "formula or equation for a single step")
    if form == "article":
        return article([derivation], derivation.title, style)
    claims = [(step.name, step.claim)] if step else [
        (f"conclusion-{index}" if index > 1 else "conclusion", relation)
        for index, relation in enumerate(derivation.conclusion, 1)
    ]  # fmt: skip
    if form == "formula":
        return "\n".join(formula(claim, style) for _, claim in claims)
    return "\n".join(equation(c, f"{derivation.name}:{name}", style) for name, c in claims)
