"""`solvable dimension`: how many dimensions data have.

Two-NN and maximum-likelihood intrinsic dimension, participation ratio of the covariance, degrees of
freedom D₁ at --ridge, the exponent d of ⟨δ⟩ ∝ T^(-1/d), the mean distance to the nearest of T
samples, each with a 95 % interval, and the number M of modes that the spectrum shows. These are
answers to different questions and differ: distances see some tens of dimensions where a power-law
spectrum has thousands of modes. M shows in losses: --losses TABLE, with or without FILE, fits the
exact loss of the solvable model to a table as `solvable fit --form exact` does and gives M, or says
that the table does not determine it.
"""

from __future__ import annotations

import argparse
import math
from typing import TYPE_CHECKING, Any

from solvable.analytic.errors import InputError

from . import options as types
from . import output

if TYPE_CHECKING:
    from solvable.analytic.data.population import PopulationSpectrum

NEIGHBOURS, MOST_NEIGHBOURS = 10, 1000


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `solvable dimension`."""
    add = parser.add_argument
    add("file", nargs="?", metavar="FILE", help="samples in rows (npy, npz, csv, txt, parquet)")
    add("--losses", metavar="TABLE", help="columns features, samples and loss, of models "
        "trained on such data: M from them")  # fmt: skip
    add("--ridge", type=types.positive, metavar="R", help="of D₁, in units of the eigenvalues of "
        "the covariance (default: their mean)")  # fmt: skip
    add("--neighbours", type=types.count, metavar="K",
        help="of the maximum-likelihood estimate (default: 10)")  # fmt: skip
    types.add_format(parser)


def run(arguments: argparse.Namespace) -> int:
    """Measure and print."""
    neighbours = NEIGHBOURS if arguments.neighbours is None else arguments.neighbours
    if not 2 <= neighbours <= MOST_NEIGHBOURS:
        raise InputError("--neighbours", neighbours, f"an integer from 2 to {MOST_NEIGHBOURS}")
    if arguments.file is None and arguments.losses is None:
        raise InputError("FILE", None, "samples, or --losses TABLE, or both")
    if arguments.file is None:
        types.unused(arguments, "--losses alone", "ridge", "neighbours")
    data = {} if arguments.file is None else _of_samples(arguments, neighbours)
    if arguments.losses is not None:
        data["latent_dimension"] = _of_losses(arguments.losses)
    if arguments.format == "json":
        output.print_json(data)
        return 0
    if arguments.file is not None:
        _print(data)
    if arguments.losses is not None:
        _print_latent(data["latent_dimension"])
    return 0


def _of_samples(arguments: argparse.Namespace, neighbours: int) -> dict[str, Any]:
    """What distances and the spectrum of samples say."""
    from solvable.analytic.data.arrays import as_samples, open_samples
    from solvable.analytic.data.dimension import dimension
    from solvable.analytic.data.population import population_spectrum
    from solvable.analytic.data.sample_spectrum import sample_spectrum
    from solvable.analytic.data.tails import fit_tail

    rows = open_samples(arguments.file).whole()
    found = dimension(as_samples(rows, "FILE"), neighbours=neighbours)
    sample = sample_spectrum(as_samples(rows, "FILE"))
    population = population_spectrum(sample)
    ridge = float(arguments.ridge or sample.trace / population.size)
    tail = fit_tail(population)
    return {
        "samples": found.samples, "inputs": found.inputs,
        "two_nearest": found.two_nearest.to_dict(),
        "maximum_likelihood": found.likelihood.to_dict(),
        "participation_ratio": found.participation.to_dict(),
        "degrees_of_freedom": _degrees_of_freedom(population, ridge),
        "nearest_distance_exponent": _plain(found.distance_exponent),
        "nearest_distance": {"samples": found.sizes.tolist(),
                             "distance": found.distances.tolist()},
        "modes": _modes(sample, population),
        "alpha": tail.alpha and tail.alpha.to_dict(),
        "notes": [*found.notes, *sample.notes,
                  *([f"doubtful: {sample.doubt}"] if sample.doubt else [])],
    }  # fmt: skip


def _degrees_of_freedom(population: PopulationSpectrum, ridge: float) -> dict[str, float]:
    """D₁ at a ridge, with what the ends of the population's interval give."""
    nodes, counts = population.curve.nodes
    own, low, high = (
        float(counts @ (values / (values + ridge)))
        for values in (population.eigenvalue(nodes), *population.interval(nodes))
    )
    return {"value": own, "low": low, "high": high, "ridge": ridge}


def _of_losses(path: str) -> dict[str, Any]:
    """M and α of the exact loss fitted to a table; None where it does not determine them."""
    from solvable.analytic.data.arrays import read_table
    from solvable.analytic.fits import fit, loss_table

    table = loss_table(read_table(path, "--losses"))
    found = fit(table, "exact")
    answers: dict[str, Any] = {}
    for name in ("M", "alpha"):
        one = found.parameters[name]
        answers[name] = _ends(one.value, one.low, one.high) | {
            "determined": one.determined, "reason": one.reason or None}  # fmt: skip
    return {**answers["M"], "alpha": answers["alpha"], "scatter": found.scatter,
            "ridge": found.settings["ridge"], "notes": list(table.notes)}  # fmt: skip


def _ends(*values: float | None) -> dict[str, float | None]:
    plain = (x if x is None or math.isfinite(x) else None for x in values)
    return dict(zip(("value", "low", "high"), plain))


def _print_latent(found: dict[str, Any]) -> None:
    high = "∞" if found["high"] is None else f"{found['high']:.4g}"
    if found["determined"]:
        output.say(
            f"latent dimension from losses: M = {found['value']:.4g}, {found['low']:.4g} to {high}"
        )
    else:
        output.say(f"latent dimension from losses: undetermined, {found['low']:.4g} to {high} "
                   f"({found['reason']})")  # fmt: skip
    alpha = found["alpha"]
    if alpha["determined"]:
        output.say(f"α from losses: {alpha['value']:.4f}, {alpha['low']:.4f} to "
                   f"{alpha['high']:.4f}; scatter {100 * found['scatter']:.2g} %, "
                   f"ridge {found['ridge']}")  # fmt: skip
    for note in found["notes"]:
        output.say(f"note: {note}")


def _plain(interval: Any) -> dict[str, Any]:
    return _ends(interval.value, interval.low, interval.high)


def _modes(sample: Any, population: PopulationSpectrum) -> dict[str, Any]:
    """M, where samples outnumber the columns and so show the end of the spectrum."""
    seen = sample.samples > len(sample.eigenvalues) >= population.size
    return {"value": population.size if seen else None, "at_least": len(sample.eigenvalues),
            "reason": None if seen else "fewer samples than columns: the end of the spectrum is "
            "not seen"}  # fmt: skip


def _print(data: dict[str, Any]) -> None:
    for note in data["notes"]:
        output.say(f"note: {note}")
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
    count = modes["value"] or f"{modes['at_least']} or more ({modes['reason']})"
    output.say(f"modes of the spectrum: {count}")
    if data["alpha"]:
        alpha = data["alpha"]["value"]
        d = data["nearest_distance_exponent"]["value"]
        output.say(f"α = {alpha:.3f}" + (f": d α = {d * alpha:.3g}" if d else ""))


def _number(value: float | None) -> str:
    return "not known" if value is None else f"{value:.4g}"
