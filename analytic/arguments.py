"""Validation of arguments: each function returns its value or raises `InputError`.

Values may be Python numbers, mpmath numbers or numpy arrays; NaN is never allowed. Products of two
values must not overflow in float64, so every argument has a range of magnitudes, by its name,
outside of which only 0 and infinity are allowed. Multi-precision numbers have no such range,
but where they are exponents.

What a public function asks of its arguments is read from the annotations of its signature
(`checked`); what its mathematics asks beyond that, it checks itself.
"""

from __future__ import annotations

import difflib
import math
import sys
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from functools import wraps
from inspect import Parameter, signature
from pathlib import Path
from typing import Any, TypeVar

import mpmath
import numpy as np
import sympy as sp

from . import precision
from .errors import InputError

MAX_SHOWN = 60
#: least and largest magnitude of an argument; `ORDINARY` for one that is not listed
EXPONENTS = ("exponent", "alpha", "target_exponent", "rate", "target_rate", "features_power",
             "samples_power", "time_power")  # fmt: skip
MAGNITUDES = {
    **dict.fromkeys(("features", "samples", "size", "budget"), (1e-100, 1e100)),
    **dict.fromkeys(EXPONENTS, (1e-9, 1e3)),
    **dict.fromkeys(("ensemble", "bags", "batch"), (1, 1e18)),
    **dict.fromkeys(("time", "times", "steps", "z"), (5e-324, 1e300)),
    "digits": (1, 5000),
    "terms": (1, 500),
    "draws": (1, 1e6),
    "step": (1e-100, 1e100),
    "schedule": (5e-324, 1e100),
    "ridge": (5e-324, 1.79e308),
}
ORDINARY = (5e-324, 1e150)
MOST_NUMBERS = 10**7  #: of some ten numbers on the way, in one answer
ROUNDING = 1e-15  # of these ends, beside exact numbers
#: annotations: one real number of any type, which is kept; an array of finite numbers; what random
#: numbers start from; a number between 0 and 1
Number = Any
Table = Any
Seed = int
Level = float


def _all(condition: Any) -> bool:
    return bool(np.all(condition))


def _show(value: Any) -> str:
    try:
        text = str(value)
    except ValueError:  # a whole number of more digits than Python prints
        text = f"a number of magnitude 10^{math.floor(math.log10(abs(value)))}"
    return text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 1] + "…"


def _in_range(name: str, value: Any) -> Any:
    """The value (array: each entry) where 0, infinite, or of a magnitude that is allowed."""
    if isinstance(value, mpmath.mpf) and name not in EXPONENTS:
        return value
    low, high = MAGNITUDES.get(name, ORDINARY)
    narrow = isinstance(value, np.ndarray | np.generic)  # a short type overflows
    size = np.abs(np.asarray(value, dtype=float)) if narrow else abs(value)
    infinite = size == float("inf")
    inside = (size >= low * (1 - ROUNDING)) & (size <= high * (1 + ROUNDING))
    if not _all((size == 0) | infinite | inside):
        raise InputError(name, _show(value), f"a magnitude from {low:g} to {high:g}")
    return value


def plain(name: str, value: Any, allowed: str = "a real number") -> Any:
    """A numpy or sympy number as the Python or mpmath number that it is, a list as an array.

    >>> plain("N", np.int8(10)), plain("alpha", sp.Rational(1, 3)), plain("M", sp.oo)
    (10, Fraction(1, 3), inf)
    """
    if isinstance(value, list | tuple | range):
        try:
            value = np.asarray(value)
        except ValueError:  # lists of different lengths
            raise InputError(name, _show(value), allowed) from None
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value[()]
    if isinstance(value, np.generic) and not isinstance(value, np.bool_):
        return float(value) if isinstance(value, np.floating) else value.item()
    if isinstance(value, sp.Basic):
        if isinstance(value, sp.Rational):
            return int(value.p) if value.q == 1 else Fraction(int(value.p), int(value.q))
        if value in (sp.oo, -sp.oo):
            return math.inf if value == sp.oo else -math.inf
        if isinstance(value, sp.Float):
            return mpmath.make_mpf(value._mpf_)
        raise InputError(name, _show(value), f"{allowed}, a rational one or one with its digits")
    return value


def grid(name: str, *shapes: tuple[int, ...], each: int = 1) -> tuple[int, ...]:
    """The shape of an answer, joined of these; an `InputError` where it would fill the memory.

    ``each``: as how many numbers, of some ten on the way and a few microseconds, one counts.

    >>> grid("times", (3,), (2, 5))
    (3, 2, 5)
    """
    shape = tuple(length for part in shapes for length in part)
    most, count = MOST_NUMBERS // each, math.prod(shape)
    if count > most:
        allowed = f"at most {most:.0e} numbers in one answer, not {count:.1e}"
        raise InputError(name, "of shape " + " × ".join(map(str, shape)), allowed)
    return shape


