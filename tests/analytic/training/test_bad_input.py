"""What is not allowed is an `InputError` that says why, for every rule, parameter and schedule."""

import math
from dataclasses import fields
from fractions import Fraction

import numpy as np
import pytest

from solvable.analytic.errors import InputError
from solvable.analytic.spectrum import PowerLaw
from solvable.analytic.training.decomposition import decompose
from solvable.analytic.training.dynamics import dynamics
from solvable.analytic.training.scheduled_training import scheduled_dynamics
from solvable.analytic.training.schedules import SCHEDULES, schedule
from solvable.analytic.training.training_rule import RULES

INF = math.inf
LAW = PowerLaw(exponent=1.5, target_exponent=1.5, size=30)
NEVER = (math.nan, -INF, 1j, {}, object(), np.ones((2, 2)), [])
NO_NUMBER = (*NEVER, "x", None, True, "1e400")
#: what a parameter also refuses, beside what is no number
MORE = {
    "step": (0, -1, INF, [0.1, 0.2]), "batch": (0, -1, 1.5, Fraction(1, 2), [1, 2]),
    "momentum": (-0.1, 1, 1.5, INF, [0.5]), "decay": (-1, INF), "steps": (-1, 1.5, INF),
    "pull": (-1, INF), "forgetting": (-1, INF), "preconditioner": (INF,),
}  # fmt: skip
SCHEDULED = (*NEVER, "nope", "cosine:bad=1", "cosine:final", "cosine:final=-1", [-1], [math.nan])
SIZES = (math.nan, -INF, 1j, {}, object(), [], "x", None, True, 0, -1)


def _cases():
    for name, kind in RULES.items():
        for item in fields(kind):
            if item.metadata["plain"] is bool:
                values = ("x", 2, None, 1j)
            elif item.metadata["listed"]:
                values = SCHEDULED if item.name == "pull_schedule" else (*SCHEDULED, [0.1])
            elif item.name == "average":
                values = (*NEVER, "x", "ema:rate=2", 1)
            else:
                values = (*NO_NUMBER, *MORE[item.name])
            for value in values:
                yield name, item.name, value


def _rule(name, **more):
    kind = RULES[name]
    return kind(**{**dict(zip((x.name for x in fields(kind)), kind.example)), **more})


@pytest.mark.parametrize("name, parameter, value", list(_cases()))
def test_parameters_of_rules(name, parameter, value):
    samples = INF if RULES[name].fresh else 20
    with pytest.raises(InputError) as raised:
        dynamics(LAW, 20, samples, [0, 3], learner=_rule(name, **{parameter: value}))
    named = (parameter, parameter.partition("_")[0], "schedule", "final", "rate", "step")
    assert any(name in raised.value.argument for name in named)


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("argument, values", [
    ("features", SIZES), ("samples", SIZES), ("noise", (*NO_NUMBER, -1, INF)),
    ("times", (math.nan, -INF, 1j, "x", None, True, [], -1, [1, math.nan], [1, INF])),
    ("ensemble", (*NO_NUMBER, 0, 1.5)), ("digits", (math.nan, INF, "x", 0, -1, 1.5, True)),
])  # fmt: skip
def test_arguments_of_the_losses(name, argument, values):
    samples = INF if RULES[name].fresh else 20
    for value in values:
        given = {"features": 20, "samples": samples, "times": [1, 3], argument: value}
        sizes = [given.pop(x) for x in ("features", "samples", "times")]
        with pytest.raises(InputError):
            dynamics(LAW, *sizes, learner=_rule(name), **given)
        if argument in ("features", "samples", "times", "noise"):
            with pytest.raises(InputError):
                decompose(LAW, *sizes, learner=_rule(name), **given)


@pytest.mark.parametrize("argument, values", [
    ("rates", (*NEVER, "x", None, True, -1, [0.1], [0.1, -1, 0.1])),
    ("batch", (*NEVER, "x", None, True, 0, -1, 0.5, [1], 21)),
    ("momentum", (*NEVER, "x", None, True, -1, 1, [0.5], [0.5, 1, 0.5])),
    ("average", (*NEVER, "x", True, -1, 2, [0.5])), ("pull", (*NEVER, "x", True, -1, [0.5])),
    ("decay", (*NO_NUMBER, -1, INF)), ("noise", (*NO_NUMBER, -1, INF)),
    ("features", SIZES), ("samples", SIZES),
    ("times", (math.nan, INF, 1j, "x", None, [], -1, 1.5, [1, math.nan])),
])  # fmt: skip
def test_scheduled_dynamics(argument, values):
    for value in values:
        given = {"features": 20, "samples": 20, "times": [0, 3], "rates": 0.1, argument: value}
        sizes = [given.pop(x) for x in ("features", "samples", "times", "rates")]
        with pytest.raises(InputError):
            scheduled_dynamics(LAW, *sizes, **given)


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules(name):
    for value in (*NO_NUMBER, 0, -1, INF):
        with pytest.raises(InputError):
            schedule(name, value, 10)
        if value is not True:
            with pytest.raises(InputError):
                schedule(name, 0.1, value)
    options = SCHEDULES[name].__kwdefaults__ or {}
    for option in options:
        for value in (math.nan, INF, -INF, 1j, "x", [], {}):
            with pytest.raises(InputError):
                schedule(name, 0.1, 10, **{option: value})
    with pytest.raises(InputError):
        schedule(name, 0.1, 10, unknown=1)


def test_one_pass_takes_an_array_of_infinite_samples():
    one, listed = (dynamics(LAW, 20, x, [1, 3], learner=_rule("sgd")) for x in (INF, [INF]))
    assert np.array_equal(listed.excess_loss[0], one.excess_loss)
