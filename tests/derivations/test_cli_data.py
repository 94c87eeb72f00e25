"""`solvable spectrum`, `features`, `dimension`: what they print, and what they say of bad files."""

import json

import numpy as np
import pytest

from solvable.derivations.cli import main


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


@pytest.mark.parametrize(("words", "said"), [
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
    files = {p.stem: str(p) for p in tmp_path.iterdir()}
    assert main([word.format(**files) if "{" in word else word for word in words]) == 2
    message = capsys.readouterr().err
    assert said in message and "Traceback" not in message
