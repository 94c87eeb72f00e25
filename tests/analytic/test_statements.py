"""Limits in any statement: regimes parsed, terms that lead, slopes of what is left."""

import itertools
from fractions import Fraction as F

import mpmath as mp
import pytest
import sympy as sp

from solvable.analytic.asymptotics.balance.exact_value import compare
from solvable.analytic.asymptotics.balance.places import Implicit
from solvable.analytic.asymptotics.balance.regime_statement import parse_regime
from solvable.analytic.asymptotics.balance.slope_check import measured_slope
from solvable.analytic.asymptotics.balance.traces import compiled
from solvable.analytic.asymptotics.limits import limit
from solvable.analytic.errors import InputError, OutsideTheoryError
from solvable.analytic.free_probability.models import expression
from solvable.analytic.loss import static_loss
from solvable.analytic.notation import M, N, T, a, b, lambda_plus, sigma_w
from solvable.analytic.optimal_ridge import optimal_ridge
from solvable.analytic.spectral_functions import DegreesOfFreedom, TargetSum
from solvable.analytic.spectrum import Atoms, PowerLaw
from tests.processor_time import bounded

z = sp.Symbol("z", positive=True)
SCALES = (mp.mpf(10) ** 11, mp.mpf(10) ** 12)


def exact(point, sizes):
    spectrum = PowerLaw(
        exponent=point[b], target_exponent=point.get(a), size=sizes.get(M, float("inf"))
    )
    n, t = sizes.get(N, mp.inf), sizes.get(T, mp.inf)
    ridge = sizes.get(z, 0) * n * t if z in sizes else 0
    return static_loss(spectrum, n, t, ridge=ridge, digits=58).excess_loss


def slope_of_the_rest(form, point, wrong=1):
    """d ln|exact − sum|/d ln L along sizes that grow as the regime says."""
    left = []
    for scale in SCALES:
        sizes = {
            s: scale ** (mp.mpf(p.numerator) / p.denominator)
            for s, p in form.regime.growth.items()
            if abs(p) < 1000
        }
        if M in sizes:
            sizes[M] = int(sizes[M])
        values = {**{s: sp.Float(str(v), 80) for s, v in sizes.items()}, **point}
        *_, total = form.partial_sums({**values, lambda_plus: 1, sigma_w: wrong})
        left.append(abs(exact(point, sizes) - total))
    return float(mp.log(left[1] / left[0]) / mp.log(SCALES[1] / SCALES[0]))


STATEMENTS = [
    "1 << N << T, M = inf, z = 0",
    "1 << T << N, M = inf, z = 0",
    "1 << N, T = inf, M = inf, z = 0",
    "1 << N << T, M = inf, z -> 0, z*N^3 << 1",
]
EXPONENTS = [(F(3, 2), None), (F(3, 2), F(2)), (F(8, 5), F(21, 10)), (F(6, 5), F(17, 5))]


@pytest.mark.parametrize(("statement", "exponents"), [*zip(STATEMENTS, EXPONENTS)])
def test_what_is_left_falls_as_the_remainder(statement, exponents):
    check(statement, exponents)


@pytest.mark.slow
@pytest.mark.parametrize(("statement", "exponents"), [*itertools.product(STATEMENTS, EXPONENTS)])
def test_what_is_left_falls_as_the_remainder_everywhere(statement, exponents):
    check(statement, exponents)


def check(statement, exponents):
    mp.mp.dps = 80
    b_value, a_value = exponents
    form = limit("loss", statement, exponent=b_value, target_exponent=a_value, terms=2)
    point = {b: sp.Rational(b_value)} | ({} if a_value is None else {a: sp.Rational(a_value)})
    claimed = -float(form.remainder.weight)
    assert abs(slope_of_the_rest(form, point) - claimed) < 0.05
    lead = -float(form.terms[0].weight)
    assert abs(slope_of_the_rest(form, point, wrong=2) - lead) < 0.05, "a wrong prefactor"


