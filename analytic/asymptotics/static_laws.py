r"""Exponents as the outcome of competing poles.

A resource (features N or data T) that is the only bottleneck leaves the loss, from formula (4) at
r = min/max → 0 and D₁(κ) = n:

    features:  κ h₁(κ),                          data:  κ² h₂(κ)/(1 − D₂(κ)/n).

With κ ∝ n^{-b}, each Mellin pole of κ^q h_q turns into a power of n.  Two families compete: the
pole of ζ, which is the tail of the target beyond mode n, and the poles of Γ, which are analytic in
κ: the modes that are learnt, up to a remainder.  Whichever decays more slowly is the law; where the
first of each family coincide they make a double pole, hence a logarithm, and this is the crossover.
None of the exponents below is written down: min(a−1, b) and min(a−1, 2b) come out of the poles.

The same formulas at finite r say how the loss approaches these plateaus: like the first power of
1/T (at fixed N) or 1/N (at fixed T) whatever the spectrum.  Bahri et al. call the first kind of
exponent resolution-limited and the second variance-limited; `four_regimes` lists all four.

Sources: solvable-model paper, eq. (163); dynamical paper, eq. (14), which prints min(a−1, 2b) for
both; arXiv:2102.06701.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import Any

import sympy as sp

from .. import arguments
from ..errors import InputError
from ..loss import excess_loss_formula
from ..notation import N, T, a, b, kappa, sigma_eps
from ..spectral_functions import DegreesOfFreedom, TargetSum
from .expansion import Expansion, exact_number, power_sum_transform
from .limits.named import expand_static, scaling_ordering

__all__ = ["Competitor", "Law", "ScalingRegime", "bottleneck_law", "four_regimes"]

ORIGINS = {
    "Zeta": "tail of the target beyond mode n",
    "Gamma": "remainder of the learnt modes",
    "Gamma+Zeta": "both at once: logarithm",
}


@dataclass(frozen=True)
class Competitor:
    """One pole's contribution n^{-exponent} log(n)^log, and what it comes from."""

    exponent: sp.Expr
    log: int
    family: str

    @property
    def origin(self) -> str:
        """What the pole means, in words."""
        return ORIGINS[self.family]


@dataclass(frozen=True)
class Law:
    """The law of one bottleneck at a representative (a, b).

    ``competitors`` in order of size; ``exponent`` the winner's (with ``log`` powers of the
    logarithm); ``general`` the exponent for every (a, b), a minimum over the first pole of each
    family; ``crossover`` the equation in a and b at which the two meet; ``loss`` the series.
    """

    resource: str
    competitors: tuple[Competitor, ...]
    general: sp.Expr
    crossover: sp.Eq
    loss: Expansion = field(repr=False)

    @property
    def exponent(self) -> sp.Expr:
        """The exponent of the winning pole."""
        return self.competitors[0].exponent

    @property
    def log(self) -> int:
        """The power of the logarithm in the leading term (1 at the crossover)."""
        return self.competitors[0].log

    @property
    def prefactor(self) -> sp.Expr:
        """The coefficient of the leading term, in λ₊, σ_w, a, b."""
        return self.loss.resolved().lead.coefficient


#: the other resource and the latent space infinite, zero ridge
ALONE = {
    "features": "1 << N, T = inf, M = inf, z = 0",
    "data": "1 << T, N = inf, M = inf, z = 0",
}


@cache
def _order_of_target_sum(resource: str) -> int:
    """q of the κ^q h_q that is left of formula (4) when ``resource`` alone is finite."""
    size, other = (N, T) if resource == "features" else (T, N)
    formula = excess_loss_formula(kappa).subs(sigma_eps, 0).subs(DegreesOfFreedom(1, kappa), size)
    small = sp.Dummy("epsilon", positive=True)
    left = sp.numer(sp.together(sp.cancel(formula.subs(other, 1 / small)).subs(small, 0)))
    orders = {int(h.args[0]) for h in left.atoms(TargetSum)}
    if len(orders) != 1:
        raise AssertionError(f"expected one target sum, found {orders}")
    order = orders.pop()
    if sp.degree(sp.expand(left).subs(TargetSum(order, kappa), 1), kappa) != order:
        raise AssertionError("the target sum does not come with its power of κ")
    return order


