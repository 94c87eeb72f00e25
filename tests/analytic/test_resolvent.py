"""κ(z) of equation (1): over all spectra, all sizes, real and complex z, and all limits."""

import math

import mpmath
import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from solvable.analytic.errors import InputError
from solvable.analytic.notation import N, T, kappa
from solvable.analytic.resolvent import self_consistent_equation, solve
from solvable.analytic.resolvent.path import solve_along, solve_complex
from solvable.analytic.spectrum import Empirical, Flat, PowerLaw

log_z = st.floats(-12, 3)
fractions = st.floats(0.02, 20)  # of the number of modes, or of 100 if that is infinite


def modes(spectrum):
    return float(min(spectrum.size, 100))


def sizes(spectrum):
    """N and T: small, of the order of the number of modes, large, infinite.

    Those whose κ is below the range of float64 are left out.
    """
    m = modes(spectrum)
    all_sizes = [1.0, 2.5, m / 3, m - 1, m, m + 1, 3 * m, 1e3 * m, math.inf]
    return np.array([n for n in all_sizes if n >= spectrum.size or in_range(spectrum, n)])


def in_range(spectrum, n):
    return n == math.inf or float(spectrum.eigenvalue(n)) > 1e-250


def equation(spectrum, k, n, t):
    """κ R₁ R₃, as it stands."""
    d1 = spectrum.degrees_of_freedom(k)
    return k * (1 - d1 / n) * (1 - d1 / t)


def test_the_equation_holds_for_all_sizes_and_ridges(spectrum):
    n = sizes(spectrum)
    z = np.array([0.0, 1e-200, 1e-12, 1e-3, 0.3, 1e4])
    found = solve(spectrum, n[:, None, None], n[None, :, None], z)
    assert found.value.shape == found.residual.shape == (len(n), len(n), len(z))
    assert found.residual.max() < 1e-14
    for response in (found.feature_response, found.sample_response):
        assert ((response >= 0) & (response <= 1 + 1e-15)).all()
    open_ = found.value > 0
    product = found.feature_response * found.sample_response * found.value
    np.testing.assert_allclose(product[open_], np.broadcast_to(z, open_.shape)[open_], rtol=1e-13)


def check_against_mpmath(spectrum, n, t, z, digits=40, tolerance=1e-12):
    found = solve(spectrum, n, t, z)
    with mpmath.workdps(digits):
        exact = solve(spectrum, mpmath.mpf(n), mpmath.mpf(t), mpmath.mpmathify(z))
        gap = abs(equation(spectrum, exact.value, n, t) - z)
        assert gap <= mpmath.mpf(10) ** (4 - digits) * abs(exact.value)
    for name in ("value", "feature_response", "sample_response"):
        x, y = complex(getattr(found, name)), complex(getattr(exact, name))
        assert abs(x - y) <= tolerance * abs(y), (name, x, y)


@settings(max_examples=6, deadline=None)
@given(fractions, fractions, log_z)
def test_float64_agrees_with_forty_digits(spectrum, x, y, log_z):
    m = modes(spectrum)
    check_against_mpmath(spectrum, x * m, y * m, 10.0**log_z)


@settings(max_examples=3, deadline=None)
@given(fractions, fractions, log_z, st.floats(-0.97, 0.97))
def test_complex_float64_agrees_with_forty_digits(spectrum, x, y, log_z, angle):
    m = modes(spectrum)
    z = 10.0 ** (log_z / 3) * np.exp(1j * math.pi * angle)
    check_against_mpmath(spectrum, x * m, y * m, z, tolerance=1e-9)


@pytest.mark.parametrize(
    ("z", "gap"),
    [(0.0, 0.0), (1e-30, 0.0), (0.0, 1e-9), (1e-14, 1e-9), (1e-14, 1e-3), (1e-6, 1.0)],
)
def test_near_the_pole_no_digit_is_lost(spectrum, z, gap):
    """N ≈ T and a small ridge: both brackets nearly close, and are still right to 1e-12."""
    m = round(modes(spectrum) / 2)
    check_against_mpmath(spectrum, m, m * (1 + gap), z, digits=60)


def test_duality_of_features_and_samples(spectrum):
    n, t = sizes(spectrum)[:, None, None], sizes(spectrum)[None, :, None]
    z = np.array([0.0, 1e-9, 0.1])
    one, other = solve(spectrum, n, t, z), solve(spectrum, t, n, z)
    np.testing.assert_allclose(one.value, other.value, rtol=1e-14)
    np.testing.assert_allclose(one.feature_response, other.sample_response, rtol=1e-12, atol=1e-15)


