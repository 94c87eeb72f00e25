"""Change one operator or number of a formula at a time and see whether the tests notice.

    python -m tests.mutants --number 200 --seed 0 --timeout 300

A mutant swaps + and − or × and ÷, drops a minus sign, turns a comparison round, or adds one to a
number, in one place of one module of `TESTS`, which says which tests judge it. The tree is copied,
so nothing here is touched. Printed are the survivors and the share that was caught; those that
change nothing of what is promised are listed in `EQUIVALENT`, each with its reason.
"""

from __future__ import annotations

import argparse
import ast
import copy
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TESTS = {
    "analytic/loss.py": ["tests/analytic/test_loss.py"],
    "analytic/correlation.py": [
        "tests/analytic/test_correlation.py", "tests/analytic/test_dynamics.py",
    ],
    "analytic/contour.py": ["tests/analytic/test_contour.py", "tests/analytic/test_dynamics.py"],
    "analytic/dynamics.py": ["tests/analytic/test_dynamics.py"],
    "analytic/learners.py": ["tests/analytic/test_learners.py", "tests/analytic/test_dynamics.py"],
    "analytic/stochastic_gradient.py": ["tests/analytic/test_stochastic_gradient.py"],
    "analytic/decomposition.py": ["tests/analytic/test_decomposition.py"],
    "analytic/power_sums/certified.py": ["tests/analytic/test_power_sums.py"],
    "analytic/power_sums/vectorised.py": ["tests/analytic/test_power_sums.py"],
    "analytic/resolvent/equation.py": ["tests/analytic/test_resolvent.py"],
    "validation/statistics.py": ["tests/validation/test_statistics.py"],
}  # fmt: skip
#: (module, line as it stands, what it became): why nothing that is promised changes
EQUIVALENT: dict[tuple[str, str, str], str] = {}
#: changes that tests once let live, each with the tests that must notice it
NAMED = [
    ("validation/statistics.py", "share = level / 2 if number else level", "share = level",
     ["tests/validation/test_statistics.py", "-k", "halved"]),
    ("analytic/dynamics.py", "(k - 2 + r1)", "(k - 1 + r1)",
     ["tests/analytic/test_dynamics.py", "-k", "bags_of"]),
    ("analytic/learners.py", "return 2 * (1 + float(self.momentum))",
     "return 2 * (1 - float(self.momentum))",
     ["tests/analytic/test_dynamics.py", "-k", "divergence"]),
    ("analytic/learners.py", "return 2 * math.log(max", "return math.log(max",
     ["tests/analytic/test_dynamics.py", "-k", "growth_rate"]),
    ("analytic/correlation.py", "np.abs(k + smallest), np", "np.abs(k - smallest), np",
     ["tests/analytic/test_correlation.py", "-k", "distance"]),
    ("analytic/power_sums/certified.py", "else total.abs_upper()", "else total.abs_upper() / 16",
     ["tests/analytic/test_power_sums.py", "-k", "enclosures"]),
    ("analytic/power_sums/certified.py", "value / 2 - derivatives", "value - derivatives",
     ["tests/analytic/test_power_sums.py", "-k", "direct"]),
]  # fmt: skip
SWAPPED = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult}
TURNED = {ast.Lt: ast.GtE, ast.GtE: ast.Lt, ast.Gt: ast.LtE, ast.LtE: ast.Gt}


def variants(node: ast.AST) -> Iterator[ast.AST]:
    """What a node of the syntax tree may be replaced by."""
    if isinstance(node, ast.BinOp) and type(node.op) in SWAPPED:
        yield ast.BinOp(node.left, SWAPPED[type(node.op)](), node.right)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        yield node.operand
    if isinstance(node, ast.Compare) and type(node.ops[0]) in TURNED:
        yield ast.Compare(node.left, [TURNED[type(node.ops[0])](), *node.ops[1:]], node.comparators)
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        yield ast.Constant(node.value + 1)


