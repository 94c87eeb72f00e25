"""Bad and extreme input of the command line: one message, no traceback, no warning, in time.

Command lines are put together at random from what the parsers declare: options left out, repeated
or given values that nobody means, among them values that somebody might. What is asserted is the
same for all: status 0 or 2 (1 where claims are checked), one message on standard error that names
the command, within the time limit.
"""

import random
import re
import time
import warnings
from pathlib import Path

import numpy as np
import pytest

from solvable.derivations.cli import COMMANDS, build_parser, main

SECONDS = 10
NASTY = (
    "data.npy", "labels.csv", "table.csv", "nan.csv", "empty.csv", "flat.npy",
    "", " ", "0", "-0", "-1", "nan", "inf", "-inf", "1e300", "-1e300", "1e-300", "1e999", "1/0",
    "1/3", "²", "٣", "𝟛", "0x10", "1_000", "abc", "--", "-", "1,2", "1,,2", ",", "1:2:3", "𝟙",
    "1e4000", "1e-4000", "9" * 80, "1e6001", "True", "[1]", "__import__('os').getcwd()", "1+1",
    "N<<T", "T<<N", "z->0", "N<<", "<<", "X:M,T:1/T", "X:²,T:1", "X:", "tr(inv(X*X.T + z*I))",
    "tr(", "X", "tr(X*X.T)**99", "/no/such/file", ".", "\N{SNOWMAN}", "a\nb", "1.0000001", "1e18",
    "1e20", "0.5,0.5", "α", "static-loss", "test-loss", "marchenko-pastur", "%s%n", "{}",
)  # fmt: skip
USUAL = ("0.5", "1", "2", "1.5", "3", "10", "100", "400", "2000", "1e-3", "1e6", "inf", "0.3", "7")
#: what a command does not run without
NEEDED = {
    "loss": ["--alpha", "0.5", "--features", "100", "--samples", "400", "--latent", "2000"],
    "dynamics": ["--b", "1.25", "--a", "1.5", "--features", "60", "--samples", "120",
                 "--latent", "200", "--times", "1,10"],
    "derive": ["tr(inv(X*X.T + z*I))", "--gaussian", "X:M,T:1/T"],
    "limit": ["static-loss", "--regime", "N<<T", "--alpha", "0.5"],
    "allocate": ["--budget", "1e8", "--alpha", "0.5"],
    "map": ["--alpha", "0.5"],
    "show": ["test-loss"],
    "list": [],
    "check": ["scaling-law"],
    "export": ["scaling-law", "--to", "laws.tex"],
    "spectrum": ["data.npy"],
    "features": ["--map", "relu"],
    "dimension": ["data.npy"],
    "predict": ["data.npy", "--labels", "labels.csv", "--kernel", "rbf", "--length", "2",
                "--samples", "10,20", "--ridge", "0.1"],
    "fit": ["table.csv", "--form", "power", "--bootstrap", "40"],
    "book": ["scaling-law", "--to", "book"],
}  # fmt: skip
LEFT_OUT = {"help", "version", "all", "time_limit", "progress", "thorough", "dask", "workers",
            "pdf"}  # fmt: skip
QUICK = tuple(command for command in NEEDED if command != "book")  # which starts processes


@pytest.fixture(autouse=True)
def folder_of_files(tmp_path, monkeypatch):
    """Files that the commands may be given, good ones and bad ones, in the working folder."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(60, 8)) * np.arange(1, 9) ** -0.7
    np.save("data.npy", rows)
    np.save("flat.npy", np.zeros((60, 8)))
    np.savetxt("labels.csv", np.sign(rows[:, 0]), fmt="%d")
    sizes = 2.0 ** np.arange(4, 12)
    lines = [f"{n:g},{0.1 + n**-0.5:.6f}" for n in sizes]
    Path("table.csv").write_text("N,loss\n" + "\n".join(lines) + "\n")
    Path("nan.csv").write_text("N,loss\n1,nan\n2,inf\n")
    Path("empty.csv").write_text("")


def actions(command):
    parser = build_parser(command)
    chosen = next(a for a in parser._actions if hasattr(a, "choices") and a.choices)
    return [a for a in chosen.choices[command]._actions if a.dest not in LEFT_OUT]


def value(action, draw):
    if action.choices and draw.random() < 0.7:
        return draw.choice(list(action.choices))
    return draw.choice(USUAL if draw.random() < 0.6 else NASTY)


def command_line(seed, commands=tuple(NEEDED)):
    """The words of one command line."""
    draw = random.Random(seed)
    command = draw.choice(commands)
    words = list(NEEDED[command])
    for action in draw.sample(known := actions(command), draw.randint(0, min(4, len(known)))):
        name = draw.choice(action.option_strings or [None])
        if name in words:
            position = words.index(name)
            if draw.random() < 0.3:
                del words[position : position + 2]
            else:
                words[position + 1] = value(action, draw)
        elif name is None:
            words[:1] = [value(action, draw)]
        else:
            words += [name] if action.nargs == 0 else [name, value(action, draw)]
    return [command, *words, "--time-limit", str(SECONDS)]


def complaint(words, capsys):
    """What is wrong with how the command line is answered, or None."""
    start = time.monotonic()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            status = main(words)
        except SystemExit as stopped:
            status = stopped.code
        except BaseException as error:
            capsys.readouterr()
            return f"{type(error).__name__}: {error}"[:300]
    seconds, said = time.monotonic() - start, capsys.readouterr()
    if status not in ((0, 1, 2) if words[0] in ("check", "book") else (0, 2)):
        return f"status {status}"
    if seconds > SECONDS + 5:
        return f"{seconds:.0f} s"
    messages = [line for line in said.err.splitlines() if line.strip()]
    if status == 2 and not (messages and messages[-1].startswith("solvable")):
        return f"status 2 with the message {said.err!r}"
    if status == 2 and len(messages) > 3:
        return f"{len(messages)} lines of message"
    if "Traceback" in said.err or "Warning" in said.err:
        return said.err[-300:]
    if status == 0 and re.search(r"\bnan\b", said.out):
        return "nan is printed"
    return None


@pytest.mark.parametrize("seed", range(60))
def test_any_command_line_is_answered(seed, capsys):
    words = command_line(seed, QUICK)
    assert complaint(words, capsys) is None, " ".join(map(repr, words))


@pytest.mark.slow
@pytest.mark.parametrize("block", range(10))
def test_many_command_lines_are_answered(block, capsys):
    bad = {}
    for seed in range(1000 + 100 * block, 1100 + 100 * block):
        words = command_line(seed)
        if said := complaint(words, capsys):
            bad[" ".join(map(repr, words))] = said
    assert bad == {}


def test_every_command_is_driven():
    assert set(NEEDED) | {"figure", "tour"} == set(COMMANDS)


@pytest.mark.parametrize("option", [["--all"], ["--seeds", "3"], ["scaling-law"], ["--thorough"]])
def test_a_list_takes_no_other_option(option, capsys):
    assert main(["check", "--list", *option]) == 2
    assert "nothing with --list" in capsys.readouterr().err
