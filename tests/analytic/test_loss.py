"""The static loss: reference values, closed forms, limits, the pole, and bad input."""

import math
from fractions import Fraction

import mpmath
import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from solvable.analytic.errors import InputError
from solvable.analytic.loss import excess_loss_formula, isotropic_loss_formula, static_loss
from solvable.analytic.notation import N, T, kappa, sigma_eps, sigma_w
from solvable.analytic.resolvent import solve
from solvable.analytic.spectral_functions import DegreesOfFreedom, TargetSum
from solvable.analytic.spectrum import Flat, PowerLaw

fractions = st.floats(0.03, 15)  # of the number of modes, or of 100 if that is infinite
ridges = st.floats(-8, 5).map(lambda x: 10.0**x)
noises = st.sampled_from([0.0, 0.01, 2.0])


def modes(spectrum):
    return float(min(spectrum.size, 100))


def slope_of(y, x):
    return np.polyfit(np.log(np.array(x, float)), np.log(np.array(y, float)), 1)[0]


def sums(spectrum, k):
    d1, d2 = (spectrum.degrees_of_freedom(k, q) for q in (1, 2))
    h1, h2 = (spectrum.target_sum(k, q) for q in (1, 2))
    return d1, d2, h1, h2


def second_form(spectrum, n, t, ridge, noise):
    """The loss by way of R and D_F, another arrangement than the one that is computed."""
    k = solve(spectrum, n, t, ridge / n / t).value
    d1, d2, h1, h2 = sums(spectrum, k)
    r = (k**2 * h2 * (n - d1) + k * h1 * (d1 - d2)) / (n - d2)
    d_f = d1 - (d1 - d2) * (n - d1) / (n - d2)
    return (r + noise) / (1 - d_f / t) - noise


REFERENCE = [
    (100, 400, 0, 0, "0.003042291872502331982", "0.4056389163336442642995"),
    (100, 400, Fraction(1, 2), 0, "0.003069025823848232928", "0.4041909336693050489204"),
    (150, 300, Fraction(1, 100), Fraction(1, 1000), "0.001572462492363781585",
     "0.4722514894992058037949"),
    (300, 100, Fraction(1, 100), Fraction(1, 10), "0.003043096676392592814",
     "0.5671994254834826340836"),
]  # fmt: skip


@pytest.mark.parametrize("row", REFERENCE)
def test_reference_values(row):
    """b = a = 3/2, M = 2000, per-mode normalisation."""
    n, t, ridge, noise, k, loss = row
    law = PowerLaw(exponent=1.5, size=2000)
    exact = static_loss(law, n, t, ridge=ridge, noise=noise, digits=22)
    with mpmath.workdps(30):
        assert abs(exact.kappa - mpmath.mpf(k)) < 2e-19 * exact.kappa
        assert abs(exact.excess_loss - mpmath.mpf(loss)) < mpmath.mpf("2e-20")
        assert exact.loss == exact.excess_loss / 2 and exact.certain_digits >= 22
    found = static_loss(law, n, t, ridge=float(ridge), noise=float(noise))
    assert found.excess_loss == pytest.approx(float(loss), rel=1e-13)
    assert found.kappa == pytest.approx(float(k), rel=1e-13)


@settings(max_examples=3, deadline=None)
@given(fractions, fractions, ridges, noises)
def test_float64_agrees_with_thirty_digits(spectrum, x, y, ridge, noise):
    n, t = x * modes(spectrum), y * modes(spectrum)
    found = static_loss(spectrum, n, t, ridge=ridge, noise=noise)
    exact = static_loss(spectrum, n, t, ridge=ridge, noise=noise, digits=30)
    assert found.excess_loss == pytest.approx(float(exact.excess_loss), rel=1e-11)
    assert found.train_loss == pytest.approx(float(exact.train_loss), rel=1e-11)
    assert exact.certain_digits >= 30


