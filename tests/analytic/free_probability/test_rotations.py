"""Haar matrices, permutations, and matrices in general position."""

import mpmath
import numpy as np
import pytest
import sympy as sp
from pytest import approx, raises

from solvable.analytic.errors import OutsideTheoryError
from solvable.analytic.free_probability import derive, exact_mean, parse_declarations
from solvable.derivations.cli import main
from solvable.validation.matrix_expressions import Instance, prove_by_simulation, sample

g, z = sp.Symbol("g"), sp.Symbol("z")
FREE = parse_declarations(haar=["O:M"], deterministic=["A:M", "B:M"])
A, B = np.tile([2.0, 1.0, 0.5, 0.25], 5), np.tile([3.0, 1.0, 0.0, 0.0], 5)


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("kind", ["haar", "unitary", "permutation"])
def test_kesten_mckay(kind, count):
    """(d² − z²) g² − (d − 2) z g + d − 1 = 0 with d = 2·count, for any kind of rotation."""
    names, d = [f"O{i}" for i in range(count)], 2 * count
    terms = " - ".join(f"{n} - {n}.H" for n in names)
    found = derive(
        f"tr(inv(z*I - {terms}))", parse_declarations(**{kind: [f"{n}:M" for n in names]})
    )
    expected = (d**2 - z**2) * g**2 - (d - 2) * z * g + d - 1
    relation = sp.together(found.relations[0].lhs - found.relations[0].rhs)
    ratio = sp.cancel(sp.numer(relation) / expected)
    assert not ratio.has(g) and found.value == g
    assert found.prove_planar(3).holds
    wrong = sp.Eq(expected + g, 0)
    assert not found.with_relations(wrong).prove_planar(3).holds


def test_arcsine_in_numbers_and_digits():
    found = derive("tr(inv(z*I - O - O.T))", parse_declarations(haar=["O:M"]))
    points = np.array([2.5, 3.0, -4.0, 1 + 1j, 1 - 2j])
    values = found.solve({"z": points, "M": 10}).value
    expected = 1 / (np.sqrt(points - 2 + 0j) * np.sqrt(points + 2 + 0j))
    np.testing.assert_allclose(values, expected, rtol=1e-10)
    with mpmath.workdps(30):
        value = found.solve({"z": mpmath.mpf(3), "M": mpmath.mpf(10)}).value
        assert abs(value - 1 / mpmath.sqrt(5)) < mpmath.mpf(10) ** -28
    with raises(OutsideTheoryError, match="on the spectrum"):
        found.solve({"z": 1.0, "M": 10})


@pytest.mark.parametrize(
    "text", ["tr(inv(A + O*B*O.T + z*I))", "tr(inv(sqrt(A)*O*B*O.T*sqrt(A) + z*I))"]
)
def test_general_position(text):
    found = derive(text, FREE)
    assert found.prove_planar(3).holds
    assert not found.with_value(found.value * 2).prove_planar(3).holds
    at = Instance({"M": 20}, {"z": 0.5}, {"A": A, "B": B})
    assert prove_by_simulation(found, at, (1, 2, 4), 16, 1).holds
    wrong = found.with_value(sp.Rational(6, 5) * found.value)
    assert not prove_by_simulation(wrong, at, (1, 2, 4), 16, 1).holds


@pytest.mark.slow
def test_two_resolvents_share_a_rotation():
    text = "tr(inv(A + O*B*O.T + z*I)*A*inv(A + O*B*O.T + z*I))"
    found = derive(text, FREE)
    assert found.prove_planar(3).holds
    at = Instance({"M": 20}, {"z": 0.5}, {"A": A, "B": B})
    assert prove_by_simulation(found, at, (1, 2, 4), 16, 1).holds


