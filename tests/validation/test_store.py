import os
import resource
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solvable.validation.store import Store, StoreError, decode, encode

IDENTITY = {"experiment": "plateau", "root_seed": 0}
ROOT = Path(__file__).resolve().parents[2]

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


def filled(path, count=5):
    with Store(path, IDENTITY) as store:
        for k in range(count):
            store.append(f"cell/{k}", {"loss": 1 / (k + 1)})
    return path.read_bytes()


@given(st.dictionaries(st.text(), json_values, max_size=5))
def test_a_line_reads_back_exactly(record):
    assert decode(encode(record).rstrip(b"\n")) == record


@given(st.integers(0, 10**6), st.integers(1, 255))
def test_every_damaged_byte_is_noticed(position, flip):
    line = bytearray(encode({"key": "cell/1", "value": {"loss": 0.123456789}}).rstrip(b"\n"))
    line[position % len(line)] ^= flip
    assert decode(bytes(line)) is None


def test_what_was_appended_is_there_again(tmp_path):
    filled(tmp_path / "store")
    with Store(tmp_path / "store", IDENTITY) as store:
        assert store.results == {f"cell/{k}": {"loss": 1 / (k + 1)} for k in range(5)}
        assert store.messages == []


def test_a_store_is_only_ever_appended_to(tmp_path):
    before = filled(tmp_path / "store")
    with Store(tmp_path / "store", IDENTITY) as store:
        store.append("another", 1)
    assert (tmp_path / "store").read_bytes().startswith(before)


@pytest.mark.parametrize("kept", range(1, 12))
def test_a_torn_last_line_is_repaired_and_said(tmp_path, kept):
    path = tmp_path / "store"
    content = filled(path)
    lines = content.splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-1]) + lines[-1][: kept * len(lines[-1]) // 12])
    with Store(path, IDENTITY) as store:
        assert "torn" in store.messages[0] and len(store.messages) == 1
        assert set(store.results) == {f"cell/{k}" for k in range(4)}
        store.append("cell/4", {"loss": 0.2})
    assert path.read_bytes() == content


def test_a_last_line_that_lacks_only_its_newline_is_kept(tmp_path):
    path = tmp_path / "store"
    content = filled(path)
    path.write_bytes(content[:-1])
    with Store(path, IDENTITY) as store:
        assert len(store) == 5
    assert path.read_bytes() == content


def test_a_torn_header_is_written_again(tmp_path):
    path = tmp_path / "store"
    content = filled(path, 0)
    path.write_bytes(content[:20])
    with Store(path, IDENTITY) as store:
        assert "header" in store.messages[0]
    assert path.read_bytes() == content


def test_a_damaged_cell_counts_as_unfinished_and_is_said(tmp_path):
    path = tmp_path / "store"
    lines = filled(path).splitlines(keepends=True)
    lines[3] = lines[3].replace(b"0.333", b"0.334")
    path.write_bytes(b"".join(lines))
    with Store(path, IDENTITY) as store:
        assert set(store.results) == {"cell/0", "cell/1", "cell/3", "cell/4"}
        assert "line 4 is damaged" in store.messages[0]
        store.append("cell/2", {"loss": 1 / 3})
    with Store(path, IDENTITY) as store:
        assert len(store) == 5


@pytest.mark.parametrize(
    ("identity", "named"),
    [
        ({**IDENTITY, "experiment": "frontier"}, "'plateau' instead of 'frontier'"),
        ({**IDENTITY, "root_seed": 1}, "root_seed 0 instead of 1"),
        ({**IDENTITY, "code": "0.2"}, "code None instead of '0.2'"),
    ],
)
def test_another_identity_is_refused_and_nothing_changed(tmp_path, identity, named):
    content = filled(tmp_path / "store")
    with pytest.raises(StoreError, match=named):
        Store(tmp_path / "store", identity)
    assert (tmp_path / "store").read_bytes() == content


@pytest.mark.parametrize("content", [b"a file of mine\n", b"\x00" * 1000, b"no newline", b"{}\n"])
def test_a_file_that_is_no_store_is_refused_and_kept(tmp_path, content):
    (tmp_path / "mine").write_bytes(content)
    with pytest.raises(StoreError, match="not a store"):
        Store(tmp_path / "mine", IDENTITY)
    assert (tmp_path / "mine").read_bytes() == content


def test_another_format_version_is_refused(tmp_path, monkeypatch):
    filled(tmp_path / "store")
    monkeypatch.setattr("solvable.validation.store.FORMAT_VERSION", 2)
    with pytest.raises(StoreError, match="format version 1"):
        Store(tmp_path / "store", IDENTITY)


def test_two_writers_are_refused(tmp_path):
    pytest.importorskip("fcntl")
    with Store(tmp_path / "store", IDENTITY), pytest.raises(StoreError, match="another process"):
        Store(tmp_path / "store", IDENTITY)
    Store(tmp_path / "store", IDENTITY).close()


@pytest.mark.parametrize("path", ["missing/store", ".", "/dev/null"])
def test_a_path_that_cannot_be_a_store(tmp_path, path):
    with pytest.raises(StoreError, match=r"store|null|directory"):
        Store(tmp_path / path, IDENTITY)


def test_a_full_disk_leaves_whole_lines(tmp_path):
    """A limit on the file size cuts a write short, as a full disk does."""
    script = textwrap.dedent("""
        import resource, signal, sys
        from validation.store import Store, StoreError
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        store = Store(sys.argv[1], {"experiment": "plateau", "root_seed": 0})
        try:
            for k in range(100):
                store.append(f"cell/{k}", {"loss": k})
        except StoreError as error:
            print(error, len(store))
    """)
    path = tmp_path / "store"
    said = subprocess.run(
        [sys.executable, "-c", script, path], capture_output=True, text=True, check=True, cwd=ROOT
    ).stdout
    finished = int(said.split()[-1])
    assert f"the {finished} cells finished so far are safe" in said and finished > 3
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 1000
    with Store(path, IDENTITY) as store:
        assert len(store) == finished and store.messages == []


def test_kill_9_loses_at_most_the_line_being_written(tmp_path):
    script = textwrap.dedent("""
        import itertools, sys
        from validation.store import Store
        with Store(sys.argv[1], {"experiment": "plateau", "root_seed": 0}) as store:
            for k in itertools.count():
                store.append(f"cell/{k}", {"loss": k})
                print(k, flush=True)
    """)
    path = tmp_path / "store"
    process = subprocess.Popen(
        [sys.executable, "-c", script, path], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    while int(process.stdout.readline()) < 200:
        pass
    os.kill(process.pid, signal.SIGKILL)
    told = [int(line) for line in process.communicate()[0].split()]
    time.sleep(0.01)
    with Store(path, IDENTITY) as store:
        assert len(store) >= max(told, default=200)
        assert set(store.results) == {f"cell/{k}" for k in range(len(store))}
