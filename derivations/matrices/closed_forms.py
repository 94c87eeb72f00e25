r"""The classical laws, recovered in closed form from the derived equations.

For each law the resolvent in closed form is put into the derived polynomial, which must vanish
identically, and compared with the certified solution, which decides its branch; moments of inverse
and of product matrices are compared exactly.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import sympy as sp

from solvable.analytic.free_probability import derive, exact_mean, parse_declarations
from solvable.analytic.free_probability.function_equations import FunctionEquations
from solvable.analytic.free_probability.models import LIMITS, expression
from solvable.analytic.free_probability.ridgeless import RidgelessLimit
from solvable.analytic.notation import M, N, T, z

from ..bibliography import Reference
from ..catalogue import Parts, derivation
from ..checks import Agrees, Both, Exact
from ..derivation import Step
from ..relations import Equality

if TYPE_CHECKING:
    from ..relations import Relation

sigma = sp.Symbol("sigma")
POINTS = ({M: 200, T: 300, sigma: 1, z: 5}, {M: 90, T: 300, sigma: 1, z: 7})
TOLERANCE = 1e-10
MOMENTS = (1, 2, 3)


def _formulas() -> dict[str, sp.Expr]:
    """The resolvent tr (B + z)^{-1}, or tr (z − B)^{-1}, of each law."""
    c, d = M / T, 4
    rest = z + 1 - c
    return {
        "marchenko-pastur": (sp.sqrt(rest**2 + 4 * c * z) - rest) / (2 * c * z),
        "semicircle": (z - sp.sqrt(z**2 - 4 * sigma**2)) / (2 * sigma**2),
        "rotation-plus-transpose": 1 / sp.sqrt(z**2 - 4),
        "kesten-mckay": ((d - 2) * z - d * sp.sqrt(z**2 - 4 * (d - 1))) / (2 * (d**2 - z**2)),
    }


def _law(name: str, formula: sp.Expr) -> Step:
    equations = expression(name).derive()
    (relation,) = equations.relations
    unknown = equations.unknown_symbols[0]
    resolvent = sp.Function("g")(z)

    def residual(claim: Relation) -> sp.Expr:
        found = (relation.lhs - relation.rhs).subs(unknown, claim.rhs)
        return sp.simplify(sp.numer(sp.together(found)))

    def solved() -> list[float]:
        names = {s.name for s in equations.all_scalars()}
        values = ({s.name: v for s, v in p.items() if s.name in names} for p in POINTS)
        return [float(equations.solve(v).value) for v in values]

    def claimed(claim: Relation) -> list[float]:
        return [float(claim.rhs.subs(p)) for p in POINTS]

    other = formula.replace(
        lambda e: e.is_Pow and abs(e.exp) == sp.Rational(1, 2), lambda e: -e
    )  # the other branch
    return Step(
        name,
        Equality(resolvent, formula),
        f"{expression(name).title}: a root of the derived polynomial, on the branch that decays.",
        Both([Exact(residual=residual), Agrees(solved, claimed, TOLERANCE)]),
        wrong=(Equality(resolvent, other), Equality(resolvent, formula * (1 + z))),
    )


def _fuss_catalan() -> Step:
    """Moments of S R Rᵀ Sᵀ."""
    row = expression("fuss-catalan")
    k = sp.Symbol("k", integer=True, positive=True)
    moment = sp.binomial(3 * k, k) / (2 * k + 1)

    def derived(power: int) -> sp.Expr:
        return derive(f"tr((S*R*R.T*S.T)^{power})", row.declarations()).value

    def residual(claim: Relation) -> list[sp.Expr]:
        return [sp.simplify(claim.rhs.subs(k, p) - derived(p)) for p in MOMENTS]

    left = sp.Function("m")(k)
    return Step(
        "fuss-catalan",
        Equality(left, moment),
        "Moments of the product of two square Gaussian matrices, here the first three.",
        Exact(residual=residual),
        wrong=(Equality(left, sp.binomial(2 * k, k) / (k + 1)),),
    )


def _inverse_wishart(power: int, value: sp.Expr) -> Step:
    """A moment of (X Xᵀ)^{-1}: the derived limit, and the leading term of the exact mean."""
    text, model = f"tr(inv(X*X.T)^{power})", parse_declarations(["X:M,T:1/T"])

    def residual(claim: Relation) -> list[sp.Expr]:
        limit = derive(text, model)
        assert isinstance(limit, FunctionEquations)
        part = limit.parts[0]
        assert isinstance(part, RidgelessLimit)
        (closed,) = part.branches.values()
        leading = exact_mean(text, model).expansion(1).coefficients[0]
        return [sp.simplify(claim.rhs - closed), sp.simplify(claim.rhs - leading)]

    left = sp.Function("m")(-power)
    return Step(
        f"inverse-wishart-{power}",
        Equality(left, value),
        "The limit without a ridge, and the leading term of the exact mean at finite size.",
        Exact(residual=residual),
        wrong=(Equality(left, value * T / (T - M)),),
    )


def _wachter() -> Step:
    """The edges of the Jacobi spectrum: zeros of the discriminant of the derived polynomial."""
    limit = LIMITS["jacobi-matrix"].derived().parts[0]
    assert isinstance(limit, RidgelessLimit)
    (unknown,) = limit.equations.unknown_symbols
    quadratic = next(f for f in limit.factors if sp.degree(f, unknown) == 2)
    discriminant = sp.discriminant(quadratic, unknown)
    first, second = N * (N + T - M), M * T
    claimed = (N + T) ** 2 * z**2 + 2 * (first + second) * z
    claimed += (first - second) ** 2 / (N + T) ** 2

    leading = sp.Poly(discriminant, z).LC()

    def residual(claim: Relation) -> sp.Expr:
        return sp.simplify((N + T) ** 2 * discriminant / leading - claim.rhs)

    return Step(
        "wachter",
        Equality(sp.Function("Delta")(z), claimed),
        "The discriminant, scaled to (N + T)² z² + …: its zeros "
        "−z = (√(N(N + T − M)) ± √(MT))²/(N + T)² are the edges of the law of Wachter.",
        Exact(residual=residual),
        wrong=(Equality(sp.Function("Delta")(z), claimed + z),),
    )


@derivation(
    "classical-laws",
    "The classical laws in closed form",
    Reference("marchenko-pastur"),
    Reference("wigner"),
)
def classical_laws() -> Parts:
    """Marchenko–Pastur, semicircle, arcsine, Kesten–McKay, Fuss–Catalan, Wachter and the moments of
    the inverse Wishart matrix, each recovered symbolically from the derived equations."""
    steps = [_law(name, formula) for name, formula in _formulas().items()]
    full = T - M
    moments = {1: T / full, 2: T**3 / full**3, 3: T**4 * (T + M) / full**5}
    steps += [_fuss_catalan(), *(_inverse_wishart(k, value) for k, value in moments.items())]
    steps.append(_wachter())
    return Parts(
        steps,
        steps[0].claim,
        assumptions=("all dimensions large at fixed ratios; M < T where an inverse is taken",),
    )
