"""`solvable spectrum`, `features`, `dimension`: what they print, and what they say of bad files."""

import json

import numpy as np
import pytest

from solvable.analytic.optimal_ridge import optimal_ridge
from solvable.analytic.spectrum import PowerLaw
from solvable.derivations.cli import main

#: of `predict`: labels by a name that the test fills in
REST = ("--labels", "{labels}", "--kernel", "linear", "--samples", "5", "--ridge", "1")


@pytest.fixture
def power(tmp_path):
    data = np.random.default_rng(0).normal(size=(400, 100)) * np.arange(1, 101) ** -0.75
    np.save(tmp_path / "power.npy", data)
    return str(tmp_path / "power.npy")


def printed(capsys, *words):
    assert main(list(words)) == 0
    return json.loads(capsys.readouterr().out)


def test_spectrum(power, capsys, tmp_path):
    data = printed(capsys, "spectrum", power, "--format", "json", "--figure", f"{tmp_path}/a.svg")
    assert data["alpha"]["low"] < 0.5 < data["alpha"]["high"] and data["reason"] is None
    assert data["modes"] == 100 and len(data["eigenvalues"]) == 100
    assert (tmp_path / "a.svg").stat().st_size > 1000
    assert main(["spectrum", power]) == 0
    assert "α = 0." in capsys.readouterr().out
    np.savetxt(tmp_path / "own.csv", data["eigenvalues"])
    words = ("--of", "eigenvalues", "--samples", "399", "--modes", "100", "--format", "json")
    own = printed(capsys, "spectrum", f"{tmp_path}/own.csv", *words)
    assert own["alpha"]["value"] == pytest.approx(data["alpha"]["value"], abs=0.02)


def test_a_refusal_has_a_reason(capsys, tmp_path):
    data = np.random.default_rng(0).normal(size=(300, 80)) * np.exp(-np.arange(80) / 16)
    np.save(tmp_path / "e.npy", data)
    found = printed(capsys, "spectrum", f"{tmp_path}/e.npy", "--format", "json")
    assert found["alpha"] is None and "exponential" in found["reason"]


def test_features(power, capsys):
    words = ("--width", "200", "--samples", "120", "--format", "json")
    data = printed(capsys, "features", power, *words)
    assert len(data["eigenvalues"]["features"]) == 120 > len(data["eigenvalues"]["linear"])
    assert data["kernel_error"] < data["equivalent_error"]
    coefficients = printed(capsys, "features", "--map", "tanh(2*x)", "--format", "json")["hermite"]
    assert coefficients[1]["closed_form"] is None and coefficients[0]["value"] == 0


def test_dimension(power, capsys):
    data = printed(capsys, "dimension", power, "--format", "json")
    assert data["modes"]["value"] == 100
    for name in ("two_nearest", "maximum_likelihood", "participation_ratio", "degrees_of_freedom"):
        assert data[name]["low"] < data[name]["value"] < data[name]["high"]


def test_constant_columns_and_copies_are_noted(capsys, tmp_path):
    data = np.random.default_rng(0).normal(size=(60, 10))
    data[:, 3] = 2.0
    data[:20] = data[20:40]
    np.save(tmp_path / "x.npy", data)
    np.save(tmp_path / "labels.npy", np.arange(60.0))
    rest = [word.format(labels=tmp_path / "labels.npy") for word in REST]
    for command, more in {"spectrum": [], "dimension": [], "features": ["--width", "9"],
                          "predict": rest}.items():  # fmt: skip
        notes = " ".join(printed(capsys, command, f"{tmp_path}/x.npy", *more, "--json")["notes"])
        assert "20" in notes and "1 of 10 columns" in notes, command


