"""Limits of the static loss: every kept term improves at the rate of the next one."""

from dataclasses import replace
from fractions import Fraction as F

import mpmath as mp
import pytest
import sympy as sp

from solvable.analytic.asymptotics.limits import REGIMES, Limit, Setting, limit, ratio
from solvable.analytic.asymptotics.limits.named import expand_static, kappa_0
from solvable.analytic.errors import InputError
from solvable.analytic.notation import N, T, a, b, sigma_w
from solvable.analytic.spectral_functions import DegreesOfFreedom
from solvable.analytic.spectrum import PowerLaw

TOLERANCE = 0.02
HALF = PowerLaw(alpha=F(1, 2))
HARD = PowerLaw(exponent=F(5, 4), target_exponent=F(3, 2))  # a − 1 < b
EASY = PowerLaw(exponent=F(6, 5), target_exponent=F(17, 5))  # a − 1 > b
FINITE = PowerLaw(alpha=F(1, 2), size=1000)
TILTED = PowerLaw(exponent=F(5, 4), target_exponent=F(3, 2), size=200)
LARGE = [mp.mpf(10) ** e for e in (14, 15)]
HUGE = [mp.mpf(10) ** e for e in (40, 41)]
TINY = [mp.mpf(2) ** -e for e in (44, 40)]


def sizes(spectrum, small, factor=3, other="T"):
    """Settings along a grid of the smaller size, at fixed ratio."""
    return [
        Setting(spectrum, n, factor * n) if other == "T" else Setting(spectrum, factor * n, n)
        for n in small
    ]


def weak(spectrum, n, t, grid=TINY):
    return [Setting(spectrum, n, t, z) for z in grid]


CASES = {
    "N<<T": (("N<<T", {"alpha": 0.5}), sizes(HALF, LARGE)),
    "T<<N": (("T<<N", {"alpha": 0.5}), sizes(HALF, LARGE, other="N")),
    "N/T, hard": (("N/T", {"exponent": 1.25, "target_exponent": 1.5}), sizes(HARD, LARGE)),
    "T/N, hard": (
        ("T/N", {"exponent": 1.25, "target_exponent": 1.5}),
        sizes(HARD, LARGE, other="N"),
    ),
    "N/T, easy": (("N/T", {"exponent": 1.2, "target_exponent": 3.4}), sizes(EASY, HUGE)),
    "T/N, easy": (("T/N", {"exponent": 1.2, "target_exponent": 3.4}), sizes(EASY, HUGE, other="N")),
    "optimal": (("optimal-ridge", {"alpha": 0.5}), sizes(HALF, [mp.mpf(10) ** 6, mp.mpf(10) ** 7])),
    "M->inf, N": (
        ("M->inf", {"alpha": 0.5}),
        [Setting(PowerLaw(alpha=F(1, 2), size=10**e), 20, 50) for e in (18, 19)],
    ),
    "M->inf, T": (
        ("M->inf", {"exponent": 1.25, "target_exponent": 1.6, "smaller": "T"}),
        [
            Setting(PowerLaw(exponent=F(5, 4), target_exponent=F(8, 5), size=10**e), 50, 20)
            for e in (40, 42)
        ],
    ),
    "breakdown, N": (("min(N,T)->M", {}), [Setting(TILTED, 200 - m, 500) for m in TINY]),
    "breakdown, T": (
        ("min(N,T)->M", {"smaller": "T"}),
        [Setting(TILTED, 500, 200 - 4096 * m) for m in TINY],
    ),
    "weak ridge, N": (("ridge->0", {}), weak(TILTED, 50, 120)),
    "weak ridge, T": (("ridge->0", {"smaller": "T"}), weak(TILTED, 120, 50)),
    "weak ridge, N = T": (("ridge->0,N=T", {}), weak(TILTED, 50, 50, [x**2 for x in TINY])),
    "strong ridge": (("ridge->inf", {}), weak(TILTED, 50, 120, [1 / x for x in TINY])),
    "noise beyond": (("noise-beyond", {}), [Setting(FINITE, 3 * n, n, 0, F(1, 3)) for n in LARGE]),
    "noise beyond, ridge": (
        ("noise-regularised", {}),
        [
            Setting(PowerLaw(alpha=F(1, 2), size=10), 100, t, 0, F(1, 3))
            for t in (mp.mpf(10) ** 7, mp.mpf(10) ** 8)
        ],
    ),
}


