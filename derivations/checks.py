"""Checks: how a claim is found to be true or false, and the verdicts.

* `Exact`: the residual of the equation is zero identically; `Solves`: a claimed value put into
  given equations leaves zero;
* `Numeric`: both sides agree to a stated number of digits at admissible points; `Agrees`: the
  numbers that the claim states are those of an independent computation;
* `Asymptotic`: the remainder of an expansion falls with the predicted slope; `Slope`: a claimed
  exponent is the slope of a measured curve;
* `Inequality`: the claim holds at every one of computed points;
* `Statistical`, `FiniteSize`: the claimed value lies inside the interval of a simulation;
* `Both`: several of these.

Two more belong to matrices: `OnMatrices` and `Planar`, in the room of that name. A check is a
callable that takes the claim. Its verdict is pass, fail or undecided, and undecided (no admissible
point, an interval too wide to mean anything) is not a pass.
"""

from __future__ import annotations

import operator
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
from solvable.validation.statistics import Judgement, Outcome, compared

from .relations import AtMost, Greater, Less, Relation


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


#: a claim in, a verdict out; the claim is a `Relation`, so that it has lhs and rhs
Check = Callable[[Relation], Verdict]


def passes_if(condition: bool, message: str, **observed: Any) -> Verdict:
    """A pass where the condition holds, a failure otherwise."""
    return Verdict("pass" if condition else "fail", message, observed)


# ---- algebra -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Exact:
    """left − right is zero identically, modulo the substitutions ``using`` (made in order).

    ``value`` computes independently what takes the place of the left side; ``residual`` gives
    other expressions of the claim that must vanish. ``simplify`` brings a residual to normal form.

    >>> from solvable.analytic.notation import N, T
    >>> from solvable.derivations.relations import Equality
    >>> Exact()(Equality((N + T)**2, N**2 + 2*N*T + T**2)).outcome
    'pass'
    >>> Exact()(Equality((N + T)**2, N**2 + T**2)).outcome
    'fail'
    """

    using: Mapping[Any, Any] | Sequence[tuple[Any, Any]] = ()
    simplify: Callable[[sp.Expr], sp.Expr] = sp.simplify
    value: Callable[[], sp.Expr] | None = None
    residual: Callable[[Relation], sp.Expr | Sequence[sp.Expr]] | None = None

    def __call__(self, claim: Relation) -> Verdict:
        if self.residual:
            found = self.residual(claim)
        else:
            found = (self.value() if self.value else claim.lhs) - claim.rhs
        residuals = [found] if isinstance(found, sp.Basic) else list(found)
        for index, residual in enumerate(residuals):
            verdict = self._vanishes(sp.sympify(residual).subs(self.using).doit())
            if not verdict.passed:
                where = f"number {index + 1}: " if len(residuals) > 1 else ""
                return Verdict(verdict.outcome, where + verdict.message, verdict.observed)
        count = "residual is" if len(residuals) == 1 else f"{len(residuals)} residuals are"
        return Verdict("pass", f"{count} identically zero")

    def _vanishes(self, residual: sp.Expr) -> Verdict:
        if nonzero_at_random(residual):
            return Verdict("fail", f"residual is {residual}"[:400], {"residual": residual})
        residual = self.simplify(residual)
        if residual == 0:
            return Verdict("pass", "")
        if residual.equals(0) is False or residual.is_zero is False:
            return Verdict("fail", f"residual is {residual}", {"residual": residual})
        return Verdict("undecided", f"cannot decide whether {residual} is zero")


def rational(expression: sp.Expr) -> sp.Expr:
    """Normal form of a rational function, every D_q and h_q being one symbol.

    >>> from solvable.analytic.spectral_functions import D1, D2
    >>> rational((D1**2 - D2**2) / (D1 - D2) - D1 - D2)
    0
    """
    sums = expression.atoms(DegreesOfFreedom, TargetSum)
    names = {function: sp.Dummy() for function in sums}
    back = {name: function for function, name in names.items()}
    return sp.cancel(sp.together(expression.xreplace(names))).xreplace(back)


