"""Types of command-line arguments: text to exact numbers, without ever evaluating it.

Numbers are kept exactly (`fractions.Fraction`), so that ``--ridge 0.1`` means one tenth to
any number of digits; "inf" is allowed where a size may be infinite.
"""

from __future__ import annotations

import argparse
import contextlib
import math
import re
import sys
import warnings
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

from solvable.analytic.errors import InputError
from solvable.analytic.spectrum import PowerLaw, Spectrum, from_text

_DECIMAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$")
_RATIO = re.compile(r"[+-]?\d+/\d+$")
MAX_LENGTH = 4000
LEAST, LARGEST = Fraction("1e-300"), Fraction("1e300")  # in magnitude
MAX_DIGITS = 5000


def exact(text: str) -> Fraction:
    """A decimal or a ratio of integers, exactly.

    >>> exact("1e-3")
    Fraction(1, 1000)
    """
    text = text.strip()
    fits = len(text) <= MAX_LENGTH and (_DECIMAL.match(text) or _RATIO.match(text))
    exponent = re.search(r"[eE]([+-]?\d+)$", text)
    if not fits or (exponent and abs(int(exponent[1])) > MAX_LENGTH):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number")
    try:
        value = Fraction(text)
    except ZeroDivisionError:
        raise argparse.ArgumentTypeError(f"{text!r} divides by zero") from None
    if value and not LEAST <= abs(value) <= LARGEST:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1e-300 to 1e300")
    return value


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


number = _typed(exact, lambda x: True, "a number, 0 or of magnitude 1e-300 to 1e300")
number_or_infinite = _typed(
    _exact_or_infinite, lambda x: True, "a number, 0 or of magnitude 1e-300 to 1e300, or inf"
)
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
several = _typed(_integer, lambda n: n >= 2, "an integer ≥ 2")
digits = _typed(_integer, lambda n: 1 <= n <= MAX_DIGITS, f"an integer from 1 to {MAX_DIGITS}")
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


def add_spectrum(parser: argparse.ArgumentParser, latent: Any = None) -> None:
    """--spectrum, or the exponents and the size of a power law (``latent``: its default size)."""
    add = parser.add_argument
    add(
        "--spectrum",
        metavar="FILE|KIND:…",
        help="eigenvalues, and target power if a second "
        "column has it, in a csv or npy file; or for instance exponential-decay:rate=0.1,size=inf",
    )
    add("--alpha", type=number, metavar="A", help="power law: exponent, λ_J = λ₊ J^-(1+α)")
    add("--b", type=number, metavar="B", help="the same as 1 + α")
    add("--a", type=number, metavar="A2", help="target exponent, w²λ ∝ J^-a (default: b)")
    add("--latent", type=count_or_infinite, metavar="M|inf", default=None, help="number of modes"
        + ("" if latent is None else f" (default: {latent})"))  # fmt: skip
    parser.set_defaults(default_latent=latent)


def spectrum_of(arguments: argparse.Namespace, **others: str) -> Spectrum:
    """The spectrum that the options describe, with ``others`` of a power law: parameter=option.

    Whatever had to be done to the eigenvalues of a file is said on standard error.
    """
    own = {name: getattr(arguments, option) for name, option in others.items()}
    exponents = {"alpha": arguments.alpha, "b": arguments.b, "a": arguments.a}
    if arguments.spectrum is not None:
        for name, value in {**exponents, "latent": arguments.latent, **own}.items():
            if value is not None:
                raise InputError(f"--{name.replace('_', '-')}", value, "nothing beside --spectrum")
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            spectrum = from_text(arguments.spectrum)
        for warning in said:
            print(f"--spectrum: {warning.message}", file=sys.stderr)
        return spectrum
    size = arguments.default_latent if arguments.latent is None else arguments.latent
    _check_exponents(arguments)
    alpha = arguments.alpha if arguments.b is None else None
    if size is None:
        raise InputError("--latent", None, "the number of modes, or inf")
    given = {name: value for name, value in own.items() if value is not None}
    with names_as_typed(arguments):
        return PowerLaw(
            alpha, exponent=arguments.b, size=size, target_exponent=arguments.a, **given
        )


@contextlib.contextmanager
def names_as_typed(arguments: argparse.Namespace, **options: str) -> Iterator[None]:
    """Arguments of a function are called in errors as they were typed."""
    try:
        yield
    except InputError as error:
        exponent = "--alpha" if arguments.b is None else "--b"
        typed = {"exponent": exponent, "target_exponent": "--a", **options}
        option = typed.get(error.argument, f"--{error.argument}")
        raise InputError(option, error.value, error.allowed) from None


def _check_exponents(arguments: argparse.Namespace) -> None:
    """There is one of --alpha and --b, or both agree."""
    alpha, b = arguments.alpha, arguments.b
    if alpha is None and b is None:
        raise InputError("--alpha", None, "a number; give --alpha, --b or --spectrum")
    if alpha is not None and b is not None and b != 1 + alpha:
        raise InputError("--b", b, "1 + alpha, or only one of --alpha and --b")


def power_law_of(arguments: argparse.Namespace, reason: str) -> PowerLaw:
    """The spectrum of a command whose mathematics needs a power law, for the reason given."""
    spectrum = spectrum_of(arguments)
    if not isinstance(spectrum, PowerLaw):
        raise InputError("--spectrum", arguments.spectrum, f"a power law: {reason}")
    return spectrum


def unused(arguments: argparse.Namespace, option: str, *names: str) -> None:
    """`InputError` where one of the options is given, which ``option`` leaves without effect."""
    for name in names:
        value = getattr(arguments, name)
        if value is not None and value is not False and value != []:
            shown = "given" if value is True else value
            raise InputError(f"--{name.replace('_', '-')}", shown, f"nothing with {option}")


def add_format(parser: argparse.ArgumentParser, *choices: str) -> None:
    """The options --format text|json, with latex where it is among the choices, and --json."""
    add = parser.add_argument
    add("--format", choices=choices or ("text", "json"), default="text", help="default: text")
    add("--json", dest="format", action="store_const", const="json", default=argparse.SUPPRESS,
        help="the same as --format json")  # fmt: skip
