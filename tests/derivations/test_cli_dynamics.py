"""`solvable dynamics`: its output, its options, and one line for bad input."""

import json
import math
from dataclasses import dataclass, field

import numpy as np
import pytest

from solvable.analytic.arguments import positive
from solvable.analytic.loss import static_loss
from solvable.analytic.spectrum import PowerLaw
from solvable.analytic.training.dynamics import dynamics
from solvable.analytic.training.learners import GradientDescent, GradientFlow, HeavyBall, OnePassSGD
from solvable.analytic.training.scheduled_training import scheduled_dynamics
from solvable.analytic.training.schedules import schedule
from solvable.analytic.training.training_rule import RULES, about
from solvable.derivations.cli import main

LAW = PowerLaw(exponent=1.25, target_exponent=1.5, size=200)
MODEL = ["--b", "1.25", "--a", "1.5", "--features", "60", "--samples", "120", "--latent", "200"]


def run(capsys, *options, model=MODEL):
    status = main(["dynamics", *model, *options])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def run_json(capsys, *options, model=MODEL):
    status, out, err = run(capsys, *options, "--json", model=model)
    assert (status, err) == (0, "")
    return json.loads(out)


def replaced(**values):
    options = dict(zip(MODEL[::2], MODEL[1::2]))
    options.update({f"--{name}": value for name, value in values.items()})
    return [text for pair in options.items() for text in pair]


def test_json_of_the_reference_rows(capsys):
    result = run_json(capsys, "--times", "0,10,1e3")
    assert result["times"] == [0, 10, 1000]
    assert np.allclose(result["excess_loss"][1:], [0.5915381394696, 0.5585404227196], atol=1e-12)
    assert np.allclose(result["train_loss"][1:], [0.4479990032734, 0.1522909792756], atol=1e-12)
    assert result["critical_step"] is None and result["diverges"] is False
    assert max(result["error_estimate"]) < 1e-12


@pytest.mark.parametrize(
    ("options", "learner", "samples"),
    [
        (["--learner", "gd", "--step", "1/2"], GradientDescent(0.5), "120"),
        (
            ["--learner", "momentum", "--step", "0.3", "--momentum", "0.5"],
            HeavyBall(0.3, 0.5),
            "120",
        ),
        (["--learner", "sgd", "--step", "0.3", "--batch", "8"], OnePassSGD(0.3, 8), "inf"),
        (["--ridge", "3"], GradientFlow(3 / 7200), "120"),
        (["--decay", "0.01"], GradientFlow(0.01), "120"),
    ],
)
def test_learners(capsys, options, learner, samples):
    options = [*options, "--times", "2,30", "--noise", "0.1"]
    result = run_json(capsys, *options, model=replaced(samples=samples))
    expected = dynamics(LAW, 60, float(samples), [2, 30], learner=learner, noise=0.1)
    assert np.allclose(result["excess_loss"], expected.excess_loss, rtol=1e-12)
    assert np.allclose(result["train_loss"], expected.train_loss, rtol=1e-12)


def test_averages(capsys):
    result = run_json(capsys, "--times", "5", "--ensemble", "3", "--bags", "2", "--noise", "0.1")
    expected = dynamics(LAW, 60, 120, [5], noise=0.1, ensemble=3, bags=2)
    assert result["excess_loss"] == pytest.approx(expected.excess_loss, rel=1e-12)
    assert result["train_loss"] == pytest.approx(expected.train_loss, rel=1e-12)


def test_ridge_ends_where_the_loss_command_is(capsys):
    result = run_json(capsys, "--times", "1e15", "--ridge", "3", "--noise", "0.1")
    closed = static_loss(LAW, 60, 120, ridge=3, noise=0.1)
    assert result["excess_loss"][0] == pytest.approx(closed.excess_loss, rel=1e-11)
    assert result["train_loss"][0] == pytest.approx(closed.train_loss, rel=1e-11)


def test_digits(capsys):
    model = replaced(latent="8", features="3", samples="5")
    result = run_json(capsys, "--times", "2", "--digits", "16", model=model)
    law = PowerLaw(exponent=1.25, target_exponent=1.5, size=8)
    assert isinstance(result["excess_loss"][0], str) and len(result["excess_loss"][0]) == 17
    fast = dynamics(law, 3, 5, 2).excess_loss
    assert float(result["excess_loss"][0]) == pytest.approx(float(fast), rel=1e-12)
    few = run_json(capsys, "--times", "2", "--digits", "8", model=model)
    assert few["excess_loss"][0] == pytest.approx(float(fast), rel=1e-12)


def test_table_names_the_critical_step(capsys):
    status, out, _ = run(capsys, "--times", "1,10", "--learner", "gd", "--step", "1")
    assert status == 0 and "Critical step size 1.40176 (edge of the mean field)" in out
    status, out, _ = run(capsys, "--times", "1,1e9", "--learner", "gd", "--step", "1.5")
    assert status == 0 and "above the critical one, 1.40176" in out and "inf" in out
    diverging = run_json(capsys, "--times", "1e9", "--learner", "gd", "--step", "1.5")
    assert diverging["diverges"] is True and diverging["excess_loss"] == ["inf"]


def test_infinite_latent_space(capsys):
    result = run_json(capsys, "--times", "1e15", model=replaced(latent="inf"))
    closed = static_loss(PowerLaw(exponent=1.25, target_exponent=1.5), 60, 120).excess_loss
    assert result["excess_loss"][0] == pytest.approx(float(closed), rel=1e-10)
    assert math.isfinite(result["error_estimate"][0])