def test_kappa_rises_with_z_and_falls_with_the_sizes(spectrum):
    z = np.logspace(-12, 4, 200)
    m = modes(spectrum)
    assert (np.diff(solve(spectrum, m / 3, 2 * m, z).value) > 0).all()
    n = np.logspace(0, math.log10(5 * m), 200)
    for ridge in (1e-3, 0.0):
        value = solve(spectrum, n, 2 * m, ridge).value
        assert (np.diff(value) <= 1e-14 * value[1:]).all()
        assert (np.diff(value)[value[1:] > 0] < 0)[n[1:][value[1:] > 0] < 2 * m].all()


def slope_of(distance, z):
    return np.polyfit(np.log(z), np.log(distance), 1)[0]


@pytest.mark.parametrize(("ratio", "rate"), [(1.0, 0.5), (4.0, 1.0)])
def test_the_ridgeless_value_is_the_limit_of_small_ridges(spectrum, ratio, rate):
    """κ(z) − κ(0) ~ z for N ≠ T, ~ √z on the pole N = T."""
    n = max(1, round(modes(spectrum) / 4))
    with mpmath.workdps(60):
        at_zero = solve(spectrum, n, ratio * n, mpmath.mpf(0)).value
        z = [mpmath.mpf(10) ** -e for e in (26, 28, 30)]
        distance = [float(solve(spectrum, n, ratio * n, x).value - at_zero) for x in z]
    slope = slope_of(distance, [float(x) for x in z])
    assert slope == pytest.approx(rate, abs=1e-3), f"slope {slope:.5f}, expected {rate}"
    d1 = spectrum.degrees_of_freedom(at_zero)
    assert abs(d1 - n) < 1e-12 * n


def test_more_parameters_than_modes(finite_spectrum):
    """M ≤ min(N, T): κ = 0 at z = 0, and κ ≈ z/((1 − M/N)(1 − M/T)) near it."""
    m = finite_spectrum.size
    found = solve(finite_spectrum, [m, m + 1, 2 * m], 3 * m)
    assert (found.value == 0).all() and (found.residual == 0).all()
    np.testing.assert_allclose(found.feature_response, [0, 1 / (m + 1), 0.5], rtol=1e-12)
    z = 1e-12 * finite_spectrum.eigenvalues()[-1]
    expected = z / (1 - 1 / 2) / (1 - 1 / 3)
    assert solve(finite_spectrum, 2 * m, 3 * m, z).value == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("gap", [-1e-3, -1e-9, -1e-13, 1e-13, 1e-9, 1e-3])
@pytest.mark.parametrize("z", [0.0, 1e-40, 1e-12])
def test_near_the_breakdown_no_digit_is_lost(finite_spectrum, z, gap):
    """min(N, T) → M: κ → 0 and D₁ → M, and κ is still right to 1e-12."""
    m = float(finite_spectrum.size)
    check_against_mpmath(finite_spectrum, m * (1 + gap), 1e3 * m, z, digits=60)


@pytest.mark.parametrize("z", [1e-9j, (-1 + 1j) * 1e-14])
@pytest.mark.parametrize("ratio", [1.0, 1.001, 3.0])
def test_complex_brackets_keep_their_digits(spectrum, z, ratio):
    n = modes(spectrum) / 3
    check_against_mpmath(spectrum, n, n * ratio, z, digits=50, tolerance=1e-10)


@pytest.mark.parametrize("z", [1e-280, 1e-150, 1e150, 1e280])
@pytest.mark.parametrize("ratio", [1.0, 2.0])
def test_extreme_ridges(spectrum, z, ratio):
    n = modes(spectrum) / 3
    check_against_mpmath(spectrum, n, n * ratio, z)


def test_large_z(spectrum):
    """κ = z + Tr λ (1/N + 1/T) + O(1/z): the observed rate of the remainder is −1."""
    n, t = 30.0, 70.0
    with mpmath.workdps(40):
        z = [mpmath.mpf(10) ** e for e in (9, 10, 11)]
        shift = spectrum.trace(mp=True) * (1 / mpmath.mpf(n) + 1 / mpmath.mpf(t))
        rest = [float(abs(solve(spectrum, n, t, x).value - x - shift)) for x in z]
        wrong = float(solve(spectrum, n, t, z[-1]).value - z[-1])
    slope = slope_of(rest, [float(x) for x in z])
    assert slope == pytest.approx(-1, abs=0.01), f"slope {slope:.4f}"
    assert rest[-1] < 1e-6 * wrong


