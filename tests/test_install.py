"""What is installed: one import name, and nothing that another package could be mistaken for."""

import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("analytic", "validation", "derivations")


def run(statement: str, folder: Path) -> str:
    command = [sys.executable, "-W", "error", "-c", statement]
    return subprocess.run(
        command, cwd=folder, check=True, capture_output=True, text=True
    ).stdout.strip()


def modules_of(project: dict) -> set[str]:
    return set(project["tool"]["setuptools"]["packages"])


def test_every_package_of_the_tree_is_installed():
    tomllib = pytest.importorskip("tomllib")
    listed = modules_of(tomllib.loads((ROOT / "pyproject.toml").read_text()))
    found = {
        "solvable." + ".".join(path.parent.relative_to(ROOT).parts)
        for room in ROOMS
        for path in (ROOT / room).rglob("__init__.py")
        if "build" not in path.parts
    }
    assert listed == (found - {"solvable.derivations.face"}) | {"solvable"}


def test_files_of_the_users_own_are_not_mistaken_for_ours(tmp_path):
    for room in ROOMS:
        (tmp_path / f"{room}.py").write_text("raise SystemExit('the wrong module')\n")
    code = (
        "import solvable as sv, solvable.derivations.cli, solvable.validation.experiments\n"
        "print(sv.static_loss(sv.Flat(8), 2, 4).excess_loss.shape)"
    )
    assert run(code, tmp_path) == "()"


def test_importing_loads_no_library(tmp_path):
    code = "import sys, solvable; print({'sympy', 'numpy', 'mpmath', 'scipy'} & set(sys.modules))"
    assert run(code, tmp_path) == "set()"


def test_the_source_distribution_holds_its_tests(tmp_path):
    source = tmp_path / "source"
    shutil.copytree(ROOT, source, ignore=shutil.ignore_patterns(".*", "build", "*.egg-info"))
    command = [sys.executable, "-c", "import setuptools.build_meta as b; b.build_sdist('made')"]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    with tarfile.open(next((source / "made").glob("solvable-*.tar.gz"))) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    for room in ("tests", "docs", *ROOMS):
        files = (path for path in (ROOT / room).rglob("*.*") if path.is_file())
        files = {str(path.relative_to(ROOT)) for path in files if "__pycache__" not in path.parts}
        assert files <= held, sorted(files - held)[:5]


@pytest.mark.slow
def test_the_wheel_holds_one_package_and_lives_beside_others(tmp_path):
    """`analytic` and `validation` of others, installed before and after ours: all three work."""
    source = tmp_path / "source"
    shutil.copytree(ROOT, source, ignore=shutil.ignore_patterns(".*", "build", "*.egg-info"))
    build = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(tmp_path)]
    subprocess.run([*build, str(source)], check=True)
    wheel = next(tmp_path.glob("solvable-*.whl"))
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    assert tops == {"solvable", next(top for top in tops if top.endswith(".dist-info"))}
    assert {"solvable/__init__.pyi", "solvable/py.typed"} <= set(names)
    others = [_other(tmp_path, name) for name in ("analytic", "validation")]
    for order in ([wheel, *others], [*others, wheel]):
        target = tmp_path / f"site-{order[0].name}"
        for item in order:
            pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target"]
            subprocess.run([*pip, str(target), str(item)], check=True)
        code = (
            f"import sys; sys.path.insert(0, {str(target)!r})\n"
            "import analytic, validation, solvable as sv, solvable.validation.sweep\n"
            "print(analytic.owner, validation.owner, sv.__file__, sv.PowerLaw.__module__)"
        )
        said = run(code, tmp_path).split()
        assert said[:2] == ["somebody", "somebody"]
        assert said[2].startswith(str(target)) and said[3].startswith("solvable.analytic.")


def _other(folder: Path, name: str) -> Path:
    """A project of somebody else's with one package called ``name``."""
    source = folder / f"other-{name}"
    (source / name).mkdir(parents=True)
    (source / name / "__init__.py").write_text("owner = 'somebody'\n")
    (source / "pyproject.toml").write_text(
        f'[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
        f'[project]\nname = "{name}"\nversion = "1"\n'
    )
    return source