@pytest.mark.parametrize(
    ("options", "model", "words"),
    [
        (["--times", "-1"], {}, ["--times", "≥ 0"]),
        (["--times", "nan"], {}, ["--times"]),
        (["--times", "1.5", "--learner", "gd", "--step", "1"], {}, ["times", "whole numbers"]),
        (["--times", "1", "--learner", "gd", "--step", "0"], {}, ["--step", "> 0"]),
        (["--times", "1", "--learner", "gd"], {}, ["--step", "absent"]),
        (["--times", "1", "--step", "1"], {}, ["--step", "flow"]),
        (["--times", "1", "--learner", "sgd", "--step", "1", "--batch", "0"], {}, ["--batch"]),
        (["--times", "1", "--learner", "sgd", "--step", "1"], {}, ["samples", "inf"]),
        (
            ["--times", "1", "--learner", "momentum", "--step", "1", "--momentum", "1"], {},
            ["--momentum", "[0, 1)"],
        ),
        (["--times", "1"], {"a": "1", "latent": "inf"}, ["--a", "infinite"]),
        (["--times", "1", "--bags", "2"], {"samples": "inf"}, ["samples", "bagging"]),
        (["--times", "1", "--ridge", "1"], {"samples": "inf"}, ["--ridge", "infinite"]),
        (["--times", "1", "--ridge", "1", "--decay", "1"], {}, ["--decay", "only one"]),
        (["--times", "1", "--ensemble", "0"], {}, ["--ensemble"]),
        (["--times", "1", "--noise", "-1"], {}, ["--noise"]),
        (["--times", "__import__('os')"], {}, ["--times"]),
    ],
)  # fmt: skip
def test_bad_input_is_one_line(capsys, options, model, words):
    try:
        status, out, err = run(capsys, *options, model=replaced(**model))
    except SystemExit as error:  # argparse's own refusals
        captured = capsys.readouterr()
        status, out, err = error.code, captured.out, captured.err
    assert status == 2 and out == ""
    assert len(err.strip().splitlines()) == 1 and "Traceback" not in err
    assert all(word in err for word in words), err


def test_schedules(capsys, tmp_path):
    options = ["--learner", "sgd", "--batch", "8", "--times", "10,1e5", "--noise", "0.1"]
    model = replaced(samples="inf")
    found = run_json(
        capsys, *options, "--schedule", "cosine:final=0.1", "--step", "0.3", model=model
    )
    rates = schedule("cosine", 0.3, 10**5, final=0.1)
    expected = scheduled_dynamics(LAW, 60, math.inf, [10, 10**5], rates, batch=8, noise=0.1)
    assert found["excess_loss"] == pytest.approx(expected.excess_loss, rel=1e-12)
    assert found["exceeded"] is None
    path = tmp_path / "rates.csv"
    path.write_text("\n".join(["0.3"] * 20))
    found = run_json(capsys, "--learner", "minibatch", "--batch", "4", "--schedule", str(path),
                     "--times", "20")  # fmt: skip
    same = run_json(capsys, "--learner", "minibatch", "--batch", "4", "--step", "0.3",
                    "--times", "20")  # fmt: skip
    assert found["excess_loss"] == pytest.approx(same["excess_loss"], rel=1e-12)
    status, out, _ = run(capsys, *options, "--schedule", "constant", "--step", "3", model=model)
    assert status == 0 and "diverges" in out and "inf" in out


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--schedule", "cosine"], ["--learner", "sgd, minibatch"]),
        (["--learner", "gd", "--schedule", "cosine"], ["step", "absent"]),
        (["--learner", "gd", "--step", "0.1", "--schedule", "cosine:final=x"], ["schedule"]),
        (["--learner", "gd", "--step", "0.1", "--schedule", "cosine:decay=1"], ["option", "final"]),
        (["--learner", "gd", "--schedule", "/nowhere.csv"], ["schedule", "file"]),
        (["--learner", "gd", "--step", "0.1", "--schedule", "cosine", "--steps", "5"], ["times"]),
        (["--learner", "sgd", "--step", "0.1", "--schedule", "cosine"], ["samples", "inf"]),
        (["--learner", "minibatch", "--step", "0.1", "--batch", "121"], ["batch", "at most"]),
        (["--learner", "minibatch", "--step", "0.1", "--digits", "20"], ["float64"]),
    ],
)  # fmt: skip
def test_bad_schedules_are_one_line(capsys, options, words):
    status, out, err = run(capsys, "--times", "10", *options)
    assert status == 2 and out == "" and len(err.strip().splitlines()) == 1
    assert all(word in err for word in words), err


def test_a_rule_defined_later_has_its_own_options(capsys, monkeypatch):
    """The options are those of the rules that are known when the command is called."""

    @dataclass(frozen=True)
    class Halted(GradientFlow):
        patience: float = field(default=1.0, metadata=about(positive, "of a rule defined later"))
        rule = "halted"

    command = ["dynamics", *MODEL, "--times", "2", "--learner", "halted", "--patience"]
    try:
        assert main([*command, "3"]) == 0
        with pytest.raises(SystemExit):
            main([*command, "-1"])
    finally:
        del RULES["halted"]
    assert "--patience" in capsys.readouterr().err
