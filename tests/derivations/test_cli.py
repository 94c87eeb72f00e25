"""The command line as a user meets it: answers, JSON, and one-line errors with status 2."""

import json
import os
import subprocess
import sys
from pathlib import Path

import mpmath
import pytest

from solvable.derivations.cli import main

#: mathematics checked independently: α = ½, M = 2000; N, T, ridge, noise, κ, excess loss
REFERENCE = [
    ("100", "400", "0", "0", "0.003042291872502331982", "0.4056389163336442642995"),
    ("100", "400", "1/2", "0", "0.003069025823848232928", "0.4041909336693050489204"),
    ("150", "300", "1/100", "1/1000", "0.001572462492363781585", "0.4722514894992058037949"),
    ("300", "100", "0.01", "0.1", "0.003043096676392592814", "0.5671994254834826340836"),
]
MODEL = ["loss", "--alpha", "0.5", "--latent", "2000", "--features", "100", "--samples", "400"]


def run(capsys, *arguments):
    status = main(list(arguments))
    return status, *capsys.readouterr()


@pytest.mark.parametrize("n, t, ridge, noise, kappa, excess", REFERENCE)
def test_loss_gives_the_reference_values(capsys, n, t, ridge, noise, kappa, excess):
    status, out, _ = run(
        capsys, "loss", "--alpha", "0.5", "--latent", "2000", "--features", n, "--samples", t,
        "--ridge", ridge, "--noise", noise, "--digits", "22", "--json",
    )  # fmt: skip
    result = json.loads(out)
    assert status == 0
    assert set(result) >= {"kappa", "excess_loss", "loss", "train_loss", "ridge"}
    with mpmath.workdps(30):
        assert abs(mpmath.mpf(result["kappa"]) / mpmath.mpf(kappa) - 1) < 1e-18
        assert abs(mpmath.mpf(result["excess_loss"]) / mpmath.mpf(excess) - 1) < 1e-20
        assert abs(2 * mpmath.mpf(result["loss"]) / mpmath.mpf(excess) - 1) < 1e-20


def test_json_is_numbers_up_to_fifteen_digits(capsys):
    _, out, _ = run(capsys, *MODEL, "--json")
    assert json.loads(out)["excess_loss"] == pytest.approx(0.4056389163336443, rel=1e-14)


def test_b_is_one_plus_alpha(capsys):
    model = ["loss", "--b", "3/2", "--latent", "2000", "--features", "100", "--samples", "400"]
    assert run(capsys, *model, "--json") == run(capsys, *MODEL, "--json")


def test_the_table_says_how_many_digits_are_certain(capsys):
    _, out, _ = run(capsys, *MODEL, "--digits", "40")
    assert "certain" in out and "0.4056389163336442642995" in out


def test_language_model_sizes_with_infinite_latent_space(capsys):
    model = ["--features", "5.3e11", "--samples", "1.4e12", "--latent", "inf", "--alpha", "0.3"]
    status, out, _ = run(capsys, "loss", *model, "--digits", "50", "--json")
    assert status == 0
    assert len(json.loads(out)["excess_loss"].replace("0.", "").lstrip("0")) >= 50


def test_the_pole_is_infinite_and_says_why(capsys):
    model = ["loss", "--alpha", "0.5", "--latent", "2000", "--features", "50", "--samples", "50"]
    status, out, _ = run(capsys, *model, "--json")
    assert status == 0 and json.loads(out)["excess_loss"] == "inf"
    _, out, _ = run(capsys, *model)
    assert "Pole" in out and "N = T" in out


def test_breakdown_is_not_bad_input(capsys):
    model = ["loss", "--alpha", "0.5", "--latent", "20", "--features", "50", "--samples", "60"]
    status, out, _ = run(capsys, *model)
    assert status == 0 and "Breakdown" in out


@pytest.mark.slow
def test_the_optimal_ridge_beats_its_neighbours(capsys):
    _, out, _ = run(capsys, *MODEL, "--ridge", "optimal", "--noise", "0.1", "--json")
    best = json.loads(out)
    for factor in (0.8, 1.25):
        ridge = str(best["ridge"] * factor)
        _, out, _ = run(capsys, *MODEL, "--ridge", ridge, "--noise", "0.1", "--json")
        assert json.loads(out)["excess_loss"] > best["excess_loss"]


