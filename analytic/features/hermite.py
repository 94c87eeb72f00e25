r"""Hermite coefficients of an activation function.

    σ(s g) = Σ_k a_k(s) h_k(g),    h_k = He_k/√k!,    a_k(s) = E[σ(s g) h_k(g)],    g ~ N(0, 1),

so that E σ² = Σ a_k², and, for two Gaussians of unit variance and correlation u (Mehler),
E[σ(s g) σ(s′g′)] = Σ_k a_k(s) a_k(s′) u^k.

Three faces: `closed_form` (sympy; σ a sum of polynomials times exp, sin, cos of linear functions or
erf(c x), and piecewise polynomials), `coefficient_mp` (any digits, by quadrature between the kinks),
`coefficients` (float64 arrays, for many scales at once).

Source: Daniely, Frostig, Singer 2016, arXiv:1602.05897.
"""  # noqa: E501

from __future__ import annotations

from typing import Any

import mpmath
import numpy as np
import sympy as sp

from .. import arguments, precision
from ..errors import InputError
from .activation import Activation, X, activation

PANEL_NODES = 24
MOST = 400  # coefficients


def coefficients(function: str | Activation, count: int, scale: Any = 1.0) -> np.ndarray:
    """a_k(s) for k < ``count``, in float64; shape (count, *shape of scale).

    Raises `InputError` for a scale that is not positive and more than `MOST` coefficients.

    >>> coefficients("relu", 3).round(6)
    array([0.398942, 0.5     , 0.282095])
    """
    function = activation(function)
    count = arguments.count("count", count)
    if count > MOST:
        raise InputError("count", count, f"at most {MOST}")
    scales = np.asarray(arguments.positive("scale", scale), float)
    flat = scales.ravel()
    out = np.empty((count, len(flat)))
    shared = not function.kinks or set(function.kinks) == {0.0}
    for group in [np.arange(len(flat))] if shared else [[i] for i in range(len(flat))]:
        kinks = [0.0] if shared else [kink / flat[group[0]] for kink in function.kinks]
        nodes, weights = _rule(count, kinks)
        out[:, group] = _hermite(nodes, count) * weights @ function(np.outer(nodes, flat[group]))
    return out.reshape(count, *scales.shape)


def _rule(count: int, kinks: list[float]) -> tuple[np.ndarray, np.ndarray]:
    """Gauss–Legendre between the kinks, for integrands times the Gaussian density."""
    end = np.sqrt(4.0 * count) + 9.0
    panels = int(2 * end * (1 + np.sqrt(count) / 6)) + 2
    edges = np.unique(np.r_[np.linspace(-end, end, panels), [k for k in kinks if abs(k) < end]])
    x, w = np.polynomial.legendre.leggauss(PANEL_NODES)
    half = np.diff(edges)[:, None] / 2
    nodes = (edges[:-1, None] + half * (1 + x)).ravel()
    return nodes, (half * w).ravel() * np.exp(-(nodes**2) / 4) / np.sqrt(2 * np.pi)


def _hermite(x: np.ndarray, count: int) -> np.ndarray:
    """h_k(x) e^(−x²/4) for k < count: bounded, by the three-term recurrence."""
    out = np.empty((count, len(x)))
    before, now = np.zeros_like(x), np.exp(-(x**2) / 4)
    for k in range(count):
        out[k] = now
        before, now = now, (x * now - np.sqrt(k) * before) / np.sqrt(k + 1)
    return out


def coefficient_mp(function: str | Activation, k: int, scale: Any = 1, digits: int = 30) -> Any:
    """a_k(s) as an mpmath number of ``digits`` digits: the closed form, or by quadrature.

    >>> print(mpmath.nstr(coefficient_mp("tanh", 1, digits=25), 12))
    0.605705509602
    """
    function = activation(function)
    k = arguments.count("k", k, at_least=0)
    with precision.workdps(digits + 15):
        exact = closed_form(function, k, sp.nsimplify(scale) if _is_exact(scale) else scale)
        if exact is None and _parity(function, k):
            value = mpmath.mpf(0)
        elif exact is not None:
            value = mpmath.mpmathify(sp.N(exact, digits + 10))
        else:
            value = _quadrature(function, k, mpmath.mpmathify(scale), digits)
    with precision.workdps(digits):
        return +value


