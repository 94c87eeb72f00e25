"""`solvable dynamics`: loss against training time, for every linear training rule."""

from __future__ import annotations

import argparse
import math
from fractions import Fraction
from typing import Any

import numpy as np

from solvable.analytic.dynamics import DynamicLoss, dynamics
from solvable.analytic.errors import InputError
from solvable.analytic.learners import GradientFlow, HeavyBall, OnePassSGD
from solvable.analytic.spectrum import PowerLaw

from . import options as types
from . import output

#: options that a learner needs, and those that it may have
NEEDED = {"flow": (), "gd": ("step",), "momentum": ("step", "momentum"), "sgd": ("step",)}
OPTIONAL = {"flow": ("ridge", "decay"), "gd": (), "momentum": (), "sgd": ("batch",)}
FLOAT_RELIABLE = 11  # digits that float64 is asked for before mpmath is


def _momentum(text: str) -> Fraction:
    value = types.exact(text)
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not allowed: expected a number in [0, 1)")
    return value


def add_parser(subparsers: Any) -> None:
    """Declare the arguments of `solvable dynamics`."""
    parser = subparsers.add_parser(
        "dynamics",
        help="evaluate test and training loss against training time",
        description="Losses of N random features of M latent modes (λ = k^-B, w²λ = k^-A) trained "
        "on P samples, with unit-variance features and v' = -(AᵀA/N)(ΨᵀΨ/P) v.",
    )
    add = parser.add_argument
    add("--b", type=types.number, required=True, metavar="B", help="spectral exponent")
    add("--a", type=types.number, required=True, metavar="A", help="target exponent")
    add("--features", type=types.positive_or_infinite, required=True, metavar="N|inf")
    add("--samples", type=types.positive_or_infinite, required=True, metavar="P|inf")
    add("--latent", type=types.count_or_infinite, required=True, metavar="M|inf")
    add("--times", type=types.listed(types.nonnegative), required=True, metavar="T1,T2,…",
        help="times ≥ 0; whole numbers of steps for discrete rules")  # fmt: skip
    add("--learner", choices=tuple(NEEDED), default="flow", help="default: flow")
    add("--step", type=types.positive, metavar="H", help="step size of a discrete rule")
    add("--momentum", type=_momentum, metavar="BETA", help="momentum in [0, 1)")
    add("--batch", type=types.count, metavar="S", help="batch size of sgd (default: 1)")
    add("--ridge", type=types.nonnegative, metavar="G",
        help="ridge γ of the flow, as in `solvable loss`: weights decay at γ/(NP)")  # fmt: skip
    add("--decay", type=types.nonnegative, metavar="D", help="the same as a rate, γ/(NP)")
    add("--noise", type=types.nonnegative, default=0, metavar="S2", help="label noise variance")
    add("--ensemble", type=types.count, default=1, metavar="E", help="feature draws averaged over")
    add("--bags", type=types.count, default=1, metavar="K", help="data draws averaged over")
    add("--digits", type=types.count, metavar="D", help="correct digits (default: float64)")
    types.add_json(parser)
    parser.set_defaults(run=run)


def learner_of(arguments: argparse.Namespace) -> Any:
    """The training rule that the options describe; an option that it lacks is an error."""
    name = arguments.learner
    for option in ("step", "momentum", "batch", "ridge", "decay"):
        given = getattr(arguments, option)
        if given is None and option in NEEDED[name]:
            raise InputError(f"--{option}", "(absent)", f"a value, for --learner {name}")
        if given is not None and option not in NEEDED[name] + OPTIONAL[name]:
            raise InputError(f"--{option}", given, f"no such option with --learner {name}")
    if name == "flow":
        return GradientFlow(_decay(arguments))
    if name == "sgd":
        return OnePassSGD(arguments.step, arguments.batch or 1)
    return HeavyBall(arguments.step, arguments.momentum or 0)


def _decay(arguments: argparse.Namespace) -> Any:
    if not arguments.ridge:
        return arguments.decay or 0
    if arguments.decay is not None:
        raise InputError("--decay", arguments.decay, "only one of --ridge and --decay")
    size = arguments.features * arguments.samples
    if size == math.inf:
        raise InputError("--ridge", arguments.ridge, "0 where N or P is infinite; use --decay")
    return arguments.ridge / size


def run(arguments: argparse.Namespace) -> int:
    """Evaluate and print."""
    if arguments.latent == math.inf and arguments.a <= 1:
        raise InputError("--a", arguments.a, "a > 1 with --latent inf: the loss before training, "
                         "Σ k^-a, is infinite otherwise")  # fmt: skip
    spectrum = PowerLaw(exponent=arguments.b, size=arguments.latent, target_exponent=arguments.a)
    learner = learner_of(arguments)
    settings = {
        "learner": learner, "noise": arguments.noise,
        "ensemble": arguments.ensemble, "bags": arguments.bags,
    }  # fmt: skip
    sizes = (arguments.features, arguments.samples, arguments.times)
    digits = arguments.digits
    if digits is None or digits <= FLOAT_RELIABLE:
        result = dynamics(spectrum, *sizes, **settings)
        if digits is not None and not _reaches(result, digits):
            result = dynamics(spectrum, *sizes, digits=digits, **settings)
    else:
        result = dynamics(spectrum, *sizes, digits=digits, **settings)
    (_print_json if arguments.json else _print_table)(arguments, result)
    return 0


def _reaches(result: DynamicLoss, digits: int) -> bool:
    """Whether the estimated errors leave so many digits of both losses."""
    pairs = (
        (result.excess_loss, result.error_estimate),
        (result.train_loss, result.train_error_estimate),
    )
    return all(np.all(error <= 10.0**-digits * np.abs(loss)) for loss, error in pairs)


def _print_json(arguments: argparse.Namespace, result: DynamicLoss) -> None:
    digits = arguments.digits or output.FLOAT_DIGITS
    names = ("times", "excess_loss", "train_loss")
    values = {name: output.json_number(list(getattr(result, name)), digits) for name in names}
    for name in ("error_estimate", "train_error_estimate"):
        values[name] = [_brief(x) for x in getattr(result, name)]
    critical = float(result.critical_step)
    values["critical_step"] = critical if math.isfinite(critical) else None
    values["diverges"] = bool(result.diverges)
    output.print_json(values)


def _brief(error: Any) -> Any:
    return float(error) if math.isfinite(float(error)) else "inf"


def _print_table(arguments: argparse.Namespace, result: DynamicLoss) -> None:
    digits = arguments.digits or output.FLOAT_DIGITS
    columns = (
        result.times, result.excess_loss, result.error_estimate, result.train_loss,
        result.train_error_estimate,
    )  # fmt: skip
    rows = [
        (f"{float(t):.6g}", output.decimal(a, digits), f"{float(e):.0e}",
         output.decimal(b, digits), f"{float(f):.0e}")
        for t, a, e, b, f in zip(*columns)
    ]  # fmt: skip
    time = "time" if arguments.learner == "flow" else "steps"
    output.print_table((time, "excess loss", "±", "training loss", "±"), rows)
    if result.diverges:
        print(
            f"The step size is above the critical one, {float(result.critical_step):.6g}: "
            "training diverges."
        )
    elif math.isfinite(result.critical_step):
        print(f"Training diverges above the step size {float(result.critical_step):.6g}.")
