r"""Exact means at finite size, by Wick's theorem over all pairings, and their expansion in 1/size.

A product of traces of words in Gaussian letters has a mean that is a polynomial in the dimensions,
the variances and traces such as Tr Λ^k (`wick`).

The inverse of a Wishart matrix, (P X Xᵀ Pᵀ)^{-1} = P^{-ᵀ} (X Xᵀ)^{-1} P^{-1}, is a letter whose
entries pair with known weights (`weingarten`), so that Tr(√Λ XXᵀ √Λ)^{-1}, for example, has the
mean Tr Λ^{-1}/(T − M − 1). It is refused beside other occurrences of the same X.

Everything is an exact rational function of the dimensions, the variances and traces such as
Tr Λ^k. `SizeExpansion` multiplies all dimensions and traces by s and expands in 1/s: the first term
is the planar limit, the second the O(1/s) bias of a simulation.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import sympy as sp
from sympy.matrices.expressions import MatrixExpr, Trace

from ..algebra import Fraction, Polynomial
from ..errors import InputError, OutsideTheoryError
from .declarations import MatrixModel
from .expander import Ground
from .expression import (
    InverseLetter,
    Letter,
    Word,
    ordered_traces,
    outputs,
    trace,
    transpose_word,
    word_key,
    words,
)
from .planar import WordExpansion
from .preparation import spectral_parameters
from .spectral_trace import SpectralTrace
from .text import parse_expression
from .wick import ExactMoments, Traced, WishartInverse

MOST_LETTERS = 16


def _polynomial_words(matrix: MatrixExpr, model: MatrixModel) -> dict[Word, sp.Expr]:
    """Words of letters and inverse Wishart letters; other inverses are refused."""
    found: dict[Word, sp.Expr] = {}
    for word, coefficient in words(matrix, model).items():
        total: list[Any] = []
        for letter in word:
            if isinstance(letter, InverseLetter):
                factor, letters = _wishart_inverse(letter, model)
                coefficient = coefficient / factor
                total += letters
            else:
                total.append(letter)
        key = tuple(total)
        found[key] = found.get(key, sp.S.Zero) + coefficient
    return {w: c for w, c in found.items() if c != 0}


def _wishart_inverse(letter: InverseLetter, model: MatrixModel) -> tuple[sp.Expr, list[Any]]:
    """(c P X Xᵀ Pᵀ)^{-1} as 1/c and its letters."""
    problem = OutsideTheoryError(
        "an exact mean at finite size is known for words without inverses and for the inverse of "
        "a Wishart matrix c P X Xᵀ Pᵀ with P deterministic and symmetric; for a resolvent expand "
        "it in 1/z (`resolvent_means`) or derive its limit"
    )
    if len(letter.terms) != 1:
        raise problem
    word, factor = letter.terms[0]
    half = len(word) // 2
    left, right = word[:half], word[half:]
    gauss = left[-1] if left else None
    if len(word) % 2 or transpose_word(left, model) != right or not isinstance(gauss, Letter):
        raise problem
    if gauss.name not in model.random or model.random[gauss.name].symmetric:
        raise problem
    outer = left[:-1]
    if not all(isinstance(x, Letter) and _invertible(x, model) for x in outer):
        raise problem
    inverted = [replace(x, exponent=-x.exponent) for x in outer]
    middle = WishartInverse(gauss.name, gauss.transposed)
    return factor, [*inverted, middle, *reversed(inverted)]


def _invertible(letter: Letter, model: MatrixModel) -> bool:
    return letter.name in model.fixed and model.fixed[letter.name].symmetric


@dataclass(frozen=True)
class _Term:
    coefficient: sp.Expr
    traces: tuple[MatrixExpr, ...]


def _terms(expression: sp.Expr) -> list[_Term]:
    """A polynomial in traces as a sum of products of traces."""
    names = {t: sp.Dummy() for t in ordered_traces(expression)}
    owners = {dummy: t.arg for t, dummy in names.items()}
    body = sp.expand(expression.xreplace(names))
    if not names:
        return [_Term(body, ())]
    try:
        polynomial = sp.Poly(body, *owners)
    except sp.PolynomialError as problem:
        raise InputError("expression", expression, "a polynomial in traces") from problem
    found = []
    for powers, coefficient in polynomial.terms():
        inside = [m for m, p in zip(owners.values(), powers, strict=True) for _ in range(p)]
        found.append(_Term(coefficient, tuple(inside)))
    return found


@dataclass(frozen=True)
class ExactMean:
    """An exact mean: ``value`` in the dimensions and traces; `expansion` in 1/size."""

    value: sp.Expr
    model: MatrixModel
    fraction: Fraction
    ground: Ground

    def expansion(self, terms: int = 3) -> SizeExpansion:
        """The first terms in 1/s when every dimension is multiplied by s."""
        return SizeExpansion.of(self, terms)


@dataclass(frozen=True)
class SizeExpansion:
    """Σ_k coefficients[k] s^{power − k}: all dimensions are multiplied by s, spectra repeated."""

    power: int
    coefficients: tuple[sp.Expr, ...]

    @classmethod
    def of(cls, mean: ExactMean, terms: int) -> SizeExpansion:
        """Grade numerator and denominator by their degree in dimensions and traces, and divide."""
        ground = mean.ground
        sizes = {s for d in mean.model.dimensions() for s in sp.sympify(d).free_symbols}
        sizes |= set(ground.traces.values())
        graded = [ground.field.position[s] for s in sizes]
        top, bottom = (_graded(p, graded) for p in (mean.fraction.numer, mean.fraction.denom))
        if not top:
            return cls(0, (sp.S.Zero,) * terms)
        high, low = max(top), max(bottom)
        lead = ground.field.one / bottom[low]
        found: list[Fraction] = []
        for k in range(terms):
            value = top.get(high - k, ground.field.zero)
            for j in range(1, k + 1):
                if low - j in bottom:
                    value = value - bottom[low - j] * found[k - j]
            found.append(value * lead)
        back = {slot: atom for atom, slot in ground.traces.items()}
        shown = tuple(sp.factor(f.as_expr()).xreplace(back) for f in found)
        return cls(high - low, shown)

    @property
    def bias(self) -> sp.Expr:
        """The relative O(1/s) correction to the limit, at s = 1."""
        return sp.factor(self.coefficients[1] / self.coefficients[0])


def _graded(polynomial: Polynomial, positions: list[int]) -> dict[int, Fraction]:
    groups: dict[int, dict[Any, int]] = {}
    for monomial, coefficient in polynomial.terms():
        grade = sum(monomial[i] for i in positions)
        groups.setdefault(grade, {})[monomial] = coefficient
    field = polynomial.field
    one = field.one_polynomial
    return {grade: field.fraction(field.from_dict(t), one) for grade, t in groups.items()}


def exact_mean(expression: Any, model: MatrixModel, *, scalars: Iterable[str] = ()) -> ExactMean:
    """The exact mean of a polynomial in traces of words, at any size.

    ``expression`` may hold products and powers of traces, and inverses of Wishart matrices. At most
    `MOST_LETTERS` Gaussian factors. Errors: `OutsideTheoryError` for other inverses.

    >>> from solvable.analytic.free_probability import parse_declarations
    >>> model = parse_declarations(["X:M,T:1/T"])
    >>> sp.expand(exact_mean("tr(X*X.T*X*X.T)", model).value)
    M/T + 1 + 1/T
    >>> exact_mean("tr(inv(X*X.T))", model).value
    -T/(M - T + 1)
    """
    if isinstance(expression, str):
        expression = parse_expression(expression, model, scalars)
    if isinstance(expression, MatrixExpr):
        expression = trace(expression)
    expression = sp.sympify(expression)
    if model.has_rotations:
        raise OutsideTheoryError(
            "exact means at finite size are for Gaussian matrices: derive the limit of rotations"
        )
    outside = expression.xreplace({t: sp.S.One for t in expression.atoms(Trace)}).free_symbols
    inside = {s for t in expression.atoms(Trace) for s in t.free_symbols}
    letters = {m.name for m in expression.atoms(sp.MatrixSymbol)}
    symbols = {s for s in outside | inside if str(s) not in letters and isinstance(s, sp.Symbol)}
    moments = ExactMoments(model, symbols)
    field = moments.ground.field
    total = field.zero
    for term in _terms(expression):
        total = total + _term_mean(term, moments)
    return _shown(total, moments)


def _term_mean(term: _Term, moments: ExactMoments) -> Fraction:
    model, field = moments.model, moments.ground.field
    products: list[tuple[sp.Expr, Traced]] = [(term.coefficient, ())]
    for matrix in term.traces:
        inside = _polynomial_words(matrix, model)
        products = [
            (c * w, (*chosen, (word, matrix.rows)))
            for c, chosen in products
            for word, w in sorted(inside.items(), key=lambda item: word_key(item[0]))
        ]
    total = field.zero
    for coefficient, traces in products:
        total = total + _product_mean(coefficient, traces, moments)
    return total


def _product_mean(coefficient: sp.Expr, traces: Traced, moments: ExactMoments) -> Fraction:
    field = moments.ground.field
    scale = _variances(traces, moments.model)
    value = moments.mean(traces) if scale is not None else field.zero
    return value * field(sp.together(coefficient * scale)) if value else field.zero


def _shown(total: Fraction, moments: ExactMoments) -> ExactMean:
    back = {slot: atom for atom, slot in moments.ground.traces.items()}
    return ExactMean(
        sp.factor(total.as_expr()).xreplace(back), moments.model, total, moments.ground
    )


def _variances(traces: Traced, model: MatrixModel) -> sp.Expr | None:
    """Π v^{pairs} over the matrices, or None if an odd number of one makes the mean zero."""
    counts: dict[str, int] = {}
    inverted: dict[str, int] = {}
    for word, _ in traces:
        for x in word:
            if isinstance(x, WishartInverse):
                inverted[x.name] = inverted.get(x.name, 0) + 1
            elif x.name in model.random:
                counts[x.name] = counts.get(x.name, 0) + 1
    both = sorted(set(counts) & set(inverted))
    if both:
        raise OutsideTheoryError(
            f"{both[0]} occurs inside an inverse and outside: the mean of such a word is not known "
            "exactly; its limit is (`derive`)"
        )
    if sum(counts.values()) > MOST_LETTERS:
        raise InputError("expression", sum(counts.values()), f"{MOST_LETTERS} Gaussian factors")
    if any(count % 2 for count in counts.values()):
        return None
    value = sp.Mul(*(model.random[n].variance ** (c // 2) for n, c in counts.items()))
    return value / sp.Mul(*(model.random[n].variance ** c for n, c in inverted.items()))


def resolvent_means(expression: Any, model: MatrixModel, order: int) -> dict[int, ExactMean]:
    """Exact coefficients of the expansion of an expression in 1/z, to relative order ``order``.

    Every inverse is expanded about its multiple of the identity as in `planar`; the k-th entry
    collects the terms of degree −k in the spectral parameters, which it keeps as symbols.

    >>> from solvable.analytic.free_probability import parse_declarations
    >>> model = parse_declarations(["X:M,T:1/T"])
    >>> means = resolvent_means("tr(inv(X*X.T + z*I))", model, 2)
    >>> [sp.expand(means[k].value) for k in (1, 2, 3)]
    [1/z, -1/z**2, M/(T*z**3) + z**(-3) + 1/(T*z**3)]
    """
    if isinstance(expression, str):
        expression = parse_expression(expression, model)
    constant, found = outputs(expression)
    dimensions = set().union(*(sp.sympify(d).free_symbols for d in model.dimensions()))
    spectral: set[sp.Symbol] = set()
    for _, matrix in found:
        spectral |= spectral_parameters(words(matrix, model), dimensions)
    expansion = WordExpansion(model, spectral, order)
    series: dict[int, list[tuple[sp.Expr, Word, sp.Expr]]] = {}
    for weight, matrix in found:
        for k, polynomial in expansion.polynomial(words(matrix, model).items()).terms.items():
            rows = [(weight * c, word, matrix.rows) for word, c in polynomial.items()]
            series.setdefault(k, []).extend(rows)
    if constant != 0:
        series.setdefault(0, []).append((constant, (), sp.S.One))
    symbols = {s for rows in series.values() for c, _, _ in rows for s in c.free_symbols}
    moments = ExactMoments(model, symbols)
    result = {}
    for k in sorted(series)[: order + 1]:
        total = moments.ground.field.zero
        for coefficient, word, dimension in series[k]:
            total = total + _product_mean(coefficient, ((word, dimension),), moments)
        result[k] = _shown(total, moments)
    return result


def exact_covariance(first: Any, second: Any, model: MatrixModel) -> ExactMean:
    """E[ab] − E[a] E[b] of two polynomials in traces.

    >>> from solvable.analytic.free_probability import parse_declarations
    >>> model = parse_declarations(["X:M,T:1/T"])
    >>> exact_covariance("Tr(X*X.T)", "Tr(X*X.T)", model).value
    2*M/T
    """
    read = [parse_expression(e, model) if isinstance(e, str) else e for e in (first, second)]
    joint = exact_mean(read[0] * read[1], model)
    one, two = (exact_mean(e, model) for e in read)
    value = sp.factor(joint.value - one.value * two.value)
    ground = joint.ground
    forward = dict(ground.traces)
    for atom in value.atoms(SpectralTrace):
        forward.setdefault(atom, ground.slots[len(forward)])
    ground.traces.update(forward)
    fraction = ground.field(value.xreplace(forward))
    return ExactMean(value, model, fraction, ground)


def evaluated(
    mean: ExactMean, parameters: Mapping[str, Any], eigenvalues: Mapping[str, Any]
) -> Any:
    """The number of an exact mean for given dimensions and eigenvalues (or arrays)."""
    from .trace_values import DeterministicValues, exact_trace

    given = DeterministicValues.read(mean.model, eigenvalues)
    values: dict[Any, Any] = {s: v for s, v in given.dimensions.items()}
    named = {s.name: s for s in mean.value.free_symbols}
    values.update({named[n]: v for n, v in parameters.items() if n in named})
    atoms = {a: exact_trace(a, given, values) for a in mean.value.atoms(SpectralTrace)}
    return mean.value.xreplace(atoms).subs(values)
