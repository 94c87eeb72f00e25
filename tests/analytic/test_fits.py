"""From tables of losses back to parameters: values, intervals, verdicts, refusals."""

import math
import tracemalloc

import numpy as np
import pytest

from solvable.analytic.errors import InputError
from solvable.analytic.fits import FORMS, fit, loss_table
from solvable.analytic.fits.exact_form import ExactForm
from solvable.analytic.fits.extrapolation import breakdown, held_out
from solvable.analytic.fits.forms import PUBLISHED
from solvable.analytic.fits.frontier import best_split
from solvable.analytic.fits.huber import loss_of, polished, reweighted, score
from solvable.analytic.loss import static_loss
from solvable.analytic.optimal_ridge import optimal_ridge
from solvable.analytic.spectrum import PowerLaw

TRUE = {"E": 1.8, "A": 480.0, "B": 2100.0, "alpha": 0.35, "beta": 0.37}


def sizes(rows=60, seed=0):
    rng = np.random.default_rng(seed)
    return np.exp(rng.uniform(np.log(5e7), np.log(1e10), rows)), np.exp(
        rng.uniform(np.log(5e8), np.log(2e11), rows)
    )


def chinchilla(n, d, **changed):
    p = {**TRUE, **changed}
    return p["E"] + p["A"] * n ** -p["alpha"] + p["B"] * d ** -p["beta"]


def table(noise=0.0, rows=60, seed=0, **changed):
    n, d = sizes(rows, seed)
    scatter = np.exp(noise * np.random.default_rng(seed + 1).standard_normal(rows))
    return loss_table({"parameters": n, "tokens": d, "loss": chinchilla(n, d, **changed) * scatter})


def exact_table(size, noise=0.0, scatter=0.01, seed=0, most=500, ridge=None, points=7):
    grid = np.unique(np.round(np.geomspace(20, most, points)))
    n, t = (x.ravel() for x in np.meshgrid(grid, grid))
    law = PowerLaw(alpha=0.5, size=size)
    if ridge is None:
        loss = np.asarray(optimal_ridge(law, n, t, noise=noise).excess_loss)
    else:
        t = t + 3
        loss = np.asarray(static_loss(law, n, t, ridge=ridge, noise=noise).excess_loss)
    rng = np.random.default_rng(seed)
    return loss_table(
        {"features": n, "samples": t, "loss": loss * np.exp(scatter * rng.standard_normal(len(n)))}
    )


@pytest.mark.parametrize("name", PUBLISHED)
def test_derivatives_of_the_forms(name):
    form = PUBLISHED[name].on(table())
    physical = np.array([[{**TRUE}[p] for p in PUBLISHED[name].parameters]])
    if name == "kaplan":
        physical = np.array([[8e12, 3e13, 0.09, 0.11]])
    theta = form.coordinates(physical)
    np.testing.assert_allclose(form.physical(theta), physical, rtol=1e-10)
    _, jacobian = form.evaluate(theta)
    for j in range(theta.shape[1]):
        step = np.zeros_like(theta)
        step[0, j] = 1e-6
        slope = (form.evaluate(theta + step)[0] - form.evaluate(theta - step)[0]) / 2e-6
        np.testing.assert_allclose(jacobian[..., j], slope, atol=1e-7)


def test_the_forms_are_what_the_help_says():
    n, d = np.array([1e8, 3e9]), np.array([1e10, 1e11])
    at = {"parameters": n, "tokens": d, "loss": [3.0, 2.0]}
    expected = {
        "chinchilla": chinchilla(n, d),
        "bottleneck": 1.8 + np.maximum(480 * n**-0.35, 2100 * d**-0.37),
        "kaplan": ((480 / n) ** (0.35 / 0.37) + 2100 / d) ** 0.37,
        "power": 1.8 + 480 * (6 * n * d) ** -0.35,
    }
    for name, loss in expected.items():
        form = PUBLISHED[name].on(loss_table(at))
        theta = form.coordinates(np.array([[TRUE[p] for p in PUBLISHED[name].parameters]]))
        np.testing.assert_allclose(np.exp(form.evaluate(theta)[0][0]), loss, rtol=1e-12)


def test_five_parameters_to_all_digits():
    found = fit(table(), "chinchilla")
    for name, value in TRUE.items():
        assert found.parameters[name].value == pytest.approx(value, rel=1e-6)
        assert found.parameters[name].determined


def test_huber_ignores_an_outlier_and_least_squares_does_not():
    clean = table(0.003)
    loss = clean.loss.copy()
    loss[:3] *= 1.3
    dirty = loss_table({"parameters": clean.parameters, "tokens": clean.tokens, "loss": loss})
    robust, squares = (fit(dirty, "chinchilla", delta=d, intervals=False) for d in (None, math.inf))
    off = [abs(f.model.physical(f.theta)[0] - TRUE["E"]) for f in (robust, squares)]
    assert off[0] < 0.06 < off[1]


