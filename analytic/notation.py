"""The symbols of both papers, made once, with their assumptions and printed as the papers do.

`P` is the dynamical paper's letter for the number of samples that the solvable-model
paper calls `T`; `kappa` solves equation (1); `z` is ridge or frequency.
"""

from __future__ import annotations

from sympy import Symbol

N = Symbol("N", positive=True)  #: number of features (model size)
T = Symbol("T", positive=True)  #: number of samples
P = Symbol("P", positive=True)  #: number of samples, dynamical paper
M = Symbol("M", positive=True)  #: number of latent modes

z = Symbol("z")  #: ridge per N T, or frequency iω
z_prime = Symbol("z'")
kappa = Symbol("kappa", positive=True)  #: solution of equation (1), often κ(z) or Δ
kappa_prime = Symbol("kappa'", positive=True)
gamma = Symbol("gamma", nonnegative=True)  #: unnormalised ridge
omega = Symbol("omega", real=True)  #: Fourier frequency
t = Symbol("t", positive=True)  #: training time

alpha = Symbol("alpha", positive=True)  #: spectral exponent, λ_J = λ₊ J^{-(1+α)}
a = Symbol("a", positive=True)  #: target exponent, w²λ ∝ J^{-a}
b = Symbol("b", positive=True)  #: spectral exponent, b = 1 + α
lambda_plus = Symbol("lambda_+", positive=True)  #: largest eigenvalue

sigma_w = Symbol("sigma_w", positive=True)  #: standard deviation of the target weights
sigma_eps = Symbol("sigma_epsilon", nonnegative=True)  #: standard deviation of the label noise
sigma_u = Symbol("sigma_u", positive=True)  #: standard deviation of the feature matrix

J = Symbol("J", integer=True, positive=True)  #: mode index
k = Symbol("k", integer=True, positive=True)  #: mode index, dynamical paper
