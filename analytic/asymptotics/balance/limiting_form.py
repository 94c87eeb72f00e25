r"""A limiting form: the terms that lead, the remainder, the conditions, and numbers beside it.

`limiting_form(problem, regime, order)` solves for the unknowns (`dominant`), puts them into the
output, takes the limit of coefficients that are infinite (`resonance`), and keeps the first
``order`` terms that are not zero; the next one is the remainder.  The depth of the series is raised
until that next term is known.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction as Rational
from functools import cached_property
from typing import Any, cast

import mpmath
import sympy as sp

from ... import precision
from ...arguments import fraction
from ...errors import InputError, OutsideTheoryError
from ...notation import a, b, lambda_plus, sigma_w
from ...spectral_functions import DegreesOfFreedom, Moment, TargetSum
from ...spectrum import PowerLaw, Spectrum
from ..expansion import Ordering
from .coefficients import Singular
from .corner_sums import PREFACTOR, c
from .dominant import BEYOND
from .multiseries import MultipleRoot, PoleLeft, Scales, Series, TooMany, TooShallow
from .places import Implicit, place_symbol
from .problem import Problem
from .regime_statement import Regime
from .resonance import at_resonance, resonant
from .time_domain import check_modes, loss_in_time, readable
from .traces import evaluate, spectral_number
from .unknowns import Unknowns, exact_output, solve_unknowns
from .walls import Tie, Walls, check_border, divided, joined, merged
from .whole_powers import with_roots, without_roots

#: depths of the series, in units of the largest growth: the first, and where to give up
SHALLOW, DEEP, DEEPER, NEARER = Rational(1, 40), 160, Rational(8, 5), Rational(5, 4)
APART = 10  # times as fast as the slowest size grows what the first depth is measured by
POLES = 3  # depths in a row at which a pole may be left
STEADY, ENOUGH = 6, 8  # depths of the same terms, and how deep they must be, for a sum to end
DIGITS = 30


@dataclass(frozen=True)
class LimitTerm:
    """coefficient × Π scale^exponent; ``weight`` orders the terms; logs are in the coefficient."""

    coefficient: sp.Expr
    exponents: Mapping[sp.Expr, sp.Expr]
    weight: Rational

    @property
    def monomial(self) -> sp.Expr:
        """Π scale^exponent."""
        return sp.Mul(*(s**e for s, e in self.exponents.items()))

    @property
    def expression(self) -> sp.Expr:
        """The whole term."""
        return self.coefficient * self.monomial


@dataclass(frozen=True)
class LimitingForm:
    """The first terms of a quantity in a regime, largest first.

    ``remainder`` is the first term left out (None where there is none); ``conditions`` are ratios
    that must be small, and inequalities between exponents, under which these terms lead in this
    order; ``where`` says what each symbol is; ``solutions`` are the first terms of the unknowns;
    ``ranges`` are those of ratios that the statement leaves free; ``cell`` holds the exponents, by
    size, of every monomial that was taken to vanish; ``gap`` is the least distance of weights of a
    term and the next, the one behind the remainder included.
    """

    name: str
    regime: Regime
    terms: tuple[LimitTerm, ...]
    remainder: LimitTerm | None
    conditions: tuple[sp.Basic, ...]
    where: Mapping[sp.Expr, Any] = field(default_factory=dict)
    solutions: Mapping[sp.Symbol, sp.Expr] = field(default_factory=dict)
    cell: tuple[Mapping[sp.Symbol, Any], ...] = ()
    gap: Rational | None = None
    problem: Problem | None = field(default=None, repr=False, compare=False)
    ranges: tuple[sp.Basic, ...] = ()

    @property
    def unbounded(self) -> bool:
        """Whether an unknown is infinite with a size that is called infinite."""
        return any(x.has(s) for x in self.solutions.values() for s in self.regime.infinite)

    @cached_property
    def expression(self) -> sp.Expr:
        """The sum of the terms, as any expression."""
        return sp.Add(*(t.expression for t in self.terms))

    def latex(self) -> str:
        """LaTeX with the remainder as O(…)."""
        body = " + ".join(sp.latex(t.expression) for t in self.terms).replace(" + -", " - ")
        if self.remainder is None:
            return body
        return rf"{body} + O\!\left({sp.latex(self.remainder.monomial)}\right)"

    def rest(self, shown: Callable[[Any], str] = str) -> str:
        """What is left, in words."""
        if self.remainder is not None:
            return f"O({shown(self.remainder.monomial)})"
        clock = self.problem.clock if self.problem is not None else None
        return "none" if clock is None else f"smaller than any power of {clock.time}"

    def _repr_latex_(self) -> str:
        return rf"$\displaystyle {self.latex()}$"

    def __str__(self) -> str:
        body = " + ".join(str(t.expression) for t in self.terms).replace(" + -", " - ")
        return body if self.remainder is None else f"{body} + O({self.remainder.monomial})"

    @precision.kept
    def partial_sums(
        self, values: Mapping[sp.Symbol, Any], spectrum: Spectrum | None = None
    ) -> tuple[Any, ...]:
        """The sum after 1, 2, … terms at numbers, to the current mpmath precision."""
        total, sums = mpmath.mpf(0), []
        values = self.completed(values, spectrum)
        for term in self.terms:
            total += number_of(term.expression, values, spectrum)
            sums.append(total)
        return tuple(sums)

    def over(self, spectrum: Any) -> Any:
        """The spectrum that the sums in the coefficients run over: endless where M → ∞."""
        size = self.problem.size if self.problem is not None else None
        growing = self.regime.growth.get(size, 0) > 0 and hasattr(spectrum, "size")
        if not growing or getattr(spectrum, "exponent", 2) <= 1:  # an endless one has no trace
            return spectrum
        return replace(spectrum, size=math.inf)

    def completed(
        self, values: Mapping[sp.Symbol, Any], spectrum: Spectrum | None
    ) -> dict[sp.Symbol, Any]:
        """The values with ratios, distances and constants of the regime; λ₊ = σ_w = 1 if open."""
        digits = mpmath.mp.dps + 10
        known = {s: exact_or_float(v, digits) for s, v in values.items()}
        known = {lambda_plus: sp.S.One, sigma_w: sp.S.One} | known
        known |= self.regime.new_values(known)
        self.regime.check(known)
        known.setdefault(c, sp.N(PREFACTOR.subs(known), digits))
        for symbol, meaning in self.where.items():
            if isinstance(meaning, Implicit) and symbol not in known:
                known[symbol] = meaning.number(known, spectrum, digits)
            elif symbol not in self.regime.substitutions and isinstance(meaning, sp.Expr):
                known.setdefault(symbol, sp.N(meaning.subs(known), digits))
        return known


def number_of(
    expression: sp.Expr, values: Mapping[sp.Symbol, Any], spectrum: Spectrum | None
) -> Any:
    """An expression with c, atoms and sizes put in, as an mpmath number."""
    digits = mpmath.mp.dps + 10
    exact = {s: exact_or_float(v, digits) for s, v in values.items()}
    known = {c: sp.N(PREFACTOR.subs(exact), digits)} | exact
    sums = {
        atom: spectral_number(atom, exact, spectrum, digits)
        for atom in expression.atoms(DegreesOfFreedom, TargetSum, Moment)
    }
    value = sp.N(expression.xreplace(sums).subs(known), digits)
    if not value.is_number:
        missing = ", ".join(sorted(map(str, value.free_symbols)))
        raise InputError("values", f"none for {missing}", "a value for every symbol of the limit")
    if not value.is_finite:
        raise OutsideTheoryError("a coefficient is infinite at these values: a border of two laws")
    return mpmath.mpmathify(value)


def exact_or_float(value: Any, digits: int) -> sp.Expr:
    """A number as an exact rational where it is one, else as a Float of all its digits."""
    if isinstance(value, sp.Basic):
        return value
    if isinstance(value, mpmath.mpf | mpmath.mpc):
        return sp.oo if value == mpmath.inf else sp.Float(value, digits)
    if value == float("inf"):
        return sp.oo
    return fraction("value", value)


def limiting_form(
    problem: Problem, regime: Regime, point: Mapping[sp.Symbol, Any], order: int = 3,
    *, remainder: bool = True, deepest: Any = DEEP,
) -> LimitingForm:  # fmt: skip
    """The first ``order`` non-zero terms of the problem's output in the regime.

    ``point`` gives b (and a) and the parameters where the terms are ordered.  Without
    ``remainder`` the term behind the last one is not looked for; ``deepest``, in units of the
    largest growth, is where the series are given up.
    Raises `OutsideTheoryError` on a wall between two regimes and for what has no series.
    """
    if order < 1:
        raise InputError("order", order, "an integer ≥ 1")
    if problem.clock is not None and problem.clock.time in regime.infinite:
        raise InputError("regime", f"{problem.clock.time} = inf", "a time that grows: the loss "
                         "after infinite time is the static loss at z = 0")  # fmt: skip
    reduced = problem.at_infinity(regime.infinite - set(regime.substitutions))
    stated, wanted = regime, order + remainder
    regime, roots = with_roots(stated)
    found = _deepened(reduced, regime, point, order, wanted, deepest)
    if reduced != problem and found.unbounded:  # κ ~ M is not fixed as M → ∞
        found = _deepened(problem, regime, point, order, wanted, deepest)
    return without_roots(found, stated, roots) if roots else found


def _deepened(
    problem: Problem, regime: Regime, point: Mapping[sp.Symbol, Any], order: int, wanted: int,
    deepest: Any,
) -> LimitingForm:  # fmt: skip
    """The terms at the first depth that shows as many as are wanted."""
    rates = [abs(p) for p in regime.growth.values() if 0 < abs(p) < BEYOND] or [Rational(1)]
    largest, counts, poles, walls = max(rates), cast(list[int], []), 0, cast(Walls, {})
    scales, summed = _scales(problem, regime, point, walls), False
    depth = min(largest, APART * min(rates)) * SHALLOW
    while depth < largest * deepest and poles < POLES:
        try:
            scales.deepen(depth)
            found, complete = _at_depth(problem, regime, scales, order, wanted)
            counts, poles = [*counts, len(found.terms)], 0
        except TooShallow as error:
            found, complete, last = None, False, error
            poles += isinstance(error, PoleLeft) and depth >= largest * SHALLOW
            if isinstance(error, MultipleRoot) and depth > largest * ENOUGH:
                break
        except Tie as error:
            if not ((error.units and not summed) or (error.walls or {}).keys() - walls.keys()):
                raise
            walls, summed = joined(walls, error.walls or {}), summed or error.units
            scales = _scales(problem, regime, point, walls, summed)
            continue
        except Singular:
            (scales := _scales(problem, regime, point, walls, summed)).reduced = False
            continue
        except TooMany as error:
            if not counts:
                raise
            raise OutsideTheoryError(f"{error}; found: {counts[-1]}, ask for fewer") from error
        except ZeroDivisionError as error:
            raise OutsideTheoryError("a coefficient of the series is infinite at this point, on a "
                                     "wall between two regimes") from error  # fmt: skip
        steady = counts[-STEADY:] == counts[-1:] * STEADY and depth > largest * ENOUGH
        if found is not None and (complete or steady):
            return found  # complete, or a sum that ends: nothing more over many depths
        near = found is not None and depth > largest  # the next term is not far, and depth dear
        depth = depth * (NEARER if near else DEEPER)
    raise OutsideTheoryError(f"no leading terms in this regime, or it is infinite there: {last}")


def _at_depth(
    problem: Problem, regime: Regime, scales: Scales, order: int, wanted: int
) -> tuple[LimitingForm, bool]:
    """The form at one depth, and whether as many terms as are wanted are known."""
    size: sp.Expr = sp.oo
    if problem.size is not None and problem.size not in regime.infinite:
        size = regime.applied(problem.size)
    found = _solved(problem, regime, scales, size)
    images, notes = found.images, found.notes
    if problem.clock is None:
        exact = exact_output(problem, regime, found.exact) if found.exact else None
        if exact is not None:
            scales.comparisons.clear()  # it holds wherever this sum does
        outputs = [regime.applied(f) for f in problem.outputs] if exact is None else [exact]
        forms = [evaluate(f, images, found.corners) for f in outputs]
        output = max(forms, key=lambda f: math.inf if f.cut is None else f.cut)
    else:
        output = loss_in_time(problem.clock, scales, found, size, regime.applied,
                              problem.isotropic, order + 2)  # fmt: skip
    terms = _terms(scales, output, regime, notes)
    if not terms and output.cut is not None and output.cut > BEYOND / 4:
        _refuse_vanished(regime)
    if not terms:
        raise TooShallow("all terms cancel to the order that was computed")
    _check_finite(terms[0], regime)
    finite = [t for t in terms if t.weight < BEYOND / 4]  # others are zero where z = 0 or N = inf
    ends = len(finite) < len(terms) or output.cut is None
    finite, walls = merged(scales, finite)
    last = finite[min(order, len(finite)) - 1].weight
    kept = [t for t in finite if t.weight <= last]  # all that are as large as the last one
    rest = finite[len(kept) :]
    check_border(kept, scales)
    complete = ends or (len(finite) >= order if wanted == order else len(rest) > 0)
    conditions = (*(sp.Eq(s, x, evaluate=False) for s, x in walls.items()),
                  *_conditions(scales, kept, rest, regime, problem))  # fmt: skip
    where: dict[sp.Expr, Any] = dict(regime.substitutions) | notes
    if any(t.expression.has(c) for t in kept):
        where[c] = PREFACTOR
    remainder = rest[0] if rest else None
    leading = {u: scales.expression(x.items[0][2]) * scales.monomial(x.items[0][1])
               for u, x in images.items() if x.terms}  # fmt: skip
    form = LimitingForm(problem.name, regime, tuple(kept), remainder, conditions, where, leading,
                        _cell(scales, [*kept, *rest[:1]], regime, problem),
                        _gap(terms, order, output.cut), problem)  # fmt: skip
    return form, complete


def _solved(problem: Problem, regime: Regime, scales: Scales, size: sp.Expr) -> Unknowns:
    """The unknowns; where the time is tied to a size, the reason why there is no law in powers."""
    if problem.clock is not None:
        check_modes(problem.clock, scales, size)
    try:
        return solve_unknowns(problem, regime, scales, size)
    except OutsideTheoryError as error:
        walls = error.walls if isinstance(error, Tie) else None
        if problem.clock is None or walls or isinstance(error, TooShallow | TooMany):
            raise
        raise OutsideTheoryError(f"no powers of {problem.clock.time}: where the time and a size "
                                 "balance (t ~ N^b) the loss is a power of the size times a "
                                 f"function of their ratio ({error})") from error  # fmt: skip


def _gap(terms: list[LimitTerm], order: int, cut: Rational | None) -> Rational | None:
    """The least positive distance between the weights of the terms, as far as the next is known."""
    weights = [t.weight for t in terms[: order + 2]]
    if cut is not None and len(weights) < order + 2:
        weights.append(cut)
    return min((y - x for x, y in zip(weights, weights[1:]) if y > x), default=None)


def _scales(
    problem: Problem, regime: Regime, point: Mapping[sp.Symbol, Any], walls: Walls,
    summed: bool = False,
) -> Scales:  # fmt: skip
    """Where they start; λ₊ carries powers, or its whole powers are ``summed`` in coefficients."""
    growth: dict[sp.Expr, Any] = {lambda_plus: Rational(0), **regime.growth}
    values = {lambda_plus: sp.S.One, **{s: sp.S.One for s in problem.parameters}}
    values.update(problem.typical)
    values.update(regime.values)
    values.update(point)
    values[c] = sp.N(PREFACTOR.subs(values), DIGITS)
    places = [place_symbol(u) for u, _ in problem.equations]
    parameters = [*problem.parameters, *regime.parameters, *places]
    if summed:
        del growth[lambda_plus]
        parameters.append(lambda_plus)
    scales = Scales(growth, values, SHALLOW, [s for s in parameters if s not in growth], walls)
    if problem.clock is not None:
        rate = problem.clock.growth(scales.growth, scales.value, regime.applied)
        scales.growth[problem.clock.frequency] = rate
    scales.spectrum, scales.listed = problem.spectrum, problem.spectrum is not None
    if problem.size is not None and not scales.listed:
        scales.spectrum = _law(values, values.get(problem.size, math.inf))
    for place in places:
        scales.point.setdefault(place, sp.Rational(1, 100))
    return scales


def _law(values: Mapping[sp.Symbol, Any], size: Any) -> Spectrum | None:
    """The power law at the representative point; None where its sums diverge."""
    try:
        return PowerLaw(exponent=values[b], target_exponent=values.get(a),
                        size=size if size == math.inf else int(size))  # fmt: skip
    except (InputError, KeyError):
        return None


def _terms(
    scales: Scales, output: Series, regime: Regime, notes: Mapping[sp.Expr, Any]
) -> list[LimitTerm]:
    """All terms with their coefficients written out, the largest first."""
    place = resonant(scales, output)
    found = []
    if place is None:
        for weight, vector, coefficient in output.items:
            written = readable(scales.expression(coefficient))
            total = weight + regime.weight_of(written)
            found.append(LimitTerm(written, scales.exponents(vector), total))
    else:
        for key, value in at_resonance(scales, output, place, notes).items():
            exponents = dict(key)
            weight = sum(
                (-scales.growth.get(s, Rational(0)) * scales.value(e) for s, e in key), Rational(0)
            )
            found.append(LimitTerm(_written(value, notes), exponents, weight))
    if output.cut is not None:
        found = [t for t in found if t.weight < output.cut]
    return sorted(found, key=lambda t: t.weight)


def _written(value: sp.Expr, notes: Mapping[sp.Expr, Any]) -> sp.Expr:
    """A coefficient with logarithms; over one denominator where that is made of a root."""
    rooted = any(isinstance(notes.get(s), Implicit) for s in value.free_symbols)
    return sp.factor(value) if rooted else sp.factor_terms(value)


def _check_finite(term: LimitTerm, regime: Regime) -> None:
    """Raise `OutsideTheoryError` where the leading term is infinite or zero with such a size."""
    if abs(term.weight) <= BEYOND / 4:
        return
    if term.weight > 0:
        _refuse_vanished(regime, term)
    place = ", ".join(f"{s} = {_end_of(s, regime)}" for s, p in regime.growth.items()
                      if abs(p) >= BEYOND and s in term.exponents)  # fmt: skip
    raise OutsideTheoryError(f"the limit does not exist: a term {term.monomial} is infinite at "
                             f"{place}")  # fmt: skip


def _end_of(size: sp.Symbol, regime: Regime) -> str:
    return "0" if regime.growth[size] < 0 else "inf"


def _refuse_vanished(regime: Regime, term: LimitTerm | None = None) -> None:
    """Raise `OutsideTheoryError`: the limit is zero at what is called zero or infinite."""
    first = [s for s, p in regime.growth.items()
             if abs(p) >= BEYOND and (term is None or s in term.exponents)]  # fmt: skip
    place = ", ".join(f"{s} = {_end_of(s, regime)}" for s in first)
    gives = ", ".join(f"{s} -> {_end_of(s, regime)}" for s in first)
    falls = f": it falls as {term.monomial}" if term is not None else ""
    raise OutsideTheoryError(f"the limit is zero at {place}{falls}; {gives} gives its law")


def _cell(
    scales: Scales, shown: list[LimitTerm], regime: Regime, problem: Problem
) -> tuple[dict[sp.Symbol, sp.Expr], ...]:
    """The exponents of the monomials that vanish where these terms are the first ones."""
    ratios = [divided(y.exponents, x.exponents) for x, y in zip(shown, shown[1:])
              if y.weight > x.weight]  # fmt: skip
    ratios += [exponents if problem.clock is None else
               problem.clock.in_sizes(exponents, regime.applied)
               for exponents in map(scales.exponents, scales.comparisons)]  # fmt: skip
    sizes = [s for s, p in regime.growth.items() if p != 0]
    beyond = {s for s in sizes if abs(scales.growth[s]) >= BEYOND}
    rows: dict[Any, dict[sp.Symbol, sp.Expr]] = {}
    for exponents in ratios:
        moving = {s: e for s in sizes if (e := exponents.get(s, sp.S.Zero)) != 0}
        if moving and not beyond & set(moving):
            rows[frozenset(moving.items())] = moving
    return tuple(rows.values())


def _conditions(
    scales: Scales, kept: list[LimitTerm], rest: list[LimitTerm], regime: Regime, problem: Problem
) -> tuple[sp.Basic, ...]:
    """What must hold beyond the statement: inequalities of exponents, and ratios that vanish."""
    sizes = [s for s, p in regime.growth.items() if p != 0 and abs(p) < BEYOND]
    ranges = Ordering({}, {s: (1, sp.oo) if scales.point.get(s, 2) > 1 else (0, 1) for s in (a, b)})
    single: set[sp.Expr] = set()
    several: dict[tuple[Rational, ...], sp.Expr] = {}
    for moving in _cell(scales, [*kept, *rest[:1]], regime, problem):
        if len(moving) == 1:
            ((symbol, exponent),) = moving.items()
            difference = sp.expand(-exponent * sp.sign(regime.growth[symbol]))
            if ranges.proved_sign(difference) is None and difference.subs(scales.point) > 0:
                single.add(sp.expand(sp.numer(sp.together(difference))))
        else:
            row = tuple(scales.value(moving.get(s, sp.S.Zero)) for s in sizes)
            several[row] = sp.Mul(*(s**e for s, e in moving.items()))
    stated = [tuple(map(scales.value, (m.as_powers_dict().get(s, 0) for s in sizes)))
              for m in regime.orderings]  # fmt: skip
    needed = [sp.Lt(several[row], 1, evaluate=False) for row in not_implied(list(several), stated)]
    known = [sp.S.One, *(s - low for s, (low, _) in ranges.ranges.items())]  # all positive
    poly = {d: sp.Poly(d, a, b) for d in (*single, *known)}
    monomials = {m for p in poly.values() for m in p.monoms()}
    rows = {tuple(p.coeff_monomial(m) for m in monomials): d for d, p in poly.items()}
    left = not_implied([r for r, d in rows.items() if d in single],
                        [r for r, d in rows.items() if d not in single])  # fmt: skip
    plain = sorted((_inequality(rows[row]) for row in left), key=sp.default_sort_key)
    return (*plain, *sorted(needed, key=sp.default_sort_key))


def _inequality(difference: sp.Expr) -> sp.Basic:
    """difference > 0 with positive terms on both sides."""
    terms = sp.Add.make_args(difference)
    lower = sp.Add(*(-t for t in terms if t.could_extract_minus_sign()))
    return sp.Lt(lower, sp.expand(difference + lower), evaluate=False)


def not_implied(rows: list[Any], stated: list[Any]) -> list[Any]:
    """The rows that are no positive combination of the stated ones and of other rows."""
    import numpy as np
    from scipy.optimize import nnls

    kept = list(rows)
    for row in sorted(rows, key=lambda r: -float(sum(abs(x) for x in r))):
        others = [r for r in kept if r != row] + stated
        if others:
            matrix = np.array([[float(x) for x in r] for r in others]).T
            _, distance = nnls(matrix, np.array([float(x) for x in row]))
            if distance < 1e-9:
                kept.remove(row)
    return kept


__all__ = ["LimitTerm", "LimitingForm", "Problem", "limiting_form", "not_implied"]
