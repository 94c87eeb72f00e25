"""Numbers for `solvable derive`: --at, --eigenvalues, --density, --support, --simulate."""

from __future__ import annotations

import argparse
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import mpmath
import numpy as np
import sympy as sp

from solvable.analytic.errors import InputError
from solvable.analytic.typesetting import one_line

from . import options as types
from . import output

if TYPE_CHECKING:
    from solvable.analytic.free_probability import Derived

DRAWS = 16


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add = parser.add_argument
    add("--at", metavar="NAME=VALUE,…", help='evaluate, for instance "N=400,T=600,z=0.3"')
    add("--eigenvalues", action="append", default=[], metavar="L=V,V,…",
        help="eigenvalues of a deterministic matrix, for --at")  # fmt: skip
    add("--digits", type=types.digits, help="digits of the value (default: float64)")
    add("--density", metavar="FROM:TO:POINTS", help="spectral density of a resolvent")
    add("--support", action="store_true", help="edges, gaps, atoms and outliers of the spectrum")
    add("--simulate", action="store_true", help=f"compare with {DRAWS} draws at these sizes")


def check(arguments: argparse.Namespace) -> None:
    """`InputError` where what needs the numbers of --at is given without them."""
    wanted = [n for n in ("eigenvalues", "density", "support", "simulate", "digits")
              if getattr(arguments, n)]  # fmt: skip
    if arguments.at is None and wanted:
        raise InputError(f"--{wanted[0]}", "no numbers", 'also --at "NAME=VALUE,…"')


def numbers(equations: Derived, arguments: argparse.Namespace) -> dict[str, Any]:
    """Everything that was asked for in numbers."""
    check(arguments)
    if arguments.at is None:
        return {}
    values, eigenvalues = _texts(arguments)
    matrices = _floats(eigenvalues)
    found: dict[str, Any] = {}
    if arguments.density or arguments.support:
        parameters = {k: _float(v) for k, v in values.items()}
        parameters = {k: v for k, v in parameters.items() if k not in map(str, equations.spectral)}
        if arguments.density:
            points = _points(arguments.density)
            density = equations.density(points, parameters, matrices)
            found["density"] = [[float(x), float(d)] for x, d in zip(points, density)]
        if arguments.support:
            from solvable.analytic.free_probability import SelfConsistentEquations
            from solvable.analytic.free_probability.support import support_of

            if not isinstance(equations, SelfConsistentEquations):
                allowed = "the reduced equations of a resolvent tr(inv(B + z*I))"
                raise InputError("--support", "another expression", allowed)
            support = support_of(equations, parameters, matrices)
            found["support"] = [list(interval) for interval in support.intervals]
            found["atoms"] = [list(atom) for atom in support.atoms]
            found["outliers"] = list(support.outliers)
        if missing := set(map(str, equations.spectral)) - set(values):
            types.unused(arguments, f"no {min(missing)} in --at", "digits", "simulate")
            return found
    return {**_value(equations, values, eigenvalues, arguments), **found}


def _value(
    equations: Derived,
    values: dict[str, str],
    eigenvalues: dict[str, list[str]],
    arguments: argparse.Namespace,
) -> dict[str, Any]:
    digits = arguments.digits
    if digits:
        with mpmath.workdps(digits):
            exact = {k: _exact(v) for k, v in values.items()}
            vectors = {k: [_exact(v) for v in vector] for k, vector in eigenvalues.items()}
            solution = equations.solve(exact, vectors)
            value: Any = mpmath.nstr(solution.value, digits)
    else:
        plain = {k: _float(v) for k, v in values.items()}
        solution = equations.solve(plain, _floats(eigenvalues))
        value = solution.value
    found: dict[str, Any] = {
        "value": _plain(value),
        "certified_by": solution.certified_by,
        "margin": float(solution.margin) if np.isfinite(solution.margin) else None,
        "residual": float(solution.residual),
        "at": {str(u): _plain(x) for u, x in solution.unknowns.items()},
    }
    if arguments.simulate:
        found["simulation"] = _simulated(equations, values, _floats(eigenvalues))
    return found


def _simulated(
    equations: Derived, values: dict[str, str], matrices: dict[str, Any]
) -> dict[str, Any]:
    """Mean and standard error of the expression over draws at these very sizes."""
    from solvable.validation.matrix_expressions import Instance, sample

    names = {str(d) for d in equations.model.dimensions()}
    sizes = {k: _whole(k, v) for k, v in values.items() if k in names}
    for name, vector in matrices.items():
        sizes.setdefault(str(equations.model.fixed[name].symbol.rows), len(vector))
    if max(sizes.values(), default=0) > 3000:
        raise InputError("--simulate", max(sizes.values()), "sizes up to 3000")
    scalars = {k: _float(v) for k, v in values.items() if k not in names}
    arrays = {k: np.asarray(v, float) for k, v in matrices.items()}
    drawn = sample(equations, Instance(sizes, scalars, arrays), 1, DRAWS, 0)
    error = float(np.std(drawn, ddof=1) / np.sqrt(DRAWS))
    return {"mean": _plain(complex(np.mean(drawn))), "standard_error": error, "draws": DRAWS}