def _parity(function: Activation, k: int) -> bool:
    """Whether σ is even and k odd, or σ odd and k even."""
    mirrored = function.expression.subs(X, -X)
    return sp.simplify(mirrored + (-1) ** (k % 2) * function.expression) == 0


def _is_exact(scale: Any) -> bool:
    return isinstance(scale, int) or (isinstance(scale, float) and scale == int(scale))


def _quadrature(function: Activation, k: int, scale: Any, digits: int) -> Any:
    """∫ σ(s x) h_k(x) φ(x) dx, by panels of length about one that end at the kinks."""
    value = sp.lambdify(X, function.expression, modules="mpmath")
    end = mpmath.sqrt(2 * (digits + 15) * mpmath.log(10) + 4 * k) + 2
    edges = {mpmath.mpf(j) for j in range(-int(end), int(end) + 1)}
    edges |= {mpmath.mpf(kink) / scale for kink in function.kinks if abs(kink / scale) < end}
    norm = mpmath.sqrt(2 * mpmath.pi * mpmath.factorial(k))

    def integrand(x: Any) -> Any:
        hermite = mpmath.hermite(k, x / mpmath.sqrt(2)) / mpmath.mpf(2) ** (mpmath.mpf(k) / 2)
        return value(scale * x) * hermite * mpmath.exp(-x * x / 2)

    return mpmath.quad(integrand, sorted(edges)) / norm


# ---- closed forms --------------------------------------------------------------------------


def closed_form(function: str | Activation, k: int, scale: Any = 1) -> sp.Expr | None:
    """a_k(s) as a sympy expression; None where σ is of no kind that has one.

    ``scale`` may be a positive symbol.

    >>> closed_form("relu", 2), closed_form("erf", 1), closed_form("x**3", 3)
    (1/(2*sqrt(pi)), 2*sqrt(3)/(3*sqrt(pi)), sqrt(6))
    >>> closed_form("tanh", 1) is None
    True
    """
    function = activation(function)
    scale = sp.sympify(scale)
    weight = sp.expand(2 ** sp.Rational(-k, 2) * sp.hermite(k, X / sp.sqrt(2)))
    scaled = function.expression.subs(X, scale * X) if scale.is_positive else None
    if scaled is None:
        raise InputError("scale", scale, "a positive number or symbol")
    mean = _gaussian_mean(scaled, weight)
    return None if mean is None else sp.simplify(mean / sp.sqrt(sp.factorial(k)))


def _gaussian_mean(expression: sp.Expr, weight: sp.Expr) -> sp.Expr | None:
    """E[expression(g) weight(g)], ``weight`` a polynomial."""
    pieces = (sp.Max, sp.Min, sp.Abs, sp.sign, sp.Heaviside)
    if expression.has(*pieces):
        return _piecewise_mean(expression, weight, pieces)
    total = sp.S.Zero
    terms = expression.rewrite(sp.exp) if expression.has(sp.sin, sp.cos) else expression
    for term in sp.Add.make_args(sp.expand(terms * weight)):
        polynomial, rest = term.as_independent(sp.exp, sp.erf, sp.Function, as_Add=False)
        value = _moment(sp.Poly(polynomial, X), rest) if polynomial.is_polynomial(X) else None
        if value is None:
            return None
        total += value
    return sp.simplify(sp.expand(total, complex=True)) if terms is not expression else total


def _moment(polynomial: sp.Poly, rest: sp.Expr) -> sp.Expr | None:
    """E[polynomial(g) rest(g)], rest = 1, exp of a linear function, or erf(c x)."""
    powers = {m: c for (m,), c in polynomial.terms()}
    if rest == 1:
        return sp.Add(*(c * _double_factorial(m) for m, c in powers.items()))
    exponent = sp.S.Zero
    for factor in sp.Mul.make_args(rest):
        if not isinstance(factor, sp.exp):
            exponent = None
            break
        exponent += factor.args[0]
    if exponent is not None:
        if not exponent.is_polynomial(X) or sp.degree(exponent, X) > 1:
            return None
        c = exponent.coeff(X, 1)  # E[g^m e^{cg}] = e^{c²/2} E[(g + c)^m]
        shifted = sp.Poly(sp.expand(polynomial.as_expr().subs(X, X + c)), X)
        return sp.exp(exponent.coeff(X, 0) + c**2 / 2) * _moment(shifted, sp.S.One)
    if isinstance(rest, sp.erf) and rest.args[0].is_polynomial(X):
        c = rest.args[0].coeff(X, 1)
        if sp.expand(rest.args[0] - c * X) == 0:
            return sp.Add(*(v * _erf_moment(m, c) for m, v in powers.items()))
    return None