def together(each: int = 1, /, **values: Any) -> tuple[int, ...]:
    """The shape of an answer at values that broadcast; an `InputError` as by `grid`.

    >>> together(features=[1, 2], samples=[[3], [4]])
    (2, 2)
    """
    shapes = {name: np.shape(value) for name, value in values.items() if np.ndim(value)}
    try:
        shape = np.broadcast_shapes(*shapes.values())
    except ValueError:
        said = " and ".join(str(shape) for shape in shapes.values())
        raise InputError(", ".join(shapes), f"of shapes {said}", "shapes that broadcast") from None
    return grid(max(shapes, key=lambda name: np.size(values[name]), default=""), shape, each=each)


def one(name: str, value: Any, allowed: str = "one number") -> Any:
    """A value that is no collection of values.

    >>> one("momentum", np.float32(0.5))
    0.5
    """
    found = plain(name, value, allowed)
    if isinstance(found, np.ndarray | set | frozenset | dict):
        raise InputError(name, _show(value), allowed)
    return found


def number(name: str, value: Any, allowed: str = "a real number") -> Any:
    """A real number, finite or infinite, or an array of them.

    >>> number("N", 10)
    10
    """
    if isinstance(value, bool | np.bool_ | str | bytes) or value is None:
        raise InputError(name, repr(value), allowed)
    value = plain(name, value, allowed)
    if isinstance(value, np.ndarray):
        if value.dtype.kind not in "iuf" or value.size == 0 or not _all(value == value):
            raise InputError(name, _show(value), allowed)
        return _in_range(name, value)
    try:
        valid = not isinstance(value, complex | mpmath.mpc) and float(value) == float(value)
    except (TypeError, ValueError):
        valid = False
    except OverflowError:  # an integer beyond 1e308
        valid = True
    if not valid:
        raise InputError(name, _show(value), allowed)
    return _in_range(name, value)


def positive(name: str, value: Any) -> Any:
    """A finite number > 0 (array: each entry).

    >>> positive("alpha", 0.5)
    0.5
    >>> positive("alpha", 0)
    Traceback (most recent call last):
    ...
    solvable.analytic.errors.InputError: alpha = 0 is not allowed: expected a finite number > 0
    """
    allowed = "a finite number > 0"
    value = number(name, value, allowed)
    if not (_all(value > 0) and _all(value < float("inf"))):
        raise InputError(name, _show(value), allowed)
    return value


def positive_or_infinite(name: str, value: Any) -> Any:
    """A number > 0, possibly infinite."""
    allowed = "a number > 0 or infinity"
    value = number(name, value, allowed)
    if not _all(value > 0):
        raise InputError(name, _show(value), allowed)
    return value


def nonnegative(name: str, value: Any) -> Any:
    """A finite number ≥ 0 (array: each entry)."""
    allowed = "a finite number ≥ 0"
    value = number(name, value, allowed)
    if not (_all(value >= 0) and _all(value < float("inf"))):
        raise InputError(name, _show(value), allowed)
    return value


def exactly(name: str, value: Any) -> Any:
    """One number with all its digits, as an mpmath number.

    >>> print(exactly("ridge", np.float64(0.5)))
    0.5
    >>> exactly("z", [1, 2])
    Traceback (most recent call last):
    ...
    solvable.analytic.errors.InputError: z = 1, 2 is not allowed: expected one number with digits
    """
    if np.ndim(value) == 0:
        return mpmath.mpmathify(plain(name, value))
    raise InputError(name, _show(", ".join(map(str, np.ravel(value)))), "one number with digits")


def fraction(name: str, value: Any) -> sp.Rational:
    """One finite number as the fraction that is meant: the shortest decimal that rounds to it.

    >>> fraction("alpha", 0.1), fraction("alpha", mpmath.mpf(1) / 8), fraction("alpha", "2/3")
    (1/10, 1/8, 2/3)
    """
    allowed = "a real number"
    if isinstance(value, bool | np.bool_) or value is None:
        raise InputError(name, repr(value), allowed)
    found = value if isinstance(value, np.floating) else one(name, value, allowed)
    digits = {float: repr, mpmath.mpf: _shortest}.get(type(found), str)
    try:
        return sp.Rational(digits(found))
    except (TypeError, ValueError):
        raise InputError(name, _show(value), allowed) from None


