"""Change one operator or number of a formula at a time and see whether the tests notice.

    python -m tests.mutants --number 200 --seed 0 --to mutants.txt

A mutant swaps + and − or × and ÷, drops a minus sign, turns a comparison round, or adds one to a
number, in one place of one module of `TESTS`, which says which tests judge it. Left alone are the
constants of a module, which say how much work is done and not what is computed, decorators, and
what a message says. The tree is copied, so nothing here is touched. Before the first mutant that
they judge the tests run on the tree as it is: they must pass, and give the order (the quickest
first) and the processor time, four times which is the most that a mutant gets.

Every mutant is one line of the file: caught, endless or lives; those that stand there are not run
again. Survivors that change nothing of what is promised are in `EXPLAINED`, each behind its reason.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import json
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest

ROOT = Path(__file__).resolve().parents[1]
EXPLAINED = ROOT / "tests" / "equivalent_mutants.txt"
SEEN = 4  # processor time that a mutant gets, in that of the tests as they are
ROOM = 30  # and so many seconds more
IMPORTED = ("numpy", "scipy.special", "scipy.stats", "scipy.optimize", "scipy.integrate", "sympy",
            "mpmath", "flint", "hypothesis", "hypothesis.extra.numpy")  # fmt: skip


def _tests(*names: str) -> list[str]:
    """The files of tests of ``analytic`` so called, each in the first folder that has it."""
    folders = [ROOT / "tests" / "analytic", ROOT / "tests" / "analytic" / "training"]
    every = [[folder / f"test_{name}.py" for folder in folders] for name in names]
    return [str(next(filter(Path.exists, those)).relative_to(ROOT)) for those in every]


TESTS = {
    "analytic/training/annealing.py": _tests("annealing"),
    "analytic/training/complex_modes.py": _tests("schedules"),
    "analytic/training/contour.py": _tests("contour", "dynamics"),
    "analytic/training/convolution.py": _tests("dynamics"),
    "analytic/training/correlation.py": _tests("correlation", "dynamics"),
    "analytic/training/decomposition.py": _tests("decomposition"),
    "analytic/training/dynamics.py": _tests("dynamics"),
    "analytic/training/learners.py": _tests("learners", "dynamics"),
    "analytic/training/learning_curves.py": _tests("dynamics"),
    "analytic/loss.py": _tests("loss"),
    "analytic/optimal_ridge.py": _tests("optimum", "precision"),
    "analytic/optimum.py": _tests("optimum"),
    "analytic/training/reshuffled_epochs.py": _tests("reshuffled_epochs"),
    "analytic/training/scheduled_training.py": _tests("schedules", "any_rule", "random_schedules"),
    "analytic/training/schedules.py": _tests("schedules"),
    "analytic/slopes.py": _tests("slopes"),
    "analytic/spectral_functions.py": _tests("spectrum", "loss"),
    "analytic/training/stability.py": _tests("learners", "stochastic_gradient"),
    "analytic/training/stochastic_gradient.py": _tests(
        "stochastic_gradient", "long_momentum", "any_rule"
    ),
    "analytic/training/stopping.py": _tests("dynamics", "extremes"),
    "analytic/asymptotics/allocation.py": _tests("allocation"),
    "analytic/asymptotics/dynamic_laws.py": _tests("dynamic_laws"),
    "analytic/asymptotics/regimes.py": _tests("regimes"),
    "analytic/asymptotics/static_laws.py": _tests("static_laws"),
    "analytic/asymptotics/expansion/mellin.py": _tests("expansion_mellin", "expansion"),
    "analytic/asymptotics/expansion/sums.py": _tests("expansion", "expansion_mellin"),
    "analytic/algebra/laurent.py": ["tests/analytic/algebra/test_laurent.py"],
    "analytic/data/dimension.py": ["tests/analytic/data/test_dimension.py"],
    "analytic/data/tails.py": ["tests/analytic/data/test_spectra.py"],
    "analytic/features/dual_kernels.py": ["tests/analytic/features/test_features.py"],
    "analytic/features/hermite.py": ["tests/analytic/features/test_features.py"],
    "analytic/fits/forms.py": _tests("fits"),
    "analytic/fits/huber.py": _tests("fits"),
    "analytic/power_sums/certified.py": _tests("power_sums"),
    "analytic/power_sums/vectorised.py": _tests("power_sums"),
    "analytic/prediction/sites.py": _tests("prediction"),
    "analytic/resolvent/density.py": _tests("density"),
    "analytic/resolvent/equation.py": _tests("resolvent"),
    "analytic/resolvent/exact.py": _tests("resolvent"),
    "analytic/resolvent/path.py": _tests("resolvent"),
    "analytic/resolvent/real.py": _tests("resolvent"),
    "analytic/spectrum/laws.py": _tests("spectrum"),
    "analytic/spectrum/listed.py": _tests("spectrum", "power_sums"),
    "validation/statistics.py": ["tests/validation/test_statistics.py"],
}
#: changes that tests once let live, each with the tests that must notice it
NAMED = [
    ("validation/statistics.py", "share = level / 2 if number else level", "share = level",
     ["tests/validation/test_statistics.py", "-k", "halved"]),
    ("analytic/training/dynamics.py", "(k - 2 + r1)", "(k - 1 + r1)",
     ["tests/analytic/training/test_dynamics.py", "-k", "bags_of"]),
    ("analytic/training/learners.py", "return 2 * (1 + float(self.momentum))",
     "return 2 * (1 - float(self.momentum))",
     ["tests/analytic/training/test_dynamics.py", "-k", "divergence"]),
    ("analytic/training/learners.py", "return 2 * math.log(max", "return math.log(max",
     ["tests/analytic/training/test_dynamics.py", "-k", "growth_rate"]),
    ("analytic/training/correlation.py", "np.abs(k + smallest), np", "np.abs(k - smallest), np",
     ["tests/analytic/training/test_correlation.py", "-k", "distance"]),
    ("analytic/power_sums/certified.py", "else total.abs_upper()", "else total.abs_upper() / 16",
     ["tests/analytic/test_power_sums.py", "-k", "remainder"]),
    ("analytic/power_sums/certified.py", "value / 2 - derivatives", "value - derivatives",
     ["tests/analytic/test_power_sums.py", "-k", "direct"]),
]  # fmt: skip
SWAPPED = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult}
TURNED = {ast.Lt: ast.GtE, ast.GtE: ast.Lt, ast.Gt: ast.LtE, ast.LtE: ast.Gt}
#: put at the root of the copied tree: the quickest tests first, or how long each one took
CONFTEST = """
import json, os, pathlib
SECONDS = json.loads(os.environ.get("SECONDS_OF_TESTS", "{}"))
TOOK = {}
def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: SECONDS.get(item.nodeid, 0))
def pytest_runtest_logreport(report):
    TOOK[report.nodeid] = TOOK.get(report.nodeid, 0) + report.duration
