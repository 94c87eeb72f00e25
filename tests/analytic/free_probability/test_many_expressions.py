"""Expressions made at random: every value certified, compared with a second method and with draws.

The second method shares nothing with the solver but the symbolic equations before their reduction:
the variances are raised from zero, u = t f(u) with t → 1, by Newton's method with numerical
derivatives in steps that change u by little, on functions that sympy compiles.
"""

import time
from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import sympy as sp
from pytest import mark

from solvable.analytic.errors import OutsideTheoryError
from solvable.analytic.free_probability import UnreducedEquations, derive, parse_declarations
from solvable.analytic.free_probability.scalar_system import ordered_atoms

MODEL = {
    "gaussian": ["X:M,T:1/T", "Y:M,N:1/N", "Z:T,K:1/K"],
    "symmetric": ["W:M:1/M"],
    "deterministic": ["L:M"],
}
SLOW = 0.1  # seconds for one solution
SECOND_ORDER = 2e-3  # of a value, at sizes above 60
TWO_METHODS = 1e-7


class Maker:
    """Random expressions with positive spectra on the space of dimension M."""

    def __init__(self, rng, depth):
        self.rng, self.depth, self.shifts = rng, depth, 0

    def shift(self):
        """A new positive scalar, or one that was used."""
        self.shifts += bool(self.shifts < 2 and (self.rng.random() < 0.7 or not self.shifts))
        return "ab"[self.rng.integers(self.shifts)]

    def simple(self):
        """A positive matrix without an inverse."""
        return str(
            self.rng.choice(
                ["X*X.T", "Y*Y.T", "sqrt(L)*X*X.T*sqrt(L)", "L", "W*W", "X*Z*Z.T*X.T", "2*Y*Y.T"]
            )
        )

    def positive(self, depth):
        """A positive matrix, inverses nested up to a depth."""
        kind = self.rng.integers(6 if depth else 2)
        if kind == 0:
            return self.simple()
        if kind == 1:
            return f"({self.simple()} + {self.simple()})"
        if kind == 2:
            return f"X*inv(X.T*X + {self.shift()}*I)*X.T"
        inverse = f"inv({self.positive(depth - 1)} + {self.shift()}*I)"
        if kind == 3:
            return inverse
        if kind == 4:
            return f"({inverse} + {self.simple()})"
        return f"{inverse}*{self.simple()}*{inverse}"

    def text(self):
        """A normalised trace with the outer shift z."""
        kind = self.rng.integers(5)
        body = self.positive(1 if kind == 2 else self.depth)
        if kind == 0:
            body = f"inv({self.positive(1)} + {self.shift()}*I)*{self.simple()}"
        outer = f"inv({body} + z*I)"
        if kind == 1:
            return f"tr({outer}*{self.simple()})"
        if kind == 2:
            return f"tr({outer}*{self.simple()}*{outer})"
        return f"tr({outer})"


def drawn_numbers(rng, equations):
    """Sizes and scalars, integers or floats, and the eigenvalues of L."""
    numbers = {}
    for symbol in equations.all_scalars():
        if symbol.name in "MTNK":
            size = int(rng.integers(60, 240))
            numbers[symbol.name] = size if rng.random() < 0.5 else float(size)
        elif rng.random() < 0.5:
            numbers[symbol.name] = int(rng.integers(1, 4))
        else:
            numbers[symbol.name] = float(np.exp(rng.uniform(np.log(0.05), np.log(5))))
    matrices = {}
    if "L" in equations.model.fixed:
        matrices["L"] = rng.uniform(0.2, 2, int(numbers["M"]))
    return numbers, matrices


def second_method(equations, numbers, matrices):
    """The value by raising the variances, without blocks, certificates and reduction."""
    system = equations.system
    symbols = list(system.unexpanded)
    formulas = [*system.unexpanded.values(), *system.shifts.values(), *system.outputs]
    known = {s: complex(numbers[s.name]) for s in equations.all_scalars()}
    compiled = compiled_formulas(formulas, matrices, [*known, *symbols, *system.shifts])
    count, shifts = len(symbols), list(system.shifts)

    def evaluated(u, kappas):
        return compiled({**known, **dict(zip(symbols, u)), **dict(zip(shifts, kappas))})

    def right(u):
        return np.array(evaluated(u, [1.0] * len(shifts))[:count])

    def newton(u, t):
        for _ in range(12):
            defect = u - t * right(u)
            step = 1e-7 * (1e-3 + np.abs(u))
            slopes = np.array(
                [(right(u + step[k] * row) - right(u - step[k] * row)) / (2 * step[k])
                 for k, row in enumerate(np.eye(count))]
            ).T  # fmt: skip
            change = np.linalg.solve(np.eye(count) - t * slopes, defect)
            u = u - change
            if np.abs(change).max(initial=0) < 1e-12 * (1e-6 + np.abs(u).max(initial=0)):
                break
        return u

    t, u = 1e-3, np.zeros(count, complex)
    for _ in range(60):
        u = t * right(u)
    u, ratio = newton(u, t), 1.3
    while t < 1:
        target = min(1.0, t * ratio)
        new = newton(u * (target / t), target)
        moved, size = (np.abs(x).max(initial=0) for x in (new - u, u))
        if np.all(np.isfinite(new)) and moved <= 0.7 * size:
            t, u, ratio = target, new, min(ratio * 1.1, 2.0)
        else:
            ratio = 1 + (ratio - 1) / 3
            if ratio < 1.0001:
                return np.nan
    kappas = evaluated(u, [1.0] * len(shifts))[count : count + len(shifts)]
    outputs = evaluated(u, kappas)[count + len(shifts) :]
    slots = dict(zip(equations.function.slots, outputs))
    traces = [m.rows * o for m, o in zip(equations.function.matrices, slots.values())]
    value = equations.function.at([complex(sp.sympify(t).subs(known)) for t in traces])
    return complex(value.subs(known)).real


