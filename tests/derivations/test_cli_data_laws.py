"""`solvable predict` and `solvable fit`: what they print, and what they refuse."""

import json

import numpy as np
import pytest

from solvable.derivations.cli import main


def answered(capsys, *words):
    status = main([str(w) for w in words])
    said = capsys.readouterr()
    return status, said.out, said.err


@pytest.fixture
def pool(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((120, 5))
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", np.sin(x[:, 0]) + 0.1 * rng.standard_normal(120))
    return tmp_path


def predict(pool, *words):
    return ["predict", pool / "x.npy", "--labels", pool / "y.npy", "--kernel", "laplace",
            "--samples", "10,30,60", "--ridge", "0.1", *words]  # fmt: skip


def test_prediction_and_measurement_in_json(pool, capsys):
    words = predict(pool, "--measure", "30", "--format", "json")
    status, out, _ = answered(capsys, *words)
    found = json.loads(out)
    assert status == 0 and found["samples"] == [10, 30, 60]
    predicted, measured, error = (np.array(found[n])
                                  for n in ("predicted", "measured", "standard_error"))  # fmt: skip
    assert np.all(np.abs(predicted - measured) < 0.03 * measured + 4 * error)
    again = json.loads(answered(capsys, *words)[1])
    assert again == found
    alone = json.loads(answered(capsys, *predict(pool, "--format", "json"))[1])
    assert alone["measured"] is None and alone["predicted"] == found["predicted"]


@pytest.mark.parametrize("words", [["--features", "50"], ["--noise", "0.1"]])
def test_a_seed_of_nothing_random_is_refused(words, pool, capsys):
    status, _, said = answered(capsys, *predict(pool, *words, "--seed", "3"))
    assert status == 2 and "--seed = 3" in said and "the whole pool and no --measure" in said
    for part in (["--pool", "100"], ["--measure", "2"]):
        assert answered(capsys, *predict(pool, *words, *part, "--seed", "3"))[0] == 0


def test_prediction_as_a_table(pool, capsys):
    status, out, _ = answered(capsys, *predict(pool, "--features", "50", "--noise", "0.1"))
    assert status == 0 and "laplace" in out and "textbook" in out
    assert answered(capsys, *predict(pool, "--route", "compression"))[0] == 0


def test_training_time(pool, capsys):
    words = predict(pool, "--samples", "20", "--times", "0.5,100", "--measure", "40")
    found = json.loads(answered(capsys, *words, "--format", "json")[1])["training_time"]
    assert found["times"] == [0.5, 100]
    predicted, measured, error = (np.array(found[n])
                                  for n in ("predicted", "measured", "standard_error"))  # fmt: skip
    assert np.all(np.abs(predicted - measured) < 0.03 * measured + 4 * error)
    assert answered(capsys, *words)[1].count("predicted") == 2


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (["--times", "1", "--features", "50"], "--times"), (["--times", "-1"], "--times"),
        (["--samples", "500"], "fewer than the pool"), (["--ridge", "0"], "--ridge"),
        (["--kernel", "cubic"], "--kernel"), (["--features", "0"], "--features"),
        (["--pool", "1"], "--pool"), (["--length", "-1"], "--length"),
        (["--labels", "none.npy"], "labels"), (["--format", "latex"], "--format"),
    ],
)  # fmt: skip
def test_what_cannot_be_predicted_is_refused(pool, capsys, change, said):
    try:
        status, _, err = answered(capsys, *predict(pool, *change))
    except SystemExit as stopped:
        status, err = stopped.code, capsys.readouterr().err
    assert status == 2 and said in err and "Traceback" not in err


def test_labels_that_do_not_fit_are_refused(pool, capsys):
    np.save(pool / "y.npy", np.ones(120))
    assert "two or more" in answered(capsys, *predict(pool))[2]
    np.save(pool / "y.npy", np.ones(7))
    assert "120 labels" in answered(capsys, *predict(pool))[2]
    np.save(pool / "y.npy", np.full(120, np.nan))
    assert answered(capsys, *predict(pool))[0] == 2


def test_repeated_rows_are_noted(pool, capsys):
    x = np.load(pool / "x.npy")
    x[:10] = x[10:20]
    np.save(pool / "x.npy", x)
    _, out, _ = answered(capsys, *predict(pool))
    assert "10 of 120 rows repeat" in out and "another label" in out