def nonzero_at_random(residual: sp.Expr, seed: int = 0) -> bool:
    """Whether the expression is clearly not zero at a random point with positive coordinates.

    Functions of the symbols, such as D₁(κ), and sums count as independent coordinates.

    >>> from solvable.analytic.notation import N, T
    >>> nonzero_at_random((N + T)**2 - N**2 - T**2)
    True
    """
    generator = random.Random(seed)
    functions = residual.atoms(DegreesOfFreedom, TargetSum, AppliedUndef, sp.Sum)
    plain = residual.xreplace({function: sp.Dummy(positive=True) for function in functions})
    plain = plain.xreplace({x: sp.Dummy(positive=True) for x in plain.atoms(sp.Indexed)})
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


def proportional(reference: sp.Eq) -> Callable[[Relation], sp.Expr]:
    """The residual that vanishes if the claim is the ``reference`` equation times a number.

    >>> from solvable.derivations.relations import Equality
    >>> z = sp.Symbol("z")
    >>> check = Exact(residual=proportional(sp.Eq(2 * z, 4)))
    >>> [check(Equality(z, right)).outcome for right in (2, 3, z)]
    ['pass', 'fail', 'fail']
    """

    def residual(claim: Relation) -> sp.Expr:
        ratio = (claim.lhs - claim.rhs) / (reference.lhs - reference.rhs)
        atoms = ratio.atoms(sp.Sum) or set()
        plain = ratio.xreplace({x: sp.Dummy(positive=True) for x in atoms})
        plain = plain.xreplace({x: sp.Dummy(positive=True) for x in plain.atoms(sp.Indexed)})
        plain = sp.cancel(sp.together(plain))
        return sp.Integer(1) if plain == 0 else sp.Add(*map(plain.diff, plain.free_symbols))

    return residual


@dataclass(frozen=True)
class Solves:
    """The claim ``unknown = value`` is put into ``equations``, which must all hold identically.

    >>> from solvable.derivations.relations import Equality
    >>> x = sp.Symbol("x", positive=True)
    >>> [Solves([sp.Eq(x**2, 4)])(Equality(x, y)).outcome for y in (2, -2, 3)]
    ['pass', 'pass', 'fail']
    """

    equations: Sequence[Any]
    using: Mapping[Any, Any] = field(default_factory=dict)

    def __call__(self, claim: Relation) -> Verdict:
        value = {claim.lhs: claim.rhs}

        def residuals(_: Any) -> list[sp.Expr]:
            left = [sp.simplify((e.lhs - e.rhs).xreplace(value)) for e in self.equations]
            return [residual.xreplace(dict(self.using)) for residual in left]

        return Exact(residual=residuals)(claim)


# ---- numbers -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Point:
    """A point at which a claim is evaluated: values of symbols, and a spectrum for the sums."""

    values: Mapping[sp.Symbol, Any]
    spectrum: Spectrum | None = None

    def __call__(self, expression: sp.Expr) -> Any:
        """The expression at this point, as an mpmath number at the current precision."""
        return evaluate(expression, self.values, self.spectrum)

    def right(self, claim: Relation) -> float:
        """The right side of a claim at this point."""
        return float(self(claim.rhs))


def _worst(pairs: Sequence[tuple[Any, Any]], absolute: bool) -> Any:
    """The largest difference, relative to the larger of the two unless ``absolute``."""
    worst = mpmath.mpf(0)
    for x, y in pairs:
        scale = 1 if absolute else max(abs(x), abs(y)) or 1
        error = abs(x - y) / scale
        worst = max(worst, mpmath.inf if mpmath.isnan(error) else error)
    return worst


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

    def __call__(self, claim: Relation) -> Verdict:
        with mpmath.workdps(self.digits + 15):
            points = self.points() if callable(self.points) else self.points
            if not points:
                return Verdict("undecided", "no admissible point")
            pairs = [(point(claim.lhs), point(claim.rhs)) for point in points]
            worst = _worst(pairs, self.absolute)
            agreed = self.digits if worst == 0 else int(mpmath.floor(-mpmath.log10(worst)))
            holds = worst <= mpmath.mpf(10) ** (-self.digits)
        message = f"{len(points)} points agree to {agreed} digits or more ({self.digits} asked)"
        if not holds:
            message = f"the sides differ by {mpmath.nstr(worst, 3)} (10^-{self.digits} allowed)"
        return passes_if(holds, message, error=float(worst), points=len(points))


