r"""What proves that a root of the Dyson equation is the physical one.

A pencil Q = F + X with Gaussian X has, to leading order, E Q^{-1} = G with

    G = (F − Σ(G))^{-1},        Σ(G) = E[X G X],

an equation that has many roots. The physical one is the limit ε → 0+ of the solution with positive
imaginary part of the Hermitian double [[−iε, Q], [Q*, −iε]]. The certificate is the spectral radius
of the positive map T(V) = G* E[X* V X] G. The checks draw matrices: X = Σ_k ξ_k X_k with
independent standard normal ξ_k, so that E[X V X] = Σ_k X_k V X_k.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import numpy as np
import sympy as sp

from ..bibliography import Reference
from ..catalogue import Parts, derivation
from ..checks import Agrees, Exact, Inequality
from ..derivation import Step
from ..relations import AtMost, Equality, Less, Relation
from .matrix_derivation import OnMatrices

N = sp.Symbol("n", integer=True, positive=True)
F, G, G1, G2 = (sp.MatrixSymbol(name, N, N) for name in ("F", "G", "G_1", "G_2"))
S1, S2 = (sp.MatrixSymbol(name, N, N) for name in ("Sigma_1", "Sigma_2"))
H, B, V = (sp.MatrixSymbol(name, N, N) for name in ("H", "B", "V"))
RHO, RHO_1, RHO_2, RHO_12, RHO_DOUBLE = sp.symbols(
    "rho rho_1 rho_2 rho_12 rho_double", nonnegative=True
)
g, sigma, z = sp.symbols("g sigma z", positive=True)
DRAWS, SIZE, TERMS = 40, 3, 3


def radius(left: list[Any], right: list[Any]) -> float:
    """The spectral radius of D → Σ_k A_k D B_k."""
    whole = sum(np.kron(a, b.T) for a, b in zip(left, right, strict=True))
    return float(np.abs(np.linalg.eigvals(whole)).max())


def drawn(seed: int, count: int) -> list[Any]:
    """Complex matrices."""
    rng = np.random.default_rng(seed)
    shape = (count, SIZE, SIZE)
    return list(rng.standard_normal(shape) + 1j * rng.standard_normal(shape))


@cache
def radii() -> list[dict[sp.Symbol, float]]:
    """ρ of D → G₁E[XDX]G₂ and of the maps T of G₁ and G₂, some of which are equal."""
    found = []
    for seed in range(DRAWS):
        first, second, *terms = drawn(seed, 2 + TERMS)
        if seed % 2:  # all Hermitian and G₁ = G₂: there the inequality is an equality
            first = second = first + first.conj().T
            terms = [x + x.conj().T for x in terms]
        mixed = radius([first @ x for x in terms], [x @ second for x in terms])
        one = radius([(x @ first).conj().T for x in terms], [x @ first for x in terms])
        # T of G₁* has the spectrum of the map V → G₁ E[X V X*] G₁*
        other = radius([(x @ second).conj().T for x in terms], [x @ second for x in terms])
        found.append({RHO_12: mixed * (1 - 1e-9), RHO_1: one, RHO_2: other})
    return found


@cache
def doubled() -> list[dict[sp.Symbol, float]]:
    """ρ of T for roots G, and of the map of the Hermitian double at ε = 0."""
    found = []
    for seed in range(DRAWS):
        green, *terms = drawn(1000 + seed, 1 + TERMS)
        zero = np.zeros((SIZE, SIZE))
        whole = np.block([[zero, green.conj().T], [green, zero]])
        noise = [np.block([[zero, x], [x.conj().T, zero]]) for x in terms]
        both = radius([(x @ whole).conj().T for x in noise], [x @ whole for x in noise])
        plain = radius([(x @ green).conj().T for x in terms], [x @ green for x in terms])
        found.append({RHO: plain, RHO_DOUBLE: both})
    return found


def on_complex_matrices(claim: Relation) -> float:
    """The largest difference of the sides for complex G = (H − iB)^{-1}, H and B Hermitian."""
    worst = 0.0
    for seed in range(DRAWS):
        h, b = (x + x.conj().T for x in drawn(2000 + seed, 2))
        green = np.linalg.inv(h - 1j * b)
        imaginary = (green - green.conj().T) / 2j
        values = {H: h, B: b, G: green, V: imaginary}
        left, right = (_number(side, values) for side in (claim.lhs, claim.rhs))
        worst = max(worst, float(np.abs(left - right).max() / np.abs(left).max()))
    return worst


def _number(expression: Any, values: Mapping[Any, Any]) -> Any:
    """A matrix expression at complex matrices."""
    if expression in values:
        return values[expression]
    if isinstance(expression, sp.Adjoint):
        return _number(expression.arg, values).conj().T
    parts: list[Any] = [
        _number(part, values) if part.is_Matrix else complex(part) for part in expression.args
    ]
    total = parts[0]
    for part in parts[1:]:
        whole = np.ndim(total) and np.ndim(part)
        added = isinstance(expression, sp.MatAdd)
        total = total + part if added else total @ part if whole else total * part
    return total


def _same(points: Callable[[], Any]) -> Callable[[Relation], Any]:
    """The largest relative difference of both sides of a claim over computed points."""

    def error(claim: Relation) -> float:
        pairs = [(float(claim.lhs.subs(p)), float(claim.rhs.subs(p))) for p in points()]
        return max(abs(a - b) / abs(a) for a, b in pairs)

    return error


@derivation(
    "matrix-physical-root",
    "The physical root of a Dyson equation and what certifies it",
    Reference("linear-pencils"),
)
def physical_root() -> Parts:
    """Among the roots G of the Dyson equation at most one has a map V → G* E[X* V X] G of spectral
    radius below one, and the physical root has it off the spectrum: the radius decides."""
    difference = Step(
        "difference",
        Equality(G1 - G2, G1 * (S1 - S2) * G2),
        "Two roots have G_i^{-1} = F − Σ(G_i); multiply the difference by G₁ and G₂. As Σ is "
        "linear, D = G₁ − G₂ is a fixed point of D → G₁ E[X D X] G₂.",
        OnMatrices({N: 3}, definitions={"Sigma_1": F - G1.I, "Sigma_2": F - G2.I}),
        wrong=(Equality(G1 - G2, G2 * (S2 - S1) * G1), Equality(G1 - G2, G1 * (S1 - S2) * G1)),
    )
    cauchy = Step(
        "cauchy-schwarz",
        AtMost(RHO_12**2, RHO_1 * RHO_2),
        "ρ₁₂ is the spectral radius of D → G₁ E[X D X] G₂, ρ_i that of T for G_i. The n-th power "
        "of the map is a sum over words A D B in G₁X and XG₂; by Cauchy–Schwarz the square of its "
        "norm is at most the product of the norms of Σ A A* and Σ B* B, the n-th powers of the "
        "positive maps V → G₁ E[X V X*] G₁* and T₂. The first is T₁ in another order, "
        "Tr W T₁(V) = Tr V E[X G₁ W G₁* X*], and has its spectrum. So if ρ₁ < 1 and ρ₂ < 1, D = 0.",
        Inequality(radii),
        wrong=(AtMost(RHO_12**2, RHO_1 * RHO_2 / 2),),
    )
    positive = Step(
        "imaginary-part",
        Equality(V, G.adjoint() * B * G),
        "Here G = (H − iB)^{-1} is the resolvent of the double and V = (G − G*)/2i its imaginary "
        "part; B = ε + E[XVX]. So V − T(V) = ε G* G > 0 with V > 0, and a positive map that lowers "
        "a positive V has ρ < 1 (Collatz, Wielandt): at every ε > 0 the physical solution is "
        "certified, and off the spectrum, where V/ε stays bounded, also in the limit.",
        Agrees(lambda: 0, on_complex_matrices, 1e-10, absolute=True),
        wrong=(Equality(V, G * B * G), Equality(V, 2 * G.adjoint() * B * G)),
    )
    double = Step(
        "double",
        Equality(RHO_DOUBLE, RHO),
        "At ε = 0 the double of a root G is [[0, G*], [G, 0]], and its map takes diag(V, W) to "
        "diag(T(V), G E[X W X*] G*), which have one spectrum; on the rest it is no larger, by "
        "@cauchy-schwarz. If ρ < 1, 1 − T is invertible, the root continues to "
        "ε > 0, and its imaginary part Σ_n Tⁿ(ε G* G) is positive: it is the physical solution.",
        Agrees(lambda: 0, _same(doubled), 1e-6, absolute=True),
        wrong=(Equality(RHO_DOUBLE, RHO**2), Equality(RHO_DOUBLE, 2 * RHO)),
    )
    certificate = Step(
        "certificate",
        Less(RHO_12, 1),
        "Wherever both roots are certified, by @cauchy-schwarz; and equal by @difference.",
        Inequality(lambda: [p for p in _certified() if p[RHO_1] < 1 and p[RHO_2] < 1]),
        wrong=(Less(RHO_12 * 100, 1),),
    )
    return Parts(
        [difference, cauchy, certificate, positive, double, _semicircle()],
        certificate.claim,
        ("X is linear in Gaussian matrices; F, Q of any shape that is invertible",),
        (
            "ρ does not change under Q → D₁QD₂; for a block-triangular Q it is the largest over "
            "the diagonal blocks: each component is certified by itself.",
            "A residual is no certificate: roots with ρ > 1 solve the same equation to the last "
            "digit, and near the spectrum they attract iterations.",
        ),
    )


def _semicircle() -> Step:
    return Step(
        "semicircle",
        Equality(RHO_1 * RHO_2, 1),
        "For z = 1/g + σ²g, ρ = σ²|g|², and the product of the two roots is 1/σ²: off the spectrum "
        "exactly one of them is certified, on it none is.",
        Exact(value=lambda: sp.prod(sigma**2 * root**2 for root in _two_roots())),
        wrong=(Equality(RHO_1 * RHO_2, sigma**2),),
    )


def _two_roots() -> list[sp.Expr]:
    return list(sp.solve(1 / g + sigma**2 * g - z, g))


@cache
def _certified() -> list[dict[sp.Symbol, float]]:
    """The radii of draws that are scaled so that about half of the roots are certified."""
    found = []
    for index, point in enumerate(radii()):
        scale = (0.6 + 0.02 * index) / max(point[RHO_1], point[RHO_2])
        found.append({symbol: value * scale for symbol, value in point.items()})
    return found
