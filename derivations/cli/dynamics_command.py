"""`solvable dynamics`: evaluate test and training loss against training time.

Losses of N random features of M latent modes (λ = k^-B, w²λ = k^-A) trained on P samples, with
unit-variance features and v' = -(AᵀA/N)(ΨᵀΨ/P) v.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterable
from dataclasses import MISSING, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from solvable.analytic.errors import InputError
from solvable.analytic.training.decomposition import Decomposition, decompose
from solvable.analytic.training.dynamics import DynamicLoss, dynamics
from solvable.analytic.training.learners import MinibatchSGD, OnePassSGD
from solvable.analytic.training.scheduled_training import ScheduledLoss
from solvable.analytic.training.schedules import SCHEDULES, parse, read_values
from solvable.analytic.training.stochastic_rules import changing
from solvable.analytic.training.stopping import DIVERGED, divergence_step
from solvable.analytic.training.training_rule import RULES, Learner

from . import options as types
from . import output

if TYPE_CHECKING:
    from solvable.analytic.spectrum import Spectrum

FLOAT_RELIABLE = 11  # digits that float64 is asked for before mpmath is
#: rules that are minibatches of all samples where they are given what only those have
WHOLE = ("gd", "momentum", "preconditioned")
NEVER_WHOLE = ("batch", "batch_schedule", "replacement", "reshuffled")


def parameters() -> dict[str, Any]:
    """The parameters of all rules by name, of those defined until now."""
    return {item.name: item.metadata for kind in RULES.values() for item in fields(kind)}


def _checked(name: str, check: Any) -> Any:
    """The type of an option: an exact number that passes the check of the rule's parameter."""

    def parse(text: str) -> Any:
        try:
            return check(name, types.number_or_infinite(text))
        except InputError as error:
            raise argparse.ArgumentTypeError(
                f"{text!r} is not allowed: expected {error.allowed}"
            ) from None

    return parse