def test_infinite_sizes(spectrum):
    z = np.array([1e-6, 0.1, 7.0])
    both = solve(spectrum, math.inf, math.inf, z)
    np.testing.assert_array_equal(both.value, z)
    np.testing.assert_array_equal(both.feature_response, 1.0)
    nearly = solve(spectrum, 20.0, 1e15, z)
    np.testing.assert_allclose(solve(spectrum, 20.0, math.inf, z).value, nearly.value, rtol=1e-12)
    nothing = solve(spectrum, math.inf, math.inf, 0.0)
    assert nothing.value == 0 and nothing.feature_response == nothing.sample_response == 1
    with mpmath.workdps(30):
        exact = solve(spectrum, mpmath.inf, mpmath.inf, mpmath.mpf(0))
        assert exact.value == 0 and exact.sample_response == 1
        assert solve(spectrum, mpmath.inf, mpmath.inf, mpmath.mpf(7)).value == 7


@settings(max_examples=40, deadline=None)
@given(st.floats(0.1, 300), st.floats(0.01, 10), log_z)
def test_white_data_has_a_closed_form(n, scale, log_z):
    """T = ∞, λ_J = λ: z = κ (1 − Mλ/(N(λ+κ))) is a quadratic in κ."""
    m, z = 40, 10.0**log_z
    b = scale - z - m * scale / n
    root = math.sqrt(b * b + 4 * z * scale)
    closed = (-b + root) / 2 if b < 0 else 2 * z * scale / (b + root)
    assert solve(Flat(m, scale), n, math.inf, z).value == pytest.approx(closed, rel=1e-12)


def test_a_cubic_among_its_roots():
    """White data, finite N and T: κ is the root of the cubic with both brackets in (0, 1)."""
    m, n, t, z = 50, 80.0, 30.0, 0.2
    k = sp.Symbol("k")
    cubic = sp.Poly(k * (n * (1 + k) - m) * (t * (1 + k) - m) - z * n * t * (1 + k) ** 2, k)
    roots = np.roots([float(c) for c in cubic.all_coeffs()])
    d1 = m / (1 + roots.real)
    physical = (np.abs(roots.imag) < 1e-9) & (roots.real > 0) & (d1 < min(n, t))
    assert physical.sum() == 1
    assert solve(Flat(m), n, t, z).value == pytest.approx(roots.real[physical][0], rel=1e-10)


def followed(spectrum, n, t, z, steps=500):
    """κ(z) continued from |z| → ∞, where κ ≈ z, straight in ln z and then along the arc."""
    far = 1e6 * (1 + spectrum.trace())
    radius, angle = abs(z), np.angle(z)
    k, path = complex(far), [far * (radius / far) ** x for x in np.linspace(0, 1, steps)]
    path += [radius * np.exp(1j * angle * x) for x in np.linspace(0, 1, steps)]
    for point in path:
        for _ in range(3):
            step = 1e-6 * k
            slope = (equation(spectrum, k + step, n, t) - equation(spectrum, k - step, n, t)) / (
                2 * step
            )
            k -= (equation(spectrum, k, n, t) - point) / slope
    return k


@pytest.mark.parametrize("z", [0.02 * np.exp(2.9j), 0.3j, -1 + 0.05j, 1e-3 - 1e-3j])
@pytest.mark.parametrize(("n", "t"), [(3.0, 5.0), (20.0, 4.0), (9.0, 9.0)])
def test_complex_z_lies_on_the_sheet_continued_from_infinity(n, t, z):
    spectrum = Empirical([1, 0.5, 0.5, 0.125, 0.01, 0.01])
    assert solve(spectrum, n, t, z).value == pytest.approx(followed(spectrum, n, t, z), rel=1e-7)


def test_complex_z_is_conjugation_symmetric_and_continuous(spectrum):
    n, t = modes(spectrum) / 2, 2 * modes(spectrum)
    z = 0.05 * np.exp(1j * math.pi * np.linspace(0.02, 0.98, 25))
    upper, lower = solve(spectrum, n, t, z), solve(spectrum, n, t, z.conj())
    np.testing.assert_allclose(upper.value.conj(), lower.value, rtol=1e-10)
    assert (upper.value.imag > 0).all() and upper.residual.max() < 1e-12
    real, nearly = solve(spectrum, n, t, 0.05), solve(spectrum, n, t, 0.05 + 1e-13j)
    assert nearly.value == pytest.approx(real.value, rel=1e-11)
    assert nearly.sample_response == pytest.approx(real.sample_response, rel=1e-9)


