r"""Laws of the dynamics: what limits the loss at time t with N features and T samples.

For λ_k = k^{-b}, w_k²λ_k = k^{-a}, M = ∞, no label noise, every bottleneck contributes a power
law c · t^{-p} N^{-q} T^{-s}, possibly times a logarithm:

    time                 Σ k^{-a} e^{−2tk^{-b}}                 t^{-(a−1)/b}
    features             κh₁, D₁(κ) = N                         N^{-min(a−1, b)}
    data                 κ²h₂/(1 − D₂/T), D₁(κ) = T             T^{-min(a−1, 2b)}
    feature embedding    (1/N) Σ_k w_k² Σ_j λ_j e^{−2λ_jt}      N^{-1} t^{-(b−1)/b}       a − 1 > b
    data reuse           (1/T) Σ_k w_k²/λ_k Σ_j λ_j² e^{−2λ_jt} T^{-1} t^{-(2b−1)/b}      a − 1 > 2b
    batch noise (SGD)    (η²/B)/(1−q) Σ_n L_n Σ_j λ_j² e^{−2ηλ_jn}  n^{-(2b−1)/b}      a − 1 > b

Time, features and data are the leading Mellin poles of the exact sums (`expansion`, `laws`), so
that min(…) and the logarithm where two poles meet are found, not written. The embedding, reuse and
noise terms are the universal first corrections in 1/N, 1/T, η/B at late times: fast modes k are
learned, w_k²λ_k²λ_j g_kj² → w_k²λ_j e^{−2λ_jt}, and the sum over k converges for easy tasks only.

Compute C = N t. The loss is max_i C^{−p_i x − q_i (1−x)} on t = C^x, N = C^{1−x}, a concave problem
in x whose optimum is where two terms cross: `compute_optimal`. Minimising their sum,

    c₁ C^{−q₁} t^{q₁−p₁} + c₂ C^{−q₂} t^{q₂−p₂} → min,

    t^{(q₁−p₁)−(q₂−p₂)} = C^{q₁−q₂} · c₂(p₂−q₂)/(c₁(q₁−p₁)),

gives prefactors, exact at C → ∞ for easy tasks; there time is balanced against embedding, and the
loss exponent is (a−1)/a. For hard tasks (a − 1 < b) time and features cross at t ~ N^b, where the
loss is a scaling function N^{-(a−1)} Φ(t/N^b), not a sum: the exponents stand, the prefactor comes
from `compute_frontier`, which minimises the exact loss over N.

Sources: dynamical paper, eqs. (13), (14), (153)–(156), appendix N; 2405.15074 for the phases.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import combinations
from typing import Any

import numpy as np
import sympy as sp

from .. import arguments
from ..errors import InputError, OutsideTheoryError
from ..notation import N, T, a, b, lambda_plus, sigma_w, t
from ..optimum import lowest, minimum
from ..slopes import log_slope
from ..spectrum import Spectrum
from .expansion import Ordering, decay_sum, exact_number
from .static_laws import bottleneck_law

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

step, batch = sp.symbols("eta B", positive=True)  #: step size and batch of one-pass SGD
compute = sp.Symbol("C", positive=True)  #: N t
total_loss = sp.Symbol("Lambda", positive=True)  #: Σ_n L_n of one-pass SGD
repetition = sp.Symbol("q", positive=True)  #: (η/B) Σ λ/(2 − (1 + 1/B)ηλ), < 1 if stable


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
        p, q, s = (sp.nsimplify(power.subs(self.point)) for power in self.powers)
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


@cache
def time_law(target_exponent: Any, exponent: Any) -> BottleneckLaw:
    """N, T → ∞: Σ k^{-a} e^{−2tk^{-b}} at late times, up to terms smaller than any power.

    >>> print(time_law(1.5, 1.25).expression)
    gamma(a/b - 1/b)/(2**((a - 1)/b)*b*t**((a - 1)/b))
    """
    point = _point(target_exponent, exponent)
    ordering = Ordering({b: point[b], a: point[a]}, {a: (1, sp.oo), b: (1, sp.oo)})
    lead = decay_sum(a, b, ordering=ordering).lead
    power = sp.simplify(-lead.power)
    coefficient = lead.coefficient * 2 ** (-power)
    return BottleneckLaw("time", coefficient, (power, sp.Integer(0), sp.Integer(0)), 0, point)


@cache
def feature_law(target_exponent: Any, exponent: Any) -> BottleneckLaw:
    """t, T → ∞: the static loss at N features, leading term.

    >>> feature_law(3.4, 1.2).exponents[1]  # b, where the dynamical paper prints min(a − 1, 2b)
    6/5
    """
    return _static("features", 1, _point(target_exponent, exponent))


@cache
def data_law(target_exponent: Any, exponent: Any) -> BottleneckLaw:
    """t, N → ∞: the static loss at T samples, leading term.

    >>> data_law(1.5, 1.25).exponents[2]  # at a − 1 = 2b a logarithm stands beside T^{-2b}
    1/2
    """
    return _static("data", 2, _point(target_exponent, exponent))


def _static(resource: str, index: int, point: dict[sp.Symbol, Any]) -> BottleneckLaw:
    """The winning pole of `static_laws.bottleneck_law`, at λ₊ = σ_w = 1."""
    law = bottleneck_law(resource, point[b], point[a], terms=1)
    powers = [sp.Integer(0)] * 3
    powers[index] = law.exponent
    coefficient = sp.factor(law.prefactor.subs({lambda_plus: 1, sigma_w: 1}))
    return BottleneckLaw(resource, coefficient, tuple(powers), law.log, point)  # type: ignore[arg-type]


def _decay(power: sp.Expr, rate: sp.Expr) -> sp.Expr:
    """Coefficient of τ^{-(s−1)/b} in Σ_j j^{-s} e^{−2·rate·τ·j^{-b}}, for s = power."""
    late = (power - 1) / b
    return sp.gamma(late) / b * (2 * rate) ** (-late)


def _embedding(point: dict[sp.Symbol, Any]) -> BottleneckLaw:
    coefficient = sp.zeta(a - b) * _decay(b, sp.Integer(1))
    powers = ((b - 1) / b, sp.Integer(1), sp.Integer(0))
    return BottleneckLaw("feature embedding", coefficient, powers, 0, point)


def _reuse(point: dict[sp.Symbol, Any]) -> BottleneckLaw:
    coefficient = sp.zeta(a - 2 * b) * _decay(2 * b, sp.Integer(1))
    powers = ((2 * b - 1) / b, sp.Integer(0), sp.Integer(1))
    return BottleneckLaw("data reuse", coefficient, powers, 0, point)


def _batch_noise(point: dict[sp.Symbol, Any]) -> BottleneckLaw:
    coefficient = step**2 / batch * total_loss / (1 - repetition) * _decay(2 * b, step)
    powers = ((2 * b - 1) / b, sp.Integer(0), sp.Integer(0))
    return BottleneckLaw("batch noise", coefficient, powers, 0, point)


@cache
def bottleneck_laws(
    target_exponent: Any, exponent: Any, *, one_pass: bool = False
) -> dict[str, BottleneckLaw]:
    """Every law that holds at (a, b), by name; ``one_pass`` adds the noise of the batches.

    In one-pass training t counts steps, the rate of mode k is ηλ_k, and data are not a bottleneck.

    ``target_exponent`` a > 1 and ``exponent`` b > 1, exact numbers. Each law is a prefactor times
    a power of one size, of the excess loss for λ_k = k^{-b}, w²λ_k = k^{-a}. Raises `InputError`
    for exponents ≤ 1. Source: dynamical paper, eqs. (13), (14); arXiv:2405.15074 for the phases.

    >>> sorted(bottleneck_laws(4, 2, one_pass=True))
    ['batch noise', 'feature embedding', 'features', 'time']
    """
    point = _point(target_exponent, exponent)
    laws = _unlimited_data(target_exponent, exponent, one_pass)
    if not one_pass:
        laws.append(data_law(target_exponent, exponent))
        laws += [_reuse(point)] if point[a] - 1 > 2 * point[b] else []
    return {law.name: law for law in laws}


def _unlimited_data(target_exponent: Any, exponent: Any, one_pass: bool) -> list[BottleneckLaw]:
    """The laws at T = ∞."""
    point = _point(target_exponent, exponent)
    laws = [time_law(target_exponent, exponent), feature_law(target_exponent, exponent)]
    if point[a] - 1 > point[b]:
        laws.append(_embedding(point))
        laws += [_batch_noise(point)] if one_pass else []
    return laws


@dataclass(frozen=True)
class ComputeOptimal:
    """How to spend compute C = N t: t ~ C^{time}, N ~ C^{size}, L ~ C^{−loss}.

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
        """(t*, N*, L*) of the sum of the two laws at one budget."""
        moment, size, loss = (float(x.subs(compute, budget)) for x in self.expressions)
        return moment, size, loss