def pytest_sessionfinish():
    if "WRITE_SECONDS" in os.environ:
        pathlib.Path(os.environ["WRITE_SECONDS"]).write_text(json.dumps(TOOK))
"""


def variants(node: ast.AST) -> Iterator[ast.AST]:
    """What a node of the syntax tree may be replaced by."""
    if isinstance(node, ast.BinOp) and type(node.op) in SWAPPED:
        yield ast.BinOp(node.left, SWAPPED[type(node.op)](), node.right)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        yield node.operand
    if isinstance(node, ast.Compare) and type(node.ops[0]) in TURNED:
        yield ast.Compare(node.left, [TURNED[type(node.ops[0])](), *node.ops[1:]], node.comparators)
    number = isinstance(node, ast.Constant) and type(node.value) in (int, float)
    if number and node.value + 1 != node.value:  # 1e300 + 1 is 1e300
        yield ast.Constant(node.value + 1)


def left_alone(tree: ast.Module) -> set[ast.AST]:
    """The nodes that are no formula: constants of the module, decorators, messages."""
    roots: list[ast.AST] = [x for x in tree.body if isinstance(x, ast.Assign | ast.AnnAssign)]
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise | ast.JoinedStr):
            roots.append(node)
        roots += getattr(node, "decorator_list", [])
    return {node for root in roots for node in ast.walk(root)}


def places(source: str) -> list[tuple[int, str, int, int]]:
    """(line, what it becomes, number of the node, which variant) of every mutant of a module."""
    tree = ast.parse(source)
    others = left_alone(tree)
    return [
        (getattr(node, "lineno"), ast.unparse(variant), index, which)  # noqa: B009
        for index, node in enumerate(ast.walk(tree)) if node not in others
        for which, variant in enumerate(variants(node))
    ]  # fmt: skip


def mutated(source: str, index: int, which: int) -> str:
    """The source with one node replaced."""
    tree = ast.parse(source)
    old = next(node for i, node in enumerate(ast.walk(tree)) if i == index)
    new = ast.copy_location(list(variants(old))[which], old)
    for parent in ast.walk(tree):
        for name, value in ast.iter_fields(parent):
            if value is old:
                setattr(parent, name, new)
            elif isinstance(value, list) and any(entry is old for entry in value):
                value[:] = [new if entry is old else entry for entry in value]
    return ast.unparse(ast.fix_missing_locations(tree))


class Tree:
    """A copy of the tree in which ``import solvable`` finds the copies.

    Each run of tests is a process forked from this one, which has imported all that they need but
    the package itself.
    """

    def __init__(self, folder: Path, seconds: float) -> None:
        self.folder, self.most, self.used = folder, seconds, 0.0
        self.known: dict[tuple[str, ...], tuple[dict[str, float], float]] = {}
        for name in ("analytic", "derivations", "validation", "tests"):
            shutil.copytree(ROOT / name, folder / name)
        shutil.copy(ROOT / "pyproject.toml", folder)
        (folder / "conftest.py").write_text(CONFTEST)
        shutil.copytree(ROOT / "derivations" / "face", folder / "solvable")
        for name in ("analytic", "derivations", "validation"):
            (folder / "solvable" / name).symlink_to(folder / name)
        for name in IMPORTED:
            importlib.import_module(name)

    def run(self, tests: list[str], seconds: float, **others: str) -> tuple[int | None, float]:
        """Exit status (None where processor time or clock ran out) and processor time."""
        child = os.fork()
        if child == 0:
            self._judge(tests, seconds, others)
        over = time.monotonic() + self.most
        while True:
            ended, status, used = os.wait4(child, os.WNOHANG)
            if ended:
                return (os.WEXITSTATUS(status) if os.WIFEXITED(status) else None), used.ru_utime
            if time.monotonic() > over:
                os.killpg(child, signal.SIGKILL)
            time.sleep(0.05)

    def _judge(self, tests: list[str], seconds: float, others: dict[str, str]) -> NoReturn:
        os.setsid()
        resource.setrlimit(resource.RLIMIT_CPU, (int(seconds), int(seconds) + 5))
        os.environ.update(PYTHONPATH=str(self.folder), **others)
        os.chdir(self.folder)
        with open(self.folder / "output.txt", "w") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        sys.path[:] = [str(self.folder), *(x for x in sys.path if x not in ("", str(ROOT)))]
        for name in [name for name in sys.modules if name.partition(".")[0] == "tests"]:
            del sys.modules[name]
        status = 1
        try:
            status = int(pytest.main(["-x", "-q", "-n", "0", "-p", "no:cacheprovider", *tests]))
        finally:
            os._exit(status)

    def usual(self, tests: list[str]) -> tuple[dict[str, float], float]:
        """Seconds of each of the tests on the tree as it is, and processor time of them all."""
        if tuple(tests) not in self.known:
            file = self.folder / "seconds.json"
            status, used = self.run(tests, self.most, WRITE_SECONDS=str(file))
            if status != 0:
                said = (self.folder / "output.txt").read_text()[-2000:]
                raise RuntimeError(f"{tests} do not pass as they are: status {status}\n{said}")
            self.known[tuple(tests)] = json.loads(file.read_text()), used
        return self.known[tuple(tests)]

    def verdict(self, module: str, text: str, tests: list[str]) -> str:
        """What the tests say of the module with another text."""
        order, usual = self.usual(tests)
        target = self.folder / module
        before = target.read_text()
        self._put(target, text)
        status, self.used = self.run(tests, SEEN * usual + ROOM, SECONDS_OF_TESTS=json.dumps(order))
        self._put(target, before)
        return {0: "lives", None: "endless"}.get(status, "caught")

    def _put(self, target: Path, text: str) -> None:
        target.write_text(text)
        for compiled in (target.parent / "__pycache__").glob(f"{target.stem}.*.pyc"):
            compiled.unlink()  # two texts of one second and one length


def named_survivors(tree: Tree) -> int:
    """How many of `NAMED` no test notices; each must stand in its module once."""
    survivors = 0
    for module, before, after, tests in NAMED:
        source = (ROOT / module).read_text()
        if source.count(before) != 1:
            raise ValueError(f"{before!r} stands {source.count(before)} times in {module}")
        verdict = tree.verdict(module, source.replace(before, after), tests)
        survivors += verdict == "lives"
        print(f"{verdict}: {module}: {after}", flush=True)
    return survivors


def survey(tree: Tree, modules: list[str], number: int, seed: int, to: Path) -> tuple[int, int]:
    """How many mutants were judged, and how many of them live unexplained."""
    sources = {module: (ROOT / module).read_text() for module in modules}
    every = [(module, *place) for module in modules for place in places(sources[module])]
    sample = random.Random(seed).sample(every, min(number, len(every)))
    done = dict(_recorded(line) for line in to.read_text().splitlines()) if to.exists() else {}
    reasons = dict(_recorded(line, whole=True) for line in EXPLAINED.read_text().splitlines())
    counts: Counter[str] = Counter()
    for module, line, became, *place in sample:
        stands = sources[module].splitlines()[line - 1].strip()
        what = f"{module}:{line}: {stands} → {became}".replace("\n", " ")
        if what not in done:
            text = mutated(sources[module], *place)
            done[what] = tree.verdict(module, text, TESTS[module])
            with to.open("a") as file:
                file.write(f"{done[what]} {tree.used:.0f} s\t{what}\n")
        verdict = done[what]
        if verdict == "lives":
            reason = reasons.get(f"{module}: {stands} → {became}")
            verdict = "explained" if reason else verdict
            print(f"{verdict}: {what}" + (f": {reason}" if reason else ""), flush=True)
        counts[verdict] += 1
    print(f"{dict(counts)} of {len(sample)} mutants, of {len(every)} that there are")
    return len(sample), counts["lives"]


def _recorded(line: str, whole: bool = False) -> tuple[str, str]:
    verdict, _, what = line.partition("\t")
    return what, verdict if whole else verdict.split()[0]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--number", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--timeout", type=float, default=600, help="seconds of one run of tests")
    parser.add_argument("--module", nargs="+", choices=sorted(TESTS), help="only these modules")
    parser.add_argument("--named", action="store_true", help="only those that once lived")
    parser.add_argument("--to", type=Path, default=Path("mutants.txt"), help="verdicts so far")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        tree = Tree(Path(name), chosen.timeout)
        if chosen.named:
            return int(named_survivors(tree) > 0)
        modules = chosen.module or sorted(TESTS)
        judged, survivors = survey(tree, modules, chosen.number, chosen.seed, chosen.to)
    return int(survivors > 0.03 * judged)


if __name__ == "__main__":
    sys.exit(main())