def _shortest(value: mpmath.mpf) -> str:
    """The decimal of fewest digits that is the number once rounded to its bits."""
    if not mpmath.isnormal(value) or mpmath.isint(value):
        return str(int(value) if mpmath.isfinite(value) else value)
    bits = max(53, value._mpf_[3])
    with precision.workprec(bits):
        digits = range(1, math.ceil(bits * math.log10(2)) + 2)
        enough = bisect_left(digits, True, key=lambda n: mpmath.mpf(mpmath.nstr(value, n)) == value)
    return mpmath.nstr(value, enough + 1)


def count(name: str, value: Any, at_least: int = 1) -> int:
    """An integer ≥ ``at_least`` (a float with an integer value is accepted)."""
    allowed = f"an integer ≥ {at_least}"
    found = _integer(name, value, allowed)
    if found < at_least:
        raise InputError(name, _show(value), allowed)
    return found


def meant(value: str, options: Iterable[str], most: int = 3) -> str:
    """What a misspelt name may have meant, to be put behind a message.

    >>> meant("rigde", ["ridge", "noise"])
    ' (did you mean ridge?)'
    """
    close = difflib.get_close_matches(value, list(options), n=most)
    return f" (did you mean {', '.join(close)}?)" if close else ""


def choice(name: str, value: Any, options: Iterable[str]) -> str:
    """One of the named options."""
    options = list(options)
    if not isinstance(value, str) or value not in options:
        raise InputError(name, _show(repr(value)), "one of " + ", ".join(options))
    return value


def text(name: str, value: Any) -> str:
    """Text, a numpy string too."""
    if not isinstance(value, str):
        raise InputError(name, _show(repr(value)), "text")
    return str(value)


def truth(name: str, value: Any) -> bool:
    """True or false, or 1 or 0 for them."""
    if not isinstance(value, bool | np.bool_ | int | np.integer) or value not in (0, 1):
        raise InputError(name, _show(repr(value)), "true or false")
    return bool(value)


def real(name: str, value: Any) -> Any:
    """One real number, finite or infinite, of its own type."""
    return number(name, one(name, value, "one real number"), "one real number")


def floating(name: str, value: Any) -> float:
    """One real number, finite or infinite, in float64."""
    found = real(name, value)
    if abs(found) > sys.float_info.max and abs(found) != float("inf"):
        raise InputError(name, _show(value), "a number that float64 holds")
    return float(found)


def whole(name: str, value: Any) -> int:
    """One integer."""
    return _integer(name, value, "an integer")


def _integer(name: str, value: Any, allowed: str) -> int:
    value = number(name, one(name, value, allowed), allowed)
    if abs(value) == float("inf") or value != int(value):
        raise InputError(name, _show(value), allowed)
    return int(_in_range(name, int(value)))  # as a number of mpmath it has no range


def row(name: str, value: Any) -> Any:
    """One number or an array of them, as float64."""
    found = number(name, value)
    return np.asarray(found, float) if isinstance(found, np.ndarray) else floating(name, found)


def table(name: str, value: Any) -> np.ndarray:
    """Finite real numbers in one or more rows, as float64.

    >>> table("kernel", [[1, 0], [0, 1j]])
    Traceback (most recent call last):
    ...
    solvable.analytic.errors.InputError: kernel = [[1, 0], [0, 1j]] is not allowed: expected an array of finite real numbers
    """  # noqa: E501
    try:
        given = np.asarray(value)
        found = given.astype(float, copy=False) if given.dtype.kind in "biufO" else None
    except (TypeError, ValueError, OverflowError):
        found = None
    if found is None or not found.ndim or not _all(np.isfinite(found)):
        raise InputError(name, _show(value), "an array of finite real numbers")
    return _in_range(name, found)  # type: ignore[no-any-return]


def seed(name: str, value: Any) -> int:
    """What random numbers start from."""
    return count(name, value, at_least=0)


def level(name: str, value: Any) -> float:
    """A probability or a tolerance: neither 0 nor 1."""
    found = floating(name, value)
    if not 0 < found < 1:
        raise InputError(name, _show(value), "a number between 0 and 1")
    return found


def texts(name: str, value: Any) -> tuple[str, ...]:
    """Texts in a sequence; one text is a sequence of one."""
    if isinstance(value, str):
        return (value,)
    try:
        given = tuple(value)
    except TypeError:
        raise InputError(name, _show(value), "a list of texts") from None
    return tuple(text(name, x) for x in given)


