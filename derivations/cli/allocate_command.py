"""`solvable allocate`: split a budget between features and samples, or features and time.

With --alpha: minimise the loss at the optimal (or zero) ridge under N^p T^q = C. With --a and
--b: minimise the loss of gradient flow under C = N t.
"""

from __future__ import annotations

import argparse
import math
from typing import TYPE_CHECKING, Any

import sympy as sp

from solvable.analytic.errors import InputError
from solvable.analytic.typesetting import one_line

from . import options as types
from . import output

if TYPE_CHECKING:
    from solvable.analytic.spectrum import Spectrum

DIGITS = 15


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `solvable allocate`."""
    add = parser.add_argument
    add("--budget", type=types.positive, required=True, metavar="C")
    types.add_spectrum(parser, latent=math.inf)
    add("--features-power", type=types.positive, metavar="P", help="p (default: 1)")
    add("--samples-power", type=types.positive, metavar="Q", help="q (default: 1)")
    add("--ridge", choices=("optimal", "zero"), help="default: optimal")
    types.add_format(parser)


def run(arguments: argparse.Namespace) -> int:
    """Allocate and print."""
    answer = _answer(arguments)
    if arguments.format == "json":
        output.print_json({k: str(v) if isinstance(v, sp.Basic) else v for k, v in answer.items()})
        return 0
    print(output.paragraph(answer.pop("what")))
    rows = [
        (name.replace("_", " "), one_line(value) if isinstance(value, sp.Basic) else value)
        for name, value in answer.items()
    ]
    output.print_table(("quantity", "value"), rows)
    return 0


def _answer(arguments: argparse.Namespace) -> dict[str, Any]:
    """By the exact loss for a spectrum or a finite size, else by the laws of its exponents."""
    if arguments.spectrum is not None or arguments.latent is not None:
        return _exact(arguments)
    if arguments.a is None and arguments.b is None and arguments.alpha is not None:
        return _samples(arguments)
    if arguments.a is None or arguments.b is None or arguments.alpha is not None:
        raise InputError("--alpha", arguments.alpha, "--alpha, or both --a and --b, or --spectrum")
    types.unused(arguments, "--a and --b", "features_power", "samples_power", "ridge")
    return _time(arguments)


def _exact(arguments: argparse.Namespace) -> dict[str, Any]:
    from solvable.analytic.asymptotics.allocation import allocate_exactly

    spectrum, powers = types.spectrum_of(arguments), _powers(arguments)
    ridge = arguments.ridge or "optimal"
    best = allocate_exactly(spectrum, arguments.budget, powers["N"], powers["T"], ridge)
    laws = _laws(spectrum, powers) if ridge == "zero" else {}
    return {
        "what": f"features and samples, exact loss, ridge {arguments.ridge or 'optimal'}",
        "N": best.features, "T": best.samples, "N_over_T": best.features / best.samples,
        "excess_loss": best.excess_loss, "ridge": best.ridge, **laws,
    }  # fmt: skip


def _powers(arguments: argparse.Namespace) -> dict[str, Any]:
    """p and q of the budget N^p T^q."""
    return {"N": arguments.features_power or 1, "T": arguments.samples_power or 1}


def _laws(spectrum: Spectrum, powers: dict[str, Any]) -> dict[str, str]:
    """How N, T and the ridgeless loss of a power law, M = ∞, grow with C: from the fan."""
    from solvable.analytic.asymptotics.fan import allocate_on, regime_fan
    from solvable.analytic.spectrum import PowerLaw

    if not isinstance(spectrum, PowerLaw) or spectrum.size < math.inf:
        return {}
    target = None if spectrum.isotropic else spectrum.target_exponent
    fan = regime_fan(("N", "T"), exponent=spectrum.exponent, target_exponent=target)
    best = allocate_on(fan, powers)
    found = {f"{s}_exponent": str(share) for s, share in best.shares.items()}
    return found | {"loss_exponent": str(-best.loss)}


def _power(prefactor: Any, power: Any, digits: int = 8) -> str:
    import mpmath

    return f"{output.decimal(prefactor, digits)} C^{mpmath.nstr(mpmath.mpmathify(power), digits)}"


def _samples(arguments: argparse.Namespace) -> dict[str, Any]:
    import mpmath

    from solvable.analytic.asymptotics.allocation import allocate

    p, q = _powers(arguments).values()
    ridge = arguments.ridge or "optimal"
    with mpmath.workdps(DIGITS + 5):
        best = allocate(arguments.alpha, p, q, ridge)
        size, samples, loss = best.at(
            mpmath.mpf(arguments.budget.numerator) / arguments.budget.denominator
        )
        return {
            "what": "features and samples, isotropic target, scaling regime (M = ∞, N and T "
            f"large), ridge {ridge}; λ₊ = σ_w = 1",
            "N": output.json_number(size),
            "T": output.json_number(samples),
            "N_over_T": output.json_number(best.ratio),
            "excess_loss": output.json_number(loss),
            "N_law": _power(*best.features),
            "T_law": _power(*best.samples),
            "loss_law": _power(*best.loss),
            "N_over_T_of_the_law_(1/N+1/T)^alpha": float(q / p),
        }


def _time(arguments: argparse.Namespace) -> dict[str, Any]:
    from solvable.analytic.asymptotics.allocation import time_allocation
    from solvable.analytic.asymptotics.dynamic_laws import (
        compute_frontier,
        compute_optimal,
        feature_law,
        time_law,
    )
    from solvable.analytic.spectrum import PowerLaw

    moment, size = time_law(arguments.a, arguments.b), feature_law(arguments.a, arguments.b)
    best = compute_optimal(arguments.a, arguments.b)
    budget = float(arguments.budget)
    if best.sum_is_exact:
        steps, features, loss = best(budget)
        origin = "the loss is the sum of both laws"
    else:
        frontier = compute_frontier(
            PowerLaw(exponent=arguments.b, target_exponent=arguments.a), [budget]
        )
        steps, features, loss = (
            float(x[0]) for x in (frontier.times, frontier.features, frontier.loss)
        )
        origin = "N, t and the loss minimise the exact loss; exponents of the two laws"
    answer = {
        "what": f"features and time, gradient flow, unlimited data, M = ∞, C = N t; {origin}",
        "balance": " and ".join(best.balance),
        "N": features,
        "t": steps,
        "excess_loss": loss,
        "N_exponent": str(best.size),
        "t_exponent": str(best.time),
        "loss_exponent": str(-best.loss),
        "time_law": moment.expression.subs(moment.point),
        "feature_law": size.expression.subs(size.point),
    }
    if not size.log:
        two = time_allocation().at(
            A=float(moment.prefactor),
            B=float(size.prefactor),
            r_t=moment.exponents[0],
            r_N=size.exponents[1],
            p=1,
            q=1,
            C=budget,
        )
        answer["N_of_time_and_features_alone"] = float(two.features)
        answer["t_of_time_and_features_alone"] = float(two.time)
    return answer