@dataclass(frozen=True)
class Agrees:
    """The numbers that the claim states are, within ``tolerance``, those of another computation.

    ``independent`` computes the other numbers (one or several), ``claimed`` reads the claim.
    """

    independent: Callable[[], Any]
    claimed: Callable[[Relation], Any]
    tolerance: float = 1e-10
    absolute: bool = False

    def __call__(self, claim: Relation) -> Verdict:
        with mpmath.workdps(15 + max(0, int(-mpmath.log10(self.tolerance)))):
            claimed, found = _numbers(self.claimed(claim)), _numbers(self.independent())
            if not found:
                return Verdict("undecided", "nothing was computed")
            error = float(_worst(list(zip(claimed, found, strict=True)), self.absolute))
            shown = " against ".join(
                ", ".join(mpmath.nstr(x, 8) for x in side[:6]) for side in (claimed, found)
            )
        message = f"{shown}: off by {error:.1e} ({self.tolerance:.0e} allowed)"
        return passes_if(error <= self.tolerance, message, error=error)


def _numbers(value: Any) -> list[Any]:
    many = isinstance(value, list | tuple) or bool(getattr(value, "ndim", 0))
    return [mpmath.mpmathify(x) for x in (value if many else [value])]


@dataclass(frozen=True)
class Inequality:
    """The claimed inequality holds at every one of computed points.

    ``points`` gives a list of substitutions; none at all is undecided.
    """

    points: Callable[[], Sequence[Mapping[sp.Symbol, float]]] = field(repr=False)

    def __call__(self, claim: Relation) -> Verdict:
        compare = {Less: operator.lt, AtMost: operator.le, Greater: operator.gt}[type(claim)]
        points = self.points()
        truths = [compare(*(float(side.subs(point)) for side in claim.args)) for point in points]
        message = f"true at {sum(truths)} of {len(truths)} points"
        if not truths:
            return Verdict("undecided", message)
        return passes_if(all(truths), message)


# ---- rates -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Asymptotic:
    """``exact(x)`` minus the claim's right side falls like x^slope along ``grid``.

    ``variable`` is the symbol in the claim; ``values`` are further symbols' values, or a function
    of x that gives them; ``written`` writes the right side out in these symbols. The slope of
    log |remainder| against log x at the end of the grid, where the asymptotic regime is, must be
    within ``tolerance`` of ``slope``. A figure shows the error at ``drawn``, where the claim begins
    to hold, with everything else as ``where`` says.
    """

    exact: Callable[[Any], Any]
    variable: sp.Symbol
    grid: Sequence[float]
    slope: float
    values: Mapping[Any, Any] | Callable[[Any], Mapping[Any, Any]] = field(default_factory=dict)
    tolerance: float = 0.02
    digits: int = 40
    spectrum: Spectrum | None = None
    written: Callable[[Any], sp.Expr] = lambda right: right
    drawn: Sequence[Any] = ()
    where: str = ""

    def remainders(self, claim: Relation, grid: Sequence[Any]) -> list[tuple[Any, Any, Any]]:
        """x, |exact − claim| and the exact value along a grid, in the precision of the caller."""
        right = self.written(claim.rhs)
        found = []
        for x in map(mpmath.mpf, grid):
            others = self.values(x) if callable(self.values) else self.values
            exact = self.exact(x)
            claimed = evaluate(right, {**others, self.variable: x}, self.spectrum)
            found.append((x, abs(exact - claimed), exact))
        return found

    def __call__(self, claim: Relation) -> Verdict:
        with mpmath.workdps(self.digits):
            floor = mpmath.mpf(10) ** (8 - self.digits)
            usable = [(x, left) for x, left, exact in self.remainders(claim, self.grid)
                      if left > floor * abs(exact)]  # fmt: skip
            if len(usable) < 2:
                return Verdict("undecided", "the remainder is below the working precision")
            observed = float(log_slope(*zip(*usable[-2:])))
        off = abs(observed - self.slope)
        message = f"the remainder has slope {_beside(observed, self.slope, off, self.tolerance)}"
        return passes_if(
            off <= self.tolerance, message, slope=observed, predicted=self.slope,
            curve=[[float(x), float(r)] for x, r in usable], variable=str(self.variable),
        )  # fmt: skip


