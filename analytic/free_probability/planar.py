r"""The planar proof: moments of the solution against non-crossing pairings.

**Right.** Expand every inverse of the expression in a Neumann series about the multiple of the
identity that it contains, (s/ε + B)^{-1} = Σ_k (−B)^k (ε/s)^{k+1}: a sum of words in the
matrices. The leading value of the trace of a word is the sum over non-crossing pairings of its
Gaussian letters (Wick's theorem; crossing pairings are smaller by powers of the dimension), and
obeys

    Tr(X A Xᵀ B) → v Tr(A) Tr(B)      summed over all partners Xᵀ of the first letter X,

a trace without Gaussian letters being Tr Λ^k, or Tr of a word in matrices that do not commute.

**Left.** Solve the reduced equations by Newton's method for power series, which doubles the
number of correct orders, and expand the value. Nothing of the pencil, the Dyson equation or the
elimination is used on the right, and nothing of the words on the left. Both are exact in
dimensions, variances and Tr Λ^k; their difference must vanish order by order.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import sympy as sp
from sympy.matrices.expressions import MatrixExpr

from ..algebra import Fraction, Laurent, solve_linear
from ..errors import InputError
from .concrete import ConcreteGround
from .declarations import MatrixModel
from .expander import Ground, NotExpandableError
from .expression import InverseLetter, Letter, Polynomial, Word, ordered_word, words
from .sum_inverse import SumInverse

if TYPE_CHECKING:
    from .equations import SelfConsistentEquations


#: orders of the solution from which Newton's method starts: at least the first, more until every
#: unknown has a term, and the last where the relations are degenerate to leading order
STARTS = (3, 6)


@dataclass(frozen=True)
class PlanarComparison:
    """One row for each order: the moment of the solution, of the pairings, their equality."""

    orders: tuple[int, ...]
    solution: tuple[sp.Expr, ...]
    pairings: tuple[sp.Expr, ...]
    differences: tuple[sp.Expr, ...]

    @property
    def holds(self) -> bool:
        """Whether all orders agree exactly; false if none could be compared."""
        return bool(self.orders) and all(difference == 0 for difference in self.differences)

    @property
    def first_failure(self) -> int | None:
        """The first order at which they differ."""
        failures = (o for o, d in zip(self.orders, self.differences) if d != 0)
        return next(failures, None)


@dataclass(frozen=True)
class _WordSeries:
    """Σ_k ε^k (sum of words), known for k ≤ cut."""

    terms: dict[int, Polynomial]
    cut: int

    @property
    def low(self) -> int:
        return min(self.terms, default=self.cut + 1)


class WordExpansion:
    """Neumann series of an expression in words of Gaussian and deterministic letters."""

    def __init__(self, model: MatrixModel, spectral: set[sp.Symbol], order: int) -> None:
        self.model, self.spectral, self.order = model, spectral, order

    def polynomial(self, items: Any) -> _WordSeries:
        """A sum of words, whose inverses are expanded."""
        total: _WordSeries | None = None
        for word, coefficient in items:
            term = self.scalar(coefficient)
            for letter in word:
                factor = self.letter(letter)
                term = self.product(term, factor)
            total = term if total is None else self.sum(total, term)
        return total if total is not None else _WordSeries({}, self.order)

    def scalar(self, coefficient: sp.Expr) -> _WordSeries:
        """A coefficient, graded by its powers of the spectral parameters."""
        inside = sorted(self.spectral & coefficient.free_symbols, key=sp.default_sort_key)
        terms: dict[int, Polynomial] = {}
        for term in sp.Add.make_args(sp.expand(coefficient)):
            powers = term.as_powers_dict()
            degree = sum(powers.get(s, 0) for s in inside)
            if sp.cancel(term / sp.Mul(*(s ** powers.get(s, 0) for s in inside))).has(*inside):
                raise NotExpandableError(
                    f"the coefficient {coefficient} is no polynomial in z, 1/z"
                )
            block = terms.setdefault(-int(degree), {})
            block[()] = block.get((), sp.S.Zero) + term
        return _WordSeries(terms, min(terms) + self.order)

    def letter(self, letter: Any) -> _WordSeries:
        """A matrix, or an inverse."""
        if isinstance(letter, InverseLetter):
            return self.inverse(self.polynomial(letter.terms))
        return _WordSeries({0: {(letter,): sp.S.One}}, self.order)

    def sum(self, left: _WordSeries, right: _WordSeries) -> _WordSeries:
        """left + right."""
        cut = min(left.cut, right.cut)
        terms: dict[int, Polynomial] = {}
        for series in (left, right):
            for k, polynomial in series.terms.items():
                if k <= cut:
                    block = terms.setdefault(k, {})
                    for word, c in polynomial.items():
                        block[word] = block.get(word, sp.S.Zero) + c
        return _WordSeries(_nonzero(terms), cut)

    def product(self, left: _WordSeries, right: _WordSeries) -> _WordSeries:
        """left·right."""
        cut = min(left.low + right.cut, right.low + left.cut)
        terms: dict[int, Polynomial] = {}
        for i, first in left.terms.items():
            for j, second in right.terms.items():
                if i + j > cut:
                    continue
                block = terms.setdefault(i + j, {})
                for u, a in first.items():
                    for v, b in second.items():
                        word = self.joined(u, v)
                        block[word] = block.get(word, sp.S.Zero) + a * b
        return _WordSeries(_nonzero(terms), cut)

    def joined(self, left: Word, right: Word) -> Word:
        """The product of two words, with O Oᵀ = 1 for rotations."""
        word = left + right
        return ordered_word(word, self.model) if self.model.has_rotations else word

    def inverse(self, series: _WordSeries) -> _WordSeries:
        """The geometric series about the leading term, a scalar or one symmetric fixed matrix."""
        leading = series.terms.get(series.low, {})
        first = self.inverted(leading)
        scalar = next(iter(leading.values()))
        rest = {k: {first + w: -c / scalar for w, c in p.items()} for k, p in series.terms.items()}
        del rest[series.low]
        shifted = {k - series.low: p for k, p in rest.items()}
        small = _WordSeries(shifted, series.cut - series.low)
        total = _WordSeries({0: {(): sp.S.One}}, small.cut)
        power = total
        while power.terms:
            power = self.product(power, small)
            power = _WordSeries({k: p for k, p in power.terms.items() if k <= small.cut}, small.cut)
            total = self.sum(total, power)
        return _WordSeries(
            {
                k - series.low: {w + first: c / scalar for w, c in p.items()}
                for k, p in total.terms.items()
            },
            total.cut - series.low,
        )

    def inverted(self, leading: Polynomial) -> Word:
        """The inverse of the leading word: the empty one, or a symmetric deterministic letter."""
        words = list(leading)
        fixed = {name for name, record in self.model.fixed.items() if record.symmetric}
        if len(words) == 1 and all(isinstance(x, Letter) and x.name in fixed for x in words[0]):
            return tuple(replace(x, exponent=-x.exponent) for x in words[0][::-1])
        raise NotExpandableError(
            "an inverse has no multiple of the identity that dominates as z → ∞: the planar "
            "proof needs z*I inside every inverse"
        )


def _nonzero(terms: dict[int, Polynomial]) -> dict[int, Polynomial]:
    cleaned = {k: {w: c for w, c in p.items() if c != 0} for k, p in terms.items()}
    return {k: p for k, p in cleaned.items() if p}


class PairingSum:
    """Traces of words as sums over non-crossing pairings."""

    def __init__(self, model: MatrixModel, ground: Ground) -> None:
        self.model, self.ground = model, ground
        self.memory: dict[Any, Fraction] = {}

    def trace(self, word: Word, dimension: sp.Expr) -> Fraction:
        """The leading value of the plain trace of a word on a space of this dimension."""
        first = next((i for i, x in enumerate(word) if x.name in self.model.random), None)
        if first is None:
            return self.fixed(word, dimension)
        word = word[first:] + word[:first]
        if word in self.memory:
            return self.memory[word]
        head = word[0]
        record = self.model.random[head.name]
        rows, columns = record.symbol.shape[::-1] if head.transposed else record.symbol.shape
        if record.rotation:
            self.memory[word] = self.alternating(word, rows)
            return self.memory[word]
        total = self.ground.field.zero
        for j in range(1, len(word)):
            partner = word[j]
            if partner.name != head.name:
                continue
            if not record.symmetric and partner.transposed == head.transposed:
                continue
            inner = self.trace(word[1:j], columns)
            if inner:
                total = total + inner * self.trace(word[j + 1 :], rows)
        self.memory[word] = total * self.ground.field(record.variance)
        return self.memory[word]

    def alternating(self, word: Word, size: sp.Expr) -> Fraction:
        """A word that begins with a rotation O: the sum over the block of O in the partition.

        A block of k letters O and k letters Oᵀ in turn has the cumulant (−1)^{k−1} C_{k−1}, and the
        words between its letters are traced apart, each trace normalised.
        """
        field, below = self.ground.field, self.ground.field(sp.S.One / sp.sympify(size))
        head = word[0]
        total = field.zero
        paths: list[tuple[int, int, Fraction]] = [(0, 1, field(sp.sympify(size)))]
        while paths:
            last, length, weight = paths.pop()
            for j in range(last + 1, len(word)):
                turned = word[j].transposed != word[last].transposed
                if word[j].name != head.name or not turned:
                    continue
                inner = weight * below * self.trace(word[last + 1 : j], size)
                if not inner:
                    continue
                paths.append((j, length + 1, inner))
                if length % 2:
                    k = (length + 1) // 2
                    cumulant = (-1) ** (k - 1) * int(sp.catalan(k - 1))
                    total = total + inner * below * self.trace(word[j + 1 :], size) * cumulant
        return total

    def fixed(self, word: Word, dimension: sp.Expr) -> Fraction:
        """The trace of deterministic letters: neighbours of one family are multiplied."""
        runs: list[tuple[str, sp.Expr]] = []
        for letter in word:
            family, value = self._function(letter)
            if runs and runs[-1][0] == family:
                runs[-1] = (family, runs[-1][1] * value)
            else:
                runs.append((family, value))
        if len(runs) > 1 and runs[0][0] == runs[-1][0]:
            runs[0] = (runs[0][0], runs[-1][1] * runs[0][1])
            runs.pop()
        return self.ground.trace(dimension, [value for _, value in runs])

    def _function(self, letter: Letter) -> tuple[str, sp.Expr]:
        record = self.model.fixed[letter.name]
        if record.symmetric:
            return self.model.family(letter.name), record.eigenvalue**letter.exponent
        return letter.name, sp.sqrt(record.eigenvalue)


def pairing_series(
    expression: MatrixExpr, model: MatrixModel, ground: Ground, spectral: set[sp.Symbol], order: int
) -> Laurent:
    """The plain trace of an expression to relative order ``order`` in 1/z."""
    expansion = WordExpansion(model, spectral, order)
    series = expansion.polynomial(words(expression, model).items())
    sums = PairingSum(model, ground)
    items: dict[int, Fraction] = {}
    for k, polynomial in series.terms.items():
        total = ground.field.zero
        for word, coefficient in sorted(polynomial.items(), key=lambda i: str(i[0])):
            value = sums.trace(word, expression.rows)
            if value:
                total = total + value * ground.field(sp.together(coefficient))
        if total:
            items[k] = total
    return Laurent(ground.field, items, series.cut)


def starting_series(
    equations: SelfConsistentEquations, ground: Ground, cut: int
) -> dict[sp.Symbol, Laurent]:
    """Leading terms of the kept unknowns, by iterating the unreduced equations on series."""
    system, spectral = equations.system, equations.spectral
    values = {u: Laurent(ground.field, {}, cut) for u in system.unexpanded}
    for _ in range((len(system.unexpanded) + 1) * (cut + 2)):  # an order may pass through all
        expander = ground.expander(spectral, values, cut)
        new = {u: expander(right).truncated(cut) for u, right in system.unexpanded.items()}
        if all(new[u].coefficients == values[u].coefficients for u in new):
            break
        values = {u: Laurent(ground.field, s.coefficients, cut) for u, s in new.items()}
    expander = ground.expander(spectral, values, cut)
    shifts = {symbol: expander(definition) for symbol, definition in system.shifts.items()}
    found = {equations.renamed(s): series for s, series in {**values, **shifts}.items()}
    if equations.output_symbol is not None:
        expander = ground.expander(spectral, {**values, **shifts}, cut)
        found[equations.output_symbol] = expander(system.outputs[0])
    return found


class NotASolutionError(Exception):
    """The relations fail on the solution that decays as 1/z: ``defect`` at ``order``."""

    def __init__(self, order: int, defect: Fraction) -> None:
        super().__init__(f"the relations fail at order {order}")
        self.order, self.defect = order, defect


def newton(
    equations: SelfConsistentEquations, ground: Ground, start: dict[sp.Symbol, Laurent], cut: int
) -> dict[sp.Symbol, Laurent]:
    """The power series of the kept unknowns that solves the reduced equations.

    It starts from the first terms of the solution, known to ``start[u].cut``: they solve the
    relations, and each step leaves them as they are, or the relations are wrong
    (`NotASolutionError`).
    """
    unknowns = equations.unknown_symbols
    residuals = [r.lhs - r.rhs for r in equations.relations]
    slopes = [[residual.diff(u) for u in unknowns] for residual in residuals]
    early = ground.expander(equations.spectral, {u: start[u] for u in unknowns}, cut)
    for defect in map(early, residuals):
        if defect.coefficients:
            raise NotASolutionError(defect.valuation, defect[defect.valuation])
    values = {u: Laurent(ground.field, start[u].coefficients, cut) for u in unknowns}
    correct = {u: start[u].cut for u in unknowns}
    for _ in range(2 * cut + 8):
        expander = ground.expander(equations.spectral, values, cut)
        defects = [expander(residual) for residual in residuals]
        matrix = [[expander(s) for s in row] for row in slopes]
        step = _solved(matrix, defects)
        if not any(step):
            return {u: values[u].truncated(s.cut) for u, s in zip(unknowns, step, strict=True)}
        if any(s.valuation <= correct[u] for u, s in zip(unknowns, step, strict=True)):
            worst = min((d for d in defects if d.coefficients), key=lambda d: d.valuation)
            raise NotASolutionError(worst.valuation, worst[worst.valuation])
        correct = {u: s.valuation for u, s in zip(unknowns, step, strict=True)}
        values = {
            u: Laurent(ground.field, (values[u] - s).coefficients, cut).truncated(cut)
            for u, s in zip(unknowns, step, strict=True)
        }
    raise NotExpandableError("Newton's method for power series does not settle")


def _solved(matrix: list[list[Laurent]], right: list[Laurent]) -> list[Laurent]:
    """The step of Newton's method; pivots are of the lowest order."""
    try:
        return solve_linear(matrix, right, lambda series: series.valuation)
    except ZeroDivisionError as problem:
        raise NotExpandableError("the reduced equations are degenerate as z → ∞") from problem


