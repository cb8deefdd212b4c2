"""Files are replaced whole or not at all, whatever happens in between."""

import os
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from core.errors import BocetoError
from core.files import replacing, write_bytes, write_text

OLD = b"the old words"

HALF = """
import os, signal, sys
from pathlib import Path
from core.files import replacing
with replacing(Path(sys.argv[1])) as temporary:
    with temporary.open("wb") as file:
        file.write(b"half of the n")
        file.flush()
        os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def path(tmp_path) -> Path:
    path = tmp_path / "words.txt"
    path.write_bytes(OLD)
    return path


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_file_is_replaced_and_nothing_else_stays(path):
    write_bytes(path, b"new")
    assert path.read_bytes() == b"new"
    assert list(path.parent.iterdir()) == [path]


def test_text_keeps_its_line_ends_and_its_accents(path):
    write_text(path, "años\r\nmás\n")
    assert path.read_bytes() == "años\r\nmás\n".encode()


def test_folders_are_made_on_the_way(tmp_path):
    write_bytes(tmp_path / "a" / "b" / "c", b"x")
    assert (tmp_path / "a" / "b" / "c").read_bytes() == b"x"


def test_an_error_in_the_middle_leaves_the_old_file(path):
    with pytest.raises(KeyError), replacing(path) as temporary:
        temporary.write_bytes(b"half")
        raise KeyError
    assert path.read_bytes() == OLD
    assert list(path.parent.iterdir()) == [path]


def test_a_kill_in_the_middle_leaves_the_old_file(path):
    result = subprocess.run([sys.executable, "-c", HALF, str(path)], check=False)
    assert result.returncode == -signal.SIGKILL
    assert path.read_bytes() == OLD
    # What was begun is hidden, so that no scan of drawings, captions or LoRA files meets it.
    assert all(
        other.name.startswith(".") and other.suffix == ".tmp" for other in path.parent.iterdir() if other != path
    )
    write_bytes(path, b"new")
    assert path.read_bytes() == b"new"


def test_a_full_disk_leaves_the_old_file_and_says_so(path):
    with pytest.raises(BocetoError, match=r"words\.txt.* could not be written") as raised, replacing(path) as temporary:
        temporary.write_bytes(b"half")
        with Path("/dev/full").open("wb", buffering=0) as full:
            full.write(b"x")
    assert "No space left" in raised.value.detail
    assert "disk" in raised.value.hint
    assert path.read_bytes() == OLD
    assert list(path.parent.iterdir()) == [path]


def test_a_reader_never_meets_half_a_file(path):
    over, broken = threading.Event(), []

    def read() -> None:
        while not over.is_set():
            content = path.read_bytes()
            if content != OLD and content != content[:1] * 100_000:
                broken.append(len(content))

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(100):
        write_bytes(path, bytes([number]) * 100_000)
    over.set()
    reader.join()
    assert broken == []


def test_several_may_write_one_file_at_once(path):
    threads = [
        threading.Thread(target=lambda mark=mark: [write_bytes(path, mark * 10_000) for _ in range(20)])
        for mark in (b"a", b"b", b"c")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    content = path.read_bytes()
    assert len(content) == 10_000 and len(set(content)) == 1
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("given", [0o600, 0o640, 0o444, 0o664])
def test_a_file_keeps_the_permissions_it_had(path, given):
    path.chmod(given)
    write_bytes(path, b"new")
    assert mode(path) == given
    assert path.read_bytes() == b"new"


def test_a_new_file_is_as_readable_as_any_other(tmp_path):
    before = os.umask(0o027)
    try:
        write_bytes(tmp_path / "ours", b"x")
        (tmp_path / "theirs").write_bytes(b"x")
    finally:
        os.umask(before)
    assert mode(tmp_path / "ours") == mode(tmp_path / "theirs") == 0o640


def test_a_long_name_is_no_trouble(tmp_path):
    path = tmp_path / ("ñ" * 120 + ".txt")
    write_bytes(path, b"x")
    assert path.read_bytes() == b"x"


@pytest.mark.parametrize("where", ["a file/x", "/proc/boceto/x"])
def test_where_nothing_can_be_written_it_is_said(tmp_path, where):
    (tmp_path / "a file").write_bytes(b"x")
    with pytest.raises(BocetoError, match="could not be written") as raised:
        write_bytes(tmp_path / where, b"x")
    assert raised.value.detail and raised.value.hint


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is denied to root")
def test_a_folder_that_may_only_be_read_is_said(path):
    path.parent.chmod(0o500)
    try:
        with pytest.raises(BocetoError, match="could not be written") as raised:
            write_bytes(path, b"new")
        assert "ermission denied" in raised.value.detail
    finally:
        path.parent.chmod(0o700)
    assert path.read_bytes() == OLD
