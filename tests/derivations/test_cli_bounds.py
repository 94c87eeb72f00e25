"""Signals, time limits and signs of life of the command line."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from solvable.derivations.cli import bounds, main
from tests.validation.lasting_cells import default_signals

SLOW = ["export", "--all", "--to"]


def test_a_time_limit_ends_with_one_sentence(tmp_path, capsys):
    target = tmp_path / "x.tex"
    assert main([*SLOW, str(target), "--time-limit", "0.05"]) == 2
    assert capsys.readouterr().err.strip() == (
        "solvable export: error: --time-limit: 0.05 s are over"
    )
    assert not target.exists()
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


@pytest.mark.parametrize("command", [
    ("loss", "--latent", "inf", "--features", "1000", "--samples", "3000", "--digits", "5000"),
    ("dynamics", "--latent", "inf", "--features", "100", "--samples", "300", "--times", "10",
     "--digits", "2000"),
    ("limit", "loss", "--regime", "N<<T", "--order", "500"),
])  # fmt: skip
def test_long_answers_end_at_the_time_limit(command, capsys):
    started = time.process_time()
    assert main([*command, "--alpha", "0.5", "--time-limit", "0.5"]) == 2
    assert capsys.readouterr().err.endswith("error: --time-limit: 0.5 s are over\n")
    assert time.process_time() - started < 10


@pytest.mark.parametrize("text", ["0", "-1", "nan", "1e300", "soon"])
def test_a_time_limit_is_a_number_of_seconds(text, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["list", "--time-limit", text])
    assert stopped.value.code == 2
    assert "--time-limit" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGQUIT", "SIGINT"])
def test_a_signal_ends_with_one_sentence_and_its_status(tmp_path, name):
    number = getattr(signal, name)
    command = [sys.executable, "-m", "solvable.derivations", *SLOW, str(tmp_path / "x.tex")]
    process = subprocess.Popen(
        [*command, "--progress"], stderr=subprocess.PIPE, text=True, cwd=tmp_path,
        env={**os.environ, "PYTHONUNBUFFERED": "1"}, preexec_fn=default_signals,
    )  # fmt: skip
    first = process.stderr.readline()  # it is at work
    assert first.startswith("solvable export: at work for")
    process.send_signal(number)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 128 + number
    expected = "interrupted" if name == "SIGINT" else f"ended by {name}"
    assert said.splitlines()[-1] == f"solvable export: {expected}"
    assert "Traceback" not in said
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGQUIT", "SIGINT"])
def test_a_signal_that_others_made_an_error_of_is_a_signal_still(name, monkeypatch, capsys):
    """Python 3.11 makes a RuntimeError of what `__set_name__` raises: a class being imported."""

    def run(arguments):
        try:
            signal.raise_signal(getattr(signal, name))
        except BaseException as raised:
            raise RuntimeError("Error calling __set_name__") from raised

    monkeypatch.setattr("solvable.derivations.cli.list_command.run", run)
    numbers = {signal.SIGINT, getattr(signal, name)}  # as the command itself begins
    before = {number: signal.signal(number, signal.SIG_DFL) for number in numbers}
    try:
        status = main(["list"])
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert status == 128 + getattr(signal, name)
    said = capsys.readouterr().err
    assert said.startswith("solvable list: ") and said.count("\n") == 1


def test_an_error_without_a_signal_is_not_taken_for_one():
    with pytest.raises(RuntimeError, match="on its own"), bounds.signals_raise():
        raise RuntimeError("on its own")


@pytest.mark.parametrize("size", [None, 10**17])
def test_memory_that_is_not_enough_is_said_in_one_sentence(size, monkeypatch, capsys):
    def run(arguments):
        if size is None:
            raise MemoryError
        return np.empty(size)

    monkeypatch.setattr("solvable.derivations.cli.list_command.run", run)
    assert main(["list"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("solvable list: error: not enough memory") and said.count("\n") == 1
    assert ("none is left" if size is None else "Unable to allocate") in said


def test_what_a_background_job_ignores_stays_ignored(tmp_path):
    def hang_up_is_ignored():
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    command = [sys.executable, "-m", "solvable.derivations", *SLOW, str(tmp_path / "x.tex")]
    process = subprocess.Popen(
        [*command, "--progress"], stderr=subprocess.PIPE, text=True, preexec_fn=hang_up_is_ignored
    )
    process.stderr.readline()
    process.send_signal(signal.SIGHUP)
    time.sleep(0.5)
    assert process.poll() is None
    process.kill()
    process.communicate()


def test_how_to_resume_is_said():
    class Arguments:
        store = "cells.jsonl"

    assert "cells.jsonl: the same command resumes" in bounds.resume_hint(Arguments())
    assert bounds.resume_hint(object()) == ""


def test_a_sign_of_life_only_where_it_is_wanted(capsys, monkeypatch):
    monkeypatch.setattr(bounds, "PATIENCE", 0.01)
    with bounds.sign_of_life("limit"):
        time.sleep(0.05)
    assert capsys.readouterr().err == ""
    with bounds.sign_of_life("limit", lines=True):
        time.sleep(0.05)
    assert capsys.readouterr().err == "solvable limit: at work for 0 s\n"


def test_where_a_bar_is_drawn_the_sign_of_life_is_told(monkeypatch):
    """Otherwise both write over one another on a terminal."""
    from solvable.derivations.cli import tour_command

    told = []
    monkeypatch.setattr(tour_command, "quick_look", lambda **_: told.append(bounds._bars) or 1 / 0)
    with pytest.raises(ZeroDivisionError):
        tour_command.simulate(2)
    assert told == [1] and bounds._bars == 0


@pytest.mark.parametrize("command", [
    ("list",), ("list", "--json"),
    ("loss", "--alpha", "0.5", "--latent", "inf", "--features", "10", "--samples", "20"),
])  # fmt: skip
def test_a_reader_that_goes_away_is_no_error(command, tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-m", "solvable.derivations", *command], cwd=tmp_path,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    process.stdout.close()
    assert process.stderr.read() == "" and process.wait() == 0


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
@pytest.mark.parametrize("command", [
    ("list",), ("check", "test-loss"),
    ("loss", "--alpha", "0.5", "--latent", "inf", "--features", "10", "--samples", "20"),
])  # fmt: skip
def test_a_signal_while_modules_are_imported_is_quiet(command, name):
    """Wherever it falls: not one line of a traceback, and the status of the signal."""
    number = getattr(signal, name)
    code = (
        "import sys, signal as s; from solvable.derivations import __main__ as m; set = s.signal; "
        "s.signal = lambda *given: (set(*given), print(flush=True))[0]; "  # the first line says so
        f"sys.argv = {['solvable', *command]}; sys.exit(m.main())"
    )
    for delay in (0, 0.02, 0.05, 0.1, 0.2, 0.4):
        process = subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, preexec_fn=default_signals,
        )  # fmt: skip
        process.stdout.readline()
        time.sleep(delay)
        process.send_signal(number)
        _, said = process.communicate(timeout=30)
        assert process.returncode in (-number, 128 + number, 0), delay
        assert said.count("\n") <= 1 and "Traceback" not in said