def observed_slopes(law, settings, series="loss", exact=None):
    """Slope of the remainder after 1, 2, … terms, and the power of the first omitted term."""
    exact = [(exact or law.exact)(s) for s in settings]
    sums = [law.partial_sums(s, series) for s in settings]
    x = [mp.log(law.variable_of(s)) for s in settings]
    parameters = {s: sp.nsimplify(v) for s, v in settings[0].parameters().items() if s in (a, b)}
    powers = [t.power.subs(parameters) for t in law.series(series).terms]
    for k in range(1, len(powers)):
        errors = [abs(e - p[k - 1]) for e, p in zip(exact, sums, strict=True)]
        yield k, float(mp.log(errors[1] / errors[0]) / (x[1] - x[0])), float(powers[k])


def assert_rates(law, settings, **options):
    for k, slope, predicted in observed_slopes(law, settings, **options):
        assert abs(slope - predicted) < TOLERANCE, (
            f"{law.regime}: after {k} terms the remainder has slope {slope:.4f}, "
            f"first omitted term {predicted}"
        )


QUICK = ("N<<T", "breakdown, N", "strong ridge", "noise beyond")


@pytest.mark.parametrize(
    "case", [c if c in QUICK else pytest.param(c, marks=pytest.mark.slow) for c in CASES]
)
def test_rates(case):
    mp.mp.dps = 240 if "easy" in case else 90
    (regime, options), settings = CASES[case]
    law = limit(regime, **options)
    assert len(law.loss.terms) >= 3, "a leading term and two corrections"
    assert_rates(law, settings)


@pytest.mark.parametrize(
    "case",
    ["N<<T", "breakdown, N", pytest.param("weak ridge, N = T", marks=pytest.mark.slow)],
)
def test_a_wrong_coefficient_is_rejected(case, monkeypatch):
    mp.mp.dps = 90
    (regime, options), settings = CASES[case]
    law = limit(regime, **options)
    first, second, *others = law.loss.terms
    second = replace(second, coefficient=second.coefficient * sp.Rational(9, 8))
    series = replace(law.loss, terms=(first, second, *others))
    monkeypatch.setattr(Limit, "series", lambda law, name: series)
    with pytest.raises(AssertionError, match="slope"):
        assert_rates(law, settings)


@pytest.mark.slow
def test_kappa_series_rates():
    mp.mp.dps = 90
    for regime, options, settings in [
        ("N<<T", {"alpha": 0.5, "terms": 4}, sizes(HALF, LARGE)),
        ("min(N,T)->M", {}, CASES["breakdown, N"][1]),
        ("ridge->0", {}, weak(TILTED, 50, 120)),
        ("ridge->inf", {}, CASES["strong ridge"][1]),
    ]:
        law = limit(regime, **options)
        assert_rates(law, settings, series="kappa", exact=lambda s: s.exact().kappa)


def test_the_half_is_found():
    series = expand_static("kappa", "1 << N, T = inf, M = inf, z = 0", F(3, 2), None, 2)
    lead, first = series.terms  # C (N+s)^p = C N^p (1 + ps/N + …)
    assert first.power == sp.expand(lead.power - 1)
    assert sp.simplify(first.coefficient / lead.coefficient / lead.power) == sp.Rational(1, 2)
    mp.mp.dps = 40
    exact = Setting(HALF, 10, mp.inf).exact().kappa
    power = mp.mpf(3) / 2
    c = mp.pi / power / mp.sin(mp.pi / power)
    shifted, plain = ((c / x) ** power / exact - 1 for x in (mp.mpf(21) / 2, mp.mpf(10)))
    after = power * mp.zeta(-power) * c**power / mp.mpf("10.5") ** (power + 1)  # next term
    assert shifted == pytest.approx(after, rel=0.05), shifted
    assert abs(plain) > 150 * abs(shifted)


