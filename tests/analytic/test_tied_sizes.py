"""Sizes tied to one another by powers with fixed numbers, where the law is that of a border."""

from fractions import Fraction as F

import pytest
import sympy as sp

from solvable.analytic.asymptotics.balance.exact_value import compare
from solvable.analytic.asymptotics.balance.slope_check import measured_slope
from solvable.analytic.asymptotics.limits import limit
from solvable.analytic.errors import InputError, OutsideTheoryError
from solvable.analytic.notation import N, T, a, b
from solvable.analytic.spectrum import Empirical, ExponentialDecay, Flat

POINT = {b: sp.Rational(3, 2), a: sp.Integer(2)}
TIED = [  # at b = 3/2 the ridge is of the size of the last eigenvalue, or of κ₀
    "M ~ N, z ~ N^(-3/2), N << T",
    "N/T = r, z ~ T^(-3/2), M = inf",
    "M ~ N^(3/2), z ~ M^-1, T ~ N",
    "M ~ T^(1/2), z ~ T^(-3/4), N ~ T",
    "T/M = s, z ~ T^(-3/2), N = inf",
    "M = 2*N, z = N^(-3/2), N << T",
    "M = 5*T^(1/2), z ~ T^(-3/4), N ~ T",
    "1 << M << N << T, z ~ 3*M^-b",
    "N/T = 2/3, z ~ T^-b, M = inf",
]
QUICK = [("loss", TIED[0]), ("noise", TIED[7]), ("kappa", TIED[1]), ("kappa", TIED[5]),
         ("noise", TIED[8])]  # fmt: skip


def cases():
    found = []
    for quantity in ("loss", "kappa", "noise"):
        for statement in TIED:
            marks = () if (quantity, statement) in QUICK else pytest.mark.slow
            found.append(pytest.param(quantity, statement, marks=marks))
    return found


@pytest.mark.parametrize(("quantity", "statement"), cases())
def test_fractional_powers_of_fixed_numbers(quantity, statement):
    form = limit(quantity, statement, exponent=F(3, 2), target_exponent=2, terms=2)
    assert measured_slope(form.problem, form, POINT).holds(), form
    assert not measured_slope(form.problem, form, POINT, wrong=sp.Rational(9, 8)).holds()
    assert "root" not in f"{form} {form.latex()} {form.where} {form.conditions}"


def test_a_sum_keeps_its_signs_in_print():
    form = limit("loss", TIED[7], exponent=F(3, 2), target_exponent=2, terms=1)
    assert str(form).startswith(str(form.terms[0].expression))  # which holds λ₊ − y_z Φ


def test_exponents_among_the_sizes_are_those_of_the_law():
    statement, sizes = "1 << N << T, M = inf, z = 0", {"N": 1e3, "T": 1e9}
    by_name = limit("loss", statement, exponent=2, target_exponent=4, at=sizes)
    among = limit("loss", statement, at={**sizes, "b": 2, "a": 4})
    assert among.terms == by_name.terms
    with pytest.raises(InputError, match="target_exponent = 3"):
        limit("loss", statement, target_exponent=3, at={"a": 4})


def test_numbers_of_ratios_are_found_in_any_order():
    form = limit("kappa", "1 << N, N/T = r, z -> 0, M/N = 3", spectrum=Flat(1), terms=1)
    found = form.regime.new_values({N: sp.Integer(500), T: sp.Integer(1000)})
    assert {s.name: v for s, v in found.items()} == {"M": 1500, "r": sp.Rational(1, 2)}


@pytest.mark.parametrize(
    ("sizes", "said"),
    [((10, 20), {"N < 40"}), ((10, 60), {"N < 40"}), ((50, 60), {"40 < N", "40 < T"})],
)
def test_the_number_of_modes_of_a_list_is_a_border_of_sizes_that_stay(sizes, said):
    modes = Empirical([F(1, k) for k in range(1, 41)])
    at = dict(zip("NT", sizes)) | {"z": 1e-9}
    form = limit("loss", "z -> 0, N < T", spectrum=modes, terms=1, at=at)
    assert set(map(str, form.ranges)) == said
    with pytest.raises(InputError, match="as the regime says"):
        form.regime.check(dict.fromkeys((N, T), 50 if sizes[0] < 40 else 10))
    stated = "z -> 0, N < 40" if sizes[0] < 40 else "z -> 0, 40 < N < T"
    assert not limit("loss", f"{stated}, N < T", spectrum=modes, terms=1, at=at).ranges
    with pytest.raises(InputError, match="as the regime says"):
        limit("loss", "z -> 0, T < N", spectrum=modes, at=at)


def test_a_spectrum_without_end_has_infinitely_many_modes():
    decay = ExponentialDecay(1, size=float("inf"))
    said, implied = (limit("loss", f"z -> 0, N < T{end}", spectrum=decay, terms=1)
                     for end in (", M = ∞", ""))  # fmt: skip
    assert said.terms == implied.terms
    with pytest.raises(InputError, match="M = inf: the spectrum has infinitely many"):
        limit("loss", "1 << M, z -> 0, N < T", spectrum=decay)