@pytest.mark.parametrize("name", ["chinchilla", "kaplan"])
def test_scaling_the_units_scales_the_parameters(name):
    one = table(0.004)
    other = loss_table(
        {"parameters": one.parameters / 1e6, "tokens": one.tokens / 1e9, "loss": one.loss}
    )
    first, second = (fit(t, name, delta=math.inf) for t in (one, other))
    for p in ("alpha", "beta"):
        assert second.parameters[p].value == pytest.approx(first.parameters[p].value, rel=1e-4)
    ratio = first.parameters["A"].value / second.parameters["A"].value
    power = first.parameters["alpha"].value if name == "chinchilla" else 1
    assert ratio == pytest.approx(1e6**power, rel=1e-2)


def test_what_one_size_of_data_cannot_tell_is_undetermined():
    n, _ = sizes()
    d = np.full(len(n), 1e10)
    rng = np.random.default_rng(0)
    loss = chinchilla(n, d) * np.exp(0.003 * rng.standard_normal(len(n)))
    found = fit(loss_table({"parameters": n, "tokens": d, "loss": loss}), "chinchilla")
    assert not found.parameters["B"].determined and found.parameters["B"].value is None
    assert not found.parameters["beta"].determined
    assert found.parameters["alpha"].determined  # though the floor is shared with B


def test_intervals_of_least_squares_cover():
    inside = 0
    for seed in range(40):
        found = fit(table(0.004, seed=seed), "chinchilla", delta=math.inf)
        inside += found.parameters["alpha"].low < TRUE["alpha"] < found.parameters["alpha"].high
    assert 34 <= inside <= 40  # 95 %: 38


def test_the_bootstrap_depends_on_the_seed_alone():
    data = table(0.004)
    one, again, other = (fit(data, "power", draws=700, seed=s, intervals=False).draws
                         for s in (1, 1, 2))  # fmt: skip
    np.testing.assert_array_equal(one, again)
    assert one.shape == (700, 3) and np.abs(one - other).max() > 0
    more = fit(data, "power", draws=1300, seed=1, intervals=False).draws
    np.testing.assert_array_equal(more[:500], one[:500])  # of the first batch
    with pytest.raises(InputError, match="draws"):
        fit(data, "power", draws=10**9, intervals=False)


def test_many_rows_are_fitted_in_parts_of_the_starts(monkeypatch):
    rows = table(0.01, rows=40_000)
    form, log_loss = PUBLISHED["chinchilla"].on(rows), np.log(rows.loss)
    starts = form.starts(log_loss)[0]
    tracemalloc.start()
    try:
        found = reweighted(form.evaluate, starts, log_loss, 1e-3, steps=1)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 8 * 5 * len(starts) * len(log_loss)  # the derivatives for all of them
    monkeypatch.setattr("solvable.analytic.fits.huber.TOGETHER", 10**9)
    whole = reweighted(form.evaluate, starts[:12], log_loss, 1e-3, steps=1)
    assert np.array_equal(found.theta[:12], whole.theta)
    assert np.array_equal(found.objective[:12], whole.objective)


def test_six_points_of_a_published_discussion():
    c = [1e18, 3e18, 1e19, 3e19, 1e20, 3e20]
    found = fit(loss_table({"C": c, "L": [3.522, 3.339, 3.154, 3.0, 2.848, 2.725]}), "power",
                delta=math.inf)  # fmt: skip
    assert found.parameters["E"].value == pytest.approx(1.438, abs=0.02)
    assert found.parameters["E"].standard_error == pytest.approx(0.054, abs=0.002)
    assert found.parameters["alpha"].value == pytest.approx(0.0847, abs=0.001)
    assert found.parameters["alpha"].standard_error == pytest.approx(0.0028, abs=1e-4)
    assert found.forecast(1e21)[0][0] == pytest.approx(2.599, abs=0.001)


@pytest.mark.parametrize("ridge", [None, 0.5, 0.0])
def test_the_exact_form_equals_the_exact_loss(ridge):
    found = exact_table(2000, noise=0.02, scatter=0, ridge=ridge)
    form = ExactForm.on(found, "optimal" if ridge is None else ridge)
    np.testing.assert_allclose(form.log_losses(0.5, 2000.0, 0.02)[0], np.log(found.loss), atol=1e-4)


def test_alpha_and_latent_dimension_from_losses():
    found = fit(exact_table(2000, seed=3), "exact")
    p = found.parameters
    assert p["alpha"].value == pytest.approx(0.5, abs=0.02)
    assert p["M"].determined and p["M"].value == pytest.approx(2000, rel=0.25)
    assert p["M"].low < 2000 < p["M"].high and p["alpha"].low < 0.5 < p["alpha"].high
    assert p["noise"].low == 0
    assert found.settings["ridge"] == "optimal"


