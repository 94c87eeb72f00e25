r"""The approach of a finite latent space to the infinite one, M → ∞ at fixed N and T.

Let n = min(N, T), κ₀ the ridgeless κ of the infinite spectrum, κ = κ₀(1+δ) that of the finite one:

    D₁(κ; ∞) − n = Σ_{J>M} 1/(1 + (κ/λ₊) J^b) = Σ_j (−1)^j (λ₊/κ)^{1+j} ζ(b(1+j), M+1).

The left side is a Taylor series in δ, the right side a series in M whose coefficients depend on δ;
δ = f^{-1}(tail(δ)) is iterated, each pass gaining a factor M^{1−b}.  h_q and D_q follow in the same
way, Taylor series minus tail, and the loss from formula (4).  D_q and h_q in the coefficients are
those of the infinite spectrum at κ₀.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import mpmath
import sympy as sp

from ...algebra import Laurent
from ...errors import InputError
from ...notation import M, N, T, a, b, kappa, lambda_plus, sigma_eps, sigma_w
from ...spectrum import PowerLaw, Spectrum
from ..expansion import Expansion, Ordering, Validity, hurwitz_tail, substitute_series
from .limit import Limit, Setting, ratio, signs_resolved
from .local import D, H, NearRidgeless, kappa_0, ridgeless_kappa, ridgeless_words
from .scaling import reduced_loss, scaling_ordering

__all__ = ["infinite_size_limit"]

FIRST_TAIL_TERMS = 8
LARGEST_FACTORED = 150  # operations; beyond, factoring takes longer than reading


def infinite_size_limit(smaller: str, exponent: Any, target: Any = None, terms: int = 3) -> Limit:
    """M → ∞ at fixed N and T; D_q and h_q in the coefficients belong to M = ∞."""
    size, larger = {"N": (N, T), "T": (T, N)}[smaller]
    ordering = scaling_ordering(exponent, target)
    names = _Names(NearRidgeless(terms + 1, size, larger), ordering)
    depth = _depth(terms, ordering)
    formula = reduced_loss(size, False).subs(sigma_eps, 0).subs(ratio, size / larger)
    shift = _shift(names, size, depth, 2 * terms + 2)
    images = _images(names, formula, shift, depth, b if target is None else a)
    numerator, denominator = (sp.expand(e) for e in sp.fraction(sp.together(formula)))
    top = names.shorten("u", substitute_series(numerator, images))
    if any(denominator.has(f) for f in images):
        denominator = names.shorten("v", substitute_series(denominator, images))
    loss = names.written_out(_up_to(top / denominator, terms))
    when = f"finite M ≫ min(N, T) = {smaller}: κ₀ M^b/λ₊ large"
    validity = Validity(sp.S.One, sp.oo, when, 'near M use "min(N,T)->M"')
    return Limit(
        "M->inf",
        "Approach to the infinite latent space",
        when,
        replace(loss, validity=validity),
        names.written_out(_up_to(images[kappa], terms)),
        variable_of=_size_above(smaller),
        constants=ridgeless_kappa,
        reference=_without_end,
        meaning={kappa_0: ridgeless_words(size)},
    )


def _shift(names: _Names, size: sp.Symbol, depth: sp.Expr, passes: int) -> Expansion:
    """δ = f⁻¹(tail(δ)) with f(δ) = D₁(κ₀(1+δ); ∞) − n, iterated until it stands."""
    inverse = names.expand("e", (names.near.degrees_series(1) - size).revert())
    shift = Expansion.build(M, sp.oo, [], order=1 - b, ordering=names.ordering)
    for _ in range(passes):
        improved = inverse.compose(_tail(sp.S.Zero, 1, shift, depth, names.ordering))
        if improved.remainder == shift.remainder and improved.terms == shift.terms:
            return shift
        shift = improved
    return shift


def _images(
    names: _Names, formula: sp.Expr, shift: Expansion, depth: sp.Expr, target: sp.Expr
) -> dict[sp.Expr, Expansion]:
    """κ, D₂, h₁ and h₂ (those that ``formula`` holds) at finite M as series in M."""
    images: dict[sp.Expr, Expansion] = {kappa: (shift + 1) * kappa_0}
    near = names.near
    if formula.has(D[2]):
        head = names.expand("d2", near.degrees_series(2)).compose(shift)
        images[D[2]] = head - _tail(sp.S.Zero, 2, shift, depth, names.ordering)
    for q, function in H.items():
        if formula.has(function):
            head = names.expand(f"g{q}", near.target_series(q)).compose(shift) * kappa_0**-q
            tail = _tail(target - q * b, q, shift, depth, names.ordering)
            images[function] = head - tail * (sigma_w**2 * lambda_plus ** (1 - q))
    return images


def _depth(terms: int, ordering: Ordering) -> sp.Expr:
    """Powers of 1/M that hold ``terms`` terms: M^{1−b}, M^{−b}, … and M^{2−2b}, …"""
    alpha = ordering.value(b) - 1
    steps = sorted({i * alpha + j for i in range(1, terms + 2) for j in range(terms + 2)})
    return sp.sympify(steps[terms])


class _Names:
    """Short names for Taylor coefficients, so that the series arithmetic stays cheap."""

    def __init__(self, near: NearRidgeless, ordering: Ordering) -> None:
        self.near, self.ordering = near, ordering
        self.values: dict[sp.Symbol, sp.Expr] = {}

    def expand(self, letter: str, series: Laurent) -> Expansion:
        """A Laurent series in a fresh variable, with its coefficients named."""
        terms = []
        for i, (power, c) in enumerate(series.known()):
            name = sp.Symbol(f"{letter}_{i}")
            self.values[name] = self.near.written_out(c.factored())
            terms.append((name, power))
        variable = sp.Symbol("y", positive=True)
        return Expansion.build(variable, 0, terms, order=series.cut + 1, ordering=self.ordering)

    def shorten(self, letter: str, series: Expansion) -> Expansion:
        """The same series with every coefficient named."""
        terms = []
        for i, term in enumerate(series.terms):
            name = sp.Symbol(f"{letter}_{i}")
            self.values[name] = term.coefficient
            terms.append(replace(term, coefficient=name))
        return replace(series, terms=tuple(terms))

    def written_out(self, series: Expansion) -> Expansion:
        """The names put back; factored where that is cheap, zero coefficients dropped."""
        return series.map_coefficients(self._coefficient)

    def _coefficient(self, expression: sp.Expr) -> sp.Expr:
        while expression.free_symbols & self.values.keys():
            expression = expression.xreplace(self.values)
        if expression.count_ops() < LARGEST_FACTORED:
            expression = sp.factor(expression)
        return signs_resolved(expression)


def _tail(s: sp.Expr, q: int, shift: Expansion, depth: sp.Expr, ordering: Ordering) -> Expansion:
    """Σ_{J>M} J^{-s}/(1 + (κ/λ₊)J^b)^q with κ = κ₀(1+δ), δ = ``shift``, as a series in M."""
    total = shift.constant(0).truncate(-depth)
    for j in range(40):
        exponent = s + b * (q + j)
        if ordering.sign(exponent - 1 - depth) >= 0:
            break
        hurwitz = hurwitz_tail(exponent, M, FIRST_TAIL_TERMS, ordering).truncate(-depth)
        factor = (shift + 1) ** (-q - j) * (lambda_plus / kappa_0) ** (q + j)
        total = total + hurwitz * factor * sp.binomial(-q, j)
    return total


def _up_to(series: Expansion, terms: int) -> Expansion:
    return series.keep(terms) if len(series.terms) > terms else series


def _without_end(spectrum: Spectrum) -> PowerLaw:
    """The same power law with M = ∞."""
    if not isinstance(spectrum, PowerLaw):
        raise InputError("spectrum", spectrum, "a power law, whose limit M → ∞ exists")
    return PowerLaw(
        exponent=spectrum.exponent,
        target_exponent=spectrum.target_exponent,
        scale=spectrum.scale,
        target_variance=spectrum.target_variance,
    )


def _size_above(smaller: str) -> Callable[[Setting], Any]:
    def size(setting: Setting) -> Any:
        n = setting.features if smaller == "N" else setting.samples
        if not n < setting.spectrum.size < mpmath.inf:
            raise InputError("M", setting.spectrum.size, f"a finite size above {smaller} = {n}")
        return setting.spectrum.size

    return size