BAD = [
    (["--features", "0"], "--features"),
    (["--features", "-3"], "--features"),
    (["--samples", "nan"], "--samples"),
    (["--samples", "many"], "--samples"),
    (["--latent", "0"], "--latent"),
    (["--latent", "2.5"], "--latent"),
    (["--ridge", "-1"], "--ridge"),
    (["--ridge", "best"], "--ridge"),
    (["--noise", "-0.1"], "--noise"),
    (["--noise", "nan"], "--noise"),
    (["--digits", "0"], "--digits"),
    (["--digits", "ten"], "--digits"),
    (["--alpha", "__import__('os').getcwd()"], "--alpha"),
    (["--alpha", "1/0"], "--alpha"),
    (["--alpha", "-1"], "alpha"),
    (["--alpha", "0", "--latent", "inf"], "alpha"),
    (["--a", "0.5", "--latent", "inf"], "--a"),
    (["--feature-variance", "0"], "--feature-variance"),
    (["--b", "3"], "--b"),
]


@pytest.mark.parametrize("change, named", BAD, ids=lambda value: " ".join(value))
def test_bad_input_is_one_line_that_names_the_argument(capsys, change, named):
    try:
        status = main([*MODEL, *change])
    except SystemExit as stop:
        status = stop.code
    out, err = capsys.readouterr()
    assert status == 2 and out == ""
    assert len(err.strip().splitlines()) == 1 and "error" in err
    assert named in err and "Traceback" not in err


def test_an_unknown_derivation_and_an_unknown_command(capsys):
    status, _, err = run(capsys, "show", "no-such-thing")
    assert status == 2 and "no-such-thing" in err and "solvable list" in err
    with pytest.raises(SystemExit) as stop:
        main(["no-such-command"])
    assert stop.value.code == 2


@pytest.mark.parametrize("format_", ["text", "latex", "json"])
def test_show(capsys, format_):
    status, out, _ = run(capsys, "show", "ridgeless-loss", "--format", format_)
    assert status == 0 and "plateau" in out.lower()
    if format_ == "json":
        assert json.loads(out)["steps"]


def test_list_is_complete(capsys):
    from solvable.derivations import catalogue

    _, out, _ = run(capsys, "list", "--json")
    assert [entry["name"] for entry in json.loads(out)] == catalogue.names()


def test_export_asks_for_a_tex_file_and_for_names(capsys, tmp_path):
    assert run(capsys, "export", "ridgeless-loss", "--to", str(tmp_path / "x.pdf"))[0] == 2
    assert run(capsys, "export", "--to", str(tmp_path / "x.tex"))[0] == 2
    assert run(capsys, "export", "--all", "resolvent", "--to", str(tmp_path / "x.tex"))[0] == 2
    missing = tmp_path / "nowhere" / "x.tex"
    status, _, err = run(capsys, "export", "ridgeless-loss", "--to", str(missing))
    assert status == 2 and "nowhere" in err
    assert not list(tmp_path.iterdir())


def test_module_and_imports_are_light():
    heavy = "sympy", "scipy", "matplotlib", "flint", "rich", "distributed"
    code = f"import sys, analytic; print([m for m in {heavy!r} if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout.strip() == "[]"
    result = subprocess.run(
        [sys.executable, "-m", "solvable.derivations", "--version"], capture_output=True, text=True
    )
    assert result.returncode == 0 and "solvable" in result.stdout


def test_a_missing_folder_is_said_with_the_option(capsys, tmp_path):
    assert main(["export", "test-loss", "--to", str(tmp_path / "no" / "where.tex")]) == 2
    said = capsys.readouterr().err
    assert "--to" in said and "no such folder" in said and "Errno" not in said


def test_every_page_on_a_spectrum_says_how_an_own_one_is_given(capsys):
    for command in ("loss", "dynamics", "limit", "allocate", "map"):
        with pytest.raises(SystemExit):
            main([command, "--help"])
        assert "--spectrum" in capsys.readouterr().out, command
    assert "--spectrum" in (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("encoding", "command"),
    [("ascii", "show test-loss"), ("cp1252", "derive tr(inv(X*X.T+z*I)) --gaussian X:M,T:1/T")],
)
def test_an_encoding_without_the_letters_gets_escapes(command, encoding):
    run = subprocess.run(
        [sys.executable, "-m", "solvable.derivations", *command.split()],
        capture_output=True, env={**os.environ, "PYTHONIOENCODING": encoding},
    )  # fmt: skip
    assert run.returncode == 0 and b"Traceback" not in run.stderr and b"\\u" in run.stdout