def _beside(observed: float, claimed: float, off: float, allowed: float) -> str:
    """A slope beside the one claimed, and what decides: how far it is off."""
    return f"{observed:.4f}, claimed {claimed:.4f}: off by {compared(off, allowed, 4)}"


@dataclass(frozen=True)
class Slope:
    """The claimed exponent is ``sign`` × the log–log slope of curves, one at each of some points.

    ``curves`` pairs values of the claim's symbols with a function that gives (x, y), which
    ``axes`` names. The slope may be off by ``tolerance`` of the exponent, and by no more than 0.01.
    """

    curves: Sequence[tuple[Mapping[Any, Any], Callable[[], tuple[Any, Any]]]]
    axes: tuple[str, str] = field(kw_only=True)
    tolerance: float = 0.004
    sign: int = -1

    def __call__(self, claim: Relation) -> Verdict:
        observed, holds, words = [], True, []
        drawn = []
        for point, curve in self.curves:
            expected = float(claim.rhs.subs(point))
            x, y = curve()
            observed.append(self.sign * float(log_slope(x, [abs(value) for value in y])))
            allowed = min(0.01, self.tolerance * abs(expected))
            off = abs(observed[-1] - expected)
            holds &= off <= allowed
            where = ", ".join(f"{symbol} = {value}" for symbol, value in point.items())
            drawn.append([expected * self.sign, [[float(u), abs(float(v))] for u, v in zip(x, y)],
                          where])  # fmt: skip
            words.append(_beside(observed[-1], expected, off, allowed) + (where and f", {where}"))
        return passes_if(holds, "slopes: " + "; ".join(words), slopes=observed, curves=drawn,
                         axes=self.axes)  # fmt: skip


# ---- simulations -------------------------------------------------------------------------


@dataclass(frozen=True)
class Statistical:
    """The claimed value lies inside the confidence interval of a simulation that is narrow enough.

    ``simulate`` returns one sample per seed (or an `Estimate`); ``theory`` turns the claim into
    the number claimed; ``sizes`` says what is simulated. The interval covers ``confidence`` and its
    half-width must be below ``resolution`` × the claim (a wide one excludes nothing: undecided).
    """

    simulate: Callable[[], Any]
    theory: Callable[[Relation], float]
    confidence: float = 0.99
    resolution: float = 0.1
    sizes: str = ""

    def __call__(self, claim: Relation) -> Verdict:
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
    theory: Callable[[Any, int], float]
    scales: Sequence[int] = (1, 2, 4)
    confidence: float = 0.99
    resolution: float = 0.05
    sizes: str = ""

    def __call__(self, claim: Relation) -> Verdict:
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


@dataclass(frozen=True)
class Both:
    """Every one of ``checks`` passes; the first that does not decides."""

    checks: Sequence[Check]

    def __call__(self, claim: Relation) -> Verdict:
        verdicts = []
        for check in self.checks:
            verdicts.append(check(claim))
            if not verdicts[-1].passed:
                return verdicts[-1]
        return Verdict("pass", "; ".join(verdict.message for verdict in verdicts))
