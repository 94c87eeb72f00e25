r"""LaTeX to MathML, by the library math-core: it fails on what it does not know.

(Of the formulas of the catalogue it converts all in a few hundredths of a second; latex2mathml
takes forty times as long and lets unknown commands pass as letters.)
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from solvable.analytic.errors import InputError
from solvable.analytic.formula_width import RELATIONS, width


@cache
def _converter() -> Any:
    try:
        from math_core import LatexToMathML
    except ImportError as error:
        allowed = "the extra 'book' to be installed (pip install 'solvable[book]')"
        raise InputError("book", "math-core", allowed) from error
    return LatexToMathML(fancy_error=False)


@cache
def mathml(code: str, block: bool = False) -> str:
    r"""The formula as a MathML element.

    >>> mathml("x^{2}")
    '<math><msup><mi>x</mi><mn>2</mn></msup></math>'
    >>> mathml(r"\unknown")
    Traceback (most recent call last):
    ...
    ValueError: no MathML for \unknown: 0: Unknown command "\unknown".
    """
    try:
        found: str = _converter().convert_with_local_state(code, displaystyle=block)
    except Exception as error:
        raise ValueError(f"no MathML for {code}: {error}") from error
    return found


LONG = 9.0  #: ems of a formula in a line beyond which the line may end inside it
_TOKENS = re.compile(r"\\[A-Za-z]+|\\.|.", re.S)
_BREAKS = RELATIONS | {"+", "-", r"\pm", r"\cdot", r"\times", "/"}


def in_a_line(code: str) -> str:
    """The formula as MathML in a line of text, in pieces between which the line may end.

    Browsers never end a line inside a formula; a long one is written as several, each of which
    begins with its relation, + or −, or with what follows a comma.

    >>> in_a_line("x").count("<math>"), in_a_line("x = " + " + ".join("abcdefgh")).count("<math>")
    (1, 9)
    """
    if width(code) <= LONG:
        return mathml(code)
    return "<wbr>".join(mathml(piece) for piece in _pieces(code))


def _pieces(code: str) -> list[str]:
    pieces, depth, last = [""], 0, ""
    for token in _TOKENS.findall(code):
        operand = last.strip() and last not in _BREAKS and last not in ("(", "[", "^", "_", ",")
        if not depth and token in _BREAKS and operand and pieces[-1].strip():
            pieces.append("{}")
        depth += (token in ("{", r"\left")) - (token in ("}", r"\right"))
        pieces[-1] += token
        if not depth and token == ",":
            pieces.append("")
        last = token if token.strip() else last
    return [piece for piece in pieces if piece.strip()]
