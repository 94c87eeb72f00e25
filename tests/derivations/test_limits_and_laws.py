"""Limits, laws and relatives as catalogue entries, and their commands."""

import json

import pytest

from solvable.analytic.asymptotics.balance.systems import static_problem
from solvable.analytic.asymptotics.expansion.printing import neat
from solvable.analytic.asymptotics.limits import limit
from solvable.analytic.errors import InputError
from solvable.derivations import catalogue
from solvable.derivations.cli import limit_command, main
from solvable.derivations.relatives.limiting_forms import CASES


def test_every_limit_has_a_leading_term_and_two_corrections():
    assert {case.name for case in CASES} <= set(catalogue.names())
    for name in ("limit-strong-ridge", "limit-noise-beyond"):
        assert len(catalogue.load(name).steps) == 3


def run(capsys, *arguments):
    status = main(list(arguments))
    return status, capsys.readouterr()


def test_limit_command(capsys):
    status, out = run(
        capsys,
        "limit",
        "static-loss",
        "--regime",
        "N<<T",
        "--alpha",
        "0.5",
        "--features",
        "100",
        "--samples",
        "1e6",
        "--format",
        "json",
    )
    data = json.loads(out.out)
    assert status == 0 and len(data["terms"]) == 3
    errors = [float(row["relative_error"]) for row in data["comparison"][1:]]
    assert errors[0] > 100 * errors[1] > 1000 * errors[2]
    status, out = run(capsys, "limit", "ridgeless-loss", "--regime", "N<<T", "--order", "2")
    assert status == 0 and "c^b" in out.out
    status, out = run(capsys, "limit", "kappa", "--regime", "ridge->0", "--order", "2")
    assert status == 0 and "κ₀" in out.out and "holds when" in out.out
    status, out = run(
        capsys, "limit", "static-loss", "--regime", "T<<N", "--alpha", "1", "--format", "latex"
    )
    assert status == 0 and r"\left[1 - " in out.out


SAID = [  # of the command and of the function
    ("test-loss", "1 << N << T, M = inf, z = 0", "b=1.5"),
    ("resolvent", "M ~ N, z ~ N^(-3/2), N << T", "b=1.5,a=2"),
    ("label-noise", "M ~ N, z ~ N^(-3/2), N << T", "b=2,a=1.5"),
    ("static-loss", "T ~ N^2, z ~ T^-1, M = inf", "b=2,a=1.5"),
    ("ridge-bias", "1 << T << M, z = 0", "b=1.5,a=2"),
    ("flow-loss", "1 << t << N, T = inf, M = inf", "b=1.5,a=2"),
    ("kappa", "M ≫ N, N ≫ 1, T = ∞, z = 0", ""),
    ("kappa", "N<<T", "b=2"),
    ("ridgeless-loss", "N<<S", "b=2"),
    ("noise", "N << T, M << inf", ""),
    ("loss", "N<<T<<M", ""),
]


@pytest.mark.parametrize(("name", "regime", "at"), SAID)
def test_the_command_and_the_function_say_the_same(capsys, name, regime, at):
    values = dict(pair.split("=") for pair in at.split(",") if pair)
    options = [x for k, v in values.items() for x in (f"--{k}", v)]
    status, out = run(capsys, "limit", name, "--regime", regime, "--order", "2", "--json", *options)
    try:
        form = limit(name, regime, exponent=values.get("b"), target_exponent=values.get("a"),
                     terms=2)  # fmt: skip
    except InputError as error:
        assert status == 2 and str(error) in out.err
        return
    found = [term["coefficient"] for term in json.loads(out.out)["terms"]]
    assert found in ([str(show(t.coefficient)) for t in form.terms] for show in (neat, str))


@pytest.mark.slow
def test_the_command_knows_the_quantities_of_the_function():
    with pytest.raises(InputError) as refused:
        static_problem("no such quantity")
    named = refused.value.allowed.removeprefix("one of ").split(", ")
    assert len(named) > 10 and set(named) <= set(limit_command.SERIES)


def test_allocate_command(capsys):
    status, out = run(capsys, "allocate", "--budget", "1e8", "--alpha", "1", "--json")
    data = json.loads(out.out)
    assert status == 0 and data["N"] == pytest.approx(1e4) and data["T"] == pytest.approx(1e4)
    status, out = run(capsys, "allocate", "--budget", "1e10", "--a", "3/2", "--b", "5/4", "--json")
    data = json.loads(out.out)
    assert data["N_exponent"] == "4/9" and data["loss_exponent"] == "-2/9"
    status, out = run(capsys, "allocate", "--budget", "1e10", "--a", "1.2", "--b", "2.5", "--json")
    data = json.loads(out.out)
    assert data["N"] == pytest.approx(1607, abs=1), "hard tasks: the exact frontier"
    assert data["excess_loss"] == pytest.approx(1.372837, abs=1e-6)
    status, out = run(capsys, "allocate", "--budget", "1e10", "--alpha", "2")
    assert status == 0 and "N over T" in out.out


