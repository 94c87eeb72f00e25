"""The house: no circle of imports, one file of a name, one class of a name, floors in order."""

import ast
from collections import defaultdict
from pathlib import Path

from tests import mutants

ROOT = Path(__file__).parents[1]
FLOORS = ("analytic", "validation", "derivations")
FILES = {
    path.relative_to(ROOT): ast.parse(path.read_text(encoding="utf-8"))
    for floor in FLOORS
    for path in sorted((ROOT / floor).rglob("*.py"))
}


def module(path):
    """The dotted name of a file."""
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


LONGEST_MODULE, LONGEST_FUNCTION = 500, 60

MODULES = {module(path): path for path in FILES}


def imported(path, tree):
    """(module, whether only type checkers read it) for every import of ours in a file."""
    package = module(path) if path.name == "__init__.py" else module(path).rpartition(".")[0]
    checked = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.ImportFrom):
            continue
        base = (node.module or "").removeprefix("solvable.")
        if node.level:
            parts = package.split(".")[: len(package.split(".")) - node.level + 1]
            base = ".".join([*parts, *([node.module] if node.module else [])])
        for name in node.names:
            full = f"{base}.{name.name}"
            target = full if full in MODULES else base
            if target in MODULES:
                yield target, node in checked


GRAPH = {
    module(path): {name for name, only_types in imported(path, tree) if not only_types}
    for path, tree in FILES.items()
}


def circles(graph):
    """The sets of two or more nodes that reach one another (Tarjan)."""
    order, low, stack, found = {}, {}, [], []

    def visit(node):
        order[node] = low[node] = len(order)
        stack.append(node)
        for other in sorted(graph.get(node, ())):
            if other not in order:
                visit(other)
            if other in stack:
                low[node] = min(low[node], low[other])
        if low[node] == order[node]:
            cut = stack.index(node)
            if len(stack) - cut > 1:
                found.append(frozenset(stack[cut:]))
            del stack[cut:]

    for node in sorted(graph):
        if node not in order:
            visit(node)
    return found


def repeated(pairs):
    """The names that come from more than one place."""
    places = defaultdict(set)
    for name, place in pairs:
        places[name].add(place)
    return {name: sorted(map(str, where)) for name, where in places.items() if len(where) > 1}


def test_no_floor_imports_from_above():
    for name, targets in GRAPH.items():
        for target in targets:
            above = FLOORS.index(target.split(".")[0]) > FLOORS.index(name.split(".")[0])
            assert not above, f"{name} imports {target}"


def test_no_circle_of_imports():
    found = [sorted(circle) for circle in circles(GRAPH)]
    assert not found, found


def test_one_file_of_a_name():
    own = [(p.name, p) for p in FILES if p.name not in ("__init__.py", "__main__.py")]
    assert not repeated(own), repeated(own)


def test_one_class_of_a_name():
    classes = [
        (node.name, path)
        for path, tree in FILES.items()
        for node in tree.body
        if isinstance(node, ast.ClassDef)
    ]
    assert not repeated(classes), repeated(classes)


def raised(tree):
    """The lines of code at which mpmath's precision is changed without the lock."""
    names = ("workdps", "workprec", "extradps", "extraprec")
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in names:
            if ast.unparse(node.value) in ("mpmath", "mpmath.mp", "mp"):
                yield node.lineno
        elif isinstance(node, ast.Assign | ast.AugAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(ast.unparse(x) in ("mpmath.mp.dps", "mpmath.mp.prec") for x in targets):
                yield node.lineno


def test_precision_is_raised_by_one_thread_at_a_time():
    alone = Path("analytic/precision.py")
    found = {str(p): list(raised(tree)) for p, tree in FILES.items() if p.parts[0] == "analytic"}
    assert found.pop(str(alone)) and {p: x for p, x in found.items() if x} == {}
    for wrong in ("with mpmath.workdps(30):\n    pass", "mpmath.mp.dps = 3", "mpmath.mp.prec += 3"):
        assert list(raised(ast.parse(wrong))) == [1]


def test_modules_and_functions_are_short():
    for path, tree in FILES.items():
        lines = (ROOT / path).read_text(encoding="utf-8").count("\n")
        assert lines <= LONGEST_MODULE, f"{path} has {lines} lines"
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                lines = node.end_lineno - node.lineno + 1
                where = f"{node.name} in {path}"
                assert lines <= LONGEST_FUNCTION, f"{where} has {lines} lines"


def test_what_is_wrong_is_found():
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [frozenset("abc")]
    assert circles({"a": {"b"}, "b": {"c"}, "d": {"a"}}) == []
    assert repeated([("x", 1), ("x", 2), ("y", 1)]) == {"x": ["1", "2"]}
    assert "analytic.resolvent.equation" in GRAPH["analytic.resolvent.path"]


def test_one_style_of_import():
    """Inside a room relative, between rooms ``from solvable.ROOM…``; never by the bare name."""
    for path, tree in FILES.items():
        room = path.parts[0]
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom):
                first, *rest = (node.module or "").split(".")
                assert node.level or first not in FLOORS, f"{path} imports {node.module}"
                assert not (first == "solvable" and rest[:1] == [room]), f"{path}: {node.module}"
                depth = len(path.parts) - 1
                assert node.level <= depth, f"{path} leaves its room by {'.' * node.level}"
            elif isinstance(node, ast.Import):
                assert not any(a.name.startswith("solvable") for a in node.names), path


def test_mutants_are_of_modules_that_exist_and_judged_by_tests_that_exist():
    for changed, tests in mutants.TESTS.items():
        assert tests and all((ROOT / path).is_file() for path in [changed, *tests]), changed
    for changed, before, after, (test, *_) in mutants.NAMED:
        assert (ROOT / changed).read_text(encoding="utf-8").count(before) == 1 and before != after
        assert (ROOT / test).is_file()