@pytest.mark.parametrize(
    ("name", "statement", "lead"),
    [
        ("ridge-bias", "1 << T, M = inf, z = 0", T ** (1 - a)),
        ("ridge-variance", "1 << T, M = inf, z = 0", sp.S.One),
        ("marchenko-pastur", "T/M = 2, 1 << M, z -> 0", sp.S.One),
        ("marchenko-pastur", "M/T = 2, 1 << M, z -> 0", 1 / z),
        ("marchenko-pastur", "T = M, 1 << M, z -> 0", z ** sp.Rational(-1, 2)),
        ("sample-covariance", "z -> 0, T < M", 1 / z),
        ("deep-random-features", "z -> inf, K < N < T < M", 1 / z),
    ],
)
def test_rows_of_the_matrix_table(name, statement, lead):
    form = expression(name).derive().limit(statement, exponent=F(3, 2), target_exponent=2, terms=2)
    first = form.terms[0]
    moving = {s: e for s, e in first.exponents.items() if form.regime.growth.get(s, 0) != 0}
    assert sp.simplify(sp.Mul(*(s**e for s, e in moving.items())) / lead) == 1


def test_sizes_that_nearly_agree_have_a_double_root_that_splits():
    form = limit("loss", "T - N = m, m -> 0, 1 << N, M = inf, z = 0", alpha=0.5, terms=1)
    c, m = (sp.Symbol(x, positive=True) for x in "cm")
    lead = sigma_w**2 * lambda_plus * c**b * T ** (2 - b) / m  # κ₀ σ_w² T … / (1 − N/T)
    assert sp.simplify(form.expression / lead) == 1
    with pytest.raises(OutsideTheoryError, match="multiple root"):
        limit("loss", "T = N, 1 << N, M = inf, z = 0", exponent=F(8, 5), terms=1)
    form = limit("kappa", "T = N, 1 << N, M = inf, z = 0", exponent=F(8, 5), terms=2)
    assert compare(form, {"N": 100, "T": 100, "b": F(8, 5)}, 20).errors[1] < 1e-3
    form = limit("noise", "N - T = m, 1 << T << M, z = 0", exponent=F(8, 5), at={"m": 3})
    errors = compare(form, {"N": 1003, "T": 1000, "M": 10**7, "m": 3, "b": F(8, 5)}, 20).errors
    assert errors[2] < errors[1] < errors[0] < 1e-2 and errors[2] < 1e-5


@pytest.mark.parametrize("statement", ["N/T = r, T << M, z = 0", "N << T, M = inf, z = 0"])
def test_numbers_of_features_and_samples_are_large(statement):
    form = limit("loss", statement, exponent=F(8, 5), target_exponent=F(2), terms=1)
    assert form.regime.growth[N] > 0 and "1 << N" in form.regime.text
    assert form.terms[0].exponents[N] == 1 - a
    with pytest.raises(InputError, match="contradict"):
        limit("loss", "N << 1, M = inf, z = 0, T = inf", exponent=F(8, 5), terms=1)


@pytest.mark.parametrize(
    ("statement", "value"),
    [
        ("N/T = r, T << M, z = 0", "r/(1 - r)"),
        ("N/T = r, 1 << T << M, z = 0", "r/(1 - r)"),
        ("T - N = m, m -> 0, 1 << N, M = inf, z = 0", "T/m - 1"),
        ("T - N = m, 1 << T << M, z = 0", "T/m - 1"),
        ("T - N = m, 1 << m << T << M, z = 0", "T/m - 1"),
    ],
)
def test_a_sum_that_ends_is_known_to_end(statement, value):
    form = limit("noise", statement, exponent=F(8, 5), terms=3)
    names = {s.name: s for s in form.expression.free_symbols}
    assert sp.simplify(form.expression - sp.sympify(value, names)) == 0
    assert form.remainder is None and not form.conditions


@pytest.mark.parametrize(
    ("quantity", "statement", "at", "ranges"),
    [
        ("kappa", "1 << T, N/T = r, M = inf, z = 0", {}, "(r < 1,)"),
        ("kappa", "1 << T, N/T = r, M = inf, z = 0", {"N": 300, "T": 100}, "(1 < r,)"),
        ("kappa", "1 << T, N/T = r, r < 1, M = inf, z = 0", {}, "()"),
        ("kappa", "1 << T, N/T = r, M = inf, z -> inf", {}, "()"),
        ("kappa", "1 << T, N/T = r, r -> 0, M = inf, z = 0", {}, "()"),
        ("loss", "1 << N << T, N/M = s, z = 0", {}, "(s < 1,)"),
        ("kappa", "1 << M, N/T = r, T/M = s, z = 0", {}, "(r < 1, r*s < 1)"),
    ],
)
def test_the_side_of_a_free_ratio_is_said(quantity, statement, at, ranges):
    form = limit(quantity, statement, alpha=0.5, terms=1, at=at)
    assert str(form.ranges) == ranges
    if ranges == "(r < 1,)":
        with pytest.raises(InputError, match="r < 1"):
            compare(form, {"b": 1.5, "N": 300, "T": 100})