def test_equation_163_and_its_wrong_exponent():
    """Leading term k N^{-α} with k = λ₊ σ_w² [(π/(1+α))/sin(π/(1+α))]^{1+α}, over 1 − N/T."""
    law = limit("N<<T", alpha=0.5)
    lead = law.loss.resolved().lead
    k = (sp.pi / b / sp.sin(sp.pi / b)) ** b * sp.Symbol("lambda_+", positive=True) * sigma_w**2
    assert sp.simplify(lead.coefficient - k / (1 - ratio)) == 0 and lead.power == 1 - b
    assert sp.simplify(lead.coefficient - k / (1 + ratio)) != 0


@pytest.mark.slow
def test_equations_186_and_188():
    """V in L = L₀ + σ_ε² V: N/(T − N), T/s − 1 + T/(N − T) with s = T − D₂(κ₀), M/(T − M)."""
    few_features = limit("noise").loss.lead
    assert few_features.power == 2
    assert sp.simplify(few_features.coefficient - N / (T - N)) == 0
    s = T - DegreesOfFreedom(2, kappa_0)
    few_samples = limit("noise", smaller="T").loss.lead.coefficient
    assert sp.simplify(few_samples - (T / s - 1 + T / (N - T))) == 0
    assert sp.simplify(few_samples - (T / s + T / (N - T))) != 0
    beyond, regularised = limit("noise-beyond"), limit("noise-regularised")
    assert beyond.loss.terms[0] == regularised.loss.terms[0], "the same 1/T fall-off"


@pytest.mark.parametrize(
    ("b_value", "a_value", "n", "t", "value", "precision"),
    [
        (F(3, 2), F(5, 2), mp.mpf(10) ** 6, 100, "0.00371159636965922", 1e-7),
        (2, 6, mp.mpf(10) ** 30, 1000, "1.993404e-11", 2e-5),
        (2, 4, mp.mpf(10) ** 30, 10**4, "6.087e-12", 2e-3),
    ],
)
def test_few_samples_of_easy_tasks(b_value, a_value, n, t, value, precision):
    """The terms that survive at N/T → ∞ lead, with their logarithms."""
    mp.mp.dps = 30
    law = limit("T<<N", exponent=b_value, target_exponent=a_value, terms=8)
    spectrum = PowerLaw(exponent=b_value, target_exponent=a_value)
    sums = law.partial_sums(Setting(spectrum, n, mp.mpf(t)))
    assert abs(sums[-1] / mp.mpf(value) - 1) < precision, sums
    assert min(abs(s / mp.mpf(value) - 1) for s in sums[:2]) < 0.1, "the leading terms lead"


def test_the_data_law_at_a_4():
    lead = expand_static("loss", "1 << T, N = inf, M = inf, z = 0", 2, 4, 1).resolved().lead
    value = lead.coefficient.subs({sp.Symbol("a", positive=True): 4, b: 2, sigma_w: 1})
    assert lead.power.subs(sp.Symbol("a", positive=True), 4) == -3
    assert float(value.subs(sp.Symbol("lambda_+", positive=True), 1)) == pytest.approx(
        6.088, abs=1e-3
    )


@pytest.mark.slow
def test_small_s_over_t_tends_to_alpha():
    """T/s − 1 → α: the noise prefactor in the scaling regime."""
    law = limit("T<<N", alpha=0.5)
    lead = law.noise.resolved().lead
    assert lead.power == 0 and sp.simplify(lead.coefficient.subs(ratio, 0) - (b - 1)) == 0


def test_noise_dominated_is_exact():
    mp.mp.dps = 30
    for smaller, n, t in (("N", 50, 120), ("T", 120, 50)):
        law = limit("noise", smaller=smaller)
        comparison = law.compare(Setting(TILTED, n, t, 0, 7))
        assert comparison.errors[-1] < mp.mpf(10) ** -14


