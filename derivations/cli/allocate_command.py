"""`solvable allocate`: split a budget between features and samples, or features and time.

N and T (or t) that minimise the exact loss under N^p T^q = C (or N^p t^q = C), and the laws by
which they and the loss grow with C. With --a, and nothing that only samples or only time have, or
with --learner, --time-power or --samples: features and time; else features and samples.
"""

from __future__ import annotations

import argparse
import math
from typing import TYPE_CHECKING, Any

import mpmath
import sympy as sp

from solvable.analytic.errors import InputError, OutsideTheoryError
from solvable.analytic.spectrum import PowerLaw, Spectrum
from solvable.analytic.training.learners import GradientFlow, OnePassSGD
from solvable.analytic.typesetting import one_line

from . import options as types
from . import output
from .dynamics_command import add_rule, learner_of

if TYPE_CHECKING:
    from solvable.analytic.training.training_rule import Learner

DIGITS = 15
RULES = ("flow", "gd", "preconditioned", "momentum", "sgd")
PARAMETERS = ("step", "batch", "momentum", "preconditioner", "decay")
OF_SAMPLES = ("samples_power", "ridge", "spectrum", "latent")
OF_TIME = ("learner", "time_power", "samples", *PARAMETERS)


def _ridge(text: str) -> Any:
    return text if text in ("optimal", "zero") else types.positive(text)


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `solvable allocate`."""
    add = parser.add_argument
    add("--budget", type=types.positive, required=True, metavar="C")
    types.add_spectrum(parser, latent=math.inf)
    add("--noise", type=types.nonnegative, metavar="S2", help="label noise σ_ε²")
    add("--features-power", type=types.positive, metavar="P", help="p (default: 1)")
    add("--samples-power", type=types.positive, metavar="Q", help="q of T (default: 1)")
    add("--ridge", type=_ridge, metavar="optimal|zero|G", help="default: optimal")
    add("--time-power", type=types.positive, metavar="Q", help="q of t (default: 1)")
    add("--samples", type=types.positive_or_infinite, metavar="P", help="while time is split: "
        "samples seen again and again (default: inf)")  # fmt: skip
    add_rule(parser, RULES, PARAMETERS, default=None)
    types.add_format(parser)


def run(arguments: argparse.Namespace) -> int:
    """Allocate and print."""
    answer = (_time if _is_in_time(arguments) else _samples)(arguments)
    if arguments.format == "json":
        output.print_json({k: str(v) if isinstance(v, sp.Basic) else v for k, v in answer.items()})
        return 0
    print(output.paragraph(answer.pop("what")))
    refused = answer.pop("no_law", None)
    rows = [
        (name.replace("_", " "), one_line(value) if isinstance(value, sp.Basic) else value)
        for name, value in answer.items()
    ]
    output.print_table(("quantity", "value"), rows)
    if refused:
        print(output.paragraph(f"No law in powers of C: {refused}."))
    return 0


def _is_in_time(arguments: argparse.Namespace) -> bool:
    """Whether features compete with time; options of samples are then refused."""
    given = [name for name in OF_TIME if getattr(arguments, name) is not None]
    if given:
        types.unused(arguments, "--" + given[0].replace("_", "-"), "samples_power", "ridge")
        return True
    alone = all(getattr(arguments, name) is None for name in (*OF_SAMPLES, "noise"))
    return alone and arguments.a is not None


def _law_of(spectrum: Spectrum) -> tuple[Any, Any]:
    """(b, a or None) of a power law, M = ∞; `OutsideTheoryError` for what has no law."""
    if not isinstance(spectrum, PowerLaw) or spectrum.size < math.inf:
        raise OutsideTheoryError("a law needs a power law of infinitely many modes")
    return spectrum.exponent, None if spectrum.isotropic else spectrum.target_exponent


def _samples(arguments: argparse.Namespace) -> dict[str, Any]:
    from solvable.analytic.asymptotics.allocation import allocate_exactly

    spectrum = types.spectrum_of(arguments)
    p, q = arguments.features_power or 1, arguments.samples_power or 1
    ridge, noise = arguments.ridge or "optimal", arguments.noise or 0
    best = allocate_exactly(spectrum, arguments.budget, p, q, ridge, float(noise))
    about = f"features and samples, exact loss, ridge {ridge}"
    if best.excess_loss == 0:
        about += "; without noise nothing is lost wherever N, T ≥ M"
    answer = {
        "what": about, "N": best.features, "T": best.samples,
        "N_over_T": best.features / best.samples, "excess_loss": best.excess_loss,
        "ridge": best.ridge,
    }  # fmt: skip
    try:
        return answer | _law_of_samples(spectrum, p, q, ridge, noise, arguments.budget)
    except OutsideTheoryError as error:
        return answer | {"no_law": str(error)}


def _law_of_samples(
    spectrum: Spectrum, p: Any, q: Any, ridge: Any, noise: Any, budget: Any
) -> dict[str, Any]:
    """Exponents from the fan; for a quiet isotropic target closed forms with prefactors."""
    from solvable.analytic.asymptotics.allocation import allocate, allocation_law

    b, a = _law_of(spectrum)
    if ridge not in ("optimal", "zero"):
        raise OutsideTheoryError("at a fixed ridge γ none is derived")
    if a is None and not noise:
        with mpmath.workdps(DIGITS + 5):
            best = allocate(b - 1, p, q, ridge)
            return {
                "N_law": _power(*best.features), "T_law": _power(*best.samples),
                "loss_law": _power(*best.loss), "N_over_T_law": output.json_number(best.ratio),
                "N_over_T_of_the_law_(1/N+1/T)^alpha": float(q / p),
            }  # fmt: skip
    law = allocation_law(b, a, p, q, ridge, bool(noise))
    shares = {f"{s}_exponent": str(law.shares[s]) for s in law.shares if s.name in "NT"}
    return shares | {"loss_exponent": str(-law.loss)}


def _power(prefactor: Any, power: Any, digits: int = 8) -> str:
    return f"{output.decimal(prefactor, digits)} C^{mpmath.nstr(mpmath.mpmathify(power), digits)}"


def _time(arguments: argparse.Namespace) -> dict[str, Any]:
    from solvable.analytic.asymptotics.dynamic_laws import compute_frontier

    arguments.learner = arguments.learner or "flow"
    spectrum, learner = types.spectrum_of(arguments), learner_of(arguments)
    samples = math.inf if arguments.samples is None else float(arguments.samples)
    if samples == math.inf and not isinstance(learner, OnePassSGD):
        types.unused(arguments, "infinitely many samples", "noise")
    if not spectrum.total_target_power() < math.inf:
        raise InputError("--a", arguments.a, "a > 1 with infinitely many modes: the loss before "
                         "training, Σ k^-a, is infinite otherwise")  # fmt: skip
    p, q = arguments.features_power or 1, arguments.time_power or 1
    noise = arguments.noise or 0
    found = compute_frontier(
        spectrum, [float(arguments.budget)], samples=samples, noise=float(noise), learner=learner,
        features_power=float(p), time_power=float(q),
    )  # fmt: skip
    time, size, loss = (float(x[0]) for x in (found.times, found.features, found.loss))
    about = f"features and {'steps' if learner.discrete else 'time'}, {learner.rule}, exact loss"
    about += f", {samples:g} samples"
    if not loss < spectrum.total_target_power():
        about += "; no split lowers the loss of an untrained model: the step is too large"
    answer = {"what": about, "N": size, "t": time, "excess_loss": loss}
    try:
        return answer | _law_in_time(spectrum, learner, samples, noise, (p, q), arguments.budget)
    except OutsideTheoryError as error:
        return answer | {"no_law": str(error)}


def _law_in_time(
    spectrum: Spectrum, learner: Learner, samples: float, noise: Any, powers: Any, budget: Any
) -> dict[str, Any]:
    """Exponents from the fan, and the two laws that balance; for the flow with their split."""
    from solvable.analytic.asymptotics.dynamic_laws import compute_optimal

    b, a = _law_of(learner.seen(spectrum))
    if samples < math.inf or noise or getattr(learner, "decay", 0):
        raise OutsideTheoryError("laws are those of unlimited data without noise and decay")
    one_pass = isinstance(learner, OnePassSGD)
    answer: dict[str, Any]
    best = compute_optimal(
        b if a is None else a, b, one_pass=one_pass, features_power=powers[0], time_power=powers[1]
    )
    answer = {
        "balance": " and ".join(best.balance), "N_exponent": str(best.size),
        "t_exponent": str(best.time), "loss_exponent": str(-best.loss),
    }  # fmt: skip
    if isinstance(learner, GradientFlow) and best.sum_is_exact:
        moment, size, loss = best(float(budget))
        answer |= {"N_of_the_law": size, "t_of_the_law": moment, "loss_of_the_law": loss}
    return answer
