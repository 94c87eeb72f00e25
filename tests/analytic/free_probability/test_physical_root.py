"""The certified root: values that continuation from infinity got wrong, gaps, edges, z = 0."""

import numpy as np
from pytest import approx, mark, raises

from solvable.analytic.errors import OutsideTheoryError
from solvable.analytic.free_probability import derive, parse_declarations
from solvable.analytic.free_probability.block_equation import BlockEquation
from solvable.analytic.free_probability.certified_root import physical_root
from solvable.analytic.free_probability.models import expression
from solvable.analytic.free_probability.physical_root import MARGIN, _Search, judged
from solvable.analytic.free_probability.support import support_of
from solvable.analytic.free_probability.trace_values import DeterministicValues

TWO = ["X:M,T:1/T", "Y:M,N:1/N"]


@mark.slow
def test_five_roots_that_agree_to_eight_digits():
    """Double precision cannot tell them apart in the reduced equation; the block's root starts."""
    text = "tr(inv(inv(inv(X*Z*Z.T*X.T + 2*Y*Y.T + a*I) + a*I) + z*I))"
    equations = derive(text, parse_declarations([*TWO, "Z:T,K:1/K"]))
    numbers = {"K": 196, "M": 1958, "N": 3, "T": 1763, "a": 595.0404888599398}
    z = 0.007938877455976323 - 0.001814958691245677j
    solution = equations.solve(numbers | {"z": z})
    # by raising the variances, without the reduced equation
    assert solution.value == approx(100.38275600102617 + 18.939848149773727j, rel=1e-13)


@mark.parametrize(
    ("text", "numbers", "value"),
    [
        ("tr(inv(inv(X*X.T + a*I)*Y*Y.T + z*I))", (3, 1, 400, 600, 700), 0.8127986396),
        (
            "tr(inv(inv(X*X.T + a*I)*Y*Y.T*inv(X*X.T + a*I) + z*I))",
            (1, 1, 800, 1200, 1000),
            0.7792,
        ),
    ],
)
@mark.parametrize("kind", [int, float])
def test_nested_resolvents(text, numbers, value, kind):
    equations = derive(text, parse_declarations(TWO))
    solution = equations.solve(dict(zip(("a", "z", "M", "T", "N"), map(kind, numbers))))
    assert solution.value == approx(value, rel=1e-4)
    assert solution.margin > 0 and "spectral radius" in solution.certified_by


def test_equal_sizes_are_a_removable_singularity():
    model = parse_declarations(["X:N,P:1/P", "Y:N,Q:1/Q"])
    equations = derive("tr(inv(X*X.T + Y*Y.T + z*I)*X*X.T)", model)
    solution = equations.solve({"N": 200, "P": 400, "Q": 400, "z": 0.5})
    assert solution.value == approx(0.3819660112501051, rel=1e-12)


@mark.parametrize("distance", [1e-2, 1e-6, 1e-10])
def test_the_margin_is_the_root_of_the_distance_from_the_edge(distance):
    equations = expression("marchenko-pastur").derive()
    edge = -((1 - 0.5**0.5) ** 2)
    solution = equations.solve({"M": 400, "T": 800, "z": edge + distance})
    assert solution.margin == approx(1.189 * distance**0.5, rel=0.1)
    with raises(OutsideTheoryError, match="spectrum"):
        equations.solve({"M": 400, "T": 800, "z": edge - distance})


def test_other_roots_are_not_certified():
    """The second root of the quadratic equation of Marchenko and Pastur has ρ > 1."""
    equations = expression("marchenko-pastur").derive()
    values = {s: np.array([v]) for s, v in zip(equations.all_scalars(), (400.0, 600.0, 0.3))}
    given = DeterministicValues.read(equations.model, {})
    parts, _ = physical_root(equations, values, given)
    ((blocks, _),) = parts.distinct.values()
    equation = BlockEquation(parts.numbers, parts.terms, parts.pencil.spaces, blocks)
    search = _Search(equation, None)
    rng, at, found = np.random.default_rng(0), np.array([0]), set()
    for _ in range(40):
        u = search.newton(rng.standard_normal((equation.size, 1)) * 5 + 0j, at)
        margin, residual = judged(equation, u, at)
        if residual[0] < 1e-10:
            certified = bool(margin[0] > MARGIN)
            found.add((tuple(np.round(u[:, 0].real, 6)), certified))
    assert len(found) >= 2 and sum(certified for _, certified in found) == 1


@mark.parametrize(("m", "t"), [(200, 400), (400, 200)])
def test_zero_for_either_shape(m, t):
    equations = expression("marchenko-pastur").derive()
    if m < t:
        assert equations.solve({"M": m, "T": t, "z": 0}).value == approx(2.0, rel=1e-12)
    else:
        with raises(OutsideTheoryError, match="singular"):
            equations.solve({"M": m, "T": t, "z": 0})
    tiny = equations.solve({"M": m, "T": t, "z": 1e-12}).value
    assert tiny == approx(2.0 if m < t else 0.5e12 + 0.5, rel=1e-9)


def test_the_density_vanishes_outside_and_resolves_the_edge():
    equations = expression("marchenko-pastur").derive()
    c, sizes = 0.5, {"M": 400, "T": 800}
    low, high = (1 - c**0.5) ** 2, (1 + c**0.5) ** 2
    x = np.array([-1, 0, low - 1e-6, low + 1e-9, low + 1e-6, 1, 2, high - 1e-8, high + 1e-8, 9])
    exact = np.sqrt(np.maximum((high - x) * (x - low), 0)) / (2 * np.pi * c * np.where(x, x, 1))
    density = equations.density(x, sizes)
    assert np.all((density == 0) == (exact == 0))
    assert density == approx(exact, rel=1e-6)


