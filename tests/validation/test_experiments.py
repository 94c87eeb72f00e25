import dataclasses
import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solvable.analytic.errors import InputError
from solvable.analytic.slopes import log_slope
from solvable.analytic.spectrum import Flat, PowerLaw
from solvable.validation.experiments import catalogue, load, names
from solvable.validation.experiments.evaluate import (
    MOST_REPETITIONS,
    REFERENCE_SIZE,
    evaluate,
    plans,
    repetitions,
    summary,
)
from solvable.validation.experiments.experiment import (
    Axes,
    Budget,
    Experiment,
    Parameters,
    Plan,
    above,
    below,
    grid,
    near,
)
from solvable.validation.experiments.spectra import number_above, quantiles
from solvable.validation.experiments.static import power_law, ridge_series
from solvable.validation.sweep import sweep
from tests.validation import synthetic_experiments as synthetic


def run(experiment, root_seed=0, **options):
    def simulate(function, cells, seeds):
        return sweep(function, cells, seeds, root_seed=root_seed)

    return evaluate(experiment, simulate, root_seed=root_seed, **options)


# ---- verdicts on experiments whose truth is known ----------------------------------------


def test_a_true_theory_passes_in_spite_of_its_finite_size_bias():
    evidence = run(synthetic.experiment(bias=0.8, spread=0.005))
    raw = [p.simulated.mean / p.theory for p in evidence.series[0].points[:-1]]
    assert min(raw) > 1.03, "the bias is there"
    assert evidence.passed, evidence.message


@pytest.mark.parametrize("claimed", [0.95, 1.05])
def test_a_theory_that_is_5_per_cent_off_fails(claimed):
    evidence = run(synthetic.experiment(claimed=claimed))
    assert evidence.outcome == "fail", evidence.message


def test_a_wrong_fact_fails_whatever_the_curves_say():
    evidence = run(synthetic.experiment(least=10.0))
    assert evidence.outcome == "fail" and "not so: first simulated value" in evidence.message


def test_wide_intervals_are_undecided():
    evidence = run(synthetic.experiment(spread=0.5))
    assert evidence.outcome == "undecided" and "cannot exclude" in evidence.message


def test_failed_cells_leave_the_claim_undecided_and_are_named():
    evidence = run(synthetic.experiment(broken=(4.0,)))
    assert evidence.outcome == "undecided"
    assert "this cell is broken" in evidence.message and len(evidence.failures) == 80


def test_a_control_must_be_rejected():
    assert run(synthetic.experiment(claimed=1.05, expected="rejection")).passed
    assert run(synthetic.experiment(expected="rejection")).outcome == "fail"


def test_true_theories_are_rejected_as_rarely_as_stated():
    """1 % of true theories may be rejected; 7 of 200 has probability 0.4 % then."""
    experiment = synthetic.experiment(spread=0.03)
    rejected = sum(run(experiment, root, seeds=12).outcome == "fail" for root in range(200))
    assert rejected < 7, f"{rejected} of 200 true theories rejected"


def test_evidence_has_a_json_form():
    import json

    data = json.loads(json.dumps(summary(run(synthetic.experiment())), allow_nan=False))
    assert data["outcome"] == "pass" and data["series"][0]["points"][-1]["theory"] == "inf"


def test_numbers_do_not_depend_on_who_computes_them():
    from concurrent.futures import ThreadPoolExecutor

    def parallel(function, cells, seeds):
        with ThreadPoolExecutor(3) as pool:
            return sweep(function, cells, seeds, executor=pool)

    one, two = run(synthetic.experiment()), evaluate(synthetic.experiment(), parallel)
    assert one.series[1].points == two.series[1].points and one.message == two.message


@pytest.mark.parametrize(("options", "named"), [
    ({"scale": 0.0}, "size"), ({"scale": -1}, "size"), ({"scale": math.nan}, "size"),
    ({"seeds": 1}, "seeds"), ({"seeds": 2.5}, "seeds"),
])  # fmt: skip
def test_bad_budgets_are_refused(options, named):
    with pytest.raises(InputError, match=f"{named} = "):
        run(synthetic.experiment(), **options)


def test_sizes_that_do_not_fit_in_memory_are_refused_before_anything_runs():
    def never(function, cells, seeds):
        raise AssertionError("simulated")

    with pytest.raises(InputError, match=r"size = 100\.0 .* GB are available"):
        evaluate(load("flow-curves"), never, scale=100.0, workers=2)


# ---- the model, right and wrong ----------------------------------------------------------


def _ridge(p):
    cells = []
    points = [(t, p.N, t) for t in p.T]
    series = ridge_series("ridge", power_law(1.0, p.M), points, cells, optimal=True, noise=0.1)
    wrong = tuple(
        dataclasses.replace(point, theory=p.factor * point.theory) for point in series.points
    )
    return Plan(cells, (dataclasses.replace(series, points=wrong),))


def test_the_comparison_sees_a_wrong_loss():
    simulated = {}

    def once(function, cells, seeds):
        if not simulated:
            simulated["result"] = sweep(function, cells, seeds)
        return simulated["result"]

    for factor, outcome in ((1.0, "pass"), (1.1, "fail"), (0.9, "fail")):
        experiment = Experiment(
            name="ridge", title="", source="", claim="", axes=Axes("T", "loss"), build=_ridge,
            sizes={"M": 300, "N": 60, "T": (40, 60)}, constants={"factor": factor},
            quick=Budget(1.0, 8, resolution=0.1), thorough=Budget(1.0, 12),
        )  # fmt: skip
        evidence = evaluate(experiment, once)
        assert evidence.outcome == outcome, evidence.message