def add_rule(
    parser: argparse.ArgumentParser, rules: Iterable[str], names: Iterable[str], default: Any
) -> None:
    """--learner among ``rules``, and the options of their parameters ``names``."""
    add = parser.add_argument
    add("--learner", choices=tuple(rules), default=default, help="default: flow")
    for name, about in ((name, parameters()[name]) for name in names):
        option = "--" + name.replace("_", "-")
        if about["plain"] is bool:
            add(option, action="store_true", default=None, help=about["help"])
        elif about["check"] is changing:
            add(option, metavar="NAME|FILE", help=about["help"].replace(
                "or one value a step", f"a CSV file with one a line ({', '.join(SCHEDULES)})"
            ))  # fmt: skip
        elif about["plain"] is str:
            add(option, metavar="NAME", help=about["help"])
        else:
            add(option, type=_checked(name, about["check"]), metavar="X", help=about["help"])


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `solvable dynamics`."""
    add = parser.add_argument
    types.add_spectrum(parser)
    add("--features", type=types.positive_or_infinite, required=True, metavar="N|inf")
    add("--samples", type=types.positive_or_infinite, required=True, metavar="P|inf")
    add("--times", type=types.listed(types.nonnegative), required=True, metavar="T1,T2,…",
        help="times ≥ 0; whole numbers of steps for discrete rules; or ridges γ")  # fmt: skip
    add_rule(parser, RULES, parameters(), default="flow")
    add("--ridge", type=types.nonnegative, metavar="G",
        help="ridge γ of the flow, as in `solvable loss`: weights decay at γ/(NP)")  # fmt: skip
    add("--noise", type=types.nonnegative, default=0, metavar="S2", help="label noise variance")
    add("--ensemble", type=types.count, default=1, metavar="E", help="feature draws averaged over")
    add("--bags", type=types.count, default=1, metavar="K", help="data draws averaged over")
    add("--decompose", action="store_true", help="show bias and variance by source")
    add("--simulate", type=types.several, metavar="K", help="draw and train K models, too")
    add("--digits", type=types.digits, metavar="D", help="correct digits (default: float64)")
    types.add_format(parser)


def scheduled(
    arguments: argparse.Namespace, spectrum: Spectrum, learner: OnePassSGD
) -> ScheduledLoss:  # fmt: skip
    """The losses of a rule whose steps are not alike, or have a memory."""
    types.unused(arguments, "--schedule", "digits", "ridge")
    _single(arguments, "--schedule")
    return learner.follow(
        learner.seen(spectrum), float(arguments.features), float(arguments.samples),
        [float(t) for t in arguments.times], float(arguments.noise),
    )  # fmt: skip


def _single(arguments: argparse.Namespace, option: str) -> None:
    """`InputError` where models are averaged beside ``option``, which is of one."""
    if arguments.ensemble * arguments.bags > 1:
        raise InputError("--ensemble, --bags", "given", f"none with {option}")


def learner_of(arguments: argparse.Namespace) -> Learner:
    """The training rule that the options describe; an option that it lacks is an error."""
    kind = RULES[arguments.learner]
    known = {item.name: item for item in fields(kind)}
    given = {name: getattr(arguments, name, None) for name in parameters()}
    if arguments.ridge is not None:
        if given.get("decay") is not None:
            raise InputError("--decay", given["decay"], "only one of --ridge and --decay")
        if "decay" in known:
            given["decay"] = arguments.ridge / _size("--ridge", arguments.ridge, arguments)
        else:
            raise InputError("--ridge", arguments.ridge, f"no option with --learner {kind.rule}")
    if kind.rule in WHOLE:
        more = {item.name for item in fields(MinibatchSGD)} - set(NEVER_WHOLE) - set(known)
        if any(given[name] is not None for name in more):
            missing = [n for n in known if n != "step" and given[n] is None and n == kind.rule]
            for name in missing:
                raise InputError(f"--{name}", "(absent)", f"a value, for --learner {kind.rule}")
            if kind.rule == "preconditioned" and given["preconditioner"] is None:
                given["preconditioner"] = known["preconditioner"].default
            kind = MinibatchSGD
            known = {i.name: i for i in fields(kind) if i.name not in NEVER_WHOLE[1:]}
            given["batch"] = math.inf if given["batch"] is None else given["batch"]
    for name, value in given.items():
        if value is not None and name not in known:
            others = ", ".join(
                x.rule for x in RULES.values() if name in {i.name for i in fields(x)}
            )
            raise InputError(
                "--" + name.replace("_", "-"), value,
                f"no such option with --learner {kind.rule}, but with {others}",
            )  # fmt: skip
    _read_files(known, given)
    for name, value in given.items():
        option = "--" + name.replace("_", "-")
        if value is None and name in known and known[name].default is MISSING:
            raise InputError(option, "(absent)", f"a value, for --learner {kind.rule}")
    return kind(**{name: value for name, value in given.items() if value is not None})


def _read_files(known: Any, given: dict[str, Any]) -> None:
    """The numbers of the files that are given instead of names of schedules."""
    of = {"schedule": "step", "batch_schedule": "batch", "momentum_schedule": "momentum",
          "pull_schedule": "pull"}  # fmt: skip
    for name, parameter in of.items():
        text = given[name] if name in known else None
        if text is None:
            continue
        if parse(text)[0] in SCHEDULES:
            if given[parameter] is None:
                raise InputError(parameter, "(absent)", f"the largest value of the schedule {text}")
            continue
        if not Path(text).exists():
            raise InputError(name, text, f"one of {', '.join(SCHEDULES)}, or a CSV file")
        if given[parameter] is not None and given[parameter] != math.inf:
            raise InputError(parameter, given[parameter], "nothing where values are in a file")
        given[name] = read_values(text)
        if max(given[name]) > 0 or parameter == "step":
            given[parameter] = max(given[name]) or 1  # which plays no part beside its values


def _size(option: str, ridge: Any, arguments: argparse.Namespace) -> Any:
    """NP, by which a ridge is divided; P for N = ∞, where it is that of the kernel."""
    if arguments.samples == math.inf and ridge:
        raise InputError(option, ridge, "0 where P is infinite; use --decay")
    sizes = [size for size in (arguments.features, arguments.samples) if size < math.inf]
    return math.prod(sizes)


def run(arguments: argparse.Namespace) -> int:
    """Evaluate and print."""
    spectrum = types.spectrum_of(arguments)
    if not spectrum.total_target_power() < math.inf:
        raise InputError("--a", arguments.a, "a > 1 with --latent inf: the loss before training, "
                         "Σ k^-a, is infinite otherwise")  # fmt: skip
    learner = learner_of(arguments)
    times = arguments.times
    if learner.scored == "ridge":
        times = [ridge / _size("--times", ridge, arguments) for ridge in times]
    if arguments.decompose:
        types.unused(arguments, "--decompose", "digits", "simulate")
        _single(arguments, "--decompose")
        return _decomposed(arguments, spectrum, learner, times)
    if isinstance(learner, OnePassSGD) and not (learner.memoryless or learner.plain):
        followed = scheduled(arguments, spectrum, learner)
        runs = simulate_runs(arguments, spectrum, learner) if arguments.simulate else None
        _print_scheduled(arguments, followed, runs)
        return 0
    settings = {
        "learner": learner, "noise": arguments.noise,
        "ensemble": arguments.ensemble, "bags": arguments.bags,
    }  # fmt: skip
    sizes = (arguments.features, arguments.samples, times)
    digits = arguments.digits
    if digits is None or digits <= FLOAT_RELIABLE:
        result = dynamics(spectrum, *sizes, **settings)
        if digits is not None and not _reaches(result, digits):
            result = dynamics(spectrum, *sizes, digits=digits, **settings)
    else:
        result = dynamics(spectrum, *sizes, digits=digits, **settings)
    simulated = simulate_runs(arguments, spectrum, learner) if arguments.simulate else None
    passed = _passed(arguments, spectrum, learner, result)
    if arguments.format == "json":
        _print_json(arguments, result, simulated, passed)
    else:
        _print_table(arguments, result, passed)
        if simulated is not None:
            _print_runs(arguments, simulated)
    return 0


def _decomposed(
    arguments: argparse.Namespace, spectrum: Spectrum, learner: Learner, times: Any
) -> int:
    """Print the loss by source."""
    parts = decompose(
        spectrum, float(arguments.features), float(arguments.samples),
        [float(t) for t in times], learner=learner, noise=float(arguments.noise),
    )  # fmt: skip
    _print_parts(arguments, parts)
    return 0


def _passed(
    arguments: argparse.Namespace, spectrum: Spectrum, learner: Learner, result: DynamicLoss
) -> int | None:
    """The step at which a rule that diverges passes the bound."""
    if not result.diverges or arguments.ensemble * arguments.bags > 1:
        return None
    return divergence_step(
        spectrum, float(arguments.features), float(arguments.samples), learner=learner,
        noise=float(arguments.noise),
    )  # fmt: skip


def _print_scheduled(
    arguments: argparse.Namespace, result: ScheduledLoss, simulated: Any = None
) -> None:  # fmt: skip
    columns = (result.excess_loss, result.error_estimate, result.train_loss)
    if arguments.format == "json":
        output.print_json({
            "times": [float(t) for t in arguments.times],
            **{
                name: output.json_number(list(getattr(result, name)))
                for name in ("excess_loss", "train_loss", "error_estimate")
            },
            "exceeded": result.exceeded, "bound": result.bound, **_of_runs(simulated),
        })  # fmt: skip
        return
    rows = [
        (f"{float(t):.6g}", output.decimal(a, output.FLOAT_DIGITS), f"{float(e):.0e}",
         output.decimal(b, output.FLOAT_DIGITS), f"{float(e):.0e}")
        for t, a, e, b in zip(arguments.times, *columns)
    ]  # fmt: skip
    output.print_table(("steps", "excess loss", "±", "training loss", "±"), rows)
    if result.exceeded is not None:
        print(
            output.paragraph(
                f"Training diverges: step {result.exceeded} is the first with a loss above "
                f"{result.bound:.4g}."
            )
        )
    if simulated is not None:
        _print_runs(arguments, simulated)


def _reaches(result: DynamicLoss, digits: int) -> bool:
    """Whether the estimated errors leave so many digits of both losses."""
    pairs = (
        (result.excess_loss, result.error_estimate),
        (result.train_loss, result.train_error_estimate),
    )
    return all(np.all(error <= 10.0**-digits * np.abs(loss)) for loss, error in pairs)


def _print_parts(arguments: argparse.Namespace, found: Decomposition) -> None:
    parts = {**found.parts(), "excess_loss": found.excess_loss}
    if arguments.format == "json":
        output.print_json({
            "times": [float(t) for t in arguments.times],
            **{name: output.json_number(list(part)) for name, part in parts.items()},
        })  # fmt: skip
        return
    columns = [f"at {float(t):.6g}" for t in arguments.times]
    rows = [
        (name.replace("features_", "features × ").replace("_", " "), *(f"{x:.6g}" for x in part))
        for name, part in parts.items()
    ]
    output.print_table(("source", *columns), rows)


def simulate_runs(arguments: argparse.Namespace, spectrum: Spectrum, learner: Learner) -> Any:
    """Runs of the same model, drawn and trained."""
    from solvable.validation.cells import Cell
    from solvable.validation.typical import runs

    sizes = {"features": arguments.features, "samples": arguments.samples, "latent": spectrum.size}
    for option, size in sizes.items():
        if size == math.inf and not (option == "samples" and learner.fresh):
            raise InputError(f"--{option}", size, "a finite size, to be simulated")
    cell = Cell(
        spectrum, arguments.features, 1 if learner.fresh else arguments.samples, learner,
        tuple(float(t) for t in arguments.times), noise=float(arguments.noise),
        targets="fixed" if isinstance(learner, OnePassSGD) else "average",
        feature_draws=arguments.ensemble, data_draws=arguments.bags,
    )  # fmt: skip
    return runs(cell, arguments.simulate)


def _print_runs(arguments: argparse.Namespace, simulated: Any) -> None:
    rows = [
        (f"{float(t):.6g}", f"{median:.4g}", f"{mean:.4g}", f"{error:.1g}")
        for t, median, mean, error in zip(
            arguments.times, simulated.median, simulated.mean, simulated.error
        )
    ]
    count = len(simulated.values)
    output.print_table(("at", f"median of {count} runs", "mean", "±"), rows)
    if not simulated.typical:
        print("The mean is not typical: it is carried by rare runs (heavy tails over seeds).")


def _print_json(
    arguments: argparse.Namespace, result: DynamicLoss, simulated: Any, passed: int | None
) -> None:
    digits = arguments.digits or output.FLOAT_DIGITS
    names = ("excess_loss", "train_loss")
    values: dict[str, Any] = {"times": [float(t) for t in arguments.times]}
    values |= {name: output.json_number(list(getattr(result, name)), digits) for name in names}
    for name in ("error_estimate", "train_error_estimate"):
        values[name] = [_brief(x) for x in getattr(result, name)]
    critical = float(result.critical_step)
    values["critical_step"] = critical if math.isfinite(critical) else None
    values["diverges"], values["exceeded"] = bool(result.diverges), passed
    output.print_json(values | _of_runs(simulated))


def _of_runs(simulated: Any) -> dict[str, Any]:
    """The JSON form of simulated runs, if there are any."""
    if simulated is None:
        return {}
    return {"simulated": {
        "runs": len(simulated.values), "median": simulated.median.tolist(),
        "mean": simulated.mean.tolist(), "standard_error": simulated.error.tolist(),
        "mean_is_typical": simulated.typical,
    }}  # fmt: skip


def _brief(error: Any) -> Any:
    return float(error) if math.isfinite(float(error)) else "inf"


def _print_table(arguments: argparse.Namespace, result: DynamicLoss, passed: int | None) -> None:
    digits = arguments.digits or output.FLOAT_DIGITS
    columns = (
        arguments.times, result.excess_loss, result.error_estimate, result.train_loss,
        result.train_error_estimate,
    )  # fmt: skip
    rows = [
        (f"{float(t):.6g}", output.decimal(a, digits), f"{float(e):.0e}",
         output.decimal(b, digits), f"{float(f):.0e}")
        for t, a, e, b, f in zip(*columns)
    ]  # fmt: skip
    time = {"time": "time", "step": "steps", "ridge": "ridge"}[RULES[arguments.learner].scored]
    output.print_table((time, "excess loss", "±", "training loss", "±"), rows)
    if result.diverges:
        when = "" if passed is None else (
            f" Step {passed} is the first with a loss above {DIVERGED:g} times that at the start."
        )  # fmt: skip
        print(
            output.paragraph(
                f"The step size is above the critical one, {float(result.critical_step):.6g} (edge "
                f"of the mean field): training diverges.{when}"
            )
        )
    elif math.isfinite(result.critical_step):
        print(
            output.paragraph(
                f"Critical step size {float(result.critical_step):.6g} (edge of the mean field): "
                "large models diverge above it; finite ones may somewhat below."
            )
        )