def test_two_precisions_agree(spectrum):
    n, t = 17, 23
    for z in ("0", "0.001", "-0.01+0.02j"):
        values = []
        for digits in (25, 50):
            with mpmath.workdps(digits):
                values.append(solve(spectrum, mpmath.mpf(n), t, mpmath.mpmathify(z)).value)
        with mpmath.workdps(50):
            assert abs(values[0] - values[1]) <= mpmath.mpf(10) ** -24 * abs(values[1])


def test_reference_values():
    """Four rows of the static model: b = 3/2, M = 2000, unnormalised ridge γ = z N T."""
    law = PowerLaw(exponent=1.5, size=2000)
    rows = [
        (100, 400, "0", "0.003042291872502331982"),
        (100, 400, "0.5", "0.003069025823848232928"),
        (150, 300, "0.01", "0.001572462492363781585"),
        (300, 100, "0.01", "0.003043096676392592814"),
    ]
    for n, t, ridge, expected in rows:
        assert solve(law, n, t, float(ridge) / n / t).value == pytest.approx(
            float(expected), rel=1e-14
        )
        with mpmath.workdps(30):
            value = solve(law, n, t, mpmath.mpf(ridge) / n / t).value
            assert abs(value / mpmath.mpf(expected) - 1) < mpmath.mpf("2e-19")


def test_half_a_mode_is_the_first_correction():
    """κ = (c/(N+½))^b up to O(N^{-b-1}) relatively; without the ½ the error falls only as 1/N."""
    b, n = 1.5, 10.0 ** np.arange(2, 6)
    c = math.pi / b / math.sin(math.pi / b)
    with mpmath.workdps(30):
        exact = np.array([float(solve(PowerLaw(exponent=b), x, mpmath.inf).value) for x in n])
        shifted, plain = (
            [float(abs(e / (mpmath.mpf(c) / (x + s)) ** b - 1)) for e, x in zip(exact, n)]
            for s in (0.5, 0.0)
        )
    assert slope_of(plain, n) == pytest.approx(-1, abs=0.02)
    assert slope_of(shifted[:3], n[:3]) == pytest.approx(-1 - b, abs=0.05)


def test_sympy_equation():
    third = sp.Symbol("L", positive=True)
    deep = self_consistent_equation(N, T, third)
    plain = self_consistent_equation()
    assert plain.rhs.subs(N, sp.oo).subs(T, sp.oo) == kappa
    assert sp.simplify(deep.rhs.subs(third, sp.oo) - plain.rhs) == 0
    assert deep.rhs != plain.rhs
    spectrum, n, t, z = Flat(40), 30.0, 90.0, 0.2
    value = float(solve(spectrum, n, t, z).value)
    degrees = next(iter(plain.rhs.atoms(sp.Function)))
    right = plain.rhs.subs(degrees, spectrum.degrees_of_freedom(value))
    assert float(right.subs({N: n, T: t, kappa: value})) == pytest.approx(z, rel=1e-12)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ((0, 10, 1), "features = 0"),
        ((10, -1, 1), "samples = -1"),
        ((math.nan, 10, 1), "features = nan"),
        ((10, 10, -1), "z = -1"),
        ((10, 10, math.nan), "z = nan"),
        ((10, 10, math.inf), "z = inf"),
        ((10, 10, -1 + 0j), "z = "),
        ((10, 10, complex(math.nan, 1)), "z = "),
        (("10", 10, 1), "features = '10'"),
    ],
)
def test_bad_input_is_named(arguments, named):
    with pytest.raises(InputError, match=named):
        solve(PowerLaw(1), *arguments)
    if not isinstance(arguments[0], str):
        exact = [mpmath.mpmathify(x) for x in arguments]
        with pytest.raises(InputError, match=named.split()[0]):
            solve(PowerLaw(1), *exact)


@pytest.mark.parametrize("scale", [0.02, np.array([[0.02], [0.3]])])
def test_long_paths_are_followed_in_pieces(scale):
    """Of more nodes than follow one another, a number of them that no length of pieces divides."""
    law = PowerLaw(exponent=1.4, size=300)
    z = scale * np.exp(1j * np.linspace(0, 2.5, 701))
    n = 3000 * np.squeeze(scale)  # each path has a size of its own
    along, single = (
        solve_along(law, n, 90.0, z),
        solve_complex(law, np.array(n)[..., None], 90.0, z),
    )
    assert along.value.shape == (*np.shape(n), 701)
    np.testing.assert_allclose(along.value, single.value, rtol=1e-11)
