import dataclasses
import math
import re
import sys

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from solvable.analytic.errors import InputError
from solvable.validation.experiments import catalogue, load, names
from solvable.validation.experiments.building_blocks import power_law, ridge_curve, ridge_curves
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
    Curve,
    Experiment,
    Mark,
    Parameters,
    Plan,
)
from solvable.validation.experiments.facts import above, below, near
from solvable.validation.sweep import sweep
from solvable.validation.training import simulate
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


@pytest.mark.slow
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
    points, x = [(t, p.N, t) for t in p.T], np.array([30.0, 70.0])
    line = (x, np.full(2, p.N), x)
    curve = ridge_curve("ridge", power_law(1.0, p.M), points, line, ridge="optimal", noise=0.1)
    wrong = (dataclasses.replace(mark, theory=p.factor * mark.theory) for mark in curve.marks)
    yield dataclasses.replace(curve, marks=tuple(wrong))


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


@given(st.lists(st.integers(5, 60), min_size=1, max_size=5, unique=True), st.sampled_from([0, 0.1]))
@settings(max_examples=20, deadline=None)
def test_ridges_of_one_point_share_their_draws(sizes, noise):
    spectrum, points, line = power_law(1.0, 80), [(n, n, 30) for n in sizes], (np.ones(1),) * 3
    labels = {0: "none", "optimal": "best", 0.5: "some"}
    curves = list(ridge_curves(labels, spectrum, points, line, noise=noise))
    assert [curve.label for curve in curves] == list(labels.values())
    assert len(Plan.of(curves).cells) == len(points)
    for none, best, some in zip(*(curve.marks for curve in curves)):
        losses = simulate(none.cell, 1)
        for mark, ridge in ((none, 0.0), (some, 0.5)):
            alone = simulate(dataclasses.replace(mark.cell, at=(ridge,)), 1)
            assert losses[mark.read] == pytest.approx(alone[f"excess_loss[ridge={ridge:g}]"])
        assert best.cell is none.cell and best.theory <= min(none.theory, some.theory) * (1 + 1e-9)
        assert best.untested == "" or best.untested == some.untested


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
    tested = [mark for curve in large.curves for mark in curve.marks if not mark.untested]
    assert tested or large.facts, "nothing would be decided"
    assert all(math.isfinite(mark.theory) and mark.theory > 0 for mark in tested)
    assert len(small.facts) == len(large.facts)


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(InputError, match="flow-curves"):
        load("no-such-experiment")


# ---- small parts -------------------------------------------------------------------------


@given(
    st.integers(1, 10**4), st.integers(2, 100), st.floats(0.3, 1), st.none() | st.integers(2, 50)
)
@settings(max_examples=50)
def test_smaller_cells_are_repeated_more_often_within_bounds(size, seeds, spread, fewest):
    @dataclasses.dataclass
    class Sized:
        features: int
        samples: int | None

    budget = Budget(1.0, seeds, spread=spread, fewest=fewest)
    count, least = repetitions(Sized(size, None), budget), fewest or seeds
    assert least <= count <= max(MOST_REPETITIONS * seeds, least)
    assert count <= max(seeds, least) or size < REFERENCE_SIZE
    assert count >= repetitions(Sized(size + 1, 10**6), budget)
    if size == REFERENCE_SIZE:
        assert count == max(seeds, least)


@given(st.floats(-3, 3), st.floats(0.01, 1), st.sampled_from(["near", "below", "above"]))
def test_facts_of_the_theory_are_decided_by_their_bounds(value, width, kind):
    assume(min(abs(abs(value - 0.5) - width), abs(value - width)) > 1e-9)
    fact, holds = {
        "near": (near("", lambda: value, 0.5, width), abs(value - 0.5) <= width),
        "below": (below("", lambda: value, width), value <= width),
        "above": (above("", lambda: value, width), value >= width),
    }[kind]
    assert (fact.low <= fact({}) <= fact.high) == holds
    nan = dataclasses.replace(fact, number=lambda: math.nan)
    assert not nan.low <= nan({}) <= nan.high


def test_parameters_scale_sizes_only():
    p = Parameters({"N": (100, 3), "M": 7}, {"alpha": 0.5}, 0.1)
    assert (p.N, p.M, p.alpha) == ((10, 1), 1, 0.5)
    assert p.describe() == "N = 10, 1; M = 1; α = 0.5"
    with pytest.raises(AttributeError, match="beta"):
        _ = p.beta