@settings(max_examples=3, deadline=None)
@given(fractions, fractions, ridges, noises)
def test_two_arrangements_agree(spectrum, x, y, ridge, noise):
    n, t = (mpmath.mpf(f) * modes(spectrum) for f in (x, y))
    with mpmath.workdps(50):
        other = second_form(spectrum, n, t, mpmath.mpf(ridge), mpmath.mpf(noise))
        loss = static_loss(spectrum, n, t, ridge=ridge, noise=noise, digits=25).excess_loss
        assert abs(loss - other) < mpmath.mpf("1e-24") * abs(other)


def test_formula_and_numbers_are_one(spectrum):
    """The sympy face evaluated at the numbers; with the noise term dropped it is rejected."""
    n, t, noise = 25.0, 60.0, 0.5
    found = static_loss(spectrum, n, t, ridge=0.3, noise=noise)
    d1, d2, h1, h2 = (float(x) for x in sums(spectrum, found.kappa))
    values = {
        DegreesOfFreedom(1, kappa): d1, DegreesOfFreedom(2, kappa): d2,
        TargetSum(1, kappa): h1, TargetSum(2, kappa): h2,
    }  # fmt: skip
    formula = excess_loss_formula(kappa).subs(values)
    numbers = {N: n, T: t, kappa: found.kappa, sigma_eps: math.sqrt(noise)}
    assert float(formula.subs(numbers)) == pytest.approx(found.excess_loss, rel=1e-9)
    without = float(formula.subs(numbers | {sigma_eps: 0}))
    assert without != pytest.approx(found.excess_loss, rel=1e-3)


def test_the_general_formula_contains_the_isotropic_one():
    """h₁ = σ_w² D₁/…: with isotropic weights (4) becomes (3), identically."""
    d1, d2 = (DegreesOfFreedom(q, kappa) for q in (1, 2))
    isotropic = {
        TargetSum(1, kappa): sigma_w**2 * d1,
        TargetSum(2, kappa): sigma_w**2 * (d1 - d2) / kappa,
        sigma_eps: 0,
    }
    general = excess_loss_formula(kappa).subs(isotropic, simultaneous=True)
    assert sp.simplify(general - isotropic_loss_formula(kappa)) == 0
    wrong = isotropic_loss_formula(kappa).subs(d1**2, 2 * d1**2)
    assert sp.simplify(general - wrong) != 0


@settings(max_examples=8, deadline=None)
@given(fractions, fractions, ridges)
def test_duality_holds_for_isotropic_weights_without_noise(x, y, ridge):
    for spectrum in (PowerLaw(0.5, size=100), Flat(100), PowerLaw(2)):
        n, t = 100 * x, 100 * y
        one = static_loss(spectrum, n, t, ridge=ridge).excess_loss
        assert one == pytest.approx(static_loss(spectrum, t, n, ridge=ridge).excess_loss, rel=1e-11)


def test_duality_fails_with_noise_or_another_target():
    for spectrum, noise in ((PowerLaw(1), 0.5), (PowerLaw(1, target_exponent=3), 0.0)):
        one = static_loss(spectrum, 30, 90, ridge=0.1, noise=noise).excess_loss
        other = static_loss(spectrum, 90, 30, ridge=0.1, noise=noise).excess_loss
        assert abs(one / other - 1) > 0.05


def test_the_loss_is_affine_in_the_noise(spectrum):
    noise = np.array([0.0, 1.0, 2.0, 7.0])
    loss = static_loss(spectrum, 30.0, 45.0, ridge=0.2, noise=noise).excess_loss
    np.testing.assert_allclose(loss, loss[0] + noise * (loss[1] - loss[0]), rtol=1e-11)
    assert loss[1] > loss[0] > 0


