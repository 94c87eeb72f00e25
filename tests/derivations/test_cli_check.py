import json
import xml.etree.ElementTree

import pytest

from solvable.derivations import catalogue
from solvable.derivations.cli import check_command, main
from solvable.derivations.cli.check_command import _derivation_claim as claim_of
from solvable.validation import experiments
from solvable.validation.report import ReportRow
from tests.validation import synthetic_experiments as synthetic


@pytest.fixture
def synthetic_only(monkeypatch):
    """The catalogue of experiments replaced by those whose truth is known."""
    monkeypatch.setattr(experiments, "catalogue", lambda: synthetic.EXPERIMENTS)
    monkeypatch.setattr(
        "solvable.derivations.cli.experiments.experiments", lambda: synthetic.EXPERIMENTS
    )


def run(*arguments):
    return main([*map(str, arguments)])


@pytest.mark.parametrize(("name", "status"), [
    ("synthetic-true", 0), ("synthetic-wrong", 1), ("synthetic-broken", 1), ("synthetic-vague", 1),
])  # fmt: skip
def test_the_exit_status_is_0_only_for_a_pass(synthetic_only, capsys, name, status):
    assert run("check", name, "--workers", 1) == status
    out, err = capsys.readouterr()
    outcome = {"synthetic-true": "pass", "synthetic-wrong": "fail"}.get(name, "undecided")
    assert out.startswith(outcome) and (f"{outcome}: {name}" in err) == bool(status)


def test_one_failed_claim_among_many_decides(synthetic_only, capsys):
    assert run("check", "synthetic-true", "synthetic-wrong", "--workers", 2) == 1
    out, err = capsys.readouterr()
    assert "2 claims: 1 pass, 1 fail, 0 undecided" in out
    assert "fail: synthetic-wrong" in err and "synthetic-true" not in err


def test_json_is_valid_and_complete(synthetic_only, capsys):
    assert run("check", "synthetic-true", "--workers", 1, "--seeds", 30, "--json") == 0
    data = json.loads(capsys.readouterr().out)
    (claim,) = data["claims"]
    assert data["pass"] == 1 and claim["seeds"] == [30, 30] and "numpy" in data["versions"]
    point = claim["series"][0]["points"][0]
    assert {"theory", "simulated", "ratio_interval", "z"} <= point.keys()


def test_a_store_is_resumed_and_gives_the_same_numbers(synthetic_only, capsys, tmp_path):
    options = ("check", "synthetic-true", "--workers", 1, "--store", tmp_path / "s", "--json")
    first, second = (_claim(options, capsys) for _ in range(2))
    assert (first["computed"], first["resumed"]) == (320, 0)
    assert (second["computed"], second["resumed"]) == (0, 320)
    assert first["series"] == second["series"]


def _claim(options, capsys):
    assert run(*options) == 0
    return json.loads(capsys.readouterr().out)["claims"][0]


def test_the_store_of_another_experiment_is_refused_and_kept(synthetic_only, capsys, tmp_path):
    assert run("check", "synthetic-true", "--workers", 1, "--store", tmp_path / "s") == 0
    content = (tmp_path / "s").read_bytes()
    capsys.readouterr()
    for options in (("synthetic-wrong",), ("synthetic-true", "--root-seed", 1)):
        assert run("check", *options, "--workers", 1, "--store", tmp_path / "s") == 2
        err = capsys.readouterr().err
        assert "belongs to another run" in err and err.count("\n") == 1
    assert (tmp_path / "s").read_bytes() == content


@pytest.mark.parametrize("suffix", ["html", "md"])
def test_a_report_is_written(synthetic_only, tmp_path, suffix):
    path = tmp_path / f"report.{suffix}"
    assert run("check", "synthetic-true", "synthetic-wrong", "--workers", 1, "--report", path) == 1
    assert "synthetic-wrong" in path.read_text()


def test_figures_are_written(synthetic_only, tmp_path, capsys):
    pytest.importorskip("matplotlib")
    to = tmp_path / "pictures"
    assert run("figure", "synthetic-wrong", "--to", to, "--workers", 1) == 0
    assert capsys.readouterr().out.startswith("fail")
    suffixes = ("pdf", "svg", "png", "tex", "csv")
    assert {path.name for path in to.iterdir()} == {f"synthetic-wrong.{s}" for s in suffixes}
    xml.etree.ElementTree.parse(to / "synthetic-wrong.svg")


