r"""Dual kernels: E[σ(w·x) σ(w·x′)] over Gaussian weights w, as functions of the inputs' products.

With |x| = |x′| = 1, u = x·x′ = cos θ, and for other norms as stated:

    arc-cosine of order n   κ_n(u) ∝ (−1)ⁿ sin^{2n+1}θ (1/sin θ ∂/∂θ)ⁿ ((π − θ)/sin θ),   κ_n(1) = 1,
                            of σ = max(x, 0)ⁿ; E σσ′ = |x|ⁿ|x′|ⁿ κ_n(u) (2n−1)!!/2;
    erf                     (2/π) arcsin(2 x·x′/√((1+2|x|²)(1+2|x′|²)));
    any σ                   Σ_k a_k(|x|) a_k(|x′|) u^k, a_k its Hermite coefficients (Mehler).

The tangent kernel of L hidden layers, all normalised to the variance of their inputs, is

    Θ⁰ = Σ⁰ = u,    Σˡ = κ(Σˡ⁻¹),    Θˡ = Σˡ + Θˡ⁻¹ κ̇(Σˡ⁻¹)        (κ̇ the dual of σ′),

for the ReLU κ = κ₁, κ̇ = κ₀, divided here by L + 1 so that it is 1 at u = 1.

Sources: Cho, Saul 2009, eqs. (1)–(6); Williams 1997; Daniely, Frostig, Singer 2016; Jacot, Gabriel,
Hongler 2018.
"""  # noqa: E501

from __future__ import annotations

from functools import cache
from typing import Any

import mpmath
import numpy as np
import sympy as sp

from .. import arguments, precision
from ..errors import InputError
from .activation import Activation, activation
from .hermite import coefficients

U = sp.Symbol("u", real=True)
HIGHEST_ORDER, DEEPEST, TERMS = 12, 64, 120
CANCELS = -0.3  # u below which closed forms of high order cancel


@cache
def arc_cosine_formula(order: int) -> sp.Expr:
    """κ_n(u) as a sympy expression.

    >>> arc_cosine_formula(1)
    (u*(pi - acos(u)) + sqrt(1 - u**2))/pi
    """
    order = arguments.count("order", order, at_least=0)
    if order > HIGHEST_ORDER:
        raise InputError("order", order, f"an order up to {HIGHEST_ORDER}")
    angular, plain = sp.Poly(1, U), sp.Poly(0, U)
    square = sp.Poly(1 - U**2, U)
    for m in range(order):  # (1/sin θ ∂/∂θ) of angular (π − θ)/sin^{2m+1} + plain/sin^{2m}
        plain = -angular - plain.diff(U) * square - 2 * m * U * plain
        angular = -angular.diff(U) * square - (2 * m + 1) * U * angular
    whole = angular.as_expr() * (sp.pi - sp.acos(U)) + plain.as_expr() * sp.sqrt(1 - U**2)
    return (-1) ** order * whole / (sp.pi * sp.factorial2(2 * order - 1))


def arc_cosine(order: int, u: Any) -> Any:
    """κ_n(u): a float64 array, an mpmath number or a sympy expression, by the type of u.

    >>> arc_cosine(0, np.array([1.0, 0.0, -1.0]))
    array([1. , 0.5, 0. ])
    >>> print(mpmath.nstr(arc_cosine(1, mpmath.mpf(0)), 10))
    0.3183098862
    """
    formula = arc_cosine_formula(order)
    if isinstance(u, sp.Basic):
        return formula.subs(U, u)
    if isinstance(u, mpmath.mpf):
        lost = 10 + 5 * order
        with precision.kept_for(u):
            with precision.extradps(lost * 3):
                value = sp.lambdify(U, formula, "mpmath")(u)
            return +value
    u = np.clip(np.asarray(u, float), -1, 1)
    angle = np.arccos(u)
    step = (np.pi - angle) / np.pi
    if order == 0:
        return step
    if order == 1:
        return np.sqrt(1 - u**2) / np.pi + step * u
    cancels = u < CANCELS
    direct = sp.lambdify(U, formula, "numpy")(np.where(cancels, 0.0, u))
    return np.where(cancels, _integrated(order, np.where(cancels, u, -1.0)), direct)


