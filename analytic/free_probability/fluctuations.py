r"""Fluctuations: the covariance of two linear statistics of a sample covariance matrix.

For S = Λ^{1/2} X Xᵀ Λ^{1/2}, X of M×T Gaussian entries of variance 1/T, the numbers Tr f(S) have a
covariance of order one, however large the matrix. With the companion transform

    m(z) = tr (Xᵀ Λ X − z)^{-1},        z = −1/m + (1/T) Σ_J λ_J/(1 + λ_J m),

the limit is, on two nested contours around the spectrum,

    Cov(Tr f, Tr h) = −(1/(2π²)) ∮∮ f(z) h(w) m′(z) m′(w)/(m(z) − m(w))² dz dw

for real entries, half of it for complex ones (Bai, Silverstein, Annals of Probability 32 (2004)
553, theorem 1.1). f and h must be analytic inside the contours, which therefore keep away from
their singularities. They are two ellipses with the ends of the spectrum as foci; the trapezoid rule
converges geometrically, and the nodes are doubled until two sums agree.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy as sp
from scipy.optimize import minimize_scalar
from sympy import Identity, MatAdd, MatMul, MatPow, MatrixExpr, MatrixSymbol, Trace, Transpose

from .. import arguments
from ..arguments import checked
from ..errors import InputError, OutsideTheoryError, PrecisionError
from .declarations import Internal, MatrixModel, free_stem
from .equations import SelfConsistentEquations, derive
from .expression import evaluate
from .matrix_function import MatrixFunction, split_traces
from .numerics import NumericalSolution
from .pencil_numbers import floating
from .text import parse_expression
from .trace_function import TraceFunction, trace_function
from .trace_values import DeterministicValues, named_numbers

NODES = (32, 64, 128, 256, 512, 1024)
TOLERANCE = 1e-9
WIDEST = 8.0  # the parameter ρ of the outermost ellipse that is used
x = sp.Symbol("x", positive=True)


@dataclass(frozen=True)
class LinearStatistic:
    """c₀ + Tr f(S): ``function`` is f in the symbol x."""

    expression: sp.Expr
    function: sp.Expr

    def at(self, points: np.ndarray, values: Mapping[str, Any]) -> np.ndarray:
        """f at complex points."""
        body = sp.lambdify(x, self.numeric(values), "numpy")
        return np.asarray(body(points.astype(complex)), complex) * np.ones_like(points)

    def numeric(self, values: Mapping[str, Any]) -> sp.Expr:
        """f with numbers for its scalars."""
        scalars = self.function.free_symbols - {x}
        missing = [s.name for s in scalars if s.name not in values]
        if missing:
            raise InputError("parameters", sorted(values), "also " + ", ".join(missing))
        return self.function.subs({s: sp.Float(complex(values[s.name]).real) for s in scalars})

    def singularities(self, values: Mapping[str, Any]) -> list[float]:
        """Real points where f is not analytic: zeros of what is inverted, logged or rooted."""
        body = self.numeric(values)
        arguments = [a.args[0] for a in body.atoms(sp.log)]
        arguments += [p.base for p in body.atoms(sp.Pow) if not (p.exp.is_Integer and p.exp > 0)]
        zeros = [sp.Poly(a, x).nroots() for a in arguments if a.has(x) and a.is_polynomial(x)]
        return [float(r) for roots in zeros for r in roots if r.is_real]


@dataclass(frozen=True)
class Covariance:
    """The limiting covariance of two linear statistics of one sample covariance matrix."""

    first: LinearStatistic
    second: LinearStatistic
    model: MatrixModel
    companion: SelfConsistentEquations
    shift: sp.Symbol
    complex_entries: bool

    @property
    def value(self) -> sp.Expr:
        """The double integral."""
        z, w = sp.symbols("z w")
        m = sp.Function("m")
        factor = sp.Integer(4 if self.complex_entries else 2)
        f, h = (s.function.subs(x, v) for s, v in ((self.first, z), (self.second, w)))
        kernel = m(z).diff(z) * m(w).diff(w) / (m(z) - m(w)) ** 2
        return -sp.Integral(f * h * kernel, z, w) / (factor * sp.pi**2)

    @property
    def relations(self) -> tuple[sp.Eq, ...]:
        """The equation of m: s = −z in the resolvent of Xᵀ Λ X."""
        return self.companion.relations

    def all_scalars(self) -> list[sp.Symbol]:
        """Every scalar parameter."""
        found = set(self.companion.all_scalars()) - {self.shift}
        found |= (self.first.function.free_symbols | self.second.function.free_symbols) - {x}
        return sorted(found, key=sp.default_sort_key)

    def __str__(self) -> str:
        rows = [f"{r.lhs} = {r.rhs}" for r in self.relations]
        return "\n".join(
            [*rows, f"m(-{self.shift}) = {self.companion.value}", f"value = {self.value}"]
        )

    def solve(
        self, parameters: Mapping[Any, Any], matrices: Mapping[Any, Any] | None = None
    ) -> NumericalSolution:
        """The covariance at numbers."""
        matrices = matrices or {}
        values = {
            name: floating(v)[()]
            for name, v in named_numbers(parameters, self.all_scalars()).items()
        }
        own = {k: v for k, v in values.items() if k in map(str, self.companion.all_scalars())}
        low, high = spectrum_ends(*self._spectrum(own, matrices))
        inner, outer = self._ellipses(low, high, values)
        found, before = None, None
        for count in NODES:
            found = self._double_sum(count, inner, outer, (low, high), (values, own, matrices))
            if before is not None:
                change = abs(found - before) / max(abs(found), 1e-300)
                if change < TOLERANCE:
                    by = "every resolvent by its spectral radius below one; contours doubled"
                    return NumericalSolution(found, {}, change, by, 1.0)
            before = found
        raise PrecisionError("the double contour integral does not settle: a singularity is close")

    def _ellipses(self, low: float, high: float, values: Mapping[str, Any]) -> tuple[float, float]:
        """ρ of two nested ellipses between the spectrum and the nearest singularity."""
        centre, half, widest = (low + high) / 2, (high - low) / 2, WIDEST
        for statistic in (self.first, self.second):
            for point in statistic.singularities(values):
                distance = abs(point - centre) / half
                if distance <= 1 + 1e-9:
                    raise OutsideTheoryError(
                        f"{statistic.function} is singular at {point:.6g}, inside the spectrum "
                        f"[{low:.6g}, {high:.6g}]"
                    )
                widest = min(widest, distance + (distance**2 - 1) ** 0.5)
        return widest ** (1 / 3), widest ** (2 / 3)

    def _double_sum(
        self, count: int, inner: float, outer: float, ends: tuple[float, float], given: Any
    ) -> float:
        centre, half = sum(ends) / 2, (ends[1] - ends[0]) / 2
        turns = np.exp(2j * np.pi * (np.arange(count) + 0.5) / count)
        sides = []
        for rho, statistic in ((inner, self.first), (outer, self.second)):
            points = centre + half / 2 * (rho * turns + 1 / (rho * turns))
            steps = half / 2 * (rho * turns - 1 / (rho * turns)) * 2j * np.pi / count
            m, slope = self._transform(points, given)
            sides.append((m, statistic.at(points, given[0]) * slope * steps))
        (m, first), (n, second) = sides
        total = first @ (1 / (m[:, None] - n[None, :]) ** 2) @ second
        return float(-total.real / ((4 if self.complex_entries else 2) * np.pi**2))

    def _transform(self, points: np.ndarray, given: Any) -> tuple[np.ndarray, np.ndarray]:
        """m and m′ at complex points: m from the derived equations, m′ from z(m)."""
        _, own, matrices = given
        found = self.companion.solve({**own, self.shift.name: -points}, matrices)
        m = np.asarray(found.value)
        sizes, eigenvalues = self._spectrum(own, matrices)
        weights = eigenvalues[:, None] / (1 + eigenvalues[:, None] * m)
        multiplicity = sizes[0] / len(eigenvalues)
        slope = 1 / m**2 - multiplicity * np.sum(weights**2, axis=0) / sizes[1]
        return m, 1 / slope

    def _spectrum(self, own: Mapping[str, Any], matrices: Any) -> tuple[list[float], np.ndarray]:
        (record,) = self.model.random.values()
        if self.model.fixed:
            given = DeterministicValues.read(self.model, matrices)
            (eigenvalues,) = given.eigenvalues.values()
        else:
            eigenvalues = np.ones(1)
        rows, columns = record.symbol.shape
        known = {rows.name if rows.is_Symbol else "": len(eigenvalues)} if self.model.fixed else {}
        known |= dict(own)
        missing = [d.name for d in (rows, columns) if d.is_Symbol and d.name not in known]
        if missing:
            raise InputError("parameters", sorted(own), "also " + ", ".join(missing))
        return [
            float(known[d.name]) if d.is_Symbol else float(d) for d in (rows, columns)
        ], eigenvalues


def spectrum_ends(sizes: list[float], eigenvalues: np.ndarray) -> tuple[float, float]:
    """The lowest and highest end of the spectrum, zero eigenvalues left out: where dz/dm = 0.

    >>> low, high = spectrum_ends([300.0, 500.0], np.ones(1))
    >>> bool(abs(high - (1 + 0.6**0.5) ** 2) < 1e-9), bool(abs(low - (1 - 0.6**0.5) ** 2) < 1e-9)
    (True, True)
    """
    positive = eigenvalues[eigenvalues > 0]
    if not len(positive):
        raise InputError("matrices", "no eigenvalue > 0", "a positive one")
    share = sizes[0] / len(eigenvalues) / sizes[1]

    def z(m: float) -> float:
        return float(-1 / m + share * np.sum(positive / (1 + positive * m)))

    def extreme(sign: float, at: Any, first: float, last: float) -> float:
        """Of sign·z over m = at(y), y between two bounds."""
        options = {"xatol": 1e-13}
        found = minimize_scalar(
            lambda y: sign * z(at(y)), bounds=(first, last), method="bounded", options=options
        )
        return float(sign * found.fun)

    high = extreme(1.0, lambda y: -y / positive.max(), 1e-9, 1 - 1e-9)
    full = share * len(positive) < 1
    ends = (
        extreme(-1.0, lambda y: -1 / (positive.min() * y), 1e-9, 1 - 1e-9)
        if full
        else extreme(-1.0, lambda y: np.exp(y) / positive.mean(), -25.0, 25.0)
    )
    return max(ends, 0.0), high


@checked
def derive_covariance(first: Any, second: Any, model: MatrixModel) -> Covariance:
    """The covariance of two sums of traces of functions of S = √Λ X Xᵀ √Λ.

    >>> from solvable.analytic.free_probability import derive_covariance, parse_declarations
    >>> model = parse_declarations(["X:M,T:1/T"])
    >>> found = derive_covariance("Tr(X*X.T)", "Tr(X*X.T)", model)
    >>> round(float(found.solve({"M": 300, "T": 500}).value), 8)  # 2 M/T
    1.2

    Errors: `OutsideTheoryError` for other matrices than one S, `InputError` for odd numbers.
    Source: Bai, Silverstein 2004, theorem 1.1.
    """
    if len(model.random) != 1 or len(model.fixed) > 1:
        raise OutsideTheoryError(
            "a covariance of linear statistics is derived for one sample covariance matrix "
            "sqrt(L)*X*X.T*sqrt(L), with one Gaussian X and at most one symmetric L declared"
        )
    ((name, record),) = model.random.items()
    rows, columns = record.symbol.shape
    fixed = [r for r in model.fixed.values()]
    square = any(not r.symmetric or r.symbol.rows != rows for r in fixed)
    if record.symmetric or square or sp.cancel(record.variance * columns - 1) != 0:
        raise OutsideTheoryError(
            f"{name}: an M×T Gaussian matrix of variance 1/T beside Λ of size M"
        )
    statistics = _statistic(first, model), _statistic(second, model)
    shift = Internal(free_stem(("s", "t", "y"), _names(statistics, model)), positive=True)
    middle = fixed[0].symbol if fixed else Identity(rows)
    gram = MatMul(record.symbol.T, middle, record.symbol).doit()
    companion = derive(Trace((gram + shift * Identity(columns)).inv()) / columns, model)
    return Covariance(*statistics, model, companion, shift, record.complex_entries)


def _names(statistics: tuple[LinearStatistic, ...], model: MatrixModel) -> set[str]:
    inside = {s.name for statistic in statistics for s in statistic.function.free_symbols}
    return inside | {s.name for s in model.scalars()}


def _statistic(expression: Any, model: MatrixModel) -> LinearStatistic:
    """f of Tr f(S), checked on random matrices to be a function of S alone."""
    if isinstance(expression, str):
        expression = parse_expression(expression, model)
    if isinstance(expression, MatrixExpr):
        expression = Trace(expression) / expression.rows
    expression = arguments.expression("expression", expression)
    function = trace_function(split_traces(expression, model))
    if not function.is_sum:
        raise OutsideTheoryError(f"{expression}: a linear statistic is a sum of traces")
    parts = zip(function.weights, function.matrices, strict=True)
    body = sp.Add(*(weight * _scalar(matrix, model) for weight, matrix in parts))
    _check(function, body, model, expression)
    return LinearStatistic(expression, sp.simplify(body))


def _scalar(matrix: Any, model: MatrixModel) -> sp.Expr:
    """The expression for 1×1 matrices: X = √x, Λ = 1."""
    if isinstance(matrix, MatrixSymbol):
        return sp.sqrt(x) if matrix.name in model.random else sp.S.One
    if isinstance(matrix, Identity):
        return sp.S.One
    if isinstance(matrix, Transpose):
        return _scalar(matrix.arg, model)
    if isinstance(matrix, MatAdd):
        return sp.Add(*(_scalar(term, model) for term in matrix.args))
    if isinstance(matrix, MatMul):
        return sp.Mul(*(_scalar(factor, model) for factor in matrix.args))
    if isinstance(matrix, MatPow):  # inverses among them
        return _scalar(matrix.args[0], model) ** sp.sympify(matrix.args[1])
    if isinstance(matrix, MatrixFunction):
        inside = _scalar(matrix.arg, model)
        if matrix.name == "power":
            return inside**matrix.exponent
        return {"log": sp.log, "exp": sp.exp}[matrix.name](inside)
    if isinstance(matrix, sp.Expr) and not isinstance(matrix, MatrixExpr):
        return matrix
    raise OutsideTheoryError(f"{matrix} is no function of one sample covariance matrix")


def _check(function: TraceFunction, body: sp.Expr, model: MatrixModel, shown: Any) -> None:
    """Tr f(S) on two random draws differs as the expression does."""
    rng = np.random.default_rng(0)
    ((name, record),) = model.random.items()
    rows, columns = record.symbol.shape
    sizes = {d: 3 + i for i, d in enumerate(dict.fromkeys((rows, columns)))}
    symbols = body.free_symbols | function.scalars | set(sizes)
    symbols |= {s for m in function.matrices for s in m.free_symbols if isinstance(s, sp.Symbol)}
    numbers = {s: complex(sizes.get(s, rng.uniform(1, 2))) for s in symbols - {x}}
    values = []
    root = rng.standard_normal((3, 3))
    fixed = {n: root @ root.T + np.eye(3) for n in model.fixed}
    call = sp.lambdify(x, body.subs({k: v.real for k, v in numbers.items()}), "numpy")
    for _ in range(2):
        drawn = rng.standard_normal((3, sizes.get(columns, 4)))
        traces = [np.trace(evaluate(m, {name: drawn, **fixed}, numbers)) for m in function.matrices]
        total = complex(sp.sympify(function.at([sp.sympify(t) for t in traces])).subs(numbers))
        square = drawn @ drawn.T
        spectrum = np.linalg.eigvals(square @ next(iter(fixed.values()), np.eye(3))).real
        values.append(total - np.sum(call(spectrum)))
    if abs(values[0] - values[1]) > 1e-8 * (1 + abs(values[0])):
        raise OutsideTheoryError(
            f"{shown}: a linear statistic is the trace of a function of one matrix "
            "S = sqrt(L)*X*X.T*sqrt(L), without other factors of L"
        )
