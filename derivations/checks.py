"""Checks: four ways to find out whether a claim is true, and their verdicts.

* exact: the residual of the equation is zero after simplification;
* numeric: both sides agree to a stated number of digits at admissible points;
* asymptotic: the remainder of an expansion falls with the predicted slope;
* statistical: the claimed value lies inside the confidence interval of a simulation.

A check is a callable that takes the claim. Its verdict is pass, fail or undecided, and
undecided (no admissible point, an interval too wide to mean anything) is not a pass.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import mpmath
import sympy as sp
from sympy.core.function import AppliedUndef

from solvable.analytic.slopes import log_slope
from solvable.analytic.spectral_functions import DegreesOfFreedom, TargetSum, evaluate
from solvable.analytic.spectrum import Spectrum
from solvable.validation.statistics import Judgement, Outcome


@dataclass(frozen=True)
class Verdict:
    """The outcome of a check, a sentence, and the numbers that were observed."""

    outcome: Outcome
    message: str
    observed: Mapping[str, Any] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """True only for a pass."""
        return self.outcome == "pass"


Check = Callable[[sp.Basic], Verdict]


def passes_if(condition: bool, message: str, **observed: Any) -> Verdict:
    """A pass where the condition holds, a failure otherwise."""
    return Verdict("pass" if condition else "fail", message, observed)


def _sides(claim: sp.Basic) -> tuple[sp.Expr, sp.Expr]:
    if not isinstance(claim, sp.Eq):
        raise TypeError(f"this check takes an equation, not {claim}")
    return claim.lhs, claim.rhs


@dataclass(frozen=True)
class Exact:
    """left − right is zero identically, modulo the substitutions ``using`` (made in order).

    ``simplify`` turns the residual into a normal form; the default, `sympy.simplify`,
    may be replaced by a stronger or faster one.

    >>> from solvable.analytic.notation import N, T
    >>> Exact()(sp.Eq((N + T)**2, N**2 + 2*N*T + T**2, evaluate=False)).outcome
    'pass'
    >>> Exact()(sp.Eq((N + T)**2, N**2 + T**2, evaluate=False)).outcome
    'fail'
    """

    using: Mapping[Any, Any] | Sequence[tuple[Any, Any]] = ()
    simplify: Callable[[sp.Expr], sp.Expr] = sp.simplify

    def __call__(self, claim: sp.Basic) -> Verdict:
        left, right = _sides(claim)
        residual = (left - right).subs(self.using).doit()
        if nonzero_at_random(residual):
            return Verdict("fail", f"residual is {residual}"[:400], {"residual": residual})
        residual = self.simplify(residual)
        if residual == 0:
            return Verdict("pass", "residual is identically zero")
        if residual.equals(0) is False or residual.is_zero is False:
            return Verdict("fail", f"residual is {residual}", {"residual": residual})
        return Verdict("undecided", f"cannot decide whether {residual} is zero")


@dataclass(frozen=True)
class Equals:
    """The claim's right side is, identically, what ``derived`` computes independently."""

    derived: Callable[[], sp.Expr]
    using: Mapping[Any, Any] | Sequence[tuple[Any, Any]] = ()
    simplify: Callable[[sp.Expr], sp.Expr] = sp.simplify

    def __call__(self, claim: sp.Basic) -> Verdict:
        _, right = _sides(claim)
        return Exact(self.using, self.simplify)(sp.Eq(self.derived(), right, evaluate=False))


def nonzero_at_random(residual: sp.Expr, seed: int = 0) -> bool:
    """Whether the expression is clearly not zero at a random point with positive coordinates.

    Functions of the symbols, such as D₁(κ), count as independent coordinates.

    >>> from solvable.analytic.notation import N, T
    >>> nonzero_at_random((N + T)**2 - N**2 - T**2)
    True
    """
    generator = random.Random(seed)
    functions = residual.atoms(DegreesOfFreedom, TargetSum, AppliedUndef)
    plain = residual.xreplace({function: sp.Dummy(positive=True) for function in functions})
    values = {
        symbol: sp.Integer(generator.randint(2, 9))
        if symbol.is_integer
        else sp.Rational(generator.randint(20, 300), 97)
        for symbol in sorted(plain.free_symbols, key=sp.default_sort_key)
    }
    try:
        scale = max([abs(complex(t.subs(values).evalf(30))) for t in sp.Add.make_args(plain)])
        return abs(complex(plain.subs(values).evalf(30))) > 1e-15 * scale
    except (TypeError, ValueError, OverflowError):  # unevaluated integrals, limits
        return False


@dataclass(frozen=True)
class Point:
    """A point at which a claim is evaluated: values of symbols, and a spectrum for the sums."""

    values: Mapping[sp.Symbol, Any]
    spectrum: Spectrum | None = None

    def __call__(self, expression: sp.Expr) -> Any:
        """The expression at this point, as an mpmath number at the current precision."""
        return evaluate(expression, self.values, self.spectrum)


