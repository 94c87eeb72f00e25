"""Spectra: their sums, the two numeric faces, and the identities between the sums."""

import json
import math
import pickle
from fractions import Fraction

import mpmath
import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from solvable.analytic.errors import InputError
from solvable.analytic.loss import static_loss
from solvable.analytic.notation import J
from solvable.analytic.optimal_ridge import optimal_ridge
from solvable.analytic.spectral_functions import (
    DegreesOfFreedom,
    Moment,
    TargetSum,
    evaluate,
    isotropic,
    with_spectrum,
)
from solvable.analytic.spectrum import (
    Atoms,
    CutoffPowerLaw,
    Empirical,
    ExponentialDecay,
    Flat,
    PowerLaw,
    from_dict,
)
from solvable.analytic.spectrum.protocol import MODE, WEIGHT
from solvable.analytic.training.dynamics import dynamics
from solvable.analytic.training.learners import OnePassSGD
from solvable.analytic.training.scheduled_training import scheduled_dynamics
from solvable.analytic.training.schedules import schedule

KAPPAS = [1e-6, 0.003, 0.2, 5.0, 1e-3 * np.exp(2.5j), 0.3 - 1j]
kappas = st.builds(
    lambda x, angle: 10.0**x * (np.exp(1j * angle) if angle else 1.0),
    st.floats(-7, 2),
    st.one_of(st.just(0.0), st.floats(-2.8, 2.8)),
)


def by_hand(spectrum, kappa, p, q, target):
    values = spectrum.eigenvalues()
    weights = spectrum.target_power() / values if target else 1.0
    return np.sum(weights * values**p / (values + kappa) ** q)


@pytest.mark.parametrize("kappa", KAPPAS)
@pytest.mark.parametrize("target", [False, True])
def test_sums_are_sums_over_the_modes(finite_spectrum, kappa, target):
    for p, q in [(0, 1), (1, 1), (1, 2), (2, 2), (2, 1), (3, 3)]:
        value = finite_spectrum.resolvent_sum(kappa, p, q, target)
        assert value == pytest.approx(by_hand(finite_spectrum, kappa, p, q, target), rel=1e-11)


def test_named_sums_are_their_definitions(finite_spectrum):
    values, power = finite_spectrum.eigenvalues(), finite_spectrum.target_power()
    for q in (1, 2, 3):
        degrees = np.sum((values / (values + 0.07)) ** q)
        assert finite_spectrum.degrees_of_freedom(0.07, q) == pytest.approx(degrees, rel=1e-12)
        target = np.sum(power / (values + 0.07) ** q)
        assert finite_spectrum.target_sum(0.07, q) == pytest.approx(target, rel=1e-12)
        assert finite_spectrum.trace(q) == pytest.approx(np.sum(values**q), rel=1e-12)
    assert finite_spectrum.total_target_power() == pytest.approx(power.sum(), rel=1e-12)


def test_modes_descend_and_come_in_blocks(finite_spectrum):
    values, m = finite_spectrum.eigenvalues(), finite_spectrum.size
    assert values.shape == finite_spectrum.target_power().shape == (m,)
    assert (np.diff(values) <= 0).all() and values[-1] > 0
    blocks = [finite_spectrum.eigenvalues(i, i + 7) for i in range(0, m, 7)]
    np.testing.assert_array_equal(np.concatenate(blocks), values)
    blocks = [finite_spectrum.target_power(i, i + 7) for i in range(0, m, 7)]
    np.testing.assert_array_equal(np.concatenate(blocks), finite_spectrum.target_power())
    assert finite_spectrum.eigenvalue(np.array([1.0, float(m)])) == pytest.approx(values[[0, -1]])
    assert float(finite_spectrum.eigenvalue(mpmath.mpf(m))) == pytest.approx(values[-1], rel=1e-14)


