"""`solvable fit`: from a table of losses to a law.

TABLE has columns by name: parameters (or features, N), tokens (or samples, D, T), compute (or
FLOP, C) and loss; of the sizes any two give the third by C = 6 N D. A form is fitted with
Huber loss on log loss; intervals are those of the profile likelihood, and a parameter that the
table does not determine is said to be undetermined. All forms are compared on the same held-out
rows, the largest.
"""

from __future__ import annotations

import argparse
import math
from typing import Any

from solvable.analytic.arguments import MAGNITUDES
from solvable.analytic.data.arrays import read_table
from solvable.analytic.errors import InputError
from solvable.analytic.fits import FORMS, Fit, fit, loss_table
from solvable.analytic.fits.extrapolation import SHARE, breakdown, held_out, runs
from solvable.analytic.fits.frontier import best_split
from solvable.analytic.fits.loss_table import FLOP_PER_PARAMETER_AND_TOKEN, LossTable

from . import options as types
from . import output

BOOTSTRAP = 1000
FEWEST = 40  # replicates that have percentiles
ONE_SIDED = 3.5  # z of residuals of one sign, from which a form is doubted

EPILOG = """\
Forms:
  exact       A l(N, T; alpha, M, noise): the loss of the solvable model, N features, T samples
  chinchilla  E + A N^-alpha + B D^-beta
  kaplan      [(A/N)^(alpha/beta) + B/D]^beta
  bottleneck  E + max(A N^-alpha, B D^-beta)
  power       E + A x^-alpha, x the compute (or the only size there is)
For exact, losses are excess losses at the optimal ridge, or at no ridge, whichever fits better, or
at those of a column called ridge (or --ridge), of (phi phi^T + ridge)^-1.
"""


