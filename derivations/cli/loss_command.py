"""`solvable loss`: evaluate the static test loss.

Excess loss of ridge regression on N random features of T samples (per-mode normalisation,
unnormalised ridge), to any number of digits.
"""

from __future__ import annotations

import argparse
import math
from typing import Any

from solvable.analytic.loss import StaticLoss, static_loss
from solvable.analytic.optimal_ridge import optimal_ridge
from solvable.analytic.spectrum import Spectrum

from . import options as types
from . import output


def _ridge(text: str) -> Any:
    if text == "optimal":
        return text
    try:
        return types.nonnegative(text)
    except argparse.ArgumentTypeError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not allowed: expected a number ≥ 0, or optimal"
        ) from None


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `solvable loss`."""
    add = parser.add_argument
    types.add_spectrum(parser)
    add("--scale", type=types.positive, metavar="L", help="largest eigenvalue λ₊ (default: 1)")
    add("--features", type=types.positive_or_infinite, required=True, metavar="N|inf")
    add("--samples", type=types.positive_or_infinite, required=True, metavar="T|inf")
    add("--ridge", type=_ridge, default=0, metavar="G|optimal", help="γ ≥ 0 (default: 0)")
    add("--normalisation", choices=("features", "kernel", "rate"),
        help="what γ is added to: φφᵀ, the kernel φᵀφ/(Nσ_u²) (default for N = inf: kernel ridge "
        "regression), or the kernel over T")  # fmt: skip
    add("--noise", type=types.nonnegative, default=0, metavar="S2", help="label noise σ_ε²")
    add("--feature-variance", type=types.positive, default=1, metavar="V", help="σ_u²")
    add("--target-variance", type=types.positive, metavar="V", help="σ_w² (default: 1)")
    add("--digits", type=types.digits, metavar="D", help="significant digits (default: 15)")
    types.add_format(parser)


def run(arguments: argparse.Namespace) -> int:
    """Evaluate and print."""
    spectrum = types.spectrum_of(arguments, scale="scale", target_variance="target_variance")
    digits = arguments.digits or output.FLOAT_DIGITS
    settings = {
        "noise": arguments.noise,
        "feature_variance": arguments.feature_variance,
        "digits": digits,
    }
    sizes = (arguments.features, arguments.samples)
    if arguments.ridge == "optimal":
        types.unused(arguments, "--ridge optimal", "normalisation")
        result = optimal_ridge(spectrum, *sizes, **settings)
    else:
        result = static_loss(
            spectrum,
            *sizes,
            ridge=arguments.ridge,
            normalisation=arguments.normalisation,
            **settings,
        )
    quantities = {
        "kappa": result.kappa,
        "excess_loss": result.excess_loss,
        "loss": result.loss,
        "train_loss": result.train_loss,
        "ridge": result.ridge,
    }
    if arguments.format == "json":
        print_values = {name: output.json_number(x, digits) for name, x in quantities.items()}
        output.print_json(print_values | {"regime": regime(spectrum, arguments, result)})
    else:
        _print_table(spectrum, arguments, result, quantities, digits)
    return 0


_MEANING = {
    "kappa": "κ, solution of equation (1)",
    "excess_loss": "excess loss Σ λ E[v²]",
    "loss": "test loss, ½ × excess",
    "train_loss": "mean squared training residual",
    "ridge": "ridge γ",
}


def _print_table(
    spectrum: Spectrum, arguments: argparse.Namespace, result: StaticLoss,
    quantities: dict[str, Any], digits: int,
) -> None:  # fmt: skip
    rows = [(_MEANING[name], output.decimal(x, digits)) for name, x in quantities.items()]
    output.print_table(("quantity", "value"), rows)
    print(output.paragraph(regime(spectrum, arguments, result)))
    if result.certain_digits is not None:
        print(f"{digits} digits shown; {result.certain_digits} are certain.")


def regime(spectrum: Spectrum, arguments: argparse.Namespace, result: StaticLoss) -> str:
    """Where the model stands, in words; says why a loss is infinite or zero."""
    n, t, m = arguments.features, arguments.samples, spectrum.size
    if result.excess_loss == math.inf:
        what = "N = T" if n == t and n < m else "T = M with label noise"
        return (
            f"Pole: {what} at zero ridge. The smallest eigenvalue of the feature Gram matrix "
            "reaches zero, and the variance of the estimator diverges; a ridge removes it."
        )
    if min(n, t) >= m:
        return "Breakdown regime (M ≤ N, T): every latent mode is learned; only noise remains."
    if n == t:
        return "Equiparameterised (N = T < M)."
    side = "underparameterised (N < T)" if n < t else "overparameterised (N > T)"
    beyond = ", with the larger of N and T beyond M" if max(n, t) >= m else ""
    return f"Scaling regime (min(N, T) < M), {side}{beyond}."
