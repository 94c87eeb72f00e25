r"""LaTeX to MathML, by the library math-core: it fails on what it does not know.

(Of the formulas of the catalogue it converts all in a few hundredths of a second; latex2mathml
takes forty times as long and lets unknown commands pass as letters.)
"""

from __future__ import annotations

from functools import cache
from typing import Any

from solvable.analytic.errors import InputError


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