def _ridge(text: str) -> Any:
    return text if text in ("auto", "optimal") else types.nonnegative(text)


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `solvable fit`."""
    add = parser.add_argument
    add("table", metavar="TABLE", help="csv, txt or parquet, with names in the first line")
    add("--form", choices=FORMS, required=True)
    add("--huber", type=types.positive, metavar="D",
        help="delta of the Huber loss (default: 1e-3; least squares for exact)")  # fmt: skip
    add("--least-squares", action="store_true", help="instead of the Huber loss")
    add("--bootstrap", type=types.count_from_zero, metavar="K",
        help=f"replicates of the table (default: {BOOTSTRAP}; none for exact)")  # fmt: skip
    add("--ridge", type=_ridge, metavar="auto|optimal|G", help="of exact (default: auto)")
    add("--with-noise", action="store_true", help="losses of exact contain the label noise")
    add("--budget", type=types.positive, metavar="C", help="split this compute between N and D")
    add("--cost", type=types.positive, metavar="F", help="operations per N D, with --budget "
        "(default: 6)")  # fmt: skip
    add("--at", type=types.listed(types.positive), action="append", default=[],
        metavar="SIZE[,SIZE]", help="forecast at N,D (power: at x); may be repeated")  # fmt: skip
    add("--seed", type=types.count_from_zero, metavar="S", help="of replicates (default: 0)")
    types.add_format(parser)


def run(arguments: argparse.Namespace) -> int:
    """Fit, compare and print."""
    if arguments.least_squares and arguments.huber is not None:
        raise InputError("--huber", arguments.huber, "nothing with --least-squares")
    form = arguments.form
    own = ("bootstrap",) if form == "exact" else ("ridge", "with_noise")
    types.unused(arguments, f"--form {form}", *own)
    if arguments.budget is None:
        types.unused(arguments, "no --budget", "cost")
    wanted = 1 if form == "power" else 2
    for sizes in arguments.at:
        if len(sizes) != wanted:
            raise InputError("--at", ",".join(map(str, sizes)),
                             "one size" if wanted == 1 else "two sizes, N,D")  # fmt: skip
    if form == "power":
        types.unused(arguments, "--form power", "budget")
    table = loss_table(read_table(arguments.table))
    draws = BOOTSTRAP if arguments.bootstrap is None else arguments.bootstrap
    if arguments.budget is None and (form == "exact" or not draws):
        types.unused(arguments, "no replicates", "seed")
    most = MAGNITUDES["draws"][1]
    if draws and not FEWEST <= draws <= most:
        raise InputError("--bootstrap", draws, f"0, or at least {FEWEST} and at most {most:.0f}")
    delta = None if arguments.huber is None else float(arguments.huber)
    found = fit(
        table, form, delta=math.inf if arguments.least_squares else delta,
        draws=0 if form == "exact" else draws, seed=arguments.seed or 0, **_exact(arguments),
    )  # fmt: skip
    report = _report(found, table, arguments)
    if arguments.format == "json":
        output.print_json(report)
    else:
        _print(report)
    return 0


def _exact(arguments: argparse.Namespace) -> dict[str, Any]:
    """Settings of the exact form."""
    if arguments.form != "exact":
        return {}
    ridge = "auto" if arguments.ridge is None else arguments.ridge
    ridge = ridge if isinstance(ridge, str) else float(ridge)
    return {"ridge": ridge, "floor": True if arguments.with_noise else None}


def _report(found: Fit, table: LossTable, arguments: argparse.Namespace) -> dict[str, Any]:
    """Everything that is printed, as plain data."""
    settings = _exact(arguments)
    broken = breakdown(table, found.form, **settings)
    compared = held_out(table, **settings)
    notes = list(table.notes)
    if found.scatter > 0.1:
        notes.append(f"the scatter about the fit is {100 * found.scatter:.0f} %: the form does not "
                     "describe these losses")  # fmt: skip
    elif (z := runs(found, table)) > ONE_SIDED:
        notes.append(f"neighbours in size lie on one side of the fit (z = {z:.1f}): the form does "
                     "not describe these losses, and the intervals are too narrow")  # fmt: skip
    report: dict[str, Any] = {
        "form": found.form, "rows": found.rows, "huber": _finite(found.delta),
        "level": found.level, "objective": found.objective, "scatter": found.scatter,
        "settings": found.settings, "parameters": _parameters(found),
        "held_out": {
            "rows": max(1, round(SHARE * len(table))),
            "forms": {name: {"rms_log_error": one.rms, "mean_log_error": one.mean}
                      for name, one in compared.items()},
        },
        "breakdown": broken and {"from": broken.size, "mean_log_excess": broken.excess,
                                 "z": broken.z},
        "notes": notes,
    }  # fmt: skip
    if arguments.at:
        report["forecast"] = [_forecast(found, sizes) for sizes in arguments.at]
    if arguments.budget is not None:
        cost = float(arguments.cost or FLOP_PER_PARAMETER_AND_TOKEN)
        split = best_split(found, float(arguments.budget), cost, arguments.seed or 0)
        report["allocation"] = {"budget": split.budget} | {
            name: dict(zip(("value", "low", "high"), getattr(split, name)))
            for name in ("parameters", "tokens", "loss")
        }
    return report


def _parameters(found: Fit) -> dict[str, Any]:
    import numpy as np

    tails = [50 * (1 - found.level), 50 * (1 + found.level)]
    parameters = {}
    for index, (name, one) in enumerate(found.parameters.items()):
        entry: dict[str, Any] = {
            "value": one.value, "low": _finite(one.low), "high": _finite(one.high),
            "determined": one.determined, "standard_error": one.standard_error,
        }  # fmt: skip
        if one.reason:
            entry["reason"] = one.reason
        if len(found.draws) and one.determined:
            drawn = found.draws[:, index]
            low, high = np.percentile(drawn, tails)
            entry["bootstrap"] = {"low": float(low), "high": float(high),
                                  "standard_error": float(np.std(drawn))}  # fmt: skip
        parameters[name] = entry
    return parameters


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _forecast(found: Fit, sizes: list[Any]) -> dict[str, Any]:
    value, low, high = (float(x[0]) for x in found.forecast(*map(float, sizes)))
    return {"at": [float(x) for x in sizes], "loss": value, "low": low, "high": high}


def _print(report: dict[str, Any]) -> None:
    how = "least squares" if report["huber"] is None else f"Huber loss, δ = {report['huber']:g}"
    extra = "".join(f", {name} {value}" for name, value in report["settings"].items()
                    if name != "floor")  # fmt: skip
    output.say(f"{report['form']}: {report['rows']} rows, {how} of log loss{extra}; scatter "
               f"{100 * report['scatter']:.3g} %")  # fmt: skip
    rows = []
    for name, one in report["parameters"].items():
        low = f"{one['low']:.5g}"
        high = "∞" if one["high"] is None else f"{one['high']:.5g}"
        value = f"{one['value']:.6g}" if one["determined"] else "undetermined"
        boot = one.get("bootstrap")
        rows.append([name, value, low, high,
                     f"{boot['low']:.5g} … {boot['high']:.5g}" if boot else "–"])  # fmt: skip
    output.print_table(["parameter", "value", "low", "high", "bootstrap"], rows)
    for one in report["parameters"].values():
        if "reason" in one:
            output.say(f"Undetermined: {one['reason']}.")
    for one in report.get("forecast", ()):
        sizes = ", ".join(f"{x:g}" for x in one["at"])
        output.say(f"Forecast at {sizes}: {one['loss']:.5g} ({one['low']:.5g} … {one['high']:.5g})")
    if "allocation" in report:
        split = report["allocation"]
        shown = "; ".join(
            f"{name} {split[name]['value']:.4g} ({split[name]['low']:.4g} … "
            f"{split[name]['high']:.4g})" for name in ("parameters", "tokens", "loss")
        )  # fmt: skip
        output.say(f"Best split of {split['budget']:g}: {shown}")
    _print_comparison(report)
    for note in report["notes"]:
        output.say(f"Note: {note}.")


def _print_comparison(report: dict[str, Any]) -> None:
    compared = report["held_out"]["forms"]
    if compared:
        shown = ", ".join(f"{name} {100 * one['rms_log_error']:.3g} %"
                          for name, one in sorted(compared.items(),
                                                  key=lambda x: x[1]["rms_log_error"]))  # fmt: skip
        output.say(f"Root mean square error on the {report['held_out']['rows']} largest rows, "
                   f"held out: {shown}")  # fmt: skip
    broken = report["breakdown"]
    if broken:
        output.say(f"Breakdown: from {broken['from']:.4g} on losses are "
                   f"{100 * broken['mean_log_excess']:.2g} % above the law of the smaller sizes "
                   f"(z = {broken['z']:.1f}).")  # fmt: skip