@pytest.mark.parametrize("sizes", ["N, T = inf", "T, N = inf", "N << M, T = inf"])
def test_a_ridge_that_nothing_calls_for_is_refused_with_what_is_equal(sizes):
    with pytest.raises(OutsideTheoryError, match="zero ridge, z = 0"):
        text = f"1 << {sizes}" + ("" if "M" in sizes else ", M = inf")
        limit("optimal-loss", text, exponent=F(3, 2), target_exponent=F(11, 5))


@pytest.mark.parametrize(
    ("statement", "point", "message"),
    [
        ("1 << T << N, M = inf", (F(5, 2), 3), "zero ridge"),  # both brackets negative: no ridge
        ("1 << T << N << M", (2, F(5, 2)), "zero ridge"),
        ("1 << T << N, M = inf", (2, F(7, 2)), "vanishes at these numbers"),
    ],
)
def test_the_least_loss_of_few_samples_is_without_ridge(statement, point, message):
    law = PowerLaw(exponent=float(point[0]), target_exponent=float(point[1]))
    assert optimal_ridge(law, 1e12, 1e3).ridge == 0
    with pytest.raises(OutsideTheoryError, match=message):
        limit("optimal-loss", statement, exponent=point[0], target_exponent=point[1], terms=1)


def test_two_real_roots_of_a_trace_are_ordered():
    form = limit("marchenko-pastur", "1 << T << M, z ~ M/T", alpha=0.5, terms=2, at={"T": 1000})
    values = {"T": 1000, "M": 10**6, "z": 500, "b": 1.5}
    assert compare(form, values).errors[1] < 1e-6


def test_an_order_of_sizes_in_a_ratio_is_one_of_the_ratio():
    for text, below in (("N < T", True), ("T < N", False)):
        form = limit("kappa", f"1 << N, N/T = r, {text}, M = inf, z = 0", alpha=0.5, terms=1)
        ratio = form.regime.values[sp.Symbol("r", positive=True)]
        assert (form.ranges, ratio < 1) == ((), below)


def test_noise_beyond_the_modes_and_a_trace_that_grows_with_them():
    assert limit("noise", "1 << M << N << T, z = 0", alpha=0.5, terms=1).expression == M / T
    text = "1 << N << T, z = 0, 1 << M, N << M"
    form = limit("loss", text, exponent=F(4, 5), target_exponent=F(13, 10), terms=2)
    assert measured_slope(form.problem, form, {b: F(4, 5), a: F(13, 10)}, (14, 16)).holds()
    values = {"N": 10**5, "T": 10**12, "M": 10**9, "b": 0.8, "a": 1.3}
    assert compare(form, values).errors[1] < 0.03


def test_what_vanishes_with_the_ridge_is_named():
    with pytest.raises(OutsideTheoryError, match="zero at z = 0; z -> 0 gives its law"):
        limit("loss", "T -> inf, M < N, z = 0", alpha=0.5)
    form = limit(expression("degrees-of-freedom").derive(), "1 << T << M, z = 0", alpha=0.5)
    assert form.expression == 1 and form.remainder is None


def test_marchenko_pastur_at_the_hard_edge_and_beyond():
    form = expression("marchenko-pastur").derive().limit("T/M = 2, 1 << M, z -> 0", terms=2)
    assert form.terms[0].coefficient == 2, "1/(1 − M/T)"
    assert form.terms[1].coefficient == -8, "−(M/T)… of the second inverse moment"


