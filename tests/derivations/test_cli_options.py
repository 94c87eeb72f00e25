"""Options that would be ignored are errors: what is given is read, or refused with its reason."""

import argparse
import random

import pytest

from solvable.analytic.errors import SolvableError
from solvable.derivations.cli import build_parser, main
from tests.derivations.test_fuzz import (  # noqa: F401
    NEEDED,
    QUICK,
    USUAL,
    actions,
    folder_of_files,
)

LOSS = ("loss", *NEEDED["loss"])
DYNAMICS = ("dynamics", *NEEDED["dynamics"])
DERIVE = ("derive", *NEEDED["derive"])
NAMED = ("limit", *NEEDED["limit"])
STATED = ("limit", "static-loss", "--regime", "1 << N << T, M = inf, z = 0")
FIT = ("fit", *NEEDED["fit"])


@pytest.mark.parametrize(("words", "said"), [
    *[(("check", "test-loss", *option), f"{option[0]} = ") for option in (
        ("--size", "1"), ("--seeds", "3"), ("--thorough",), ("--root-seed", "0"), ("--store", "x"),
    )],
    ((*LOSS, "--ridge", "optimal", "--normalisation", "rate"), "--normalisation = rate"),
    *[((*DYNAMICS, "--decompose", *option), option[0]) for option in (
        ("--digits", "20"), ("--simulate", "3"), ("--ensemble", "2"), ("--bags", "2"),
    )],
    (("derive", "--all", "--eigenvalues", "L=1,2"), "--eigenvalues"),
    (("derive", "--all", "--json"), "--format = json"),
    ((*DERIVE, "--covariance", "Tr(X*X.T)", "--format", "latex"), "--format = latex"),
    ((*DERIVE, "--eigenvalues", "L=1,2"), "also --at"),
    ((*DERIVE, "--scalar", "Q"), "--scalar = Q"),
    ((*DERIVE, "--at", "M=2,T=4", "--density", "1:2:3", "--digits", "20"), "--digits = 20"),
    ((*NAMED, "--gaussian", "X:M,T:1/T"), "nothing with a named regime"),
    ((*NAMED, "--spectrum", "flat:size=4"), "nothing with a named regime"),
    ((*NAMED, "--z", "0.1"), "--z = 1/10"),
    ((*NAMED, "--features", "10"), "--features = 10"),
    ((*NAMED, "--smaller", "N"), "smaller = N"),
    ((*NAMED, "--at", "N=10,T=100", "--format", "latex"), "--features = 10"),
    (("limit", "kappa", *NAMED[2:], "--at", "N=10,T=100"), "--features = 10"),
    ((*STATED, "--gaussian", "X:M,T:1/T"), "nothing with a name"),
    ((*STATED, "--b", "2", "--at", "b=3,N=10,T=1e4"), "--b = 2"),
    ((*STATED, "--b", "2", "--alpha", "1"), "alpha = 1"),
    (("spectrum", "table.csv", "--of", "eigenvalues", "--samples", "9", "--uncentred"), "given"),
    (("features", "--seed", "3"), "--seed = 3"),
    (("dimension", "--losses", "table.csv", "--neighbours", "5"), "--neighbours = 5"),
    ((*FIT, "--ridge", "0.1"), "--ridge = 1/10"),
    ((*FIT, "--with-noise"), "--with-noise = given"),
    ((*FIT, "--cost", "3"), "--cost = 3"),
    ((*FIT[:-1], "0", "--seed", "3"), "--seed = 3"),
    (("show", "test-loss", "--format", "latex", "--form", "equation", "--cite"), "--cite = given"),
])  # fmt: skip
def test_an_option_that_would_be_ignored_is_an_error(words, said, capsys):
    assert main([*words]) == 2
    err = capsys.readouterr().err
    assert said in err and err.count("\n") == 1, err


def test_whose_seeds_are_chosen_is_said(capsys):
    with pytest.raises(SystemExit):
        main(["check", "--help"])
    assert "steps of derivations that simulate have their own" in " ".join(
        capsys.readouterr().out.split()
    )


class Watched(argparse.Namespace):
    """Arguments that remember which of them were asked for."""

    def __getattribute__(self, name):
        if not name.startswith("_"):
            self.__dict__["_read"].add(name)
        return super().__getattribute__(name)


def unread(seed):
    """(command line, the options that were given and not read) of a command that answers."""
    draw = random.Random(f"read {seed}")
    command = draw.choice(QUICK)
    words, given = [command, *NEEDED[command]], set()
    known = [a for a in actions(command) if a.option_strings]
    for action in draw.sample(known, draw.randint(1, min(3, len(known)))):
        name = action.option_strings[0]
        value = draw.choice(list(action.choices)) if action.choices else draw.choice(USUAL)
        words += [name] if action.nargs == 0 else [name, value]
        given.add(action.dest)
    try:
        arguments = Watched(_read=set(), **vars(build_parser(command).parse_args(words)))
        arguments._read.clear()
        arguments.run(arguments)
    except (SystemExit, SolvableError, OSError):
        return words, set()
    return words, given - arguments._read


@pytest.mark.parametrize("seed", range(60))
def test_what_is_given_is_read(seed, capsys):
    words, ignored = unread(seed)
    assert not ignored, words


@pytest.mark.slow
def test_whatever_is_given_is_read(capsys):
    assert {
        " ".join(words): ignored for words, ignored in map(unread, range(60, 360)) if ignored
    } == {}