def test_a_plan_sorts_what_is_yielded_and_names_each_cell_once():
    cell = synthetic.Cell(1.0, 1.0)
    fact = above("", lambda: 1.0, 0.0)
    curves = [Curve(label, (Mark(1.0, dataclasses.replace(cell), "early", 1.0),)) for label in "ab"]
    plan = Plan.of(iter([fact, *curves]))
    assert plan.curves == tuple(curves) and plan.facts == (fact,) and len(plan.cells) == 1


# ---- an experiment more ------------------------------------------------------------------

ANOTHER = """
from .experiment import Axes, Budget, Curve, Mark, experiment
from .building_blocks import flow, over_time, task, times_around


@experiment(
    title="Another", source="no paper", claim="It holds.", sizes={"N": 40, "P": 80, "M": 200},
    constants={"a": 1.5, "b": 1.25, "times": (1.0, 10.0)}, axes=Axes("t", "loss"),
    quick=Budget(1.0, 8, resolution=0.3), thorough=Budget(2.0, 12),
)
def another_experiment(p):
    cell = flow(task(p.a, p.b, p.M), p.N, p.P, p.times)
    yield over_time("loss", cell, times_around(p.times))
"""


def test_an_experiment_is_added_in_one_file_and_the_list(monkeypatch, tmp_path, capsys):
    """The catalogue, the command line, its list, the report and these tests find it."""
    from solvable.derivations.cli import main
    from solvable.validation import experiments

    (tmp_path / "another.py").write_text(ANOTHER)
    monkeypatch.setattr(experiments, "__path__", [*experiments.__path__, str(tmp_path)])
    monkeypatch.setattr(experiments, "MODULES", (*experiments.MODULES, "another"))
    experiments.catalogue.cache_clear()
    try:
        assert "another-experiment" in experiments.names()
        assert main(["check", "--list"]) == 0 and "another-experiment" in capsys.readouterr().out
        report = tmp_path / "report.md"
        assert main(["check", "another-experiment", "--workers", "1", "--report", str(report)]) == 0
        assert "theory inside" in capsys.readouterr().out
        assert "another-experiment" in report.read_text()
        test_every_experiment_says_what_it_claims_and_where(load("another-experiment"))
        test_plans_at_two_scales_correspond("another-experiment")
    finally:
        experiments.catalogue.cache_clear()
        sys.modules.pop("solvable.validation.experiments.another", None)


# ---- facts about simulated numbers -------------------------------------------------------


def _fact(least, seeds=40, root=0):
    return run(synthetic.experiment(least=least, bias=0.0, seeds=seeds), root).facts[0]


def test_a_fact_within_its_error_of_the_bound_is_undecided():
    """The first late value is 0.5 with an error of 0.01/√40."""
    error = 0.01 / math.sqrt(40)
    assert [_fact(0.5 - 8 * error).outcome, _fact(0.5 + 8 * error).outcome] == ["pass", "fail"]
    found = _fact(0.5 - error / 4)
    assert found.outcome == "undecided" and found.confidence == 0.99
    evidence = run(synthetic.experiment(least=0.5 - error / 4, bias=0.0))
    assert evidence.outcome == "undecided" and "undecided: first simulated" in evidence.message


@pytest.mark.slow
def test_the_interval_of_a_fact_covers_as_often_as_it_says():
    """99 % ± 4 standard errors of 400 trials; one of a third of the width covers far less."""
    intervals = [_fact(0.0, seeds=10, root=root).interval for root in range(400)]
    inside = np.mean([low < 0.5 < high for low, high in intervals])
    third = np.mean([abs((low + high) / 2 - 0.5) < (high - low) / 6 for low, high in intervals])
    tolerance = 4 * math.sqrt(0.99 * 0.01 / 400)
    assert inside == pytest.approx(0.99, abs=tolerance) and third < 0.99 - tolerance


def test_the_error_of_a_nonlinear_fact_counts_what_its_cells_share():
    """The ratio of two marks of one cell has no error at all; that of two cells has √2."""
    experiment = synthetic.experiment(bias=0.0, x=(1.0, 4.0))

    def build(p):
        yield from synthetic.build(p)
        yield near("shared", lambda m: m["late"].mean[0] / m[FIRST].mean[0], 0.5, 1e-9)
        yield near("apart", lambda m: m["late"].mean[1] / m["late"].mean[0], 0.5, 0.1)

    _, _, shared, apart = run(dataclasses.replace(experiment, build=build)).facts
    assert shared.outcome == "pass" and np.ptp(shared.interval) < 1e-10
    expected = 0.5 * 0.02 * math.sqrt(2 / 40)
    half = np.ptp(apart.interval) / 2
    assert half / stats.t.isf((1 - apart.confidence) / 2, 78) == pytest.approx(expected, rel=0.3)


FIRST = "early <b>&amp;</b> | N = 1"
