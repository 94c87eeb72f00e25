"""Any spectrum on the command line, from a file or by its kind."""

import json

import numpy as np
import pytest

from solvable.analytic.loss import static_loss
from solvable.analytic.spectrum import KINDS, Empirical
from solvable.derivations.cli import build_parser, main

SIZES = ["--features", "2", "--samples", "3"]


@pytest.fixture
def csv(tmp_path):
    path = tmp_path / "eigenvalues.csv"
    path.write_text("# λ, w²λ\n0.5,1\n1,2\n0.25,0.5\n-1e-17,0.125\n")
    return str(path)


def test_a_file_is_sorted_clipped_and_this_is_said(csv, capsys):
    assert main(["loss", "--spectrum", csv, *SIZES, "--json"]) == 0
    said = capsys.readouterr()
    assert "sorted" in said.err and "set to zero" in said.err
    exact = static_loss(Empirical([1, 0.5, 0.25, 0], [2, 1, 0.5, 0.125]), 2, 3).excess_loss
    assert json.loads(said.out)["excess_loss"] == pytest.approx(float(exact), rel=1e-12)


def test_the_first_line_may_name_the_columns(csv, tmp_path, capsys):
    named = tmp_path / "named.csv"
    with open(csv) as plain:
        named.write_text('"Eigenvalue", "power"\n' + plain.read())
    found = []
    for path in (csv, str(named)):
        assert main(["loss", "--spectrum", path, *SIZES, "--json"]) == 0
        found.append(json.loads(capsys.readouterr().out)["excess_loss"])
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("content", "message"),
    [("[1, 0.5, 0.25]", ""), ("[[1, 2], [0.5, 1]]", ""), ("[1, -3]", "entry 2"), ("7", "a list"),
     ('[1, "x"]', "entry 2"), ("[NaN]", "entry 1"), ("[]", "at least one"), ("[[[1]]]", "entry 1")],
)  # fmt: skip
def test_a_list_in_json(tmp_path, capsys, content, message):
    path = tmp_path / "list.json"
    path.write_text(content)
    status = main(["loss", "--spectrum", str(path), "--features", "1", "--samples", "1", "--json"])
    assert status == 2 * bool(message) and message in capsys.readouterr().err


def test_every_command_that_takes_an_exponent_takes_a_spectrum():
    parser = build_parser()
    chosen = next(a for a in parser._actions if hasattr(a, "choices") and a.choices)
    for name, command in chosen.choices.items():
        options = {text for action in command._actions for text in action.option_strings}
        assert ("--alpha" in options) == ("--spectrum" in options), name


OURS = [name for name, kind in KINDS.items() if kind.__module__.startswith("solvable.")]


@pytest.mark.parametrize("kind", OURS)
def test_every_kind_is_understood(kind, capsys):
    for example in KINDS[kind].examples():
        if not np.isfinite(float(example.total_target_power())):
            continue
        plain = example.to_dict()
        name = "".join("-" + c.lower() if c.isupper() else c for c in plain.pop("kind"))[1:]
        words = ",".join(
            f"{k}={str(v).replace(' ', '') if isinstance(v, list) else v}"
            for k, v in plain.items() if v is not None
        )  # fmt: skip
        status = main(["loss", "--spectrum", f"{name}:{words}", *SIZES, "--json"])
        said = capsys.readouterr()
        assert status == 0, said.err
        assert float(json.loads(said.out)["excess_loss"]) >= 0


@pytest.mark.parametrize(
    "content, place",
    [
        ("1\n-0.5\n", "line 2"), ("1\nnan\n", "line 2"), ("1,1\n.5\n", "line 2"), ("", "at least"),
        ("1\n\n# a remark\nhalf\n", "line 4"), ("inf\n", "line 1"), ("1,2,3\n", "line 1"),
        ("1,-1\n", "line 1"), ("rank,eigenvalue\n1,3\n", "line 1"), ("eigenvalue\n", "at least"),
    ],
)  # fmt: skip
def test_what_is_no_spectrum_is_refused_by_line(tmp_path, capsys, content, place):
    path = tmp_path / "bad.csv"
    path.write_text(content)
    assert main(["loss", "--spectrum", str(path), *SIZES]) == 2
    said = capsys.readouterr()
    assert place in said.err and len(said.err.strip().splitlines()) == 1 and said.out == ""


@pytest.mark.parametrize(
    "command",
    [
        ["loss", "--alpha", "0.5", *SIZES], ["dynamics", "--a", "2", *SIZES, "--times", "1"],
        ["map", "--b", "2"], ["allocate", "--budget", "100", "--latent", "5"],
    ],
)  # fmt: skip
def test_options_beside_a_spectrum_are_not_ignored(csv, capsys, command):
    assert main([*command, "--spectrum", csv]) == 2
    assert "nothing beside --spectrum" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words, option",
    [
        (["--alpha", "0.34", "--b", "0.28"], "--b"), (["--a", "2"], "--alpha"),
        (["--a", "1.2", "--b", "2", "--ridge", "zero", "--learner", "flow"], "--ridge"),
        (["--a", "1.2", "--b", "2", "--samples-power", "2", "--samples", "9"], "--samples-power"),
        (["--a", "1.2", "--b", "2", "--noise", "1", "--time-power", "2"], "--noise"),
        (["--a", "1.2", "--b", "2", "--step", "1"], "--step"),
        (["--b", "2", "--learner", "gd"], "--step"),
    ],
)  # fmt: skip
def test_an_allocation_uses_every_option_or_refuses_it(capsys, words, option):
    assert main(["allocate", "--budget", "1e8", *words]) == 2
    assert option in capsys.readouterr().err


@pytest.mark.parametrize(
    "words, law",
    [
        (["--b", "2", "--noise", "1"], {"N_exponent": "1/3", "loss_exponent": "-1/3"}),
        (["--b", "2"], {"loss_law": "4.9348022 C^-0.5"}),
        (["--b", "2", "--ridge", "3"], {"no_law": "at a fixed ridge γ none is derived"}),
        (["--b", "1.5", "--a", "2.5"], {"balance": None, "no_law": "a − 1 = b"}),
        (["--alpha", "0.25", "--a", "1.5"], {"loss_exponent": "-2/9"}),
    ],
)  # fmt: skip
def test_every_allocation_has_exact_numbers_and_a_law_or_the_reason(capsys, words, law):
    assert main(["allocate", "--budget", "1e4", "--json", *words]) == 0
    best = json.loads(capsys.readouterr().out)
    assert best["N"] * best["T" if "T" in best else "t"] == pytest.approx(1e4)
    for name, text in law.items():
        assert (best[name].startswith(text) if text else name not in best), name


def test_the_exact_allocation_is_the_best_on_a_grid(csv, capsys):
    words = ["--spectrum", "power-law:alpha=0.5,size=2000", "--budget", "1e5", "--json"]
    assert main(["allocate", *words, "--features-power", "1", "--samples-power", "2"]) == 0
    best = json.loads(capsys.readouterr().out)
    assert best["N"] * best["T"] ** 2 == pytest.approx(1e5)
    from solvable.analytic.optimal_ridge import optimal_ridge
    from solvable.analytic.spectrum import PowerLaw

    n = best["N"] * np.array([0.8, 0.95, 1, 1.05, 1.25])
    losses = optimal_ridge(PowerLaw(0.5, size=2000), n, (1e5 / n) ** 0.5).excess_loss
    assert np.argmin(losses) == 2 and losses[2] == pytest.approx(best["excess_loss"])