@pytest.mark.parametrize(
    ("statement", "error", "message"),
    [
        ("1 << N << T, M = inf", InputError, "nothing about z"),
        ("1 << N << T, M = inf", InputError, "z = 0, 1 << N << T, M = inf; or z ~ T"),
        ("N/T = 2, M = inf, z = 0", InputError, "1 << N, N/T = 2, M = inf, z = 0; or"),
        ("1 << N << T << N, M = inf, z = 0", InputError, "contradict"),
        ("1 << N <, M = inf, z = 0", InputError, "an ordering"),
        ("N = T, 1 << T, M = inf, z = 0", OutsideTheoryError, "infinite at N = T, z = 0"),
        ("z -> 0, N < T, T < N, T < M", InputError, "contradict"),
        ("N < T, r < 2, 3 < r, N/T = r, z -> 0, M = inf", InputError, "contradict"),
        ("z -> 0, N^2 < T, T < M", InputError, "one direction"),
        ("z -> 0, N < T > M", InputError, "one direction"),
        ("1 << N << T, T < N, M = inf, z = 0", InputError, "contradict"),
        ("1 << N, N < T, M = inf, z = 0", InputError, "contradict"),
        ("N < T, 1 << T, N/T = 2, M = inf, z = 0", InputError, "contradict"),
        ("M - N = m, 1 << M, N < T, z = 0", InputError, "contradict"),
        ("1 << N << T, 1 << width, M = inf, z = 0", InputError, "sizes of loss: M, N, T, z"),
        ("__import__ << N", InputError, "nothing about M, T, z"),
    ],
)
def test_refusals_say_why(statement, error, message):
    with pytest.raises(error, match=message):
        limit("loss", statement, alpha=0.5)


def test_a_regime_is_printed_back_and_ordered_at_given_sizes():
    text = "1 << N << T, M = inf, z = 0"
    near = parse_regime(text, [M, N, T, z], {}, {N: 100, T: 10**6})
    assert str(near) == text and near.growth[T] == pytest.approx(3 * near.growth[N], rel=1e-2)
    with pytest.raises(InputError, match="ordered as the regime says"):
        parse_regime(text, [M, N, T, z], {}, {N: 100, T: 10})


def test_two_ratios_that_share_a_size():
    regime = parse_regime("1 << T, N/T = 1/2, T/M = 1/3", [M, N, T], {}, keep=M)
    assert regime.substitutions == {T: M / 3, N: M / 6} and set(regime.growth) == {M}


def test_a_pole_at_the_numbers_is_refused_as_such():
    face = compiled(1 / (N - T), [N, T])
    assert face({N: mp.mpf(3), T: mp.mpf(1)}, None) == 0.5
    with pytest.raises(OutsideTheoryError, match="pole"):
        face({N: mp.mpf(1), T: mp.mpf(1)}, None)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("target", "statement", "sizes"),
    [
        (None, "1 << N << T, M = inf", (10**6, 10**14)),
        (2, "1 << N << T, M = inf", (10**6, 10**14)),
        (2, "1 << N, N/T = r, M = inf", (10**7, 2 * 10**7)),
    ],
)
def test_the_loss_at_the_optimal_ridge(target, statement, sizes):
    """Its terms against the lowest loss of all ridges, and not against the one without ridge."""
    form = limit("optimal-loss", statement, exponent=1.5, target_exponent=target, terms=1)
    law = PowerLaw(exponent=1.5, target_exponent=1.5 if target is None else target)
    values = {N: sizes[0], T: sizes[1], b: sp.Rational(3, 2), a: sp.Integer(2)}
    lead = form.partial_sums(values, law)[0]
    assert abs(lead / optimal_ridge(law, *sizes).excess_loss - 1) < 3e-3
    if "r" in statement:
        assert abs(lead / static_loss(law, *sizes).excess_loss - 1) > 0.05


def test_a_sum_that_cancels_far_out_has_no_root_there():
    """κh₃ < h₂ for every κ; at 10^20 both are equal to twenty digits."""
    x = sp.Symbol("x", positive=True)
    equation = x * TargetSum(3, x) - TargetSum(2, x)
    law = PowerLaw(exponent=1.5, target_exponent=2)
    assert not list(Implicit(x, equation).all_numbers({}, law, 20, (20, 8)))
    known = list(Implicit(x, DegreesOfFreedom(1, x) - 5).all_numbers({}, law, 20, (2, -4)))
    assert len(known) == 1 and abs(law.degrees_of_freedom(float(known[0][1])) - 5) < 1e-9


def slow(*case):
    return pytest.param(*case, marks=pytest.mark.slow)