def _double_factorial(m: int) -> sp.Expr:
    """E g^m."""
    return sp.factorial2(m - 1) if m % 2 == 0 else sp.S.Zero


def _erf_moment(m: int, c: sp.Expr) -> sp.Expr:
    """E[g^m erf(c g)] by parts: (m−1) E[g^{m−2} erf] + (2c/√π) E[g^{m−1} e^{−c²g²}]."""
    if m % 2 == 0:
        return sp.S.Zero
    total, factor = sp.S.Zero, sp.S.One
    for j in range(m, 0, -2):
        gauss = _double_factorial(j - 1) * (1 + 2 * c**2) ** sp.Rational(-j, 2)
        total += factor * 2 * c / sp.sqrt(sp.pi) * gauss
        factor *= j - 1
    return total


def _piecewise_mean(
    expression: sp.Expr, weight: sp.Expr, pieces: tuple[type, ...]
) -> sp.Expr | None:
    """The sum over the intervals between the kinks, where all is a polynomial."""
    points: set[sp.Expr] = set()
    for atom in expression.atoms(*pieces):
        arguments_ = list(atom.args[:2]) if isinstance(atom, sp.Max | sp.Min) else [atom.args[0], 0]
        gap = sp.expand(arguments_[0] - arguments_[1])
        if not gap.is_polynomial(X) or sp.degree(gap, X) != 1:
            return None
        points.add(sp.simplify(-gap.coeff(X, 0) / gap.coeff(X, 1)))
    edges = [-sp.oo, *sorted(points, key=lambda p: float(p.subs({s: 1 for s in p.free_symbols}))),
             sp.oo]  # fmt: skip
    total = sp.S.Zero
    for low, high in zip(edges, edges[1:]):
        inner = low + 1 if high == sp.oo else high - 1 if low == -sp.oo else (low + high) / 2
        here = expression.replace(lambda e: isinstance(e, pieces), lambda e, p=inner: _side(e, p))
        if not here.is_polynomial(X):
            return None
        for (m,), c in sp.Poly(sp.expand(here * weight), X).terms():
            total += c * (_partial_moment(m, low) - _partial_moment(m, high))
    return total


def _side(atom: sp.Expr, point: sp.Expr) -> sp.Expr:
    """Max, Min, |·|, sign or step on the side of ``point``."""

    def value(inner: sp.Expr) -> float:
        at = sp.sympify(inner).subs(X, point)
        return float(at.subs({s: 1 for s in at.free_symbols}))

    if isinstance(atom, sp.Max | sp.Min):
        return (max if isinstance(atom, sp.Max) else min)(atom.args, key=value)
    positive = value(atom.args[0]) > 0
    if isinstance(atom, sp.Abs):
        return atom.args[0] if positive else -atom.args[0]
    if isinstance(atom, sp.sign):
        return sp.Integer(1 if positive else -1)
    return sp.Integer(1 if positive else 0)


def _partial_moment(m: int, low: sp.Expr) -> sp.Expr:
    """∫_low^∞ x^m φ(x) dx = low^{m−1} φ(low) + (m−1) ∫_low^∞ x^{m−2} φ."""
    if low == sp.oo:
        return sp.S.Zero
    if low == -sp.oo:
        return _double_factorial(m)
    density = sp.exp(-(low**2) / 2) / sp.sqrt(2 * sp.pi)
    if m == 0:
        return sp.erfc(low / sp.sqrt(2)) / 2
    if m == 1:
        return density
    return low ** (m - 1) * density + (m - 1) * _partial_moment(m - 2, low)
