"""What a limit can be taken of: the static loss and its parts, and derived matrix equations."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

import mpmath
import sympy as sp

from ...errors import InputError
from ...loss import excess_loss_formula
from ...notation import M, N, T, a, b, kappa, sigma_eps, sigma_w, t
from ...resolvent import solve
from ...spectral_functions import DegreesOfFreedom, TargetSum
from .corner_sums import c
from .problem import Problem
from .time_domain import Clock, Descent
from .traces import read_trace, traces_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ...free_probability import SelfConsistentEquations
    from ...spectrum import Spectrum

ridge_z = sp.Symbol("z", positive=True)  #: z = γ/(σ_u² N T), real and positive here
eta, batch = sp.symbols("eta B", positive=True)  #: step size and batch of one-pass SGD
#: quantities at the ridge of least loss, with κ there
OPTIMAL = {"optimal-loss": "optimal-kappa", "optimal-noisy-loss": "optimal-noisy-kappa"}
AT_KAPPA = {"loss-at-kappa": "loss", "noisy-loss-at-kappa": "with noise"}
TRAINING = ("flow-loss", "flow-train-loss", "sgd-loss")
#: names of derivations, and the quantity that each of them derives
DERIVED = {"static-loss": "loss", "test-loss": "loss", "ridgeless-loss": "loss",
           "resolvent": "kappa", "label-noise": "noise"}  # fmt: skip


@cache
def static_problem(quantity: str = "loss", isotropic: bool = False) -> Problem:
    """The static loss, its ``kappa``, its ``noise`` amplification, or the loss ``with noise``.

    ``at-kappa`` is the loss where the ridge is chosen through z = κ, which is free above κ₀.
    """
    if quantity in AT_KAPPA:
        whole = static_problem(AT_KAPPA[quantity], isotropic)
        return replace(whole, name=quantity, equations=((kappa, ridge_z - kappa),), physical=None)
    formula = excess_loss_formula(kappa)
    if quantity in (*OPTIMAL, *OPTIMAL.values()):
        return _optimal_problem(quantity, isotropic)
    outputs = {
        "loss": formula.subs(sigma_eps, 0),
        "kappa": kappa,
        "noise": sp.diff(formula, sigma_eps) / (2 * sigma_eps),
        "with noise": formula,
    }
    if quantity not in outputs:
        known = (*outputs, *AT_KAPPA, *OPTIMAL, *OPTIMAL.values(), *TRAINING)
        raise InputError("quantity", quantity, f"one of {', '.join(known)}")
    first = DegreesOfFreedom(1, kappa)
    equation = ridge_z - kappa * (1 - first / N) * (1 - first / T)
    output = sp.cancel(outputs[quantity]) if quantity == "noise" else outputs[quantity]
    return Problem(quantity, ((kappa, equation),), output, M, isotropic, (sigma_w,),
                   physical=_physical_kappa)  # fmt: skip


def _physical_kappa(spectrum: Spectrum, known: Mapping[sp.Symbol, Any]) -> Any:
    """The κ of the resolvent."""
    features, samples = (known.get(s, mpmath.inf) for s in (N, T))
    return solve(spectrum, features, samples, known.get(ridge_z, mpmath.mpf(0))).value


def _optimal_problem(quantity: str, isotropic: bool) -> Problem:
    """At the ridge of least loss, where dL/dκ = 0: the loss, κ, and the loss with noise."""
    formula = excess_loss_formula(kappa)
    if "noisy" not in quantity:
        formula = formula.subs(sigma_eps, 0)
    first = DegreesOfFreedom(1, kappa)
    above, below = sp.fraction(sp.together(formula))
    slope = (sp.diff(above, kappa) * below - above * sp.diff(below, kappa)) / below**2
    output = formula if quantity in OPTIMAL else kappa
    return Problem(quantity, ((kappa, slope),), output, M, isotropic, (sigma_w,),
                   positive=(1 - first / N, 1 - first / T))  # fmt: skip


def named_problem(quantity: str, isotropic: bool = False) -> Problem:
    """The static loss and its parts, or a loss in training."""
    quantity = DERIVED.get(quantity, quantity)
    make = training_problem if quantity in TRAINING else static_problem
    return make(quantity, isotropic)


@cache
def training_problem(quantity: str, isotropic: bool = False) -> Problem:
    """A loss at time t: of gradient flow, "flow-loss" and "flow-train-loss", or of t steps of
    one-pass SGD, "sgd-loss", with step η = eta and batch B.  The labels have no noise.
    """
    first, target = DegreesOfFreedom(1, kappa), TargetSum(1, kappa)
    r1, r3 = 1 - first / T, 1 - first / N
    if quantity == "sgd-loss":
        clock = _descent_clock(first, target)
        equation = ridge_z - kappa * r3
    else:
        by_features = (r1 * kappa * target / ridge_z, 1 / r1)
        by_data = (target / r3, kappa * r3 / ridge_z)
        train = quantity == "flow-train-loss"
        frames = tuple((f, None if train else factor) for f, factor in (by_features, by_data))
        clock = Clock(ridge_z, t, sp.Integer(2), frames, quantity)
        equation = ridge_z - kappa * r1 * r3
    typical = {} if clock.descent is None else {eta: sp.Rational(1, 10), batch: sp.S.One}
    parameters = (sigma_w, *typical)
    return Problem(quantity, ((kappa, equation),), clock.frames[0][0], M, isotropic, parameters,
                   clock=clock, typical=typical)  # fmt: skip


def _descent_clock(first: sp.Expr, target: sp.Expr) -> Clock:
    """The generating function of one-pass SGD on the contour of z."""
    outer = sp.Symbol("kappa_-")
    first_outer, target_outer = (f.subs(kappa, outer) for f in (first, target))
    curvature = 1 + 1 / batch
    beyond = -2 / (curvature * eta) - ridge_z
    forcing = kappa * target / ridge_z - outer * target_outer / beyond
    kernel = beyond * first_outer - ridge_z * first
    noise = eta * kernel / (2 * batch * (1 + curvature * eta * ridge_z))
    descent = Descent(eta, batch, outer, 1 - first_outer / N, noise)
    return Clock(ridge_z, t, 2 * eta, ((forcing / (1 - noise), None),), "sgd-loss", descent)


def matrix_problem(
    equations: SelfConsistentEquations,
    isotropic: bool = False,
    spectrum: Spectrum | None = None,
) -> Problem:
    """The problem of derived equations: every deterministic matrix has the power law.

    With a ``spectrum`` every one has this spectrum.  Scalars that are called a or b, as the
    exponents are, become a' and b'.
    """
    equations = equations.closed_form
    free = equations.value.free_symbols.union(*(r.free_symbols for r in equations.relations))
    taken = {a.name, b.name, c.name}
    new = {s: sp.Symbol(s.name + "'" * (s.name in taken), positive=True) for s in free}

    def real(expression: sp.Expr) -> sp.Expr:
        return expression.xreplace(new)

    relations = [real(r.lhs - r.rhs) for r in equations.relations]
    value = real(equations.value)
    traces = {t for e in (value, *relations) for t in traces_of(e)}
    spaces, targets = _spaces(traces)
    sizes = sorted({t.dimension for t in traces}, key=str)
    size = sizes[0] if sizes else None
    unknowns = [new[u] for u in equations.unknown_symbols if u in new]
    fixed = {real(sp.sympify(d)) for d in equations.model.dimensions()}
    fixed |= {real(x) for x in equations.spectral}
    symbols = set().union(*(e.free_symbols for e in (value, *relations))) - set(unknowns) - fixed
    problem = Problem(
        "value", _assigned(relations, unknowns), value, size, isotropic,
        (sigma_w, *sorted(symbols, key=str)), None, spaces, equations,
        {x: s.name for s, x in new.items()}, targets,
    )  # fmt: skip
    return problem if spectrum is None else problem.with_spectrum(spectrum)


def _spaces(
    traces: Iterable[sp.Expr],
) -> tuple[dict[sp.Symbol, sp.Expr], frozenset[sp.Symbol]]:
    """The dimension of the traces at each unknown, and the letters that are targets."""
    spaces: dict[sp.Symbol, sp.Expr] = {}
    targets: set[sp.Symbol] = set()
    for trace in traces:
        for part in read_trace(trace):
            if spaces.setdefault(part.kappa, trace.dimension) != trace.dimension:
                raise InputError("dimensions", part.kappa, "traces over one space at one shift")
        denominator = sp.fraction(sp.factor(trace.factors[0]))[1]
        targets |= {x for x in trace.letters if not denominator.has(x)}
    return spaces, frozenset(targets)


def _assigned(
    relations: list[sp.Expr], unknowns: list[sp.Symbol]
) -> tuple[tuple[sp.Symbol, sp.Expr], ...]:
    """Each relation with an unknown of its own; first those in which only one unknown stands."""
    pairs: list[tuple[sp.Symbol, sp.Expr]] = []
    left = list(unknowns)
    for relation in sorted(relations, key=lambda r: sum(map(r.has, unknowns))):
        inside = [u for u in left if relation.has(u)]
        if not inside:
            raise InputError("equations", relation, "one equation for every unknown")
        left.remove(inside[0])
        pairs.append((inside[0], relation))
    return tuple(pairs)