@pytest.mark.parametrize("law", [x for x in PowerLaw.examples() if x.size == math.inf])
def test_infinite_power_laws_are_limits_of_finite_ones(law):
    """Σ_{J>M} λ/(λ+κ) ~ M^{1−b} λ₊/((b−1)κ): the observed slope is 1 − b."""
    b, scale = float(law.exponent), float(law.scale)
    sizes = 10.0 ** np.arange(5, 10)
    with mpmath.workdps(50):
        one = mpmath.mpf(1)
        whole = law.degrees_of_freedom(one)
        parts = [PowerLaw(exponent=law.exponent, size=m, scale=scale) for m in sizes]
        gaps = [float(whole - part.degrees_of_freedom(one)) for part in parts]
    slope = np.polyfit(np.log(sizes), np.log(gaps), 1)[0]
    assert slope == pytest.approx(1 - b, abs=0.005), f"slope {slope:.4f}, expected {1 - b}"
    assert gaps[-1] == pytest.approx(scale / (b - 1) * sizes[-1] ** (1 - b), rel=0.01)


def test_infinite_spectra_are_listed_in_blocks(infinite_spectrum):
    with pytest.raises(InputError, match="stop"):
        infinite_spectrum.eigenvalues()
    assert len(infinite_spectrum.eigenvalues(5, 12)) == 7


@settings(max_examples=15, deadline=None)
@given(kappas, st.sampled_from([(1, 1), (2, 2), (1, 2), (3, 3)]), st.booleans())
def test_faces_agree(spectrum, kappa, powers, target):
    with mpmath.workdps(30):
        exact = spectrum.resolvent_sum(mpmath.mpmathify(kappa), *powers, target)
    value = complex(spectrum.resolvent_sum(kappa, *powers, target))
    assert abs(value - complex(exact)) <= 3e-13 * abs(complex(exact))


def test_two_precisions_agree(spectrum):
    for kappa in (mpmath.mpf("0.01"), mpmath.mpc("-0.01", "0.02")):
        with mpmath.workdps(30):
            low = [spectrum.degrees_of_freedom(+kappa), spectrum.target_sum(+kappa, 2)]
        with mpmath.workdps(60):
            high = [spectrum.degrees_of_freedom(+kappa), spectrum.target_sum(+kappa, 2)]
            for x, y in zip(low, high):
                assert abs(x - y) < mpmath.mpf(10) ** -29 * abs(y)


@pytest.mark.parametrize("order", [1, 2])
def test_derivatives_are_sums_again(spectrum, order):
    """κ D_q' = −q (D_q − D_{q+1}) and h_q' = −q h_{q+1}; a wrong order does not pass."""
    with mpmath.workdps(40):
        kappa = mpmath.mpf("0.02")
        d, d_next = (spectrum.degrees_of_freedom(kappa, order + i) for i in (0, 1))
        slope = mpmath.diff(lambda k: spectrum.degrees_of_freedom(k, order), kappa)
        h_slope = mpmath.diff(lambda k: spectrum.target_sum(k, order), kappa)
        expected = -order * (d - d_next) / kappa
        assert abs(slope - expected) < mpmath.mpf("1e-15") * abs(slope)
        assert abs(slope - expected * (order + 1) / order) > 0.1 * abs(slope)
        expected = -order * spectrum.target_sum(kappa, order + 1)
        assert abs(h_slope - expected) < mpmath.mpf("1e-15") * abs(h_slope)


@settings(max_examples=15, deadline=None)
@given(kappas)
def test_the_spread_is_the_difference(spectrum, kappa):
    """D₁ − D₂ = κ Σ λ/(λ+κ)²."""
    d1, d2 = (spectrum.degrees_of_freedom(kappa, q) for q in (1, 2))
    spread = kappa * spectrum.resolvent_sum(kappa, 1, 2)
    assert abs(d1 - d2 - spread) < 1e-12 * (abs(d1) + abs(d2))


def test_degrees_of_freedom_fall_from_the_size_to_zero(spectrum):
    kappa = np.logspace(-8, 8, 400)
    d1, d2 = (spectrum.degrees_of_freedom(kappa, q) for q in (1, 2))
    assert (np.diff(d1) < 0).all() and (np.diff(d2) < 0).all()
    assert (d2 > 0).all() and (d2 < d1).all() and (d1 < spectrum.size).all()
    smallest = spectrum.eigenvalue(np.array(float(min(spectrum.size, 1000))))
    assert spectrum.degrees_of_freedom(1e-9 * float(smallest)) > 0.999 * min(spectrum.size, 1000)
    assert 1e12 * spectrum.degrees_of_freedom(1e12) == pytest.approx(spectrum.trace(), rel=1e-6)
    assert 1e12 * spectrum.target_sum(1e12) == pytest.approx(
        spectrum.total_target_power(), rel=1e-6
    )