@pytest.mark.parametrize(
    ("statement", "sizes"),
    [
        ("1 << N, N/T = r, r > 1, M = inf, z = 0", {"N": 4e5, "T": 1e5}),
        slow("1 << T, N/T = r, 1 < r, M = inf, z = 0", {"N": 4e5, "T": 1e5}),
        slow("1 << N, N/T = r, M = inf, z = 0", {"N": 3e5, "T": 1e5}),
        slow("1 << N, N/T = r, M = inf, z = 0", {"N": 1e5, "T": 3e5}),
        slow("M -> inf, N < T, z = 0", {"N": 20, "T": 50, "M": 1e7}),
        ("M -> inf, T < N, z = 0", {"N": 50, "T": 20, "M": 1e7}),
        slow("z -> 0, T < N < M", {"N": 50, "T": 20, "M": 100, "z": 1e-6}),
        slow("N - T = m, 1 << T, M = inf, z = 0", {"N": 10003, "T": 10000}),
        slow("M - N = m, 1 << N, N << T, z = 0", {"N": 99998, "M": 100000, "T": 1e9}),
    ],
)
def test_the_series_is_that_of_the_loss_itself(statement, sizes):
    """Not of another root: beside the loss that is solved for on its own."""
    form = limit("loss", statement, alpha=F(1, 2), terms=2, at=sizes)
    spectrum = PowerLaw(alpha=F(1, 2), size=int(sizes.get("M", 0)) or float("inf"))
    ridge = sizes.get("z", 0) * sizes["N"] * sizes["T"]
    loss = static_loss(spectrum, sizes["N"], sizes["T"], ridge=ridge, digits=20).excess_loss
    comparison = compare(form, {**sizes, "b": F(3, 2)}, 20)
    assert abs(comparison.exact / loss - 1) < 1e-15
    first, second = comparison.errors
    assert second < first / 30 and second < 1e-3, comparison


@pytest.mark.parametrize(
    ("statement", "sizes", "message"),
    [
        ("z -> 0, N < T < M", {"N": 50, "T": 20, "M": 100, "z": 1e-5}, "N < T < M, as the regime"),
        ("1 << N, N/T = r, r < 1, M = inf, z = 0", {"N": 200, "T": 100}, "r < 1, as the regime"),
        ("1 << N, T = N^2, M = inf, z = 0", {"N": 100, "T": 300}, "T = N\\*\\*2, as the regime"),
    ],
)
def test_sizes_outside_the_statement_are_refused(statement, sizes, message):
    form = limit("loss", statement, alpha=F(1, 2), terms=1)
    with pytest.raises(InputError, match=message):
        compare(form, sizes | {"b": F(3, 2)}, 15)


def test_conditions_that_follow_from_others_are_left_out():
    law = limit("loss", "1 << N, N/T = r, r < 1, M = inf, z = 0", exponent=F(5, 4),
                target_exponent=F(8, 5))  # fmt: skip
    assert law.conditions
    points = [{a: F(x, 10), b: F(y, 10)} for x in range(11, 50, 3) for y in range(11, 50, 3)]
    held = [[bool(c.subs(p)) for p in points] for c in law.conditions]
    for k, one in enumerate(held):
        others = [all(h[i] for h in held[:k] + held[k + 1 :]) for i in range(len(points))]
        assert any(o and not x for o, x in zip(others, one)), law.conditions


@pytest.mark.parametrize(
    ("name", "statement", "target", "ridge"),
    [
        ("ridge-bias", "1 << T, T/M = 1/3, z -> 0, z*T^(3*b) << 1", 1, lambda t: F(1, t**6)),
        slow("loss", "1 << T, T/M = 1/3, N = inf, z = 0", 1, None),
        slow("loss", "1 << T, T/M = 1/3, N = inf, z = 0", 2, None),
        slow("loss", "1 << T, T/M = r, N = inf, z ~ M^-b", 1, lambda t: (3 * t) ** -1.4),
    ],
)
def test_resonances_at_the_edge_of_the_spectrum(name, statement, target, ridge):
    """a − 1 a multiple of b, where κM^b stays: poles that cancel inside one integral."""
    point = {"b": F(7, 5), "a": 1 + target * F(7, 5)}
    form = limit(name, statement, exponent=point["b"], target_exponent=point["a"], terms=1)
    errors = []
    for samples in (10**4, 10**5):
        numbers = {"T": samples, "M": 3 * samples} | ({"z": ridge(samples)} if ridge else {})
        errors.append(compare(form, numbers | point, 20).errors[0])
    assert errors[1] < 1e-3 and errors[1] < errors[0] / 2, errors