def test_edges_gaps_and_atoms():
    equations = expression("marchenko-pastur").derive()
    support = support_of(equations, {"M": 800, "T": 400}, {})
    assert support.edges == approx([(2**0.5 - 1) ** 2, (2**0.5 + 1) ** 2], rel=1e-10)
    assert support.atoms == ((0.0, approx(0.5, abs=1e-6)),)
    sample = expression("sample-covariance").derive()
    two = support_of(sample, {"T": 1000}, {"L": np.repeat([1.0, 20.0], 20)})
    assert len(two.intervals) == 2


def test_spikes_leave_outliers_where_they_should():
    """x = ℓ (1 + (1/T) Σ λ/(ℓ − λ)) outside the bulk; a spike below the threshold leaves none."""
    equations = expression("sample-covariance").derive()
    spikes = [10.0, 5.0, 0.01]
    found = support_of(equations, {"T": 200}, {"L": np.array([*spikes, *np.ones(97)])}, 60)
    assert found.outliers == approx(sorted(x * (1 + 0.5 / (x - 1)) for x in spikes), rel=1e-9)
    assert found.edges == approx([(1 - 0.5**0.5) ** 2, (1 + 0.5**0.5) ** 2], rel=1e-10)
    weak = support_of(equations, {"T": 200}, {"L": np.array([1.5, *np.ones(99)])}, 60)
    assert weak.outliers == () and len(weak.intervals) == 1


def test_a_deformed_wigner_matrix_has_outliers_on_both_sides():
    equations = expression("deformed-wigner").derive()
    found = support_of(equations, {"sigma": 1}, {"L": np.array([3.0, -2.5, *np.zeros(98)])}, 60)
    assert found.outliers == approx([-2.9, 3 + 1 / 3], rel=1e-9)
    assert found.edges == approx([-2, 2], rel=1e-10)


def test_a_thousand_modes_have_the_right_mass():
    equations = expression("random-feature-resolvent").derive()
    lam = np.arange(1.0, 1001.0) ** -1.5
    x = np.geomspace(1e-9, 3, 1500)
    density = equations.density(x, {"N": 300, "T": 700}, {"L": lam})
    assert np.trapezoid(density, x) == approx(0.3, abs=1e-3)
    assert np.all(density[x > 2.7] == 0)


INVERSE = "inv(inv(X*X.T + a*I) + z*I)"


@mark.parametrize(
    ("text", "t", "value"),
    [  # B = (XXᵀ + a)⁻¹ of mean 1 + a; tr((XXᵀ + a) L (XXᵀ + a)) = (a² + 2a + 1 + M/T) tr L
        (f"tr({INVERSE})", 300, 1.5),
        (f"tr({INVERSE})", 150, 1.5),
        (f"tr({INVERSE}*L*{INVERSE})", 300, 1.5**2 + 2 / 3),
        (f"tr({INVERSE}*L*{INVERSE})", 200, 1.5**2 + 1),
        ("tr(inv(inv(L + a*I) + z*I))", 150, 1.5),
        ("tr(inv(X*inv(X.T*X + a*I)*X.T + z*I))", 300, 1 + 0.5 / (1 - 2 / 3)),
    ],
)
@mark.filterwarnings("error")
def test_zero_where_the_equations_hold_its_inverse(text, t, value):
    """The pencil or the reduced equations have 1/z: the value at 0 is the limit of certified ones.

    All eigenvalues of L are one.
    """
    equations = derive(text, parse_declarations(["X:M,T:1/T"], deterministic=["L:M"]))
    ones = {"L": np.ones(200)}
    for zero in (0, 0.0):
        numbers = {"M": 200, "T": t, "a": 0.5, "z": zero}
        assert equations.solve(numbers, ones).value == approx(value, rel=1e-12)
    near = equations.solve({**numbers, "z": 1e-7}, ones).value
    assert near == approx(value, rel=1e-5) and near != value


@mark.parametrize("t", [100, 200])
def test_zero_where_the_value_has_a_pole_or_a_branch_point(t):
    """M > T: a share 1 − T/M of the spectrum is at 0; M = T: the density is not finite there."""
    equations = derive("tr(inv(X*inv(X.T*X + a*I)*X.T + z*I))", parse_declarations(["X:M,T:1/T"]))
    with raises(OutsideTheoryError, match="no finite limit"):
        equations.solve({"M": 200, "T": t, "a": 0.5, "z": 0})


def test_zero_among_other_points():
    """An array that holds z = 0 gives every other point what it has alone."""
    equations = derive(f"tr({INVERSE}*{INVERSE})", parse_declarations(["X:M,T:1/T"]))
    z, numbers = [0, 0.5, 0, 1e-3, 2], {"M": 200, "T": 100, "a": 0.5}
    whole = equations.solve({**numbers, "z": np.array(z)}).value
    alone = [equations.solve({**numbers, "z": x}).value for x in z]
    assert whole == approx(np.array(alone), rel=1e-13)
    assert whole[0] == approx(1.5**2 + 2, rel=1e-12)


@mark.parametrize(("vary", "values"), [("a", [0.5, 3.0]), ("T", [150.0, 300.0])])
def test_zero_beside_an_array(vary, values):
    """z = 0 is one number, another parameter the array."""
    equations = derive(f"tr({INVERSE})", parse_declarations(["X:M,T:1/T"]))
    numbers = {"M": 200.0, "T": 100.0, "a": 0.5, "z": 0.0}
    numbers[vary] = np.array(values)
    assert equations.solve(numbers).value == approx(1 + np.broadcast_to(numbers["a"], 2), rel=1e-12)