@pytest.mark.parametrize(
    ("name", "statement", "at"),
    [
        ("semicircle", "z - 2*sigma = m, m -> 0", {"m": 1e-8, "sigma": 3}),
        ("semicircle", "z = -2 - m, m -> 0", {"m": 1e-8, "sigma": F(1, 2)}),
        ("semicircle", "z = 2 + m, m -> 0", {"m": 1e-8, "sigma": F(1, 2)}),
        ("marchenko-pastur", "1 << M, T/M = 4, z + 1/4 = m, m -> 0", {"M": 100, "m": 1e-8}),
        ("marchenko-pastur", "1 << M, T/M = 4, z = -9/4 - m, m -> 0", {"M": 100, "m": 1e-8}),
        ("marchenko-pastur", "1 << M, M/T = 4, z = -9 - m, m -> 0", {"M": 100, "m": 1e-8}),
        ("fuss-catalan", "z -> 0", {"z": 1e-9}),
    ],
)
def test_edges_of_spectra_have_the_branch_of_the_certified_solution(name, statement, at):
    form = limit(name, statement, terms=2, at=at)
    found = compare(form, {**at, "b": F(3, 2)})
    assert "certified" in found.certified_by
    first, second = found.errors
    assert second < first / 100 and second < 1e-5


@pytest.mark.parametrize(
    ("name", "statement", "message"),
    [
        ("semicircle", "z = -2 - m, m -> 0", "sigma = 1, on a border"),
        ("fuss-catalan", "z = -27/4 - m, m -> 0", "none of the real solutions"),
        ("fuss-catalan", "z = -27/4 + m, m -> 0", "lie on the spectrum"),
        ("marchenko-pastur", "1 << M, T/M = 4, z + 9/4 = m, m -> 0", "lie on the spectrum"),
        pytest.param("kesten-mckay", "z = 12^(1/2) + m, m -> 0", "terms cancel at these numbers",
                     marks=pytest.mark.slow),
    ],
)  # fmt: skip
def test_a_branch_that_is_not_certified_is_refused_at_an_edge(name, statement, message):
    with pytest.raises(OutsideTheoryError, match=message):
        limit(name, statement, terms=2)


LARGE = "1 << N, M = inf"


@pytest.mark.parametrize(
    ("said", "again"),
    [
        (f"N/T = 1/2, N/T = 1/2, {LARGE}, z = 0", f"N/T = 1/2, {LARGE}, z = 0"),
        (f"N/T = 1/2, N = T/2, {LARGE}, z = 0", f"N/T = 1/2, {LARGE}, z = 0"),
        (f"N = T, T = N, {LARGE}, z -> 0", f"N = T, {LARGE}, z -> 0"),
        (f"N/T -> 0, {LARGE}, z = 0", f"N << T, {LARGE}, z = 0"),
        ("1 << N << T, M = inf, z = 0,", "1 << N << T, M = inf, z = 0"),
    ],
)
def test_a_relation_may_be_said_twice_or_as_a_limit(said, again):
    first, second = (limit("loss", x, exponent=F(8, 5), terms=1).terms for x in (said, again))
    assert [t.expression for t in first] == [t.expression for t in second]


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        (f"N/T = 1/2, N/T = 1/3, {LARGE}, z = 0", "the others leave open"),
        (f"N = T/2, N = T/3, {LARGE}, z = 0", "the others leave open"),
        ("N = T^p, 1 << T, M = inf, z = 0", "powers that are numbers"),
        ("z < 0, 1 << N << T, M = inf", "z < 0"),
    ],
)
def test_relations_that_say_nothing_new_or_too_much(statement, message):
    with pytest.raises(InputError, match=message):
        limit("loss", statement)


@pytest.mark.parametrize(
    ("statement", "said"),
    [("N < M, T < M, z -> 0", {"N < T"}), ("N < T, T < M, z -> 0", set()),
     ("T > 1, N > 1, M = inf, z -> 0", {"T < N"})],
)  # fmt: skip
def test_an_order_of_sizes_that_stay_is_said_where_the_statement_leaves_it(statement, said):
    form = limit("loss", statement, terms=1)
    assert set(map(str, form.ranges)) == said
    assert len(set(form.regime.values.values())) == len(form.regime.values)


def test_sizes_beside_a_step_are_ordered_as_the_statement_says():
    statement = "1 << N << M, 1 << eta*t, t << N, eta -> 0, 1 << t"
    sizes = {"N": 1e6, "M": 1e8, "t": 1e4, "eta": 1e-2}
    limit("sgd-loss", statement, at=sizes, terms=1)
    with pytest.raises(InputError, match="ordered as the regime says"):
        limit("sgd-loss", statement, at={**sizes, "N": 300}, terms=1)