def test_shapes_follow_kappa(spectrum):
    kappa = np.logspace(-3, 0, 6).reshape(2, 3)
    assert spectrum.degrees_of_freedom(kappa).shape == (2, 3)
    assert spectrum.degrees_of_freedom(kappa + 0j).dtype == np.complex128
    assert spectrum.target_sum(kappa).dtype == np.float64
    assert np.ndim(spectrum.degrees_of_freedom(0.1)) == 0
    assert isinstance(spectrum.degrees_of_freedom(mpmath.mpf(1)), mpmath.mpf)
    assert isinstance(spectrum.trace(mp=True), mpmath.mpf)
    assert spectrum.degrees_of_freedom(kappa)[1, 2] == pytest.approx(
        spectrum.degrees_of_freedom(1.0), rel=1e-14
    )


@settings(max_examples=25, deadline=None)
@given(st.floats(0.01, 100), kappas, st.sampled_from([7, 1000, math.inf]))
def test_the_scale_only_sets_the_unit(scale, kappa, size):
    unit, scaled = PowerLaw(0.5, size=size), PowerLaw(0.5, size=size, scale=scale)
    for q in (1, 2):
        assert scaled.degrees_of_freedom(scale * kappa, q) == pytest.approx(
            unit.degrees_of_freedom(kappa, q), rel=1e-12
        )
    assert scaled.trace(2) == pytest.approx(scale**2 * unit.trace(2), rel=1e-12)


def test_isotropic_weights_are_the_default_target():
    for default, explicit in [
        (PowerLaw(0.5, target_variance=3), PowerLaw(0.5, target_exponent=1.5, target_variance=3)),
        (Empirical([2, 1], target_variance=3), Empirical([2, 1], target_power=[6, 3])),
        (Flat(2, 2, 3), Empirical([2, 2], target_power=[6, 6])),
    ]:
        for q in (1, 2):
            assert default.target_sum(0.3, q) == pytest.approx(explicit.target_sum(0.3, q))
            expected = 3 * default.resolvent_sum(0.3, 1, q)
            assert default.target_sum(0.3, q) == pytest.approx(expected)


@pytest.mark.parametrize("law", [
    PowerLaw(exponent=1.5, target_exponent=2.25, size=9, scale=3, target_variance=0.5),
    ExponentialDecay(rate=0.3, target_rate=0.7, size=9, scale=2),
    CutoffPowerLaw(0.25, cutoff=4, size=9, scale=2),
    Flat(9, scale=3),
])  # fmt: skip
def test_the_formulas_of_a_spectrum_give_its_modes(law):
    formulas = {relation.lhs: relation.rhs for relation in law.symbolic()}
    for index in range(1, 10):
        mode = float(formulas[MODE].subs(J, index))
        assert mode == pytest.approx(float(law.eigenvalue(index)), rel=1e-12)
        if WEIGHT**2 * MODE in formulas:
            power = float(formulas[WEIGHT**2 * MODE].subs(J, index))
            assert power == pytest.approx(law.target_power(index - 1, index)[0], rel=1e-12)


@pytest.mark.parametrize("target", [False, True])
@pytest.mark.parametrize("size", [3, 40, 5000])
def test_sums_left_of_minus_the_largest_mode(size, target):
    law = PowerLaw(exponent=1.5, target_exponent=2.25, size=size, scale=2, target_variance=0.5)
    modes = law.eigenvalues()
    weights = law.target_power() / modes if target else 1.0
    for kappa in (-2.5, -40.0):
        for p, q in ((1, 1), (1, 2), (2, 3)):
            direct = math.fsum(weights * modes**p / (modes + kappa) ** q)
            found = law.resolvent_sum(kappa, p, q, target)
            assert found == pytest.approx(direct, rel=1e-11)


def test_a_flat_power_law_cutoff_and_list_agree():
    law = PowerLaw(1, size=30)
    soft = CutoffPowerLaw(1, 1e12, 30)
    listed = Empirical(law.eigenvalues())
    for spectrum in (soft, listed):
        assert spectrum.degrees_of_freedom(0.01) == pytest.approx(law.degrees_of_freedom(0.01))
        assert spectrum.target_sum(0.01, 2) == pytest.approx(law.target_sum(0.01, 2))