def test_the_exact_value_over_listed_eigenvalues():
    """Matrix equations over atoms: the sizes are those of the spectrum."""
    errors = []
    form = limit("gram-matrix", "z -> inf, T < M", spectrum=Atoms([1, F(1, 4)], [30, 50]), terms=2)
    for z_value in (10**3, 10**4):
        errors.append(compare(form, {"T": 20, "z": z_value}, 20).errors)
    slopes = [float(mp.log10(x / y)) for x, y in zip(*errors)]
    assert slopes == pytest.approx([1, 2], abs=0.02), slopes


@pytest.mark.parametrize(
    ("name", "statement", "point", "sizes", "conditions"),
    [
        ("loss", "T = N^2, M = N^3, z = N^-2", (F(8, 5), F(21, 10)), "N: 1, T: 2, M: 3, z: -2", 0),
        slow("loss", "T ~ N^2, M ~ N^3, z ~ N^-b", (F(3, 2), F(11, 5)),
             "N: 2, T: 4, M: 6, z: -3", 0),
        ("loss", "T = N^2, M = inf, z = N^(-3/2)", (F(3, 2), F(11, 5)), "N: 2, T: 4, z: -3", 1),
        ("loss", "N = T^(4/3), M = inf, z = 0", (F(3, 2), F(17, 6)), "N: 4, T: 3", 1),
        slow("loss", "N = z^-1, T = z^-2, M = inf", (F(8, 5), F(21, 10)), "z: -5, N: 5, T: 10", 0),
        slow("noise", "T = N, M = N^2, z = N^(-3/2)", (F(3, 2), F(21, 10)),
             "N: 2, T: 2, M: 4, z: -3", 1),
        ("ridge-bias", "T = M^(1/2), z = T^(-3/2)", (F(3, 2), 2), "M: 4, T: 2, z: -3", 1),
        slow("flow-loss", "N = t, T = t^(1/2), M = inf", (F(3, 2), 2), "t: 2, T: 1, N: 2", 0),
        slow("optimal-loss", "T = N^2, M = inf", (F(8, 5), F(21, 10)), "N: 1, T: 2", 0),
    ],
)  # fmt: skip
def test_powers_of_one_size_are_a_regime(name, statement, point, sizes, conditions):
    """Also on a wall, where terms of one size stand in the first one, and are said to do so."""
    form = limit(name, statement, exponent=point[0], target_exponent=point[1], terms=1)
    assert sum(isinstance(c, sp.Eq) for c in form.conditions) == conditions
    growth = {k.strip(): int(p) for k, p in (x.split(":") for x in sizes.split(","))}
    errors = [
        compare(form, {k: F(x) ** p for k, p in growth.items()} | dict(zip("ba", point)), 20)
        .errors[0] for x in (50, 400)
    ]  # fmt: skip
    assert errors[1] < errors[0] / 2 and errors[1] < 0.1, errors


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("T = N^2, M = N^3", "nothing about z"),
        ("T = N^2, z = 0, 1 << M", "nothing about N"),
        ("T = N^2, z = M^-2", "nothing about M, N"),
    ],
)
def test_powers_that_leave_a_size_open_name_it(statement, message):
    with pytest.raises(InputError, match=message):
        limit("loss", statement, alpha=0.5)


@pytest.mark.parametrize(
    ("statement", "powers"),
    [
        ("1 << N << T << M", {T: 3, M: F(13, 3)}),
        slow("1 << N << M << T", {T: 3, M: F(6, 5)}),
    ],
)
def test_the_least_loss_of_finitely_many_modes(statement, powers):
    values = {"b": F(8, 5), "a": F(2)}
    form = limit("optimal-loss", statement, exponent=F(8, 5), target_exponent=F(2), terms=1)
    left = []
    for n in (10**3, 10**4, 10**5):
        sizes = {"N": n} | {s.name: round(n ** float(p)) for s, p in powers.items()}
        found = compare(form, sizes | values, 25)
        left.append(abs(found.errors[0] * found.exact))
    exponents = {s: e.subs({a: 2, b: F(8, 5)}) for s, e in form.remainder.exponents.items()}
    slope = sum(exponents.get(s, 0) * p for s, p in ({N: 1} | powers).items())
    first, second = (mp.log10(y / x) for x, y in zip(left, left[1:]))
    assert abs(second - slope) < 0.05 and abs(second - slope) < abs(first - slope) + 0.01