@pytest.fixture
def losses(tmp_path):
    rng = np.random.default_rng(1)
    n, d = 10 ** rng.uniform(7, 10, 40), 10 ** rng.uniform(9, 11, 40)
    loss = (1.8 + 480 * n**-0.35 + 2100 * d**-0.37) * np.exp(0.004 * rng.standard_normal(40))
    path = tmp_path / "losses.csv"
    rows = "\n".join(f"{a:.6e},{b:.6e},{c:.8f}" for a, b, c in zip(n, d, loss))
    path.write_text(f"parameters,tokens,loss\n{rows}\n")
    return path


def test_fit_in_json(losses, capsys):
    words = ("fit", losses, "--form", "chinchilla", "--bootstrap", 200, "--budget", "1e22",
             "--at", "1e10,1e12", "--format", "json")  # fmt: skip
    status, out, _ = answered(capsys, *words)
    found = json.loads(out)
    assert status == 0 and list(found["parameters"]) == ["E", "A", "B", "alpha", "beta"]
    for one in found["parameters"].values():
        assert set(one) >= {"value", "low", "high", "determined"}
        assert one["low"] <= one["value"] <= one["high"]
    assert found["parameters"]["E"]["low"] < 1.8 < found["parameters"]["E"]["high"]
    split = found["allocation"]
    assert split["parameters"]["low"] < split["parameters"]["value"] < split["parameters"]["high"]
    truth = 1.8 + 480 * 1e10**-0.35 + 2100 * 1e12**-0.37
    assert found["forecast"][0]["loss"] == pytest.approx(truth, rel=0.03)
    assert found["held_out"]["forms"]["chinchilla"]["rms_log_error"] < 0.03


def test_fit_as_a_table(losses, capsys):
    for form in ("power", "kaplan"):
        status, out, _ = answered(capsys, "fit", losses, "--form", form, "--bootstrap", "0")
        assert status == 0 and "held out" in out and "alpha" in out


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("parameters,loss\n1,3\n2,2.5\n3,2\n4,1.9\n5,1.8\n6,1.7\n7,1.6\n", "tokens"),
        ("parameters,tokens\n1,3\n2,2.5\n", "loss"),
        ("parameters,tokens,loss\n1,1,3\n2,2,2\n", "different rows"),
        ("compute,loss\n1,1\n2,2\n3,3\n4,4\n5,5\n", "rising"),
        ("compute,loss\n1,nan\n2,2\n", "line 2"),
        ("1,2\n3,4\n", "names of the columns"),
    ],
)
def test_tables_that_cannot_be_fitted_are_refused(tmp_path, capsys, content, said):
    path = tmp_path / "t.csv"
    path.write_text(content)
    status, _, err = answered(capsys, "fit", path, "--form", "chinchilla")
    assert status == 2 and said in err


def test_options_without_effect_are_refused(losses, capsys):
    assert answered(capsys, "fit", losses, "--form", "exact", "--bootstrap", "5")[0] == 2
    assert answered(capsys, "fit", losses, "--form", "power", "--budget", "1e20")[0] == 2
    assert answered(capsys, "fit", losses, "--form", "power", "--at", "1,2")[0] == 2


def test_a_class_of_one_member_is_noted(pool, capsys):
    np.save(pool / "y.npy", np.r_[1, np.zeros(119, int)])
    assert "rarest class has 1 member:" in answered(capsys, *predict(pool))[1]


@pytest.mark.slow
def test_undetermined_parameters_show_no_numbers_that_look_certain(tmp_path, capsys):
    n = np.geomspace(1e7, 1e9, 20)
    rows = [f"{x:.6g},{20 * x:.6g},{2 + 400 * x**-0.3:.6g}" for x in n]
    (tmp_path / "ratio.csv").write_text("N,D,loss\n" + "\n".join(rows))
    words = ("fit", tmp_path / "ratio.csv", "--form", "chinchilla", "--bootstrap")
    found = json.loads(answered(capsys, *words, 40, "--json")[1])["parameters"]["alpha"]
    assert found["value"] is None and "bootstrap" not in found and "told apart" in found["reason"]
    status, _, said = answered(capsys, *words, 3)
    assert status == 2 and "at least 40" in said