def test_ridgeless_bottleneck_and_plateau(spectrum):
    """N < T and zero ridge: L = κ N σ_w²/(1 − N/T) for isotropic weights, D₁(κ) = N."""
    n = max(1, modes(spectrum) // 4)
    flat = PowerLaw(0.5, size=100) if not getattr(spectrum, "isotropic", True) else spectrum
    if not isinstance(flat, PowerLaw):
        pytest.skip("isotropic power laws only")
    for t in (2 * n, 9 * n, math.inf):
        found = static_loss(flat, n, t)
        expected = float(flat.target_variance) * found.kappa * n / (1 - n / t)
        assert found.excess_loss == pytest.approx(expected, rel=1e-11)
        assert float(flat.degrees_of_freedom(found.kappa)) == pytest.approx(n, rel=1e-12)


def test_small_and_large_ridge_are_limits(spectrum):
    """L(γ) − L(0) ~ γ, and Σ w²λ − L ~ 1/γ: observed rates 1 and −1."""
    n, t = max(1, round(modes(spectrum) / 5)), round(modes(spectrum))
    with mpmath.workdps(60):
        at_zero = static_loss(spectrum, n, t, noise=Fraction(1, 3), digits=50).excess_loss
        small = [mpmath.mpf(10) ** -e for e in (20, 22, 24)]
        near = [
            abs(static_loss(spectrum, n, t, ridge=g, noise=Fraction(1, 3), digits=50).excess_loss
                - at_zero) for g in small
        ]  # fmt: skip
        untrained = spectrum.total_target_power(mp=True)
        large = [mpmath.mpf(10) ** e for e in (12, 14, 16)]
        far = [
            untrained - static_loss(spectrum, n, t, ridge=g, digits=50).excess_loss for g in large
        ]
    assert slope_of(near, small) == pytest.approx(1, abs=1e-6)
    assert slope_of(far, large) == pytest.approx(-1, abs=1e-3)


def test_more_features_and_samples_than_modes(finite_spectrum):
    """The noiseless loss is zero; with noise it is σ² M/(T − M), whatever N > M."""
    m, noise = finite_spectrum.size, 0.7
    for n, t in ((m, m), (m + 3, m), (2 * m, 5 * m), (math.inf, 5 * m)):
        assert static_loss(finite_spectrum, n, t).excess_loss == 0
    for n in (m + 1, 3 * m, math.inf):
        found = static_loss(finite_spectrum, n, 4 * m, noise=noise)
        assert found.excess_loss == pytest.approx(noise / 3, rel=1e-12)
        assert found.train_loss == pytest.approx(noise * (1 - 1 / 4), rel=1e-12)
    one_more = static_loss(finite_spectrum, 4 * m, m + 1, noise=noise)
    assert one_more.excess_loss == pytest.approx(noise * m, rel=1e-10)


def test_breakdown_is_linear():
    """κ and the loss vanish linearly as N → M, and do not follow the fit (1/N − 1/M)^α."""
    law = PowerLaw(2, size=2000)
    with mpmath.workdps(40):
        gaps = [mpmath.mpf(10) ** -e for e in (4, 5, 6)]
        losses = [static_loss(law, 2000 - g, mpmath.inf, digits=30).excess_loss for g in gaps]
    assert slope_of(losses, gaps) == pytest.approx(1, abs=1e-3)
    ratios = []
    for t in (100, 1000, 1900):
        found = static_loss(law, mpmath.inf, t, digits=20)
        scale = static_loss(PowerLaw(2), mpmath.inf, t, digits=20).excess_loss * t**2
        ratios.append(
            float(found.excess_loss / (scale * (mpmath.mpf(1) / t - 1 / mpmath.mpf(2000)) ** 2))
        )
    assert ratios == pytest.approx([1.1, 3.1, 44], rel=0.05)


def test_the_pole_at_equal_sizes(spectrum):
    n = float(max(1, round(modes(spectrum) / 3)))
    pole = static_loss(spectrum, n, n)
    assert pole.excess_loss == math.inf and pole.train_loss == 0
    exact = static_loss(spectrum, int(n), int(n), digits=20)
    assert exact.excess_loss == mpmath.inf and exact.train_loss == 0
    t = n * (1 + 10.0 ** -np.arange(2, 7))
    loss = static_loss(spectrum, n, t).excess_loss
    slope = slope_of(loss[2:], (t / n - 1)[2:])
    assert slope == pytest.approx(-1, abs=0.01), f"slope {slope:.4f}"
    ridge = 10.0 ** -np.arange(10, 16)
    slope = slope_of(static_loss(spectrum, n, n, ridge=ridge).excess_loss, ridge)
    assert slope == pytest.approx(-0.5, abs=0.01), f"slope {slope:.4f}"


@pytest.mark.parametrize(
    ("gap", "ridge"), [(0, 1e-25), (1e-12, 0.0), (1e-9, 1e-25), (1e-6, 1e-12), (0.01, 1e-4)]
)
def test_near_the_pole_against_sixty_digits(spectrum, gap, ridge):
    n = float(max(1, round(modes(spectrum) / 3)))
    t = n * (1 + gap)
    found = static_loss(spectrum, n, t, ridge=ridge, noise=0.1)
    exact = static_loss(spectrum, n, t, ridge=ridge, noise=0.1, digits=60)
    assert found.excess_loss == pytest.approx(float(exact.excess_loss), rel=1e-11)
    assert found.train_loss == pytest.approx(float(exact.train_loss), rel=1e-11)


def test_training_loss(spectrum):
    """Interpolation at zero ridge and N ≥ T; below the test error; σ² + Σ w²λ when untrained."""
    m = modes(spectrum)
    assert static_loss(spectrum, 3.0, 2.0, noise=0.3).train_loss == 0
    noise = 0.3
    large = static_loss(spectrum, m, m, ridge=1e18 * m**2, noise=noise)
    total = float(spectrum.total_target_power()) + noise
    assert large.train_loss == pytest.approx(total, rel=1e-9)
    ridge = np.logspace(-6, 6, 60)
    found = static_loss(spectrum, m / 2, m / 3, ridge=ridge, noise=noise)
    assert (np.diff(found.train_loss) > 0).all()
    assert (found.train_loss < found.excess_loss + noise).all()


def test_infinite_everything(spectrum):
    with mpmath.workdps(20):
        exact = static_loss(spectrum, mpmath.inf, mpmath.inf, noise=1, digits=20)
    assert exact.excess_loss == 0 and exact.train_loss == 1
    found = static_loss(spectrum, math.inf, math.inf, noise=1)
    assert found.excess_loss == 0 and found.train_loss == 1


def test_infinite_scale_to_fifty_digits():
    """N = 5.3e11, T = 1.4e12, M = ∞: two precisions agree, and κ ≈ (c/(N+½))^b."""
    law = PowerLaw(Fraction(1, 2))
    low = static_loss(law, 530_000_000_000, 1_400_000_000_000, digits=50)
    high = static_loss(law, 530_000_000_000, 1_400_000_000_000, digits=80)
    with mpmath.workdps(80):
        assert abs(low.excess_loss / high.excess_loss - 1) < mpmath.mpf("1e-49")
        c = mpmath.pi / 1.5 / mpmath.sin(mpmath.pi / 1.5)
        shifted = (c / (mpmath.mpf(530_000_000_000) + mpmath.mpf(1) / 2)) ** mpmath.mpf(1.5)
        assert abs(low.kappa / shifted - 1) < mpmath.mpf("1e-28")
        assert abs(low.kappa / (c / mpmath.mpf(530_000_000_000)) ** mpmath.mpf(1.5) - 1) > 1e-12


def test_arguments_broadcast(spectrum):
    n, t = np.array([5.0, 20.0, 80.0])[:, None, None], np.array([10.0, 40.0])[:, None]
    ridge = np.array([0.0, 1e-3, 1.0])
    table = static_loss(spectrum, n, t, ridge=ridge, noise=0.1)
    for name in ("kappa", "excess_loss", "train_loss", "ridge", "residual"):
        assert np.shape(getattr(table, name)) == (3, 2, 3), name
    single = static_loss(spectrum, 20.0, 40.0, ridge=1e-3, noise=0.1)
    assert table.excess_loss[1, 1, 1] == pytest.approx(single.excess_loss, rel=1e-13)
    assert table.loss[1, 1, 1] == table.excess_loss[1, 1, 1] / 2
    assert np.ndim(single.excess_loss) == 0


def test_feature_variance_only_rescales_the_ridge(spectrum):
    one = static_loss(spectrum, 20, 30, ridge=0.5, feature_variance=1)
    other = static_loss(spectrum, 20, 30, ridge=0.5 * 4, feature_variance=4)
    assert one.excess_loss == pytest.approx(other.excess_loss, rel=1e-13)


@pytest.mark.parametrize(
    ("values", "options", "named"),
    [
        ((0, 10), {}, "features = 0"),
        ((10, math.nan), {}, "samples = nan"),
        ((10, 10), {"ridge": -1}, "ridge = -1"),
        ((10, 10), {"ridge": math.inf}, "ridge = inf"),
        ((10, 10), {"noise": -0.5}, "noise = -0.5"),
        ((10, 10), {"feature_variance": 0}, "feature_variance = 0"),
        ((10, 10), {"digits": 0}, "digits = 0"),
        ((10, 10), {"digits": 2.5}, "digits = 2.5"),
        (("ten", 10), {}, "features = 'ten'"),
    ],
)
def test_bad_input_is_named(values, options, named):
    with pytest.raises(InputError, match=named):
        static_loss(PowerLaw(1), *values, **options)


# ---- kernel ridge regression ----------------------------------------------------------


def test_kernel_ridge_regression_is_the_limit_of_many_features():
    law = PowerLaw(alpha=0.5, size=1000)
    kernel = static_loss(law, math.inf, 100, ridge=1)
    assert float(kernel.excess_loss) == pytest.approx(0.385544, abs=5e-7)
    for n in (1e6, 1e9, 1e14):
        wide = static_loss(law, n, 100, ridge=n * 0.7, feature_variance=0.7)
        assert float(wide.excess_loss) == pytest.approx(float(kernel.excess_loss), rel=1e3 / n)
    rate = static_loss(law, math.inf, 100, ridge=0.01, normalisation="rate")
    assert float(rate.excess_loss) == pytest.approx(float(kernel.excess_loss), rel=1e-12)
    named = static_loss(law, 300, 100, ridge=2, normalisation="kernel")
    plain = static_loss(law, 300, 100, ridge=600)
    assert float(named.excess_loss) == pytest.approx(float(plain.excess_loss), rel=1e-12)
    digits = static_loss(law, math.inf, 100, ridge=1, noise=Fraction(1, 10), digits=30)
    fast = static_loss(law, math.inf, 100, ridge=1, noise=0.1)
    assert float(digits.excess_loss) == pytest.approx(float(fast.excess_loss), rel=1e-12)


def test_kernel_ridge_regression_against_simulation():
    law, noise, ridge, rng = PowerLaw(alpha=0.5, size=400), 0.1, 0.5, np.random.default_rng(2)
    lam, power = law.eigenvalues(), law.target_power()
    losses = []
    for _ in range(60):
        x = rng.standard_normal((400, 80)) * np.sqrt(lam)[:, None]
        learned = x @ np.linalg.inv(x.T @ x + ridge * np.eye(80))
        operator = np.sqrt(lam)[:, None] * (np.eye(400) - learned @ x.T)
        losses.append((operator**2 @ (power / lam)).sum() + noise * (lam @ learned**2).sum())
    theory = float(static_loss(law, math.inf, 80, ridge=ridge, noise=noise).excess_loss)
    error = np.std(losses) / math.sqrt(60)
    assert abs(np.mean(losses) - theory) < 3.5 * error + 0.01 * theory
    ridgeless = float(static_loss(law, math.inf, 80, noise=noise).excess_loss)
    assert abs(np.mean(losses) - ridgeless) > 10 * error


@pytest.mark.parametrize("options", [
    {"normalisation": "features"}, {"normalisation": "trace"},
    {"features": np.array([5, math.inf])},
])  # fmt: skip
def test_a_ridge_that_means_nothing_is_refused(options):
    features = options.pop("features", math.inf)
    with pytest.raises(InputError, match="normalisation"):
        static_loss(PowerLaw(alpha=0.5, size=10), features, 5, ridge=1, **options)


def test_a_huge_ridge_learns_nothing():
    law = PowerLaw(alpha=0.5, size=100)
    loss = static_loss(law, 30, 40, ridge=[1e300, 1e308], noise=0.1)
    assert loss.excess_loss == pytest.approx([law.target_power().sum()] * 2)
    assert loss.train_loss == pytest.approx(loss.excess_loss + 0.1)
