"""`solvable tour`: derive, print, evaluate, simulate and compare, in under a minute."""

from __future__ import annotations

import argparse
from fractions import Fraction
from typing import Any

import sympy as sp

from solvable.analytic.loss import abbreviated_loss, isotropic_loss_formula, static_loss
from solvable.analytic.notation import kappa
from solvable.analytic.resolvent import self_consistent_equation
from solvable.analytic.spectrum import PowerLaw
from solvable.validation.experiments.evaluate import Evidence, MarkEvidence, summary
from solvable.validation.progress import progress_bar
from solvable.validation.quick_look import quick_look

from .. import catalogue
from ..checks import FiniteSize, Statistical, Verdict
from ..export.plain import pretty
from ..relations import equation
from . import bounds, output
from . import options as types

STOPS = ("ridge-regression", "resolvent", "test-loss", "ridgeless-loss")
DIGITS = 30
SEEDS = 40
#: α = ½, M = 2000: N, T, ridge, noise
MODELS = (
    (100, 400, Fraction(0), Fraction(0)),
    (100, 400, Fraction(1, 2), Fraction(0)),
    (150, 300, Fraction(1, 100), Fraction(1, 1000)),
    (300, 100, Fraction(1, 100), Fraction(1, 10)),
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `solvable tour`."""
    parser.add_argument(
        "--seeds", type=types.several, default=SEEDS, metavar="K", help=f"default: {SEEDS}"
    )
    types.add_format(parser)


def run(arguments: argparse.Namespace) -> int:
    """Take the tour; exit status 1 if a check or the comparison does not pass."""
    checked = derive()
    evaluated = evaluate()
    if arguments.format != "json":
        print_derivations(checked)
        print_evaluation(evaluated)
    comparison = simulate(arguments.seeds)
    if arguments.format == "json":
        output.print_json(as_json(checked, evaluated, comparison))
    else:
        print_comparison(comparison)
    derived = all(verdict.passed for _, _, verdict in checked)
    return 0 if derived and comparison.passed else 1


def derive() -> list[tuple[str, str, Verdict]]:
    """(derivation, step, verdict) of every step that needs no simulation of its own."""
    steps = [
        (name, step)
        for name in STOPS
        for step in catalogue.load(name).steps
        if not isinstance(step.check, FiniteSize | Statistical)
    ]
    checked = []
    with output.progress("checking", len(steps)) as advance:
        for name, step in steps:
            checked.append((name, step.name, step.verify()))
            advance(f"{name}: {step.name}")
    return checked


def evaluate() -> list[tuple[str, ...]]:
    """Rows N, T, ridge, noise, κ, excess loss of the models, to `DIGITS` digits."""
    spectrum = PowerLaw(alpha=Fraction(1, 2), size=2000)
    rows: list[tuple[str, ...]] = []
    for n, t, ridge, noise in MODELS:
        result = static_loss(spectrum, n, t, ridge=ridge, noise=noise, digits=DIGITS)
        values = (output.decimal(x, DIGITS) for x in (result.kappa, result.excess_loss))
        rows.append((str(n), str(t), str(ridge), str(noise), *values))
    return rows


def simulate(seeds: int) -> Evidence:
    """The quick look, with a bar."""
    with bounds.bar_is_drawn(), progress_bar("simulating") as progress:
        return quick_look(seeds=seeds, progress=progress)


def print_derivations(checked: list[tuple[str, str, Verdict]]) -> None:
    """The two formulas, and the verdict of each step."""
    print("1. Derive. The renormalised ridge κ of ridge regression on random features solves\n")
    print(pretty(self_consistent_equation()))
    print("\nand its test (excess) loss, for any target power and label noise, is\n")
    for line in abbreviated_loss():
        print(pretty(line) + "\n")
    print("with the response functions R₃ = 1 − D₁/N and R₁ = 1 − D₁/T; isotropic, noiseless:\n")
    print(pretty(equation(sp.Symbol("L"), isotropic_loss_formula(kappa))) + "\n")
    rows = [(name, step, v.outcome, v.message) for name, step, v in checked]
    output.print_table(("derivation", "step", "verdict", "evidence"), rows)


def print_evaluation(evaluated: list[tuple[str, ...]]) -> None:
    """The table of evaluated models."""
    print(f"\n2. Evaluate. λ_J = J^-3/2, M = 2000, to {DIGITS} digits:\n")
    output.print_table(("N", "T", "ridge", "noise", "κ", "excess loss"), evaluated)


def comparison_rows(comparison: Evidence) -> list[tuple[str, ...]]:
    """Rows of the last table: one a model and loss."""
    rows: list[tuple[str, ...]] = []
    for curve in comparison.series:
        for loss, mark in zip(("excess loss", "train loss"), curve.points):
            simulated = mark.simulated
            rows.append((
                curve.label, loss, f"{mark.theory:.4g}",
                f"{simulated.mean:.4g} ± {simulated.error:.1g}", *_decided(mark),
            ))  # fmt: skip
    return rows


def _decided(mark: MarkEvidence) -> tuple[str, str]:
    """The interval of the ratio in the limit of large size, and the score of 1."""
    if mark.limit is None or mark.interval is None or mark.score is None:
        return mark.untested, ""
    half = (mark.interval[1] - mark.interval[0]) / 2
    return f"{mark.limit.mean:.3f} ± {half:.3f}", f"{mark.score:+.2f}"


def print_comparison(comparison: Evidence) -> None:
    """Theory beside simulation, and the verdict on all of them together."""
    least, most = comparison.seeds
    seeds = str(least) if least == most else f"{least} to {most}"
    print("\n" + output.paragraph(
        "3. Simulate. The same models are drawn and trained in numpy; their population loss is "
        f"exact. {seeds} seeds at twice the sizes shown, more at these sizes; theory is the limit "
        "of infinite size, so the ratio simulation/theory is extrapolated to it (simultaneous "
        "intervals)."
    ) + "\n")  # fmt: skip
    columns = ("model", "loss", "theory ×2", "simulation ×2", "ratio, size → ∞", "score")
    output.print_table(columns, comparison_rows(comparison))
    print(output.paragraph(f"{comparison.outcome}: {comparison.message}"))


def as_json(
    checked: list[tuple[str, str, Verdict]], evaluated: list[tuple[str, ...]], comparison: Evidence
) -> dict[str, Any]:
    """The tour as data."""
    keys = ("features", "samples", "ridge", "noise", "kappa", "excess_loss")
    return {
        "steps": [
            {"derivation": name, "step": step, "verdict": v.outcome, "evidence": v.message}
            for name, step, v in checked
        ],
        "evaluated": [dict(zip(keys, row)) for row in evaluated],
        "simulated": dict(summary(comparison)),
    }