def compiled_formulas(formulas, matrices, symbols):
    """Formulas in traces as one function of numbers, by `sympy.lambdify`."""
    atoms = ordered_atoms(formulas)
    names = {atom: sp.Dummy() for atom in atoms}
    bodies = [formula.xreplace(names) for formula in formulas]
    whole = sp.lambdify([*symbols, *names.values()], bodies, "numpy", dummify=True)
    letters = [
        sp.lambdify([*atom.letters, *symbols], sp.Mul(*atom.factors), "numpy", dummify=True)
        for atom in atoms
    ]

    def value(numbers):
        arguments = [numbers[s] for s in symbols]
        traces = [np.sum(f(matrices["L"], *arguments)) for f in letters]
        with np.errstate(all="ignore"):
            return [complex(x) for x in whole(*arguments, *traces)]

    return value


def simulated(equations, text, numbers, matrices, rng, draws=8):
    """The value at infinite size and its standard error, from draws at two sizes.

    The bias falls as 1/N and the spread of a trace too: twice the mean at double size less the
    mean. The expression is evaluated as Python.
    """
    means, pooled = [], 0.0
    for scale in (1, 2):
        values = [drawn(text, numbers, matrices, rng, scale) for _ in range(draws)]
        means.append(np.mean(values))
        pooled += scale**2 * np.var(values, ddof=1) / 2
    return float(2 * means[1] - means[0]), float(np.sqrt(2 * pooled / draws))


