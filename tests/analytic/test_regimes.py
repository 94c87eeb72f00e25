"""Regime maps agree with the exact loss, and their borders with the laws on both sides."""

import numpy as np
import pytest
import sympy as sp

from solvable.analytic.asymptotics.dynamic_laws import bottleneck_laws
from solvable.analytic.asymptotics.limits import limit
from solvable.analytic.asymptotics.regimes import _breakdown, _plateaus, size_map, time_map
from solvable.analytic.errors import InputError
from solvable.analytic.loss import static_loss
from solvable.analytic.notation import N, T, a, b
from solvable.analytic.spectrum import PowerLaw
from solvable.analytic.training.dynamics import dynamics
from solvable.validation.regime_figure import draw_map

SPECTRUM = PowerLaw(alpha=0.5, size=20000)
GRID = np.geomspace(10, 2e5, 24)


@pytest.fixture(scope="module")
def chart():
    return size_map(SPECTRUM, GRID, GRID, noise=1e-2)


def test_every_corner_has_its_law(chart):
    assert chart.at(10, 2e5) == "features" and chart.at(2e5, 10) == "samples"
    assert chart.at(1000, 1600).endswith("peak")
    assert chart.at(2e5, 1.5e5) == "noise beyond M"


def test_a_law_that_is_shown_is_within_the_tolerance_of_the_exact_loss(chart):
    columns, rows = np.meshgrid(GRID, GRID)
    exact = static_loss(SPECTRUM, columns, rows, noise=1e-2).excess_loss
    assert np.array_equal(chart.loss, exact)
    shown = chart.index < len(chart.names) - 1
    assert np.all(chart.error[shown] < 0.25) and np.all(np.isinf(chart.error[~shown]))
    assert shown.mean() > 0.7


def test_symmetry_without_noise():
    quiet = size_map(PowerLaw(alpha=0.5), GRID, GRID)
    swap = {
        "features": "samples",
        "samples": "features",
        "features, peak": "samples, peak",
        "samples, peak": "features, peak",
        "between": "between",
    }
    names = np.array(quiet.names)
    mirrored = np.vectorize(swap.get)(names[quiet.index.T])
    assert np.array_equal(names[quiet.index], mirrored)
    assert not np.array_equal(quiet.index, quiet.index.T)


def test_noise_border_balances_noise_and_loss(chart):
    border = next(b for b in chart.borders if b.relation.startswith("σ"))
    quiet = static_loss(SPECTRUM, border.x, border.y).excess_loss
    loud = static_loss(SPECTRUM, border.x, border.y, noise=1e-2).excess_loss
    assert np.allclose(loud / quiet, 2, rtol=1e-4)


def test_time_map_borders_are_where_the_laws_are_equal():
    grid = np.geomspace(10, 1e6, 5)
    chart = time_map(2, 4, grid, np.geomspace(0.5, 1e9, 12))
    laws = bottleneck_laws(4, 2)
    assert len(chart.borders) == 2
    for border in chart.borders:
        first, second = border.relation.split(":")[0].split(" = ")
        values = [laws[name](time=border.y, features=border.x) for name in (first, second)]
        assert np.allclose(values[0], values[1])
        wrong = laws[second](time=2 * border.y, features=border.x)
        assert not np.allclose(values[0], wrong)
    assert chart.at(177, 1e9) == "features" and chart.at(1e6, 1e4) == "time"
    assert chart.names[chart.index[0, 0]] == "early"


def test_time_map_shows_laws_of_the_exact_loss_only():
    """At a hard task the loss at t ~ N^b is no sum of laws: up to 7 times off."""
    sizes, times = np.array([30.0, 1e4]), np.array([10.0, 30.0**1.15, 1e6])
    chart = time_map(1.15, 2.3, sizes, times)
    exact = dynamics(PowerLaw(exponent=1.15, target_exponent=2.3), 30.0, np.inf, times)
    assert np.allclose(chart.loss[:, 0], exact.excess_loss)
    shown = chart.index < len(chart.names) - 2
    assert np.all(chart.error[shown] < 0.25) and not shown.all()


def test_data_and_picture(chart, tmp_path):
    data = chart.as_data()
    assert data["axes"] == ["N", "T"] and len(data["index"]) == len(GRID)
    path = draw_map(chart, tmp_path / "map.png")
    assert path.stat().st_size > 10000
    with pytest.raises(InputError, match="ends in"):
        draw_map(chart, tmp_path / "map.txt")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: size_map(SPECTRUM, [10], [-1]), "samples"),
        (lambda: size_map(SPECTRUM, [10], [10], noise=-1), "noise"),
        (lambda: size_map(SPECTRUM, [10], [10], tolerance=2), "between 0 and 1"),
        (lambda: time_map(2, 4, [0], [1]), "features"),
        (lambda: time_map(0.5, 4, [10], [1]), "b > 1"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(InputError, match=message):
        call()


@pytest.mark.parametrize(("features", "samples"), [(199.99, 700), (700, 199.99), (199.99, 220)])
def test_the_law_beside_the_breakdown_is_what_the_exact_loss_becomes(features, samples):
    spectrum = PowerLaw(exponent=1.4, target_exponent=2.1, size=200)
    law = _breakdown(spectrum).value(np.array(features), np.array(samples))
    exact = static_loss(spectrum, features, samples).excess_loss
    assert float(law) == pytest.approx(exact, rel=2e-3)


@pytest.mark.parametrize("resource", ["features", "samples"])
def test_the_law_of_a_plateau_is_the_lead_of_its_limit(resource):
    """At a − 1 = b and 2b with the constant beside the logarithm."""
    power = 1.5 if resource == "features" else 3.0
    law = PowerLaw(exponent=1.5, target_exponent=1 + power)
    (own,) = (c for c in _plateaus(law) if c.name == resource)
    size, other = ("N", "T") if resource == "features" else ("T", "N")
    form = limit("loss", f"1 << {size}, {other} = inf, M = inf, z = 0", spectrum=law, terms=1)
    values = {b: sp.Rational(3, 2), a: sp.nsimplify(1 + power), (N if size == "N" else T): 1000}
    n, t = (np.array(x) for x in ((1e3, 1e9) if size == "N" else (1e9, 1e3)))
    assert own.value(n, t) == pytest.approx(float(form.partial_sums(values)[0]), rel=1e-12)