def test_moments_of_projections():
    """τ(PQPQ) of two free projections of traces p and q: pq(p + q − pq)."""
    found = derive("tr(A*O*B*O.T*A*O*B*O.T)", FREE)
    p, q = np.repeat([1.0, 0.0], [6, 14]), np.repeat([1.0, 0.0], [10, 10])
    value = found.solve({}, {"A": p, "B": q}).value
    assert value == approx(0.3 * 0.5 * (0.3 + 0.5 - 0.15), rel=1e-12)


def test_functions():
    found = derive("tr(log(z*I + O + O.T))", parse_declarations(haar=["O:M"]))
    value = found.solve({"z": 3.0, "M": 10}).value  # the mean of log(z + 2 cos θ)
    assert value == approx(np.log((3 + np.sqrt(5)) / 2), rel=1e-8)


def test_a_permutation_and_a_fixed_matrix_that_never_meet():
    model = parse_declarations(permutation=["P:M"], deterministic=["L:M"], symmetric=["W:M:1/M"])
    at, values = {"M": 40, "z": 3.0}, np.linspace(0.2, 2, 40)
    alone = derive("tr(inv(P + P.T + W + z*I))", model).solve({**at, "z": 5.0}).value
    both = derive("tr(L)*tr(inv(P + P.T + W + (z + 2)*I))", model).solve(at, {"L": values}).value
    assert both == approx(values.mean() * alone, rel=1e-12)


def test_refusals():
    beside = parse_declarations(permutation=["P:M"], deterministic=["L:M"])
    for met in ("tr(L*P*L*P.T)", "tr(inv(L + P + P.T + z*I))"):
        with raises(OutsideTheoryError, match=r"P beside L: .* not free from a deterministic"):
            derive(met, beside)
    with raises(OutsideTheoryError, match="eigenvalues are complex"):
        derive("tr(inv(O + z*I))", parse_declarations(haar=["O:M"]))
    with raises(OutsideTheoryError, match="derive the limit"):
        exact_mean("tr(O*O.T)", parse_declarations(haar=["O:M"]))


def test_command_line(capsys):
    command = ["derive", "tr(inv(z*I - O - O.T))", "--haar", "O:M", "--prove", "4"]
    assert main([*command, "--at", "z=3,M=60", "--simulate"]) == 0
    printed = capsys.readouterr().out
    assert "0.44721359549995" in printed and "to order" in printed


ROTATED = parse_declarations(["X:M,T:1/T"], haar=["O:M"], deterministic=["A:M", "B:M"])
FORMS = [
    "tr(inv(A + O*B*O.T + z*I))",
    "tr(inv(sqrt(A)*O*B*O.T*sqrt(A) + z*I))",
    "tr(inv(A + O*B*O.T + z*I)*A)",
    "tr(inv(A + O*B*O.T + a*X*X.T + z*I))",
    "tr(inv(inv(O*B*O.T + a*I) + A + z*I))",
    "tr(inv((6 + z)*I + a*A - O - O.T))",
]


@pytest.mark.slow
@pytest.mark.parametrize("text", FORMS)
def test_random_numbers_against_draws(text):
    """Two paths agree on a root, and it is the one that is drawn; no margin is claimed."""
    found, rng = derive(text, ROTATED), np.random.default_rng(len(text))
    names = {s.name for s in found.all_scalars()}
    for index in range(5):
        modes = {k: np.sort(rng.uniform(0, 3, 150)) * (rng.random(150) < 0.8) for k in "AB"}
        sizes = {"M": 150, "T": int(rng.integers(80, 300))}
        scalars = {"z": float(np.exp(rng.uniform(-2, 1))), "a": float(rng.uniform(0.2, 2))}
        sizes, scalars = ({k: v for k, v in x.items() if k in names} for x in (sizes, scalars))
        solution = found.solve({**sizes, **scalars}, modes)
        assert np.isnan(solution.margin) and "two paths" in solution.certified_by
        drawn = sample(found, Instance(sizes, scalars, modes), 1, 8, index).real
        assert drawn.mean() == approx(solution.value, rel=0.01), (scalars, sizes)
        assert drawn.mean() != approx(1.05 * solution.value, rel=0.01)
