r"""Ridge regression on random features: the optimum, and the average over noise and target.

The data x are M×T, the features φ = u x are N×T, the labels y = w x carry noise ε. The
model θφ is trained on ½‖θφ − (y+ε)‖² + (γ/2)‖θ‖². Test data carry a hat.
"""

from __future__ import annotations

import sympy as sp

from solvable.analytic.notation import gamma, letter, sigma_eps, sigma_w

from ..bibliography import Reference
from ..catalogue import Parts, derivation
from ..derivation import Step
from ..matrices.matrix_derivation import OnMatrices
from ..relations import Expectation, Minimiser, equation

M, N, T, T_hat = (sp.Symbol(name, integer=True, positive=True) for name in ("M", "N", "T", "That"))
x, u, phi = sp.MatrixSymbol("x", M, T), sp.MatrixSymbol("u", N, M), sp.MatrixSymbol("varphi", N, T)
x_hat = sp.MatrixSymbol("xhat", M, T_hat)
phi_hat = sp.MatrixSymbol("varphihat", N, T_hat)
w, epsilon = sp.MatrixSymbol("w", 1, M), sp.MatrixSymbol("epsilon", 1, T)
theta, q = sp.MatrixSymbol("theta", 1, N), sp.MatrixSymbol("q", N, N)
covariance = sp.MatrixSymbol("Lambda", M, M)
target_variance = sigma_w**2 / M
SIZES = {M: 3, N: 2, T: 2, T_hat: 2}


def norm(matrix: sp.MatrixExpr) -> sp.Expr:
    """‖A‖² = Tr A Aᵀ."""
    return sp.Trace(matrix * matrix.T)


def normal_equation(labels: sp.MatrixExpr) -> tuple[sp.MatrixExpr, sp.MatrixExpr]:
    """(K, c) of the normal equation θ K = c: the quadratic and the linear part of the loss."""
    return phi * phi.T + gamma * sp.Identity(N), labels * phi.T


def population_loss(second_moment: sp.MatrixExpr) -> sp.Expr:
    """The averaged loss as a function of the second moment of the latent test data."""
    error, noise = x * phi.T * q * u - sp.Identity(M), phi.T * q * u
    return target_variance / 2 * sp.Trace(
        error * second_moment * error.T
    ) + sigma_eps**2 / 2 * sp.Trace(noise * second_moment * noise.T)


@derivation(
    "ridge-regression",
    "Ridge regression on random features, averaged over noise and target",
    Reference("solvable-model"),
    Reference("talk"),
)
def ridge_regression() -> Parts:
    """The trained parameters θ⋆, the test loss on given data, and its average over the
    independent Gaussian target w and label noise ε, which leaves a function of the
    features and data alone."""
    kernel, source = normal_equation(w * x + epsilon)
    with_q = OnMatrices(SIZES, {"q": kernel.I})
    training_loss = norm(theta * phi - w * x - epsilon) / 2 + gamma / 2 * norm(theta)
    optimum = source * q
    error = optimum * phi_hat - w * x_hat
    per_noise = phi.T * q * phi_hat  # the error is linear: w A + ε B
    per_target = x * per_noise - x_hat
    averaged = (target_variance * norm(per_target) + sigma_eps**2 * norm(per_noise)) / (2 * T_hat)
    on_test_set = averaged.subs(phi_hat, u * x_hat)
    sample = x_hat * x_hat.T / T_hat
    talk = Reference("talk")
    steps = [
        Step("resolvent-of-the-features", equation(q * kernel, sp.Identity(N)),
             "θ⋆ solves the normal equation θ(φφᵀ + γ) = (y+ε)φᵀ; the matrix to be inverted "
             "defines the resolvent q(γ) of the features' Gram matrix.",
             with_q, talk),
        Step("optimum", Minimiser(optimum, training_loss, theta),
             "The training loss is a convex quadratic in θ, so that it has one minimum, θ⋆, "
             "where its gradient vanishes. The talk prints the residual as "
             "θφ − y + ε and the solution as (y + ε)φᵀq, which belongs to θφ − (y + ε); the "
             "sign of ε is immaterial after averaging.",
             with_q, talk, (Minimiser((w * x - epsilon) * phi.T * q, training_loss, theta),)),
        Step("error-is-linear", equation(error, w * per_target + epsilon * per_noise),
             "Features and labels being given, the error on the test set is linear in the "
             "target weights w and in the noise ε.",
             with_q),
        Step("average-over-noise-and-target",
             equation(Expectation(norm(error) / (2 * T_hat)), averaged),
             "w and ε are independent and centred, with variances σ_w²/M and σ_ε² per entry, "
             "so that the average over both is a sum of two squared norms.",
             OnMatrices(SIZES, {"q": kernel.I}, {"w": target_variance, "epsilon": sigma_eps**2}),
             talk),
        Step("average-over-the-test-set", equation(on_test_set, population_loss(sample)),
             "Fresh features are φ̂ = u x̂. Only x̂x̂ᵀ/T̂ enters, whose average is the covariance "
             "Λ of the latent data; no test set has to be sampled.",
             with_q),
    ]  # fmt: skip
    return Parts(
        steps,
        equation(letter("L(u, x)", "L(u,x)"), population_loss(covariance)),
        assumptions=(
            "w and ε have independent, centred entries, and are independent of x and u",
            "γ > 0, or φφᵀ is invertible",
        ),
    )