def test_on_a_full_disk_no_folder_of_figures_is_left(synthetic_only, tmp_path, capsys, monkeypatch):
    pytest.importorskip("matplotlib")

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("solvable.validation.writing.os.fsync", full)
    assert run("figure", "synthetic-true", "--to", tmp_path / "new" / "folder", "--workers", 1) == 2
    assert "No space left" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("arguments", "said"), [
    (("check",), "one or more names, or --all"),
    (("check", "synthetic-true", "--all"), "one or more names, or --all"),
    (("check", "synthetic-tru"), "did you mean synthetic-true"),
    (("check", "synthetic-true", "--store", "/nowhere/at/all"), "--store = /nowhere/at/all: "),
    (("check", "synthetic-true", "--store", "/dev/full"), "--store = /dev/full: is not"),
    (("check", "synthetic-true", "--report", "a.pdf"), ".html or .md"),
    (("figure", "resolvent", "--to", "x"), "derivations have no figure"),
    (("figure", "synthetic-true", "--to", "/dev/null/x"), "a folder that can be written"),
])  # fmt: skip
def test_bad_input_is_one_line_and_status_2(synthetic_only, capsys, arguments, said):
    assert run(*arguments) == 2
    err = capsys.readouterr().err
    assert said in err and err.count("\n") == 1 and "Traceback" not in err


@pytest.mark.parametrize("option", [
    ("--seeds", "1"), ("--seeds", "x"), ("--size", "0"), ("--size", "-1"), ("--workers", "0"),
    ("--root-seed", "-1"), ("--workers", "1", "--dask", "tcp://127.0.0.1:1"),
])  # fmt: skip
def test_options_are_checked(capsys, option):
    with pytest.raises(SystemExit) as caught:
        run("check", "resolvent", *option)
    assert caught.value.code == 2 and capsys.readouterr().err.count("\n") == 1


def test_an_unreachable_cluster_is_said(synthetic_only, capsys, monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr(
        "solvable.validation.executors.dask_cluster.__wrapped__.__defaults__", (1.0,)
    )
    assert run("check", "synthetic-true", "--dask", "tcp://127.0.0.1:9") == 2
    assert "scheduler that answers" in capsys.readouterr().err


@pytest.mark.slow
def test_a_dask_cluster_gives_the_numbers_of_one_process(synthetic_only, capsys):
    distributed = pytest.importorskip("distributed")
    here = _claim(("check", "synthetic-true", "--workers", 1, "--json"), capsys)
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None
    ) as cluster:
        address = cluster.scheduler_address
        there = _claim(("check", "synthetic-true", "--dask", address, "--json"), capsys)
    assert here["series"] == there["series"]


def test_list_names_every_claim_once(capsys):
    assert run("check", "--list", "--json") == 0
    listed = [entry["name"] for entry in json.loads(capsys.readouterr().out)]
    assert sorted(listed) == sorted({*catalogue.names(), *experiments.names()})


# ---- derivations -------------------------------------------------------------------------

STEPS = [
    {"name": "one", "claim": "a = b", "outcome": "pass", "message": "zero"},
    {"name": "two", "claim": "c = d", "outcome": "pass", "message": "20 digits"},
]


@pytest.mark.parametrize(("changed", "failure", "outcome"), [
    ({}, None, "pass"), ({"outcome": "fail"}, None, "fail"),
    ({"outcome": "undecided"}, None, "undecided"), ({}, "ValueError: no", "fail"),
])  # fmt: skip
def test_a_derivation_passes_only_if_every_step_does(changed, failure, outcome):
    name = catalogue.names()[0]
    result, row = claim_of(name, [STEPS[0], {**STEPS[1], **changed}], failure, 0.1)
    assert result["outcome"] == row.outcome == outcome and isinstance(row, ReportRow)
    assert ("two: 20 digits" in result["message"]) == (changed != {})


def test_a_derivation_without_steps_is_undecided():
    assert claim_of(catalogue.names()[0], [], None, 0.1)[0]["outcome"] == "undecided"


def test_a_derivation_is_checked_step_by_step():
    value = check_command.verify({"name": "time-law"}, None)
    assert value["steps"] and {step["outcome"] for step in value["steps"]} == {"pass"}
