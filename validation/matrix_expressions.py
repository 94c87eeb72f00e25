r"""The simulation proof of a derived equation: draw the very same expression at growing size.

All dimensions are multiplied by s, deterministic matrices become Λ ⊗ 1_s (their joint moments,
commuting or not, stay exactly what they were), Gaussian entries keep their declared variance.
For real Gaussian matrices a linear statistic Tr f differs from its limit by O(1), in mean and in
fluctuation, while it is itself of the order of the size; so the mean of x/x_∞ is 1 + O(1/s), with a
spread of O(1/s). It is extrapolated to s → ∞ and judged, real and imaginary parts, as every other
simulation is (`validation.comparison`). The relative error of one draw, √(mean |x/x_∞ − 1|²), is
given with its slope against s on logarithmic axes: −1 if the equation is right, 0 if it is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import sympy as sp

from solvable.analytic.errors import InputError
from solvable.analytic.free_probability import Derived, MatrixModel, SelfConsistentEquations
from solvable.analytic.free_probability.expression import evaluate
from solvable.analytic.free_probability.models import expression
from solvable.analytic.slopes import log_slope

from .comparison import Family
from .statistics import Judgement

RESOLUTION = 0.03  # relative error of a value that the simulation must be able to exclude


@dataclass(frozen=True)
class Instance:
    """Numbers for an expression: base dimensions, other scalars, base deterministic matrices.

    Matrices are vectors (eigenvalues of diagonal matrices) or square arrays at the base size.
    """

    dimensions: Mapping[str, int]
    scalars: Mapping[str, complex] = field(default_factory=dict)
    matrices: Mapping[str, np.ndarray] = field(default_factory=dict)

    def key(self) -> tuple[Any, ...]:
        """What distinguishes it from other instances."""
        matrices = tuple((n, np.asarray(m).tobytes()) for n, m in sorted(self.matrices.items()))
        return (*sorted(self.dimensions.items()), *sorted(self.scalars.items(), key=str), matrices)

    def scaled(self, scale: int) -> dict[str, np.ndarray]:
        """The deterministic matrices at ``scale`` times the base size."""
        return {
            name: np.repeat(m, scale) if np.ndim(m) == 1 else np.kron(m, np.eye(scale))
            for name, m in self.matrices.items()
        }


def instance(name: str, seed: int = 0) -> Instance:
    """Numbers for one of `analytic.free_probability.models.EXPRESSIONS`.

    Four eigenvalues over a factor of eight; matrices that are declared without commuting with Λ
    are drawn once from ``seed``; spectral parameters stay off the spectrum.
    """
    model = expression(name).declarations()
    base = {"M": 20, "T": 30, "N": 25, "K": 22, "R": 100}
    dimensions = {str(d): base[str(d)] for d in model.dimensions()}
    rng = np.random.default_rng(seed)
    four = np.array([2.0, 1.0, 0.5, 0.25])
    mixed = any(model.family(n) == n and n not in "LC" for n in model.fixed)
    matrices: dict[str, np.ndarray] = {}
    for key, record in sorted(model.fixed.items()):
        rows, columns = (dimensions[str(d)] for d in record.symbol.shape)
        if not record.symmetric:
            matrices[key] = rng.standard_normal((rows, columns)) / 5
        elif key == "L":
            matrices[key] = np.diag(np.resize(four, rows)) if mixed else np.resize(four, rows)
        elif key == "C":
            matrices[key] = np.linspace(0.1, 2.0, rows)
        elif model.family(key) != key:
            matrices[key] = 1 / np.resize(four, rows)
        else:
            root = rng.standard_normal((rows, rows)) / np.sqrt(rows)
            matrices[key] = root @ root.T + 0.1 * np.eye(rows)
    scalars = dict(_SCALARS.get(name, {"z": 0.5}))
    return Instance(dimensions, scalars, matrices)


_SCALARS: dict[str, dict[str, complex]] = {
    "inverse-wishart": {},
    "inverse-sample-covariance": {},
    "minimum-norm-loss": {},
    "fractional-moment": {},
    "heat-kernel": {"s": 2.0},
    "rotation-plus-transpose": {"z": 3.0},
    "kesten-mckay": {"z": 5.0},
    "random-regular-graph": {"z": 5.0},
    "unitary-sum": {"z": 7.0},
    "semicircle": {"z": 3.0, "sigma": 1.0},
    "deformed-wigner": {"z": 3.0, "sigma": 1.0},
    "wishart-plus-wigner": {"z": 3.0, "sigma": 1.0},
    "deformed-hermitian": {"z": 3.0, "sigma": 1.0},
    "sandwiched-wigner": {"z": 5.0, "sigma": 1.0},
    "difference-of-wisharts": {"z": 6.0},
    "neural-tangent-kernel": {"z": 0.5, "a": 0.8, "b": 0.6, "s": 0.3},
    "nonlinear-features-loss": {"z": 0.5, "a": 0.8, "b": 0.6},
    "log-determinant": {"z": 5.0},
    "random-feature-log-determinant": {"z": 5.0},
    "wigner-log-determinant": {"z": 3.0, "sigma": 1.0},
    "wigner-plus-two": {"z": 3.0, "sigma": 1.0},
    "ridge-variance": {"z": 0.5, "sigma": 0.5},
    "ridge-variance-shift": {"z": 0.5, "sigma": 0.5},
    "random-feature-loss": {"z": 0.5, "sigma": 0.5},
    "ridge-test-loss": {"z": 0.5, "sigma": 0.5},
    "generalised-cross-validation": {"z": 0.5, "sigma": 0.5},
    "nonlinear-features": {"z": 0.5, "a": 0.8, "b": 0.6},
    "structured-nonlinear-features": {"z": 0.5, "a": 0.8, "b": 0.6},
    "gradient-flow": {"z": 0.2 + 0.3j, "z'": 0.5 - 0.2j, "sigma": 0.5},
}


@dataclass(frozen=True)
class SizeScaling:
    """The verdict on x/x_∞, and the relative errors of a draw at growing size with their slope."""

    scales: tuple[int, ...]
    errors: tuple[float, ...]
    slope: float
    judgement: Judgement

    @property
    def holds(self) -> bool:
        """Whether the verdict is a pass."""
        return self.judgement.passed

    @property
    def slopes(self) -> str:
        """The errors and their slope, in words."""
        rows = ", ".join(f"{s}: {e:.2e}" for s, e in zip(self.scales, self.errors))
        return f"relative error of a draw by size {rows}; slope {self.slope:.2f} (−1 expected)"

    def __str__(self) -> str:
        return f"{self.judgement.message}; {self.slopes}"


def rotation(
    size: int, complex_entries: bool, permutation: bool, rng: np.random.Generator
) -> np.ndarray:
    """A uniformly random permutation, unitary or orthogonal matrix."""
    if permutation:
        return np.eye(size)[rng.permutation(size)]
    gauss = rng.standard_normal((size, size))
    if complex_entries:
        gauss = gauss + 1j * rng.standard_normal((size, size))
    q, r = np.linalg.qr(gauss)
    diagonal = np.diag(r)
    return q * (diagonal / np.abs(diagonal))


def draw_matrices(
    model: MatrixModel,
    dimensions: Mapping[sp.Symbol, int],
    scalars: Mapping[sp.Symbol, complex],
    rng: np.random.Generator,
) -> dict[str, np.ndarray]:
    """One draw of every random matrix, at the declared variances."""
    drawn = {}
    for name, record in sorted(model.random.items()):
        rows, columns = (int(sp.sympify(d).subs(dimensions)) for d in record.symbol.shape)
        if record.rotation:
            drawn[name] = rotation(rows, record.complex_entries, name in model.permutations, rng)
            continue
        variance = complex(sp.N(record.variance.subs({**dimensions, **scalars})))
        matrix = rng.standard_normal((rows, columns)) * np.sqrt(variance.real)
        if record.complex_entries:
            imaginary = rng.standard_normal((rows, columns)) * np.sqrt(variance.real)
            matrix = (matrix + 1j * imaginary) / np.sqrt(2)
        if record.symmetric:  # off-diagonal variance as declared; real: twice that on the diagonal
            matrix = (matrix + np.conj(matrix.T)) / np.sqrt(2)
        drawn[name] = matrix
    return drawn


def _symbols(equations: Derived) -> dict[str, sp.Symbol]:
    return {symbol.name: symbol for symbol in equations.all_scalars()}


def sample(equations: Derived, instance: Instance, scale: int, draws: int, seed: int) -> np.ndarray:
    """The expression on ``draws`` independent draws at ``scale`` times the base size.

    Remembered by the equations: every claim about an expression is compared with the same draws.
    """
    key = ("sample", instance.key(), scale, draws, seed)
    if key not in equations.memory:
        equations.memory[key] = _draw(equations, instance, scale, draws, seed)
    return equations.memory[key]


def _draw(equations: Derived, instance: Instance, scale: int, draws: int, seed: int) -> np.ndarray:
    symbols = _symbols(equations)
    dimensions = {symbols[n]: int(d) * scale for n, d in instance.dimensions.items()}
    scalars = {symbols[n]: v for n, v in instance.scalars.items()}
    fixed = {n: np.diag(m) if np.ndim(m) == 1 else m for n, m in instance.scaled(scale).items()}
    everything = {**dimensions, **scalars}
    values = []
    for child in np.random.SeedSequence([seed, scale]).spawn(draws):
        rng = np.random.default_rng(child)
        drawn = draw_matrices(equations.model, dimensions, scalars, rng)
        values.append(evaluate(equations.expression, {**drawn, **fixed}, everything))
    return np.asarray(values)


def theory(equations: Derived, instance: Instance, scale: int) -> complex:
    """The derived value at ``scale`` times the base size."""
    dimensions = {name: int(d) * scale for name, d in instance.dimensions.items()}
    solution = equations.solve({**dimensions, **instance.scalars}, instance.scaled(scale))
    return complex(solution.value)


def prove_by_simulation(
    equations: Derived,
    instance: Instance,
    scales: Sequence[int] = (1, 2, 4, 8),
    draws: int = 24,
    seed: int = 0,
) -> SizeScaling:
    """Draw the expression at growing size and compare with the derived value.

    Errors: `InputError` for fewer than three sizes or fewer than eight draws, which would decide
    nothing.
    """
    scales = tuple(int(s) for s in scales)
    if len(scales) < 3 or min(scales) < 1 or max(scales) < 4 * min(scales):
        raise InputError("scales", scales, "three or more, over a factor of 4 or more")
    if draws < 8:
        raise InputError("draws", draws, "8 or more")
    family, ones, zeros = Family(scales), [1.0] * len(scales), [0.0] * len(scales)
    ratios = [
        sample(equations, instance, scale, draws, seed) / theory(equations, instance, scale)
        for scale in scales
    ]
    family.add("draws", [ratio.real for ratio in ratios], ones)
    if any(np.iscomplex(ratio).any() for ratio in ratios):
        family.add("draws", [ratio.imag for ratio in ratios], zeros)
    errors = tuple(float(np.sqrt(np.mean(np.abs(ratio - 1) ** 2))) for ratio in ratios)
    return SizeScaling(
        scales, errors, log_slope(scales, errors), family.judge(resolution=RESOLUTION)
    )


def unknown_traces(
    equations: SelfConsistentEquations, instance: Instance, scale: int, draws: int, seed: int
) -> dict[sp.Symbol, tuple[complex, complex]]:
    """For every trace unknown u = v Tr(R [Q^{-1}]_jk L): the solved value and the drawn mean.

    The solved value comes from iterating the unreduced equations, so this tests that each
    equation of the Dyson system names the trace that it stands for.
    """
    from solvable.analytic.free_probability.entries import word_value
    from solvable.analytic.free_probability.numerics import unreduced

    symbols = _symbols(equations)
    dimensions = {symbols[n]: int(d) * scale for n, d in instance.dimensions.items()}
    scalars = {symbols[n]: v for n, v in instance.scalars.items()}
    everything = {**dimensions, **scalars}
    scaled = instance.scaled(scale)
    fixed = {n: np.diag(m) if np.ndim(m) == 1 else m for n, m in scaled.items()}
    solved = unreduced(equations, {s.name: v for s, v in everything.items()}, scaled)
    totals: dict[sp.Symbol, complex] = {u: 0j for u in solved}
    for child in np.random.SeedSequence([seed, scale]).spawn(draws):
        drawn = draw_matrices(equations.model, dimensions, scalars, np.random.default_rng(child))
        matrices = {**drawn, **fixed}
        q, blocks = equations.pencil.numeric(matrices, everything)
        inverse = np.linalg.inv(q)
        for unknown in equations.system.unknowns:
            if unknown.symbol not in totals:
                continue
            j, k = unknown.block
            block = inverse[blocks[j], blocks[k]]
            right = word_value(unknown.right, block.shape[0], matrices, everything)
            left = word_value(unknown.left, block.shape[1], matrices, everything)
            variance = complex(sp.N(unknown.variance.subs(everything)))
            totals[unknown.symbol] += variance * np.trace(right @ block @ left) / draws
    return {u: (solved[u], totals[u]) for u in solved}