def compare(equations: SelfConsistentEquations, order: int = 4) -> PlanarComparison:
    """Expand the solution and the pairings and compare ``order`` moments beyond the first."""
    if not isinstance(order, int) or not 1 <= order <= 12:
        raise InputError("order", order, "a whole number from 1 to 12")
    if not equations.spectral:
        raise NotExpandableError(
            "the expression has no spectral parameter: write z*I inside its inverses to expand it"
        )
    key = ("pairings", order)  # the same for every claim about this expression
    if key not in equations.memory:
        ground = ground_of(equations)
        right = _pairings(equations, ground, order)
        equations.memory[key] = (ground, right)
    ground, right = equations.memory[key]

    def shown(value: Fraction) -> sp.Expr:
        return value.as_expr().xreplace({slot: atom for atom, slot in ground.traces.items()})

    solved = (*key, equations.relations)  # the same for every claim about the value
    if solved not in equations.memory:
        equations.memory[solved] = solution_series(equations, ground, right.cut, key)
    found = equations.memory[solved]
    if isinstance(found, NotASolutionError):
        defect = shown(found.defect)
        return PlanarComparison((found.order,), (defect,), (sp.S.Zero,), (defect,))
    solution, cut = found
    left = ground.expander(equations.spectral, solution, cut)(equations.value)
    last = min(left.cut, right.cut)
    orders = range(min(left.valuation, right.valuation, last - order), last + 1)
    return PlanarComparison(
        tuple(orders),
        tuple(shown(left[k]) for k in orders),
        tuple(shown(right[k]) for k in orders),
        tuple(shown(left[k] - right[k]) for k in orders),
    )