@cache
def compute_optimal(
    target_exponent: Any, exponent: Any, *, one_pass: bool = False
) -> ComputeOptimal:
    """The best split of C = N t between time and model size, with unlimited data.

    ``time``, ``size`` and ``loss`` are powers of C, the last of the excess loss; ``one_pass``
    counts steps of SGD. Raises `InputError` for exponents ≤ 1, `OutsideTheoryError` where a
    logarithm stands at the optimum (a − 1 = b). Source: dynamical paper, eqs. (14), (153)–(156);
    arXiv:2405.15074.

    >>> hard, easy = compute_optimal(1.5, 1.25), compute_optimal(4, 2)
    >>> hard.balance, hard.time, hard.size, hard.loss
    (('time', 'features'), 5/9, 4/9, 2/9)
    >>> easy.balance, easy.loss
    (('time', 'feature embedding'), 3/4)
    """
    laws = _unlimited_data(target_exponent, exponent, one_pass)
    share = _best_share([law.exponents[:2] for law in laws])
    worth = [p * share + q * (1 - share) for p, q, _ in (law.exponents for law in laws)]
    loss = min(worth)
    tight = [law for law, value in zip(laws, worth, strict=True) if value == loss]
    first, second = _opposed(tight)
    if first.log or second.log:
        raise OutsideTheoryError(
            f"a − 1 = b = {first.point[b]}: a logarithm stands at the optimum; the exponents hold "
            "up to powers of ln C, which compute_frontier shows"
        )
    return ComputeOptimal(
        (first.name, second.name), share, 1 - share, loss, _split(first, second),
        len(tight) == 2 and "features" not in (first.name, second.name),
    )  # fmt: skip


