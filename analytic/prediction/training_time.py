r"""Learning curves in training time: gradient flow on T of P points, by the site formula.

Gradient flow on ½ Σ_S (f − y)² + ½ r‖w‖², from f = 0, has at a point x left out the residual

    e(t) = y_x − K_xS [1 − e^{−(K_SS + r)t}]/(K_SS + r) y_S = (1/2πi) ∫ e^{st} ê(r + s) ds/s,

ê(z) that of kernel ridge regression with ridge z. Its mean square over training sets is a double
integral over E(z, z′) = ⟨ê(z) ê(z′)⟩, the ladder of the site formula (`sites`) between the media of
two ridges,

    [diag(g g′/(1 − α)) − 𝒢∘𝒢′] v = u u′,      E(z, z′) = (1/P) Σ_i α v_i/(1 − α),

which for z = z′ is the test error of ridge z. Complex z is reached from a real one along the
contour; there Im κ_i ≥ Im z > 0 holds for the physical medium.

Source: this package; Weideman and Trefethen 2007 for the contour.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.sparse.linalg import LinearOperator, gmres

from .. import arguments
from ..arguments import Table, checked
from ..errors import InputError, PrecisionError
from ..training.contour import window_hyperbola, windows
from .kernel_matrix import KernelMatrix
from .sites import Medium, medium

CONTOUR_ACCURACY = 1e-5
STEPS, SETTLED = 60, 1e-9
MOST_POINTS = 3000


@checked
def flow_errors(
    kernel: KernelMatrix | Table,
    targets: Table,
    samples: Any,
    times: Any,
    ridge: float = 0.0,
    noise: float = 0.0,
) -> np.ndarray:
    """The mean test error after gradient flow for every time, shape (len(samples), len(times)).

    Arguments are those of `predict`; t > 0 is in units in which the eigenvalues of the kernel
    matrix of the drawn points, not divided by T, are rates. Raises `InputError` for T outside
    1 … P − 1, for t ≤ 0 and pools beyond `MOST_POINTS`. Source: this package.

    >>> found = flow_errors(np.eye(30), np.ones(30), [10], [1.0, 5.0])  # nothing is shared
    >>> found.round(4)
    array([[1., 1.]])
    """
    matrix = kernel.matrix if isinstance(kernel, KernelMatrix) else kernel
    y = targets[:, None] if targets.ndim == 1 else targets
    at = np.atleast_1d(np.asarray(arguments.positive("times", times), float))
    sizes = np.atleast_1d(np.asarray(arguments.positive("samples", samples), float))
    arguments.grid("times", sizes.shape, at.shape, each=100)
    arguments.nonnegative("ridge", ridge)
    arguments.nonnegative("noise", noise)
    pool = len(matrix)
    if matrix.shape != (pool, pool) or len(y) != pool:
        raise InputError("targets", f"of shape {y.shape}", f"as many rows as the kernel, {pool}")
    if pool > MOST_POINTS:
        raise InputError("kernel", f"{pool} points", f"a pool of at most {MOST_POINTS} with times")
    if np.any(sizes >= pool) or np.any(sizes < 1):
        raise InputError("samples", sizes, f"numbers from 1 to {pool - 1}")
    found = np.empty((len(sizes), len(at)))
    for i, size in enumerate(sizes):
        for inside in windows(at):
            found[i, inside] = _window(matrix, y, size, at[inside], ridge, noise)
    return found


def _window(
    kernel: np.ndarray, y: np.ndarray, size: float, times: np.ndarray, ridge: float, noise: float
) -> np.ndarray:
    """Times of one contour."""
    contour = window_hyperbola(times, CONTOUR_ACCURACY)
    media = _along(kernel, size, ridge + contour.nodes)
    fields = [at.resolvent @ y for at in media]
    decay = np.exp(np.outer(times, contour.nodes)) * contour.weights / contour.nodes
    total = np.zeros(len(times))
    for k, one in enumerate(media):
        for j, other in enumerate(media[: k + 1]):
            twice = 1 if k == j else 2
            for flipped in (False, True):
                second = (other.resolvent, fields[j], decay[:, j])
                if flipped:
                    second = tuple(np.conj(x) for x in second)  # type: ignore[assignment]
                resolvent, field, weight = second
                error = _between(one, resolvent, fields[k], field, noise)
                total += 2 * twice * (decay[:, k] * weight * error).real
    return total


def _along(kernel: np.ndarray, size: float, ridges: np.ndarray) -> list[Medium]:
    """The media of the complex ridges, each from the one before, the first from a real one."""
    at = medium(kernel, size, float(abs(ridges[0])))
    media = []
    for z in ridges:
        at = _complex_medium(kernel, at, z)
        media.append(at)
    return media


def _complex_medium(kernel: np.ndarray, start: Medium, z: complex) -> Medium:
    """Newton's method for κ_i = z + (1 − α)/g_i."""
    share, g = start.share, start.diagonal
    kappa = (z + (1 - share) * (1 / g - start.kappa)) / share  # h as it is there
    for _ in range(STEPS):
        resolvent = np.linalg.inv(kernel + np.diag(kappa))
        g = np.diag(resolvent)
        missing = z + (1 - share) / g - kappa
        change = _ladder(resolvent, resolvent, share, missing * g**2 / (1 - share))
        reach = np.max(np.abs(change / kappa))
        kappa = kappa + change * min(1.0, 0.5 / max(reach, 0.1))
        if reach < SETTLED:
            break
    else:
        raise PrecisionError(f"the site equations did not settle at the ridge {z:.3g}", 0)
    if np.any(kappa.imag < z.imag * (1 - 1e-6)):
        raise PrecisionError(f"the site equations have left the physical branch at {z:.3g}", 0)
    resolvent = np.linalg.inv(kernel + np.diag(kappa))
    return Medium(resolvent, kappa, 1.0, share, z, np.inf)  # type: ignore[arg-type]


