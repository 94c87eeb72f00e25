"""Types of command-line arguments: text to exact numbers, without ever evaluating it.

Numbers are kept exactly (`fractions.Fraction`), so that ``--ridge 0.1`` means one tenth to
any number of digits; "inf" is allowed where a size may be infinite.
"""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Callable
from fractions import Fraction
from typing import Any

_DECIMAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$")
_RATIO = re.compile(r"[+-]?\d+/\d+$")
MAX_EXPONENT = 4000
MAX_LENGTH = 5000


def exact(text: str) -> Fraction:
    """A decimal or a ratio of integers, exactly.

    >>> exact("1e-3")
    Fraction(1, 1000)
    """
    text = text.strip()
    fits = len(text) <= MAX_LENGTH and (_DECIMAL.match(text) or _RATIO.match(text))
    exponent = re.search(r"[eE]([+-]?\d+)$", text)
    if not fits or (exponent and abs(int(exponent[1])) > MAX_EXPONENT):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number")
    try:
        return Fraction(text)
    except ZeroDivisionError:
        raise argparse.ArgumentTypeError(f"{text!r} divides by zero") from None


def _typed(
    convert: Callable[[str], Any], valid: Callable[[Any], bool], allowed: str
) -> Callable[[str], Any]:
    def parse(text: str) -> Any:
        try:
            value = convert(text)
        except argparse.ArgumentTypeError:
            value = None
        if value is None or not valid(value):
            raise argparse.ArgumentTypeError(f"{text!r} is not allowed: expected {allowed}")
        return value

    return parse


def _exact_or_infinite(text: str) -> Any:
    return math.inf if text.strip().lower() in ("inf", "infinity") else exact(text)


number = _typed(exact, lambda x: True, "a number")
positive = _typed(exact, lambda x: x > 0, "a number > 0")
nonnegative = _typed(exact, lambda x: x >= 0, "a number ≥ 0")
positive_or_infinite = _typed(_exact_or_infinite, lambda x: x > 0, "a number > 0 or inf")

#: a time to wait for, in seconds, up to about three years
seconds = _typed(
    lambda text: float(exact(text)), lambda x: 1e-3 <= x <= 1e8, "seconds, 1e-3 to 1e8"
)


def _integer(text: str) -> int | None:
    value = exact(text)
    return int(value) if value.denominator == 1 else None


count = _typed(_integer, lambda n: n >= 1, "an integer ≥ 1")
count_from_zero = _typed(_integer, lambda n: n >= 0, "an integer ≥ 0")


def _count_or_infinite(text: str) -> Any:
    value = _exact_or_infinite(text)
    if value == math.inf:
        return value
    return int(value) if value.denominator == 1 else None


count_or_infinite = _typed(_count_or_infinite, lambda n: n >= 1, "an integer ≥ 1 or inf")


def listed(parse: Callable[[str], Any]) -> Callable[[str], list[Any]]:
    """A comma-separated list of such values.

    >>> listed(count)("1,10,1e3")
    [1, 10, 1000]
    """

    def parse_list(text: str) -> list[Any]:
        return [parse(part) for part in text.split(",")]

    return parse_list


def add_json(parser: argparse.ArgumentParser) -> None:
    """The option --json."""
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")


def add_format(parser: argparse.ArgumentParser) -> None:
    """The option --format text|latex|json."""
    parser.add_argument(
        "--format", choices=("text", "latex", "json"), default="text", help="default: text"
    )
