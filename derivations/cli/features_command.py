"""`solvable features`: Hermite coefficients of a feature map, and the spectra that it makes.

--map is a name (relu, step, sign, abs, erf, tanh, sin, cos, exp, sigmoid, softplus, gelu, linear)
or a formula in x such as "tanh(2*x)". Without FILE: its Hermite coefficients, in closed form where
there is one. With FILE (samples in rows, divided by their root mean square norm): the eigenvalues
of the Gram matrix of N = --width random features, beside those of the inputs and of a linear map,
and two predictions of them: from the dual kernel's eigenvalues, and from the linear Gaussian
equivalent a₀² 11ᵀ + a₁² xxᵀ + a⋆²; and the power laws of the inputs and of the kernel.
"""

from __future__ import annotations

import argparse
from typing import Any

from solvable.analytic.errors import InputError, SolvableError

from . import options as types
from . import output

MOST_DIGITS, MOST_COEFFICIENTS = 60, 40
HOLDS = 0.15  # root mean square error of ln μ up to which a prediction is said to hold


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `solvable features`."""
    add = parser.add_argument
    add("file", metavar="FILE", nargs="?", help="samples in rows (npy, npz, csv, txt, parquet)")
    add("--map", default="relu", metavar="NAME|FORMULA", help="σ of φ = σ(Wx) (default: relu)")
    add("--width", type=types.count, metavar="N", help="number of features, with FILE")
    add("--samples", type=types.count, metavar="T", help="so many of the rows, evenly spaced "
        "(default: all, up to 1000)")  # fmt: skip
    add("--seed", type=types.count_from_zero, metavar="S", help="of W, with FILE (default: 0)")
    add("--coefficients", type=types.count, default=8, metavar="K",
        help="Hermite coefficients shown (default: 8)")  # fmt: skip
    add("--digits", type=types.digits, default=15, metavar="D", help="of coefficients "
        "(default: 15)")  # fmt: skip
    types.add_format(parser)


def run(arguments: argparse.Namespace) -> int:
    """Compute and print."""
    from solvable.analytic.features.activation import activation

    if arguments.coefficients > MOST_COEFFICIENTS:
        raise InputError("--coefficients", arguments.coefficients, f"at most {MOST_COEFFICIENTS}")
    if arguments.digits > MOST_DIGITS:
        raise InputError("--digits", arguments.digits, f"at most {MOST_DIGITS}")
    function = activation(arguments.map)
    data: dict[str, Any] = {"map": arguments.map, "hermite": _hermite(function, arguments)}
    if arguments.file is None:
        for name in ("width", "samples", "seed"):
            if getattr(arguments, name) is not None:
                raise InputError(f"--{name}", getattr(arguments, name), "nothing without FILE")
    else:
        data |= _spectra(function, arguments)
    if arguments.format == "json":
        output.print_json(data)
    else:
        _print(data)
    return 0


def _hermite(function: Any, arguments: argparse.Namespace) -> list[dict[str, Any]]:
    from solvable.analytic.features.hermite import closed_form, coefficient_mp

    rows = []
    for k in range(arguments.coefficients):
        exact = closed_form(function, k)
        value = coefficient_mp(function, k, digits=arguments.digits)
        rows.append({"k": k, "value": output.json_number(value, arguments.digits),
                     "closed_form": None if exact is None else str(exact)})  # fmt: skip
    return rows


def _spectra(function: Any, arguments: argparse.Namespace) -> dict[str, Any]:
    from solvable.analytic.data.arrays import open_samples
    from solvable.analytic.data.sample_spectrum import kernel_spectrum, sample_spectrum
    from solvable.analytic.features.dual_kernels import dual_kernel
    from solvable.analytic.features.maps import map_spectrum, normalised

    if arguments.width is None:
        raise InputError("--width", None, "the number of features, with FILE")
    rows = _some(open_samples(arguments.file).whole(), arguments.samples)
    found = map_spectrum(rows, function, arguments.width, seed=arguments.seed or 0)
    sample = sample_spectrum(rows, centred=False)
    kernel = kernel_spectrum(dual_kernel(normalised(rows) @ normalised(rows).T, function))
    return {
        "samples": len(rows), "width": found.width,
        "eigenvalues": {"inputs": found.inputs.tolist(), "linear": found.linear.tolist(),
                        "features": found.features.tolist(), "kernel": found.kernel.tolist()},
        "rank": found.ranks.tolist(),
        "by_kernel": _finite(found.by_kernel), "by_equivalent": _finite(found.by_equivalent),
        "kernel_error": found.kernel_error, "equivalent_error": found.equivalent_error,
        "higher": found.higher,
        "alpha": {"inputs": _alpha(sample), "map": _alpha(kernel)},
        "notes": list(sample.notes),
    }  # fmt: skip


def _some(rows: Any, count: int | None) -> Any:
    """Evenly spaced rows."""
    import numpy as np

    if count is not None and count > len(rows):
        raise InputError("--samples", count, f"at most {len(rows)}, the rows of FILE")
    wanted = min(len(rows), 1000) if count is None else count
    return rows[np.linspace(0, len(rows) - 1, wanted).astype(int)]


def _finite(values: Any) -> list[float | None]:
    import math

    return [float(x) if math.isfinite(x) else None for x in values]


def _alpha(sample: Any) -> dict[str, Any]:
    """The power law of a spectrum, or why there is none."""
    from solvable.analytic.data.population import population_spectrum
    from solvable.analytic.data.tails import fit_tail

    try:
        tail = fit_tail(population_spectrum(sample))
    except SolvableError as error:
        return {"alpha": None, "reason": str(error), "range": None}
    law = tail.power_law
    return {"alpha": tail.alpha and tail.alpha.to_dict(), "reason": tail.reason,
            "range": [law.first, law.last]}  # fmt: skip


def _print(data: dict[str, Any]) -> None:
    output.print_table(
        ("k", "a_k", "closed form"),
        [(row["k"], row["value"], row["closed_form"] or "none found") for row in data["hermite"]],
    )
    if "width" not in data:
        return
    for note in data["notes"]:
        output.say(f"note: {note}")
    counts = {name: len(values) for name, values in data["eigenvalues"].items()}
    output.say(f"{data['samples']} samples: {counts['inputs']} eigenvalues of the inputs, "
               f"{counts['linear']} of a linear and {counts['features']} of this map to "
               f"{data['width']} features")  # fmt: skip
    for name, law in data["alpha"].items():
        output.say(f"{name}: {_law(law)}")
    for name, error in (("the kernel's eigensystem", data["kernel_error"]),
                        ("the linear Gaussian equivalent", data["equivalent_error"])):  # fmt: skip
        output.say(f"{name} {'holds' if error < HOLDS else 'does not hold'}: root mean square "
                   f"error of ln μ {error:.3f}")  # fmt: skip
    measured = data["eigenvalues"]
    rows = []
    for rank, kernel, equivalent in zip(data["rank"], data["by_kernel"], data["by_equivalent"]):
        at = int(rank) - 1
        shown = (measured[name] for name in ("inputs", "linear", "features"))
        cells = [values[at] if at < len(values) else None for values in shown]
        rows.append((int(rank), *("" if x is None else f"{x:.4g}"
                                  for x in (*cells, kernel, equivalent))))  # fmt: skip
    output.print_table(
        ("rank", "inputs", "linear map", "this map", "by kernel", "by equivalent"), rows
    )


def _law(law: dict[str, Any]) -> str:
    if law["alpha"] is None:
        return f"no power law, {law['reason']}"
    a = law["alpha"]
    low, high = law["range"]
    return f"α = {a['value']:.3f}, {a['low']:.3f} to {a['high']:.3f}, at ranks {low:g} to {high:g}"
