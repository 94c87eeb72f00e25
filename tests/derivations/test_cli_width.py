"""On a terminal of 80 columns nothing is wider, and no number or name is broken."""

import json
import sys

import pytest
from rich.cells import cell_len
from rich.console import Console

from solvable.derivations.cli import main, output

LOSS = ["--alpha", "1/2", "--features", "100", "--samples", "400", "--latent", "2000"]
CURVE = ["--b", "5/4", "--a", "3/2", "--features", "60", "--samples", "120", "--latent", "200"]
RESOLVENT = ["derive", "tr(inv(A.T*A*sqrt(L)*Z*Z.T*sqrt(L) + z*I))", "--gaussian",
             "A:N,M:1/N; Z:M,T:1/T", "--deterministic", "L:M", "--show-pencil"]  # fmt: skip


@pytest.fixture(autouse=True)
def narrow(monkeypatch):
    """A terminal of 80 columns."""

    def console(stderr=False):
        return Console(file=sys.stderr if stderr else sys.stdout, width=80, highlight=False)

    monkeypatch.setattr(output, "console", console)


def printed(capsys, *command):
    assert main(list(command)) == 0
    text = capsys.readouterr().out
    assert max(map(cell_len, text.splitlines())) <= 80, text
    return text


@pytest.mark.parametrize("command", [
    ("loss", *LOSS), ("loss", *LOSS, "--digits", "30"), ("dynamics", *CURVE, "--times", "10,1e15"),
    ("dynamics", *CURVE, "--times", "1,1000", "--digits", "30"),
    ("allocate", "--budget", "1e12", "--alpha", "1/2"),
    ("allocate", "--budget", "1e9", "--a", "3/2", "--b", "5/4"), ("list",), ("check", "--list"),
    ("loss", *LOSS[:2], "--features", "100", "--samples", "100", "--latent", "inf"),
    ("limit", "static-loss", "--regime", "N<<T", *LOSS[:6]), ("show", "ridge-regression"),
    RESOLVENT,
])  # fmt: skip
def test_nothing_is_wider(capsys, command):
    assert printed(capsys, *command)


@pytest.mark.slow
def test_thirty_digits_stand_whole(capsys):
    text = printed(capsys, "dynamics", *CURVE, "--times", "10,1e3", "--digits", "30")
    main(["dynamics", *CURVE, "--times", "10,1e3", "--digits", "30", "--json"])
    found = json.loads(capsys.readouterr().out)
    for name in ("excess_loss", "train_loss"):
        assert all(number in text for number in found[name])


def test_a_table_that_does_not_fit_becomes_lists(capsys):
    output.print_table(("name", "first", "second"), [("a", "1" * 40, "2" * 40), ("b", "3", "4")])
    text = capsys.readouterr().out
    assert "1" * 40 in text and "2" * 40 in text and "┃" not in text
    output.print_table(("name", "text"), [("a-long-name-" * 3, "some words " * 20)])
    text = capsys.readouterr().out
    assert "a-long-name-" * 3 in text and "┃" in text
    assert max(map(cell_len, text.splitlines())) <= 80


def test_a_table_without_rows_is_its_heading(capsys):
    output.print_table(("name", "value"), [])
    assert "name" in capsys.readouterr().out