def _whole(name: str, text: str) -> int:
    number = _float(text)
    if number.imag or number.real % 1:
        raise InputError("--simulate", f"{name} = {text}", "whole sizes")
    return int(number.real)


def _plain(value: Any) -> Any:
    """A number for printing: real if it is."""
    if isinstance(value, str):
        return value
    number = complex(value)
    return number.real if number.imag == 0 else str(number)


def given(arguments: argparse.Namespace) -> tuple[dict[str, Any], dict[str, Any]]:
    """The numbers of --at and the eigenvalues, in float64."""
    values, eigenvalues = _texts(arguments)
    return {k: _float(v) for k, v in values.items()}, _floats(eigenvalues)


def _texts(arguments: argparse.Namespace) -> tuple[dict[str, str], dict[str, list[str]]]:
    """What stands behind every name of --at and --eigenvalues, each given once."""
    values = [_assigned(part) for part in arguments.at.split(",") if part.strip()]
    vectors = [_eigenvalues(text) for text in arguments.eigenvalues]
    names = [name for name, _ in (*values, *vectors)]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise InputError("--at", f"{twice[0]} twice", "one value for each name")
    return dict(values), dict(vectors)


def _assigned(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign or not name.strip() or not value.strip():
        raise InputError("--at", repr(text), "NAME=VALUE, separated by commas")
    return name.strip(), value.strip()


def _eigenvalues(text: str) -> tuple[str, list[str]]:
    name, sign, rest = text.partition("=")
    values = [v.strip() for v in rest.split(",") if v.strip()]
    if not sign or not values or any(_float(v).imag for v in values):
        raise InputError("--eigenvalues", repr(text), "NAME=VALUE,VALUE,…, real numbers")
    return name.strip(), values


def _floats(eigenvalues: dict[str, list[str]]) -> dict[str, list[float]]:
    return {name: [_float(v).real for v in vector] for name, vector in eigenvalues.items()}


def _float(text: str) -> complex | float:
    try:
        number = complex(text.replace(" ", "").replace("i", "j"))
    except ValueError:
        return float(_fraction(text))
    return number if number.imag else number.real


def _fraction(text: str) -> Fraction:
    try:
        return types.exact(text)
    except argparse.ArgumentTypeError as problem:
        raise InputError("--at", repr(text), "numbers, fractions or complex a+bi") from problem


def _exact(text: str) -> Any:
    if text.endswith(("i", "j")):
        _float(text)  # refuses what is no number
        return mpmath.mpmathify(text.replace("i", "j"))
    value = _fraction(text)
    return mpmath.mpf(value.numerator) / value.denominator


def _points(text: str) -> Any:
    parts = text.split(":")
    if len(parts) != 3 or not parts[2].strip().isdigit() or not 1 <= int(parts[2]) <= 100_000:
        raise InputError("--density", repr(text), "FROM:TO:POINTS, 1 to 100000 points")
    return np.linspace(_float(parts[0]).real, _float(parts[1]).real, int(parts[2]))


def print_numbers(found: dict[str, Any]) -> None:
    """The numbers as text."""
    labels = {"margin": "1 − ρ", "certified_by": "certified by"}
    for name in ("value", "residual", "margin", "certified_by"):
        if found.get(name) is not None:
            print(f"{labels.get(name, name)}: {found[name]}")
    if drawn := found.get("simulation"):
        mean, error = drawn["mean"], drawn["standard_error"]
        mean = f"{complex(mean):.6g}" if isinstance(mean, str) else f"{mean:.6g}"
        print(f"simulation: {mean} ± {error:.1e} ({drawn['draws']} draws at these sizes)")
    if "support" in found:
        print("support:", " ∪ ".join(f"[{a:.12g}, {b:.12g}]" for a, b in found["support"]))
        for place, weight in found["atoms"]:
            print(f"atom: weight {weight:.12g} at {place:.12g}")
        for place in found["outliers"]:
            print(f"outlier: {place:.12g}")
    if "at" in found:
        for name, value in found["at"].items():
            print(f"  {one_line(sp.Symbol(name))} = {value}")
    if "density" in found:
        rows = [(f"{x:.6g}", f"{d:.6g}") for x, d in found["density"]]
        output.print_table(("x", "density"), rows)
