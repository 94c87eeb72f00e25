r"""Which unknowns are zero or equal: suggested by numbers, proved by identical equations.

Most unknowns of a Dyson system are equal to another one (Tr G_jk = Tr G_kj) or zero, and the
symbolic system is many times shorter once they are merged. So the equations are first solved in
floating point at generic parameters, before anything symbolic is made; then, to many digits, by
the witness. What they suggest must hold identically, or it is dropped (`MergingError`).
"""

from __future__ import annotations

from collections.abc import Iterable

import mpmath
import numpy as np
import sympy as sp

from .. import precision
from ..errors import OutsideTheoryError
from .dyson import DysonSystem, SelfEnergy, Support
from .pencil import Pencil, random_instance
from .scalar_system import DIGITS, MergingError, ScalarSystem, Witness, find_witness, scalar_system

Merged = dict[sp.Symbol, sp.Expr]

LARGE = 8  # spectral parameters against the other scalars, where the equations are iterated
CLOSE, ZERO = 1e-8, 1e-14  # relative difference, and size beside the largest, of numbers


def merge_equal(
    pencil: Pencil, energy: SelfEnergy, support: Support, spectral: Iterable[sp.Symbol]
) -> tuple[ScalarSystem, Witness]:
    """The scalar system with zero and equal unknowns merged, and its witness."""
    spectral = list(spectral)
    merged = suggested(pencil, energy, support, spectral)
    distinct: set[sp.Symbol] = set()
    while True:
        try:
            system = scalar_system(DysonSystem(pencil, energy, support, merged))
        except MergingError as problem:
            distinct |= set(problem.symbols)
            merged = without(merged, distinct)
            continue
        witness = find_witness(system, spectral)
        values = {u: witness.values[u] for u in system.equations}
        with precision.workdps(DIGITS + 10):
            close = mpmath.mpf(10) ** -(DIGITS - 20)
            more = without(alike(values, close, close), distinct)
        if not more:
            return system, witness
        merged = {**{u: more.get(v, v) for u, v in merged.items()}, **more}


def without(merged: Merged, distinct: set[sp.Symbol]) -> Merged:
    """What was suggested, but for unknowns that are not what they seemed."""
    return {u: v for u, v in merged.items() if u not in distinct and v not in distinct}


def alike(values: dict[sp.Symbol, object], close: float, zero: float) -> Merged:
    """Which numbers are zero, or equal to an earlier one."""
    merged: Merged = {}
    seen: list[sp.Symbol] = []
    for symbol, value in values.items():
        if abs(value) < zero:  # type: ignore[arg-type]
            merged[symbol] = sp.S.Zero
            continue
        for earlier in seen:
            if abs(value - values[earlier]) < close * abs(value):  # type: ignore[operator,arg-type]
                merged[symbol] = earlier
                break
        else:
            seen.append(symbol)
    return merged


def suggested(
    pencil: Pencil, energy: SelfEnergy, support: Support, spectral: list[sp.Symbol]
) -> Merged:
    """What a solution in floating point suggests; nothing where there is none."""
    from .physical_root import Components, newton, relative
    from .trace_values import DeterministicValues

    if energy.weights or not energy.unknowns:
        return {}
    matrices, scalars = random_instance(pencil, np.random.default_rng(1))
    scalars |= {s: LARGE * scalars[s] for s in spectral if s in scalars}
    given = {name: matrices[name] for name in pencil.model.fixed}
    values = {s: np.array([float(np.real(v))]) for s, v in scalars.items()}
    try:
        read = DeterministicValues.read(pencil.model, given)
        parts = Components(pencil, energy, support, values, read)
        equation, at = parts.whole, np.arange(1)
    except OutsideTheoryError:
        return {}
    u = equation.zero()
    with np.errstate(all="ignore"):
        for _ in range(300):
            new = equation.mapped(equation.green(u, at), at)
            step, u = new - u, new
            if relative(step, new)[0] < 1e-14:
                break
        u = newton(equation, u, at, 1.0, 3)
        settled = relative(equation.mapped(equation.green(u, at), at) - u, u)[0] < CLOSE
    if not settled:
        return {}
    found = {parts.symbols[key]: complex(u[index, 0]) for key, index in equation.keys.items()}
    largest = max(map(abs, found.values()), default=1.0)
    return alike({x.symbol: found[x.symbol] for x in energy.unknowns}, CLOSE, ZERO * largest)