def mutants(source: str) -> list[tuple[int, str, str]]:
    """(line, what it became, the whole mutated source) of every mutant of a module."""
    tree = ast.parse(source)
    found = []
    nodes = [node for node in ast.walk(tree) if hasattr(node, "lineno")]
    for index, node in enumerate(nodes):
        for variant in variants(node):
            changed = copy.deepcopy(tree)
            twin = [other for other in ast.walk(changed) if hasattr(other, "lineno")][index]
            _replace(changed, twin, ast.copy_location(variant, twin))
            text = ast.unparse(ast.fix_missing_locations(changed))
            found.append((node.lineno, ast.unparse(variant), text))
    return found


def _replace(tree: ast.AST, old: ast.AST, new: ast.AST) -> None:
    for parent in ast.walk(tree):
        for name, value in ast.iter_fields(parent):
            if value is old:
                setattr(parent, name, new)
            elif isinstance(value, list) and any(entry is old for entry in value):
                value[:] = [new if entry is old else entry for entry in value]


def copied(folder: Path) -> None:
    """A tree in which ``import solvable`` finds the copies."""
    for name in ("analytic", "derivations", "validation", "tests"):
        shutil.copytree(ROOT / name, folder / name)
    shutil.copy(ROOT / "pyproject.toml", folder)
    shutil.copytree(ROOT / "derivations" / "face", folder / "solvable")
    for name in ("analytic", "derivations", "validation"):
        (folder / "solvable" / name).symlink_to(folder / name)


def is_caught(folder: Path, tests: list[str], seconds: float) -> bool:
    """Whether a test fails (or none ends in time)."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-n", "0", "-p", "no:cacheprovider"]
    try:
        done = subprocess.run(
            [*command, *tests], cwd=folder, timeout=seconds, capture_output=True,
            env={**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"},
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return True
    return done.returncode == 1


def named_survivors(seconds: float) -> int:
    """How many of `NAMED` no test notices; each must stand in its module once."""
    survivors = 0
    with tempfile.TemporaryDirectory() as name:
        copied(folder := Path(name))
        for module, before, after, tests in NAMED:
            source = (ROOT / module).read_text()
            if source.count(before) != 1:
                raise ValueError(f"{before!r} stands {source.count(before)} times in {module}")
            (folder / module).write_text(source.replace(before, after))
            caught = is_caught(folder, tests, seconds)
            (folder / module).write_text(source)
            survivors += not caught
            print(f"{'caught' if caught else 'LIVES'}: {module}: {after}", flush=True)
    return survivors


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--number", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--timeout", type=float, default=300)
    parser.add_argument("--module", choices=sorted(TESTS), help="only this module")
    parser.add_argument("--named", action="store_true", help="only those that once lived")
    chosen = parser.parse_args()
    if chosen.named:
        return int(named_survivors(chosen.timeout) > 0)
    modules = [chosen.module] if chosen.module else sorted(TESTS)
    every = [
        (module, *mutant) for module in modules for mutant in mutants((ROOT / module).read_text())
    ]
    sample = random.Random(chosen.seed).sample(every, min(chosen.number, len(every)))
    survivors = 0
    with tempfile.TemporaryDirectory() as name:
        copied(folder := Path(name))
        for module, line, became, text in sample:
            (folder / module).write_text(text)
            caught = is_caught(folder, TESTS[module], chosen.timeout)
            (folder / module).write_text((ROOT / module).read_text())
            stands = (ROOT / module).read_text().splitlines()[line - 1].strip()
            reason = EQUIVALENT.get((module, stands, became))
            if not caught and reason is None:
                survivors += 1
                print(f"{module}:{line}: {stands}\n    lives on with {became}", flush=True)
    print(
        f"{len(sample) - survivors} of {len(sample)} mutants (of {len(every)}) caught or explained"
    )
    return int(survivors > 0.03 * len(sample))


if __name__ == "__main__":
    sys.exit(main())
