r"""`solvable predict`: learning curves of real data, without a fitted parameter.

FILE holds samples in rows, --labels one label per sample. The test error of kernel ridge
regression on T of the samples is predicted from the kernel matrix and the labels of the pool alone,
by the site formula and the first loops beyond it, with the interval in which that of one training
set lies; beside it free compression and the textbook (eigenvalues and target alignment).
--measure K trains on K random subsets. The error is the squared distance to the target, on samples
that were not drawn. --times follows gradient flow from zero, by the site formula, to the ridge
solution at t = inf.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

from solvable.analytic.data.arrays import read_array, read_labels
from solvable.analytic.errors import InputError
from solvable.analytic.prediction import (
    KERNELS,
    KernelMatrix,
    Prediction,
    as_targets,
    kernel_matrix,
    predict,
)
from solvable.analytic.prediction.curves import ROUTES
from solvable.analytic.prediction.one_training_set import cross_validation
from solvable.analytic.prediction.targets import KINDS

from . import options as types
from . import output

POOL, LARGEST_POOL = 2000, 8000
FEWEST = 5  # members of a class, from which the error of one set is near log-normal

EPILOG = """\
Inputs x are divided by their root mean square norm; then, with u = cos of the angle of x and x',
  rbf      exp(-|x - x'|^2/(2 l^2))      l: the median distance of two samples, or --length
  laplace  exp(-|x - x'|/l)              (in the units of FILE)
  linear   x.x'
  relu     |x| |x'| [sin(arccos u) + (pi - arccos u) u]/pi                    (arc-cosine)
  ntk      |x| |x'| [sin(arccos u) + 2 (pi - arccos u) u]/(2 pi)     (one hidden ReLU layer)
The ridge G is that of (K + G)^-1, not divided by anything; with --features N, of
(phi phi^T/N + G)^-1, the average of phi phi^T/N being K.
Words, and whole numbers of 3 or more different values, name classes (targets 1 and 0, errors
summed over the classes); everything else is regressed as it stands.
Times t are those of df/dt = -K (f - y) - G f on the T samples drawn: rates are the eigenvalues of
their kernel matrix, not divided by T, plus G.
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `solvable predict`."""
    add = parser.add_argument
    add("data", metavar="FILE", help="samples in rows: npy, npz, csv, txt or parquet")
    add("--labels", required=True, metavar="FILE", help="a label per sample")
    add("--targets", choices=KINDS, default="auto", help="classes, or real values")
    add("--kernel", choices=KERNELS, required=True)
    add("--length", type=types.positive, metavar="L", help="of rbf and laplace")
    add("--samples", type=types.listed(types.count), required=True, metavar="T,T,…",
        help="sizes of the training set")  # fmt: skip
    add("--features", type=types.count_or_infinite, default=float("inf"), metavar="N|inf",
        help="random features of this kernel (default: inf, the kernel)")  # fmt: skip
    add("--ridge", type=types.positive, required=True, metavar="G", help="γ > 0")
    add("--times", type=types.listed(types.positive), metavar="t,t,…", help="training times of "
        "gradient flow at which the error is predicted too (N = inf)")  # fmt: skip
    add("--noise", type=types.nonnegative, default=0, metavar="S2",
        help="variance of noise added to all labels (default: 0)")  # fmt: skip
    add("--centred", action="store_true", help="subtract the mean of the inputs first; adds the "
        "prediction from their covariance alone (Hermite eigenstructure)")  # fmt: skip
    add("--pool", type=types.count, metavar="P",
        help=f"samples that are kept, at random (default: all, or {POOL})")  # fmt: skip
    add("--measure", type=types.count, metavar="K", help="train on K random subsets of each size")
    add("--seed", type=types.count_from_zero, metavar="S",
        help="of the pool, of training sets and of folds (default: 0)")  # fmt: skip
    add("--route", choices=ROUTES, default="loops", help="the site formula with loops beyond it "
        "(default), the formula alone, or free compression (fastest)")  # fmt: skip
    types.add_format(parser)


def run(arguments: argparse.Namespace) -> int:
    """Predict, measure and print."""
    settings: dict[str, Any] = {"features": float(arguments.features),
                                "noise": float(arguments.noise)}  # fmt: skip
    folds = bool(np.isinf(settings["features"])) and not settings["noise"]
    data, labels = _read(arguments, folds)
    seed = arguments.seed or 0
    if arguments.centred:
        data = data - data.mean(axis=0)
    length = None if arguments.length is None else float(arguments.length)
    kernel = kernel_matrix(data, arguments.kernel, length)
    targets = as_targets(labels, len(data), arguments.targets)
    notes = _notes(data, labels, targets)
    samples = np.array(arguments.samples)
    if arguments.times and not np.isinf(float(arguments.features)):
        raise InputError("--times", "given", "the kernel itself: --features inf")
    ridge = float(arguments.ridge)
    found = predict(kernel, targets, samples, ridge, route=arguments.route, **settings)
    columns = _columns(found)
    if arguments.centred:
        from solvable.analytic.prediction.hermite_eigenstructure import hermite_prediction

        columns["hermite"] = hermite_prediction(kernel, targets, samples, ridge,
                                                settings["features"])  # fmt: skip
    if np.isfinite(settings["features"]):
        notes.append("the draw of features enters the interval of one training set to first order "
                     "only: at small ridges and N near T it is too narrow by up to a half")
    if folds:
        columns |= _cross_validated(kernel.matrix, targets, samples, ridge, seed)
    if arguments.measure:
        from solvable.validation.subset_training import measure

        trained = measure(
            kernel, targets, samples, ridge, arguments.measure, seed=seed, **settings
        )
        columns["measured"] = trained.mean
        if arguments.measure > 1:
            columns["standard_error"] = trained.standard_error
            columns["measured_spread"] = trained.spread
    training = _training(kernel, targets, samples, arguments) if arguments.times else None
    heading = {
        "kernel": arguments.kernel, "length": kernel.length, "ridge": ridge,
        "features": output.json_number(settings["features"]), "noise": settings["noise"],
        "pool": len(data), "inputs": data.shape[1], "outputs": targets.shape[1],
        "seed": seed, "repetitions": arguments.measure,
    }  # fmt: skip
    if arguments.format == "json":
        lists: dict[str, Any] = {name: _plain(values) for name, values in columns.items()}
        for name in ("measured", "standard_error"):
            lists.setdefault(name, None)
        if training:
            lists["training_time"] = {name: x.tolist() for name, x in training.items()}
        output.print_json({**heading, **lists, "notes": notes})
    else:
        _print(heading, columns, notes)
        if training:
            _print_training(samples, training)
    return 0


def _training(
    kernel: KernelMatrix, targets: np.ndarray, samples: np.ndarray, arguments: argparse.Namespace
) -> dict[str, np.ndarray]:
    """Errors along training time: a row per size, a column per time."""
    from solvable.analytic.prediction.training_time import flow_errors

    times, ridge = np.array([float(t) for t in arguments.times]), float(arguments.ridge)
    noise = float(arguments.noise)
    found = {"times": times, "predicted": flow_errors(kernel, targets, samples, times, ridge,
                                                      noise)}  # fmt: skip
    if arguments.measure:
        from solvable.validation.subset_training import measure_flow

        mean, error = measure_flow(kernel, targets, samples, times, ridge, arguments.measure,
                                   noise=noise, seed=arguments.seed or 0)  # fmt: skip
        found["measured"] = mean
        if arguments.measure > 1:
            found["standard_error"] = error
    return found


def _print_training(samples: np.ndarray, training: dict[str, np.ndarray]) -> None:
    names = [name for name in training if name != "times"]
    rows = [
        [f"{size:g}", f"{time:g}", *(f"{training[name][i, j]:.4g}" for name in names)]
        for i, size in enumerate(samples)
        for j, time in enumerate(training["times"])
    ]
    output.print_table(["T", "t", *(_TITLES[name] for name in names)], rows)


def _read(arguments: argparse.Namespace, folds: bool) -> tuple[np.ndarray, np.ndarray]:
    """Samples and labels, of a random part of them where they are too many.

    Without that, without ``folds`` and training sets nothing is random, and a seed is refused.
    """
    data = read_array(arguments.data)
    labels = read_labels(arguments.labels, "--labels", samples=len(data))
    pool = arguments.pool
    if pool is None:
        pool = min(len(data), max(POOL, 2 * max(arguments.samples)))
    if not 2 <= pool <= min(len(data), LARGEST_POOL):
        raise InputError("--pool", pool, f"from 2 to {min(len(data), LARGEST_POOL)} samples")
    if max(arguments.samples) >= pool:
        raise InputError("--samples", max(arguments.samples), f"fewer than the pool of {pool}: "
                         "the rest is tested on")  # fmt: skip
    if pool == len(data) and not folds and not arguments.measure:
        types.unused(arguments, "features or noise, the whole pool and no --measure", "seed")
    if pool < len(data):
        kept = np.sort(np.random.default_rng(arguments.seed or 0).permutation(len(data))[:pool])
        data, labels = data[kept], labels[kept]
    return data, labels


def _notes(data: np.ndarray, labels: np.ndarray, targets: np.ndarray) -> list[str]:
    """What the reader of the numbers has to know about the data."""
    _, first, place = np.unique(data, axis=0, return_index=True, return_inverse=True)
    repeated = len(data) - len(first)
    still = int(np.sum(np.ptp(data, axis=0) == 0))
    notes = []
    if still:
        notes.append(f"{still} of {data.shape[1]} columns are constant: they act as an offset")
    counts = [np.unique(y, return_counts=True)[1] for y in targets.T]
    if (rarest := min((int(c.min()) for c in counts if len(c) == 2), default=FEWEST)) < FEWEST:
        members = f"{rarest} member{'s' * (rarest != 1)}"
        notes.append(f"the rarest class has {members}: which of them are drawn decides, and the "
                     "interval of one set does not hold")  # fmt: skip
    if not repeated:
        return notes
    notes += [f"{repeated} of {len(data)} rows repeat another: their error is seen in training, "
             "and the curves are those of data with copies"]  # fmt: skip
    place = place.ravel()
    same = np.asarray(labels[first][place] == labels).reshape(len(data), -1).all(axis=1)
    if not same.all():
        notes.append(f"{int((~same).sum())} of them have another label than their copy")
    return notes


def _columns(found: Prediction) -> dict[str, np.ndarray]:
    columns = {"samples": found.samples, "predicted": found.predicted}
    if not np.isnan(found.spread).any():
        columns |= {"accuracy": found.accuracy, "low": found.low, "high": found.high,
                    "spread": found.spread}  # fmt: skip
    columns["train"] = found.train
    return columns | {name.replace("-", "_"): values for name, values in found.others.items()}


def _cross_validated(
    matrix: np.ndarray, targets: np.ndarray, samples: np.ndarray, ridge: float, seed: int
) -> dict[str, np.ndarray]:
    """What one training set of each size says about its own test error."""
    found = []
    for size in samples:
        rng = np.random.default_rng(np.random.SeedSequence([seed, int(size)]))
        drawn = rng.permutation(len(targets))[:size]
        found.append(cross_validation(matrix[np.ix_(drawn, drawn)], targets[drawn], ridge))
    general, left_out = np.array(found).T
    return {"cross_validation": general, "leave_one_out": left_out}


def _plain(values: np.ndarray) -> list[Any]:
    whole = bool(np.all(values == np.round(values))) and np.max(np.abs(values)) < 1e15
    return [int(x) if whole else float(x) for x in values]


_TITLES = {
    "samples": "T", "predicted": "predicted", "accuracy": "±", "low": "one set: low",
    "high": "high", "train": "training", "site_formula": "sites alone",
    "free_compression": "free compr.", "textbook": "textbook", "hermite": "covariance",
    "cross_validation": "GCV, one set", "measured": "measured",
    "standard_error": "± (s.e.)",
}  # fmt: skip


def _print(heading: dict[str, Any], columns: dict[str, np.ndarray], notes: list[str]) -> None:
    length = "" if heading["length"] is None else f", ℓ = {heading['length']:.6g}"
    output.say(f"{heading['kernel']} kernel{length}, ridge {heading['ridge']:g}, N = "
               f"{heading['features']}; a pool of {heading['pool']} samples of {heading['inputs']} "
               f"inputs, {heading['outputs']} target column(s)")  # fmt: skip
    shown = [name for name in _TITLES if name in columns]
    rows = [
        [f"{columns[name][i]:g}" if name == "samples" else f"{columns[name][i]:.4g}"
         for name in shown]
        for i in range(len(columns["samples"]))
    ]  # fmt: skip
    output.print_table([_TITLES[name] for name in shown], rows)
    if "low" in columns:
        output.say("low, high: the interval of one training set, for 95 of 100 draws; measured on "
                   "packaged data it holds 92 to 97 of them at ridges from 0.001 to 10.")
    for note in notes:
        output.say(f"Note: {note}.")