def test_without_scatter_the_parameters_come_back():
    found = fit(exact_table(3000, noise=0.01, scatter=0), "exact")
    for name, value in {"alpha": 0.5, "M": 3000, "noise": 0.01, "amplitude": 1.0}.items():
        assert found.parameters[name].value == pytest.approx(value, rel=2e-3)


def test_the_ridgeless_loss_is_recognised():
    found = fit(exact_table(2000, ridge=0.0, seed=1), "exact")
    assert found.settings["ridge"] == "0"
    assert found.parameters["M"].low < 2000 < found.parameters["M"].high


def test_a_latent_dimension_far_beyond_the_table_is_undetermined():
    found = fit(exact_table(10**7, seed=1), "exact").parameters["M"]
    assert not found.determined and found.value is None and math.isinf(found.high)
    assert found.low > 1000 and "upper bound" in found.reason


def test_held_out_rows_know_the_true_form():
    compared = held_out(table(0.003))
    assert min(compared, key=lambda name: compared[name].rms) == "chinchilla"
    assert {one.rows for one in compared.values()} == {12}


def test_a_breakdown_is_seen_and_none_is_invented():
    c = np.geomspace(1e3, 1e9, 40)
    rng = np.random.default_rng(2)
    law = 30 * c**-0.3 * np.exp(0.01 * rng.standard_normal(40))
    assert breakdown(loss_table({"C": c, "loss": law}), "power") is None
    bent = law * np.maximum(1, c / 1e7) ** 0.25
    found = breakdown(loss_table({"C": c, "loss": bent}), "power")
    assert found is not None and found.size > 3e5 and found.excess > 0


def test_the_best_split_is_that_of_the_formula():
    found = fit(table(), "chinchilla")
    p = {name: one.value for name, one in found.parameters.items()}
    ratio = (p["alpha"] * p["A"] / (p["beta"] * p["B"])) ** (1 / (p["alpha"] + p["beta"]))
    expected = ratio * (1e21 / 6) ** (p["beta"] / (p["alpha"] + p["beta"]))
    split = best_split(found, 1e21)
    assert split.parameters[0] == pytest.approx(expected, rel=1e-3)
    assert split.parameters[0] * split.tokens[0] * 6 == pytest.approx(1e21, rel=1e-9)
    noisy = best_split(fit(table(0.005), "chinchilla", draws=300), 1e21)
    assert noisy.parameters[1] < noisy.parameters[0] < noisy.parameters[2]


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"loss": [3, 2, 1.0]}, "a column of sizes"),
        ({"N": [1, 2, 3.0]}, "a column called loss"),
        ({"N": [1, 2, 3.0], "loss": [3, 2.0]}, "columns of one length"),
        ({"N": [1, 2, np.nan], "loss": [3, 2, 1.0]}, "row 3"),
        ({"N": [1, 2, -3.0], "loss": [3, 2, 1.0]}, "row 3"),
        ({"N": ["a", "b"], "loss": [3, 2.0]}, "numbers"),
        ({"N": [1, 2, 3, 4, 5], "loss": [1, 2, 3, 4, 5]}, "rising with"),
        ({"N": [1, 2, 3, 4], "loss": [1, 1, 1, 1]}, "every row"),
        ({"N": [1, 2], "params": [1, 2], "loss": [2, 1]}, "two columns"),
        ({"N": np.arange(1, 2e5), "loss": 1 / np.arange(1, 2e5)}, "at most 100000"),
    ],
)
def test_bad_tables_are_refused(columns, said):
    with pytest.raises(InputError, match=said):
        loss_table(columns)


def test_units_that_do_not_fit_are_noted():
    n, d = sizes()
    mixed = loss_table({"N": n, "D": d, "C": n * d, "loss": chinchilla(n, d)})
    assert "units" in mixed.notes[0]


@pytest.mark.parametrize("form", FORMS)
def test_too_few_rows_or_columns_are_refused(form):
    with pytest.raises(InputError):
        fit(loss_table({"N": [1, 2.0, 3], "D": [1, 2.0, 3], "loss": [3, 2.0, 1]}), form)
    if form != "power":
        with pytest.raises(InputError, match="tokens"):
            fit(loss_table({"N": np.arange(1, 20.0), "loss": 1 / np.arange(1, 20)}), form)


def test_huber_loss_and_its_slope():
    r = np.linspace(-3, 3, 61)
    step = 1e-6
    slope = (loss_of(r + step, 1.1) - loss_of(r - step, 1.1)) / (2 * step)
    np.testing.assert_allclose(slope, score(r, 1.1), atol=1e-6)
    np.testing.assert_array_equal(loss_of(r, np.inf), r**2 / 2)