def test_exponents_are_exact_numbers():
    """b = 4/3 is not the float nearest to it; the mpmath face keeps what it was given."""
    with mpmath.workdps(40):
        kappa = mpmath.mpf("1e-9")
        exact = PowerLaw(exponent=Fraction(4, 3)).degrees_of_freedom(kappa)
        third = PowerLaw(exponent=mpmath.mpf(4) / 3).degrees_of_freedom(kappa)
        rounded = PowerLaw(exponent=4 / 3).degrees_of_freedom(kappa)
        assert abs(exact - third) < mpmath.mpf("1e-36") * exact
        assert abs(exact - rounded) > mpmath.mpf("1e-17") * exact


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: PowerLaw(), "alpha"),
        (lambda: PowerLaw(1, exponent=2), "alpha"),
        (lambda: PowerLaw(0), "alpha = 0"),
        (lambda: PowerLaw(-1, size=10), "alpha = -1"),
        (lambda: PowerLaw(math.nan), "alpha = nan"),
        (lambda: PowerLaw("1"), "alpha = '1'"),
        (lambda: PowerLaw(exponent=1), "exponent = 1"),
        (lambda: PowerLaw(1, size=2.5), "size = 2.5"),
        (lambda: PowerLaw(1, size=0), "size = 0"),
        (lambda: PowerLaw(1, target_exponent=1), "target_exponent = 1"),
        (lambda: PowerLaw(1, target_exponent=math.inf), "target_exponent = inf"),
        (lambda: PowerLaw(1, scale=0), "scale = 0"),
        (lambda: PowerLaw(1, target_variance=-1), "target_variance = -1"),
        (lambda: Flat(0), "size = 0"),
        (lambda: Empirical([]), "eigenvalues"),
        (lambda: Empirical(np.array([[1.0, 0.5]])), "eigenvalues = an array of shape"),
        (lambda: Empirical([1, -1]), "eigenvalues = -1"),
        (lambda: Empirical([0, 0]), "eigenvalues"),
        (lambda: Empirical([2, 1], target_power=[1]), "target_power"),
        (lambda: Empirical([2, 1], target_power=[1, -1]), "target_power = -1"),
        (lambda: CutoffPowerLaw(1, 0, 10), "cutoff = 0"),
        (lambda: CutoffPowerLaw(1, 5, math.inf), "size = inf"),
        (lambda: PowerLaw(1).resolvent_sum(-0.5, 1, 1), "kappa = -0.5"),
        (lambda: PowerLaw(1).degrees_of_freedom(0.0), "diverges"),
    ],
)
def test_bad_input_is_named(make, named):
    with pytest.raises(InputError, match=named):
        make()


def test_spectra_are_plain_data_and_back(spectrum):
    again = from_dict(json.loads(json.dumps(spectrum.to_dict())))
    assert again == spectrum == pickle.loads(pickle.dumps(spectrum))
    assert hash(again) == hash(spectrum) and again.to_dict() == spectrum.to_dict()
    assert again.degrees_of_freedom(0.01) == pytest.approx(spectrum.degrees_of_freedom(0.01))
    assert sp.sympify(spectrum).value() == spectrum


def test_equal_spectra_have_equal_data_and_others_have_not():
    same = [
        PowerLaw(0.5),
        PowerLaw(Fraction(1, 2)),
        PowerLaw(exponent=1.5),
        PowerLaw(exponent=mpmath.mpf("1.5")),
    ]
    assert len({json.dumps(x.to_dict()) for x in same}) == len(set(same)) == 1
    assert PowerLaw(0.5, size=1) != PowerLaw(0.5, size=2)
    assert PowerLaw(Fraction(1, 3)).to_dict()["exponent"] == "4/3"


