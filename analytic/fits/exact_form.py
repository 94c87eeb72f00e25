r"""The exact loss of the solvable model as a form to be fitted.

    L(N, T) = A ℓ(N, T; α, M, σ²/A)  [+ σ²]

ℓ is the excess loss (4) of a power law λ_J = J^{−(1+α)}, J ≤ M, with isotropic weights of variance
1; A is the amplitude, σ² the label noise. The ridge is the optimal one, zero, or that of a
column of the table, of (φφᵀ + γ)⁻¹. The last term is there where losses are those on noisy labels.

For a fit the M modes are compressed to some 100: the `LEADING` first ones, and Gauss–Legendre
nodes in ln J, weighted as real multiplicities, for the others, with an error of 10⁻⁵ of a
sum (Euler–Maclaurin: b/(24 J²) at the first node); M is a real number there. D₁ and D₁ − D₂ are
tabulated in ln κ once for all rows. At the optimal ridge ∂L/∂κ = 0, so that derivatives by the
parameters are those at fixed κ.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from scipy.interpolate import CubicSpline

from ..equality import Comparable
from ..loss import loss_at
from ..optimum import lowest
from ..resolvent import ResolventSolution
from ..spectrum import Atoms
from .huber import BOUND
from .loss_table import LossTable

LEADING, NODES = 64, 40
KAPPAS = 240
GRID, FINE, LEVELS = 20, 9, 2
_LEGENDRE = np.polynomial.legendre.leggauss(NODES)
INFINITE = 1e12  # a number of modes that is as good as infinite
STEPS = (1e-5, 1e-3, 1e-5)  # of coordinates in derivatives
COORDINATES = ("alpha", "M", "noise", "amplitude")


def compressed_power_law(alpha: float, size: float) -> Atoms:
    """A power law of real size M ≥ 1 as a few weighted modes.

    >>> from solvable.analytic.spectrum import PowerLaw
    >>> few, all_of_it = compressed_power_law(0.5, 5000), PowerLaw(alpha=0.5, size=5000)
    >>> abs(few.degrees_of_freedom(1e-4) / all_of_it.degrees_of_freedom(1e-4) - 1) < 1e-5
    np.True_
    """
    first = np.arange(1, min(LEADING, int(size)) + 1.0)
    counts = np.ones(len(first))
    rest = size - len(first)
    if rest > 0 and len(first) < LEADING:  # a part of the next mode
        first, counts = np.append(first, len(first) + 1.0), np.append(counts, rest)
    elif rest > 0:
        low, high = np.log(LEADING + 0.5), np.log(size + 0.5)
        nodes, weights = _LEGENDRE
        place = np.exp(low + (high - low) * (nodes + 1) / 2)
        first = np.append(first, place)
        counts = np.append(counts, weights * (high - low) / 2 * place)
    return Atoms(first ** -(1 + alpha), counts)


class _Tabulated:
    """D₁ and D₁ − D₂ of a spectrum, by splines of their logarithms in ln κ."""

    irreducible = 0

    def __init__(self, spectrum: Atoms, low: float, high: float) -> None:
        self.size = float(sum(spectrum.multiplicities))
        self.x = np.linspace(low, high, KAPPAS)
        kappa = np.exp(self.x)
        self.first = CubicSpline(self.x, np.log(spectrum.degrees_of_freedom(kappa)))
        self.spread = CubicSpline(self.x, np.log(kappa * spectrum.resolvent_sum(kappa, 1, 2)))

    def degrees_of_freedom(self, kappa: Any, order: int = 1) -> Any:
        x = np.log(kappa)
        first = np.exp(self.first(x))
        return first if order == 1 else first - np.exp(self.spread(x))

    def resolvent_sum(self, kappa: Any, p: int, q: int) -> Any:
        return np.exp(self.spread(np.log(kappa))) / kappa

    def target_sum(self, kappa: Any, order: int = 1) -> Any:  # isotropic: w² = 1
        return self.degrees_of_freedom(kappa) if order == 1 else self.resolvent_sum(kappa, 1, 2)

    def where_full(self, size: np.ndarray) -> np.ndarray:
        """ln κ with D₁ = size, or the lowest tabulated one."""
        values = np.exp(self.first(self.x))
        x = np.interp(-np.log(size), -np.log(values), self.x)
        for _ in range(3):
            x = np.clip(
                x - (self.first(x) - np.log(size)) / self.first(x, 1), self.x[0], self.x[-1]
            )
        return x


@lru_cache(maxsize=64, typed=True)
def _table(alpha: float, size: float, low: float, high: float) -> _Tabulated:
    return _Tabulated(compressed_power_law(alpha, size), low, high)


@dataclass(frozen=True, eq=False)
class ExactForm(Comparable):
    """ln L at the rows of a table; θ = (ln α, √(m/M), σ²/A, ln A), m the largest min(N, T).

    M = ∞ and σ² = 0 are lower bounds of coordinates there, at which the loss is smooth.

    ``ridge`` is "optimal", or an array with that of every row; ``floor`` tells whether σ² is
    part of the losses.
    """

    features: np.ndarray
    samples: np.ndarray
    ridge: Any = "optimal"
    floor: bool = False
    unit: float = 0.0  # m

    @classmethod
    def on(cls, table: LossTable, ridge: Any = "optimal", floor: bool = False) -> ExactForm:
        """The form at the sizes of a table."""
        sizes = (table.column("parameters", "exact"), table.column("tokens", "exact"))
        if not isinstance(ridge, str):
            ridge = np.broadcast_to(np.asarray(ridge, float), sizes[0].shape)
        return cls(*sizes, ridge, floor, float(np.minimum(*sizes).max()))

    def at(self, features: np.ndarray, samples: np.ndarray, ridge: Any = None) -> ExactForm:
        """The same at other sizes; a ridge of rows is taken over if it is the same for all."""
        if ridge is None:
            ridge = self.ridge if isinstance(self.ridge, str) else float(np.median(self.ridge))
        if not isinstance(ridge, str):
            ridge = np.broadcast_to(np.asarray(ridge, float), np.shape(features))
        sizes = (np.asarray(features, float), np.asarray(samples, float))
        return ExactForm(*sizes, ridge, self.floor, self.unit)

    @property
    def smaller(self) -> np.ndarray:
        """min(N, T)."""
        return np.minimum(self.features, self.samples)

    def log_losses(
        self, alpha: float, size: float, noise: float, log_kappa: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """ln ℓ for amplitude 1, and ln κ of every row; at a given κ, which is not changed."""
        size = min(size, INFINITE)
        most, least = float(self.smaller.max()), float(self.smaller.min())
        low = -(1 + alpha) * np.log(most) - 12
        top = noise * most
        if not isinstance(self.ridge, str):
            top += float(self.ridge.max()) / least**2
        high = 7 + np.log1p(top)
        table = _table(alpha, size, low, high)
        if log_kappa is None:
            x0 = table.where_full(self.smaller)
            best = isinstance(self.ridge, str)
            log_kappa = (
                self._optimal(table, x0, high, noise) if best else self._kappa(table, x0, high)
            )
        loss = self._loss(log_kappa, table, noise) + (noise if self.floor else 0)
        return np.log(np.maximum(loss, 1e-300)), log_kappa

    def _loss(self, x: np.ndarray, table: _Tabulated, noise: float, index: Any = ...) -> np.ndarray:
        kappa, n, t = np.exp(x), self.features[index], self.samples[index]
        d1 = table.degrees_of_freedom(kappa)
        solution = ResolventSolution(
            kappa, np.maximum(1 - d1 / n, 0), np.maximum(1 - d1 / t, 0), 0.0, d1
        )
        return np.asarray(loss_at(table, n, t, solution, noise)[0])  # type: ignore[arg-type]

    def _optimal(self, table: _Tabulated, x0: np.ndarray, high: float, noise: float) -> np.ndarray:
        """ln κ of the lowest loss: a grid, finer ones inside it, and a parabola."""
        grid = x0 + 1e-9 + (high - 1e-9 - x0) * np.linspace(0, 1, GRID)[:, None] ** 2
        bracket = lowest(grid, self._loss(grid, table, noise))
        for _ in range(LEVELS):
            grid = bracket.low + (bracket.high - bracket.low) * np.linspace(0, 1, FINE)[:, None]
            values = self._loss(grid, table, noise)
            bracket = lowest(grid, values)
        middle = np.clip(np.argmin(values, axis=0), 1, FINE - 2)
        a, b, c = (np.take_along_axis(values, (middle + k)[None], 0)[0] for k in (-1, 0, 1))
        centre = np.take_along_axis(grid, middle[None], 0)[0]
        curved = np.maximum(a - 2 * b + c, 1e-300)
        shift = np.clip((a - c) / (2 * curved), -1, 1)
        return np.where(bracket.at_end, bracket.middle, centre + shift * (grid[1] - grid[0]))

    def _kappa(self, table: _Tabulated, x0: np.ndarray, high: float) -> np.ndarray:
        """ln κ with κ N T R₃ R₁ = γ, by bisection from the ridgeless one."""
        low, top = x0.copy(), np.full(x0.shape, high)
        closed = self.ridge <= 0
        for _ in range(50):
            x = (low + top) / 2
            d1 = table.degrees_of_freedom(np.exp(x))
            over = np.exp(x) * (self.features - d1) * (self.samples - d1) > self.ridge
            low, top = np.where(over, low, x), np.where(over, x, top)
        return np.where(closed, x0, (low + top) / 2)

    def evaluate(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """ln L and its derivative by θ, one problem after the other."""
        values, jacobians = [], []
        for row in np.atleast_2d(theta):
            base, at = self._log_loss(row)
            columns = []
            for j in range(3):
                moved = row.copy()
                moved[j] += STEPS[j]
                held = at if isinstance(self.ridge, str) else None
                columns.append((self._log_loss(moved, held)[0] - base) / STEPS[j])
            values.append(base)
            jacobians.append(np.stack([*columns, np.ones_like(base)], axis=-1))
        return np.array(values), np.array(jacobians)

    def values(self, theta: np.ndarray) -> np.ndarray:
        """ln L alone."""
        return np.array([self._log_loss(row)[0] for row in np.atleast_2d(theta)])

    def _log_loss(
        self, row: np.ndarray, log_kappa: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        alpha, size, noise, _ = self.physical(row)
        value, at = self.log_losses(alpha, size, noise, log_kappa)
        return value + row[3], at

    @property
    def least(self) -> np.ndarray:
        """Lower bounds of θ."""
        return np.array([np.log(0.01), 1e-7, 0.0, -BOUND])

    def physical(self, theta: np.ndarray) -> tuple[float, float, float, float]:
        """α, M, σ²/A and ln A of one θ."""
        alpha = float(np.exp(np.clip(theta[0], -5, 2)))
        size = max(self.unit / max(float(theta[1]), 1e-7) ** 2, 2.0)
        return alpha, size, max(float(theta[2]), 0.0), float(theta[3])

    def starts(self, log_loss: np.ndarray) -> np.ndarray:
        """θ from which a fit begins: exponents around that of the losses, sizes above the rows'."""
        slope = np.polyfit(np.log(self.smaller), log_loss, 1)[0] if np.ptp(self.smaller) else -0.5
        middle = np.clip(-slope, 0.1, 2.0)
        most = float(self.smaller.max())
        rows = []
        for alpha in (middle, 0.6 * middle):
            for times in (0.5, 3.0, 30.0):
                for noise in (1e-3, 3e-2):
                    level = np.mean(log_loss - self.log_losses(alpha, times * most, noise)[0])
                    rows.append([np.log(alpha), times**-0.5, noise, level])
        return np.array(rows)