def solution_series(
    equations: SelfConsistentEquations, ground: Ground, least: int, key: Any
) -> tuple[dict[sp.Symbol, Laurent], int] | NotASolutionError:
    """The kept unknowns as power series to order ``least`` and a little beyond, and that order.

    What is wrong, if the relations do not hold on the solution that decays as 1/z.
    """
    problem: NotASolutionError | None = None
    for start in _starts(equations, ground, key):
        lows = (abs(s.valuation) for s in start.values() if s.coefficients)
        cut = least + 2 + max(lows, default=0)
        try:
            return newton(equations, ground, start, cut), cut
        except NotASolutionError as defect:
            problem = defect
    assert problem is not None
    return problem


def _starts(
    equations: SelfConsistentEquations, ground: Ground, key: Any
) -> Iterator[dict[sp.Symbol, Laurent]]:
    """Leading terms of the kept unknowns: of each one at least, then more."""
    known, last = STARTS
    while True:
        if (key, known) not in equations.memory:
            equations.memory[key, known] = starting_series(equations, ground, known)
        start = equations.memory[key, known]
        if known == last or all(start[u].coefficients for u in equations.unknown_symbols):
            yield start
            if known == last:
                return
            known = last
        else:
            known += 1


def ground_of(equations: SelfConsistentEquations) -> Ground:
    """Symbols for all traces, or, where matrices are mixed, random rational matrices."""
    formulas = [*equations.system.unexpanded.values(), *equations.system.outputs]
    mixed = equations.model.has_rotations and len(equations.model.fixed) > 1
    if mixed or any(formula.has(SumInverse) for formula in formulas):
        return ConcreteGround(equations.all_scalars(), equations.model)
    return Ground(equations.all_scalars(), equations.model)


def _pairings(equations: SelfConsistentEquations, ground: Ground, order: int) -> Laurent:
    """φ of the sums over pairings."""
    spectral, function = set(equations.spectral), equations.function
    traces = {
        slot: pairing_series(matrix, equations.model, ground, spectral, order)
        for slot, matrix in zip(function.slots, function.matrices, strict=True)
    }
    deepest = max(abs(series.valuation) for series in traces.values())
    cut = max(series.cut for series in traces.values())
    return ground.expander(spectral, traces, max(order + 4 + deepest, cut))(function.body)
