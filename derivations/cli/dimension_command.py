"""`solvable dimension`: how many dimensions data have.

Two-NN and maximum-likelihood intrinsic dimension, participation ratio of the covariance, degrees of
freedom D₁ at --ridge, the exponent d of ⟨δ⟩ ∝ T^(-1/d), the mean distance to the nearest of T
samples, each with a 95 % interval, and the number M of modes that the spectrum shows. These are
answers to different questions and differ: distances see some tens of dimensions where a power-law
spectrum has thousands of modes. M shows in losses; `solvable fit --form exact` reads it there.
"""

from __future__ import annotations

import argparse
import math
from typing import Any

from solvable.analytic.errors import InputError

from . import options as types
from . import output


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `solvable dimension`."""
    add = parser.add_argument
    add("file", metavar="FILE", help="samples in rows (npy, npz, csv, txt, parquet)")
    add("--ridge", type=types.positive, metavar="R", help="of D₁, in units of the eigenvalues of "
        "the covariance (default: their mean)")  # fmt: skip
    add("--neighbours", type=types.count, default=10, metavar="K",
        help="of the maximum-likelihood estimate (default: 10)")  # fmt: skip
    types.add_format(parser)


def run(arguments: argparse.Namespace) -> int:
    """Measure and print."""
    from solvable.analytic.data.arrays import as_samples, open_samples
    from solvable.analytic.data.dimension import dimension
    from solvable.analytic.data.population import population_spectrum
    from solvable.analytic.data.sample_spectrum import sample_spectrum
    from solvable.analytic.data.tails import fit_tail

    if arguments.neighbours < 2 or arguments.neighbours > 1000:
        raise InputError("--neighbours", arguments.neighbours, "an integer from 2 to 1000")
    rows = open_samples(arguments.file).whole()
    found = dimension(as_samples(rows, "FILE"), neighbours=arguments.neighbours)
    sample = sample_spectrum(as_samples(rows, "FILE"))
    population = population_spectrum(sample)
    ridge = float(arguments.ridge or sample.trace / population.size)
    spread = population.interval(population.curve.nodes[0])
    counts = population.curve.nodes[1]
    own, low, high = (
        float(counts @ (values / (values + ridge)))
        for values in (population.eigenvalue(population.curve.nodes[0]), *spread)
    )
    tail = fit_tail(population)
    data = {
        "samples": found.samples, "inputs": found.inputs,
        "two_nearest": found.two_nearest.to_dict(),
        "maximum_likelihood": found.likelihood.to_dict(),
        "participation_ratio": found.participation.to_dict(),
        "degrees_of_freedom": {"value": own, "low": low, "high": high, "ridge": ridge},
        "nearest_distance_exponent": _plain(found.distance_exponent),
        "nearest_distance": {"samples": found.sizes.tolist(),
                             "distance": found.distances.tolist()},
        "modes": _modes(sample, population),
        "alpha": tail.alpha and tail.alpha.to_dict(),
        "notes": [*found.notes, *sample.notes],
    }  # fmt: skip
    if arguments.format == "json":
        output.print_json(data)
    else:
        _print(data)
    return 0


def _plain(interval: Any) -> dict[str, Any]:
    return {name: value if math.isfinite(value) else None
            for name, value in interval.to_dict().items()}  # fmt: skip


def _modes(sample: Any, population: Any) -> dict[str, Any]:
    """M, where samples outnumber the columns and so show the end of the spectrum."""
    seen = sample.samples > len(sample.eigenvalues) >= population.size
    return {"value": population.size if seen else None, "at_least": len(sample.eigenvalues),
            "reason": None if seen else "fewer samples than columns: the end of the spectrum is "
            "not seen"}  # fmt: skip


def _print(data: dict[str, Any]) -> None:
    for note in data["notes"]:
        print(f"note: {note}")
    d1 = data["degrees_of_freedom"]
    rows = [("two nearest neighbours", data["two_nearest"]),
            ("maximum likelihood", data["maximum_likelihood"]),
            ("participation ratio (Tr Λ)²/Tr Λ²", data["participation_ratio"]),
            (f"degrees of freedom D₁ at ridge {d1['ridge']:.4g}", d1),
            ("d of ⟨δ⟩ ∝ T^(-1/d)", data["nearest_distance_exponent"])]  # fmt: skip
    output.print_table(
        ("dimension", "value", "low", "high"),
        [(name, *(_number(interval[key]) for key in ("value", "low", "high")))
         for name, interval in rows],
    )  # fmt: skip
    modes = data["modes"]
    print(f"modes of the spectrum: {modes['value']}" if modes["value"] else
          f"modes of the spectrum: {modes['at_least']} or more ({modes['reason']})")  # fmt: skip
    if data["alpha"]:
        alpha = data["alpha"]["value"]
        d = data["nearest_distance_exponent"]["value"]
        print(f"α = {alpha:.3f}" + (f": d α = {d * alpha:.3g}" if d else ""))


def _number(value: float | None) -> str:
    return "not known" if value is None else f"{value:.4g}"
