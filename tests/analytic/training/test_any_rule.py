"""Every rule at once against the covariance of each mode's whole state, step by step.

At N = T = ∞ the modes do not mix: a step multiplies the state (u, y, u₀, ū) of a mode by a matrix,
and the noise of its batch has the variance x²(E u² + Σ E u² + σ²)/B.
"""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solvable.analytic.errors import InputError
from solvable.analytic.spectrum import Empirical, ExponentialDecay, Flat, PowerLaw
from solvable.analytic.training.dynamics import dynamics
from solvable.analytic.training.learners import (
    GradientDescent,
    MinibatchSGD,
    OnePassSGD,
    PreconditionedDescent,
)
from solvable.analytic.training.schedules import from_values, read_values, schedule

INF = math.inf
SPECTRA = [
    PowerLaw(exponent=1.25, target_exponent=1.5, size=12),
    PowerLaw(exponent=1.0001, target_exponent=3, size=5),
    ExponentialDecay(rate=1, size=8),
    Flat(3),
    Empirical([1e9, 1e9, 3e8], [0.2, 0.1, 0.05]),  # a multiple eigenvalue, far from one
    Empirical([1, 0.3, 1e-7, 0], [1, 1, 1, 2]),  # power on no mode: irreducible
]


def stepwise(spectrum, rule, noise, count):
    """Excess losses after 0 … count steps."""
    x, power = spectrum.eigenvalues(), spectrum.target_power()
    hidden, given, n = float(spectrum.irreducible), rule.schedules(count), np.arange(count)

    def values(name, default=0.0):
        value = given.get(name)
        value = default if value is None else value
        return value(n) if callable(value) else np.full(count, value)

    rates, sizes, momenta, pulls = map(values, ("rates", "batch", "momentum", "pull"))
    forgetting, weights = values("forgetting"), values("average", 1.0)
    u, y, u0, mean = np.eye(4)
    spread = power[:, None, None] * np.outer(u + u0 + mean, u + u0 + mean)
    losses = np.empty(count + 1)
    for n in range(count + 1):
        losses[n] = spread[:, 3, 3].sum() + hidden
        if n == count:
            return losses
        gradient = np.multiply.outer(x, u) + float(rule.decay) * (u - u0)
        if rule.pull:
            pulled = gradient + (1 - forgetting[n]) * y
            moved = -rates[n] * gradient - pulls[n] * pulled
            push = np.array([-rates[n] - pulls[n], 1, 0, 0])
        else:
            pulled = rates[n] * gradient + momenta[n] * y
            moved, push = -pulled, np.array([-rates[n], rates[n], 0, 0])
        following = u + moved
        averaged = weights[n] * following + (1 - weights[n]) * mean
        push[3] = weights[n] * push[0]
        matrix = np.stack(np.broadcast_arrays(following, pulled, u0, averaged), axis=1)
        own = spread[:, 0, 0]
        kick = x**2 * (own + own.sum() + noise + hidden) / sizes[n]
        spread = matrix @ spread @ matrix.swapaxes(1, 2)
        spread = spread + kick[:, None, None] * np.outer(push, push)