@pytest.mark.slow
@pytest.mark.parametrize("statement", ["1 << N << T << M", "N/T = 1/2, T << M", "1 << N << M << T"])
def test_the_least_loss_where_the_target_is_as_the_spectrum(statement):
    """Close to κ = M^-b all terms of the equation cancel; κ is found before that is looked at."""
    form = limit("optimal-loss", statement, exponent=F(8, 5), terms=1)
    found = measured_slope(form.problem, form, {b: F(8, 5)}, (4, 5))
    assert found.holds(), found
    assert not measured_slope(form.problem, form, {b: F(8, 5)}, (4, 5), F(11, 10)).holds()


@pytest.mark.parametrize("ratio", [F(1, 2), slow(F(1, 9)), slow(F(1)), slow(F(3))])
def test_the_least_loss_at_a_fixed_ratio_to_second_order(ratio):
    """The leading coefficient of κ is κ₀, the root of a quadratic; the terms are linear in it."""
    form = limit("optimal-loss", f"N/T = {ratio}, 1 << T, M = inf", exponent=F(8, 5), terms=2)
    root = next(s for s in form.where if s.name == "kappa_0")
    above = [sp.numer(sp.together(t.coefficient)) for t in form.terms]
    assert all(sp.Poly(x, root).degree() == 1 for x in above)
    errors = [
        compare(form, {"N": n * ratio, "T": n, "b": F(8, 5)}, 25).errors for n in (10**3, 10**4)
    ]
    assert all(y / x == pytest.approx(10.0**-k, rel=0.05)
               for k, (x, y) in enumerate(zip(*errors), 1)), errors  # fmt: skip


@pytest.mark.parametrize(
    ("quantity", "statement", "point", "needed"),
    [
        ("sgd-loss", "1 << t << M, M << N, eta -> 0, B = 1", (F(4, 5), F(7, 5)), "eta*t"),
        ("flow-loss", "1 << t, 1 << N << T, M = inf", (F(3, 2), 2), "N**b/t"),
        ("flow-loss", "1 << t << M, 1 << N << T", (F(3, 2), 2), "t**(1/b)/N"),
        ("loss", "1 << N << T, M = inf, z -> 0", (F(3, 2), 2), "z*N**b"),
        ("noise", "1 << N << T << M, z -> 0", (F(3, 2), 2), "z*N**b"),
    ],
)
def test_an_ordering_left_open_is_among_the_conditions(quantity, statement, point, needed):
    """Another law leads in the same statement: what parts the two is said, however few terms."""
    form = limit(quantity, statement, exponent=point[0], target_exponent=point[1], terms=1)
    names = {s.name: s for s in (*form.regime.growth, b)}
    assert sp.Lt(sp.sympify(needed, locals=names), 1, evaluate=False) in form.conditions
    closed = f"{statement}, {needed.replace('**', '^')} << 1"
    again = limit(quantity, closed, exponent=point[0], target_exponent=point[1], terms=1)
    assert again.expression == form.expression
    opened = f"{statement}, 1 << {needed.replace('**', '^')}"
    other = limit(quantity, opened, exponent=point[0], target_exponent=point[1], terms=1)
    assert other.expression != form.expression


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("ridge-training-loss", "the limit is zero at z = 0; z -> 0 gives its law"),
        ("sample-covariance", "the limit does not exist: it is infinite at z = 0"),
    ],
)
def test_what_is_known_exactly_may_be_zero_or_infinite(name, message):
    with bounded(20), pytest.raises(OutsideTheoryError, match=message):
        equations = expression(name).derive()
        equations.limit("1 << T, M = inf, z = 0", exponent=F(16, 11), target_exponent=F(31, 13))


def test_a_place_close_to_a_wall_is_left_for_another_of_the_regime():
    """M^{1−b} against T is open, and the first place chosen lies close to where they are alike."""
    form = limit("flow-loss", "1 << T << N << M, T << t", exponent=F(3, 5), target_exponent=F(7, 2),
                 terms=1)  # fmt: skip
    assert form.terms[0].expression == sigma_w**2 * lambda_plus * sp.zeta(a)
    assert sp.Lt(M ** (b - 1) * T, 1, evaluate=False) in form.conditions