@pytest.mark.parametrize("rate", [Fraction(1, 1000), Fraction(1, 7), 3])
@pytest.mark.parametrize("size", [1, 40, 700])
@pytest.mark.parametrize("digits", [15, 40])
def test_exponential_sums_are_sums_over_the_modes(rate, size, digits):
    """By the definition in more digits; with one mode more or less it is another number."""
    law = ExponentialDecay(rate, size, Fraction(3, 2) * rate, scale=2)
    with mpmath.workdps(digits + 15):
        c = mpmath.mpf(rate.numerator) / rate.denominator if rate != 3 else mpmath.mpf(3)
        modes = [2 * mpmath.exp(-c * j) for j in range(1, size + 1)]
        weights = [mpmath.exp(-c * j / 2) for j in range(1, size + 1)]
        for kappa in map(mpmath.mpmathify, ("1e-30", "0.03", 5, 0.1 - 0.2j)):
            for p, q, target in [(1, 1, False), (0, 1, False), (1, 2, True), (3, 3, False)]:
                terms = [w**target * x**p / (x + kappa) ** q for x, w in zip(modes, weights)]
                direct = mpmath.fsum(terms)
                with mpmath.workdps(digits):
                    found = law.resolvent_sum(+kappa, p, q, target)
                assert abs(found - direct) <= mpmath.mpf(10) ** (2 - digits) * abs(direct)
                if size == 1:
                    other = ExponentialDecay(rate, 2, Fraction(3, 2) * rate, scale=2)
                    assert abs(other.resolvent_sum(+kappa, p, q, target) - direct) > 0


def test_exponential_sums_do_not_depend_on_what_lies_beyond():
    whole, part = ExponentialDecay(0.5), ExponentialDecay(0.5, 10**18)
    with mpmath.workdps(40):
        kappa = mpmath.mpf("1e-200")
        assert whole.degrees_of_freedom(kappa) == part.degrees_of_freedom(kappa)
        # 2 ln(1/κ) + the average of a step: D₁ = ln(1/κ)/c − 1/2 up to e^{-2π²/c}
        assert whole.degrees_of_freedom(kappa) == pytest.approx(400 * math.log(10) - 0.5)


def test_atoms_cost_their_number_and_may_have_real_multiplicities():
    atoms = Atoms([0.5, 2], [10**18, 2.5], power=[1, 3])
    assert atoms.size == 10**18 + 2.5 and atoms.values == (2, 0.5)
    assert atoms.degrees_of_freedom(0.5) == pytest.approx(10**18 / 2 + 2.5 * 0.8)
    assert atoms.target_sum(1.0) == pytest.approx(10**18 / 1.5 + 2.5 * 3 / 3)
    assert list(atoms.eigenvalues(0, 4)) == [2, 2, 0.5, 0.5]
    with pytest.raises(InputError, match="size"):
        atoms.eigenvalues()
    expanded = Empirical([2, 2, 2, 0.5, 0.5])
    grouped = Atoms([2, 0.5], [3, 2])
    for q in (1, 2):
        assert grouped.degrees_of_freedom(0.3, q) == pytest.approx(
            expanded.degrees_of_freedom(0.3, q)
        )
    assert static_loss(Atoms([1], [10**18]), 10**17, 3 * 10**17).excess_loss == pytest.approx(
        1e18 * static_loss(Flat(1000), 100, 300).excess_loss / 1000
    )


def test_what_an_eigenvalue_solver_returns_is_a_spectrum():
    features = np.random.default_rng(3).normal(size=(4, 9))
    with pytest.warns(UserWarning) as said:
        spectrum = Empirical(np.linalg.eigvalsh(features.T @ features))
    texts = " ".join(str(warning.message) for warning in said)
    assert "sorted" in texts and all(x >= 0 for x in spectrum.values)
    exact = np.linalg.svd(features)[1] ** 2
    np.testing.assert_allclose(spectrum.eigenvalues(0, 4), exact, rtol=1e-12)
    with pytest.raises(InputError, match=r"eigenvalues = -0\.001"):
        Empirical([1, 0.5, -0.001])
    with pytest.warns(UserWarning, match="with their target power"):
        assert Empirical([1, 2], [3, 4]).power == (4, 3)


