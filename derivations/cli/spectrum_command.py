"""`solvable spectrum`: the spectrum of data, and the power law in it.

The eigenvalues of the covariance of FILE (npy, npz, csv, txt, parquet; samples in rows), of a
kernel matrix or a list of eigenvalues; the population spectrum behind them, through the resolvent
of the sample covariance; α of λ_J = λ₊ J^-(1+α) with its interval, or the reason why the spectrum
is no power law. Files are read in blocks and may be larger than memory.

Criterion: each of five laws (power, exponential, power with cutoff, log-normal, white) is given the
longest range of ranks that it describes within 10 % (P(χ²) ≥ 0.05). The power law is refused where
its range is below a factor 10, where another law's range is longer by a quarter (in ln J), or where
another law is better on the same range (BIC lower by 6), and where rows that are held out do not
vary as the population says.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from solvable.analytic.errors import InputError

from . import options as types
from . import output

if TYPE_CHECKING:
    from solvable.analytic.data.population import PopulationSpectrum

SHOWN = 12  # rows of the table of the population


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `solvable spectrum`."""
    add = parser.add_argument
    add("file", metavar="FILE", help="samples in rows, or what --of says; FILE.npz:NAME for one "
        "array of several")  # fmt: skip
    add("--of", choices=("data", "kernel", "eigenvalues"), default="data",
        help="what FILE holds (default: data): samples, the kernel matrix of samples, or "
        "eigenvalues of a covariance")  # fmt: skip
    add("--samples", type=types.positive, metavar="T", help="with --of eigenvalues: how many "
        "samples they are of")  # fmt: skip
    add("--modes", type=types.count, metavar="M", help="number of modes of the population "
        "(default: the columns that vary; for a kernel or eigenvalues, not known)")  # fmt: skip
    add("--uncentred", action="store_true", help="do not subtract the mean of the samples")
    add("--confidence", type=types.positive, default=0.95, metavar="P",
        help="of the interval (default: 0.95)")  # fmt: skip
    add("--figure", metavar="FILE", help="draw spectrum, law and the prediction for so many "
        "samples, to a PNG, PDF or SVG file")  # fmt: skip
    types.add_format(parser)


def run(arguments: argparse.Namespace) -> int:
    """Read, estimate and print; exit status 0 whether or not there is a power law."""
    from solvable.analytic.data.outliers import bulk
    from solvable.analytic.data.population import population_spectrum
    from solvable.analytic.data.tails import fit_tail

    if arguments.figure:
        from solvable.validation.writing import check_writable

        check_writable(arguments.figure, "--figure")
    if not arguments.confidence < 1:
        raise InputError("--confidence", arguments.confidence, "a number between 0 and 1")
    sample = _sample(arguments)
    population = population_spectrum(sample)
    tail = fit_tail(population, float(arguments.confidence))
    structure = bulk(population, tail)
    if arguments.figure:
        from solvable.validation.spectrum_figure import draw_spectrum
        from solvable.validation.writing import replacing

        with replacing(arguments.figure, "--figure") as beside:
            draw_spectrum(population, tail, structure, beside)
    if arguments.format == "json":
        output.print_json(_data(population, tail, structure))
    else:
        _print(population, tail, structure)
    return 0


def _sample(arguments: argparse.Namespace) -> Any:
    """The sample spectrum of the file."""
    from dataclasses import replace

    from solvable.analytic.data.arrays import open_samples
    from solvable.analytic.data.sample_spectrum import (
        from_eigenvalues,
        kernel_spectrum,
        sample_spectrum,
    )

    file = open_samples(arguments.file)
    if arguments.of != "data":
        types.unused(arguments, f"--of {arguments.of}", "uncentred")
    if arguments.of == "eigenvalues":
        if arguments.samples is None:
            raise InputError("--samples", None, "the number of samples, with --of eigenvalues")
        return from_eigenvalues(file.whole(), float(arguments.samples), arguments.modes)
    types.unused(arguments, f"--of {arguments.of}", "samples")
    if arguments.of == "kernel":
        sample = kernel_spectrum(file, "FILE")
    else:
        sample = sample_spectrum(file, centred=not arguments.uncentred)
    if arguments.modes is None:
        return sample
    if arguments.modes < len(sample.eigenvalues):
        raise InputError("--modes", arguments.modes, f"at least {len(sample.eigenvalues)}, the "
                         "number of eigenvalues that are not zero")  # fmt: skip
    return replace(sample, inputs=arguments.modes)