# ---- declarations ------------------------------------------------------------------------


def test_names_are_kebab_case_and_no_derivation_has_them():
    from solvable.derivations import catalogue as derivations

    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", name) for name in names())
    assert not set(names()) & set(derivations.names())
    assert len(names()) >= 20


@pytest.mark.parametrize("experiment", catalogue().values(), ids=names())
def test_every_experiment_says_what_it_claims_and_where(experiment):
    assert experiment.title and experiment.claim.endswith(".") and experiment.source
    assert experiment.thorough.scale > experiment.quick.scale
    assert experiment.thorough.seeds > experiment.quick.seeds


@pytest.mark.slow
@pytest.mark.parametrize("name", names())
def test_plans_at_two_scales_correspond(name):
    experiment = load(name)
    small, large = plans(experiment, experiment.quick)
    assert len(small.cells) == len(large.cells)
    points = [point for series in large.series for point in series.points]
    assert all(0 <= point.cell < len(large.cells) for point in points)
    assert any(point.tested for point in points)
    assert all(math.isfinite(point.theory) and point.theory > 0 for point in points if point.tested)


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(InputError, match="flow-curves"):
        load("no-such-experiment")


# ---- small parts -------------------------------------------------------------------------


@given(st.integers(1, 10**4), st.integers(2, 100))
@settings(max_examples=50)
def test_smaller_cells_are_repeated_more_often_within_bounds(size, seeds):
    @dataclasses.dataclass
    class Sized:
        features: int
        samples: int | None

    count = repetitions(Sized(size, None), seeds)
    assert seeds <= count <= MOST_REPETITIONS * seeds
    assert count == seeds or size < REFERENCE_SIZE
    assert count >= repetitions(Sized(size + 1, 10**6), seeds)


def test_facts_can_fail():
    assert near("", 1.0, 1.05, 0.1).outcome == "pass" and near("", 1.0, 1.2, 0.1).outcome == "fail"
    assert below("", 1.0, 2.0).outcome == "pass" and below("", 2.0, 1.0).outcome == "fail"
    assert above("", 2.0, 1.0).outcome == "pass" and above("", 1.0, 2.0).outcome == "fail"
    assert {f("", math.nan, 1.0).outcome for f in (below, above)} == {"fail"}
    assert near("", math.nan, 1.0, 1.0).outcome == "fail"


def test_parameters_scale_sizes_only():
    p = Parameters({"N": (100, 3), "M": 7}, {"alpha": 0.5}, 0.1)
    assert (p.N, p.M, p.alpha) == ((10, 1), 1, 0.5)
    assert p.describe() == "N = 10, 1; M = 1; α = 0.5"
    with pytest.raises(AttributeError, match="beta"):
        _ = p.beta


def test_grid_and_slope():
    assert grid(2, 2000, 4) == (2, 20, 200, 2000)
    x = np.array(grid(10, 10**5, 9), float)
    assert log_slope(x, 3 * x**-1.7) == pytest.approx(-1.7, abs=1e-12)


# ---- the number of eigenvalues -----------------------------------------------------------


@pytest.mark.parametrize(("size", "t"), [(50, 200), (200, 50), (100, 120)])
def test_number_of_eigenvalues_of_white_data_is_marchenko_and_pasturs(size, t):
    from scipy.integrate import quad

    ratio = size / t
    low, high = (1 - math.sqrt(ratio)) ** 2, (1 + math.sqrt(ratio)) ** 2

    def density(x):
        return math.sqrt(max((high - x) * (x - low), 0)) / (2 * math.pi * ratio * x)

    for x in np.linspace(low, high, 7)[1:-1]:
        expected = size * quad(density, x, high)[0]
        assert number_above(Flat(size), math.inf, t, np.array([x]))[0] == pytest.approx(
            expected, abs=2e-3
        )


def test_number_of_eigenvalues_of_random_features_is_that_of_a_simulation():
    law, n, t = PowerLaw(0.5, size=400), 60, 120
    generator = np.random.default_rng(3)
    counts, x = [], np.array([1e-3, 1e-2, 1e-1])
    for _ in range(40):
        data = np.sqrt(law.eigenvalues())[:, None] * generator.standard_normal((400, t))
        features = generator.standard_normal((n, 400)) @ data / math.sqrt(n * t)
        values = np.linalg.svd(features, compute_uv=False) ** 2
        counts.append((values[:, None] > x).sum(axis=0))
    error = np.std(counts, axis=0, ddof=1) / math.sqrt(40)
    gap = np.abs(np.mean(counts, axis=0) - number_above(law, n, t, x))
    assert (gap < 4 * error + 0.25).all(), gap


def test_quantiles_invert_the_number():
    law, ranks = PowerLaw(0.5, size=200), np.array([1.0, 5.0, 20.0, 35.0])
    x = quantiles(law, 40, 90, ranks)
    assert np.allclose(number_above(law, 40, 90, x), ranks - 0.5, atol=1e-2)