def _ladder(one: np.ndarray, other: np.ndarray, share: float, right: np.ndarray) -> np.ndarray:
    """[diag(g g′/(1 − α)) − 𝒢∘𝒢′]⁻¹ applied to a vector."""
    root = np.sqrt(np.diag(one) * np.diag(other) / (1 - share))
    product = one * other

    def scaled(x: np.ndarray) -> np.ndarray:
        x = x.ravel()
        return x - product @ (x / root) / root

    operator = LinearOperator(product.shape, matvec=scaled, dtype=complex)  # type: ignore[call-arg]
    found, stalled = gmres(operator, right / root, rtol=1e-10, atol=0, restart=100, maxiter=20)
    if stalled:
        raise PrecisionError("the variance equation of the sites is singular to rounding", 0)
    return found / root


def between_ridges(one: Medium, other: Medium, targets: np.ndarray, noise: float = 0.0) -> complex:
    """E(z, z′), from the media of two ridges at one number of samples.

    >>> kernel, y = np.eye(4), np.ones((4, 1))
    >>> at = [medium(kernel, 2, z) for z in (0.5, 2.0)]
    >>> between_ridges(*at, y).real.__round__(9)  # independent points: nothing is learnt
    1.0
    """
    field, second = one.resolvent @ targets, other.resolvent @ targets
    return _between(one, other.resolvent, field, second, noise)


def _between(
    one: Medium, resolvent: np.ndarray, field: np.ndarray, other: np.ndarray, noise: float
) -> complex:
    """E(z, z′)."""
    squares = np.sum(field * other, axis=1)
    if noise:
        squares = squares + noise * field.shape[1] * np.sum(one.resolvent * resolvent, axis=1)
    v = _ladder(one.resolvent, resolvent, one.share, squares)
    return complex(one.share / (1 - one.share) * v.mean())