@dataclass(frozen=True)
class Numeric:
    """Both sides agree to ``digits`` digits at every one of ``points``.

    ``points`` is a sequence of `Point`, or a function that computes it inside the raised
    precision (so that solved quantities carry enough digits). The scale of a comparison
    is the larger side, or 1 for ``absolute=True``.
    """

    points: Sequence[Point] | Callable[[], Sequence[Point]]
    digits: int = 20
    absolute: bool = False

    def __call__(self, claim: sp.Basic) -> Verdict:
        left, right = _sides(claim)
        with mpmath.workdps(self.digits + 15):
            points = self.points() if callable(self.points) else self.points
            if not points:
                return Verdict("undecided", "no admissible point")
            pairs = [(point(left), point(right)) for point in points]
            errors = [self._error(x, y) for x, y in pairs]
            worst = max(errors, key=lambda e: mpmath.inf if mpmath.isnan(e) else e)
            agreed = self.digits if worst == 0 else int(mpmath.floor(-mpmath.log10(worst)))
        message = f"{len(points)} points agree to {agreed} digits or more ({self.digits} asked)"
        if not worst <= mpmath.mpf(10) ** (-self.digits):
            message = f"the sides differ by {mpmath.nstr(worst, 3)} (10^-{self.digits} allowed)"
            return Verdict("fail", message, {"error": float(worst)})
        return Verdict("pass", message, {"error": float(worst), "points": len(points)})

    def _error(self, x: Any, y: Any) -> Any:
        scale = 1 if self.absolute else max(abs(x), abs(y))
        return abs(x - y) / scale if scale else mpmath.mpf(0)


@dataclass(frozen=True)
class Asymptotic:
    """``exact(x)`` minus the claim's right side falls like x^slope along ``grid``.

    ``variable`` is the symbol in the claim; ``values`` are further symbols' values. The
    fitted slope of log |remainder| against log x must be within ``tolerance`` of ``slope``;
    the local slope at the end of the grid is used, where the asymptotic regime is.
    """

    exact: Callable[[Any], Any]
    variable: sp.Symbol
    grid: Sequence[float]
    slope: float
    values: Mapping[sp.Symbol, Any] = field(default_factory=dict)
    tolerance: float = 0.02
    digits: int = 40
    spectrum: Spectrum | None = None

    def __call__(self, claim: sp.Basic) -> Verdict:
        _, right = _sides(claim)
        with mpmath.workdps(self.digits):
            grid = [mpmath.mpf(x) for x in self.grid]
            remainders = [
                abs(
                    self.exact(x)
                    - evaluate(right, {**self.values, self.variable: x}, self.spectrum)
                )
                for x in grid
            ]
            floor = mpmath.mpf(10) ** (8 - self.digits)
            usable = [(x, r) for x, r in zip(grid, remainders) if r > floor * abs(self.exact(x))]
            if len(usable) < 2:
                return Verdict("undecided", "the remainder is below the working precision")
            observed = float(log_slope(*zip(*usable[-2:])))
        message = f"the remainder has slope {observed:.4f}, predicted {self.slope:.4f}"
        outcome: Outcome = "pass" if abs(observed - self.slope) <= self.tolerance else "fail"
        return Verdict(outcome, message, {"slope": observed, "predicted": self.slope})


@dataclass(frozen=True)
class Statistical:
    """The claimed value lies inside the confidence interval of a simulation that is narrow enough.

    ``simulate`` returns one sample per seed (or an `Estimate`); ``theory`` turns the claim into
    the number claimed; ``sizes`` says what is simulated. The interval covers ``confidence`` and its
    half-width must be below ``resolution`` × the claim (a wide one excludes nothing: undecided).
    """

    simulate: Callable[[], Any]
    theory: Callable[[sp.Basic], float]
    confidence: float = 0.99
    resolution: float = 0.1
    sizes: str = ""

    def __call__(self, claim: sp.Basic) -> Verdict:
        from solvable.validation.executors import one_blas_thread
        from solvable.validation.statistics import Estimate, estimate, verdict

        with one_blas_thread():
            simulated = self.simulate()
        value = simulated if isinstance(simulated, Estimate) else estimate(simulated)
        claimed = float(self.theory(claim))
        found = verdict([value], [claimed], resolution=self.resolution, level=1 - self.confidence)
        return simulated_verdict(found, f"{value.degrees + 1:g}", self.sizes)


@dataclass(frozen=True)
class FiniteSize:
    """As `Statistical`, in the limit of infinite size.

    The theory is a limit, approached as 1/size: ``simulate(size)`` gives samples at each of
    ``scales``, ``theory(claim, size)`` the claimed value there, and the ratio of the two,
    extrapolated in 1/size, must be 1.
    """

    simulate: Callable[[int], Any]
    theory: Callable[[sp.Basic, int], float]
    scales: Sequence[int] = (1, 2, 4)
    confidence: float = 0.99
    resolution: float = 0.05
    sizes: str = ""

    def __call__(self, claim: sp.Basic) -> Verdict:
        from solvable.validation.comparison import Family
        from solvable.validation.executors import one_blas_thread

        with one_blas_thread():
            samples = [self.simulate(scale) for scale in self.scales]
        family = Family(self.scales)
        family.add("all", samples, [float(self.theory(claim, scale)) for scale in self.scales])
        found = family.judge(resolution=self.resolution, level=1 - self.confidence)
        seeds = sorted({len(sample) for sample in samples})
        times = ", ".join(f"×{scale}" for scale in self.scales)
        return simulated_verdict(
            found, " to ".join(map(str, seeds)), f"{self.sizes} at {times}".strip(),
            "simulation/theory, extrapolated in 1/size,",
        )  # fmt: skip


def simulated_verdict(
    found: Judgement, seeds: str, sizes: str, what: str = "simulation"
) -> Verdict:
    """The verdict on simulated numbers, with the intervals and the level that decided it."""
    rows = list(
        zip(found.estimates, found.targets, map(found.half_width, range(len(found.targets))))
    )
    numbers = ", ".join(f"{e.mean:.6g} ± {half:.2g} (claimed {t:.6g})" for e, t, half in rows)
    observed = {
        "mean": [e.mean for e, _, _ in rows], "standard_error": [e.error for e, _, _ in rows],
        "claimed": list(found.targets), "interval": list(map(found.interval, range(len(rows)))),
        "confidence": found.confidence, "seeds": seeds, "sizes": sizes,
    }  # fmt: skip
    return Verdict(found.outcome, f"{what} {numbers}: {found.message}", observed)