@pytest.mark.slow
def test_easy_tasks_change_the_leading_exponent_of_features():
    hard = limit("N/T", exponent=1.25, target_exponent=1.5).loss
    easy = limit("N/T", exponent=1.2, target_exponent=2.6).loss
    a_symbol = sp.Symbol("a", positive=True)
    assert hard.lead.power == 1 - a_symbol and easy.lead.power == -b
    points = [
        {a_symbol: sp.Rational(3, 2), b: sp.Rational(5, 4)},
        {a_symbol: sp.Rational(13, 5), b: sp.Rational(6, 5)},
    ]
    for law, own, other in ((hard, *points), (easy, *reversed(points))):
        assert all(c.subs(own) == True for c in law.conditions)  # noqa: E712
        assert any(c.subs(other) == False for c in law.conditions)  # noqa: E712


@pytest.mark.slow
def test_logarithm_at_the_crossover():
    law = limit("N/T", exponent=1.25, target_exponent=2.25)
    assert law.loss.lead.log == 1
    mp.mp.dps = 60
    crossing = PowerLaw(exponent=F(5, 4), target_exponent=F(9, 4))
    comparison = law.compare(sizes(crossing, [mp.mpf(10) ** 12])[0])
    assert comparison.errors[1] < 1e-11 < comparison.errors[0], comparison.errors


@pytest.mark.slow
def test_optimal_ridge_at_the_reference_prefactors():
    """At α = 1 the law k (1/N + 1/T)^α is exact at leading order; at α = ½, N = T it is not."""
    for alpha, power in ((1, 1), (F(1, 2), F(1, 2))):
        law = limit("optimal-ridge", alpha=alpha)
        lead = law.loss.resolved().lead.coefficient.subs(b, 1 + sp.Rational(alpha))
        plateau = limit("N<<T", alpha=alpha).loss.resolved().lead.coefficient.subs(ratio, 0)
        quotient = lead / plateau.subs(b, 1 + sp.Rational(alpha))
        value = float(sp.N(quotient.subs(ratio, 1)))
        if alpha == 1:
            assert value == pytest.approx(2)
        else:
            assert value == pytest.approx(1.55, abs=0.005) and value != pytest.approx(2**power)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: limit("N~T", alpha=1), "one of N<<T"),
        (lambda: limit("N<T", alpha=1), "did you mean"),
        (lambda: limit("N<<T"), "alpha or exponent"),
        (lambda: limit("N<<T", alpha=-1), "trace of an infinite"),
        (lambda: limit("N<<T", alpha=1, exponent=2), "only one"),
        (lambda: limit("N<<T", alpha=1, target_exponent=0.5), "a > 1"),
        (lambda: limit("N<<T", alpha=1, terms=0), "≥ 1"),
        (lambda: limit("ridge->0", smaller="M"), "one of N, T"),
        (lambda: limit("N<<T", alpha=1).series("word"), "one of loss"),
        (lambda: limit("N<<T", alpha=0.5).compare(Setting(HALF, 20, 10)), "r < 1, as the regime"),
        (lambda: limit("min(N,T)->M").compare(Setting(FINITE, 600, 900)), "M < T, as the regime"),
        (lambda: limit("noise-beyond").compare(Setting(FINITE, 20, 10)), "M < N, as the regime"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(InputError, match=message):
        call()


@pytest.mark.slow
def test_every_regime_says_when_it_holds_and_prints():
    for regime in REGIMES:
        options = (
            {"alpha": 0.5}
            if regime in ("N<<T", "T<<N", "N/T", "T/N", "optimal-ridge", "M->inf")
            else {}
        )
        law = limit(regime, **options)
        assert law.when and law.title
        assert law.latex().startswith("L = ") and law._repr_latex_()
    assert kappa_0 in limit("ridge->0").meaning
    assert limit("N ≪ T", alpha=0.5) is limit("n<<t", alpha=0.5)


@pytest.mark.parametrize("name", ["alpha", "exponent", "target_exponent"])
@pytest.mark.parametrize("value", [float("nan"), sp.Symbol("q"), "x", 1 + 2j, float("inf")])
def test_an_exponent_that_is_no_number_is_named(name, value):
    statement = "1 << N << T, M = inf, z = 0"
    given = {"exponent": None if name == "alpha" else 1.5, name: value}
    with pytest.raises(InputError, match=f"^{name} = "):
        limit("loss", statement, **given)
