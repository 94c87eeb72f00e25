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
from solvable.validation.cases import Findings, quick_look
from solvable.validation.progress import progress_bar
from solvable.validation.statistics import Judgement

from .. import catalogue
from ..checks import FiniteSize, Statistical, Verdict
from ..export.plain import pretty
from ..relations import equation
from . import bounds, output
from . import options as types

STOPS = ("ridge-regression", "resolvent", "test-loss", "ridgeless-loss")
DIGITS = 30
SEEDS = 50
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
        "--seeds", type=types.count, default=SEEDS, metavar="K", help=f"default: {SEEDS}"
    )
    types.add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Take the tour; exit status 1 if a check or the comparison does not pass."""
    checked = derive()
    evaluated = evaluate()
    if not arguments.json:
        print_derivations(checked)
        print_evaluation(evaluated)
    comparison = simulate(max(2, arguments.seeds))
    if arguments.json:
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
    rows = []
    for n, t, ridge, noise in MODELS:
        result = static_loss(spectrum, n, t, ridge=ridge, noise=noise, digits=DIGITS)
        values = (output.decimal(x, DIGITS) for x in (result.kappa, result.excess_loss))
        rows.append((str(n), str(t), str(ridge), str(noise), *values))
    return rows


def simulate(seeds: int) -> Findings:
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


def comparison_rows(comparison: Findings) -> list[tuple[str, ...]]:
    """Rows of the last table: one a model and loss."""
    rows: list[tuple[str, ...]] = []
    for row in comparison.rows:
        simulated, limit = row.simulated[-1], row.fit.limit
        judged = comparison.train if row.loss == "train_loss" else comparison.test
        half = limit.half_width((judged or comparison.test).confidence)
        rows.append((
            row.case.describe(), row.loss.replace("_", " "), f"{row.theory[-1]:.4g}",
            f"{simulated.mean:.4g} ± {simulated.error:.1g}",
            f"{limit.mean:.3f} ± {half:.3f}" if not row.vanishes else "vanishes",
            f"{row.score:+.2f}",
        ))  # fmt: skip
    return rows


def verdicts(comparison: Findings) -> list[tuple[str, Judgement]]:
    """The verdict on each kind of loss that was simulated."""
    both = (("test loss", comparison.test), ("training loss", comparison.train))
    return [(label, verdict) for label, verdict in both if verdict is not None]


def print_comparison(comparison: Findings) -> None:
    """Theory beside simulation, and the verdict on all of them together."""
    seeds = " and ".join(map(str, comparison.seeds))
    print(
        "\n3. Simulate. The same models are drawn and trained in numpy; their population loss is "
        f"exact.\n   {seeds} seeds at sizes ×1 and ×2 of those shown; theory is the limit of "
        "infinite size,\n   so the ratio simulation/theory is extrapolated to it "
        "(simultaneous intervals).\n"
    )
    columns = ("model", "loss", "theory ×2", "simulation ×2", "ratio, size → ∞", "score")
    output.print_table(columns, comparison_rows(comparison))
    for label, verdict in verdicts(comparison):
        print(f"{label}: {verdict.outcome}. {verdict.message}")


def as_json(
    checked: list[tuple[str, str, Verdict]], evaluated: list[tuple[str, ...]], comparison: Findings
) -> dict[str, Any]:
    """The tour as data."""
    keys = ("features", "samples", "ridge", "noise", "kappa", "excess_loss")
    return {
        "steps": [
            {"derivation": name, "step": step, "verdict": v.outcome, "evidence": v.message}
            for name, step, v in checked
        ],
        "evaluated": [dict(zip(keys, row)) for row in evaluated],
        "simulated": [
            {
                "model": row.case.describe(),
                "loss": row.loss,
                "theory": row.theory[-1],
                "simulation": row.simulated[-1].mean,
                "standard_error": row.simulated[-1].error,
                "score": row.score,
            }
            for row in comparison.rows
        ],
        "verdicts": {label: verdict.outcome for label, verdict in verdicts(comparison)},
    }
