"""A spectrum and a training rule are each added in one file, and found everywhere by themselves.

The files below are what somebody would write. The command line, JSON and the property tests find
them because a class enters its registry when it is defined. (A derivation and a matrix expression:
`tests/derivations/test_catalogue.py`; an experiment: `tests/validation/test_experiments.py`.)
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

SPECTRUM = '''
"""Two levels: half of the modes at 1, half at a lower eigenvalue."""
from dataclasses import dataclass
from typing import Any

from solvable.analytic import arguments
from solvable.analytic.spectrum.listed import _Listed


@dataclass(frozen=True)
class TwoLevels(_Listed):
    size: Any
    lower: Any = 0.25

    def __post_init__(self):
        self._set(size=arguments.count("size", self.size),
                  lower=arguments.positive("lower", self.lower))

    @classmethod
    def examples(cls):
        return (cls(80, lower=0.125),)

    def _modes(self, mp):
        return [1, self.lower], [self.size // 2, self.size // 2], [1, 1]
'''

RULE = '''
"""Implicit gradient descent, v_{n+1} = v_n − ηK v_{n+1}: p_n(λ) = (1 + ηλ)^{−n}."""
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from solvable.analytic import arguments
from solvable.analytic.training.training_rule import Filter, Quadrature, about
from solvable.validation.dense import trained


@dataclass(frozen=True)
class ImplicitDescent(Filter):
    step: Any = field(metadata=about(arguments.positive, "step size"))
    rule, scored, example = "implicit", "step", (0.5,)

    def gain(self, eigenvalue, times):
        x, n = np.broadcast_arrays(np.asarray(eigenvalue, float), times)
        full = -np.expm1(-n * np.log1p(float(self.step) * x))
        return np.divide(full, x, out=float(self.step) * n.astype(float), where=x > 0)

    def quadratures(self, times, accuracy, critical, *, mp=False):
        """p_n = ∮ (1 − ηz)^{−n}/(z + λ) on a circle around the spectrum, 1/η outside."""
        eta, count, edge = float(self.step), 400, 2.2 / self.step * max(2.0, self.step)
        centre, radius = -edge / 2, edge / 2 + 0.4 / eta
        angle = np.pi * (np.arange(count) + 0.5) / count
        circle = radius * np.exp(1j * angle)
        z = centre + circle
        weights = circle / (2 * count) * (1 - eta * z) ** -np.asarray(times, float)[:, None]
        return [Quadrature(np.arange(len(times)), (z,), weights)]


@trained.register
def _(learner: ImplicitDescent, kernel, variance, value):
    size = variance * kernel.size
    step = np.eye(len(kernel)) + learner.step * kernel @ kernel.T / size
    current = np.zeros_like(kernel)
    for _ in range(int(value)):
        current = np.linalg.solve(step, current + learner.step * kernel / size)
    return current
'''


def run(folder, *words):
    path = os.pathsep.join([str(folder), str(ROOT)])
    return subprocess.run(
        [sys.executable, *words], cwd=ROOT, env={**os.environ, "PYTHONPATH": path},
        capture_output=True, text=True,
    )  # fmt: skip


def command(folder, plugin, *words):
    code = f"import sys, {plugin}\nfrom solvable.derivations.cli import main\nsys.exit(main())"
    result = run(folder, "-c", code, *words)
    assert result.returncode == 0, result.stderr
    return result.stdout


def passed(folder, plugin, file, selection):
    """How many property tests of the repository ran on the new class, all of them passing."""
    flags = ["-q", "-p", plugin, "-p", "no:xdist", "-p", "no:cacheprovider", "--no-header", "-rA"]
    result = run(folder, "-m", "pytest", *flags, file, "-k", selection)
    assert result.returncode == 0, result.stdout[-2000:]
    return sum(line.startswith("PASSED") for line in result.stdout.splitlines())


@pytest.mark.slow
def test_a_spectrum_in_one_file(tmp_path):
    (tmp_path / "two_levels.py").write_text(SPECTRUM)
    words = ["--features", "20", "--samples", "30", "--json"]
    said = command(tmp_path, "two_levels", "loss", "--spectrum", "two-levels:size=40", *words)
    listed = tmp_path / "same.csv"
    listed.write_text("1\n" * 20 + "0.25\n" * 20)
    same = command(tmp_path, "two_levels", "loss", "--spectrum", str(listed), *words)
    assert json.loads(said) == json.loads(same)
    assert passed(tmp_path, "two_levels", "tests/analytic/test_spectrum.py", "TwoLevels") >= 5
    assert passed(tmp_path, "two_levels", "tests/analytic/test_loss.py", "TwoLevels") >= 3


@pytest.mark.slow
def test_a_training_rule_in_one_file(tmp_path):
    (tmp_path / "implicit_rule.py").write_text(RULE)
    sizes = ["--b", "1.25", "--a", "1.5", "--latent", "40", "--features", "12", "--samples", "16"]
    words = ["--learner", "implicit", "--step", "0.5", "--times", "1,7", "--json"]
    said = json.loads(command(tmp_path, "implicit_rule", "dynamics", *sizes, *words))
    fine = ["--learner", "gd", "--step", "0.001", "--times", "500,3500", "--json"]
    assert (
        said["excess_loss"][0]
        < 1.5
        * json.loads(command(tmp_path, "implicit_rule", "dynamics", *sizes, *fine))["excess_loss"][
            0
        ]
    )
    assert passed(tmp_path, "implicit_rule", "tests/validation/test_training.py", "mplicit") >= 4
    assert "implicit" in command(tmp_path, "implicit_rule", "dynamics", "--help")


@pytest.mark.parametrize("kind", ["spectrum", "rule"])
def test_a_wrong_addition_is_noticed(tmp_path, kind):
    """One sign or factor wrong in the new class, and the property tests fail on it."""
    text, old, new, plugin, file = {
        "spectrum": (SPECTRUM, "[1, self.lower], [", "[self.lower, 1], [", "two_levels",
                     "tests/analytic/test_spectrum.py"),
        "rule": (RULE, "-np.expm1(-n", "-np.expm1(n", "implicit_rule",
                 "tests/validation/test_training.py"),
    }[kind]  # fmt: skip
    assert old in text
    (tmp_path / f"{plugin}.py").write_text(text.replace(old, new))
    with pytest.raises(AssertionError, match="FAILED"):
        passed(tmp_path, plugin, file, "TwoLevels or mplicit")