def _integrated(order: int, u: np.ndarray) -> np.ndarray:
    """κ_n without cancellation: dκ_n/du = n² κ_{n−1}/(2n − 1), and κ_n(−1) = 0 for n > 0.

    The integral over v from −1 to u is made by Gauss–Jacobi nodes of the singularity at −1.
    """
    from scipy.special import roots_jacobi

    x, weights = roots_jacobi(40, 0, order - 0.5)
    low = (x + 1) / 2
    v = -1 + (u[..., None] + 1) * low
    regular = arc_cosine(order - 1, v) / low ** (order - 0.5)  # vanishes as (1 + v)^(n − ½)
    integral = (regular * weights).sum(axis=-1) * (u + 1) / 2 ** (order + 0.5)
    return order**2 / (2 * order - 1) * integral


def tangent_kernel(u: Any, depth: int = 1) -> Any:
    """Θ(u)/(L + 1) of ReLU layers; float64 array, mpmath number or sympy expression.

    >>> tangent_kernel(np.array([1.0, 0.0])).round(6)  # (κ₁ + u κ₀)/2
    array([1.      , 0.159155])
    """
    depth = arguments.count("depth", depth)
    if depth > DEEPEST:
        raise InputError("depth", depth, f"at most {DEEPEST} hidden layers")
    covariance, tangent = u, u
    for _ in range(depth):
        tangent = arc_cosine(1, covariance) + tangent * arc_cosine(0, covariance)
        covariance = arc_cosine(1, covariance)
    return tangent / (depth + 1)


def network_kernel(u: Any, depth: int = 1) -> Any:
    """Σ^L(u), the covariance of the last of ``depth`` wide ReLU layers.

    >>> float(network_kernel(np.array(1.0), 3))
    1.0
    """
    for _ in range(arguments.count("depth", depth)):
        u = arc_cosine(1, u)
    return u


def erf_formula(product: Any, norm: Any, other: Any) -> sp.Expr:
    """E erf(w·x) erf(w·x′) for x·x′ = ``product`` and squared norms ``norm``, ``other``.

    >>> erf_formula(0, 1, 1)
    0
    """
    product, norm, other = map(sp.sympify, (product, norm, other))
    return 2 / sp.pi * sp.asin(2 * product / sp.sqrt((1 + 2 * norm) * (1 + 2 * other)))


def dual_kernel(gram: Any, function: str | Activation, terms: int = TERMS) -> np.ndarray:
    """E σ(w·x) σ(w·x′) for all pairs of inputs with scalar products ``gram``, shape (T, T).

    In closed form for relu, step and erf, else by ``terms`` Hermite coefficients; the diagonal
    is E σ² in either case. Raises `InputError` for a matrix that is no Gram matrix.

    >>> dual_kernel([[1.0, 0.0], [0.0, 1.0]], "relu").round(6)
    array([[0.5     , 0.159155],
           [0.159155, 0.5     ]])
    """
    gram, function = np.asarray(gram, float), activation(function)
    if gram.ndim != 2 or gram.shape[0] != gram.shape[1] or not np.all(np.diag(gram) >= 0):
        raise InputError("gram", f"an array of shape {gram.shape}", "a matrix of scalar products")
    norms = np.sqrt(np.diag(gram))
    if not np.all(norms > 0):
        raise InputError("gram", "a zero on the diagonal", "inputs that are not zero")
    u = np.clip(gram / np.outer(norms, norms), -1, 1)
    np.fill_diagonal(u, 1)
    if function.text == "relu":
        return np.outer(norms, norms) * arc_cosine(1, u) / 2
    if function.text == "step":
        return arc_cosine(0, u) / 2
    if function.text == "erf":
        widths = np.sqrt(1 + 2 * norms**2)
        return 2 / np.pi * np.arcsin(2 * gram / np.outer(widths, widths))
    return _mehler(u, norms, function, terms)


def _mehler(u: np.ndarray, norms: np.ndarray, function: Activation, terms: int) -> np.ndarray:
    """Σ_k a_k(s) a_k(s′) u^k by Horner's rule; the diagonal from E σ²."""
    rows = coefficients(function, terms, norms)
    total = np.zeros_like(u)
    for a in rows[::-1]:
        total = total * u + np.outer(a, a)
    nodes, weights = np.polynomial.hermite_e.hermegauss(200)
    values = function(np.outer(nodes, norms)) ** 2
    np.fill_diagonal(total, weights @ values / np.sqrt(2 * np.pi))
    return total