@st.composite
def rates_of(draw, top, count):
    """A named schedule, or an array that jumps, vanishes, and is rough."""
    name = draw(st.sampled_from(["constant", "cosine", "linear:final=2", "wsd:warmup=0.9",
                                 "power:exponent=5,scale=0.1", "steps:parts=2,factor=4", "jumps",
                                 "zeros", "rough"]))  # fmt: skip
    n = np.arange(count)
    if name == "jumps":
        return tuple(top * (0.2 + 0.8 * (n % 100 + 1) / 100))
    if name == "zeros":
        return tuple(np.where(n < count // 2, top, 0.0))
    if name == "rough":
        return tuple(top * np.random.default_rng(count).uniform(size=count))
    return name


@st.composite
def rules(draw, spectrum):
    """Any rule on fresh samples, of at most 300 steps."""
    top = 1 / float(spectrum.eigenvalue(1))
    batch = draw(st.sampled_from([1, 2, 8.0, 10**6, INF]))
    count = draw(st.sampled_from([1, 2, 65, 150, 300]))
    step = top * 10 ** draw(st.floats(-5, 0)) * min(1, batch / 4)
    options = {"average": draw(st.sampled_from(["none", "polyak", "tail:start=0.5", "ema:rate=1"]))}
    if batch < INF:
        options["batch_schedule"] = draw(st.sampled_from(["constant", "steps:parts=2,factor=8"]))
    memory = draw(st.sampled_from(["none", "momentum", "decay", "both", "pull"]))
    if memory in ("momentum", "both"):
        options["momentum"] = draw(st.sampled_from([0.3, 0.9, 0.999]))
    if memory in ("decay", "both"):
        options["decay"] = top**-1 * draw(st.sampled_from([1e-6, 0.05, 0.5]))
    if memory == "pull":
        count = min(count, 65)
        options |= {"pull": step / 10, "forgetting": draw(st.sampled_from([0.5, 3.0]))}
    schedule = draw(rates_of(step, count))
    return OnePassSGD(step, batch, schedule=schedule, steps=count, **options)


ANY = given(data=st.data(), spectrum=st.sampled_from(SPECTRA), noise=st.sampled_from([0, 0.3, 1e3]))


@settings(max_examples=20, deadline=None)
@ANY
def test_any_rule_equals_its_recursion(data, spectrum, noise):
    compare(data, spectrum, noise)


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@ANY
def test_many_rules_equal_their_recursions(data, spectrum, noise):
    compare(data, spectrum, noise)


def compare(data, spectrum, noise):
    """The loss of a rule is that of the recursion, within its error, which is small."""
    rule = data.draw(rules(spectrum))
    with np.errstate(over="ignore", invalid="ignore"):
        exact = stepwise(spectrum, rule, noise, rule.steps)
    times = np.unique([0, 1, rule.steps // 2, rule.steps - 1, rule.steps])
    found = dynamics(spectrum, INF, INF, times, learner=rule, noise=noise)
    kept = exact[times] < 1e250
    loss, error = found.excess_loss[kept], found.error_estimate[kept]
    assert np.all(np.abs(loss - exact[times][kept]) <= 3 * error + 1e-10 * exact[times][kept])
    assert np.all(error <= 1e-7 * loss + 1e-12 * exact[0]) and np.all(loss >= 0)
    assert np.all(found.excess_loss[~kept] > 1e200)


def test_a_jump_of_the_batch_is_seen_by_the_steps_after_it_alone():
    """The value at the end of a piece belongs to the next one, and to no block before it."""
    rule = OnePassSGD(0.2, 2, steps=900, batch_schedule="steps:parts=2,factor=8", average="polyak")
    times = np.array([100, 300, 449, 450, 451, 900])
    found = dynamics(SPECTRA[0], INF, INF, times, learner=rule, noise=0.3).excess_loss
    assert found == pytest.approx(stepwise(SPECTRA[0], rule, 0.3, 900)[times], rel=1e-11)


@pytest.mark.parametrize("step", [0.05, 0.4])
def test_few_steps_of_much_momentum(step):
    """The contour keeps away from the copies of the spectrum, though it is close to λ_max."""
    rule = OnePassSGD(step, 2, steps=5, momentum=0.999)
    times = np.arange(6)
    found = dynamics(SPECTRA[0], INF, INF, times, learner=rule, noise=0.3).excess_loss
    assert found == pytest.approx(stepwise(SPECTRA[0], rule, 0.3, 5), rel=1e-10)


def test_what_no_mode_holds_is_noise_and_loss_once():
    """Also where a rule is followed on complex modes, and where features are scaled."""
    bare = Empirical([1.0, 0.3], [1.0, 0.5])
    held = Empirical([1.0, 0.3, 0.0], [1.0, 0.5, 2.0])
    for rule in (OnePassSGD(0.1, 4, momentum=0.5), OnePassSGD(0.1, 4),
                 PreconditionedDescent(0.1, -0.5)):  # fmt: skip
        samples = INF if rule.fresh else 50
        without = dynamics(bare, 20, samples, [0, 9], learner=rule, noise=2.3)
        found = dynamics(held, 20, samples, [0, 9], learner=rule, noise=0.3)
        assert found.excess_loss == pytest.approx(without.excess_loss + 2, rel=1e-12)
        assert found.train_loss == pytest.approx(without.train_loss, rel=1e-12)


def test_one_sample_is_all_samples_however_often_it_is_drawn():
    """And between one and two samples no batch is drawn."""
    rule = MinibatchSGD(0.1, 1, replacement=True)
    found = dynamics(SPECTRA[0], 20, 1, [0, 1, 5], learner=rule, noise=0.3)
    descent = dynamics(SPECTRA[0], 20, 1, [0, 1, 5], learner=GradientDescent(0.1), noise=0.3)
    assert found.excess_loss == pytest.approx(descent.excess_loss, rel=1e-9)
    assert found.train_loss == pytest.approx(descent.train_loss, rel=1e-9)
    heavy = MinibatchSGD(0.1, 1, replacement=True, momentum=0.999)
    assert dynamics(SPECTRA[0], 20, 1, [3], learner=heavy).critical_step < INF
    with pytest.raises(InputError, match="samples"):
        dynamics(SPECTRA[0], 20, 1.5, [3], learner=rule)


@pytest.mark.parametrize(("name", "options"), [
    ("steps", {"parts": 2000, "factor": 2.0}), ("power", {"exponent": -1e300}),
])  # fmt: skip
def test_rates_beyond_numbers_are_refused(name, options):
    with pytest.raises(InputError, match=f"schedule {name}|exponent = "):
        schedule(name, 0.1, 3000, **options)


def test_files_may_begin_with_a_byte_order_mark(tmp_path):
    """Its first line is a rate and no heading."""
    path = tmp_path / "rates.csv"
    path.write_bytes("\ufeff0.1\r\n0.2\r\n".encode())
    assert read_values(path) == (0.1, 0.2)


def test_rates_that_change_nothing_are_none():
    assert from_values([0.1, 1e-310, 0]).pieces[-1].last == 3
    found = dynamics(Flat(3), INF, INF, [3], learner=OnePassSGD(1, schedule=(0.0, 0.0, 1e-200)))
    assert found.excess_loss == pytest.approx([3], rel=1e-10)


@pytest.mark.parametrize("step", [1e-100, 1e20, 1e100])
@pytest.mark.parametrize("memory", [{}, {"momentum": 0.5}, {"average": "polyak"}])
def test_any_size_of_step_is_a_result(step, memory):
    """Nothing moves, or all is infinite from the step at which it passes the bound."""
    found = dynamics(SPECTRA[0], 30, INF, [0, 1, 3, 200], learner=OnePassSGD(step, 4, **memory))
    start, *later = found.excess_loss
    assert not np.any(np.isnan(found.excess_loss))
    assert np.all(np.abs(np.array(later) / start - 1) < 1e-7) or found.excess_loss[-1] == INF