@lru_cache(maxsize=None, typed=True)
def bottleneck_law(resource: str, exponent: Any, target_exponent: Any, terms: int = 3) -> Law:
    """The law of ``resource`` ("features" or "data") for λ ∝ J^{-b}, w²λ ∝ J^{-a}, M = ∞.

    Raises `InputError` for another resource and for a ≤ 1 or b ≤ 1.

    >>> law = bottleneck_law("features", 1.2, 3.4)
    >>> law.general, law.exponent, law.crossover
    (Min(b, a - 1), b, Eq(a - 1, b))
    >>> bottleneck_law("data", 1.2, 3.4).general
    Min(2*b, a - 1)
    """
    arguments.choice("resource", resource, ("features", "data"))
    b_value, a_value = _exponents(exponent, target_exponent)
    loss = expand_static("loss", ALONE[resource], b_value, a_value, terms)
    q = _order_of_target_sum(resource)
    ordering = scaling_ordering({b: b_value, a: a_value})
    competitors = []
    for pole in power_sum_transform(a - q * b, b, q, ordering).poles(-1, terms, ordering):
        power = sp.expand(b * (q - pole.place))  # κ^q κ^{−u₀} with κ ∝ n^{−b}
        family = "+".join(sorted(set(pole.origin)))
        competitors.append(Competitor(power, pole.multiplicity - 1, family))
    first = _first_of_each_family(q)
    return Law(
        resource,
        tuple(competitors),
        sp.Min(*first.values()),
        sp.Eq(first["Zeta"], first["Gamma"], evaluate=False),
        loss,
    )


def _exponents(exponent: Any, target_exponent: Any) -> tuple[Any, Any]:
    """(b, a) as exact numbers above 1."""
    values = exact_number(exponent), exact_number(target_exponent)
    for name, value in zip(("exponent", "target_exponent"), values):
        if not value > 1:
            raise InputError(name, value, "a number > 1, else the trace or the target diverges")
    return values


def _first_of_each_family(q: int) -> Mapping[str, sp.Expr]:
    """The exponents of the ζ pole and of the first Γ pole of κ^q h_q, for generic a and b."""
    somewhere = scaling_ordering({b: 2, a: 3})  # the factors do not depend on it
    gamma, _, zeta = power_sum_transform(a - q * b, b, q, somewhere).factors
    places = {"Zeta": sp.sympify(zeta.pole(0)), "Gamma": sp.sympify(gamma.pole(0))}
    return {family: sp.expand(b * (q - place)) for family, place in places.items()}


@dataclass(frozen=True)
class ScalingRegime:
    """One of four: how the loss depends on ``resource`` when ``limited_by`` names the reason."""

    resource: sp.Symbol
    limited_by: str
    quantity: sp.Expr
    exponent: sp.Expr
    coefficient: sp.Expr


@lru_cache(maxsize=None, typed=True)
def four_regimes(exponent: Any, target_exponent: Any = None) -> tuple[ScalingRegime, ...]:
    """Two resolution-limited exponents (plateau against its own size), two variance-limited ones.

    Without ``target_exponent`` the target is isotropic and both resolution-limited exponents are
    α = b − 1.

    >>> [str(r.exponent) for r in four_regimes(1.5)]
    ['b - 1', '1', 'b - 1', '1']
    """
    b_value, a_value = _exponents(
        exponent, exponent if target_exponent is None else target_exponent
    )
    found = []
    for small, large in ((N, T), (T, N)):
        plateau = sp.Symbol(f"L({small})")
        target = None if target_exponent is None else a_value
        alone = ALONE["features" if small == N else "data"]
        lead = expand_static("loss", alone, b_value, target, 1).lead
        found.append(ScalingRegime(small, "resolution", plateau, -lead.power, lead.coefficient))
        approached = f"{large} -> inf, {small} < M, z = 0"
        approach = expand_static("loss", approached, b_value, target, 2).terms[1]
        rest = sp.Symbol(f"L({small}, {large})") - plateau
        found.append(ScalingRegime(large, "variance", rest, -approach.power, approach.coefficient))
    return tuple(found)


def degrees_share() -> sp.Expr:
    """D₂/D₁ in the scaling regime, (b−1)/b, from the leading poles of both sums.

    >>> degrees_share()
    (b - 1)/b
    """
    leads = []
    for q in (1, 2):
        ordering = scaling_ordering({b: 2})
        transform = power_sum_transform(0, b, q, ordering)
        leads.append(transform.poles(-1, 3, ordering)[0].terms[0].coefficient)
    if not all(leads):
        raise InputError("b", b, "b > 1")
    return sp.factor(sp.gammasimp(leads[1] / leads[0]))
