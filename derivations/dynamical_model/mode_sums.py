r"""Sums over modes at one and at two frequencies.

Transforms are taken as v(z) = ∫₀^∞ e^{−zt} v(t) dt, z = iω. A two-point function depends on z and
z'; what belongs to z' carries a prime. The mode sums of two frequencies are

    S[f] = Σ_k f_k H_k H_k',     U[f] = Σ_k f_k /((λ_k+κ)(λ_k+κ')) = (zz'/κκ') S[f],

and partial fractions in λ_k turn the second into divided differences of D₁ and h₁:

    U[λ] = (D₁−D₁')/(κ'−κ),   U[λ²] = (κ'D₁'−κD₁)/(κ'−κ),
    U[w²λ] = (h₁−h₁')/(κ'−κ),   U[w²λ²] = (κ'h₁'−κh₁)/(κ'−κ).
"""

from __future__ import annotations

import sympy as sp

from solvable.analytic.notation import (
    R1,
    R3,
    M,
    R1_prime,
    R3_prime,
    k,
    kappa,
    kappa_prime,
    lam,
    target,
    z,
    z_prime,
)
from solvable.analytic.spectral_functions import D1, D2, D1_prime, h1, h1_prime, h2

transfer = 1 / (z + lam * R1 * R3)  #: H_k, equation (10) of the paper

S_lam, S_lam2, S_target, S_target_lam = sp.symbols("S[λ] S[λ^2] S[w^2λ] S[w^2λ^2]")
U_lam, U_lam2, U_target, U_target_lam = sp.symbols("U[λ] U[λ^2] U[w^2λ] U[w^2λ^2]")
SUMMANDS = {
    S_lam: lam, S_lam2: lam**2, S_target: target**2 * lam, S_target_lam: target**2 * lam**2,
}  # fmt: skip
divided_differences = {
    U_lam: (D1 - D1_prime) / (kappa_prime - kappa),
    U_lam2: (kappa_prime * D1_prime - kappa * D1) / (kappa_prime - kappa),
    U_target: (h1 - h1_prime) / (kappa_prime - kappa),
    U_target_lam: (kappa_prime * h1_prime - kappa * h1) / (kappa_prime - kappa),
}
#: the same at equal frequencies, κ' → κ
coincident = {
    kappa_prime: kappa,
    z_prime: z,
    U_lam: (D1 - D2) / kappa,
    U_lam2: D2,
    U_target: h2,
    U_target_lam: h1 - kappa * h2,
}


def modes(term: sp.Expr) -> sp.Expr:
    """Σ_k of a term, with what does not depend on k taken out.

    >>> modes(R1 * lam)
    R_1*Sum(lambda[k], (k, 1, M))
    """
    outside, inside = sp.sympify(term).as_independent(k, as_Add=False)
    return outside * sp.Sum(inside, (k, 1, M))


def primed(expression: sp.Expr) -> sp.Expr:
    """The expression at the second frequency.

    >>> primed(z * R1)
    R_1'*z'
    """
    return expression.xreplace({z: z_prime, R1: R1_prime, R3: R3_prime, kappa: kappa_prime})


def atomic(expression: sp.Expr) -> sp.Expr:
    """The expression simplified with every sum and every indexed letter taken as one symbol.

    >>> atomic(modes(lam) / modes(lam))
    1
    """
    plain = expression.xreplace({s: sp.Dummy(positive=True) for s in expression.atoms(sp.Sum)})
    letters = {x: sp.Dummy(positive=True) for x in plain.atoms(sp.Indexed)}
    return sp.simplify(plain.xreplace(letters))


def unlimited(value: sp.Expr, size: sp.Symbol) -> sp.Expr:
    """The limit size → ∞ of a rational function of it.

    >>> unlimited(M / (M + 1), M)
    1
    """
    inverse = sp.Dummy(positive=True)
    return sp.factor(sp.cancel(sp.together(value.subs(size, 1 / inverse))).subs(inverse, 0))