def named(*kinds: Callable[[str, Any], Any]) -> Callable[[str, Any], Any]:
    """The check of values by name, each of one kind if that is given."""

    def check(name: str, value: Any) -> Any:
        if not (isinstance(value, Mapping) and all(isinstance(x, str) for x in value)):
            raise InputError(name, _show(value), "a dictionary whose keys are texts")
        return {key: kinds[0](key, x) for key, x in value.items()} if kinds else value

    return check


def formula(name: str, value: Any, kind: Any = sp.Basic, allowed: str = "a formula") -> Any:
    """An object of sympy; numbers are constants, and texts are not evaluated."""
    try:
        found = sp.sympify(value, strict=True)
    except (sp.SympifyError, TypeError, ValueError):
        found = None
    if not isinstance(found, kind) or found.has(sp.nan):
        raise InputError(name, _show(value), f"{allowed} of sympy")
    return found


def expression(name: str, value: Any) -> sp.Expr:
    """An expression of sympy; numbers are constants."""
    return formula(name, value, sp.Expr, "an expression")  # type: ignore[no-any-return]


def _is(kind: str, value: Any) -> bool:
    """Whether a value is of a class, known by its name."""
    return kind in {known.__name__ for known in type(value).__mro__}


def _instance(kind: str, article: str) -> Callable[[str, Any], Any]:
    """The check that a value is of a class."""

    def check(name: str, value: Any) -> Any:
        if not _is(kind, value):
            raise InputError(name, _show(value), f"{article} ({kind})")
        return value

    return check


def _kernel(name: str, value: Any) -> Any:
    return value if _is("KernelMatrix", value) else table(name, value)


def _path(name: str, value: Any) -> Any:
    if not isinstance(value, str | Path):
        raise InputError(name, _show(value), "the name of a file")
    return value


#: what an annotation asks of an argument; a class may replace its own by a reading of others
ANNOTATIONS: dict[str, Callable[[str, Any], Any]] = {
    "float": floating, "Number": real, "int": whole, "str": text, "bool": truth, "ArrayLike": row,
    "Sequence[float] | np.ndarray": row, "Iterable[str]": texts, "Mapping[str, Any]": named(),
    "Mapping[str, str]": named(text), "Mapping[str, sp.Expr]": named(expression),
    "sp.Expr": expression, "sp.Basic": formula, "str | Path": _path, "Seed": seed, "Level": level,
    "Table": table, "KernelMatrix | Table": _kernel,
    "Spectrum": _instance("Spectrum", "a spectrum"),
    "PowerLaw": _instance("PowerLaw", "a power law"),
    "Learner": _instance("Learner", "a training rule"),
    "Filter": _instance("Filter", "a training rule without noise of batches"),
    "MatrixModel": _instance("MatrixModel", "declarations of matrices"),
    "LossTable": _instance("LossTable", "a table of losses"),
    "PopulationSpectrum": _instance("PopulationSpectrum", "the spectrum of a population"),
    "SampleSpectrum": _instance("SampleSpectrum", "the spectrum of a sample"),
}  # fmt: skip
Function = TypeVar("Function", bound=Callable[..., Any])


def checked(function: Function) -> Function:
    """The function with arguments of the types that its annotations name, or an `InputError`.

    >>> @checked
    ... def twice(size: "int") -> "int":
    ...     return 2 * size
    >>> twice(np.int8(100))
    200
    >>> twice([1, 2])
    Traceback (most recent call last):
    ...
    solvable.analytic.errors.InputError: size = [1, 2] is not allowed: expected an integer
    """
    known = signature(function)
    checks = [
        (name, kind, parameter.kind, optional)
        for name, parameter in known.parameters.items()
        for kind, optional in [_kind(str(parameter.annotation).strip("'\""))] if kind in ANNOTATIONS
    ]  # fmt: skip

    @wraps(function)
    def call(*arguments: Any, **options: Any) -> Any:
        given = known.bind(*arguments, **options)
        for name, annotation, kind, optional in checks:
            if name not in given.arguments:
                continue
            check, value = ANNOTATIONS[annotation], given.arguments[name]
            if kind is Parameter.VAR_KEYWORD:
                given.arguments[name] = {key: check(key, x) for key, x in value.items()}
            elif kind is Parameter.VAR_POSITIONAL:
                given.arguments[name] = tuple(check(name, x) for x in value)
            elif not (optional and value is None):
                given.arguments[name] = check(name, value)
        with precision.kept_for(*given.arguments.values()):
            return function(*given.args, **given.kwargs)

    return call  # type: ignore[return-value]


def _kind(annotation: str) -> tuple[str, bool]:
    """What an annotation asks for, and whether None is allowed too."""
    return annotation.removesuffix(" | None"), annotation.endswith(" | None")
