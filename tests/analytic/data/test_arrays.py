"""Arrays read from files, and what is said of files that hold none."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from solvable.analytic.data import as_samples, open_samples, read_array, read_labels, read_table
from solvable.analytic.errors import InputError

DATA = np.random.default_rng(3).normal(size=(11, 3))


def written(folder, kind, array=DATA):
    path = folder / f"data.{kind}"
    if kind == "npy":
        np.save(path, array)
    elif kind == "npz":
        np.savez_compressed(path, x=array)
    elif kind == "tsv":
        np.savetxt(path, array, delimiter="\t", fmt="%.17g")
    elif kind == "txt":
        np.savetxt(path, array, fmt="%.17g", header="a comment")
    else:
        np.savetxt(path, array, delimiter=",", fmt="%.17g", header="a,b,c", comments="")
    return path


@pytest.mark.parametrize("kind", ["npy", "npz", "csv", "txt", "tsv"])
def test_every_kind_of_file_gives_the_same_array(kind, tmp_path):
    path = written(tmp_path, kind)
    assert np.array_equal(read_array(path), DATA)
    blocks = list(open_samples(path).blocks(4))
    assert [len(block) for block in blocks] == [4, 4, 3]
    assert np.array_equal(np.concatenate(blocks), DATA)


def test_axes_after_the_first_are_flattened_and_types_converted(tmp_path):
    np.save(tmp_path / "images.npy", np.arange(24, dtype=np.uint8).reshape(4, 2, 3))
    assert np.array_equal(read_array(tmp_path / "images.npy"), np.arange(24.0).reshape(4, 6))
    np.savez(tmp_path / "two.npz", x=np.asfortranarray(DATA), y=DATA[:, 0] > 0)
    assert np.array_equal(read_array(f"{tmp_path}/two.npz:x"), DATA)
    assert np.array_equal(read_labels(f"{tmp_path}/two.npz:y"), 1.0 * (DATA[:, 0] > 0))
    with pytest.raises(InputError, match="NAME among x, y"):
        read_array(tmp_path / "two.npz")


@given(hnp.arrays(float, st.tuples(st.integers(2, 9), st.integers(1, 4)),
                  elements=st.floats(allow_nan=False, allow_infinity=False)))  # fmt: skip
@settings(max_examples=20, deadline=None)
def test_text_keeps_every_digit(tmp_path_factory, array):
    path = tmp_path_factory.mktemp("text") / "array.csv"
    np.savetxt(path, array, delimiter=";", fmt="%.17g")
    assert np.array_equal(read_array(path), array)


@pytest.mark.parametrize(("content", "said"), [
    ("1,2\n3,abc\n", "'abc' .*line 2"),
    ("a,b\n1,2\n\n3,nan\n", "nan .*line 4, column b"),
    ("1,2\n3,inf\n", "inf .*line 2"),
    ("1,2\n3,\n", "an empty cell .*line 2"),
    ("1,2\n3,4,5\n", "3 cells .*line 2"),
    ("1,2\n3\n", "1 cells .*line 2"),
    ("1,2\n", "at least two samples"),
    ("# nothing\n\n", "empty file"),
    ("1,b\n1,2\n", "'b' .*line 1"),
    ("1,5;2,5\n", "'1,5' .*line 1"),
])  # fmt: skip
def test_what_is_wrong_with_a_text_is_said_by_line(content, said, tmp_path):
    (tmp_path / "bad.csv").write_text(content)
    with pytest.raises(InputError, match=said) as error:
        read_array(tmp_path / "bad.csv", "--data")
    assert "--data" in str(error.value) and "bad.csv" in str(error.value)


def test_what_is_wrong_with_an_array_is_said_by_row(tmp_path):
    bad = DATA.copy()
    bad[7, 1] = np.nan
    np.save(tmp_path / "bad.npy", bad)
    with pytest.raises(InputError, match="row 8, column 2"):
        read_array(tmp_path / "bad.npy")
    for name, array, said in (("words.npy", np.array(["a", "b"]), "real numbers"),
                              ("complex.npy", 1j * DATA, "real numbers"),
                              ("empty.npy", np.zeros((0, 3)), "shape"),
                              ("one.npy", DATA[:1], "two samples")):  # fmt: skip
        np.save(tmp_path / name, array)
        with pytest.raises(InputError, match=said):
            read_array(tmp_path / name)
    (tmp_path / "not.npy").write_bytes(b"hello")
    (tmp_path / "not.npz").write_bytes(b"hello")
    (tmp_path / "bytes.csv").write_bytes(b"\xff\xfe\x00")
    for name in ("not.npy", "not.npz", "bytes.csv", "missing.npy", "data.pdf"):
        with pytest.raises(InputError, match=name):
            read_array(tmp_path / name)
    with pytest.raises(InputError, match="equal length"):
        as_samples([[1, 2], [3]])


def test_labels_and_tables(tmp_path):
    (tmp_path / "words.txt").write_text("cat\ndog\ncat\n")
    assert read_labels(tmp_path / "words.txt").tolist() == ["cat", "dog", "cat"]
    (tmp_path / "numbers.csv").write_text("label\n1\n0\n2\n")
    assert read_labels(tmp_path / "numbers.csv", samples=3).tolist() == [1, 0, 2]
    with pytest.raises(InputError, match="4 labels"):
        read_labels(tmp_path / "numbers.csv", samples=4)
    (tmp_path / "two.csv").write_text("1,0\n0,1\n")
    assert read_labels(tmp_path / "two.csv").shape == (2, 2)
    (tmp_path / "runs.csv").write_text("tokens, loss\n1e6, 3.5\n1e7, 3.1\n")
    table = read_table(tmp_path / "runs.csv")
    assert table["loss"].tolist() == [3.5, 3.1] and list(table) == ["tokens", "loss"]
    with pytest.raises(InputError, match="names"):
        read_table(tmp_path / "two.csv")


def test_parquet(tmp_path):
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    pandas.DataFrame(DATA, columns=["a", "b", "c"]).to_parquet(tmp_path / "data.parquet")
    assert np.array_equal(read_array(tmp_path / "data.parquet"), DATA)


def test_columns_of_words_and_without_names(tmp_path):
    runs = tmp_path / "runs.csv"
    runs.write_text("run,N,loss\nfirst,1e6,3.5\nsecond,1e7,3.1\n")
    table = read_table(runs)
    assert table["loss"].tolist() == [3.5, 3.1] and table["run"].tolist() == ["first", "second"]
    with pytest.raises(InputError, match="'first'"):
        read_array(runs)
    runs.write_text("run,N,loss\nfirst,1e6,3.5\nsecond,big,3.1\n")
    with pytest.raises(InputError, match=r"'big'.*line 3"):
        read_table(runs)
    (tmp_path / "index.csv").write_text(",a,b\n0,1.5,2\n1,2.5,7\n")
    with pytest.raises(InputError, match="without a name"):
        read_array(tmp_path / "index.csv")
    (tmp_path / "words.csv").write_text("animal\ncat\ndog\ncat\n")
    assert read_labels(tmp_path / "words.csv", samples=3).tolist() == ["cat", "dog", "cat"]