def _data(population: PopulationSpectrum, tail: Any, structure: Any) -> dict[str, Any]:
    sample = population.sample
    low, high = population.interval(population.ranks)
    return {
        "alpha": tail.alpha and tail.alpha.to_dict(),
        "reason": tail.reason,
        "confidence": tail.confidence,
        "scale": tail.scale if tail.alpha else None,
        "range": [tail.power_law.first, tail.power_law.last],
        "laws": [
            {"law": fit.law, "range": [fit.first, fit.last], "parameters": fit.parameters,
             "probability": fit.probability, "bic": output.json_number(fit.bic)}
            for fit in (tail.power_law, *tail.others)
        ],
        "samples": sample.samples,
        "modes": population.size,
        "trace": sample.trace,
        "eigenvalues": sample.eigenvalues.tolist(),
        "population": {
            "rank": population.ranks.tolist(),
            "eigenvalue": population.eigenvalue(population.ranks).tolist(),
            "low": low.tolist(), "high": high.tolist(), "scatter": population.scatter,
        },
        "moments": _moments(population),
        "bulk": {"upper_edge": structure.upper_edge, "lower_edge": structure.lower_edge,
                 "separated": structure.separated, "outliers": list(structure.outliers)},
        "notes": _notes(population),
    }  # fmt: skip


def _notes(population: PopulationSpectrum) -> list[str]:
    """What a reader should know of the data, and what contradicts the population."""
    against = population.contradiction
    return [*population.sample.notes, *([f"doubtful population: {against}"] if against else [])]


def _moments(population: PopulationSpectrum) -> list[dict[str, Any]]:
    """Tr Λ^k of the estimate beside the unbiased estimate of the samples."""
    import math

    if population.sample.moments is None:
        return []
    rows = []
    for k, (value, error) in enumerate(zip(*population.sample.moments), start=1):
        own, own_error = population.trace(k)
        rows.append({"power": k, "population": own, "population_error": own_error,
                     "unbiased": float(value),
                     "unbiased_error": float(error) if math.isfinite(error) else None})  # fmt: skip
    return rows


def _print(population: PopulationSpectrum, tail: Any, structure: Any) -> None:
    sample = population.sample
    output.say(f"{len(sample.eigenvalues)} eigenvalues of {sample.samples:.6g} degrees of freedom, "
               f"{population.size} modes, trace {sample.trace:.6g}")  # fmt: skip
    for note in _notes(population):
        output.say(f"note: {note}")
    if tail.alpha:
        a = tail.alpha
        output.say(f"α = {a.value:.4f}, {a.low:.4f} to {a.high:.4f} ({tail.confidence:.4g} of "
                   f"confidence): λ_J = {tail.scale:.4g} J^-{1 + a.value:.4f} at ranks "
                   f"{tail.power_law.first:g} to {tail.power_law.last:.6g}")  # fmt: skip
    else:
        output.say(f"no power law: {tail.reason}")
    if structure.separated < len(sample.eigenvalues):
        output.say(f"bulk: up to {structure.upper_edge:.4g}, from {structure.lower_edge:.4g}; "
                   f"{structure.separated} eigenvalues stand apart above it")  # fmt: skip
    else:
        output.say(f"no bulk: all {structure.separated} eigenvalues stand apart")
    if structure.outliers:
        output.say("not explained by the law: ranks " + ", ".join(map(str, structure.outliers)))
    output.print_table(
        ("law", "ranks", "parameters", "P(χ²)"),
        [(fit.law, f"{fit.first:.4g} to {fit.last:.4g}" if fit.extent else "none",
          ", ".join(f"{name} {value:.4g}" for name, value in fit.parameters.items())
          if fit.extent else "–", f"{fit.probability:.2g}")
         for fit in (tail.power_law, *tail.others)],
    )  # fmt: skip
    low, high = population.interval(population.ranks)
    step = -(-len(low) // SHOWN)
    rows = list(zip(population.ranks, population.eigenvalue(population.ranks), low, high))
    output.print_table(
        ("rank", "population λ", "low", "high"),
        [tuple(f"{x:.4g}" for x in row) for row in [*rows[:-1:step], rows[-1]]],
    )
    if moments := _moments(population):
        output.print_table(
            ("k", "Tr Λ^k, population", "error", "unbiased", "error"),
            [(row["power"], f"{row['population']:.5g}", f"{row['population_error']:.2g}",
              f"{row['unbiased']:.5g}", "unknown" if row["unbiased_error"] is None else
              f"{row['unbiased_error']:.2g}") for row in moments],
        )  # fmt: skip