def line(theta):
    """a + b x at nine x, of many (a, b)."""
    x = np.linspace(0, 1, 9)
    return theta[:, :1] + theta[:, 1:] * x, np.broadcast_to(
        np.stack([np.ones(9), x], axis=-1), (len(theta), 9, 2)
    )


def test_a_search_ends_where_nothing_is_gained():
    steps = []

    def counted(theta):
        steps.append(len(theta))
        return line(theta)

    data = line(np.array([[1.0, 2.0]]))[0][0] + 0.1 * np.cos(np.arange(9))
    found = reweighted(counted, [[0.5, 0.5], [9.0, -9.0]], data, 10.0, steps=60)
    assert len(steps) < 20
    best = np.polyfit(np.linspace(0, 1, 9), data, 1)[::-1]
    assert np.allclose(found.theta, best, atol=1e-5)


def test_a_nearly_perfect_fit_is_polished_too():
    data = line(np.array([[30.0, 2.0]]))[0][0] + 1e-8 * np.cos(np.arange(9))
    theta, least = polished(line, np.array([30.0 + 1e-6, 2.0 - 1e-6]), data, 1e-3)
    best = np.polyfit(np.linspace(0, 1, 9), data, 1)[::-1]
    assert np.max(np.abs(theta - best)) < 1e-10
    assert least == pytest.approx(np.sum(loss_of(line(best[None])[0][0] - data, 1e-3)))


def noisy(n, d, scatter=0.003):
    rng = np.random.default_rng(0)
    return chinchilla(n, d) * np.exp(scatter * rng.standard_normal(len(n)))


@pytest.mark.parametrize("scatter", [0.0, 0.003])
@pytest.mark.parametrize("form", ["chinchilla", "bottleneck", "kaplan"])
def test_sizes_that_do_not_vary_or_vary_together_determine_nothing_of_their_own(form, scatter):
    n, _ = sizes()
    same = np.full(len(n), 1e8)
    found = fit(loss_table({"N": same, "D": 20 * n, "loss": noisy(same, 20 * n, scatter)}), form)
    assert not any(found.parameters[name].determined for name in ("A", "alpha"))
    assert "E" not in found.parameters or not found.parameters["E"].determined
    found = fit(loss_table({"N": n, "D": 20 * n, "loss": noisy(n, 20 * n, scatter)}), form)
    names = ("A", "B", "alpha", "beta")
    assert not any(found.parameters[name].determined for name in names)
    assert "told apart" in found.parameters["alpha"].reason


@pytest.mark.parametrize("form", ["chinchilla", "bottleneck", "power"])
@pytest.mark.parametrize("seed", range(3))
def test_of_a_constant_loss_no_share_is_known(form, seed):
    n, d = sizes(36)
    loss = 3 + 0.05 * np.random.default_rng(seed).standard_normal(36)
    found = fit(loss_table({"parameters": n, "tokens": d, "loss": loss, "compute": n * d}), form)
    exponents = {"alpha", "beta"} & set(found.parameters)
    free = [found.parameters[name].low == 0 for name in exponents]
    assert any(free)  # by chance (one in 20 each) the noise shows a slope
    if all(free) or form != "bottleneck":
        assert not found.parameters["E"].determined


def test_rows_that_repeat_another_count_once():
    n, d = sizes()
    columns = {"N": n[::7], "D": d[::7], "loss": noisy(n, d)[::7]}
    once = fit(loss_table(columns), "chinchilla")
    table = loss_table({name: np.repeat(x, 10) for name, x in columns.items()})
    again = fit(table, "chinchilla")
    assert "repeat" in table.notes[0] and len(table) == len(columns["N"])
    assert again.parameters["alpha"].high == pytest.approx(once.parameters["alpha"].high)


def test_logarithms_and_other_units_are_noted():
    n, d = sizes()
    notes = loss_table({"N": np.log10(n), "D": np.log10(d), "loss": chinchilla(n, d)}).notes
    assert sum("logarithms" in note for note in notes) == 2
    assert not loss_table({"N": np.round(n), "D": np.round(d), "loss": chinchilla(n, d)}).notes


def test_residuals_of_one_sign_are_seen():
    from solvable.analytic.fits.extrapolation import runs

    x = np.geomspace(1e15, 1e21, 40)
    bent = loss_table({"compute": x, "loss": 1 + 1e3 * x**-0.15 * (1 + x / 1e18) ** -0.2})
    straight = loss_table({"compute": x, "loss": noisy(x, x)})
    assert runs(fit(bent, "power"), bent) > 3.5 > abs(runs(fit(straight, "power"), straight))