def test_target_power_on_no_mode_is_the_limit_of_that_on_a_small_one():
    """λ → 0 at fixed w²λ and ridge: it acts as label noise, and stays. Dropped, it is rejected."""
    bare, small = Empirical([1, 0.5, 0], [1, 0.5, 7]), Empirical([1, 0.5, 1e-12], [1, 0.5, 7])
    assert (bare.size, bare.irreducible) == (2, 7)
    dropped = Empirical([1, 0.5], [1, 0.5])
    losses = [
        lambda s: static_loss(s, 3, 5, ridge=0.3, noise=0.2),
        lambda s: static_loss(s, 3, 5, ridge=0.3, noise=0.2, digits=20),
        lambda s: dynamics(s, 3, 5, [0, 1, 30], noise=0.2),
        lambda s: dynamics(s, 3, 5, [0, 1, 30], ensemble=2, bags=3),
        lambda s: dynamics(s, 3, math.inf, [0, 5, 20], learner=OnePassSGD(0.2, 3)),
        lambda s: scheduled_dynamics(s, 3, math.inf, [0, 5, 20], schedule("cosine", 0.2, 40)),
    ]
    for loss in losses:
        found, limit, wrong = (loss(s) for s in (bare, small, dropped))
        for name in ("excess_loss", "train_loss"):
            x, y, z = (np.asarray(getattr(r, name), float) for r in (found, limit, wrong))
            np.testing.assert_allclose(x, y, rtol=1e-8, err_msg=name)
            assert (abs(x - z) > 0.1).all()
    best, noisy = optimal_ridge(bare, 3, 5, noise=0.2), optimal_ridge(dropped, 3, 5, noise=7.2)
    assert best.ridge == pytest.approx(noisy.ridge)
    exact = optimal_ridge(bare, 3, 5, noise=Fraction(1, 5), digits=20)
    assert float(exact.ridge) == pytest.approx(float(best.ridge), rel=1e-6)
    assert best.excess_loss == pytest.approx(noisy.excess_loss + 7)


def test_a_list_of_eigenvalues_is_a_spectrum():
    assert (
        static_loss([1, 0.5], 1, 5).excess_loss
        == static_loss(Empirical([1, 0.5]), 1, 5).excess_loss
    )
    for wrong in ("law", 3, None):
        with pytest.raises(InputError, match="spectrum"):
            static_loss(wrong, 1, 5)


def test_symbols_are_refused_where_a_number_is_needed():
    law = PowerLaw(sp.Symbol("alpha", positive=True), size=100)
    assert isinstance(law.degrees_of_freedom(0.1), DegreesOfFreedom)
    for needs_numbers in (
        lambda: dynamics(law, 10, 20, [1]), lambda: optimal_ridge(law, 10, 20),
        law.trace, law.to_dict,
        lambda: static_loss(PowerLaw(sp.Symbol("a", negative=True)), 3, 4),
    ):  # fmt: skip
        with pytest.raises(InputError):
            needs_numbers()


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_sums_with_an_isotropic_target_are_sums_of_degrees(order):
    x = sp.Symbol("x", positive=True)
    found = evaluate(
        isotropic(TargetSum(order, x), 3), {x: mpmath.mpf("0.2")}, Empirical([2, 1, 0.5])
    )
    expected = sum(3 * v / (v + 0.2) ** order for v in (2, 1, 0.5))
    assert float(found) == pytest.approx(expected)


@pytest.mark.parametrize("rate", ["1e-9", "0.09", "0.11", "5"])
def test_sums_of_a_slow_decay_keep_their_digits(rate):
    law = ExponentialDecay(rate=Fraction(rate), size=50)
    with mpmath.workdps(25):
        kappa, exact = mpmath.mpf("0.37"), mpmath.mpf(0)
        for j in range(1, 51):
            value = mpmath.exp(-mpmath.mpf(rate) * j)
            exact += value / (value + kappa)
        assert abs(law.resolvent_sum(kappa, 1, 1) / exact - 1) < mpmath.mpf(10) ** -23


def test_sums_print_in_every_way():
    formulas = (DegreesOfFreedom(2, J), TargetSum(1, J), Moment(1, 1), Moment(2, 0))
    for formula, text in zip(formulas, ("D", "h", "w", "Tr[λ"), strict=True):
        assert text in sp.pretty(formula) and sp.latex(formula)
        assert text in sp.pretty(with_spectrum(formula, Flat(6)))


@pytest.mark.parametrize("text", ["atoms:values=1;0.1", "atoms:1:0.1"])
def test_a_list_that_is_typed_otherwise_is_told_how(text):
    from solvable.analytic.spectrum import from_text

    with pytest.raises(InputError, match=r"a list is written \[1,1/4\]"):
        from_text(text)
