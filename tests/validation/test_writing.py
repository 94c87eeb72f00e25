import os
import stat
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from solvable.analytic.errors import InputError
from solvable.validation.figure_style import write_picture
from solvable.validation.writing import check_writable, folder, replacing, write_text


def test_an_error_while_writing_leaves_the_old_file(tmp_path):
    target = write_text(tmp_path / "report.md", "old", "--report")
    with pytest.raises(ZeroDivisionError), replacing(target, "--report") as beside:
        beside.write_text("half of the n")
        1 / 0  # noqa: B018
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["report.md"]


def test_a_full_disk_leaves_the_old_file_and_is_said(tmp_path, monkeypatch):
    target = write_text(tmp_path / "laws.tex", "old", "--to")

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("solvable.validation.writing.os.fsync", full)
    with pytest.raises(InputError, match=r"--to = .*laws\.tex.*\(No space left"):
        write_text(target, "new", "--to")
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["laws.tex"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("kind", ["pdf", "svg", "png"])
def test_a_picture_on_a_full_disk_is_an_error_of_the_system(kind):
    figure = Figure()
    figure.subplots().plot([1, 2], [1, 4])
    with pytest.raises(OSError, match="No space left"):
        write_picture(figure, "/dev/full", kind)


@pytest.mark.parametrize("name", ["missing/x.tex", ".", "a\0b.tex", "x" * 300])
def test_what_cannot_be_written_is_known_before(tmp_path, name):
    with pytest.raises(InputError, match="--to"):
        check_writable(f"{tmp_path}/{name}", "--to")
    assert os.listdir(tmp_path) == []


def test_permissions_of_a_new_file_are_the_usual_ones(tmp_path):
    plain = tmp_path / "plain"
    plain.write_text("")
    mode = stat.S_IMODE(write_text(tmp_path / "new", "text", "--to").stat().st_mode)
    assert mode == stat.S_IMODE(plain.stat().st_mode)


@pytest.mark.parametrize("old", [".", "old", "old/older"])
@pytest.mark.parametrize("new", ["new", "new/newer/newest"])
def test_a_folder_in_which_nothing_came_to_be_is_gone_again(tmp_path, old, new):
    (tmp_path / old).mkdir(parents=True, exist_ok=True)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ZeroDivisionError), folder(tmp_path / old / new, "--to") as into:
        assert into.is_dir()
        with folder(into / "inner", "--to"):
            1 / 0  # noqa: B018
    assert sorted(tmp_path.rglob("*")) == before
    with pytest.raises(InputError), folder(tmp_path / old / new, "--to") as into:
        write_text(into / "kept", "text", "--to")
        write_text(into / "missing" / "x", "text", "--to")
    assert (tmp_path / old / new / "kept").read_text() == "text"


@pytest.mark.parametrize("name", ["file/sub", "new/a\0b", "new/" + "x" * 300])
def test_a_folder_that_cannot_be_written_is_said(tmp_path, name):
    (tmp_path / "file").write_text("")
    said = pytest.raises(InputError, match=r"--to = .*a folder that can be written")
    with said, folder(tmp_path / name, "--to"):
        pass
    assert os.listdir(tmp_path) == ["file"]
