"""`solvable derive` end to end."""

import json

import mpmath
from pytest import mark

from solvable.derivations.cli import main

RESOLVENT = [
    "derive",
    "tr(inv(A.T*A*sqrt(L)*Z*Z.T*sqrt(L) + z*I))",
    "--gaussian",
    "A:N,M:1/N; Z:M,T:1/T",
    "--deterministic",
    "L:M",
]


def test_text(capsys):
    assert main(RESOLVENT) == 0
    printed = capsys.readouterr().out
    assert "⎛    D₁(κ)⎞ ⎛    D₁(κ)⎞" in printed and "≃" in printed  # two-dimensional, as `show`
    assert "Tr([Q^-1]_" in printed and "**" not in printed


def test_the_example_of_the_readme(capsys):
    command = ["derive", "tr(inv(X*X.T/T + z*I))", "--gaussian", "X:M,T:1/T", "--show-pencil"]
    assert main(command) == 0
    printed = capsys.readouterr().out
    assert "pencil Q" in printed and "numeric check" in printed


def test_latex(capsys):
    assert main([*RESOLVENT, "--format", "latex", "--show-pencil"]) == 0
    printed = capsys.readouterr().out
    assert r"\begin{pmatrix}" in printed and r"\begin{aligned}" in printed
    assert r"D_{1}\left(\kappa\right)" in printed


def test_json(capsys):
    assert main([*RESOLVENT, "--format", "json", "--prove", "4", "--show-pencil"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["planar_proof"] == {"holds": True, "orders": [1, 2, 3, 4, 5]}
    assert data["pencil_size"] == 4 == len(data["pencil"])
    assert data["relations"] == ["z = kappa*(1 - D_1(kappa)/N)*(1 - D_1(kappa)/T)"]


def test_options_repeat(capsys):
    command = ["derive", "tr(inv(z*I + X*X.T + W))", "--gaussian", "X:M,T:1/T"]
    assert main([*command, "--symmetric", "W:M:1/M"]) == 0
    capsys.readouterr()
    command = ["derive", "tr(inv(L*H + Y*X*X.T*Y.T + z*I))", "--gaussian", "X:M,T:1/T"]
    options = ["--gaussian", "Y:K,M", "--deterministic", "L:K", "--deterministic", "H:K"]
    assert main([*command, *options, "--commuting", "L,H"]) == 0


@mark.parametrize(
    ("expression", "part"),
    [
        ("tr(inv(X + z*I))", "neither symmetric"),
        ("tr(relu(X))", "relu(X)"),
        ("tr(inv(X*X.T + C))", "undeclared symbol = C"),
        ("tr(X", "parenthesis"),
        ("tr(inv(0*X))", "non-singular"),
        ("tr(inv(X*X.T*L*L + L*X*X.T + z*I))", "neither symmetric"),
    ],
)
def test_bad_input_is_one_line(capsys, expression, part):
    assert main(["derive", expression, "--gaussian", "X:M,M:1/M", "--deterministic", "L:M"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and part in error, error


PLAIN = ["derive", "tr(inv(X*X.T + z*I))", "--gaussian", "X:M,T:1/T"]


def test_numbers_with_their_certificate(capsys):
    assert main([*PLAIN, "--at", "M=400,T=600,z=0.3", "--simulate", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert abs(found["value"] - 1.1565470371) < 1e-9 and found["residual"] < 1e-12
    assert "spectral radius below one" in found["certified_by"] and 0 < found["margin"] < 1
    assert abs(found["simulation"]["mean"] / found["value"] - 1) < 0.02
    assert main([*PLAIN, "--at", "M=400,T=600,z=3/10", "--digits", "30"]) == 0
    with mpmath.workdps(40):  # 2/3 z g² + (z + 1/3) g = 1
        half = mpmath.mpf(19) / 60
        root = (mpmath.sqrt(half**2 + mpmath.mpf(1) / 5) - half) * 5
    assert f"value: {mpmath.nstr(root, 30)}" in capsys.readouterr().out


def test_density_and_support(capsys):
    command = [*PLAIN, "--at", "M=400,T=800", "--density=-1:4:6", "--support", "--json"]
    assert main(command) == 0
    found = json.loads(capsys.readouterr().out)
    ((low, high),) = found["support"]
    assert abs(low - (1 - 0.5**0.5) ** 2) < 1e-9 and abs(high - (1 + 0.5**0.5) ** 2) < 1e-9
    assert [d == 0 for _, d in found["density"]] == [True, True, False, False, True, True]


@mark.parametrize(
    "options",
    [
        ["--at", "M=400,T=800"],
        ["--at", "M=400,T=800,z=-1"],
        ["--at", "M400"],
        ["--support"],
        ["--at", "M=400,T=800,z=x"],
        ["--at", "M=400,T=800,z=1,z=2"],
        ["--at", "M=400,T=800,z=1", "--eigenvalues", "L=1,2"],
        ["--at", "M=400,T=800", "--density", "0:1"],
    ],
)
def test_numbers_that_are_refused(options, capsys):
    assert main([*PLAIN, *options]) == 2
    assert "Traceback" not in capsys.readouterr().err


@mark.parametrize(
    "options",
    [
        ["Tr(S)", "--covariance", "Tr(S^2)", "--symmetric", "S:M:1/M", "--digits", "30"],
        ["Tr(S)", "--covariance", "Tr(S^2)", "--symmetric", "S:M:1/M", "--support"],
        ["Tr(S)", "--all"], ["--all", "--symmetric", "S:M:1/M"], ["--all", "--simulate"],
    ],
)  # fmt: skip
def test_options_without_effect_are_refused(options, capsys):
    assert main(["derive", *options]) == 2
    said = capsys.readouterr()
    assert "expected nothing with --" in said.err and said.out == ""


def test_digits_of_eigenvalues(capsys):
    """Eigenvalues and complex numbers are read to the digits that are asked for."""
    command = ["derive", "tr(inv(S + L + z*I))", "--symmetric", "S:M:s/M", "--deterministic"]
    exact = [*command, "L:M", "--digits", "40", "--at"]

    def value(at, eigenvalues):
        assert main([*exact, at, "--eigenvalues", eigenvalues, "--json"]) == 0
        return mpmath.mpmathify(json.loads(capsys.readouterr().out)["value"].strip("()"))

    with mpmath.workdps(40):
        shifted = value("s=1/7,z=1/3", "L=2/3,2/3") - value("s=1/7,z=1", "L=0,0")
        assert abs(shifted) < 1e-37
        turned = value("s=1/7,z=0.4+0.3i", "L=0.6,0.6") - value("s=1/7,z=1+0.3i", "L=0,0")
        assert abs(turned) < 1e-37


def test_a_declared_matrix_that_is_not_used(capsys):
    assert main([*PLAIN, "--deterministic", "L:M"]) == 2
    said = capsys.readouterr().err
    assert "declared matrix = L" in said and said.count("\n") == 1
