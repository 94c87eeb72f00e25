"""The fan of regimes: cells, walls, and the exact loss along directions."""

from itertools import pairwise

import numpy as np
import pytest
import sympy as sp

from solvable.analytic.asymptotics.fan import regime_fan
from solvable.analytic.asymptotics.fan_allocation import allocate_on
from solvable.analytic.errors import InputError
from solvable.analytic.loss import static_loss
from solvable.analytic.notation import M, N, T, a, b
from solvable.analytic.spectrum import PowerLaw
from tests.processor_time import bounded


@pytest.fixture(scope="module")
def hard():
    return regime_fan(("N", "T"), exponent=1.5, target_exponent=3.1)


def slope(law, direction, powers=(10, 12)):
    """d ln L/d ln scale of the exact loss along N = scale^p, T = scale^q."""
    values = [
        float(static_loss(law, *(10.0 ** (k * x) for x in direction)).excess_loss) for k in powers
    ]
    return np.log(values[1] / values[0]) / np.log(10.0) / (powers[1] - powers[0])


def test_three_laws_of_an_easy_target(hard):
    relations = {(wall.lhs, sp.expand_log(sp.log(wall.rhs), force=True)) for wall in hard.walls()}
    assert relations == {(N, sp.log(T)), (N, (a - b) * sp.log(T))}
    assert len(hard.laws) == 3


def test_local_exponents_of_the_exact_loss_are_those_of_the_cells(hard):
    law = PowerLaw(exponent=1.5, target_exponent=3.1)
    for direction in ((0.4, 0.9), (0.8, 0.6), (0.95, 0.35)):
        cell = hard.cell_at(direction)
        predicted = float(np.dot(cell.exponent(hard.point), direction))
        assert abs(slope(law, direction, (9, 10)) - predicted) < 0.05
        others = [c for c in hard.cells if c is not cell]
        wrong = [float(np.dot(c.exponent(hard.point), direction)) for c in others]
        assert all(abs(w - predicted) > 0.1 for w in wrong)


def test_the_cells_are_a_partition(hard):
    angles = np.linspace(0.03, np.pi / 2 - 0.03, 200)
    for angle in angles:
        direction = (np.cos(angle), np.sin(angle))
        assert sum(cell.holds(direction, -1e-9) for cell in hard.cells) <= 1
        assert any(cell.holds(direction, 1e-2) for cell in hard.cells)


@pytest.mark.parametrize("sizes", [("N", "T"), ("N", "T", "z")])
def test_a_law_that_leads_need_not_be_the_larger(sizes):
    """The amplification of noise is N/T below N = T, and of order 1 beyond."""
    fan = regime_fan(sizes, exponent=1.5, target_exponent=2.2, quantity="noise")
    assert {N / T, b - 1} <= set(fan.laws)
    assert len(fan.cells) == len(sizes)
    near, far = fan.cell_at((0.5, 1.0, -9)[: len(sizes)]), fan.cell_at((1, 0.5, -9)[: len(sizes)])
    assert (near.lead, far.lead) == (N / T, b - 1)
    assert (N, T) in {(wall.lhs, wall.rhs) for wall in fan.walls()}


def test_the_best_direction_beats_its_neighbours(hard):
    best = allocate_on(hard, {"N": 1, "T": 1})
    share = float(best.shares[N])

    def loss(x):
        return np.dot(hard.cell_at((x, 1 - x)).exponent(hard.point), (x, 1 - x))

    assert loss(share) == pytest.approx(-float(best.loss))
    values = [loss(share + d) for d in (-0.2, -0.1, 0, 0.1, 0.2)]
    assert min(values) == values[2] and all(abs(x - y) > 1e-3 for x, y in pairwise(values))


@pytest.mark.thorough
@pytest.mark.parametrize("exponents", [(1.5, 2), (1.3, 3.2)])
def test_with_a_ridge(exponents):
    fan = regime_fan(("N", "T", "z"), exponent=exponents[0], target_exponent=exponents[1])
    law = PowerLaw(exponent=exponents[0], target_exponent=exponents[1])
    rng = np.random.default_rng(5)
    for _ in range(40):
        p, q, r = rng.uniform(0.2, 1, 3)
        direction = (p, q, -r * exponents[0])
        cell = fan.cell_at(direction)
        if max(np.dot(w, direction) / np.linalg.norm(w) for w in cell.walls) > -0.08:
            continue
        values = []
        for k in (9, 10):
            n, t, z = (10.0 ** (k * x) for x in direction)
            values.append(float(static_loss(law, n, t, ridge=z * n * t).excess_loss))
        predicted = float(np.dot(cell.exponent(fan.point), direction))
        assert abs(np.log10(values[1] / values[0]) - predicted) < 0.05


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: regime_fan(("N", "Q"), exponent=1.5), "two or three of"),
        (lambda: regime_fan(("N",), exponent=1.5), "two or three of"),
        (lambda: regime_fan(("N", "T"), exponent=0.5), "exponent"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(InputError, match=message):
        call()


def test_budgets_are_for_the_sizes_of_the_fan(hard):
    with pytest.raises(InputError, match="one for each"):
        allocate_on(hard, {"N": 1})
    assert hard.point[b] == sp.Rational(3, 2)


def test_a_fan_says_what_it_covers():
    """One law has no walls; sizes of another region are refused, not given its law."""
    fan = regime_fan(("N", "M"), exponent=1.6, target_exponent=2.1)
    assert fan.bounds() == ["1 << N", "1 << M", "N << M"]
    assert fan.cell_at((1, 2)) is fan.cells[0] and not fan.walls()
    assert fan.allows((1, 2)) and not fan.allows((2, 1)) and not fan.allows((1, -1))
    assert fan.value({N: 10**3, M: 10**9}) > fan.value({N: 10**4, M: 10**9}) > 0
    with pytest.raises(InputError, match="N << M"):
        fan.value({N: 10**9, M: 10**3})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sizes", "quantity", "direction"),
    [(("N", "T"), "noise", (1.0, 2.0)), (("N", "t"), "flow-loss", (0.5, 1.5)),
     (("N", "t", "eta"), "sgd-loss", (1.0, 1.5, -0.5)), (("N", "z"), "loss", (1.0, -0.5))],
)  # fmt: skip
def test_the_measured_exponent_is_that_of_the_quantity_itself(sizes, quantity, direction):
    pytest.importorskip("matplotlib")
    from solvable.validation.regime_figure import local_exponent

    fan = regime_fan(sizes, exponent=1.6, target_exponent=2.1, quantity=quantity)
    claimed = np.dot(fan.cell_at(direction).exponent(fan.point), direction)
    assert local_exponent(fan, direction) == pytest.approx(claimed, abs=0.05)


@pytest.mark.parametrize(
    ("sizes", "walls"),
    [("t,T", {"T = t**(1/b)"}), ("N,T,t", {"T = t**(1/b)", "N = t**(1/b)", "N = T"})],
)
def test_training_that_outlasts_the_data(sizes, walls):
    """Late times against few samples: thousands of products vanish in time, and none is kept."""
    symbols = sizes.split(",")
    with bounded(60):
        fan = regime_fan(symbols, exponent=1.5, target_exponent=2.2, quantity="flow-loss")
    leads = [{s for s in cell.sizes if cell.lead.has(s)} for cell in fan.cells]
    assert sorted(map(str, set().union(*leads))) == sorted(symbols)
    assert len(leads) == len(symbols) and all(len(x) == 1 for x in leads)
    assert {f"{wall.lhs} = {wall.rhs}" for wall in fan.walls()} == walls