def losses(path, size):
    """A table of optimally ridged losses with one per cent of scatter."""
    grid = np.unique(np.round(np.geomspace(20, 500, 7)))
    n, t = (x.ravel() for x in np.meshgrid(grid, grid))
    loss = np.asarray(optimal_ridge(PowerLaw(alpha=0.5, size=size), n, t).excess_loss)
    loss = loss * np.exp(0.01 * np.random.default_rng(1).standard_normal(len(n)))
    rows = "\n".join(f"{a:g},{b:g},{c:.9g}" for a, b, c in zip(n, t, loss))
    path.write_text(f"features,samples,loss\n{rows}\n")
    return str(path)


def test_the_latent_dimension_shows_in_losses_or_is_undetermined(power, capsys, tmp_path):
    seen = losses(tmp_path / "seen.csv", 2000)
    found = printed(capsys, "dimension", "--losses", seen, "--json")["latent_dimension"]
    assert found["determined"] and found["low"] < 2000 < found["high"]
    assert found["value"] == pytest.approx(2000, rel=0.25)
    beyond = losses(tmp_path / "beyond.csv", 10**7)
    both = printed(capsys, "dimension", power, "--losses", beyond, "--json")
    assert both["latent_dimension"]["value"] is None and both["modes"]["value"] == 100
    assert "upper bound" in both["latent_dimension"]["reason"]
    assert main(["dimension", "--losses", beyond]) == 0
    assert "undetermined" in capsys.readouterr().out


@pytest.mark.parametrize(("words", "said"), [
    (["dimension"], "--losses"),
    (["dimension", "--losses", "{words}"], "names of the columns"),
    (["dimension", "--losses", "missing.csv"], "missing.csv"),
    (["dimension", "{one}"], "1 different rows"),
    (["dimension", "{nan}"], "row 3, column 2"),
    (["dimension", "{words}"], "line 2"),
    (["features", "{nan}", "--width", "9"], "row 3, column 2"),
    (["features", "{same}", "--width", "9"], "row 1 is zero"),
    (["features", "{words}", "--width", "9"], "line 2"),
    (["predict", "{words}", *REST], "line 2"),
    (["predict", "{nan}", *REST], "row 3, column 2"),
    (["predict", "{one}", *REST], "two samples"),
    (["predict", "{same}", *REST], "not zero"),
    (["spectrum", "{empty}"], "empty file"),
    (["spectrum", "missing.npy"], "missing.npy"),
    (["spectrum", "{nan}"], "row 3, column 2"),
    (["spectrum", "{same}"], "equal rows"),
    (["spectrum", "{words}"], "line 2"),
    (["spectrum", "{one}"], "two samples"),
    (["spectrum", "{good}", "--of", "eigenvalues"], "--samples"),
    (["spectrum", "{good}", "--of", "kernel"], "symmetric"),
    (["spectrum", "{good}", "--samples", "7"], "--samples"),
    (["spectrum", "{good}", "--modes", "2"], "--modes"),
    (["spectrum", "{good}", "--confidence", "2"], "--confidence"),
    (["features", "{good}"], "--width"),
    (["features", "--width", "3"], "--width"),
    (["features", "--map", "os.system('ls')"], "map"),
    (["features", "{good}", "--width", "9", "--samples", "9999"], "--samples"),
    (["dimension", "{same}"], "different rows"),
    (["dimension", "{good}", "--neighbours", "1"], "--neighbours"),
])  # fmt: skip
def test_what_is_wrong_is_said(words, said, capsys, tmp_path):
    good = np.random.default_rng(0).normal(size=(60, 10))
    bad = good.copy()
    bad[2, 1] = np.nan
    for name, array in {"good": good, "nan": bad, "same": good * 0, "one": good[:1]}.items():
        np.save(tmp_path / f"{name}.npy", array)
    (tmp_path / "words.csv").write_text("1,2\nx,3\n")
    (tmp_path / "empty.csv").write_text("")
    np.save(tmp_path / "labels.npy", np.arange(60.0))
    files = {p.stem: str(p) for p in tmp_path.iterdir()}
    assert main([word.format(**files) if "{" in word else word for word in words]) == 2
    message = capsys.readouterr().err
    assert said in message and "Traceback" not in message