def drawn(text, numbers, matrices, rng, scale):
    """The trace of one draw, all sizes multiplied by ``scale``."""
    sizes = {name: scale * int(numbers.get(name, 100)) for name in "MTNK"}
    m, t, n, k = sizes.values()
    wigner = rng.standard_normal((m, m))
    room = {
        "X": rng.standard_normal((m, t)) / t**0.5,
        "Y": rng.standard_normal((m, n)) / n**0.5,
        "Z": rng.standard_normal((t, k)) / k**0.5,
        "W": (wigner + wigner.T) / (2 * m) ** 0.5,
        "L": np.diag(np.repeat(matrices.get("L", np.ones(m // scale)), scale)),
    }
    return evaluated_text(text, room, numbers | sizes)


def evaluated_text(text, room, numbers):
    """The trace of an expression in matrices, by numpy alone."""
    model = parse_declarations(**MODEL)
    from solvable.analytic.free_probability.text import parse_expression

    function = derive_free(parse_expression(text, model, ()))

    def matrix(e, rows):
        if isinstance(e, sp.MatrixSymbol):
            return room[e.name]
        if isinstance(e, sp.Identity):
            return np.eye(rows)
        if e.is_Matrix is not True and not isinstance(e, sp.MatrixExpr):
            return float(e.subs({s: numbers[s.name] for s in e.free_symbols}))
        if isinstance(e, sp.Transpose):
            return matrix(e.arg, rows).T
        if isinstance(e, sp.Inverse):
            return np.linalg.inv(matrix(e.arg, size(e)))
        if isinstance(e, sp.MatPow):
            base = matrix(e.base, rows)
            power = float(e.exp)
            return np.sqrt(base) if power == 0.5 else np.linalg.matrix_power(base, int(power))
        parts = [matrix(a, size(a, rows)) for a in e.args]
        total = parts[0]
        for part in parts[1:]:
            plain = isinstance(e, sp.MatAdd)
            both = np.ndim(total) == 2 and np.ndim(part) == 2
            total = total + part if plain else (total @ part if both else total * part)
        return total

    def size(e, rows=None):
        shape = getattr(e, "shape", None)
        return int(numbers[shape[0].name]) if shape else rows

    whole = matrix(function, size(function))
    return np.trace(whole) / len(whole)


def derive_free(expression):
    """The matrix under a normalised trace."""
    (trace,) = expression.atoms(sp.Trace)
    return trace.arg


@dataclass
class Survey:
    """What became of many expressions."""

    counts: Counter = field(default_factory=Counter)
    times: list = field(default_factory=list)
    derived: list = field(default_factory=list)
    wrong: list = field(default_factory=list)
    refused: list = field(default_factory=list)

    def __str__(self):
        median, longest = 1e3 * np.median(self.times), 1e3 * max(self.times)
        return (
            f"{dict(self.counts)}; solved in {median:.1f} ms (median), {longest:.0f} ms (longest); "
            f"derived in {np.median(self.derived):.3f} s (median), {max(self.derived):.1f} s"
        )


def survey(count, seed, draws_of, depth=2):
    """Derive, solve and compare ``count`` expressions, ``draws_of`` of them with simulation."""
    found, seen, index = Survey(), set(), 0
    model = parse_declarations(**MODEL)
    while len(seen) < count:
        rng = np.random.default_rng((seed, index))
        index += 1
        text = Maker(rng, depth).text()
        if text in seen:
            continue
        seen.add(text)
        start = time.process_time()
        try:
            equations = derive(text, model, seconds=3.0)
        except OutsideTheoryError as problem:
            found.counts["not derived"] += 1
            found.refused.append((text, str(problem)))
            continue
        found.derived.append(time.process_time() - start)
        found.counts["in blocks"] += isinstance(equations, UnreducedEquations)
        numbers, matrices = drawn_numbers(rng, equations)
        compare(found, equations, text, numbers, matrices, rng, len(seen) <= draws_of)
    return found


def compare(found, equations, text, numbers, matrices, rng, simulate):
    """Solve once and compare."""
    start = time.process_time()
    try:
        solution = equations.solve(numbers, matrices)
    except OutsideTheoryError as problem:
        found.counts["refused"] += 1
        found.wrong.append((text, numbers, str(problem)))
        return
    found.times.append(time.process_time() - start)
    found.counts["certified"] += bool(solution.margin > 0 and solution.residual < 1e-8)
    found.counts["slow"] += found.times[-1] > SLOW
    if isinstance(equations, UnreducedEquations):  # the second method takes reduced traces
        other, simulate = solution.value, True
    else:
        other = second_method(equations, numbers, matrices)
    if np.isnan(other):
        found.counts["second method gives up"] += 1
    elif abs(other - solution.value) > TWO_METHODS * abs(solution.value):
        found.wrong.append((text, numbers, solution.value, other))
    if simulate:
        mean, error = simulated(equations, text, numbers, matrices, rng)
        found.counts["simulated"] += 1
        if abs(mean - solution.value) > within(solution.value, error):
            found.wrong.append((text, numbers, solution.value, "draws", mean, error))


def within(value, error):
    """What a mean of draws may be off: five standard errors and the next order of 1/N."""
    return 5 * error + SECOND_ORDER * abs(value)


@mark.thorough
def test_many_expressions():
    count, draws = 18, 6
    found = survey(count, 7, draws, depth=1)
    print(found)
    assert not found.wrong, found.wrong
    derived = len(found.derived)
    assert found.counts["certified"] == derived == count, found.refused
    assert found.counts["simulated"] >= draws
    assert found.counts["second method gives up"] <= 2
    assert np.median(found.times) < 0.05


def test_the_comparison_finds_a_wrong_value():
    """The other root of a nested inverse is not what the second method finds."""
    equations = derive("tr(inv(X*X.T + z*I))", parse_declarations(["X:M,T:1/T"]))
    numbers = {"M": 100, "T": 150, "z": 0.3}
    value = equations.solve(numbers).value
    other = second_method(equations, numbers, {})
    rng = np.random.default_rng(0)
    mean, error = simulated(equations, "tr(inv(X*X.T + z*I))", numbers, {}, rng)
    assert abs(other / value - 1) < TWO_METHODS and abs(mean - value) < within(value, error)
    assert abs(1.03 * mean - value) > within(value, error)
    c, z = 100 / 150, 0.3
    wrong = (-(z + 1 - c) - ((z + 1 - c) ** 2 + 4 * c * z) ** 0.5) / (2 * c * z)
    assert abs(wrong / other - 1) > 1


@mark.slow
def test_a_root_far_from_where_iterations_begin():
    """Inverses nested twice around matrices that share a small ridge."""
    rng = np.random.default_rng((2026, 613))
    text = Maker(rng, 2).text()
    equations = derive(text, parse_declarations(**MODEL), seconds=1.0)
    numbers = {"M": 233, "N": 88, "T": 113, "a": 0.15124350459870156, "z": 1.9139196133111802}
    matrices = {"L": rng.uniform(0.2, 2, 233)}
    solution = equations.solve(numbers, matrices)
    assert "spectral radius below one" in solution.certified_by
    mean, error = simulated(equations, text, numbers, matrices, rng, draws=2)
    assert abs(mean - solution.value) < within(solution.value, error)
