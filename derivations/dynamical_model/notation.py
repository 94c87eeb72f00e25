r"""Letters of the dynamical paper, sums over modes, and the two checks its derivations share.

Transforms are taken as v(z) = ∫₀^∞ e^{−zt} v(t) dt, z = iω. A two-point function depends on z and
z'; the response functions at z' carry a prime. The mode sums of two frequencies are

    T[f] = Σ_k f_k /((λ_k+κ)(λ_k+κ')),

and partial fractions in λ_k turn them into divided differences of D₁ and h₁:

    T[λ] = (D₁−D₁')/(κ'−κ),   T[λ²] = (κ'D₁'−κD₁)/(κ'−κ),
    T[w²λ] = (h₁−h₁')/(κ'−κ),   T[w²λ²] = (κ'h₁'−κh₁)/(κ'−κ).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import mpmath
import numpy as np
import sympy as sp

from solvable.analytic.notation import M, k, kappa, kappa_prime, z, z_prime
from solvable.analytic.spectral_functions import DegreesOfFreedom, TargetSum

from ..checks import Exact, Verdict


class Letter(sp.Symbol):
    """A symbol whose LaTeX is not made from its name: see `letter`."""

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        body = _LATEX[self.name]
        return f"{body}^{{{exp}}}" if exp else body


_LATEX: dict[str, str] = {}


def letter(name: str, latex: str, **assumptions: bool) -> sp.Symbol:
    """The symbol ``name``, typeset as ``latex``.

    >>> sp.latex(letter("L_∞", r"L_{\\infty}") ** 2)
    'L_{\\\\infty}^{2}'
    """
    if _LATEX.setdefault(name, latex) != latex:
        raise ValueError(f"{name} is typeset in two ways")
    return Letter(name, **assumptions)


lam = sp.IndexedBase("lambda", positive=True)[k]  #: λ_k
target = sp.IndexedBase("w", real=True)[k]  #: w_k, the target's weight in mode k
R1, R3 = sp.symbols("R_1 R_3", positive=True)  #: responses of the data and of the features
R1p = letter("R_1'", "R_{1}'", positive=True)
R3p = letter("R_3'", "R_{3}'", positive=True)  #: the same at the frequency z'
transfer = 1 / (z + lam * R1 * R3)  #: H_k, equation (10)
C0, C1, C2, C3 = sp.symbols("C_0 C_1 C_2 C_3")  #: two-point functions of the four fields
noise = sp.Symbol("sigma^2", nonnegative=True)  #: variance of the label noise

D1 = DegreesOfFreedom(1, kappa)
D1p = DegreesOfFreedom(1, kappa_prime)
D2 = DegreesOfFreedom(2, kappa)
h1, h1p, h2 = TargetSum(1, kappa), TargetSum(1, kappa_prime), TargetSum(2, kappa)

#: T[f] as symbols, and as divided differences
POWERS = {
    "λ": r"\lambda", "λ^2": r"\lambda^{2}", "w^2λ": r"w^{2}\lambda",
    "w^2λ^2": r"w^{2}\lambda^{2}",
}  # fmt: skip


def mode_sums(name: str) -> list[sp.Symbol]:
    """name[λ], name[λ²], name[w²λ], name[w²λ²] as symbols."""
    return [letter(f"{name}[{f}]", rf"{name}[{latex}]") for f, latex in POWERS.items()]


T_lam, T_lam2, T_target, T_target_lam = mode_sums("T")
divided_differences = {
    T_lam: (D1 - D1p) / (kappa_prime - kappa),
    T_lam2: (kappa_prime * D1p - kappa * D1) / (kappa_prime - kappa),
    T_target: (h1 - h1p) / (kappa_prime - kappa),
    T_target_lam: (kappa_prime * h1p - kappa * h1) / (kappa_prime - kappa),
}
#: the same at equal frequencies, κ' → κ
coincident = {
    kappa_prime: kappa,
    T_lam: (D1 - D2) / kappa,
    T_lam2: D2,
    T_target: h2,
    T_target_lam: h1 - kappa * h2,
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
    return expression.xreplace({z: z_prime, R1: R1p, R3: R3p, kappa: kappa_prime})


def atomic(expression: sp.Expr) -> sp.Expr:
    """The expression simplified with every sum and every indexed letter taken as one symbol.

    >>> atomic(modes(lam) / modes(lam))
    1
    """
    plain = expression.xreplace({s: sp.Dummy(positive=True) for s in expression.atoms(sp.Sum)})
    letters = {x: sp.Dummy(positive=True) for x in plain.atoms(sp.Indexed)}
    return sp.simplify(plain.xreplace(letters))


def rational(expression: sp.Expr) -> sp.Expr:
    """The expression over one denominator, cancelled, with every D_q, h_q as one symbol.

    >>> rational((D1**2 - D2**2) / (D1 - D2) - D1 - D2)
    0
    """
    sums = expression.atoms(DegreesOfFreedom, TargetSum)
    names = {function: sp.Symbol(str(function).split("(")[0] + "'" * function.has(kappa_prime))
             for function in sums}  # fmt: skip
    return sp.cancel(sp.together(expression.xreplace(names)))


@dataclass(frozen=True)
class Identity(Exact):
    """`Exact`, and where algebra cannot decide a seeded point that shows a difference: fail.

    >>> x = sp.Symbol("x", positive=True)
    >>> Identity()(sp.Eq(sp.sqrt(x) * sp.cosh(x), sp.exp(x), evaluate=False)).outcome
    'fail'
    """

    def __call__(self, claim: sp.Basic) -> Verdict:
        """The exact verdict, or the value of the residual at a generic point."""
        verdict = super().__call__(claim)
        if verdict.outcome != "undecided":
            return verdict
        residual = self.simplify((claim.args[0] - claim.args[1]).subs(self.using))
        rng = np.random.default_rng(35)
        point = {x: sp.Float(rng.uniform(0.5, 2)) for x in residual.free_symbols}
        value = abs(complex(residual.subs(point)))
        if value > 1e-9:
            return Verdict("fail", f"residual {value:.3g} at {point}", {"residual": value})
        return verdict


@dataclass(frozen=True)
class Equivalent:
    """The claim is the ``reference`` equation up to a number: their residuals are proportional.

    >>> Equivalent(sp.Eq(2 * z, 4))(sp.Eq(z, 2)).outcome
    'pass'
    >>> Equivalent(sp.Eq(2 * z, 4))(sp.Eq(z, 3)).outcome
    'fail'
    """

    reference: sp.Eq

    def __call__(self, claim: sp.Basic) -> Verdict:
        """Pass if the residuals of claim and reference have a constant ratio."""
        sides = (claim.args[0] - claim.args[1], self.reference.lhs - self.reference.rhs)
        ratio = rational(atomic(sp.together(sides[0] / sides[1])))
        if ratio.is_number and ratio != 0:
            return Verdict("pass", f"residuals are proportional, by {ratio}")
        return Verdict("fail", f"residuals have the ratio {ratio}", {"ratio": ratio})


@dataclass(frozen=True)
class Solves:
    """The claim ``unknown = value`` is put into ``equations``, which must all hold identically.

    >>> x = sp.Symbol("x")
    >>> [Solves([sp.Eq(x**2, 4)])(sp.Eq(x, y)).outcome for y in (2, -2, 3)]
    ['pass', 'pass', 'fail']
    """

    equations: list[sp.Eq]
    using: Mapping[Any, Any] | None = None

    def __call__(self, claim: sp.Basic) -> Verdict:
        """Pass if every equation holds with the claimed value inserted."""
        value = {claim.args[0]: claim.args[1]}
        for equation in self.equations:
            residual = sp.simplify((equation.lhs - equation.rhs).xreplace(value))
            residual = sp.simplify(residual.xreplace(dict(self.using or {})))
            if residual != 0:
                return Verdict("fail", f"residual {residual}", {"residual": residual})
        return Verdict("pass", f"{len(self.equations)} equations hold identically")


@dataclass(frozen=True)
class Agrees:
    """The number that the claim states equals one computed in another way, to ``digits`` digits.

    ``independent`` computes the other number, ``claimed`` reads the claim as a number.
    """

    independent: Callable[[], Any]
    claimed: Callable[[sp.Basic], Any]
    digits: int = 10

    def __call__(self, claim: sp.Basic) -> Verdict:
        """Pass if the two numbers agree."""
        with mpmath.workdps(self.digits + 15):
            other = mpmath.mpmathify(self.independent())
            value = mpmath.mpmathify(self.claimed(claim))
            error = float(abs(value - other) / (abs(other) or 1))
        message = f"{mpmath.nstr(value, 8)} against {mpmath.nstr(other, 8)}: off by {error:.1e}"
        allowed = 10.0**-self.digits
        outcome = "pass" if error <= allowed else "fail"
        return Verdict(outcome, message + f" (allowed {allowed:.0e})", {"error": error})  # type: ignore[arg-type]