@pytest.mark.slow
def test_map_command(capsys, tmp_path):
    status, out = run(
        capsys, "map", "--alpha", "1", "--features", "10,1000", "--samples", "10,1000"
    )
    assert status == 0 and "features" in out.out and "border N = T" in out.out
    path = tmp_path / "map.png"
    status, out = run(capsys, "map", "--a", "4", "--b", "2", "--time", "1,1e6", "--to", str(path))
    assert status == 0 and path.exists()
    status, out = run(capsys, "map", "--a", "4", "--b", "2", "--time", "1,1e6", "--json")
    assert json.loads(out.out)["axes"] == ["N", "t"]


def test_a_limit_that_is_not_compared_is_printed_all_the_same(capsys):
    given = ("limit", "rotated-features", "--order", "1", "--regime", "1 << T, M = inf, z -> inf")
    status, out = run(capsys, *given, "--at", "T=100,z=1000,b=1.5,a=2")
    assert status == 0 and "1/z" in out.out and "not compared with the exact value: " in out.out
    found = json.loads(run(capsys, *given, "--at", "T=100,z=1000,b=1.5,a=2", "--json")[1].out)
    assert found["comparison"] == [] and found["not_compared"] and found["terms"]
    found = json.loads(run(capsys, *given, "--json")[1].out)
    assert "not_compared" not in found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sizes", "quantity", "bound"),
    [("N,M", "loss", "N << M"), ("N,T,M", "loss", "T << M"), ("N,z", "loss", "z << 1"),
     ("N,t", "flow-loss", "1 << t"), ("N,t,eta", "sgd-loss", "1 << eta*t")],
)  # fmt: skip
def test_fans_of_any_sizes_are_printed_and_drawn(capsys, tmp_path, sizes, quantity, bound):
    """Of one cell, of a region that is a part of the picture, with times and steps."""
    picture, given = tmp_path / "fan.png", ("map", "--a", "2.1", "--b", "1.6", "--fan", sizes)
    assert run(capsys, *given, "--to", str(picture))[0] == 0 and picture.exists()
    found = json.loads(run(capsys, *given, "--json")[1].out)
    assert found["quantity"] == quantity and bound in found["region"] and found["cells"]


def test_a_budget_is_split_by_the_laws_of_a_fan(capsys):
    """The compute frontier of one-pass SGD where Σ λ diverges, M/N fixed: 2405.15074, 2α = 0.6."""
    given = ("map", "--b", "0.6", "--a", "1.3", "--fan", "M,t,eta", "--tie", "N = M/2")
    found = json.loads(run(capsys, *given, "--budget", "M*t", "--json")[1].out)
    split = found["split"]
    assert split["shares"] == {"M": "1/2", "t": "1/2", "eta": "-1/5"}
    assert split["loss"] == "3/20" and len(split["laws"]) == 2
    assert "root" in found["where"]["kappa_0"]
    text = run(capsys, *given, "--budget", "M*t")[1].out
    assert "M ~ C^(1/2), t ~ C^(1/2), eta ~ C^(-1/5), sgd-loss ~ C^(-3/20)" in text
    assert "where kappa_0 = " in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("map", "--b", "1.6", "--budget", "N*t"), "nothing without --fan"),
        (("map", "--b", "1.6", "--tie", "N = M/2"), "nothing without --fan"),
        (("map", "--b", "1.6", "--fan", "N,T", "--budget", "N+T"), "a product of powers"),
        (("map", "--b", "1.6", "--fan", "N,T", "--budget", "N*__import__('os')"), "a product"),
        (("map", "--b", "1.6", "--fan", "N,T", "--budget", "N^a*T"), "a product of powers"),
        (("map", "--b", "1.6", "--fan", "N,T", "--budget", "N*t"), "a product of powers"),
        (("map", "--b", "1.6", "--fan", "N,T", "--budget", "N"), "--budget"),
        (("map", "--b", "1.6", "--fan", "N,T", "--budget", "N/T"), "a product of powers"),
        (("map", "--b", "1.6", "--fan", "N,T", "--tie", "M"), "--tie"),
        (("map", "--b", "1.6", "--fan", "N,T,M,z"), "--fan"),
        (("map", "--b", "1.6", "--fan", "T,eta,t"), "N, M, t, eta"),
        (("map", "--b", "1.6", "--fan", "N,N"), "each once"),
        (("limit", "static-loss", "--regime", "N~T"), "regime"),
        (("limit", "word", "--regime", "N<<T"), "word"),
        (
            ("limit", "static-loss", "--regime", "N<<T", "--features", "3", "--samples", "9"),
            "alpha",
        ),
        (("limit", "static-loss", "--regime", "N<<T", "--alpha", "x"), "number"),
        (("limit", "static-loss", "--regime", "N<<T", "--alpha", "1", "--order", "0"), "order"),
        (("allocate", "--budget", "-1", "--alpha", "1"), "budget"),
        (("allocate", "--budget", "1"), "--alpha"),
        (("map", "--alpha", "1", "--features", "10,1"), "LOW < HIGH"),
        (("map", "--alpha", "1", "--to", "map.txt"), "ends in"),
        (("map", "--time", "1,10"), "--a"),
    ],
)
def test_bad_input_is_one_line_and_status_two(capsys, arguments, message):
    try:
        status = main(list(arguments))
    except SystemExit as stop:
        status = stop.code
    captured = capsys.readouterr()
    assert status == 2 and message in captured.err
    assert captured.err.count("\n") == 1 and "Traceback" not in captured.err
