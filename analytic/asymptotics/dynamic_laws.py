r"""Laws of the dynamics: what limits the loss at time t with N features and T samples.

For λ_k = k^{-b}, w_k²λ_k = k^{-a}, M = ∞, no label noise, every bottleneck contributes a power
law c · t^{-p} N^{-q} T^{-s}, possibly times a logarithm.  All of them are first or second terms of
limits in time (`balance.time_domain`):

    time                 N, T = ∞                              t^{-(a−1)/b}
    features             t, T = ∞                              N^{-min(a−1, b)}
    data                 t, N = ∞                              T^{-min(a−1, 2b)}
    feature embedding    the first correction in 1/N           N^{-1} t^{-(b−1)/b}       a − 1 > b
    data reuse           the first correction in 1/T           T^{-1} t^{-(2b−1)/b}      a − 1 > 2b
    batch noise          of one-pass SGD, at N = ∞             t^{-(2b−1)/b}             a − 1 > b

The first correction is a law of its own where it is not t^{1/b}/N times the time law, which only
says that κ ~ 1/t is followed by κ ~ N^{-b}: never at a − 1 ≤ b.

Compute C = N^P t^Q, most often N t.  Along t ~ C^x the loss falls as the law of the cell of the fan
(`fan`) that this direction is in, fastest where two laws balance: `compute_optimal`.  With
e = p − q Q/P the exponent at which a law falls with t on the budget, minimising their sum,

    c₁ C^{−q₁/P} t^{−e₁} + c₂ C^{−q₂/P} t^{−e₂} → min,    t^{e₁−e₂} = C^{(q₂−q₁)/P} c₁e₁/(−c₂e₂),

gives prefactors, exact at C → ∞ for easy tasks; there time is balanced against embedding, and the
loss exponent is (a−1)/a. For hard tasks (a − 1 < b) time and features cross at t ~ N^b, where the
loss is a scaling function N^{-(a-1)} Φ(t/N^b), not a sum: the exponents stand, the prefactor comes
from `compute_frontier`, which minimises the exact loss over N.

Sources: dynamical paper, eqs. (13), (14), (153)–(156), appendix N; 2405.15074 for the phases.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import Any

import numpy as np
import sympy as sp

from .. import arguments
from ..arguments import Number, checked
from ..errors import InputError, OutsideTheoryError
from ..notation import N, T, a, b, lambda_plus, sigma_w, t
from ..optimum import lowest, lowest_whole, minimum
from ..slopes import log_slope
from ..spectrum import Spectrum
from ..training.training_rule import Learner
from .balance.corner_sums import PREFACTOR, c
from .balance.limiting_form import LimitTerm, limiting_form
from .balance.regime_statement import parse_regime
from .balance.systems import named_problem
from .expansion import exact_number
from .fan import regime_fan
from .fan_allocation import allocate_on

__all__ = [
    "BottleneckLaw",
    "ComputeOptimal",
    "Frontier",
    "bottleneck_laws",
    "compute_frontier",
    "compute_optimal",
    "data_law",
    "feature_law",
    "time_law",
]

FINEST = 1000  #: grid of model sizes
SIMPLE = 10_000  #: largest denominator of powers in which prefactors stay exact
DIGITS = 30  #: of the others
compute = sp.Symbol("C", positive=True)  #: N t


@dataclass(frozen=True)
class BottleneckLaw:
    """coefficient · t^{−p} N^{−q} T^{−s} · log^k, with ``powers`` = (p, q, s).

    ``coefficient`` and ``powers`` are sympy expressions in a and b; ``log`` counts powers of the
    logarithm of the resource; ``point`` is the (a, b) for which the term is the leading one.
    """

    name: str
    coefficient: sp.Expr
    powers: tuple[sp.Expr, sp.Expr, sp.Expr]
    log: int
    point: dict[sp.Symbol, Any] = field(repr=False)

    @property
    def expression(self) -> sp.Expr:
        """The law in t, N, T, a and b."""
        resources = (t, N, T)
        monomial = sp.Mul(*[x ** (-p) for x, p in zip(resources, self.powers, strict=True)])
        used = [x for x, p in zip(resources, self.powers, strict=True) if p != 0]
        return self.coefficient * monomial * sp.log(used[0]) ** self.log

    @property
    def exponents(self) -> tuple[Any, Any, Any]:
        """(p, q, s) as exact numbers at the point."""
        p, q, s = (sp.sympify(power).subs(self.point) for power in self.powers)
        return p, q, s

    @property
    def prefactor(self) -> sp.Expr:
        """The coefficient at the point; a removable singularity in a by its limit."""
        value = self.coefficient.subs(self.point)
        if value.is_finite is not False and value is not sp.nan:
            return value
        return sp.limit(self.coefficient.subs(b, self.point[b]), a, self.point[a])

    def __call__(self, *, time: Any = 1, features: Any = 1, samples: Any = 1) -> Any:
        """The value at numbers or arrays of t, N, T."""
        value: Any = float(self.prefactor)
        resources = [np.asarray(x, dtype=float) for x in (time, features, samples)]
        for resource, power in zip(resources, self.exponents, strict=True):
            value = value * resource ** -float(power)
            value = value * np.log(resource) ** self.log if self.log and power else value
        return value


def _point(target_exponent: Any, exponent: Any) -> dict[sp.Symbol, Any]:
    """(a, b) as exact numbers, checked."""
    target, power = exact_number(target_exponent), exact_number(exponent)
    if not target > 1:
        raise InputError("target_exponent", target_exponent, "a > 1: at a ≤ 1 and M = ∞ the "
                         "initial loss Σ k^-a is infinite")  # fmt: skip
    if not power > 1:
        raise InputError("exponent", exponent, "b > 1: at b ≤ 1 and M = ∞ the trace is infinite")
    return {a: target, b: power}


def _terms(point: dict[sp.Symbol, Any], statement: str, quantity: str, terms: int) -> Any:
    """The first terms of a loss in training."""
    problem = named_problem(quantity)
    regime = parse_regime(statement, problem.sizes, point, keep=problem.size)
    return limiting_form(problem, regime, point, terms, remainder=False).terms


def _as_law(name: str, term: LimitTerm, point: dict[sp.Symbol, Any]) -> BottleneckLaw:
    """A term of a limiting form at λ₊ = σ_w = 1, of its logarithms the highest power."""
    sizes = (t, N, T)
    p, q, s = (-sp.sympify(term.exponents.get(size, 0)) for size in sizes)
    others = sp.Mul(*(x**e for x, e in term.exponents.items() if x not in sizes))
    coefficient, log = term.coefficient, 0
    for size in sizes:
        if coefficient.has(sp.log(size)):
            symbol = sp.Dummy("log")
            poly = sp.Poly(sp.expand(coefficient).subs(sp.log(size), symbol), symbol)
            coefficient, log = sp.factor(poly.LC()), log + poly.degree()
    coefficient = (coefficient * others).subs({lambda_plus: 1, sigma_w: 1, c: PREFACTOR})
    return BottleneckLaw(name, coefficient, (p, q, s), log, point)


@lru_cache(maxsize=None, typed=True)
def _lead(
    name: str, statement: str, quantity: str, target_exponent: Any, exponent: Any
) -> BottleneckLaw:
    point = _point(target_exponent, exponent)
    return _as_law(name, _terms(point, statement, quantity, 1)[0], point)


def time_law(target_exponent: Any, exponent: Any) -> BottleneckLaw:
    """N, T → ∞: Σ k^{-a} e^{−2tk^{-b}} at late times, up to terms smaller than any power.

    >>> print(time_law(1.5, 1.25).expression)
    2**(-a/b + 1/b)*t**(-a/b + 1/b)*gamma(a/b + 1 - 1/b)/(a - 1)
    """
    statement = "1 << t, N = inf, T = inf, M = inf"
    return _lead("time", statement, "flow-loss", target_exponent, exponent)


def feature_law(target_exponent: Any, exponent: Any) -> BottleneckLaw:
    """t, T → ∞: the static loss at N features, leading term.

    >>> feature_law(3.4, 1.2).exponents[1]  # b, where the dynamical paper prints min(a − 1, 2b)
    6/5
    """
    return _lead("features", "1 << N, T = inf, M = inf, z = 0", "loss", target_exponent, exponent)


def data_law(target_exponent: Any, exponent: Any) -> BottleneckLaw:
    """t, N → ∞: the static loss at T samples, leading term.

    >>> data_law(1.5, 1.25).exponents[2]  # at a − 1 = 2b a logarithm stands beside T^{-2b}
    1/2
    """
    return _lead("data", "1 << T, N = inf, M = inf, z = 0", "loss", target_exponent, exponent)


def _correction(name: str, size: sp.Symbol, point: dict[sp.Symbol, Any]) -> list[BottleneckLaw]:
    """The first correction in 1/size, where it is not t^{1/b}/size times the time law."""
    if point[a] - 1 <= point[b]:
        return []
    other = T if size == N else N
    statement = f"1 << t << {size}, {other} = inf, M = inf"
    terms = _terms(point, statement, "flow-loss", 2)  # of which either may lead
    term = next(x for x in terms if x.exponents.get(size, 0) != 0)
    same = sp.expand(term.exponents.get(t, 0) + (a - 2) / b).subs(point) == 0
    return [] if same else [_as_law(name, term, point)]


def _batch_noise(point: dict[sp.Symbol, Any]) -> list[BottleneckLaw]:
    """Of the first two terms of one-pass SGD at N = ∞ the one that is not the time law."""
    terms = _terms(point, "1 << t, N = inf, M = inf", "sgd-loss", 2)
    noise = [x for x in terms if not _falls_with_time(x, point)]
    return [_as_law("batch noise", noise[0], point)] if noise else []


def _falls_with_time(term: LimitTerm, point: dict[sp.Symbol, Any]) -> bool:
    """Whether a term has the exponent of the time law."""
    return bool((term.exponents.get(t, 0) + (a - 1) / b).subs(point) == 0)


@checked
@lru_cache(maxsize=None, typed=True)
def bottleneck_laws(
    target_exponent: Number, exponent: Number, *, one_pass: bool = False,
    unlimited_data: bool = False,
) -> dict[str, BottleneckLaw]:  # fmt: skip
    """Every law that holds at (a, b), by name; ``one_pass`` adds the noise of the batches.

    In one-pass training t counts steps, the rate of mode k is ηλ_k, and data are not a bottleneck;
    nor are they with ``unlimited_data``.

    ``target_exponent`` a > 1 and ``exponent`` b > 1, exact numbers. Each law is a prefactor times
    a power of one size, of the excess loss for λ_k = k^{-b}, w²λ_k = k^{-a}. Raises `InputError`
    for exponents ≤ 1. Source: dynamical paper, eqs. (13), (14); arXiv:2405.15074 for the phases.

    >>> sorted(bottleneck_laws(4, 1.5, one_pass=True))
    ['batch noise', 'feature embedding', 'features', 'time']
    """
    point = _point(target_exponent, exponent)
    laws = [time_law(target_exponent, exponent), feature_law(target_exponent, exponent)]
    laws += _correction("feature embedding", N, point)
    if one_pass:
        laws += _batch_noise(point) if point[a] - 1 > point[b] else []
    elif not unlimited_data:
        laws.append(data_law(target_exponent, exponent))
        laws += _correction("data reuse", T, point)
    return {law.name: law for law in laws}


@dataclass(frozen=True)
class ComputeOptimal:
    """How to spend compute C = N^P t^Q: t ~ C^{time}, N ~ C^{size}, L ~ C^{−loss}.

    ``balance`` names the two laws that cross at the optimum; ``time``, ``size`` and ``loss`` are
    the exponents, exact numbers; ``expressions`` t*, N* and L* as functions of C with the
    prefactors of the sum of the two laws. ``sum_is_exact`` says whether that sum is the loss at
    large C (if not, only exponents are meant: see the module's text).
    """

    balance: tuple[str, str]
    time: Any
    size: Any
    loss: Any
    expressions: tuple[sp.Expr, sp.Expr, sp.Expr] = field(repr=False)
    sum_is_exact: bool

    def __call__(self, budget: Any) -> tuple[float, float, float]:
        """(t*, N*, L*) of the sum of the two laws at one budget.

        `InputError` in one-pass training, where the laws hold the step η and the batch B.
        """
        others = sorted(map(str, sp.Tuple(*self.expressions).free_symbols - {compute}))
        if others:
            raise InputError("budget", budget, f"values of {', '.join(others)}, too: substitute "
                             "them in .expressions")  # fmt: skip
        moment, size, loss = (float(x.subs(compute, budget)) for x in self.expressions)
        return moment, size, loss


@checked
@lru_cache(maxsize=None, typed=True)
def compute_optimal(
    target_exponent: Number, exponent: Number, *, one_pass: bool = False,
    features_power: Number = 1, time_power: Number = 1,
) -> ComputeOptimal:  # fmt: skip
    """The best split of C = N^P t^Q between time and model size, with unlimited data.

    ``time``, ``size`` and ``loss`` are powers of C, the last of the excess loss; ``one_pass``
    counts steps of SGD; P > 0 and Q > 0 are ``features_power`` and ``time_power``. Raises
    `InputError` for exponents ≤ 1 or powers ≤ 0, `OutsideTheoryError` where a logarithm stands at
    the optimum (a − 1 = b). Source: dynamical paper, eqs. (14), (153)–(156); arXiv:2405.15074.

    >>> hard, easy = compute_optimal(1.5, 1.25), compute_optimal(4, 2)
    >>> hard.balance, hard.time, hard.size, hard.loss
    (('time', 'features'), 5/9, 4/9, 2/9)
    >>> easy.balance, easy.loss
    (('time', 'feature embedding'), 3/4)
    """
    point = _point(target_exponent, exponent)
    _check_powers(features_power, time_power)
    powers = {"N": features_power, "t": time_power}
    if point[a] - 1 == point[b]:
        raise OutsideTheoryError(
            f"a − 1 = b = {point[b]}: a logarithm stands at the optimum; the exponents hold "
            "up to powers of ln C, which compute_frontier shows"
        )
    fan = regime_fan(
        ("N", "t"), exponent=point[b], target_exponent=point[a],
        quantity="sgd-loss" if one_pass else "flow-loss",
    )  # fmt: skip
    best = allocate_on(fan, powers)
    meeting = [_as_law(_name(term, point), term, point) for term in best.terms]
    weights = (exact_number(features_power), exact_number(time_power))
    first = max(meeting, key=lambda law: _along_budget(law, *weights))
    second = min(meeting, key=lambda law: _along_budget(law, *weights))
    names = (first.name, second.name)
    return ComputeOptimal(
        names, best.shares[t], best.shares[N], best.loss,
        _split(first, second, *weights),
        len(meeting) == 2 and "features" not in names,
    )  # fmt: skip


def _name(term: LimitTerm, point: dict[sp.Symbol, Any]) -> str:
    """What a leading term of the fan in N and t means."""
    if term.exponents.get(t, 0) == 0:
        return "features"
    if term.exponents.get(N, 0) != 0:
        return "feature embedding"
    return "time" if _falls_with_time(term, point) else "batch noise"


def _along_budget(law: BottleneckLaw, features_power: Any, time_power: Any) -> Any:
    """e in law ~ t^{−e} at N^P t^Q = C."""
    p, q, _ = law.exponents
    return p - q * time_power / features_power


def _split(
    first: BottleneckLaw, second: BottleneckLaw, features_power: Any, time_power: Any
) -> tuple[sp.Expr, sp.Expr, sp.Expr]:
    """t*, N*, L* that minimise the sum of two laws at N^P t^Q = C.

    Prefactors are exact where the powers are simple fractions, else of `DIGITS` digits: a whole
    number to the p/q is for sympy the q-th root of its p-th power.
    """
    (p1, q1, _), (p2, q2, _) = (law.exponents for law in (first, second))
    e1, e2 = (_along_budget(law, features_power, time_power) for law in (first, second))
    powers = [exact_number(x) for x in (p1, q1, p2, q2, features_power, time_power)]
    simple = all(x.is_Rational and x.q <= SIMPLE for x in powers)
    c1, c2 = (law.prefactor if simple else law.prefactor.evalf(DIGITS) for law in (first, second))
    balance = c1 * e1 / (-c2 * e2) * compute ** ((q2 - q1) / features_power)
    moment = balance ** (1 / (e1 - e2))
    size = (compute / moment**time_power) ** (1 / features_power)
    loss = c1 * moment**-p1 * size**-q1 + c2 * moment**-p2 * size**-q2
    return moment, size, loss


# ---- the exact frontier ------------------------------------------------------------------


@dataclass(frozen=True)
class Frontier:
    """The compute-optimal frontier of the exact loss: arrays shaped as the budgets.

    ``compute`` C = N^P t^Q, ``features`` N and ``times`` t at the minimum, ``loss`` there.
    """

    compute: np.ndarray
    features: np.ndarray
    times: np.ndarray
    loss: np.ndarray

    @property
    def exponents(self) -> tuple[float, float, float]:
        """(time, size, loss) exponents fitted over all budgets: slopes of ln t, ln N, −ln L."""
        time, size, loss = (
            log_slope(self.compute, y) for y in (self.times, self.features, self.loss)
        )
        return time, size, -loss


@checked
def compute_frontier(
    spectrum: Spectrum, budgets: Sequence[float] | np.ndarray, *, samples: float = math.inf,
    noise: float = 0.0, grid: int = 12, learner: Learner | None = None,
    features_power: float = 1, time_power: float = 1,
) -> Frontier:  # fmt: skip
    """Minimise the exact loss of a training rule over N at N^P t^Q = C, for every budget C.

    A grid in ln N (or the number of steps) brackets the minimum, which is then closed in on. N ≥ 1
    is a real number, t ≥ 1 too or a whole number of steps. ``learner`` is by default
    `GradientFlow()`. Raises `InputError` for budgets ≤ 1, powers ≤ 0, grids that are not 3 …
    `FINEST`, and rules whose loss at one step takes all steps before it.

    Result: a `Frontier` of arrays shaped as the budgets, for the flow in units of 1/λ_1. Source:
    dynamical paper, eqs. (14), (153)–(156).

    >>> from solvable.analytic.spectrum import PowerLaw
    >>> law = PowerLaw(exponent=2, target_exponent=4)
    >>> frontier = compute_frontier(law, [1e4])
    >>> bool(100 < frontier.features[0] * frontier.times[0] < 1.01e4)
    True
    """
    from ..training.dynamics import dynamics
    from ..training.learners import GradientFlow

    arguments.positive_or_infinite("samples", samples)
    _check_powers(features_power, time_power)
    amounts, rule = _amounts(budgets, grid), learner or GradientFlow()
    _check_markov(rule)

    @cache
    def trained(size: float, time: float) -> float:
        return float(dynamics(spectrum, size, samples, time, learner=rule, noise=noise).excess_loss)

    def left(budget: Any, spent: Any, power: float, of: float) -> Any:
        """What budget there is for the other one: (C/x^power)^{1/of}."""
        return (budget / spent**power) ** (1 / of)

    def best(budget: float) -> int:
        most = left(budget, 1, features_power, time_power)
        return _best_steps(lambda n: trained(left(budget, n, time_power, features_power), n),
                           most, grid)  # fmt: skip

    if rule.discrete:
        times = np.vectorize(best, otypes=[int])(amounts)
        features = left(amounts, times, time_power, features_power)
        losses = np.vectorize(trained, otypes=[float])(features, times)
        return Frontier(amounts, features, times, losses)

    def loss(log_size: np.ndarray, budget: np.ndarray) -> np.ndarray:
        sizes, budget = np.broadcast_arrays(np.exp(log_size), budget)
        times = left(budget, sizes, features_power, time_power)
        return np.vectorize(trained, otypes=[float])(sizes, times)

    points = np.log(amounts) / float(features_power) * np.linspace(0, 1, grid)[:, None]
    around = lowest(points, loss(points, amounts))
    log_size, losses = minimum(loss, around, amounts)
    features = np.exp(log_size)
    return Frontier(amounts, features, left(amounts, features, features_power, time_power), losses)


def _check_markov(rule: Any) -> None:
    """`InputError` for rules whose loss at one step takes all steps before it."""
    epochs = getattr(rule, "reshuffled", False)
    if rule.scored == "ridge" or epochs or not getattr(rule, "memoryless", True):
        raise InputError("learner", rule.rule, "flow, gd, preconditioned, momentum, or sgd with a "
                         "constant step and no memory")  # fmt: skip


def _check_powers(features_power: Any, time_power: Any) -> None:
    arguments.positive("features_power", features_power)
    arguments.positive("time_power", time_power)


def _amounts(budgets: Any, grid: int) -> np.ndarray:
    """The budgets as an array, if the grid is one that brackets."""
    amounts = np.atleast_1d(budgets)
    if np.any(~(amounts > 1)):
        raise InputError("budgets", budgets, "numbers > 1")
    arguments.positive("budget", amounts)
    arguments.grid("budgets", amounts.shape, each=10_000)
    if not 3 <= grid <= FINEST:
        raise InputError("grid", grid, f"an integer from 3 to {FINEST}")
    return amounts


def _best_steps(loss: Callable[[int], float], most: float, grid: int) -> int:
    """The number of steps, at most ``most``, of the smallest loss."""
    loss = cache(loss)
    tries = sorted({round(n) for n in np.geomspace(1, max(math.floor(most), 1), grid)})
    k = int(np.argmin([loss(n) for n in tries]))
    return lowest_whole(loss, tries[max(k - 1, 0)], tries[min(k + 1, len(tries) - 1)])