def _best_share(terms: Sequence[tuple[Any, Any]]) -> Any:
    """x in [0, 1] that maximises min_i (p_i x + q_i (1 − x)): an end or a crossing."""
    candidates = [sp.Integer(0), sp.Integer(1)]
    for (p1, q1), (p2, q2) in combinations(terms, 2):
        slope = (p1 - q1) - (p2 - q2)
        if slope != 0 and 0 <= (q2 - q1) / slope <= 1:
            candidates.append((q2 - q1) / slope)
    return max(candidates, key=lambda x: min(p * x + q * (1 - x) for p, q in terms))


def _opposed(tight: Sequence[BottleneckLaw]) -> tuple[BottleneckLaw, BottleneckLaw]:
    """Of the laws equal at the optimum, one that wants more time and one that wants size."""
    gains = {law.name: law.exponents[0] - law.exponents[1] for law in tight}
    first = max(tight, key=lambda law: gains[law.name])
    second = min(tight, key=lambda law: gains[law.name])
    return first, second


def _split(first: BottleneckLaw, second: BottleneckLaw) -> tuple[sp.Expr, sp.Expr, sp.Expr]:
    """t*, N*, L* that minimise the sum of two laws at N t = C."""
    (p1, q1, _), (p2, q2, _) = (law.exponents for law in (first, second))
    c1, c2 = (law.prefactor for law in (first, second))
    balance = c1 * (p1 - q1) / (c2 * (q2 - p2)) * compute ** (q2 - q1)
    moment = balance ** (1 / ((p1 - q1) - (p2 - q2)))
    size = compute / moment
    loss = c1 * moment**-p1 * size**-q1 + c2 * moment**-p2 * size**-q2
    return moment, size, loss


# ---- the exact frontier ------------------------------------------------------------------


@dataclass(frozen=True)
class Frontier:
    """The compute-optimal frontier of the exact loss: arrays shaped as the budgets.

    ``compute`` C = N t, ``features`` N and ``times`` t at the minimum, ``loss`` there.
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


def compute_frontier(
    spectrum: Spectrum,
    budgets: Sequence[float] | np.ndarray,
    *,
    samples: float = math.inf,
    noise: float = 0.0,
    grid: int = 12,
) -> Frontier:
    """Minimise the exact gradient-flow loss over N at N t = C, for every budget C.

    A grid in ln N brackets the minimum, which is then closed in on. N is treated as a real
    number. Raises `InputError` for budgets ≤ 1.

    Result: a `Frontier` of arrays shaped as the budgets, C = N t in units of 1/λ_1. Source:
    dynamical paper, eqs. (14), (153)–(156).

    >>> from solvable.analytic.spectrum import PowerLaw
    >>> law = PowerLaw(exponent=2, target_exponent=4)
    >>> frontier = compute_frontier(law, [1e4])
    >>> bool(100 < frontier.features[0] * frontier.times[0] < 1.01e4)
    True
    """
    amounts = np.atleast_1d(np.asarray(budgets, dtype=float))
    if np.any(~(amounts > 1)):
        raise InputError("budgets", budgets, "numbers > 1")
    arguments.positive_or_infinite("samples", samples)
    from ..dynamics import dynamics

    def loss(log_size: np.ndarray, budget: np.ndarray) -> np.ndarray:
        sizes, budget = np.broadcast_arrays(np.exp(log_size), budget)
        found = [
            float(dynamics(spectrum, size, samples, c / size, noise=noise).excess_loss)
            for size, c in zip(sizes.flat, budget.flat, strict=True)
        ]
        return np.reshape(found, sizes.shape)

    points = np.log(amounts) * np.linspace(0, 1, grid)[:, None]
    around = lowest(points, loss(points, amounts))
    log_size, losses = minimum(loss, around, amounts)
    features = np.exp(log_size)
    return Frontier(amounts, features, amounts / features, losses)
