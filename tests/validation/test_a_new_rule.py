"""Adding a rule: its class and its oracle, and it is found everywhere by itself."""

import json
from dataclasses import dataclass, field

import numpy as np
import pytest

from solvable.analytic.arguments import positive
from solvable.analytic.dynamics import dynamics
from solvable.analytic.learners import RULES, Filter, Quadrature, about, learner_from_dict
from solvable.analytic.spectrum import PowerLaw
from solvable.validation import dense
from solvable.validation.cells import Cell
from solvable.validation.theory import theory
from solvable.validation.training import simulate

LAW = PowerLaw(exponent=1.2, target_exponent=1.6, size=60)


@pytest.fixture(scope="module")
def implicit():
    """Implicit gradient descent, v_{n+1} = v_n − ηK v_{n+1}: p_n = (1 + ηλ)^{−n}, n ≤ 2."""

    @dataclass(frozen=True)
    class ImplicitDescent(Filter):
        step: float = field(metadata=about(positive, "step size η"))
        rule = "implicit"
        scored = "step"
        example = (0.7,)

        def gain(self, eigenvalue, times):
            rate, n = np.broadcast_arrays(np.asarray(eigenvalue, float), times)
            shrunk = -np.expm1(-n * np.log1p(self.step * rate))
            return np.divide(shrunk, rate, out=n * self.step, where=rate > 0)

        def quadratures(self, times, accuracy, critical, *, mp=False):
            circle = 0.5 / self.step * np.exp(1j * np.pi * (np.arange(40) + 0.5) / 40)
            z = 1 / self.step - circle[::-1].conj()  # around the pole of (1 − ηz)^{−n}
            return [
                Quadrature(
                    np.arange(len(times)), (z,),
                    np.array([
                        -(z - 1 / self.step) / 80 * (1 - self.step * z) ** -n for n in times
                    ]),
                )
            ]  # fmt: skip

    @dense.trained.register
    def _(learner: ImplicitDescent, kernel, variance: float, value: float):
        size, gram, current = variance * kernel.size, kernel @ kernel.T, np.zeros_like(kernel)
        inverse = np.linalg.inv(np.eye(len(gram)) + learner.step * gram / size)
        for _ in range(int(value)):
            current = inverse @ (current + learner.step * kernel / size)
        return current

    yield ImplicitDescent
    del RULES["implicit"]


def test_it_is_found_by_its_name(implicit):
    assert RULES["implicit"] is implicit
    rule = implicit(*implicit.example)
    assert learner_from_dict(json.loads(json.dumps(rule.to_dict()))) == rule
    with pytest.raises(ValueError, match="step"):
        implicit(-1)


def test_it_is_simulated_and_agrees_with_its_oracle(implicit):
    cell = Cell(LAW, 10, 18, implicit(0.7), (0, 1, 2), noise=0.1, feature_variance=0.7)
    fast, slow = simulate(cell, 3), dense.losses(cell, 3)
    assert list(fast) == list(slow) == cell.observables()
    assert list(fast.values()) == pytest.approx(list(slow.values()), rel=1e-9)


def test_it_has_a_theory(implicit):
    rule, steps = implicit(0.7), np.array([1.0, 2.0])
    cell = Cell(LAW, 40, 60, rule, tuple(steps), noise=0.1)
    runs = np.array([list(simulate(cell, seed).values()) for seed in range(60)])
    found = np.array(list(theory(cell).values()))
    error = runs.std(axis=0) / np.sqrt(60)
    assert np.all(np.abs(runs.mean(axis=0) - found) < 3.5 * error + 0.01 * found)
    population = dynamics(LAW, np.inf, np.inf, steps, learner=rule).excess_loss
    exact = [np.sum(LAW.target_power() * rule.residual(LAW.eigenvalues(), n) ** 2) for n in steps]
    assert population == pytest.approx(exact, rel=1e-10)
