r"""Learning rates that change from step to step.

A schedule gives η_n for n = 0, 1, … as a function that is smooth on few pieces. The losses under it
are those of `scheduled_training`.

| name | η_n, n < L |
|---|---|
| constant | η |
| linear | η_f + (η − η_f)(1 − n/L) |
| cosine | η_f + (η − η_f)(1 + cos πn/L)/2 |
| wsd | η from wL to (1 − d)L, linear warm-up before, linear decay to η_f after |
| power | η (1 + n/τ)^{−p} |
| steps | η r^k after the k-th of m equal parts |

each with a linear warm-up over the first wL steps where w is given.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .. import arguments
from ..arguments import checked
from ..equality import same
from ..errors import InputError

Array = np.ndarray

SAMPLED = 257  # points at which a piece is looked at for its largest rate
FIT = 1e-13  # of the largest value, to which a polynomial gives the values of a smooth stretch
DEGREE, POINTS = 15, 64  # of that polynomial; points at which it is fitted
SHORT = 128  # steps: shorter stretches that are no polynomial are taken step by step
NOTHING = 1e-100  # a rate
KINK = 10.0  # second difference, relative to those beside it, at which a smooth function breaks


class Value:
    """n ↦ function(n, *parameters), which compares and pickles by these."""

    def __init__(self, function: Callable[..., Array], *parameters: Any) -> None:
        self.function, self.parameters = function, parameters

    def __call__(self, n: Array) -> Array:
        return self.function(np.asarray(n), *self.parameters)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Value) and same(
            (self.function, self.parameters), (other.function, other.parameters)
        )

    __hash__ = None  # type: ignore[assignment]


def _equal(n: Array, value: float) -> Array:
    return np.full(np.shape(n), value)


def _sloped(n: Array, first: int, start: float, slope: float) -> Array:
    return start + slope * (n - first)


def _turning(n: Array, first: int, low: float, width: float, turn: float) -> Array:
    return low + 2 * width * np.cos(turn * (n - first) / 2) ** 2


def _falling(n: Array, first: int, rate: float, scale: float, exponent: float) -> Array:
    return rate * (1 + (n - first) / scale) ** -exponent


def _listed_at(n: Array, values: Array) -> Array:
    return values[np.rint(n).astype(int)]


def _polynomial(n: Array, first: int, fit: Callable[[Array], Array]) -> Array:
    return fit(n - first)


def _running_mean(n: Array, first: int) -> Array:
    return 1 / (n.astype(float) - first + 2)


def _forgetting(n: Array, delta: float) -> Array:
    return np.minimum(1.0, delta / (1 + n.astype(float)))


@dataclass(frozen=True)
class Piece:
    """Steps ``first`` ≤ n < ``last`` with one function of n for the values, mostly a smooth one."""

    first: int
    last: int
    value: Value
    constant: bool = False
    smooth: bool = True

    def sampled(self, until: float = math.inf) -> Array:
        """Values at many steps, at all if it is not smooth."""
        last = int(min(self.last, until))
        points = min(SAMPLED, last - self.first) if self.smooth else last - self.first
        return np.asarray(self.value(np.linspace(self.first, last - 1, points)))


@dataclass(frozen=True)
class Schedule:
    """A value for every step, on ``pieces`` one after another from 0.

    >>> rates = schedule("linear", 0.5, 100)
    >>> rates(np.array([0, 50, 99])).round(3)
    array([0.5  , 0.25 , 0.005])
    """

    name: str
    pieces: tuple[Piece, ...]
    everywhere: bool = False  # the last piece has no end

    @property
    def last(self) -> int:
        """The number of steps."""
        return self.pieces[-1].last

    @property
    def edges(self) -> tuple[int, ...]:
        """Where the pieces end."""
        return tuple(piece.last for piece in self.pieces)

    def piece(self, n: float) -> Piece:
        """The piece of step n; the last one also after its end."""
        return next((x for x in self.pieces if n < x.last), self.pieces[-1])

    def __call__(self, n: Any) -> Array:
        """The values of steps n, *(k,)*."""
        n = np.asarray(n, float)
        index = np.searchsorted(self.edges, n, side="right").clip(max=len(self.pieces) - 1)
        out = np.empty(n.shape)
        for i in np.unique(index):
            out[index == i] = self.pieces[i].value(n[index == i])
        return out

    def continued(self, n: Array) -> Array:
        """The values at n *(k,)* of the function of the piece of the first, beyond its end too."""
        return self.piece(n[0]).value(n)

    def sampled(self) -> Array:
        """Values at many steps, as many of each smooth piece."""
        return np.concatenate([piece.sampled() for piece in self.pieces])

    def total(self, steps: float = math.inf) -> float:
        """Σ_n of the values of the first ``steps``, to a per cent or better."""
        if self.everywhere:
            return float(steps * self.pieces[-1].value(np.zeros(1))[0])
        return float(sum(
            (min(p.last, steps) - p.first) * np.mean(p.sampled(min(p.last, steps)))
            for p in self.pieces if p.first < steps
        ))  # fmt: skip


def flat(first: int, last: int, value: float) -> Piece:
    """A piece of equal values."""
    return Piece(first, last, Value(_equal, value), constant=True)


def flat_schedule(name: str, value: float) -> Schedule:
    """The same value at every step, without end."""
    return Schedule(name, (flat(0, 1, value),), everywhere=True)


def _line(first: int, last: int, start: float, slope: float) -> Piece:
    """start + slope (n − first)."""
    if slope == 0:
        return flat(first, last, start)
    return Piece(first, last, Value(_sloped, first, start, slope))


def _constant(rate: float, first: int, last: int) -> list[Piece]:
    return [flat(first, last, rate)]


def _linear(rate: float, first: int, last: int, *, final: float = 0.0) -> list[Piece]:
    return [_line(first, last, rate, (final * rate - rate) / (last - first))]


def _cosine(rate: float, first: int, last: int, *, final: float = 0.0) -> list[Piece]:
    low, width = final * rate, (1 - final) * rate / 2
    turn = math.pi / (last - first)
    return [Piece(first, last, Value(_turning, first, low, width, turn))]


def _wsd(
    rate: float, first: int, last: int, *, decay: float | None = None, final: float = 0.0
) -> list[Piece]:
    """The fraction ``decay`` of all steps is linear; by default a fifth, or what is left."""
    left = (last - first + 1) / last
    share = min(0.2, left) if decay is None else arguments.positive("decay", decay)
    if share > 1:
        raise InputError("decay", decay, "a fraction in (0, 1]")
    if round(share * last) > last - first + 1:
        raise InputError("decay", decay, f"at most the fraction {1 - first / last:g} after warm-up")
    start = max(first, last - max(1, round(share * last)))
    stable = [flat(first, start, rate)] if start > first else []
    return [*stable, *_linear(rate, start, last, final=final)]


def _power(
    rate: float, first: int, last: int, *, exponent: float = 0.5, scale: float = 1.0
) -> list[Piece]:
    arguments.positive("scale", scale)
    if not math.isfinite(arguments.number("exponent", exponent)):
        raise InputError("exponent", exponent, "a finite number")
    return [Piece(first, last, Value(_falling, first, rate, scale, exponent))]


def _steps(
    rate: float, first: int, last: int, *, parts: float = 3, factor: float = 0.1
) -> list[Piece]:
    ends = np.linspace(first, last, arguments.count("parts", parts) + 1).round().astype(int)
    arguments.positive("factor", factor)
    return [
        flat(int(a), int(b), float(rate * np.float64(factor) ** k))
        for k, (a, b) in enumerate(zip(ends, ends[1:])) if b > a
    ]  # fmt: skip


SCHEDULES: dict[str, Callable[..., list[Piece]]] = {
    "constant": _constant, "linear": _linear, "cosine": _cosine, "wsd": _wsd, "power": _power,
    "steps": _steps,
}  # fmt: skip


@checked
def schedule(
    name: str, rate: float | int, steps: int, *, warmup: float = 0.0, **options: float
) -> Schedule:
    """A named schedule of ``steps`` steps with the largest rate (or batch) ``rate``.

    Parameters
    ----------
    warmup: fraction of the steps over which the rate rises linearly to ``rate``.
    options: ``final`` rate relative to ``rate`` (linear, cosine, wsd); ``decay``, the fraction of
        the steps that decay (wsd); ``exponent`` and ``scale`` (power); ``parts`` and ``factor``
        (steps).

    Result: a function of the step n, scalar or array. Raises `InputError` for another name or
    option, or one out of range. Source: the table of this module.

    >>> schedule("wsd", 1.0, 8, warmup=0.25, decay=0.25)(np.arange(8))
    array([0.5, 1. , 1. , 1. , 1. , 1. , 1. , 0.5])
    """
    make = SCHEDULES[arguments.choice("schedule", name, SCHEDULES)]
    rate = float(arguments.positive("step", arguments.floating("step", rate)))
    steps = arguments.count("steps", steps)
    if steps > 2**53:
        raise InputError("steps", f"{steps:.3g}", "at most 2^53 steps, which float64 counts")
    arguments.nonnegative("warmup", warmup)
    if not warmup < 1:
        raise InputError("warmup", warmup, "a fraction in [0, 1)")
    arguments.nonnegative("final", options.get("final", 0.0))
    if name != "linear" and not options.get("final", 0.0) <= 1:
        raise InputError("final", options["final"], "a fraction of the rate, in [0, 1]")
    first = min(round(warmup * steps), steps - 1)
    rise = [_line(0, first, rate / first, rate / first)] if first else []
    known = sorted((make.__kwdefaults__ or {}).keys())
    for option in options:
        arguments.choice(f"option of the schedule {name}", option, known)
    with np.errstate(over="ignore", under="ignore"):
        made = Schedule(name, (*rise, *make(rate, first, steps, **options)))
        if not made.sampled().max() < math.inf:
            given = ", ".join(f"{option} = {value:g}" for option, value in options.items())
            raise InputError(f"schedule {name}", given, "options of finite rates")
    return made


def from_values(values: Sequence[float] | Array, name: str = "step") -> Schedule:
    """The schedule of the given values, one a step.

    Stretches on which they are a polynomial of the degree 15 to rounding become one smooth piece
    each, divided at kinks and jumps; what is left is a table.

    >>> [piece.last for piece in from_values([0.1, 0.1, 0.1, 0.3, 0.2, 0.1, 0.0]).pieces]
    [3, 7]
    """
    values = np.asarray(values)
    if values.ndim != 1 or not values.size:
        raise InputError(name, f"an array of shape {values.shape}", "one value a step")
    if values.dtype.kind in "iuf":  # rates that change nothing are none
        values = np.where((values > 0) & (values < NOTHING), 0, values)
    values = np.asarray(arguments.nonnegative(name, values), float)
    if not np.all(np.isfinite(values)):
        raise InputError(name, values[~np.isfinite(values)][0], "finite values")
    tolerance = FIT * values.max()
    pieces: list[Piece] = []
    todo = [(0, len(values))]
    while todo:
        first, last = todo.pop()
        piece = _fitted(values, first, last, tolerance)
        cut = None if piece else _kink(values[first:last], tolerance)
        if piece is None and cut is None and last - first > SHORT:
            cut = (last - first) // 2
        if piece is None and cut is not None:
            todo += [(first + cut, last), (first, first + cut)]
        elif piece is not None:
            pieces.append(piece)
        elif pieces and not pieces[-1].smooth:
            pieces[-1] = _table(values, pieces[-1].first, last)
        else:
            pieces.append(_table(values, first, last))
    return Schedule(name, tuple(pieces))


def _table(values: Array, first: int, last: int) -> Piece:
    return Piece(first, last, Value(_listed_at, values), smooth=False)


def _fitted(values: Array, first: int, last: int, tolerance: float) -> Piece | None:
    """The piece of a constant, a line or a polynomial that is the values, or None."""
    given, count = values[first:last], last - first
    if np.all(given == given[0]):
        return flat(first, last, float(given[0]))
    slope = float(given[-1] - given[0]) / (count - 1)
    if np.all(np.abs(given - (given[0] + slope * np.arange(count))) <= tolerance):
        return _line(first, last, float(given[0]), slope)
    if count < SHORT:
        return None
    chosen = np.unique((0.5 - 0.5 * np.cos(np.pi * np.arange(POINTS) / (POINTS - 1)))
                       * (count - 1)).astype(int)  # fmt: skip
    fit = np.polynomial.Legendre.fit(chosen, given[chosen], DEGREE, domain=[0, count - 1])
    probes = np.arange(0, count, max(1, count // SAMPLED))
    if np.abs(fit(probes) - given[probes]).max() > tolerance:
        return None
    if np.abs(fit(np.arange(count)) - given).max() > tolerance:
        return None
    return Piece(first, last, Value(_polynomial, first, fit))


def _kink(given: Array, tolerance: float) -> int | None:
    """Where a new piece begins: after the second difference that dwarfs those around it."""
    bend = np.abs(np.diff(given, 2))
    if not len(bend):
        return 1 if len(given) > 1 else None
    worst = int(np.argmax(bend))
    around = np.concatenate(
        [bend[max(0, worst - 4) : max(0, worst - 1)], bend[worst + 2 : worst + 5]]
    )
    if bend[worst] <= tolerance or (len(around) and bend[worst] <= KINK * around.max()):
        return None
    left = abs(given[worst + 1] - given[worst])
    return worst + 1 if left > abs(given[worst + 2] - given[worst + 1]) else worst + 2


def parse(text: str) -> tuple[str, dict[str, float]]:
    """The name and the options of ``name[:option=number,…]``.

    >>> parse("wsd:decay=0.5")
    ('wsd', {'decay': 0.5})
    """
    name, _, given = text.partition(":")
    options = {}
    for item in filter(None, given.split(",")):
        option, equals, value = item.partition("=")
        if not equals or not _is_number(value):
            raise InputError("schedule", text, "name:option=number,option=number")
        options[option.strip()] = float(value)
    return name, options


def given_schedule(name: str, spec: Any, value: float, steps: int) -> Schedule:
    """The schedule of a ``spec``: text with the largest ``value``, or the values themselves.

    >>> given_schedule("step", "wsd:decay=0.5", 1, 4)(np.arange(4))
    array([1. , 1. , 1. , 0.5])
    >>> given_schedule("step", (0.1, 0.2), 1, 4)(np.arange(2))
    array([0.1, 0.2])
    """
    if not isinstance(spec, str):
        return from_values(spec, name)
    kind, options = parse(spec)
    arguments.choice("schedule", kind, SCHEDULES)
    if spec == "constant":
        return flat_schedule(name, value)
    if value == 0 or value == math.inf:
        raise InputError(name, value, f"a positive number with a schedule of it ({spec})")
    return schedule(kind, value, steps, **options)


AVERAGES = {"polyak": (), "tail": ("start",), "ema": ("rate",)}


def averaging(text: str, steps: int) -> Schedule | None:
    """Weights α_n of an average of iterates, ū_{n+1} = ū_n + α_n(u_{n+1} − ū_n); "none" is None.

    ``polyak``: the mean of all iterates; ``tail:start=s``: of those from step sL on (the last ones,
    as long as there are none); ``ema:rate=α``: exponential forgetting.

    >>> averaging("tail:start=0.5", 8)(np.arange(8)).round(2)
    array([1.  , 1.  , 1.  , 1.  , 0.5 , 0.33, 0.25, 0.2 ])
    """
    if text == "none":
        return None
    kind, options = parse(str(text))
    arguments.choice("average", kind, ("none", *AVERAGES))
    for option in options:
        arguments.choice(f"option of the average {kind}", option, AVERAGES[kind])
    if kind == "ema":
        rate = options.get("rate", 0.01)
        if not 0 < rate <= 1:
            raise InputError("rate", rate, "a weight in (0, 1]")
        return flat_schedule("average", rate)
    share = options.get("start", 0.5 if kind == "tail" else 0.0)
    if not 0 <= share < 1:
        raise InputError("start", share, "a fraction in [0, 1)")
    first = round(share * steps)
    before = [flat(0, first, 1.0)] if first else []
    mean = Piece(first, steps, Value(_running_mean, first))
    return Schedule("average", (*before, mean))


def fractions(delta: float, steps: int) -> Schedule:
    """Δ_n = min(1, δ/(1 + n)).

    >>> fractions(2.0, 4)(np.arange(4)).round(2)
    array([1.  , 1.  , 0.67, 0.5 ])
    """
    return Schedule("forgetting", (
        Piece(0, steps, Value(_forgetting, delta)),
    ))  # fmt: skip


def read_values(path: str | Path) -> tuple[float, ...]:
    """The numbers in a CSV file, one finite one ≥ 0 a line, after a heading if there is one."""
    values: list[float] = []
    headed = False
    try:
        with open(path, newline="", encoding="utf-8-sig") as lines:
            for number, row in enumerate(csv.reader(lines), start=1):
                text = ",".join(row).strip()
                if not text:
                    continue
                if values or headed or not _is_heading(text):
                    if not _is_number(text) or not 0 <= float(text) < math.inf:
                        raise InputError(
                            "schedule", f"line {number} of {path}: {text[:40]}",
                            "one finite rate ≥ 0 on each line",
                        )  # fmt: skip
                    values.append(float(text))
                headed = True
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError("schedule", path, "a file with one rate on each line") from error
    if not values:
        raise InputError("schedule", path, "a file with at least one rate")
    return tuple(values)


def read_schedule(path: str | Path) -> Schedule:
    """The schedule in a CSV file, one rate a line (a heading is allowed)."""
    return from_values(read_values(path), "schedule")


def _is_heading(text: str) -> bool:
    """Whether it begins as words do, or has no digit: what looks like a number is none.

    >>> [_is_heading(text) for text in ("rate_1", "# η", "0.1x", "٠.١", "nan")]
    [True, True, False, False, False]
    """
    first = text.lstrip("# ")[:1]
    return not _is_number(text) and (first.isalpha() or not any(map(str.isnumeric, text)))


def _is_number(text: str) -> bool:
    """Whether it is a number in plain digits: `float` reads those of other scripts, and 0_1."""
    try:
        float(text)
    except ValueError:
        return False
    return text.isascii() and "_" not in text
